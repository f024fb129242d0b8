/* SPDX-License-Identifier: MIT */
#include "node/forward.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "base/pack.h"
#include "node/forward_state.h"
#include "row/clock.h"
#include "store/export.h"

enum forward_state {
    FORWARD_SENT,
    FORWARD_ASKING,  /* what became of it, */
    FORWARD_ENDING,  /* or until its end: its node may still answer */
    FORWARD_WAITING, /* until due_ms, to be sent anew */
};

enum { NUMBER_SHIFT = 20, SENT_TIMEOUTS = 4 };

static const char unknown_text[] =
    "-UNKNOWN The node that ran the command has gone: it may have been run or not\r\n";
static const char lost_text[] = "-UNKNOWN The command was run, but its reply is lost\r\n";
static const char down_text[] = "-CLUSTERDOWN Hash slot not served\r\n";

struct forwarder *forwarder_new(const struct forwarder_options *options)
{
    struct forwarder *forwarder = memory_zeroed(sizeof(*forwarder));
    forwarder->options = *options;
    forwarder->next_number = options->first_number;
    forwarder->due_ms = UINT64_MAX;
    list_init(&forwarder->all);
    list_init(&forwarder->busy);
    list_init(&forwarder->farewells);
    list_init(&forwarder->questions);
    list_init(&forwarder->overtaken_by_age);
    return forwarder;
}

void forwarder_free(struct forwarder *forwarder)
{
    if (!forwarder)
        return;
    check(list_is_empty(&forwarder->all));
    while (forwarder->origins.count > 0)
        for (size_t i = 0; i < forwarder->origins.room; i++)
            if (forwarder->origins.items[i].value)
                remote_origin_gone(forwarder, forwarder->origins.items[i].number);
    farewells_deinit(forwarder);
    overtaken_deinit(forwarder);
    number_map_deinit(&forwarder->by_number);
    number_map_deinit(&forwarder->held);
    number_map_deinit(&forwarder->origins);
    for (size_t i = 0; i < forwarder->clocks.room; i++)
        memory_free(forwarder->clocks.items[i].value);
    number_map_deinit(&forwarder->clocks);
    buffer_deinit(&forwarder->scratch);
    memory_free(forwarder);
}

/* ---- its end --------------------------------------------------------------------------------- */

/* What a client sends waits while something that it had sent before does. */
static void hold(struct forwarder *forwarder, uint64_t client, bool more)
{
    size_t *count = number_map_find(&forwarder->held, client);
    if (!count) {
        count = memory_zeroed(sizeof(*count));
        number_map_add(&forwarder->held, client, count);
    }
    *count = more ? *count + 1 : *count - 1;
    if (*count == 0)
        memory_free(number_map_remove(&forwarder->held, client));
}

static void set_state(struct forwarder *forwarder, struct forward *forward,
                      enum forward_state state)
{
    if ((state == FORWARD_SENT) != (forward->state == FORWARD_SENT))
        hold(forwarder, forward->client, state != FORWARD_SENT);
    forwarder->unsettled += (state != FORWARD_SENT) - (forward->state != FORWARD_SENT);
    forward->state = state;
}

static void wait_as(struct forwarder *forwarder, struct forward *forward, enum forward_state state,
                    uint64_t due_ms)
{
    set_state(forwarder, forward, state);
    forward->due_ms = due_ms;
    if (due_ms < forwarder->due_ms)
        forwarder->due_ms = due_ms;
}

static void wait_until(struct forwarder *forwarder, struct forward *forward, uint64_t due_ms)
{
    wait_as(forwarder, forward, FORWARD_WAITING, due_ms);
}

/* It is the caller's again. What its client sent later has waited for it, perhaps. */
static void leave(struct forwarder *forwarder, struct forward *forward)
{
    forwarder->due_ms = 0;
    set_state(forwarder, forward, FORWARD_SENT);
    list_remove(&forward->link);
    number_map_remove(&forwarder->by_number, forward->number);
    buffer_deinit(&forward->request);
}

