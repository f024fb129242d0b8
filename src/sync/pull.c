/* SPDX-License-Identifier: MIT */
/*
 * Pulling: from one peer what it has of one slot and this node has not. Page by page of the other's
 * list: its digests are compared with this node's own, and of the keys that differ rows are asked
 * for, in parts. Nothing is kept of a pull that breaks off: it begins anew some time.
 *
 *   LISTING --LISTED--> COMPARING --own digests--> FETCHING --ROWS--> IMPORTING --> FETCHING
 *      ^                    | nothing differs                            | the page is through
 *      +--------------------+--------------------------------------------+
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "row/row_list.h"
#include "sync/sync_state.h"

enum pull_state { PULL_LISTING, PULL_COMPARING, PULL_FETCHING, PULL_IMPORTING };

struct pull {
    struct list link;
    struct sync *sync;
    struct pull_result result;
    enum pull_state state;
    uint64_t number; /* of the message that is to be answered */
    uint64_t deadline_ms;
    struct buffer after; /* the last name of the page before */
    bool end;            /* the page is the last one */
    struct buffer names; /* of the page: a body of names */
    uint64_t *theirs;    /* digests of these */
    uint32_t count;
    struct buffer wanted; /* of these: names */
    uint32_t wanted_count;
    struct export_place place; /* in `wanted` */
    struct export_place next;
    uint32_t parts; /* of the key at `place`, so far */
    struct export *export;
    struct import *import;
    bool within;   /* a call that may call back at once */
    bool finished; /* it has */
    enum status status;
};

static void pull_free(struct pull *pull)
{
    struct sync *sync = pull->sync;
    export_cancel(pull->export);
    import_cancel(pull->import);
    list_remove(&pull->link);
    sync->pull_count--;
    sync->slots[pull->result.slot].pulling = false;
    buffer_deinit(&pull->after);
    buffer_deinit(&pull->names);
    buffer_deinit(&pull->wanted);
    memory_free(pull->theirs);
    memory_free(pull);
}

