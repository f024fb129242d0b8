/* SPDX-License-Identifier: MIT */
#include "node/verification.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "row/slot.h"

enum verification_state { VERIFICATION_NONE, VERIFICATION_ASKED, VERIFICATION_ANSWERED };

struct verification {
    struct quorum_verify verify;
    struct session *session;
    enum verification_state state;
    enum status status;  /* of the answer */
    unsigned others;     /* who must have agreed, at most, that it was asked for */
    bool writes;
    size_t size;         /* bytes of the client that it holds for */
    struct buffer heads;
};

static void clear(struct verification *verification)
{
    verification->state = VERIFICATION_NONE;
    verification->verify.count = 0;
    buffer_clear(&verification->heads, SESSION_BUFFER_KEPT);
}

static void answered(struct quorum_verify *verify, enum status status)
{
    struct verification *verification = verify->context;
    struct session *session = verification->session;
    verification->state = VERIFICATION_ANSWERED;
    verification->status = status;
    if (session->state == SESSION_AWAITING)
        list_append(&session->sessions->resumed, &session->waiting);
}

/* ---- which keys ------------------------------------------------------------------------------ */

static bool is_among(const struct verification *verification, struct bytes head)
{
    struct unpack in = unpack_begin(buffer_bytes(&verification->heads));
    while (in.next < in.end) {
        uint64_t size = unpack_next_varint(&in);
        if (bytes_equal(unpack_bytes(&in, size), head))
            return true;
    }
    return false;
}

static void add(struct verification *verification, struct bytes head)
{
    if (verification->verify.count == QUORUM_KEYS_MAX || is_among(verification, head))
        return;
    buffer_append_varint(&verification->heads, head.size);
    buffer_append_bytes(&verification->heads, head);
    verification->verify.count++;
}

/* Keys of later requests that this node coordinates too: guesses, which cost little if wrong. */
static void look_ahead(struct quorum *quorum, struct verification *verification, struct bytes ahead)
{
    struct session *session = verification->session;
    struct bytes key;
    size_t size;
    for (unsigned i = 0; i < VERIFICATION_AHEAD && request_peek(ahead, &key, &size); i++) {
        uint64_t node;
        ahead = bytes_of(ahead.data + size, ahead.size - size);
        verification->size += size;
        if (key.size > KEY_SIZE_MAX || quorum_route(quorum, slot_of_key(key), &node) != QUORUM_HERE)
            continue;
        add(verification, row_key_head(&session->arena, session->request.db, key));
    }
}

/* ---- the question ---------------------------------------------------------------------------- */

static bool covers(const struct verification *verification, const struct verification_key *keys,
                   size_t count, bool writes)
{
    for (size_t i = 0; i < count; i++) {
        if (keys[i].others == 0)
            continue;
        if (!verification || verification->state != VERIFICATION_ANSWERED ||
            keys[i].others > verification->others || (writes && !verification->writes) ||
            !is_among(verification, keys[i].head))
            return false;
    }
    return true;
}

static enum status refuse(struct session *session, const struct verification *verification)
{
    reply_errorf(&session->reply,
                 "NOREPLICAS Not enough good replicas to %s: %u of %u nodes have answered in time",
                 verification->writes ? "write" : "read", verification->verify.reached,
                 verification->verify.needed);
    return STATUS_REPLIED;
}

static void ask(struct quorum *quorum, struct verification *verification,
                const struct verification_key *keys, size_t count, struct bytes ahead)
{
    struct session *session = verification->session;
    for (size_t i = 0; i < count; i++) {
        add(verification, keys[i].head);
        if (keys[i].others > verification->others)
            verification->others = keys[i].others;
    }
    look_ahead(quorum, verification, ahead);
    verification->verify = (struct quorum_verify){
        .heads = buffer_bytes(&verification->heads),
        .count = verification->verify.count,
        .consistency = {session->consistency.read, session->consistency.write},
        .writes = verification->writes,
        .done = answered,
        .context = verification,
    };
    verification->state = VERIFICATION_ASKED;
    quorum_verify(quorum, &verification->verify, session->request.now_ms);
}

enum status verification_ask(struct quorum *quorum, struct session *session,
                             const struct verification_key *keys, size_t count, size_t size,
                             struct bytes ahead)
{
    bool writes = session->request.command->flags & CMD_WRITE;
    struct verification *verification = session->verification;
    if (verification && verification->state == VERIFICATION_ANSWERED &&
        verification->status != STATUS_OK) {
        enum status status = refuse(session, verification);
        clear(verification);
        return status;
    }
    if (covers(verification, keys, count, writes))
        return STATUS_OK;
    if (!verification) {
        verification = session->verification = memory_zeroed(sizeof(*verification));
        verification->session = session;
    }
    check(verification->state != VERIFICATION_ASKED);
    clear(verification);
    verification->others = 0;
    verification->writes = writes;
    verification->size = size;
    ask(quorum, verification, keys, count, ahead);
    return STATUS_AWAITING;
}

void verification_consumed(struct session *session, size_t size)
{
    struct verification *verification = session->verification;
    if (!verification || verification->state != VERIFICATION_ANSWERED)
        return;
    if (size < verification->size)
        verification->size -= size;
    else
        clear(verification);
}

void verification_end(struct quorum *quorum, struct session *session)
{
    struct verification *verification = session->verification;
    if (!verification)
        return;
    if (verification->state == VERIFICATION_ASKED)
        quorum_verify_cancel(quorum, &verification->verify);
    buffer_deinit(&verification->heads);
    memory_free(verification);
    session->verification = NULL;
}
