/* SPDX-License-Identifier: MIT */
#include "node/dispatch.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "node/forward.h"
#include "node/gather.h"
#include "node/read_check.h"
#include "node/reply_queue.h"
#include "node/routing.h"
#include "node/wait.h"
#include "session/monitor.h"
#include "session/pause.h"

void dispatch_init(struct dispatch *dispatch, struct sessions *sessions, struct observer *observer,
                   const struct config *config, struct journal *journal)
{
    *dispatch = (struct dispatch){
        .sessions = sessions,
        .observer = observer,
        .config = config,
        .journal = journal,
    };
    list_init(&dispatch->throttled);
    list_init(&dispatch->output);
    list_init(&dispatch->gated);
    arena_init(&dispatch->arena);
    dispatch_configure(dispatch);
}

void dispatch_configure(struct dispatch *dispatch)
{
    dispatch->output_watched = UINT64_MAX;
    for (unsigned i = 0; i < CONFIG_CLIENT_CLASSES; i++) {
        const struct output_limit *limit = &dispatch->config->output_limits[i];
        if (limit->hard > 0 && limit->hard - 1 < dispatch->output_watched)
            dispatch->output_watched = limit->hard - 1;
        if (limit->soft > 0 && limit->soft - 1 < dispatch->output_watched)
            dispatch->output_watched = limit->soft - 1;
    }
}

void dispatch_deinit(struct dispatch *dispatch)
{
    check(list_is_empty(&dispatch->throttled));
    buffer_deinit(&dispatch->sessions->scratch);
    if (dispatch->arena.blocks)
        arena_deinit(&dispatch->arena);
    memory_free(dispatch->cluster.kinds);
}

/* ---- may it run? ----------------------------------------------------------------------------- */

static void refuse_unknown_command(const struct request *request)
{
    char arguments[REQUEST_ECHOED_MAX + 8] = "";
    size_t used = 0;
    for (uint32_t i = 1; i < request->argc && used < REQUEST_ECHOED_MAX; i++) {
        int room = REQUEST_ECHOED_MAX - (int)used;
        struct bytes argument = request->argv[i];
        int size = argument.size < (size_t)room ? (int)argument.size : room;
        used += (size_t)snprintf(arguments + used, sizeof(arguments) - used, "'%.*s' ", size,
                                 argument.data);
    }
    reply_errorf(request->reply, "ERR unknown command '%.*s', with args beginning with: %s",
                 request_echoed(request->argv[0]), request->argv[0].data, arguments);
}

static void refuse_unknown_subcommand(const struct request *request, const struct command *parent)
{
    char name[COMMAND_FULL_NAME_SIZE];
    command_full_name(NULL, parent, name, sizeof(name));
    for (char *at = name; *at; at++)
        if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
    reply_errorf(request->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                 request_echoed(request->argv[1]), request->argv[1].data, name);
}

static void refuse_arity(const struct request *request, const struct command *parent,
                         const struct command *command)
{
    char name[COMMAND_FULL_NAME_SIZE];
    command_full_name(parent, command, name, sizeof(name));
    reply_errorf(request->reply, "ERR wrong number of arguments for '%s' command", name);
}

/*
 * Words that HTTP begins with: somebody's browser was made to speak to this port. It is cut off
 * without a reply, to what it said before either.
 */
static bool is_foreign(struct bytes name)
{
    return bytes_equal_nocase(name, BYTES("post")) || bytes_equal_nocase(name, BYTES("host:"));
}

/* Names the command of the request. Errors are replied. */
static enum status find_command(struct request *request)
{
    const struct command *parent = NULL;
    struct bytes subcommand = request->argc > 1 ? request->argv[1] : bytes_of(NULL, 0);
    const struct command *command = command_find_numbered(request->commands, request->argv[0],
                                                          subcommand, &parent, &request->number);
    request->command = NULL;
    if (!command && parent) {
        refuse_unknown_subcommand(request, parent);
        return STATUS_REPLIED;
    }
    if (!command && is_foreign(request->argv[0])) {
        session_kill(request->session);
        return STATUS_REPLIED;
    }
    if (!command) {
        refuse_unknown_command(request);
        return STATUS_REPLIED;
    }
    int64_t argc = request->argc;
    request->command = command;
    request->parent = parent;
    if (!command->handler ||
        (command->arity >= 0 ? argc != command->arity : argc < -command->arity)) {
        refuse_arity(request, parent, command);
        return STATUS_REPLIED;
    }
    return STATUS_OK;
}

