/* SPDX-License-Identifier: MIT */
/*
 * Rows of slots that this node does not own: what it keeps for an owner that was away, or what was
 * its own before slots moved. Page by page of the slot's list all owners are brought the rows; when
 * all have them durably, a key leaves this node, if it is still as it was listed.
 *
 * While an owner is away for long the others are given the rows; which of them, and what the slot's
 * digest was, is remembered: as long as it is still that (less the keys that have left), they need
 * not be asked again.
 *
 * A node that is neither a member nor departed (cluster/layout.h) was away for too long: what it
 * has may be older than what has been collected. Its rows leave it, and nobody gets them.
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "sync/sync_state.h"

struct giving {
    struct list link;
    struct sync *sync;
    uint16_t slot;
    uint16_t to;      /* owners that are brought the rows now: bits */
    uint16_t already; /* those that have them since before */
    bool all;         /* together these are all owners */
    bool drops;       /* nobody gets anything */
    uint64_t digest;  /* the slot's, as it must still be */
    struct buffer after;
    bool end;
    struct buffer listed; /* the page */
    uint32_t count;
    struct export *export;
    struct carry *carry;
    bool within, finished, again;
    enum status status;
};

static void giving_free(struct giving *giving)
{
    struct sync *sync = giving->sync;
    export_cancel(giving->export);
    carry_cancel(giving->carry);
    list_remove(&giving->link);
    sync->giving_count--;
    buffer_deinit(&giving->after);
    buffer_deinit(&giving->listed);
    memory_free(giving);
}

/* ---- the end of a pass ----------------------------------------------------------------------- */

static void giving_failed(struct giving *giving)
{
    giving->sync->give_at_ms[giving->slot] = giving->sync->now_ms + GIVE_AGAIN_MS;
    giving_free(giving);
}

/* All pages have been brought to all who were up. */
static void giving_through(struct giving *giving)
{
    struct sync *sync = giving->sync;
    uint16_t slot = giving->slot;
    bool unchanged = store_slot_digest(sync->options.store, slot) == giving->digest;
    sync->given_digest[slot] = giving->digest;
    sync->given_to[slot] = unchanged ? giving->to | giving->already : 0;
    sync->give_at_ms[slot] = sync->now_ms + (giving->all ? 0 : GIVE_AGAIN_MS);
    sync->scan_ms = sync->now_ms;
    giving_free(giving);
}

/* ---- a page ---------------------------------------------------------------------------------- */

static void next_page(struct giving *giving);
static void leave(struct giving *giving);

static void page_read(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct giving *giving = context;
    (void)digests;
    (void)count;
    giving->export = NULL;
    giving->finished = true;
    giving->status = status;
    if (!giving->within)
        leave(giving);
}

/* Reads what was cold; once for a page, then it is left to the next pass. */
static void read_cold(struct giving *giving, struct bytes names)
{
    struct sync *sync = giving->sync;
    giving->again = true;
    giving->finished = false;
    giving->within = true;
    giving->export = export_digests(sync->options.store, names, sync->now_ms, page_read, giving);
    giving->within = false;
    if (giving->finished) {
        giving->export = NULL;
        leave(giving);
    }
}

/* All owners have the page: what is still as listed leaves. Those that have it since before have it
 * only as the slot was then. */
static void leave(struct giving *giving)
{
    struct sync *sync = giving->sync;
    struct store *store = sync->options.store;
    struct bytes rest = buffer_bytes(&giving->listed), name;
    struct buffer cold = {0};
    uint64_t digest;
    while (sync_next_listed(&rest, &digest, &name)) {
        if (giving->already != 0 && store_slot_digest(store, giving->slot) != giving->digest)
            break;
        enum status status = store_give_away(store, name, digest);
        if (status == STATUS_OK)
            giving->digest -= digest;
        else if (status == STATUS_COLD)
            sync_add_name(&cold, name);
    }
    if (buffer_size(&cold) > 0 && !giving->again)
        read_cold(giving, buffer_bytes(&cold));
    else
        next_page(giving);
    buffer_deinit(&cold);
}

static void page_brought(void *context, bool done)
{
    struct giving *giving = context;
    giving->carry = NULL;
    giving->again = false;
    if (!done)
        giving_failed(giving);
    else if (giving->all)
        leave(giving);
    else
        next_page(giving);
}

static void bring(struct giving *giving)
{
    struct sync *sync = giving->sync;
    uint64_t writers[LAYOUT_OWNERS_MAX], targets[LAYOUT_OWNERS_MAX];
    unsigned count = sync_writers(sync, giving->slot, writers), target_count = 0;
    for (unsigned i = 0; i < count; i++)
        if (giving->to >> i & 1)
            targets[target_count++] = writers[i];
    giving->carry = carry_begin(sync, targets, target_count, buffer_bytes(&giving->listed),
                                page_brought, giving);
    if (giving->carry == NULL)
        giving_failed(giving);
}

static void go_on_listed(struct giving *giving)
{
    if (giving->status != STATUS_OK)
        giving_failed(giving);
    else if (giving->count == 0)
        giving_through(giving);
    else if (giving->drops || (MUTANT(hint_with_a_time_to_live) && giving->to == 0))
        leave(giving);
    else
        bring(giving);
}

