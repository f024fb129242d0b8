/* SPDX-License-Identifier: MIT */
/* What forward.h says of the last that a node has said before its process ended. */
#include "base/memory.h"
#include "base/mutant.h"
#include "node/forward_state.h"

/* This node waits until others have heard the last of `node`. */
struct farewell {
    struct list link;
    uint64_t node, number;
    uint64_t until_ms;
    uint64_t *asked; /* who has not answered */
    size_t asked_count;
};

/* Another node, `from`, waits for this one. */
struct farewell_question {
    struct list link;
    uint64_t from, node, number;
    uint64_t until_ms;
    bool is_unheard; /* the link on which it spoke is gone */
};

/* ---- who asks -------------------------------------------------------------------------------- */

static void farewell_free(struct farewell *farewell)
{
    list_remove(&farewell->link);
    memory_free(farewell->asked);
    memory_free(farewell);
}

static struct farewell *farewell_of(struct forwarder *forwarder, uint64_t node)
{
    for (struct list *at = forwarder->farewells.next; at != &forwarder->farewells; at = at->next)
        if (list_entry(at, struct farewell, link)->node == node)
            return list_entry(at, struct farewell, link);
    return NULL;
}

static void ask_all(struct forwarder *forwarder, struct farewell *farewell)
{
    const struct gossip *gossip = forwarder->options.gossip;
    const struct gossip_peer *peer;
    struct buffer *out = &forwarder->scratch;
    buffer_clear(out, FORWARD_PART_MAX);
    buffer_append_varint(out, farewell->node);
    buffer_append_varint(out, farewell->number);
    for (size_t i = 0; (peer = gossip_peer_at(gossip, i)); i++) {
        uint64_t node = peer->said.node;
        if (node == farewell->node || !gossip_is_up(gossip, node) ||
            !outbox_send(&forwarder->options.outbox, node, MESSAGE_LAST_OF, buffer_bytes(out)))
            continue;
        size_t size = (farewell->asked_count + 1) * sizeof(*farewell->asked);
        farewell->asked = memory_resize(farewell->asked, size);
        farewell->asked[farewell->asked_count++] = node;
    }
}

void farewell_begin(struct forwarder *forwarder, uint64_t node, uint64_t now_ms)
{
    struct farewell *farewell = farewell_of(forwarder, node);
    if (farewell) /* of an earlier process: this one takes its place */
        farewell_free(farewell);
    farewell = memory_zeroed(sizeof(*farewell));
    farewell->node = node;
    farewell->number = forwarder->next_number++;
    farewell->until_ms = now_ms + FORWARD_END_MAX_MS;
    list_append(&forwarder->farewells, &farewell->link);
    ask_all(forwarder, farewell);
}

static void is_answered(struct farewell *farewell, uint64_t node)
{
    for (size_t i = 0; i < farewell->asked_count; i++)
        if (farewell->asked[i] == node)
            farewell->asked[i--] = farewell->asked[--farewell->asked_count];
}

void farewell_heard(struct forwarder *forwarder, uint64_t from, uint64_t number)
{
    for (struct list *at = forwarder->farewells.next; at != &forwarder->farewells; at = at->next)
        if (list_entry(at, struct farewell, link)->number == number)
            is_answered(list_entry(at, struct farewell, link), from);
}

void farewell_node_lost(struct forwarder *forwarder, uint64_t node)
{
    for (struct list *at = forwarder->farewells.next; at != &forwarder->farewells; at = at->next)
        is_answered(list_entry(at, struct farewell, link), node);
}

/* ---- who is asked ---------------------------------------------------------------------------- */

void farewell_asked(struct forwarder *forwarder, uint64_t from, uint64_t node, uint64_t number,
                    uint64_t now_ms)
{
    const struct forwarder_options *options = &forwarder->options;
    if (forwarder->question_count == FORWARD_LAST_MAX)
        return; /* who asks has an end to wait for, too */
    struct farewell_question *question = memory_zeroed(sizeof(*question));
    question->from = from;
    question->node = node;
    question->number = number;
    question->until_ms = now_ms + FORWARD_END_MAX_MS;
    question->is_unheard = !options->hears(options->context, node);
    list_append(&forwarder->questions, &question->link);
    forwarder->question_count++;
}

void farewell_unheard(struct forwarder *forwarder, uint64_t node)
{
    for (struct list *at = forwarder->questions.next; at != &forwarder->questions; at = at->next) {
        struct farewell_question *question = list_entry(at, struct farewell_question, link);
        question->is_unheard = question->is_unheard || question->node == node;
    }
}

static void question_free(struct forwarder *forwarder, struct farewell_question *question)
{
    list_remove(&question->link);
    forwarder->question_count--;
    memory_free(question);
}

static bool is_storing(const struct forwarder *forwarder, uint64_t node)
{
    return quorum_is_storing(forwarder->options.quorum, node);
}

/* ---- time ------------------------------------------------------------------------------------ */

static bool is_over(const struct forwarder *forwarder, const struct farewell *farewell)
{
    bool heard = farewell->asked_count == 0 && !is_storing(forwarder, farewell->node);
    return heard || MUTANT(last_of_the_dead_not_heard);
}

static bool may_answer(const struct forwarder *forwarder, const struct farewell_question *question)
{
    return question->is_unheard && !is_storing(forwarder, question->node);
}

void farewells_turn(struct forwarder *forwarder, uint64_t now_ms)
{
    struct buffer *out = &forwarder->scratch;
    for (struct list *at = forwarder->questions.next, *next; at != &forwarder->questions;
         at = next) {
        struct farewell_question *question = list_entry(at, struct farewell_question, link);
        bool answers = may_answer(forwarder, question);
        next = at->next;
        if (!answers && now_ms < question->until_ms)
            continue;
        buffer_clear(out, FORWARD_PART_MAX);
        buffer_append_varint(out, question->number);
        if (answers)
            outbox_send(&forwarder->options.outbox, question->from, MESSAGE_LAST_HEARD,
                        buffer_bytes(out));
        question_free(forwarder, question);
    }
    for (struct list *at = forwarder->farewells.next, *next; at != &forwarder->farewells;
         at = next) {
        struct farewell *farewell = list_entry(at, struct farewell, link);
        next = at->next;
        if (is_over(forwarder, farewell))
            forward_last_heard(forwarder, farewell->node, now_ms);
        else if (now_ms < farewell->until_ms)
            continue;
        farewell_free(farewell);
    }
}

bool farewells_are_due(const struct forwarder *forwarder)
{
    const struct list *at = forwarder->questions.next;
    for (; at != &forwarder->questions; at = at->next)
        if (may_answer(forwarder, list_entry(at, struct farewell_question, link)))
            return true;
    for (at = forwarder->farewells.next; at != &forwarder->farewells; at = at->next)
        if (is_over(forwarder, list_entry(at, struct farewell, link)))
            return true;
    return false;
}

void farewells_deinit(struct forwarder *forwarder)
{
    while (!list_is_empty(&forwarder->questions))
        question_free(forwarder,
                      list_entry(forwarder->questions.next, struct farewell_question, link));
    while (!list_is_empty(&forwarder->farewells))
        farewell_free(list_entry(forwarder->farewells.next, struct farewell, link));
}
