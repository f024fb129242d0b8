/* SPDX-License-Identifier: MIT */
#include "node/routing.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "command/command_keys.h"
#include "node/gather.h"
#include "node/read_check.h"
#include "node/reply_queue.h"
#include "node/wait.h"
#include "row/slot.h"

/* ---- its keys -------------------------------------------------------------------------------- */

struct place {
    uint32_t position;
    uint16_t slot;
    enum quorum_route route;
    uint64_t node; /* this one's too */
};

struct places {
    struct place *keys;
    size_t count;
    bool here;  /* all on this node */
    bool apart; /* on several */
    bool nowhere;
    bool several_owners; /* not all keys have the same */
};

static void find_place(struct dispatch *dispatch, const struct session *session,
                       struct places *places, uint32_t position)
{
    struct quorum *quorum = dispatch->cluster.quorum;
    struct place *place = &places->keys[places->count++];
    place->position = position;
    place->slot = slot_of_key(session->request.argv[position]);
    if (session->remote) {
        bool may = quorum_may_coordinate(quorum, place->slot);
        place->route = may ? QUORUM_HERE : QUORUM_NOWHERE;
    } else {
        place->route = quorum_route(quorum, place->slot, &place->node);
    }
    if (place->route == QUORUM_HERE)
        place->node = dispatch->cluster.node;
    places->here = places->here && place->route == QUORUM_HERE;
    places->nowhere = places->nowhere || place->route == QUORUM_NOWHERE;
    places->apart = places->apart || place->node != places->keys[0].node;
    places->several_owners =
        places->several_owners || !quorum_same_owners(quorum, place->slot, places->keys[0].slot);
}

/* MSET of a key that has no value. */
static bool is_half_a_pair(const struct command *command, uint32_t argc)
{
    return !command->key_specs && command->key_step == 2 &&
           (argc - (uint32_t)command->first_key) % 2 != 0;
}

/* False: the arguments are not what the command's table says; its handler will say so. */
static bool find_places(struct dispatch *dispatch, struct session *session, struct places *out)
{
    const struct request *request = &session->request;
    const struct command *command = request->command;
    struct command_key *keys;
    size_t count;
    *out = (struct places){.here = true};
    if (!command->key_specs && command->first_key > 0 && command->last_key == command->first_key) {
        out->keys = arena_alloc(&session->arena, sizeof(*out->keys));
        find_place(dispatch, session, out, (uint32_t)command->first_key);
        return true;
    }
    if (is_half_a_pair(command, (uint32_t)request->argc) ||
        command_keys(command, request->argv, request->argc, &session->arena, &keys, &count) !=
            STATUS_OK)
        return false;
    out->keys = arena_alloc(&session->arena, (count > 0 ? count : 1) * sizeof(*out->keys));
    for (size_t i = 0; i < count; i++)
        find_place(dispatch, session, out, keys[i].position);
    return true;
}

/* ---- here ------------------------------------------------------------------------------------ */

/* It may run here, as long as this node coordinates its slots. */
static enum status let_run(struct quorum *quorum, struct session *session,
                           const struct places *places)
{
    session->claims = quorum_claims(quorum);
    session->shows_unsettled = false;
    for (size_t i = 0; i < places->count; i++)
        session->shows_unsettled |= quorum_is_unsettled(quorum, places->keys[i].slot);
    return STATUS_OK;
}

bool routing_is_stale(const struct dispatch *dispatch, const struct session *session)
{
    return session->claims != 0 && dispatch->cluster.quorum &&
           session->claims != quorum_claims(dispatch->cluster.quorum);
}

