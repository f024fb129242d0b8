/* SPDX-License-Identifier: MIT */
/* Events and reading. Arrays are never changed but built anew, so rows may share them. */
#include "row/row.h"

#include "base/check.h"

/* Sums wrap: a difference of two is right as long as it fits itself. */
static __int128 wrapping_add(__int128 a, __int128 b)
{
    return (__int128)((unsigned __int128)a + (unsigned __int128)b);
}

static __int128 wrapping_subtract(__int128 a, __int128 b)
{
    return (__int128)((unsigned __int128)a - (unsigned __int128)b);
}

void row_init(struct row *row)
{
    *row = (struct row){0};
}

static uint64_t newest_increment(const struct increments *increments, uint64_t newest)
{
    for (uint32_t i = 0; i < increments->count; i++)
        if (increments->items[i].time > newest)
            newest = increments->items[i].time;
    return newest;
}

uint64_t row_newest_time(const struct row *row)
{
    uint64_t newest = 0; /* the vector covers siblings and expiry entries */
    for (uint32_t i = 0; i < row->vector.count; i++)
        if (row->vector.dots[i].time > newest)
            newest = row->vector.dots[i].time;
    for (uint32_t i = 0; i < row->sibling_count; i++)
        newest = newest_increment(&row->siblings[i].remembered, newest);
    newest = newest_increment(&row->added, newest);
    return newest_increment(&row->removed, newest);
}

/* ---- events --------------------------------------------------------------------------------- */

static void see_all(struct row *row, const struct vector *vector, struct arena *arena)
{
    struct vector join;
    join.dots = arena_alloc(arena, (row->vector.count + vector->count) * sizeof(*join.dots));
    vector_join(&row->vector, vector, &join);
    row->vector = join;
}

/* Every change is an event of its actor. */
static void event(struct row *row, struct dot dot, struct arena *arena)
{
    check(dot.time > row_newest_time(row));
    struct vector one = {&dot, 1};
    see_all(row, &one, arena);
}

/*
 * What the context has seen goes, all without one. There is room for one more: what an event adds
 * is the newest, so it stands last.
 */
static void keep_unseen_siblings(struct row *row, const struct vector *context, struct arena *arena)
{
    struct sibling *kept = arena_alloc(arena, (row->sibling_count + 1) * sizeof(*kept));
    uint32_t count = 0;
    for (uint32_t i = 0; context && i < row->sibling_count; i++)
        if (!vector_covers(context, row->siblings[i].dot))
            kept[count++] = row->siblings[i];
    row->siblings = kept;
    row->sibling_count = count;
}

/* Of the entries, what the context has seen goes, all without one. */
static void set_expiry(struct row *row, struct dot dot, uint64_t at_ms,
                       const struct vector *context, struct arena *arena)
{
    struct expiry *kept = arena_alloc(arena, (row->expiry_count + 1) * sizeof(*kept));
    uint32_t count = 0;
    for (uint32_t i = 0; context && i < row->expiry_count; i++)
        if (!vector_covers(context, row->expiries[i].dot))
            kept[count++] = row->expiries[i];
    kept[count++] = (struct expiry){dot, at_ms};
    row->expiries = kept;
    row->expiry_count = count;
}

void row_write(struct row *row, struct dot dot, enum value_form form, struct bytes value,
               uint64_t at_ms, bool keep_expiry, struct arena *arena)
{
    event(row, dot, arena);
    keep_unseen_siblings(row, NULL, arena);
    row->siblings[row->sibling_count++] = (struct sibling){dot, form, value, row->added};
    if (!keep_expiry)
        set_expiry(row, dot, at_ms, NULL, arena);
}

/*
 * The context may have seen what has not arrived here yet: the row now counts as having seen it
 * too.
 */
void row_write_context(struct row *row, struct dot dot, enum value_form form, struct bytes value,
                       uint64_t at_ms, const struct vector *context,
                       const struct increments *remembered, struct arena *arena)
{
    event(row, dot, arena);
    see_all(row, context, arena);
    keep_unseen_siblings(row, context, arena);
    row_join_increments(&row->added, remembered, arena, &row->added);
    row->siblings[row->sibling_count++] = (struct sibling){dot, form, value, *remembered};
    set_expiry(row, dot, at_ms, context, arena);
}

void row_delete(struct row *row, struct dot dot, struct arena *arena)
{
    event(row, dot, arena);
    row->siblings = NULL;
    row->sibling_count = 0;
    row->expiries = NULL;
    row->expiry_count = 0;
    row_join_increments(&row->removed, &row->added, arena, &row->removed);
}

void row_increment(struct row *row, struct dot dot, __int128 by, struct arena *arena)
{
    event(row, dot, arena);
    __int128 sum = by;
    for (uint32_t i = 0; i < row->added.count; i++)
        if (row->added.items[i].actor == dot.actor)
            sum = wrapping_add(row->added.items[i].sum, by);
    struct increment *now = arena_alloc(arena, sizeof(*now));
    *now = (struct increment){dot.actor, dot.time, sum};
    row_join_increments(&row->added, &(struct increments){now, 1}, arena, &row->added);
}

void row_expire(struct row *row, struct dot dot, uint64_t at_ms, struct arena *arena)
{
    event(row, dot, arena);
    set_expiry(row, dot, at_ms, NULL, arena);
}

/* ---- reading -------------------------------------------------------------------------------- */

/*
 * The sum of what was added and not remembered; *out_any: there is an increment newer than the
 * remembered ones.
 */
static __int128 unseen_sum(const struct increments *added, const struct increments *remembered,
                           bool *out_any)
{
    __int128 sum = 0;
    uint32_t j = 0;
    *out_any = false;
    for (uint32_t i = 0; i < added->count; i++) {
        const struct increment *item = &added->items[i];
        while (j < remembered->count && remembered->items[j].actor < item->actor)
            j++;
        bool known = j < remembered->count && remembered->items[j].actor == item->actor;
        sum = wrapping_add(sum, item->sum);
        if (known)
            sum = wrapping_subtract(sum, remembered->items[j].sum);
        if (!known || remembered->items[j].time < item->time)
            *out_any = true;
    }
    return sum;
}

void row_read(const struct row *row, struct row_view *out)
{
    const struct sibling *newest =
        row->sibling_count ? &row->siblings[row->sibling_count - 1] : NULL;
    bool unseen;
    __int128 sum = unseen_sum(&row->added, newest ? &newest->remembered : &row->removed, &unseen);
    uint64_t at_ms = row->expiry_count ? 0 : EXPIRY_NEVER;
    for (uint32_t i = 0; i < row->expiry_count; i++)
        if (row->expiries[i].at_ms > at_ms)
            at_ms = row->expiries[i].at_ms;
    *out = (struct row_view){
        .exists = newest || unseen,
        .sibling = newest,
        .counted = !newest || sum != 0,
        .sum = sum,
        .at_ms = at_ms,
    };
}

bool row_is_live(const struct row *row, uint64_t now_ms)
{
    struct row_view view;
    row_read(row, &view);
    return view.exists && now_ms <= view.at_ms;
}
