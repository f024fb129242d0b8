/* SPDX-License-Identifier: MIT */
/* Pointers by number: a hash table with open addressing. All zeros is an empty one. */
#ifndef BASE_NUMBER_MAP_H
#define BASE_NUMBER_MAP_H

#include <stddef.h>
#include <stdint.h>

struct number_map_item {
    uint64_t number;
    void *value; /* NULL: free */
};

struct number_map {
    struct number_map_item *items;
    size_t room; /* a power of 2, or 0 */
    size_t count;
};

void number_map_deinit(struct number_map *map);

/* NULL: it is not there. */
void *number_map_find(const struct number_map *map, uint64_t number);

/* The number is not there yet; the value is not NULL. */
void number_map_add(struct number_map *map, uint64_t number, void *value);

/* What was there, NULL for nothing. */
void *number_map_remove(struct number_map *map, uint64_t number);

#endif
