/* SPDX-License-Identifier: MIT */
#include "type/cell.h"

#include "base/check.h"
#include "row/row.h"
#include "row/row_key.h"

static void judge_expiry(struct cell *cell, bool there)
{
    bool over = cell->at_ms < cell->txn->now_ms; /* as row_is_live */
    cell->exists = there && !over;
    cell->expired = there && over;
}

static void take_view(struct cell *cell, const struct row_view *view)
{
    if (view->sibling)
        cell->newest = *view->sibling;
    else
        cell->newest = (struct sibling){.form = VALUE_STRING, .value = BYTES("0")};
    cell->counted = view->counted;
    cell->sum = view->sum;
    cell->real = view->real;
    cell->at_ms = view->at_ms;
    judge_expiry(cell, view->exists);
}

/* Reads the decoded row. */
static void view(struct cell *cell)
{
    struct row_view view;
    row_read(&cell->row, &view);
    take_view(cell, &view);
}

static enum status read_held(struct cell *cell)
{
    if (row_peek(cell->held, &cell->newest, &cell->at_ms)) {
        judge_expiry(cell, true);
    } else {
        enum status status = row_decode(cell->held, cell->txn->arena, &cell->row);
        if (status != STATUS_OK)
            return status;
        cell->decoded = true;
        view(cell);
    }
    if (__builtin_expect(cell->expired, 0))
        txn_saw_expired(cell->txn, cell->name);
    return STATUS_OK;
}

enum status cell_find(struct txn *txn, struct bytes name, struct cell *out)
{
    out->txn = txn;
    out->name = name;
    out->decoded = false;
    out->counted = false;
    enum status status = txn_get(txn, name, &out->held);
    if (status == STATUS_ABSENT) {
        out->held = bytes_of("", 0);
        out->exists = out->expired = false;
        return STATUS_OK;
    }
    return status == STATUS_OK ? read_held(out) : status;
}

enum status cell_of_row(struct txn *txn, uint8_t db, struct bytes key, struct bytes row,
                        struct cell *out)
{
    *out = (struct cell){.txn = txn, .name = row_key_head(txn->arena, db, key), .held = row};
    return read_held(out);
}

enum status cell_find_head(struct txn *txn, uint8_t db, struct bytes key, struct cell *out)
{
    return cell_find(txn, row_key_head(txn->arena, db, key), out);
}

/* For the events that the common row's shape does not survive. */
static enum status decode(struct cell *cell)
{
    if (cell->decoded)
        return STATUS_OK;
    if (cell->held.size == 0) {
        row_init(&cell->row);
    } else {
        enum status status = row_decode(cell->held, cell->txn->arena, &cell->row);
        if (status != STATUS_OK)
            return status;
    }
    cell->decoded = true;
    return STATUS_OK;
}

static bool names_chunks(const struct row *row)
{
    for (uint32_t i = 0; i < row->sibling_count; i++)
        if (row->siblings[i].form == VALUE_CHUNKED)
            return true;
    return false;
}

static void stage(struct cell *cell, struct bytes row, bool is_onto)
{
    if (is_onto && txn_is_joined(cell->txn))
        txn_stage_onto(cell->txn, cell->name, row, cell->held);
    else
        txn_stage(cell->txn, cell->name, row);
    cell->held = row;
}

static void stage_row(struct cell *cell)
{
    row_canonical(&cell->row, txn_stable(cell->txn));
    stage(cell, row_encode(&cell->row, cell->txn->arena), names_chunks(&cell->row));
    view(cell);
}

struct dot cell_dot(struct cell *cell)
{
    uint64_t newest = 0;
    if (cell->decoded)
        newest = row_newest_time(&cell->row);
    else if (cell->held.size > 0)
        newest = cell->newest.dot.time;
    return txn_dot(cell->txn, newest);
}

/*
 * Whether a plain write leaves a common row: its dot is the whole vector, as nothing else is
 * remembered.
 */
static bool stays_common(const struct cell *cell, struct dot dot)
{
    if (cell->decoded)
        return false;
    if (cell->held.size == 0 || cell->newest.dot.actor == dot.actor)
        return true;
    const struct vector *stable = txn_stable(cell->txn);
    return stable && vector_covers(stable, cell->newest.dot);
}

/* What ended before this write was before it, also what this row has not seen: up to the dot. */
static enum status see_dead(struct cell *cell, struct dot dot)
{
    const struct dead_actors *dead = cell->txn->dead;
    struct arena *arena = cell->txn->arena;
    enum status status = dead ? decode(cell) : STATUS_OK;
    if (!dead || status != STATUS_OK)
        return status;
    struct dead_actors before = *dead;
    for (uint32_t i = 0; i < before.count; i++)
        before.dots[i].time = dot.time - 1;
    struct vector seen = {before.dots, before.count}, held = cell->row.vector;
    cell->row.vector.dots = arena_alloc(arena, (held.count + seen.count) * sizeof(*held.dots));
    vector_join(&held, &seen, &cell->row.vector);
    return STATUS_OK;
}

