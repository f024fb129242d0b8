/* SPDX-License-Identifier: MIT */
/* MEMORY: where memory has gone, for one key and for all. */
#include "admin/admin.h"
#include "admin/admin_memory.h"
#include "command/arguments.h"
#include "session/session.h"
#include "type/footprint.h"

enum { SAMPLES_DEFAULT = 5 };

/* ---- USAGE ----------------------------------------------------------------------------------- */

static enum status parse_samples(const struct request *request, int64_t *out_samples)
{
    for (uint32_t i = 3; i < request->argc; i += 2) {
        if (!bytes_equal_nocase(request->argv[i], BYTES("samples")) || i + 1 == request->argc)
            return STATUS_SYNTAX;
        enum status status = argument_integer(request->argv[i + 1], out_samples);
        if (status != STATUS_OK)
            return status;
        if (*out_samples < 0)
            return STATUS_SYNTAX;
    }
    return STATUS_OK;
}

static enum status memory_usage(struct request *request)
{
    int64_t samples = SAMPLES_DEFAULT;
    struct cell head;
    uint64_t bytes;
    enum status status = parse_samples(request, &samples);
    request->txn->no_touch = true;
    if (status == STATUS_OK)
        status = argument_key(request, request->argv[2], &head);
    if (status != STATUS_OK)
        return status;
    if (!head.exists) {
        reply_null(request->reply);
        return STATUS_OK;
    }
    status = footprint(&head, (uint64_t)samples, &bytes);
    if (status == STATUS_OK)
        reply_integer(request->reply, (int64_t)bytes);
    return status;
}

/* ---- STATS ----------------------------------------------------------------------------------- */

static double ratio(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static int64_t above(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b);
}

static void field(struct reply *reply, const char *name, uint64_t value)
{
    reply_bulk_text(reply, name);
    reply_integer(reply, (int64_t)value);
}

static void field_double(struct reply *reply, const char *name, double value)
{
    reply_bulk_text(reply, name);
    reply_double(reply, value);
}

static void reply_allocator(struct reply *reply, const struct admin_memory *memory)
{
    const struct memory_use *use = &memory->use;
    field(reply, "allocator.allocated", use->allocated);
    field(reply, "allocator.active", use->active);
    field(reply, "allocator.resident", use->resident);
    field_double(reply, "allocator-fragmentation.ratio", ratio(use->active, use->allocated));
    field(reply, "allocator-fragmentation.bytes", use->active - use->allocated);
    field_double(reply, "allocator-rss.ratio", ratio(use->resident, use->active));
    field(reply, "allocator-rss.bytes", use->resident - use->active);
    field_double(reply, "rss-overhead.ratio", ratio(memory->resident, use->resident));
    field(reply, "rss-overhead.bytes", (uint64_t)above(memory->resident, use->resident));
    field_double(reply, "fragmentation", ratio(memory->resident, use->allocated));
    field(reply, "fragmentation.bytes", (uint64_t)above(memory->resident, use->allocated));
}

enum { STATS_FIELDS = 29 };

static enum status memory_stats(struct request *request)
{
    const struct admin *admin = request->admin;
    struct reply *reply = request->reply;
    struct admin_memory memory;
    admin_memory(admin, &memory);
    uint64_t allocated = memory.use.allocated;
    uint64_t beyond_start = allocated > admin->memory_start ? allocated - admin->memory_start : 0;
    uint64_t overhead = allocated > memory.dataset ? allocated - memory.dataset : 0;
    reply_map(reply, STATS_FIELDS);
    field(reply, "peak.allocated", memory.peak);
    field(reply, "total.allocated", allocated);
    field(reply, "startup.allocated", admin->memory_start);
    field(reply, "replication.backlog", 0);
    field(reply, "clients.slaves", 0);
    field(reply, "clients.normal", memory.clients);
    field(reply, "cluster.links", 0);
    field(reply, "aof.buffer", memory.log_buffer);
    field(reply, "lua.caches", 0);
    field(reply, "functions.caches", 0);
    field(reply, "tables.buckets", memory.tables); /* this and the next: not Redis's */
    field(reply, "tier.cache", memory.tier);
    field(reply, "overhead.total", overhead);
    field(reply, "keys.count", memory.keys);
    field(reply, "keys.bytes-per-key", memory.keys > 0 ? beyond_start / memory.keys : 0);
    field(reply, "dataset.bytes", memory.dataset);
    field_double(reply, "dataset.percentage", 100 * ratio(memory.dataset, beyond_start));
    field_double(reply, "peak.percentage", 100 * ratio(allocated, memory.peak));
    reply_allocator(reply, &memory);
    return STATUS_OK;
}

/* ---- DOCTOR ---------------------------------------------------------------------------------- */

enum {
    MEGABYTE = 1024 * 1024,
    SMALL = 5 * MEGABYTE,    /* less tells nothing */
    NOTABLE = 10 * MEGABYTE, /* of waste */
    CLIENT_NOTABLE = 200 * 1024,
};

static bool is_more(uint64_t a, uint64_t b, double times, uint64_t notable)
{
    return (double)a > (double)b * times && a - b > notable;
}

