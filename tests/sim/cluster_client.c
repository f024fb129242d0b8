/* SPDX-License-Identifier: MIT */
#include "sim/cluster_client.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/xxh.h"
#include "sim/cluster_node.h"

enum {
    RETRY_US = 20 * SIM_MS, /* after a connection failed, up to twice that */
    AUDIT_RETRY_US = 200 * SIM_MS,
    REPLY_DEPTH_MAX = 4,
    LINE_SIZE_MAX = 512,
    FORGETS_ODDS = 6, /* a client its context */
    FORGES_ODDS = 12,
    MINUS_ODDS = 3, /* of an increment */
};

/* ---- keys ------------------------------------------------------------------------------------ */

static unsigned keys_of(const struct cluster_load *load, enum history_class class)
{
    switch (class) {
    case HISTORY_REGISTER:
        return load->hot_keys;
    case HISTORY_COUNTER:
        return load->sums;
    case HISTORY_PRIVATE:
        return load->own_keys;
    case HISTORY_EXPIRING:
        return load->expiring_keys;
    case HISTORY_LOG:
        return load->logs;
    case HISTORY_VERSIONS:
        return load->versions;
    default:
        return 0;
    }
}

static bool is_shared(enum history_class class)
{
    return class == HISTORY_REGISTER || class == HISTORY_COUNTER || class == HISTORY_VERSIONS;
}

void cluster_load_keys(const struct cluster_load *load, struct history *history)
{
    for (int class = 0; class < HISTORY_CLASSES; class ++) {
        unsigned owners = is_shared((enum history_class) class) ? 1 : load->clients;
        for (unsigned owner = 0; owner < owners; owner++) {
            for (unsigned i = 0; i < keys_of(load, (enum history_class) class); i++)
                history_add_key(history, (enum history_class) class, i,
                                is_shared((enum history_class) class) ? -1 : (int)owner);
        }
    }
}

/* The number of a key, as cluster_load_keys has added them. */
static size_t key_at(const struct cluster_load *load, enum history_class class, unsigned owner,
                     unsigned number)
{
    size_t at = 0;
    for (int before = 0; before < (int)class; before++) {
        unsigned owners = is_shared((enum history_class)before) ? 1 : load->clients;
        at += owners * keys_of(load, (enum history_class)before);
    }
    return at + (is_shared(class) ? 0 : owner * keys_of(load, class)) + number;
}

/* ---- replies --------------------------------------------------------------------------------- */

/* A line's end after the first byte: its place, or 0. */
static size_t line_end(struct bytes text)
{
    for (size_t i = 1; i + 1 < text.size && i < LINE_SIZE_MAX; i++)
        if (text.data[i] == '\r' && text.data[i + 1] == '\n')
            return i;
    return 0;
}

static size_t reply_size(struct bytes text, unsigned depth)
{
    if (text.size == 0)
        return 0;
    size_t end = line_end(text);
    if (end == 0)
        return text.size < LINE_SIZE_MAX ? 0 : SIZE_MAX;
    int64_t number = 0;
    if (text.data[0] == '+' || text.data[0] == '-')
        return end + 2;
    if (!number_parse_i64(bytes_of(text.data + 1, end - 1), &number))
        return SIZE_MAX;
    if (text.data[0] == ':' || (number == -1 && (text.data[0] == '$' || text.data[0] == '*')))
        return end + 2;
    if (text.data[0] == '$' && number >= 0) {
        size_t size = end + 2 + (size_t)number + 2;
        return text.size < size ? 0 : size;
    }
    if (text.data[0] != '*' || number < 0 || depth == REPLY_DEPTH_MAX)
        return SIZE_MAX;
    size_t at = end + 2;
    for (int64_t i = 0; i < number; i++) {
        size_t size = reply_size(bytes_of(text.data + at, text.size - at), depth + 1);
        if (size == 0 || size == SIZE_MAX)
            return size;
        at += size;
    }
    return at;
}

size_t cluster_reply_size(struct bytes text)
{
    return reply_size(text, 0);
}

