/* SPDX-License-Identifier: MIT */
/*
 * What became of a request whose coordinator is gone. All owners of the slot are asked. As soon as
 * one knows it, its rows are seen to be with W of them: those who know it durably have them, and
 * the others are sent them, taken from one who knows.
 */
#include "base/check.h"
#include "base/memory.h"
#include "quorum/quorum_state.h"

enum {
    PAGE_PATIENCE = 4
}; /* a source that is silent for this part of the time there is, is lost */

enum owner_state { OWNER_ASKED, OWNER_LOST, OWNER_UNKNOWING, OWNER_KNOWS, OWNER_HAS };

struct owner {
    struct asking *asking;
    uint64_t node;
    enum owner_state state;
    bool is_old, is_new; /* in the ring, in the ring to come */
    bool tried;          /* its rows were asked for */
    bool wants;          /* is being sent them */
    bool is_waited_for;  /* has not said yet that it has the page under way */
    struct quorum_write write;
    struct import *import; /* into this node */
    bool is_stored;
    uint64_t gate;
};

struct asking {
    struct list link;
    struct quorum *quorum;
    struct quorum_outcome *outcome;
    uint64_t number, deadline_ms, retry_ms;
    enum status status;
    bool known;
    struct buffer reply, heads;
    size_t head_count;
    unsigned owner_count;
    struct owner owners[ACKS_PLACES_MAX];
    struct owner *source; /* whom the rows are taken from; NULL: nobody now */
    struct export *export;
    struct export_place place, next;
    uint64_t asked_ms; /* for the page under way */
};

/* ---- life ------------------------------------------------------------------------------------ */

/* Nobody gives rows to anybody any more. What is on its way is not heard of again: whoever is given
 * them anew has a write of its own. */
static void end_spreading(struct asking *asking)
{
    for (unsigned i = 0; i < asking->owner_count; i++) {
        struct owner *owner = &asking->owners[i];
        if (owner->write.state)
            quorum_write_forget(asking->quorum, &owner->write);
        import_cancel(owner->import);
        owner->import = NULL;
        owner->is_stored = owner->is_stored && !owner->wants;
        owner->wants = owner->is_waited_for = false;
    }
    export_cancel(asking->export);
    asking->export = NULL;
    asking->source = NULL;
}

/* Nothing comes to it any more of what it waits for. */
static void stop(struct asking *asking)
{
    end_spreading(asking);
    asking->owner_count = 0;
}

static void asking_free(struct asking *asking)
{
    stop(asking);
    list_remove(&asking->link);
    buffer_deinit(&asking->reply);
    buffer_deinit(&asking->heads);
    memory_free(asking);
}

static void finish(struct asking *asking, enum status status)
{
    asking->status = status;
    list_remove(&asking->link);
    list_append(&asking->quorum->outcomes_found, &asking->link);
}

void quorum_outcome_cancel(struct quorum *quorum, struct quorum_outcome *outcome)
{
    (void)quorum;
    if (outcome->state)
        asking_free(outcome->state);
    outcome->state = NULL;
}

void outcomes_asked_deinit(struct quorum *quorum)
{
    struct list *lists[] = {&quorum->outcomes_asked, &quorum->outcomes_found};
    for (int i = 0; i < 2; i++)
        while (!list_is_empty(lists[i]))
            asking_free(list_entry(lists[i]->next, struct asking, link));
}

