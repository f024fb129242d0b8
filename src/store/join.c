/* SPDX-License-Identifier: MIT */
/* From a sole copy to one among several. */
#include "base/buffer.h"
#include "store/export.h"
#include "store/state.h"
#include "store/verify.h"

/* Digests of what the tier holds; counts stay as they are. */
static enum status sum_digests(struct store *store)
{
    struct facts counted;
    struct buffer report = {0};
    facts_init(&counted, store->facts.databases);
    counted.digests = true;
    enum status status = verify_count(store->options.tier, &counted, &report);
    for (unsigned db = 0; db < counted.databases && status == STATUS_OK; db++)
        for (unsigned slot = 0; counted.slots[db] && slot < SLOT_COUNT; slot++)
            if (counted.slots[db][slot].stored > 0)
                facts_add_digest(
                    &store->facts, (uint16_t)slot, (uint8_t)db,
                    counted.slots[db][slot].digest -
                        facts_look(&store->facts, (uint16_t)slot, (uint8_t)db)->digest);
    facts_deinit(&counted);
    buffer_deinit(&report);
    return status;
}

/*
 * All that is dirty goes to the tier first: the log of a sole owner has tombstones that were
 * collected at once. What is counted when it crashes in between is counted again when it is opened.
 */
enum status store_join(struct store *store)
{
    bool was_paused = store->paused;
    if (store->identity.joined)
        return STATUS_OK;
    store->paused = true;
    enum status status = store_seal_now(store);
    if (status == STATUS_OK && store->current.count > 0) /* what was asked for while it ended */
        status = store_seal_now(store);
    store->paused = was_paused;
    if (status == STATUS_OK)
        status = sum_digests(store);
    if (status == STATUS_OK)
        status = identity_join(store->options.files, &store->identity, random_next(&store->random));
    if (status == STATUS_IO)
        store->failure = store->failure == STATUS_OK ? status : store->failure;
    store->facts.digests = store->identity.joined;
    return status;
}
