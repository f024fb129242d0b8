/* SPDX-License-Identifier: MIT */
#include "store/identity.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "base/xxh.h"

#define IDENTITY_NAME "identity"
#define NODE_MASK     ((UINT64_C(1) << 48) - 1)

enum {
    IDENTITY_FORMAT = 3,
    FORMAT_BEFORE_JOINED = 2,
    IDENTITY_SIZE_MAX = 64 * 1024,
    FORMER_MAX = 1024 * 1024,        /* actors */
    CHECKSUM_LINE_SIZE = 9 + 16 + 1, /* "checksum ", digits, newline */
};

static uint64_t node_of(actor_t actor)
{
    return actor >> 16;
}

/* ---- former actors -------------------------------------------------------------------------- */

static int compare_actors(const void *a, const void *b)
{
    actor_t x = ((const struct dot *)a)->actor;
    actor_t y = ((const struct dot *)b)->actor;
    return x < y ? -1 : x > y;
}

/* Adds the epochs of a node from `first` to `last`. */
static void former_add(struct identity *identity, uint64_t node, unsigned first, unsigned last)
{
    if (first > last)
        return;
    struct vector *former = &identity->former;
    size_t count = former->count + (last - first + 1);
    former->dots = memory_resize(former->dots, count * sizeof(struct dot));
    for (unsigned epoch = first; epoch <= last; epoch++)
        former->dots[former->count++] = (struct dot){actor_of(node, (uint16_t)epoch), UINT64_MAX};
    qsort(former->dots, count, sizeof(struct dot), compare_actors);
}

static bool is_former_node(const struct identity *identity, uint64_t node)
{
    for (uint32_t i = 0; i < identity->former.count; i++)
        if (node_of(identity->former.dots[i].actor) == node)
            return true;
    return false;
}

/* The present actor ends; the next one is of the same node. */
static void become_next_epoch(struct identity *identity)
{
    check(identity->epoch < ACTOR_EPOCH_MAX);
    former_add(identity, identity->node, identity->epoch, identity->epoch);
    identity->epoch++;
}

/* The present actor, if there is one, ends; the next one is of a node that never was here. */
static void become_new_node(struct identity *identity, uint64_t random48)
{
    if (identity->epoch > 0)
        former_add(identity, identity->node, identity->epoch, identity->epoch);
    uint64_t node = random48 & NODE_MASK;
    while (node == 0 || is_former_node(identity, node))
        node = (node + 1) & NODE_MASK;
    identity->node = node;
    identity->epoch = 1;
}

/* ---- the file ------------------------------------------------------------------------------- */

static void append_checksum(struct buffer *text)
{
    uint64_t checksum = xxh64(buffer_bytes(text));
    buffer_printf(text, "checksum %016" PRIx64 "\n", checksum);
}

/* Of the earlier epochs of a node only the last is written: it implies the others. */
static void encode(const struct identity *identity, unsigned format, struct buffer *out)
{
    buffer_printf(out, "format %u\nnode %012" PRIx64 "\nepoch %u\nmark %" PRIu64 "\n", format,
                  identity->node, identity->epoch, identity->mark);
    buffer_printf(out, "clean %d\ntime %" PRIu64 "\n", identity->clean, identity->time);
    if (format > FORMAT_BEFORE_JOINED)
        buffer_printf(out, "joined %d\n", identity->joined);
    const struct vector *former = &identity->former;
    for (uint32_t i = 0; i < former->count; i++) {
        uint64_t node = node_of(former->dots[i].actor);
        bool last = i + 1 == former->count || node_of(former->dots[i + 1].actor) != node;
        if (last && node != identity->node)
            buffer_printf(out, "former %016" PRIx64 "\n", former->dots[i].actor);
    }
    for (unsigned i = 0; i < IDENTITY_DATABASES; i++)
        if (identity->moved[i] != 0)
            buffer_printf(out, "database %02x%02x\n", i, identity_database(identity, (uint8_t)i));
    append_checksum(out);
}

