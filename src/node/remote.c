/* SPDX-License-Identifier: MIT */
/* The coordinator's side of forward.h: sessions that run what other nodes' clients have asked. */
#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "node/forward_state.h"
#include "store/export.h"

/* A node whose clients' requests run here. */
struct origin {
    uint64_t node;
    struct number_map remotes; /* by client */
};

struct remote {
    struct list busy; /* of forwarder.busy, or alone */
    struct forwarder *forwarder;
    struct origin *origin;
    uint64_t client;
    struct session *session;
    struct list requests;            /* that have not run, */
    size_t request_count;            /* and how many they are */
    struct remote_request *incoming; /* of which more is to come; NULL: none */
    uint64_t first_number;           /* of all requests */
    uint64_t number, first;          /* of the one that runs, or ran last */
    uint64_t until_ms;
    uint16_t epoch;
    bool has_end, twice;
    bool refuses; /* what came after a request that it refused, until that comes again */
    bool has_slots;
    uint64_t slots[SLOT_COUNT / 64];
};

struct remote_request {
    struct list link;
    uint64_t number, first, until_ms;
    uint16_t epoch;
    uint8_t flags, db;
    struct consistency consistency;
    struct dead_actors dead;
    struct buffer slots; /* empty: all */
    struct buffer bytes;
};

/* ---- coming and going ------------------------------------------------------------------------ */

static struct origin *origin_of(struct forwarder *forwarder, uint64_t node)
{
    struct origin *origin = number_map_find(&forwarder->origins, node);
    if (origin)
        return origin;
    origin = memory_zeroed(sizeof(*origin));
    origin->node = node;
    number_map_add(&forwarder->origins, node, origin);
    return origin;
}

static struct remote *remote_of(struct forwarder *forwarder, uint64_t node, uint64_t client,
                                uint64_t number)
{
    struct origin *origin = origin_of(forwarder, node);
    struct remote *remote = number_map_find(&origin->remotes, client);
    if (remote)
        return remote;
    if (forwarder->remote_count == FORWARD_REMOTES_MAX)
        return NULL;
    remote = memory_zeroed(sizeof(*remote));
    remote->forwarder = forwarder;
    remote->origin = origin;
    remote->client = client;
    remote->first_number = number;
    list_init(&remote->busy);
    list_init(&remote->requests);
    remote->session = session_new_remote(forwarder->options.dispatch->sessions, remote,
                                         forwarder->options.dispatch->now_ms);
    number_map_add(&origin->remotes, client, remote);
    forwarder->remote_count++;
    return remote;
}

static void free_request(struct remote_request *request)
{
    if (!request)
        return;
    buffer_deinit(&request->slots);
    buffer_deinit(&request->bytes);
    memory_free(request);
}

void remote_drop(struct remote *remote)
{
    struct forwarder *forwarder = remote->forwarder;
    while (!list_is_empty(&remote->requests)) {
        struct remote_request *request =
            list_entry(remote->requests.next, struct remote_request, link);
        list_remove(&request->link);
        free_request(request);
    }
    free_request(remote->incoming);
    list_remove(&remote->busy);
    number_map_remove(&remote->origin->remotes, remote->client);
    forwarder->remote_count--;
    dispatch_closed(forwarder->options.dispatch, remote->session);
    session_free(remote->session);
    memory_free(remote);
}

void remote_client_gone(struct forwarder *forwarder, uint64_t node, uint64_t client)
{
    struct origin *origin = number_map_find(&forwarder->origins, node);
    struct remote *remote = origin ? number_map_find(&origin->remotes, client) : NULL;
    if (remote)
        remote_drop(remote);
}

static struct remote *any_of(const struct origin *origin)
{
    for (size_t i = 0; i < origin->remotes.room; i++)
        if (origin->remotes.items[i].value)
            return origin->remotes.items[i].value;
    return NULL;
}

