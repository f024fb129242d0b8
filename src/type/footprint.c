/* SPDX-License-Identifier: MIT */
#include "type/footprint.h"

#include "row/chunked.h"
#include "row/row_key.h"
#include "store/store.h"

/* Chunks that were never written have no row and take nothing. */
static enum status chunks_footprint(struct cell *head, struct chunked chunked, uint64_t samples,
                                    uint64_t *out_bytes)
{
    uint64_t count = (chunked.length + CHUNK_SIZE - 1) / CHUNK_SIZE;
    uint64_t sum = 0;
    bool cold = false;
    if (samples == 0 || samples > count)
        samples = count;
    for (uint64_t i = 0; i < samples; i++) {
        uint32_t index = (uint32_t)(i * count / samples);
        struct bytes name = row_key_chunk(head->txn->arena, head->name, chunked.base, index);
        struct bytes row;
        enum status status = txn_get(head->txn, name, &row);
        if (status == STATUS_OK)
            sum += store_row_bytes(name.size, row.size);
        else if (status == STATUS_COLD)
            cold = true;
        else if (status != STATUS_ABSENT)
            return status;
    }
    if (cold)
        return STATUS_COLD;
    *out_bytes = samples > 0 ? (uint64_t)((__uint128_t)sum * count / samples) : 0;
    return STATUS_OK;
}

enum status footprint(struct cell *head, uint64_t samples, uint64_t *out_bytes)
{
    uint64_t rest = 0;
    struct chunked chunked;
    if (head->newest.form == VALUE_CHUNKED) {
        if (!chunked_unpack(head->newest.value, &chunked))
            return STATUS_CORRUPT;
        enum status status = chunks_footprint(head, chunked, samples, &rest);
        if (status != STATUS_OK)
            return status;
    }
    *out_bytes = store_row_bytes(head->name.size, head->held.size) + rest;
    return STATUS_OK;
}
