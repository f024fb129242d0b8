/* SPDX-License-Identifier: MIT */
/*
 * Words for tests of the ordered tier, on RocksDB or on the model: each checks that what it does
 * succeeds.
 */
#ifndef SUPPORT_TIER_WORLD_H
#define SUPPORT_TIER_WORLD_H

#include "sim/sim_tier.h"
#include "store/tier.h"

/* An implementation, and a fresh tier of it for each test. */
struct world {
    bool is_model;
    struct tier *tier;
    struct sim_tier *disk;
    char path[64];
};

/* Setup and teardown of cmocka: *state is the world, with is_model set. */
int world_open(void **state);
int world_close(void **state);

/* As by a restart. */
void world_reopen(struct world *world);

struct tier *world_open_path(const char *path);
void world_expect_open_fails(struct world *world, enum status expected);

/* A command of the shell, run in the directory; it must succeed. */
void world_shell(const char *command, const char *path);

/* The name of a row as row_key.h draws it; its bytes live in `room`. */
struct bytes world_name_of(char room[64], unsigned slot, unsigned hash, const char *key,
                           uint8_t kind);

struct tier_table *world_begin(struct world *world);
void world_put(struct world *world, struct tier_table *table, struct bytes name, const char *row);
void world_ingest(struct world *world, struct tier_table *table);
void world_put_one(struct world *world, struct bytes name, const char *row);

/* A NULL row: the name is absent. What get_cached says must agree, unless it is cold. */
void world_expect(struct world *world, struct bytes name, const char *row);

/* A table of many rows, spread over the hashes as keys are: from, from + step, ... below MANY. */
enum { MANY = 20000 };
struct bytes world_many_name(char room[64], unsigned number);
void world_put_many(struct world *world, unsigned from, unsigned step, const char *row);

#endif
