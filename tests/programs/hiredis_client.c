/* SPDX-License-Identifier: MIT */
/*
 * hiredis_client PORT: a round trip of strings, keys, expiry, scans, pipelines, errors.
 * hiredis_client PORT endure: writes and reads until its input ends.
 */
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIPELINE = 10 * 1000, LARGE = 3 * 1024 * 1024, ENDURE_MIN = 1000 };

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

static bool has_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) == 0;
}

static void endure(void)
{
    int count = 0;
    char text[16];
    printf("ready\n");
    fflush(stdout);
    for (; count < ENDURE_MIN || !has_ended(); count++) {
        snprintf(text, sizeof(text), "%d", count);
        expect_text(redisCommand(context, "SET key:%d %s", count % 500, text), REDIS_REPLY_STATUS,
                    "OK", "SET");
        expect_text(redisCommand(context, "GET key:%d", count % 500), REDIS_REPLY_STRING, text,
                    "GET");
    }
    printf("%d done, 0 failed\n", count);
}

int main(int argc, char **argv)
{
    expect(argc == 2 || argc == 3, "usage: hiredis_client PORT [endure]");
    context = redisConnect("127.0.0.1", (int)strtol(argv[1], NULL, 10));
    expect(context && !context->err, "connects");
    if (argc == 3) {
        endure();
        redisFree(context);
        return 0;
    }
    strings();
    large_values();
    keys();
    pipelines();
    scans();
    redisFree(context);
    return 0;
}
