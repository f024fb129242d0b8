/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <ctype.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/options.h"

void config_init(struct config *config)
{
    struct buffer error = {0};
    const struct option *option;
    memset(config, 0, sizeof *config);
    for (unsigned i = 0; (option = options_at(i)) != NULL; i++)
        check(option_set(option, config, bytes_text(option->fallback), &error) == STATUS_OK);
    buffer_deinit(&error);
}

void config_deinit(struct config *config)
{
    memory_free(config->bind);
    memory_free(config->requirepass);
    memory_free(config->dir);
    memory_free(config->cluster_seeds);
    memory_free(config->cluster_secret);
    memory_free(config->cluster_hostname);
    memory_free(config->zone);
    memory_free(config->pidfile);
    memory_free(config->logfile);
    for (unsigned i = 0; i < CONFIG_OPTIONS_MAX; i++)
        memory_free(config->kept[i]);
    memory_free(config->file);
    memset(config, 0, sizeof *config);
}

static bool is_current(const struct option *option, const struct config *config, struct bytes value)
{
    struct buffer now = {0};
    option_value(option, config, &now);
    bool same = bytes_equal(buffer_bytes(&now), value);
    buffer_deinit(&now);
    return same;
}

enum status config_may_set(const struct config *config, unsigned index, struct bytes value,
                           struct buffer *out_error)
{
    const struct option *option = options_at(index);
    if (option->flags & OPTION_PROTECTED) {
        buffer_printf(out_error, "can't set protected config");
        return STATUS_INVALID;
    }
    bool fixed = (option->flags & OPTION_FIXED) && !is_current(option, config, value);
    if ((option->flags & OPTION_IMMUTABLE) || fixed) {
        buffer_printf(out_error, "can't set immutable config");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

enum status config_set(struct config *config, struct bytes name, struct bytes value,
                       struct buffer *out_error)
{
    const struct option *option = options_find(name);
    if (option == NULL)
        return STATUS_ABSENT;
    enum status status = config_may_set(config, options_index(option), value, out_error);
    return status == STATUS_OK ? option_set(option, config, value, out_error) : status;
}

const char *config_name(unsigned index)
{
    const struct option *option = options_at(index);
    return option != NULL ? option->name : NULL;
}

bool config_is_clustered(const struct config *config)
{
    return config->cluster_enabled || config->cluster_seeds[0] != '\0';
}

bool config_is_secret(unsigned index)
{
    const struct option *option = options_at(index);
    return option != NULL && option->type == OPTION_SECRET;
}

const char *config_alias(unsigned index)
{
    const struct option *option = options_at(index);
    return option != NULL ? option->alias : NULL;
}

bool config_has_effect(unsigned index)
{
    const struct option *option = options_at(index);
    return option != NULL && !(option->flags & OPTION_KEPT);
}

bool config_is_hidden(unsigned index)
{
    const struct option *option = options_at(index);
    return option != NULL && (option->flags & OPTION_HIDDEN);
}

void config_value(const struct config *config, unsigned index, struct buffer *out)
{
    const struct option *option = options_at(index);
    check(option != NULL);
    option_value(option, config, out);
}

/* ---- the command line ------------------------------------------------------------------------ */

static bool is_option(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-';
}

/* One option with its `count` values, blank-separated where it takes several. */
static enum status set_argument(struct config *config, const char *name, int count,
                                char *const *values, struct buffer *out_error)
{
    const struct option *option = options_find(bytes_text(name + 2));
    struct buffer value = {0}, reason = {0};
    if (option == NULL) {
        buffer_printf(out_error, "%s: unknown option", name);
        return STATUS_INVALID;
    }
    if (count == 0 || (count > 1 && !(option->flags & OPTION_WORDS))) {
        buffer_printf(out_error, "%s: wrong number of values", name);
        return STATUS_INVALID;
    }
    for (int i = 0; i < count; i++)
        buffer_printf(&value, "%s%s", i == 0 ? "" : " ", values[i]);
    enum status status = option_set(option, config, buffer_bytes(&value), &reason);
    if (status != STATUS_OK) {
        buffer_printf(out_error, "%s: ", name);
        buffer_append_bytes(out_error, buffer_bytes(&reason));
    }
    buffer_deinit(&value);
    buffer_deinit(&reason);
    return status;
}

enum status config_arguments(struct config *config, int argc, char *const *argv,
                             struct buffer *out_error)
{
    int i = 0;
    if (argc > 0 && !is_option(argv[0])) {
        enum status status = config_load(config, argv[0], out_error);
        if (status != STATUS_OK)
            return status;
        i++;
    }
    while (i < argc) {
        int values = 0;
        if (!is_option(argv[i])) {
            buffer_printf(out_error, "%s: an option is expected, which begins with --", argv[i]);
            return STATUS_INVALID;
        }
        while (i + 1 + values < argc && !is_option(argv[i + 1 + values]))
            values++;
        enum status status = set_argument(config, argv[i], values, argv + i + 1, out_error);
        if (status != STATUS_OK)
            return status;
        i += 1 + values;
    }
    return STATUS_OK;
}

/* ---- conf/shoal.conf ------------------------------------------------------------------------- */

enum { RULE_WIDTH = 80 };

static void print_rule(const char *group, struct buffer *out)
{
    size_t hashes = RULE_WIDTH - strlen(group) - 2;
    buffer_append_u8(out, '\n');
    for (size_t i = 0; i < hashes / 2; i++)
        buffer_append_u8(out, '#');
    buffer_printf(out, " %s ", group);
    for (size_t i = hashes / 2; i < hashes; i++)
        buffer_append_u8(out, '#');
    buffer_append_u8(out, '\n');
}

static void print_text(const char *text, struct buffer *out)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        buffer_printf(out, "# %.*s\n", (int)size, text);
        text += text[size] == '\n' ? size + 1 : size;
    }
}

