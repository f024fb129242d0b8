/* SPDX-License-Identifier: MIT */
#include "command/command_keys.h"

#include "base/number.h"

/* Positions of arguments: the first and the last key. */
struct range {
    int64_t first, last;
};

/* Where the keys begin; 0: the keyword is not there. */
static int64_t begin_of(const struct key_spec *spec, const struct bytes *argv, int64_t argc)
{
    if (spec->keyword == NULL)
        return spec->begin;
    int64_t step = spec->begin > 0 ? 1 : -1;
    for (int64_t i = spec->begin > 0 ? spec->begin : argc + spec->begin; i >= 1 && i < argc;
         i += step) {
        if (bytes_equal_nocase(argv[i], bytes_text(spec->keyword)))
            return i + 1;
    }
    return 0;
}

static enum status find_range(const struct key_spec *spec, int64_t begin, const struct bytes *argv,
                              int64_t argc, struct range *out)
{
    int64_t count;
    *out = (struct range){.first = begin};
    if (begin >= argc)
        return STATUS_INVALID;
    if (spec->counted) {
        if (!number_parse_i64(argv[begin], &count) || count < 0 || count > argc)
            return STATUS_INVALID;
        out->first = begin + spec->first;
        out->last = out->first + (count - 1) * spec->step;
    } else if (spec->last >= 0) {
        out->last = begin + spec->last;
    } else if (spec->limit <= 1) {
        out->last = argc + spec->last;
    } else {
        out->last = begin + (argc - begin) / spec->limit + spec->last;
    }
    bool inside = out->first <= out->last && out->last < argc;
    return inside ? STATUS_OK : STATUS_INVALID;
}

enum status command_keys(const struct command *command, const struct bytes *argv, uint32_t argc,
                         struct arena *arena, struct command_key **out_keys, size_t *out_count)
{
    struct key_spec scratch;
    const struct key_spec *spec;
    size_t count = 0, room = 0;
    struct command_key *keys = NULL;
    for (unsigned i = 0; (spec = command_key_spec(command, i, &scratch)) != NULL; i++) {
        struct range range;
        int64_t begin = begin_of(spec, argv, argc);
        if (begin == 0 || (spec->flags & KEY_NOT_KEY))
            continue;
        enum status status = find_range(spec, begin, argv, argc, &range);
        if (status != STATUS_OK)
            return status;
        uint32_t flags = spec->flags;
        if ((flags & KEY_VARIABLE_FLAGS) && command->key_flags_of != NULL)
            flags = command->key_flags_of(argv, argc);
        size_t more = (size_t)((range.last - range.first) / spec->step + 1);
        if (count + more > room) {
            room = count + more;
            struct command_key *larger = arena_alloc(arena, room * sizeof *larger);
            if (count > 0)
                memcpy(larger, keys, count * sizeof *keys);
            keys = larger;
        }
        for (int64_t at = range.first; at <= range.last; at += spec->step)
            keys[count++] = (struct command_key){(uint32_t)at, flags};
        if (spec->flags & KEY_INCOMPLETE)
            return STATUS_INVALID;
    }
    *out_keys = keys;
    *out_count = count;
    return STATUS_OK;
}
