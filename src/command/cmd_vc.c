/* SPDX-License-Identifier: MIT */
/*
 * Versions in the client's hand: VC.GET, VC.SET, VC.DEL, VC.CLOCK. A context says what a client has
 * seen of a key; a write with it supersedes just that. It is hexadecimal text:
 *
 *   signature(16) | a row without values (row/row_codec.c): its vector, and its `added`
 *
 * Signed is the name of the key's head and what follows the signature. So it is good for this key
 * in this database, and for nothing that no server has said. The empty context has seen nothing.
 */
#include "base/mutant.h"
#include "command/set_options.h"
#include "command/tables.h"
#include "row/clock.h"
#include "row/node_name.h"
#include "row/row.h"
#include "type/string.h"
#include "type/type.h"

#define NOT_IN_REDIS "Redis has no such command."

/* ---- contexts -------------------------------------------------------------------------------- */

static void sign(const struct request *request, const struct cell *head, struct bytes row,
                 char out[SIGNATURE_SIZE])
{
    size_t size = head->name.size + row.size;
    char *message = arena_alloc(request->arena, size);
    memcpy(message, head->name.data, head->name.size);
    memcpy(message + head->name.size, row.data, row.size);
    request->signer->sign(request->signer->context, bytes_of(message, size), out);
}

static char *put_hex(char *out, const char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *out++ = digits[(unsigned char)bytes[i] >> 4];
        *out++ = digits[(unsigned char)bytes[i] & 15];
    }
    return out;
}

/* -1: it is none. */
static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool from_hex(struct bytes text, struct arena *arena, struct bytes *out)
{
    char *bytes = arena_alloc(arena, text.size / 2);
    for (size_t i = 0; i + 1 < text.size; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (char)(high << 4 | low);
    }
    *out = bytes_of(bytes, text.size / 2);
    return text.size % 2 == 0;
}

/* The context of whoever reads this row now. */
static enum status context_text(const struct request *request, struct cell *head,
                                struct bytes *out_text)
{
    struct seen seen;
    char signature[SIGNATURE_SIZE];
    *out_text = bytes_of("", 0);
    if (head->held.size == 0)
        return STATUS_OK;
    enum status status = cell_seen(head, &seen);
    if (status != STATUS_OK)
        return status;
    struct row row = {.vector = seen.vector, .added = seen.added};
    struct bytes bytes = row_encode(&row, request->arena);
    sign(request, head, bytes, signature);
    char *text = arena_alloc(request->arena, 2 * (sizeof(signature) + bytes.size));
    char *end = put_hex(put_hex(text, signature, sizeof(signature)), bytes.data, bytes.size);
    *out_text = bytes_of(text, (size_t)(end - text));
    return STATUS_OK;
}

/* How long it takes does not tell how much of it is right. */
static bool is_signed(const struct request *request, const struct cell *head, struct bytes row,
                      const char *given)
{
    char signature[SIGNATURE_SIZE];
    unsigned differs = 0;
    sign(request, head, row, signature);
    for (size_t i = 0; i < sizeof(signature); i++)
        differs |= (unsigned char)(signature[i] ^ given[i]);
    return differs == 0 || MUTANT(context_unchecked);
}

static enum status context_parse(struct request *request, const struct cell *head,
                                 struct bytes text, struct seen *out)
{
    struct bytes bytes;
    struct row row;
    *out = (struct seen){0};
    if (text.size == 0)
        return STATUS_OK;
    bool valid = text.size <= 2 * (SIGNATURE_SIZE + (size_t)ROW_SIZE_MAX) &&
                 from_hex(text, request->arena, &bytes) && bytes.size > SIGNATURE_SIZE;
    if (valid) {
        struct bytes signed_row =
            bytes_of(bytes.data + SIGNATURE_SIZE, bytes.size - SIGNATURE_SIZE);
        valid = is_signed(request, head, signed_row, bytes.data) &&
                row_decode(signed_row, request->arena, &row) == STATUS_OK &&
                row.sibling_count == 0 && row.expiry_count == 0 && row.removed.count == 0;
    }
    if (!valid)
        return request_refuse(request, "ERR invalid context");
    *out = (struct seen){row.vector, row.added};
    return STATUS_OK;
}