static void pull_end(struct pull *pull, bool whole)
{
    struct sync *sync = pull->sync;
    struct pull_result result = pull->result;
    result.whole = whole;
    pull_free(pull);
    sync->stats.keys_pulled += result.keys;
    sync->pulls_due = true;
    if (result.to_gain)
        moving_pulled(sync, &result);
    else
        compare_pulled(sync, result.slot, result.node, result.keys == 0);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void pull_ask(struct pull *pull, unsigned type, struct sync_message message)
{
    message.number = pull->number = ++pull->sync->number;
    message.slot = pull->result.slot;
    pull->deadline_ms = pull->sync->now_ms + REQUEST_MS;
    if (!sync_send(pull->sync, pull->result.node, type, message))
        pull->deadline_ms = pull->sync->now_ms; /* the next tick ends it */
}

static void ask_list(struct pull *pull)
{
    pull->state = PULL_LISTING;
    struct sync_message message = {
        .digest = store_slot_digest(pull->sync->options.store, pull->result.slot),
        .body = buffer_bytes(&pull->after),
    };
    pull_ask(pull, SYNC_ASK_LIST, message);
}

static void ask_rows(struct pull *pull)
{
    pull->state = PULL_FETCHING;
    struct sync_message message = {.place = pull->place, .body = buffer_bytes(&pull->wanted)};
    pull_ask(pull, SYNC_ASK_ROWS, message);
}

static void next_page(struct pull *pull)
{
    if (pull->end)
        pull_end(pull, true);
    else
        ask_list(pull);
}

bool pull_begin(struct sync *sync, uint16_t slot, uint64_t node, bool to_gain)
{
    if (sync->pull_count >= PULLS_MAX || sync->slots[slot].pulling || !sync_is_up(sync, node))
        return false;
    struct pull *pull = memory_zeroed(sizeof(*pull));
    pull->sync = sync;
    pull->result = (struct pull_result){.node = node, .slot = slot, .to_gain = to_gain};
    sync->slots[slot].pulling = true;
    list_append(&sync->pulls, &pull->link);
    sync->pull_count++;
    ask_list(pull);
    return true;
}

/* ---- a page of the list ---------------------------------------------------------------------- */

/* What differs is wanted. */
static void pick(struct pull *pull, const uint64_t *ours, size_t count)
{
    struct bytes rest = buffer_bytes(&pull->names), name;
    check(count == pull->count);
    buffer_clear(&pull->wanted, LIST_BYTES_MAX);
    pull->wanted_count = 0;
    for (uint32_t i = 0; sync_next_name(&rest, &name); i++) {
        if (ours[i] == pull->theirs[i])
            continue;
        if (MUTANT(all_owners_wipe)) /* and take it from the other, who does the same */
            (void)!store_give_away(pull->sync->options.store, name, ours[i]);
        sync_add_name(&pull->wanted, name);
        pull->wanted_count++;
    }
    pull->place = (struct export_place){0};
    pull->result.keys += pull->wanted_count;
}

static void go_on_compared(struct pull *pull)
{
    if (pull->status != STATUS_OK)
        pull_end(pull, false);
    else if (pull->wanted_count > 0)
        ask_rows(pull);
    else
        next_page(pull);
}

static void own_digests(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct pull *pull = context;
    pull->export = NULL;
    pull->finished = true;
    pull->status = status;
    if (status == STATUS_OK)
        pick(pull, digests, count);
    if (!pull->within)
        go_on_compared(pull);
}

/* False: the other names what it shouldn't. */
static bool take_list(struct pull *pull, struct bytes body)
{
    uint64_t digest;
    struct bytes name, last = buffer_bytes(&pull->after);
    buffer_clear(&pull->names, LIST_BYTES_MAX);
    pull->count = 0;
    while (sync_next_listed(&body, &digest, &name)) {
        if (pull->count == LIST_KEYS_MAX || row_key_slot(name) != pull->result.slot ||
            (last.size > 0 && bytes_compare(last, name) >= 0))
            return false;
        pull->theirs[pull->count++] = digest;
        sync_add_name(&pull->names, name);
        last = name;
    }
    struct buffer after = {0};
    buffer_append_bytes(&after, last);
    buffer_deinit(&pull->after);
    pull->after = after;
    return pull->count > 0 || pull->end;
}

static void heard_list(struct pull *pull, const struct sync_message *message)
{
    struct sync *sync = pull->sync;
    /* What is gained must come from one who sends its writes here, too. */
    bool behind = pull->result.to_gain && message->version < sync->layout->version;
    pull->end = (message->flags & (SYNC_END | SYNC_EQUAL)) != 0;
    if (pull->theirs == NULL)
        pull->theirs = memory_alloc(LIST_KEYS_MAX * sizeof(*pull->theirs));
    if (behind || !take_list(pull, message->body)) {
        pull_end(pull, false);
        return;
    }
    if (pull->count == 0) {
        next_page(pull);
        return;
    }
    pull->state = PULL_COMPARING;
    pull->finished = false;
    pull->within = true;
    pull->export = export_digests(sync->options.store, buffer_bytes(&pull->names), sync->now_ms,
                                  own_digests, pull);
    pull->within = false;
    if (pull->finished) {
        pull->export = NULL;
        go_on_compared(pull);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void go_on_imported(struct pull *pull)
{
    if (pull->status != STATUS_OK) {
        pull_end(pull, false);
        return;
    }
    struct bytes rest = buffer_bytes(&pull->wanted), name;
    size_t before = rest.size;
    for (uint32_t i = 0; i < pull->next.key; i++)
        if (!sync_next_name(&rest, &name))
            break;
    buffer_consume(&pull->wanted, before - rest.size);
    pull->wanted_count -= pull->next.key;
    pull->place = pull->next;
    pull->place.key = 0;
    if (pull->wanted_count > 0)
        ask_rows(pull);
    else
        next_page(pull);
}

static void imported(void *context, enum status status, uint64_t gate)
{
    struct pull *pull = context;
    pull->import = NULL;
    pull->finished = true;
    pull->status = status;
    if (status == STATUS_OK && gate > pull->result.gate)
        pull->result.gate = gate;
    if (!pull->within)
        go_on_imported(pull);
}

/* Within a long string an export may begin anew, but not for ever. */
static bool goes_on(struct pull *pull)
{
    struct export_place place = pull->place, next = pull->next;
    if (next.key > pull->wanted_count)
        return false;
    if (next.key == 0 && next.base == place.base && next.chunk == place.chunk)
        return false;
    pull->parts = next.key > 0 ? 0 : pull->parts + 1;
    return pull->parts <= PULL_PARTS_MAX;
}

static bool rows_are_of_slot(struct bytes rows, uint16_t slot)
{
    struct bytes name, row;
    while (row_list_next(&rows, &name, &row))
        if (row_key_slot(name) != slot)
            return false;
    return true;
}

static void heard_rows(struct pull *pull, const struct sync_message *message)
{
    struct sync *sync = pull->sync;
    pull->next = message->place;
    if (!goes_on(pull) || !rows_are_of_slot(message->body, pull->result.slot)) {
        pull_end(pull, false);
        return;
    }
    pull->state = PULL_IMPORTING;
    pull->finished = false;
    pull->within = true;
    pull->import = import_rows(sync->options.store, message->body, sync->now_ms, imported, pull);
    pull->within = false;
    if (pull->finished) {
        pull->import = NULL;
        go_on_imported(pull);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

void pull_heard(struct sync *sync, uint64_t from, unsigned type, const struct sync_message *message)
{
    struct pull *pull = NULL;
    for (struct list *at = sync->pulls.next; at != &sync->pulls; at = at->next) {
        struct pull *other = list_entry(at, struct pull, link);
        if (other->number == message->number && other->result.node == from)
            pull = other;
    }
    if (pull == NULL)
        return;
    if (type == SYNC_LISTED && pull->state == PULL_LISTING)
        heard_list(pull, message);
    else if (type == SYNC_ROWS && pull->state == PULL_FETCHING)
        heard_rows(pull, message);
    else if (type == SYNC_FAILED && (pull->state == PULL_LISTING || pull->state == PULL_FETCHING))
        pull_end(pull, false);
}

void pull_drop_node(struct sync *sync, uint64_t node)
{
    for (struct list *at = sync->pulls.next, *next; at != &sync->pulls; at = next) {
        struct pull *pull = list_entry(at, struct pull, link);
        next = at->next;
        if (node == 0 || pull->result.node == node)
            pull_free(pull);
    }
}

static void end_overdue(struct sync *sync)
{
    for (struct list *at = sync->pulls.next, *next; at != &sync->pulls; at = next) {
        struct pull *pull = list_entry(at, struct pull, link);
        next = at->next;
        bool asks = pull->state == PULL_LISTING || pull->state == PULL_FETCHING;
        if (asks && sync->now_ms >= pull->deadline_ms)
            pull_end(pull, false);
    }
}

/* From the first of those that differ twice. */
static void begin_wanted(struct sync *sync, uint16_t slot)
{
    const struct sync_slot *state = &sync->slots[slot];
    uint64_t writers[LAYOUT_OWNERS_MAX];
    unsigned count = sync_writers(sync, slot, writers);
    for (unsigned i = 0; i < count; i++)
        if ((state->wanted >> i & 1) != 0 && pull_begin(sync, slot, writers[i], false))
            return;
}

void pull_tick(struct sync *sync)
{
    sync->pulls_due = false;
    end_overdue(sync);
    moving_tick(sync);
    uint32_t slot, passed = 0;
    while (sync->pull_count < PULLS_MAX &&
           (slot = slot_set_walk(&sync->wanted, &sync->pull_cursor, &passed)) < SLOT_COUNT) {
        const struct sync_slot *state = &sync->slots[slot];
        if (!state->pulling && sync->now_ms >= state->pull_at_ms)
            begin_wanted(sync, (uint16_t)slot);
    }
}
