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

/* The same of the entries. */
static void keep_unseen_expiries(struct row *row, const struct vector *context, struct arena *arena)
{
    struct expiry *kept = arena_alloc(arena, (row->expiry_count + 1) * sizeof(*kept));
    uint32_t count = 0;
    for (uint32_t i = 0; context && i < row->expiry_count; i++)
        if (!vector_covers(context, row->expiries[i].dot))
            kept[count++] = row->expiries[i];
    row->expiries = kept;
    row->expiry_count = count;
}

static void set_expiry(struct row *row, struct dot dot, uint64_t at_ms,
                       const struct vector *context, struct arena *arena)
{
    keep_unseen_expiries(row, context, arena);
    row->expiries[row->expiry_count++] = (struct expiry){dot, at_ms};
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

/*
 * What increments the context has seen are gone where no sibling stays; one that stays knows itself
 * what its writer had seen of them.
 */
void row_delete_context(struct row *row, struct dot dot, const struct vector *context,
                        const struct increments *remembered, struct arena *arena)
{
    struct row_view view;
    event(row, dot, arena);
    see_all(row, context, arena);
    keep_unseen_siblings(row, context, arena);
    keep_unseen_expiries(row, context, arena);
    row_join_increments(&row->added, remembered, arena, &row->added);
    row_join_increments(&row->removed, remembered, arena, &row->removed);
    row_read(row, &view);
    if (!view.exists) /* what a time had been set for is gone */
        row->expiry_count = 0;
}

static void increment(struct row *row, struct dot dot, __int128 by, real_t real_by,
                      struct arena *arena)
{
    event(row, dot, arena);
    struct increment *now = arena_alloc(arena, sizeof(*now));
    *now = (struct increment){.actor = dot.actor};
    for (uint32_t i = 0; i < row->added.count; i++)
        if (row->added.items[i].actor == dot.actor)
            *now = row->added.items[i];
    now->time = dot.time;
    now->sum = wrapping_add(now->sum, by);
    now->real = real_accumulate(now->real, real_by);
    row_join_increments(&row->added, &(struct increments){now, 1}, arena, &row->added);
}

void row_increment(struct row *row, struct dot dot, __int128 by, struct arena *arena)
{
    increment(row, dot, by, 0, arena);
}

void row_increment_real(struct row *row, struct dot dot, real_t by, struct arena *arena)
{
    increment(row, dot, 0, by, arena);
}

void row_expire(struct row *row, struct dot dot, uint64_t at_ms, struct arena *arena)
{
    event(row, dot, arena);
    set_expiry(row, dot, at_ms, NULL, arena);
}

/* ---- reading -------------------------------------------------------------------------------- */

/*
 * Sums into the view what was added and not remembered. Returns whether there is an increment newer
 * than the remembered ones.
 */
static bool sum_unseen(const struct increments *added, const struct increments *remembered,
                       struct row_view *view)
{
    bool any = false;
    uint32_t j = 0;
    for (uint32_t i = 0; i < added->count; i++) {
        const struct increment *item = &added->items[i];
        while (j < remembered->count && remembered->items[j].actor < item->actor)
            j++;
        bool known = j < remembered->count && remembered->items[j].actor == item->actor;
        struct increment old = known ? remembered->items[j] : (struct increment){0};
        view->sum = wrapping_add(view->sum, wrapping_subtract(item->sum, old.sum));
        view->real = real_accumulate(view->real, real_accumulate(item->real, -old.real));
        any = any || !known || old.time < item->time;
    }
    return any;
}

static void read_as(const struct row *row, const struct sibling *newest, struct row_view *out)
{
    struct row_view view = {
        .sibling = newest,
        .at_ms = row->expiry_count ? 0 : EXPIRY_NEVER,
    };
    bool unseen = sum_unseen(&row->added, newest ? &newest->remembered : &row->removed, &view);
    view.exists = newest || unseen;
    view.counted = !newest || view.sum != 0 || view.real != 0;
    for (uint32_t i = 0; i < row->expiry_count; i++)
        if (row->expiries[i].at_ms > view.at_ms)
            view.at_ms = row->expiries[i].at_ms;
    *out = view;
}

void row_read(const struct row *row, struct row_view *out)
{
    read_as(row, row->sibling_count ? &row->siblings[row->sibling_count - 1] : NULL, out);
}

void row_read_sibling(const struct row *row, uint32_t index, struct row_view *out)
{
    check(index < row->sibling_count);
    read_as(row, &row->siblings[index], out);
}

bool row_is_live(const struct row *row, uint64_t now_ms)
{
    struct row_view view;
    row_read(row, &view);
    return view.exists && now_ms <= view.at_ms;
}
