/* SPDX-License-Identifier: MIT */
/* hiredis_client PORT: a round trip of strings, keys, expiry, scans, pipelines, errors. */
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIPELINE = 10 * 1000, LARGE = 3 * 1024 * 1024 };

static redisContext *context;

static void expect(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s (%s)\n", what, context && context->err ? context->errstr : "no error");
    exit(1);
}

static void expect_text(redisReply *reply, int type, const char *text, const char *what)
{
    expect(reply && reply->type == type && strcmp(reply->str, text) == 0, what);
    freeReplyObject(reply);
}

static void expect_number(redisReply *reply, long long number, const char *what)
{
    expect(reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == number, what);
    freeReplyObject(reply);
}

static void strings(void)
{
    char binary[] = "a\0b\r\nc";
    expect_text(redisCommand(context, "PING"), REDIS_REPLY_STATUS, "PONG", "PING");
    expect_text(redisCommand(context, "SET %s %b", "k", binary, sizeof(binary)), REDIS_REPLY_STATUS,
                "OK", "SET");
    redisReply *reply = redisCommand(context, "GET k");
    expect(reply && reply->len == sizeof(binary) && !memcmp(reply->str, binary, sizeof(binary)),
           "GET of any bytes");
    freeReplyObject(reply);
    reply = redisCommand(context, "GET none");
    expect(reply && reply->type == REDIS_REPLY_NIL, "GET of nothing");
    freeReplyObject(reply);
    expect_number(redisCommand(context, "INCRBY n %d", 41), 41, "INCRBY");
    expect_number(redisCommand(context, "APPEND n %s", "0"), 3, "APPEND");
    reply = redisCommand(context, "MGET n none k");
    expect(reply && reply->elements == 3 && reply->element[1]->type == REDIS_REPLY_NIL, "MGET");
    expect(strcmp(reply->element[0]->str, "410") == 0, "MGET's first");
    freeReplyObject(reply);
    reply = redisCommand(context, "INCR k");
    expect(reply && reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "not an integer"),
           "an error");
    freeReplyObject(reply);
}

static void large_values(void)
{
    char *value = malloc(LARGE);
    memset(value, 'x', LARGE);
    expect_text(redisCommand(context, "SET large %b", value, (size_t)LARGE), REDIS_REPLY_STATUS,
                "OK", "a large value");
    redisReply *reply = redisCommand(context, "GET large");
    expect(reply && reply->len == LARGE && memcmp(reply->str, value, LARGE) == 0, "comes back");
    freeReplyObject(reply);
    free(value);
}

static void keys(void)
{
    expect_number(redisCommand(context, "EXPIRE n 100"), 1, "EXPIRE");
    redisReply *reply = redisCommand(context, "TTL n");
    expect(reply && reply->integer > 0 && reply->integer <= 100, "TTL");
    freeReplyObject(reply);
    expect_number(redisCommand(context, "PERSIST n"), 1, "PERSIST");
    expect_number(redisCommand(context, "DEL n k none large"), 3, "DEL");
}

static void pipelines(void)
{
    redisReply *reply = NULL;
    for (int i = 0; i < PIPELINE; i++)
        expect(redisAppendCommand(context, "SET key:%d %d", i, i) == REDIS_OK, "append");
    for (int i = 0; i < PIPELINE; i++) {
        expect(redisGetReply(context, (void **)&reply) == REDIS_OK, "a reply of the pipeline");
        expect_text(reply, REDIS_REPLY_STATUS, "OK", "each is done");
    }
}

static void scans(void)
{
    char cursor[32] = "0";
    size_t found = 0;
    do {
        redisReply *reply = redisCommand(context, "SCAN %s MATCH key:* COUNT 500", cursor);
        expect(reply && reply->elements == 2 && reply->element[0]->len < sizeof(cursor), "SCAN");
        memcpy(cursor, reply->element[0]->str, reply->element[0]->len + 1);
        found += reply->element[1]->elements;
        freeReplyObject(reply);
    } while (strcmp(cursor, "0") != 0);
    expect(found == PIPELINE, "SCAN finds all");
}

int main(int argc, char **argv)
{
    expect(argc == 2, "usage: hiredis_client PORT");
    context = redisConnect("127.0.0.1", (int)strtol(argv[1], NULL, 10));
    expect(context && !context->err, "connects");
    strings();
    large_values();
    keys();
    pipelines();
    scans();
    redisFree(context);
    return 0;
}
