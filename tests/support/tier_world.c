/* SPDX-License-Identifier: MIT */
#include "support/tier_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/pack.h"

struct tier *world_open_path(const char *path)
{
    const struct tier_options options = {.block_cache_bytes = 8 * 1024 * 1024,
                                         .compaction_threads = 1};
    struct buffer error = {0};
    struct tier *tier = NULL;
    enum status status = tier_rocksdb_open(path, &options, &tier, &error);
    if (status != STATUS_OK)
        print_error("%.*s\n", (int)buffer_size(&error), buffer_bytes(&error).data);
    assert_int_equal(status, STATUS_OK);
    buffer_deinit(&error);
    return tier;
}

static void remove_tree(const char *path)
{
    char command[160];
    snprintf(command, sizeof(command), "rm -rf '%s' '%s'.*", path, path);
    assert_int_equal(system(command), 0);
}

int world_open(void **state)
{
    struct world *world = *state;
    if (world->is_model) {
        world->disk = sim_tier_new(1);
        world->tier = sim_tier_open(world->disk);
        return 0;
    }
    snprintf(world->path, sizeof(world->path), "/tmp/test_tier.XXXXXX");
    if (!mkdtemp(world->path))
        return -1;
    world->tier = world_open_path(world->path);
    return 0;
}

int world_close(void **state)
{
    struct world *world = *state;
    world->tier->ops->free(world->tier);
    if (world->is_model)
        sim_tier_delete(world->disk);
    else
        remove_tree(world->path);
    return 0;
}

void world_reopen(struct world *world)
{
    world->tier->ops->free(world->tier);
    world->tier = world->is_model ? sim_tier_open(world->disk) : world_open_path(world->path);
}

struct bytes world_name_of(char room[64], unsigned slot, unsigned hash, const char *key,
                           uint8_t kind)
{
    char *end = pack_be(room, slot, 2);
    *end++ = 0;
    end = pack_be(end, hash, 6);
    end = pack_varint(end, strlen(key));
    memcpy(end, key, strlen(key));
    end += strlen(key);
    *end++ = (char)kind;
    return bytes_of(room, (size_t)(end - room));
}

struct tier_table *world_begin(struct world *world)
{
    struct tier_table *table = NULL;
    assert_int_equal(world->tier->ops->table_begin(world->tier, &table), STATUS_OK);
    return table;
}

void world_put(struct world *world, struct tier_table *table, struct bytes name, const char *row)
{
    assert_int_equal(world->tier->ops->table_put(table, name, bytes_text(row)), STATUS_OK);
}

void world_ingest(struct world *world, struct tier_table *table)
{
    assert_int_equal(world->tier->ops->table_ingest(table), STATUS_OK);
}

void world_put_one(struct world *world, struct bytes name, const char *row)
{
    struct tier_table *table = world_begin(world);
    world_put(world, table, name, row);
    world_ingest(world, table);
}

void world_expect(struct world *world, struct bytes name, const char *row)
{
    struct buffer out = {0};
    enum status status = world->tier->ops->get_cached(world->tier, name, &out);
    if (status != STATUS_COLD) {
        assert_int_equal(status, row ? STATUS_OK : STATUS_ABSENT);
        assert_true(bytes_equal(buffer_bytes(&out), bytes_text(row ? row : "")));
    } else {
        assert_int_equal(buffer_size(&out), 0);
    }
    buffer_clear(&out, SIZE_MAX);
    buffer_append(&out, "before ", 7);
    status = world->tier->ops->get(world->tier, name, &out);
    assert_int_equal(status, row ? STATUS_OK : STATUS_ABSENT);
    buffer_consume(&out, 7);
    assert_true(bytes_equal(buffer_bytes(&out), bytes_text(row ? row : "")));
    buffer_deinit(&out);
}

struct bytes world_many_name(char room[64], unsigned number)
{
    return world_name_of(room, 1, number * (UINT32_MAX / MANY), "key", 0);
}

void world_put_many(struct world *world, unsigned from, unsigned step, const char *row)
{
    char room[64];
    struct tier_table *table = world_begin(world);
    for (unsigned i = from; i < MANY; i += step)
        world_put(world, table, world_many_name(room, i), row);
    world_ingest(world, table);
}

void world_shell(const char *command, const char *path)
{
    struct buffer line = {0};
    buffer_printf(&line, "cd '%s' && %s", path, command);
    buffer_append_u8(&line, 0);
    assert_int_equal(system(buffer_bytes(&line).data), 0);
    buffer_deinit(&line);
}

void world_expect_open_fails(struct world *world, enum status expected)
{
    const struct tier_options options = {.block_cache_bytes = 1024 * 1024, .compaction_threads = 1};
    struct buffer error = {0};
    struct tier *tier = NULL;
    assert_int_equal(tier_rocksdb_open(world->path, &options, &tier, &error), expected);
    assert_null(tier);
    assert_true(buffer_size(&error) > 0);
    buffer_deinit(&error);
}
