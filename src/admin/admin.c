/* SPDX-License-Identifier: MIT */
#include "admin/admin.h"

#include <inttypes.h>
#include <stdio.h>

#include "admin/admin_memory.h"
#include "session/session.h"

void admin_draw_id(struct random *random, char *out_id)
{
    snprintf(out_id, ADMIN_ID_SIZE, "%016" PRIx64 "%016" PRIx64 "%08x", random_next(random),
             random_next(random), (unsigned)random_next(random));
}

void admin_memory(const struct admin *admin, struct admin_memory *out)
{
    struct store_stats store;
    store_stats(admin->store, &store);
    *out = (struct admin_memory){
        .use = memory_use(),
        .dataset = store.rows_bytes,
        .tables = store.table_bytes,
        .tier = store.tier.memory_bytes,
        .clients = admin->sessions->buffer_bytes + admin->sessions->count * sizeof(struct session),
        .log_buffer = store.log_buffered,
        .waiting_rows = store.garbage_rows,
    };
    out->resident = admin->resident != NULL ? admin->resident(admin->context) : 0;
    if (out->resident == 0)
        out->resident = out->use.resident;
    out->peak = admin->stats->peak_memory;
    if (out->peak < out->use.allocated)
        out->peak = out->use.allocated;
    for (unsigned db = 0; db < (unsigned)admin->config->databases; db++)
        out->keys += store_keys(admin->store, (uint8_t)db);
}
