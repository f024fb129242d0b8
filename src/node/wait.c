/* SPDX-License-Identifier: MIT */
#include "node/wait.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/number.h"
#include "node/forward.h"
#include "node/gather_reply.h"

/* A node that has coordinated writes of this client. */
struct source {
    struct wait *wait;
    uint64_t node;
    uint64_t first;       /* the number of the first request that wrote there */
    unsigned least, most; /* as it has said last */
    bool is_new;          /* it has run writes since */
    struct forward forward;
    bool under_way;
};

enum wait_stage {
    WAIT_IDLE,
    WAIT_ASKED,    /* until all sources have answered */
    WAIT_ANSWERED, /* its count is to be looked at */
    WAIT_PAUSED,   /* until the next tick, to ask again */
};

struct wait {
    struct session *session;
    struct forwarder *forwarder;
    struct quorum_mark mark;
    struct source **sources;
    uint32_t source_count, pending;
    enum wait_stage stage;
    unsigned least, most; /* as in quorum_mark_count, of all nodes */
    uint64_t deadline_ms;
};

/* ---- what was written ------------------------------------------------------------------------ */

static struct wait *wait_of(struct session *session)
{
    if (!session->wait) {
        session->wait = memory_zeroed(sizeof(*session->wait));
        session->wait->session = session;
        quorum_mark_init(&session->wait->mark);
    }
    return session->wait;
}

struct quorum_mark *wait_mark(struct session *session)
{
    return &wait_of(session)->mark;
}

void wait_wrote_at(struct session *session, uint64_t node, uint64_t number)
{
    struct wait *wait = wait_of(session);
    for (uint32_t i = 0; i < wait->source_count; i++) {
        struct source *source = wait->sources[i];
        if (source->node != node)
            continue;
        source->first = number < source->first ? number : source->first;
        source->is_new = true;
        return;
    }
    size_t size = (wait->source_count + 1) * sizeof(*wait->sources);
    wait->sources = memory_resize(wait->sources, size);
    struct source *source = memory_zeroed(sizeof(*source));
    source->wait = wait;
    source->node = node;
    source->first = number;
    source->is_new = true;
    wait->sources[wait->source_count++] = source;
}

void wait_end(struct session *session)
{
    struct wait *wait = session->wait;
    session->wait = NULL;
    if (!wait)
        return;
    for (uint32_t i = 0; i < wait->source_count; i++) {
        if (wait->sources[i]->under_way)
            forward_cancel(wait->forwarder, &wait->sources[i]->forward);
        memory_free(wait->sources[i]);
    }
    memory_free(wait->sources);
    quorum_mark_deinit(&wait->mark);
    memory_free(wait);
}

/* ---- asking the others ----------------------------------------------------------------------- */

static void take(struct wait *wait, unsigned least, unsigned most)
{
    wait->least = least < wait->least ? least : wait->least;
    wait->most = most < wait->most ? most : wait->most;
}

static void source_done(struct source *source)
{
    struct wait *wait = source->wait;
    struct session *session = wait->session;
    source->under_way = false;
    if (--wait->pending > 0)
        return;
    wait->stage = WAIT_ANSWERED;
    if (session->state != SESSION_THROTTLED) /* the client was cut off */
        return;
    list_remove(&session->waiting); /* before the next tick */
    list_append(&session->sessions->resumed, &session->waiting);
}

/* "*2", least and most: what tell() has written. Anything else is an error: it can't tell. */
static void source_answered(struct forward *forward, struct bytes reply)
{
    struct source *source = forward->context;
    char text[64];
    unsigned least = 0, most = 0;
    snprintf(text, sizeof(text), "%.*s", (int)(reply.size < 60 ? reply.size : 60), reply.data);
    if (sscanf(text, "*2\r\n:%u\r\n:%u", &least, &most) != 2)
        least = most = 0;
    if (source->is_new || least > source->least) /* who has a write keeps it */
        source->least = least;
    source->most = most > source->least ? most : source->least;
    source->is_new = false;
    take(source->wait, source->least, source->most);
    source_done(source);
}

/* What it has said still holds. It may come back, and know more. */
static void take_unanswered(const struct source *source)
{
    take(source->wait, source->is_new ? 0 : source->least, QUORUM_MARK_ALL);
}

static void source_lost(struct forward *forward)
{
    take_unanswered(forward->context);
    source_done(forward->context);
}

/* The time is over. */
static void stop(struct wait *wait)
{
    for (uint32_t i = 0; i < wait->source_count; i++) {
        struct source *source = wait->sources[i];
        if (!source->under_way)
            continue;
        forward_cancel(wait->forwarder, &source->forward);
        source->under_way = false;
        take_unanswered(source);
    }
    wait->pending = 0;
}

