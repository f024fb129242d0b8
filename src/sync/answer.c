/* SPDX-License-Identifier: MIT */
/*
 * What others ask for (lists, rows), and what they bring (offers, rows) or want confirmed. Each is
 * one call of the store and one answer; an answer that says "I have it" waits until that is
 * durable: as appendfsync says, and for collection on the disk in any mode.
 *
 *   EXPORTING or IMPORTING  -->  WAITING for a gate  -->  answered
 */
#include "base/check.h"
#include "base/memory.h"
#include "row/row_list.h"
#include "sync/sync_state.h"

enum serve_gate { GATE_NONE, GATE_PASSED, GATE_SYNCED };

struct serve {
    struct list link;
    struct sync *sync;
    uint64_t node, number;
    unsigned type; /* of the request */
    uint16_t slot;
    struct buffer listed; /* OFFER, PROPOSE, COLLECT: what it names */
    struct export *export;
    struct import *import;
    bool finished; /* the store's call has ended; the answer is ready */
    bool again;    /* COLLECT: what was cold has been asked for */
    bool retries;  /* and read: it is tried again at the end of the turn */
    bool answers;
    enum serve_gate gate_kind;
    uint64_t gate;
    unsigned answer_type;
    struct sync_message answer;
    struct buffer body; /* of the answer */
};

static struct serve *serve_new(struct sync *sync, uint64_t from, unsigned type,
                               const struct sync_message *message)
{
    struct serve *serve = memory_zeroed(sizeof(*serve));
    serve->sync = sync;
    serve->node = from;
    serve->type = type;
    serve->number = message->number;
    serve->slot = message->slot;
    serve->answers = true;
    list_append(&sync->serves, &serve->link);
    sync->serve_count++;
    return serve;
}

static void serve_free(struct serve *serve)
{
    export_cancel(serve->export);
    import_cancel(serve->import);
    list_remove(&serve->link);
    serve->sync->serve_count--;
    buffer_deinit(&serve->listed);
    buffer_deinit(&serve->body);
    memory_free(serve);
}

static bool gate_is_open(const struct serve *serve)
{
    struct store *store = serve->sync->options.store;
    switch (serve->gate_kind) {
    case GATE_PASSED:
        return store_gate_passed(store, serve->gate);
    case GATE_SYNCED:
        return store_gate_synced(store, serve->gate);
    default:
        return true;
    }
}

/* Answers and frees it, if it may be answered. */
static void serve_answer(struct serve *serve)
{
    if (!serve->finished || serve->retries || !gate_is_open(serve))
        return;
    if (serve->answers) {
        serve->answer.number = serve->number;
        serve->answer.body = buffer_bytes(&serve->body);
        sync_send(serve->sync, serve->node, serve->answer_type, serve->answer);
    }
    serve_free(serve);
}

/* From a callback, which may come before the call has returned: the answer goes out at the end of
 * the turn, or after it (serve_begun). */
static void serve_finish(struct serve *serve, unsigned answer_type)
{
    serve->export = NULL;
    serve->import = NULL;
    serve->finished = true;
    serve->answer_type = answer_type;
}

static void serve_begun(struct serve *serve, struct export *export, struct import *import)
{
    if (serve->finished) {
        serve_answer(serve);
        return;
    }
    serve->export = export;
    serve->import = import;
}

/* ---- lists and rows -------------------------------------------------------------------------- */

static void listed(void *context, enum status status, const struct export_listed *keys,
                   size_t count, bool end)
{
    struct serve *serve = context;
    serve_finish(serve, status == STATUS_OK ? SYNC_LISTED : SYNC_FAILED);
    if (status != STATUS_OK)
        return;
    size_t i = 0;
    for (; i < count && (i == 0 || buffer_size(&serve->body) < LIST_BYTES_MAX); i++)
        sync_add_listed(&serve->body, keys[i].digest, keys[i].name);
    serve->answer.flags = end && i == count ? SYNC_END : 0;
}

static void serve_list(struct serve *serve, const struct sync_message *message)
{
    struct sync *sync = serve->sync;
    bool equal = store_slot_digest(sync->options.store, serve->slot) == message->digest;
    if (equal && message->body.size == 0) {
        serve_finish(serve, SYNC_LISTED);
        serve->answer.flags = SYNC_EQUAL;
        serve_answer(serve);
        return;
    }
    serve_begun(serve,
                export_list(sync->options.store, serve->slot, message->body, LIST_KEYS_MAX,
                            sync->now_ms, listed, serve),
                NULL);
}

