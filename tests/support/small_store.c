/* SPDX-License-Identifier: MIT */
#include "support/small_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "sim/store_audit.h"
#include "store/meta.h"
#include "store/state.h"
#include "type/string.h"

enum { START_MS = 1000000, BUDGET = 1 << 30, TICK_MS = 100 };

/* ---- life ------------------------------------------------------------------------------------ */

void small_start(struct small_store *small)
{
    struct store_recovery recovery;
    struct buffer error = {0};
    small->workers = sim_workers_new(1);
    small->tier = sim_tier_open(small->tier_disk);
    small->options.files = sim_files_interface(small->disk);
    small->options.tier = small->tier;
    small->options.workers = sim_workers_interface(small->workers);
    small->options.now_ms = small->now_ms;
    enum status status = store_open(&small->options, &small->store, &recovery, &error);
    if (status != STATUS_OK)
        print_error("%.*s\n", (int)buffer_size(&error), error.block + error.start);
    assert_int_equal(status, STATUS_OK);
    buffer_deinit(&error);
    arena_init(&small->arena);
    txn_init(&small->txn, small->store, &small->arena);
}

static void process_gone(struct small_store *small)
{
    sim_workers_free(small->workers);
    small->tier->ops->free(small->tier);
    sim_files_crash(small->disk);
    arena_deinit(&small->arena);
    small->store = NULL;
}

void small_stop(struct small_store *small)
{
    txn_end(&small->txn);
    assert_int_equal(store_close(small->store), STATUS_OK);
    process_gone(small);
}

void small_crash(struct small_store *small)
{
    sim_workers_crash(small->workers);
    txn_end(&small->txn);
    store_abandon(small->store);
    process_gone(small);
}

struct small_store *small_new(uint64_t node)
{
    struct small_store *small = memory_zeroed(sizeof(*small));
    small->disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    small->tier_disk = sim_tier_new(1);
    small->now_ms = START_MS;
    small->options = (struct store_options){.random48 = node,
                                            .random_seed = 1,
                                            .databases = 4,
                                            .sync = LOG_SYNC_NO,
                                            .seal_bytes = BUDGET,
                                            .rows_bytes = BUDGET};
    small_start(small);
    return small;
}

int small_store_open(void **state)
{
    *state = small_new(0x123456789abc);
    return 0;
}

int small_store_close(void **state)
{
    small_free(*state);
    return 0;
}

void small_free(struct small_store *small)
{
    small_stop(small);
    sim_tier_delete(small->tier_disk);
    sim_files_free(small->disk);
    memory_free(small);
}

/* ---- commands -------------------------------------------------------------------------------- */

enum verb { SET, DELETE, INCREMENT, FLUSH, GET };

struct command {
    enum verb verb;
    const char *key;
    struct bytes value;
    uint64_t at_ms;
    int64_t by;
    bool exists;
};

static enum status run(struct small_store *small, struct command *command)
{
    struct cell cell;
    int64_t sum;
    if (command->verb == FLUSH) {
        txn_flush(&small->txn, small->db);
        return STATUS_OK;
    }
    enum status status = cell_find_head(&small->txn, small->db, bytes_text(command->key), &cell);
    if (status != STATUS_OK)
        return status;
    command->exists = cell.exists;
    switch (command->verb) {
    case SET:
        return string_set(&cell, command->value, command->at_ms, false);
    case DELETE:
        return cell.exists ? cell_delete(&cell) : STATUS_OK;
    case INCREMENT:
        return string_increment(&cell, command->by, &sum);
    default:
        return cell.exists ? string_value(&cell, &command->value) : STATUS_OK;
    }
}

static void ready(void *context)
{
    *(bool *)context = true;
}

static enum status drive(struct small_store *small, struct command *command)
{
    struct workers *workers = small->options.workers;
    for (;;) {
        arena_clear(&small->arena);
        txn_begin(&small->txn, small->now_ms);
        enum status status = run(small, command);
        if (status == STATUS_OK)
            return txn_commit(&small->txn);
        if (status != STATUS_COLD)
            return status;
        bool is_ready = false;
        txn_fetch(&small->txn, ready, &is_ready);
        while (!is_ready) {
            assert_true(sim_workers_step(small->workers));
            workers->ops->poll(workers);
        }
    }
}

enum status small_try_set(struct small_store *small, const char *key, const char *value)
{
    struct command command = {SET, key, bytes_text(value), EXPIRY_NEVER, 0, false};
    return drive(small, &command);
}

