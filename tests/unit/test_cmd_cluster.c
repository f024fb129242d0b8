/* SPDX-License-Identifier: MIT */
/* CLUSTER, over the gossip of some nodes and a layout of theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/admin.h"
#include "admin/cluster_survey.h"
#include "doubles/fake_txn.h"
#include "row/node_name.h"
#include "row/row.h"
#include "support/gossip_world.h"

enum { NODES_MAX = 5, TEXT_MAX = 1 << 20 };

struct fixture {
    struct gossip_world *world;
    struct layout layout;
    bool alone; /* it has no layout yet */
    struct store store;
    struct arena arena;
    struct buffer out;
    struct command_set *commands;
    struct admin admin;
    struct admin_cluster cluster;
    char told[512];
};

static const struct command *const tables[] = {cluster_commands, NULL};

static void survey(void *context, struct arena *arena, struct cluster_view *out)
{
    struct fixture *f = context;
    cluster_survey(f->alone ? NULL : &f->layout, gossip_world_at(f->world, 0), arena, out);
}

static bool link_at(void *context, size_t index, struct admin_link *out)
{
    (void)context;
    *out = (struct admin_link){.node = gossip_world_id(1),
                               .dialed = index == 0,
                               .since_ms = 12345,
                               .output_bytes = index == 0 ? 10 : 0,
                               .messages_in = index == 0 ? 0 : 3,
                               .messages_out = index == 0 ? 5 : 0};
    return index < 2;
}

static void meet(void *context, const char *host, uint16_t port, uint16_t bus_port)
{
    struct fixture *f = context;
    snprintf(f->told, sizeof(f->told), "%s %u %u", host, port, bus_port);
}

static enum status forget(void *context, uint64_t node)
{
    struct fixture *f = context;
    snprintf(f->told, sizeof(f->told), "forget %d", node == gossip_world_id(1));
    return node == gossip_world_id(1) ? STATUS_OK : STATUS_INVALID;
}

/* What all steps of a change come to. */
static void settle(struct layout *layout, const struct ring_member *members, uint32_t count)
{
    do {
        struct layout next;
        layout_step(layout, members, count, &next);
        layout_deinit(layout);
        *layout = next;
    } while (layout->phase != LAYOUT_STABLE);
}

static struct fixture *open_cluster(uint32_t count)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    struct ring_member members[NODES_MAX];
    *f = (struct fixture){.world = gossip_world_new(count, 1)};
    gossip_world_run_ms(f->world, 10000);
    for (uint32_t i = 0; i < count; i++)
        members[i] = (struct ring_member){gossip_world_id(i), 0, i, RING_WEIGHT};
    layout_first(42, members, 3, &f->layout);
    if (count > 1)
        settle(&f->layout, members, count);
    fake_store_init(&f->store);
    arena_init(&f->arena);
    f->commands = command_set_new(tables);
    f->cluster = (struct admin_cluster){gossip_world_id(0), survey, link_at, meet, forget, NULL, f};
    f->admin.cluster = &f->cluster;
    return f;
}

static void close_cluster(struct fixture *f)
{
    gossip_world_free(f->world);
    layout_deinit(&f->layout);
    fake_store_deinit(&f->store);
    arena_deinit(&f->arena);
    buffer_deinit(&f->out);
    command_set_free(f->commands);
}

static const char *say(struct fixture *f, const char *words)
{
    char copy[512], *rest = copy;
    struct bytes argv[16];
    struct txn txn;
    struct reply reply = {&f->out, 2};
    struct request request = {.argv = argv,
                              .databases = FAKE_DATABASES,
                              .reply = &reply,
                              .arena = &f->arena,
                              .txn = &txn,
                              .commands = f->commands,
                              .admin = &f->admin};
    snprintf(copy, sizeof(copy), "%s", words);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        argv[request.argc++] = bytes_text(word);
    struct bytes second = request.argc > 1 ? argv[1] : (struct bytes){0};
    request.command = command_find(f->commands, argv[0], second, &request.parent);
    assert_non_null(request.command);
    buffer_clear(&f->out, 0);
    fake_txn_begin(&txn, &f->store, &f->arena, 1000);
    fake_txn_run(&txn);
    enum status status = request.command->handler(&request);
    if (status != STATUS_OK && status != STATUS_REPLIED) {
        buffer_clear(&f->out, 0);
        reply_error(&reply, command_error_text(status));
    }
    arena_clear(&f->arena);
    *buffer_reserve(&f->out, 1) = '\0';
    return buffer_bytes(&f->out).data;
}

