/* SPDX-License-Identifier: MIT */
#include "node/reply_queue.h"

#include "base/check.h"
#include "base/memory.h"

static struct queued_reply *last_of(const struct session *session)
{
    return list_is_empty(&session->queue)
               ? NULL
               : list_entry(session->queue.prev, struct queued_reply, link);
}

/* Its first reply may go, perhaps: it is looked at in the end of the turn. */
static void note(struct session *session)
{
    if (list_is_empty(&session->answered))
        list_append(&session->sessions->answered, &session->answered);
}

static void free_plain(struct queued_reply *reply)
{
    buffer_deinit(&reply->bytes);
    memory_free(reply);
}

static void weigh(struct queued_reply *reply)
{
    size_t weight = reply->held + buffer_size(&reply->bytes);
    reply->session->queue_bytes += weight - reply->weight;
    reply->weight = weight;
}

static void leave(struct session *session, struct queued_reply *reply)
{
    list_remove(&reply->link);
    session->queue_count--;
    session->queue_bytes -= reply->weight;
    reply->weight = 0;
}

struct buffer *queue_out(struct session *session)
{
    struct queued_reply *last = last_of(session);
    if (!last)
        return &session->output;
    if (!last->shut)
        return &last->bytes;
    check(buffer_size(&session->sessions->scratch) == 0);
    return &session->sessions->scratch;
}

static struct queued_reply *new_plain(uint64_t gate)
{
    struct queued_reply *reply = memory_zeroed(sizeof(*reply));
    reply->free = free_plain;
    reply->gate = gate;
    return reply;
}

void queue_settle(struct session *session, struct buffer *out, uint64_t gate)
{
    struct queued_reply *last = last_of(session);
    if (out == &session->sessions->scratch) {
        queue_push(session, new_plain(gate), out, 0);
        return;
    }
    check(last && out == &last->bytes);
    if (gate > last->gate)
        last->gate = gate;
    weigh(last);
}

static void move(struct buffer *from, size_t begin, struct buffer *to)
{
    struct bytes all = buffer_bytes(from);
    if (all.size == begin)
        return;
    buffer_append(to, all.data + begin, all.size - begin);
    buffer_truncate(from, begin);
    if (begin == 0)
        buffer_clear(from, SESSION_BUFFER_KEPT);
}

void queue_push(struct session *session, struct queued_reply *reply, struct buffer *out,
                size_t begin)
{
    reply->session = session;
    move(out, begin, &reply->bytes);
    list_append(&session->queue, &reply->link);
    session->queue_count++;
    weigh(reply);
    if (!reply->waiting)
        note(session);
}

void queue_push_plain(struct session *session, struct buffer *out, size_t begin, uint64_t gate)
{
    struct queued_reply *reply = new_plain(gate);
    reply->shut = true;
    reply->refused = session->refused;
    if (session->remote)
        reply->number = session->request_number;
    queue_push(session, reply, out, begin);
}

void queue_answered(struct queued_reply *reply)
{
    reply->waiting = false;
    if (reply->session)
        weigh(reply);
    if (reply->session && reply->link.prev == &reply->session->queue)
        note(reply->session);
}

struct queued_reply *queue_take(struct session *session)
{
    if (list_is_empty(&session->queue))
        return NULL;
    struct queued_reply *first = list_entry(session->queue.next, struct queued_reply, link);
    if (first->waiting ||
        (first->gate && !store_gate_passed(session->sessions->store, first->gate)))
        return NULL;
    leave(session, first);
    return first;
}

bool queue_is_gated(const struct session *session)
{
    return !list_is_empty(&session->queue) &&
           !list_entry(session->queue.next, struct queued_reply, link)->waiting;
}

void queue_free(struct queued_reply *reply)
{
    reply->free(reply);
}

void queue_abandon(struct session *session)
{
    while (!list_is_empty(&session->queue)) {
        struct queued_reply *reply = list_entry(session->queue.next, struct queued_reply, link);
        leave(session, reply);
        reply->session = NULL;
        if (reply->waiting && reply->abandon)
            reply->abandon(reply);
        else
            reply->free(reply);
    }
}
