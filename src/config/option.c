/* SPDX-License-Identifier: MIT */
#include "config/option.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/number.h"
#include "config/options.h"

static void *field(const struct option *option, struct config *config)
{
    if (option->flags & OPTION_KEPT)
        return &config->kept[options_index(option)];
    return (char *)config + option->offset;
}

static bool is_text(const struct option *option)
{
    return option->type == OPTION_STRING || option->type == OPTION_SECRET;
}

static const char *load_text(const struct option *option, const struct config *config)
{
    char *const *text = field(option, (struct config *)(uintptr_t)config);
    return *text != NULL ? *text : "";
}

static int64_t load_number(const struct option *option, const struct config *config)
{
    const void *at = field(option, (struct config *)(uintptr_t)config);
    return option->type == OPTION_BOOL ? *(const bool *)at : *(const int64_t *)at;
}

static void store_text(const struct option *option, struct config *config, struct bytes value)
{
    char **text = field(option, config);
    char *copy = memory_alloc(value.size + 1);
    if (value.size > 0)
        memcpy(copy, value.data, value.size);
    copy[value.size] = '\0';
    memory_free(*text);
    *text = copy;
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum status parse_word(const struct option *option, struct bytes value, int64_t *out_number,
                              struct buffer *out_error)
{
    const struct option_word *word;
    for (word = option->words; word->name != NULL; word++) {
        if (bytes_equal_nocase(value, bytes_text(word->name))) {
            *out_number = word->value;
            return STATUS_OK;
        }
    }
    buffer_printf(out_error, "argument(s) must be one of the following: ");
    for (word = option->words; word->name != NULL; word++)
        buffer_printf(out_error, "%s%s", word == option->words ? "" : ", ", word->name);
    return STATUS_INVALID;
}

static enum status parse_bool(struct bytes value, int64_t *out_number, struct buffer *out_error)
{
    bool yes = bytes_equal_nocase(value, BYTES("yes"));
    if (!yes && !bytes_equal_nocase(value, BYTES("no"))) {
        buffer_printf(out_error, "argument must be 'yes' or 'no'");
        return STATUS_INVALID;
    }
    *out_number = yes;
    return STATUS_OK;
}

static bool parse_size(struct bytes value, int64_t *out_number)
{
    uint64_t size = 0;
    if (!number_parse_size(value, &size) || size > INT64_MAX)
        return false;
    *out_number = (int64_t)size;
    return true;
}

/* "5%" is -5: so a percentage stands beside sizes, as in Redis. */
static bool parse_percent(struct bytes value, int64_t *out_number)
{
    if (value.size == 0 || value.data[value.size - 1] != '%')
        return parse_size(value, out_number);
    if (!number_parse_i64(bytes_of(value.data, value.size - 1), out_number) || *out_number < 0)
        return false;
    *out_number = -*out_number;
    return true;
}

static bool parse_octal(struct bytes value, int64_t *out_number)
{
    int64_t number = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '7' || number > INT64_MAX / 8)
            return false;
        number = number * 8 + (value.data[i] - '0');
    }
    *out_number = number;
    return value.size > 0;
}

/* What is neither a word nor yes or no. NULL, or why it is no such number. */
static const char *parse_digits(const struct option *option, struct bytes value,
                                int64_t *out_number)
{
    switch (option->type) {
    case OPTION_SIZE:
        return parse_size(value, out_number) ? NULL : "argument must be a memory value";
    case OPTION_PERCENT:
        return parse_percent(value, out_number) ? NULL
                                                : "argument must be a memory or percent value";
    case OPTION_OCTAL:
        return parse_octal(value, out_number) ? NULL
                                              : "argument couldn't be parsed as an octal number";
    default:
        return number_parse_i64(value, out_number) ? NULL
                                                   : "argument couldn't be parsed into an integer";
    }
}

static enum status out_of_bounds(const struct option *option, int64_t number,
                                 struct buffer *out_error)
{
    if (option->type == OPTION_PERCENT && number < 0)
        buffer_printf(out_error, "percentage argument must be less or equal to %lld",
                      (long long)-option->min);
    else if (option->type == OPTION_OCTAL)
        buffer_printf(out_error, "argument must be between %llo and %llo inclusive",
                      (unsigned long long)option->min, (unsigned long long)option->max);
    else
        buffer_printf(out_error, "argument must be between %lld and %lld inclusive",
                      (long long)option->min, (long long)option->max);
    return STATUS_INVALID;
}

static enum status parse_number(const struct option *option, struct bytes value,
                                int64_t *out_number, struct buffer *out_error)
{
    int64_t number = 0;
    if (option->type == OPTION_BOOL)
        return parse_bool(value, out_number, out_error);
    if (option->type == OPTION_ENUM)
        return parse_word(option, value, out_number, out_error);
    const char *reason = parse_digits(option, value, &number);
    if (reason != NULL) {
        buffer_printf(out_error, "%s", reason);
        return STATUS_INVALID;
    }
    if (number < option->min || number > option->max)
        return out_of_bounds(option, number, out_error);
    *out_number = number;
    return STATUS_OK;
}

