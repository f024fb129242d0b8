/* SPDX-License-Identifier: MIT */
/*
 * Who is there, and who is alive: what each node says of itself, spread to all by reconciliation
 * (Scuttlebutt: van Renesse et al. 2008), and what this node believes of their lives: phi-accrual
 * on direct probes (Hayashibara et al. 2004), probes through others before anybody is declared down
 * (SWIM: Das et al. 2002; Lifeguard: Dadgar et al. 2018), suspicion that can be refuted.
 *
 * Pure: messages and time in, messages out; `now_ms` is any clock of milliseconds, which may be set
 * back; what this node holds for the wall's is told apart (gossip_set_clock). Who the members are
 * that own data is not decided here but agreed upon: cluster/layout.h.
 */
#ifndef CLUSTER_GOSSIP_H
#define CLUSTER_GOSSIP_H

#include "base/bytes.h"
#include "base/status.h"
#include "bus/bus.h"
#include "bus/outbox.h"

struct gossip;

enum {
    GOSSIP_INTERVAL_MS = 1000,
    GOSSIP_SUSPICION_MS = 5000, /* without refutation: then it is down */
    GOSSIP_ZONE_MAX = 64,       /* with its NUL */
    GOSSIP_PEERS_MAX = 4096,
    GOSSIP_INDIRECT = 3, /* others that are asked to probe */
    GOSSIP_ABSENT_MAX = 16,
};

/* What a node says of itself. */
struct gossip_self {
    uint64_t node;
    uint64_t generation;     /* grows with each start: milliseconds of the Unix epoch */
    char host[BUS_HOST_MAX]; /* how others reach it: a name, or an address */
    uint16_t port, bus_port; /* of clients, of the bus */
    char zone[GOSSIP_ZONE_MAX];
    uint32_t weight;         /* RING_WEIGHT: as others */
    bool leaving;            /* wishes to own nothing */
    uint64_t cluster;        /* the layout's that it has; 0: none yet, it wants to join */
    uint64_t layout_version; /* newest that it has, durably */
    uint64_t
        synced_version; /* it has taken over all that it gained in the layout of this version */
    unsigned absent_count;
    uint64_t absent[GOSSIP_ABSENT_MAX]; /* members that it has held for down so long that it would
                                           remove them (cluster/change.h), ascending */
    uint16_t lost; /* bits: which of these for so long that collection waits no more for them */
    uint64_t
        empty_version; /* no member, it holds nothing, durably, in the layout of this version */
};

/*
 * A node that was just heard of is suspect until it has answered. One that others reach but this
 * node doesn't (a cut in one direction, a link that cannot be had) stays suspect here and never is
 * down; only a first silence, which may have been chance, is forgiven on others' word.
 */
enum gossip_life {
    GOSSIP_UP,
    GOSSIP_SUSPECT, /* it doesn't answer, or its link broke: to be passed over for now */
    GOSSIP_DOWN,    /* nobody has heard of it during the suspicion */
};

struct gossip_peer {
    struct gossip_self said; /* as last heard */
    enum gossip_life life;   /* what this node believes */
    uint64_t since_ms;       /* of that */
    uint64_t heard_ms;       /* the last answer to a probe of this node; 0: none yet */
    uint32_t reports;        /* other nodes that have said lately that they suspect it */
    double phi;
};

struct gossip_options {
    struct gossip_self self;
    uint64_t random; /* a seed */
    struct outbox outbox;
};

struct gossip *gossip_new(const struct gossip_options *options, uint64_t now_ms);
void gossip_free(struct gossip *gossip);

/* What it says of itself: to be changed freely, but for node and generation; gossip_changed tells
 * that it was. The generation is raised when others know of a later life of this node (its clock
 * was set back). What is no printable text in host and zone, and blanks in the host, are said as
 * '?'. */
struct gossip_self *gossip_self(struct gossip *gossip);
void gossip_changed(struct gossip *gossip);

/*
 * A message of the family MESSAGES_GOSSIP. STATUS_CORRUPT: it is none. Messages older than what is
 * known change nothing. That this node is suspected is refuted at once.
 */
MUST_CHECK enum status gossip_receive(struct gossip *gossip, uint64_t from, unsigned type,
                                      struct bytes payload, uint64_t now_ms);

void gossip_tick(struct gossip *gossip, uint64_t now_ms);
uint64_t gossip_deadline_ms(const struct gossip *gossip);

/* The link to it has come up: it is spoken to at once. It may be new to us. */
void gossip_link_up(struct gossip *gossip, uint64_t node, uint64_t now_ms);

/* The link broke, or dialing failed: it is suspect from now on, and others are asked. */
void gossip_link_down(struct gossip *gossip, uint64_t node, uint64_t now_ms);

/* The link is up, but nothing has come of what went out on it: suspect until it answers itself.
 * Others' word that it lives does not help. */
void gossip_silent(struct gossip *gossip, uint64_t node, uint64_t now_ms);

/* This process stood still (SIGSTOP, a long pause): silence of others in that time says nothing. */
void gossip_stalled(struct gossip *gossip, uint64_t stalled_ms, uint64_t now_ms);

/* An operator's word: forget it, and what others say of this generation of it, for a minute. */
void gossip_forget(struct gossip *gossip, uint64_t node, uint64_t now_ms);

/* NULL: never heard of. Not this node itself. */
const struct gossip_peer *gossip_peer(const struct gossip *gossip, uint64_t node);

/* In the order of node numbers, from 0; NULL past the last. Not this node itself. */
const struct gossip_peer *gossip_peer_at(const struct gossip *gossip, size_t index);

/* Whether it may be relied on now: itself, or a peer that is GOSSIP_UP. */
bool gossip_is_up(const struct gossip *gossip, uint64_t node);

/* Grows with each change of somebody's life or of what somebody says: who derives something
 * from them looks whether it has. */
uint64_t gossip_version(const struct gossip *gossip);

/*
 * What this node's answers say of its clocks, each as ahead of `now_ms`: the time that it goes by,
 * and the wall clock, which it may not believe (cluster/timekeeper.h). `sure`: another's clock, or
 * nobody's, has confirmed that time. Until it is told: `now_ms`, and sure.
 */
struct gossip_clock {
    int64_t time_ms, wall_ms;
    bool sure;
};
void gossip_set_clock(struct gossip *gossip, const struct gossip_clock *clock);

/*
 * How far `now_ms` is ahead of the median of the times that peers go by, as their answers tell, in
 * milliseconds; negative: behind. Of an even number of peers, the middle one that is nearer to what
 * this node itself goes by. Those that are not sure count only where nobody is. 0 where there is
 * none to compare with.
 */
int64_t gossip_clock_offset_ms(const struct gossip *gossip);

/* Whether that is to be relied on: two peers have told, or the only one that there is. Not yet so
 * for a moment after a start. */
bool gossip_clock_is_known(const struct gossip *gossip);

/* Of whom the median is made, and whether they are sure. */
size_t gossip_clock_voters(const struct gossip *gossip, bool *out_sure);

/* How many peers' wall clocks, as they last told, show a time no further than `off_ms` from this
 * one. */
size_t gossip_walls_near(const struct gossip *gossip, uint64_t wall_ms, uint64_t off_ms);

/* How many peers it knows. */
size_t gossip_peer_count(const struct gossip *gossip);

#endif