/* Redis's checks, in Redis's order. */
static enum status admit(const struct dispatch *dispatch, struct session *session)
{
    enum status status = find_command(&session->request);
    if (status != STATUS_OK)
        return status;
    if (session->gather) /* it was admitted, and other nodes have run it: their answers are here */
        return STATUS_OK;
    uint32_t flags = session->request.command->flags;
    if (session_needs_auth(session) && !(flags & CMD_NO_AUTH)) {
        reply_error(&session->reply, BYTES("NOAUTH Authentication required."));
        return STATUS_REPLIED;
    }
    if ((flags & CMD_DENYOOM) && dispatch->memory_exhausted)
        return STATUS_OUT_OF_MEMORY;
    if ((flags & CMD_WRITE) && store_disk_full(session->sessions->store))
        return STATUS_DISK_FULL;
    return STATUS_OK;
}

/* ---- one request ----------------------------------------------------------------------------- */

static void fetched(void *context)
{
    struct session *session = context;
    check(session->state == SESSION_FETCHING);
    list_append(&session->sessions->resumed, &session->waiting);
}

static bool must_wait(enum status status)
{
    return status == STATUS_COLD || status == STATUS_YIELD || status == STATUS_THROTTLED ||
           status == STATUS_PAUSED || status == STATUS_AWAITING;
}

/* The request will run again, from the start: what it has done is dropped, but for its progress. */
static void suspend(struct dispatch *dispatch, struct session *session, enum status status)
{
    struct sessions *sessions = session->sessions;
    session->held = true;
    if (status == STATUS_COLD) {
        sessions->stats->reruns++;
        session->state = SESSION_FETCHING;
        txn_fetch(&session->txn, fetched, session);
        return;
    }
    txn_end(&session->txn);
    if (status == STATUS_AWAITING) {
        session->state = SESSION_AWAITING;
    } else if (status == STATUS_PAUSED) {
        pause_postpone(session);
    } else if (status == STATUS_YIELD) {
        session->state = SESSION_YIELDED;
        list_append(&sessions->resumed, &session->waiting);
    } else {
        session->state = SESSION_THROTTLED;
        list_append(&dispatch->throttled, &session->waiting);
    }
}

static void forget_progress(struct progress *progress)
{
    progress->position = progress->count = 0;
    if (progress->done.block)
        buffer_deinit(&progress->done);
}

/* Mostly nothing stands before it, and it waits for nothing. */
static void place_remote_reply(struct session *session, struct buffer *out, size_t begin)
{
    uint64_t gate = session->gate_request;
    if (!list_is_empty(&session->queue) ||
        (gate > 0 && !store_gate_passed(session->sessions->store, gate))) {
        queue_push_plain(session, out, begin, gate);
        return;
    }
    struct bytes all = buffer_bytes(out);
    remote_reply(session->remote, session->request_number, session->refused,
                 bytes_of(all.data + begin, all.size - begin));
    buffer_truncate(out, begin);
}

/* Where its reply goes: to the output, or where what came before it waits for other nodes. */
static void place_reply(struct dispatch *dispatch, struct session *session, size_t begin,
                        bool replicates)
{
    struct buffer *out = session->reply.out;
    if (session->reply_off || session->reply_skip)
        buffer_truncate(out, begin);
    if (replicates) {
        routing_replicate(dispatch, session, out, begin);
    } else if (session->shows_unsettled && buffer_size(out) > begin) {
        routing_settle(dispatch, session, out, begin);
    } else if (session->remote) {
        place_remote_reply(session, out, begin);
    } else if (out == &session->output) {
        if (session->gate_request > session->gate_rest)
            session->gate_rest = session->gate_request;
    } else if (buffer_size(out) > begin) { /* else it has another place, or there is none */
        queue_settle(session, out, session->gate_request);
    }
}

