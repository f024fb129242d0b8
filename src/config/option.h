/* SPDX-License-Identifier: MIT */
/* One setting: what the table says of it, and how it is read from text and written as text. */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include "config/config.h"

enum option_type {
    OPTION_BOOL,    /* yes, no: a bool */
    OPTION_INTEGER, /* an int64_t */
    OPTION_SIZE,    /* "64mb": an int64_t, of bytes */
    OPTION_PERCENT, /* a size, or "5%", which is the int64_t -5 */
    OPTION_OCTAL,   /* an int64_t, written in octal */
    OPTION_ENUM,    /* a word: an int64_t */
    OPTION_STRING,  /* a char *, owned */
    OPTION_SECRET,  /* the same, not to be shown unasked */
    OPTION_OWN,     /* words that mean something together: by the option's own `set` and `print` */
};

enum option_flag {
    OPTION_IMMUTABLE = 1 << 0, /* only in the file and on the command line, as in Redis */
    OPTION_WORDS = 1 << 1,     /* a string of several words, joined with blanks */
    OPTION_ADDS = 1 << 2,      /* and further lines of a file add to the first */
    OPTION_KEPT = 1 << 3,  /* Redis has it, it means nothing here: config->kept holds its text */
    OPTION_FIXED = 1 << 4, /* Redis can change it, this cannot: it may be set to what it is */
    OPTION_PROTECTED = 1 << 5, /* a file's name or a directory: never changed by clients */
    OPTION_HIDDEN = 1 << 6,    /* for tests: CONFIG GET shows it when it is named in full */
};

struct option_word {
    const char *name; /* NULL ends the list */
    int64_t value;
};

/*
 * What a string must look like, as Redis checks it: the text to keep goes to `out`. STATUS_INVALID
 * with Redis's reason in out_error.
 */
typedef enum status (*option_form)(struct bytes value, struct buffer *out,
                                   struct buffer *out_error);

struct option {
    const char *name;
    const char *alias; /* an older name; NULL: none */
    const char *group;
    enum option_type type;
    unsigned flags;       /* enum option_flag */
    size_t offset;        /* of its field in struct config, unless OPTION_KEPT */
    const char *fallback; /* the default, as text */
    int64_t min, max;     /* of integers and sizes */
    const char *unit;     /* NULL: none */
    const struct option_word *words;
    enum status (*set)(struct config *config, struct bytes value, struct buffer *out_error);
    void (*print)(const struct config *config, struct buffer *out);
    option_form form; /* of strings; NULL: any */
    const char *text; /* lines for people, each at most 84 columns; NULL: as the one before */
};

/* STATUS_INVALID with Redis's reason in out_error; the setting is then as it was. */
MUST_CHECK enum status option_set(const struct option *option, struct config *config,
                                  struct bytes value, struct buffer *out_error);

/* As CONFIG GET shows it. */
void option_value(const struct option *option, const struct config *config, struct buffer *out);

/* A value of what is no string, as in a file: a size with the largest unit that divides it. */
void option_print_number(const struct option *option, int64_t number, struct buffer *out);

/* As a line of a configuration file, without its end: quoted where needed. */
void option_line(const struct option *option, const struct config *config, struct buffer *out);

#endif