void remote_origin_gone(struct forwarder *forwarder, uint64_t node)
{
    struct origin *origin = number_map_remove(&forwarder->origins, node);
    if (!origin)
        return;
    for (struct remote *remote; (remote = any_of(origin));)
        remote_drop(remote);
    number_map_deinit(&origin->remotes);
    memory_free(origin);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void answer(struct forwarder *forwarder, uint64_t node, uint64_t number, uint8_t flags,
                   struct bytes reply)
{
    if (node == forwarder->options.node) {
        forward_answer(forwarder, number, flags, reply,
                       forwarder->options.dispatch->cluster.steady_ms);
        return;
    }
    struct buffer *out = &forwarder->scratch;
    do {
        size_t size = reply.size < FORWARD_PART_MAX ? reply.size : FORWARD_PART_MAX;
        uint8_t more = size < reply.size ? FORWARD_MORE : 0;
        buffer_clear(out, FORWARD_PART_MAX);
        buffer_append_varint(out, number);
        buffer_append_u8(out, flags | more);
        buffer_append(out, reply.data, size);
        if (!outbox_send(&forwarder->options.outbox, node, MESSAGE_FORWARDED, buffer_bytes(out)))
            return;
        flags |= FORWARD_CONTINUED;
        reply = bytes_of(reply.data + size, reply.size - size);
    } while (reply.size > 0);
}

static struct remote_request *request_of(const struct remote_call *call)
{
    struct remote_request *request = memory_zeroed(sizeof(*request));
    request->number = call->number;
    request->first = call->first;
    request->until_ms = call->until_ms;
    request->epoch = call->epoch;
    request->flags = call->flags;
    request->db = call->db;
    request->consistency = call->consistency;
    request->dead = call->dead;
    if (call->slots)
        buffer_append(&request->slots, call->slots, FORWARD_SLOTS_SIZE);
    return request;
}

void remote_refuse(struct forwarder *forwarder, uint64_t origin, uint64_t number)
{
    answer(forwarder, origin, number, FORWARD_REFUSED, BYTES(""));
}

/* Adds a part to the request that it belongs to. False: it is too large. */
static bool take_part(struct remote *remote, const struct remote_call *call)
{
    if (!(call->flags & FORWARD_CONTINUED)) {
        free_request(remote->incoming); /* if there is one, its rest was lost */
        remote->incoming = request_of(call);
    }
    struct remote_request *request = remote->incoming;
    if (!request || request->number != call->number)
        return true; /* its beginning was lost */
    if (buffer_size(&request->bytes) + call->bytes.size > DISPATCH_INPUT_MAX) {
        free_request(request);
        remote->incoming = NULL;
        return false;
    }
    buffer_append_bytes(&request->bytes, call->bytes);
    if (call->flags & FORWARD_MORE)
        return true;
    list_append(&remote->requests, &request->link);
    remote->request_count++;
    remote->incoming = NULL;
    return true;
}

bool remote_take(struct forwarder *forwarder, uint64_t origin, const struct remote_call *call)
{
    struct remote *remote = remote_of(forwarder, origin, call->client, call->number);
    if (!remote || remote->request_count >= FORWARD_REQUESTS_MAX || !take_part(remote, call))
        return false;
    if (!list_is_empty(&remote->requests) && list_is_empty(&remote->busy))
        list_append(&forwarder->busy, &remote->busy);
    return true;
}

static bool is_free(const struct session *session)
{
    return session->state == SESSION_READY && !session->paused && !session->held &&
           list_is_empty(&session->waiting);
}

static void run(struct remote *remote, struct remote_request *request)
{
    struct dispatch *dispatch = remote->forwarder->options.dispatch;
    struct session *session = remote->session;
    if (request->db >= session->sessions->databases) { /* nodes may be configured differently */
        answer(remote->forwarder, remote->origin->node, request->number, 0,
               BYTES("-ERR DB index is out of range\r\n"));
        return;
    }
    remote->refuses = remote->refuses && !(request->flags & FORWARD_AGAIN);
    if (remote->refuses) {
        answer(remote->forwarder, remote->origin->node, request->number,
               FORWARD_REFUSED | FORWARD_LATE, BYTES(""));
        return;
    }
    session->db = request->db;
    session_set_resp(session, request->flags & FORWARD_RESP3 ? 3 : 2);
    session->consistency.read = request->consistency.read;
    session->consistency.write = request->consistency.write;
    session->dead = request->dead;
    remote->number = session->request_number = request->number;
    remote->first = request->first;
    remote->until_ms = request->until_ms;
    remote->epoch = request->epoch;
    remote->has_end = request->flags & FORWARD_UNTIL;
    remote->twice = request->flags & FORWARD_TWICE;
    remote->has_slots = buffer_size(&request->slots) > 0;
    if (remote->has_slots)
        memcpy(remote->slots, buffer_bytes(&request->slots).data, FORWARD_SLOTS_SIZE);
    dispatch_receive(dispatch, session, buffer_bytes(&request->bytes), dispatch->now_ms);
}

/* What stands in its input and does not wait is no whole request, or more than one: a node has sent
 * nonsense. */
static bool is_broken(const struct session *session)
{
    return session->state == SESSION_CLOSING ||
           (is_free(session) && buffer_size(&session->input) > 0);
}

/* The rows of many clients are spread over memory: waiting for each in its turn would take most of
 * the time. */
static void look_ahead(struct forwarder *forwarder, const struct remote *remote)
{
    struct bytes keys[STORE_EXPECTED_MAX];
    size_t count = 0, size;
    for (const struct list *at = &remote->busy;
         at != &forwarder->busy && count < STORE_EXPECTED_MAX; at = at->next) {
        const struct list *requests = &list_entry(at, struct remote, busy)->requests;
        for (const struct list *link = requests->next; link != requests; link = link->next) {
            const struct remote_request *request = list_entry(link, struct remote_request, link);
            if (count == STORE_EXPECTED_MAX)
                break;
            if (request_peek(buffer_bytes(&request->bytes), &keys[count], &size))
                count++;
        }
    }
    store_expect(forwarder->options.dispatch->sessions->store, keys, count);
    forwarder->expected = count;
}

static bool drop_broken(struct remote *remote)
{
    remote_refuse(remote->forwarder, remote->origin->node, remote->number);
    remote_drop(remote);
    return false;
}

/* Runs what it may. False: the remote is gone. */
static bool run_all(struct remote *remote)
{
    struct forwarder *forwarder = remote->forwarder;
    while (!list_is_empty(&remote->requests) && is_free(remote->session)) {
        if (is_broken(remote->session))
            return drop_broken(remote);
        struct remote_request *request =
            list_entry(remote->requests.next, struct remote_request, link);
        if (forwarder->expected == 0)
            look_ahead(forwarder, remote);
        forwarder->expected -= forwarder->expected > 0;
        list_remove(&request->link);
        remote->request_count--;
        run(remote, request);
        free_request(request);
        if (is_broken(remote->session))
            return drop_broken(remote);
    }
    return true;
}

void remote_turn(struct forwarder *forwarder)
{
    forwarder->expected = 0;
    for (struct list *at = forwarder->busy.next, *next; at != &forwarder->busy; at = next) {
        struct remote *remote = list_entry(at, struct remote, busy);
        next = at->next;
        if (run_all(remote) && list_is_empty(&remote->requests))
            list_remove(&remote->busy);
    }
}

/* ---- for the dispatch ------------------------------------------------------------------------ */

struct request_id remote_request_id(const struct remote *remote)
{
    return (struct request_id){remote->origin->node, remote->first};
}

uint64_t remote_first_number(const struct remote *remote)
{
    return remote->first_number;
}

const uint64_t *remote_slots(const struct remote *remote)
{
    return remote->has_slots ? remote->slots : NULL;
}

size_t forwarder_remotes(const struct forwarder *forwarder)
{
    return forwarder->remote_count;
}

/* Its origin could not name whom this node's events are by, if it died. */
static bool is_for_another(const struct remote *remote)
{
    const struct dispatch *dispatch = remote->forwarder->options.dispatch;
    struct dot self = store_newest_dot(dispatch->sessions->store, dispatch->now_ms);
    return remote->epoch != 0 && remote->epoch != (self.actor & ACTOR_EPOCH_MAX) &&
           !MUTANT(run_as_another_than_is_known);
}

bool remote_is_late(const struct remote *remote)
{
    if (!remote->has_end)
        return false;
    bool is_over = forward_clock_ms(remote->forwarder) >= remote->until_ms;
    return (is_over && !MUTANT(late_request_run)) || is_for_another(remote);
}

bool remote_may_run_twice(const struct remote *remote)
{
    return remote->twice;
}

void remote_reply(struct remote *remote, uint64_t number, enum remote_refusal refusal,
                  struct bytes reply)
{
    static const uint8_t flags[] = {
        [REMOTE_REFUSED] = FORWARD_REFUSED,
        [REMOTE_LATE] = FORWARD_REFUSED | FORWARD_LATE,
    };
    remote->refuses = remote->refuses || refusal != REMOTE_NOT_REFUSED;
    if (refusal == REMOTE_LATE)
        forward_tell_clock(remote->forwarder, remote->origin->node);
    answer(remote->forwarder, remote->origin->node, number, flags[refusal],
           refusal == REMOTE_NOT_REFUSED ? reply : BYTES(""));
}
