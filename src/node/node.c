/* SPDX-License-Identifier: MIT */
#include "node/node.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "node/budget.h"
#include "node/dispatch.h"
#include "node/forward.h"
#include "node/peers.h"
#include "node/peers_admin.h"
#include "security/context_key.h"

enum {
    TICK_MS = 100,
};

struct node {
    struct host host;
    struct config *config;
    struct command_set *commands;
    struct store *store;
    struct stats stats;
    struct admin admin;
    struct context_key context_key;
    struct sessions sessions;
    struct observer observer;
    struct dispatch dispatch;
    struct peers *peers; /* NULL: no cluster is enabled */
    struct admin_cluster cluster;
    struct budget budget;
    uint64_t next_tick_ms;
    uint64_t turn_ms;   /* the time at the end of the last turn */
    int64_t doubted_ms; /* how far the wall clock was ahead of the time, when last asked */
    bool disk_was_full;
    bool stopping;
    bool seal_before_stop;
};

/* ---- what admin/ may ask for ----------------------------------------------------------------- */

static void set_limit(struct node *node)
{
    budget_set_limit(&node->budget, (uint64_t)node->config->maxmemory, node->host.memory_total);
    node->dispatch.memory_exhausted = false;
    node->admin.memory_limit = node->budget.limit;
}

static void set_lfu(struct node *node)
{
    const struct config *config = node->config;
    store_set_lfu(node->store, (unsigned)config->lfu_log_factor,
                  (unsigned)config->lfu_decay_time_min);
}

static void config_changed(void *context, const char *name)
{
    struct node *node = context;
    const struct config *config = node->config;
    if (strcmp(name, "appendfsync") == 0)
        store_set_sync(node->store, (enum log_sync)config->appendfsync);
    else if (strcmp(name, "maxmemory-policy") == 0)
        store_set_eviction(node->store, (enum eviction_policy)config->maxmemory_policy);
    else if (strncmp(name, "lfu-", strlen("lfu-")) == 0)
        set_lfu(node);
    else if (strcmp(name, "loglevel") == 0 && node->host.journal)
        journal_set_level(node->host.journal, (enum journal_level)config->loglevel);
    else if (strcmp(name, "maxmemory") == 0) {
        set_limit(node);
        node->next_tick_ms = 0;
    } else if (strstr(name, "quorum")) {
        if (node->peers)
            peers_configure(node->peers);
    } else {
        observer_configure(&node->observer);
        dispatch_configure(&node->dispatch);
        store_want_delays(node->store, config->latency_threshold_ms > 0);
    }
    /* The others are read where they are used. */
}

static enum status listen_anew(void *context, struct buffer *out_error)
{
    struct node *node = context;
    return node->host.listen(node->host.context, out_error);
}

/* Replies on their way are sent before the process ends, `now` or not: the turn ends first. */
static void ask_for_stop(void *context, bool save, bool now)
{
    struct node *node = context;
    (void)now;
    node->seal_before_stop = save;
    node->stopping = true;
    journal_write(node->host.journal, JOURNAL_WARNING, "User requested shutdown...");
}

static void cpu_time(void *context, uint64_t *out_system_us, uint64_t *out_user_us)
{
    struct node *node = context;
    *out_system_us = *out_user_us = 0;
    if (node->host.cpu_time)
        node->host.cpu_time(node->host.context, out_system_us, out_user_us);
}

static void thread_cpu_time(void *context, uint64_t *out_system_us, uint64_t *out_user_us)
{
    struct node *node = context;
    *out_system_us = *out_user_us = 0;
    if (node->host.thread_cpu_time)
        node->host.thread_cpu_time(node->host.context, out_system_us, out_user_us);
}

static uint64_t resident(void *context)
{
    struct node *node = context;
    return node->host.resident ? node->host.resident(node->host.context) : 0;
}

