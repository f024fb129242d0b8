/* SPDX-License-Identifier: MIT */
/*
 * DEBUG: what test suites and those who look for a fault use. Only for those whom
 * enable-debug-command names. What would end the process, or look into structures that are not
 * here, is refused.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin.h"
#include "base/glob.h"
#include "command/arguments.h"
#include "row/slot.h"
#include "session/session.h"
#include "type/digest.h"
#include "type/string.h"
#include "type/value.h"

enum {
    SLEEP_MAX_S = 300,
    POPULATE_KEYS_MAX = 1024 * 1024,
    POPULATE_BYTES_MAX = 256 * 1024 * 1024, /* of values, in one command */
    DIGEST_PAGE = 64,                       /* heads at a time, */
    DIGEST_SLICE_HEADS = 4096,              /* and in one slice, */
    DIGEST_SLICE_BYTES = 16 * 1024 * 1024,  /* with so much of values */
    LRU_CLOCK_LIMIT = 1 << 24,
};

static enum status ok(struct request *request)
{
    reply_ok(request->reply);
    return STATUS_OK;
}

/* As C's atoi and strtod read it: what stands in front counts, and nothing is 0. */
static double loose_number(struct bytes text)
{
    char copy[64];
    size_t size = text.size < sizeof copy - 1 ? text.size : sizeof copy - 1;
    if (size > 0)
        memcpy(copy, text.data, size);
    copy[size] = '\0';
    double number = strtod(copy, NULL);
    return isfinite(number) ? number : 0;
}

/* ---- the server ------------------------------------------------------------------------------ */

static enum status debug_sleep(struct request *request)
{
    struct admin *admin = request->admin;
    double seconds = loose_number(request->argv[2]);
    if (seconds > SLEEP_MAX_S) {
        reply_errorf(request->reply, "ERR at most %d seconds", SLEEP_MAX_S);
        return STATUS_REPLIED;
    }
    if (seconds > 0 && admin->sleep != NULL)
        admin->sleep(admin->context, (uint64_t)(seconds * 1e6));
    return ok(request);
}

static enum status debug_set_active_expire(struct request *request)
{
    store_set_active_expiry(request->admin->store, loose_number(request->argv[2]) != 0);
    return ok(request);
}

static enum status debug_log(struct request *request)
{
    struct bytes text = request->argv[2];
    journal_write(request->admin->journal, JOURNAL_WARNING, "DEBUG LOG: %.*s",
                  (int)(text.size < 1024 ? text.size : 1024), text.data);
    return ok(request);
}

static enum status debug_change_repl_id(struct request *request)
{
    admin_draw_id(request->random, request->admin->replication_id);
    return ok(request);
}

static enum status debug_config_rewrite(struct request *request)
{
    struct buffer error = {0};
    enum status status = config_rewrite(request->admin->config, true, &error);
    if (status != STATUS_OK) {
        reply_errorf(request->reply, "ERR CONFIG-REWRITE-FORCE-ALL failed: %.*s",
                     (int)buffer_size(&error), buffer_bytes(&error).data);
        status = STATUS_REPLIED;
    } else {
        reply_ok(request->reply);
    }
    buffer_deinit(&error);
    return status;
}

/* What is asked for from now on is read from the ordered files, as after a restart. */
static enum status reload(struct request *request)
{
    enum status status = store_seal_now(request->admin->store);
    if (status != STATUS_OK)
        return status;
    store_forget(request->admin->store);
    return ok(request);
}