static void expect(struct fixture *f, const char *words, const char *reply)
{
    const char *heard = say(f, words);
    size_t size = strlen(reply);
    if (strncmp(heard, reply, size) != 0 || strcmp(heard + size, "\r\n") != 0)
        fail_msg("%s: heard %s, not %s", words, heard, reply);
}

static void expect_in(struct fixture *f, const char *words, const char *part)
{
    const char *heard = say(f, words);
    if (!strstr(heard, part))
        fail_msg("%s: %s is not in %s", words, part, heard);
}

/* ---- what clients make of it ----------------------------------------------------------------- */

struct table {
    uint64_t master[SLOT_COUNT]; /* 0: nobody */
    unsigned lines, ranges;
};

static void take_range(struct table *table, unsigned long first, unsigned long last, uint64_t node)
{
    assert_true(first <= last && last < SLOT_COUNT);
    for (unsigned long slot = first; slot <= last; slot++) {
        assert_int_equal(table->master[slot], 0); /* each slot once */
        table->master[slot] = node;
    }
    table->ranges++;
}

static uint64_t node_of(const char *name)
{
    uint64_t node;
    assert_true(node_name_parse(bytes_of(name, NODE_NAME_DIGITS), &node));
    return node;
}

static void read_nodes(struct fixture *f, struct table *table)
{
    static char text[TEXT_MAX];
    *table = (struct table){{0}, 0, 0};
    snprintf(text, sizeof(text), "%s", strchr(say(f, "CLUSTER NODES"), '\n') + 1);
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && line[0] != '\r';) {
        char *word = line, *fields = line;
        uint64_t node = node_of(strsep(&fields, " "));
        for (int i = 0; i < 7; i++)
            assert_non_null(strsep(&fields, " "));
        while ((word = strsep(&fields, " ")) != NULL) {
            char *end;
            unsigned long first = strtoul(word, &end, 10);
            take_range(table, first, *end == '-' ? strtoul(end + 1, NULL, 10) : first, node);
        }
        table->lines++;
    }
}

static unsigned long next_number(const char **at, char kind)
{
    unsigned long number = 0;
    assert_int_equal(**at, kind);
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++)
        number = number * 10 + (unsigned long)(**at - '0');
    *at += 2;
    return number;
}

static struct bytes next_bulk(const char **at)
{
    size_t size = next_number(at, '$');
    struct bytes bulk = bytes_of(*at, size);
    *at += size + 2;
    return bulk;
}

static void read_slots(struct fixture *f, struct table *table)
{
    const char *at = say(f, "CLUSTER SLOTS");
    *table = (struct table){{0}, 0, 0};
    unsigned long ranges = next_number(&at, '*');
    for (unsigned long i = 0; i < ranges; i++) {
        assert_int_equal(next_number(&at, '*'), 3);
        unsigned long first = next_number(&at, ':'), last = next_number(&at, ':');
        assert_int_equal(next_number(&at, '*'), 4);
        assert_true(bytes_starts_with(next_bulk(&at), BYTES("node-")));
        assert_int_equal(next_number(&at, ':'), 6379);
        take_range(table, first, last, node_of(next_bulk(&at).data));
        assert_int_equal(next_number(&at, '*'), 0);
    }
    assert_int_equal(*at, '\0');
}

static void read_shards(struct fixture *f, struct table *table)
{
    const char *at = say(f, "CLUSTER SHARDS");
    *table = (struct table){.lines = (unsigned)next_number(&at, '*')};
    for (unsigned i = 0; i < table->lines; i++) {
        assert_int_equal(next_number(&at, '*'), 4);
        assert_true(bytes_equal(next_bulk(&at), BYTES("slots")));
        unsigned long numbers = next_number(&at, '*');
        const char *ranges = at;
        for (unsigned long j = 0; j < numbers; j++)
            (void)next_number(&at, ':');
        assert_true(bytes_equal(next_bulk(&at), BYTES("nodes")));
        assert_int_equal(next_number(&at, '*'), 1);
        assert_int_equal(next_number(&at, '*'), 14);
        assert_true(bytes_equal(next_bulk(&at), BYTES("id")));
        uint64_t node = node_of(next_bulk(&at).data);
        for (unsigned long j = 0; j < numbers; j += 2) {
            unsigned long first = next_number(&ranges, ':');
            take_range(table, first, next_number(&ranges, ':'), node);
        }
        at = strstr(at, "health");
        at = strchr(strchr(strchr(at, '\n') + 1, '\n') + 1, '\n') + 1;
    }
}

