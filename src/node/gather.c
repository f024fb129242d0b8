/* SPDX-License-Identifier: MIT */
#include "node/gather.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/number.h"
#include "node/forward_state.h"
#include "node/gather_reply.h"
#include "node/wait.h"

enum {
    TIMEOUTS = 2, /* that may pass while nodes are lost and all begins anew, from the first on */
    FLUSH_TIMEOUTS = 60,
};

struct part {
    struct forward forward;
    struct gather *gather;
    uint64_t node;
    struct buffer request;
    struct buffer reply;
    uint32_t *positions; /* of its keys */
    uint32_t count;
    uint64_t slots[SLOT_COUNT / 64];
    uint64_t slot_count;
    uint64_t cursor; /* of GATHER_FLUSH, and the database: */
    uint8_t db;
    bool under_way;
    bool deleting;
};

struct gather {
    struct forwarder *forwarder;
    struct session *session;
    enum gather_kind kind;
    struct part *parts;
    uint32_t count, pending;
    uint32_t next; /* of GATHER_RANDOM: the part that is asked, or was last */
    uint32_t key_count;
    uint32_t scan_end;    /* of GATHER_SCAN: the slot after those that were asked for */
    uint64_t deadline_ms; /* 0: no node was lost */
    bool lost;
};

enum gather_kind gather_kind_of(const struct command *command)
{
    static const struct {
        const char *name;
        enum gather_kind kind;
    } kinds[] = {
        {"del", GATHER_SUM},
        {"unlink", GATHER_SUM},
        {"exists", GATHER_SUM},
        {"touch", GATHER_SUM},
        {"mget", GATHER_VALUES},
        {"mset", GATHER_OK},
        {"wait", GATHER_WAIT},
        {"waitaof", GATHER_WAIT},
        {"dbsize", GATHER_DATABASE_SUM},
        {"keys", GATHER_DATABASE_KEYS},
        {"scan", GATHER_SCAN},
        {"randomkey", GATHER_RANDOM},
        {"flushdb", GATHER_FLUSH},
        {"flushall", GATHER_FLUSH},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(command->name, kinds[i].name) == 0)
            return kinds[i].kind;
    return GATHER_NONE;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void resume(struct gather *gather)
{
    struct session *session = gather->session;
    if (session->state == SESSION_AWAITING) /* else the client was cut off */
        list_append(&session->sessions->resumed, &session->waiting);
}

static uint64_t patience_ms(const struct gather *gather)
{
    unsigned timeouts = gather->kind == GATHER_FLUSH ? FLUSH_TIMEOUTS : TIMEOUTS;
    return timeouts * gather->forwarder->options.timeout_ms;
}

static void cancel_parts(struct gather *gather)
{
    for (uint32_t i = 0; i < gather->count; i++) {
        struct part *part = &gather->parts[i];
        if (part->under_way)
            forward_cancel(gather->forwarder, &part->forward);
        part->under_way = false;
        buffer_deinit(&part->request);
        buffer_deinit(&part->reply);
        memory_free(part->positions);
    }
    memory_free(gather->parts);
    gather->parts = NULL;
    gather->count = gather->pending = 0;
}

/* Whatever becomes of it when it is tried anew: it may be there already. */
static bool may_have_run(const struct gather *gather)
{
    for (uint32_t i = 0; i < gather->count; i++) {
        const struct part *part = &gather->parts[i];
        if (part->forward.was_sent || buffer_size(&part->reply) > 0)
            return true;
    }
    return false;
}

/* The session tries anew at the next tick, when others know too that a node is gone. */
static void give_up(struct gather *gather)
{
    struct session *session = gather->session;
    if ((session->request.command->flags & CMD_WRITE) && may_have_run(gather))
        session->ran_in_part = true;
    cancel_parts(gather);
    if (session->state != SESSION_AWAITING)
        return;
    session->state = SESSION_THROTTLED;
    list_append(&gather->forwarder->options.dispatch->throttled, &session->waiting);
}

/* A node is gone. Other parts that write may still run, and are waited for: their client would hear
 * that it is over, and what it says next must not be overtaken. */
static void part_lost(struct forward *forward)
{
    struct part *part = forward->context;
    struct gather *gather = part->gather;
    const struct dispatch *dispatch = gather->forwarder->options.dispatch;
    bool writes = gather->session->request.command->flags & CMD_WRITE;
    part->under_way = false;
    gather->pending--;
    gather->lost = true;
    for (uint32_t i = 0; i < forward->dead.count; i++)
        dead_actors_add(&gather->session->dead, forward->dead.dots[i]);
    if (gather->deadline_ms == 0)
        gather->deadline_ms = dispatch->cluster.steady_ms + patience_ms(gather);
    if (gather->pending == 0 || !writes)
        give_up(gather);
}

static void part_answered(struct forward *forward, struct bytes reply);

static void send(struct part *part, uint64_t now_ms)
{
    struct gather *gather = part->gather;
    struct session *session = gather->session;
    bool all = gather->kind >= GATHER_DATABASE_SUM;
    bool writes = session->request.command->flags & CMD_WRITE;
    part->under_way = true;
    session->forwards = true;
    part->forward = (struct forward){
        .client = session->id,
        .bytes = buffer_bytes(&part->request),
        .db = gather->kind == GATHER_FLUSH ? part->db : session->db,
        .resp = session->reply.resp,
        .consistency = {session->consistency.read, session->consistency.write},
        .writes = writes,
        .blind = true,
        .fixed = part->node,
        .dead = session->dead,
        .slots = all && !part->deleting ? part->slots : NULL,
        .answered = part_answered,
        .lost = part_lost,
        .context = part,
    };
    forward_send(gather->forwarder, &part->forward, now_ms);
}

/* ---- FLUSH: scan, delete, scan on ------------------------------------------------------------ */

static void ask_flush_scan(struct part *part)
{
    char cursor[24];
    snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)part->cursor);
    struct bytes words[] = {BYTES("SCAN"), bytes_text(cursor), BYTES("COUNT"), BYTES("500")};
    part->deleting = false;
    gather_request(&part->request, words, 4);
}