/* "no, everysec, always. ", as a paragraph of a comment. */
static void print_words(const struct option_word *word, struct buffer *out)
{
    size_t column = 0;
    for (; word->name != NULL; word++) {
        column += strlen(word->name) + 2;
        if (column > RULE_WIDTH) {
            buffer_truncate(out, buffer_size(out) - 1);
            buffer_printf(out, "\n# ");
            column = strlen(word->name) + 2;
        }
        buffer_printf(out, "%s%s", word->name, word[1].name != NULL ? ", " : ". ");
    }
}

/* What may stand there: "# Seconds, 0 to 2147483647. Fixed at start." */
static void print_bounds(const struct option *option, struct buffer *out)
{
    buffer_printf(out, "# ");
    if (option->unit != NULL)
        buffer_printf(out, "%c%s, ", toupper((unsigned char)option->unit[0]), option->unit + 1);
    if (option->type == OPTION_ENUM) {
        print_words(option->words, out);
    } else if (option->type == OPTION_BOOL) {
        buffer_printf(out, "yes, no. ");
    } else if (option->type == OPTION_INTEGER || option->type == OPTION_SIZE) {
        option_print_number(option, option->min, out);
        buffer_printf(out, option->max < INT64_MAX ? " to " : " or more");
        if (option->max < INT64_MAX)
            option_print_number(option, option->max, out);
        buffer_printf(out, ". ");
    }
    bool fixed = option->flags & (OPTION_IMMUTABLE | OPTION_FIXED | OPTION_PROTECTED);
    buffer_printf(out, fixed ? "Fixed at start.\n" : "CONFIG SET can change it.\n");
}

/* One with an effect has a paragraph, those without stand together under one text. */
static void print_option(const struct option *option, const struct config *defaults,
                         struct buffer *out)
{
    if (option->flags & OPTION_HIDDEN)
        return;
    if (option->text != NULL) {
        buffer_append_u8(out, '\n');
        print_text(option->text, out);
        if (!(option->flags & OPTION_KEPT))
            print_bounds(option, out);
    }
    option_line(option, defaults, out);
    buffer_append_u8(out, '\n');
}

void config_print_reference(struct buffer *out)
{
    struct config defaults;
    const struct option *option;
    const char *group = "";
    config_init(&defaults);
    buffer_printf(
        out, "# Shoal's settings, each with its default: this file changes nothing.\n"
             "#\n"
             "#     shoal-server shoal.conf --port 7000\n"
             "#\n"
             "# Lines are as in redis.conf: a name, then its value; a value with blanks or other\n"
             "# special bytes in quotes, with \\n \\r \\t \\b \\a \\xHH \\\" \\\\ in double ones. "
             "Sizes may\n"
             "# have a unit, without case:\n"
             "#\n"
             "#     1k = 1000    1kb = 1024    1m = 1000000    1mb = 1024 * 1024    1g    1gb\n"
             "#\n"
             "# If an option stands here twice, the last one counts; those of the command line\n"
             "# count over the file. CONFIG REWRITE writes changed values into the file. Those\n"
             "# of the last group are taken, kept and given back, and change nothing.\n");
    for (unsigned i = 0; (option = options_at(i)) != NULL; i++) {
        if (strcmp(group, option->group) != 0)
            print_rule(group = option->group, out);
        print_option(option, &defaults, out);
    }
    config_deinit(&defaults);
}
