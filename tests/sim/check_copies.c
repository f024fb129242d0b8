/* SPDX-License-Identifier: MIT */
#include "sim/check_copies.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/memory.h"
#include "row/row_list.h"
#include "row/slot.h"
#include "sim/cluster_client.h"
#include "store/export.h"
#include "store/state.h"

enum { LOOK_US = 1500 * SIM_MS };
#define NOT_SHOWN UINT64_MAX

/* ---- rows ------------------------------------------------------------------------------------ */

static struct bytes name_of(struct copies *copies, size_t key)
{
    return row_key_head(&copies->arena, 0, bytes_text(copies->history->keys[key].name));
}

/* The row that a running node holds, in the arena; empty: none. */
static struct bytes row_of(struct copies *copies, const struct cluster_node *node,
                           struct bytes name)
{
    struct store *store = cluster_node_store(node);
    struct entry *entry = table_find(&store->table.slots[row_key_slot(name)], name);
    if (entry)
        return arena_copy(&copies->arena, entry_row(entry));
    struct buffer row = {0};
    struct bytes copy = bytes_of("", 0);
    if (node->tier->ops->get(node->tier, name, &row) == STATUS_OK)
        copy = arena_copy(&copies->arena, buffer_bytes(&row));
    buffer_deinit(&row);
    return copy;
}

static uint64_t written_at(const struct cluster_node *node, struct bytes name)
{
    return cluster_node_store(node)->table.slots[row_key_slot(name)].written;
}

/* Up to where the log outlives what happens, or what acknowledgements wait for. */
static uint64_t safe_until(const struct cluster_node *node, bool synced)
{
    const struct log *log = cluster_node_store(node)->log;
    return synced ? log_synced(log) : log_written(log);
}

static bool covers(struct copies *copies, struct bytes row, struct bytes part)
{
    struct bytes merged = row;
    enum status status = row_merge_bytes(row, part, NULL, &copies->arena, &merged);
    return status == STATUS_OK && bytes_equal(merged, row);
}

/* ---- A11 ------------------------------------------------------------------------------------- */

/* Whether it is to be there still when the node runs again: a sole owner removes what has expired,
 * also while it stops. */
static bool is_to_stay(struct copies *copies, const struct cluster_node *node, struct bytes row)
{
    struct row decoded;
    if (row.size == 0 || row_decode(row, &copies->arena, &decoded) != STATUS_OK)
        return false;
    return store_is_joined(cluster_node_store(node)) ||
           row_is_live(&decoded, cluster_node_wall_ms(node));
}

static void on_dying(void *context, struct cluster_node *node, bool power_lost)
{
    struct copies *copies = context;
    struct buffer *kept = &copies->kept[node->index];
    buffer_clear(kept, SIZE_MAX);
    if (power_lost && copies->settings->sync != LOG_SYNC_ALWAYS)
        copies->unsure_us[node->index] = copies->clock->now_us;
    if (cluster_node_is_disk_dead(node))
        return;
    uint64_t safe = safe_until(node, power_lost);
    for (size_t i = 0; i < copies->history->key_count; i++) {
        arena_clear(&copies->arena);
        struct bytes name = name_of(copies, i), row = row_of(copies, node, name);
        if (is_to_stay(copies, node, row) && written_at(node, name) <= safe)
            row_list_append(kept, name, row);
    }
}

static void on_disk_changed(void *context, struct cluster_node *node)
{
    struct copies *copies = context;
    buffer_clear(&copies->kept[node->index], SIZE_MAX);
    copies->unsure_us[node->index] = copies->clock->now_us;
}

static void on_started(void *context, struct cluster_node *node)
{
    struct copies *copies = context;
    struct bytes rest = buffer_bytes(&copies->kept[node->index]), name, row;
    while (row_list_next(&rest, &name, &row)) {
        struct row_key key;
        arena_clear(&copies->arena);
        copies->counts.rows_kept++;
        if (!covers(copies, row_of(copies, node, name), row) && row_key_decode(name, &key))
            trace_fail(copies->trace, "A11", "n%u has forgotten of %.*s what it had on its disk",
                       node->index + 1, (int)key.key.size, key.key.data);
    }
    buffer_clear(&copies->kept[node->index], SIZE_MAX);
    for (size_t i = 0; i < copies->run_count; i++) /* what it has is from its disk */
        copies->runs[i].at[node->index] = NOT_SHOWN;
}

