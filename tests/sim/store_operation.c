/* SPDX-License-Identifier: MIT */
#include "sim/store_operation.h"

#include <stdio.h>

#include "base/number.h"
#include "base/real.h"
#include "type/string.h"

static const char *const kind_names[] = {"set",    "set many", "append", "overwrite", "increment",
                                         "delete", "expire",   "get",    "scan",      "flush"};

const char *operation_name(const struct operation *operation)
{
    return kind_names[operation->kind];
}

struct bytes operation_key(unsigned key, char *out)
{
    /* Some share a slot by their hash tag, one is empty. */
    if (key == 0)
        return bytes_of("", 0);
    int size = key % 3 == 0 ? snprintf(out, KEY_TEXT_MAX, "{tag}key-%u", key)
                            : snprintf(out, KEY_TEXT_MAX, "key:%u", key);
    return bytes_of(out, (size_t)size);
}

/* Unlike any other value of this world, so that nothing can be taken for something else. */
static struct bytes fresh_value(struct random *random, struct model *model)
{
    static const size_t sizes[] = {0, 12, 40, 100, 700, 5000, 16384, 16385, 21000, 40000};
    unsigned which = (unsigned)random_below(random, 20);
    size_t size = sizes[which < 10 ? which % 5 : which - 10];
    char *data = arena_alloc(&model->arena, size + 32);
    unsigned mark = ++model->values;
    for (size_t i = 0; i + 8 <= size + 8; i += 8)
        snprintf(data + i, 9, "%04x%04zx", mark & 0xffff, i / 8 & 0xffff);
    return bytes_of(data, size);
}

static struct bytes fresh_number(struct random *random, struct model *model)
{
    char *text = arena_alloc(&model->arena, NUMBER_TEXT_MAX);
    int64_t value = (int64_t)random_below(random, 1000) - 500;
    return bytes_of(text, number_format_i64(value, text));
}

struct operation_mix operation_mix_draw(struct random *random)
{
    static const unsigned weights[KINDS] = {
        [SET] = 30,    [SET_MANY] = 8, [APPEND] = 8, [OVERWRITE] = 8, [INCREMENT] = 12,
        [DELETE] = 10, [EXPIRE] = 10,  [GET] = 20,   [SCAN] = 4,      [FLUSH] = 1};
    static const unsigned keys[] = {2, 6, MODEL_KEYS, MODEL_KEYS};
    struct operation_mix mix = {.keys = keys[random_below(random, 4)],
                                .databases = 1 + (unsigned)random_below(random, MODEL_DATABASES)};
    for (unsigned i = 0; i < KINDS; i++)
        mix.weights[i] = weights[i] << 2 * random_below(random, 3);
    return mix;
}

struct operation operation_draw(struct random *random, const struct operation_mix *mix,
                                struct model *model, uint64_t now_ms)
{
    const unsigned *weights = mix->weights;
    struct operation operation = {.db = (uint8_t)random_below(random, mix->databases),
                                  .key_count = 1};
    unsigned total = 0;
    for (unsigned i = 0; i < KINDS; i++)
        total += weights[i];
    unsigned draw = (unsigned)random_below(random, total);
    while (draw >= weights[operation.kind])
        draw -= weights[operation.kind++];
    if (operation.kind == SET_MANY)
        operation.key_count = KEYS_PER_OPERATION;
    for (unsigned i = 0; i < operation.key_count; i++)
        operation.keys[i] = (unsigned)random_below(random, mix->keys);
    bool number = operation.kind == SET && random_once_in(random, 3);
    operation.value = number ? fresh_number(random, model) : fresh_value(random, model);
    bool forever =
        operation.kind == EXPIRE ? random_once_in(random, 4) : !random_once_in(random, 3);
    operation.at_ms = forever ? EXPIRY_NEVER : now_ms + 1 + random_below(random, 3000);
    operation.keep_expiry = random_once_in(random, 6);
    operation.offset = random_below(random, random_once_in(random, 3) ? 30000 : 100);
    operation.by = (int64_t)random_below(random, 200) - 100;
    return operation;
}

