/* SPDX-License-Identifier: MIT */
/*
 * What is saved; v: a varint, b: a ballot (cluster/agree_message.h):
 *
 *   format   1   FORMAT
 *   promised b
 *   accepted b   0 0: nothing
 *   layout   v   its size, its bytes
 *   next     v   the same of the accepted one; 0: none
 *   checksum 8   XXH3-64 of all before
 */
#include "cluster/agree.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "base/random.h"
#include "base/xxh.h"
#include "cluster/agree_message.h"

enum { FORMAT = 1, CHECKSUM_SIZE = 8 };

enum stage {
    IDLE,
    PREPARING, /* promises are awaited */
    ACCEPTING, /* acceptances are */
    WAITING,   /* refused: for the next try */
};

struct proposal {
    enum stage stage;
    struct buffer wanted; /* what agree_propose was given */
    struct buffer value;  /* what was accepted at `best`, then what is being proposed */
    struct ballot ballot, best;
    uint64_t round_seen;       /* the highest by which it was refused */
    bool *promised, *accepted; /* which members */
    uint32_t promised_count, accepted_count;
    unsigned tries;
    uint64_t retry_ms;
};

/* What a node was sent lately. */
struct spoken {
    uint64_t node, at_ms;
    enum agree_message_type type;
};

struct agree {
    struct agree_options options;
    struct random random;
    enum status status; /* not OK: saving has failed */
    bool has_layout;
    struct layout layout;
    struct buffer bytes; /* of the layout */
    uint64_t *members;   /* of it, ascending */
    uint32_t member_count;
    struct ballot promised, accepted; /* for the next version */
    struct buffer next;               /* the accepted layout's bytes */
    struct layout decoded; /* the last one that was, if it is not ours; cluster 0: none */
    struct buffer decoded_bytes;
    struct proposal proposal;
    struct buffer scratch; /* a message being written */
    struct spoken spoken[AGREE_SPOKEN_MAX];
    unsigned spoken_count;
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static void put_u64(struct buffer *out, uint64_t value)
{
    pack_u64(buffer_reserve(out, sizeof(value)), value);
    buffer_commit(out, sizeof(value));
}

static void put_bytes(struct buffer *out, struct bytes bytes)
{
    char *begin = buffer_reserve(out, VARINT_MAX);
    buffer_commit(out, (size_t)(pack_varint(begin, bytes.size) - begin));
    buffer_append_bytes(out, bytes);
}

static void set_bytes(struct buffer *buffer, struct bytes bytes)
{
    buffer_clear(buffer, LAYOUT_SIZE_MAX);
    buffer_append_bytes(buffer, bytes);
}

static void forget_decoded(struct agree *agree)
{
    layout_deinit(&agree->decoded);
    buffer_deinit(&agree->decoded_bytes);
}

/* A layout of this cluster and version. It is kept: what has been accepted is chosen in a moment,
 * and decoding is most of the work of a change. */
static enum status check_layout(struct agree *agree, struct bytes bytes, uint64_t cluster,
                                uint64_t version)
{
    if (agree->decoded.cluster == 0 || !bytes_equal(buffer_bytes(&agree->decoded_bytes), bytes)) {
        struct layout layout;
        enum status status = layout_decode(bytes, &layout);
        if (status != STATUS_OK)
            return status;
        layout_deinit(&agree->decoded);
        agree->decoded = layout;
        set_bytes(&agree->decoded_bytes, bytes);
    }
    bool fits = agree->decoded.cluster == cluster && agree->decoded.version == version;
    return fits ? STATUS_OK : STATUS_CORRUPT;
}

/* As above, and it is the caller's. */
static enum status decode_layout(struct agree *agree, struct bytes bytes, uint64_t cluster,
                                 uint64_t version, struct layout *out)
{
    enum status status = check_layout(agree, bytes, cluster, version);
    if (status != STATUS_OK)
        return status;
    *out = agree->decoded;
    agree->decoded = (struct layout){0};
    return STATUS_OK;
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void send(struct agree *agree, uint64_t to, enum agree_message_type type,
                 const struct agree_message *message)
{
    struct buffer *out = &agree->scratch;
    if (agree->status != STATUS_OK)
        return;
    buffer_clear(out, LAYOUT_SIZE_MAX);
    agree_message_encode(type, message, out);
    outbox_send(&agree->options.outbox, to, type, buffer_bytes(out));
}

/* About the next version. */
static struct agree_message about_next(const struct agree *agree, struct ballot ballot)
{
    return (struct agree_message){
        .cluster = agree->layout.cluster,
        .version = agree->layout.version + 1,
        .ballot = ballot,
    };
}

/* Whether it was not said to that node just now. */
static bool may_say(struct agree *agree, uint64_t node, enum agree_message_type type,
                    uint64_t now_ms)
{
    for (unsigned i = 0; i < agree->spoken_count;) {
        struct spoken *spoken = &agree->spoken[i];
        if (now_ms >= spoken->at_ms + AGREE_SPEAK_MS)
            *spoken = agree->spoken[--agree->spoken_count];
        else if (spoken->node == node && spoken->type == type)
            return false;
        else
            i++;
    }
    if (agree->spoken_count == AGREE_SPOKEN_MAX)
        return false;
    agree->spoken[agree->spoken_count++] = (struct spoken){node, now_ms, type};
    return true;
}

static void say_layout(struct agree *agree, uint64_t to, uint64_t now_ms)
{
    struct agree_message message = {agree->layout.cluster, agree->layout.version,
                                    .layout = buffer_bytes(&agree->bytes)};
    if (may_say(agree, to, AGREE_LAYOUT, now_ms))
        send(agree, to, AGREE_LAYOUT, &message);
}

static void ask_layout(struct agree *agree, uint64_t to, uint64_t now_ms)
{
    struct agree_message message = {0};
    if (agree->has_layout)
        message = (struct agree_message){agree->layout.cluster, agree->layout.version};
    if (may_say(agree, to, AGREE_ASK, now_ms))
        send(agree, to, AGREE_ASK, &message);
}

void agree_heard_version(struct agree *agree, uint64_t node, uint64_t cluster, uint64_t version,
                         uint64_t now_ms)
{
    if (node == agree->options.node)
        return;
    if (!agree->has_layout) {
        if (cluster != 0)
            ask_layout(agree, node, now_ms);
    } else if (cluster == 0) {
        if (layout_is_member(&agree->layout, node))
            say_layout(agree, node, now_ms);
    } else if (cluster == agree->layout.cluster) {
        if (version < agree->layout.version)
            say_layout(agree, node, now_ms);
        else if (version > agree->layout.version)
            ask_layout(agree, node, now_ms);
    }
}

/* ---- what it keeps --------------------------------------------------------------------------- */

static enum status save(struct agree *agree)
{
    struct buffer state = {0};
    if (agree->status != STATUS_OK)
        return agree->status;
    buffer_append_u8(&state, FORMAT);
    ballot_pack(&state, agree->promised);
    ballot_pack(&state, agree->accepted);
    put_bytes(&state, buffer_bytes(&agree->bytes));
    put_bytes(&state, buffer_bytes(&agree->next));
    put_u64(&state, xxh64(buffer_bytes(&state)));
    agree->status = agree->options.save(agree->options.context, buffer_bytes(&state));
    buffer_deinit(&state);
    return agree->status;
}

static enum status load(struct agree *agree, struct bytes state)
{
    if (state.size <= CHECKSUM_SIZE)
        return STATUS_CORRUPT;
    struct bytes checked = bytes_of(state.data, state.size - CHECKSUM_SIZE);
    if (xxh64(checked) != unpack_u64(state.data + checked.size))
        return STATUS_CORRUPT;
    struct unpack in = unpack_begin(checked);
    if (unpack_next_u8(&in) != FORMAT)
        return STATUS_VERSION;
    agree->promised = ballot_unpack(&in);
    agree->accepted = ballot_unpack(&in);
    struct bytes layout = unpack_bytes(&in, unpack_next_varint(&in));
    struct bytes next = unpack_bytes(&in, unpack_next_varint(&in));
    if (in.failed || in.next != in.end || ballot_compare(agree->accepted, agree->promised) > 0 ||
        (next.size > 0) != (agree->accepted.round > 0))
        return STATUS_CORRUPT;
    enum status status = layout_decode(layout, &agree->layout);
    agree->has_layout = status == STATUS_OK;
    if (status == STATUS_OK && next.size > 0)
        status = check_layout(agree, next, agree->layout.cluster, agree->layout.version + 1);
    set_bytes(&agree->bytes, layout);
    set_bytes(&agree->next, next);
    return status;
}

static void list_members(struct agree *agree)
{
    agree->members = memory_resize(agree->members, LAYOUT_NODES_MAX * sizeof(*agree->members));
    agree->member_count = layout_nodes(&agree->layout, agree->members);
    agree->members = memory_resize(agree->members, agree->member_count * sizeof(*agree->members));
}

/* Its index among the members; their count: none. */
static uint32_t find_member(const struct agree *agree, uint64_t node)
{
    uint32_t low = 0, high = agree->member_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (agree->members[middle] < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < agree->member_count && agree->members[low] == node ? low : agree->member_count;
}

static bool is_member(const struct agree *agree)
{
    return find_member(agree, agree->options.node) < agree->member_count;
}

static bool is_majority(const struct agree *agree, uint32_t count)
{
    return count > agree->member_count / 2;
}

static void end_proposal(struct agree *agree)
{
    struct proposal *proposal = &agree->proposal;
    buffer_deinit(&proposal->wanted);
    buffer_deinit(&proposal->value);
    memory_free(proposal->promised);
    memory_free(proposal->accepted);
    *proposal = (struct proposal){0};
}

/*
 * From now on this is its layout, which it takes over; what was promised and accepted was for its
 * version, or an earlier one. The bytes may be those of the proposal, or of what was accepted.
 */
static enum status take_layout(struct agree *agree, struct layout *layout, struct bytes bytes)
{
    struct buffer taken = {0};
    buffer_append_bytes(&taken, bytes);
    if (agree->has_layout)
        layout_deinit(&agree->layout);
    buffer_deinit(&agree->bytes);
    agree->has_layout = true;
    agree->layout = *layout;
    agree->bytes = taken;
    agree->promised = agree->accepted = (struct ballot){0};
    buffer_deinit(&agree->next);
    forget_decoded(agree);
    end_proposal(agree);
    list_members(agree);
    return save(agree);
}

/* As above, for what was not proposed here. */
static enum status learn(struct agree *agree, struct layout *layout, struct bytes bytes,
                         uint64_t now_ms)
{
    enum status status = take_layout(agree, layout, bytes);
    if (status == STATUS_OK)
        agree->options.chosen(agree->options.context, now_ms);
    return status;
}

/* ---- proposing ------------------------------------------------------------------------------- */

/* What the majority has accepted here: tells all whom it concerns. */
static void finish(struct agree *agree, uint64_t now_ms)
{
    struct agree_message chosen = about_next(agree, agree->proposal.ballot);
    uint32_t old_count = agree->member_count;
    uint64_t *old = memory_alloc(old_count * sizeof(*old));
    struct layout layout;
    memcpy(old, agree->members, old_count * sizeof(*old));
    struct bytes value = buffer_bytes(&agree->proposal.value);
    check(decode_layout(agree, value, chosen.cluster, chosen.version, &layout) == STATUS_OK);
    if (take_layout(agree, &layout, value) == STATUS_OK) {
        for (uint32_t i = 0; i < old_count; i++)
            if (old[i] != agree->options.node)
                send(agree, old[i], AGREE_CHOSEN, &chosen);
        for (uint32_t i = 0, j = 0; i < agree->member_count; i++) {
            while (j < old_count && old[j] < agree->members[i])
                j++;
            if (j == old_count || old[j] != agree->members[i])
                send(agree, agree->members[i], AGREE_CHOSEN, &chosen);
        }
        agree->options.chosen(agree->options.context, now_ms);
    }
    memory_free(old);
}

static void send_accept(struct agree *agree, uint32_t member)
{
    struct agree_message message = about_next(agree, agree->proposal.ballot);
    message.layout = buffer_bytes(&agree->proposal.value);
    send(agree, agree->members[member], AGREE_ACCEPT, &message);
}

static void count_accepted(struct agree *agree, uint32_t member, uint64_t now_ms)
{
    struct proposal *proposal = &agree->proposal;
    proposal->accepted_count += !proposal->accepted[member];
    proposal->accepted[member] = true;
    if (is_majority(agree, proposal->accepted_count))
        finish(agree, now_ms);
}

/* A majority has promised: what may have been chosen already is proposed, or what is wanted. */
static void begin_accepting(struct agree *agree, uint64_t now_ms)
{
    struct proposal *proposal = &agree->proposal;
    uint32_t self = find_member(agree, agree->options.node);
    proposal->stage = ACCEPTING;
    if (proposal->best.round == 0)
        set_bytes(&proposal->value, buffer_bytes(&proposal->wanted));
    bool accepts = ballot_compare(agree->promised, proposal->ballot) == 0;
    if (accepts) {
        agree->accepted = proposal->ballot;
        set_bytes(&agree->next, buffer_bytes(&proposal->value));
        if (save(agree) != STATUS_OK)
            return;
    }
    for (uint32_t i = 0; i < agree->member_count; i++)
        if (proposal->promised[i] && i != self)
            send_accept(agree, i);
    if (accepts)
        count_accepted(agree, self, now_ms);
}

static void count_promised(struct agree *agree, uint32_t member, uint64_t now_ms)
{
    struct proposal *proposal = &agree->proposal;
    proposal->promised_count += !proposal->promised[member];
    proposal->promised[member] = true;
    if (is_majority(agree, proposal->promised_count))
        begin_accepting(agree, now_ms);
}

static uint64_t chance_ms(struct agree *agree)
{
    uint64_t tries = agree->proposal.tries; /* 0: it was just given another proposal */
    return random_below(&agree->random, AGREE_TRY_MS * (tries > 0 ? tries : 1));
}

static void begin_round(struct agree *agree, uint64_t now_ms)
{
    struct proposal *proposal = &agree->proposal;
    uint64_t round = agree->promised.round;
    round = (round > proposal->round_seen ? round : proposal->round_seen) + 1;
    if (proposal->tries == AGREE_TRIES_MAX || round > BALLOT_ROUND_MAX) {
        end_proposal(agree);
        return;
    }
    proposal->tries++;
    proposal->stage = PREPARING;
    proposal->ballot = (struct ballot){round, agree->options.node};
    proposal->retry_ms = now_ms + AGREE_TRY_MS + chance_ms(agree);
    memset(proposal->promised, 0, agree->member_count * sizeof(bool));
    memset(proposal->accepted, 0, agree->member_count * sizeof(bool));
    proposal->promised_count = proposal->accepted_count = 0;
    proposal->best = agree->accepted;
    set_bytes(&proposal->value, buffer_bytes(&agree->next));
    agree->promised = proposal->ballot;
    if (save(agree) != STATUS_OK)
        return;
    struct agree_message prepare = about_next(agree, proposal->ballot);
    uint32_t self = find_member(agree, agree->options.node);
    for (uint32_t i = 0; i < agree->member_count; i++)
        if (i != self)
            send(agree, agree->members[i], AGREE_PREPARE, &prepare);
    count_promised(agree, self, now_ms);
}

void agree_propose(struct agree *agree, const struct layout *next, uint64_t now_ms)
{
    struct proposal *proposal = &agree->proposal;
    check(agree->has_layout && next->cluster == agree->layout.cluster);
    check(next->version == agree->layout.version + 1);
    if (!is_member(agree) || agree->status != STATUS_OK)
        return;
    buffer_clear(&proposal->wanted, LAYOUT_SIZE_MAX);
    layout_encode(next, &proposal->wanted);
    proposal->tries = 0;
    if (proposal->stage != IDLE)
        return;
    proposal->promised = memory_zeroed(agree->member_count * sizeof(bool));
    proposal->accepted = memory_zeroed(agree->member_count * sizeof(bool));
    begin_round(agree, now_ms);
}

bool agree_is_proposing(const struct agree *agree)
{
    return agree->proposal.stage != IDLE;
}

void agree_tick(struct agree *agree, uint64_t now_ms)
{
    if (now_ms >= agree_deadline_ms(agree))
        begin_round(agree, now_ms);
}

uint64_t agree_deadline_ms(const struct agree *agree)
{
    bool waits = agree->proposal.stage != IDLE && agree->status == STATUS_OK;
    return waits ? agree->proposal.retry_ms : UINT64_MAX;
}

/* ---- messages of an acceptor ----------------------------------------------------------------- */

/* Whether this node has a part in that; else it says why not. */
static bool has_part(struct agree *agree, uint64_t from, const struct agree_message *message,
                     uint64_t now_ms)
{
    if (!agree->has_layout || message->cluster != agree->layout.cluster ||
        message->version != agree->layout.version + 1) {
        agree_heard_version(agree, from, message->cluster, message->version - 1, now_ms);
        return false;
    }
    return is_member(agree);
}

static void refuse(struct agree *agree, uint64_t to, struct ballot ballot)
{
    struct agree_message message = about_next(agree, ballot);
    message.other = agree->promised;
    send(agree, to, AGREE_REFUSED, &message);
}

static enum status on_prepare(struct agree *agree, uint64_t from,
                              const struct agree_message *message, uint64_t now_ms)
{
    if (message->ballot.node != from)
        return STATUS_CORRUPT;
    if (!has_part(agree, from, message, now_ms))
        return STATUS_OK;
    if (ballot_compare(message->ballot, agree->promised) < 0) {
        refuse(agree, from, message->ballot);
        return STATUS_OK;
    }
    agree->promised = message->ballot;
    enum status status = save(agree);
    struct agree_message answer = about_next(agree, message->ballot);
    answer.other = agree->accepted;
    answer.layout = buffer_bytes(&agree->next);
    send(agree, from, AGREE_PROMISED, &answer);
    return status;
}

static enum status on_accept(struct agree *agree, uint64_t from,
                             const struct agree_message *message, uint64_t now_ms)
{
    if (message->ballot.node != from)
        return STATUS_CORRUPT;
    if (!has_part(agree, from, message, now_ms))
        return STATUS_OK;
    if (ballot_compare(message->ballot, agree->promised) < 0) {
        refuse(agree, from, message->ballot);
        return STATUS_OK;
    }
    enum status status = check_layout(agree, message->layout, message->cluster, message->version);
    if (status != STATUS_OK)
        return status;
    agree->promised = agree->accepted = message->ballot;
    set_bytes(&agree->next, message->layout);
    status = save(agree);
    struct agree_message answer = about_next(agree, message->ballot);
    send(agree, from, AGREE_ACCEPTED, &answer);
    return status;
}

/* ---- messages of a proposer ------------------------------------------------------------------ */

/* The member that answers this node's try; their count: it is no answer to it. */
static uint32_t who_answers(const struct agree *agree, uint64_t from,
                            const struct agree_message *message)
{
    const struct proposal *proposal = &agree->proposal;
    if (proposal->stage == IDLE || proposal->stage == WAITING ||
        message->cluster != agree->layout.cluster ||
        message->version != agree->layout.version + 1 ||
        ballot_compare(message->ballot, proposal->ballot) != 0)
        return agree->member_count;
    return find_member(agree, from);
}

static enum status on_promised(struct agree *agree, uint64_t from,
                               const struct agree_message *message, uint64_t now_ms)
{
    struct proposal *proposal = &agree->proposal;
    uint32_t member = who_answers(agree, from, message);
    if ((message->other.round > 0) != (message->layout.size > 0) ||
        ballot_compare(message->other, message->ballot) >= 0)
        return STATUS_CORRUPT;
    if (member == agree->member_count || proposal->promised[member])
        return STATUS_OK;
    if (proposal->stage == ACCEPTING) { /* late: what is proposed is decided */
        proposal->promised[member] = true;
        send_accept(agree, member);
        return STATUS_OK;
    }
    if (ballot_compare(message->other, proposal->best) > 0) {
        enum status status =
            check_layout(agree, message->layout, message->cluster, message->version);
        if (status != STATUS_OK)
            return status;
        proposal->best = message->other;
        set_bytes(&proposal->value, message->layout);
    }
    count_promised(agree, member, now_ms);
    return agree->status;
}

static enum status on_accepted(struct agree *agree, uint64_t from,
                               const struct agree_message *message, uint64_t now_ms)
{
    uint32_t member = who_answers(agree, from, message);
    if (member < agree->member_count && agree->proposal.stage == ACCEPTING)
        count_accepted(agree, member, now_ms);
    return agree->status;
}

static enum status on_refused(struct agree *agree, uint64_t from,
                              const struct agree_message *message, uint64_t now_ms)
{
    struct proposal *proposal = &agree->proposal;
    if (ballot_compare(message->other, message->ballot) <= 0)
        return STATUS_CORRUPT;
    if (who_answers(agree, from, message) == agree->member_count)
        return STATUS_OK;
    if (message->other.round > proposal->round_seen)
        proposal->round_seen = message->other.round;
    proposal->stage = WAITING;
    proposal->retry_ms = now_ms + chance_ms(agree);
    return STATUS_OK;
}

/* ---- messages of layouts --------------------------------------------------------------------- */

/* Whether nobody counts on this node in its own cluster. */
static bool is_free(const struct agree *agree)
{
    return !agree->has_layout || !is_member(agree) || agree->member_count == 1;
}

static enum status on_chosen(struct agree *agree, uint64_t from,
                             const struct agree_message *message, uint64_t now_ms)
{
    struct layout layout;
    if (agree->has_layout && message->cluster != agree->layout.cluster) {
        if (is_free(agree)) /* it may have been taken in */
            ask_layout(agree, from, now_ms);
        return STATUS_OK;
    }
    if (!agree->has_layout || message->version != agree->layout.version + 1 ||
        ballot_compare(message->ballot, agree->accepted) != 0) {
        agree_heard_version(agree, from, message->cluster, message->version, now_ms);
        return STATUS_OK;
    }
    struct bytes bytes = buffer_bytes(&agree->next);
    check(decode_layout(agree, bytes, message->cluster, message->version, &layout) == STATUS_OK);
    return learn(agree, &layout, bytes, now_ms);
}

static enum status on_layout(struct agree *agree, const struct agree_message *message,
                             uint64_t now_ms)
{
    struct layout layout;
    bool is_ours = agree->has_layout && message->cluster == agree->layout.cluster;
    if (is_ours ? message->version <= agree->layout.version : !is_free(agree))
        return STATUS_OK;
    enum status status =
        decode_layout(agree, message->layout, message->cluster, message->version, &layout);
    if (status != STATUS_OK)
        return status;
    if (is_ours || layout_is_member(&layout, agree->options.node))
        return learn(agree, &layout, message->layout, now_ms);
    layout_deinit(&layout);
    return STATUS_OK;
}

static enum status on_ask(struct agree *agree, uint64_t from, const struct agree_message *message,
                          uint64_t now_ms)
{
    if (!agree->has_layout)
        return STATUS_OK;
    bool is_ours = message->cluster == agree->layout.cluster;
    if (is_ours ? message->version < agree->layout.version : layout_is_member(&agree->layout, from))
        say_layout(agree, from, now_ms);
    return STATUS_OK;
}

enum status agree_receive(struct agree *agree, uint64_t from, unsigned type, struct bytes payload,
                          uint64_t now_ms)
{
    struct agree_message message;
    if (agree->status != STATUS_OK)
        return agree->status;
    if (type < AGREE_PREPARE || type > AGREE_ASK) /* of a newer program */
        return STATUS_OK;
    if (!agree_message_decode(type, payload, &message))
        return STATUS_CORRUPT;
    switch ((enum agree_message_type)type) {
    case AGREE_PREPARE:
        return on_prepare(agree, from, &message, now_ms);
    case AGREE_PROMISED:
        return on_promised(agree, from, &message, now_ms);
    case AGREE_ACCEPT:
        return on_accept(agree, from, &message, now_ms);
    case AGREE_ACCEPTED:
        return on_accepted(agree, from, &message, now_ms);
    case AGREE_REFUSED:
        return on_refused(agree, from, &message, now_ms);
    case AGREE_CHOSEN:
        return on_chosen(agree, from, &message, now_ms);
    case AGREE_LAYOUT:
        return on_layout(agree, &message, now_ms);
    case AGREE_ASK:
        return on_ask(agree, from, &message, now_ms);
    }
    return STATUS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

enum status agree_open(const struct agree_options *options, struct bytes state, struct agree **out)
{
    struct agree *agree = memory_zeroed(sizeof(*agree));
    agree->options = *options;
    agree->random = (struct random){options->random};
    if (state.size > 0) {
        enum status status = load(agree, state);
        if (status != STATUS_OK) {
            agree_free(agree);
            return status;
        }
        list_members(agree);
    }
    *out = agree;
    return STATUS_OK;
}

void agree_free(struct agree *agree)
{
    if (agree == NULL)
        return;
    end_proposal(agree);
    forget_decoded(agree);
    layout_deinit(&agree->layout);
    buffer_deinit(&agree->bytes);
    buffer_deinit(&agree->next);
    buffer_deinit(&agree->scratch);
    memory_free(agree->members);
    memory_free(agree);
}

const struct layout *agree_layout(const struct agree *agree)
{
    return agree->has_layout ? &agree->layout : NULL;
}

static enum status take_copy(struct agree *agree, const struct layout *layout, uint64_t now_ms)
{
    struct layout copy;
    struct buffer bytes = {0};
    layout_copy(layout, &copy);
    layout_encode(layout, &bytes);
    enum status status = learn(agree, &copy, buffer_bytes(&bytes), now_ms);
    buffer_deinit(&bytes);
    return status;
}

enum status agree_found(struct agree *agree, const struct layout *first, uint64_t now_ms)
{
    check(!agree->has_layout && first->version == 1);
    return take_copy(agree, first, now_ms);
}

enum status agree_join(struct agree *agree, const struct layout *layout, uint64_t now_ms)
{
    check(is_free(agree));
    check(!agree->has_layout || agree->layout.cluster != layout->cluster);
    return take_copy(agree, layout, now_ms);
}
