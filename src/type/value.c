/* SPDX-License-Identifier: MIT */
#include "type/value.h"

#include "base/check.h"
#include "row/row.h"
#include "type/string.h"

struct type {
    enum status (*read)(struct cell *head, struct dump *out);
    enum status (*write)(struct cell *head, const struct dump *value, uint64_t at_ms);
    enum status (*copy)(struct cell *from, struct cell *to);
    enum status (*encoding)(struct cell *head, struct bytes *out_name);
};

static enum status read_string(struct cell *head, struct dump *out)
{
    *out = (struct dump){.type = DUMP_STRING};
    return string_value(head, &out->string);
}

static enum status write_string(struct cell *head, const struct dump *value, uint64_t at_ms)
{
    return string_set(head, value->string, at_ms, false);
}

static const struct type types[] = {
    [DUMP_STRING] = {read_string, write_string, string_copy, string_encoding},
};

/* NULL for a form that no head row has. */
static const struct type *type_of_head(const struct cell *head)
{
    check(head->exists);
    switch (head->newest.form) {
    case VALUE_STRING:
    case VALUE_CHUNKED:
        return &types[DUMP_STRING];
    case VALUE_CHUNK:
    case VALUE_FORMS:
        break;
    }
    return NULL;
}

enum status value_read(struct cell *head, struct dump *out)
{
    const struct type *type = type_of_head(head);
    return type ? type->read(head, out) : STATUS_CORRUPT;
}

enum status value_write(struct cell *head, const struct dump *value, uint64_t at_ms)
{
    return types[value->type].write(head, value, at_ms);
}

enum status value_copy(struct cell *from, struct cell *to)
{
    const struct type *type = type_of_head(from);
    return type ? type->copy(from, to) : STATUS_CORRUPT;
}

enum status value_encoding(struct cell *head, struct bytes *out_name)
{
    const struct type *type = type_of_head(head);
    return type ? type->encoding(head, out_name) : STATUS_CORRUPT;
}
