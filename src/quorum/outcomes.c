/* SPDX-License-Identifier: MIT */
#include "quorum/outcomes.h"

#include "base/memory.h"
#include "base/mutant.h"

enum { FIRST_BUCKETS = 64 };

void outcomes_init(struct outcomes *outcomes, size_t bytes_max)
{
    *outcomes = (struct outcomes){.bytes_max = bytes_max, .bucket_count = FIRST_BUCKETS};
    list_init(&outcomes->by_age);
    list_init(&outcomes->kept);
    outcomes->buckets = memory_zeroed(FIRST_BUCKETS * sizeof(struct outcome_record *));
}

void outcomes_deinit(struct outcomes *outcomes)
{
    struct list *lists[] = {&outcomes->by_age, &outcomes->kept};
    for (int i = 0; i < 2; i++)
        while (!list_is_empty(lists[i])) {
            struct list *link = lists[i]->next;
            list_remove(link);
            memory_free(list_entry(link, struct outcome_record, link));
        }
    memory_free(outcomes->buckets);
}

static struct outcome_record **bucket_of(const struct outcomes *outcomes, struct request_id id)
{
    uint64_t hash = (id.number ^ id.origin << 20) * 0x9e3779b97f4a7c15u;
    return &outcomes->buckets[hash >> 32 & (outcomes->bucket_count - 1)];
}

static size_t record_size(const struct outcome_record *record)
{
    return sizeof(*record) + record->reply_size + record->heads_size + record->dots_size;
}

static void forget(struct outcomes *outcomes, struct outcome_record *record)
{
    struct outcome_record **at = bucket_of(outcomes, record->id);
    while (*at != record)
        at = &(*at)->chain;
    *at = record->chain;
    list_remove(&record->link);
    outcomes->count--;
    outcomes->bytes -= record_size(record);
    outcomes->kept_bytes -= record->is_kept ? record_size(record) : 0;
    memory_free(record);
}

static void grow(struct outcomes *outcomes)
{
    memory_free(outcomes->buckets);
    outcomes->bucket_count *= 2;
    outcomes->buckets = memory_zeroed(outcomes->bucket_count * sizeof(struct outcome_record *));
    const struct list *lists[] = {&outcomes->kept, &outcomes->by_age};
    for (int i = 0; i < 2; i++)
        for (struct list *link = lists[i]->next; link != lists[i]; link = link->next) {
            struct outcome_record *record = list_entry(link, struct outcome_record, link);
            struct outcome_record **at = bucket_of(outcomes, record->id);
            record->chain = *at;
            *at = record;
        }
}

static bool is_old(const struct outcome_record *record, uint64_t now_ms)
{
    bool longer = record->is_kept && !MUTANT(runs_kept_for_a_minute);
    uint64_t most_ms = longer ? QUORUM_RUNS_KEPT_MS : QUORUM_REQUESTS_KEPT_MS;
    return now_ms > record->kept_ms && now_ms - record->kept_ms > most_ms;
}

void outcomes_add(struct outcomes *outcomes, struct request_id id, struct bytes reply,
                  struct bytes heads, struct bytes dots, uint64_t gate, uint64_t now_ms)
{
    if (reply.size > QUORUM_REPLY_KEPT_MAX)
        reply.size = 0;
    size_t size = sizeof(struct outcome_record) + reply.size + heads.size + dots.size;
    if (size > outcomes->bytes_max)
        return;
    while (!list_is_empty(&outcomes->by_age)) {
        struct outcome_record *oldest =
            list_entry(outcomes->by_age.next, struct outcome_record, link);
        if (!is_old(oldest, now_ms) && outcomes->bytes + size <= outcomes->bytes_max)
            break;
        forget(outcomes, oldest);
    }
    if (outcomes->count >= outcomes->bucket_count)
        grow(outcomes);
    struct outcome_record *record = memory_alloc(size);
    struct outcome_record **at = bucket_of(outcomes, id);
    *record = (struct outcome_record){.chain = *at,
                                      .id = id,
                                      .kept_ms = now_ms,
                                      .gate = gate,
                                      .reply_size = (uint32_t)reply.size,
                                      .heads_size = (uint32_t)heads.size,
                                      .dots_size = (uint32_t)dots.size};
    if (reply.size > 0)
        memcpy(record->bytes, reply.data, reply.size);
    if (heads.size > 0)
        memcpy(record->bytes + reply.size, heads.data, heads.size);
    if (dots.size > 0)
        memcpy(record->bytes + reply.size + heads.size, dots.data, dots.size);
    *at = record;
    list_append(&outcomes->by_age, &record->link);
    outcomes->count++;
    outcomes->bytes += size;
}

const struct outcome_record *outcomes_find(const struct outcomes *outcomes, struct request_id id,
                                           const struct outcome_record *after, uint64_t now_ms)
{
    const struct outcome_record *record = after ? after->chain : *bucket_of(outcomes, id);
    for (; record; record = record->chain)
        if (record->id.origin == id.origin && record->id.number == id.number &&
            !is_old(record, now_ms))
            return record;
    return NULL;
}

/* One that is to be kept for longer, and is not yet. */
static struct outcome_record *find_to_keep(const struct outcomes *outcomes, struct request_id id)
{
    size_t most = outcomes->bytes_max / OUTCOMES_KEPT_PART;
    struct outcome_record *record = *bucket_of(outcomes, id);
    while (record && (record->id.origin != id.origin || record->id.number != id.number ||
                      record->is_kept || record->dots_size == 0 || record_size(record) > most))
        record = record->chain;
    return record;
}

void outcomes_keep(struct outcomes *outcomes, struct request_id id, uint64_t now_ms)
{
    size_t most = outcomes->bytes_max / OUTCOMES_KEPT_PART;
    struct outcome_record *record;
    while ((record = find_to_keep(outcomes, id))) {
        record->is_kept = true;
        record->kept_ms = now_ms;
        outcomes->kept_bytes += record_size(record);
        list_remove(&record->link);
        list_append(&outcomes->kept, &record->link);
    }
    while (!list_is_empty(&outcomes->kept)) {
        struct outcome_record *oldest =
            list_entry(outcomes->kept.next, struct outcome_record, link);
        if (!is_old(oldest, now_ms) && outcomes->kept_bytes <= most)
            break;
        forget(outcomes, oldest);
    }
}
