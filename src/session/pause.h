/* SPDX-License-Identifier: MIT */
/*
 * CLIENT PAUSE: for a time commands wait, all or those that may change data, each client's in their
 * order. A session whose command waits is on sessions.postponed; when the pause ends they are taken
 * up again, first come, first served.
 */
#ifndef SESSION_PAUSE_H
#define SESSION_PAUSE_H

#include "session/session.h"

/* Neither a shorter nor a milder pause than the one under way. */
void pause_begin(struct sessions *sessions, enum pause kind, uint64_t until_ms);

/* Those who waited are to be run again. Nothing, if there is no pause. */
void pause_end(struct sessions *sessions);

/* Whether a command with these flags has to wait. MONITOR's clients never do, as in Redis. */
static inline bool pause_holds(const struct session *session, uint32_t flags)
{
    enum pause kind = session->sessions->pause;
    return kind != PAUSE_NONE && list_is_empty(&session->monitoring) &&
           (kind == PAUSE_ALL || (flags & (CMD_WRITE | CMD_MAY_REPLICATE)));
}

/* The session's command waits for the end of the pause. */
void pause_postpone(struct session *session);

/* It waits no longer, whatever comes next: nothing, if it does not wait. */
void pause_forget(struct session *session);

#endif
