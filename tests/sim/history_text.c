/* SPDX-License-Identifier: MIT */
#include "sim/history_text.h"

#include "base/number.h"

enum {
    WORDS_MAX = 256,
    /* The places of words. */
    NUMBER = 0,
    CLIENT,
    NODE,
    BEGUN,
    ENDED,
    OUTCOME,
    COMMAND,
    KEY,
    ARGUMENTS,
};

struct reading {
    struct bytes rest; /* of the text */
    struct history *history;
    struct check_options *options;
    struct history_fault *fault;
    struct bytes words[WORDS_MAX]; /* of the line */
    size_t count;
    size_t arguments_end; /* behind the last of the command's words */
    size_t reply;         /* the first word of the reply; `count`: there is none */
};

static bool fail(struct reading *reading, const char *what)
{
    reading->fault->what = what;
    return false;
}

static bool is(struct bytes word, const char *text)
{
    return bytes_equal(word, bytes_text(text));
}

/* ---- words ----------------------------------------------------------------------------------- */

static struct bytes cut_at(struct bytes *rest, char end)
{
    const char *found = rest->size > 0 ? memchr(rest->data, end, rest->size) : NULL;
    size_t size = found ? (size_t)(found - rest->data) : rest->size;
    struct bytes part = bytes_of(rest->data, size);
    size_t taken = found ? size + 1 : size;
    *rest = bytes_of(rest->data + taken, rest->size - taken);
    return part;
}

/* The next line's words; empty lines and remarks have none. */
static bool read_line(struct reading *reading)
{
    struct bytes line = cut_at(&reading->rest, '\n');
    reading->fault->line++;
    reading->count = 0;
    if (bytes_starts_with(line, BYTES("#")))
        line.size = 0;
    while (line.size > 0) {
        if (reading->count == WORDS_MAX)
            return fail(reading, "a line has too many words");
        reading->words[reading->count++] = cut_at(&line, ' ');
    }
    reading->arguments_end = reading->reply = reading->count;
    for (size_t i = ARGUMENTS; i < reading->count; i++) {
        if (is(reading->words[i], "=")) {
            reading->arguments_end = i;
            reading->reply = i + 1;
            break;
        }
    }
    return true;
}

static bool read_number(struct bytes word, uint64_t *out)
{
    int64_t number;
    if (!number_parse_i64(word, &number) || number < 0)
        return false;
    *out = (uint64_t)number;
    return true;
}

/* A number behind one letter. */
static bool read_numbered(struct bytes word, char letter, uint64_t *out)
{
    return word.size > 1 && word.data[0] == letter &&
           read_number(bytes_of(word.data + 1, word.size - 1), out);
}

/* ---- the first line -------------------------------------------------------------------------- */

static bool read_option(struct bytes word, struct check_options *options)
{
    struct bytes slack = BYTES("slack_us=");
    if (bytes_starts_with(word, slack))
        return read_number(bytes_of(word.data + slack.size, word.size - slack.size),
                           &options->slack_us);
    if (is(word, "strict"))
        return options->strict = true;
    if (is(word, "monotonic"))
        return options->monotonic = true;
    if (is(word, "undivided"))
        return options->undivided = true;
    return false;
}

static bool read_head(struct reading *reading)
{
    *reading->options = (struct check_options){0};
    if (!read_line(reading))
        return false;
    if (reading->count < 2 || !is(reading->words[0], "history") || !is(reading->words[1], "1"))
        return fail(reading, "it does not begin with \"history 1\"");
    for (size_t i = 2; i < reading->count; i++)
        if (!read_option(reading->words[i], reading->options))
            return fail(reading, "no such option");
    return true;
}

/* ---- who did what to which key, and when ----------------------------------------------------- */

