/* SPDX-License-Identifier: MIT */
#include "command/command.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

/* Of the hash table: a command, or a subcommand under its parent. Open addressing, half full. */
struct slot {
    const struct command *command; /* NULL: free */
    const struct command *parent;
    uint32_t hash;
    uint16_t name_size;
    uint16_t number; /* of entries */
};

struct command_set {
    struct slot *slots;
    uint32_t mask;                /* count of slots - 1, a power of two */
    unsigned count;               /* of commands, without subcommands */
    const struct command **order; /* as the tables have them */
    unsigned entry_count;         /* with subcommands, each behind its command */
    struct command_entry *entries;
};

/* FNV-1a; letters of both cases hash alike, as some other bytes do, which costs a comparison. */
static uint32_t hash_name(const struct command *parent, struct bytes name)
{
    uint32_t hash = 2166136261U;
    if (parent != NULL)
        hash = hash_name(NULL, bytes_text(parent->name));
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ ((unsigned char)name.data[i] | 0x20)) * 16777619U;
    return hash ^ hash >> 15;
}

static const struct slot *find_slot(const struct command_set *set, const struct command *parent,
                                    struct bytes name)
{
    if (name.size > COMMAND_NAME_MAX)
        return NULL;
    uint32_t hash = hash_name(parent, name);
    for (uint32_t i = hash & set->mask; set->slots[i].command != NULL; i = (i + 1) & set->mask) {
        const struct slot *slot = &set->slots[i];
        if (slot->hash == hash && slot->parent == parent && slot->name_size == name.size &&
            bytes_equal_nocase(bytes_of(slot->command->name, slot->name_size), name))
            return slot;
    }
    return NULL;
}

static void add(struct command_set *set, const struct command *parent,
                const struct command *command)
{
    struct bytes name = bytes_text(command->name);
    check(name.size > 0 && name.size <= COMMAND_NAME_MAX);
    check(find_slot(set, parent, name) == NULL);
    uint32_t hash = hash_name(parent, name);
    uint32_t i = hash & set->mask;
    while (set->slots[i].command != NULL)
        i = (i + 1) & set->mask;
    set->slots[i] =
        (struct slot){command, parent, hash, (uint16_t)name.size, (uint16_t)set->entry_count};
    set->entries[set->entry_count++] = (struct command_entry){command, parent};
}

static void count_entries(const struct command *const *tables, unsigned *out_commands,
                          unsigned *out_all)
{
    unsigned commands = 0, subcommands = 0;
    for (; *tables != NULL; tables++) {
        for (const struct command *command = *tables; command->name != NULL; command++) {
            const struct command *sub = command->subcommands;
            commands++;
            for (; sub != NULL && sub->name != NULL; sub++)
                subcommands++;
        }
    }
    *out_commands = commands;
    *out_all = commands + subcommands;
}

struct command_set *command_set_new(const struct command *const *tables)
{
    struct command_set *set = memory_zeroed(sizeof *set);
    unsigned commands, all;
    uint32_t size = 16;
    count_entries(tables, &commands, &all);
    while (size < 2 * all)
        size *= 2;
    set->mask = size - 1;
    set->slots = memory_zeroed(size * sizeof *set->slots);
    set->order = memory_alloc(commands * sizeof *set->order);
    set->entries = memory_alloc(all * sizeof *set->entries);
    check(all <= UINT16_MAX);
    for (; *tables != NULL; tables++) {
        for (const struct command *command = *tables; command->name != NULL; command++) {
            const struct command *sub = command->subcommands;
            check(command->handler != NULL || sub != NULL);
            check(command->handler != NULL || command->arity == -2);
            set->order[set->count++] = command;
            add(set, NULL, command);
            for (; sub != NULL && sub->name != NULL; sub++) {
                check(sub->handler != NULL && sub->subcommands == NULL);
                add(set, command, sub);
            }
        }
    }
    return set;
}

void command_set_free(struct command_set *set)
{
    if (set == NULL)
        return;
    memory_free(set->slots);
    memory_free(set->order);
    memory_free(set->entries);
    memory_free(set);
}

