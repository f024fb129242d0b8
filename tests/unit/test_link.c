/* SPDX-License-Identifier: MIT */
/* Two ends of one connection; what goes over it is seen, cut, kept and changed by the tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pack.h"
#include "base/random.h"
#include "bus/frame.h"
#include "bus/link.h"
#include "bus/message.h"

enum { DIALER = 0x111, ACCEPTOR = 0x222 };

struct ends {
    char keys[2][HMAC_SIZE];
    struct link dialer, acceptor;
    /* The last thing that has happened at each end, and why. */
    enum link_event dialer_event, acceptor_event;
    enum status dialer_why, acceptor_why;
    struct buffer heard; /* type and payload of each message */
    struct random random;
};

static void begin(struct ends *ends, const char *secret, const char *other_secret,
                  uint64_t expected)
{
    char nonces[2][LINK_NONCE_SIZE];
    for (unsigned i = 0; i < 2 * LINK_NONCE_SIZE; i++)
        nonces[i / LINK_NONCE_SIZE][i % LINK_NONCE_SIZE] = (char)random_next(&ends->random);
    link_key(bytes_text(secret), ends->keys[0]);
    link_key(bytes_text(other_secret), ends->keys[1]);
    link_dial(&ends->dialer, LINK_SESSION, DIALER, expected, ends->keys[0], nonces[0]);
    link_accept(&ends->acceptor, ACCEPTOR, ends->keys[1], nonces[1]);
}

static int setup(void **state)
{
    static struct ends ends;
    ends = (struct ends){.random = {7}};
    begin(&ends, "secret", "secret", 0);
    *state = &ends;
    return 0;
}

static int teardown(void **state)
{
    struct ends *ends = *state;
    link_deinit(&ends->dialer);
    link_deinit(&ends->acceptor);
    buffer_deinit(&ends->heard);
    return 0;
}

static void feed(struct ends *ends, struct link *link, struct bytes bytes)
{
    struct link_news news = {0};
    enum link_event event;
    while ((event = link_next(link, &bytes, &news)) != LINK_QUIET) {
        if (event == LINK_HEARD) {
            buffer_append_u8(&ends->heard, (uint8_t)news.type);
            buffer_append_bytes(&ends->heard, news.payload);
        }
        *(link->dialer ? &ends->dialer_event : &ends->acceptor_event) = event;
        *(link->dialer ? &ends->dialer_why : &ends->acceptor_why) = news.why;
    }
    assert_int_equal(bytes.size, 0);
}

/* Brings what one end has to say to the other, in pieces. */
static bool carry(struct ends *ends, struct link *from, struct link *to)
{
    struct buffer *output = &from->output;
    if (buffer_size(output) == 0)
        return false;
    size_t size = 1 + random_below(&ends->random, buffer_size(output));
    if (random_once_in(&ends->random, 2) && size > 30)
        size = 1 + random_below(&ends->random, 30);
    feed(ends, to, bytes_of(buffer_bytes(output).data, size));
    buffer_consume(output, size);
    return true;
}

static void carry_all(struct ends *ends)
{
    while (carry(ends, &ends->dialer, &ends->acceptor) ||
           carry(ends, &ends->acceptor, &ends->dialer))
        continue;
}

static void who_shares_a_secret_can_talk(void **state)
{
    struct ends *ends = *state;
    carry_all(ends);
    assert_int_equal(ends->dialer_event, LINK_GREETED);
    assert_int_equal(ends->acceptor_event, LINK_GREETED);
    assert_int_equal(ends->dialer.peer, ACCEPTOR);
    assert_int_equal(ends->acceptor.peer, DIALER);
    assert_int_equal(ends->acceptor.version, LINK_VERSION_MAX);
    link_send(&ends->dialer, 3, BYTES("one"));
    link_send(&ends->dialer, 4, BYTES(""));
    link_send(&ends->dialer, 5, BYTES("three"));
    carry_all(ends);
    assert_true(bytes_equal(buffer_bytes(&ends->heard), BYTES("\3one\4\5three")));
    assert_int_equal(ends->dialer.acknowledged, 0);
    link_acknowledge(&ends->acceptor);
    link_acknowledge(&ends->acceptor); /* nothing new */
    assert_int_equal(buffer_size(&ends->acceptor.output), FRAME_HEADER_SIZE + 8);
    carry_all(ends);
    assert_int_equal(ends->dialer_event, LINK_ACKNOWLEDGED);
    assert_int_equal(ends->dialer.acknowledged, 3);
}

