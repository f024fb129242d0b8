/* SPDX-License-Identifier: MIT */
#include "store/generation.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"

enum { DUE_ROOM_MIN = 64, FLUSHED_ROOM_MIN = 16 };

void due_push(struct due_heap *heap, struct due due)
{
    if (heap->count == heap->room) {
        heap->room = heap->room ? heap->room * 2 : DUE_ROOM_MIN;
        heap->items = memory_resize(heap->items, heap->room * sizeof(*heap->items));
    }
    size_t at = heap->count++;
    while (at > 0 && heap->items[(at - 1) / 2].at_ms > due.at_ms) {
        heap->items[at] = heap->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->items[at] = due;
}

struct due due_pop(struct due_heap *heap)
{
    check(heap->count > 0);
    struct due first = heap->items[0];
    struct due last = heap->items[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->items[child + 1].at_ms < heap->items[child].at_ms)
            child++;
        if (heap->items[child].at_ms >= last.at_ms)
            break;
        heap->items[at] = heap->items[child];
        at = child;
    }
    heap->items[at] = last;
    return first;
}

void generation_init(struct generation *generation, uint32_t number, uint64_t log_begin)
{
    *generation = (struct generation){.number = number, .log_begin = log_begin};
    list_init(&generation->rows);
}

void generation_deinit(struct generation *generation)
{
    memory_free(generation->due.items);
    buffer_deinit(&generation->index_deletes);
    buffer_deinit(&generation->dead_prefixes);
    memory_free(generation->flushed);
}

void generation_add_flushed(struct generation *generation, uint16_t slot, uint8_t db,
                            uint32_t flushes)
{
    if (generation->flushed_count == generation->flushed_room) {
        generation->flushed_room =
            generation->flushed_room ? generation->flushed_room * 2 : FLUSHED_ROOM_MIN;
        generation->flushed = memory_resize(generation->flushed, generation->flushed_room *
                                                                     sizeof(*generation->flushed));
    }
    generation->flushed[generation->flushed_count++] = (struct flushed){slot, db, flushes};
}

void generation_note(struct buffer *notes, struct bytes name)
{
    char *room = buffer_reserve(notes, sizeof(uint32_t) + name.size);
    char *place = pack_u32(room, (uint32_t)name.size);
    if (name.size > 0)
        memcpy(place, name.data, name.size);
    buffer_commit(notes, sizeof(uint32_t) + name.size);
}

bool generation_next_note(const struct buffer *notes, size_t *at, struct bytes *out_name)
{
    struct bytes all = buffer_bytes(notes);
    if (*at == all.size)
        return false;
    uint32_t size = unpack_u32(all.data + *at);
    *out_name = bytes_of(all.data + *at + sizeof(size), size);
    *at += sizeof(size) + size;
    return true;
}

uint64_t generation_weight(const struct generation *generation)
{
    return generation->bytes + generation->due.room * sizeof(struct due) +
           generation->index_deletes.capacity + generation->dead_prefixes.capacity;
}