static enum status verify(struct dispatch *dispatch, struct session *session,
                          const struct places *places)
{
    struct quorum *quorum = dispatch->cluster.quorum;
    const struct request *request = &session->request;
    bool writes = request->command->flags & CMD_WRITE;
    struct consistency consistency = {session->consistency.read, session->consistency.write};
    struct read_check_key *keys = NULL;
    size_t count = 0;
    for (size_t i = 0; i < places->count; i++) {
        const struct place *place = &places->keys[i];
        struct bytes key = request->argv[place->position];
        unsigned others = quorum_others_to_ask(quorum, place->slot, consistency, writes,
                                               dispatch->cluster.steady_ms);
        if (others == 0 || key.size > KEY_SIZE_MAX)
            continue;
        if (count == QUORUM_KEYS_MAX)
            return request_refuse(request, "ERR Too many keys: owners can't be asked about all");
        if (!keys)
            keys = arena_alloc(&session->arena, places->count * sizeof(*keys));
        keys[count++] = (struct read_check_key){
            .head = row_key_head(&session->arena, request->db, key),
            .others = others,
        };
    }
    enum status status = STATUS_OK;
    if (count > 0)
        status = read_check_ask(quorum, session, keys, count, dispatch->request.size,
                                dispatch->ahead, dispatch->cluster.steady_ms);
    return status == STATUS_OK ? let_run(quorum, session, places) : status;
}

/* ---- elsewhere ------------------------------------------------------------------------------- */

/* A client's request at another node, and the place of its reply. */
struct forwarded {
    struct queued_reply reply;
    bool silent; /* the client wants none */
    struct forward forward;
    struct forwarder *forwarder;
};

static void free_forwarded(struct queued_reply *reply)
{
    struct forwarded *forwarded = (struct forwarded *)(void *)reply;
    buffer_deinit(&reply->bytes);
    memory_free(forwarded);
}

static void abandon_forwarded(struct queued_reply *reply)
{
    struct forwarded *forwarded = (struct forwarded *)(void *)reply;
    forward_cancel(forwarded->forwarder, &forwarded->forward);
    free_forwarded(reply);
}

static void forward_answered(struct forward *forward, struct bytes reply)
{
    struct forwarded *forwarded = forward->context;
    forwarded->reply.session->forwards_open--;
    if (forward->writes)
        wait_wrote_at(forwarded->reply.session, forward->node, forward->number);
    if (!forwarded->silent)
        buffer_append_bytes(&forwarded->reply.bytes, reply);
    forwarded->reply.held = 0;
    forwarded->reply.shut = false;
    queue_answered(&forwarded->reply);
}

/* Run twice it comes to the same: a retry may be a second run. */
static bool is_blind(const struct request *request)
{
    static const char *const names[] = {"setex", "psetex", "mset", NULL};
    if (strcmp(request->command->name, "set") == 0)
        return request->argc == 3 ||
               (request->argc == 5 && (bytes_equal_nocase(request->argv[3], BYTES("EX")) ||
                                       bytes_equal_nocase(request->argv[3], BYTES("PX")) ||
                                       bytes_equal_nocase(request->argv[3], BYTES("EXAT")) ||
                                       bytes_equal_nocase(request->argv[3], BYTES("PXAT"))));
    for (size_t i = 0; names[i]; i++)
        if (strcmp(request->command->name, names[i]) == 0)
            return true;
    return false;
}

static enum status forward(struct dispatch *dispatch, struct session *session,
                           const struct places *places)
{
    const struct request *request = &session->request;
    const struct quorum *quorum = dispatch->cluster.quorum;
    struct forwarded *forwarded = memory_zeroed(sizeof(*forwarded));
    struct buffer *out = session->reply.out;
    forwarded->forwarder = dispatch->cluster.forwarder;
    forwarded->reply.waiting = forwarded->reply.shut = true;
    forwarded->reply.held = sizeof(*forwarded) + dispatch->request.size;
    forwarded->silent = session->reply_off || session->reply_skip;
    forwarded->reply.free = free_forwarded;
    forwarded->reply.abandon = abandon_forwarded;
    queue_push(session, &forwarded->reply, out, buffer_size(out));
    forwarded->forward = (struct forward){
        .client = session->id,
        .bytes = dispatch->request,
        .db = session->db,
        .resp = session->reply.resp,
        .consistency = {session->consistency.read, session->consistency.write},
        .writes = request->command->flags & CMD_WRITE,
        .blind = is_blind(request) && !quorum_is_exclusive(quorum),
        .was_lost = session->ran_in_part,
        .dead = session->dead,
        .several_owners = places->several_owners,
        .slot = places->keys[0].slot,
        .answered = forward_answered,
        .context = forwarded,
    };
    forward_send(dispatch->cluster.forwarder, &forwarded->forward, dispatch->cluster.steady_ms);
    session->forwards = true;
    session->forwards_open++;
    session->forwards_routes = dispatch->cluster.routes;
    return STATUS_FORWARDED;
}

