/* SPDX-License-Identifier: MIT */
#include "row/dot.h"

int dot_compare(struct dot a, struct dot b)
{
    if (a.time != b.time)
        return a.time < b.time ? -1 : 1;
    return (a.actor > b.actor) - (a.actor < b.actor);
}

uint64_t vector_time(const struct vector *vector, actor_t actor)
{
    uint32_t low = 0, high = vector->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (vector->dots[middle].actor < actor)
            low = middle + 1;
        else
            high = middle;
    }
    return low < vector->count && vector->dots[low].actor == actor ? vector->dots[low].time : 0;
}

bool vector_covers_all(const struct vector *a, const struct vector *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (!vector_covers(a, b->dots[i]))
            return false;
    return true;
}

void dead_actors_add(struct dead_actors *dead, struct dot dot)
{
    uint32_t at = 0;
    while (at < dead->count && dead->dots[at].actor < dot.actor)
        at++;
    if (at < dead->count && dead->dots[at].actor == dot.actor) {
        if (dead->dots[at].time < dot.time)
            dead->dots[at].time = dot.time;
        return;
    }
    if (dead->count == DEAD_ACTORS_MAX)
        return;
    for (uint32_t i = dead->count++; i > at; i--)
        dead->dots[i] = dead->dots[i - 1];
    dead->dots[at] = dot;
}

void vector_join(const struct vector *a, const struct vector *b, struct vector *out)
{
    uint32_t i = 0, j = 0, count = 0;
    while (i < a->count && j < b->count) {
        struct dot x = a->dots[i], y = b->dots[j];
        if (x.actor == y.actor && x.time < y.time)
            x = y;
        out->dots[count++] = x.actor <= y.actor ? x : y;
        i += x.actor <= y.actor;
        j += y.actor <= x.actor;
    }
    while (i < a->count)
        out->dots[count++] = a->dots[i++];
    while (j < b->count)
        out->dots[count++] = b->dots[j++];
    out->count = count;
}
