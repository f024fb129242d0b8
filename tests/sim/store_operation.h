/* SPDX-License-Identifier: MIT */
/*
 * What the clients of a simulated store do: drawn by chance, done to the model and to the store.
 * All keys of one operation are of one database.
 */
#ifndef SIM_STORE_OPERATION_H
#define SIM_STORE_OPERATION_H

#include "base/random.h"
#include "base/status.h"
#include "sim/store_model.h"
#include "type/cell.h"

enum { KEYS_PER_OPERATION = 3, KEY_TEXT_MAX = 64 };

enum kind { SET, SET_MANY, APPEND, OVERWRITE, INCREMENT, DELETE, EXPIRE, GET, SCAN, FLUSH, KINDS };

struct operation {
    enum kind kind;
    uint8_t db;
    unsigned keys[KEYS_PER_OPERATION];
    unsigned key_count;
    struct bytes value;
    uint64_t at_ms;
    uint64_t offset;
    int64_t by;
    bool keep_expiry; /* INCREMENT: by a real made from `by` and `offset` */
};

const char *operation_name(const struct operation *operation);

/* Which operations are frequent, and on how many keys: so that rare meetings of the same few keys
 * happen in some lives. */
struct operation_mix {
    unsigned keys, databases;
    unsigned weights[KINDS];
};

struct operation_mix operation_mix_draw(struct random *random);

struct operation operation_draw(struct random *random, const struct operation_mix *mix,
                                struct model *model, uint64_t now_ms);

/* The text of a key, in `out` of KEY_TEXT_MAX bytes. */
struct bytes operation_key(unsigned key, char *out);

/* What the operation does to one of its keys in the model. False: it is to be refused. */
bool operation_apply_to_model(const struct operation *operation, struct model *model,
                              struct model_value *value, uint64_t now_ms);

/* FLUSH of that database, or with keep_expiry of all. */
bool operation_flushes(const struct operation *operation, unsigned db);

/* What it does to one of its keys in the store. */
MUST_CHECK enum status operation_apply(const struct operation *operation, struct cell *cell);

#endif
