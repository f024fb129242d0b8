/* SPDX-License-Identifier: MIT */
#include "store/derive.h"

#include "base/check.h"
#include "row/chunked.h"
#include "row/clock.h"

static struct row decode(struct bytes bytes, struct arena *arena)
{
    struct row row;
    check(row_decode(bytes, arena, &row) == STATUS_OK);
    return row;
}

static bool names_any(const struct row *row)
{
    for (uint32_t i = 0; i < row->sibling_count; i++)
        if (row->siblings[i].form == VALUE_CHUNKED)
            return true;
    return false;
}

struct row_facts derive_facts(struct bytes bytes, struct arena *arena)
{
    struct sibling sibling;
    struct row_facts facts = {.at_ms = EXPIRY_NEVER, .due_ms = EXPIRY_NEVER};
    if (bytes.size == 0)
        return facts;
    if (row_peek(bytes, &sibling, &facts.at_ms)) {
        facts.live = true;
        facts.chunked = sibling.form == VALUE_CHUNKED;
        facts.due_ms = facts.at_ms;
        return facts;
    }
    struct row row = decode(bytes, arena);
    struct row_view view;
    row_read(&row, &view);
    facts.live = view.exists;
    facts.chunked = names_any(&row);
    facts.at_ms = view.exists ? view.at_ms : EXPIRY_NEVER;
    facts.due_ms = view.exists ? view.at_ms : clock_ms(row_newest_time(&row));
    return facts;
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
    if (!derive_facts(old, arena).chunked)
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