/* Its reply has its place. */
static void finish(struct session *session)
{
    txn_end(&session->txn);
    session->held = false;
    session->refused = REMOTE_NOT_REFUSED;
    session->ran_in_part = false;
    session->dead.count = 0;
    forget_progress(&session->progress);
    session->gate_request = 0;
    session->reply_skip = session->reply_skip_next;
    session->reply_skip_next = false;
}

/* Runs it, once. */
static enum status execute(struct dispatch *dispatch, struct session *session)
{
    struct request *request = &session->request;
    session->last_command = request->command;
    session->last_parent = request->parent;
    request->hits = request->misses = 0;
    observer_run(dispatch->observer, request);
    txn_begin(&session->txn, request->now_ms);
    session->txn.no_touch = session->no_touch;
    if (session->dead.count > 0)
        txn_set_dead(&session->txn, &session->dead);
    enum status status = request->command->handler(request);
    if (status == STATUS_OK)
        status = txn_commit(&session->txn);
    /* An error too may tell of a row that is not durable yet. */
    if (session->txn.gate > session->gate_request)
        session->gate_request = session->txn.gate;
    if (must_wait(status)) {
        observer_suspended(dispatch->observer, session);
        return status;
    }
    struct stats *stats = session->sessions->stats;
    stats->commands_processed++;
    stats->keyspace_hits += request->hits;
    stats->keyspace_misses += request->misses;
    session->commands++;
    return status;
}

/* The handler has written the text of STATUS_REPLIED itself, from `begin` on. */
static void finish_error(struct session *session, enum status status, size_t begin)
{
    struct buffer *out = session->reply.out;
    struct bytes text = bytes_of(buffer_bytes(out).data + begin, buffer_size(out) - begin);
    if (session->ran_in_part && !bytes_starts_with(text, BYTES("-UNKNOWN"))) {
        buffer_truncate(out, begin);
        reply_error(&session->reply, BYTES("UNKNOWN The command was refused, but nodes that have "
                                           "gone may have run a part of it"));
    } else if (status != STATUS_REPLIED) {
        buffer_truncate(out, begin);
        reply_error(&session->reply, command_error_text(status));
    }
    struct bytes output = buffer_bytes(out);
    if (output.size > begin) /* else it was no reply: the connection is cut */
        stats_error(session->sessions->stats,
                    bytes_of(output.data + begin + 1, output.size - begin - 1));
}

/* Checks it and runs it, once. */
static enum status attempt(struct dispatch *dispatch, struct session *session, bool again,
                           bool *out_ran)
{
    enum status status = admit(dispatch, session);
    *out_ran = false;
    if (status != STATUS_OK)
        return status;
    if (!again && pause_holds(session, session->request.command->flags))
        return STATUS_PAUSED;
    if (dispatch->cluster.enabled && (!again || routing_is_stale(dispatch, session)))
        status = routing_route(dispatch, session);
    if (status == STATUS_OK && session->remote && remote_is_late(session->remote))
        status = routing_refuse_late(session);
    if (status != STATUS_OK)
        return status;
    *out_ran = true;
    return execute(dispatch, session);
}

/* Monitors see what this node's own clients ask, wherever it runs; times and counts are of the node
 * on which it did. */
static void observe(struct dispatch *dispatch, struct session *session, enum status status,
                    bool ran, size_t bytes)
{
    bool forwarded = status == STATUS_FORWARDED;
    if (ran)
        observer_finished(dispatch->observer, session, status != STATUS_OK, bytes);
    else if (session->request.command && !forwarded)
        observer_rejected(dispatch->observer, session);
    if ((ran || forwarded) && !session->remote && !list_is_empty(&session->sessions->monitors))
        dispatch->monitors_shown |= monitor_show(session, &session->request);
}

/* Runs the request that the parser holds: the first `size` bytes of `rest`. False: it waits, and
 * its bytes are to be kept. */
