/* SPDX-License-Identifier: MIT */
/*
 * The configuration file. A line is empty, a comment ('#' first), or words: a name and its value. A
 * word may be quoted: "..." knows \n \r \t \b \a \xHH and \ before any other byte, '...' only \'. A
 * quote ends its word.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/options.h"

static const char rewrite_mark[] = "# Written by CONFIG REWRITE";

/* ---- words ----------------------------------------------------------------------------------- */

/* Bytes still to be read. */
struct input {
    const char *at;
    const char *end;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at input->at, behind its backslash, stands for. */
static char take_escape(struct input *input)
{
    static const char from[] = "nrtba", to[] = "\n\r\t\b\a";
    if (input->end - input->at >= 3 && *input->at == 'x' && hex_digit(input->at[1]) >= 0 &&
        hex_digit(input->at[2]) >= 0) {
        char byte = (char)(hex_digit(input->at[1]) * 16 + hex_digit(input->at[2]));
        input->at += 3;
        return byte;
    }
    char byte = *input->at++;
    const char *known = byte != '\0' ? strchr(from, byte) : NULL;
    return known != NULL ? to[known - from] : byte;
}

static bool is_blank(char c)
{
    return isspace((unsigned char)c) || c == '\0';
}

/* What follows the opening quote. False: it is not closed, or something stands right behind it. */
static bool take_quoted(struct input *input, char quote, struct buffer *out)
{
    while (input->at < input->end) {
        char byte = *input->at++;
        if (byte == quote)
            return input->at == input->end || is_blank(*input->at);
        if (byte == '\\' && input->at < input->end) {
            if (quote == '"')
                byte = take_escape(input);
            else if (*input->at == '\'')
                byte = *input->at++;
        }
        buffer_append_u8(out, (uint8_t)byte);
    }
    return false;
}

/* The next word, added to `out`; *out_found false at the end. False: unbalanced quotes. */
static bool take_word(struct input *input, struct buffer *out, bool *out_found)
{
    while (input->at < input->end && is_blank(*input->at))
        input->at++;
    *out_found = input->at < input->end;
    while (input->at < input->end && !is_blank(*input->at)) {
        char byte = *input->at++;
        if (byte == '"' || byte == '\'')
            return take_quoted(input, byte, out);
        buffer_append_u8(out, (uint8_t)byte);
    }
    return true;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* A line taken apart: its option, NULL for a comment or an empty line, and its value. */
struct line {
    struct bytes text;
    const struct option *option;
    struct buffer value;
};

static void line_deinit(struct line *line)
{
    buffer_deinit(&line->value);
}

/* The value: one word, or all of them with a blank between. */
static enum status parse_value(struct input *input, struct line *line, struct buffer *out_error)
{
    unsigned words = 0;
    bool found = true;
    while (found) {
        size_t before = buffer_size(&line->value);
        if (words > 0)
            buffer_append_u8(&line->value, ' ');
        if (!take_word(input, &line->value, &found)) {
            buffer_printf(out_error, "unbalanced quotes");
            return STATUS_INVALID;
        }
        if (found)
            words++;
        else
            buffer_truncate(&line->value, before);
    }
    if (words == 0 || (words > 1 && !(line->option->flags & OPTION_WORDS))) {
        buffer_printf(out_error, "wrong number of values for '%s'", line->option->name);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* `line` is all zeros before; line_deinit after, also on failure. */
static enum status line_parse(struct bytes text, struct line *line, struct buffer *out_error)
{
    struct input input = {text.data, text.data + text.size};
    struct buffer name = {0};
    enum status status = STATUS_OK;
    bool found = false;
    line->text = text;
    while (input.at < input.end && is_blank(*input.at))
        input.at++;
    if (input.at == input.end || *input.at == '#')
        return STATUS_OK;
    if (!take_word(&input, &name, &found)) {
        buffer_printf(out_error, "unbalanced quotes");
        status = STATUS_INVALID;
    } else if ((line->option = options_find(buffer_bytes(&name))) == NULL) {
        buffer_printf(out_error, "unknown option '%.*s'", (int)buffer_size(&name),
                      buffer_bytes(&name).data);
        status = STATUS_INVALID;
    } else {
        status = parse_value(&input, line, out_error);
    }
    buffer_deinit(&name);
    return status;
}

/* The next line of `rest`, without its end. */
static struct bytes take_line(struct bytes *rest)
{
    const char *end = memchr(rest->data, '\n', rest->size);
    struct bytes line = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size};
    size_t used = end != NULL ? line.size + 1 : line.size;
    *rest = bytes_of(rest->data + used, rest->size - used);
    return line;
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum status read_file(const char *path, struct buffer *out, struct buffer *out_error)
{
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && got > 0 && buffer_size(out) <= CONFIG_FILE_MAX) {
        got = read(fd, buffer_reserve(out, 4096), 4096);
        if (got > 0)
            buffer_commit(out, (size_t)got);
    }
    if (fd < 0 || got < 0) {
        buffer_printf(out_error, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return STATUS_IO;
    }
    close(fd);
    if (buffer_size(out) > CONFIG_FILE_MAX) {
        buffer_printf(out_error, "%s: larger than %d bytes", path, CONFIG_FILE_MAX);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* `seen`: the file has set this option already. */
static enum status set_line(struct config *config, const struct line *line, bool seen,
                            struct buffer *out_error)
{
    struct buffer value = {0};
    if (seen && (line->option->flags & OPTION_ADDS)) {
        option_value(line->option, config, &value);
        if (buffer_size(&value) > 0 && buffer_size(&line->value) > 0)
            buffer_append_u8(&value, ' ');
    }
    if (buffer_size(&line->value) == 0)
        buffer_clear(&value, 0); /* save "": forget what stood before */
    buffer_append_bytes(&value, buffer_bytes(&line->value));
    enum status status = option_set(line->option, config, buffer_bytes(&value), out_error);
    buffer_deinit(&value);
    return status;
}

static enum status load_lines(struct config *config, const char *path, struct bytes rest,
                              struct buffer *out_error)
{
    bool seen[CONFIG_OPTIONS_MAX] = {false};
    enum status status = STATUS_OK;
    for (unsigned number = 1; rest.size > 0 && status == STATUS_OK; number++) {
        struct line line = {0};
        struct buffer reason = {0};
        status = line_parse(take_line(&rest), &line, &reason);
        if (status == STATUS_OK && line.option != NULL) {
            bool *was_seen = &seen[options_index(line.option)];
            status = set_line(config, &line, *was_seen, &reason);
            *was_seen = true;
        }
        if (status != STATUS_OK) {
            buffer_printf(out_error, "%s:%u: ", path, number);
            buffer_append_bytes(out_error, buffer_bytes(&reason));
        }
        buffer_deinit(&reason);
        line_deinit(&line);
    }
    return status;
}

/* The absolute path, so that it holds after a change of directory. */
static enum status remember_file(struct config *config, const char *path, struct buffer *out_error)
{
    char *absolute = realpath(path, NULL);
    if (absolute == NULL) {
        buffer_printf(out_error, "%s: %s", path, strerror(errno));
        return STATUS_IO;
    }
    size_t size = strlen(absolute) + 1;
    memory_free(config->file);
    config->file = memory_alloc(size);
    memcpy(config->file, absolute, size);
    free(absolute);
    return STATUS_OK;
}

enum status config_load(struct config *config, const char *path, struct buffer *out_error)
{
    struct buffer text = {0};
    enum status status = read_file(path, &text, out_error);
    if (status == STATUS_OK)
        status = remember_file(config, path, out_error);
    if (status == STATUS_OK)
        status = load_lines(config, path, buffer_bytes(&text), out_error);
    buffer_deinit(&text);
    return status;
}

/* ---- rewriting ------------------------------------------------------------------------------- */

/* Whether the line sets the option to what it is now. */
static bool line_is_current(const struct line *line, const struct config *config)
{
    struct config other;
    struct buffer then = {0}, now = {0}, error = {0};
    config_init(&other);
    bool same = set_line(&other, line, false, &error) == STATUS_OK;
    option_value(line->option, &other, &then);
    option_value(line->option, config, &now);
    same = same && bytes_equal(buffer_bytes(&then), buffer_bytes(&now));
    buffer_deinit(&then);
    buffer_deinit(&now);
    buffer_deinit(&error);
    config_deinit(&other);
    return same;
}

/* The old file's lines, each option on the first that names it. What is not understood stays. */
static void rewrite_lines(const struct config *config, struct bytes rest, bool *written,
                          bool *out_marked, struct buffer *out)
{
    while (rest.size > 0) {
        struct line line = {0};
        struct buffer reason = {0};
        struct bytes text = take_line(&rest);
        bool valid = line_parse(text, &line, &reason) == STATUS_OK;
        bool keep = !valid || line.option == NULL;
        if (bytes_equal(text, BYTES(rewrite_mark)))
            *out_marked = true;
        if (!keep && !written[options_index(line.option)]) {
            written[options_index(line.option)] = true;
            keep = line_is_current(&line, config);
            if (!keep) {
                option_line(line.option, config, out);
                buffer_append_u8(out, '\n');
            }
        }
        if (keep) {
            buffer_append_bytes(out, text);
            buffer_append_u8(out, '\n');
        }
        buffer_deinit(&reason);
        line_deinit(&line);
    }
}

/* Options that the old file does not name and that are not their default, or `all`. */
static void rewrite_rest(const struct config *config, bool all, const bool *written, bool marked,
                         struct buffer *out)
{
    struct config defaults;
    const struct option *option;
    config_init(&defaults);
    for (unsigned i = 0; (option = options_at(i)) != NULL; i++) {
        struct buffer fallback = {0}, now = {0};
        option_value(option, &defaults, &fallback);
        option_value(option, config, &now);
        if (!written[i] && (all || !bytes_equal(buffer_bytes(&fallback), buffer_bytes(&now)))) {
            if (!marked)
                buffer_printf(out, "%s\n", rewrite_mark);
            marked = true;
            option_line(option, config, out);
            buffer_append_u8(out, '\n');
        }
        buffer_deinit(&fallback);
        buffer_deinit(&now);
    }
    config_deinit(&defaults);
}

static bool write_all(int fd, struct bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t done = write(fd, bytes.data, bytes.size);
        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0)
            bytes = bytes_of(bytes.data + done, bytes.size - (size_t)done);
    }
    return true;
}

/* So that the new name is on disk. */
static bool sync_directory(const char *path)
{
    struct buffer directory = {0};
    buffer_append(&directory, path, (size_t)(strrchr(path, '/') - path) + 1);
    buffer_append_u8(&directory, '\0');
    int fd = open(directory.block, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    buffer_deinit(&directory);
    return done;
}

/* Under another name first, so that the file is the old or the new one at any moment. */
static bool replace_file(const char *path, struct bytes text)
{
    struct stat old;
    struct buffer name = {0};
    buffer_printf(&name, "%s.XXXXXX", path);
    buffer_append_u8(&name, '\0');
    int fd = mkstemp(name.block);
    bool done = fd >= 0 && stat(path, &old) == 0 && fchmod(fd, old.st_mode & 07777) == 0 &&
                write_all(fd, text) && fsync(fd) == 0 && rename(name.block, path) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !done)
        unlink(name.block);
    buffer_deinit(&name);
    errno = error;
    return done && sync_directory(path);
}

enum status config_rewrite(const struct config *config, bool all, struct buffer *out_error)
{
    struct buffer old = {0}, text = {0};
    bool written[CONFIG_OPTIONS_MAX] = {false}, marked = false;
    if (config->file == NULL) {
        buffer_printf(out_error, "The server is running without a config file");
        return STATUS_ABSENT;
    }
    enum status status = read_file(config->file, &old, out_error);
    if (status == STATUS_OK) {
        rewrite_lines(config, buffer_bytes(&old), written, &marked, &text);
        rewrite_rest(config, all, written, marked, &text);
        if (!replace_file(config->file, buffer_bytes(&text))) {
            buffer_printf(out_error, "Rewriting config file: %s", strerror(errno));
            status = STATUS_IO;
        }
    }
    buffer_deinit(&old);
    buffer_deinit(&text);
    return status;
}
