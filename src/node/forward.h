/* SPDX-License-Identifier: MIT */
/*
 * Requests that run on another node. The node that has the client sends the request's bytes to the
 * coordinator, which runs them in a session of its own for that client, in the order in which they
 * came, and sends the replies back.
 *
 * When the coordinator is gone before it has answered, the request goes to the next one, but never
 * to be applied twice: if it writes, the owners are first asked what became of it (rule 9). Who
 * cannot know answers "-UNKNOWN". Owners have heard of their own keys only: of a request whose keys
 * have several sets of owners nobody is asked, as if nobody knew.
 *
 * A coordinator that stands still, or whose link is slow, is passed over, and a blind write runs
 * elsewhere; of another one its client is told, after a longer while, that it may have run. Newer
 * writes follow. So that it does not run late, and undo what came after it, every write has an end:
 * a time of the coordinator's own steady clock, from which on it refuses the request. The origin
 * runs it elsewhere, or says that nobody knows, only when that time has passed there for sure. For
 * this it needs to know no more than what that clock says at least: each node tells its own now and
 * then, and from when that was heard both clocks have gone on, at rates that differ by less than
 * 1/FORWARD_DRIFT (a lease: Gray and Cheriton 1989). What a slow link makes late is refused, not
 * lost: it is sent again, with more time. A large write (more than one part) never runs twice:
 * taking it in is reason enough to stand still for a moment.
 *
 * Of a node whose process has ended (bus.h: its links say so) nobody needs to wait for the end: it
 * runs nothing any more. But what it had run before, others may not have heard yet, or not have
 * stored: then nobody would know of it, and the rows of a first run would come after those of a
 * second. So all others are asked first, and answer when they have heard the last of it and stored
 * its rows; that takes as long as a message. The end is for where they don't answer.
 *
 * So a blind write never runs late, but it may have run twice: the first time by a node that could
 * tell nobody. What followed has seen the second run only. Therefore the origin remembers for an
 * hour who may have run it first, asks as soon as there are links what it has made, and tells
 * whoever ran it last, where the second run then covers the first (quorum_cover).
 *
 * Of a first run whose process has ended nobody can be asked: what it has written to its log is
 * there again when it is, without any memory of the request. But all that this process has done it
 * did before the second run, and no other will act as the same actor (rule 1). So the second run is
 * told which actor that was, and is written as one that has seen all that this actor did (see
 * txn_set_dead). A node takes a new epoch when it joins others, so a request also says as which
 * actor its node is known, and is refused by another one. Only where all others too have heard the
 * last of it: who is merely cut off may be writing, and what it writes is to be merged.
 *
 *   FORWARD   client(varint) number(varint) first(varint) flags(1) db(1) read(1) write(1)
 *             until(varint) epoch(varint) dead(1): so many times {actor(varint) time(varint)}
 *             [slots(2048): a bit for each] bytes of the request
 *   FORWARDED number(varint) flags(1) bytes of the reply
 *   GONE      client(varint): it has left
 *   CLOCK     clock(varint) epoch(varint) time(varint): what the sender's says, and who it is: the
 *             actor of its events, none of which is dated later than this yet
 *   LAST_OF   node(varint) number(varint): has the last of that node been heard?
 *   LAST_HEARD number(varint): it has
 *   KEEP      first(varint): that request of the sender's may have run elsewhere before. What it
 *             has made here is not to be forgotten (quorum_keep_made)
 *   OVERTAKEN first(varint): that request of the sender's was run again elsewhere. What has it made
 *             here?
 *   MADE      first(varint) rows (quorum_made)
 *   COVER     first(varint) node(varint) rows: that node has run this request too, which was run
 *             here after it, and has made this
 *
 * Flags: 1 there is more to come in further messages; 2 RESP3; 4 slots follow; 8 (of FORWARDED) it
 * was refused and not run: the sender is to look anew for who should; 16 it is not to run from
 * `until` on, or as an actor of another epoch (0: any); 32 it goes on where the last message of
 * that number ended: without that one it is void; 64 (of FORWARD) it may run twice, (of FORWARDED)
 * it was refused because it came late, or after one of that client that did: it may be sent again;
 * 128 it is: a node that has refused one refuses what its client sent after it, up to here.
 * `number` is another one, larger, each time that a request is sent; `first` is that of the first
 * time, and names the request in the cluster together with the node that it came from.
 */
#ifndef NODE_FORWARD_H
#define NODE_FORWARD_H

#include "node/dispatch.h"
#include "quorum/quorum.h"

struct forwarder;

enum {
    FORWARD_PART_MAX = 1024 * 1024, /* bytes of a request or a reply in one message */
    FORWARD_PART_MS = 50,           /* that a node may take for each of these */
    FORWARD_SLOTS_SIZE = SLOT_COUNT / 8,
    FORWARD_RETRY_MS = 20,     /* after a refusal, or while nobody is there to ask */
    FORWARD_SILENCE_MS = 100,  /* how often it is looked who does not answer */
    FORWARD_END_MS = 250,      /* a blind write is not run so long after it was sent, */
    FORWARD_END_MAX_MS = 4000, /* or twice what it took when it came late, up to this */
    FORWARD_CLOCK_MS = 1000,   /* how often others are told the clock */
    FORWARD_DRIFT = 500,       /* clocks gain or lose less than 1 ms in so many */
    FORWARD_LAST_MS = 100, /* so long it is waited for the last of a node to be heard, at least, */
    FORWARD_LAST_MAX = 4096,       /* and for so many others */
    FORWARD_RUNS_MAX = 3,          /* nodes that may have run a request before it was answered, */
    FORWARD_OVERTAKEN_MAX = 16384, /* and for so many requests they are remembered */
    FORWARD_REMOTES_MAX = 100 * 1000,
    FORWARD_REQUESTS_MAX = 4096, /* of one client that wait for their turn; others are refused */
};