void outcomes_finish(struct quorum *quorum)
{
    struct list found;
    list_init(&found);
    list_splice(&found, &quorum->outcomes_found);
    while (!list_is_empty(&found)) {
        struct asking *asking = list_entry(found.next, struct asking, link);
        struct quorum_outcome *outcome = asking->outcome;
        outcome->state = NULL;
        list_remove(&asking->link);
        outcome->done(outcome, asking->status, buffer_bytes(&asking->reply));
        asking_free(asking);
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

static struct owner *owner_of(struct asking *asking, uint64_t node)
{
    for (unsigned i = 0; i < asking->owner_count; i++)
        if (asking->owners[i].node == node)
            return &asking->owners[i];
    return NULL;
}

static void step(struct asking *asking);

static void take(struct asking *asking, struct owner *owner, const struct quorum_outcome_is *is)
{
    owner->state = is->known == OUTCOME_UNKNOWN   ? OWNER_UNKNOWING
                   : is->known == OUTCOME_DURABLE ? OWNER_HAS
                                                  : OWNER_KNOWS;
    if (is->known == OUTCOME_UNKNOWN)
        return;
    if (buffer_size(&asking->reply) == 0)
        buffer_append_bytes(&asking->reply, is->reply);
    if (buffer_size(&asking->heads) == 0) {
        buffer_append_bytes(&asking->heads, is->heads);
        asking->head_count = quorum_count_heads(is->heads);
    }
    asking->known = true;
}

/* That this node has the rows is not to count yet (lease.h). */
static bool own_copy_waits(struct asking *asking)
{
    struct quorum *quorum = asking->quorum;
    struct lease_firsts firsts = {0};
    lease_add_first(quorum, &firsts, asking->outcome->slot, quorum->options.node);
    uint64_t until_ms = lease_until_ms(quorum, &firsts);
    if (!lease_forbids(quorum, &firsts)) {
        lease_count(quorum, &firsts);
        return false;
    }
    if (until_ms < asking->retry_ms)
        asking->retry_ms = until_ms;
    return true;
}

static void ask(struct asking *asking, struct owner *owner)
{
    struct quorum *quorum = asking->quorum;
    if (owner->node == quorum->options.node) {
        struct buffer heads = {0};
        struct quorum_outcome_is is = {0};
        is.reply = is.heads = BYTES("");
        if (own_copy_waits(asking))
            return; /* it is lost until then, and asked again */
        outcomes_look_up(quorum, asking->outcome->id, &is, &heads, quorum->now_ms);
        take(asking, owner, &is);
        buffer_deinit(&heads);
        return;
    }
    struct quorum_ask head = {quorum->layout->cluster, quorum->layout->version, asking->number};
    struct buffer out = {0};
    quorum_encode_outcome(&out, &head, asking->outcome->id, asking->outcome->slot);
    bool sent =
        outbox_send(&quorum->options.outbox, owner->node, QUORUM_OUTCOME, buffer_bytes(&out));
    owner->state = sent ? OWNER_ASKED : OWNER_LOST;
    buffer_deinit(&out);
}

static void add_owners(struct asking *asking, const uint64_t *nodes, unsigned count, bool is_new)
{
    for (unsigned i = 0; i < count; i++) {
        struct owner *owner = owner_of(asking, nodes[i]);
        if (!owner) {
            owner = &asking->owners[asking->owner_count++];
            *owner = (struct owner){.asking = asking, .node = nodes[i], .state = OWNER_LOST};
        }
        owner->is_new = owner->is_new || is_new;
        owner->is_old = owner->is_old || !is_new;
    }
}

static void ask_owners(struct asking *asking)
{
    struct quorum *quorum = asking->quorum;
    struct placement placement;
    layout_placement(quorum->layout, asking->outcome->slot, &placement);
    asking->number = quorum->number++;
    add_owners(asking, placement.old, placement.old_count, false);
    add_owners(asking, placement.new, placement.new_count, true);
    for (unsigned i = 0; i < asking->owner_count; i++)
        if (quorum_is_up(quorum, asking->owners[i].node))
            ask(asking, &asking->owners[i]);
        else if (asking->owners[i].node == asking->outcome->dead)
            asking->owners[i].state = OWNER_UNKNOWING;
    step(asking);
}

void quorum_ask_outcome(struct quorum *quorum, struct quorum_outcome *outcome, uint64_t now_ms)
{
    struct asking *asking = memory_zeroed(sizeof(*asking));
    asking->quorum = quorum;
    asking->outcome = outcome;
    asking->deadline_ms = now_ms + quorum->options.timeout_ms;
    asking->retry_ms = now_ms + QUORUM_RETRY_MS;
    quorum->now_ms = now_ms;
    outcome->state = asking;
    list_init(&outcome->link);
    list_append(&quorum->outcomes_asked, &asking->link);
    quorum_wake(quorum, asking->retry_ms);
    ask_owners(asking);
}

/* The owners are others: who has the rows is asked anew. */
void outcomes_restart(struct quorum *quorum, uint64_t now_ms)
{
    quorum->now_ms = now_ms;
    for (struct list *link = quorum->outcomes_asked.next, *next; link != &quorum->outcomes_asked;
         link = next) {
        struct asking *asking = list_entry(link, struct asking, link);
        next = link->next;
        stop(asking);
        ask_owners(asking);
    }
}

static bool has_rows(const struct asking *asking)
{
    bool has = asking->source != NULL;
    for (unsigned i = 0; i < asking->owner_count; i++)
        has = has || asking->owners[i].write.state || asking->owners[i].import;
    return has;
}

bool outcomes_ended(const struct quorum *quorum, uint64_t mark)
{
    const struct list *link = quorum->outcomes_asked.next;
    for (; link != &quorum->outcomes_asked; link = link->next) {
        const struct asking *asking = list_entry(link, struct asking, link);
        if (asking->number < mark && has_rows(asking))
            return false;
    }
    return true;
}

/* ---- seeing to W ----------------------------------------------------------------------------- */

static unsigned count(const struct asking *asking, enum owner_state state, bool is_new)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < asking->owner_count; i++)
        sum += (is_new ? asking->owners[i].is_new : asking->owners[i].is_old) &&
               asking->owners[i].state == state;
    return sum;
}

