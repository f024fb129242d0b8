/* SPDX-License-Identifier: MIT */
#include "store/derive.h"

#include "base/check.h"
#include "row/chunked.h"

static struct row decode(struct bytes bytes, struct arena *arena)
{
    struct row row;
    check(row_decode(bytes, arena, &row) == STATUS_OK);
    return row;
}

struct row_facts derive_facts(struct bytes bytes, struct arena *arena)
{
    struct sibling sibling;
    struct row_facts facts = {true, EXPIRY_NEVER};
    if (bytes.size == 0)
        return (struct row_facts){false, EXPIRY_NEVER};
    if (row_peek(bytes, &sibling, &facts.at_ms))
        return facts;
    struct row row = decode(bytes, arena);
    struct row_view view;
    row_read(&row, &view);
    return (struct row_facts){view.exists, view.exists ? view.at_ms : EXPIRY_NEVER};
}

/* Few rows name any: told from the common form without decoding. */
static bool may_be_chunked(struct bytes bytes)
{
    struct sibling sibling;
    uint64_t at_ms;
    if (bytes.size == 0)
        return false;
    return !row_peek(bytes, &sibling, &at_ms) || sibling.form == VALUE_CHUNKED;
}

static bool names_base(const struct row *row, struct dot base)
{
    for (uint32_t i = 0; i < row->sibling_count; i++) {
        struct chunked chunked;
        if (row->siblings[i].form == VALUE_CHUNKED &&
            chunked_unpack(row->siblings[i].value, &chunked) && dot_equal(chunked.base, base))
            return true;
    }
    return false;
}

unsigned derive_dead_bases(struct bytes old, struct bytes new, struct arena *arena,
                           struct chunked_base **out_bases)
{
    if (!may_be_chunked(old))
        return 0;
    struct row before = decode(old, arena);
    struct row after = {0};
    if (new.size > 0)
        after = decode(new, arena);
    struct chunked_base *bases = arena_alloc(arena, before.sibling_count * sizeof(*bases));
    unsigned count = 0;
    for (uint32_t i = 0; i < before.sibling_count; i++) {
        struct chunked chunked;
        if (before.siblings[i].form != VALUE_CHUNKED ||
            !chunked_unpack(before.siblings[i].value, &chunked) || names_base(&after, chunked.base))
            continue;
        uint64_t chunks = (chunked.length + CHUNK_SIZE - 1) / CHUNK_SIZE;
        check(chunks <= UINT32_MAX);
        bases[count++] = (struct chunked_base){chunked.base, (uint32_t)chunks};
    }
    *out_bases = bases;
    return count;
}
