/* SPDX-License-Identifier: MIT */
/*
 * The ordered tier of a simulated node: the same contract as tier_rocksdb's, in memory, with
 * crashes and errors at will.
 *
 * There are two things. The disk (struct sim_tier) is what a power cut leaves: it outlives the
 * store. The tier that a store is given (sim_tier_open) is one process's handle on it, freed
 * through its ops; afterwards, or after a crash, open another:
 *
 *     struct sim_tier *disk = sim_tier_new(seed);
 *     struct tier *tier = sim_tier_open(disk);          a store runs on it
 *     sim_tier_crash_in_ingest(disk, SIM_TIER_NOTHING_KEPT, stop_the_world, world);
 *     ...                                               the store seals; stop_the_world is called
 *     tier->ops->free(tier);                            after store_abandon
 *     tier = sim_tier_open(disk);                       what the restarted store finds
 *
 * Ingestion is atomic by construction: the new rows are built beside the old ones and put in their
 * place at once. What would be a programming error against RocksDB (names out of order, two tables
 * at a time, an empty row) fails a check. One thread at a time. Same seed and calls, same answers.
 */
#ifndef SIM_SIM_TIER_H
#define SIM_SIM_TIER_H

#include "store/tier.h"

struct sim_tier;

struct sim_tier *sim_tier_new(uint64_t seed);

/* No handle is open. */
void sim_tier_delete(struct sim_tier *disk);

/* Another one with the same rows, as they are durable now. */
struct sim_tier *sim_tier_copy(const struct sim_tier *disk, uint64_t seed);

/* One handle at a time. Ends the state after a crash; a table that was being built is gone. */
struct tier *sim_tier_open(struct sim_tier *disk);

/* ---- what is cold ---------------------------------------------------------------------------- */

enum {
    SIM_TIER_NEVER_COLD = 0,
    SIM_TIER_ALWAYS_COLD = 1,
    SIM_TIER_COLD_ODDS = 2, /* as it begins */
};

/* get_cached answers STATUS_COLD once in `odds`, drawn by the seed; names that do not exist too, as
 * Bloom filters err. */
void sim_tier_set_cold(struct sim_tier *disk, unsigned odds);

/* ---- failures -------------------------------------------------------------------------------- */

/* The next table_ingest fails so, without effect. */
void sim_tier_fail_next_ingest(struct sim_tier *disk, enum status status);

/* Full: table_ingest answers STATUS_DISK_FULL and the tier stops by error, as RocksDB does. With
 * room again, `resume` succeeds, and so does the next table_ingest even without it. */
void sim_tier_set_full(struct sim_tier *disk, bool full);

/* Reading this name (get, get_cached, a scan that comes to it, verify) fails with the status,
 * STATUS_IO or STATUS_CORRUPT. One name at a time; STATUS_OK heals it. */
void sim_tier_fail_read(struct sim_tier *disk, struct bytes name, enum status status);

/* The same for the name of one of its rows, whichever `draw` chooses. */
void sim_tier_fail_some_read(struct sim_tier *disk, uint64_t draw, enum status status);

/* ---- crashes --------------------------------------------------------------------------------- */

enum sim_tier_crash {
    SIM_TIER_NOTHING_KEPT, /* before the table became durable */
    SIM_TIER_ALL_KEPT,     /* after, before anybody was told */
};

/*
 * The process dies within the next table_ingest. `crashed` is called there, for the world to stop
 * the node's other files in the same moment; then every call of this handle fails with STATUS_IO,
 * so nothing that the dead process seems to do has an effect.
 */
void sim_tier_crash_in_ingest(struct sim_tier *disk, enum sim_tier_crash what,
                              void (*crashed)(void *context), void *context);

/* The process dies now, between two calls of the tier. */
void sim_tier_crash(struct sim_tier *disk);

bool sim_tier_is_crashed(const struct sim_tier *disk);

/* ---- what is there --------------------------------------------------------------------------- */

uint64_t sim_tier_rows(const struct sim_tier *disk);

/* Tables ingested since sim_tier_new. */
uint64_t sim_tier_ingests(const struct sim_tier *disk);

/* The disk that a checkpoint wrote to `path`, now the caller's; NULL if there is none. */
struct sim_tier *sim_tier_take_checkpoint(struct sim_tier *disk, const char *path);

#endif
