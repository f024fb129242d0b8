/* SPDX-License-Identifier: MIT */
#include "runtime.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "machine.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/loop.h"
#include "node/budget.h"
#include "node/node.h"
#include "runtime_bus.h"
#include "store/secret.h"

enum {
    INPUT_PAUSE = 1024 * 1024,  /* requests that have to wait, before their client is not read */
    IDLE_EVERY_MS = 1000,       /* clients are looked at for their idle time: */
    IDLE_CHECKS = 1000,         /* so many */
    DESCRIPTORS_RESERVED = 256, /* not for clients: files, and what else there is */
    READ_THREADS = 4,
    COMPACTION_THREADS = 2,
};

struct runtime {
    const struct runtime_options *options;
    struct config *config;
    struct journal *journal;
    struct files *files;
    struct listener *listener;
    char *addresses;         /* where it listens; owned */
    struct runtime_bus *bus; /* NULL: no cluster */
    struct tier *tier;
    struct workers *workers;
    struct node *node;
    struct loop *loop;
    struct watch *wake, *terminate, *interrupt;
    uint64_t now_ms;      /* one time for a whole turn */
    bool now_known;       /* in this turn */
    uint64_t idle_due_ms; /* the next look at idle clients */
    uint64_t descriptors; /* that the process may have open */
    struct list clients;
    uint64_t client_count;
    struct list paused; /* clients that are not read from */
    struct list ending; /* clients to be closed */
};

/* A connection and its session. */
struct client {
    struct list link;    /* of runtime.clients */
    struct list waiting; /* of runtime.paused or runtime.ending, or alone */
    struct runtime *runtime;
    struct connection *connection;
    struct session *session;
    bool full; /* the socket takes nothing until client_writable */
    bool paused;
    bool ending;
    bool abrupt; /* it ends without waiting for its output */
};

/* Time stands still within a turn, and is asked for only after the loop's sleep. */
static uint64_t turn_now(struct runtime *runtime)
{
    if (!runtime->now_known) {
        runtime->now_ms = machine_clock_ms();
        runtime->now_known = true;
    }
    return runtime->now_ms;
}

static uint64_t now_of_turn(void *context)
{
    const struct runtime *runtime = context;
    return node_steady_ms(runtime->node);
}

/* ---- clients ----------------------------------------------------------------------------------
 */

static void client_end(struct client *client, bool abrupt)
{
    client->abrupt = client->abrupt || abrupt;
    if (client->ending)
        return;
    client->ending = true;
    connection_set_reading(client->connection, false);
    list_remove(&client->waiting); /* of paused, perhaps */
    list_append(&client->runtime->ending, &client->waiting);
}

static void client_free(struct client *client)
{
    client->runtime->client_count--;
    list_remove(&client->link);
    list_remove(&client->waiting);
    connection_free(client->connection);
    node_closed(client->runtime->node, client->session);
    memory_free(client);
}

/* Only while the node has to do something first. Who does not read its replies is read from all the
 * same: it may be one that sends its whole pipeline before it reads, and both would wait for ever.
 */
static bool client_is_ahead(const struct client *client)
{
    const struct session *session = client->session;
    return session->state != SESSION_READY && buffer_size(&session->input) > INPUT_PAUSE;
}

/* Who sends faster than it can be served has to wait in its own socket. */
static void client_pause_if_ahead(struct client *client)
{
    if (client->paused || client->ending || !client_is_ahead(client))
        return;
    client->paused = true;
    connection_set_reading(client->connection, false);
    list_append(&client->runtime->paused, &client->waiting);
}

static void client_resume_if_abreast(struct client *client)
{
    if (client_is_ahead(client))
        return;
    client->paused = false;
    list_remove(&client->waiting);
    connection_set_reading(client->connection, true);
}

