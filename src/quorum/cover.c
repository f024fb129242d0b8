/* SPDX-License-Identifier: MIT */
/* A request that has run twice: its first run gives way to its second. See quorum.h. */
#include "base/memory.h"
#include "base/mutant.h"
#include "quorum/quorum_state.h"
#include "row/row.h"
#include "row/row_list.h"

enum { DOT_SIZE = 16, NODE_SHIFT = 16 };

/* Covers that are being stored. */
struct cover {
    struct list link; /* of quorum.covers */
    struct quorum *quorum;
    uint64_t number;
    struct import *import;
    struct buffer heads;
};

/* ---- what a run has made --------------------------------------------------------------------- */

/* The event of a plain write, which leaves nothing but its own value; time 0: it was none. */
static struct dot dot_of(struct bytes bytes, struct arena *arena)
{
    struct sibling sibling;
    struct row row;
    uint64_t at_ms;
    if (row_peek(bytes, &sibling, &at_ms))
        return sibling.dot;
    arena_clear(arena);
    if (row_decode(bytes, arena, &row) != STATUS_OK || row.sibling_count != 1)
        return (struct dot){0};
    return row.siblings[0].dot;
}

static void add_dot(struct buffer *dots, struct dot dot)
{
    char bytes[DOT_SIZE];
    pack_u64(pack_u64(bytes, dot.actor), dot.time);
    buffer_append(dots, bytes, sizeof(bytes));
}

static struct dot next_dot(struct bytes *dots)
{
    struct unpack in = unpack_begin(*dots);
    struct dot dot;
    dot.actor = unpack_next_u64(&in);
    dot.time = unpack_next_u64(&in);
    *dots = bytes_of(in.next, (size_t)(in.end - in.next));
    return in.failed ? (struct dot){0} : dot;
}

struct bytes cover_dots_of(struct quorum *quorum, struct bytes rows, struct bytes heads)
{
    struct buffer *dots = &quorum->dots;
    struct bytes name, row, head, key;
    struct dot dot = {0};
    struct arena arena;
    arena_init(&arena);
    buffer_clear(dots, QUORUM_MESSAGE_BYTES);
    if (!quorum_next_head(&heads, &key))
        key = BYTES("");
    while (row_list_next(&rows, &name, &row)) {
        if (!quorum_head_of(name, &quorum->scratch, &head))
            continue;
        if (!bytes_equal(head, key)) {
            add_dot(dots, dot);
            dot = (struct dot){0};
            if (!quorum_next_head(&heads, &key))
                break;
        }
        if (row_key_is_head(name))
            dot = dot_of(row, &arena);
    }
    if (key.size > 0)
        add_dot(dots, dot);
    arena_deinit(&arena);
    return buffer_bytes(dots);
}

/* A row that is nothing but that it has seen the event. */
static struct bytes row_that_saw(struct arena *arena, struct dot dot)
{
    struct row row;
    row_init(&row);
    row.vector = (struct vector){&dot, 1};
    return row_encode(&row, arena);
}

void quorum_made(struct quorum *quorum, struct request_id id, struct buffer *rows, uint64_t now_ms)
{
    const struct outcome_record *record = NULL;
    struct arena arena;
    arena_init(&arena);
    while ((record = outcomes_find(&quorum->outcomes, id, record, now_ms))) {
        struct bytes heads = outcome_heads(record), dots = outcome_dots(record), name;
        while (dots.size > 0 && quorum_next_head(&heads, &name)) {
            struct dot dot = next_dot(&dots);
            if (dot.time != 0 && buffer_size(rows) + name.size <= QUORUM_MESSAGE_BYTES)
                row_list_append(rows, name, row_that_saw(&arena, dot));
        }
        arena_clear(&arena);
    }
    arena_deinit(&arena);
}

void quorum_keep_made(struct quorum *quorum, struct request_id id, uint64_t now_ms)
{
    outcomes_keep(&quorum->outcomes, id, now_ms);
}

/* ---- the second covers the first ------------------------------------------------------------- */

/* What this node's run of that request has made of that key; time 0: nothing that is known. */
static struct dot made_of(struct quorum *quorum, struct request_id id, struct bytes head,
                          uint64_t now_ms)
{
    const struct outcome_record *record = NULL;
    while ((record = outcomes_find(&quorum->outcomes, id, record, now_ms))) {
        struct bytes heads = outcome_heads(record), dots = outcome_dots(record), name;
        while (dots.size > 0 && quorum_next_head(&heads, &name)) {
            struct dot dot = next_dot(&dots);
            if (bytes_equal(name, head))
                return dot;
        }
    }
    return (struct dot){0};
}

