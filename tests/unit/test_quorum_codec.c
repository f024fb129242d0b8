/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "quorum/quorum_codec.h"

static struct buffer out;

static struct bytes take(void)
{
    return buffer_bytes(&out);
}

static void begin(void)
{
    buffer_clear(&out, SIZE_MAX);
}

static const struct quorum_ask ask = {11, 22, 33};

static void encode_replicate(void)
{
    struct quorum_request first = {{1, 2}, 0, 4, BYTES("+OK")}, second = {{1, 3}, 4, 3, BYTES("")};
    begin();
    buffer_reserve(&out, QUORUM_REPLICATE_SIZE);
    buffer_commit(&out, QUORUM_REPLICATE_SIZE);
    buffer_append_bytes(&out, BYTES("rowsrowground"));
    quorum_put_replicate(out.block + out.start, &ask, 44, 5, 7, 6);
    quorum_encode_request(&out, &first);
    quorum_encode_request(&out, &second);
}

static bool decode_replicate(struct bytes bytes, struct quorum_ask *out_ask,
                             struct quorum_replicate *replicate)
{
    struct unpack in = unpack_begin(bytes);
    return quorum_decode_ask(&in, out_ask) && quorum_decode_replicate(&in, replicate);
}

static void test_rows_and_requests(void **state)
{
    struct quorum_ask got;
    struct quorum_replicate replicate;
    struct quorum_request request;
    (void)state;
    encode_replicate();
    assert_true(decode_replicate(take(), &got, &replicate));
    assert_true(got.cluster == 11 && got.version == 22 && got.number == 33);
    assert_true(replicate.term == 44 && replicate.message == 5);
    assert_true(bytes_equal(replicate.rows, BYTES("rowsrow")));
    assert_true(bytes_equal(replicate.grounds, BYTES("ground")));
    struct bytes rest = replicate.requests;
    assert_true(quorum_next_request(&rest, 7, &request));
    assert_true(request.id.origin == 1 && request.id.number == 2);
    assert_true(request.rows_from == 0 && request.rows_size == 4);
    assert_true(bytes_equal(request.reply, BYTES("+OK")));
    assert_true(quorum_next_request(&rest, 7, &request));
    assert_true(request.id.number == 3 && request.rows_from == 4 && request.rows_size == 3);
    assert_false(quorum_next_request(&rest, 7, &request));
    assert_int_equal(rest.size, 0);
}

static void test_a_request_beyond_the_rows_is_refused(void **state)
{
    struct quorum_request past = {{1, 2}, 5, 3, BYTES("")};
    struct quorum_request request;
    (void)state;
    begin();
    quorum_encode_request(&out, &past);
    struct bytes rest = take();
    assert_false(quorum_next_request(&rest, 7, &request));
    rest = take();
    assert_true(quorum_next_request(&rest, 8, &request));
    begin();
    past = (struct quorum_request){{1, 2}, UINT64_MAX, 2, BYTES("")};
    quorum_encode_request(&out, &past);
    rest = take();
    assert_false(quorum_next_request(&rest, 7, &request));
}

static void test_acknowledgements(void **state)
{
    struct quorum_ack acks[] = {{1, 0, false}, {UINT64_MAX, 7, true}}, got;
    (void)state;
    begin();
    quorum_encode_ack(&out, &acks[0]);
    quorum_encode_ack(&out, &acks[1]);
    assert_int_equal(take().size, 2 * QUORUM_ACK_SIZE);
    struct unpack in = unpack_begin(take());
    for (int i = 0; i < 2; i++) {
        assert_true(quorum_next_ack(&in, &got));
        assert_true(got.number == acks[i].number && got.message == acks[i].message);
        assert_int_equal(got.failed, acks[i].failed);
    }
    assert_false(quorum_next_ack(&in, &got));
    assert_false(in.failed);
    out.block[out.start + QUORUM_ACK_SIZE - 1] = 2; /* neither */
    in = unpack_begin(take());
    assert_false(quorum_next_ack(&in, &got));
    assert_true(in.failed);
}

static void test_heads_are_counted(void **state)
{
    struct bytes name, rest;
    (void)state;
    begin();
    assert_int_equal(quorum_count_heads(take()), 0);
    quorum_encode_head(&out, BYTES("one"));
    quorum_encode_head(&out, BYTES(""));
    assert_int_equal(quorum_count_heads(take()), 2);
    rest = take();
    assert_true(quorum_next_head(&rest, &name) && bytes_equal(name, BYTES("one")));
    rest = take();
    rest.size--;
    assert_int_equal(quorum_count_heads(rest), 1);
    rest.size--; /* within a name */
    assert_int_equal(quorum_count_heads(rest), 0);
    begin();
    for (int i = 0; i < QUORUM_KEYS_MAX; i++)
        quorum_encode_head(&out, BYTES("x"));
    assert_int_equal(quorum_count_heads(take()), QUORUM_KEYS_MAX);
    quorum_encode_head(&out, BYTES("x"));
    assert_int_equal(quorum_count_heads(take()), 0);
}