static void sleep_us(void *context, uint64_t us)
{
    struct node *node = context;
    if (node->host.sleep)
        node->host.sleep(node->host.context, us);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static enum status open_store(struct node *node, uint64_t now_ms, struct buffer *out_error)
{
    const struct host *host = &node->host;
    const struct config *config = node->config;
    struct store_options options = {
        .files = host->files,
        .tier = host->tier,
        .workers = host->workers,
        .random48 = host->random[0] & (((uint64_t)1 << 48) - 1),
        .random_seed = host->random[1],
        .now_ms = now_ms,
        .databases = (unsigned)config->databases,
        .sync = (enum log_sync)config->appendfsync,
        .seal_bytes = (uint64_t)config->seal_bytes,
        .rows_bytes = node->budget.rows,
        .eviction = (enum eviction_policy)config->maxmemory_policy,
        .monotonic_ns = host->monotonic_ns,
        .clock_context = host->context,
    };
    struct store_recovery recovery = {0};
    enum status status = store_open(&options, &node->store, &recovery, out_error);
    if (status != STATUS_OK)
        return status;
    set_lfu(node);
    struct journal *journal = host->journal;
    if (recovery.new_directory)
        journal_write(journal, JOURNAL_NOTICE, "A new data directory");
    else
        journal_write(journal, JOURNAL_NOTICE,
                      "Data opened after %s stop: %" PRIu64 " rows replayed from the log",
                      recovery.was_clean ? "a clean" : "an unclean", recovery.log.records);
    if (recovery.log.lost_bytes)
        journal_write(journal, JOURNAL_WARNING,
                      "The log's end was incomplete: %" PRIu64
                      " bytes that were never synced are cut off",
                      recovery.log.lost_bytes);
    return STATUS_OK;
}

static void fill_admin(struct node *node)
{
    struct random random = {node->host.random[0] ^ node->host.random[1]};
    node->admin = (struct admin){
        .config = node->config,
        .store = node->store,
        .stats = &node->stats,
        .sessions = &node->sessions,
        .journal = node->host.journal,
        .commands = node->commands,
        .slowlog = &node->observer.slowlog,
        .latency = &node->observer.latency,
        .process_id = node->host.process_id,
        .executable = node->host.executable,
        .memory_total = node->host.memory_total,
        .memory_limit = node->budget.limit,
        .config_changed = config_changed,
        .listen = node->host.listen ? listen_anew : NULL,
        .shutdown = ask_for_stop,
        .memory_start = memory_use().allocated,
        .system = node->host.system,
        .event_method = node->host.event_method,
        .cpu_time = cpu_time,
        .thread_cpu_time = thread_cpu_time,
        .resident = resident,
        .sleep = sleep_us,
        .context = node,
    };
    admin_draw_id(&random, node->admin.run_id);
    admin_draw_id(&random, node->admin.replication_id);
}

static void sign(void *context, struct bytes message, char out[SIGNATURE_SIZE])
{
    _Static_assert((int)SIGNATURE_SIZE == (int)CONTEXT_SIGNATURE_SIZE, "a signature fits");
    context_key_sign(context, message, out);
}

/* In a cluster all nodes must agree on what was signed. */
static void fill_context_key(struct node *node)
{
    const struct config *config = node->config;
    struct bytes secret = bytes_of(node->host.secret, sizeof(node->host.secret));
    if (config_is_clustered(config))
        secret = bytes_text(config->cluster_secret ? config->cluster_secret : "");
    context_key_init(&node->context_key, secret);
}

static void fill_sessions(struct node *node)
{
    struct sessions *sessions = &node->sessions;
    sessions_init(sessions);
    fill_context_key(node);
    sessions->signer = (struct signer){sign, &node->context_key};
    sessions->store = node->store;
    sessions->commands = node->commands;
    sessions->stats = &node->stats;
    sessions->admin = &node->admin;
    sessions->random = (struct random){node->host.random[1]};
    sessions->databases = (unsigned)node->config->databases;
    sessions->password = &node->config->requirepass;
    sessions->bulk_size_max = &node->config->proto_max_bulk_len;
}

static enum status join_peers(struct node *node, uint64_t now_ms, struct buffer *out_error)
{
    struct peers_options options = {
        .host = &node->host,
        .config = node->config,
        .store = node->store,
        .dispatch = &node->dispatch,
        .command_count = command_entry_count(node->commands),
    };
    enum status status = peers_open(&options, now_ms, &node->peers, out_error);
    if (status != STATUS_OK)
        return status;
    peers_admin(node->peers, &node->cluster);
    node->admin.cluster = &node->cluster;
    node->sessions.clustered = true;
    return STATUS_OK;
}

enum status node_open(const struct host *host, struct config *config,
                      const struct command *const *tables, uint64_t wall_ms, struct node **out,
                      struct buffer *out_error)
{
    struct node *node = memory_zeroed(sizeof(*node));
    node->host = *host;
    node->config = config;
    budget_init(&node->budget, (uint64_t)config->maxmemory, host->memory_total);
    enum status status = open_store(node, wall_ms, out_error);
    if (status != STATUS_OK) {
        memory_free(node);
        return status;
    }
    node->commands = command_set_new(tables);
    stats_init(&node->stats, wall_ms, command_entry_count(node->commands));
    fill_admin(node);
    fill_sessions(node);
    observer_init(&node->observer, config, &node->stats, node->commands, host->monotonic_ns,
                  host->context);
    store_want_delays(node->store, config->latency_threshold_ms > 0);
    dispatch_init(&node->dispatch, &node->sessions, &node->observer, config, host->journal);
    if (config_is_clustered(config))
        status = join_peers(node, wall_ms, out_error);
    if (status != STATUS_OK) {
        node_abandon(node);
        return status;
    }
    *out = node;
    return STATUS_OK;
}

/* All but the store and the node itself. */
static void let_go(struct node *node)
{
    while (!list_is_empty(&node->sessions.all))
        node_closed(node, list_entry(node->sessions.all.next, struct session, link));
    peers_close(node->peers);
    dispatch_deinit(&node->dispatch);
    observer_deinit(&node->observer);
    stats_deinit(&node->stats);
}

enum status node_close(struct node *node)
{
    let_go(node);
    if (node->seal_before_stop && store_seal_now(node->store) != STATUS_OK)
        journal_write(node->host.journal, JOURNAL_WARNING,
                      "Sealing failed; nothing is lost: the log is replayed at the next start");
    enum status status = store_close(node->store);
    command_set_free(node->commands);
    memory_free(node);
    return status;
}

void node_abandon(struct node *node)
{
    let_go(node);
    store_abandon(node->store);
    command_set_free(node->commands);
    memory_free(node);
}

void node_stop(struct node *node)
{
    node->stopping = true;
}

bool node_stopping(const struct node *node)
{
    return node->stopping;
}

/* ---- clients --------------------------------------------------------------------------------- */

struct session *node_accepted(struct node *node, const char *address, const char *local_address,
                              uint64_t wall_ms)
{
    node->stats.connections_received++;
    return session_new(&node->sessions, address, local_address, node_time_ms(node, wall_ms));
}

void node_rejected(struct node *node)
{
    node->stats.connections_rejected++;
}

void node_receive(struct node *node, struct session *session, struct bytes bytes, uint64_t wall_ms)
{
    node->stats.reads++;
    dispatch_receive(&node->dispatch, session, bytes, node_time_ms(node, wall_ms));
}

char *node_room(struct node *node, struct session *session, size_t *out_size)
{
    (void)node;
    return dispatch_room(session, out_size);
}

void node_received(struct node *node, struct session *session, size_t size, uint64_t wall_ms)
{
    node->stats.reads++;
    dispatch_received(&node->dispatch, session, size, node_time_ms(node, wall_ms));
}

void node_finished(struct node *node, struct session *session)
{
    dispatch_finished(&node->dispatch, session);
}

void node_closed(struct node *node, struct session *session)
{
    check(session->sessions == &node->sessions);
    dispatch_closed(&node->dispatch, session);
    session_free(session);
}

/* Asks for the end of a connection that has nothing left to say, or was cut off. */
static void close_if_done(struct node *node, struct session *session)
{
    bool idle = buffer_size(&session->output) == 0 && list_is_empty(&session->queue);
    bool done = session->state == SESSION_CLOSING && (session->killed || idle);
    if (!done || session->close_told)
        return;
    if (session->remote) { /* its own keeper sees to it */
        session->close_told = true;
        return;
    }
    session->close_told = true;
    list_remove(&session->sending);
    node->host.close(node->host.context, session, session->killed);
}

static void close_all_done(struct node *node)
{
    struct list closing;
    list_init(&closing);
    list_splice(&closing, &node->sessions.closing);
    while (!list_is_empty(&closing)) {
        struct session *session = list_entry(closing.next, struct session, waiting);
        list_remove(&session->waiting);
        close_if_done(node, session);
    }
}

struct session *node_next_output(struct node *node)
{
    return dispatch_next_output(&node->dispatch);
}

void node_sent(struct node *node, struct session *session, size_t size)
{
    node->stats.writes++;
    dispatch_sent(&node->dispatch, session, size);
    close_if_done(node, session);
}

/* ---- time ------------------------------------------------------------------------------------ */

static struct memory_use memory_of(const struct node *node)
{
    return node->host.memory_use ? node->host.memory_use(node->host.context) : memory_use();
}

static void update_budget(struct node *node)
{
    struct memory_use memory = memory_of(node);
    struct store_stats store;
    store_stats(node->store, &store);
    uint64_t cache = budget_block_cache((uint64_t)node->config->block_cache_bytes,
                                        (uint64_t)node->config->maxmemory, node->host.memory_total);
    struct budget_use use = {
        .resident = memory.resident,
        .tier = store.tier.memory_bytes > cache ? store.tier.memory_bytes : cache,
        .buffers = node->sessions.buffer_bytes,
        .rows = store.rows_bytes,
    };
    if (memory.allocated > node->stats.peak_memory)
        node->stats.peak_memory = memory.allocated;
    budget_update(&node->budget, &use);
    store_set_rows_bytes(node->store, node->budget.rows);
    node->dispatch.memory_exhausted = node->budget.exhausted;
    if (memory.resident > node->budget.limit && memory.allocated < node->budget.limit)
        memory_purge();
}

/* What the store and its threads were slow in, for LATENCY. */
static void note_delays(struct node *node, uint64_t now_ms)
{
    static const struct {
        enum job_class class;
        enum latency_event event;
    } jobs[] = {
        {JOB_SYNC, LATENCY_LOG_SYNC},
        {JOB_READ, LATENCY_COLD_READ},
        {JOB_BACKGROUND, LATENCY_SEAL},
    };
    struct observer *observer = &node->observer;
    struct workers *workers = node->host.workers;
    struct store_delays delays = store_take_delays(node->store);
    observer_event(observer, LATENCY_EXPIRE_CYCLE, now_ms, delays.expiry_ns);
    observer_event(observer, LATENCY_EVICTION_CYCLE, now_ms, delays.eviction_ns);
    observer_event(observer, LATENCY_LOG_WRITE, now_ms, delays.log_write_ns);
    if (!workers->ops || !workers->ops->take_slowest)
        return;
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
        observer_event(observer, jobs[i].event, now_ms,
                       workers->ops->take_slowest(workers, jobs[i].class));
}

static void journal_disk_state(struct node *node)
{
    bool full = store_disk_full(node->store);
    if (full == node->disk_was_full)
        return;
    node->disk_was_full = full;
    if (full)
        journal_write(node->host.journal, JOURNAL_WARNING,
                      "The disk is full: writes are refused until there is room, reading goes on");
    else
        journal_write(node->host.journal, JOURNAL_NOTICE,
                      "There is room on the disk: writes go on");
}

uint64_t node_time_ms(struct node *node, uint64_t wall_ms)
{
    uint64_t time_ms = node->peers ? peers_time_ms(node->peers, wall_ms) : wall_ms;
    node->doubted_ms = (int64_t)(wall_ms - time_ms);
    return time_ms;
}

void node_tick(struct node *node, uint64_t wall_ms)
{
    uint64_t now_ms = node_time_ms(node, wall_ms);
    store_tick(node->store, now_ms);
    dispatch_tick(&node->dispatch, now_ms);
    if (node->peers)
        peers_tick(node->peers);
    if (now_ms < node->next_tick_ms)
        return;
    node->next_tick_ms = now_ms + TICK_MS;
    stats_sample(&node->stats, now_ms);
    update_budget(node);
    note_delays(node, now_ms);
    journal_disk_state(node);
    dispatch_retry_throttled(&node->dispatch, DISPATCH_RETRY_MAX);
}

static uint64_t of_the_wall_clock(const struct node *node, uint64_t time_ms)
{
    if (time_ms > (uint64_t)INT64_MAX)
        return UINT64_MAX;
    bool over = (int64_t)time_ms < -node->doubted_ms;
    return over ? 0 : time_ms + (uint64_t)node->doubted_ms;
}

uint64_t node_deadline_ms(const struct node *node)
{
    if (!list_is_empty(&node->sessions.resumed) || !list_is_empty(&node->sessions.closing))
        return 0;
    const struct sessions *sessions = &node->sessions;
    uint64_t store_ms = store_deadline_ms(node->store), deadline_ms = node->next_tick_ms;
    if (store_ms < deadline_ms)
        deadline_ms = store_ms;
    if (sessions->pause != PAUSE_NONE && sessions->pause_until_ms < deadline_ms)
        deadline_ms = sessions->pause_until_ms;
    if (node->peers && peers_deadline_ms(node->peers) < deadline_ms)
        deadline_ms = peers_deadline_ms(node->peers);
    return of_the_wall_clock(node, deadline_ms);
}

enum status node_turn_end(struct node *node, uint64_t wall_ms)
{
    uint64_t now_ms = node_time_ms(node, wall_ms);
    if (now_ms < node->turn_ms) /* it went back: the next tick may be hours away */
        node->next_tick_ms = 0;
    node->turn_ms = now_ms;
    store_set_paused(node->store, node->sessions.pause != PAUSE_NONE);
    if (node->peers)
        peers_wake(node->peers);
    if (!list_is_empty(&node->dispatch.throttled) && store_has_room(node->store))
        dispatch_retry_throttled(&node->dispatch, DISPATCH_RETRY_MAX);
    dispatch_resume(&node->dispatch, now_ms);
    if (node->peers)
        peers_turn_begin(node->peers, now_ms);
    enum status status = store_turn_end(node->store, now_ms);
    if (status == STATUS_OK)
        status = store_failure(node->store);
    if (status == STATUS_OK && node->peers) {
        peers_turn_end(node->peers);
        status = peers_failure(node->peers);
    }
    if (status != STATUS_OK) {
        journal_write(node->host.journal, JOURNAL_WARNING, "The store has failed: %s; stopping",
                      status_text(status));
        return status;
    }
    dispatch_turn_end(&node->dispatch);
    close_all_done(node);
    return STATUS_OK;
}

uint64_t node_steady_ms(const struct node *node)
{
    return peers_steady_ms(node->peers);
}

struct bus *node_bus(struct node *node)
{
    return node->peers ? peers_bus(node->peers) : NULL;
}

uint64_t node_id(const struct node *node)
{
    return store_node(node->store);
}

struct store *node_store(const struct node *node)
{
    return node->store;
}

struct peers *node_peers(const struct node *node)
{
    return node->peers;
}

uint64_t node_rows_budget(const struct node *node)
{
    return node->budget.rows;
}
