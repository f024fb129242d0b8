/* SPDX-License-Identifier: MIT */
/* Where the process's memory has gone: what INFO and MEMORY tell. */
#ifndef ADMIN_ADMIN_MEMORY_H
#define ADMIN_ADMIN_MEMORY_H

#include "admin/admin.h"
#include "base/memory.h"

struct admin_memory {
    struct memory_use use;
    uint64_t resident; /* of the process; where that is not known, of the allocator */
    uint64_t peak;
    uint64_t dataset;      /* rows */
    uint64_t tables;       /* of these, the buckets by which they are found */
    uint64_t tier;         /* the ordered files' cache, indexes, filters */
    uint64_t clients;      /* sessions and what they are to send, or have sent */
    uint64_t log_buffer;   /* written to the log at the end of this turn */
    uint64_t waiting_rows; /* deleted, and freed little by little */
    uint64_t keys;
};

void admin_memory(const struct admin *admin, struct admin_memory *out);

#endif