static enum status debug_reload(struct request *request)
{
    for (uint32_t i = 2; i < request->argc; i++) {
        struct bytes word = request->argv[i];
        if (!bytes_equal_nocase(word, BYTES("merge")) &&
            !bytes_equal_nocase(word, BYTES("noflush")) &&
            !bytes_equal_nocase(word, BYTES("nosave")))
            return request_refuse(
                request, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    }
    return reload(request);
}

/* Settings of structures that this server does not have: without effect, and harmless. */
static enum status debug_nothing(struct request *request)
{
    return ok(request);
}

/* ---- replies --------------------------------------------------------------------------------- */

static enum status debug_error(struct request *request)
{
    reply_error(request->reply, request->argv[2]);
    return STATUS_REPLIED;
}

static enum status debug_stringmatch(struct request *request)
{
    reply_integer(request->reply, glob_match(request->argv[2], request->argv[3], false));
    return STATUS_OK;
}

static void reply_three(struct reply *reply)
{
    for (int i = 0; i < 3; i++)
        reply_integer(reply, i);
}

static void protocol_string(struct reply *reply)
{
    reply_bulk_text(reply, "Hello World");
}

static void protocol_integer(struct reply *reply)
{
    reply_integer(reply, 12345);
}

static void protocol_double(struct reply *reply)
{
    reply_double(reply, 3.141);
}

static void protocol_bignum(struct reply *reply)
{
    reply_big_number(reply, BYTES("1234567999999999999999999999999999999"));
}

static void protocol_array(struct reply *reply)
{
    reply_array(reply, 3);
    reply_three(reply);
}

static void protocol_set(struct reply *reply)
{
    reply_set(reply, 3);
    reply_three(reply);
}

static void protocol_map(struct reply *reply)
{
    reply_map(reply, 3);
    for (int i = 0; i < 3; i++) {
        reply_integer(reply, i);
        reply_bool(reply, i == 1);
    }
}

/* An attribute is no reply, so one follows it. */
static void protocol_attrib(struct reply *reply)
{
    if (reply->resp >= 3) {
        reply_attribute(reply, 1);
        reply_bulk_text(reply, "key-popularity");
        reply_array(reply, 2);
        reply_bulk_text(reply, "key:123");
        reply_integer(reply, 90);
    }
    reply_bulk_text(reply, "Some real reply following the attribute");
}

static void protocol_push(struct reply *reply)
{
    reply_push(reply, 2);
    reply_bulk_text(reply, "server-cpu-usage");
    reply_integer(reply, 42);
    reply_bulk_text(reply, "Some real reply following the push reply");
}

static void protocol_verbatim(struct reply *reply)
{
    reply_verbatim(reply, "txt", BYTES("This is a verbatim\nstring"));
}

static void protocol_true(struct reply *reply)
{
    reply_bool(reply, true);
}

static void protocol_false(struct reply *reply)
{
    reply_bool(reply, false);
}

static enum status debug_protocol(struct request *request)
{
    static const struct {
        const char *name;
        void (*write)(struct reply *reply);
    } types[] = {
        {"string", protocol_string},     {"integer", protocol_integer}, {"double", protocol_double},
        {"bignum", protocol_bignum},     {"null", reply_null},          {"array", protocol_array},
        {"set", protocol_set},           {"map", protocol_map},         {"attrib", protocol_attrib},
        {"verbatim", protocol_verbatim}, {"true", protocol_true},       {"false", protocol_false},
        {"push", protocol_push},
    };
    struct bytes name = request->argv[2];
    if (request->reply->resp < 3 && bytes_equal_nocase(name, BYTES("push")))
        return request_refuse(request, "ERR RESP2 is not supported by this command");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (bytes_equal_nocase(name, bytes_text(types[i].name))) {
            types[i].write(request->reply);
            return STATUS_OK;
        }
    }
    return request_refuse(request,
                          "ERR Wrong protocol type name. Please use one of the following: "
                          "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|"
                          "true|false");
}

/* ---- data ------------------------------------------------------------------------------------ */

static enum status parse_positive(struct request *request, uint32_t index, int64_t *out)
{
    if (index >= request->argc)
        return STATUS_OK;
    if (argument_integer(request->argv[index], out) != STATUS_OK || *out < 0)
        return request_refuse(request, "ERR value is out of range, must be positive");
    return STATUS_OK;
}

/* "value:7", cut off or filled with zeros to `size`; 0: as it is. */
static struct bytes populate_value(struct arena *arena, int64_t number, size_t size)
{
    char text[32];
    size_t length = (size_t)snprintf(text, sizeof text, "value:%lld", (long long)number);
    if (size == 0)
        return arena_copy(arena, bytes_of(text, length));
    char *value = arena_alloc(arena, size);
    memset(value, 0, size);
    memcpy(value, text, length < size ? length : size);
    return bytes_of(value, size);
}

static struct bytes populate_key(struct arena *arena, struct bytes prefix, int64_t number)
{
    char text[32];
    size_t length = (size_t)snprintf(text, sizeof text, ":%lld", (long long)number);
    char *key = arena_alloc(arena, prefix.size + length);
    if (prefix.size > 0)
        memcpy(key, prefix.data, prefix.size);
    memcpy(key + prefix.size, text, length);
    return bytes_of(key, prefix.size + length);
}

