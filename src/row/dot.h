/* SPDX-License-Identifier: MIT */
/*
 * Events and what has been seen of them. An actor is a node in one epoch of its life; a dot is one
 * event of an actor; a version vector says, per actor, the newest event seen: it covers all earlier
 * ones of that actor too. An actor that may have forgotten some of its own events never goes on:
 * the node takes a new epoch (Rule 1 of docs/architecture.md). Times are hybrid logical (Kulkarni
 * et al. 2014), so they also say which event is newest.
 */
#ifndef ROW_DOT_H
#define ROW_DOT_H

#include <stdbool.h>
#include <stdint.h>

/* node number (48 bits) << 16 | epoch (16 bits) */
typedef uint64_t actor_t;

enum { ACTOR_EPOCH_MAX = UINT16_MAX };

static inline actor_t actor_of(uint64_t node, uint16_t epoch)
{
    return node << 16 | epoch;
}

struct dot {
    actor_t actor;
    uint64_t time; /* milliseconds of the Unix epoch << 20 | counter; 0 is no event */
};

static inline bool dot_equal(struct dot a, struct dot b)
{
    return a.actor == b.actor && a.time == b.time;
}

/* By time, then by actor: a total order in which the newest is last. Below, equal or above 0. */
int dot_compare(struct dot a, struct dot b);

/* Sorted by actor, each actor once, no time 0: one vector has one form. */
struct vector {
    struct dot *dots; /* borrowed or in an arena */
    uint32_t count;
};

/* The newest time seen of the actor, 0 for none. */
uint64_t vector_time(const struct vector *vector, actor_t actor);

static inline bool vector_covers(const struct vector *vector, struct dot dot)
{
    return vector_time(vector, dot.actor) >= dot.time;
}

/* Whether `a` covers each dot of `b`. */
bool vector_covers_all(const struct vector *a, const struct vector *b);

/*
 * The join: per actor the newer. `out` has room for a->count + b->count dots and is neither of
 * them.
 */
void vector_join(const struct vector *a, const struct vector *b, struct vector *out);

/* Actors that will never act again, sorted, each once, with a time that it has given none beyond,
 * as far as is known. */
enum { DEAD_ACTORS_MAX = 3 };

struct dead_actors {
    struct dot dots[DEAD_ACTORS_MAX];
    uint32_t count;
};

/* Of one actor the newer time counts. Beyond DEAD_ACTORS_MAX it is left out. */
void dead_actors_add(struct dead_actors *dead, struct dot dot);

#endif