/* ---- durable on W nodes ---------------------------------------------------------------------- */

static bool kept_row(const struct copies *copies, unsigned index, struct bytes name,
                     struct bytes *out_row)
{
    struct bytes rest = buffer_bytes(&copies->kept[index]), each;
    while (row_list_next(&rest, &each, out_row))
        if (bytes_equal(each, name))
            return true;
    return false;
}

/* What a node has of a key: empty: nothing. False: that cannot be known. */
static bool has_of_key(struct copies *copies, const struct cluster_node *node, struct bytes name,
                       struct row *out)
{
    struct bytes row;
    row_init(out);
    if (node->state != CLUSTER_DOWN)
        row = row_of(copies, node, name);
    else if (!kept_row(copies, node->index, name, &row))
        return false;
    return row.size == 0 || row_decode(row, &copies->arena, out) == STATUS_OK;
}

static struct copies_run *run_of(struct copies *copies, size_t event, struct dot dot)
{
    for (size_t i = 0; i < copies->run_count; i++)
        if (copies->runs[i].event == event && dot_equal(copies->runs[i].dot, dot))
            return &copies->runs[i];
    if (copies->run_count == copies->run_room) {
        copies->run_room = copies->run_room * 2 + 16;
        copies->runs = memory_resize(copies->runs, copies->run_room * sizeof(*copies->runs));
    }
    struct copies_run *run = &copies->runs[copies->run_count++];
    *run = (struct copies_run){.event = event, .dot = dot};
    for (unsigned i = 0; i < CLUSTER_NODES_MAX; i++)
        run->at[i] = NOT_SHOWN;
    return run;
}

/* How far the log must have come for what a turn has just shown. What its slot got after the turn's
 * write, as by a collection, is something else. */
static uint64_t shown_at(const struct cluster_node *node, struct bytes name)
{
    uint64_t slot_at = written_at(node, name), turn_at = safe_until(node, false);
    return slot_at < turn_at ? slot_at : turn_at;
}

static bool writes_value(enum history_verb verb)
{
    return verb == VERB_SET || verb == VERB_SETNX || verb == VERB_GETSET || verb == VERB_VC_SET;
}

static void note_runs(struct copies *copies, const struct cluster_node *node, size_t number)
{
    const struct history *history = copies->history;
    size_t key = history->events[number].key;
    arena_clear(&copies->arena);
    struct bytes name = name_of(copies, key);
    struct store *store = cluster_node_store(node);
    struct entry *entry = table_find(&store->table.slots[row_key_slot(name)], name);
    struct row row;
    if (!entry || entry_row(entry).size == 0 ||
        row_decode(entry_row(entry), &copies->arena, &row) != STATUS_OK)
        return; /* what has just been written is in memory */
    for (uint32_t i = 0; i < row.sibling_count; i++) {
        if (row.siblings[i].form != VALUE_STRING ||
            history_parse(history, key, row.siblings[i].value) != number + 1)
            continue;
        struct copies_run *run = run_of(copies, number, row.siblings[i].dot);
        if (run->at[node->index] == NOT_SHOWN)
            run->at[node->index] = shown_at(node, name);
    }
}

static void on_turned(void *context, struct cluster_node *node)
{
    struct copies *copies = context;
    const struct history *history = copies->history;
    size_t kept = 0;
    while (copies->pending_from < history->event_count &&
           history->events[copies->pending_from].outcome != OUTCOME_PENDING)
        copies->pending_from++;
    for (size_t i = 0; i < copies->run_count; i++)
        if (copies->runs[i].event >= copies->pending_from)
            copies->runs[kept++] = copies->runs[i];
    copies->run_count = kept;
    for (size_t i = copies->pending_from; i < history->event_count; i++)
        if (history->events[i].outcome == OUTCOME_PENDING && writes_value(history->events[i].verb))
            note_runs(copies, node, i);
}

/* Whether the node may count as one that has the event, or what has replaced it, as durable as it
 * has to be. Where it came and was replaced within a turn its place in the log is not known. What
 * was there once and is gone was deleted, and the tombstone removed. */
