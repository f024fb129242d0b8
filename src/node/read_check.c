/* SPDX-License-Identifier: MIT */
#include "node/read_check.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "row/slot.h"

enum read_check_state { READ_CHECK_NONE, READ_CHECK_ASKED, READ_CHECK_ANSWERED };

struct read_check {
    struct quorum_verify verify;
    struct session *session;
    enum read_check_state state;
    enum status status; /* of the answer */
    unsigned others;    /* who must have agreed, at most, that it was asked for */
    bool writes;
    size_t size; /* bytes of the client that it holds for */
    struct buffer heads;
};

static void clear(struct read_check *question)
{
    question->state = READ_CHECK_NONE;
    question->verify.count = 0;
    buffer_clear(&question->heads, SESSION_BUFFER_KEPT);
}

static void answered(struct quorum_verify *verify, enum status status)
{
    struct read_check *question = verify->context;
    struct session *session = question->session;
    question->state = READ_CHECK_ANSWERED;
    question->status = status;
    if (session->state == SESSION_AWAITING)
        list_append(&session->sessions->resumed, &session->waiting);
}

/* ---- which keys ------------------------------------------------------------------------------ */

static bool is_among(const struct read_check *question, struct bytes head)
{
    struct unpack in = unpack_begin(buffer_bytes(&question->heads));
    while (in.next < in.end) {
        uint64_t size = unpack_next_varint(&in);
        if (bytes_equal(unpack_bytes(&in, size), head))
            return true;
    }
    return false;
}

static void add(struct read_check *question, struct bytes head)
{
    if (question->verify.count == QUORUM_KEYS_MAX || is_among(question, head))
        return;
    buffer_append_varint(&question->heads, head.size);
    buffer_append_bytes(&question->heads, head);
    question->verify.count++;
}

/* Keys of later requests that this node coordinates too: guesses, which cost little if wrong. */
static void look_ahead(struct quorum *quorum, struct read_check *question, struct bytes ahead)
{
    struct session *session = question->session;
    struct bytes key;
    size_t size;
    for (unsigned i = 0; i < READ_CHECK_AHEAD && request_peek(ahead, &key, &size); i++) {
        uint64_t node;
        ahead = bytes_of(ahead.data + size, ahead.size - size);
        question->size += size;
        if (key.size > KEY_SIZE_MAX || quorum_route(quorum, slot_of_key(key), &node) != QUORUM_HERE)
            continue;
        add(question, row_key_head(&session->arena, session->request.db, key));
    }
}

/* ---- the question ---------------------------------------------------------------------------- */

static bool covers(const struct quorum *quorum, const struct read_check *question,
                   const struct read_check_key *keys, size_t count, bool writes)
{
    for (size_t i = 0; i < count; i++) {
        if (keys[i].others == 0)
            continue;
        if (!question || question->state != READ_CHECK_ANSWERED ||
            question->verify.claims != quorum_claims(quorum) || keys[i].others > question->others ||
            (writes && !question->writes) || !is_among(question, keys[i].head))
            return false;
    }
    return true;
}

static enum status refuse(struct session *session, const struct read_check *question)
{
    reply_errorf(&session->reply,
                 "NOREPLICAS Not enough good replicas to %s: %u of %u nodes have answered in time",
                 question->writes ? "write" : "read", question->verify.reached,
                 question->verify.needed);
    return STATUS_REPLIED;
}

static void ask(struct quorum *quorum, struct read_check *question,
                const struct read_check_key *keys, size_t count, struct bytes ahead,
                uint64_t now_ms)
{
    struct session *session = question->session;
    for (size_t i = 0; i < count; i++) {
        add(question, keys[i].head);
        if (keys[i].others > question->others)
            question->others = keys[i].others;
    }
    look_ahead(quorum, question, ahead);
    question->verify = (struct quorum_verify){
        .heads = buffer_bytes(&question->heads),
        .count = question->verify.count,
        .consistency = {session->consistency.read, session->consistency.write},
        .writes = question->writes,
        .done = answered,
        .context = question,
    };
    question->state = READ_CHECK_ASKED;
    quorum_verify(quorum, &question->verify, now_ms);
}

enum status read_check_ask(struct quorum *quorum, struct session *session,
                           const struct read_check_key *keys, size_t count, size_t size,
                           struct bytes ahead, uint64_t now_ms)
{
    bool writes = session->request.command->flags & CMD_WRITE;
    struct read_check *question = session->read_check;
    if (question && question->state == READ_CHECK_ANSWERED && question->status != STATUS_OK) {
        enum status status = refuse(session, question);
        clear(question);
        return status;
    }
    if (covers(quorum, question, keys, count, writes))
        return STATUS_OK;
    if (!question) {
        question = session->read_check = memory_zeroed(sizeof(*question));
        question->session = session;
    }
    check(question->state != READ_CHECK_ASKED);
    clear(question);
    question->others = 0;
    question->writes = writes;
    question->size = size;
    ask(quorum, question, keys, count, ahead, now_ms);
    return STATUS_AWAITING;
}

void read_check_consumed(struct session *session, size_t size)
{
    struct read_check *question = session->read_check;
    if (!question || question->state != READ_CHECK_ANSWERED)
        return;
    if (size < question->size)
        question->size -= size;
    else
        clear(question);
}

void read_check_end(struct quorum *quorum, struct session *session)
{
    struct read_check *question = session->read_check;
    if (!question)
        return;
    if (question->state == READ_CHECK_ASKED)
        quorum_verify_cancel(quorum, &question->verify);
    buffer_deinit(&question->heads);
    memory_free(question);
    session->read_check = NULL;
}