static void print_number(const struct option *option, int64_t number, struct buffer *out)
{
    if (option->type == OPTION_BOOL) {
        buffer_printf(out, "%s", number != 0 ? "yes" : "no");
    } else if (option->type == OPTION_ENUM) {
        const struct option_word *word = option->words;
        while (word->name != NULL && word->value != number)
            word++;
        check(word->name != NULL);
        buffer_printf(out, "%s", word->name);
    } else if (option->type == OPTION_PERCENT && number < 0) {
        buffer_printf(out, "%lld%%", (long long)-number);
    } else if (option->type == OPTION_OCTAL) {
        buffer_printf(out, "%llo", (unsigned long long)number);
    } else {
        buffer_printf(out, "%lld", (long long)number);
    }
}

static enum status set_text(const struct option *option, struct config *config, struct bytes value,
                            struct buffer *out_error)
{
    struct buffer text = {0};
    enum status status = STATUS_OK;
    if (value.size > 0 && memchr(value.data, '\0', value.size) != NULL) {
        buffer_printf(out_error, "argument must not hold a zero byte");
        return STATUS_INVALID;
    }
    if (option->form != NULL)
        status = option->form(value, &text, out_error);
    else
        buffer_append_bytes(&text, value);
    if (status == STATUS_OK)
        store_text(option, config, buffer_bytes(&text));
    buffer_deinit(&text);
    return status;
}

enum status option_set(const struct option *option, struct config *config, struct bytes value,
                       struct buffer *out_error)
{
    int64_t number = 0;
    if (value.size > CONFIG_VALUE_MAX) {
        buffer_printf(out_error, "argument is longer than %d bytes", CONFIG_VALUE_MAX);
        return STATUS_INVALID;
    }
    if (option->type == OPTION_OWN)
        return option->set(config, value, out_error);
    if (is_text(option))
        return set_text(option, config, value, out_error);
    enum status status = parse_number(option, value, &number, out_error);
    if (status != STATUS_OK)
        return status;
    if (option->flags & OPTION_KEPT) {
        struct buffer text = {0};
        print_number(option, number, &text);
        store_text(option, config, buffer_bytes(&text));
        buffer_deinit(&text);
    } else if (option->type == OPTION_BOOL) {
        *(bool *)field(option, config) = number != 0;
    } else {
        *(int64_t *)field(option, config) = number;
    }
    return STATUS_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

void option_value(const struct option *option, const struct config *config, struct buffer *out)
{
    if (option->type == OPTION_OWN)
        option->print(config, out);
    else if (is_text(option) || (option->flags & OPTION_KEPT))
        buffer_append_bytes(out, bytes_text(load_text(option, config)));
    else
        print_number(option, load_number(option, config), out);
}

void option_print_number(const struct option *option, int64_t number, struct buffer *out)
{
    static const char *const units[] = {"", "kb", "mb", "gb"};
    unsigned unit = 0;
    while (option->type == OPTION_SIZE && unit < 3 && number > 0 && number % 1024 == 0) {
        number /= 1024;
        unit++;
    }
    print_number(option, number, out);
    buffer_printf(out, "%s", units[unit]);
}

/* Whether it reads back without quotes: words with one blank between. */
static bool is_plain(const char *text, bool words)
{
    if (*text == '\0' || *text == ' ')
        return false;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\'' || c == '\\' || c < ' ' || c > '~')
            return false;
        if (c == ' ' && (!words || text[1] == ' ' || text[1] == '\0'))
            return false;
    }
    return true;
}

static void print_quoted(const char *text, struct buffer *out)
{
    buffer_append_u8(out, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            buffer_printf(out, "\\%c", c);
        else if (c < ' ' || c > '~')
            buffer_printf(out, "\\x%02x", c);
        else
            buffer_append_u8(out, c);
    }
    buffer_append_u8(out, '"');
}

void option_line(const struct option *option, const struct config *config, struct buffer *out)
{
    buffer_printf(out, "%s ", option->name);
    if (is_text(option)) {
        const char *text = load_text(option, config);
        if (is_plain(text, (option->flags & OPTION_WORDS) != 0))
            buffer_printf(out, "%s", text);
        else
            print_quoted(text, out);
    } else if (option->type == OPTION_OWN) {
        size_t before = buffer_size(out);
        option->print(config, out);
        if (buffer_size(out) == before)
            buffer_printf(out, "\"\"");
    } else if (option->flags & OPTION_KEPT) {
        option_value(option, config, out);
    } else {
        option_print_number(option, load_number(option, config), out);
    }
}