static bool may_hold(struct copies *copies, const struct cluster_node *node, struct bytes name,
                     const struct copies_run *run)
{
    struct row row;
    uint64_t unsure_us = copies->unsure_us[node->index], at = run->at[node->index];
    if (unsure_us > 0 && unsure_us >= copies->history->events[run->event].begun_us)
        return true;
    if (!has_of_key(copies, node, name, &row))
        return !node->absent;
    if (at == NOT_SHOWN && !vector_covers(&row.vector, run->dot))
        return false;
    bool always = copies->settings->sync == LOG_SYNC_ALWAYS;
    return node->state == CLUSTER_DOWN || at == NOT_SHOWN || at <= safe_until(node, always);
}

static unsigned count_holders(struct copies *copies, struct bytes name,
                              const struct copies_run *run)
{
    unsigned holders = 0;
    for (unsigned i = 0; i < copies->settings->nodes; i++)
        holders += may_hold(copies, &copies->nodes[i], name, run);
    return holders;
}

/* What is run again elsewhere (forward.h), and replaced within the same turn by another write that
 * was under way, never shows there. */
static bool may_have_run_unseen(const struct copies *copies, size_t number)
{
    const struct history *history = copies->history;
    const struct history_event *event = &history->events[number];
    if (event->verb != VERB_SET || !copies->settings->sloppy)
        return false; /* run once, if at all */
    for (size_t i = 0; i < history->event_count; i++) {
        const struct history_event *other = &history->events[i];
        bool is_over = other->outcome == OUTCOME_DONE && other->ended_us < event->begun_us;
        if (i != number && other->key == event->key && history_may_apply(other) && !is_over)
            return true;
    }
    return false;
}

/* Of a write that was run twice one run is enough. */
static void judge_value(struct copies *copies, size_t number)
{
    const struct history_event *event = &copies->history->events[number];
    unsigned most = 0, needed = copies->settings->nodes == 1 ? 1 : copies->settings->write_quorum;
    arena_clear(&copies->arena);
    struct bytes name = name_of(copies, event->key);
    bool found = false;
    for (size_t i = 0; i < copies->run_count; i++) {
        if (copies->runs[i].event != number)
            continue;
        unsigned holders = count_holders(copies, name, &copies->runs[i]);
        most = holders > most ? holders : most;
        found = true;
    }
    if (most < needed && may_have_run_unseen(copies, number))
        found = false;
    copies->counts.durable += found;
    copies->counts.unjudged += !found;
    if (found && most < needed)
        trace_fail(copies->trace, "durable",
                   "%s: event %zu is acknowledged, and on %u nodes of %u that must have it",
                   copies->history->keys[event->key].name, number + 1, most, needed);
}

static bool acknowledges(enum history_verb verb, char first)
{
    switch (verb) {
    case VERB_SET:
    case VERB_SETNX:
    case VERB_VC_SET:
        return first == '+';
    case VERB_GETSET:
        return first != '-';
    default:
        return false;
    }
}

static void on_replied(void *context, struct cluster_node *node, const void *receiver,
                       struct bytes reply)
{
    struct copies *copies = context;
    const struct cluster_client *client = receiver;
    (void)node;
    if (!client || client->state != CLIENT_WAITING || !acknowledges(client->verb, reply.data[0]))
        return;
    for (unsigned i = 0; i < client->event_count; i++)
        judge_value(copies, client->events[i]);
}

/* ---- merging and counting -------------------------------------------------------------------- */

static struct row merged(struct copies *copies, const struct row *a, const struct row *b)
{
    struct row out;
    row_merge(a, b, NULL, &copies->arena, &out);
    return out;
}