/* The three commands say the same; *out is what. */
static void read_table(struct fixture *f, struct table *out)
{
    static struct table slots, shards;
    read_nodes(f, out);
    read_slots(f, &slots);
    read_shards(f, &shards);
    assert_memory_equal(slots.master, out->master, sizeof(slots.master));
    assert_memory_equal(shards.master, out->master, sizeof(slots.master));
    assert_int_equal(shards.lines, out->lines);
    printf("# %u nodes, %u ranges: CLUSTER NODES %zu bytes", out->lines, out->ranges,
           strlen(say(f, "CLUSTER NODES")));
    printf(", SLOTS %zu", strlen(say(f, "CLUSTER SLOTS")));
    printf(", SHARDS %zu\n", strlen(say(f, "CLUSTER SHARDS")));
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_without_a_cluster(void **state)
{
    (void)state;
    struct fixture *f = open_cluster(1);
    f->admin.cluster = NULL;
    const char *const words[] = {"CLUSTER INFO",
                                 "CLUSTER NODES",
                                 "CLUSTER MYID",
                                 "CLUSTER HELP",
                                 "CLUSTER KEYSLOT a",
                                 "CLUSTER MEET a 1",
                                 "CLUSTER ADDSLOTS 1",
                                 "CLUSTER FORGET a",
                                 "CLUSTER SAVECONFIG",
                                 "CLUSTER RESET",
                                 "READONLY",
                                 "READWRITE",
                                 "ASKING",
                                 "CLUSTER LINKS",
                                 "CLUSTER SHARDS",
                                 "CLUSTER REPLICAS a"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        expect(f, words[i], "-ERR This instance has cluster support disabled");
    close_cluster(f);
}

static void test_each_slot_has_its_first_owner(void **state)
{
    (void)state;
    static struct table table;
    static const uint32_t sizes[] = {1, 2, 3, 5};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct fixture *f = open_cluster(sizes[i]);
        read_table(f, &table);
        assert_int_equal(table.lines, sizes[i]);
        for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
            uint64_t owners[RING_COPIES_MAX];
            ring_owners(&f->layout.ring, (uint16_t)slot, owners);
            assert_int_equal(table.master[slot], owners[0]);
        }
        expect_in(f, "CLUSTER INFO",
                  "cluster_state:ok\r\ncluster_slots_assigned:16384\r\n"
                  "cluster_slots_ok:16384\r\ncluster_slots_pfail:0\r\n"
                  "cluster_slots_fail:0\r\n");
        close_cluster(f);
    }
}

static void test_others_lead_where_one_is_down(void **state)
{
    (void)state;
    static struct table table;
    struct fixture *f = open_cluster(5);
    uint64_t dead = gossip_world_id(2);
    gossip_world_kill(f->world, 2, true);
    gossip_world_run_ms(f->world, 10);
    expect_in(f, "CLUSTER NODES", " master,fail? - ");
    gossip_world_run_ms(f->world, 20000);
    expect_in(f, "CLUSTER NODES", " master,fail - ");
    read_table(f, &table);
    uint32_t moved = 0, concerned = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint64_t owners[RING_COPIES_MAX];
        ring_owners(&f->layout.ring, (uint16_t)slot, owners);
        assert_int_equal(table.master[slot], owners[0] == dead ? owners[1] : owners[0]);
        moved += owners[0] == dead;
        concerned += owners[0] == dead || owners[1] == dead || owners[2] == dead;
    }
    assert_true(moved > 0);
    char words[64];
    snprintf(words, sizeof(words), "cluster_slots_pfail:%u\r\n", concerned);
    expect_in(f, "CLUSTER INFO", words);
    expect_in(f, "CLUSTER INFO", "cluster_state:ok\r\n");
    expect_in(f, "CLUSTER INFO", "cluster_size:4\r\n");
    close_cluster(f);
}

static void test_slots_without_an_owner(void **state)
{
    (void)state;
    static struct table table;
    struct fixture *f = open_cluster(5);
    for (uint32_t i = 1; i < 4; i++)
        gossip_world_kill(f->world, i, true);
    gossip_world_run_ms(f->world, 20000);
    read_table(f, &table);
    uint32_t lost = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        lost += table.master[slot] == 0;
    assert_true(lost > 0);
    char words[64];
    snprintf(words, sizeof(words), "cluster_slots_fail:%u\r\n", lost);
    expect_in(f, "CLUSTER INFO", words);
    expect_in(f, "CLUSTER INFO", "cluster_state:fail\r\n");
    close_cluster(f);
}

