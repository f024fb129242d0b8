/* SPDX-License-Identifier: MIT */
/* Words for stories of requests that other nodes run. For tests with cmocka. */
#ifndef SUPPORT_FORWARD_STORY_H
#define SUPPORT_FORWARD_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "row/slot.h"
#include "support/nodes_world.h"

/* A key that node 1 coordinates, asked for at node 0; another client, at node 2. */
struct story {
    struct nodes *nodes;
    struct caller *caller, *other;
    char key[NODES_KEY_SIZE];
};

static inline struct story begin(void)
{
    struct story story = {.nodes = nodes_new(3)};
    story.caller = caller_new(story.nodes, 0);
    story.other = caller_new(story.nodes, 2);
    nodes_key(story.nodes, 1, 0, story.key);
    return story;
}

/* Of four nodes, all but node 0 own the key. */
static inline struct story begin_with_four(void)
{
    struct story story = {.nodes = nodes_new(4)};
    const struct quorum *quorum = peers_quorum(node_peers(story.nodes->nodes[0].node));
    unsigned number = 0;
    story.caller = caller_new(story.nodes, 0);
    story.other = caller_new(story.nodes, 2);
    do
        nodes_key(story.nodes, 1, number++, story.key);
    while (quorum_may_coordinate(quorum, slot_of_key(bytes_text(story.key))));
    return story;
}

static inline void end(struct story *story)
{
    nodes_free(story->nodes);
}

static inline struct cluster_node *coordinator(struct story *story)
{
    return &story->nodes->nodes[1];
}

/* All three nodes say so. */
static inline void expect_everywhere(struct story *story, const char *request, const char *reply)
{
    for (unsigned node = 0; node < 3; node++) {
        struct caller *caller = caller_new(story->nodes, node);
        caller_say(caller, "%s %s\r\n", request, story->key);
        caller_expect(caller, reply);
        caller_leave(caller);
        story->nodes->caller_count--;
        buffer_deinit(&caller->received);
        buffer_deinit(&caller->unsent);
    }
}

#endif