/* The bytes of a bulk string; false: it is nil, or another kind. */
static bool bulk_of(struct bytes reply, struct bytes *out)
{
    size_t end = line_end(reply);
    if (reply.data[0] != '$' || reply.data[1] == '-')
        return false;
    *out = bytes_of(reply.data + end + 2, reply.size - end - 4);
    return true;
}

static int64_t integer_of(struct bytes reply)
{
    int64_t number = 0;
    if (reply.data[0] != ':' ||
        !number_parse_i64(bytes_of(reply.data + 1, reply.size - 3), &number))
        return 0;
    return number;
}

enum history_outcome cluster_error_outcome(struct bytes error)
{
    if (bytes_starts_with(error, BYTES("-UNKNOWN")))
        return OUTCOME_UNKNOWN;
    return OUTCOME_REFUSED;
}

/* ---- one request ----------------------------------------------------------------------------- */

static struct random stream(const struct cluster_client *client, uint64_t purpose)
{
    uint64_t facts[3] = {client->seed, client->requests, purpose};
    return (struct random){xxh64(bytes_of(facts, sizeof(facts)))};
}

static void word(struct buffer *out, struct bytes bytes)
{
    buffer_printf(out, "$%zu\r\n", bytes.size);
    buffer_append_bytes(out, bytes);
    buffer_append_bytes(out, BYTES("\r\n"));
}

static void word_number(struct buffer *out, int64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRId64, number);
    word(out, bytes_of(text, (size_t)size));
}

static void begin_event(struct cluster_client *client, size_t key, enum history_verb verb,
                        int64_t amount)
{
    size_t number = history_begin(client->history, key, verb, client->index, client->clock->now_us);
    struct history_event *event = &client->history->events[number];
    event->node = client->node;
    event->amount = amount;
    event->final = client->auditing;
    client->verb = verb;
    client->events[client->event_count++] = number;
}

static size_t draw_padding(const struct cluster_client *client, struct random *random)
{
    if (client->load->padding_max == 0 || !random_once_in(random, 4))
        return 0;
    return (size_t)random_below(random, client->load->padding_max);
}

static void value_word(struct cluster_client *client, struct random *random, size_t event,
                       struct buffer *out)
{
    struct buffer value = {0};
    bool padded = client->verb != VERB_APPEND;
    history_value(client->history, event, padded ? draw_padding(client, random) : 0, &value);
    word(out, buffer_bytes(&value));
    buffer_deinit(&value);
}

/* What the client has seen of the key when it last looked, if it remembers. Or something that looks
 * like it: no node has signed that. */
static void context_word(struct cluster_client *client, struct random *random, size_t number,
                         struct buffer *out)
{
    struct history_event *event = &client->history->events[number];
    struct buffer context = {0};
    bool has = client->context_event > 0 && client->context_key == event->key;
    if (has && !random_once_in(random, FORGETS_ODDS)) {
        buffer_append_bytes(&context, buffer_bytes(&client->context));
        event->context = client->context_event;
    }
    if (buffer_size(&context) > 0 && random_once_in(random, FORGES_ODDS)) {
        char *digit = context.block + context.start + random_below(random, buffer_size(&context));
        *digit = *digit == '0' ? '1' : '0';
        event->forged = true;
    }
    word(out, buffer_bytes(&context));
    buffer_deinit(&context);
}

static enum history_verb draw_verb(enum history_class class, struct random *random)
{
    static const enum history_verb registers[] = {VERB_GET, VERB_GET,   VERB_GET,    VERB_SET,
                                                  VERB_SET, VERB_SETNX, VERB_GETSET, VERB_DEL};
    static const enum history_verb expiring[] = {VERB_GET, VERB_GET,    VERB_GET,     VERB_SET,
                                                 VERB_SET, VERB_EXPIRE, VERB_PERSIST, VERB_DEL};
    switch (class) {
    case HISTORY_COUNTER:
        return random_once_in(random, 4) ? VERB_GET : VERB_INCRBY;
    case HISTORY_LOG:
        return random_once_in(random, 3) ? VERB_GET : VERB_APPEND;
    case HISTORY_EXPIRING:
        return expiring[random_below(random, 8)];
    case HISTORY_VERSIONS:
        return random_once_in(random, 2) ? VERB_VC_GET : VERB_VC_SET;
    default:
        return registers[random_below(random, 8)];
    }
}

