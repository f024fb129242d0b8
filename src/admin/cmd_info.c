/* SPDX-License-Identifier: MIT */
/*
 * INFO: sections of "field:value" lines, named as Redis names them, so that what reads Redis's
 * reads ours. A field is there when this server has what it speaks of, or truly has none of it.
 */
#include <inttypes.h>

#include "admin/admin.h"
#include "admin/admin_memory.h"
#include "base/xxh.h"
#include "session/session.h"

enum {
    TICKS_PER_SECOND = 10, /* of a node, see node.c */
    LRU_CLOCK_LIMIT = 1 << 24,
};

struct section {
    const char *name;  /* as it is asked for */
    const char *title; /* as it is shown */
    void (*print)(const struct request *request, struct buffer *out);
    bool extra;      /* not in INFO without a name, nor in "default" */
    bool of_cluster; /* only where one is enabled */
};

/* "512B", "1.50K", "64.00M", as redis-server writes sizes for people. */
static void print_human(const char *name, uint64_t bytes, struct buffer *out)
{
    static const char units[] = "BKMGTP";
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= 1024 && unit < sizeof units - 2) {
        value /= 1024;
        unit++;
    }
    if (unit == 0)
        buffer_printf(out, "%s_human:%" PRIu64 "B\r\n", name, bytes);
    else
        buffer_printf(out, "%s_human:%.2f%c\r\n", name, value, units[unit]);
}

static void print_number(const char *name, uint64_t value, struct buffer *out)
{
    buffer_printf(out, "%s:%" PRIu64 "\r\n", name, value);
}

static void print_size(const char *name, uint64_t bytes, struct buffer *out)
{
    print_number(name, bytes, out);
    print_human(name, bytes, out);
}

static void print_setting(const char *name, const char *setting, const struct config *config,
                          struct buffer *out)
{
    for (unsigned i = 0; config_name(i) != NULL; i++) {
        if (strcmp(config_name(i), setting) != 0)
            continue;
        buffer_printf(out, "%s:", name);
        config_value(config, i, out);
        buffer_printf(out, "\r\n");
    }
}

/* An absent text is empty. */
static void print_text(const char *name, const char *text, struct buffer *out)
{
    buffer_printf(out, "%s:%s\r\n", name, text != NULL ? text : "");
}

static void print_ratio(const char *name, uint64_t part, uint64_t whole, struct buffer *out)
{
    buffer_printf(out, "%s:%.2f\r\n", name, whole > 0 ? (double)part / (double)whole : 0.0);
}

static void print_percent(const char *name, uint64_t part, uint64_t whole, struct buffer *out)
{
    buffer_printf(out, "%s:%.2f%%\r\n", name, whole > 0 ? (double)part / (double)whole * 100 : 0.0);
}

