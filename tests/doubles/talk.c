/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "command/tables.h"
#include "doubles/talk.h"
#include "store/store.h"
#include "type/string.h"

enum { WORDS_MAX = 64 };

void talk_init(struct talk *talk, bool cold)
{
    *talk = (struct talk){.now_ms = TALK_START_MS};
    fake_store_init(&talk->store);
    talk->store.cold = cold;
    arena_init(&talk->arena);
}

void talk_deinit(struct talk *talk)
{
    fake_store_deinit(&talk->store);
    arena_deinit(&talk->arena);
    buffer_deinit(&talk->reply);
}

static const struct command *find_subcommand(const struct command *parent, struct bytes name)
{
    const struct command *command = parent->subcommands;
    while (command->name && !bytes_equal_nocase(name, bytes_text(command->name)))
        command++;
    assert_non_null(command->name);
    return command;
}

static const struct command *find(const struct bytes *argv)
{
    struct bytes name = argv[0];
    const struct command *tables[] = {
        string_commands,    string_many_commands, string_range_commands, string_number_commands,
        lcs_commands,       bitmap_commands,      bitop_commands,        bitfield_commands,
        key_commands,       rename_commands,      dump_commands,         object_commands,
        randomkey_commands, expire_commands,      keyspace_commands,     vc_commands};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (const struct command *command = tables[i]; command->name; command++)
            if (bytes_equal_nocase(name, bytes_text(command->name)))
                return command->subcommands ? find_subcommand(command, argv[1]) : command;
    fail_msg("no command %.*s", (int)name.size, name.data);
    return NULL;
}

/* No secret, but another message has another signature. */
static void sign(void *context, struct bytes message, char out[SIGNATURE_SIZE])
{
    (void)context;
    struct xxh128 hash = xxh128(message);
    pack_u64(pack_u64(out, hash.low), hash.high);
}

/* The transaction of the one that waits has ended; a new one begins for its next slice. */
static void let_others_speak(struct talk *talk, struct request *request)
{
    void (*meanwhile)(struct talk *) = talk->meanwhile;
    if (meanwhile) {
        unsigned runs = talk->runs, slices = talk->slices;
        talk->meanwhile = NULL;
        meanwhile(talk);
        talk->meanwhile = meanwhile;
        talk->runs = runs;
        talk->slices = slices;
    }
    fake_txn_begin(request->txn, &talk->store, &talk->arena, talk->now_ms);
}

/* Runs until it is neither cold nor yields. */
static enum status drive(struct talk *talk, struct request *request)
{
    enum status status;
    talk->runs = 0;
    talk->slices = 1;
    for (;;) {
        buffer_clear(&talk->reply, SIZE_MAX);
        request->hits = request->misses = 0;
        fake_txn_run(request->txn);
        status = request->command->handler(request);
        talk->runs++;
        if (status == STATUS_COLD)
            assert_true(fake_txn_fetch(request->txn) > 0);
        else if (status != STATUS_YIELD)
            return status;
        else {
            talk->slices++;
            let_others_speak(talk, request);
        }
    }
}

struct bytes talk_say_argv(struct talk *talk, struct bytes *argv, uint32_t argc)
{
    struct txn txn;
    struct progress progress = {0};
    struct reply reply = {&talk->reply, 2};
    int64_t bulk_size_max = STRING_SIZE_MAX;
    struct signer signer = {.sign = sign};
    struct request request = {
        .command = find(argv),
        .argv = argv,
        .argc = argc,
        .db = store_database(&talk->store, talk->db),
        .databases = FAKE_DATABASES,
        .reply = &reply,
        .txn = &txn,
        .arena = &talk->arena,
        .now_ms = talk->now_ms,
        .progress = &progress,
        .bulk_size_max = &bulk_size_max,
        .signer = &signer,
        .random = &talk->random,
    };
    int arity = request.command->arity;
    assert_true(arity > 0 ? (int)argc == arity : (int)argc >= -arity);
    fake_txn_begin(&txn, &talk->store, &talk->arena, talk->now_ms);
    enum status status = drive(talk, &request);
    talk->hits = request.hits;
    talk->misses = request.misses;
    if (status == STATUS_OK) {
        fake_txn_commit(&txn);
    } else if (status != STATUS_REPLIED) {
        buffer_clear(&talk->reply, SIZE_MAX);
        reply_error(&reply, command_error_text(status));
    }
    buffer_deinit(&progress.done);
    arena_clear(&talk->arena);
    return buffer_bytes(&talk->reply);
}

const char *talk_say(struct talk *talk, const char *words)
{
    struct bytes argv[WORDS_MAX];
    uint32_t argc = 0;
    while (*words) {
        const char *space = strchr(words, ' ');
        size_t size = space ? (size_t)(space - words) : strlen(words);
        check(argc < WORDS_MAX);
        argv[argc++] = size == 2 && memcmp(words, "''", 2) == 0 ? BYTES("") : bytes_of(words, size);
        words += size + (space != NULL);
    }
    (void)talk_say_argv(talk, argv, argc);
    *buffer_reserve(&talk->reply, 1) = '\0';
    return buffer_bytes(&talk->reply).data;
}

void talk_expect_at(struct talk *talk, const char *words, const char *reply, const char *file,
                    int line)
{
    const char *heard = talk_say(talk, words);
    size_t size = strlen(heard);
    bool same = size >= 2 && size - 2 == strlen(reply) && memcmp(heard, reply, size - 2) == 0;
    if (!same) {
        print_error("%s\n  heard    %s  expected %s\n", words, heard, reply);
        _fail(file, line);
    }
}

void talk_hold(struct talk *talk, const struct talk_exchange *exchanges)
{
    for (; exchanges->words; exchanges++)
        talk_expect(talk, exchanges->words, exchanges->reply);
}

void talk_hold_warm_and_cold(const struct talk_exchange *exchanges)
{
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        talk_hold(&talk, exchanges);
        talk_deinit(&talk);
    }
}
