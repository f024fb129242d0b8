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

static struct queued_reply *push_plain(struct session *session)
{
    struct queued_reply *reply = memory_zeroed(sizeof(*reply));
    reply->free = free_plain;
    reply->session = session;
    list_append(&session->queue, &reply->link);
    session->queue_count++;
    note(session);
    return reply;
}

struct buffer *queue_out(struct session *session)
{
    struct queued_reply *last = last_of(session);
    if (!last)
        return &session->output;
    if (last->shut)
        last = push_plain(session);
    return &last->bytes;
}

void queue_gate(struct session *session, uint64_t gate)
{
    struct queued_reply *last = last_of(session);
    check(last);
    if (gate > last->gate)
        last->gate = gate;
}

static void move(struct buffer *from, size_t begin, struct buffer *to)
{
    struct bytes all = buffer_bytes(from);
    buffer_append(to, all.data + begin, all.size - begin);
    buffer_truncate(from, begin);
}

void queue_push(struct session *session, struct queued_reply *reply, struct buffer *out,
                size_t begin)
{
    struct queued_reply *last = last_of(session);
    bool is_empty = last && last->free == free_plain && !last->gate && !last->shut && begin == 0 &&
                    out == &last->bytes;
    reply->session = session;
    move(out, begin, &reply->bytes);
    if (is_empty) { /* it was made for what now stands here */
        list_remove(&last->link);
        session->queue_count--;
        free_plain(last);
    }
    list_append(&session->queue, &reply->link);
    session->queue_count++;
    if (!reply->waiting)
        note(session);
}

void queue_push_plain(struct session *session, struct buffer *out, size_t begin, uint64_t gate)
{
    struct queued_reply *reply = memory_zeroed(sizeof(*reply));
    reply->free = free_plain;
    reply->gate = gate;
    reply->shut = true;
    reply->refused = session->refused;
    if (session->remote)
        reply->number = session->request_number;
    queue_push(session, reply, out, begin);
}

void queue_answered(struct queued_reply *reply)
{
    reply->waiting = false;
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
    list_remove(&first->link);
    session->queue_count--;
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
        list_remove(&reply->link);
        reply->session = NULL;
        if (reply->waiting && reply->abandon)
            reply->abandon(reply);
        else
            reply->free(reply);
    }
    session->queue_count = 0;
}
