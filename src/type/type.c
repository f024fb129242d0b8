/* SPDX-License-Identifier: MIT */
#include "type/type.h"

#include "base/check.h"

static const struct bytes names[VALUE_FORMS] = {
    [VALUE_STRING] = {"string", 6},
    [VALUE_CHUNKED] = {"string", 6},
    [VALUE_CHUNK] = {"none", 4}, /* in no head row */
};

struct bytes type_name(enum value_form form)
{
    check(form < VALUE_FORMS);
    return names[form];
}