static void client_send(struct client *client)
{
    struct session *session = client->session;
    if (client->full || client->abrupt)
        return;
    size_t sent;
    enum connection_sent result =
        connection_send(client->connection,
                        bytes_of(buffer_bytes(&session->output).data, session->output_free), &sent);
    if (sent > 0)
        node_sent(client->runtime->node, session, sent);
    client->full = result == CONNECTION_FULL;
    if (result == CONNECTION_BROKEN)
        client_end(client, true);
}

static void client_received(void *peer, struct bytes bytes)
{
    struct client *client = peer;
    node_receive(client->runtime->node, client->session, bytes, turn_now(client->runtime));
    client_pause_if_ahead(client);
}

static char *client_room(void *peer, size_t *out_size)
{
    struct client *client = peer;
    return node_room(client->runtime->node, client->session, out_size);
}

static void client_filled(void *peer, size_t size)
{
    struct client *client = peer;
    node_received(client->runtime->node, client->session, size, turn_now(client->runtime));
    client_pause_if_ahead(client);
}

static void client_writable(void *peer)
{
    struct client *client = peer;
    client->full = false;
    client_send(client);
}

static void client_finished(void *peer)
{
    struct client *client = peer;
    node_finished(client->runtime->node, client->session);
}

static void client_broken(void *peer)
{
    client_end(peer, true);
}

static const struct connection_handler client_handler = {
    client_received, client_room, client_filled, client_writable, client_finished, client_broken,
};

static const char protected_mode_text[] =
    "-DENIED Shoal is running in protected mode because protected mode is enabled and no password "
    "is set for the default user. In this mode connections are only accepted from the loopback "
    "interface. If you want to connect from external computers you may adopt one of the following "
    "solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' "
    "from the loopback interface by connecting from the same host the server is running, however "
    "MAKE SURE that the server is not publicly accessible from internet if you do so. Use CONFIG "
    "REWRITE to make this change permanent. 2) Alternatively you can just disable the protected "
    "mode by editing the configuration file, and setting the protected-mode option to 'no', and "
    "then restarting the server. 3) If you started the server manually just for testing, restart "
    "it with the '--protected-mode no' option. 4) Set up an authentication password for the "
    "default user. NOTE: You only need to do one of the above things in order for the server to "
    "start accepting connections from the outside.\r\n";

/* What a guest is turned away with; empty: it is welcome. */
static struct bytes refusal(const struct runtime *runtime, const struct listener_guest *guest)
{
    const struct config *config = runtime->config;
    uint64_t count_max = (uint64_t)config->maxclients;
    uint64_t reserved = DESCRIPTORS_RESERVED;
    if (runtime->descriptors > reserved && runtime->descriptors - reserved < count_max)
        count_max = runtime->descriptors - reserved;
    if (runtime->client_count >= count_max)
        return BYTES("-ERR max number of clients reached\r\n");
    if (config->protected_mode && config->requirepass[0] == 0 && !guest->loopback)
        return BYTES(protected_mode_text);
    return BYTES("");
}

static void guest_accepted(void *context, const struct listener_guest *guest)
{
    struct runtime *runtime = context;
    struct bytes why = refusal(runtime, guest);
    if (why.size > 0) {
        node_rejected(runtime->node);
        connection_refuse(guest->descriptor, why);
        return;
    }
    struct client *client = memory_zeroed(sizeof(*client));
    client->runtime = runtime;
    client->session = node_accepted(runtime->node, guest->remote, guest->local, turn_now(runtime));
    client->session->connection = client;
    client->connection = connection_new(runtime->loop, guest->descriptor, &client_handler, client);
    list_init(&client->waiting);
    list_append(&runtime->clients, &client->link);
    runtime->client_count++;
}

static void guest_failed(void *context, const char *reason)
{
    struct runtime *runtime = context;
    journal_write(runtime->journal, JOURNAL_WARNING, "Accepting a client connection failed: %s",
                  reason);
}