static void encode_one(struct cluster_client *client, struct random *random, struct buffer *out)
{
    size_t number = client->events[0];
    const struct history_event *event = &client->history->events[number];
    struct bytes key = bytes_text(client->history->keys[event->key].name);
    int64_t amount = event->amount;
    bool has_value = client->verb == VERB_SET || client->verb == VERB_SETNX ||
                     client->verb == VERB_GETSET || client->verb == VERB_APPEND ||
                     client->verb == VERB_VC_SET;
    bool has_context = client->verb == VERB_VC_SET || client->verb == VERB_VC_DEL;
    bool has_amount = client->verb == VERB_INCRBY || client->verb == VERB_EXPIRE;
    bool has_option = client->verb == VERB_SETNX;
    bool has_time = client->verb == VERB_SET && amount > 0;
    const char *name = client->verb == VERB_SETNX ? "SET" : history_verb_name(client->verb);
    buffer_printf(out, "*%d\r\n",
                  2 + has_value + has_amount + has_option + has_context + 2 * has_time);
    word(out, bytes_text(name));
    word(out, key);
    if (has_value)
        value_word(client, random, number, out);
    if (has_amount)
        word_number(out, amount);
    if (has_context)
        context_word(client, random, number, out);
    if (has_option)
        word(out, BYTES("NX"));
    if (has_time) {
        word(out, BYTES("PX"));
        word_number(out, amount);
    }
}

/* MSET or MGET of several of the client's own keys. */
static void encode_many(struct cluster_client *client, struct random *random, struct buffer *out)
{
    bool set = client->verb == VERB_SET;
    buffer_printf(out, "*%u\r\n", 1 + client->event_count * (set ? 2 : 1));
    word(out, set ? BYTES("MSET") : BYTES("MGET"));
    for (unsigned i = 0; i < client->event_count; i++) {
        const struct history_event *event = &client->history->events[client->events[i]];
        word(out, bytes_text(client->history->keys[event->key].name));
        if (set)
            value_word(client, random, client->events[i], out);
    }
}

static enum history_class draw_class(const struct cluster_load *load, struct random *random)
{
    unsigned total = 0;
    for (int class = 0; class < HISTORY_CLASSES; class ++)
        total += load->weights[class];
    uint64_t draw = random_below(random, total);
    for (int class = 0; class < HISTORY_CLASSES; class ++) {
        if (draw < load->weights[class])
            return (enum history_class) class;
        draw -= load->weights[class];
    }
    return HISTORY_REGISTER;
}

/* Instead of writing, in worlds where much is deleted. Drawn apart, so others stay the same. */
static enum history_verb draw_deletion(const struct cluster_client *client,
                                       enum history_class class, enum history_verb verb)
{
    struct random random = stream(client, 4);
    if (client->load->delete_odds == 0 || !random_once_in(&random, client->load->delete_odds))
        return verb;
    if (verb == VERB_VC_SET)
        return VERB_VC_DEL;
    return verb == VERB_SET && class != HISTORY_LOG ? VERB_DEL : verb;
}