/* CLASS:NUMBER, or CLASS:OWNER:NUMBER. */
static bool read_key(struct reading *reading, struct bytes name, size_t *out_key)
{
    struct history *history = reading->history;
    for (size_t key = history->key_count; key-- > 0;) {
        if (is(name, history->keys[key].name)) {
            *out_key = key;
            return true;
        }
    }
    struct bytes rest = name, class = cut_at(&rest, ':'), first = cut_at(&rest, ':');
    uint64_t owner = 0, number = 0;
    bool owned = rest.size > 0;
    if (!read_number(owned ? rest : first, &number) || number > UINT32_MAX ||
        (owned && (!read_number(first, &owner) || owner > INT32_MAX)))
        return fail(reading, "no such key");
    for (int i = 0; i < HISTORY_CLASSES; i++) {
        if (!is(class, history_class_name((enum history_class)i)))
            continue;
        *out_key = history_add_key(history, (enum history_class)i, (unsigned)number,
                                   owned ? (int)owner : -1);
        return is(name, history->keys[*out_key].name) || fail(reading, "no such key");
    }
    return fail(reading, "no such key");
}

/* What stands behind the key, beside a value: how many words, and what of it the event keeps. */
static bool read_arguments(struct reading *reading, enum history_verb *verb, int64_t *amount)
{
    const struct bytes *words = reading->words + ARGUMENTS;
    size_t count = reading->arguments_end - ARGUMENTS;
    switch (*verb) {
    case VERB_SET:
        if (count == 2 && is(words[1], "NX")) {
            *verb = VERB_SETNX;
            return true;
        }
        if (count == 3 && is(words[1], "PX"))
            return number_parse_i64(words[2], amount) && *amount > 0;
        return count == 1;
    case VERB_EXPIRE:
    case VERB_INCRBY:
        return count == 1 && number_parse_i64(words[0], amount);
    case VERB_GETSET:
    case VERB_APPEND:
    case VERB_VC_DEL:
        return count == 1;
    case VERB_VC_SET:
        return count == 2;
    default:
        return count == 0;
    }
}

static bool read_verb(struct reading *reading, enum history_verb *out_verb, int64_t *out_amount)
{
    for (int verb = 0; verb < HISTORY_VERBS; verb++) {
        *out_verb = (enum history_verb)verb;
        *out_amount = 0;
        if (verb != VERB_SETNX && is(reading->words[COMMAND], history_verb_name(*out_verb)))
            return read_arguments(reading, out_verb, out_amount) ||
                   fail(reading, "the command's arguments are wrong");
    }
    return fail(reading, "no such command");
}

static bool read_outcome(struct reading *reading, struct history_event *event)
{
    struct bytes word = reading->words[OUTCOME];
    event->final = is(word, "final");
    event->outcome = OUTCOME_DONE;
    if (event->final || is(word, history_outcome_name(OUTCOME_DONE)))
        return true;
    event->outcome =
        is(word, history_outcome_name(OUTCOME_UNKNOWN)) ? OUTCOME_UNKNOWN : OUTCOME_REFUSED;
    return event->outcome == OUTCOME_UNKNOWN || is(word, history_outcome_name(OUTCOME_REFUSED)) ||
           fail(reading, "no such outcome");
}

static bool begin_event(struct reading *reading)
{
    struct history *history = reading->history;
    const struct bytes *words = reading->words;
    uint64_t number, client, node, begun_us, ended_us;
    enum history_verb verb;
    int64_t amount;
    size_t key;
    if (reading->arguments_end < ARGUMENTS || !read_number(words[NUMBER], &number) ||
        !read_numbered(words[CLIENT], 'c', &client) || client > UINT32_MAX ||
        !read_numbered(words[NODE], 'n', &node) || node == 0 || node > UINT32_MAX ||
        !read_number(words[BEGUN], &begun_us) || !read_number(words[ENDED], &ended_us))
        return fail(reading, "it is no operation");
    if (number != history->event_count + 1 || ended_us < begun_us ||
        (number > 1 && begun_us < history->events[number - 2].begun_us))
        return fail(reading, "it is out of order");
    if (!read_key(reading, words[KEY], &key) || !read_verb(reading, &verb, &amount))
        return false;
    size_t at = history_begin(history, key, verb, (unsigned)client, begun_us);
    struct history_event *event = &history->events[at];
    event->node = (unsigned)node - 1;
    event->ended_us = ended_us;
    event->amount = amount;
    return read_outcome(reading, event);
}

/* ---- what was written, and what came of it --------------------------------------------------- */