/* host.close */
static void close_session(void *context, struct session *session, bool now)
{
    (void)context;
    client_end(session->connection, now);
}

/* ---- the turn ---------------------------------------------------------------------------------
 */

/* Who waits for the end of a pause cannot help it, and who watches has nothing to say. */
static bool may_be_idle(const struct session *session)
{
    return session->state != SESSION_POSTPONED && list_is_empty(&session->monitoring);
}

/* A bounded part of the clients each second, in rotation. */
static void end_idle_clients(struct runtime *runtime)
{
    uint64_t idle_ms = (uint64_t)runtime->config->timeout_s * 1000;
    uint64_t time_ms = node_time_ms(runtime->node, runtime->now_ms);
    uint64_t count = runtime->client_count < IDLE_CHECKS ? runtime->client_count : IDLE_CHECKS;
    for (uint64_t i = 0; idle_ms > 0 && i < count; i++) {
        struct client *client = list_entry(runtime->clients.next, struct client, link);
        list_remove(&client->link);
        list_append(&runtime->clients, &client->link);
        if (client->session->active_ms + idle_ms < time_ms && may_be_idle(client->session))
            client_end(client, true);
    }
}

static void send_outputs(struct runtime *runtime)
{
    struct session *session;
    while ((session = node_next_output(runtime->node)))
        client_send(session->connection);
}

static void resume_clients(struct runtime *runtime)
{
    for (struct list *at = runtime->paused.next, *next; at != &runtime->paused; at = next) {
        next = at->next;
        client_resume_if_abreast(list_entry(at, struct client, waiting));
    }
}

/* Those that wait for nothing, and the others when their last output is sent. */
static void close_ended(struct runtime *runtime)
{
    for (struct list *at = runtime->ending.next, *next; at != &runtime->ending; at = next) {
        next = at->next;
        struct client *client = list_entry(at, struct client, waiting);
        if (client->abrupt || buffer_size(&client->session->output) == 0)
            client_free(client);
    }
}

static void turn(struct runtime *runtime)
{
    runtime->now_known = false;
    bool busy = runtime->bus && runtime_bus_is_busy(runtime->bus);
    loop_run_once(runtime->loop, runtime->now_ms, busy ? 0 : node_deadline_ms(runtime->node));
    uint64_t now_ms = turn_now(runtime);
    runtime->workers->ops->poll(runtime->workers);
    if (now_ms >= node_deadline_ms(runtime->node))
        node_tick(runtime->node, now_ms);
    if (runtime->bus)
        runtime_bus_close_ended(runtime->bus);
    enum status status = node_turn_end(runtime->node, now_ms);
    /* The node has said why. What was promised can't be kept: no reply goes out, no stop is marked
     * as clean. */
    if (status != STATUS_OK)
        _exit(1);
    if (runtime->bus)
        runtime_bus_send(runtime->bus);
    close_ended(runtime); /* before whoever killed them hears of it and asks them something */
    send_outputs(runtime);
    bool went_back = now_ms + IDLE_EVERY_MS < runtime->idle_due_ms;
    if (now_ms >= runtime->idle_due_ms || went_back) {
        runtime->idle_due_ms = now_ms + IDLE_EVERY_MS;
        end_idle_clients(runtime);
    }
    resume_clients(runtime);
    close_ended(runtime);
}

/* ---- signals ----------------------------------------------------------------------------------
 */

static void on_wake(void *context)
{
    (void)context; /* that the loop has woken is all: each turn polls the workers */
}

static void on_terminate(void *context)
{
    struct runtime *runtime = context;
    journal_write(runtime->journal, JOURNAL_NOTICE, "Asked to stop by a signal");
    node_stop(runtime->node);
}

/* The first one is a wish; the next meets the system's default and ends the process at once. */
static void on_interrupt(void *context)
{
    struct runtime *runtime = context;
    watch_free(runtime->interrupt);
    runtime->interrupt = NULL;
    on_terminate(runtime);
}