enum status cell_write(struct cell *cell, struct dot dot, enum value_form form, struct bytes value,
                       uint64_t at_ms, bool keep_expiry)
{
    enum status status = see_dead(cell, dot);
    if (status != STATUS_OK)
        return status;
    keep_expiry = keep_expiry && cell->exists;
    if (!keep_expiry && stays_common(cell, dot)) {
        stage(cell, row_encode_common(cell->txn->arena, dot, form, value, at_ms),
              form == VALUE_CHUNKED);
        cell->newest = (struct sibling){.dot = dot, .form = form, .value = value};
        cell->at_ms = at_ms;
        judge_expiry(cell, true);
        return STATUS_OK;
    }
    status = decode(cell);
    if (status != STATUS_OK)
        return status;
    row_write(&cell->row, dot, form, value, at_ms, keep_expiry, cell->txn->arena);
    stage_row(cell);
    return STATUS_OK;
}

/* What has expired is not to be added to. */
static enum status prepare_increment(struct cell *cell)
{
    enum status status = decode(cell);
    if (status == STATUS_OK && cell->expired)
        row_delete(&cell->row, cell_dot(cell), cell->txn->arena);
    return status;
}

enum status cell_increment(struct cell *cell, __int128 by)
{
    enum status status = prepare_increment(cell);
    if (status != STATUS_OK)
        return status;
    row_increment(&cell->row, cell_dot(cell), by, cell->txn->arena);
    stage_row(cell);
    return STATUS_OK;
}

enum status cell_increment_real(struct cell *cell, real_t by)
{
    enum status status = prepare_increment(cell);
    if (status != STATUS_OK)
        return status;
    row_increment_real(&cell->row, cell_dot(cell), by, cell->txn->arena);
    stage_row(cell);
    return STATUS_OK;
}

enum status cell_expire(struct cell *cell, uint64_t at_ms)
{
    check(cell->exists);
    enum status status = decode(cell);
    if (status != STATUS_OK)
        return status;
    row_expire(&cell->row, cell_dot(cell), at_ms, cell->txn->arena);
    stage_row(cell);
    return STATUS_OK;
}

enum status cell_delete(struct cell *cell)
{
    check(cell->exists);
    enum status status = decode(cell);
    if (status != STATUS_OK)
        return status;
    row_delete(&cell->row, cell_dot(cell), cell->txn->arena);
    stage_row(cell);
    return STATUS_OK;
}

/* ---- versions -------------------------------------------------------------------------------- */

/*
 * What `stable` covers beyond the row's vector is left out: no sibling or entry stands for it, here
 * or at any owner, and a sole owner's reaches to the end of time.
 */
enum status cell_seen(struct cell *cell, struct seen *out)
{
    enum status status = decode(cell);
    if (status == STATUS_OK)
        *out = (struct seen){cell->row.vector, cell->row.added};
    return status;
}

enum status cell_siblings(struct cell *cell, uint32_t *out_count)
{
    enum status status = decode(cell);
    if (status == STATUS_OK)
        *out_count = cell->exists ? cell->row.sibling_count : 0;
    return status;
}

void cell_sibling(const struct cell *cell, uint32_t index, struct cell *out)
{
    struct row_view view;
    check(cell->decoded && cell->exists);
    row_read_sibling(&cell->row, index, &view);
    *out = *cell;
    take_view(out, &view);
}

enum status cell_dot_after(struct cell *cell, const struct seen *seen, struct dot *out)
{
    enum status status = decode(cell);
    if (status != STATUS_OK)
        return status;
    uint64_t here = row_newest_time(&cell->row);
    uint64_t there = row_newest_time(&(struct row){.vector = seen->vector, .added = seen->added});
    *out = txn_dot(cell->txn, here > there ? here : there);
    return STATUS_OK;
}

/* What has expired is not to come back beside a new value: it is superseded, seen or not. */
static struct seen with_expired(const struct cell *cell, const struct seen *seen)
{
    struct arena *arena = cell->txn->arena;
    struct seen all = *seen;
    if (!cell->expired)
        return all;
    uint32_t most = seen->vector.count + cell->row.vector.count;
    all.vector.dots = arena_alloc(arena, most * sizeof(*all.vector.dots));
    vector_join(&seen->vector, &cell->row.vector, &all.vector);
    row_join_increments(&seen->added, &cell->row.added, arena, &all.added);
    return all;
}

void cell_write_seen(struct cell *cell, struct dot dot, enum value_form form, struct bytes value,
                     uint64_t at_ms, const struct seen *seen)
{
    check(cell->decoded);
    struct seen all = with_expired(cell, seen);
    row_write_context(&cell->row, dot, form, value, at_ms, &all.vector, &all.added,
                      cell->txn->arena);
    stage_row(cell);
}

void cell_delete_seen(struct cell *cell, struct dot dot, const struct seen *seen)
{
    check(cell->decoded);
    struct seen all = with_expired(cell, seen);
    row_delete_context(&cell->row, dot, &all.vector, &all.added, cell->txn->arena);
    stage_row(cell);
}
