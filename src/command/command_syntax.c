/* SPDX-License-Identifier: MIT */
/*
 * Recursive descent.
 *   group    = [name ": "] sequence { "|" sequence }
 *   sequence = element { element }
 *   element  = ( token | [token] value | [token] "(" group ")" | "[" group "]" ) ["..."]
 */
#include "command/command_syntax.h"

#include <ctype.h>

struct parser {
    const char *at;
    struct arena *arena;
    unsigned depth;
};

/* Arguments in order, with where the next one is to be linked. */
struct chain {
    struct syntax_argument *first;
    struct syntax_argument **end;
    unsigned count;
};

static enum status parse_group(struct parser *parser, struct syntax_argument *out);

static void chain_init(struct chain *chain)
{
    *chain = (struct chain){.end = &chain->first};
}

static void chain_add(struct chain *chain, struct parser *parser, struct syntax_argument argument)
{
    struct syntax_argument *copy = arena_alloc(parser->arena, sizeof *copy);
    *copy = argument;
    copy->next = NULL;
    *chain->end = copy;
    chain->end = &copy->next;
    chain->count++;
}

static bool is_end(char c)
{
    return c == '\0' || c == '|' || c == ']' || c == ')';
}

static void skip_blanks(struct parser *parser)
{
    while (*parser->at == ' ')
        parser->at++;
}

/* Up to a blank, a bracket, a bar or dots. */
static struct bytes take_word(struct parser *parser)
{
    const char *start = parser->at;
    while (!is_end(*parser->at) && *parser->at != ' ' && *parser->at != '[' && *parser->at != '(' &&
           strncmp(parser->at, "...", 3) != 0)
        parser->at++;
    return bytes_of(start, (size_t)(parser->at - start));
}

static struct bytes lower(struct parser *parser, struct bytes text)
{
    char *copy = arena_alloc(parser->arena, text.size);
    for (size_t i = 0; i < text.size; i++)
        copy[i] = (char)tolower((unsigned char)text.data[i]);
    return bytes_of(copy, text.size);
}

static bool is_known_type(struct bytes type)
{
    static const char *const types[] = {"key",    "string",    "integer",
                                        "double", "unix-time", "pattern"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (bytes_equal(type, bytes_text(types[i])))
            return true;
    }
    return false;
}

static bool is_token(const struct syntax_argument *argument)
{
    return bytes_equal(argument->type, BYTES("pure-token"));
}

static bool is_container(const struct syntax_argument *argument)
{
    return bytes_equal(argument->type, BYTES("oneof")) ||
           bytes_equal(argument->type, BYTES("block"));
}

/* "seconds:integer", "EX", "equal==" */
static enum status parse_word(struct parser *parser, struct syntax_argument *out)
{
    struct bytes word = take_word(parser);
    size_t split = 0;
    *out = (struct syntax_argument){0};
    if (word.size == 0)
        return STATUS_SYNTAX;
    bool named = islower((unsigned char)word.data[0]);
    while (named && split < word.size && word.data[split] != ':' && word.data[split] != '=')
        split++;
    struct bytes rest = {0};
    if (split < word.size)
        rest = bytes_of(word.data + split + 1, word.size - split - 1);
    out->name = bytes_of(word.data, split);
    if (!named || (split < word.size && word.data[split] == '=')) {
        out->type = BYTES("pure-token");
        out->token = named ? rest : word;
        if (!named)
            out->name = lower(parser, word);
        return out->token.size > 0 ? STATUS_OK : STATUS_SYNTAX;
    }
    out->type = split < word.size ? rest : BYTES("string");
    return is_known_type(out->type) ? STATUS_OK : STATUS_SYNTAX;
}

/* What stands in brackets, which are closed by `close`. A container may be without a name. */
static enum status parse_brackets(struct parser *parser, char close, struct syntax_argument *out)
{
    if (parser->depth == SYNTAX_DEPTH_MAX)
        return STATUS_SYNTAX;
    parser->depth++;
    parser->at++;
    enum status status = parse_group(parser, out);
    parser->depth--;
    if (status != STATUS_OK)
        return status;
    if (*parser->at != close)
        return STATUS_SYNTAX;
    parser->at++;
    return STATUS_OK;
}

/* A oneof or a block that has no name gets those of its members: "nx-xx". */
static void name_container(struct parser *parser, struct syntax_argument *container)
{
    size_t size = 0;
    if (container->name.size > 0)
        return;
    for (const struct syntax_argument *a = container->arguments; a != NULL; a = a->next)
        size += a->name.size + 1;
    char *name = arena_alloc(parser->arena, size);
    size = 0;
    for (const struct syntax_argument *a = container->arguments; a != NULL; a = a->next) {
        if (size > 0)
            name[size++] = '-';
        memcpy(name + size, a->name.data, a->name.size);
        size += a->name.size;
    }
    container->name = bytes_of(name, size);
}

