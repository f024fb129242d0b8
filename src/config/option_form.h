/* SPDX-License-Identifier: MIT */
/*
 * The forms of settings that are several words or letters, checked as Redis checks them and kept as
 * Redis shows them. See option_form in config/option.h.
 */
#ifndef CONFIG_OPTION_FORM_H
#define CONFIG_OPTION_FORM_H

#include "config/option.h"

/* Pairs of seconds and changes: "900 1 300 10". */
enum status option_form_save(struct bytes value, struct buffer *out, struct buffer *out_error);
/* Three numbers from -2000 to 2000. */
enum status option_form_oom_values(struct bytes value, struct buffer *out,
                                   struct buffer *out_error);
/* Letters for classes of events; in Redis's order, "A" for all but K, E and m. */
enum status option_form_events(struct bytes value, struct buffer *out, struct buffer *out_error);
/* What a signal's stop is like: default, or some of save nosave now force. */
enum status option_form_stop(struct bytes value, struct buffer *out, struct buffer *out_error);
/* Addresses as config/seeds.h reads them. */
enum status option_form_seeds(struct bytes value, struct buffer *out, struct buffer *out_error);
/* A host's name or address, or nothing. */
enum status option_form_host(struct bytes value, struct buffer *out, struct buffer *out_error);
/* A name of at most 63 letters, digits, '-', '_' and '.', or nothing. */
enum status option_form_zone(struct bytes value, struct buffer *out, struct buffer *out_error);
/* Only what turns it off: empty, "no", "0". For what this server does not have. */
enum status option_form_only_default(struct bytes value, struct buffer *out,
                                     struct buffer *out_error);

#endif
