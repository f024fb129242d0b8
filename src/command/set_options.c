/* SPDX-License-Identifier: MIT */
#include "command/set_options.h"

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

/* One option that is only a word. As in Redis, a word may come twice. */
static bool word_option(struct bytes name, enum options_of of, struct set_options *options)
{
    bool set = of == OPTIONS_OF_SET;
    if (set && bytes_equal_nocase(name, BYTES("NX")) && !options->if_exists)
        options->if_absent = true;
    else if (set && bytes_equal_nocase(name, BYTES("XX")) && !options->if_absent)
        options->if_exists = true;
    else if (set && bytes_equal_nocase(name, BYTES("GET")))
        options->get = true;
    else if (set && bytes_equal_nocase(name, BYTES("KEEPTTL")) && !options->time.data)
        options->keep = true;
    else if (!set && bytes_equal_nocase(name, BYTES("PERSIST")) && !options->time.data)
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
    return STATUS_OK;
}
