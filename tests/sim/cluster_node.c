/* SPDX-License-Identifier: MIT */
#include "sim/cluster_node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "commands.h"

enum {
    TURN_MIN_US = 5,
    SLEEP_MAX_MS = 10 * 1000,
    RESTART_MIN_US = 300 * SIM_MS,
    RESTART_MORE_US = 2 * SIM_SECOND,
};

static const uint64_t wall_begin_ms = UINT64_C(1700000000000);
static const uint64_t memory_total = (uint64_t)64 << 30; /* never short of it */

/* A socket and what it is for. */
struct node_link {
    struct list link;  /* of node->links */
    struct list ready; /* of node->ready, or alone */
    struct list ends;  /* of node->ending, or alone */
    struct cluster_node *node;
    struct sim_socket *socket; /* NULL: there was nothing to connect to */
    struct session *session;
    struct bus_link *bus;
    bool dialed, told; /* that it is connected */
    bool full;         /* the socket did not take all: it will tell when there is room */
    bool abrupt;       /* to be closed without waiting for its output */
};

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t wall_us(const struct cluster_node *node)
{
    int64_t now_us = (int64_t)node->clock->now_us;
    int64_t drifted_us = now_us + now_us / 1000 * node->drift_ppm / 1000;
    return wall_begin_ms * 1000 + (uint64_t)(drifted_us + node->offset_ms * 1000);
}

uint64_t cluster_node_wall_ms(const struct cluster_node *node)
{
    return wall_us(node) / 1000;
}

static void turn_soon(struct cluster_node *node)
{
    if (node->state != CLUSTER_UP)
        return;
    uint64_t after_us = TURN_MIN_US + random_below(&node->random, node->settings->turn_us + 1);
    if (node->slow_turn_us)
        after_us += random_below(&node->random, node->slow_turn_us);
    sim_timer_advance(node->clock, &node->turn, node->clock->now_us + after_us);
}

static void sleep_until_deadline(struct cluster_node *node)
{
    uint64_t deadline_ms = node_deadline_ms(node->node), now_us = wall_us(node);
    if (!list_is_empty(&node->ready) || deadline_ms * 1000 <= now_us) {
        turn_soon(node);
        return;
    }
    if (deadline_ms > now_us / 1000 + SLEEP_MAX_MS)
        deadline_ms = now_us / 1000 + SLEEP_MAX_MS;
    sim_timer_advance(node->clock, &node->turn, node->clock->now_us + deadline_ms * 1000 - now_us);
}

void cluster_node_set_offset(struct cluster_node *node, int64_t offset_ms)
{
    node->offset_ms = offset_ms;
    turn_soon(node); /* the sleeping process reckons with the old one, as a real one does: this is
                        its next event */
}

