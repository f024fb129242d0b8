/* SPDX-License-Identifier: MIT */
#include "base/number_map.h"

#include "base/check.h"
#include "base/memory.h"

enum { ROOM_MIN = 16 };

void number_map_deinit(struct number_map *map)
{
    memory_free(map->items);
    *map = (struct number_map){0};
}

/* Numbers are mostly counted up: multiplied they spread (Knuth, The Art of Computer Programming,
 * 6.4). */
static size_t place_of(const struct number_map *map, uint64_t number)
{
    return (size_t)((number * 0x9e3779b97f4a7c15) >> 32) & (map->room - 1);
}

static size_t next(const struct number_map *map, size_t place)
{
    return (place + 1) & (map->room - 1);
}

/* The place of the number, or the free one where it would be. */
static size_t seek(const struct number_map *map, uint64_t number)
{
    size_t place = place_of(map, number);
    while (map->items[place].value && map->items[place].number != number)
        place = next(map, place);
    return place;
}

void *number_map_find(const struct number_map *map, uint64_t number)
{
    return map->room > 0 ? map->items[seek(map, number)].value : NULL;
}

static void grow(struct number_map *map)
{
    struct number_map larger = {.room = map->room ? map->room * 2 : ROOM_MIN, .count = map->count};
    larger.items = memory_zeroed(larger.room * sizeof(*larger.items));
    for (size_t i = 0; i < map->room; i++)
        if (map->items[i].value)
            larger.items[seek(&larger, map->items[i].number)] = map->items[i];
    memory_free(map->items);
    *map = larger;
}

void number_map_add(struct number_map *map, uint64_t number, void *value)
{
    if (map->count * 2 >= map->room)
        grow(map);
    size_t place = seek(map, number);
    check(value && !map->items[place].value);
    map->items[place] = (struct number_map_item){number, value};
    map->count++;
}

void *number_map_remove(struct number_map *map, uint64_t number)
{
    if (map->room == 0)
        return NULL;
    size_t place = seek(map, number);
    void *removed = map->items[place].value;
    if (!removed)
        return NULL;
    map->items[place].value = NULL;
    map->count--;
    /* What stands behind without a gap may have wanted this place, or one before it. */
    for (size_t i = next(map, place); map->items[i].value; i = next(map, i)) {
        struct number_map_item moved = map->items[i];
        map->items[i].value = NULL;
        map->items[seek(map, moved.number)] = moved;
    }
    return removed;
}