static void exported(void *context, enum status status, struct bytes rows, struct export_place next)
{
    struct serve *serve = context;
    serve_finish(serve, status == STATUS_OK ? SYNC_ROWS : SYNC_FAILED);
    if (status != STATUS_OK)
        return;
    serve->answer.place = next;
    buffer_append_bytes(&serve->body, rows);
    serve->sync->stats.keys_sent += next.key;
}

static void serve_rows(struct serve *serve, const struct sync_message *message)
{
    struct sync *sync = serve->sync;
    uint32_t count = 0;
    bool of_slot = true;
    struct bytes rest = message->body, name;
    for (; sync_next_name(&rest, &name); count++)
        of_slot = of_slot && row_key_slot(name) == serve->slot;
    if (!of_slot || message->place.key >= count) {
        serve_finish(serve, SYNC_FAILED);
        serve_answer(serve);
        return;
    }
    serve_begun(serve,
                export_rows(sync->options.store, message->body, message->place, ROWS_BYTES_MAX,
                            sync->now_ms, exported, serve),
                NULL);
}

/* ---- what is brought ------------------------------------------------------------------------- */

/* Names of heads, out of a list of them with digests. */
static void names_of(struct bytes body, struct buffer *names)
{
    uint64_t digest;
    struct bytes name;
    while (sync_next_listed(&body, &digest, &name))
        sync_add_name(names, name);
}

/* Whether this node may take rows of that slot from one that has that layout. While the slot moves
 * not from one that has the last: it would count owners that are not all of them. */
static bool may_take(const struct sync *sync, struct bytes name, uint64_t version)
{
    uint16_t slot = row_key_slot(name);
    return sync_owns(sync, slot) && layout_accepts(sync->layout, slot, version);
}

static bool may_take_listed(const struct sync *sync, const struct sync_message *message)
{
    struct bytes rest = message->body, name;
    uint64_t digest;
    while (sync_next_listed(&rest, &digest, &name))
        if (!may_take(sync, name, message->version))
            return false;
    return true;
}

static bool may_take_rows(const struct sync *sync, const struct sync_message *message)
{
    struct bytes rest = message->body, name, row;
    while (row_list_next(&rest, &name, &row))
        if (!may_take(sync, name, message->version))
            return false;
    return true;
}

/* Numbers of those whose digest is as listed, or of those whose isn't. */
static void add_indices(struct serve *serve, const uint64_t *digests, size_t count, bool as_listed)
{
    struct bytes rest = buffer_bytes(&serve->listed), name;
    uint64_t digest;
    for (uint32_t i = 0; i < count && sync_next_listed(&rest, &digest, &name); i++)
        if ((digests[i] == digest) == as_listed)
            sync_add_index(&serve->body, i);
}

static void wanted(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct serve *serve = context;
    serve_finish(serve, SYNC_WANTED);
    serve->gate_kind = GATE_PASSED;
    serve->gate = store_gate_now(serve->sync->options.store);
    serve->answers = status == STATUS_OK;
    if (status == STATUS_OK)
        add_indices(serve, digests, count, false);
}

static void confirmed(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct serve *serve = context;
    serve_finish(serve, SYNC_CONFIRM);
    serve->gate_kind = GATE_SYNCED;
    serve->gate = store_gate_now(serve->sync->options.store);
    if (status == STATUS_OK)
        add_indices(serve, digests, count, true);
}

static void serve_digests(struct serve *serve, struct bytes body, export_digests_done *done)
{
    struct buffer names = {0};
    struct sync *sync = serve->sync;
    names_of(body, &names);
    buffer_append_bytes(&serve->listed, body);
    struct export *export =
        export_digests(sync->options.store, buffer_bytes(&names), sync->now_ms, done, serve);
    buffer_deinit(&names);
    serve_begun(serve, export, NULL);
}

static void refuse(struct serve *serve, unsigned answer_type)
{
    serve_finish(serve, answer_type);
    serve->answer.flags = SYNC_REFUSED;
    serve_answer(serve);
}