/* ---- start and stop ---------------------------------------------------------------------------
 */

static enum status open_journal(struct runtime *runtime, struct buffer *out_error)
{
    const struct config *config = runtime->config;
    enum status status =
        journal_open(config->logfile, (enum journal_level)config->loglevel,
                     (enum journal_format)config->log_format, machine_clock_ms, &runtime->journal);
    if (status != STATUS_OK)
        buffer_printf(out_error, "%s: cannot be written as a log file", config->logfile);
    return status;
}

/* Of a directory that is there. */
static void make_absolute(char **path)
{
    char absolute[PATH_MAX];
    if (!realpath(*path, absolute))
        return;
    memory_free(*path);
    *path = memory_alloc(strlen(absolute) + 1);
    memcpy(*path, absolute, strlen(absolute) + 1);
}

static enum status open_directory(struct runtime *runtime, struct buffer *out_error)
{
    enum status status = files_posix_open(runtime->config->dir, &runtime->files, out_error);
    if (status != STATUS_OK)
        return status;
    make_absolute(&runtime->config->dir);
    const char *directory = runtime->config->dir;
    uint64_t mark;
    status = runtime->files->ops->lock(runtime->files, &mark);
    if (status == STATUS_LOCKED)
        buffer_printf(out_error, "%s: another process uses this data directory", directory);
    else if (status != STATUS_OK)
        buffer_printf(out_error, "%s: cannot be locked: %s", directory, status_text(status));
    return status;
}

static enum status open_port(struct runtime *runtime, struct buffer *out_error);
static void start_listening(struct runtime *runtime);

/* host.listen */
static enum status listen_anew(void *context, struct buffer *out_error)
{
    struct runtime *runtime = context;
    struct listener *old = runtime->listener;
    bool same_port = old && listener_port(old) == runtime->config->port;
    if (same_port && strcmp(runtime->addresses, runtime->config->bind) == 0)
        return STATUS_OK;
    if (same_port) { /* an address can't be taken twice */
        listener_free(old);
        old = runtime->listener = NULL;
    }
    enum status status = open_port(runtime, out_error);
    if (status != STATUS_OK) {
        struct bytes reason = buffer_bytes(out_error);
        journal_write(runtime->journal, JOURNAL_WARNING, "Cannot listen: %.*s", (int)reason.size,
                      reason.data);
        return status;
    }
    listener_free(old);
    start_listening(runtime);
    journal_write(runtime->journal, JOURNAL_NOTICE, "Ready for clients on port %u of: %s",
                  listener_port(runtime->listener), runtime->addresses);
    return STATUS_OK;
}

static enum status open_port(struct runtime *runtime, struct buffer *out_error)
{
    const struct config *config = runtime->config;
    struct listener_options options = {
        .addresses = config->bind,
        .port = (uint16_t)config->port,
        .backlog = (int)config->tcp_backlog,
        .keepalive_s = (unsigned)config->tcp_keepalive_s,
    };
    enum status status = listener_open(&options, &runtime->listener, out_error);
    if (status != STATUS_OK)
        return status;
    memory_free(runtime->addresses);
    runtime->addresses = memory_alloc(strlen(config->bind) + 1);
    memcpy(runtime->addresses, config->bind, strlen(config->bind) + 1);
    return STATUS_OK;
}

static enum status open_bus_port(struct runtime *runtime, struct buffer *out_error)
{
    if (!config_is_clustered(runtime->config))
        return STATUS_OK;
    struct runtime_bus_options options = {
        .config = runtime->config,
        .journal = runtime->journal,
        .loop = runtime->loop,
        .now_ms = now_of_turn,
        .context = runtime,
    };
    return runtime_bus_open(&options, listener_port(runtime->listener), &runtime->bus, out_error);
}