static void check_merges(struct copies *copies, size_t key)
{
    struct row rows[CLUSTER_NODES_MAX], up, down, halves[2];
    size_t count = 0;
    struct bytes name = name_of(copies, key);
    for (unsigned i = 0; i < copies->settings->nodes; i++)
        if (has_of_key(copies, &copies->nodes[i], name, &rows[count]) &&
            rows[count].vector.count > 0)
            count++;
    if (count < 2)
        return;
    up = rows[0];
    down = rows[count - 1];
    row_init(&halves[0]);
    row_init(&halves[1]);
    for (size_t i = 0; i < count; i++) {
        up = merged(copies, &up, &rows[i]);
        down = merged(copies, &rows[count - 1 - i], &down);
        halves[i % 2] = merged(copies, &halves[i % 2], &rows[i]);
    }
    halves[0] = merged(copies, &halves[1], &halves[0]);
    struct bytes bytes = row_encode(&up, &copies->arena);
    copies->counts.merged++;
    if (!bytes_equal(bytes, row_encode(&down, &copies->arena)) ||
        !bytes_equal(bytes, row_encode(&halves[0], &copies->arena)))
        trace_fail(copies->trace, "merge", "%s: its %zu copies merge to different rows",
                   copies->history->keys[key].name, count);
}

/* Of the slot of that key, at one node. */
static void check_slot(struct copies *copies, const struct cluster_node *node, size_t key)
{
    const struct history *history = copies->history;
    uint16_t slot = slot_of_key(bytes_text(history->keys[key].name));
    uint64_t digest = 0, count = 0;
    for (size_t i = 0; i < history->key_count; i++) {
        if (i != key && slot_of_key(bytes_text(history->keys[i].name)) != slot)
            continue;
        struct bytes name = name_of(copies, i), row = row_of(copies, node, name);
        digest += row.size > 0 ? export_digest(name, row) : 0;
        count += row.size > 0;
    }
    const struct store *store = cluster_node_store(node);
    if (store_is_joined(store) &&
        (digest != store_slot_digest(store, slot) || count != store_slot_stored(store, slot)))
        trace_fail(copies->trace, "count",
                   "n%u miscounts slot %u: %" PRIu64 " rows, it says %" PRIu64 "; %s",
                   node->index + 1, slot, count, store_slot_stored(store, slot),
                   digest == store_slot_digest(store, slot) ? "the digest is right"
                                                            : "the digest is wrong");
}

static void look_at(struct copies *copies, size_t key)
{
    arena_clear(&copies->arena);
    check_merges(copies, key);
    for (unsigned i = 0; i < copies->settings->nodes; i++)
        if (copies->nodes[i].state == CLUSTER_UP && !cluster_node_is_disk_dead(&copies->nodes[i]))
            check_slot(copies, &copies->nodes[i], key);
}

void copies_look(struct copies *copies)
{
    for (size_t i = 0; i < copies->history->key_count && !copies->trace->failed; i++)
        look_at(copies, i);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void set_timer(struct copies *copies)
{
    sim_timer_set(copies->clock, &copies->timer,
                  copies->clock->now_us + 1 + random_below(&copies->random, 2 * LOOK_US));
}

/* At some keys: all of them would cost more than all else. */
static void on_timer(void *context)
{
    struct copies *copies = context;
    for (unsigned i = 0; i < 4; i++)
        look_at(copies, (size_t)random_below(&copies->random, copies->history->key_count));
    set_timer(copies);
}

static const struct node_watch watch = {
    .dying = on_dying,
    .disk_changed = on_disk_changed,
    .started = on_started,
    .turned = on_turned,
    .replied = on_replied,
};

void copies_init(struct copies *copies, uint64_t seed, const struct cluster_settings *settings,
                 const struct history *history, struct cluster_node *nodes, struct sim_clock *clock,
                 struct cluster_trace *trace)
{
    *copies = (struct copies){
        .settings = settings,
        .history = history,
        .nodes = nodes,
        .clock = clock,
        .trace = trace,
        .random = {seed},
        .timer = {.fire = on_timer, .context = copies},
    };
    arena_init(&copies->arena);
    for (unsigned i = 0; i < settings->nodes; i++) {
        nodes[i].watch = &watch;
        nodes[i].watch_context = copies;
    }
    set_timer(copies);
}

void copies_deinit(struct copies *copies)
{
    sim_timer_cancel(copies->clock, &copies->timer);
    for (unsigned i = 0; i < copies->settings->nodes; i++)
        copies->nodes[i].watch = NULL;
    for (unsigned i = 0; i < CLUSTER_NODES_MAX; i++)
        buffer_deinit(&copies->kept[i]);
    memory_free(copies->runs);
    arena_deinit(&copies->arena);
}
