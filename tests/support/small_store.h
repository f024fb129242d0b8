/* SPDX-License-Identifier: MIT */
/*
 * A store over a simulated disk, tier and storage threads, for tests of one thing: each call
 * checks that what it does succeeds. Nothing runs by itself: jobs run when a test says so, or
 * while a command waits for one. Time is `now_ms`.
 */
#ifndef SUPPORT_SMALL_STORE_H
#define SUPPORT_SMALL_STORE_H

#include "sim/sim_files.h"
#include "sim/sim_tier.h"
#include "sim/sim_workers.h"
#include "store/store.h"
#include "store/txn.h"

struct entry;

struct small_store {
    struct sim_files *disk;
    struct sim_tier *tier_disk;
    struct sim_workers *workers;
    struct tier *tier;
    struct store *store;
    struct store_options options; /* of the next start */
    uint64_t now_ms;
    struct arena arena; /* of the command */
    struct txn txn;
    uint8_t db;
};

/* Of a node of that number. */
struct small_store *small_new(uint64_t node);
void small_free(struct small_store *small);

/* Setup and teardown of cmocka: *state is the store. */
int small_store_open(void **state);
int small_store_close(void **state);

#define SMALL_STORE_TEST(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, small_store_open, small_store_close)

void small_stop(struct small_store *small);  /* clean */
void small_crash(struct small_store *small); /* as by kill -9 */
void small_start(struct small_store *small);

/* ---- commands, each a whole turn but for its end --------------------------------------------- */

void small_set(struct small_store *small, const char *key, const char *value);
void small_set_until(struct small_store *small, const char *key, const char *value, uint64_t at_ms);
/* A value of that size, all 'x'. */
void small_set_size(struct small_store *small, const char *key, size_t size);
enum status small_try_set(struct small_store *small, const char *key, const char *value);
void small_delete(struct small_store *small, const char *key);
void small_increment(struct small_store *small, const char *key, int64_t by);
void small_flush(struct small_store *small); /* the present database */
/* NULL: it is not there. */
void small_expect(struct small_store *small, const char *key, const char *value);
bool small_exists(struct small_store *small, const char *key);

/* Keys like "PREFIX12", many at once. */
void small_set_many(struct small_store *small, const char *prefix, unsigned from, unsigned to);
void small_expect_keys(struct small_store *small, uint64_t keys);

/* ---- what goes on besides -------------------------------------------------------------------- */

void small_turn(struct small_store *small);
void small_seal(struct small_store *small);       /* all that is dirty, to its end */
void small_begin_seal(struct small_store *small); /* it waits to be run */
void small_run_jobs(struct small_store *small);   /* all that wait; `done` is called too */
/* Ticks of 100 ms, jobs run in between, a turn after each. */
void small_tick_for(struct small_store *small, uint64_t ms);

/* Recomputes all that is derived; fails if anything differs. */
void small_audit(struct small_store *small);

/* ---- looking inside -------------------------------------------------------------------------- */

/* The name of a key's head row; valid until the next command. */
struct bytes small_name(struct small_store *small, const char *key);
/* NULL: it is not in memory. */
struct entry *small_entry(struct small_store *small, const char *key);
/* Drops all clean rows from memory. */
void small_forget(struct small_store *small);

/* Rows of the expiry index in the tier. */
unsigned small_index_rows(struct small_store *small);

#endif