static void work_soon(struct cluster_node *node)
{
    if (node->state == CLUSTER_DOWN || sim_timer_is_set(&node->job) ||
        sim_workers_waiting(node->workers) == 0)
        return;
    uint64_t after_us = 1 + random_below(&node->random, node->settings->job_us + 1);
    if (node->slow_job_us)
        after_us += random_below(&node->random, node->slow_job_us);
    if (node->slow_sync_us)
        after_us += random_below(&node->random, node->slow_sync_us);
    sim_timer_set(node->clock, &node->job, node->clock->now_us + after_us);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void make_ready(struct node_link *link)
{
    struct cluster_node *node = link->node;
    if (list_is_empty(&link->ready)) {
        if (random_once_in(&node->random, 4)) /* the system tells of them in any order */
            list_insert_after(&node->ready, &link->ready);
        else
            list_append(&node->ready, &link->ready);
    }
    turn_soon(node);
}

static struct node_link *link_new(struct cluster_node *node, struct sim_socket *socket)
{
    struct node_link *link = memory_zeroed(sizeof(*link));
    link->node = node;
    link->socket = socket;
    list_append(&node->links, &link->link);
    list_init(&link->ready);
    list_init(&link->ends);
    if (socket)
        sim_socket_set_owner(socket, link);
    return link;
}

static void link_free(struct node_link *link)
{
    list_remove(&link->link);
    list_remove(&link->ready);
    list_remove(&link->ends);
    memory_free(link);
}

static void on_accepted(void *context, struct sim_socket *socket)
{
    make_ready(link_new(context, socket));
}

static void on_changed(void *context, struct sim_socket *socket)
{
    (void)context;
    make_ready(sim_socket_owner(socket));
}

static const struct sim_net_handler net_handler = {on_accepted, on_changed};

/* The connection is gone, or to be gone: the node is told. */
static void link_close(struct node_link *link)
{
    struct cluster_node *node = link->node;
    if (link->session)
        node_closed(node->node, link->session);
    if (link->bus)
        bus_closed(node_bus(node->node), link->bus, node_steady_ms(node->node));
    if (link->socket)
        sim_socket_close(link->socket);
    link_free(link);
}

static void link_end(struct node_link *link, bool abrupt)
{
    link->abrupt = link->abrupt || abrupt;
    if (list_is_empty(&link->ends))
        list_append(&link->node->ending, &link->ends);
}

static void close_session(void *context, struct session *session, bool now)
{
    (void)context;
    link_end(session->connection, now);
}

static void link_send(struct node_link *link)
{
    struct cluster_node *node = link->node;
    if (link->abrupt || !link->socket || link->full)
        return;
    if (link->session) {
        struct bytes output =
            bytes_of(buffer_bytes(&link->session->output).data, link->session->output_free);
        size_t sent = sim_socket_send(link->socket, output);
        link->full = sent < output.size;
        if (sent > 0 && node->watch)
            node->watch->replied(node->watch_context, node, sim_socket_other_owner(link->socket),
                                 output);
        if (sent > 0)
            node_sent(node->node, link->session, sent);
    } else if (link->bus) {
        struct bytes output = bus_output(link->bus);
        size_t sent = sim_socket_send(link->socket, output);
        link->full = sent < output.size;
        if (sent > 0)
            bus_sent(node_bus(node->node), link->bus, sent);
    }
}

/* host.dial */
static void dial(void *context, struct bus_link *bus, const char *host, uint16_t port)
{
    struct cluster_node *node = context;
    unsigned long number = host[0] == 'n' ? strtoul(host + 1, NULL, 10) : 0;
    bool known = number >= 1 && number <= CLUSTER_NODES_MAX;
    struct node_link *link = link_new(node, NULL);
    link->bus = bus;
    link->dialed = true;
    if (known)
        link->socket = sim_net_dial(node->net, node->index, (unsigned)number - 1, port, link);
    bus_set_connection(bus, link);
    if (!known)
        make_ready(link);
}

/* host.hang_up */
static void hang_up(void *context, struct bus_link *bus)
{
    (void)context;
    link_end(bus_connection(bus), true);
}

static bool link_accept(struct node_link *link, uint64_t now_ms)
{
    struct cluster_node *node = link->node;
    char address[32];
    snprintf(address, sizeof(address), "10.0.0.%u:%u", sim_socket_other(link->socket) + 1,
             CLUSTER_PORT);
    if (sim_socket_port(link->socket) == CLUSTER_PORT) {
        link->session = node_accepted(node->node, address, "10.0.0.1:6379", now_ms);
        link->session->connection = link;
        return true;
    }
    struct bus *bus = node_bus(node->node);
    link->bus = bus ? bus_accepted(bus, address, node_steady_ms(node->node)) : NULL;
    if (link->bus)
        bus_set_connection(link->bus, link);
    return link->bus != NULL;
}

/* What the network has to say of it. */
static void link_turn(struct node_link *link, uint64_t now_ms)
{
    struct cluster_node *node = link->node;
    list_remove(&link->ready);
    if (!link->socket || (!link->session && !link->bus && !link_accept(link, now_ms))) {
        link_close(link);
        return;
    }
    if (link->dialed && !link->told && sim_socket_is_connected(link->socket)) {
        link->told = true;
        bus_connected(node_bus(node->node), link->bus, node_steady_ms(node->node));
    }
    struct bytes bytes = sim_socket_received(link->socket);
    if (bytes.size > 0 && list_is_empty(&link->ends)) {
        if (link->session)
            node_receive(node->node, link->session, bytes, now_ms);
        else
            bus_receive(node_bus(node->node), link->bus, bytes, node_steady_ms(node->node));
    }
    sim_socket_consume(link->socket, bytes.size);
    if (link->bus && sim_socket_was_closed(link->socket))
        bus_left(node_bus(node->node), link->bus);
    if (sim_socket_has_ended(link->socket))
        link_end(link, true);
    else if (link->full) { /* there may be room */
        link->full = false;
        link_send(link);
    }
}

/* ---- the process ----------------------------------------------------------------------------- */

static uint64_t monotonic_ns(void *context)
{
    const struct cluster_node *node = context;
    return node->clock->now_us * 1000 + 1;
}

static struct memory_use memory_use_of(void *context)
{
    (void)context;
    return (struct memory_use){0};
}

static void close_ended(struct cluster_node *node)
{
    for (struct list *at = node->ending.next, *next; at != &node->ending; at = next) {
        next = at->next;
        struct node_link *link = list_entry(at, struct node_link, ends);
        if (link->abrupt || (link->session && buffer_size(&link->session->output) == 0))
            link_close(link);
    }
}

bool cluster_node_is_disk_dead(const struct cluster_node *node)
{
    return sim_files_halted(node->disk) || sim_tier_is_crashed(node->tier_disk);
}

static void process_turn(void *context)
{
    struct cluster_node *node = context;
    uint64_t now_ms = cluster_node_wall_ms(node);
    struct list ready;
    list_init(&ready);
    list_splice(&ready, &node->ready);
    while (!list_is_empty(&ready))
        link_turn(list_entry(ready.next, struct node_link, ready), now_ms);
    struct workers *workers = sim_workers_interface(node->workers);
    workers->ops->poll(workers);
    if (now_ms >= node_deadline_ms(node->node))
        node_tick(node->node, now_ms);
    enum status status = node_turn_end(node->node, now_ms);
    if (status != STATUS_OK || cluster_node_is_disk_dead(node)) {
        trace_tell(node->trace, "n%u ends itself: %s", node->index + 1, status_text(status));
        cluster_node_crash(node);
        return;
    }
    if (node->watch)
        node->watch->turned(node->watch_context, node);
    if (node->state == CLUSTER_DOWN)
        return;
    close_ended(node);
    struct session *session;
    while ((session = node_next_output(node->node)))
        link_send(session->connection);
    struct bus *bus = node_bus(node->node);
    struct bus_link *link;
    while (bus && (link = bus_next_output(bus)))
        link_send(bus_connection(link));
    close_ended(node);
    work_soon(node);
    sleep_until_deadline(node);
}

static void do_job(void *context)
{
    struct cluster_node *node = context;
    sim_workers_step(node->workers);
    if (cluster_node_is_disk_dead(node) && node->state == CLUSTER_UP) {
        trace_tell(node->trace, "n%u dies in the middle of a change", node->index + 1);
        cluster_node_crash(node);
        return;
    }
    work_soon(node);
    turn_soon(node);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void set_text(char **field, const char *text)
{
    size_t size = strlen(text) + 1;
    memory_free(*field);
    *field = memory_alloc(size);
    memcpy(*field, text, size);
}

static void configure(struct cluster_node *node)
{
    const struct cluster_settings *settings = node->settings;
    struct config *config = &node->config;
    char name[16];
    snprintf(name, sizeof(name), "n%u", node->index + 1);
    config_init(config);
    config->appendfsync = settings->sync;
    config->seal_bytes = (int64_t)settings->seal_bytes;
    config->latency_threshold_ms = 0;
    config->slowlog_slower_us = -1;
    if (settings->nodes == 1)
        return;
    config->cluster_enabled = true;
    set_text(&config->cluster_seeds, "n1:16379 n2:16379");
    set_text(&config->cluster_hostname, name);
    config->cluster_port = CLUSTER_BUS_PORT;
    config->replicas = settings->copies;
    config->read_quorum = settings->read_quorum;
    config->write_quorum = settings->write_quorum;
    config->sloppy_quorum = settings->sloppy;
    config->quorum_timeout_ms = (int64_t)settings->quorum_timeout_ms;
    config->cluster_remove_after_s = settings->remove_after_s;
    config->max_absence_s = settings->max_absence_s;
    if (node->leaving)
        config->weight = 0;
}

/* What a dead process leaves behind is taken away. */
static void clean_up(struct cluster_node *node, bool power_lost)
{
    sim_workers_free(node->workers);
    node->tier->ops->free(node->tier);
    node->workers = NULL;
    node->node = NULL;
    node->state = CLUSTER_DOWN;
    config_deinit(&node->config);
    if (power_lost)
        sim_files_power_cut(node->disk);
    else
        sim_files_crash(node->disk);
    sim_timer_cancel(node->clock, &node->turn);
    sim_timer_cancel(node->clock, &node->job);
}

static void restart_later(struct cluster_node *node)
{
    if (node->may_restart && node->held_down == 0)
        sim_timer_set(node->clock, &node->restart,
                      node->clock->now_us + RESTART_MIN_US +
                          random_below(&node->random, RESTART_MORE_US));
}

void cluster_node_start(struct cluster_node *node)
{
    if (node->state != CLUSTER_DOWN || node->held_down > 0 || node->absent ||
        node->awaits_forgetting)
        return;
    sim_timer_cancel(node->clock, &node->restart);
    configure(node);
    node->lives++;
    node->workers = sim_workers_new(random_next(&node->random));
    node->tier = sim_tier_open(node->tier_disk);
    struct buffer error = {0};
    struct host host = {
        .files = sim_files_interface(node->disk),
        .tier = node->tier,
        .workers = sim_workers_interface(node->workers),
        .random = {random_next(&node->random), random_next(&node->random)},
        .process_id = 1,
        .memory_total = memory_total,
        .monotonic_ns = monotonic_ns,
        .memory_use = memory_use_of,
        .close = close_session,
        .bus_port = CLUSTER_BUS_PORT,
        .dial = dial,
        .hang_up = hang_up,
        .context = node,
    };
    enum status status = node_open(&host, &node->config, command_tables, cluster_node_wall_ms(node),
                                   &node->node, &error);
    bool died = cluster_node_is_disk_dead(node);
    if (status != STATUS_OK) {
        struct bytes reason = buffer_bytes(&error);
        if (!died && status != STATUS_DISK_FULL)
            trace_fail(node->trace, "start", "n%u does not start: %s: %.*s", node->index + 1,
                       status_text(status), (int)reason.size, reason.data);
        trace_tell(node->trace, "n%u dies while it starts", node->index + 1);
        sim_workers_crash(node->workers);
        clean_up(node, false);
        restart_later(node);
    } else {
        node->state = CLUSTER_UP;
        node->number = node_id(node->node);
        trace_tell(node->trace, "n%u starts: node %012" PRIx64, node->index + 1,
                   node_id(node->node));
        if (node->watch)
            node->watch->started(node->watch_context, node);
        sim_net_listen(node->net, node->index, &net_handler, node);
        work_soon(node);
        turn_soon(node);
    }
    buffer_deinit(&error);
}

static void on_restart(void *context)
{
    cluster_node_start(context);
}

static void tell_disk_changed(struct cluster_node *node)
{
    if (node->watch)
        node->watch->disk_changed(node->watch_context, node);
}

static void new_disk(struct cluster_node *node)
{
    node->disk = sim_files_new(random_next(&node->random), SIM_FILES_UNLIMITED);
    node->tier_disk = sim_tier_new(random_next(&node->random));
    sim_tier_set_cold(node->tier_disk, node->settings->cold_odds);
}

static void end_process(struct cluster_node *node, bool power_lost)
{
    if (node->watch)
        node->watch->dying(node->watch_context, node, power_lost);
    sim_net_silence(node->net, node->index);
    sim_files_halt_after(node->disk, 0);
    sim_tier_crash(node->tier_disk);
    while (!list_is_empty(&node->links)) {
        struct node_link *link = list_entry(node->links.next, struct node_link, link);
        if (link->bus)
            bus_closed(node_bus(node->node), link->bus, node_steady_ms(node->node));
        if (link->socket && power_lost)
            sim_socket_drop(link->socket);
        else if (link->socket)
            sim_socket_close(link->socket);
        link_free(link);
    }
    /* What is under way runs out, so that its memory is freed: nothing of it has an effect. */
    sim_workers_interface(node->workers)->ops->drain(sim_workers_interface(node->workers));
    node_abandon(node->node);
    clean_up(node, power_lost);
    restart_later(node);
}

void cluster_node_crash(struct cluster_node *node)
{
    if (node->state == CLUSTER_DOWN)
        return;
    trace_tell(node->trace, "n%u crashes", node->index + 1);
    end_process(node, false);
}

void cluster_node_cut_power(struct cluster_node *node)
{
    trace_tell(node->trace, "n%u loses power", node->index + 1);
    if (node->state == CLUSTER_DOWN) {
        tell_disk_changed(node);
        sim_files_power_cut(node->disk);
    } else {
        end_process(node, true);
    }
}

void cluster_node_lose_disk(struct cluster_node *node)
{
    trace_tell(node->trace, "n%u loses its disk", node->index + 1);
    if (node->state != CLUSTER_DOWN)
        end_process(node, true);
    node->lost = node->number;
    tell_disk_changed(node);
    sim_tier_delete(node->tier_disk);
    sim_files_free(node->disk);
    new_disk(node);
}

void cluster_node_copy_disk(struct cluster_node *node)
{
    if (node->old_disk || cluster_node_is_disk_dead(node))
        return;
    trace_tell(node->trace, "n%u's directory is copied%s", node->index + 1,
               node->state == CLUSTER_DOWN ? ", of a node that was stopped" : "");
    node->old_disk = sim_files_copy(node->disk, random_next(&node->random));
    node->old_tier_disk = sim_tier_copy(node->tier_disk, random_next(&node->random));
}

void cluster_node_put_back_disk(struct cluster_node *node, bool elsewhere)
{
    if (!node->old_disk)
        return;
    if (node->state != CLUSTER_DOWN)
        end_process(node, false);
    trace_tell(node->trace, "n%u's directory is as it was then%s", node->index + 1,
               elsewhere ? ", on another disk" : "");
    if (elsewhere)
        node->lost = node->number;
    else
        sim_files_put_back(node->old_disk, node->disk);
    tell_disk_changed(node);
    sim_tier_delete(node->tier_disk);
    sim_files_free(node->disk);
    node->disk = node->old_disk;
    node->tier_disk = node->old_tier_disk;
    node->old_disk = NULL;
    node->old_tier_disk = NULL;
    sim_files_set_capacity(node->disk, SIM_FILES_UNLIMITED); /* whatever it was then */
    cluster_node_start(node);
}

void cluster_node_stop(struct cluster_node *node)
{
    cluster_node_resume(node); /* one that stands still hears of it when it goes on */
    if (node->state != CLUSTER_UP)
        return;
    trace_tell(node->trace, "n%u is stopped", node->index + 1);
    if (node->watch)
        node->watch->dying(node->watch_context, node, false);
    sim_net_silence(node->net, node->index);
    while (!list_is_empty(&node->links))
        link_close(list_entry(node->links.next, struct node_link, link));
    enum status status = node_close(node->node);
    /* With a full disk it cannot say that it was clean: nothing but a new epoch comes of that. */
    if (status != STATUS_OK && status != STATUS_DISK_FULL && !cluster_node_is_disk_dead(node))
        trace_fail(node->trace, "stop", "n%u: %s", node->index + 1, status_text(status));
    clean_up(node, false);
    restart_later(node);
}

void cluster_node_pause(struct cluster_node *node)
{
    if (node->state != CLUSTER_UP)
        return;
    trace_tell(node->trace, "n%u stands still", node->index + 1);
    node->state = CLUSTER_PAUSED;
    sim_timer_cancel(node->clock, &node->turn);
    sim_timer_cancel(node->clock, &node->job);
}

void cluster_node_resume(struct cluster_node *node)
{
    if (node->state != CLUSTER_PAUSED)
        return;
    trace_tell(node->trace, "n%u goes on", node->index + 1);
    node->state = CLUSTER_UP;
    work_soon(node);
    turn_soon(node);
}

struct store *cluster_node_store(const struct cluster_node *node)
{
    return node->node ? node_store(node->node) : NULL;
}

void cluster_node_init(struct cluster_node *node, unsigned index, uint64_t seed,
                       const struct cluster_settings *settings, struct sim_net *net,
                       struct sim_clock *clock, struct cluster_trace *trace)
{
    *node = (struct cluster_node){
        .index = index,
        .settings = settings,
        .clock = clock,
        .net = net,
        .trace = trace,
        .random = {seed},
        .turn = {.fire = process_turn, .context = node},
        .job = {.fire = do_job, .context = node},
        .restart = {.fire = on_restart, .context = node},
    };
    list_init(&node->links);
    list_init(&node->ready);
    list_init(&node->ending);
    new_disk(node);
}

void cluster_node_deinit(struct cluster_node *node)
{
    node->may_restart = false;
    if (node->state != CLUSTER_DOWN)
        end_process(node, false);
    sim_timer_cancel(node->clock, &node->restart);
    sim_tier_delete(node->tier_disk);
    sim_files_free(node->disk);
    if (node->old_disk) {
        sim_tier_delete(node->old_tier_disk);
        sim_files_free(node->old_disk);
    }
}
