/* SPDX-License-Identifier: MIT */
#include "config/option_words.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"

enum { NUMBER_MAX = 64 }; /* bytes of a percentile */

/* The next word, without the blanks before it. False: there is none. */
static bool next_word(struct bytes *rest, struct bytes *out_word)
{
    size_t begin = 0, end;
    while (begin < rest->size && rest->data[begin] == ' ')
        begin++;
    for (end = begin; end < rest->size && rest->data[end] != ' ';)
        end++;
    *out_word = bytes_of(rest->data + begin, end - begin);
    *rest = bytes_of(rest->data + end, rest->size - end);
    return end > begin;
}

static enum status refuse(struct buffer *out_error, const char *reason)
{
    buffer_printf(out_error, "%s", reason);
    return STATUS_INVALID;
}

/* ---- client-output-buffer-limit -------------------------------------------------------------- */

static const char *const class_names[CONFIG_CLIENT_CLASSES] = {"normal", "slave", "pubsub"};

static bool find_class(struct bytes name, unsigned *out_class)
{
    if (bytes_equal_nocase(name, BYTES("replica")))
        name = BYTES("slave");
    for (unsigned i = 0; i < CONFIG_CLIENT_CLASSES; i++) {
        if (bytes_equal_nocase(name, bytes_text(class_names[i]))) {
            *out_class = i;
            return true;
        }
    }
    return false;
}

static bool parse_limit(struct bytes hard, struct bytes soft, struct bytes seconds,
                        struct output_limit *out_limit)
{
    int64_t soft_s;
    if (!number_parse_size(hard, &out_limit->hard) || !number_parse_size(soft, &out_limit->soft))
        return false;
    if (!number_parse_i64(seconds, &soft_s) || soft_s < 0 || soft_s > INT32_MAX)
        return false;
    out_limit->soft_s = (uint64_t)soft_s;
    return true;
}

enum status output_limits_set(struct config *config, struct bytes value, struct buffer *out_error)
{
    struct output_limit limits[CONFIG_CLIENT_CLASSES];
    memcpy(limits, config->output_limits, sizeof limits);
    struct bytes name, hard, soft, seconds;
    while (next_word(&value, &name)) {
        unsigned class;
        if (!next_word(&value, &hard) || !next_word(&value, &soft) || !next_word(&value, &seconds))
            return refuse(out_error, "Wrong number of arguments in buffer limit configuration.");
        if (!find_class(name, &class))
            return refuse(out_error,
                          "Invalid client class specified in buffer limit configuration.");
        if (!parse_limit(hard, soft, seconds, &limits[class]))
            return refuse(out_error, "Error in hard, soft or soft_seconds setting in buffer limit "
                                     "configuration.");
    }
    memcpy(config->output_limits, limits, sizeof limits);
    return STATUS_OK;
}

void output_limits_print(const struct config *config, struct buffer *out)
{
    for (unsigned i = 0; i < CONFIG_CLIENT_CLASSES; i++) {
        const struct output_limit *limit = &config->output_limits[i];
        buffer_printf(out, "%s%s %" PRIu64 " %" PRIu64 " %" PRIu64, i == 0 ? "" : " ",
                      class_names[i], limit->hard, limit->soft, limit->soft_s);
    }
}

/* ---- latency-tracking-info-percentiles ------------------------------------------------------- */

static bool parse_percentile(struct bytes word, double *out_value)
{
    char text[NUMBER_MAX], *end;
    if (word.size >= sizeof text)
        return false;
    memcpy(text, word.data, word.size);
    text[word.size] = '\0';
    *out_value = strtod(text, &end);
    return end == text + word.size && end > text && !isnan(*out_value);
}

enum status percentiles_set(struct config *config, struct bytes value, struct buffer *out_error)
{
    double percentiles[CONFIG_PERCENTILES_MAX];
    unsigned count = 0;
    struct bytes word;
    while (next_word(&value, &word)) {
        double percentile;
        if (count == CONFIG_PERCENTILES_MAX || !parse_percentile(word, &percentile))
            return refuse(out_error, "Invalid latency-tracking-info-percentiles parameters");
        if (percentile < 0 || percentile > 100)
            return refuse(out_error, "latency-tracking-info-percentiles parameters should sit "
                                     "between [0.0,100.0]");
        percentiles[count++] = percentile;
    }
    memcpy(config->latency_percentiles, percentiles, count * sizeof *percentiles);
    config->latency_percentile_count = count;
    return STATUS_OK;
}

void percentile_print(double percentile, struct buffer *out)
{
    char text[NUMBER_MAX];
    int size = snprintf(text, sizeof text, "%f", percentile);
    while (text[size - 1] == '0')
        size--;
    if (text[size - 1] == '.')
        size--;
    buffer_append(out, text, (size_t)size);
}

void percentiles_print(const struct config *config, struct buffer *out)
{
    for (unsigned i = 0; i < config->latency_percentile_count; i++) {
        if (i > 0)
            buffer_append_u8(out, ' ');
        percentile_print(config->latency_percentiles[i], out);
    }
}
