/* SPDX-License-Identifier: MIT */
/* The words of gather.h: requests for parts, and what their replies come to together. */
#ifndef NODE_GATHER_REPLY_H
#define NODE_GATHER_REPLY_H

#include "base/arena.h"
#include "resp/reply.h"

/* A request, word for word; in the place of what the buffer held. */
void gather_request(struct buffer *out, const struct bytes *words, size_t count);
void gather_request_begin(struct buffer *out, size_t count);
void gather_request_word(struct buffer *out, struct bytes word);
/* With words that stand in a reply already, as bulk strings. */
void gather_request_with(struct buffer *out, struct bytes name, struct bytes bulks, size_t count);

/* SCAN's reply. */
struct gather_scan {
    uint64_t cursor;
    size_t count;
    struct bytes elements; /* bulk strings */
};
bool gather_read_scan(struct bytes reply, struct gather_scan *out);

struct gather_parts {
    uint32_t count;
    struct bytes *replies; /* none is an error */
    uint32_t **positions;  /* of the keys of each in the request, ascending, */
    uint32_t *counts;      /* and how many they are */
    uint32_t key_count;    /* in all */
    uint32_t scan_end;     /* see gather.c */
};

/* Each writes one reply. False: some part is not what it should be. */
bool gather_sum(const struct gather_parts *parts, struct arena *arena, struct reply *reply);
bool gather_values(const struct gather_parts *parts, struct arena *arena, struct reply *reply);
bool gather_first(const struct gather_parts *parts, struct arena *arena, struct reply *reply);
bool gather_all(const struct gather_parts *parts, struct arena *arena, struct reply *reply);
bool gather_scan(const struct gather_parts *parts, struct arena *arena, struct reply *reply);
bool gather_ok(const struct gather_parts *parts, struct arena *arena, struct reply *reply);

#endif
