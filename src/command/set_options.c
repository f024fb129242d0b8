/* SPDX-License-Identifier: MIT */
#include "command/set_options.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/xxh.h"
#include "type/string.h"

static bool time_option(struct bytes name, struct time_unit *out)
{
    if (bytes_equal_nocase(name, BYTES("EX")))
        *out = (struct time_unit){.seconds = true};
    else if (bytes_equal_nocase(name, BYTES("PX")))
        *out = (struct time_unit){.seconds = false};
    else if (bytes_equal_nocase(name, BYTES("EXAT")))
        *out = (struct time_unit){.seconds = true, .absolute = true};
    else if (bytes_equal_nocase(name, BYTES("PXAT")))
        *out = (struct time_unit){.seconds = false, .absolute = true};
    else
        return false;
    return true;
}

/* ---- conditions ----------------------------------------------------------------------------- */

bool condition_parse(struct bytes word, enum condition *out)
{
    static const struct {
        struct bytes word;
        enum condition condition;
    } words[] = {
        {{"IFEQ", 4}, IF_EQUAL},
        {{"IFNE", 4}, IF_NOT_EQUAL},
        {{"IFDEQ", 5}, IF_DIGEST_EQUAL},
        {{"IFDNE", 5}, IF_DIGEST_NOT_EQUAL},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (bytes_equal_nocase(word, words[i].word)) {
            *out = words[i].condition;
            return true;
        }
    }
    return false;
}

/* As Redis does, without a look at the digits: what is none equals no digest. */
enum status condition_check(const struct request *request, enum condition condition,
                            struct bytes compared)
{
    bool is_digest = condition == IF_DIGEST_EQUAL || condition == IF_DIGEST_NOT_EQUAL;
    if (!is_digest || compared.size == DIGEST_DIGITS)
        return STATUS_OK;
    return request_refuse(request, "ERR digest must be exactly 16 hexadecimal characters");
}

void digest_text(struct bytes value, char out[DIGEST_DIGITS + 1])
{
    snprintf(out, DIGEST_DIGITS + 1, "%016" PRIx64, xxh64(value));
}

static enum status has_value(struct cell *head, struct bytes compared, bool *out)
{
    uint64_t length;
    struct bytes value;
    *out = false;
    enum status status = string_length(head, &length);
    if (status != STATUS_OK || length != compared.size)
        return status;
    status = string_value(head, &value);
    *out = status == STATUS_OK && bytes_equal(value, compared);
    return status;
}

static enum status has_digest(struct cell *head, struct bytes compared, bool *out)
{
    struct bytes value;
    char digest[DIGEST_DIGITS + 1];
    enum status status = string_value(head, &value);
    if (status != STATUS_OK)
        return status;
    digest_text(value, digest);
    *out = bytes_equal_nocase(bytes_of(digest, DIGEST_DIGITS), compared);
    return STATUS_OK;
}

enum status condition_holds(struct cell *head, enum condition condition, struct bytes compared,
                            bool *out_holds)
{
    enum status status = STATUS_OK;
    bool same = false;
    bool by_digest = condition == IF_DIGEST_EQUAL || condition == IF_DIGEST_NOT_EQUAL;
    if (condition <= IF_EXISTS) {
        *out_holds = condition == IF_ANYTHING || head->exists == (condition == IF_EXISTS);
        return STATUS_OK;
    }
    if (head->exists)
        status = by_digest ? has_digest(head, compared, &same) : has_value(head, compared, &same);
    *out_holds = same == (condition == IF_EQUAL || condition == IF_DIGEST_EQUAL);
    return status;
}

/* ---- options -------------------------------------------------------------------------------- */

/* A condition may be said twice, but not two. */
static bool may_be(enum condition held, enum condition condition)
{
    return held == IF_ANYTHING || held == condition;
}

/* One option that is only a word. As in Redis, a word may come twice. */
static bool word_option(struct bytes name, enum options_of of, struct set_options *options)
{
    bool sets = of == OPTIONS_OF_SET || of == OPTIONS_OF_MSETEX;
    if (sets && bytes_equal_nocase(name, BYTES("NX")) && may_be(options->condition, IF_ABSENT))
        options->condition = IF_ABSENT;
    else if (sets && bytes_equal_nocase(name, BYTES("XX")) && may_be(options->condition, IF_EXISTS))
        options->condition = IF_EXISTS;
    else if (of == OPTIONS_OF_SET && bytes_equal_nocase(name, BYTES("GET")))
        options->get = true;
    else if (of != OPTIONS_OF_GETEX && bytes_equal_nocase(name, BYTES("KEEPTTL")) &&
             !options->time.data)
        options->keep = true;
    else if (of == OPTIONS_OF_GETEX && bytes_equal_nocase(name, BYTES("PERSIST")) &&
             !options->time.data)
        options->persist = true;
    else
        return false;
    return true;
}

enum status set_options_parse(const struct request *request, uint32_t first, enum options_of of,
                              struct set_options *out)
{
    struct set_options options = {0};
    for (uint32_t i = first; i < request->argc; i++) {
        struct time_unit unit;
        enum condition condition;
        if (of == OPTIONS_OF_SET && condition_parse(request->argv[i], &condition)) {
            if (options.condition != IF_ANYTHING || i + 1 == request->argc)
                return STATUS_SYNTAX;
            options.condition = condition;
            options.compared = request->argv[++i];
            continue;
        }
        if (!time_option(request->argv[i], &unit)) {
            if (!word_option(request->argv[i], of, &options))
                return STATUS_SYNTAX;
            continue;
        }
        bool other_unit = options.time.data && (options.unit.seconds != unit.seconds ||
                                                options.unit.absolute != unit.absolute);
        if (options.keep || options.persist || other_unit || i + 1 == request->argc)
            return STATUS_SYNTAX;
        options.time = request->argv[++i];
        options.unit = unit;
    }
    *out = options;
    return condition_check(request, options.condition, options.compared);
}
