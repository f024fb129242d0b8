/* SPDX-License-Identifier: MIT */
#include "sim/store_model.h"

#include "base/check.h"
#include "base/memory.h"

void model_init(struct model *model)
{
    model->room = 64;
    model->count = model->values = 0;
    model->states = memory_alloc(model->room * sizeof(*model->states));
    memset(&model->states[0], 0, sizeof(model->states[0]));
    arena_init(&model->arena);
}

void model_deinit(struct model *model)
{
    memory_free(model->states);
    arena_deinit(&model->arena);
}

const struct model_state *model_now(const struct model *model)
{
    return &model->states[model->count];
}

struct model_state *model_step(struct model *model)
{
    if (model->count + 1 == model->room) {
        model->room *= 2;
        model->states = memory_resize(model->states, model->room * sizeof(*model->states));
    }
    model->states[model->count + 1] = model->states[model->count];
    model->count++;
    return &model->states[model->count];
}

void model_truncate(struct model *model, size_t count)
{
    check(count <= model->count);
    model->count = count;
}

bool model_is_visible(const struct model_value *value, uint64_t now_ms)
{
    return value->exists && value->at_ms >= now_ms;
}

bool model_looks_same(const struct model_value *a, const struct model_value *b, uint64_t now_ms)
{
    bool visible = model_is_visible(a, now_ms);
    if (visible != model_is_visible(b, now_ms))
        return false;
    return !visible || (a->at_ms == b->at_ms && bytes_equal(a->value, b->value));
}
