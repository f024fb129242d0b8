/* SPDX-License-Identifier: MIT */
/* The table of settings: those with an effect (options.c), then those that Redis has and that are
 * kept for it (options_kept.c). */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "config/option.h"

const struct option *options_at(unsigned index);      /* NULL past the last */
const struct option *options_find(struct bytes name); /* name or alias, without case; NULL: none */
unsigned options_index(const struct option *option);

/* enum config_who */
extern const struct option_word options_who_words[];

/* options_kept.c: an array; NULL past the last. */
const struct option *options_kept_at(unsigned index);

#endif