static bool run(struct dispatch *dispatch, struct session *session, bool again, size_t size,
                size_t rest)
{
    struct request *request = &session->request;
    session->reply.out = queue_out(session);
    size_t begin = buffer_size(session->reply.out);
    bool ran;
    request->argv = session->parser.argv;
    request->argc = session->parser.argc;
    if (!session->held)
        request->db = store_database(session->sessions->store, session->db);
    request->now_ms = dispatch->now_ms;
    dispatch->observer->brief = size < rest && size <= OBSERVER_BRIEF_BYTES;
    if (!again)
        txn_init(&session->txn, session->sessions->store, &session->arena);
    enum status status = attempt(dispatch, session, again, &ran);
    if (must_wait(status)) {
        buffer_truncate(session->reply.out, begin);
        suspend(dispatch, session, status);
        return false;
    }
    if (status != STATUS_OK && status != STATUS_FORWARDED)
        finish_error(session, status, begin);
    size_t bytes = buffer_size(session->reply.out) - begin;
    bool replicates = status == STATUS_OK && dispatch->cluster.quorum && txn_changes(&session->txn);
    place_reply(dispatch, session, begin, replicates);
    finish(session);
    if (status == STATUS_FORWARDED) {
        session->last_command = request->command;
        session->last_parent = request->parent;
    }
    observe(dispatch, session, status, ran, bytes);
    return true;
}

/* ---- a stream of requests -------------------------------------------------------------------- */

static void lend_arena(struct dispatch *dispatch, struct session *session)
{
    if (session->arena.blocks) {
        arena_clear(&session->arena);
        return;
    }
    if (!dispatch->arena.blocks)
        arena_init(&dispatch->arena);
    session->arena = dispatch->arena;
    dispatch->arena = (struct arena){0};
}

/* A session that fetches keeps it: its transaction's memory is there. */
static void take_arena_back(struct dispatch *dispatch, struct session *session)
{
    if (session->state == SESSION_FETCHING)
        return;
    if (dispatch->arena.blocks) {
        arena_deinit(&session->arena);
        return;
    }
    arena_clear(&session->arena);
    dispatch->arena = session->arena;
    session->arena = (struct arena){0};
}

static struct request_limits limits_of(const struct session *session)
{
    if (session->held) /* it was within the limits when it came; they may have changed since */
        return (struct request_limits){
            .arguments = DISPATCH_ARGUMENTS_MAX,
            .bulk_size = DISPATCH_INPUT_MAX,
            .inline_size = DISPATCH_INLINE_MAX,
            .authenticated = true,
        };
    if (session_needs_auth(session))
        return (struct request_limits){
            .arguments = DISPATCH_STRANGER_ARGUMENTS_MAX,
            .bulk_size = DISPATCH_STRANGER_BULK_MAX,
            .inline_size = DISPATCH_INLINE_MAX,
        };
    return (struct request_limits){
        .arguments = DISPATCH_ARGUMENTS_MAX,
        .bulk_size = (uint64_t)*session->sessions->bulk_size_max,
        .inline_size = DISPATCH_INLINE_MAX,
        .authenticated = true,
    };
}

static bool has_much_output(const struct session *session)
{
    size_t size = buffer_size(&session->output) + session->queue_bytes;
    if (session->queue_count > DISPATCH_QUEUE_PAUSE)
        return true;
    return size > DISPATCH_STRANGER_OUTPUT_PAUSE &&
           (size > DISPATCH_OUTPUT_PAUSE || session_needs_auth(session));
}

/* Whether another request of the session may be taken in this turn, after `count`. */
static bool may_go_on(struct session *session, unsigned count)
{
    if (session->state != SESSION_READY || (session->remote && count > 0)) /* remote.c gives each */
        return false;
    session->paused = has_much_output(session);
    if (session->paused)
        return false;
    if (count == DISPATCH_REQUESTS_MAX) {
        session->state = SESSION_YIELDED;
        list_append(&session->sessions->resumed, &session->waiting);
        return false;
    }
    return true;
}