static void test_while_slots_move(void **state)
{
    (void)state;
    static struct table before, during;
    struct fixture *f = open_cluster(2);
    struct ring_member members[3];
    struct layout next;
    read_table(f, &before);
    for (uint32_t i = 0; i < 3; i++) /* the third has not been heard of */
        members[i] = (struct ring_member){gossip_world_id(i), 0, i, RING_WEIGHT};
    layout_step(&f->layout, members, 3, &next);
    layout_deinit(&f->layout);
    f->layout = next;
    read_table(f, &during);
    assert_memory_equal(during.master, before.master, sizeof(before.master));
    assert_int_equal(during.lines, 3);
    expect_in(f, "CLUSTER NODES", " :0@0 master,fail,noaddr - ");
    expect_in(f, "CLUSTER INFO", "cluster_layout_phase:writing-both\r\n");
    close_cluster(f);
}

static void test_before_there_is_a_layout(void **state)
{
    (void)state;
    static struct table table;
    struct fixture *f = open_cluster(2);
    f->alone = true;
    read_table(f, &table);
    assert_int_equal(table.lines, 2);
    assert_int_equal(table.ranges, 0);
    expect_in(f, "CLUSTER INFO", "cluster_state:fail\r\ncluster_slots_assigned:0\r\n");
    expect_in(f, "CLUSTER INFO", "cluster_known_nodes:2\r\n");
    close_cluster(f);
}

static void test_names_and_links(void **state)
{
    (void)state;
    struct fixture *f = open_cluster(3);
    char name[NODE_NAME_SIZE], text[256];
    node_name(gossip_world_id(0), name);
    snprintf(text, sizeof(text), "$40\r\n%s", name);
    expect(f, "CLUSTER MYID", text);
    expect(f, "CLUSTER MYSHARDID", text);
    snprintf(text, sizeof(text), "%s node-0.example:6379@16379 myself,master - ", name);
    expect_in(f, "CLUSTER NODES", text);
    expect_in(f, "CLUSTER INFO",
              "cluster_stats_messages_sent:5\r\n"
              "cluster_stats_messages_received:3\r\n");
    expect_in(f, "CLUSTER LINKS", "$2\r\nto\r\n");
    expect_in(f, "CLUSTER LINKS", "$4\r\nfrom\r\n");
    snprintf(text, sizeof(text), "CLUSTER REPLICAS %s", name);
    expect(f, text, "*0");
    snprintf(text, sizeof(text), "CLUSTER COUNT-FAILURE-REPORTS %s", name);
    expect(f, text, ":0");
    expect(f, "CLUSTER REPLICAS nobody", "-ERR Unknown node nobody");
    expect(f, "CLUSTER SLAVES nobody", "-ERR Unknown node nobody");
    expect(f, "CLUSTER FORGET nobody", "-ERR Unknown node nobody");
    snprintf(text, sizeof(text), "CLUSTER FORGET %s", name);
    expect(f, text, "-ERR I tried hard but I can't forget myself...");
    node_name(gossip_world_id(1), name);
    snprintf(text, sizeof(text), "CLUSTER FORGET %s", name);
    expect(f, text, "+OK");
    assert_string_equal(f->told, "forget 1");
    node_name(gossip_world_id(2), name);
    snprintf(text, sizeof(text), "CLUSTER FORGET %s", name);
    assert_memory_equal(say(f, text), "-ERR This node cannot be forgotten now", 38);
    close_cluster(f);
}

static void test_meet(void **state)
{
    (void)state;
    struct fixture *f = open_cluster(1);
    expect(f, "CLUSTER MEET example.org 7001", "+OK");
    assert_string_equal(f->told, "example.org 7001 17001");
    expect(f, "CLUSTER MEET ::1 7001 9", "+OK");
    assert_string_equal(f->told, "::1 7001 9");
    f->told[0] = '\0';
    expect(f, "CLUSTER MEET a x", "-ERR Invalid base port specified: x");
    expect(f, "CLUSTER MEET a 0", "-ERR Invalid base port specified: 0");
    expect(f, "CLUSTER MEET a 65536", "-ERR Invalid base port specified: 65536");
    expect(f, "CLUSTER MEET a 7001 x", "-ERR Invalid bus port specified: x");
    expect(f, "CLUSTER MEET a 60000", "-ERR Invalid node address specified: a:60000");
    expect(f, "CLUSTER MEET a\tb 7001", "-ERR Invalid node address specified: a\tb:7001");
    assert_string_equal(f->told, "");
    close_cluster(f);
}