static unsigned owners(const struct asking *asking, bool is_new)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < asking->owner_count; i++)
        sum += is_new ? asking->owners[i].is_new : asking->owners[i].is_old;
    return sum;
}

/* W of those of the ring, or of the ring to come, have its rows. */
static bool is_written(const struct asking *asking, bool is_new)
{
    unsigned level = asking->quorum->options.write_quorum;
    return count(asking, OWNER_HAS, is_new) >= acks_needed(level, owners(asking, is_new));
}

/* So many do not know it that it was not acknowledged by W. */
static bool is_unknown(const struct asking *asking)
{
    unsigned level = asking->quorum->options.write_quorum, all = owners(asking, false);
    return count(asking, OWNER_UNKNOWING, false) >= all - acks_needed(level, all) + 1;
}

/* ---- rows from one to the others ------------------------------------------------------------- */

/* This source gives no rows. */
static void lose_source(struct asking *asking)
{
    end_spreading(asking);
    step(asking);
}

static void page_read(void *context, enum status status, struct bytes rows,
                      struct export_place next);

static void ask_page(struct asking *asking)
{
    struct quorum *quorum = asking->quorum;
    struct bytes heads = buffer_bytes(&asking->heads);
    asking->asked_ms = quorum->now_ms;
    if (asking->source->node == quorum->options.node) {
        struct export *export =
            export_rows(quorum->options.store, heads, asking->place, QUORUM_MESSAGE_BYTES,
                        quorum->now_ms, page_read, asking);
        if (export)
            asking->export = export;
        return;
    }
    struct quorum_ask head = {quorum->layout->cluster, quorum->layout->version, asking->number};
    struct buffer out = {0};
    quorum_encode_key_rows(&out, &head, asking->place, heads);
    outbox_send(&quorum->options.outbox, asking->source->node, QUORUM_KEY_ROWS, buffer_bytes(&out));
    buffer_deinit(&out);
}

static bool waits_for_page(const struct asking *asking)
{
    for (unsigned i = 0; i < asking->owner_count; i++)
        if (asking->owners[i].is_waited_for)
            return true;
    return false;
}