/* False: this node's part is through. */
static bool next_database(struct part *part)
{
    struct session *session = part->gather->session;
    bool all = strcmp(session->request.command->name, "flushall") == 0;
    part->cursor = 0;
    if (!all || part->db + 1u >= session->sessions->databases)
        return false;
    part->db++;
    return true;
}

/* The next request of a flush after this reply; false: there is none. An error is the end. */
static bool flush_on(struct part *part, struct bytes reply)
{
    struct gather_scan scan;
    if (part->deleting) {
        if (reply.size > 0 && reply.data[0] == '-')
            return false;
        if (part->cursor == 0 && !next_database(part))
            return false;
        ask_flush_scan(part);
        return true;
    }
    if (!gather_read_scan(reply, &scan))
        return false;
    part->cursor = scan.cursor;
    if (scan.count > 0) {
        part->deleting = true;
        gather_request_with(&part->request, BYTES("DEL"), scan.elements, scan.count);
        return true;
    }
    if (part->cursor == 0 && !next_database(part))
        return false;
    ask_flush_scan(part);
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool is_null(struct bytes reply)
{
    return bytes_equal(reply, BYTES("$-1\r\n")) || bytes_equal(reply, BYTES("_\r\n"));
}

static void part_answered(struct forward *forward, struct bytes reply)
{
    struct part *part = forward->context;
    struct gather *gather = part->gather;
    uint64_t now_ms = gather->forwarder->options.dispatch->cluster.steady_ms;
    part->under_way = false;
    if (gather->session->request.command->flags & CMD_WRITE)
        wait_wrote_at(gather->session, part->node, forward->number);
    if (gather->kind == GATHER_FLUSH && !gather->lost && flush_on(part, reply)) {
        send(part, now_ms);
        return;
    }
    if (gather->kind == GATHER_RANDOM && is_null(reply) && gather->next + 1 < gather->count) {
        send(&gather->parts[++gather->next], now_ms);
        return;
    }
    buffer_clear(&part->reply, 0);
    buffer_append_bytes(&part->reply, reply);
    if (--gather->pending > 0)
        return;
    if (gather->lost)
        give_up(gather);
    else
        resume(gather);
}

/* A part has failed: so has all, but what other parts have written is there. */
static bool refuse_if_any_has(const struct gather_parts *parts, struct session *session)
{
    const struct bytes *error = NULL;
    bool run = false;
    for (uint32_t i = 0; i < parts->count; i++) {
        struct bytes reply = parts->replies[i];
        bool failed = reply.size == 0 || reply.data[0] == '-';
        if (failed && !error)
            error = &parts->replies[i];
        run = run || !failed || bytes_starts_with(reply, BYTES("-UNKNOWN"));
    }
    if (!error)
        return false;
    if (error->size == 0)
        reply_error(&session->reply, BYTES("ERR a node has answered what is no reply"));
    else if (run && (session->request.command->flags & CMD_WRITE))
        reply_error(&session->reply, BYTES("UNKNOWN A part of the command was refused, others may "
                                           "have been run"));
    else
        buffer_append_bytes(session->reply.out, *error);
    return true;
}

static enum status combine(struct gather *gather, struct session *session)
{
    struct gather_parts parts = {.key_count = gather->key_count, .scan_end = gather->scan_end};
    struct arena *arena = &session->arena;
    parts.count = gather->kind == GATHER_RANDOM || gather->kind == GATHER_SCAN ? 1 : gather->count;
    uint32_t first = gather->kind == GATHER_RANDOM ? gather->next : 0;
    parts.replies = arena_alloc(arena, gather->count * sizeof(*parts.replies));
    parts.positions = arena_alloc(arena, gather->count * sizeof(*parts.positions));
    parts.counts = arena_alloc(arena, gather->count * sizeof(*parts.counts));
    for (uint32_t i = 0; i < parts.count; i++) {
        parts.replies[i] = buffer_bytes(&gather->parts[first + i].reply);
        parts.positions[i] = gather->parts[first + i].positions;
        parts.counts[i] = gather->parts[first + i].count;
    }
    if (refuse_if_any_has(&parts, session))
        return STATUS_REPLIED;
    static bool (*const combiners[])(const struct gather_parts *, struct arena *,
                                     struct reply *) = {
        [GATHER_SUM] = gather_sum,           [GATHER_VALUES] = gather_values,
        [GATHER_OK] = gather_first,          [GATHER_DATABASE_SUM] = gather_sum,
        [GATHER_DATABASE_KEYS] = gather_all, [GATHER_SCAN] = gather_scan,
        [GATHER_RANDOM] = gather_first,      [GATHER_FLUSH] = gather_ok,
    };
    if (combiners[gather->kind](&parts, arena, &session->reply))
        return STATUS_OK;
    return request_refuse(&session->request, "ERR a node has answered what is no reply");
}

/* What has run may not be run again: it would count otherwise, or its value come back later, where
 * that is promised not to happen (claim.h). */
static bool runs_once(const struct gather *gather)
{
    const struct quorum *quorum = gather->forwarder->options.quorum;
    return gather->kind == GATHER_SUM || (gather->kind == GATHER_OK && quorum_is_exclusive(quorum));
}

enum status gather_finish(struct session *session)
{
    struct gather *gather = session->gather;
    bool is_over = session->ran_in_part && runs_once(gather);
    if (gather->lost && !is_over &&
        gather->forwarder->options.dispatch->cluster.steady_ms < gather->deadline_ms)
        return STATUS_AWAITING;
    enum status status = STATUS_REPLIED;
    if (gather->lost && session->ran_in_part)
        reply_error(&session->reply,
                    BYTES("UNKNOWN Nodes that ran a part of the command have gone: "
                          "it may have been run or not"));
    else if (gather->lost)
        reply_error(&session->reply, BYTES("CLUSTERDOWN Nodes are lost while they are asked"));
    else
        status = combine(gather, session);
    gather_end(session);
    return status;
}

void gather_end(struct session *session)
{
    if (!session->gather)
        return;
    cancel_parts(session->gather);
    memory_free(session->gather);
    session->gather = NULL;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static struct gather *begin(struct forwarder *forwarder, struct session *session)
{
    struct gather *gather = session->gather;
    if (!gather)
        gather = session->gather = memory_zeroed(sizeof(*gather));
    gather->lost = false;
    gather->forwarder = forwarder;
    gather->session = session;
    gather->kind = gather_kind_of(session->request.command);
    return gather;
}

/* One with room for another key. */
static struct part *part_of(struct gather *gather, uint64_t node)
{
    for (uint32_t i = 0; i < gather->count; i++)
        if (gather->parts[i].node == node && gather->parts[i].count < QUORUM_KEYS_MAX)
            return &gather->parts[i];
    gather->parts = memory_resize(gather->parts, (gather->count + 1) * sizeof(*gather->parts));
    struct part *part = &gather->parts[gather->count++];
    *part = (struct part){.node = node};
    return part;
}

static enum status send_all(struct gather *gather, uint64_t now_ms)
{
    bool one = gather->kind == GATHER_RANDOM || gather->kind == GATHER_SCAN;
    gather->pending = one ? 1 : gather->count;
    for (uint32_t i = 0; i < gather->count; i++)
        gather->parts[i].gather = gather; /* they stay where they are from now on */
    for (uint32_t i = 0; i < gather->pending; i++)
        send(&gather->parts[i], now_ms);
    return STATUS_AWAITING;
}

static void write_keys(struct part *part, const struct request *request, uint32_t step)
{
    gather_request_begin(&part->request, 1 + (size_t)part->count * step);
    gather_request_word(&part->request, request->argv[0]);
    for (uint32_t i = 0; i < part->count; i++)
        for (uint32_t j = 0; j < step; j++)
            gather_request_word(&part->request, request->argv[part->positions[i] + j]);
}

enum status gather_keys(struct forwarder *forwarder, struct session *session,
                        const struct gather_key *keys, size_t count, uint64_t now_ms)
{
    struct gather *gather = begin(forwarder, session);
    uint32_t step = gather->kind == GATHER_OK ? 2 : 1;
    gather->key_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        struct part *part = part_of(gather, keys[i].node);
        if ((part->count & (part->count - 1)) == 0)
            part->positions = memory_resize(part->positions, (part->count ? 2 * part->count : 1) *
                                                                 sizeof(*part->positions));
        part->positions[part->count++] = keys[i].position;
    }
    for (uint32_t i = 0; i < gather->count; i++)
        write_keys(&gather->parts[i], &session->request, step);
    return send_all(gather, now_ms);
}

/* ---- all keys -------------------------------------------------------------------------------- */

/* Who answers for which slots. False: there is one for which nobody is there. */
static bool share_slots(struct gather *gather)
{
    const struct forwarder_options *options = &gather->forwarder->options;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint64_t node = 0;
        enum quorum_route route = quorum_route(options->quorum, (uint16_t)slot, &node);
        if (route == QUORUM_NOWHERE)
            return false;
        struct part *part = part_of(gather, route == QUORUM_HERE ? options->node : node);
        part->slots[slot / 64] |= (uint64_t)1 << slot % 64;
        part->slot_count++;
    }
    return true;
}