static void a_message_of_any_size_comes_in_any_pieces(void **state)
{
    struct ends *ends = *state;
    carry_all(ends);
    struct buffer sent = {0};
    static char payload[MESSAGE_SIZE_MAX];
    for (unsigned i = 0; i < 300; i++) {
        size_t size = i == 200 ? sizeof payload : random_below(&ends->random, 200);
        memset(payload, (int)i, size);
        link_send(&ends->dialer, i % MESSAGE_TYPES, bytes_of(payload, size));
        buffer_append_u8(&sent, (uint8_t)(i % MESSAGE_TYPES));
        buffer_append(&sent, payload, size);
        if (random_once_in(&ends->random, 10))
            carry(ends, &ends->dialer, &ends->acceptor);
    }
    carry_all(ends);
    assert_int_equal(ends->acceptor.heard, 300);
    assert_true(bytes_equal(buffer_bytes(&ends->heard), buffer_bytes(&sent)));
    buffer_deinit(&sent);
}

static void who_has_another_secret_is_refused_by_the_acceptor(void **state)
{
    struct ends *ends = *state;
    teardown(state);
    begin(ends, "secret", "Secret", 0);
    carry_all(ends);
    assert_int_equal(ends->acceptor_event, LINK_FAILED);
    assert_int_equal(ends->acceptor_why, STATUS_INVALID);
    assert_int_equal(ends->dialer.state, LINK_AWAITS_WELCOME);
}

/* An acceptor that lets everybody in, to be let in itself. */
static void who_cannot_prove_itself_is_refused_by_the_dialer(void **state)
{
    struct ends *ends = *state;
    while (ends->dialer.state != LINK_AWAITS_WELCOME) {
        carry(ends, &ends->dialer, &ends->acceptor);
        carry(ends, &ends->acceptor, &ends->dialer);
    }
    struct buffer forged = {0};
    char proof[HMAC_SIZE] = {0};
    frame_append(&forged, 0xf3, bytes_of(proof, sizeof proof));
    feed(ends, &ends->dialer, buffer_bytes(&forged));
    assert_int_equal(ends->dialer_event, LINK_FAILED);
    assert_int_equal(ends->dialer_why, STATUS_INVALID);
    buffer_deinit(&forged);
}

/* A proof sent back to who made it proves nothing: it names the role. */
static void a_proof_does_not_come_back(void **state)
{
    struct ends *ends = *state;
    while (ends->dialer.state != LINK_AWAITS_WELCOME) {
        carry(ends, &ends->dialer, &ends->acceptor);
        carry(ends, &ends->acceptor, &ends->dialer);
    }
    struct bytes own = buffer_bytes(&ends->dialer.output);
    assert_int_equal(own.size, FRAME_HEADER_SIZE + HMAC_SIZE);
    struct buffer mirrored = {0};
    frame_append(&mirrored, 0xf3, bytes_of(own.data + FRAME_HEADER_SIZE, HMAC_SIZE));
    feed(ends, &ends->dialer, buffer_bytes(&mirrored));
    assert_int_equal(ends->dialer_event, LINK_FAILED);
    buffer_deinit(&mirrored);
}

static void what_was_recorded_opens_nothing(void **state)
{
    struct ends *ends = *state;
    struct buffer recorded = {0};
    while (buffer_size(&ends->dialer.output) > 0) {
        struct bytes output = buffer_bytes(&ends->dialer.output);
        buffer_append_bytes(&recorded, output);
        feed(ends, &ends->acceptor, output);
        buffer_consume(&ends->dialer.output, output.size);
        feed(ends, &ends->dialer, buffer_bytes(&ends->acceptor.output));
        buffer_clear(&ends->acceptor.output, 0);
    }
    assert_int_equal(ends->dialer_event, LINK_GREETED);
    struct link again;
    char nonce[LINK_NONCE_SIZE] = "another nonce";
    link_accept(&again, ACCEPTOR, ends->keys[1], nonce);
    feed(ends, &again, buffer_bytes(&recorded));
    assert_int_equal(ends->acceptor_event, LINK_FAILED);
    assert_int_equal(ends->acceptor_why, STATUS_INVALID);
    link_deinit(&again);
    buffer_deinit(&recorded);
}