static void ask(struct source *source, struct session *session, uint64_t now_ms)
{
    char first[24];
    struct buffer request = {0};
    snprintf(first, sizeof(first), "%llu", (unsigned long long)source->first);
    struct bytes words[] = {BYTES("WAIT"), bytes_text(first), BYTES("0")};
    gather_request(&request, words, 3);
    source->under_way = true;
    source->forward = (struct forward){
        .client = session->id,
        .bytes = buffer_bytes(&request),
        .db = session->db,
        .resp = 2,
        .blind = true,
        .fixed = source->node,
        .answered = source_answered,
        .lost = source_lost,
        .context = source,
    };
    forward_send(source->wait->forwarder, &source->forward, now_ms);
    buffer_deinit(&request);
}

/* What it would say makes no difference, or is known. */
static bool is_known(const struct source *source, unsigned wanted)
{
    return !source->is_new && (source->least >= wanted || source->most < wanted);
}

/* False: there is nobody to ask, so the answer is there. */
static bool ask_all(struct dispatch *dispatch, struct wait *wait, unsigned wanted)
{
    wait->forwarder = dispatch->cluster.forwarder;
    wait->least = wait->most = QUORUM_MARK_ALL;
    wait->pending = 0;
    for (uint32_t i = 0; i < wait->source_count; i++) {
        struct source *source = wait->sources[i];
        if (is_known(source, wanted)) {
            take(wait, source->least, source->most);
        } else {
            wait->pending++;
            ask(source, wait->session, dispatch->cluster.steady_ms);
        }
    }
    wait->stage = wait->pending > 0 ? WAIT_ASKED : WAIT_ANSWERED;
    wait->session->forwards |= wait->pending > 0;
    return wait->pending > 0;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* For the node that has the client: what is known here, if that is since its first write. */
static enum status tell(struct dispatch *dispatch, struct session *session, int64_t first)
{
    unsigned least = 0, most = 0;
    if (remote_first_number(session->remote) <= (uint64_t)first)
        least = quorum_mark_count(dispatch->cluster.quorum, wait_mark(session), &most);
    reply_array(&session->reply, 2);
    reply_integer(&session->reply, least);
    reply_integer(&session->reply, most);
    return STATUS_FORWARDED;
}

static enum status look(struct dispatch *dispatch, struct wait *wait, unsigned wanted)
{
    struct quorum *quorum = dispatch->cluster.quorum;
    unsigned others = quorum_other_owners(quorum), most;
    unsigned least = quorum_mark_count(quorum, &wait->mark, &most);
    take(wait, least, most);
    bool is_over = wait->least >= wanted || wait->most < wanted || others < wanted ||
                   dispatch->cluster.steady_ms >= wait->deadline_ms;
    wait->stage = is_over ? WAIT_IDLE : WAIT_PAUSED;
    if (!is_over)
        return STATUS_THROTTLED;
    reply_integer(&wait->session->reply, wait->least < others ? wait->least : others);
    return STATUS_FORWARDED;
}

enum status wait_route(struct dispatch *dispatch, struct session *session)
{
    const struct request *request = &session->request;
    uint64_t now_ms = dispatch->cluster.steady_ms;
    int64_t wanted, timeout;
    if (!number_parse_i64(request->argv[1], &wanted) ||
        !number_parse_i64(request->argv[2], &timeout) || timeout < 0 ||
        timeout > INT64_MAX - (int64_t)request->now_ms)
        return STATUS_OK;
    if (session->remote)
        return tell(dispatch, session, wanted);
    if (session->forwards_open > 0) /* writes that nobody has run yet, perhaps */
        return STATUS_THROTTLED;
    struct wait *wait = wait_of(session);
    if (wait->stage == WAIT_ASKED && now_ms < wait->deadline_ms)
        return STATUS_THROTTLED;
    if (wait->stage == WAIT_ASKED) {
        stop(wait);
        wait->stage = WAIT_ANSWERED;
    }
    if (wait->stage == WAIT_IDLE)
        wait->deadline_ms = timeout > 0 ? now_ms + (uint64_t)timeout : UINT64_MAX;
    unsigned enough = wanted < 0                 ? 0
                      : wanted > QUORUM_MARK_ALL ? QUORUM_MARK_ALL
                                                 : (unsigned)wanted;
    if (wait->stage != WAIT_ANSWERED && ask_all(dispatch, wait, enough))
        return STATUS_THROTTLED; /* so that each tick looks at the time, too */
    return look(dispatch, wait, enough);
}