static void page_listed(void *context, enum status status, const struct export_listed *keys,
                        size_t count, bool end)
{
    struct giving *giving = context;
    giving->export = NULL;
    giving->finished = true;
    giving->status = status;
    size_t i = 0;
    for (; status == STATUS_OK && i < count && buffer_size(&giving->listed) < CARRY_BYTES_MAX; i++)
        sync_add_listed(&giving->listed, keys[i].digest, keys[i].name);
    giving->count = (uint32_t)i;
    giving->end = end && i == count;
    if (i > 0) {
        buffer_clear(&giving->after, CARRY_BYTES_MAX);
        buffer_append_bytes(&giving->after, keys[i - 1].name);
    }
    if (!giving->within)
        go_on_listed(giving);
}

static void next_page(struct giving *giving)
{
    struct sync *sync = giving->sync;
    if (giving->end) {
        giving_through(giving);
        return;
    }
    buffer_clear(&giving->listed, CARRY_BYTES_MAX);
    giving->finished = false;
    giving->within = true;
    giving->export = export_list(sync->options.store, giving->slot, buffer_bytes(&giving->after),
                                 CARRY_KEYS_MAX, sync->now_ms, page_listed, giving);
    giving->within = false;
    if (giving->finished) {
        giving->export = NULL;
        go_on_listed(giving);
    }
}

/* ---- which slots ----------------------------------------------------------------------------- */

bool give_away_is_giving(const struct sync *sync, uint16_t slot)
{
    for (struct list *at = sync->givings.next; at != &sync->givings; at = at->next)
        if (list_entry(at, struct giving, link)->slot == slot)
            return true;
    return false;
}

/* Members say so, a majority of whom is here: a copy of a whole cluster's directories, in which all
 * are new nodes, loses nothing. */
static bool is_fenced(const struct sync *sync)
{
    const struct layout *layout = sync->layout;
    uint32_t up = 0;
    if (MUTANT(anybody_brings_rows) || layout->phase != LAYOUT_STABLE ||
        layout_is_member(layout, sync->options.node) ||
        layout_has_departed(layout, sync->options.node))
        return false;
    for (uint32_t i = 0; i < layout->ring.member_count; i++)
        up += sync_is_up(sync, layout->ring.members[i].node);
    return 2 * up > layout->ring.member_count;
}

/* Whether there is something to do for it now. */
static bool prepare(const struct sync *sync, uint16_t slot, struct giving *out)
{
    uint64_t writers[LAYOUT_OWNERS_MAX];
    unsigned count = sync_writers(sync, slot, writers);
    uint64_t digest = store_slot_digest(sync->options.store, slot);
    uint16_t everybody = (uint16_t)((1u << count) - 1), up = 0, down = 0;
    for (unsigned i = 0; i < count; i++) {
        up |= (uint16_t)(sync_is_up(sync, writers[i]) << i);
        down |= (uint16_t)(sync_is_down(sync, writers[i]) << i);
    }
    out->slot = slot;
    out->digest = digest;
    out->drops = is_fenced(sync);
    if (out->drops)
        return true;
    out->already = sync->given_digest[slot] == digest ? sync->given_to[slot] : 0;
    out->to = up & (uint16_t)~out->already;
    out->all = (out->to | out->already) == everybody || MUTANT(hint_given_to_some_owners);
    if (out->all && out->to == 0) {
        out->already = 0; /* all have it: to be offered again, so that it leaves */
        out->to = up;
        out->all = up == everybody;
    }
    /* For those that are up alone only while another is away for long. */
    return out->to != 0 && (out->all || (up | down) == everybody);
}

static bool begin(struct sync *sync, uint16_t slot)
{
    struct giving found = {0};
    if (!prepare(sync, slot, &found) && !MUTANT(hint_with_a_time_to_live))
        return false;
    struct giving *giving = memory_zeroed(sizeof(*giving));
    *giving = found;
    giving->sync = sync;
    list_append(&sync->givings, &giving->link);
    sync->giving_count++;
    next_page(giving);
    return true;
}

uint64_t give_away_count(const struct sync *sync)
{
    const struct slot_set *used = store_slots_used(sync->options.store);
    uint64_t rows = 0;
    for (uint32_t slot = 0; (slot = slot_set_next(used, slot)) < SLOT_COUNT; slot++)
        if (!slot_set_has(&sync->owned, (uint16_t)slot))
            rows += store_slot_stored(sync->options.store, (uint16_t)slot);
    return rows;
}

static void scan(struct sync *sync)
{
    uint64_t changes = store_slot_changes(sync->options.store);
    bool unchanged = sync->scan_ms > 0 && changes == sync->scan_changes;
    sync->scan_ms = sync->now_ms + FOREIGN_SCAN_MS;
    if (unchanged)
        return;
    sync->scan_changes = changes;
    sync->foreign = give_away_count(sync);
}

void give_away_tick(struct sync *sync)
{
    if (sync->now_ms >= sync->scan_ms)
        scan(sync);
    const struct slot_set *used = store_slots_used(sync->options.store);
    uint32_t next, passed = 0;
    while (sync->foreign > 0 && sync->giving_count < GIVINGS_MAX &&
           (next = slot_set_walk(used, &sync->give_cursor, &passed)) < SLOT_COUNT) {
        uint16_t slot = (uint16_t)next;
        if (slot_set_has(&sync->owned, (uint16_t)slot) || sync->now_ms < sync->give_at_ms[slot] ||
            barrier_holds(sync, slot) || give_away_is_giving(sync, slot))
            continue;
        if (!begin(sync, slot))
            sync->give_at_ms[slot] = sync->now_ms + GIVE_AGAIN_MS;
    }
}

void give_away_drop(struct sync *sync)
{
    for (struct list *at = sync->givings.next, *next; at != &sync->givings; at = next) {
        next = at->next;
        giving_free(list_entry(at, struct giving, link));
    }
}