/* All who want the page have it, or are out of it. */
static void page_through(struct asking *asking)
{
    if (waits_for_page(asking))
        return;
    asking->place = asking->next;
    if (asking->place.key < asking->head_count) {
        ask_page(asking);
        return;
    }
    for (unsigned i = 0; i < asking->owner_count; i++) {
        struct owner *owner = &asking->owners[i];
        if (owner->wants)
            owner->state = owner->node == asking->quorum->options.node ? OWNER_KNOWS : OWNER_HAS;
        owner->wants = false;
    }
    asking->source = NULL;
    step(asking);
}

static void page_with(struct owner *owner, enum status status)
{
    owner->is_waited_for = false;
    owner->wants = owner->wants && status == STATUS_OK;
    page_through(owner->asking);
}

static void page_acknowledged(struct quorum_write *write, enum status status)
{
    page_with(write->context, status);
}

static void page_stored(void *context, enum status status, uint64_t gate)
{
    struct owner *owner = context;
    owner->import = NULL;
    owner->gate = gate;
    owner->is_stored = true;
    page_with(owner, status);
}

static void page_read(void *context, enum status status, struct bytes rows,
                      struct export_place next)
{
    struct asking *asking = context;
    struct quorum *quorum = asking->quorum;
    asking->export = NULL;
    if (status != STATUS_OK || next.key > asking->head_count ||
        (next.key == asking->place.key && next.base == asking->place.base &&
         next.chunk <= asking->place.chunk)) {
        lose_source(asking);
        return;
    }
    asking->next = next;
    struct owner *self = NULL;
    for (unsigned i = 0; i < asking->owner_count; i++) {
        struct owner *owner = &asking->owners[i];
        owner->is_waited_for = owner->wants && rows.size > 0;
        if (owner->is_waited_for && owner->node == quorum->options.node) {
            self = owner;
        } else if (owner->is_waited_for) {
            owner->write = (struct quorum_write){.done = page_acknowledged, .context = owner};
            write_to_node(quorum, rows, owner->node, asking->number, &owner->write, quorum->now_ms);
        }
    }
    if (!self) {
        page_through(asking);
        return;
    }
    struct import *import =
        import_rows(quorum->options.store, rows, quorum->now_ms, page_stored, self);
    if (import)
        self->import = import;
}

static struct owner *find_source(struct asking *asking)
{
    for (unsigned i = 0; i < asking->owner_count; i++) {
        struct owner *owner = &asking->owners[i];
        if ((owner->state == OWNER_HAS || owner->state == OWNER_KNOWS) && !owner->tried)
            return owner;
    }
    return NULL;
}

/* Gives the rows to all owners that do not know of them and can be reached. */
static void spread(struct asking *asking)
{
    struct owner *source = find_source(asking);
    unsigned count_wants = 0;
    /* Where slots are claimed: who coordinates now may not know of it, so that it does not count
     * unless it did before. */
    if (!source || asking->head_count == 0 || claim_term(asking->quorum) != 0)
        return;
    for (unsigned i = 0; i < asking->owner_count; i++) {
        struct owner *owner = &asking->owners[i];
        owner->wants = (owner->state == OWNER_UNKNOWING || owner->state == OWNER_LOST) &&
                       quorum_is_up(asking->quorum, owner->node);
        count_wants += owner->wants;
    }
    if (count_wants == 0)
        return;
    source->tried = true;
    asking->source = source;
    asking->number = asking->quorum->number++; /* pages asked for before are none of these */
    asking->place = (struct export_place){0};
    ask_page(asking);
}

static bool all_answered(const struct asking *asking)
{
    for (unsigned i = 0; i < asking->owner_count; i++)
        if (asking->owners[i].state == OWNER_ASKED)
            return false;
    return true;
}