static void draw_request(struct cluster_client *client, struct random *random, struct buffer *out)
{
    const struct cluster_load *load = client->load;
    enum history_class class = draw_class(load, random);
    enum history_verb verb = draw_deletion(client, class, draw_verb(class, random));
    unsigned count = keys_of(load, class), number = (unsigned)random_below(random, count);
    unsigned owner = client->index;
    if (load->delete_odds && class == HISTORY_VERSIONS && verb != VERB_VC_GET &&
        client->context_event > 0) /* of what it has seen */
        number = client->history->keys[client->context_key].number;
    if (verb == VERB_GET && random_once_in(random, 4)) /* others' keys are read too */
        owner = (unsigned)random_below(random, load->clients);
    int64_t amount = 0;
    if (verb == VERB_INCRBY)
        amount = 1 + (int64_t)random_below(random, 9);
    if (verb == VERB_INCRBY && random_once_in(random, MINUS_ODDS))
        amount = -amount;
    if (verb == VERB_EXPIRE || (class == HISTORY_EXPIRING && !random_once_in(random, 4)))
        amount = 1 + (int64_t)random_below(random, load->ttl_ms);
    if (verb != VERB_SET && verb != VERB_INCRBY && verb != VERB_EXPIRE)
        amount = 0;
    client->many = class == HISTORY_PRIVATE && count >= CLIENT_KEYS_MAX &&
                   (verb == VERB_GET || verb == VERB_SET) && random_once_in(random, 4);
    unsigned keys = client->many ? 2 + (unsigned)random_below(random, CLIENT_KEYS_MAX - 1) : 1;
    for (unsigned i = 0; i < keys; i++)
        begin_event(client, key_at(load, class, owner, (number + i) % count), verb, amount);
    if (client->many)
        encode_many(client, random, out);
    else
        encode_one(client, random, out);
}

static void send_request(struct cluster_client *client)
{
    struct random random = stream(client, 0);
    struct buffer out = {0};
    client->requests++;
    client->event_count = 0;
    client->many = false;
    if (client->auditing) {
        bool versions = client->history->keys[client->audited].class == HISTORY_VERSIONS;
        begin_event(client, client->audited, versions ? VERB_VC_GET : VERB_GET, 0);
        encode_one(client, &random, &out);
    } else {
        draw_request(client, &random, &out);
    }
    const struct history_event *event = &client->history->events[client->events[0]];
    trace_tell(client->trace, "c%u asks n%u: %s%s %s, event %zu, %" PRId64, client->index,
               client->node + 1, client->many ? "M" : "", history_verb_name(client->verb),
               client->history->keys[event->key].name, client->events[0] + 1, event->amount);
    /* A window smaller than a request would need a loop here: what does not fit breaks it off. */
    client->state = CLIENT_WAITING;
    size_t size = buffer_size(&out);
    if (sim_socket_send(client->socket, buffer_bytes(&out)) < size)
        sim_timer_set(client->clock, &client->timer, client->clock->now_us);
    else
        sim_timer_set(client->clock, &client->timer,
                      client->clock->now_us + client->load->timeout_us);
    buffer_deinit(&out);
}

/* ---- what came of it ------------------------------------------------------------------------- */

static void end_events(struct cluster_client *client, enum history_outcome outcome)
{
    for (unsigned i = 0; i < client->event_count; i++) {
        struct history_event *event = &client->history->events[client->events[i]];
        event->ended_us = client->clock->now_us;
        event->outcome = outcome;
    }
}

/* A context, and values. */
static void take_versions(struct cluster_client *client, size_t number, struct bytes reply)
{
    struct history *history = client->history;
    struct history_event *event = &history->events[number];
    size_t at = line_end(reply) + 2;
    event->text = history->token_count;
    event->read = HISTORY_NIL;
    for (unsigned i = 0; at < reply.size; i++) {
        struct bytes rest = bytes_of(reply.data + at, reply.size - at), bulk = bytes_of("", 0);
        size_t size = cluster_reply_size(rest);
        if (size == 0 || size == SIZE_MAX || !bulk_of(bytes_of(rest.data, size), &bulk)) {
            event->read = HISTORY_STRANGE;
            return;
        }
        at += size;
        if (i == 0) {
            buffer_clear(&client->context, SIZE_MAX);
            buffer_append_bytes(&client->context, bulk);
            client->context_key = event->key;
            client->context_event = number + 1;
            continue;
        }
        uint64_t value = history_parse(history, event->key, bulk);
        event->read =
            value == HISTORY_STRANGE || event->read == HISTORY_STRANGE ? HISTORY_STRANGE : 1;
        if (value != HISTORY_STRANGE)
            history_add_token(history, value);
    }
    event->text_end = history->token_count;
}

