/* SPDX-License-Identifier: MIT */
/*
 * The world's insides, and its clients: each runs one operation at a time on the store, and what it
 * sees is compared with the model at once. For the files of the world only.
 */
#ifndef SIM_STORE_CLIENT_H
#define SIM_STORE_CLIENT_H

#include "sim/sim_files.h"
#include "sim/sim_tier.h"
#include "sim/sim_workers.h"
#include "sim/store_operation.h"
#include "store/store.h"
#include "store/txn.h"

enum { CLIENTS = 3 };

/* What a run found of a key that the model has, and that no client took away. */
enum fate {
    FATE_AS_EXPECTED,
    FATE_EXPIRED, /* on a clock that has gone back since */
    FATE_EVICTED,
};

/* One client with at most one operation under way. */
struct client {
    struct world *world;
    struct txn txn;
    struct arena arena;
    bool busy, fetching;
    unsigned cold_runs; /* of this operation */
    struct operation operation;
    enum fate fates[MODEL_KEYS]; /* of this run, in the operation's database */
};

/* Whether somebody was told that a key is gone whose time, as the clock has gone back since, is not
 * over. */
struct gone {
    uint64_t gate; /* of the reply; 0: nobody was */
    bool told;     /* the reply was sent */
    bool durable;  /* what it told of */
};

/* An operation whose reply waits. */
struct reply {
    size_t operation; /* of the model */
    uint64_t gate;
};

struct world {
    uint64_t seed;
    bool trace, failed;
    bool joined; /* the store is one copy among several: nothing leaves it by itself */
    struct random random;
    uint64_t now_ms;
    struct sim_files *disk;
    struct sim_tier *tier_disk;
    struct sim_workers *workers;
    struct tier *tier;
    struct store *store;
    struct store_options options;
    struct client clients[CLIENTS];
    struct model model;
    size_t acknowledged; /* operations of the model that have been */
    struct reply *replies;
    size_t reply_count, reply_room;
    size_t synced; /* operations of the model below the log's synced position */
    bool disk_full;
    bool fails_read;  /* of some row of the tier */
    bool read_errors; /* in this life: a client may still be told */
    struct operation_mix mix;
    uint64_t *clocks; /* all that it said so far; the last is now_ms */
    size_t clock_count, clock_room;
    uint64_t clock_back_odds; /* 0: it never goes back */
    uint64_t turn; /* log position where this turn's batch begins: a batch is durable as a whole */
    uint64_t changed_at[MODEL_DATABASES]
                       [MODEL_KEYS]; /* a reply that tells of it waits for so much */
    struct gone gone[MODEL_DATABASES][MODEL_KEYS];
    enum eviction_policy eviction;            /* by which keys may be missing */
    uint64_t evictions_seen, evictions_known; /* in the last life: by clients, by the store */
    bool power_cut;                           /* ended the last life */
    bool closed;         /* the last life ended by a clean stop, or in the midst of one */
    struct dot last_dot; /* of it */
    uint64_t hash;       /* of all that was told */
};

/* Tells what happens: in the world's hash, and with a trace on stdout. */
__attribute__((format(printf, 2, 3))) void world_tell(struct world *world, const char *format, ...);

/* A check failed. The first is said on stderr. */
__attribute__((format(printf, 2, 3))) void world_fail(struct world *world, const char *format, ...);

/* Whether a key of this value may be gone though no client took it: its time has once been over
 * since it was written, or a policy evicts such. */
bool world_excused_by_clock(const struct world *world, const struct model_value *value);
bool world_excused_by_eviction(const struct world *world, const struct model_value *value);

/* Whether the store may answer so, as things are. */
bool world_expects(struct world *world, enum status status);

/* One run of the client's operation. */
void client_run(struct client *client);

/* The client gives up what it is doing. */
void client_stop(struct client *client);

/* Reads a key within the client's transaction. With STATUS_COLD: client_fetch, then again. */
MUST_CHECK enum status client_read(struct client *client, uint8_t db, unsigned key,
                                   struct model_value *out);
void client_fetch(struct client *client);

#endif
