/* SPDX-License-Identifier: MIT */
/*
 * The real world of one node: sockets, files, threads, clock, signals. Opens all of it in the order
 * that a second process cannot do harm by (directory, port, store), then turns: what has come goes
 * to the node, and what the node has for its clients goes out.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "command/command.h"
#include "config/config.h"

struct runtime_options {
    struct config *config;
    const struct command *const *commands;
    const char *executable;
    /* The node serves from now on. May be NULL. */
    void (*started)(void *context);
    void *context;
};

/*
 * Runs a node until it is told to stop (SIGTERM, SIGINT, SHUTDOWN). Returns the process's exit
 * code: 0 after a clean stop. What keeps it from starting goes to standard error, one line, and to
 * the log file.
 */
int runtime_run(const struct runtime_options *options);

#endif
