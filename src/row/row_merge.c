/* SPDX-License-Identifier: MIT */
/*
 * Two rows into one. What both hold stays; what one holds stays unless the other has seen it.
 * Arrays are never changed but built anew, so rows may share them; row_canonical is the exception.
 */
#include "row/row.h"

#include "base/mutant.h"

/* Whether a row with this vector has seen the dot. */
static bool seen(const struct vector *vector, const struct vector *stable, struct dot dot)
{
    if (MUTANT(context_ignored))
        return false;
    return vector_covers(vector, dot) || (stable && vector_covers(stable, dot));
}

/* Which of two increments of one actor counts. One time has one sum, unless something is broken:
 * see greater_sibling. */
static int compare_increments(const struct increment *a, const struct increment *b)
{
    if (a->time != b->time && !MUTANT(increments_merged_by_the_larger_sum))
        return a->time < b->time ? -1 : 1;
    if (a->sum != b->sum)
        return a->sum < b->sum ? -1 : 1;
    return (a->real > b->real) - (a->real < b->real);
}

static int compare_remembered(const struct increments *a, const struct increments *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct increment *x = &a->items[i], *y = &b->items[i];
        int order =
            x->actor != y->actor ? (x->actor < y->actor ? -1 : 1) : compare_increments(x, y);
        if (order != 0)
            return order;
    }
    return 0;
}

/*
 * Of two siblings with one dot. They are the same, unless a copy is damaged, or an actor has
 * contradicted itself: then any answer will do that is the same everywhere, in whatever order rows
 * meet. So it is the greater one, in an order of all siblings.
 */
static const struct sibling *greater_sibling(const struct sibling *a, const struct sibling *b)
{
    int order =
        a->form != b->form ? (a->form < b->form ? -1 : 1) : bytes_compare(a->value, b->value);
    if (order == 0)
        order = compare_remembered(&a->remembered, &b->remembered);
    return order >= 0 ? a : b;
}

static void merge_siblings(const struct row *a, const struct row *b, const struct vector *stable,
                           struct arena *arena, struct row *out)
{
    uint32_t i = 0, j = 0, count = 0, most = a->sibling_count + b->sibling_count;
    out->siblings = arena_alloc(arena, most * sizeof(*out->siblings));
    while (i < a->sibling_count || j < b->sibling_count) {
        int order = i == a->sibling_count   ? 1
                    : j == b->sibling_count ? -1
                                            : dot_compare(a->siblings[i].dot, b->siblings[j].dot);
        const struct sibling *next = order < 0 ? &a->siblings[i]
                                     : order > 0
                                         ? &b->siblings[j]
                                         : greater_sibling(&a->siblings[i], &b->siblings[j]);
        if (order == 0 || !seen(order < 0 ? &b->vector : &a->vector, stable, next->dot))
            out->siblings[count++] = *next;
        i += order <= 0;
        j += order >= 0;
    }
    if (MUTANT(last_write_wins) && count > 1) {
        out->siblings[0] = out->siblings[count - 1];
        count = 1;
    }
    out->sibling_count = count;
}

static void merge_expiries(const struct row *a, const struct row *b, const struct vector *stable,
                           struct arena *arena, struct row *out)
{
    uint32_t i = 0, j = 0, count = 0, most = a->expiry_count + b->expiry_count;
    out->expiries = arena_alloc(arena, most * sizeof(*out->expiries));
    while (i < a->expiry_count || j < b->expiry_count) {
        int order = i == a->expiry_count   ? 1
                    : j == b->expiry_count ? -1
                                           : dot_compare(a->expiries[i].dot, b->expiries[j].dot);
        const struct expiry *next = order <= 0 ? &a->expiries[i] : &b->expiries[j];
        if (order == 0 || !seen(order < 0 ? &b->vector : &a->vector, stable, next->dot))
            out->expiries[count++] = *next;
        if (order == 0 && b->expiries[j].at_ms > next->at_ms) /* of one dot: as greater_sibling */
            out->expiries[count - 1] = b->expiries[j];
        i += order <= 0;
        j += order >= 0;
    }
    if (MUTANT(expiry_not_merged))
        count = 0;
    out->expiry_count = count;
}

void row_join_increments(const struct increments *a, const struct increments *b,
                         struct arena *arena, struct increments *out)
{
    if (a->count == 0 || b->count == 0) {
        *out = a->count ? *a : *b;
        return;
    }
    struct increments join = {arena_alloc(arena, (a->count + b->count) * sizeof(*a->items)), 0};
    uint32_t i = 0, j = 0;
    while (i < a->count && j < b->count) {
        const struct increment *x = &a->items[i], *y = &b->items[j];
        i += x->actor <= y->actor;
        j += y->actor <= x->actor;
        if (x->actor == y->actor && MUTANT(increment_lost_in_merge))
            join.items[join.count++] = compare_increments(x, y) >= 0 ? *y : *x;
        else if (x->actor == y->actor && MUTANT(merge_takes_the_first))
            join.items[join.count++] = *x;
        else if (x->actor == y->actor)
            join.items[join.count++] = compare_increments(x, y) >= 0 ? *x : *y;
        else
            join.items[join.count++] = x->actor < y->actor ? *x : *y;
    }
    while (i < a->count)
        join.items[join.count++] = a->items[i++];
    while (j < b->count)
        join.items[join.count++] = b->items[j++];
    *out = join;
}