static uint64_t above(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* "name=tcp,bind=127.0.0.1,bind=-::1,port=6379" */
static void print_listener(const struct config *config, struct buffer *out)
{
    if (config->port == 0)
        return;
    buffer_printf(out, "listener0:name=tcp");
    for (const char *at = config->bind; *at != '\0'; at += strspn(at, " ")) {
        size_t size = strcspn(at, " ");
        buffer_printf(out, ",bind=%.*s", (int)size, at);
        at += size;
    }
    buffer_printf(out, ",port=%" PRId64 "\r\n", config->port);
}

static uint64_t uptime_ms(const struct request *request)
{
    uint64_t started_ms = request->admin->stats->started_ms;
    return request->now_ms > started_ms ? request->now_ms - started_ms : 0;
}

static void print_server(const struct request *request, struct buffer *out)
{
    const struct admin *admin = request->admin;
    const struct config *config = admin->config;
    buffer_printf(out, "redis_version:" SHOAL_REDIS_VERSION "\r\n");
    buffer_printf(out, "shoal_version:" SHOAL_VERSION "\r\n");
    buffer_printf(out, "redis_build_id:%016" PRIx64 "\r\n",
                  xxh64(BYTES(SHOAL_VERSION " " SHOAL_REDIS_VERSION " " __VERSION__)));
    print_text("redis_mode", admin->cluster ? "cluster" : "standalone", out);
    print_text("os", admin->system, out);
    print_number("arch_bits", 8 * sizeof(void *), out);
    print_text("multiplexing_api", admin->event_method, out);
    buffer_printf(out, "gcc_version:%d.%d.%d\r\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
    buffer_printf(out, "process_id:%" PRId64 "\r\n", admin->process_id);
    buffer_printf(out, "process_supervised:no\r\n");
    print_text("run_id", admin->run_id, out);
    buffer_printf(out, "tcp_port:%" PRId64 "\r\n", config->port);
    print_number("server_time_usec", request->now_ms * 1000, out);
    print_number("uptime_in_seconds", uptime_ms(request) / 1000, out);
    print_number("uptime_in_days", uptime_ms(request) / (24 * 3600 * 1000), out);
    print_number("hz", TICKS_PER_SECOND, out);
    print_setting("configured_hz", "hz", config, out);
    print_number("lru_clock", request->now_ms / 1000 % LRU_CLOCK_LIMIT, out);
    print_text("executable", admin->executable, out);
    print_text("config_file", config->file, out);
    buffer_printf(out, "io_threads_active:0\r\n");
    print_listener(config, out);
}

static void print_largest_buffers(const struct sessions *sessions, struct buffer *out)
{
    size_t input = 0, output = 0;
    const struct list *all = &sessions->all;
    for (const struct list *at = all->next; at != all; at = at->next) {
        const struct session *session = list_entry(at, struct session, link);
        size_t in = buffer_size(&session->input), waits = buffer_size(&session->output);
        input = in > input ? in : input;
        output = waits > output ? waits : output;
    }
    print_number("client_recent_max_input_buffer", input, out);
    print_number("client_recent_max_output_buffer", output, out);
}

static void print_clients(const struct request *request, struct buffer *out)
{
    const struct admin *admin = request->admin;
    print_number("connected_clients", admin->sessions->count, out);
    buffer_printf(out, "cluster_connections:0\r\n");
    buffer_printf(out, "maxclients:%" PRId64 "\r\n", admin->config->maxclients);
    print_largest_buffers(admin->sessions, out);
    print_number("blocked_clients", admin->sessions->blocked_count, out);
    buffer_printf(out, "tracking_clients:0\r\n"
                       "clients_in_timeout_table:0\r\n"
                       "total_blocking_keys:0\r\n"
                       "total_blocking_keys_on_nokey:0\r\n");
}

/* Of scripts, replication, clusters, defragmentation: there are none of them. */
static void print_absent_memory(struct buffer *out)
{
    buffer_printf(out, "used_memory_lua:0\r\n"
                       "used_memory_vm_eval:0\r\n"
                       "used_memory_lua_human:0B\r\n"
                       "used_memory_scripts_eval:0\r\n"
                       "number_of_cached_scripts:0\r\n"
                       "number_of_functions:0\r\n"
                       "number_of_libraries:0\r\n"
                       "used_memory_vm_functions:0\r\n"
                       "used_memory_vm_total:0\r\n"
                       "used_memory_vm_total_human:0B\r\n"
                       "used_memory_functions:0\r\n"
                       "used_memory_scripts:0\r\n"
                       "used_memory_scripts_human:0B\r\n");
}

static void print_allocator(const struct memory_use *use, uint64_t resident, struct buffer *out)
{
    print_ratio("allocator_frag_ratio", use->active, use->allocated, out);
    print_number("allocator_frag_bytes", above(use->active, use->allocated), out);
    print_ratio("allocator_rss_ratio", use->resident, use->active, out);
    print_number("allocator_rss_bytes", above(use->resident, use->active), out);
    print_ratio("rss_overhead_ratio", resident, use->resident, out);
    print_number("rss_overhead_bytes", above(resident, use->resident), out);
    print_ratio("mem_fragmentation_ratio", resident, use->allocated, out);
    print_number("mem_fragmentation_bytes", above(resident, use->allocated), out);
}

static void print_memory(const struct request *request, struct buffer *out)
{
    const struct admin *admin = request->admin;
    struct admin_memory memory;
    admin_memory(admin, &memory);
    print_size("used_memory", memory.use.allocated, out);
    print_size("used_memory_rss", memory.resident, out);
    print_size("used_memory_peak", memory.peak, out);
    print_percent("used_memory_peak_perc", memory.use.allocated, memory.peak, out);
    print_number("used_memory_overhead", above(memory.use.allocated, memory.dataset), out);
    print_number("used_memory_startup", admin->memory_start, out);
    print_number("used_memory_dataset", memory.dataset, out);
    print_percent("used_memory_dataset_perc", memory.dataset,
                  above(memory.use.allocated, admin->memory_start), out);
    print_number("allocator_allocated", memory.use.allocated, out);
    print_number("allocator_active", memory.use.active, out);
    print_number("allocator_resident", memory.use.resident, out);
    if (admin->memory_total > 0)
        print_size("total_system_memory", admin->memory_total, out);
    print_absent_memory(out);
    print_size("maxmemory", (uint64_t)admin->config->maxmemory, out);
    print_setting("maxmemory_policy", "maxmemory-policy", admin->config, out);
    print_allocator(&memory.use, memory.resident, out);
    buffer_printf(out, "mem_not_counted_for_evict:0\r\n"
                       "mem_replication_backlog:0\r\n"
                       "mem_total_replication_buffers:0\r\n"
                       "mem_clients_slaves:0\r\n");
    print_number("mem_clients_normal", memory.clients, out);
    buffer_printf(out, "mem_cluster_links:0\r\n");
    print_number("mem_aof_buffer", memory.log_buffer, out);
    buffer_printf(out, "mem_allocator:%s\r\n", memory_allocator());
    buffer_printf(out, "active_defrag_running:0\r\n");
    print_number("lazyfree_pending_objects", memory.waiting_rows, out);
}

static void print_seconds(const char *name, bool known, uint64_t ms, struct buffer *out)
{
    buffer_printf(out, "%s:%" PRId64 "\r\n", name, known ? (int64_t)(ms / 1000) : -1);
}

/* How long the last seal took, and the one under way has taken; both under two names. */
static void print_seal_times(const char *last, const char *current, const struct store_stats *store,
                             struct buffer *out)
{
    print_seconds(last, store->seals > 0 && !store->sealing, store->seal_ms, out);
    print_seconds(current, store->sealing, store->seal_ms, out);
}

/* A seal is what a snapshot is to Redis: from then on the log before it is not needed. */
static void print_seals(const struct store_stats *store, struct buffer *out)
{
    print_number("rdb_changes_since_last_save", store->changes, out);
    print_number("rdb_bgsave_in_progress", store->sealing, out);
    print_number("rdb_last_save_time", store->sealed_ms / 1000, out);
    buffer_printf(out, "rdb_last_bgsave_status:%s\r\n", store->seal_failed ? "err" : "ok");
    print_seal_times("rdb_last_bgsave_time_sec", "rdb_current_bgsave_time_sec", store, out);
    print_number("rdb_saves", store->seals, out);
}

/* The log takes the place of Redis's append-only file; nothing forks. */
static void print_persistence(const struct request *request, struct buffer *out)
{
    struct store_stats store;
    bool failing = store_disk_full(request->admin->store);
    store_stats(request->admin->store, &store);
    buffer_printf(out, "loading:0\r\n"
                       "async_loading:0\r\n"
                       "current_cow_peak:0\r\n"
                       "current_cow_size:0\r\n"
                       "current_cow_size_age:0\r\n"
                       "current_fork_perc:0.00\r\n");
    print_seals(&store, out);
    buffer_printf(out, "rdb_last_cow_size:0\r\n"
                       "aof_enabled:1\r\n");
    print_number("aof_rewrite_in_progress", store.sealing, out);
    buffer_printf(out, "aof_rewrite_scheduled:0\r\n");
    print_seal_times("aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec", &store, out);
    buffer_printf(out, "aof_last_bgrewrite_status:%s\r\n", store.seal_failed ? "err" : "ok");
    print_number("aof_rewrites", store.seals, out);
    buffer_printf(out, "aof_last_write_status:%s\r\n", failing ? "err" : "ok");
    buffer_printf(out, "aof_last_cow_size:0\r\n"
                       "module_fork_in_progress:0\r\n"
                       "module_fork_last_cow_size:0\r\n");
    print_number("aof_current_size", store.log_bytes, out);
    buffer_printf(out, "aof_pending_rewrite:0\r\n");
    print_number("aof_buffer_length", store.log_buffered, out);
}

static void print_stats(const struct request *request, struct buffer *out)
{
    const struct stats *stats = request->admin->stats;
    struct store_stats store;
    store_stats(request->admin->store, &store);
    print_number("total_connections_received", stats->connections_received, out);
    print_number("total_commands_processed", stats->commands_processed, out);
    print_number("instantaneous_ops_per_sec", stats_per_second(stats->sample_commands), out);
    print_number("total_net_input_bytes", stats->input_bytes, out);
    print_number("total_net_output_bytes", stats->output_bytes, out);
    buffer_printf(out, "total_net_repl_input_bytes:0\r\n"
                       "total_net_repl_output_bytes:0\r\n");
    buffer_printf(out, "instantaneous_input_kbps:%.2f\r\n",
                  (double)stats_per_second(stats->sample_input) / 1024);
    buffer_printf(out, "instantaneous_output_kbps:%.2f\r\n",
                  (double)stats_per_second(stats->sample_output) / 1024);
    buffer_printf(out, "instantaneous_input_repl_kbps:0.00\r\n"
                       "instantaneous_output_repl_kbps:0.00\r\n");
    print_number("rejected_connections", stats->connections_rejected, out);
    buffer_printf(out, "sync_full:0\r\n"
                       "sync_partial_ok:0\r\n"
                       "sync_partial_err:0\r\n");
    print_number("expired_keys", store.expired_keys, out);
    print_number("evicted_keys", store.evicted_keys, out);
    buffer_printf(out, "evicted_clients:0\r\n");
    print_number("keyspace_hits", stats->keyspace_hits, out);
    print_number("keyspace_misses", stats->keyspace_misses, out);
    buffer_printf(out, "pubsub_channels:0\r\n"
                       "pubsub_patterns:0\r\n"
                       "pubsubshard_channels:0\r\n"
                       "latest_fork_usec:0\r\n"
                       "total_forks:0\r\n"
                       "migrate_cached_sockets:0\r\n"
                       "slave_expires_tracked_keys:0\r\n"
                       "active_defrag_hits:0\r\n"
                       "active_defrag_misses:0\r\n"
                       "active_defrag_key_hits:0\r\n"
                       "active_defrag_key_misses:0\r\n"
                       "total_active_defrag_time:0\r\n"
                       "current_active_defrag_time:0\r\n"
                       "tracking_total_keys:0\r\n"
                       "tracking_total_items:0\r\n"
                       "tracking_total_prefixes:0\r\n");
    buffer_printf(out, "unexpected_error_replies:0\r\n");
    print_number("total_error_replies", stats->error_replies, out);
    print_number("total_reads_processed", stats->reads, out);
    print_number("total_writes_processed", stats->writes, out);
    buffer_printf(out, "io_threaded_reads_processed:0\r\n"
                       "io_threaded_writes_processed:0\r\n");
    print_number("client_output_buffer_limit_disconnections", stats->output_limit_disconnections,
                 out);
    print_number("acl_access_denied_auth", stats->acl_denied_auth, out);
    buffer_printf(out, "acl_access_denied_cmd:0\r\n"
                       "acl_access_denied_key:0\r\n"
                       "acl_access_denied_channel:0\r\n");
}

/* A node of its own: what Redis's clients take for a master without replicas. */
static void print_replication(const struct request *request, struct buffer *out)
{
    const struct admin *admin = request->admin;
    buffer_printf(out, "role:master\r\n"
                       "connected_slaves:0\r\n"
                       "master_failover_state:no-failover\r\n");
    print_text("master_replid", admin->replication_id, out);
    buffer_printf(out, "master_replid2:%040d\r\n", 0);
    buffer_printf(out, "master_repl_offset:0\r\n"
                       "second_repl_offset:-1\r\n"
                       "repl_backlog_active:0\r\n");
    print_setting("repl_backlog_size", "repl-backlog-size", admin->config, out);
    buffer_printf(out, "repl_backlog_first_byte_offset:0\r\n"
                       "repl_backlog_histlen:0\r\n");
}

static void print_cpu(const struct request *request, struct buffer *out)
{
    const struct admin *admin = request->admin;
    uint64_t system_us = 0, user_us = 0;
    if (admin->cpu_time != NULL)
        admin->cpu_time(admin->context, &system_us, &user_us);
    buffer_printf(out, "used_cpu_sys:%.6f\r\n", (double)system_us / 1e6);
    buffer_printf(out, "used_cpu_user:%.6f\r\n", (double)user_us / 1e6);
    buffer_printf(out, "used_cpu_sys_children:0.000000\r\n"
                       "used_cpu_user_children:0.000000\r\n");
    system_us = user_us = 0;
    if (admin->thread_cpu_time != NULL)
        admin->thread_cpu_time(admin->context, &system_us, &user_us);
    buffer_printf(out, "used_cpu_sys_main_thread:%.6f\r\n", (double)system_us / 1e6);
    buffer_printf(out, "used_cpu_user_main_thread:%.6f\r\n", (double)user_us / 1e6);
}

/* There are none. */
static void print_modules(const struct request *request, struct buffer *out)
{
    (void)request, (void)out;
}

static void print_errors(const struct request *request, struct buffer *out)
{
    const struct stats *stats = request->admin->stats;
    for (unsigned i = 0; i < STATS_ERRORS_MAX && stats->errors[i].name[0] != '\0'; i++)
        buffer_printf(out, "errorstat_%s:count=%" PRIu64 "\r\n", stats->errors[i].name,
                      stats->errors[i].count);
}

static void print_cluster(const struct request *request, struct buffer *out)
{
    print_number("cluster_enabled", request->admin->cluster != NULL, out);
}

/* Of a cluster: nothing where none is enabled. */
static void print_quorum(const struct request *request, struct buffer *out)
{
    const struct admin_cluster *cluster = request->admin->cluster;
    cluster->describe(cluster->context, out);
}

static void print_keyspace(const struct request *request, struct buffer *out)
{
    struct store *store = request->admin->store;
    for (unsigned index = 0; index < request->databases; index++) {
        uint8_t db = store_database(store, (uint8_t)index);
        uint64_t keys = store_keys(store, db);
        if (keys > 0)
            buffer_printf(out, "db%u:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=%" PRIu64 "\r\n",
                          index, keys, store_keys_with_expiry(store, db),
                          store_average_ttl(store, db, request->now_ms));
    }
}

/* What Redis has no field for. */
static void print_shoal(const struct request *request, struct buffer *out)
{
    const struct admin *admin = request->admin;
    struct store_stats store;
    store_stats(admin->store, &store);
    buffer_printf(out, "node:%012" PRIx64 "\r\n", store_node(admin->store));
    print_number("epoch", store_epoch(admin->store), out);
    if (admin->memory_limit > 0)
        print_size("memory_limit", admin->memory_limit, out);
    print_number("command_reruns", admin->stats->reruns, out);
    print_number("rows", store.rows, out);
    print_number("rows_bytes", store.rows_bytes, out);
    print_number("dirty_rows", store.dirty_rows, out);
    print_number("dirty_bytes", store.dirty_bytes, out);
    print_number("row_hits", store.hits, out);
    print_number("row_misses", store.misses, out);
    print_number("cold_reads", store.cold_reads, out);
    print_number("blocking_reads", store.blocking_reads, out);
    print_number("cache_evictions", store.cache_evictions, out);
    print_number("sealing", store.sealing, out);
    print_number("seals", store.seals, out);
    print_number("seal_failures", store.seal_failures, out);
    print_number("sealed_rows", store.sealed_rows, out);
    print_number("sealed_bytes", store.sealed_bytes, out);
    print_number("log_bytes", store.log_bytes, out);
    print_number("log_position", store.log_position, out);
    print_number("log_synced", store.log_synced, out);
    print_number("disk_full", store_disk_full(admin->store), out);
    print_number("tier_disk_bytes", store.tier.disk_bytes, out);
    print_number("tier_memory_bytes", store.tier.memory_bytes, out);
    print_number("tier_tables", store.tier.tables, out);
    print_number("tier_pending_compaction_bytes", store.tier.pending_compaction_bytes, out);
    print_number("tier_stopped_by_error", store.tier.stopped_by_error, out);
}

static const struct section sections[] = {
    {"server", "Server", print_server},
    {"clients", "Clients", print_clients},
    {"memory", "Memory", print_memory},
    {"persistence", "Persistence", print_persistence},
    {"stats", "Stats", print_stats},
    {"replication", "Replication", print_replication},
    {"cpu", "CPU", print_cpu},
    {"modules", "Modules", print_modules},
    {"commandstats", "Commandstats", info_commandstats, true},
    {"errorstats", "Errorstats", print_errors},
    {"latencystats", "Latencystats", info_latencystats, true},
    {"cluster", "Cluster", print_cluster},
    {"quorum", "Quorum", print_quorum, .of_cluster = true},
    {"keyspace", "Keyspace", print_keyspace},
    {"shoal", "Shoal", print_shoal},
};

static bool is_wanted(const struct request *request, const struct section *section)
{
    if (section->of_cluster && !request->admin->cluster)
        return false;
    if (request->argc == 1)
        return !section->extra;
    for (uint32_t i = 1; i < request->argc; i++) {
        struct bytes word = request->argv[i];
        if (bytes_equal_nocase(word, bytes_text(section->name)) ||
            (!section->extra && bytes_equal_nocase(word, BYTES("default"))) ||
            bytes_equal_nocase(word, BYTES("all")) || bytes_equal_nocase(word, BYTES("everything")))
            return true;
    }
    return false;
}

static enum status cmd_info(struct request *request)
{
    struct buffer text = {0};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!is_wanted(request, &sections[i]))
            continue;
        buffer_printf(&text, "%s# %s\r\n", buffer_size(&text) > 0 ? "\r\n" : "", sections[i].title);
        sections[i].print(request, &text);
    }
    reply_verbatim(request->reply, "txt", buffer_bytes(&text));
    buffer_deinit(&text);
    return STATUS_OK;
}

const struct command info_commands[] = {
    {.name = "info",
     .handler = cmd_info,
     .arity = -1,
     .flags = CMD_LOADING | CMD_STALE,
     .categories = CAT_DANGEROUS,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "[section...]",
     .summary = "Returns information and statistics about the server.",
     .differs = "Fields of what is not there are 0 or left out; a section \"shoal\" besides.",
     .tips = "nondeterministic_output request_policy:all_shards response_policy:special"},
    {0},
};