const struct command *command_find_numbered(const struct command_set *set, struct bytes name,
                                            struct bytes subcommand,
                                            const struct command **out_parent, unsigned *out_number)
{
    const struct slot *slot = find_slot(set, NULL, name);
    *out_parent = NULL;
    if (slot == NULL)
        return NULL;
    const struct command *command = slot->command;
    if (command->subcommands != NULL && subcommand.data != NULL) {
        *out_parent = command;
        slot = find_slot(set, command, subcommand);
        if (slot == NULL)
            return NULL;
    }
    *out_number = slot->number;
    return slot->command;
}

const struct command *command_find(const struct command_set *set, struct bytes name,
                                   struct bytes subcommand, const struct command **out_parent)
{
    unsigned number;
    return command_find_numbered(set, name, subcommand, out_parent, &number);
}

const struct command_entry *command_entry_at(const struct command_set *set, unsigned number)
{
    return number < set->entry_count ? &set->entries[number] : NULL;
}

unsigned command_entry_count(const struct command_set *set)
{
    return set->entry_count;
}

const struct command *command_at(const struct command_set *set, unsigned index)
{
    return index < set->count ? set->order[index] : NULL;
}

unsigned command_count(const struct command_set *set)
{
    return set->count;
}

const struct key_spec *command_key_spec(const struct command *command, unsigned index,
                                        struct key_spec *scratch)
{
    if (command->key_specs != NULL)
        return command->key_specs[index].flags != 0 ? &command->key_specs[index] : NULL;
    if (command->first_key <= 0 || index > 0)
        return NULL;
    int8_t last = command->last_key;
    *scratch = (struct key_spec){
        .flags = command->key_flags,
        .begin = command->first_key,
        .last = (int8_t)(last < 0 ? last : last - command->first_key),
        .step = command->key_step,
    };
    return scratch;
}

uint32_t command_flags(const struct command *command)
{
    uint32_t flags = command->flags;
    const struct key_spec *spec = command->key_specs;
    for (; spec != NULL && spec->flags != 0; spec++) {
        if (spec->keyword != NULL || spec->counted || (spec->flags & KEY_INCOMPLETE))
            flags |= CMD_MOVABLE_KEYS;
    }
    return flags;
}

uint32_t command_categories(const struct command *command)
{
    uint32_t flags = command->flags, categories = command->categories;
    if (flags & CMD_WRITE)
        categories |= CAT_WRITE;
    if ((flags & CMD_READONLY) && !(categories & CAT_SCRIPTING))
        categories |= CAT_READ;
    if (flags & CMD_ADMIN)
        categories |= CAT_ADMIN | CAT_DANGEROUS;
    if (flags & CMD_PUBSUB)
        categories |= CAT_PUBSUB;
    if (flags & CMD_FAST)
        categories |= CAT_FAST;
    if (flags & CMD_BLOCKING)
        categories |= CAT_BLOCKING;
    if (!(categories & CAT_FAST))
        categories |= CAT_SLOW;
    return categories;
}

/* ---- names ----------------------------------------------------------------------------------- */

#define NAME_OF(names, bit) ((bit) < sizeof(names) / sizeof *(names) ? (names)[bit] : NULL)

const char *command_flag_name(unsigned bit)
{
    static const char *const names[] = {
        "write",    "readonly",     "denyoom",       "admin",
        "pubsub",   "noscript",     "blocking",      "loading",
        "stale",    "skip_monitor", "skip_slowlog",  "asking",
        "fast",     "no_auth",      "may_replicate", "no_async_loading",
        "no_multi", "movablekeys",  "allow_busy",
    };
    return NAME_OF(names, bit);
}

const char *command_category_name(unsigned bit)
{
    static const char *const names[] = {
        "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
        "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
        "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting",
    };
    return NAME_OF(names, bit);
}

const char *command_key_flag_name(unsigned bit)
{
    static const char *const names[] = {
        "RO",     "RW",     "OW",      "RM",         "access",         "update",
        "insert", "delete", "not_key", "incomplete", "variable_flags",
    };
    return NAME_OF(names, bit);
}

void command_full_name(const struct command *parent, const struct command *command, char *out,
                       size_t out_size)
{
    if (parent != NULL)
        snprintf(out, out_size, "%s|%s", parent->name, command->name);
    else
        snprintf(out, out_size, "%s", command->name);
}