static void put_key(struct fixture *f, const char *key)
{
    struct bytes row =
        row_encode_common(&f->arena, (struct dot){1, 1}, VALUE_STRING, BYTES("v"), EXPIRY_NEVER);
    fake_store_put(&f->store, row_key_head(&f->arena, 0, bytes_text(key)), row);
}

static void test_keys_of_a_slot(void **state)
{
    (void)state;
    struct fixture *f = open_cluster(1);
    char key[32];
    expect(f, "CLUSTER KEYSLOT foo", ":12182");
    expect(f, "CLUSTER KEYSLOT a{foo}b", ":12182");
    expect(f, "CLUSTER COUNTKEYSINSLOT 12182", ":0");
    for (int i = 0; i < 30; i++) {
        snprintf(key, sizeof(key), "%d{foo}", i);
        put_key(f, key);
    }
    expect(f, "CLUSTER COUNTKEYSINSLOT 12182", ":30");
    expect(f, "CLUSTER GETKEYSINSLOT 12182 0", "*0");
    assert_memory_equal(say(f, "CLUSTER GETKEYSINSLOT 12182 7"), "*7\r\n", 4);
    assert_memory_equal(say(f, "CLUSTER GETKEYSINSLOT 12182 1000000"), "*30\r\n", 5);
    expect(f, "CLUSTER GETKEYSINSLOT 0 10", "*0");
    expect(f, "CLUSTER COUNTKEYSINSLOT 16384", "-ERR Invalid slot");
    expect(f, "CLUSTER COUNTKEYSINSLOT -1", "-ERR Invalid slot");
    expect(f, "CLUSTER COUNTKEYSINSLOT x", "-ERR value is not an integer or out of range");
    expect(f, "CLUSTER GETKEYSINSLOT 1 -1", "-ERR Invalid slot or number of keys");
    close_cluster(f);
}

static void test_what_is_of_no_use_is_refused(void **state)
{
    (void)state;
    struct fixture *f = open_cluster(1);
    const char *const slots[] = {"ADDSLOTS 1", "ADDSLOTSRANGE 1 2", "DELSLOTS 1",
                                 "FLUSHSLOTS", "DELSLOTSRANGE 1 2", "SETSLOT 1 STABLE"};
    for (size_t i = 0; i < sizeof(slots) / sizeof(*slots); i++) {
        char words[64];
        snprintf(words, sizeof(words), "CLUSTER %s", slots[i]);
        expect_in(f, words, "-ERR Slots are placed by the cluster itself");
    }
    expect_in(f, "CLUSTER FAILOVER", "-ERR There is no failover here");
    expect_in(f, "CLUSTER REPLICATE x", "-ERR There are no replicas here");
    expect_in(f, "CLUSTER RESET HARD", "-ERR A node leaves its cluster when");
    expect_in(f, "CLUSTER BUMPEPOCH", "-ERR There are no epochs here");
    expect_in(f, "CLUSTER SET-CONFIG-EPOCH 1", "-ERR There are no epochs here");
    expect(f, "CLUSTER SAVECONFIG", "+OK");
    expect(f, "READONLY", "+OK");
    expect(f, "READWRITE", "+OK");
    expect(f, "ASKING", "+OK");
    expect_in(f, "CLUSTER HELP", "MEET <host> <port> [<bus-port>]");
    close_cluster(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_cluster),
        cmocka_unit_test(test_each_slot_has_its_first_owner),
        cmocka_unit_test(test_others_lead_where_one_is_down),
        cmocka_unit_test(test_slots_without_an_owner),
        cmocka_unit_test(test_while_slots_move),
        cmocka_unit_test(test_before_there_is_a_layout),
        cmocka_unit_test(test_names_and_links),
        cmocka_unit_test(test_meet),
        cmocka_unit_test(test_keys_of_a_slot),
        cmocka_unit_test(test_what_is_of_no_use_is_refused),
    };
    return cmocka_run_group_tests_name("cmd_cluster", tests, NULL, NULL);
}
