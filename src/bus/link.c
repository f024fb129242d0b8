/* SPDX-License-Identifier: MIT */
#include "bus/link.h"

#include "base/check.h"
#include "base/pack.h"
#include "bus/frame.h"
#include "bus/message.h"

enum {
    INPUT_KEEP = 64 * 1024, /* memory that stays between frames that come in parts */
    ACK_SIZE = 8,
    ROLE_SIZE = 8,
};

enum {
    FRAME_HELLO = 0xf0,
    FRAME_CHALLENGE,
    FRAME_PROOF,
    FRAME_WELCOME,
    FRAME_ACK,
};

_Static_assert(MESSAGE_TYPES <= (int)FRAME_HELLO, "messages come first");

/* In link.greetings. */
enum { HELLO, CHALLENGE };

/* What a greeting says. */
struct greeting {
    uint64_t node;
    unsigned version_min, version_max;
    unsigned purpose;
};

enum { NONCE_AT = LINK_GREETING_SIZE - LINK_NONCE_SIZE };

static void greeting_pack(uint64_t node, enum link_purpose purpose,
                          const char nonce[LINK_NONCE_SIZE], char out[LINK_GREETING_SIZE])
{
    char *at = pack_u64(out, node);
    *at++ = LINK_VERSION_MIN;
    *at++ = LINK_VERSION_MAX;
    *at++ = (char)purpose;
    memset(at, 0, (size_t)(out + NONCE_AT - at));
    memcpy(out + NONCE_AT, nonce, LINK_NONCE_SIZE);
}

/* What a later version may have put where zeros are is passed over. */
static struct greeting greeting_unpack(const char *in)
{
    return (struct greeting){
        .node = unpack_u64(in),
        .version_min = (unsigned char)in[8],
        .version_max = (unsigned char)in[9],
        .purpose = (unsigned char)in[10],
    };
}

void link_key(struct bytes secret, char out[HMAC_SIZE])
{
    hmac_sha256(secret, BYTES("shoal bus"), out);
}

/* That this side, as this role, has seen both greetings and knows the secret. */
static void prove(const struct link *link, const char role[ROLE_SIZE], char out[HMAC_SIZE])
{
    char text[ROLE_SIZE + sizeof(link->greetings)];
    memcpy(text, role, ROLE_SIZE);
    memcpy(text + ROLE_SIZE, link->greetings, sizeof(link->greetings));
    hmac_sha256(bytes_of(link->key, HMAC_SIZE), bytes_of(text, sizeof(text)), out);
}

static const char dialer_role[ROLE_SIZE] = "dialer";
static const char acceptor_role[ROLE_SIZE] = "acceptor";

static void say_proof(struct link *link, unsigned type, const char role[ROLE_SIZE])
{
    char proof[HMAC_SIZE];
    prove(link, role, proof);
    frame_append(&link->output, type, bytes_of(proof, sizeof(proof)));
}

static bool is_proven(const struct link *link, struct bytes proof, const char role[ROLE_SIZE])
{
    char expected[HMAC_SIZE];
    prove(link, role, expected);
    return hmac_equal(proof.data, expected);
}

void link_dial(struct link *link, enum link_purpose purpose, uint64_t node, uint64_t peer,
               const char *key, const char nonce[LINK_NONCE_SIZE])
{
    *link = (struct link){
        .state = LINK_AWAITS_CHALLENGE,
        .dialer = true,
        .purpose = purpose,
        .node = node,
        .peer = peer,
        .key = key,
    };
    greeting_pack(node, purpose, nonce, link->greetings[HELLO]);
    frame_append(&link->output, FRAME_HELLO, bytes_of(link->greetings[HELLO], LINK_GREETING_SIZE));
}

void link_accept(struct link *link, uint64_t node, const char *key,
                 const char nonce[LINK_NONCE_SIZE])
{
    *link = (struct link){.state = LINK_AWAITS_HELLO, .node = node, .key = key};
    greeting_pack(node, LINK_SESSION, nonce, link->greetings[CHALLENGE]);
}

void link_deinit(struct link *link)
{
    buffer_deinit(&link->input);
    buffer_deinit(&link->output);
}

/* ---- what may come ---------------------------------------------------------------------------
 */

