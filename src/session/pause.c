/* SPDX-License-Identifier: MIT */
#include "session/pause.h"

void pause_begin(struct sessions *sessions, enum pause kind, uint64_t until_ms)
{
    if (kind > sessions->pause)
        sessions->pause = kind;
    if (until_ms > sessions->pause_until_ms)
        sessions->pause_until_ms = until_ms;
}

void pause_end(struct sessions *sessions)
{
    sessions->pause = PAUSE_NONE;
    sessions->pause_until_ms = 0;
    while (!list_is_empty(&sessions->postponed)) {
        struct session *session = list_entry(sessions->postponed.next, struct session, waiting);
        pause_forget(session);
        session->state = SESSION_YIELDED;
        list_append(&sessions->resumed, &session->waiting);
    }
}

void pause_postpone(struct session *session)
{
    struct sessions *sessions = session->sessions;
    session->state = SESSION_POSTPONED;
    list_append(&sessions->postponed, &session->waiting);
    sessions->blocked_count++;
}

void pause_forget(struct session *session)
{
    if (session->state != SESSION_POSTPONED)
        return;
    list_remove(&session->waiting);
    session->sessions->blocked_count--;
}
