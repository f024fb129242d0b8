/* SPDX-License-Identifier: MIT */
/* Settings that are several words, understood when they are set: Redis's words for what is wrong
 * with them. */
#ifndef CONFIG_OPTION_WORDS_H
#define CONFIG_OPTION_WORDS_H

#include "config/config.h"

/* client-output-buffer-limit: "class hard soft seconds", for one class or several; others stay. */
MUST_CHECK enum status output_limits_set(struct config *config, struct bytes value,
                                         struct buffer *out_error);
void output_limits_print(const struct config *config, struct buffer *out);

/* latency-tracking-info-percentiles: "50 99 99.9"; empty: none. */
MUST_CHECK enum status percentiles_set(struct config *config, struct bytes value,
                                       struct buffer *out_error);
void percentiles_print(const struct config *config, struct buffer *out);

#endif