/* The part of the cursor's slot goes first, with the slots from there on that stand together. */
static void narrow_to_scan(struct gather *gather, const struct request *request)
{
    uint64_t cursor = 0;
    struct bytes text = request->argv[1];
    for (size_t i = 0; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        cursor = cursor * 10 + (uint64_t)(text.data[i] - '0');
    uint32_t slot = (uint32_t)(cursor >> ROW_KEY_HASH_BITS) % SLOT_COUNT;
    for (uint32_t i = 0; i < gather->count; i++) {
        struct part *part = &gather->parts[i];
        if (!(part->slots[slot / 64] >> slot % 64 & 1))
            continue;
        uint32_t end = slot;
        uint64_t run[SLOT_COUNT / 64] = {0};
        for (; end < SLOT_COUNT && (part->slots[end / 64] >> end % 64 & 1); end++)
            run[end / 64] |= (uint64_t)1 << end % 64;
        memcpy(part->slots, run, sizeof(run));
        gather->scan_end = end;
        struct part first = *part;
        *part = gather->parts[0];
        gather->parts[0] = first;
        return;
    }
}

/* Drawn by the slots that they answer for: keys are spread evenly over them. */
static void shuffle(struct gather *gather, struct random *random)
{
    uint64_t rest = SLOT_COUNT;
    for (uint32_t i = 0; i < gather->count; i++) {
        uint64_t rank = random_below(random, rest);
        uint32_t drawn = i;
        while (rank >= gather->parts[drawn].slot_count)
            rank -= gather->parts[drawn++].slot_count;
        struct part part = gather->parts[drawn];
        gather->parts[drawn] = gather->parts[i];
        gather->parts[i] = part;
        rest -= part.slot_count;
    }
    gather->next = 0;
}

static bool is_flush_well_formed(const struct request *request)
{
    return request->argc == 1 ||
           (request->argc == 2 && (bytes_equal_nocase(request->argv[1], BYTES("SYNC")) ||
                                   bytes_equal_nocase(request->argv[1], BYTES("ASYNC"))));
}

enum status gather_database(struct forwarder *forwarder, struct session *session, uint64_t now_ms)
{
    const struct request *request = &session->request;
    if (gather_kind_of(request->command) == GATHER_FLUSH && !is_flush_well_formed(request))
        return STATUS_SYNTAX;
    struct gather *gather = begin(forwarder, session);
    if (!share_slots(gather)) {
        gather_end(session);
        return request_refuse(request, "CLUSTERDOWN Hash slot not served");
    }
    if (gather->kind == GATHER_SCAN)
        narrow_to_scan(gather, request);
    if (gather->kind == GATHER_RANDOM)
        shuffle(gather, request->random);
    for (uint32_t i = 0; i < gather->count; i++) {
        struct part *part = &gather->parts[i];
        part->db = gather->kind == GATHER_FLUSH && strcmp(request->command->name, "flushdb") == 0
                       ? session->db
                       : 0;
        if (gather->kind == GATHER_FLUSH)
            ask_flush_scan(part);
        else
            gather_request(&part->request, request->argv, request->argc);
    }
    return send_all(gather, now_ms);
}