static void ask_no_more(struct forwarder *forwarder, struct forward *forward)
{
    if (forward->state == FORWARD_ASKING)
        quorum_outcome_cancel(forwarder->options.quorum, &forward->outcome);
}

void forward_cancel(struct forwarder *forwarder, struct forward *forward)
{
    ask_no_more(forwarder, forward);
    leave(forwarder, forward);
    buffer_deinit(&forward->reply);
}

static void answer(struct forwarder *forwarder, struct forward *forward, struct bytes reply)
{
    leave(forwarder, forward);
    struct buffer parts = forward->reply;
    forward->reply = (struct buffer){0};
    if (buffer_size(&parts) > 0) {
        buffer_append_bytes(&parts, reply);
        reply = buffer_bytes(&parts);
    }
    forward->answered(forward, reply);
    buffer_deinit(&parts);
}

static void lose(struct forwarder *forwarder, struct forward *forward)
{
    leave(forwarder, forward);
    buffer_deinit(&forward->reply);
    forward->lost(forward);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static uint64_t drift_ms(uint64_t time_ms)
{
    return time_ms / FORWARD_DRIFT + 1;
}

/* What that node's clock says at least; 0: nothing is known of it, it will refuse, and say so. */
static uint64_t clock_of(const struct forwarder *forwarder, uint64_t node, uint64_t now_ms)
{
    const struct far_clock *clock = number_map_find(&forwarder->clocks, node);
    if (node == forwarder->options.node)
        return now_ms;
    if (!clock || now_ms < clock->heard_ms)
        return 0;
    return now_ms + (uint64_t)clock->ahead_ms - drift_ms(now_ms - clock->heard_ms);
}

/* It says more by now, by as much as the message took. So that the least delayed one counts until
 * drift has made it worse than a later one. */
static void heard_clock(struct forwarder *forwarder, uint64_t node, uint64_t heard,
                        struct dot actor, uint64_t now_ms)
{
    struct far_clock *clock = number_map_find(&forwarder->clocks, node);
    uint64_t known = clock_of(forwarder, node, now_ms);
    if (!clock) {
        clock = memory_zeroed(sizeof(*clock));
        number_map_add(&forwarder->clocks, node, clock);
    }
    clock->ahead_ms = (int64_t)((heard > known ? heard : known) - now_ms);
    clock->heard_ms = now_ms;
    actor.time -= now_ms << CLOCK_COUNTER_BITS;
    clock->actor = actor;
}

static enum status receive_clock(struct forwarder *forwarder, uint64_t from, struct unpack *in,
                                 uint64_t now_ms)
{
    uint64_t clock_ms = unpack_next_varint(in), epoch = unpack_next_varint(in);
    uint64_t time = unpack_next_varint(in);
    if (in->failed || in->next != in->end || epoch > ACTOR_EPOCH_MAX)
        return STATUS_CORRUPT;
    struct dot actor = {actor_of(from, (uint16_t)epoch), time};
    heard_clock(forwarder, from, clock_ms, actor, now_ms);
    return STATUS_OK;
}

static void note_actor(const struct forwarder *forwarder, struct forward *forward)
{
    const struct far_clock *clock = number_map_find(&forwarder->clocks, forward->node);
    forward->actor = clock ? clock->actor : (struct dot){0};
}

/* Its process has ended, by now. */
static void note_dead(struct forward *forward, uint64_t now_ms)
{
    struct dot actor = forward->actor;
    actor.time += now_ms << CLOCK_COUNTER_BITS;
    if (actor.actor != 0 && !MUTANT(first_run_of_the_dead_not_covered))
        dead_actors_add(&forward->dead, actor);
}

/* It may have another one when it is back. */
static void forget_clock(struct forwarder *forwarder, uint64_t node)
{
    memory_free(number_map_remove(&forwarder->clocks, node));
}

void forward_tell_clock(struct forwarder *forwarder, uint64_t node)
{
    const struct dispatch *dispatch = forwarder->options.dispatch;
    struct dot actor = store_newest_dot(dispatch->sessions->store, dispatch->now_ms);
    struct buffer *out = &forwarder->scratch;
    buffer_clear(out, FORWARD_PART_MAX);
    buffer_append_varint(out, forward_clock_ms(forwarder));
    buffer_append_varint(out, actor.actor & ACTOR_EPOCH_MAX);
    buffer_append_varint(out, actor.time);
    outbox_send(&forwarder->options.outbox, node, MESSAGE_CLOCK, buffer_bytes(out));
}

void forwarder_node_up(struct forwarder *forwarder, uint64_t node)
{
    forget_clock(forwarder, node);
    forward_tell_clock(forwarder, node);
    forwarder->overtaken_ms = 0;
}

static void tell_clock(struct forwarder *forwarder)
{
    const struct gossip_peer *peer;
    for (size_t i = 0; (peer = gossip_peer_at(forwarder->options.gossip, i)); i++)
        forward_tell_clock(forwarder, peer->said.node);
}

/* ---- sending --------------------------------------------------------------------------------- */

static uint8_t flags_of(const struct forward *forward)
{
    return (uint8_t)((forward->resp == 3 ? FORWARD_RESP3 : 0) |
                     (forward->slots ? FORWARD_SLOTS : 0) | (forward->writes ? FORWARD_UNTIL : 0) |
                     (forward->blind ? FORWARD_TWICE : 0) |
                     (forward->was_refused ? FORWARD_AGAIN : 0));
}

static bool send_part(struct forwarder *forwarder, const struct forward *forward, uint64_t until_ms,
                      struct bytes part, uint8_t flags)
{
    struct buffer *out = &forwarder->scratch;
    buffer_clear(out, FORWARD_PART_MAX);
    buffer_append_varint(out, forward->client);
    buffer_append_varint(out, forward->number);
    buffer_append_varint(out, forward->first);
    buffer_append_u8(out, flags_of(forward) | flags);
    buffer_append_u8(out, forward->db);
    buffer_append_u8(out, forward->consistency.read);
    buffer_append_u8(out, forward->consistency.write);
    buffer_append_varint(out, until_ms);
    buffer_append_varint(out, forward->actor.actor & ACTOR_EPOCH_MAX);
    buffer_append_u8(out, (uint8_t)forward->dead.count);
    for (uint32_t i = 0; i < forward->dead.count; i++) {
        buffer_append_varint(out, forward->dead.dots[i].actor);
        buffer_append_varint(out, forward->dead.dots[i].time);
    }
    if (forward->slots)
        buffer_append(out, forward->slots, FORWARD_SLOTS_SIZE);
    buffer_append_bytes(out, part);
    return outbox_send(&forwarder->options.outbox, forward->node, MESSAGE_FORWARD,
                       buffer_bytes(out));
}

/* An answer to an earlier one is none to this. */
static void number_anew(struct forwarder *forwarder, struct forward *forward)
{
    number_map_remove(&forwarder->by_number, forward->number);
    forward->number = forwarder->next_number++;
    if (forward->first == 0)
        forward->first = forward->number;
    number_map_add(&forwarder->by_number, forward->number, forward);
}

static bool send_to(struct forwarder *forwarder, struct forward *forward, uint64_t now_ms)
{
    struct bytes rest = buffer_bytes(&forward->request);
    uint64_t clock_ms = clock_of(forwarder, forward->node, now_ms);
    uint64_t until_ms = forward->writes && clock_ms > 0 ? clock_ms + forward->patience_ms : 0;
    number_anew(forwarder, forward);
    note_actor(forwarder, forward);
    forward->has_died = false;
    forward->end_ms = now_ms + forward->patience_ms + drift_ms(forward->patience_ms);
    if (forward->node == forwarder->options.node) {
        struct remote_call call = {
            .client = forward->client,
            .number = forward->number,
            .first = forward->first,
            .until_ms = until_ms,
            .flags = flags_of(forward),
            .db = forward->db,
            .consistency = forward->consistency,
            .dead = forward->dead,
            .slots = forward->slots,
            .bytes = rest,
        };
        return remote_take(forwarder, forward->node, &call);
    }
    uint8_t flags = 0;
    do {
        size_t size = rest.size < FORWARD_PART_MAX ? rest.size : FORWARD_PART_MAX;
        flags = (uint8_t)((flags & FORWARD_CONTINUED) | (size < rest.size ? FORWARD_MORE : 0));
        if (!send_part(forwarder, forward, until_ms, bytes_of(rest.data, size), flags))
            return false;
        flags = FORWARD_CONTINUED;
        rest = bytes_of(rest.data + size, rest.size - size);
    } while (rest.size > 0);
    return true;
}

/* A large request takes its time, in which the node may look as if it stood still. */
static uint64_t size_patience_ms(const struct forward *forward)
{
    return buffer_size(&forward->request) / FORWARD_PART_MAX * FORWARD_PART_MS;
}

/* How long a node may be silent that has it, and is not known to be gone. */
static uint64_t answer_ms(const struct forwarder *forwarder, const struct forward *forward)
{
    return SENT_TIMEOUTS * forwarder->options.timeout_ms + size_patience_ms(forward);
}

/* What may run elsewhere is soon refused where it comes late. */
static uint64_t first_patience_ms(const struct forwarder *forwarder, const struct forward *forward)
{
    return forward->blind ? FORWARD_END_MS + size_patience_ms(forward)
                          : answer_ms(forwarder, forward);
}

/* So long it looks for somebody to run it; in that time a large one must also be on its way. */
static void set_deadline(const struct forwarder *forwarder, struct forward *forward,
                         uint64_t now_ms)
{
    forward->deadline_ms = now_ms + forwarder->options.timeout_ms + size_patience_ms(forward);
}

uint64_t forwarder_patience_ms(const struct forwarder *forwarder, uint64_t node)
{
    uint64_t most_ms = 0;
    for (struct list *at = forwarder->all.next; at != &forwarder->all; at = at->next) {
        const struct forward *forward = list_entry(at, struct forward, link);
        if (forward->node == node && size_patience_ms(forward) > most_ms)
            most_ms = size_patience_ms(forward);
    }
    return most_ms;
}

static void try(struct forwarder *forwarder, struct forward *forward, uint64_t now_ms)
{
    enum quorum_route route = QUORUM_THERE;
    forward->node = forward->fixed;
    buffer_clear(&forward->reply, 0);
    if (forward->fixed == 0)
        route = quorum_route(forwarder->options.quorum, forward->slot, &forward->node);
    if (route == QUORUM_HERE)
        forward->node = forwarder->options.node;
    if (route != QUORUM_NOWHERE && send_to(forwarder, forward, now_ms)) {
        set_state(forwarder, forward, FORWARD_SENT);
        if (!forward->was_refused)
            set_deadline(forwarder, forward, now_ms); /* of its being refused, if it is */
        forward->was_sent = true;
        forward->was_refused = false;
        forward->due_ms = now_ms + answer_ms(forwarder, forward);
        return;
    }
    wait_until(forwarder, forward, now_ms + FORWARD_RETRY_MS);
}

void forward_send(struct forwarder *forwarder, struct forward *forward, uint64_t now_ms)
{
    forward->first = 0;
    forward->run_count = 0;
    forward->has_died = forward->was_refused = false;
    forward->was_sent = forward->was_lost;
    forward->state = FORWARD_SENT;
    if (forward->writes && forward->bytes.size > FORWARD_PART_MAX)
        forward->blind = false; /* who takes it in may stand still for longer than its end */
    forward->request = forward->reply = (struct buffer){0};
    buffer_append_bytes(&forward->request, forward->bytes);
    forward->patience_ms = first_patience_ms(forwarder, forward);
    set_deadline(forwarder, forward, now_ms);
    list_append(&forwarder->all, &forward->link);
    number_anew(forwarder, forward);
    if (number_map_find(&forwarder->held, forward->client))
        wait_until(forwarder, forward, now_ms);
    else
        try(forwarder, forward, now_ms);
}

void forwarder_client_gone(struct forwarder *forwarder, uint64_t client)
{
    struct buffer *out = &forwarder->scratch;
    remote_client_gone(forwarder, forwarder->options.node, client);
    buffer_clear(out, FORWARD_PART_MAX);
    buffer_append_varint(out, client);
    const struct gossip_peer *peer;
    for (size_t i = 0; (peer = gossip_peer_at(forwarder->options.gossip, i)); i++)
        outbox_send(&forwarder->options.outbox, peer->said.node, MESSAGE_CLIENT_GONE,
                    buffer_bytes(out));
}

/* ---- answers --------------------------------------------------------------------------------- */

/* It failed where it was tried again, but the one who had it before may have run it. */
static bool refused_now(const struct forward *forward, struct bytes reply)
{
    return forward->was_lost && forward->writes && buffer_size(&forward->reply) == 0 &&
           bytes_starts_with(reply, BYTES("-"));
}

/* It was not run there. As long as it was with a node it did not look for one; but who is late with
 * all the time that there is has too much to do. */
static void refused(struct forwarder *forwarder, struct forward *forward, bool late,
                    uint64_t now_ms)
{
    uint64_t sent_ms = forward->end_ms - forward->patience_ms - drift_ms(forward->patience_ms);
    uint64_t taken_ms = now_ms > sent_ms ? now_ms - sent_ms : 0;
    forward->was_sent = forward->was_lost;
    forward->was_refused = true;
    if (!late || taken_ms < FORWARD_END_MAX_MS || forward->patience_ms < FORWARD_END_MAX_MS)
        forward->deadline_ms += taken_ms;
    if (late && forward->patience_ms < 2 * taken_ms && forward->patience_ms < FORWARD_END_MAX_MS)
        forward->patience_ms =
            2 * taken_ms < FORWARD_END_MAX_MS ? 2 * taken_ms : FORWARD_END_MAX_MS;
    if (forward->fixed && !late)
        lose(forwarder, forward);
    else
        wait_until(forwarder, forward, late ? 0 : now_ms + FORWARD_RETRY_MS);
}

void forward_answer(struct forwarder *forwarder, uint64_t number, uint8_t flags, struct bytes reply,
                    uint64_t now_ms)
{
    struct forward *forward = number_map_find(&forwarder->by_number, number);
    if (!forward || forward->state == FORWARD_WAITING)
        return; /* too late: it was lost, and found a way elsewhere */
    bool begun = buffer_size(&forward->reply) > 0, goes_on = flags & FORWARD_CONTINUED;
    if (goes_on && !begun)
        return; /* the rest of one that is void */
    if (!goes_on)
        buffer_clear(&forward->reply, 0);
    if (!(flags & FORWARD_REFUSED) && (flags & FORWARD_MORE)) {
        buffer_append_bytes(&forward->reply, reply);
        return;
    }
    ask_no_more(forwarder, forward);
    if (flags & FORWARD_REFUSED) {
        refused(forwarder, forward, flags & FORWARD_LATE, now_ms);
        return;
    }
    if (forward->run_count > 0)
        overtaken_add(forwarder, forward, now_ms);
    answer(forwarder, forward, refused_now(forward, reply) ? bytes_text(unknown_text) : reply);
}

/* It can't run any more where it was sent to last. */
static bool has_ended(const struct forward *forward, uint64_t now_ms)
{
    return now_ms >= forward->end_ms || MUTANT(run_elsewhere_before_its_end);
}

static void nobody_knows(struct forwarder *forwarder, struct forward *forward, uint64_t now_ms)
{
    if (!has_ended(forward, now_ms)) {
        wait_as(forwarder, forward, FORWARD_ENDING, forward->end_ms);
    } else if (forward->blind) {
        forward->was_lost = true;
        overtaken_run(forwarder, forward);
        wait_until(forwarder, forward, 0);
    } else {
        answer(forwarder, forward, bytes_text(unknown_text));
    }
}

static void learned(struct quorum_outcome *outcome, enum status status, struct bytes reply)
{
    struct forward *forward = outcome->context;
    struct forwarder *forwarder = forward->forwarder;
    if (MUTANT(forwarded_write_run_again))
        wait_until(forwarder, forward, 0);
    else if (status == STATUS_OK)
        answer(forwarder, forward, reply.size > 0 ? reply : bytes_text(lost_text));
    else
        nobody_knows(forwarder, forward, forward_clock_ms(forwarder));
}

static void find_outcome(struct forwarder *forwarder, struct forward *forward, uint64_t now_ms)
{
    set_state(forwarder, forward, FORWARD_ASKING);
    forward->forwarder = forwarder;
    forward->outcome = (struct quorum_outcome){
        .id = {forwarder->options.node, forward->first},
        .slot = forward->slot,
        .dead = forward->has_died ? forward->node : 0,
        .done = learned,
        .context = forward,
    };
    quorum_ask_outcome(forwarder->options.quorum, &forward->outcome, now_ms);
}

/* The node that has it is gone, or silent; or its end has come there. */
static void recover(struct forwarder *forwarder, struct forward *forward, uint64_t now_ms)
{
    set_deadline(forwarder, forward, now_ms);
    buffer_deinit(&forward->reply); /* of which the rest won't come */
    if (forward->fixed && forward->writes && !has_ended(forward, now_ms)) {
        wait_as(forwarder, forward, FORWARD_ENDING, forward->end_ms);
    } else if (forward->fixed) {
        forward->was_lost = true;
        lose(forwarder, forward);
    } else if (forward->writes && forward->several_owners && !MUTANT(one_slot_tells_of_all)) {
        nobody_knows(forwarder, forward, now_ms);
    } else if (forward->writes) {
        find_outcome(forwarder, forward, now_ms);
    } else {
        forward->was_lost = true;
        wait_until(forwarder, forward, 0);
    }
}

static bool may_leave(const struct forward *forward, bool gone)
{
    return gone || forward->blind || !forward->writes;
}

/* The next of a list from which all go back to the forwarder's, one by one: what is called back on
 * the way may cancel any of them, or send new ones. */
static struct forward *put_back(struct forwarder *forwarder, struct list *rest)
{
    if (list_is_empty(rest))
        return NULL;
    struct list *link = rest->next;
    list_remove(link);
    list_append(&forwarder->all, link);
    return list_entry(link, struct forward, link);
}

void forwarder_node_ended(struct forwarder *forwarder, uint64_t node, uint64_t now_ms)
{
    bool waits = false;
    uint64_t heard_ms = now_ms + FORWARD_LAST_MS;
    for (struct list *at = forwarder->all.next; at != &forwarder->all; at = at->next) {
        struct forward *forward = list_entry(at, struct forward, link);
        if (forward->node != node || !forward->writes || forward->state == FORWARD_WAITING)
            continue;
        ask_no_more(forwarder, forward);
        forward->has_died = waits = true;
        wait_as(forwarder, forward, FORWARD_ENDING,
                forward->end_ms > heard_ms ? forward->end_ms : heard_ms);
    }
    if (waits)
        farewell_begin(forwarder, node, now_ms);
}

void forward_last_heard(struct forwarder *forwarder, uint64_t node, uint64_t now_ms)
{
    for (struct list *at = forwarder->all.next; at != &forwarder->all; at = at->next) {
        struct forward *forward = list_entry(at, struct forward, link);
        if (forward->node != node || !forward->has_died || forward->state != FORWARD_ENDING)
            continue;
        forward->end_ms = now_ms;
        note_dead(forward, now_ms);
        wait_as(forwarder, forward, FORWARD_ENDING, 0);
    }
}

void forwarder_node_lost(struct forwarder *forwarder, uint64_t node, bool gone, uint64_t now_ms)
{
    struct forward *forward;
    struct list rest;
    list_init(&rest);
    farewell_node_lost(forwarder, node);
    if (gone)
        overtaken_link_lost(forwarder, node);
    list_splice(&rest, &forwarder->all);
    while ((forward = put_back(forwarder, &rest)))
        if (forward->state == FORWARD_SENT && forward->node == node && may_leave(forward, gone))
            recover(forwarder, forward, now_ms);
}

void forwarder_origin_lost(struct forwarder *forwarder, uint64_t node, uint64_t now_ms)
{
    remote_origin_gone(forwarder, node);
    forget_clock(forwarder, node);
    farewell_unheard(forwarder, node);
    overtaken_link_lost(forwarder, node);
    forwarder_node_lost(forwarder, node, false, now_ms); /* its answers were on that link */
}

/* ---- messages -------------------------------------------------------------------------------- */

static void take_dead(struct unpack *in, struct dead_actors *dead)
{
    uint8_t count = unpack_next_u8(in);
    in->failed |= count > DEAD_ACTORS_MAX;
    while (!in->failed && dead->count < count) {
        struct dot dot = {.actor = unpack_next_varint(in)};
        dot.time = unpack_next_varint(in);
        in->failed |= dead->count > 0 && dead->dots[dead->count - 1].actor >= dot.actor;
        dead->dots[dead->count++] = dot;
    }
}

static enum status receive_forward(struct forwarder *forwarder, uint64_t from, struct unpack *in)
{
    struct remote_call call = {0};
    call.client = unpack_next_varint(in);
    call.number = unpack_next_varint(in);
    call.first = unpack_next_varint(in);
    call.flags = unpack_next_u8(in);
    call.db = unpack_next_u8(in);
    call.consistency.read = unpack_next_u8(in);
    call.consistency.write = unpack_next_u8(in);
    call.until_ms = unpack_next_varint(in);
    uint64_t epoch = unpack_next_varint(in);
    call.epoch = (uint16_t)epoch;
    in->failed |= epoch > ACTOR_EPOCH_MAX;
    take_dead(in, &call.dead);
    if (call.flags & FORWARD_SLOTS)
        call.slots = unpack_bytes(in, FORWARD_SLOTS_SIZE).data;
    if (in->failed)
        return STATUS_CORRUPT;
    call.bytes = bytes_of(in->next, (size_t)(in->end - in->next));
    if (!remote_take(forwarder, from, &call))
        remote_refuse(forwarder, from, call.number);
    return STATUS_OK;
}

static enum status receive_forwarded(struct forwarder *forwarder, uint64_t from, struct unpack *in,
                                     uint64_t now_ms)
{
    uint64_t number = unpack_next_varint(in);
    uint8_t flags = unpack_next_u8(in);
    struct forward *forward = number_map_find(&forwarder->by_number, number);
    if (in->failed)
        return STATUS_CORRUPT;
    if (forward && forward->node == from)
        forward_answer(forwarder, number, flags, bytes_of(in->next, (size_t)(in->end - in->next)),
                       now_ms);
    return STATUS_OK;
}

enum status forwarder_receive(struct forwarder *forwarder, uint64_t from, unsigned type,
                              struct bytes payload, uint64_t now_ms)
{
    struct unpack in = unpack_begin(payload);
    if (type == MESSAGE_FORWARD)
        return receive_forward(forwarder, from, &in);
    if (type == MESSAGE_FORWARDED)
        return receive_forwarded(forwarder, from, &in, now_ms);
    if (type == MESSAGE_CLOCK)
        return receive_clock(forwarder, from, &in, now_ms);
    if (type > MESSAGE_COVER)
        return STATUS_OK; /* a newer node may say more */
    uint64_t first = unpack_next_varint(&in);
    uint64_t second =
        type == MESSAGE_LAST_OF || type == MESSAGE_COVER ? unpack_next_varint(&in) : 0;
    struct bytes rows = bytes_of(in.next, (size_t)(in.end - in.next));
    bool has_rows = type == MESSAGE_MADE || type == MESSAGE_COVER;
    if (in.failed || (rows.size > 0 && !has_rows))
        return STATUS_CORRUPT;
    if (type == MESSAGE_MADE)
        return overtaken_made(forwarder, from, first, rows, now_ms);
    if (type == MESSAGE_COVER)
        return overtaken_cover(forwarder, from, first, second, rows, now_ms);
    if (type == MESSAGE_LAST_OF)
        farewell_asked(forwarder, from, first, second, now_ms);
    else if (type == MESSAGE_LAST_HEARD)
        farewell_heard(forwarder, from, first);
    else if (type == MESSAGE_KEEP)
        overtaken_keep(forwarder, from, first, now_ms);
    else if (type == MESSAGE_OVERTAKEN)
        overtaken_asked(forwarder, from, first, now_ms);
    else
        remote_client_gone(forwarder, from, first);
    return STATUS_OK;
}

/* ---- time ------------------------------------------------------------------------------------ */

/* It is due. False: it is still to be sent. */
static bool go_on(struct forwarder *forwarder, struct forward *forward, uint64_t now_ms)
{
    if (forward->state == FORWARD_ENDING) {
        bool is_fixed = forward->fixed != 0; /* then it is the caller's now */
        recover(forwarder, forward, now_ms);
        return is_fixed;
    }
    /* Its time may have passed while something earlier waited, or this process stood still. */
    if (now_ms < forward->deadline_ms || !forward->was_refused)
        try(forwarder, forward, now_ms);
    if (forward->state == FORWARD_SENT || now_ms < forward->deadline_ms)
        return forward->state == FORWARD_SENT;
    if (forward->fixed)
        lose(forwarder, forward);
    else
        answer(forwarder, forward,
               bytes_text(forward->was_sent && forward->writes && !MUTANT(unknown_told_as_refused)
                              ? unknown_text
                              : down_text));
    return true;
}

/* Those that are due, and of whose client nothing earlier still waits: what a client sent stays in
 * order. */
static void send_due(struct forwarder *forwarder, uint64_t now_ms)
{
    struct number_map held = {0}; /* clients, whose others have to wait */
    struct forward *forward;
    struct list rest;
    list_init(&rest);
    list_splice(&rest, &forwarder->all);
    forwarder->due_ms = UINT64_MAX;
    while ((forward = put_back(forwarder, &rest))) {
        uint64_t client = forward->client;
        if (forward->state == FORWARD_SENT || number_map_find(&held, client))
            continue;
        bool is_due = forward->state != FORWARD_ASKING && now_ms >= forward->due_ms;
        if (is_due && go_on(forwarder, forward, now_ms))
            continue;
        if (forward->state != FORWARD_ASKING && forward->due_ms < forwarder->due_ms)
            forwarder->due_ms = forward->due_ms;
        number_map_add(&held, client, forward);
    }
    number_map_deinit(&held);
}

/* A coordinator that is there, and does not answer for far longer than any quorum takes. */
static void give_up_on_silent(struct forwarder *forwarder, uint64_t now_ms)
{
    struct forward *forward;
    struct list rest;
    list_init(&rest);
    list_splice(&rest, &forwarder->all);
    while ((forward = put_back(forwarder, &rest)))
        if (forward->state == FORWARD_SENT && now_ms >= forward->due_ms)
            recover(forwarder, forward, now_ms);
}

void forwarder_turn(struct forwarder *forwarder, uint64_t now_ms)
{
    farewells_turn(forwarder, now_ms);
    overtaken_turn(forwarder, now_ms);
    if (forwarder->unsettled > 0 && now_ms >= forwarder->due_ms)
        send_due(forwarder, now_ms);
    if (now_ms >= forwarder->silence_ms) {
        forwarder->silence_ms = now_ms + FORWARD_SILENCE_MS;
        give_up_on_silent(forwarder, now_ms);
    }
    if (now_ms >= forwarder->clock_ms) {
        forwarder->clock_ms = now_ms + FORWARD_CLOCK_MS;
        tell_clock(forwarder);
    }
    remote_turn(forwarder);
}

uint64_t forwarder_deadline_ms(const struct forwarder *forwarder)
{
    if (farewells_are_due(forwarder))
        return 0;
    return forwarder->unsettled > 0 ? forwarder->due_ms : UINT64_MAX;
}