static void step(struct asking *asking)
{
    if (asking->source)
        return;
    if (asking->known && is_written(asking, false) && is_written(asking, true))
        finish(asking, STATUS_OK);
    else if (asking->known && all_answered(asking))
        spread(asking);
    else if (!asking->known && is_unknown(asking))
        finish(asking, STATUS_ABSENT);
}

/* ---- events ---------------------------------------------------------------------------------- */

static struct asking *find_asking(struct quorum *quorum, uint64_t number)
{
    struct list *link = quorum->outcomes_asked.next;
    for (; link != &quorum->outcomes_asked; link = link->next)
        if (list_entry(link, struct asking, link)->number == number)
            return list_entry(link, struct asking, link);
    return NULL;
}

void outcomes_answered(struct quorum *quorum, struct peer *peer, const struct quorum_outcome_is *is,
                       uint64_t now_ms)
{
    struct asking *asking = find_asking(quorum, is->number);
    struct owner *owner = asking ? owner_of(asking, peer->node) : NULL;
    (void)now_ms;
    if (!owner || owner->state == OWNER_HAS || owner->wants)
        return;
    take(asking, owner, is);
    step(asking);
}

bool outcomes_rows(struct quorum *quorum, struct peer *peer, const struct quorum_key_rows_are *are,
                   uint64_t now_ms)
{
    struct asking *asking = find_asking(quorum, are->number);
    (void)now_ms;
    if (!asking)
        return false;
    if (asking->source && asking->source->node == peer->node && !waits_for_page(asking))
        page_read(asking, are->failed ? STATUS_IO : STATUS_OK, are->rows, are->next);
    return true;
}

/* `number` 0: in all that was asked. */
void outcomes_lost(struct quorum *quorum, uint64_t node, uint64_t number, uint64_t now_ms)
{
    (void)now_ms;
    for (struct list *link = quorum->outcomes_asked.next, *next; link != &quorum->outcomes_asked;
         link = next) {
        struct asking *asking = list_entry(link, struct asking, link);
        struct owner *owner = owner_of(asking, node);
        next = link->next;
        if (!owner || (number != 0 && asking->number != number))
            continue;
        if (owner->state == OWNER_ASKED)
            owner->state = OWNER_LOST;
        if (asking->source == owner)
            lose_source(asking);
        else
            step(asking);
    }
}

/* Who could not be reached is asked again, and who may know more by now. */
static void ask_again(struct asking *asking)
{
    struct quorum *quorum = asking->quorum;
    for (unsigned i = 0; i < asking->owner_count; i++) {
        struct owner *owner = &asking->owners[i];
        if (owner->wants || !quorum_is_up(quorum, owner->node))
            continue;
        bool is_own_copy = owner->node == quorum->options.node && owner->is_stored;
        if (is_own_copy && owner->state == OWNER_KNOWS)
            owner->state =
                store_gate_passed(quorum->options.store, owner->gate) && !own_copy_waits(asking)
                    ? OWNER_HAS
                    : OWNER_KNOWS;
        else if (owner->state == OWNER_LOST || owner->state == OWNER_KNOWS)
            ask(asking, owner);
        owner->tried = owner->tried && asking->source != NULL;
    }
}

void outcomes_tick(struct quorum *quorum, uint64_t now_ms)
{
    for (struct list *link = quorum->outcomes_asked.next, *next; link != &quorum->outcomes_asked;
         link = next) {
        struct asking *asking = list_entry(link, struct asking, link);
        next = link->next;
        if (now_ms >= asking->deadline_ms) {
            finish(asking, STATUS_INVALID);
            continue;
        }
        if (now_ms >= asking->retry_ms) {
            asking->retry_ms = now_ms + QUORUM_RETRY_MS;
            if (asking->source && !waits_for_page(asking) && !asking->export &&
                now_ms >= asking->asked_ms + quorum->options.timeout_ms / PAGE_PATIENCE)
                end_spreading(asking);
            ask_again(asking);
            step(asking);
        }
        quorum_wake(quorum, asking->retry_ms);
    }
}
