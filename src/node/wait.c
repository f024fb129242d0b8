/* SPDX-License-Identifier: MIT */
#include "node/wait.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/number.h"
#include "node/forward.h"
#include "node/gather_reply.h"
#include "store/export.h"
#include "sync/sync.h"

enum { ASK_AGAIN_MS = 2000 /* who has not said that it has synced */ };

/* A node that has coordinated writes of this client. */
struct source {
    struct wait *wait;
    uint64_t node;
    uint64_t first;       /* the number of the first request that wrote there */
    unsigned least, most; /* as it has said last */
    bool is_new;          /* it has run writes since */
    bool is_durable;      /* it has said, since its last write, that it has synced all, */
    unsigned durable;     /* and so many others */
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
    /* WAITAOF. */
    bool durable;                /* it is one */
    bool local;                  /* all coordinators have synced */
    bool wrote;                  /* here, since `gate` was taken */
    uint64_t gate;               /* of this node's log */
    uint64_t question, asked_ms; /* sync_ask_durable, */
    unsigned asked;              /* when so many others had all, */
    struct quorum_owners owners; /* and these; */
    unsigned synced;             /* since the last write so many have */
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
    wait_of(session)->wrote = true;
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
        source->is_durable = false;
        source->durable = 0;
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

/* "*3", least, most and whether it has synced: what tell() has written. What was synced once, stays
 * so. */
static void take_durable(struct source *source, const char *text)
{
    unsigned least, most, local;
    if (sscanf(text, "*3\r\n:%u\r\n:%u\r\n:%u", &least, &most, &local) != 3)
        least = most = local = 0;
    source->is_durable = source->is_durable || local;
    source->durable = least > source->durable ? least : source->durable;
    take(source->wait, source->durable, most > source->durable ? most : source->durable);
    source->wait->local = source->wait->local && source->is_durable;
}

/* "*2", least and most: what tell() has written. Anything else is an error: it can't tell. */
static void source_answered(struct forward *forward, struct bytes reply)
{
    struct source *source = forward->context;
    char text[64];
    unsigned least = 0, most = 0;
    snprintf(text, sizeof(text), "%.*s", (int)(reply.size < 60 ? reply.size : 60), reply.data);
    if (source->wait->durable) {
        take_durable(source, text);
        source_done(source);
        return;
    }
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
    unsigned said = source->is_new ? 0 : source->least;
    take(source->wait, source->wait->durable ? source->durable : said, QUORUM_MARK_ALL);
    source->wait->local = source->wait->local && source->is_durable;
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
    struct bytes words[] = {source->wait->durable ? BYTES("WAITAOF") : BYTES("WAIT"),
                            bytes_text(first), BYTES("0"), BYTES("0")};
    gather_request(&request, words, source->wait->durable ? 4 : 3);
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
    if (source->wait->durable)
        return source->is_durable && source->durable >= wanted;
    return !source->is_new && (source->least >= wanted || source->most < wanted);
}

static void take_known(const struct source *source)
{
    if (source->wait->durable)
        take(source->wait, source->durable, source->durable);
    else
        take(source->wait, source->least, source->most);
}

/* False: there is nobody to ask, so the answer is there. */
static bool ask_all(struct dispatch *dispatch, struct wait *wait, unsigned wanted)
{
    wait->forwarder = dispatch->cluster.forwarder;
    wait->least = wait->most = QUORUM_MARK_ALL;
    wait->local = true;
    wait->pending = 0;
    for (uint32_t i = 0; i < wait->source_count; i++) {
        struct source *source = wait->sources[i];
        if (is_known(source, wanted)) {
            take_known(source);
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

/* Those that are known to have all, and to have synced it. Or, where writes to several slots have
 * different owners: of the number that had acknowledged when they were asked, at worst all nodes
 * that have not synced are part. */
static unsigned count_synced(const struct dispatch_cluster *cluster, const struct wait *wait)
{
    unsigned missing = sync_durable_missing(cluster->sync, wait->question), synced = 0;
    unsigned least = wait->asked > missing ? wait->asked - missing : 0;
    for (unsigned i = 0; i < wait->owners.count; i++)
        synced += sync_is_durable(cluster->sync, wait->owners.nodes[i], wait->question);
    return synced > least ? synced : least;
}

/* How many others have synced all that was written here, as far as they have said, and whether this
 * node has. Asks for what is not known. */
static unsigned count_durable(struct dispatch *dispatch, struct wait *wait, unsigned *out_most,
                              bool *out_local)
{
    struct dispatch_cluster *cluster = &dispatch->cluster;
    struct store *store = dispatch->sessions->store;
    unsigned least = quorum_mark_count(cluster->quorum, &wait->mark, out_most);
    if (wait->wrote) {
        wait->wrote = false;
        wait->gate = store_gate_now(store);
        wait->question = 0;
        wait->asked = wait->synced = 0;
    }
    *out_local = store_gate_synced(store, wait->gate);
    if (wait->gate == 0) /* nothing was ever written here */
        return least;
    unsigned others = quorum_other_owners(cluster->quorum);
    least = least < others ? least : others;
    bool again = wait->question == 0 || (sync_durable_missing(cluster->sync, wait->question) > 0 &&
                                         cluster->steady_ms >= wait->asked_ms + ASK_AGAIN_MS);
    if (least > wait->asked || (least > 0 && again)) {
        wait->question = sync_ask_durable(cluster->sync);
        wait->asked_ms = cluster->steady_ms;
        wait->asked = least;
        wait->owners = quorum_mark_owners(cluster->quorum, &wait->mark);
    }
    unsigned synced = wait->question ? count_synced(cluster, wait) : 0;
    wait->synced = synced > wait->synced ? synced : wait->synced;
    return wait->synced;
}

/* For the node that has the client: what is known here, if that is since its first write. */
static enum status tell(struct dispatch *dispatch, struct session *session, int64_t first,
                        bool durable)
{
    unsigned least = 0, most = 0;
    bool local = false, knows = remote_first_number(session->remote) <= (uint64_t)first;
    struct wait *wait = wait_of(session);
    if (knows && durable)
        least = count_durable(dispatch, wait, &most, &local);
    else if (knows)
        least = quorum_mark_count(dispatch->cluster.quorum, &wait->mark, &most);
    reply_array(&session->reply, durable ? 3 : 2);
    reply_integer(&session->reply, least);
    reply_integer(&session->reply, most);
    if (durable)
        reply_integer(&session->reply, local);
    return STATUS_FORWARDED;
}

static enum status look_durable(struct dispatch *dispatch, struct wait *wait, unsigned wanted,
                                bool local_wanted)
{
    unsigned others = quorum_other_owners(dispatch->cluster.quorum), most;
    bool local;
    unsigned least = count_durable(dispatch, wait, &most, &local);
    take(wait, least, most);
    wait->local = wait->local && local;
    bool enough = wait->least >= wanted || wait->most < wanted || others < wanted;
    bool is_over = (enough && (wait->local || !local_wanted)) ||
                   dispatch->cluster.steady_ms >= wait->deadline_ms;
    wait->stage = is_over ? WAIT_IDLE : WAIT_PAUSED;
    if (!is_over)
        return STATUS_THROTTLED;
    reply_array(&wait->session->reply, 2);
    reply_integer(&wait->session->reply, wait->local);
    reply_integer(&wait->session->reply, wait->least < others ? wait->least : others);
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

struct wait_words {
    bool durable;   /* WAITAOF, which has `local` before the others */
    int64_t local;  /* 0 or 1 */
    int64_t wanted; /* replicas; from another node: the number of the first request */
    int64_t timeout;
};

/* False: they are wrong. */
static bool read_words(const struct request *request, bool is_remote, struct wait_words *out)
{
    const struct bytes *argv = request->argv;
    *out = (struct wait_words){.durable = request->argc == 4};
    if (out->durable && !is_remote) {
        if (!number_parse_i64(argv[1], &out->local) || out->local < 0 || out->local > 1)
            return false;
        argv++;
    }
    return number_parse_i64(argv[1], &out->wanted) && number_parse_i64(argv[2], &out->timeout) &&
           (!out->durable || out->wanted >= 0) && out->timeout >= 0 &&
           out->timeout <= INT64_MAX - (int64_t)request->now_ms;
}

enum status wait_route(struct dispatch *dispatch, struct session *session)
{
    const struct request *request = &session->request;
    uint64_t now_ms = dispatch->cluster.steady_ms;
    struct wait_words words;
    if (!read_words(request, session->remote != NULL, &words))
        return STATUS_OK;
    if (session->remote)
        return tell(dispatch, session, words.wanted, words.durable);
    if (session->forwards_open > 0) /* writes that nobody has run yet, perhaps */
        return STATUS_THROTTLED;
    struct wait *wait = wait_of(session);
    wait->durable = words.durable;
    if (wait->stage == WAIT_ASKED && now_ms < wait->deadline_ms)
        return STATUS_THROTTLED;
    if (wait->stage == WAIT_ASKED) {
        stop(wait);
        wait->stage = WAIT_ANSWERED;
    }
    if (wait->stage == WAIT_IDLE)
        wait->deadline_ms = words.timeout > 0 ? now_ms + (uint64_t)words.timeout : UINT64_MAX;
    unsigned enough = words.wanted < 0                 ? 0
                      : words.wanted > QUORUM_MARK_ALL ? QUORUM_MARK_ALL
                                                       : (unsigned)words.wanted;
    if (wait->stage != WAIT_ANSWERED && ask_all(dispatch, wait, enough))
        return STATUS_THROTTLED; /* so that each tick looks at the time, too */
    if (words.durable)
        return look_durable(dispatch, wait, enough, words.local);
    return look(dispatch, wait, enough);
}