/* What a reply that is no error says of one of the request's events. */
static void take_reply(struct cluster_client *client, size_t number, struct bytes reply)
{
    struct history *history = client->history;
    struct history_event *event = &history->events[number];
    struct bytes bulk = bytes_of("", 0);
    bool there = bulk_of(reply, &bulk);
    enum history_class class = history->keys[event->key].class;
    event->applied = event->verb == VERB_SETNX ? reply.data[0] == '+' : integer_of(reply) == 1;
    if (event->verb == VERB_VC_GET) {
        take_versions(client, number, reply);
    } else if (event->verb == VERB_INCRBY) {
        event->sum = integer_of(reply);
        event->read = reply.data[0] == ':' ? 1 : HISTORY_STRANGE;
    } else if (event->verb == VERB_GET && class == HISTORY_COUNTER) {
        bool number_there = !there || number_parse_i64(bulk, &event->sum);
        event->read = number_there ? 1 : HISTORY_STRANGE;
    } else if (event->verb == VERB_GET && class == HISTORY_LOG) {
        history_parse_log(history, event->key, bulk, event);
    } else if (event->verb == VERB_GET || event->verb == VERB_GETSET) {
        event->read = there ? history_parse(history, event->key, bulk) : HISTORY_NIL;
    }
}

static void take_many(struct cluster_client *client, struct bytes reply)
{
    size_t at = line_end(reply) + 2;
    for (unsigned i = 0; i < client->event_count && client->verb == VERB_GET; i++) {
        struct bytes rest = bytes_of(reply.data + at, reply.size - at);
        size_t size = cluster_reply_size(rest);
        check(size > 0 && size != SIZE_MAX);
        take_reply(client, client->events[i], bytes_of(rest.data, size));
        at += size;
    }
}

static void think(struct cluster_client *client, uint64_t about_us)
{
    struct random random = stream(client, 1);
    uint64_t after_us = client->auditing ? 0 : random_below(&random, 2 * about_us + 1);
    client->state = CLIENT_IDLE;
    sim_timer_set(client->clock, &client->timer, client->clock->now_us + after_us);
}

static void hang_up(struct cluster_client *client)
{
    if (client->socket)
        sim_socket_close(client->socket);
    client->socket = NULL;
    buffer_clear(&client->input, 0);
}

/* Another node, unless it is told to stay. */
static void go_elsewhere(struct cluster_client *client)
{
    struct random random = stream(client, 2);
    hang_up(client);
    if (!client->auditing)
        client->node = (unsigned)random_below(&random, client->load->nodes);
}

static void take_error(struct cluster_client *client, struct bytes reply)
{
    enum history_outcome outcome = cluster_error_outcome(reply);
    end_events(client, outcome);
    for (unsigned i = 0; i < client->event_count; i++)
        client->history->events[client->events[i]].told = outcome == OUTCOME_UNKNOWN;
    trace_tell(client->trace, "c%u hears event %zu: %.*s", client->index, client->events[0] + 1,
               (int)(reply.size - 2), reply.data);
    think(client, client->load->think_us);
    if (client->auditing)
        sim_timer_set(client->clock, &client->timer, client->clock->now_us + AUDIT_RETRY_US);
}

static void take_answer(struct cluster_client *client, struct bytes reply)
{
    if (reply.data[0] == '-') {
        take_error(client, reply);
        return;
    }
    end_events(client, OUTCOME_DONE);
    if (client->many)
        take_many(client, reply);
    else
        take_reply(client, client->events[0], reply);
    trace_tell(client->trace, "c%u hears event %zu: %.*s", client->index, client->events[0] + 1,
               (int)(reply.size < 60 ? reply.size - 2 : 60), reply.data);
    client->audited += client->auditing;
    struct random random = stream(client, 3);
    if (!client->auditing && random_once_in(&random, client->load->stay_odds))
        go_elsewhere(client);
    think(client, client->load->think_us);
}

