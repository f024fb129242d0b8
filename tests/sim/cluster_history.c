/* SPDX-License-Identifier: MIT */
#include "sim/cluster_history.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/number.h"

void history_init(struct history *history)
{
    *history = (struct history){0};
}

void history_deinit(struct history *history)
{
    memory_free(history->keys);
    memory_free(history->events);
    memory_free(history->tokens);
}

static void *grow(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    *room = *room * 2 + 64;
    return memory_resize(array, *room * size);
}

size_t history_add_key(struct history *history, enum history_class class, unsigned number,
                       int owner)
{
    const char *name = history_class_name(class);
    history->keys =
        grow(history->keys, history->key_count, &history->key_room, sizeof(*history->keys));
    struct history_key *key = &history->keys[history->key_count];
    *key = (struct history_key){
        .class = class, .number = number, .owner = owner, .first = SIZE_MAX, .last = SIZE_MAX};
    if (owner < 0)
        snprintf(key->name, sizeof(key->name), "%s:%u", name, number);
    else
        snprintf(key->name, sizeof(key->name), "%s:%d:%u", name, owner, number);
    return history->key_count++;
}

size_t history_begin(struct history *history, size_t key, enum history_verb verb, unsigned client,
                     uint64_t now_us)
{
    size_t number = history->event_count;
    history->events = grow(history->events, number, &history->event_room, sizeof(*history->events));
    history->events[number] = (struct history_event){
        .key = key, .next = SIZE_MAX, .verb = verb, .client = client, .begun_us = now_us};
    struct history_key *of = &history->keys[key];
    if (of->first == SIZE_MAX)
        of->first = number;
    else
        history->events[of->last].next = number;
    of->last = number;
    history->event_count++;
    return number;
}

bool history_writes(enum history_verb verb)
{
    return verb != VERB_GET && verb != VERB_VC_GET;
}

bool history_may_apply(const struct history_event *event)
{
    if (!history_writes(event->verb) || event->outcome == OUTCOME_REFUSED)
        return false;
    return event->outcome != OUTCOME_DONE || history_has_applied(event);
}

bool history_has_applied(const struct history_event *event)
{
    if (!history_writes(event->verb) || event->outcome != OUTCOME_DONE)
        return false;
    bool conditional = event->verb == VERB_SETNX || event->verb == VERB_EXPIRE ||
                       event->verb == VERB_PERSIST || event->verb == VERB_DEL;
    return !conditional || event->applied;
}

void history_value(const struct history *history, size_t event, size_t padding, struct buffer *out)
{
    const struct history_key *key = &history->keys[history->events[event].key];
    buffer_printf(out, "%zu@%s;", event + 1, key->name);
    for (size_t i = 0; i < padding; i++)
        buffer_append_u8(out, (uint8_t)('a' + i % 26));
}

/* One value at the beginning of the text, without padding; its size, 0 if there is none. */
static size_t parse_one(const struct history *history, size_t key, struct bytes text,
                        uint64_t *out_value)
{
    const char *name = history->keys[key].name;
    size_t name_size = strlen(name), at = 0;
    uint64_t number = 0;
    while (at < text.size && at < 12 && text.data[at] >= '0' && text.data[at] <= '9')
        number = number * 10 + (uint64_t)(text.data[at++] - '0');
    if (at == 0 || text.size - at < name_size + 2 || text.data[at] != '@' ||
        memcmp(text.data + at + 1, name, name_size) != 0 || text.data[at + 1 + name_size] != ';')
        return 0;
    if (number == 0 || number > history->event_count || history->events[number - 1].key != key)
        return 0;
    *out_value = number;
    return at + name_size + 2;
}

uint64_t history_parse(const struct history *history, size_t key, struct bytes text)
{
    uint64_t value;
    size_t size = parse_one(history, key, text, &value);
    if (size == 0)
        return HISTORY_STRANGE;
    for (size_t i = size; i < text.size; i++) {
        if (text.data[i] != (char)('a' + (i - size) % 26))
            return HISTORY_STRANGE;
    }
    return value;
}

void history_add_token(struct history *history, uint64_t token)
{
    history->tokens =
        grow(history->tokens, history->token_count, &history->token_room, sizeof(*history->tokens));
    history->tokens[history->token_count++] = token;
}

void history_parse_log(struct history *history, size_t key, struct bytes text,
                       struct history_event *out)
{
    out->text = history->token_count;
    out->read = text.size > 0 ? 1 : HISTORY_NIL;
    while (text.size > 0) {
        uint64_t token = 0;
        size_t size = parse_one(history, key, text, &token);
        if (size == 0) {
            out->read = HISTORY_STRANGE;
            break;
        }
        history_add_token(history, token);
        text = bytes_of(text.data + size, text.size - size);
    }
    out->text_end = history->token_count;
}

const char *history_class_name(enum history_class class)
{
    static const char *const names[HISTORY_CLASSES] = {"hot", "own", "ttl", "sum", "log", "ver"};
    check(class < HISTORY_CLASSES);
    return names[class];
}

const char *history_verb_name(enum history_verb verb)
{
    static const char *const names[HISTORY_VERBS] = {"GET",    "SET",     "SETNX",   "GETSET",
                                                     "DEL",    "PEXPIRE", "PERSIST", "INCRBY",
                                                     "APPEND", "VC.GET",  "VC.SET",  "VC.DEL"};
    check(verb < HISTORY_VERBS);
    return names[verb];
}

const char *history_outcome_name(enum history_outcome outcome)
{
    static const char *const names[] = {"pending", "done", "unknown", "refused"};
    return names[outcome];
}
