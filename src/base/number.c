/* SPDX-License-Identifier: MIT */
#include "base/number.h"

bool number_parse_i64(struct bytes text, int64_t *out_value)
{
    const char *digits = text.data;
    size_t count = text.size;
    bool negative = count > 0 && digits[0] == '-';
    if (negative) {
        digits++;
        count--;
    }
    if (count == 0 || count > 19)
        return false;
    if (digits[0] == '0') {
        if (count > 1 || negative)
            return false;
        *out_value = 0;
        return true;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(digits[i] - '0');
    }
    if (value > (uint64_t)INT64_MAX + negative)
        return false;
    *out_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

unsigned number_format_i64(int64_t value, char *out)
{
    char reversed[NUMBER_TEXT_MAX];
    unsigned count = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        reversed[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        reversed[count++] = '-';
    for (unsigned i = 0; i < count; i++)
        out[i] = reversed[count - 1 - i];
    return count;
}

bool number_parse_size(struct bytes text, uint64_t *out_size)
{
    static const struct {
        struct bytes name;
        uint64_t factor;
    } units[] = {
        {{"", 0}, 1},           {{"b", 1}, 1},
        {{"k", 1}, 1000},       {{"kb", 2}, 1024},
        {{"m", 1}, 1000000},    {{"mb", 2}, 1024 * 1024},
        {{"g", 1}, 1000000000}, {{"gb", 2}, 1024 * 1024 * 1024},
    };
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    int64_t value;
    if (!number_parse_i64(bytes_of(text.data, digits), &value))
        return false;
    struct bytes unit = bytes_of(text.data + digits, text.size - digits);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (bytes_equal_nocase(unit, units[i].name))
            return !__builtin_mul_overflow((uint64_t)value, units[i].factor, out_size);
    return false;
}