static void diagnose(const struct admin *admin, const struct admin_memory *memory,
                     struct buffer *out)
{
    const struct memory_use *use = &memory->use;
    uint64_t clients = admin->sessions->count;
    if (is_more(memory->peak, use->allocated, 1.5, NOTABLE))
        buffer_printf(out, " * Peak: there was a time when much more was used than now. The system "
                           "gets pages back when it asks for them; MEMORY PURGE gives them back "
                           "at once.\n");
    if (is_more(use->active, use->allocated, 1.1, NOTABLE))
        buffer_printf(out, " * Fragmentation: blocks in use are spread over more pages than they "
                           "need. It shrinks as rows are dropped from memory and read again.\n");
    if (is_more(use->resident, use->active, 1.1, NOTABLE))
        buffer_printf(out, " * Free pages: the allocator keeps pages that hold nothing, for what "
                           "comes next. MEMORY PURGE gives them back.\n");
    if (is_more(memory->resident, use->resident, 1.1, NOTABLE))
        buffer_printf(out, " * The process has more memory than its allocator knows of: code, "
                           "stacks, mapped files.\n");
    if (admin->memory_limit > 0 && memory->resident > admin->memory_limit)
        buffer_printf(out, " * Limit: the process has more than maxmemory. Rows are being dropped "
                           "from memory; they stay on disk.\n");
    if (clients > 0 && memory->clients / clients > CLIENT_NOTABLE)
        buffer_printf(out,
                      " * Clients: what they have sent, or not read, takes more than %d KB "
                      "each on average. CLIENT LIST tells which (qbuf, tot-mem).\n",
                      CLIENT_NOTABLE / 1024);
}

static enum status memory_doctor(struct request *request)
{
    struct admin_memory memory;
    struct buffer text = {0};
    admin_memory(request->admin, &memory);
    if (memory.use.allocated > 0 && memory.use.allocated < SMALL)
        buffer_printf(&text, "This server uses very little memory: there is nothing to be said "
                             "about it yet.\n");
    else
        diagnose(request->admin, &memory, &text);
    if (buffer_size(&text) == 0)
        buffer_printf(&text, "No problem with memory is seen.\n");
    reply_verbatim(request->reply, "txt", buffer_bytes(&text));
    buffer_deinit(&text);
    return STATUS_OK;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void add_text(void *context, const char *text)
{
    buffer_append_bytes(context, bytes_text(text));
}

static enum status memory_malloc_stats(struct request *request)
{
    struct buffer text = {0};
    if (!memory_report(add_text, &text))
        buffer_printf(&text, "Stats not supported for the current allocator");
    reply_verbatim(request->reply, "txt", buffer_bytes(&text));
    buffer_deinit(&text);
    return STATUS_OK;
}

static enum status memory_purge_now(struct request *request)
{
    memory_purge();
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status memory_help(struct request *request)
{
    static const char *const lines[] = {
        "DOCTOR",
        "    Return memory problems reports.",
        "MALLOC-STATS",
        "    Return internal statistics report from the memory allocator.",
        "PURGE",
        "    Attempt to purge dirty pages for reclamation by the allocator.",
        "STATS",
        "    Return information about the memory usage of the server.",
        "USAGE <key> [SAMPLES <count>]",
        "    Return memory in bytes used by <key> and its value. Nested values are",
        "    sampled up to <count> times (default: 5, 0 means sample all).",
        NULL,
    };
    return command_help(request, lines);
}

#define TO_ALL     "nondeterministic_output request_policy:all_shards response_policy:special"
#define ALLOCATION "Depends on how much memory is allocated, could be slow"

static const struct command memory_subcommands[] = {
    {.name = "doctor",
     .handler = memory_doctor,
     .arity = 2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Outputs a memory problems report.",
     .tips = TO_ALL},
    {.name = "help",
     .handler = memory_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns helpful text about the different subcommands."},
    {.name = "malloc-stats",
     .handler = memory_malloc_stats,
     .arity = 2,
     .since = "4.0.0",
     .group = "server",
     .complexity = ALLOCATION,
     .syntax = "",
     .summary = "Returns the allocator statistics.",
     .tips = TO_ALL},
    {.name = "purge",
     .handler = memory_purge_now,
     .arity = 2,
     .since = "4.0.0",
     .group = "server",
     .complexity = ALLOCATION,
     .syntax = "",
     .summary = "Asks the allocator to release memory.",
     .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "stats",
     .handler = memory_stats,
     .arity = 2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns details about memory usage.",
     .differs = "No figures per database; tables.buckets and tier.cache besides.",
     .tips = TO_ALL},
    {.name = "usage",
     .handler = memory_usage,
     .arity = -3,
     .flags = CMD_READONLY,
     .first_key = 2,
     .last_key = 2,
     .key_step = 1,
     .key_flags = KEY_RO,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(N) where N is the number of samples.",
     .syntax = "key:key [SAMPLES count:integer]",
     .summary = "Estimates the memory usage of a key.",
     .differs = "What the key's rows take, or would take: they need not be in memory. SAMPLES is "
                "for the pieces of a long string. A key whose time is over is not there."},
    {0},
};

const struct command memory_commands[] = {
    {.name = "memory",
     .arity = -2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .summary = "A container for memory diagnostics commands.",
     .subcommands = memory_subcommands},
    {0},
};