/*
 * Takes "name value\n" from the front. Digits only, of base 10 or 16; that they are canonical is
 * seen later.
 */
static bool take_line(struct bytes *text, const char *name, unsigned base, uint64_t *out_value)
{
    size_t size = strlen(name);
    if (text->size <= size || memcmp(text->data, name, size) != 0 || text->data[size] != ' ')
        return false;
    uint64_t value = 0;
    size_t at = size + 1;
    for (; at < text->size && text->data[at] != '\n'; at++) {
        char c = text->data[at];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : base;
        if (digit >= base)
            return false;
        value = value * base + digit;
    }
    if (at == text->size)
        return false;
    *text = bytes_of(text->data + at + 1, text->size - at - 1);
    *out_value = value;
    return true;
}

/* Each of the store's has one number. */
static bool are_databases_apart(const struct identity *identity)
{
    bool seen[IDENTITY_DATABASES] = {false};
    for (unsigned i = 0; i < IDENTITY_DATABASES; i++) {
        uint8_t database = identity_database(identity, (uint8_t)i);
        if (seen[database])
            return false;
        seen[database] = true;
    }
    return true;
}

static bool decode_databases(struct bytes *text, struct identity *out)
{
    uint64_t pair;
    while (take_line(text, "database", 16, &pair)) {
        if (pair > UINT16_MAX)
            return false;
        out->moved[pair >> 8] = (uint8_t)(pair >> 8 ^ pair);
    }
    return are_databases_apart(out);
}

static bool decode_fields(struct bytes text, struct identity *out)
{
    uint64_t format, epoch, clean, joined = 0, actor;
    if (!take_line(&text, "format", 10, &format) || !take_line(&text, "node", 16, &out->node) ||
        !take_line(&text, "epoch", 10, &epoch) || !take_line(&text, "mark", 10, &out->mark) ||
        !take_line(&text, "clean", 10, &clean) || !take_line(&text, "time", 10, &out->time))
        return false;
    if (format > FORMAT_BEFORE_JOINED && !take_line(&text, "joined", 10, &joined))
        return false;
    if (out->node > NODE_MASK || epoch == 0 || epoch > ACTOR_EPOCH_MAX)
        return false;
    out->epoch = (uint16_t)epoch;
    out->clean = clean == 1;
    out->joined = joined == 1;
    former_add(out, out->node, 1, out->epoch - 1u);
    while (take_line(&text, "former", 16, &actor)) {
        if (out->former.count > FORMER_MAX)
            return false;
        former_add(out, node_of(actor), 1, actor & ACTOR_EPOCH_MAX);
    }
    return decode_databases(&text, out);
}

/*
 * STATUS_CORRUPT, STATUS_VERSION. Strict: what is read must be just what would be written, to the
 * byte.
 */
static enum status decode(struct bytes text, struct identity *out)
{
    if (text.size <= CHECKSUM_LINE_SIZE)
        return STATUS_CORRUPT;
    struct buffer again = {0};
    buffer_append(&again, text.data, text.size - CHECKSUM_LINE_SIZE);
    append_checksum(&again);
    bool whole = bytes_equal(buffer_bytes(&again), text);
    buffer_clear(&again, SIZE_MAX);
    uint64_t format;
    struct bytes first_line = text;
    enum status status = STATUS_CORRUPT;
    bool told = whole && take_line(&first_line, "format", 10, &format);
    if (told && format != IDENTITY_FORMAT && format != FORMAT_BEFORE_JOINED) {
        status = STATUS_VERSION;
    } else if (told && decode_fields(text, out)) {
        encode(out, (unsigned)format, &again);
        if (bytes_equal(buffer_bytes(&again), text))
            status = STATUS_OK;
    }
    buffer_deinit(&again);
    return status;
}