static void parse_dots(struct parser *parser, struct syntax_argument *argument, bool whole)
{
    skip_blanks(parser);
    if (strncmp(parser->at, "...", 3) != 0)
        return;
    parser->at += 3;
    argument->multiple = true;
    argument->multiple_token = whole && argument->token.size > 0;
}

/* Whether what follows is an argument that a token in front of it speaks of. */
static bool value_follows(struct parser *parser)
{
    skip_blanks(parser);
    const char *at = parser->at;
    if (*at == '(')
        return true;
    if (!islower((unsigned char)*at))
        return false;
    return at[strcspn(at, "= |[]()")] != '='; /* a named token stands for itself */
}

static enum status parse_element(struct parser *parser, struct syntax_argument *out)
{
    struct syntax_argument token = {0};
    enum status status;
    bool optional = *parser->at == '[';
    if (optional) {
        status = parse_brackets(parser, ']', out);
        out->optional = true;
    } else if (*parser->at == '(') {
        status = parse_brackets(parser, ')', out);
    } else {
        status = parse_word(parser, out);
        if (status == STATUS_OK && is_token(out) && value_follows(parser)) {
            token = *out;
            status =
                *parser->at == '(' ? parse_brackets(parser, ')', out) : parse_word(parser, out);
            if (status == STATUS_OK && out->token.size > 0)
                status = STATUS_SYNTAX; /* two tokens for one argument */
            out->token = token.token;
            if (out->name.size == 0)
                out->name = token.name;
        }
    }
    if (status != STATUS_OK)
        return status;
    name_container(parser, out);
    parse_dots(parser, out, optional);
    return STATUS_OK;
}

static enum status parse_sequence(struct parser *parser, struct chain *out)
{
    chain_init(out);
    for (skip_blanks(parser); !is_end(*parser->at); skip_blanks(parser)) {
        struct syntax_argument argument;
        enum status status = parse_element(parser, &argument);
        if (status != STATUS_OK)
            return status;
        chain_add(out, parser, argument);
    }
    return STATUS_OK;
}

/* A sequence as one argument: its only one, or a block, which takes over the token in front. */
static struct syntax_argument as_one(struct parser *parser, const struct chain *chain)
{
    struct syntax_argument *first = chain->first;
    if (chain->count == 1)
        return *first;
    struct syntax_argument block = {.type = BYTES("block"), .arguments = first};
    bool speaks_of_all = first->token.size > 0 && !is_token(first) && !first->optional &&
                         !first->multiple && !is_container(first);
    for (struct syntax_argument *a = first->next; a != NULL; a = a->next)
        speaks_of_all = speaks_of_all && a->token.size == 0 && !a->optional && !is_container(a);
    if (speaks_of_all) {
        block.token = first->token;
        block.name = lower(parser, first->token);
        first->token = (struct bytes){0};
    }
    return block;
}

/* "condition: " in front. */
static struct bytes take_name(struct parser *parser)
{
    size_t size = strcspn(parser->at, ": |[]()");
    struct bytes name = {parser->at, size};
    if (!islower((unsigned char)*parser->at) || strncmp(parser->at + size, ": ", 2) != 0)
        return (struct bytes){0};
    parser->at += size + 2;
    return name;
}

static enum status parse_group(struct parser *parser, struct syntax_argument *out)
{
    struct chain alternatives;
    chain_init(&alternatives);
    skip_blanks(parser);
    struct bytes name = take_name(parser);
    for (;;) {
        struct chain sequence;
        enum status status = parse_sequence(parser, &sequence);
        if (status != STATUS_OK)
            return status;
        if (sequence.count == 0)
            return STATUS_SYNTAX;
        chain_add(&alternatives, parser, as_one(parser, &sequence));
        if (*parser->at != '|')
            break;
        parser->at++;
    }
    *out = *alternatives.first;
    if (alternatives.count > 1) {
        *out = (struct syntax_argument){.type = BYTES("oneof"), .arguments = alternatives.first};
        for (struct syntax_argument *a = out->arguments; a != NULL; a = a->next)
            name_container(parser, a);
    }
    if (name.size > 0)
        out->name = name;
    return STATUS_OK;
}

enum status command_syntax_parse(const char *syntax, struct arena *arena,
                                 struct syntax_argument **out_first)
{
    struct parser parser = {.at = syntax, .arena = arena};
    struct chain chain;
    enum status status = parse_sequence(&parser, &chain);
    if (status == STATUS_OK && *parser.at != '\0')
        status = STATUS_SYNTAX;
    if (status == STATUS_OK)
        *out_first = chain.first;
    return status;
}