static void taken(void *context, enum status status, uint64_t gate)
{
    struct serve *serve = context;
    serve_finish(serve, SYNC_PUSHED);
    serve->gate_kind = GATE_PASSED;
    serve->gate = gate;
    if (status != STATUS_OK) {
        serve->gate_kind = GATE_NONE;
        serve->answer.flags = SYNC_REFUSED;
    }
}

static void serve_push(struct serve *serve, const struct sync_message *message)
{
    struct sync *sync = serve->sync;
    if (!may_take_rows(sync, message) ||
        !layout_may_bring(sync->layout, serve->node, message->version)) {
        refuse(serve, SYNC_PUSHED);
        return;
    }
    serve_begun(serve, NULL,
                import_rows(sync->options.store, message->body, sync->now_ms, taken, serve));
}

/* ---- what is collected ----------------------------------------------------------------------- */

static void collect_read(void *context, enum status status, const uint64_t *digests, size_t count);

/* Those that are as listed still go; what is cold is read once, then tried again. */
static void serve_collect(struct serve *serve)
{
    struct sync *sync = serve->sync;
    struct bytes rest = buffer_bytes(&serve->listed), name;
    struct buffer cold = {0};
    uint64_t digest;
    while (sync_next_listed(&rest, &digest, &name)) {
        enum status status = sync_owns(sync, row_key_slot(name))
                                 ? store_give_away(sync->options.store, name, digest)
                                 : STATUS_ABSENT;
        sync->stats.collected += status == STATUS_OK;
        if (status == STATUS_COLD)
            sync_add_name(&cold, name);
    }
    serve->answers = false;
    if (buffer_size(&cold) == 0 || serve->again) {
        serve_finish(serve, 0);
        buffer_deinit(&cold);
        serve_answer(serve);
        return;
    }
    serve->again = true;
    struct export *export =
        export_digests(sync->options.store, buffer_bytes(&cold), sync->now_ms, collect_read, serve);
    buffer_deinit(&cold);
    serve_begun(serve, export, NULL);
}

/* Not from within the store's call. */
static void collect_read(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct serve *serve = context;
    (void)status;
    (void)digests;
    (void)count;
    serve_finish(serve, 0);
    serve->retries = true;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool is_too_much(const struct sync *sync, uint64_t node)
{
    size_t of_node = 0;
    for (struct list *at = sync->serves.next; at != &sync->serves; at = at->next)
        of_node += list_entry(at, struct serve, link)->node == node;
    return sync->serve_count >= SERVES_MAX || of_node >= SERVES_OF_NODE_MAX;
}

void serve_heard(struct sync *sync, uint64_t from, unsigned type,
                 const struct sync_message *message)
{
    if (is_too_much(sync, from))
        return;
    bool collecting = type == SYNC_PROPOSE || type == SYNC_COLLECT;
    if (collecting && message->version != sync->layout->version)
        return;
    struct serve *serve = serve_new(sync, from, type, message);
    switch (type) {
    case SYNC_ASK_LIST:
        serve_list(serve, message);
        break;
    case SYNC_ASK_ROWS:
        serve_rows(serve, message);
        break;
    case SYNC_OFFER:
        if (may_take_listed(sync, message))
            serve_digests(serve, message->body, wanted);
        else
            refuse(serve, SYNC_WANTED);
        break;
    case SYNC_PUSH:
        serve_push(serve, message);
        break;
    case SYNC_PROPOSE:
        serve_digests(serve, message->body, confirmed);
        break;
    default:
        check(type == SYNC_COLLECT);
        buffer_append_bytes(&serve->listed, message->body);
        serve_collect(serve);
    }
}

void serve_drop_node(struct sync *sync, uint64_t node)
{
    for (struct list *at = sync->serves.next, *next; at != &sync->serves; at = next) {
        struct serve *serve = list_entry(at, struct serve, link);
        next = at->next;
        if (node == 0 || serve->node == node)
            serve_free(serve);
    }
}

void serve_turn_end(struct sync *sync)
{
    for (struct list *at = sync->serves.next, *next; at != &sync->serves; at = next) {
        struct serve *serve = list_entry(at, struct serve, link);
        next = at->next;
        if (serve->retries) {
            serve->retries = serve->finished = false;
            serve_collect(serve);
        } else {
            serve_answer(serve);
        }
    }
}