/* POPULATE count [prefix] [size]: keys that exist stay as they are. */
static enum status debug_populate(struct request *request)
{
    int64_t count = 0, size = 0;
    bool cold = false;
    struct bytes prefix = request->argc > 3 ? request->argv[3] : BYTES("key");
    enum status status = parse_positive(request, 2, &count);
    if (status == STATUS_OK)
        status = parse_positive(request, 4, &size);
    if (status != STATUS_OK)
        return status;
    if (count > POPULATE_KEYS_MAX || size > POPULATE_BYTES_MAX || count * size > POPULATE_BYTES_MAX)
        return request_refuse(request, "ERR too many keys or bytes for one command");
    for (int64_t i = 0; i < count; i++) {
        struct cell head;
        struct bytes key = populate_key(request->arena, prefix, i);
        status = argument_key(request, key, &head);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
        if (cold || head.exists)
            continue;
        status =
            string_set(&head, populate_value(request->arena, i, (size_t)size), EXPIRY_NEVER, false);
        if (status != STATUS_OK)
            return status;
    }
    return cold ? STATUS_COLD : ok(request);
}

/* What OBJECT tells, in one line. There is no address to tell. */
static enum status debug_object(struct request *request)
{
    struct cell head;
    struct bytes encoding;
    struct dump value;
    struct buffer text = {0};
    enum status status = argument_key_peek(request, request->argv[2], &head);
    if (status == STATUS_OK && !head.exists)
        status = STATUS_ABSENT;
    if (status == STATUS_OK)
        status = value_encoding(&head, &encoding);
    if (status == STATUS_OK)
        status = value_read(&head, &value);
    if (status != STATUS_OK)
        return status;
    struct txn_access access = txn_access(request->txn, head.name);
    uint64_t idle_s = access.counts ? 0 : access.idle_s;
    size_t size = dump_encode(&value, request->arena).size - DUMP_OVERHEAD;
    buffer_printf(&text, "Value at:0x0 refcount:1 encoding:%.*s serializedlength:%zu ",
                  (int)encoding.size, encoding.data, size);
    buffer_printf(&text, "lru:%llu lru_seconds_idle:%llu",
                  (unsigned long long)((request->now_ms / 1000 - idle_s) % LRU_CLOCK_LIMIT),
                  (unsigned long long)idle_s);
    reply_simple(request->reply, buffer_bytes(&text));
    buffer_deinit(&text);
    return STATUS_OK;
}

static void reply_digest(struct reply *reply, const struct digest *digest)
{
    char text[2 * DIGEST_SIZE + 1];
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
    reply_simple(reply, bytes_of(text, 2 * DIGEST_SIZE));
}

static enum status debug_digest_value(struct request *request)
{
    bool cold = false;
    reply_array(request->reply, request->argc - 2);
    for (uint32_t i = 2; i < request->argc; i++) {
        struct cell head;
        struct digest digest = {{0}};
        uint64_t size;
        struct bytes key = request->argv[i];
        enum status status = key.size <= KEY_SIZE_MAX
                                 ? cell_find_head(request->txn, request->db, key, &head)
                                 : STATUS_TOO_BIG;
        if (status == STATUS_OK && head.exists)
            status = digest_value(&head, &digest, &size);
        if (status == STATUS_COLD)
            cold = true;
        else if (status != STATUS_OK && status != STATUS_TOO_BIG) /* there is no such key */
            return status;
        reply_digest(request->reply, &digest);
    }
    return cold ? STATUS_COLD : STATUS_OK;
}

/* A walk over all databases: where it is, and the digest of what lies behind. */
struct digest_walk {
    struct request *request;
    uint64_t db; /* as clients count them: so SWAPDB changes the digest */
    uint64_t slot;
    uint64_t hash;
    struct digest digest;
    uint64_t heads, bytes; /* of this slice */
};

static bool is_enough(const struct digest_walk *walk)
{
    return walk->heads >= DIGEST_SLICE_HEADS || walk->bytes >= DIGEST_SLICE_BYTES;
}

