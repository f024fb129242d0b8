/* SPDX-License-Identifier: MIT */
#include "session/pause.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "security/password.h"

void sessions_init(struct sessions *sessions)
{
    *sessions = (struct sessions){.next_id = 1};
    list_init(&sessions->all);
    list_init(&sessions->resumed);
    list_init(&sessions->closing);
    list_init(&sessions->postponed);
    list_init(&sessions->monitors);
    list_init(&sessions->answered);
}

/* What of a request is the same for all of this client's. */
static void prepare_request(struct session *session)
{
    struct sessions *sessions = session->sessions;
    session->reply.out = &session->output;
    session->request = (struct request){
        .databases = sessions->databases,
        .reply = &session->reply,
        .txn = &session->txn,
        .arena = &session->arena,
        .progress = &session->progress,
        .random = &sessions->random,
        .commands = sessions->commands,
        .session = session,
        .admin = sessions->admin,
        .bulk_size_max = sessions->bulk_size_max,
        .signer = &sessions->signer,
    };
}

static struct session *new_session(struct sessions *sessions, uint64_t now_ms)
{
    struct session *session = memory_zeroed(sizeof(*session));
    session->sessions = sessions;
    session->id = sessions->next_id++;
    list_init(&session->link);
    list_init(&session->waiting);
    list_init(&session->sending);
    list_init(&session->monitoring);
    list_init(&session->queue);
    list_init(&session->answered);
    session->created_ms = session->active_ms = now_ms;
    prepare_request(session);
    session_reset(session);
    return session;
}

struct session *session_new(struct sessions *sessions, const char *address,
                            const char *local_address, uint64_t now_ms)
{
    struct session *session = new_session(sessions, now_ms);
    list_append(&sessions->all, &session->link);
    sessions->count++;
    snprintf(session->address, sizeof(session->address), "%s", address);
    snprintf(session->local_address, sizeof(session->local_address), "%s", local_address);
    return session;
}

struct session *session_new_remote(struct sessions *sessions, struct remote *remote,
                                   uint64_t now_ms)
{
    struct session *session = new_session(sessions, now_ms);
    session->remote = remote;
    session->authenticated = true;
    return session;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    struct sessions *sessions = session->sessions;
    if (session->state == SESSION_FETCHING)
        txn_end(&session->txn);
    pause_forget(session);
    session_set_over_soft(session, false, 0);
    check(list_is_empty(&session->queue) && !session->read_check && !session->gather &&
          !session->wait);
    list_remove(&session->link);
    list_remove(&session->waiting);
    list_remove(&session->sending);
    list_remove(&session->monitoring);
    list_remove(&session->answered);
    sessions->count -= !session->remote;
    sessions->buffer_bytes -= session->buffer_bytes;
    memory_free(session->name);
    memory_free(session->library);
    memory_free(session->library_version);
    buffer_deinit(&session->input);
    buffer_deinit(&session->output);
    buffer_deinit(&session->progress.done);
    request_parser_deinit(&session->parser);
    if (session->arena.blocks)
        arena_deinit(&session->arena);
    memory_free(session);
}

struct session *session_by_id(struct sessions *sessions, uint64_t id)
{
    for (struct list *link = sessions->all.next; link != &sessions->all; link = link->next) {
        struct session *session = list_entry(link, struct session, link);
        if (session->id == id)
            return session;
    }
    return NULL;
}

bool session_authenticate(struct session *session, struct bytes user, struct bytes password)
{
    struct bytes secret = bytes_text(*session->sessions->password);
    bool known = bytes_equal(user, BYTES("default"));
    if (known && (secret.size == 0 || password_matches(password, secret))) {
        session->authenticated = true;
        return true;
    }
    session->sessions->stats->acl_denied_auth++;
    return false;
}

void session_reset(struct session *session)
{
    session->db = 0;
    session->authenticated = **session->sessions->password == '\0';
    session->reply_off = session->reply_skip_next = false;
    session->no_evict = session->no_touch = false;
    session->consistency = (struct session_consistency){0};
    list_remove(&session->monitoring);
    session_set_label(&session->name, BYTES(""));
    session_set_resp(session, 2);
}

void session_set_resp(struct session *session, uint8_t resp)
{
    session->reply.resp = resp;
}