static enum gather_kind kind_of(struct dispatch *dispatch, const struct request *request)
{
    uint8_t *known = &dispatch->cluster.kinds[request->number];
    if (*known == 0)
        *known = (uint8_t)(1 + (request->parent ? GATHER_NONE : gather_kind_of(request->command)));
    return (enum gather_kind)(*known - 1);
}

static enum status split(struct dispatch *dispatch, struct session *session,
                         const struct places *places)
{
    struct gather_key *keys = arena_alloc(&session->arena, places->count * sizeof(*keys));
    for (size_t i = 0; i < places->count; i++)
        keys[i] = (struct gather_key){places->keys[i].position, places->keys[i].node};
    return gather_keys(dispatch->cluster.forwarder, session, keys, places->count,
                       dispatch->cluster.steady_ms);
}

/* The node that has the client is to look anew for who should run it. */
static enum status refuse_remote(struct session *session)
{
    session->refused = REMOTE_REFUSED;
    return STATUS_FORWARDED;
}

enum status routing_refuse_late(struct session *session)
{
    session->refused = REMOTE_LATE;
    return STATUS_FORWARDED;
}

static enum status refuse_nowhere(struct session *session)
{
    if (!session->remote)
        return request_refuse(&session->request, "CLUSTERDOWN Hash slot not served");
    return refuse_remote(session);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum status route_keys(struct dispatch *dispatch, struct session *session)
{
    enum gather_kind kind = kind_of(dispatch, &session->request);
    struct places places;
    /* What a client sent for a slot stays in order, also when the slot's coordinator changes. */
    if (session->forwards_open > 0 && session->forwards_routes != dispatch->cluster.routes)
        return STATUS_THROTTLED;
    if (kind >= GATHER_DATABASE_SUM && !session->remote)
        return gather_database(dispatch->cluster.forwarder, session, dispatch->cluster.steady_ms);
    if (!find_places(dispatch, session, &places) || places.count == 0)
        return STATUS_OK;
    if (places.nowhere)
        return refuse_nowhere(session);
    /* Keys of several owners have a coordinator in common only as long as it lives. */
    bool may_part = places.several_owners && !places.here;
    bool divide = kind != GATHER_NONE && !session->remote &&
                  (places.apart || may_part || places.count > QUORUM_KEYS_MAX);
    if (divide)
        return split(dispatch, session, &places);
    if (places.here)
        return verify(dispatch, session, &places);
    if (!places.apart)
        return forward(dispatch, session, &places);
    return request_refuse(&session->request,
                          "CROSSSLOT Keys in request don't hash to the same slot");
}

static bool may_coordinate_all(const struct dispatch_cluster *cluster, const uint64_t *slots)
{
    for (unsigned slot = 0; slots && slot < SLOT_COUNT; slot++)
        if ((slots[slot / 64] >> slot % 64 & 1) &&
            !quorum_may_coordinate(cluster->quorum, (uint16_t)slot))
            return false;
    return true;
}

/* That concern all of a node's data in a way that others would have to follow. */
static bool is_for_one_node(const struct request *request)
{
    return strcmp(request->command->name, "swapdb") == 0;
}

enum status routing_route(struct dispatch *dispatch, struct session *session)
{
    struct dispatch_cluster *cluster = &dispatch->cluster;
    struct request *request = &session->request;
    session->claims = 0;
    session->shows_unsettled = false;
    bool touches = request->command->first_key != 0 || request->command->key_specs ||
                   kind_of(dispatch, request) != GATHER_NONE;
    request->slots = session->remote ? remote_slots(session->remote) : NULL;
    if (session->remote &&
        (!touches || !cluster->quorum || !may_coordinate_all(cluster, request->slots)))
        return refuse_remote(session); /* for this node's clients alone; or it can't */
    if (!cluster->served)
        return touches ? request_refuse(request, "CLUSTERDOWN The node belongs to no cluster yet")
                       : STATUS_OK;
    if (!cluster->quorum)
        return STATUS_OK;
    if (is_for_one_node(request))
        return request_refuse(request, "ERR SWAPDB is not allowed in cluster mode");
    if (!touches)
        return STATUS_OK;
    if (kind_of(dispatch, request) == GATHER_WAIT)
        return wait_route(dispatch, session);
    if (session->gather) {
        enum status status = gather_finish(session);
        if (status != STATUS_AWAITING)
            return status == STATUS_OK ? STATUS_FORWARDED : status;
    }
    enum status status = route_keys(dispatch, session);
    if (status != STATUS_AWAITING && session->gather)
        gather_end(session); /* it was lost, and now it is for one node */
    return status;
}

/* ---- after it ran ---------------------------------------------------------------------------- */

/* A write until its owners have it, and its reply. */
struct replicated {
    struct queued_reply reply;
    struct quorum_write write;
    struct quorum *quorum;
    size_t size;  /* of its own reply: others may stand behind */
    bool is_read; /* it has shown what others have written */
};

static void free_replicated(struct queued_reply *reply)
{
    struct replicated *replicated = (struct replicated *)(void *)reply;
    buffer_deinit(&reply->bytes);
    memory_free(replicated);
}

static void abandon_replicated(struct queued_reply *reply)
{
    struct replicated *replicated = (struct replicated *)(void *)reply;
    quorum_write_forget(replicated->quorum, &replicated->write);
    free_replicated(reply);
}

static void write_over(struct quorum_write *write, enum status status)
{
    struct replicated *replicated = write->context;
    struct buffer *bytes = &replicated->reply.bytes;
    if (status != STATUS_OK && replicated->size > 0) {
        struct buffer with_error = {0};
        buffer_printf(&with_error,
                      replicated->is_read
                          ? "-NOREPLICAS Not enough good replicas to read: %u of %u nodes have "
                            "what was written last\r\n"
                          : "-UNKNOWN Not enough good replicas to write: %u of %u nodes have it in "
                            "time, it may still appear\r\n",
                      write->reached, write->needed);
        buffer_consume(bytes, replicated->size);
        buffer_append_bytes(&with_error, buffer_bytes(bytes));
        buffer_deinit(bytes);
        *bytes = with_error;
    }
    queue_answered(&replicated->reply);
}

static struct replicated *queue_replicated(struct dispatch *dispatch, struct session *session,
                                           struct buffer *out, size_t begin)
{
    struct replicated *replicated = memory_zeroed(sizeof(*replicated));
    replicated->quorum = dispatch->cluster.quorum;
    replicated->reply.waiting = true;
    replicated->reply.shut = session->remote != NULL;
    replicated->reply.free = free_replicated;
    replicated->reply.abandon = abandon_replicated;
    queue_push(session, &replicated->reply, out, begin);
    replicated->size = buffer_size(&replicated->reply.bytes);
    if (session->remote)
        replicated->reply.number = session->request_number;
    replicated->write.done = write_over;
    replicated->write.context = replicated;
    return replicated;
}

void routing_replicate(struct dispatch *dispatch, struct session *session, struct buffer *out,
                       size_t begin)
{
    struct replicated *replicated = queue_replicated(dispatch, session, out, begin);
    struct quorum_write *write = &replicated->write;
    write->consistency =
        (struct consistency){session->consistency.read, session->consistency.write};
    write->mark = wait_mark(session);
    if (session->remote) {
        write->id = remote_request_id(session->remote);
        write->is_blind = remote_may_run_twice(session->remote);
        write->reply = buffer_bytes(&replicated->reply.bytes);
    }
    quorum_write(dispatch->cluster.quorum, &session->txn, write, dispatch->cluster.steady_ms);
}

void routing_settle(struct dispatch *dispatch, struct session *session, struct buffer *out,
                    size_t begin)
{
    struct replicated *replicated = queue_replicated(dispatch, session, out, begin);
    struct places places;
    replicated->is_read = true;
    replicated->reply.gate = session->gate_request;
    if (!find_places(dispatch, session, &places))
        places.count = 0;
    uint16_t *slots = arena_alloc(&session->arena, (places.count + 1) * sizeof(*slots));
    for (size_t i = 0; i < places.count; i++)
        slots[i] = places.keys[i].slot;
    quorum_settle(dispatch->cluster.quorum, slots, places.count, &replicated->write);
}
