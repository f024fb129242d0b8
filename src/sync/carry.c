/* SPDX-License-Identifier: MIT */
/*
 * Keys brought to one or several nodes that own them. First they are offered, with their digests:
 * whoever has a key as it is, durably, says so; the rows of those that somebody lacks are exported
 * fresh and pushed, part by part, and the next part goes out when all have acknowledged the last.
 * No rows are kept between the export and the sending.
 *
 *   OFFERING --all WANTED--> EXPORTING --rows--> PUSHING --all PUSHED--> EXPORTING ... done
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "sync/sync_state.h"

enum carry_state { CARRY_OFFERING, CARRY_EXPORTING, CARRY_PUSHING, CARRY_ENDED };

struct carry {
    struct list link;
    struct sync *sync;
    carry_done *done;
    void *context;
    enum carry_state state;
    bool succeeded;
    uint64_t targets[LAYOUT_OWNERS_MAX];
    unsigned count;
    uint16_t waiting; /* those that have not answered */
    uint16_t wanting; /* those that lack something */
    uint64_t number;
    uint64_t deadline_ms;
    struct buffer listed;
    uint32_t listed_count;
    bool *wanted;        /* of those listed */
    struct buffer heads; /* of these: names */
    uint32_t heads_count;
    struct export_place place;
    struct export *export;
};

void carry_cancel(struct carry *carry)
{
    if (carry == NULL)
        return;
    export_cancel(carry->export);
    list_remove(&carry->link);
    carry->sync->carry_count--;
    buffer_deinit(&carry->listed);
    buffer_deinit(&carry->heads);
    memory_free(carry->wanted);
    memory_free(carry);
}

/* `done` is called from carry_tick: whoever began this may be in the midst of something. */
static void carry_end(struct carry *carry, bool succeeded)
{
    carry->state = CARRY_ENDED;
    carry->succeeded = succeeded;
    carry->sync->carries_due = true;
}

static void carry_send(struct carry *carry, uint16_t to, unsigned type, struct bytes body)
{
    struct sync *sync = carry->sync;
    struct sync_message message = {.number = ++sync->number, .body = body};
    carry->number = message.number;
    carry->waiting = to;
    carry->deadline_ms = sync->now_ms + REQUEST_MS;
    for (unsigned i = 0; i < carry->count; i++)
        if ((to >> i & 1) != 0 && !sync_send(sync, carry->targets[i], type, message))
            carry_end(carry, false);
}