/* host.dial */
static void dial_node(void *context, struct bus_link *link, const char *host, uint16_t port)
{
    struct runtime *runtime = context;
    runtime_bus_dial(runtime->bus, link, host, port);
}

/* host.hang_up */
static void hang_up_node(void *context, struct bus_link *link)
{
    struct runtime *runtime = context;
    runtime_bus_hang_up(runtime->bus, link);
}

/* Before anything is changed. */
static enum status check_fit(struct runtime *runtime, const char *path, struct buffer *out_error)
{
    struct tier *tier;
    struct tier_options options = {.compaction_threads = 1, .read_only = true};
    enum status status = tier_rocksdb_open(path, &options, &tier, out_error);
    if (status != STATUS_OK)
        return status;
    status = store_check_fit(runtime->files, tier, out_error);
    tier->ops->free(tier);
    return status;
}

static enum status open_tier(struct runtime *runtime, struct buffer *out_error)
{
    char path[PATH_MAX];
    int size = snprintf(path, sizeof(path), "%s/tier", runtime->config->dir);
    if (size < 0 || (size_t)size >= sizeof(path)) {
        buffer_printf(out_error, "%s: too long a path", runtime->config->dir);
        return STATUS_INVALID;
    }
    struct tier_options options = {
        .block_cache_bytes =
            budget_block_cache((uint64_t)runtime->config->block_cache_bytes,
                               (uint64_t)runtime->config->maxmemory, machine_memory()),
        .compaction_threads = COMPACTION_THREADS,
    };
    enum status status = store_was_here(runtime->files, &options.must_exist);
    if (status != STATUS_OK)
        buffer_printf(out_error, "%s: cannot be read", runtime->config->dir);
    if (status == STATUS_OK && options.must_exist)
        status = check_fit(runtime, path, out_error);
    if (status == STATUS_OK)
        status = tier_rocksdb_open(path, &options, &runtime->tier, out_error);
    return status;
}

static enum status open_node(struct runtime *runtime, struct buffer *out_error)
{
    int wake;
    runtime->workers = workers_threads_new(READ_THREADS, &wake);
    runtime->wake = loop_watch_readable(runtime->loop, wake, on_wake, runtime);
    struct host host = {
        .files = runtime->files,
        .tier = runtime->tier,
        .workers = runtime->workers,
        .journal = runtime->journal,
        .process_id = getpid(),
        .executable = runtime->options->executable,
        .memory_total = machine_memory(),
        .system = machine_system(),
        .event_method = loop_method(runtime->loop),
        .cpu_time = machine_cpu_time,
        .monotonic_ns = machine_monotonic_ns,
        .thread_cpu_time = machine_thread_cpu_time,
        .resident = machine_resident,
        .sleep = machine_sleep,
        .listen = listen_anew,
        .close = close_session,
        .dial = dial_node,
        .hang_up = hang_up_node,
        .port = listener_port(runtime->listener),
        .bus_port = runtime->bus ? runtime_bus_port(runtime->bus) : 0,
        .context = runtime,
    };
    char drawn[SECRET_SIZE];
    machine_random(host.random, sizeof(host.random));
    machine_random(drawn, sizeof(drawn));
    enum status status = secret_take(runtime->files, drawn, host.secret);
    if (status != STATUS_OK) {
        buffer_printf(out_error, "the file 'secret': %s", status_text(status));
        return status;
    }
    return node_open(&host, runtime->config, runtime->options->commands, machine_clock_ms(),
                     &runtime->node, out_error);
}

static enum status open_all(struct runtime *runtime, struct buffer *out_error)
{
    enum status (*const steps[])(struct runtime *, struct buffer *) = {
        open_journal, open_directory, open_port, open_bus_port, open_tier, open_node,
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && status == STATUS_OK; i++)
        status = steps[i](runtime, out_error);
    if (status == STATUS_CORRUPT)
        buffer_printf(out_error,
                      ". Nothing of the data was changed. What is damaged: shoal-server --check "
                      "%s; what can be saved, into a new directory: shoal-server --salvage %s",
                      runtime->config->dir, runtime->config->dir);
    return status;
}

