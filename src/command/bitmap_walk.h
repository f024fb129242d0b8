/* SPDX-License-Identifier: MIT */
/*
 * A walk over strings, page by page, for a slice of 64 MB in one run; then others have their turn.
 * So what fits a slice is read as of one moment. Of what is longer, each page is read as of some
 * moment while the command ran. But never a page of a string that was set anew or deleted in
 * between: then the walk begins again, and the third time it takes no rest.
 *
 * A slice that is not in memory is a quarter of that, and a quarter again whenever memory could not
 * even hold it until the command ran again.
 */
#ifndef COMMAND_BITMAP_WALK_H
#define COMMAND_BITMAP_WALK_H

#include "base/bits.h"
#include "command/request.h"
#include "type/string.h"

enum { BITMAP_PAGE_BITS = STRING_PAGE_SIZE * 8 };

/* What a walk keeps between its slices, in progress->done, besides where it is. */
struct bitmap_walk_state {
    uint64_t identity; /* of the strings that it began with */
    struct bit_span span;
    uint32_t restarts;
    uint32_t quarters; /* how often the slice was cut down */
};

struct bitmap_walk {
    struct request *request;
    struct bitmap_walk_state state;
    uint64_t page; /* where it is */
    uint64_t end;  /* before this page */
    uint64_t left; /* pages that this run may still look at */
    uint64_t misses;
    uint64_t misses_max;
};

/*
 * Begins a walk over the span of these strings, or goes on with it: then the span is the one that
 * it began with.
 */
struct bitmap_walk bitmap_walk_begin(struct request *request, const struct string_pages *strings,
                                     uint32_t count, struct bit_span span);

/* Whether this run looks at another page. */
bool bitmap_walk_goes_on(const struct bitmap_walk *walk);

/*
 * The page of one of the strings. STATUS_COLD is only counted: the run goes on, to ask for all that
 * it needs at once, but nothing that it finds counts any more.
 */
MUST_CHECK enum status bitmap_walk_look(struct bitmap_walk *walk, struct string_pages *string,
                                        struct bytes *out_page);

/* What of the walk's span is on its page, counted from the page's begin. */
struct bit_span bitmap_walk_span(const struct bitmap_walk *walk);

/* To the next page, when so many pages were looked at. */
void bitmap_walk_next(struct bitmap_walk *walk, uint64_t looked);

/* Every page was looked at, and none was missed. */
bool bitmap_walk_is_over(const struct bitmap_walk *walk);

/*
 * For the handler to return when the walk is not over. With STATUS_YIELD what this run has found is
 * to be kept, in progress->count or behind the walk's own state (struct bitmap_walk_state) in
 * progress->done. The last run changes no progress: it may be run again, if a commit has to wait.
 */
MUST_CHECK enum status bitmap_walk_rests(struct bitmap_walk *walk);

#endif