/* Takes the page's rows; stops before one that would be too much, of another hash than the last. */
static enum status digest_page(struct digest_walk *walk, uint8_t db, const struct scan_page *page)
{
    struct txn *txn = walk->request->txn;
    for (size_t i = 0; i < page->count; i++) {
        const struct scan_row *row = &page->rows[i];
        struct cell head;
        struct digest value;
        uint64_t size, hash = row_key_hash(row->key);
        if (is_enough(walk) && hash != walk->hash) {
            walk->hash = hash;
            return STATUS_OK;
        }
        enum status status = cell_of_row(txn, db, row->key, row->row, &head);
        if (status == STATUS_OK)
            status = digest_value(&head, &value, &size);
        if (status != STATUS_OK)
            return status;
        digest_add_key(&walk->digest, (uint8_t)walk->db, row->key, &value);
        walk->hash = hash;
        walk->heads++;
        walk->bytes += size;
    }
    walk->hash = page->done ? 0 : page->next_hash;
    walk->slot += page->done;
    return STATUS_OK;
}

static enum status digest_on(struct digest_walk *walk)
{
    struct txn *txn = walk->request->txn;
    for (; walk->db < walk->request->databases; walk->db++, walk->slot = 0) {
        uint8_t db = store_database(txn->store, (uint8_t)walk->db);
        if (store_keys(txn->store, db) == 0)
            continue;
        while (walk->slot < SLOT_COUNT) {
            struct scan_page page;
            if (is_enough(walk))
                return STATUS_YIELD;
            if (txn_slot_keys(txn, (uint16_t)walk->slot, db) == 0) {
                walk->slot++;
                walk->hash = 0;
                continue;
            }
            enum status status =
                txn_scan(txn, (uint16_t)walk->slot, db, walk->hash, DIGEST_PAGE, &page);
            if (status == STATUS_OK)
                status = digest_page(walk, db, &page);
            if (status != STATUS_OK)
                return status;
            walk->heads++; /* an empty page is work too */
        }
    }
    return STATUS_OK;
}