static enum status write_identity(struct files *files, const struct identity *identity)
{
    struct buffer text = {0};
    encode(identity, IDENTITY_FORMAT, &text);
    enum status status = STATUS_TOO_BIG; /* never write what could not be read */
    if (buffer_size(&text) <= IDENTITY_SIZE_MAX && identity->former.count <= FORMER_MAX)
        status = files_replace(files, IDENTITY_NAME, buffer_bytes(&text));
    buffer_deinit(&text);
    return status;
}

/* ---- who to be ------------------------------------------------------------------------------ */

/* STATUS_ABSENT: a new directory. */
static enum status read_identity(struct files *files, struct identity *out)
{
    struct buffer text = {0};
    enum status status = files_read_all(files, IDENTITY_NAME, IDENTITY_SIZE_MAX, &text);
    if (status == STATUS_OK)
        status = decode(buffer_bytes(&text), out);
    else if (status == STATUS_TOO_BIG)
        status = STATUS_CORRUPT;
    buffer_deinit(&text);
    return status;
}

static enum status take(struct files *files, uint64_t mark, uint64_t random48,
                        struct identity *identity, bool *out_was_clean)
{
    enum status status = read_identity(files, identity);
    if (status != STATUS_OK && status != STATUS_ABSENT)
        return status;
    bool copied =
        status == STATUS_OK && identity->mark != mark && !MUTANT(copy_takes_the_same_node);
    bool is_new = status == STATUS_ABSENT || copied;
    bool was_clean = !is_new && identity->clean;
    if (is_new || (!was_clean && identity->epoch == ACTOR_EPOCH_MAX))
        become_new_node(identity, random48);
    else if (!was_clean && !MUTANT(epoch_kept_after_crash))
        become_next_epoch(identity);
    identity->mark = mark;
    identity->clean = false;
    status = write_identity(files, identity);
    if (status == STATUS_OK)
        *out_was_clean = was_clean;
    return status;
}

enum status identity_take(struct files *files, uint64_t mark, uint64_t random48,
                          struct identity *out, bool *out_was_clean, struct buffer *out_error)
{
    struct identity identity = {0};
    enum status status = take(files, mark, random48, &identity, out_was_clean);
    if (status == STATUS_OK) {
        *out = identity;
        return status;
    }
    buffer_printf(out_error, "the file '" IDENTITY_NAME "': %s", status_text(status));
    identity_deinit(&identity);
    return status;
}

enum status identity_release(struct files *files, struct identity *identity, uint64_t time)
{
    identity->time = time;
    identity->clean = true;
    return write_identity(files, identity);
}

enum status identity_next_epoch(struct files *files, struct identity *identity)
{
    if (identity->epoch == ACTOR_EPOCH_MAX)
        return STATUS_OVERFLOW; /* the next start takes a new node */
    become_next_epoch(identity);
    return write_identity(files, identity);
}

static void swap_databases(struct identity *identity, uint8_t a, uint8_t b)
{
    uint8_t was_a = identity_database(identity, a);
    identity->moved[a] = a ^ identity_database(identity, b);
    identity->moved[b] = b ^ was_a;
}

enum status identity_swap_databases(struct files *files, struct identity *identity, uint8_t a,
                                    uint8_t b)
{
    swap_databases(identity, a, b);
    enum status status = write_identity(files, identity);
    if (status != STATUS_OK)
        swap_databases(identity, a, b);
    return status;
}

enum status identity_join(struct files *files, struct identity *identity)
{
    bool was_joined = identity->joined;
    identity->joined = true;
    enum status status = write_identity(files, identity);
    if (status != STATUS_OK)
        identity->joined = was_joined;
    return status;
}

enum status identity_check(struct files *files)
{
    struct identity identity = {0};
    enum status status = read_identity(files, &identity);
    identity_deinit(&identity);
    return status;
}

void identity_deinit(struct identity *identity)
{
    memory_free(identity->former.dots);
    identity->former = (struct vector){0};
}