/* Such a row as quorum_made gives, of an event of that node. */
static bool is_cover(struct bytes name, struct bytes bytes, uint64_t node, struct arena *arena)
{
    struct row_key key;
    struct row row;
    return row_key_decode(name, &key) && key.kind == ROW_HEAD &&
           row_decode(bytes, arena, &row) == STATUS_OK && row.vector.count == 1 &&
           row.vector.dots[0].actor >> NODE_SHIFT == node && row.sibling_count == 0 &&
           row.expiry_count == 0 && row.added.count == 0 && row.removed.count == 0;
}

static void cover_free(struct cover *cover)
{
    list_remove(&cover->link);
    buffer_deinit(&cover->heads);
    memory_free(cover);
}

/* All owners are to have it, as if they had missed it. */
static void tell_owners(struct quorum *quorum, struct bytes name)
{
    const struct quorum_options *options = &quorum->options;
    const struct acks_owners *owners = &quorum_group(quorum, row_key_slot(name))->owners;
    struct buffer heads = {0};
    quorum_encode_head(&heads, name);
    for (unsigned i = 0; i < owners->old_count + owners->new_count; i++) {
        uint64_t node = i < owners->old_count ? owners->old[i] : owners->new[i - owners->old_count];
        if (node != options->node)
            options->missed(options->context, node, row_key_slot(name), buffer_bytes(&heads));
    }
    buffer_deinit(&heads);
}

/* STATUS_ABSENT: some are. The others are left as they were. */
static void covered(void *context, enum status status, uint64_t gate)
{
    struct cover *cover = context;
    struct bytes heads = buffer_bytes(&cover->heads), name;
    (void)gate;
    while ((status == STATUS_OK || status == STATUS_ABSENT) && quorum_next_head(&heads, &name))
        tell_owners(cover->quorum, name);
    cover_free(cover);
}

static void store_covers(struct quorum *quorum, struct cover *cover, struct bytes rows,
                         struct bytes grounds, uint64_t now_ms)
{
    cover->quorum = quorum;
    cover->number = quorum->number++;
    list_append(&quorum->covers, &cover->link);
    struct import *import =
        import_rows_onto(quorum->options.store, rows, grounds, now_ms, covered, cover);
    if (import)
        cover->import = import;
}

enum status quorum_cover(struct quorum *quorum, struct request_id id, uint64_t node,
                         struct bytes rows, uint64_t now_ms)
{
    struct cover *cover = memory_zeroed(sizeof(*cover));
    struct buffer taken = {0}, grounds = {0};
    struct bytes name, row;
    struct arena arena;
    bool is_sound = true;
    arena_init(&arena);
    list_init(&cover->link);
    while (is_sound && row_list_next(&rows, &name, &row)) {
        is_sound = is_cover(name, row, node, &arena);
        struct dot ground = is_sound ? made_of(quorum, id, name, now_ms) : (struct dot){0};
        if (ground.time != 0 && quorum_may_coordinate(quorum, row_key_slot(name))) {
            if (!MUTANT(covered_where_the_second_is_not))
                import_add_ground(&grounds, buffer_size(&taken), row_that_saw(&arena, ground));
            row_list_append(&taken, name, row);
            quorum_encode_head(&cover->heads, name);
        }
        arena_clear(&arena);
    }
    is_sound = is_sound && rows.size == 0;
    if (is_sound && buffer_size(&taken) > 0)
        store_covers(quorum, cover, buffer_bytes(&taken), buffer_bytes(&grounds), now_ms);
    else
        cover_free(cover);
    arena_deinit(&arena);
    buffer_deinit(&taken);
    buffer_deinit(&grounds);
    return is_sound ? STATUS_OK : STATUS_CORRUPT;
}

/* ---- as others ask --------------------------------------------------------------------------- */

bool covers_ended(const struct quorum *quorum, uint64_t mark)
{
    const struct list *link = quorum->covers.next;
    for (; link != &quorum->covers; link = link->next)
        if (list_entry(link, struct cover, link)->number < mark)
            return false;
    return true;
}

void covers_deinit(struct quorum *quorum)
{
    while (!list_is_empty(&quorum->covers)) {
        struct cover *cover = list_entry(quorum->covers.next, struct cover, link);
        import_cancel(cover->import);
        cover_free(cover);
    }
}