/* In slices. What is written meanwhile may be in it or not. */
static enum status debug_digest(struct request *request)
{
    struct progress *progress = request->progress;
    struct digest_walk walk = {
        .request = request,
        .db = progress->count,
        .slot = progress->position >> ROW_KEY_HASH_BITS,
        .hash = progress->position & ROW_KEY_HASH_MASK,
    };
    struct bytes so_far = buffer_bytes(&progress->done);
    if (so_far.size > 0)
        memcpy(walk.digest.bytes, so_far.data, DIGEST_SIZE);
    enum status status = digest_on(&walk);
    if (status == STATUS_OK)
        reply_digest(request->reply, &walk.digest);
    if (status != STATUS_YIELD)
        return status;
    progress->count = walk.db;
    progress->position = walk.slot << ROW_KEY_HASH_BITS | walk.hash;
    buffer_clear(&progress->done, SIZE_MAX);
    buffer_append(&progress->done, walk.digest.bytes, DIGEST_SIZE);
    return STATUS_YIELD;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum status debug_help(struct request *request)
{
    static const char *const lines[] = {
        "CHANGE-REPL-ID",
        "    Change the replication IDs of the instance.",
        "CONFIG-REWRITE-FORCE-ALL",
        "    Like CONFIG REWRITE but writes all configuration options, including",
        "    keywords not listed in original configuration file or default values.",
        "DIGEST",
        "    Output a hex signature representing the current DB content.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    Output a hex signature of the values of all the specified keys.",
        "ERROR <string>",
        "    Return a Redis protocol error with <string> as message.",
        "LOADAOF",
        "    The same as RELOAD.",
        "LOG <message>",
        "    Write <message> to the server log.",
        "OBJECT <key>",
        "    Show low level info about `key` and associated value.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Create <count> string keys named key:<num>. If <prefix> is specified then",
        "    it is used instead of the 'key' prefix.",
        "PROTOCOL <type>",
        "    Reply with a test value of the specified type. <type> can be: string,",
        "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
        "    true, false.",
        "RELOAD [option ...]",
        "    Seal all data, as SAVE, and drop it from memory: it is read again when needed.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Setting it to 0 disables expiring keys in background when they are not",
        "    accessed. Setting it to 1 reenables it.",
        "SLEEP <seconds>",
        "    Stop the server for <seconds>. Decimals allowed.",
        "STRINGMATCH-LEN <pattern> <string>",
        "    1 if the glob-style pattern matches, else 0.",
        "DICT-RESIZING, PAUSE-CRON, QUICKLIST-PACKED-THRESHOLD, REPLYBUFFER,",
        "SET-DISABLE-DENY-SCRIPTS, SET-SKIP-CHECKSUM-VALIDATION",
        "    Without effect here.",
        NULL,
    };
    return command_help(request, lines);
}

/* The words with the command's own. */
static const struct {
    const char *name;
    uint32_t argc_min, argc_max;
    enum status (*handler)(struct request *request);
} subcommands[] = {
    {"change-repl-id", 2, 2, debug_change_repl_id},
    {"config-rewrite-force-all", 2, 2, debug_config_rewrite},
    {"dict-resizing", 3, 3, debug_nothing},
    {"digest", 2, 2, debug_digest},
    {"digest-value", 2, UINT32_MAX, debug_digest_value},
    {"error", 3, 3, debug_error},
    {"help", 2, 2, debug_help},
    {"loadaof", 2, UINT32_MAX, reload},
    {"log", 3, 3, debug_log},
    {"object", 3, 3, debug_object},
    {"pause-cron", 3, 3, debug_nothing},
    {"populate", 3, 5, debug_populate},
    {"protocol", 3, 3, debug_protocol},
    {"quicklist-packed-threshold", 3, 3, debug_nothing},
    {"reload", 2, UINT32_MAX, debug_reload},
    {"replybuffer", 4, 4, debug_nothing},
    {"set-active-expire", 3, 3, debug_set_active_expire},
    {"set-disable-deny-scripts", 3, 3, debug_nothing},
    {"set-skip-checksum-validation", 3, 3, debug_nothing},
    {"sleep", 3, 3, debug_sleep},
    {"stringmatch-len", 4, 4, debug_stringmatch},
};

/* Redis's: they end the process, or show what is inside of structures that are not here. */
static const char *const absent[] = {
    "aof-flush-sleep",
    "assert",
    "client-eviction",
    "clusterlink",
    "crash-and-recover",
    "drop-cluster-packet-filter",
    "htstats",
    "htstats-key",
    "jmap",
    "leak",
    "listpack",
    "mallctl",
    "mallctl-str",
    "oom",
    "panic",
    "quicklist",
    "replicate",
    "restart",
    "sdslen",
    "segfault",
    "stringmatch-test",
    "structsize",
    "ziplist",
};

/* "127.0.0.1:5000", "[::1]:5000" */
static bool is_local(const struct session *session)
{
    struct bytes address = bytes_text(session->address);
    return bytes_starts_with(address, BYTES("127.")) || bytes_starts_with(address, BYTES("[::1]"));
}

static bool is_allowed(const struct request *request)
{
    switch ((enum config_who)request->admin->config->enable_debug_command) {
    case CONFIG_EVERYBODY:
        return true;
    case CONFIG_LOCAL:
        return is_local(request->session);
    case CONFIG_NOBODY:
        break;
    }
    return false;
}

static enum status cmd_debug(struct request *request)
{
    struct bytes word = request->argv[1];
    if (!is_allowed(request))
        return request_refuse(request,
                              "ERR DEBUG command not allowed. If the enable-debug-command option "
                              "is set to \"local\", you can run it from a local connection, "
                              "otherwise you need to set this option in the configuration file, "
                              "and then restart the server.");
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
        if (bytes_equal_nocase(word, bytes_text(subcommands[i].name)) &&
            request->argc >= subcommands[i].argc_min && request->argc <= subcommands[i].argc_max)
            return subcommands[i].handler(request);
    }
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        if (bytes_equal_nocase(word, bytes_text(absent[i]))) {
            reply_errorf(request->reply, "ERR DEBUG %s is not supported by this server", absent[i]);
            return STATUS_REPLIED;
        }
    }
    return command_refuse_usage(request);
}

const struct command debug_commands[] = {
    {.name = "debug",
     .handler = cmd_debug,
     .arity = -2,
     .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
     .since = "1.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .syntax = "subcommand [arg...]",
     .summary = "A container for debugging commands.",
     .differs = "What ends the process or shows Redis's structures is refused. RELOAD and LOADAOF "
                "seal, see SAVE, and drop all rows from memory; SLEEP takes at most 300 seconds; "
                "POPULATE makes at most 1048576 "
                "keys; digests are not Redis's."},
    {0},
};