struct forwarder_options {
    uint64_t node;
    uint64_t first_number; /* of requests: above all that this node has ever given */
    struct quorum *quorum;
    const struct gossip *gossip;
    struct dispatch *dispatch; /* runs what others forward */
    struct outbox outbox;
    uint64_t timeout_ms; /* how long a request looks for somebody to run it, if it is not large */
    bool (*hears)(void *context, uint64_t node); /* there is a link on which it speaks */
    void *context;
};

struct forwarder *forwarder_new(const struct forwarder_options *options);
void forwarder_free(struct forwarder *forwarder); /* nothing is under way */

/* One request on its way. Embedded in the caller's; stays until `answered`, or forward_cancel. */
struct forward {
    uint64_t client;    /* requests of one client reach a node in order */
    struct bytes bytes; /* the request, as it came; copied */
    uint8_t db, resp;
    struct consistency consistency;
    bool writes;           /* it may change something */
    bool blind;            /* to run it twice is as good as once */
    bool several_owners;   /* its keys have several sets of them */
    uint16_t slot;         /* whose coordinator runs it, */
    uint64_t fixed;        /* or this node, where it is not 0; */
    const uint64_t *slots; /* it answers for these; NULL: all. Stays as long as this struct. */
    /* The whole reply. Not called from within forward_send. */
    void (*answered)(struct forward *forward, struct bytes reply);
    /* With `fixed`: that node is gone, or refuses. */
    void (*lost)(struct forward *forward);
    void *context;

    struct list link; /* the forwarder's, as are the others */
    struct forwarder *forwarder;
    uint64_t number, node, due_ms, deadline_ms;
    uint64_t first;       /* the number when it was sent first */
    uint64_t end_ms;      /* then its node has not run it, or it never will */
    uint64_t patience_ms; /* from its being sent to its end */
    unsigned state;
    bool has_died;           /* its node: what it did last is waited for */
    bool was_refused;        /* when it was sent last */
    bool was_sent, was_lost; /* somebody may have run it; has gone before it answered: this may be
                                so already when it is sent */
    struct dot actor;        /* of the events of its node; the time as ahead of the steady clock */
    struct dead_actors dead; /* that may have run it. Some may be so already when it is sent */
    unsigned run_count;
    uint64_t runs[FORWARD_RUNS_MAX]; /* nodes that may have run it before */
    struct buffer request, reply;
    struct quorum_outcome outcome;
};

void forward_send(struct forwarder *forwarder, struct forward *forward, uint64_t now_ms);
void forward_cancel(struct forwarder *forwarder, struct forward *forward);

/* A client is gone: those that run things for it need not remember it. */
void forwarder_client_gone(struct forwarder *forwarder, uint64_t client);

/* A message of the family MESSAGES_NODE. STATUS_CORRUPT: it is none. */
MUST_CHECK enum status forwarder_receive(struct forwarder *forwarder, uint64_t from, unsigned type,
                                         struct bytes payload, uint64_t now_ms);

/*
 * What was sent to it is to be run elsewhere. `gone`: the link is broken, so it has run it, or
 * never will. Else it is only silent, and may yet run it: what must not run twice waits for it.
 */
void forwarder_node_lost(struct forwarder *forwarder, uint64_t node, bool gone, uint64_t now_ms);

/* Its process has ended: what it had been sent and not run it never will. To be told before the
 * others, for the link that ended last. */
void forwarder_node_ended(struct forwarder *forwarder, uint64_t node, uint64_t now_ms);

/* The link on which that node spoke is gone: it counts on nothing that it has asked for there and
 * has no answer to. It is not run any more. */
void forwarder_origin_lost(struct forwarder *forwarder, uint64_t node, uint64_t now_ms);

/* A link to it is there: it is told the clock. */
void forwarder_node_up(struct forwarder *forwarder, uint64_t node);

/* ---- for the dispatch: sessions that run what others forward --------------------------------- */

/* Of the request that it runs. */
struct request_id remote_request_id(const struct remote *remote);
/* Of the first request that it has run: what it did for its client before is not known. */
uint64_t remote_first_number(const struct remote *remote);
const uint64_t *remote_slots(const struct remote *remote);

/* Its time is over: it may have run elsewhere, or its client has gone on, so it is to be refused.
 * To be asked at the moment when it is to run, however long it has waited here. */
bool remote_is_late(const struct remote *remote);

/* The request that it runs may run a second time, elsewhere. */
bool remote_may_run_twice(const struct remote *remote);

/* This node is not to run it: */
enum remote_refusal {
    REMOTE_NOT_REFUSED,
    REMOTE_REFUSED, /* another one is */
    REMOTE_LATE,    /* its time is over */
};
/* The reply may go, or instead of it that it is refused. */
void remote_reply(struct remote *remote, uint64_t number, enum remote_refusal refusal,
                  struct bytes reply);

/* Its session has ended by itself, for bytes that were no request. */
void remote_drop(struct remote *remote);

/* How many they are. */
size_t forwarder_remotes(const struct forwarder *forwarder);

/* First runs of requests that were run again, and are to be covered: of nodes that are up. */
size_t forwarder_overtaken(const struct forwarder *forwarder);

/* How much longer than others this node may be silent, for what it has been sent. */
uint64_t forwarder_patience_ms(const struct forwarder *forwarder, uint64_t node);

/* Each turn, before the dispatch resumes: runs what has been waiting for its turn; what has no
 * answer yet and is due is tried again. */
void forwarder_turn(struct forwarder *forwarder, uint64_t now_ms);
uint64_t forwarder_deadline_ms(const struct forwarder *forwarder);

#endif
