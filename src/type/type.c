/* SPDX-License-Identifier: MIT */
#include "type/type.h"

#include "row/row.h"

static const struct bytes names[VALUE_FORMS] = {
    [VALUE_STRING] = {"string", 6},
    [VALUE_CHUNKED] = {"string", 6},
    [VALUE_CHUNK] = {"none", 4}, /* in no head row */
};

struct bytes type_of(const struct cell *head)
{
    return head->exists ? names[head->newest.form] : BYTES("none");
}

enum status type_of_row(struct bytes row, struct arena *arena, struct bytes *out_type)
{
    struct sibling newest = {.form = VALUE_STRING}; /* as of a mere sum */
    uint64_t at_ms;
    if (!row_peek(row, &newest, &at_ms)) {
        struct row decoded;
        struct row_view view;
        enum status status = row_decode(row, arena, &decoded);
        if (status != STATUS_OK)
            return status;
        row_read(&decoded, &view);
        if (view.sibling)
            newest = *view.sibling;
    }
    *out_type = names[newest.form];
    return STATUS_OK;
}
