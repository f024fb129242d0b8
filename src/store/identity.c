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
    IDENTITY_FORMAT = 4,
    FORMAT_BEFORE_JOINED = 2,
    FORMAT_OF_COUNTED = 3,           /* and before: epochs were counted */
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

/* Adds the epochs of a node from `first` to `last`; the order is to be seen to. */
static void former_add(struct identity *identity, uint64_t node, unsigned first, unsigned last)
{
    if (first > last)
        return;
    struct vector *former = &identity->former;
    size_t count = former->count + (last - first + 1);
    former->dots = memory_resize(former->dots, count * sizeof(struct dot));
    for (unsigned epoch = first; epoch <= last; epoch++)
        former->dots[former->count++] = (struct dot){actor_of(node, (uint16_t)epoch), UINT64_MAX};
}

static void former_sort(struct identity *identity)
{
    if (identity->former.count > 0)
        qsort(identity->former.dots, identity->former.count, sizeof(struct dot), compare_actors);
}

static bool is_former_node(const struct identity *identity, uint64_t node)
{
    for (uint32_t i = 0; i < identity->former.count; i++)
        if (node_of(identity->former.dots[i].actor) == node)
            return true;
    return false;
}

static bool is_free(const struct identity *identity, uint16_t epoch)
{
    return epoch != 0 && epoch != identity->epoch &&
           vector_time(&identity->former, actor_of(identity->node, epoch)) == 0;
}

/* One that this node has never had, as far as is known: the first free one from a drawn one on. 0:
 * there is none. */
static uint16_t draw_epoch(const struct identity *identity, uint64_t random)
{
    uint16_t epoch = (uint16_t)random;
    if (MUTANT(epochs_are_counted))
        epoch = identity->epoch;
    for (uint32_t i = 0; i <= ACTOR_EPOCH_MAX; i++, epoch++)
        if (is_free(identity, epoch))
            return epoch;
    return 0;
}

/* The present actor ends; the next one is of the same node. */
static void become_epoch(struct identity *identity, uint16_t epoch)
{
    former_add(identity, identity->node, identity->epoch, identity->epoch);
    former_sort(identity);
    identity->epoch = epoch;
}

/* The present actor, if there is one, ends; the next one is of a node that never was here. */
static void become_new_node(struct identity *identity, uint64_t random48)
{
    if (identity->epoch > 0)
        former_add(identity, identity->node, identity->epoch, identity->epoch);
    former_sort(identity);
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

/* Where epochs were counted, of those of a node only the last was written. */
static bool is_written(const struct identity *identity, unsigned format, uint32_t i)
{
    const struct vector *former = &identity->former;
    uint64_t node = node_of(former->dots[i].actor);
    bool last = i + 1 == former->count || node_of(former->dots[i + 1].actor) != node;
    return format > FORMAT_OF_COUNTED || (last && node != identity->node);
}

static void encode(const struct identity *identity, unsigned format, struct buffer *out)
{
    buffer_printf(out, "format %u\nnode %012" PRIx64 "\nepoch %u\nmark %" PRIu64 "\n", format,
                  identity->node, identity->epoch, identity->mark);
    buffer_printf(out, "clean %d\ntime %" PRIu64 "\n", identity->clean, identity->time);
    if (format > FORMAT_BEFORE_JOINED)
        buffer_printf(out, "joined %d\n", identity->joined);
    for (uint32_t i = 0; i < identity->former.count; i++)
        if (is_written(identity, format, i))
            buffer_printf(out, "former %016" PRIx64 "\n", identity->former.dots[i].actor);
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

/* Ascending, each once; the present actor is none of them. */
static bool decode_former(struct bytes *text, bool counted, struct identity *out)
{
    uint64_t actor, before = 0;
    if (counted)
        former_add(out, out->node, 1, out->epoch - 1u);
    while (take_line(text, "former", 16, &actor)) {
        unsigned epoch = actor & ACTOR_EPOCH_MAX;
        if (out->former.count > FORMER_MAX || actor <= before || epoch == 0 ||
            actor == identity_actor(out) || (counted && node_of(actor) == out->node))
            return false;
        former_add(out, node_of(actor), counted ? 1 : epoch, epoch);
        before = actor;
    }
    former_sort(out);
    return true;
}

static bool decode_fields(struct bytes text, struct identity *out)
{
    uint64_t format, epoch, clean, joined = 0;
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
    return decode_former(&text, format <= FORMAT_OF_COUNTED, out) && decode_databases(&text, out);
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
    if (told && (format < FORMAT_BEFORE_JOINED || format > IDENTITY_FORMAT)) {
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
    bool goes_on = was_clean && (!identity->joined || MUTANT(epoch_kept_after_a_stop));
    uint16_t epoch = is_new ? 0 : draw_epoch(identity, random48);
    if (is_new || (epoch == 0 && !goes_on))
        become_new_node(identity, random48);
    else if (!goes_on && !MUTANT(epoch_kept_after_crash))
        become_epoch(identity, epoch);
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

/* As it is after an error. */
static enum status begin_epoch(struct files *files, struct identity *identity, uint64_t random,
                               bool joined)
{
    struct identity next = *identity;
    uint32_t count = identity->former.count;
    uint16_t epoch = draw_epoch(identity, random);
    if (epoch == 0)
        return STATUS_OVERFLOW; /* the next start takes a new node */
    next.former.dots = memory_alloc((count + 1) * sizeof(struct dot));
    if (count > 0)
        memcpy(next.former.dots, identity->former.dots, count * sizeof(struct dot));
    become_epoch(&next, epoch);
    next.joined = joined;
    enum status status = write_identity(files, &next);
    identity_deinit(status == STATUS_OK ? identity : &next);
    if (status == STATUS_OK)
        *identity = next;
    return status;
}

enum status identity_new_epoch(struct files *files, struct identity *identity, uint64_t random)
{
    return begin_epoch(files, identity, random, identity->joined);
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

enum status identity_join(struct files *files, struct identity *identity, uint64_t random)
{
    return begin_epoch(files, identity, random, true);
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
