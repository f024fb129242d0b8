/* SPDX-License-Identifier: MIT */
/* The table of settings. */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "config/option.h"

const struct option *options_at(unsigned index);      /* NULL past the last */
const struct option *options_find(struct bytes name); /* without case; NULL: none */

#endif
