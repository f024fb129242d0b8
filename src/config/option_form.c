/* SPDX-License-Identifier: MIT */
#include "config/option_form.h"

#include "base/number.h"
#include "config/seeds.h"

enum { OOM_VALUES = 3, OOM_VALUE_MAX = 2000, ZONE_SIZE_MAX = 63 };

/* The next word of `rest`; of size 0 at the end. */
static struct bytes take_word(struct bytes *rest)
{
    size_t from = 0, to;
    while (from < rest->size && rest->data[from] == ' ')
        from++;
    for (to = from; to < rest->size && rest->data[to] != ' ';)
        to++;
    struct bytes word = bytes_of(rest->data + from, to - from);
    *rest = bytes_of(rest->data + to, rest->size - to);
    return word;
}

static enum status refuse(const char *reason, struct buffer *out_error)
{
    buffer_printf(out_error, "%s", reason);
    return STATUS_INVALID;
}

static void add_word(struct bytes word, struct buffer *out)
{
    if (buffer_size(out) > 0)
        buffer_append_u8(out, ' ');
    buffer_append_bytes(out, word);
}

enum status option_form_save(struct bytes value, struct buffer *out, struct buffer *out_error)
{
    unsigned count = 0;
    size_t size = value.size;
    for (struct bytes word; (word = take_word(&value)).size > 0; count++) {
        int64_t number, least = count % 2 == 0;
        if (!number_parse_i64(word, &number) || number < least)
            return refuse("Invalid save parameters", out_error);
        add_word(word, out);
    }
    bool valid = count % 2 == 0 && buffer_size(out) == size; /* one blank between words */
    return valid ? STATUS_OK : refuse("Invalid save parameters", out_error);
}

enum status option_form_oom_values(struct bytes value, struct buffer *out, struct buffer *out_error)
{
    unsigned count = 0;
    struct bytes rest = value;
    while (take_word(&rest).size > 0)
        count++;
    if (count != OOM_VALUES)
        return refuse("wrong number of arguments", out_error);
    for (struct bytes word; (word = take_word(&value)).size > 0;) {
        int64_t number;
        if (!number_parse_i64(word, &number) || number < -OOM_VALUE_MAX || number > OOM_VALUE_MAX)
            return refuse("Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
                          out_error);
        add_word(word, out);
    }
    return STATUS_OK;
}

enum status option_form_events(struct bytes value, struct buffer *out, struct buffer *out_error)
{
    static const char classes[] = "g$lshzxetdnKEm"; /* as Redis orders them */
    enum { IN_ALL = 10, WITHOUT_ALL = 11 }; /* "A" stands for the first; "An" loses its 'n' */
    bool given[sizeof classes] = {false};
    bool all = true;
    for (size_t i = 0; i < value.size; i++) {
        const char *at = value.data[i] != '\0' ? strchr(classes, value.data[i]) : NULL;
        if (at != NULL)
            given[at - classes] = true;
        else if (value.data[i] != 'A')
            return refuse("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.", out_error);
        for (unsigned k = 0; value.data[i] == 'A' && k < IN_ALL; k++)
            given[k] = true;
    }
    for (unsigned k = 0; k < IN_ALL; k++)
        all = all && given[k];
    if (all)
        buffer_append_u8(out, 'A');
    for (unsigned k = 0; classes[k] != '\0'; k++) {
        if (given[k] && (!all || k >= WITHOUT_ALL))
            buffer_append_u8(out, (uint8_t)classes[k]);
    }
    return STATUS_OK;
}

enum status option_form_stop(struct bytes value, struct buffer *out, struct buffer *out_error)
{
    static const char *const words[] = {"save", "nosave", "now", "force"};
    enum { SAVE, NOSAVE, NOW, FORCE, WORDS };
    bool given[WORDS] = {false};
    bool known = value.size > 0;
    for (struct bytes word; known && (word = take_word(&value)).size > 0;) {
        known = bytes_equal_nocase(word, BYTES("default"));
        for (unsigned i = 0; i < WORDS; i++) {
            if (bytes_equal_nocase(word, bytes_text(words[i])))
                known = given[i] = true;
        }
    }
    if (!known)
        return refuse("argument(s) must be one of the following: default, save, nosave, now, force",
                      out_error);
    if (given[SAVE] && given[NOSAVE])
        return refuse("shutdown options SAVE and NOSAVE can't be used simultaneously", out_error);
    for (unsigned i = 0; i < WORDS; i++) {
        if (given[i])
            add_word(bytes_text(words[i]), out);
    }
    if (buffer_size(out) == 0)
        add_word(BYTES("default"), out);
    return STATUS_OK;
}

enum status option_form_seeds(struct bytes value, struct buffer *out, struct buffer *out_error)
{
    char host[SEED_HOST_MAX];
    uint16_t port;
    struct bytes rest = value;
    enum status status;
    while ((status = seed_next(&rest, host, &port)) == STATUS_OK)
        continue;
    if (status != STATUS_ABSENT)
        return refuse("argument must be addresses HOST:PORT, with blanks or commas between",
                      out_error);
    buffer_append_bytes(out, value);
    return STATUS_OK;
}

enum status option_form_host(struct bytes value, struct buffer *out, struct buffer *out_error)
{
    if (value.size >= SEED_HOST_MAX)
        return refuse("Hostnames must be less than 256 characters", out_error);
    if (value.size > 0 && !seed_is_host(value))
        return refuse("Hostnames may only contain alphanumeric characters, hyphens or dots",
                      out_error);
    buffer_append_bytes(out, value);
    return STATUS_OK;
}

enum status option_form_zone(struct bytes value, struct buffer *out, struct buffer *out_error)
{
    struct bytes rest = value;
    for (; rest.size > 0; rest = bytes_of(rest.data + 1, rest.size - 1)) {
        char c = rest.data[0] == '_' ? '-' : rest.data[0];
        if (c == ':' || !seed_is_host(bytes_of(&c, 1)))
            break;
    }
    if (rest.size > 0 || value.size > ZONE_SIZE_MAX)
        return refuse("argument must be at most 63 letters, digits, hyphens, underscores and dots",
                      out_error);
    buffer_append_bytes(out, value);
    return STATUS_OK;
}

enum status option_form_only_default(struct bytes value, struct buffer *out,
                                     struct buffer *out_error)
{
    if (value.size > 0 && !bytes_equal_nocase(value, BYTES("no")) &&
        !bytes_equal(value, BYTES("0")))
        return refuse("not supported by this server", out_error);
    buffer_append_bytes(out, value);
    return STATUS_OK;
}