static enum link_event failed(struct link *link, enum status why, const char *reason,
                              struct link_news *out)
{
    link->state = LINK_BROKEN;
    out->why = why;
    out->reason = reason;
    return LINK_FAILED;
}

static enum link_event failed_frame(struct link *link, enum status why, struct link_news *out)
{
    const char *reason = why == STATUS_VERSION   ? "it speaks another version of the bus"
                         : why == STATUS_TOO_BIG ? "it says too much at once"
                                                 : "it does not speak as a node does";
    return failed(link, why, reason, out);
}

/* The other side's greeting: who it is, and whether both speak one version. LINK_QUIET: all is
 * well. */
static enum link_event meet_peer(struct link *link, const char *bytes, struct link_news *out)
{
    struct greeting greeting = greeting_unpack(bytes);
    bool anybody = link->peer == 0;
    if (greeting.node == 0 || greeting.node >> LINK_NODE_BITS)
        return failed_frame(link, STATUS_CORRUPT, out);
    if (!anybody && greeting.node != link->peer)
        return failed(link, STATUS_INVALID, "it is another node than the one that was there", out);
    link->peer = greeting.node;
    if (greeting.node == link->node)
        return failed(link, STATUS_INVALID,
                      "it has the number of this node: is its data directory a copy?", out);
    if (greeting.version_min > LINK_VERSION_MAX || greeting.version_max < LINK_VERSION_MIN ||
        greeting.purpose > LINK_INTRODUCTION)
        return failed_frame(link, STATUS_VERSION, out);
    link->version =
        greeting.version_max < LINK_VERSION_MAX ? greeting.version_max : LINK_VERSION_MAX;
    return LINK_QUIET;
}

static enum link_event refuse_proof(struct link *link, struct link_news *out)
{
    return failed(link, STATUS_INVALID, "its cluster-secret is another one", out);
}

static enum link_event take_hello(struct link *link, struct bytes payload, struct link_news *out)
{
    memcpy(link->greetings[HELLO], payload.data, LINK_GREETING_SIZE);
    enum link_event event = meet_peer(link, payload.data, out);
    /* Who speaks another version shall learn which one this node speaks. */
    if (event == LINK_QUIET || out->why == STATUS_VERSION)
        frame_append(&link->output, FRAME_CHALLENGE,
                     bytes_of(link->greetings[CHALLENGE], LINK_GREETING_SIZE));
    if (event != LINK_QUIET)
        return event;
    link->purpose = (enum link_purpose)greeting_unpack(payload.data).purpose;
    link->state = LINK_AWAITS_PROOF;
    return LINK_CLAIMED;
}

static enum link_event take_challenge(struct link *link, struct bytes payload,
                                      struct link_news *out)
{
    memcpy(link->greetings[CHALLENGE], payload.data, LINK_GREETING_SIZE);
    enum link_event event = meet_peer(link, payload.data, out);
    if (event != LINK_QUIET)
        return event;
    say_proof(link, FRAME_PROOF, dialer_role);
    link->state = LINK_AWAITS_WELCOME;
    return LINK_QUIET;
}

static enum link_event take_proof(struct link *link, struct bytes payload, struct link_news *out)
{
    if (!is_proven(link, payload, dialer_role))
        return refuse_proof(link, out);
    say_proof(link, FRAME_WELCOME, acceptor_role);
    link->state = LINK_OPEN;
    return LINK_GREETED;
}

static enum link_event take_welcome(struct link *link, struct bytes payload, struct link_news *out)
{
    if (!is_proven(link, payload, acceptor_role))
        return refuse_proof(link, out);
    link->state = LINK_OPEN;
    return LINK_GREETED;
}

static enum link_event take_ack(struct link *link, struct bytes payload, struct link_news *out)
{
    uint64_t count = unpack_u64(payload.data);
    if (count <= link->acknowledged || count > link->sent)
        return failed_frame(link, STATUS_CORRUPT, out);
    link->acknowledged = count;
    return LINK_ACKNOWLEDGED;
}