/* The connection is gone, or the reply does not come. */
static void give_up(struct cluster_client *client)
{
    if (client->state == CLIENT_WAITING) {
        end_events(client, OUTCOME_UNKNOWN);
        trace_tell(client->trace, "c%u does not know what became of event %zu", client->index,
                   client->events[0] + 1);
    }
    go_elsewhere(client);
    think(client, RETRY_US);
    if (client->auditing)
        sim_timer_set(client->clock, &client->timer, client->clock->now_us + AUDIT_RETRY_US);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_wake(void *context)
{
    struct cluster_client *client = context;
    if (!client->socket)
        return;
    struct bytes received = sim_socket_received(client->socket);
    buffer_append_bytes(&client->input, received);
    sim_socket_consume(client->socket, received.size);
    size_t size = cluster_reply_size(buffer_bytes(&client->input));
    if (size == SIZE_MAX || (size > 0 && client->state != CLIENT_WAITING)) {
        trace_fail(client->trace, "A3", "c%u is told what is no reply to anything", client->index);
        give_up(client);
    } else if (size > 0) {
        take_answer(client, bytes_of(buffer_bytes(&client->input).data, size));
        buffer_consume(&client->input, client->socket ? size : 0);
    } else if (sim_socket_has_ended(client->socket)) {
        give_up(client);
    } else if (client->state == CLIENT_CONNECTING && sim_socket_is_connected(client->socket)) {
        send_request(client);
    }
}

static void on_timer(void *context)
{
    struct cluster_client *client = context;
    if (client->state != CLIENT_IDLE) {
        give_up(client);
        return;
    }
    bool over = client->auditing ? client->audited == client->history->key_count : !client->running;
    if (over) {
        hang_up(client);
    } else if (client->socket) {
        send_request(client);
    } else {
        client->state = CLIENT_CONNECTING;
        client->socket = sim_net_dial(client->net, CLUSTER_CLIENT_MACHINE + client->index,
                                      client->node, CLUSTER_PORT, client);
        sim_timer_set(client->clock, &client->timer,
                      client->clock->now_us + client->load->timeout_us);
    }
}

static void on_accepted(void *context, struct sim_socket *socket)
{
    (void)context, (void)socket;
    check(!"nobody dials a client");
}

static void on_changed(void *context, struct sim_socket *socket)
{
    struct cluster_client *client = context;
    if (socket == client->socket)
        sim_timer_set(client->clock, &client->wake, client->clock->now_us);
}

static const struct sim_net_handler handler = {on_accepted, on_changed};

void cluster_client_init(struct cluster_client *client, unsigned index, uint64_t seed,
                         const struct cluster_load *load, struct history *history,
                         struct sim_net *net, struct sim_clock *clock, struct cluster_trace *trace)
{
    *client = (struct cluster_client){
        .index = index,
        .load = load,
        .history = history,
        .net = net,
        .clock = clock,
        .trace = trace,
        .seed = seed,
        .node = index % load->nodes,
        .timer = {.fire = on_timer, .context = client},
        .wake = {.fire = on_wake, .context = client},
    };
    sim_net_listen(net, CLUSTER_CLIENT_MACHINE + index, &handler, client);
}

void cluster_client_deinit(struct cluster_client *client)
{
    hang_up(client);
    sim_timer_cancel(client->clock, &client->timer);
    sim_timer_cancel(client->clock, &client->wake);
    buffer_deinit(&client->input);
    buffer_deinit(&client->context);
}

void cluster_client_start(struct cluster_client *client)
{
    client->running = true;
    think(client, client->load->think_us);
}

void cluster_client_stop(struct cluster_client *client)
{
    client->running = false;
}

bool cluster_client_is_idle(const struct cluster_client *client)
{
    return client->state == CLIENT_IDLE && !sim_timer_is_set(&client->timer);
}

void cluster_client_audit(struct cluster_client *client, unsigned node)
{
    client->auditing = true;
    client->audited = 0;
    client->node = node;
    think(client, 0);
}

bool cluster_client_has_audited(const struct cluster_client *client)
{
    return client->auditing && client->audited == client->history->key_count;
}