static bool read_context(struct reading *reading, size_t number, struct bytes word)
{
    struct history *history = reading->history;
    struct history_event *event = &history->events[number];
    uint64_t context;
    if (is(word, "-"))
        return true;
    event->forged = word.size > 0 && word.data[0] == '!';
    if (!read_numbered(word, event->forged ? '!' : '@', &context) || context == 0 ||
        context > number || history->events[context - 1].key != event->key ||
        history->events[context - 1].verb != VERB_VC_GET ||
        history->events[context - 1].outcome != OUTCOME_DONE)
        return fail(reading, "no such context");
    event->context = context;
    return true;
}

static bool read_written(struct reading *reading, size_t number)
{
    struct history_event *event = &reading->history->events[number];
    struct bytes first = reading->words[ARGUMENTS];
    switch (event->verb) {
    case VERB_SET:
    case VERB_SETNX:
    case VERB_GETSET:
    case VERB_APPEND:
    case VERB_VC_SET:
        if (history_parse(reading->history, event->key, first) != number + 1)
            return fail(reading, "it writes a value that is not its own");
        break;
    default:
        break;
    }
    if (event->verb == VERB_VC_SET)
        return read_context(reading, number, reading->words[ARGUMENTS + 1]);
    return event->verb != VERB_VC_DEL || read_context(reading, number, first);
}

static void read_versions(struct reading *reading, struct history_event *event)
{
    struct history *history = reading->history;
    event->text = history->token_count;
    event->read = reading->reply < reading->count ? 1 : HISTORY_NIL;
    for (size_t i = reading->reply; i < reading->count; i++) {
        uint64_t value = history_parse(history, event->key, reading->words[i]);
        if (value == HISTORY_STRANGE)
            event->read = HISTORY_STRANGE;
        else
            history_add_token(history, value);
    }
    event->text_end = history->token_count;
}

static void read_shown(struct reading *reading, struct history_event *event, struct bytes word)
{
    struct history *history = reading->history;
    enum history_class class = history->keys[event->key].class;
    bool nil = is(word, "nil");
    if (class == HISTORY_COUNTER)
        event->read = nil || number_parse_i64(word, &event->sum) ? 1 : HISTORY_STRANGE;
    else if (class == HISTORY_LOG)
        history_parse_log(history, event->key, nil ? BYTES("") : word, event);
    else
        event->read = nil ? HISTORY_NIL : history_parse(history, event->key, word);
}

static bool read_reply(struct reading *reading, size_t number)
{
    struct history_event *event = &reading->history->events[number];
    if (event->outcome != OUTCOME_DONE)
        return true;
    if (event->verb == VERB_VC_GET) {
        read_versions(reading, event);
        return true;
    }
    if (reading->reply + 1 != reading->count)
        return fail(reading, "its reply is not one word");
    struct bytes word = reading->words[reading->reply];
    switch (event->verb) {
    case VERB_GET:
    case VERB_GETSET:
        read_shown(reading, event, word);
        return true;
    case VERB_INCRBY:
        event->read = number_parse_i64(word, &event->sum) ? 1 : HISTORY_STRANGE;
        return true;
    case VERB_SETNX:
        event->applied = is(word, "OK");
        return event->applied || is(word, "nil") || fail(reading, "it is no reply to that");
    case VERB_DEL:
    case VERB_EXPIRE:
    case VERB_PERSIST:
        event->applied = is(word, "1");
        return event->applied || is(word, "0") || fail(reading, "it is no reply to that");
    default:
        return true;
    }
}

/* First all events: what one shows may have been written by one that began later. */
bool history_text_read(struct bytes text, struct history *history, struct check_options *options,
                       struct history_fault *out_fault)
{
    struct reading reading = {
        .rest = text, .history = history, .options = options, .fault = out_fault};
    *out_fault = (struct history_fault){0};
    if (!read_head(&reading))
        return false;
    struct bytes events = reading.rest;
    while (reading.rest.size > 0)
        if (!read_line(&reading) || (reading.count > 0 && !begin_event(&reading)))
            return false;
    reading.rest = events;
    out_fault->line = 1;
    for (size_t number = 0; reading.rest.size > 0; number += reading.count > 0)
        if (!read_line(&reading) || (reading.count > 0 && !(read_written(&reading, number) &&
                                                            read_reply(&reading, number))))
            return false;
    return true;
}