/* The one type of frame that a state takes besides messages, and its size. */
static const struct expectation {
    unsigned type;
    size_t size;
    enum link_event (*take)(struct link *link, struct bytes payload, struct link_news *out);
} expectations[] = {
    [LINK_AWAITS_HELLO] = {FRAME_HELLO, LINK_GREETING_SIZE, take_hello},
    [LINK_AWAITS_CHALLENGE] = {FRAME_CHALLENGE, LINK_GREETING_SIZE, take_challenge},
    [LINK_AWAITS_PROOF] = {FRAME_PROOF, HMAC_SIZE, take_proof},
    [LINK_AWAITS_WELCOME] = {FRAME_WELCOME, HMAC_SIZE, take_welcome},
    [LINK_OPEN] = {FRAME_ACK, ACK_SIZE, take_ack},
};

static bool hears_messages(const struct link *link)
{
    return link->state == LINK_OPEN && !link->dialer && link->purpose == LINK_SESSION;
}

static enum link_event take_frame(struct link *link, const struct frame *frame,
                                  struct link_news *out)
{
    if (hears_messages(link)) {
        if (frame->type >= FRAME_HELLO)
            return failed_frame(link, STATUS_CORRUPT, out);
        link->heard++;
        out->type = frame->type;
        out->payload = frame->payload;
        return LINK_HEARD;
    }
    const struct expectation *expected = &expectations[link->state];
    bool fits = frame->type == expected->type && frame->payload.size == expected->size;
    /* An acceptor of an introduction has nothing more to hear. */
    if (!fits || (link->state == LINK_OPEN && !link->dialer))
        return failed_frame(link, STATUS_CORRUPT, out);
    return expected->take(link, frame->payload, out);
}

/* ---- bytes in --------------------------------------------------------------------------------
 */

/* Fills the frame in link->input up to `size` bytes, as far as there are so many. */
static void gather(struct link *link, struct bytes *in, size_t size)
{
    size_t missing = size - buffer_size(&link->input);
    size_t part = missing < in->size ? missing : in->size;
    memcpy(buffer_reserve(&link->input, missing), in->data, part);
    buffer_commit(&link->input, part);
    *in = bytes_of(in->data + part, in->size - part);
}

/* The next frame, from *in itself if it is whole there. STATUS_ABSENT: all of *in is taken. */
static enum status next_frame(struct link *link, struct bytes *in, struct frame *out)
{
    size_t payload_max = hears_messages(link) ? MESSAGE_SIZE_MAX : expectations[link->state].size;
    size_t size;
    enum status status;
    if (buffer_size(&link->input) == 0) {
        buffer_clear(&link->input, INPUT_KEEP);
        status = frame_parse(*in, payload_max, out, &size);
        if (status == STATUS_OK)
            *in = bytes_of(in->data + size, in->size - size);
        if (status != STATUS_ABSENT || in->size == 0)
            return status;
    }
    while ((status = frame_parse(buffer_bytes(&link->input), payload_max, out, &size)) ==
               STATUS_ABSENT &&
           in->size > 0)
        gather(link, in, size);
    /* The bytes stay where they are until the next call. */
    if (status == STATUS_OK)
        buffer_consume(&link->input, size);
    return status;
}

enum link_event link_next(struct link *link, struct bytes *in, struct link_news *out)
{
    while (link->state != LINK_BROKEN) {
        struct frame frame;
        enum status status = next_frame(link, in, &frame);
        if (status == STATUS_ABSENT)
            return LINK_QUIET;
        if (status != STATUS_OK)
            return failed_frame(link, status, out);
        enum link_event event = take_frame(link, &frame, out);
        if (event != LINK_QUIET)
            return event;
    }
    *in = bytes_of("", 0);
    return LINK_QUIET;
}

/* ---- bytes out -------------------------------------------------------------------------------
 */

void link_send(struct link *link, unsigned type, struct bytes payload)
{
    check(link->state == LINK_OPEN && link->dialer && link->purpose == LINK_SESSION);
    check(type < MESSAGE_TYPES && payload.size <= MESSAGE_SIZE_MAX);
    frame_append(&link->output, type, payload);
    link->sent++;
}

void link_acknowledge(struct link *link)
{
    if (link->state != LINK_OPEN || link->dialer || link->acknowledged == link->heard)
        return;
    char count[ACK_SIZE];
    pack_u64(count, link->heard);
    frame_append(&link->output, FRAME_ACK, bytes_of(count, sizeof(count)));
    link->acknowledged = link->heard;
}

const char *link_dialer_nonce(const struct link *link)
{
    return link->greetings[HELLO] + NONCE_AT;
}
