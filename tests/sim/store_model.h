/* SPDX-License-Identifier: MIT */
/*
 * What a store must hold after each operation of a history: whole states, so that after a crash any
 * prefix of the history can be compared with what came back. Values are immutable and live as long
 * as the model.
 */
#ifndef SIM_STORE_MODEL_H
#define SIM_STORE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

enum {
    MODEL_DATABASES = 3,
    MODEL_KEYS = 24, /* per database */
};

struct model_value {
    bool exists;
    struct bytes value;
    uint64_t at_ms; /* UINT64_MAX: it does not expire */
    size_t since;   /* of the world's clocks, the one when it was written */
};

struct model_state {
    struct model_value values[MODEL_DATABASES][MODEL_KEYS];
};

struct model {
    struct model_state *states; /* states[n]: after n operations */
    size_t count;               /* operations */
    size_t room;
    struct arena arena; /* of the values */
    unsigned values;    /* drawn so far, each unlike the others */
};

void model_init(struct model *model);
void model_deinit(struct model *model);

/* The state now. */
const struct model_state *model_now(const struct model *model);

/* The state after one more operation, as it is now: to be changed. */
struct model_state *model_step(struct model *model);

/* What happened after the first `count` operations never did. */
void model_truncate(struct model *model, size_t count);

/* A value as a client sees it. */
bool model_is_visible(const struct model_value *value, uint64_t now_ms);

/* Whether two values look the same to a client, expiry included. */
bool model_looks_same(const struct model_value *a, const struct model_value *b, uint64_t now_ms);

#endif