struct carry *carry_begin(struct sync *sync, const uint64_t *targets, unsigned count,
                          struct bytes listed, carry_done *done, void *context)
{
    uint64_t digest;
    struct bytes name, rest = listed;
    check(count > 0 && count <= LAYOUT_OWNERS_MAX);
    if (sync->carry_count >= CARRIES_MAX)
        return NULL;
    struct carry *carry = memory_zeroed(sizeof(*carry));
    carry->sync = sync;
    carry->done = done;
    carry->context = context;
    memcpy(carry->targets, targets, count * sizeof(*targets));
    carry->count = count;
    buffer_append_bytes(&carry->listed, listed);
    while (sync_next_listed(&rest, &digest, &name))
        carry->listed_count++;
    carry->wanted = memory_zeroed(carry->listed_count * sizeof(*carry->wanted));
    list_append(&sync->carries, &carry->link);
    sync->carry_count++;
    carry->state = CARRY_OFFERING;
    carry_send(carry, (uint16_t)((1u << count) - 1), SYNC_OFFER, listed);
    return carry;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void carry_export(struct carry *carry);

/* Those that were passed leave the list. */
static void go_on(struct carry *carry, struct export_place next)
{
    struct bytes rest = buffer_bytes(&carry->heads), name;
    size_t before = rest.size;
    for (uint32_t i = 0; i < next.key; i++)
        check(sync_next_name(&rest, &name));
    buffer_consume(&carry->heads, before - rest.size);
    carry->heads_count -= next.key;
    carry->place = next;
    carry->place.key = 0;
}

static void carry_exported(void *context, enum status status, struct bytes rows,
                           struct export_place next)
{
    struct carry *carry = context;
    carry->export = NULL;
    if (status != STATUS_OK) {
        carry_end(carry, false);
        return;
    }
    carry->sync->stats.keys_sent += next.key;
    go_on(carry, next);
    carry->state = CARRY_PUSHING;
    carry_send(carry, carry->wanting, SYNC_PUSH, rows);
    if (MUTANT(hint_dropped_before_acknowledgement))
        carry_end(carry, true);
}

static void carry_export(struct carry *carry)
{
    struct sync *sync = carry->sync;
    if (carry->heads_count == 0) {
        carry_end(carry, true);
        return;
    }
    carry->state = CARRY_EXPORTING;
    struct export *export =
        export_rows(sync->options.store, buffer_bytes(&carry->heads), carry->place, ROWS_BYTES_MAX,
                    sync->now_ms, carry_exported, carry);
    if (carry->state == CARRY_EXPORTING)
        carry->export = export;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool take_wanted(struct carry *carry, unsigned target, struct bytes indices)
{
    uint32_t index;
    if (indices.size > 0)
        carry->wanting |= (uint16_t)(1u << target);
    while (sync_next_index(&indices, &index)) {
        if (index >= carry->listed_count)
            return false;
        carry->wanted[index] = true;
    }
    return true;
}

static void all_answered(struct carry *carry)
{
    struct bytes rest = buffer_bytes(&carry->listed), name;
    uint64_t digest;
    if (carry->state == CARRY_OFFERING)
        for (uint32_t i = 0; sync_next_listed(&rest, &digest, &name); i++)
            if (carry->wanted[i]) {
                sync_add_name(&carry->heads, name);
                carry->heads_count++;
            }
    carry_export(carry);
}

static void heard(struct carry *carry, unsigned target, unsigned type,
                  const struct sync_message *message)
{
    bool offering = carry->state == CARRY_OFFERING;
    if (type != (offering ? SYNC_WANTED : SYNC_PUSHED))
        return;
    if (message->flags & SYNC_REFUSED || !take_wanted(carry, target, message->body)) {
        carry_end(carry, false);
        return;
    }
    carry->waiting &= (uint16_t) ~(1u << target);
    if (carry->waiting == 0)
        all_answered(carry);
}

void carry_heard(struct sync *sync, uint64_t from, unsigned type,
                 const struct sync_message *message)
{
    for (struct list *at = sync->carries.next; at != &sync->carries; at = at->next) {
        struct carry *carry = list_entry(at, struct carry, link);
        if (carry->number != message->number ||
            (carry->state != CARRY_OFFERING && carry->state != CARRY_PUSHING))
            continue;
        for (unsigned i = 0; i < carry->count; i++)
            if (carry->targets[i] == from && (carry->waiting >> i & 1) != 0) {
                heard(carry, i, type, message);
                return;
            }
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

void carry_drop_node(struct sync *sync, uint64_t node)
{
    for (struct list *at = sync->carries.next; at != &sync->carries; at = at->next) {
        struct carry *carry = list_entry(at, struct carry, link);
        for (unsigned i = 0; i < carry->count; i++)
            if (carry->targets[i] == node && carry->state != CARRY_ENDED)
                carry_end(carry, false);
    }
}

void carry_tick(struct sync *sync)
{
    sync->carries_due = false;
    for (struct list *at = sync->carries.next, *next; at != &sync->carries; at = next) {
        struct carry *carry = list_entry(at, struct carry, link);
        next = at->next;
        bool asks = carry->state == CARRY_OFFERING || carry->state == CARRY_PUSHING;
        if (asks && sync->now_ms >= carry->deadline_ms)
            carry_end(carry, false);
        if (carry->state != CARRY_ENDED)
            continue;
        carry_done *done = carry->done;
        void *context = carry->context;
        bool succeeded = carry->succeeded;
        export_cancel(carry->export);
        carry->export = NULL;
        carry_cancel(carry);
        done(context, succeeded);
    }
}
