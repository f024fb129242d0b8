/* SPDX-License-Identifier: MIT */
#include "command/arguments.h"

#include <limits.h>

#include "base/number.h"
#include "resp/reply.h"
#include "store/store.h"

enum { MS_PER_SECOND = 1000 };

enum status argument_key_in(struct request *request, uint8_t db, struct bytes key, struct cell *out)
{
    if (__builtin_expect(key.size > KEY_SIZE_MAX, 0)) {
        reply_errorf(request->reply, "ERR key is too long (at most %d bytes)", KEY_SIZE_MAX);
        return STATUS_REPLIED;
    }
    return cell_find_head(request->txn, db, key, out);
}

enum status argument_key_read_in(struct request *request, uint8_t db, struct bytes key,
                                 struct cell *out)
{
    enum status status = argument_key_in(request, db, key, out);
    if (status == STATUS_OK && out->exists)
        request->hits++;
    else if (status == STATUS_OK)
        request->misses++;
    return status;
}

enum status argument_key(struct request *request, struct bytes key, struct cell *out)
{
    return argument_key_in(request, request->db, key, out);
}

enum status argument_key_read(struct request *request, struct bytes key, struct cell *out)
{
    return argument_key_read_in(request, request->db, key, out);
}

enum status argument_key_peek(struct request *request, struct bytes key, struct cell *out)
{
    request->txn->no_touch = true;
    return argument_key_read(request, key, out);
}

enum status argument_database(struct request *request, struct bytes text, uint8_t *out_index)
{
    int64_t index;
    if (!number_parse_i64(text, &index))
        return STATUS_NOT_INTEGER;
    if (index < INT_MIN || index > INT_MAX) {
        reply_errorf(request->reply, "ERR value is out of range, value must between %d and %d",
                     INT_MIN, INT_MAX);
        return STATUS_REPLIED;
    }
    if (index < 0 || index >= (int64_t)request->databases)
        return request_refuse(request, "ERR DB index is out of range");
    *out_index = (uint8_t)index;
    return STATUS_OK;
}

void argument_look_ahead(struct request *request, struct key_arguments keys, uint32_t at)
{
    struct bytes next[STORE_EXPECTED_MAX];
    size_t count = 0;
    if ((at - keys.first) % (STORE_EXPECTED_MAX * keys.step) != 0 || at + keys.step >= keys.end)
        return;
    for (; at < keys.end && count < STORE_EXPECTED_MAX; at += keys.step)
        next[count++] = request->argv[at];
    store_expect(request->txn->store, next, count);
}

enum status argument_integer(struct bytes text, int64_t *out_value)
{
    return number_parse_i64(text, out_value) ? STATUS_OK : STATUS_NOT_INTEGER;
}

enum status argument_real(struct bytes text, real_t *out_value)
{
    return real_parse(text, out_value) ? STATUS_OK : STATUS_NOT_FLOAT;
}

static enum status time_invalid(struct request *request)
{
    reply_errorf(request->reply, "ERR invalid expire time in '%s' command", request->command->name);
    return STATUS_REPLIED;
}

enum status argument_time(struct request *request, struct bytes text, struct time_unit unit,
                          int64_t *out_ms)
{
    int64_t ms;
    if (!number_parse_i64(text, &ms))
        return STATUS_NOT_INTEGER;
    if (unit.seconds && __builtin_mul_overflow(ms, (int64_t)MS_PER_SECOND, &ms))
        return time_invalid(request);
    if (!unit.absolute && __builtin_add_overflow(ms, (int64_t)request->now_ms, &ms))
        return time_invalid(request);
    *out_ms = ms;
    return STATUS_OK;
}

enum status argument_expiry(struct request *request, struct bytes text, struct time_unit unit,
                            uint64_t *out_at_ms)
{
    int64_t given;
    int64_t ms;
    if (!number_parse_i64(text, &given))
        return STATUS_NOT_INTEGER;
    if (given <= 0)
        return time_invalid(request);
    enum status status = argument_time(request, text, unit, &ms);
    if (status == STATUS_OK)
        *out_at_ms = (uint64_t)ms;
    return status;
}

enum status argument_count_wrong(struct request *request)
{
    reply_errorf(request->reply, "ERR wrong number of arguments for '%s' command",
                 request->command->name);
    return STATUS_REPLIED;
}
