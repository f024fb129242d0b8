/* SPDX-License-Identifier: MIT */
#include "observe/slowlog.h"

#include <stdio.h>

#include "base/memory.h"

enum { REMARK_MAX = 48 }; /* "... (N more arguments)" */

void slowlog_init(struct slowlog *slowlog)
{
    *slowlog = (struct slowlog){0};
    list_init(&slowlog->entries);
}

static struct bytes put(char **at, struct bytes text)
{
    struct bytes copy = bytes_of(*at, text.size);
    if (text.size > 0)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return copy;
}

__attribute__((format(printf, 2, 0))) static void put_remark(char **at, const char *format,
                                                             size_t count)
{
    *at += snprintf(*at, REMARK_MAX, format, count);
}

static struct bytes put_argument(char **at, struct bytes argument)
{
    char *begin = *at;
    if (argument.size <= SLOWLOG_ARGUMENT_MAX)
        return put(at, argument);
    put(at, bytes_of(argument.data, SLOWLOG_ARGUMENT_MAX));
    put_remark(at, "... (%zu more bytes)", argument.size - SLOWLOG_ARGUMENT_MAX);
    return bytes_of(begin, (size_t)(*at - begin));
}

/* One block: the entry, its argv, its texts. */
static struct slowlog_entry *copy_of(const struct slowlog_entry *facts)
{
    uint32_t argc = facts->argc < SLOWLOG_ARGUMENTS_MAX ? facts->argc : SLOWLOG_ARGUMENTS_MAX;
    uint32_t whole = argc < facts->argc ? argc - 1 : argc;
    size_t text = facts->address.size + facts->name.size + REMARK_MAX;
    for (uint32_t i = 0; i < whole; i++) {
        size_t size = facts->argv[i].size;
        text += size <= SLOWLOG_ARGUMENT_MAX ? size : SLOWLOG_ARGUMENT_MAX + REMARK_MAX;
    }
    struct slowlog_entry *entry = memory_alloc(sizeof(*entry) + argc * sizeof(struct bytes) + text);
    *entry = *facts;
    entry->argc = argc;
    entry->argv = (struct bytes *)(void *)(entry + 1);
    char *at = (char *)(entry->argv + argc);
    for (uint32_t i = 0; i < whole; i++)
        entry->argv[i] = put_argument(&at, facts->argv[i]);
    if (whole < argc) {
        char *begin = at;
        put_remark(&at, "... (%zu more arguments)", facts->argc - whole);
        entry->argv[whole] = bytes_of(begin, (size_t)(at - begin));
    }
    entry->address = put(&at, facts->address);
    entry->name = put(&at, facts->name);
    return entry;
}

static void keep(struct slowlog *slowlog, uint64_t max)
{
    while (slowlog->count > max) {
        struct slowlog_entry *oldest =
            list_entry(slowlog->entries.prev, struct slowlog_entry, link);
        list_remove(&oldest->link);
        memory_free(oldest);
        slowlog->count--;
    }
}

void slowlog_add(struct slowlog *slowlog, const struct slowlog_entry *facts, uint64_t max)
{
    struct slowlog_entry *entry = copy_of(facts);
    entry->id = slowlog->next_id++;
    list_insert_after(&slowlog->entries, &entry->link);
    slowlog->count++;
    keep(slowlog, max);
}

void slowlog_reset(struct slowlog *slowlog)
{
    keep(slowlog, 0);
}