static void must(struct small_store *small, struct command command)
{
    assert_int_equal(drive(small, &command), STATUS_OK);
}

void small_set_until(struct small_store *small, const char *key, const char *value, uint64_t at_ms)
{
    must(small, (struct command){SET, key, bytes_text(value), at_ms, 0, false});
}

void small_set(struct small_store *small, const char *key, const char *value)
{
    small_set_until(small, key, value, EXPIRY_NEVER);
}

void small_set_size(struct small_store *small, const char *key, size_t size)
{
    char *value = memory_alloc(size);
    memset(value, 'x', size);
    must(small, (struct command){SET, key, bytes_of(value, size), EXPIRY_NEVER, 0, false});
    memory_free(value);
}

void small_delete(struct small_store *small, const char *key)
{
    must(small, (struct command){.verb = DELETE, .key = key});
}

void small_increment(struct small_store *small, const char *key, int64_t by)
{
    must(small, (struct command){.verb = INCREMENT, .key = key, .by = by});
}

void small_flush(struct small_store *small)
{
    must(small, (struct command){.verb = FLUSH});
}

void small_expect(struct small_store *small, const char *key, const char *value)
{
    struct command command = {.verb = GET, .key = key};
    assert_int_equal(drive(small, &command), STATUS_OK);
    assert_int_equal(command.exists, value != NULL);
    if (value && !bytes_equal(command.value, bytes_text(value)))
        fail_msg("%s is %.*s, not %s", key, (int)command.value.size, command.value.data, value);
}

bool small_exists(struct small_store *small, const char *key)
{
    struct command command = {.verb = GET, .key = key};
    assert_int_equal(drive(small, &command), STATUS_OK);
    return command.exists;
}

void small_set_many(struct small_store *small, const char *prefix, unsigned from, unsigned to)
{
    char key[64];
    for (unsigned i = from; i < to; i++) {
        snprintf(key, sizeof(key), "%s%u", prefix, i);
        small_set(small, key, "value");
    }
}

void small_expect_keys(struct small_store *small, uint64_t keys)
{
    assert_int_equal(store_keys(small->store, small->db), keys);
}

/* ---- what goes on besides -------------------------------------------------------------------- */

void small_turn(struct small_store *small)
{
    assert_int_equal(store_turn_end(small->store, small->now_ms), STATUS_OK);
}

void small_run_jobs(struct small_store *small)
{
    struct workers *workers = small->options.workers;
    workers->ops->drain(workers);
}

void small_seal(struct small_store *small)
{
    assert_int_equal(store_seal_now(small->store), STATUS_OK);
}

/* A weight that everything has. */
void small_begin_seal(struct small_store *small)
{
    struct store_options *options = &small->store->options;
    uint64_t weight = options->seal_bytes;
    options->seal_bytes = 0;
    small_turn(small);
    options->seal_bytes = weight;
    assert_int_equal(small->store->seal.state, SEAL_RUNNING);
}

void small_tick_for(struct small_store *small, uint64_t ms)
{
    for (uint64_t end = small->now_ms + ms; small->now_ms < end;) {
        small->now_ms += TICK_MS;
        store_tick(small->store, small->now_ms);
        small_run_jobs(small);
        small_turn(small);
    }
}

void small_audit(struct small_store *small)
{
    const char *wrong = store_audit(small->store, 0);
    if (wrong)
        fail_msg("%s", wrong);
}

/* ---- looking inside -------------------------------------------------------------------------- */

struct bytes small_name(struct small_store *small, const char *key)
{
    return row_key_head(&small->arena, small->db, bytes_text(key));
}

struct entry *small_entry(struct small_store *small, const char *key)
{
    struct bytes name = small_name(small, key);
    return table_find(table_slot(&small->store->table, name), name);
}

void small_forget(struct small_store *small)
{
    store_forget(small->store);
}

static enum tier_next count_row(void *context, struct bytes name, struct bytes row,
                                struct buffer *seek_to)
{
    (void)name;
    (void)row;
    (void)seek_to;
    ++*(unsigned *)context;
    return TIER_NEXT;
}

unsigned small_index_rows(struct small_store *small)
{
    static const char from = (char)META_EXPIRY, to = (char)(META_EXPIRY + 1);
    unsigned rows = 0;
    assert_int_equal(small->tier->ops->scan(small->tier, bytes_of(&from, 1), bytes_of(&to, 1), true,
                                            count_row, &rows),
                     STATUS_OK);
    return rows;
}