static void refuse_malformed(struct session *session)
{
    struct bytes error = bytes_text(session->parser.error);
    stats_error(session->sessions->stats, error);
    session->reply.out = queue_out(session);
    if (!session->reply_off)
        reply_error(&session->reply, error);
    if (session->reply.out != &session->output && !session->reply_off)
        queue_settle(session, session->reply.out, 0);
    session_close(session);
}

/* The rows of a long pipeline are spread over memory: waiting for each in its turn would take most
 * of the time. */
static void look_ahead(const struct session *session, struct bytes stream)
{
    struct bytes keys[STORE_EXPECTED_MAX];
    size_t count = 0, size;
    for (; count < STORE_EXPECTED_MAX && request_peek(stream, &keys[count], &size); count++)
        stream = bytes_of(stream.data + size, stream.size - size);
    store_expect(session->sessions->store, keys, count);
}

/* Runs the requests of the stream. Returns how many of its bytes are done with. */
static size_t run_stream(struct dispatch *dispatch, struct session *session, struct bytes stream)
{
    bool again = session->state == SESSION_FETCHING;
    size_t done = 0;
    session->state = SESSION_READY;
    lend_arena(dispatch, session);
    observer_begin(dispatch->observer);
    for (unsigned count = 0; done < stream.size && (again || may_go_on(session, count)); count++) {
        struct request_limits limits = limits_of(session);
        struct bytes rest = bytes_of(stream.data + done, stream.size - done);
        size_t used;
        if (count % STORE_EXPECTED_MAX == 1) /* who sends single requests has none ahead */
            look_ahead(session, rest);
        enum request_result result =
            request_parse(&session->parser, rest, &limits, &session->arena, &used);
        check(result == REQUEST_READY || !session->held);
        if (result == REQUEST_MALFORMED)
            refuse_malformed(session);
        if (result != REQUEST_READY)
            break;
        dispatch->request = bytes_of(rest.data, used);
        dispatch->ahead = bytes_of(rest.data + used, rest.size - used);
        if (session->parser.argc > 0 && !run(dispatch, session, again, used, rest.size))
            break;
        again = false;
        done += used;
        if (session->read_check)
            read_check_consumed(session, used);
        arena_clear(&session->arena);
    }
    observer_end(dispatch->observer, dispatch->now_ms);
    take_arena_back(dispatch, session);
    return done;
}

static void take_input(struct dispatch *dispatch, struct session *session)
{
    struct bytes stream = buffer_bytes(&session->input);
    buffer_consume(&session->input, run_stream(dispatch, session, stream));
    if (buffer_size(&session->input) == 0)
        buffer_clear(&session->input, SESSION_BUFFER_KEPT);
}

/* Nothing keeps its next request from being taken. */
static bool is_free(const struct session *session)
{
    return session->state == SESSION_READY && !session->paused && list_is_empty(&session->waiting);
}

/* A client that does not read what it is sent is cut off: at once beyond the hard limit, beyond the
 * soft one if it lasts. */
static void limit_output(struct dispatch *dispatch, struct session *session)
{
    bool watches = !list_is_empty(&session->monitoring);
    const struct output_limit *limit =
        &dispatch->config->output_limits[watches ? CONFIG_CLIENT_PUBSUB : CONFIG_CLIENT_NORMAL];
    size_t size = buffer_size(&session->output);
    bool cut = limit->hard > 0 && size >= limit->hard;
    bool over = limit->soft > 0 && size >= limit->soft;
    if (over && session->soft_since_ms > 0) /* the clock may have gone back since */
        cut = cut || dispatch->now_ms > session->soft_since_ms + limit->soft_s * 1000;
    session_set_over_soft(session, over, dispatch->now_ms);
    if (!cut || session->killed)
        return;
    session->sessions->stats->output_limit_disconnections++;
    journal_write(dispatch->journal, JOURNAL_WARNING,
                  "Client id=%llu addr=%s is cut off: it has not read %zu bytes of output, more "
                  "than client-output-buffer-limit allows",
                  (unsigned long long)session->id, session->address, size);
    session_kill(session);
}

