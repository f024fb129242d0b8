/* SPDX-License-Identifier: MIT */
#include "quorum/outcomes.h"

#include "base/memory.h"

enum { FIRST_BUCKETS = 64 };

void outcomes_init(struct outcomes *outcomes, size_t bytes_max)
{
    *outcomes = (struct outcomes){.bytes_max = bytes_max, .bucket_count = FIRST_BUCKETS};
    list_init(&outcomes->by_age);
    outcomes->buckets = memory_zeroed(FIRST_BUCKETS * sizeof(struct outcome_record *));
}

void outcomes_deinit(struct outcomes *outcomes)
{
    while (!list_is_empty(&outcomes->by_age)) {
        struct list *link = outcomes->by_age.next;
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
    memory_free(record);
}

static void grow(struct outcomes *outcomes)
{
    memory_free(outcomes->buckets);
    outcomes->bucket_count *= 2;
    outcomes->buckets = memory_zeroed(outcomes->bucket_count * sizeof(struct outcome_record *));
    struct list *link = outcomes->by_age.next;
    for (; link != &outcomes->by_age; link = link->next) {
        struct outcome_record *record = list_entry(link, struct outcome_record, link);
        struct outcome_record **at = bucket_of(outcomes, record->id);
        record->chain = *at;
        *at = record;
    }
}

static bool is_old(const struct outcome_record *record, uint64_t now_ms)
{
    return now_ms > record->kept_ms && now_ms - record->kept_ms > QUORUM_REQUESTS_KEPT_MS;
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
