/* SPDX-License-Identifier: MIT */
#include "quorum/claim.h"

#include "base/mutant.h"
#include "quorum/quorum_state.h"
#include "row/row_list.h"

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

unsigned claim_needed(const struct quorum *quorum, unsigned owners)
{
    const struct quorum_options *options = &quorum->options;
    unsigned read = acks_needed(options->read_quorum, owners);
    unsigned write = acks_needed(options->write_quorum, owners);
    if (options->sloppy || owners < 2 || read + write <= owners || MUTANT(nobody_claims))
        return 0;
    return (unsigned)greater(owners / 2, owners - (read < write ? read : write)) + 1;
}

/* ---- who claims ------------------------------------------------------------------------------ */

uint64_t claim_term(const struct quorum *quorum)
{
    bool claims = claim_needed(quorum, quorum->layout->ring.copies) > 0;
    return claims ? quorum->options.floor + 1 + quorum->raised : 0;
}

bool claim_holds(const struct quorum *quorum, uint16_t slot)
{
    uint64_t term = claim_term(quorum);
    const struct grant *grant = &quorum->grants[slot];
    return term == 0 || (quorum->claimed[slot] == term && grant->term == term &&
                         grant->node == quorum->options.node);
}

bool quorum_is_exclusive(const struct quorum *quorum)
{
    return quorum->layout && claim_term(quorum) != 0;
}

uint64_t quorum_claims(const struct quorum *quorum)
{
    return quorum->claims;
}

static void forget_others(struct grant *grant)
{
    memset(grant->others, 0, sizeof(grant->others));
}

static void raise_above(struct quorum *quorum, uint64_t term)
{
    if (claim_term(quorum) == 0)
        return;
    term = greater(greater(term, claim_term(quorum)), quorum->now_ms);
    quorum->raised = term - quorum->options.floor;
    quorum->claims++;
    verifications_restart(quorum, quorum->now_ms);
}

void claim_lost(struct quorum *quorum, uint64_t term)
{
    if (term >= claim_term(quorum))
        raise_above(quorum, term);
}

void claims_begin_anew(struct quorum *quorum)
{
    raise_above(quorum, 0);
}

void quorum_stood_still(struct quorum *quorum, uint64_t gone_ms, uint64_t now_ms)
{
    quorum->now_ms = now_ms;
    if (gone_ms >= CLAIM_STALL_MS && quorum_is_exclusive(quorum))
        claims_begin_anew(quorum);
}

/* The name's slot, or SLOT_COUNT: it is none. */
static unsigned slot_of_name(struct bytes name)
{
    return name.size < ROW_KEY_CLEARED_SIZE ? SLOT_COUNT : row_key_slot(name);
}

void claim_begin(struct quorum *quorum, struct bytes heads)
{
    struct bytes rest = heads, name;
    while (rest.size > 0 && quorum_next_head(&rest, &name)) {
        const struct grant *grant = &quorum->grants[row_key_slot(name)];
        if (grant->node != quorum->options.node && grant->term >= claim_term(quorum))
            raise_above(quorum, grant->term);
    }
    uint16_t slot;
    (void)claim_grants(quorum, quorum->options.node, claim_term(quorum), heads, &slot);
}

void claim_won(struct quorum *quorum, struct bytes heads, uint64_t begun_ms)
{
    const struct quorum_options *options = &quorum->options;
    uint64_t term = claim_term(quorum);
    struct bytes name;
    while (heads.size > 0 && quorum_next_head(&heads, &name)) {
        uint16_t slot = row_key_slot(name);
        if (quorum->claimed[slot] == term)
            continue;
        quorum->claimed[slot] = term;
        if (quorum->grants[slot].node == options->node)
            forget_others(&quorum->grants[slot]);
        if (!MUTANT(dated_by_the_clock_alone))
            store_date_from(options->store, greater(term, begun_ms) + CLAIM_AHEAD_MS,
                            CLAIM_AHEAD_MS / 2);
        /* Of its other keys this node does not know yet what others have written. */
        options->other_coordinator(options->context, slot);
    }
}

/* ---- who grants ------------------------------------------------------------------------------ */

static bool is_above(const struct quorum *quorum, const struct grant *grant, uint64_t node,
                     uint64_t term)
{
    if (grant->node == 0)
        return term > quorum->options.floor || MUTANT(grants_forgotten);
    return term > grant->term || (term == grant->term && node == grant->node);
}

/* Of those before it the new one itself is none. */
static void remember_holder(struct grant *grant, uint64_t node)
{
    unsigned last = 0;
    while (last < GRANT_OTHERS - 1 && grant->others[last] != node && grant->others[last] != 0)
        last++;
    for (; last > 0; last--)
        grant->others[last] = grant->others[last - 1];
    grant->others[0] = grant->node;
}

