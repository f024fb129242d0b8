/* SPDX-License-Identifier: MIT */
#include "command/bitmap_walk.h"

#include "base/xxh.h"

enum {
    SLICE_PAGES = 64 * 1024 * 1024 / STRING_PAGE_SIZE,
    SLICE_NAMES_MAX = 64 * 1024 * 1024, /* bytes of the names of the rows that a slice asks for */
    QUARTERS_MAX = 4,
    RESTARTS_MAX = 2,
};

/* Another one when any of them was set anew, or deleted. */
static uint64_t identity_of(const struct string_pages *strings, uint32_t count, struct arena *arena)
{
    uint64_t *parts = arena_alloc(arena, count * 2 * sizeof(*parts));
    for (uint32_t i = 0; i < count; i++) {
        parts[2 * i] = strings[i].in_chunks ? strings[i].base.actor : 0;
        parts[2 * i + 1] = strings[i].in_chunks ? strings[i].base.time : 0;
    }
    return xxh64(bytes_of(parts, count * 2 * sizeof(*parts)));
}

/* Long names make short slices. */
static uint64_t slice_pages(const struct string_pages *strings, uint32_t count)
{
    uint64_t names = 0;
    for (uint32_t i = 0; i < count; i++)
        names += strings[i].head->name.size;
    uint64_t pages = SLICE_NAMES_MAX / names * count;
    return pages < SLICE_PAGES ? pages : SLICE_PAGES;
}

/* At the begin of progress->done, whatever stands behind it. */
static void write_state(struct progress *progress, const struct bitmap_walk_state *state)
{
    if (buffer_size(&progress->done) == 0)
        buffer_append(&progress->done, state, sizeof(*state));
    else
        memcpy((char *)buffer_bytes(&progress->done).data, state, sizeof(*state));
}

struct bitmap_walk bitmap_walk_begin(struct request *request, const struct string_pages *strings,
                                     uint32_t count, struct bit_span span)
{
    struct progress *progress = request->progress;
    struct bitmap_walk walk = {.request = request, .page = span.first / BITMAP_PAGE_BITS};
    walk.state = (struct bitmap_walk_state){.span = span};
    walk.state.identity = identity_of(strings, count, request->arena);
    if (buffer_size(&progress->done) > 0) {
        struct bitmap_walk_state begun;
        memcpy(&begun, buffer_bytes(&progress->done).data, sizeof(begun));
        if (begun.identity == walk.state.identity) {
            walk.state = begun;
            walk.page = progress->position;
        } else {
            walk.state.restarts = begun.restarts + 1;
            progress->position = walk.page;
            progress->count = 0;
            buffer_truncate(&progress->done, 0);
            write_state(progress, &walk.state);
        }
    }
    bool rests = walk.state.restarts < RESTARTS_MAX;
    uint64_t pages = slice_pages(strings, count);
    walk.end = (walk.state.span.end + BITMAP_PAGE_BITS - 1) / BITMAP_PAGE_BITS;
    walk.left = rests ? (pages >> 2 * walk.state.quarters) + 1 : UINT64_MAX;
    walk.misses_max = rests ? (pages >> 2) + 1 : UINT64_MAX;
    return walk;
}

bool bitmap_walk_goes_on(const struct bitmap_walk *walk)
{
    return walk->page < walk->end && walk->left > 0 && walk->misses < walk->misses_max;
}

enum status bitmap_walk_look(struct bitmap_walk *walk, struct string_pages *string,
                             struct bytes *out_page)
{
    enum status status = string_page(string, walk->page, out_page);
    if (status != STATUS_COLD)
        return status;
    walk->misses++;
    *out_page = bytes_of("", 0);
    return STATUS_OK;
}

void bitmap_walk_next(struct bitmap_walk *walk, uint64_t looked)
{
    walk->page++;
    walk->left -= looked < walk->left ? looked : walk->left;
}

bool bitmap_walk_is_over(const struct bitmap_walk *walk)
{
    return walk->page == walk->end && walk->misses == 0;
}

enum status bitmap_walk_rests(struct bitmap_walk *walk)
{
    struct progress *progress = walk->request->progress;
    struct bitmap_walk_state *state = &walk->state;
    bool misses = walk->misses > 0;
    if (!misses)
        progress->position = walk->page;
    else if (buffer_size(&progress->done) == 0)
        progress->position = state->span.first / BITMAP_PAGE_BITS;
    if (misses && state->quarters < QUARTERS_MAX)
        state->quarters++;
    write_state(progress, state);
    return misses ? STATUS_COLD : STATUS_YIELD;
}

struct bit_span bitmap_walk_span(const struct bitmap_walk *walk)
{
    uint64_t begin = walk->page * BITMAP_PAGE_BITS;
    struct bit_span span = walk->state.span;
    span.first = span.first > begin ? span.first - begin : 0;
    span.end = span.end - begin < BITMAP_PAGE_BITS ? span.end - begin : BITMAP_PAGE_BITS;
    return span;
}