/* ---- commands -------------------------------------------------------------------------------- */

/* Each of the siblings is a string: else it is another type's to say what concurrent values are. */
static enum status check_strings(struct cell *head, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct cell sibling;
        cell_sibling(head, i, &sibling);
        if (!bytes_equal(type_of(&sibling), BYTES("string")))
            return STATUS_WRONG_TYPE;
    }
    return STATUS_OK;
}

/* The values that a client sees: each sibling, or a sum that stands for itself. In the arena. */
static enum status read_values(struct request *request, struct cell *head, struct bytes **out,
                               uint32_t *out_count)
{
    uint32_t siblings;
    bool cold = false;
    enum status status = cell_siblings(head, &siblings);
    if (status == STATUS_OK)
        status = check_strings(head, siblings);
    if (status != STATUS_OK)
        return status;
    *out_count = siblings > 0 ? siblings : head->exists;
    *out = arena_alloc(request->arena, *out_count * sizeof(**out));
    for (uint32_t i = 0; i < *out_count; i++) {
        struct cell sibling = *head;
        if (siblings > 0)
            cell_sibling(head, i, &sibling);
        status = string_value(&sibling, &(*out)[i]);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
    }
    return cold ? STATUS_COLD : STATUS_OK;
}

static enum status cmd_vc_get(struct request *request)
{
    struct cell head;
    struct bytes context, *values;
    uint32_t count;
    enum status status = argument_key_read(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = read_values(request, &head, &values, &count);
    if (status == STATUS_OK)
        status = context_text(request, &head, &context);
    if (status != STATUS_OK)
        return status;
    reply_array(request->reply, 1 + (size_t)count);
    reply_bulk(request->reply, context);
    for (uint32_t i = 0; i < count; i++)
        reply_bulk(request->reply, values[i]);
    return STATUS_OK;
}

/* How many of the values that a client sees the context has not seen. */
static uint32_t count_unseen(const struct cell *head, uint32_t siblings, const struct seen *seen)
{
    uint32_t unseen = 0;
    for (uint32_t i = 0; i < siblings; i++)
        unseen += !vector_covers(&seen->vector, head->row.siblings[i].dot);
    return unseen;
}

/* What both writers begin with. */
static enum status find(struct request *request, struct bytes context, struct cell *head,
                        struct seen *out_seen, uint32_t *out_siblings)
{
    enum status status = argument_key(request, request->argv[1], head);
    if (status == STATUS_OK)
        status = context_parse(request, head, context, out_seen);
    if (status == STATUS_OK)
        status = cell_siblings(head, out_siblings);
    return status == STATUS_OK ? check_strings(head, *out_siblings) : status;
}

static enum status cmd_vc_set(struct request *request)
{
    struct set_options options;
    struct cell head;
    struct seen seen;
    uint32_t siblings;
    uint64_t at_ms = EXPIRY_NEVER;
    enum status status = set_options_parse(request, 4, OPTIONS_OF_VC_SET, &options);
    if (status == STATUS_OK && options.time.data)
        status = argument_expiry(request, options.time, options.unit, &at_ms);
    if (status == STATUS_OK)
        status = find(request, request->argv[3], &head, &seen, &siblings);
    if (status != STATUS_OK)
        return status;
    if (count_unseen(&head, siblings, &seen) >= ROW_COLLAPSE_ABOVE)
        return request_refuse(request, "ERR too many concurrent values: read them with VC.GET, and "
                                       "write with its context");
    if (options.keep && head.exists)
        at_ms = head.at_ms;
    status = string_set_seen(&head, request->argv[2], at_ms, &seen);
    if (status == STATUS_OK)
        reply_ok(request->reply);
    return status;
}

/*
 * Also where nothing is here to be deleted: what the context has seen may be on its way. But a
 * context that is empty, or has seen no more than is known here to be gone, makes no event.
 */
static enum status cmd_vc_del(struct request *request)
{
    struct cell head;
    struct seen seen, held;
    struct dot dot;
    uint32_t siblings;
    enum status status = find(request, request->argv[2], &head, &seen, &siblings);
    if (status == STATUS_OK)
        status = cell_seen(&head, &held);
    if (status != STATUS_OK)
        return status;
    bool existed = head.exists;
    uint32_t deleted = siblings - count_unseen(&head, siblings, &seen);
    bool news = !vector_covers_all(&held.vector, &seen.vector);
    if (deleted > 0 || news || (existed && siblings == 0 && seen.added.count > 0)) {
        status = cell_dot_after(&head, &seen, &dot);
        if (status != STATUS_OK)
            return status;
        cell_delete_seen(&head, dot, &seen);
    }
    reply_integer(request->reply, deleted > 0 ? deleted : existed && !head.exists);
    return STATUS_OK;
}

static enum status cmd_vc_clock(struct request *request)
{
    struct cell head;
    struct seen seen;
    char name[NODE_NAME_SIZE];
    enum status status = argument_key_peek(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = cell_seen(&head, &seen);
    if (status != STATUS_OK)
        return status;
    reply_array(request->reply, seen.vector.count);
    for (uint32_t i = 0; i < seen.vector.count; i++) {
        struct dot dot = seen.vector.dots[i];
        node_name(dot.actor >> 16, name);
        reply_map(request->reply, 4);
        reply_bulk_text(request->reply, "node");
        reply_bulk_text(request->reply, name);
        reply_bulk_text(request->reply, "epoch");
        reply_integer(request->reply, (int64_t)(dot.actor & ACTOR_EPOCH_MAX));
        reply_bulk_text(request->reply, "time-ms");
        reply_integer(request->reply, (int64_t)clock_ms(dot.time));
        reply_bulk_text(request->reply, "counter");
        reply_integer(request->reply,
                      (int64_t)(dot.time & (((uint64_t)1 << CLOCK_COUNTER_BITS) - 1)));
    }
    return STATUS_OK;
}

/* clang-format off */
const struct command vc_commands[] = {
    {
        .name = "vc.get", .handler = cmd_vc_get, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "0.1.0", .group = "versions",
        .complexity = "O(1)",
        .summary = "Returns a context of a key, and each of its concurrent string values, the "
                   "oldest first.",
        .syntax = "key:key",
        .differs = NOT_IN_REDIS,
    },
    {
        .name = "vc.set", .handler = cmd_vc_set, .arity = -4,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_UPDATE,
        .since = "0.1.0", .group = "versions",
        .complexity = "O(1)",
        .summary = "Sets a string value in the place of what a context has seen. Values that it "
                   "has not seen stay beside it.",
        .syntax = "key:key value context [expiration: EX seconds:integer|PX milliseconds:integer|"
                  "EXAT unix-time-seconds:unix-time|PXAT unix-time-milliseconds:unix-time|KEEPTTL]",
        .differs = NOT_IN_REDIS,
    },
    {
        .name = "vc.del", .handler = cmd_vc_del, .arity = 3,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_DELETE,
        .since = "0.1.0", .group = "versions",
        .complexity = "O(1)",
        .summary = "Deletes the string values that a context has seen, and returns how many.",
        .syntax = "key:key context",
        .differs = NOT_IN_REDIS,
    },
    {
        .name = "vc.clock", .handler = cmd_vc_clock, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO,
        .since = "0.1.0", .group = "versions",
        .complexity = "O(N) where N is the number of nodes that have written the key.",
        .summary = "Returns the vector clock of a key: of each node, and each of its epochs, the "
                   "time of its newest event.",
        .syntax = "key:key",
        .tips = "nondeterministic_output",
        .differs = NOT_IN_REDIS,
    },
    {0},
};
/* clang-format on */