static void settle_output(struct dispatch *dispatch, struct session *session)
{
    size_t size = buffer_size(&session->output);
    if (size > dispatch->output_watched || session->soft_since_ms > 0)
        limit_output(dispatch, session);
    if (size > session->output_gated && list_is_empty(&session->sending))
        list_append(&dispatch->output, &session->sending);
    session_account(session);
}

/* What was shown to the monitors is theirs to be sent. */
static void settle_monitors(struct dispatch *dispatch)
{
    struct list *monitors = &dispatch->sessions->monitors;
    dispatch->monitors_shown = false;
    for (struct list *at = monitors->next; at != monitors; at = at->next)
        settle_output(dispatch, list_entry(at, struct session, monitoring));
}

/* After anything that may have changed the session's buffers or state. */
static void settle(struct dispatch *dispatch, struct session *session)
{
    size_t waiting = buffer_size(&session->input);
    if (waiting > DISPATCH_STRANGER_INPUT_MAX &&
        (waiting > DISPATCH_INPUT_MAX || session_needs_auth(session)))
        session_kill(session);
    if (session->finished && is_free(session)) /* what is left is no whole request */
        session_close(session);
    settle_output(dispatch, session);
    if (session->state == SESSION_CLOSING)
        buffer_clear(&session->input, 0);
    if (dispatch->monitors_shown)
        settle_monitors(dispatch);
}

static void set_time(struct dispatch *dispatch, uint64_t now_ms)
{
    struct dispatch_cluster *cluster = &dispatch->cluster;
    dispatch->now_ms = now_ms;
    if (cluster->clock_ms)
        cluster->steady_ms = cluster->clock_ms(cluster->clock_context);
}

static void count_input(struct session *session, size_t size, uint64_t now_ms)
{
    session->active_ms = now_ms;
    session->bytes_in += size;
    session->sessions->stats->input_bytes += size;
}

void dispatch_receive(struct dispatch *dispatch, struct session *session, struct bytes bytes,
                      uint64_t now_ms)
{
    set_time(dispatch, now_ms);
    count_input(session, bytes.size, now_ms);
    if (session->state == SESSION_CLOSING)
        return;
    if (is_free(session) && buffer_size(&session->input) == 0) {
        session->passing = bytes.size;
        size_t done = run_stream(dispatch, session, bytes);
        session->passing = 0;
        buffer_append(&session->input, bytes.data + done, bytes.size - done);
    } else {
        buffer_append_bytes(&session->input, bytes);
        if (is_free(session))
            take_input(dispatch, session);
    }
    settle(dispatch, session);
}

char *dispatch_room(struct session *session, size_t *out_size)
{
    if (!is_free(session))
        return NULL;
    size_t wants = request_wants(&session->parser, buffer_size(&session->input));
    if (wants < DISPATCH_ROOM_MIN)
        return NULL;
    *out_size = wants < DISPATCH_ROOM_MAX ? wants : DISPATCH_ROOM_MAX;
    return buffer_reserve(&session->input, *out_size);
}

void dispatch_received(struct dispatch *dispatch, struct session *session, size_t size,
                       uint64_t now_ms)
{
    set_time(dispatch, now_ms);
    count_input(session, size, now_ms);
    if (session->state == SESSION_CLOSING)
        return;
    check(size <= session->input.capacity - session->input.end);
    buffer_commit(&session->input, size);
    if (is_free(session))
        take_input(dispatch, session);
    settle(dispatch, session);
}

void dispatch_finished(struct dispatch *dispatch, struct session *session)
{
    session->finished = true;
    settle(dispatch, session);
}

void dispatch_resume(struct dispatch *dispatch, uint64_t now_ms)
{
    struct list ready;
    set_time(dispatch, now_ms);
    list_init(&ready);
    list_splice(&ready, &dispatch->sessions->resumed);
    while (!list_is_empty(&ready)) {
        struct session *session = list_entry(ready.next, struct session, waiting);
        list_remove(&session->waiting);
        take_input(dispatch, session);
        settle(dispatch, session);
    }
}

