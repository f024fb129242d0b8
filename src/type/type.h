/* SPDX-License-Identifier: MIT */
/* The types of keys: which one a value in a head row makes, and its name. A new type adds its forms to the table. */
#ifndef TYPE_TYPE_H
#define TYPE_TYPE_H

#include "base/bytes.h"
#include "row/row.h"

/* "string", as TYPE and SCAN's TYPE say it. */
struct bytes type_name(enum value_form form);

#endif
