/* SPDX-License-Identifier: MIT */
#include "quorum/verification.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"

enum { QUESTIONS_KEPT = 64 * 1024 }; /* bytes of room for a node's questions */
/* A node that is silent for this part of the time there is, is lost, or not awaited any more. */
enum { TIME_PARTS = 4 };

/* ---- rounds ---------------------------------------------------------------------------------- */

static struct round **bucket_of(struct quorum *quorum, uint64_t number)
{
    return &quorum->rounds[number % BATCH_BUCKETS];
}

static struct round *round_find(struct quorum *quorum, uint64_t number)
{
    struct round *round = *bucket_of(quorum, number);
    while (round && round->number != number)
        round = round->chain;
    return round;
}

static struct asked *asked_find(struct round *round, uint64_t node)
{
    for (unsigned i = 0; round && i < round->asked_count; i++)
        if (round->asked[i].node == node)
            return &round->asked[i];
    return NULL;
}

static void round_free(struct round *round)
{
    struct quorum *quorum = round->verification->quorum;
    struct round **at = bucket_of(quorum, round->number);
    while (*at && *at != round)
        at = &(*at)->chain;
    if (*at)
        *at = round->chain;
    list_remove(&round->link);
    export_cancel(round->look);
    for (unsigned i = 0; i < round->asked_count; i++) {
        mend_free(&round->asked[i]);
        memory_free(round->asked[i].digests);
    }
    memory_free(round->own);
    buffer_deinit(&round->own_heads);
    memory_free(round);
}

static void free_rounds(struct verification *verification)
{
    while (!list_is_empty(&verification->rounds))
        round_free(list_entry(verification->rounds.next, struct round, link));
}

static bool is_among(const struct asked *asked, bool gaining)
{
    return gaining ? asked->gains : asked->is_reader;
}

static unsigned answered(const struct round *round, bool gaining)
{
    unsigned count = 0;
    for (unsigned i = 0; i < round->asked_count; i++)
        count += round->asked[i].state == ASKED_ANSWERED && is_among(&round->asked[i], gaining);
    return count;
}

static bool is_answered(const struct round *round)
{
    bool waits = false;
    for (unsigned i = 0; i < round->asked_count; i++)
        waits = waits || (round->asked[i].is_awaited && round->asked[i].state == ASKED);
    return !waits && answered(round, false) >= round->needed &&
           answered(round, true) >= round->needed_new;
}

/* It may be coordinating what is claimed. */
static void await(struct round *round, uint64_t node)
{
    struct asked *asked = asked_find(round, node);
    if (asked && round->is_new_claim)
        asked->is_awaited = true;
}

/* The numbers that are told are those of the round that is furthest from what it needs. */
static void take_numbers(const struct round *round)
{
    struct quorum_verify *verify = round->verification->verify;
    unsigned needed = round->needed + round->is_owner;
    unsigned reached = answered(round, false) + round->is_owner;
    if (reached >= needed) {
        needed += round->needed_new;
        reached += answered(round, true);
    }
    int least = verify->needed == 0 ? INT32_MAX : (int)verify->reached - (int)verify->needed;
    if ((int)reached - (int)needed >= least)
        return;
    verify->reached = reached;
    verify->needed = needed;
}

static void finish(struct verification *verification, enum status status)
{
    struct quorum *quorum = verification->quorum;
    free_rounds(verification);
    verification->status = status;
    quorum->stats.reads_verified += status == STATUS_OK;
    quorum->stats.reads_failed += status != STATUS_OK;
    list_remove(&verification->link);
    list_append(&quorum->verified, &verification->link);
}