void dispatch_retry_throttled(struct dispatch *dispatch, size_t limit)
{
    for (size_t i = 0; i < limit && !list_is_empty(&dispatch->throttled); i++) {
        struct list *first = dispatch->throttled.next;
        list_remove(first);
        list_append(&dispatch->sessions->resumed, first);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

void dispatch_tick(struct dispatch *dispatch, uint64_t now_ms)
{
    struct sessions *sessions = dispatch->sessions;
    dispatch->now_ms = now_ms;
    if (sessions->pause != PAUSE_NONE && now_ms >= sessions->pause_until_ms)
        pause_end(sessions);
    if (sessions->soft_count == 0)
        return;
    for (struct list *at = sessions->all.next; at != &sessions->all; at = at->next) {
        struct session *session = list_entry(at, struct session, link);
        if (session->soft_since_ms > 0)
            limit_output(dispatch, session);
    }
}

void dispatch_closed(struct dispatch *dispatch, struct session *session)
{
    struct dispatch_cluster *cluster = &dispatch->cluster;
    queue_abandon(session);
    read_check_end(cluster->quorum, session);
    gather_end(session);
    wait_end(session);
    if (session->forwards)
        forwarder_client_gone(cluster->forwarder, session->id);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void resume_if_relieved(struct dispatch *dispatch, struct session *session)
{
    if (!session->paused || session->state != SESSION_READY || has_much_output(session))
        return;
    session->paused = false;
    list_append(&dispatch->sessions->resumed, &session->waiting);
}

/* It has waited for its queue, and perhaps there was nothing to send. */
static void close_if_idle(struct session *session)
{
    if (session->state == SESSION_CLOSING && !session->close_told &&
        list_is_empty(&session->queue) && list_is_empty(&session->waiting))
        list_append(&session->sessions->closing, &session->waiting);
}

/* What other nodes were to do first is done. */
static void release_queue(struct dispatch *dispatch, struct session *session)
{
    struct queued_reply *reply;
    while ((reply = queue_take(session))) {
        if (session->remote)
            remote_reply(session->remote, reply->number, reply->refused,
                         buffer_bytes(&reply->bytes));
        else
            buffer_append_bytes(&session->output, buffer_bytes(&reply->bytes));
        queue_free(reply);
    }
    settle_output(dispatch, session);
    resume_if_relieved(dispatch, session);
    close_if_idle(session);
}

static void release_queues(struct dispatch *dispatch)
{
    struct list *answered = &dispatch->sessions->answered, gated;
    list_init(&gated);
    while (!list_is_empty(answered)) { /* a reply sent may be another one's */
        struct session *session = list_entry(answered->next, struct session, answered);
        list_remove(&session->answered);
        release_queue(dispatch, session);
        if (queue_is_gated(session))
            list_append(&gated, &session->answered);
    }
    list_splice(answered, &gated);
}

void dispatch_turn_end(struct dispatch *dispatch)
{
    release_queues(dispatch);
    list_splice(&dispatch->output, &dispatch->gated);
}

struct session *dispatch_next_output(struct dispatch *dispatch)
{
    while (!list_is_empty(&dispatch->output)) {
        struct session *session = list_entry(dispatch->output.next, struct session, sending);
        list_remove(&session->sending);
        size_t before = session->output_free;
        size_t now = session_release_output(session);
        if (now < buffer_size(&session->output))
            list_append(&dispatch->gated, &session->sending);
        if (now > before)
            return session;
    }
    return NULL;
}

void dispatch_sent(struct dispatch *dispatch, struct session *session, size_t size)
{
    check(size <= session->output_free);
    buffer_consume(&session->output, size);
    session->output_free -= size;
    session->output_gated -= size;
    session->bytes_out += size;
    session->sessions->stats->output_bytes += size;
    if (buffer_size(&session->output) == 0)
        buffer_clear(&session->output, SESSION_BUFFER_KEPT);
    if (session->soft_since_ms > 0)
        limit_output(dispatch, session);
    resume_if_relieved(dispatch, session);
    session_account(session);
}