/* Small and large ones, so that at times one sum cannot hold both. */
static real_t real_by(const struct operation *operation)
{
    static const char *const scales[] = {"0.125", "0.1", "1", "1e-9", "1e30"};
    real_t scale;
    if (!real_parse(bytes_text(scales[operation->offset % 5]), &scale))
        return 0;
    return (real_t)operation->by * scale;
}

/* As Redis: the text of what the text and the increment come to. */
static bool increment_text(const struct operation *operation, struct arena *arena,
                           struct bytes *text)
{
    int64_t number = 0;
    real_t real = 0;
    char *out = arena_alloc(arena, REAL_TEXT_MAX);
    if (!operation->keep_expiry) {
        if (text->size > 0 && !number_parse_i64(*text, &number))
            return false;
        *text = bytes_of(out, number_format_i64(number + operation->by, out));
        return true;
    }
    if (text->size > 0 && !real_parse(*text, &real))
        return false;
    real = real_add(real, real_round(real_by(operation)));
    *text = bytes_of(out, real_format(real, out));
    return true;
}

bool operation_apply_to_model(const struct operation *operation, struct model *model,
                              struct model_value *value, uint64_t now_ms)
{
    struct arena *arena = &model->arena;
    bool visible = model_is_visible(value, now_ms);
    struct bytes old = visible ? value->value : bytes_of("", 0);
    uint64_t at_ms = visible ? value->at_ms : EXPIRY_NEVER;
    switch (operation->kind) {
    case SET:
    case SET_MANY:
        *value = (struct model_value){true, operation->value, operation->at_ms};
        if (operation->keep_expiry && visible)
            value->at_ms = at_ms;
        return true;
    case APPEND:
    case OVERWRITE: {
        if (operation->kind == OVERWRITE && operation->value.size == 0)
            return true;
        size_t offset = operation->kind == APPEND ? old.size : operation->offset;
        size_t end = offset + operation->value.size;
        size_t size = end > old.size ? end : old.size;
        char *data = arena_alloc(arena, size);
        memset(data, 0, size);
        memcpy(data, old.data, old.size);
        memcpy(data + offset, operation->value.data, operation->value.size);
        *value = (struct model_value){true, bytes_of(data, size), at_ms};
        return true;
    }
    case INCREMENT:
        if ((visible && old.size == 0) || !increment_text(operation, arena, &old))
            return false;
        *value = (struct model_value){true, old, at_ms};
        return true;
    case DELETE:
        value->exists = false;
        return true;
    case EXPIRE:
        if (visible)
            value->at_ms = operation->at_ms;
        return true;
    default:
        return true;
    }
}

bool operation_flushes(const struct operation *operation, unsigned db)
{
    return operation->kind == FLUSH && (operation->keep_expiry || db == operation->db);
}

enum status operation_apply(const struct operation *operation, struct cell *cell)
{
    int64_t number;
    uint64_t length;
    struct bytes text;
    switch (operation->kind) {
    case SET:
    case SET_MANY:
        return string_set(cell, operation->value, operation->at_ms, operation->keep_expiry);
    case APPEND:
        return string_append(cell, operation->value, &length);
    case OVERWRITE:
        return operation->value.size == 0
                   ? string_length(cell, &length)
                   : string_overwrite(cell, operation->offset, operation->value, &length);
    case INCREMENT:
        return operation->keep_expiry
                   ? string_increment_real(cell, real_round(real_by(operation)), &text)
                   : string_increment(cell, operation->by, &number);
    case DELETE:
        return cell->exists ? cell_delete(cell) : STATUS_OK;
    case EXPIRE:
        return cell->exists ? cell_expire(cell, operation->at_ms) : STATUS_OK;
    default:
        return STATUS_OK;
    }
}