/*
 * Rows whose every event is stable come from the same events, so they hold the same siblings. If
 * they do not, a row came back that the rules of collection forbid, and each row's siblings would
 * count as superseded by the other: all would be lost. Then the row with the newest sibling is the
 * one to believe: this is it. NULL in the normal case.
 */
static const struct row *believed(const struct row *a, const struct row *b,
                                  const struct vector *stable)
{
    if (!stable || a->sibling_count == 0 || b->sibling_count == 0 ||
        !vector_covers_all(stable, &a->vector) || !vector_covers_all(stable, &b->vector))
        return NULL;
    int order =
        dot_compare(a->siblings[a->sibling_count - 1].dot, b->siblings[b->sibling_count - 1].dot);
    return order == 0 ? NULL : order > 0 ? a : b;
}

void row_merge(const struct row *a, const struct row *b, const struct vector *stable,
               struct arena *arena, struct row *out)
{
    const struct row *only = believed(a, b, stable);
    struct row merged;
    if (MUTANT(merge_chooses))
        only = row_newest_time(a) > row_newest_time(b) ? a : b;
    uint32_t most = a->vector.count + b->vector.count;
    merged.vector.dots = arena_alloc(arena, most * sizeof(*merged.vector.dots));
    vector_join(&a->vector, &b->vector, &merged.vector);
    merge_siblings(only ? only : a, only ? only : b, stable, arena, &merged);
    merge_expiries(only ? only : a, only ? only : b, stable, arena, &merged);
    row_join_increments(&a->added, &b->added, arena, &merged.added);
    row_join_increments(&a->removed, &b->removed, arena, &merged.removed);
    row_canonical(&merged, stable);
    *out = merged;
}

/* The newest time among the actor's siblings and expiry entries, 0 for none. */
static uint64_t newest_held(const struct row *row, actor_t actor)
{
    uint64_t newest = 0;
    for (uint32_t i = 0; i < row->sibling_count; i++)
        if (row->siblings[i].dot.actor == actor && row->siblings[i].dot.time > newest)
            newest = row->siblings[i].dot.time;
    for (uint32_t i = 0; i < row->expiry_count; i++)
        if (row->expiries[i].dot.actor == actor && row->expiries[i].dot.time > newest)
            newest = row->expiries[i].dot.time;
    return newest;
}

/*
 * A stable entry shrinks to what the row's own siblings and expiry entries need, so a common row
 * stays one. Sums stay: were A's sum dropped once all siblings remember it, A would begin again at
 * 0, and another owner's concurrent sibling that had not seen the old sum, or still remembers it,
 * would be wrong by it.
 */
void row_canonical(struct row *row, const struct vector *stable)
{
    if (!stable)
        return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < row->vector.count; i++) {
        struct dot dot = row->vector.dots[i];
        if (vector_covers(stable, dot))
            dot.time = newest_held(row, dot.actor);
        if (dot.time != 0)
            row->vector.dots[kept++] = dot;
    }
    row->vector.count = kept;
}

/*
 * row_merge of two common rows where one of them is the result: as there, also for two that are
 * stable.
 */
static bool merge_common(struct bytes old, struct bytes incoming, const struct vector *stable,
                         struct bytes *out)
{
    struct sibling a, b;
    uint64_t at_ms;
    if (!row_peek(old, &a, &at_ms) || !row_peek(incoming, &b, &at_ms))
        return false;
    int order = dot_compare(a.dot, b.dot);
    if (order == 0) {
        *out = old;
        return bytes_equal(old, incoming);
    }
    if (a.dot.actor != b.dot.actor) {
        bool a_seen = stable && vector_covers(stable, a.dot);
        bool b_seen = stable && vector_covers(stable, b.dot);
        if (!a_seen && !b_seen)
            return false;
        if (a_seen != b_seen)
            order = a_seen ? -1 : 1;
    }
    *out = order > 0 ? old : incoming;
    return true;
}

enum status row_merge_bytes(struct bytes old, struct bytes incoming, const struct vector *stable,
                            struct arena *arena, struct bytes *out)
{
    if (merge_common(old, incoming, stable, out))
        return STATUS_OK;
    struct row a, b, merged;
    if (row_decode(old, arena, &a) != STATUS_OK || row_decode(incoming, arena, &b) != STATUS_OK)
        return STATUS_CORRUPT;
    row_merge(&a, &b, stable, arena, &merged);
    struct bytes bytes = row_encode(&merged, arena);
    if (bytes.size > ROW_SIZE_MAX || merged.sibling_count > ROW_SIBLINGS_MAX ||
        merged.expiry_count > ROW_SIBLINGS_MAX)
        return STATUS_TOO_BIG;
    *out = bytes_equal(bytes, old) ? old : bytes_equal(bytes, incoming) ? incoming : bytes;
    return STATUS_OK;
}
