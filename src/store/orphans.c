/* SPDX-License-Identifier: MIT */
#include "store/orphans.h"

#include "store/apply.h"
#include "store/derive.h"

static void forget(struct store *store, unsigned i)
{
    struct orphan *items = store->orphans.items;
    buffer_deinit(&items[i].head);
    store->orphans.count--;
    memmove(&items[i], &items[i + 1], (store->orphans.count - i) * sizeof(*items));
}

void orphans_note(struct store *store, struct bytes head, struct dot base, uint32_t index)
{
    struct orphan *items = store->orphans.items;
    for (unsigned i = 0; i < store->orphans.count; i++) {
        if (!dot_equal(items[i].base, base) || !bytes_equal(buffer_bytes(&items[i].head), head))
            continue;
        if (index >= items[i].chunks)
            items[i].chunks = index + 1;
        return;
    }
    if (store->orphans.count == ORPHANS_MAX)
        forget(store, 0);
    struct orphan *orphan = &items[store->orphans.count++];
    *orphan = (struct orphan){.base = base, .chunks = index + 1};
    buffer_append_bytes(&orphan->head, head);
}

enum fate { WAITS, NAMED, LEFT_BEHIND };

static enum fate fate_of(struct store *store, struct dot base, struct bytes bytes)
{
    struct chunked_base *named;
    struct row row;
    if (bytes.size == 0)
        return LEFT_BEHIND;
    unsigned count = derive_dead_bases(bytes, bytes_of("", 0), &store->scratch, &named);
    for (unsigned i = 0; i < count; i++)
        if (dot_equal(named[i].base, base))
            return NAMED;
    bool seen =
        row_decode(bytes, &store->scratch, &row) == STATUS_OK && vector_covers(&row.vector, base);
    return seen ? LEFT_BEHIND : WAITS;
}

void orphans_settle(struct store *store, struct slot *slot, struct bytes head, struct bytes row)
{
    for (unsigned i = store->orphans.count; i-- > 0;) {
        struct orphan *orphan = &store->orphans.items[i];
        if (!bytes_equal(buffer_bytes(&orphan->head), head))
            continue;
        enum fate fate = fate_of(store, orphan->base, row);
        if (fate == LEFT_BEHIND)
            apply_drop_chunks(store, slot, head,
                              &(struct chunked_base){orphan->base, orphan->chunks});
        if (fate != WAITS)
            forget(store, i);
    }
}

void orphans_deinit(struct store *store)
{
    while (store->orphans.count > 0)
        forget(store, store->orphans.count - 1);
}
