/* SPDX-License-Identifier: MIT */
/* MONITOR: clients that are shown every command that is run, as a line of Redis's. */
#ifndef SESSION_MONITOR_H
#define SESSION_MONITOR_H

#include "session/session.h"

/*
 * The line, as a simple string: time, database and client, arguments in quotes with escapes:
 *   +1700000000.123000 [0 127.0.0.1:50000] "set" "key" "a\r\n\xff"
 */
void monitor_line(const struct session *session, const struct request *request, struct buffer *out);

/* Shows the request that a session has just run to all who watch, unless the command is one that is
 * kept from them (an operator's). Secrets are redacted by now. What was written to the monitors is
 * for the caller to send: sessions.monitors. Returns whether there was anything. */
bool monitor_show(struct session *session, const struct request *request);

#endif