void round_end(struct round *round, enum status status)
{
    struct verification *verification = round->verification;
    if (status == STATUS_OK && round->is_claim)
        claim_won(verification->quorum, round->heads, verification->begun_ms);
    take_numbers(round);
    round_free(round);
    if (status != STATUS_OK || list_is_empty(&verification->rounds))
        finish(verification, status);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* It goes out at the end of the turn, with all others of the turn for that node. */
static void ask(struct round *round, struct asked *asked)
{
    struct quorum *quorum = round->verification->quorum;
    struct peer *peer = quorum_peer(quorum, asked->node);
    struct quorum_question question = {round->number, round->heads};
    if (buffer_size(&peer->questions) == 0) {
        struct quorum_ask ask = {quorum->layout->cluster, quorum->layout->version,
                                 claim_term(quorum)};
        quorum_encode_ask(&peer->questions, &ask);
    }
    quorum_encode_question(&peer->questions, &question);
    quorum->has_questions = true;
    asked->state = ASKED;
    asked->is_slow = false;
    asked->sent_ms = quorum->now_ms;
}

/* Of those who were not asked yet and are up the one that usually answers first. */
static struct asked *find_next(struct round *round, bool gaining)
{
    struct quorum *quorum = round->verification->quorum;
    struct asked *best = NULL;
    uint64_t best_ms = 0;
    for (unsigned i = 0; i < round->asked_count; i++) {
        struct asked *asked = &round->asked[i];
        if (asked->state != ASKED_NOT_YET || !is_among(asked, gaining) ||
            !quorum_is_up(quorum, asked->node))
            continue;
        uint64_t ms = answer_time_patience(&quorum_peer(quorum, asked->node)->read, 0, UINT64_MAX);
        if (best && ms >= best_ms)
            continue;
        best = asked;
        best_ms = ms;
    }
    return best;
}

static void ask_more_of(struct round *round, bool gaining, unsigned needed)
{
    for (;;) {
        unsigned expected = 0;
        for (unsigned i = 0; i < round->asked_count; i++)
            expected += is_among(&round->asked[i], gaining) &&
                        (round->asked[i].state == ASKED_ANSWERED ||
                         (round->asked[i].state == ASKED && !round->asked[i].is_slow));
        struct asked *next = expected < needed ? find_next(round, gaining) : NULL;
        if (!next)
            return;
        ask(round, next);
    }
}

/* So that as many as are needed have answered, or may be expected to. */
static void ask_more(struct round *round)
{
    for (unsigned i = 0; i < round->asked_count; i++) {
        struct asked *asked = &round->asked[i];
        if (asked->is_awaited && asked->state == ASKED_NOT_YET &&
            quorum_is_up(round->verification->quorum, asked->node))
            ask(round, asked);
    }
    ask_more_of(round, false, round->needed);
    ask_more_of(round, true, round->needed_new);
}

void asked_lose(struct asked *asked)
{
    asked->round->has_gap = asked->round->has_gap || mend_is_fetch(asked);
    mend_free(asked);
    memory_free(asked->digests);
    asked->digests = NULL;
    asked->state = ASKED_LOST;
    asked->sent_ms = asked->round->verification->quorum->now_ms;
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* Of those who have answered: which keys differ from what is held here; a key that has once been
 * equal does not. Returns how many differ, at all. */
static size_t compare(struct round *round)
{
    size_t differences = 0;
    for (size_t key = 0; key < round->count; key++) {
        bool differs = false;
        for (unsigned i = 0; i < round->asked_count; i++) {
            struct asked *asked = &round->asked[i];
            if (asked->state != ASKED_ANSWERED)
                continue;
            bool *is_other = &asked_differs(asked)[key];
            *is_other = *is_other && asked->digests[key] != round->own[key];
            differs = differs || *is_other;
        }
        differences += differs;
    }
    return differences;
}

static void looked(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct round *round = context;
    round->look = NULL;
    if (status == STATUS_OK && count != round->count)
        status = STATUS_CORRUPT;
    if (status != STATUS_OK) {
        round_end(round, status);
        return;
    }
    if (!round->own)
        round->own = memory_alloc(count * sizeof(*round->own));
    memcpy(round->own, digests, count * sizeof(*round->own));
    round_step(round);
}

/* This node's digests as they are now. The round may be gone afterwards. */
static void look(struct round *round)
{
    struct quorum *quorum = round->verification->quorum;
    memory_free(round->own);
    round->own = NULL;
    struct export *export =
        export_digests(quorum->options.store, round->heads, quorum->now_ms, looked, round);
    if (export)
        round->look = export;
}

static void enter(struct round *round, enum round_stage stage)
{
    round->stage = stage;
}

/* Enough have answered, this node knows its own. */
static void step_digests(struct round *round)
{
    size_t differences = MUTANT(differences_ignored) ? 0 : compare(round);
    if (differences == 0) {
        round_end(round, STATUS_OK);
    } else if (round->stage == ROUND_ASKING) {
        enter(round, ROUND_LOOKING);
        look(round);
    } else {
        round->verification->quorum->stats.differences += differences;
        enter(round, ROUND_FETCHING);
        round_fetch(round);
        round_step(round);
    }
}

void round_step(struct round *round)
{
    if (!round->own || round_mends(round))
        return;
    switch (round->stage) {
    case ROUND_ASKING:
    case ROUND_LOOKING:
        if (is_answered(round))
            step_digests(round);
        return;
    case ROUND_FETCHING:
        while (round->has_gap && !MUTANT(fetch_that_failed_forgotten)) {
            round->has_gap = false;
            if (round_fetch(round))
                return;
        }
        enter(round, ROUND_CHECKING);
        look(round);
        return;
    case ROUND_CHECKING:
        enter(round, ROUND_REPAIRING);
        if (!MUTANT(read_without_repair) && round_repair(round))
            return;
        break;
    case ROUND_REPAIRING:
        break;
    }
    if (is_answered(round)) {
        round_end(round, STATUS_OK);
        return;
    }
    enter(round, ROUND_ASKING); /* somebody was lost on the way */
    ask_more(round);
    look(round);
}

/* ---- beginning ------------------------------------------------------------------------------- */

static struct asked *asked_add(struct round *round, uint64_t node)
{
    struct asked *asked = asked_find(round, node);
    if (asked)
        return asked;
    asked = &round->asked[round->asked_count++];
    asked->round = round;
    asked->node = node;
    return asked;
}

static struct round *round_new(struct verification *verification, const struct owners_group *group,
                               unsigned needed)
{
    struct quorum *quorum = verification->quorum;
    const struct acks_owners *readers = &group->readers;
    struct round *round = memory_zeroed(sizeof(*round));
    bool gains = false;
    round->verification = verification;
    round->group = group;
    list_append(&verification->rounds, &round->link);
    for (unsigned i = 0; i < readers->old_count; i++) {
        if (readers->old[i] == quorum->options.node)
            round->is_owner = true;
        else
            asked_add(round, readers->old[i])->is_reader = true;
    }
    unsigned claim = claim_needed(quorum, readers->old_count);
    round->is_claim = claim > 0 && needed >= claim;
    round->needed = needed - (needed > 0 && round->is_owner);
    if (claim == 0 || readers->new_count == 0 || MUTANT(shown_to_old_owners_alone))
        return round;
    for (unsigned i = 0; i < readers->new_count; i++) {
        if (readers->new[i] == quorum->options.node)
            gains = true;
        else
            asked_add(round, readers->new[i])->gains = true;
    }
    round->needed_new = acks_needed(quorum->options.write_quorum, readers->new_count) - gains;
    return round;
}

/* A round for keys of these owners that has room, or a new one. */
static struct round *round_for(struct verification *verification, uint16_t slot, size_t size)
{
    struct quorum *quorum = verification->quorum;
    const struct quorum_options *options = &quorum->options;
    const struct owners_group *group = quorum_group(quorum, slot);
    const struct quorum_verify *verify = verification->verify;
    bool agreed = verify->writes && options->is_agreed(options->context, slot);
    unsigned needed = quorum_readers_needed(quorum, slot, verify->consistency, verify->writes,
                                            agreed, group->readers.old_count);
    struct list *link = verification->rounds.prev;
    for (; link != &verification->rounds; link = link->prev) {
        struct round *round = list_entry(link, struct round, link);
        if (round->group == group && needed == round->needed + round->is_owner &&
            buffer_size(&round->own_heads) + size <= QUORUM_MESSAGE_BYTES)
            return round;
    }
    return round_new(verification, group, needed);
}

/* False: the heads are none. */
static bool make_rounds(struct verification *verification)
{
    struct bytes rest = verification->verify->heads, name;
    while (rest.size > 0) {
        if (!quorum_next_head(&rest, &name) || name.size < ROW_KEY_CLEARED_SIZE ||
            row_key_slot(name) >= SLOT_COUNT)
            return false;
        uint16_t slot = row_key_slot(name);
        struct round *round = round_for(verification, slot, name.size);
        bool is_held = claim_holds(verification->quorum, slot);
        round->is_new_claim = round->is_new_claim || (round->is_claim && !is_held);
        quorum_encode_head(&round->own_heads, name);
        round->count++;
    }
    return true;
}

/* Whom this owner knows of. */
static void await_holders(struct round *round)
{
    const struct quorum *quorum = round->verification->quorum;
    uint64_t holders[RING_COPIES_MAX];
    unsigned count = claim_holders(quorum, quorum->options.node, round->heads, holders);
    for (unsigned i = 0; i < count; i++)
        await(round, holders[i]);
}

static void begin(struct verification *verification)
{
    struct quorum *quorum = verification->quorum;
    check(make_rounds(verification));
    /* It was withheld, or begun anew, until now. */
    if (quorum->now_ms >= verification->deadline_ms && !list_is_empty(&verification->rounds)) {
        round_end(list_entry(verification->rounds.next, struct round, link), STATUS_ABSENT);
        return;
    }
    /* Its end takes the verification out of the list, with what rounds are left. */
    struct list rounds;
    list_init(&rounds);
    list_splice(&rounds, &verification->rounds);
    if (list_is_empty(&rounds))
        finish(verification, STATUS_OK);
    struct list *link;
    for (link = rounds.next; link != &rounds; link = link->next) {
        struct round *round = list_entry(link, struct round, link);
        round->heads = buffer_bytes(&round->own_heads);
        round->number = quorum->number++;
        await_holders(round);
        struct round **at = bucket_of(quorum, round->number);
        round->chain = *at;
        *at = round;
        ask_more(round);
    }
    list_splice(&verification->rounds, &rounds);
    quorum_wake(quorum, quorum->now_ms + QUORUM_SPECULATE_MS);
    /* All are asked before the first may end. */
    for (link = verification->rounds.next; link != &verification->rounds;) {
        struct round *round = list_entry(link, struct round, link);
        bool is_last = link->next == &verification->rounds;
        link = link->next;
        look(round);
        if (is_last || verification->status != STATUS_OK)
            return;
    }
}

void quorum_verify(struct quorum *quorum, struct quorum_verify *verify, uint64_t now_ms)
{
    struct verification *verification = memory_zeroed(sizeof(*verification));
    verification->quorum = quorum;
    verification->verify = verify;
    verification->deadline_ms = now_ms + quorum->options.timeout_ms;
    list_init(&verification->rounds);
    list_init(&verify->link);
    list_append(&quorum->verify_next, &verification->link);
    verify->state = verification;
    verify->reached = verify->needed = 0;
}

void quorum_verify_cancel(struct quorum *quorum, struct quorum_verify *verify)
{
    struct verification *verification = verify->state;
    (void)quorum;
    verify->state = NULL;
    if (!verification)
        return;
    free_rounds(verification);
    list_remove(&verification->link);
    memory_free(verification);
}

/* The link is gone: others are asked. */
static void lose_questions(struct quorum *quorum, struct peer *peer, struct bytes message)
{
    struct unpack in = unpack_begin(message);
    struct quorum_ask ask;
    struct quorum_question question;
    check(quorum_decode_ask(&in, &ask));
    while (quorum_next_question(&in, &question))
        verifications_refused(quorum, peer->node, question.number, quorum->now_ms);
}

static void send_message(struct quorum *quorum, struct peer *peer, struct bytes message)
{
    if (!outbox_send(&quorum->options.outbox, peer->node, QUORUM_VERIFY, message))
        lose_questions(quorum, peer, message);
}

/* More than one message has room for. */
static void send_in_parts(struct quorum *quorum, struct peer *peer, struct bytes all)
{
    struct unpack in = unpack_begin(all);
    struct quorum_question question;
    struct bytes begin = unpack_bytes(&in, QUORUM_ASK_SIZE);
    struct buffer part = {0};
    while (quorum_next_question(&in, &question)) {
        if (buffer_size(&part) > 0 &&
            buffer_size(&part) + question.heads.size > QUORUM_MESSAGE_BYTES) {
            send_message(quorum, peer, buffer_bytes(&part));
            buffer_clear(&part, SIZE_MAX);
        }
        if (buffer_size(&part) == 0)
            buffer_append_bytes(&part, begin);
        quorum_encode_question(&part, &question);
    }
    send_message(quorum, peer, buffer_bytes(&part));
    buffer_deinit(&part);
}

static void send_questions(struct quorum *quorum, struct peer *peer)
{
    if (buffer_size(&peer->questions) == 0)
        return;
    struct buffer message = peer->questions; /* others may be asked of it on the way */
    buffer_init(&peer->questions);
    if (buffer_size(&message) > QUORUM_MESSAGE_BYTES)
        send_in_parts(quorum, peer, buffer_bytes(&message));
    else
        send_message(quorum, peer, buffer_bytes(&message));
    if (buffer_size(&peer->questions) > 0) {
        buffer_deinit(&message);
        return;
    }
    peer->questions = message;
    buffer_clear(&peer->questions, QUESTIONS_KEPT);
}

/* Whom the link is gone to is asked no more: this comes to an end. */
void verifications_send(struct quorum *quorum)
{
    while (quorum->has_questions) {
        quorum->has_questions = false;
        for (uint32_t i = 0; i < quorum->peer_count; i++)
            send_questions(quorum, quorum->peers[i]);
    }
}

/* What this node holds of the keys is not to count yet (lease.h). */
static bool has_to_wait(struct quorum *quorum, const struct verification *verification)
{
    struct lease_firsts firsts = {0};
    lease_add_firsts_of(quorum, &firsts, verification->verify->heads, quorum->options.node);
    bool waits = lease_forbids(quorum, &firsts);
    if (!waits)
        lease_count(quorum, &firsts);
    return waits;
}

void verifications_begin(struct quorum *quorum, uint64_t now_ms)
{
    (void)now_ms;
    list_splice(&quorum->verify_next, &quorum->verify_withheld);
    while (!list_is_empty(&quorum->verify_next)) {
        struct verification *verification =
            list_entry(quorum->verify_next.next, struct verification, link);
        list_remove(&verification->link);
        if (has_to_wait(quorum, verification)) {
            list_append(&quorum->verify_withheld, &verification->link);
            continue;
        }
        if (claim_term(quorum) != 0)
            claim_begin(quorum, verification->verify->heads);
        verification->claims = quorum->claims;
        verification->begun_ms = quorum->now_ms;
        list_append(&quorum->verifications, &verification->link);
        begin(verification);
    }
}

void verifications_finish(struct quorum *quorum)
{
    struct list verified;
    list_init(&verified);
    list_splice(&verified, &quorum->verified);
    while (!list_is_empty(&verified)) {
        struct verification *verification = list_entry(verified.next, struct verification, link);
        struct quorum_verify *verify = verification->verify;
        enum status status = verification->status;
        uint64_t claims = verification->claims;
        list_remove(&verification->link);
        memory_free(verification);
        verify->state = NULL;
        verify->claims = claims;
        verify->done(verify, status);
    }
}

/* The owners are others: all from the start, in the time that is left. */
void verifications_restart(struct quorum *quorum, uint64_t now_ms)
{
    (void)now_ms;
    struct list *link;
    for (link = quorum->verifications.next; link != &quorum->verifications; link = link->next)
        free_rounds(list_entry(link, struct verification, link));
    for (uint32_t i = 0; i < quorum->peer_count; i++)
        buffer_clear(&quorum->peers[i]->questions, QUESTIONS_KEPT);
    list_splice(&quorum->verify_next, &quorum->verifications);
}

bool verifications_ended(const struct quorum *quorum, uint64_t mark)
{
    const struct list *link = quorum->verifications.next;
    for (; link != &quorum->verifications; link = link->next) {
        const struct verification *verification = list_entry(link, struct verification, link);
        const struct list *at = verification->rounds.next;
        for (; at != &verification->rounds; at = at->next) {
            const struct round *round = list_entry(at, struct round, link);
            if (round->number < mark && round_mends(round))
                return false;
        }
    }
    return true;
}

void verifications_deinit(struct quorum *quorum)
{
    struct list *lists[] = {&quorum->verify_next, &quorum->verify_withheld, &quorum->verifications,
                            &quorum->verified};
    for (int i = 0; i < 4; i++)
        while (!list_is_empty(lists[i])) {
            struct verification *verification =
                list_entry(lists[i]->next, struct verification, link);
            quorum_verify_cancel(quorum, verification->verify);
        }
}

/* ---- events ---------------------------------------------------------------------------------- */

void verifications_verified(struct quorum *quorum, struct peer *peer,
                            const struct quorum_verified *verified, uint64_t now_ms)
{
    struct round *round = round_find(quorum, verified->number);
    struct asked *asked = asked_find(round, peer->node);
    if (!asked || asked->state != ASKED || round->stage != ROUND_ASKING)
        return;
    if (verified->failed || verified->digests.size != round->count * sizeof(uint64_t)) {
        asked_lose(asked);
        ask_more(round);
        round_step(round);
        return;
    }
    struct unpack holders = unpack_begin(verified->holders);
    while (holders.next < holders.end)
        await(round, unpack_next_u64(&holders));
    answer_time_add(&peer->read, now_ms - asked->sent_ms);
    asked->digests = memory_alloc(round->count * (sizeof(uint64_t) + sizeof(bool)));
    memcpy(asked->digests, verified->digests.data, verified->digests.size);
    memset(asked_differs(asked), true, round->count * sizeof(bool));
    asked->state = ASKED_ANSWERED;
    ask_more(round);
    round_step(round);
}

void verifications_rows(struct quorum *quorum, struct peer *peer,
                        const struct quorum_key_rows_are *are, uint64_t now_ms)
{
    struct round *round = round_find(quorum, are->number);
    struct asked *asked = asked_find(round, peer->node);
    if (!asked || !asked->mend)
        return;
    asked->sent_ms = now_ms;
    mend_rows(asked, are);
}

/* What it was asked for will not be answered. */
static void lose(struct round *round, struct asked *asked)
{
    bool mends = asked->mend != NULL;
    if (asked->state != ASKED && !mends)
        return; /* its answer is here */
    asked_lose(asked);
    if (round->stage == ROUND_ASKING)
        ask_more(round);
    round_step(round);
}

void verifications_refused(struct quorum *quorum, uint64_t node, uint64_t number, uint64_t now_ms)
{
    (void)now_ms;
    struct round *round = round_find(quorum, number);
    struct asked *asked = asked_find(round, node);
    if (asked)
        lose(round, asked);
}

static void look_at(struct round *round, uint64_t now_ms);

/* Goes through all rounds; any may end on the way, and end the verification. */
static void each_round(struct quorum *quorum, uint64_t node, uint64_t now_ms)
{
    for (struct list *link = quorum->verifications.next, *next; link != &quorum->verifications;
         link = next) {
        struct verification *verification = list_entry(link, struct verification, link);
        next = link->next;
        struct list *at = verification->rounds.next, *after;
        for (unsigned left = 0; at != &verification->rounds && left < QUORUM_KEYS_MAX; left++) {
            struct round *round = list_entry(at, struct round, link);
            after = at->next;
            bool is_last = after == &verification->rounds;
            struct asked *asked = asked_find(round, node);
            if (asked)
                lose(round, asked);
            else if (node == 0)
                look_at(round, now_ms);
            if (is_last || verification->status != STATUS_OK)
                break;
            at = after;
        }
    }
}

void verifications_node_down(struct quorum *quorum, uint64_t node, uint64_t now_ms)
{
    each_round(quorum, node, now_ms);
}

static uint64_t patience(struct quorum *quorum, const struct asked *asked)
{
    if (asked->mend || asked->is_slow)
        return quorum->options.timeout_ms / TIME_PARTS;
    return answer_time_patience(&quorum_peer(quorum, asked->node)->read, QUORUM_SPECULATE_MS,
                                quorum->options.timeout_ms / 2);
}

/* When something is to be done about it; UINT64_MAX: never. */
static uint64_t due_at(struct quorum *quorum, const struct asked *asked, uint64_t now_ms)
{
    if (asked->mend || (asked->state == ASKED && (!asked->is_slow || asked->is_awaited)))
        return asked->sent_ms + patience(quorum, asked);
    if (asked->state == ASKED_NOT_YET) /* not needed, or was not up: it may be now */
        return now_ms + QUORUM_RETRY_MS;
    return asked->state == ASKED_LOST ? asked->sent_ms + QUORUM_RETRY_MS : UINT64_MAX;
}

/* It is due. True: the round may go on without it. */
static bool lose_patience(struct asked *asked)
{
    if (asked->mend) {
        asked_lose(asked);
        return true;
    }
    if (asked->state == ASKED_LOST) {
        asked->state = ASKED_NOT_YET;
        return false;
    }
    if (asked->is_slow)
        asked->is_awaited = false;
    asked->is_slow = true;
    return !asked->is_awaited;
}

/* Who is slow, who may be asked again; how long that has time. */
static void look_at(struct round *round, uint64_t now_ms)
{
    struct quorum *quorum = round->verification->quorum;
    uint64_t due_ms = round->verification->deadline_ms;
    if (now_ms >= due_ms) {
        round_end(round, STATUS_ABSENT);
        return;
    }
    bool more = false, stepped = false;
    for (unsigned i = 0; i < round->asked_count; i++) {
        struct asked *asked = &round->asked[i];
        uint64_t at_ms = due_at(quorum, asked, now_ms);
        more = more || asked->state == ASKED_NOT_YET || now_ms >= at_ms;
        if (now_ms >= at_ms) {
            stepped = lose_patience(asked) || stepped;
            at_ms = now_ms + QUORUM_RETRY_MS;
        }
        due_ms = at_ms < due_ms ? at_ms : due_ms;
    }
    quorum_wake(quorum, due_ms);
    if (more && round->stage == ROUND_ASKING)
        ask_more(round);
    if (stepped)
        round_step(round);
}

void verifications_tick(struct quorum *quorum, uint64_t now_ms)
{
    each_round(quorum, 0, now_ms);
}