/* Each bit of the greetings is in what is proven, or in the checksum. */
static void a_changed_greeting_is_noticed(void **state)
{
    struct ends *ends = *state;
    size_t size = FRAME_HEADER_SIZE + LINK_GREETING_SIZE;
    for (size_t bit = 0; bit < 8 * LINK_GREETING_SIZE; bit++) {
        for (unsigned sender = 0; sender < 2; sender++) {
            teardown(state);
            ends->heard = (struct buffer){0};
            ends->acceptor_event = ends->dialer_event = LINK_QUIET;
            begin(ends, "secret", "secret", 0);
            struct buffer *output = &ends->dialer.output;
            if (sender == 1) {
                feed(ends, &ends->acceptor, buffer_bytes(output));
                buffer_clear(output, 0);
                output = &ends->acceptor.output;
            }
            assert_int_equal(buffer_size(output), size);
            char payload[LINK_GREETING_SIZE];
            memcpy(payload, buffer_bytes(output).data + FRAME_HEADER_SIZE, sizeof payload);
            payload[bit / 8] = (char)(payload[bit / 8] ^ 1 << bit % 8);
            buffer_clear(output, 0);
            frame_append(output, sender == 1 ? 0xf1 : 0xf0, bytes_of(payload, sizeof payload));
            carry_all(ends);
            assert_int_not_equal(ends->dialer_event, LINK_GREETED);
            assert_int_not_equal(ends->acceptor_event, LINK_GREETED);
        }
    }
}

static void a_greeting_with_the_own_number_is_refused(void **state)
{
    struct ends *ends = *state;
    char nonce[LINK_NONCE_SIZE] = "n";
    teardown(state);
    begin(ends, "secret", "secret", 0);
    link_deinit(&ends->dialer);
    link_dial(&ends->dialer, LINK_SESSION, ACCEPTOR, 0, ends->keys[0], nonce);
    carry_all(ends);
    assert_int_equal(ends->acceptor_event, LINK_FAILED);
    assert_int_equal(ends->acceptor_why, STATUS_INVALID);
    assert_int_equal(ends->acceptor.peer, ACCEPTOR);
    assert_int_equal(buffer_size(&ends->acceptor.output), 0);
}

static void another_node_than_the_one_dialed_is_refused(void **state)
{
    struct ends *ends = *state;
    teardown(state);
    begin(ends, "secret", "secret", 0x333);
    carry_all(ends);
    assert_int_equal(ends->dialer_event, LINK_FAILED);
    assert_int_equal(ends->dialer_why, STATUS_INVALID);
    assert_int_equal(ends->acceptor.state, LINK_AWAITS_PROOF);
}

static void feed_hello(struct ends *ends, uint64_t node, unsigned low, unsigned high)
{
    char hello[LINK_GREETING_SIZE] = {0};
    pack_u64(hello, node);
    hello[8] = (char)low;
    hello[9] = (char)high;
    struct buffer bytes = {0};
    frame_append(&bytes, 0xf0, bytes_of(hello, sizeof hello));
    teardown((void *)&ends);
    ends->heard = (struct buffer){0};
    begin(ends, "secret", "secret", 0);
    feed(ends, &ends->acceptor, buffer_bytes(&bytes));
    buffer_deinit(&bytes);
}

static void versions_must_overlap(void **state)
{
    struct ends *ends = *state;
    feed_hello(ends, DIALER, LINK_VERSION_MAX + 1, LINK_VERSION_MAX + 5);
    assert_int_equal(ends->acceptor_why, STATUS_VERSION);
    /* And the other side is told which ones there are. */
    feed(ends, &ends->dialer, buffer_bytes(&ends->acceptor.output));
    assert_int_equal(ends->dialer.version, LINK_VERSION_MAX);
    feed_hello(ends, DIALER, 0, LINK_VERSION_MIN - 1);
    assert_int_equal(ends->acceptor_why, STATUS_VERSION);
    feed_hello(ends, DIALER, LINK_VERSION_MIN, 200);
    assert_int_equal(ends->acceptor_event, LINK_CLAIMED);
    assert_int_equal(ends->acceptor.version, LINK_VERSION_MAX);
}

