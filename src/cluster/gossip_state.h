/* SPDX-License-Identifier: MIT */
/*
 * What gossip.c (who says what), probe.c (who answers) and rumour.c (what is passed on at once)
 * share. Nobody else includes it.
 *
 * Time inside is `time_ms`: it follows the caller's clock, but never goes back when that does. What
 * the header shows (since_ms, heard_ms) is of the caller's clock.
 */
#ifndef CLUSTER_GOSSIP_STATE_H
#define CLUSTER_GOSSIP_STATE_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/random.h"
#include "cluster/detector.h"
#include "cluster/gossip.h"
#include "cluster/gossip_codec.h"

enum {
    GOSSIP_STEP_MS = 100,   /* how often lives are looked at */
    GOSSIP_RETRY_MS = 250,  /* an unanswered probe is repeated */
    GOSSIP_PROBES = 32,     /* in a round at most: 1,000 peers have their turn in half a minute */
    GOSSIP_ROUND_ASKS = 64, /* suspects in a round that others are asked about again */
    GOSSIP_ERRANDS_MAX = 1024, /* probes for others under way */
    GOSSIP_ERRAND_MS = 500,    /* they take at most, then the answer is no */
    GOSSIP_REPORTERS_MAX = 8,  /* for each suspect; more are not counted */
    GOSSIP_REPORT_MS = 10000,  /* how long a report counts */
    GOSSIP_REPEAT_MS = 2000,   /* a suspect for whom nobody vouches is reported again */
    GOSSIP_FANOUT = 8,         /* peers that news are passed on to: e^-8 are left out, on average */
    GOSSIP_NEWS_MS = 50,       /* news are gathered so long, when there are many */
    GOSSIP_PART_SIZE = 65536,  /* of a message of entries, about */
    GOSSIP_DOWN_ODDS = 4,      /* a round in so many speaks to one who is down, too */
    GOSSIP_HEALTH_MAX = 3,     /* Lifeguard's score of one's own troubles */
    GOSSIP_LATE_MS = 1000,     /* a tick that is so late: the process stood still */
    GOSSIP_RTT_MAX_MS = 1000,  /* of an answer that tells the time */
    GOSSIP_FORGOTTEN_MS = 60000,
    GOSSIP_FORGOTTEN_MAX = GOSSIP_PEERS_MAX,
};

struct reporter {
    uint64_t node;
    uint64_t time_ms;
};

struct peer {
    struct gossip_peer view;
    uint64_t version, incarnation;

    struct list watched; /* in gossip->watched: it is waited for, or suspect */
    bool waiting;        /* a probe is not answered */
    uint64_t waiting_ms; /* since the first such */
    uint64_t retry_ms;
    bool broken; /* the link to it: nothing that we say arrives */

    /* While it is suspect or down. */
    uint64_t suspect_probe;       /* probes up to this one were sent before: no proof of life */
    uint64_t suspect_incarnation; /* a higher one is */
    uint64_t down_ms;             /* when the suspicion ends */
    uint64_t reported_ms;         /* by us */
    uint64_t vouched_ms;          /* somebody had heard of it */
    uint64_t asked_ms;
    unsigned asked, replied; /* others, in the last round of asking */
    bool cleared; /* by others' word, since it last answered itself: that helps once only */

    struct detector detector;
    struct reporter reporters[GOSSIP_REPORTERS_MAX]; /* view.reports of them */

    bool news;   /* its entry is to be passed on */
    bool rumour; /* a report of it is to be passed on: the reporter is... */
    uint64_t rumour_from;
    bool rumoured; /* once for each incarnation */

    bool has_offset;
    bool sure;         /* of its time */
    int64_t offset_ms; /* of our clock from its time, */
    int64_t wall_ms;   /* and from its wall clock */
};

/* A probe for somebody else. */
struct errand {
    uint64_t asker, asker_number, target, number, end_ms;
};

struct forgotten {
    uint64_t node, generation, end_ms;
};

struct gossip {
    struct gossip_self self; /* as the caller wants it */
    struct gossip_entry own; /* as it was last said */
    struct outbox outbox;
    struct random random;

    uint64_t clock_ms; /* the caller's, last seen */
    uint64_t time_ms, start_ms;
    uint64_t step_ms, round_ms; /* when due */
    uint64_t news_ms;           /* not before */
    bool has_news, own_news;
    uint64_t outbid_generation, outbid_version; /* heard of itself: somebody has its number */

    struct peer **peers; /* by node number */
    struct list watched; /* those that a step must look at: few, mostly */
    size_t count, capacity;
    size_t next_probe, next_ask; /* whose turn it is */
    uint64_t summary;            /* XOR of the hashes of all marks */
    uint64_t summary_ms;         /* when it was last said to somebody */
    uint64_t version;

    uint64_t number; /* of the last probe */
    struct errand errands[GOSSIP_ERRANDS_MAX];
    unsigned errand_count;
    unsigned health;         /* 0: well. Waits are 1 + health times as long */
    bool troubled, answered; /* since the last round */

    struct forgotten *forgotten;
    unsigned forgotten_count;
    struct gossip_clock clock; /* what it says of its own */
    int64_t offset_ms;
    size_t voters; /* of whom that is the median */
    bool sure;
    struct buffer out;
};

/* ---- gossip.c -------------------------------------------------------------------------------- */

struct peer *gossip_find(const struct gossip *gossip, uint64_t node);
bool gossip_say(struct gossip *gossip, uint64_t node, enum gossip_message type);
void gossip_say_own(struct gossip *gossip, uint64_t node);
void gossip_publish(struct gossip *gossip); /* says what gossip->self is now, to all */
void gossip_entry_of(const struct peer *peer, struct gossip_entry *out);

/* Up to `limit` different peers that `suits`, drawn by lot. */
size_t gossip_draw(struct gossip *gossip, bool (*suits)(const struct peer *, uint64_t except),
                   uint64_t except, size_t limit, struct peer **out);
bool gossip_suits_up(const struct peer *peer, uint64_t except);

/* ---- probe.c --------------------------------------------------------------------------------- */

void probe_send(struct gossip *gossip, struct peer *peer);
void probe_begin(struct gossip *gossip, struct peer *peer); /* it is new to us */
void probe_suspect(struct gossip *gossip, struct peer *peer);
void probe_vouch(struct gossip *gossip, struct peer *peer); /* somebody has heard of it */
void probe_restarted(struct gossip *gossip, struct peer *peer);
void probe_step(struct gossip *gossip);
void probe_round(struct gossip *gossip);
void probe_pardon(struct gossip *gossip);
void probe_trouble(struct gossip *gossip); /* this node itself seems to be unwell */

MUST_CHECK enum status probe_hear(struct gossip *gossip, uint64_t from, struct unpack *in);
MUST_CHECK enum status probe_hear_answer(struct gossip *gossip, uint64_t from, struct unpack *in);
MUST_CHECK enum status probe_hear_errand(struct gossip *gossip, uint64_t from, struct unpack *in);
MUST_CHECK enum status probe_hear_probed(struct gossip *gossip, struct unpack *in);

/* ---- rumour.c -------------------------------------------------------------------------------- */

void rumour_news(struct gossip *gossip, struct peer *peer);   /* NULL: this node's own entry */
void rumour_report(struct gossip *gossip, struct peer *peer); /* this node suspects it */
void rumour_refuted(struct peer *peer);                       /* or it answered */
void rumour_step(struct gossip *gossip);                      /* old reports */
void rumour_flush(struct gossip *gossip);
MUST_CHECK enum status rumour_hear_reports(struct gossip *gossip, uint64_t from, struct unpack *in);

#endif