static void test_answers(void **state)
{
    uint64_t digests[] = {5, 6};
    struct quorum_verified verified;
    struct quorum_key_rows_are are = {4, false, {1, 2, 3}, BYTES("rows")}, got_are;
    struct quorum_outcome_is is = {4, OUTCOME_DURABLE, BYTES(":1"), BYTES("\1a")}, got_is;
    struct quorum_refused refused = {{1, 2, 3}, QUORUM_VERIFY, 4}, got_refused;
    (void)state;
    begin();
    quorum_encode_verified(&out, 9, false, (struct quorum_numbers){digests, 2},
                           (struct quorum_numbers){digests, 1});
    struct unpack in = unpack_begin(take());
    assert_true(quorum_next_verified(&in, &verified));
    assert_true(verified.number == 9 && !verified.failed && verified.digests.size == 16);
    assert_int_equal(verified.holders.size, 8);
    assert_false(quorum_next_verified(&in, &verified) || in.failed);
    in = unpack_begin(bytes_of(take().data, take().size - 1));
    assert_false(quorum_next_verified(&in, &verified));
    assert_true(in.failed);
    begin();
    quorum_encode_key_rows_are(&out, &are);
    in = unpack_begin(take());
    assert_true(quorum_decode_key_rows_are(&in, &got_are));
    assert_true(got_are.next.key == 1 && got_are.next.base == 2 && got_are.next.chunk == 3);
    assert_true(bytes_equal(got_are.rows, are.rows));
    begin();
    quorum_encode_outcome_is(&out, &is);
    in = unpack_begin(take());
    assert_true(quorum_decode_outcome_is(&in, &got_is));
    assert_int_equal(got_is.known, OUTCOME_DURABLE);
    assert_true(bytes_equal(got_is.reply, is.reply) && bytes_equal(got_is.heads, is.heads));
    begin();
    quorum_encode_refused(&out, &refused);
    in = unpack_begin(take());
    assert_true(quorum_decode_refused(&in, &got_refused));
    assert_true(got_refused.ask.version == 2 && got_refused.type == QUORUM_VERIFY &&
                got_refused.term == 4);
}

static void test_questions(void **state)
{
    uint16_t slot;
    struct export_place place = {0, 1, 2}, got_place;
    struct request_id id = {7, 8}, got_id;
    struct bytes heads;
    struct quorum_ask got;
    (void)state;
    begin();
    quorum_encode_key_rows(&out, &ask, place, BYTES("\1a"));
    struct unpack in = unpack_begin(take());
    assert_true(quorum_decode_ask(&in, &got));
    assert_true(quorum_decode_key_rows(&in, &got_place, &heads));
    assert_true(got_place.base == 1 && got_place.chunk == 2 && bytes_equal(heads, BYTES("\1a")));
    begin();
    place.key = 1; /* there is one only */
    quorum_encode_key_rows(&out, &ask, place, BYTES("\1a"));
    in = unpack_begin(take());
    assert_true(quorum_decode_ask(&in, &got));
    assert_false(quorum_decode_key_rows(&in, &got_place, &heads));
    begin();
    struct quorum_question questions[] = {{5, BYTES("\1a")}, {6, BYTES("\2bc")}}, question;
    quorum_encode_question(&out, &questions[0]);
    quorum_encode_question(&out, &questions[1]);
    in = unpack_begin(take());
    for (int i = 0; i < 2; i++) {
        assert_true(quorum_next_question(&in, &question));
        assert_int_equal(question.number, questions[i].number);
        assert_true(bytes_equal(question.heads, questions[i].heads));
    }
    assert_false(quorum_next_question(&in, &question) || in.failed);
    begin();
    quorum_encode_outcome(&out, &ask, id, 16383);
    in = unpack_begin(take());
    assert_true(quorum_decode_ask(&in, &got) && quorum_decode_outcome(&in, &got_id, &slot));
    assert_int_equal(slot, 16383);
    assert_true(got_id.origin == 7 && got_id.number == 8);
}

/* A message that lost its end is none; one that goes on is none. */
static void test_no_more_and_no_less(void **state)
{
    struct quorum_ask got;
    struct quorum_replicate replicate;
    (void)state;
    encode_replicate();
    struct bytes whole = take();
    size_t second = whole.size - 5; /* where the second request begins */
    for (size_t size = 0; size < whole.size; size++) {
        bool is_whole = size == second || size == QUORUM_REPLICATE_SIZE + 13;
        assert_int_equal(decode_replicate(bytes_of(whole.data, size), &got, &replicate), is_whole);
    }
    buffer_append_u8(&out, 0);
    assert_false(decode_replicate(take(), &got, &replicate));
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_and_requests),
        cmocka_unit_test(test_a_request_beyond_the_rows_is_refused),
        cmocka_unit_test(test_acknowledgements),
        cmocka_unit_test(test_heads_are_counted),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_no_more_and_no_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