void session_close(struct session *session)
{
    check(session->state != SESSION_FETCHING);
    if (session->state == SESSION_CLOSING)
        return;
    pause_forget(session);
    session->state = SESSION_CLOSING;
    list_remove(&session->waiting);
    list_append(&session->sessions->closing, &session->waiting);
}

void session_kill(struct session *session)
{
    if (session->killed)
        return;
    if (session->state == SESSION_FETCHING)
        txn_end(&session->txn);
    pause_forget(session);
    session->state = SESSION_CLOSING;
    session->killed = true;
    list_remove(&session->waiting);
    list_append(&session->sessions->closing, &session->waiting);
}

void session_account(struct session *session)
{
    uint64_t bytes = session->input.capacity + session->output.capacity + session->queue_bytes;
    if (bytes == session->buffer_bytes)
        return;
    session->sessions->buffer_bytes += bytes - session->buffer_bytes;
    session->buffer_bytes = bytes;
}

void session_set_over_soft(struct session *session, bool over, uint64_t now_ms)
{
    if (over == (session->soft_since_ms != 0))
        return;
    session->soft_since_ms = over ? now_ms : 0;
    if (over)
        session->sessions->soft_count++;
    else
        session->sessions->soft_count--;
}

static bool passed(const struct session *session, uint64_t gate)
{
    return gate == 0 || store_gate_passed(session->sessions->store, gate);
}

size_t session_release_output(struct session *session)
{
    if (passed(session, session->gate))
        session->output_free = session->output_gated;
    if (session->output_free == session->output_gated) {
        session->output_gated = buffer_size(&session->output);
        session->gate = session->gate_rest;
        session->gate_rest = 0;
        if (passed(session, session->gate))
            session->output_free = session->output_gated;
    }
    return session->output_free;
}

/* ---- CLIENT LIST ----------------------------------------------------------------------------- */

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

enum { FLAGS_MAX = 8 };

static void describe_flags(const struct session *session, char out[FLAGS_MAX])
{
    if (!list_is_empty(&session->monitoring))
        *out++ = 'O';
    if (session->state == SESSION_POSTPONED)
        *out++ = 'b';
    if (session->state == SESSION_CLOSING)
        *out++ = session->killed ? 'A' : 'c';
    if (session->no_evict)
        *out++ = 'e';
    if (session->no_touch)
        *out++ = 'T';
    *out = '\0';
}

void session_describe(const struct session *session, uint64_t now_ms, struct buffer *out)
{
    char flags[FLAGS_MAX], command[COMMAND_FULL_NAME_SIZE] = "NULL";
    describe_flags(session, flags);
    if (session->last_command)
        command_full_name(session->last_parent, session->last_command, command, sizeof(command));
    size_t pending = buffer_size(&session->output);
    uint64_t idle_ms = now_ms > session->active_ms ? now_ms - session->active_ms : 0;
    uint64_t age_ms = now_ms > session->created_ms ? now_ms - session->created_ms : 0;
    buffer_printf(out,
                  "id=%" PRIu64 " addr=%s laddr=%s fd=-1 name=%s age=%" PRIu64 " idle=%" PRIu64,
                  session->id, session->address, session->local_address, or_empty(session->name),
                  age_ms / 1000, idle_ms / 1000);
    buffer_printf(out, " flags=%s db=%u sub=0 psub=0 ssub=0 multi=-1", flags[0] ? flags : "N",
                  session->db);
    buffer_printf(out, " qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=0",
                  buffer_size(&session->input) + session->passing,
                  session->input.capacity - buffer_size(&session->input));
    buffer_printf(out, " rbs=%zu rbp=%zu obl=%zu oll=0 omem=0 tot-mem=%zu",
                  session->output.capacity, session->output.capacity, pending,
                  sizeof(*session) + session->input.capacity + session->output.capacity);
    buffer_printf(out, " events=%s cmd=%s user=default redir=-1 resp=%u lib-name=%s lib-ver=%s\n",
                  pending ? "rw" : "r", command, session->reply.resp, or_empty(session->library),
                  or_empty(session->library_version));
}

bool session_is_label(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    return true;
}

void session_set_label(char **label, struct bytes text)
{
    memory_free(*label);
    *label = NULL;
    if (text.size == 0)
        return;
    *label = memory_alloc(text.size + 1);
    memcpy(*label, text.data, text.size);
    (*label)[text.size] = '\0';
}