static void take_over(struct quorum *quorum, struct grant *grant, uint64_t node, uint64_t term)
{
    if (grant->node != node) {
        quorum->claims += grant->node == quorum->options.node;
        quorum->handed_over += grant->node != 0;
        grant->since = term;
        remember_holder(grant, node);
    }
    grant->node = node;
    grant->term = term;
}

bool claim_grants(struct quorum *quorum, uint64_t node, uint64_t term, struct bytes heads,
                  uint16_t *out_slot)
{
    struct bytes rest = heads, name;
    if (term == 0 || quorum->options.sloppy)
        return true;
    while (rest.size > 0 && quorum_next_head(&rest, &name)) {
        unsigned slot = slot_of_name(name);
        if (slot >= SLOT_COUNT || is_above(quorum, &quorum->grants[slot], node, term))
            continue;
        *out_slot = (uint16_t)slot;
        return false;
    }
    while (heads.size > 0 && quorum_next_head(&heads, &name)) {
        unsigned slot = slot_of_name(name);
        if (slot < SLOT_COUNT)
            take_over(quorum, &quorum->grants[slot], node, term);
    }
    return true;
}

static unsigned add_holder(const struct quorum *quorum, uint64_t claimant, uint64_t node,
                           uint64_t *nodes, unsigned count)
{
    unsigned at = 0;
    if (node == 0 || node == claimant || node == quorum->options.node)
        return count;
    while (at < count && nodes[at] != node)
        at++;
    if (at == count && count < RING_COPIES_MAX)
        nodes[count++] = node;
    return count;
}

unsigned claim_holders(const struct quorum *quorum, uint64_t claimant, struct bytes heads,
                       uint64_t out_nodes[RING_COPIES_MAX])
{
    struct bytes name;
    unsigned count = 0;
    while (heads.size > 0 && quorum_next_head(&heads, &name)) {
        unsigned slot = slot_of_name(name);
        if (slot >= SLOT_COUNT)
            continue;
        const struct grant *grant = &quorum->grants[slot];
        count = add_holder(quorum, claimant, grant->node, out_nodes, count);
        for (int i = 0; i < GRANT_OTHERS; i++)
            count = add_holder(quorum, claimant, grant->others[i], out_nodes, count);
    }
    return MUTANT(holder_not_asked) ? 0 : count;
}

/* Whoever is granted the slots from now on is to be another one than whose rows are taken. */
static void adopt(struct quorum *quorum, uint64_t node, uint64_t term, struct bytes rows)
{
    struct bytes name, row;
    while (row_list_next(&rows, &name, &row)) {
        unsigned slot = slot_of_name(name);
        struct grant *grant = slot < SLOT_COUNT ? &quorum->grants[slot] : NULL;
        if (grant && is_above(quorum, grant, node, term))
            take_over(quorum, grant, node, term);
        if (grant)
            forget_others(grant); /* who sends rows has asked them */
    }
}

bool claim_allows(struct quorum *quorum, uint64_t node, uint64_t term, struct bytes rows,
                  uint16_t *out_slot)
{
    struct bytes rest = rows, name, row;
    unsigned last = SLOT_COUNT;
    bool is_new = false;
    if (term == 0 || quorum->options.sloppy || MUTANT(older_terms_acknowledged))
        return true;
    while (row_list_next(&rest, &name, &row)) {
        unsigned slot = slot_of_name(name);
        if (slot >= SLOT_COUNT || slot == last)
            continue;
        last = slot;
        const struct grant *grant = &quorum->grants[slot];
        bool is_granted = grant->node == node && term >= grant->since;
        is_new = is_new || !is_granted || grant->others[0] != 0;
        if (is_granted || is_above(quorum, grant, node, term))
            continue;
        *out_slot = (uint16_t)slot;
        return false;
    }
    if (is_new)
        adopt(quorum, node, term, rows);
    return true;
}

void claim_refuse(struct quorum *quorum, uint64_t to, unsigned type, uint64_t number, uint16_t slot)
{
    const struct layout *layout = quorum->layout;
    const struct grant *grant = &quorum->grants[slot];
    struct quorum_refused refused = {{layout->cluster, layout->version, number},
                                     type,
                                     grant->node ? grant->term : quorum->options.floor};
    struct buffer out = {0};
    quorum_encode_refused(&out, &refused);
    outbox_send(&quorum->options.outbox, to, QUORUM_REFUSED, buffer_bytes(&out));
    buffer_deinit(&out);
    quorum->stats.refused_terms++;
}