static void a_number_has_48_bits_and_is_not_zero(void **state)
{
    struct ends *ends = *state;
    feed_hello(ends, 0, 1, 1);
    assert_int_equal(ends->acceptor_why, STATUS_CORRUPT);
    feed_hello(ends, 1ull << 48, 1, 1);
    assert_int_equal(ends->acceptor_why, STATUS_CORRUPT);
}

static void feed_frame(struct ends *ends, struct link *link, unsigned type, size_t size)
{
    static char payload[MESSAGE_SIZE_MAX + 1];
    struct buffer bytes = {0};
    frame_append(&bytes, type, bytes_of(payload, size));
    feed(ends, link, buffer_bytes(&bytes));
    buffer_deinit(&bytes);
}

static void before_the_greeting_nothing_else_is_read(void **state)
{
    struct ends *ends = *state;
    feed_frame(ends, &ends->acceptor, 1, LINK_GREETING_SIZE); /* a message */
    assert_int_equal(ends->acceptor_why, STATUS_CORRUPT);
    feed_frame(ends, &ends->dialer, 0xf4, 8); /* an acknowledgement */
    assert_int_equal(ends->dialer_why, STATUS_CORRUPT);
    teardown(state);
    begin(ends, "secret", "secret", 0);
    feed_frame(ends, &ends->acceptor, 0xf0, LINK_GREETING_SIZE + 1);
    assert_int_equal(ends->acceptor_why, STATUS_TOO_BIG);
    assert_true(ends->acceptor.input.capacity < 1024);
    feed_frame(ends, &ends->acceptor, 0xf0, LINK_GREETING_SIZE); /* it stays shut */
    assert_int_equal(ends->acceptor.state, LINK_BROKEN);
}

/* Not only when a whole header is there. */
static void nonsense_in_pieces_is_noticed_at_once(void **state)
{
    struct ends *ends = *state;
    feed(ends, &ends->acceptor, BYTES("Sh"));
    assert_int_equal(ends->acceptor_event, LINK_QUIET);
    feed(ends, &ends->acceptor, BYTES("ut"));
    assert_int_equal(ends->acceptor_event, LINK_FAILED);
}

static void a_peer_that_talks_nonsense_is_cut_off(void **state)
{
    struct ends *ends = *state;
    carry_all(ends);
    feed_frame(ends, &ends->acceptor, 1, MESSAGE_SIZE_MAX + 1);
    assert_int_equal(ends->acceptor_why, STATUS_TOO_BIG);
    feed_frame(ends, &ends->dialer, 1, 8); /* an acceptor has no messages */
    assert_int_equal(ends->dialer_why, STATUS_CORRUPT);
    teardown(state);
    ends->heard = (struct buffer){0};
    begin(ends, "secret", "secret", 0);
    carry_all(ends);
    feed_frame(ends, &ends->acceptor, 0xf4, 8); /* nor a dialer acknowledgements */
    assert_int_equal(ends->acceptor_why, STATUS_CORRUPT);
    struct buffer ack = {0};
    char count[8];
    pack_u64(count, 1); /* of a message that was never sent */
    frame_append(&ack, 0xf4, bytes_of(count, sizeof count));
    feed(ends, &ends->dialer, buffer_bytes(&ack));
    assert_int_equal(ends->dialer_why, STATUS_CORRUPT);
    buffer_deinit(&ack);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_shares_a_secret_can_talk),
        TEST(a_message_of_any_size_comes_in_any_pieces),
        TEST(who_has_another_secret_is_refused_by_the_acceptor),
        TEST(who_cannot_prove_itself_is_refused_by_the_dialer),
        TEST(a_proof_does_not_come_back),
        TEST(what_was_recorded_opens_nothing),
        TEST(a_changed_greeting_is_noticed),
        TEST(a_greeting_with_the_own_number_is_refused),
        TEST(another_node_than_the_one_dialed_is_refused),
        TEST(versions_must_overlap),
        TEST(a_number_has_48_bits_and_is_not_zero),
        TEST(before_the_greeting_nothing_else_is_read),
        TEST(nonsense_in_pieces_is_noticed_at_once),
        TEST(a_peer_that_talks_nonsense_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