/* What is open, in the order opposite to opening. The node was closed before. */
static void close_all(struct runtime *runtime)
{
    watch_free(runtime->interrupt);
    watch_free(runtime->terminate);
    watch_free(runtime->wake);
    if (runtime->workers)
        runtime->workers->ops->free(runtime->workers);
    if (runtime->tier)
        runtime->tier->ops->free(runtime->tier);
    listener_free(runtime->listener);
    runtime_bus_free(runtime->bus);
    memory_free(runtime->addresses);
    if (runtime->files)
        runtime->files->ops->free(runtime->files);
    journal_close(runtime->journal);
    loop_free(runtime->loop);
}

static void start_listening(struct runtime *runtime)
{
    struct listener_handler guests = {guest_accepted, guest_failed, runtime};
    listener_start(runtime->listener, runtime->loop, &guests);
}

static void say_hello(struct runtime *runtime)
{
    struct journal *journal = runtime->journal;
    unsigned port = listener_port(runtime->listener);
    journal_write(journal, JOURNAL_NOTICE, "Shoal %s, pid %d, node %012llx", SHOAL_VERSION,
                  (int)getpid(), (unsigned long long)node_id(runtime->node));
    journal_write(journal, JOURNAL_NOTICE, "Data in %s", runtime->config->dir);
    journal_write(journal, JOURNAL_NOTICE, "Ready for clients on port %u of: %s", port,
                  runtime->config->bind);
    journal_write(journal, JOURNAL_NOTICE, "Next, in another terminal: redis-cli -p %u", port);
}

static void serve(struct runtime *runtime)
{
    runtime->terminate = loop_watch_signal(runtime->loop, SIGTERM, on_terminate, runtime);
    runtime->interrupt = loop_watch_signal(runtime->loop, SIGINT, on_interrupt, runtime);
    start_listening(runtime);
    say_hello(runtime);
    if (runtime->bus && node_bus(runtime->node))
        runtime_bus_start(runtime->bus, node_bus(runtime->node));
    if (runtime->options->started)
        runtime->options->started(runtime->options->context);
    while (!node_stopping(runtime->node))
        turn(runtime);
}

static enum status stop(struct runtime *runtime)
{
    listener_free(runtime->listener);
    runtime->listener = NULL;
    while (!list_is_empty(&runtime->clients))
        client_free(list_entry(runtime->clients.next, struct client, link));
    if (runtime->bus)
        runtime_bus_stop(runtime->bus);
    enum status status = node_close(runtime->node);
    if (status == STATUS_OK)
        journal_write(runtime->journal, JOURNAL_NOTICE, "Stopped, bye");
    else
        journal_write(runtime->journal, JOURNAL_WARNING, "Stopped, but not cleanly: %s",
                      status_text(status));
    return status;
}

int runtime_run(const struct runtime_options *options)
{
    struct runtime runtime = {.options = options, .config = options->config};
    list_init(&runtime.clients);
    list_init(&runtime.paused);
    list_init(&runtime.ending);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    runtime.descriptors = machine_raise_descriptors();
    runtime.loop = loop_new();
    struct buffer error = {0};
    enum status status = open_all(&runtime, &error);
    if (status == STATUS_OK) {
        serve(&runtime);
        status = stop(&runtime);
    } else {
        struct bytes reason = buffer_bytes(&error);
        fprintf(stderr, "shoal-server: %.*s\n", (int)reason.size, reason.data);
        if (options->config->logfile[0])
            journal_write(runtime.journal, JOURNAL_WARNING, "Cannot start: %.*s", (int)reason.size,
                          reason.data);
    }
    buffer_deinit(&error);
    close_all(&runtime);
    return status == STATUS_OK ? 0 : 1;
}
