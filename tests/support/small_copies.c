/* SPDX-License-Identifier: MIT */
#include "support/small_copies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/pack.h"
#include "row/row_list.h"
#include "row/slot.h"
#include "store/state.h"

enum { PAGE = 4096 };

struct small_store *small_new_joined(uint64_t node)
{
    struct small_store *small = small_new(node);
    assert_int_equal(store_join(small->store), STATUS_OK);
    return small;
}

static void wait_for(struct small_store *small, const bool *done)
{
    struct workers *workers = small->options.workers;
    while (!*done) {
        assert_true(sim_workers_step(small->workers));
        workers->ops->poll(workers);
    }
}

void small_exported_deinit(struct small_exported *exported)
{
    buffer_deinit(&exported->rows);
    buffer_deinit(&exported->heads);
}

/* ---- export ---------------------------------------------------------------------------------- */

static void rows_done(void *context, enum status status, struct bytes rows,
                      struct export_place next)
{
    struct small_exported *out = context;
    out->status = status;
    out->done = true;
    out->next = next;
    buffer_append_bytes(&out->rows, rows);
}

void small_export(struct small_store *from, struct bytes heads, struct export_place place,
                  size_t most, struct small_exported *out)
{
    out->done = false;
    struct export *export =
        export_rows(from->store, heads, place, most, from->now_ms, rows_done, out);
    assert_int_equal(export == NULL, out->done);
    wait_for(from, &out->done);
    assert_int_equal(out->status, STATUS_OK);
}

static void append_head(struct buffer *heads, struct bytes name)
{
    char *room = buffer_reserve(heads, VARINT_MAX);
    buffer_commit(heads, (size_t)(pack_varint(room, name.size) - room));
    buffer_append_bytes(heads, name);
}

/* All pages of these heads, one after the other. */
static void export_all(struct small_store *from, struct bytes heads, size_t count, size_t most,
                       struct small_exported *out)
{
    struct export_place place = {0};
    while (place.key < count) {
        small_export(from, heads, place, most, out);
        place = out->next;
    }
}

void small_export_key(struct small_store *from, const char *key, struct buffer *out_rows)
{
    struct small_exported out = {0};
    append_head(&out.heads, small_name(from, key));
    export_all(from, buffer_bytes(&out.heads), 1, PAGE, &out);
    buffer_append_bytes(out_rows, buffer_bytes(&out.rows));
    small_exported_deinit(&out);
}

static void digests_done(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct small_exported *out = context;
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(count, 1);
    out->digest = digests[0];
    out->done = true;
}

uint64_t small_digest(struct small_store *from, const char *key)
{
    struct small_exported out = {0};
    append_head(&out.heads, small_name(from, key));
    export_digests(from->store, buffer_bytes(&out.heads), from->now_ms, digests_done, &out);
    wait_for(from, &out.done);
    small_exported_deinit(&out);
    return out.digest;
}

static void list_done(void *context, enum status status, const struct export_listed *listed,
                      size_t count, bool end)
{
    struct small_exported *out = context;
    out->status = status;
    out->done = true;
    out->count = count;
    out->end = end;
    buffer_clear(&out->heads, SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        append_head(&out->heads, listed[i].name);
    struct bytes all = buffer_bytes(&out->heads);
    if (count > 0)
        out->last = bytes_of(all.data + all.size - listed[count - 1].name.size,
                             listed[count - 1].name.size);
}

void small_list(struct small_store *from, uint16_t slot, struct bytes after, size_t most,
                struct small_exported *out)
{
    out->done = false;
    export_list(from->store, slot, after, most, from->now_ms, list_done, out);
    wait_for(from, &out->done);
    assert_int_equal(out->status, STATUS_OK);
}

/* ---- import ---------------------------------------------------------------------------------- */

struct imported {
    enum status status;
    uint64_t gate;
    bool done;
};

static void import_is_done(void *context, enum status status, uint64_t gate)
{
    *(struct imported *)context = (struct imported){status, gate, true};
}

enum status small_try_import(struct small_store *to, struct bytes rows, uint64_t *out_gate)
{
    struct imported imported = {0};
    struct import *import = import_rows(to->store, rows, to->now_ms, import_is_done, &imported);
    assert_int_equal(import == NULL, imported.done);
    wait_for(to, &imported.done);
    if (out_gate)
        *out_gate = imported.gate;
    return imported.status;
}

void small_import(struct small_store *to, struct bytes rows)
{
    assert_int_equal(small_try_import(to, rows, NULL), STATUS_OK);
}

/* ---- both ------------------------------------------------------------------------------------ */

void small_copy_key(struct small_store *from, struct small_store *to, const char *key)
{
    struct buffer rows = {0};
    small_export_key(from, key, &rows);
    small_import(to, buffer_bytes(&rows));
    buffer_deinit(&rows);
}

void small_copy_slot(struct small_store *from, struct small_store *to, uint16_t slot, size_t most)
{
    struct buffer after = {0};
    for (bool end = false; !end;) {
        struct small_exported out = {0};
        small_list(from, slot, buffer_bytes(&after), most, &out);
        export_all(from, buffer_bytes(&out.heads), out.count, PAGE, &out);
        small_import(to, buffer_bytes(&out.rows));
        buffer_clear(&after, SIZE_MAX);
        if (out.count > 0)
            buffer_append_bytes(&after, out.last);
        end = out.end;
        assert_true(end || out.count > 0);
        small_exported_deinit(&out);
    }
    buffer_deinit(&after);
}

void small_copy_all(struct small_store *from, struct small_store *to)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (store_slot_stored(from->store, (uint16_t)slot) > 0)
            small_copy_slot(from, to, (uint16_t)slot, 3);
}

struct bytes small_row(struct small_store *small, const char *key)
{
    struct buffer rows = {0};
    struct bytes name, row = bytes_of("", 0);
    small_export_key(small, key, &rows);
    struct bytes rest = buffer_bytes(&rows);
    while (row_list_next(&rest, &name, &row))
        continue;
    row = arena_copy(&small->arena, row);
    buffer_deinit(&rows);
    return row;
}

static void rows_of_slot(struct small_store *from, uint16_t slot, struct buffer *out_rows)
{
    struct small_exported out = {0};
    small_list(from, slot, bytes_of("", 0), 1000, &out);
    assert_true(out.end);
    export_all(from, buffer_bytes(&out.heads), out.count, SIZE_MAX, &out);
    buffer_append_bytes(out_rows, buffer_bytes(&out.rows));
    small_exported_deinit(&out);
}

void small_expect_same(struct small_store *a, struct small_store *b)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t number = (uint16_t)slot;
        assert_true(store_slot_stored(a->store, number) == store_slot_stored(b->store, number));
        assert_true(store_slot_digest(a->store, number) == store_slot_digest(b->store, number));
        if (store_slot_stored(a->store, number) == 0)
            continue;
        struct buffer rows_of_a = {0}, rows_of_b = {0};
        rows_of_slot(a, number, &rows_of_a);
        rows_of_slot(b, number, &rows_of_b);
        assert_true(bytes_equal(buffer_bytes(&rows_of_a), buffer_bytes(&rows_of_b)));
        buffer_deinit(&rows_of_a);
        buffer_deinit(&rows_of_b);
    }
}
