/* SPDX-License-Identifier: MIT */
/*
 * The messages of gossip as bytes. Numbers are varints, but for node numbers (six bytes, the lowest
 * first) and hashes (eight). Lists have no count: they go to the end of the payload.
 *
 *   SUMMARY    hash of all marks                         all that I know, in eight bytes
 *   DIGEST     mark...                                   all that I know; ascending by node
 *   ASK        mark...                                   what I know of these, which is too little
 *   ENTRIES    entry...                                  what you didn't know
 *   NEWS       entry...                                  the same, to be passed on at once
 *   PROBE      number, sent                              are you there?
 *   ANSWER     number, sent, time, wall clock, sure 0|1  yes; the first two are the probe's
 *   PROBE_FOR  number, node                              probe that one for me
 *   PROBED     number, node, 0|1                         it has answered me (1), or not (0)
 *   REPORTS    report...                                 whom somebody suspects
 *
 *   mark       node, generation, version
 *   report     reporter, suspect, the suspect's generation, its incarnation
 *   entry      node, generation, version, incarnation,
 *              size of the host, host, port, bus port, size of the zone, zone,
 *              weight, leaving 0|1, cluster (8 bytes), layout version, synced version,
 *              how many are absent, these nodes, ascending, which are lost: bits; empty version
 */
#ifndef CLUSTER_GOSSIP_CODEC_H
#define CLUSTER_GOSSIP_CODEC_H

#include "base/buffer.h"
#include "base/pack.h"
#include "cluster/gossip.h"

enum gossip_message {
    GOSSIP_SUMMARY = MESSAGES_GOSSIP,
    GOSSIP_DIGEST,
    GOSSIP_ASK,
    GOSSIP_ENTRIES,
    GOSSIP_NEWS,
    GOSSIP_PROBE,
    GOSSIP_ANSWER,
    GOSSIP_PROBE_FOR,
    GOSSIP_PROBED,
    GOSSIP_REPORTS,
};

/* Generations, versions and incarnations are smaller. Those that a node outbids, when others say
 * them of it, are smaller still: so what it says itself stays below the limit. */
#define GOSSIP_NUMBER_MAX ((uint64_t)1 << 62)
#define GOSSIP_OUTBID_MAX ((uint64_t)1 << 61)

struct gossip_mark {
    uint64_t node, generation, version;
};

struct gossip_entry {
    struct gossip_self said;
    uint64_t version;     /* counts what was said in this generation */
    uint64_t incarnation; /* counts refutations in this generation */
};

struct gossip_report {
    uint64_t reporter, suspect, generation, incarnation;
};

void gossip_put_node(struct buffer *out, uint64_t node);
void gossip_put_number(struct buffer *out, uint64_t number);
void gossip_put_mark(struct buffer *out, const struct gossip_mark *mark);
void gossip_put_entry(struct buffer *out, const struct gossip_entry *entry);
void gossip_put_report(struct buffer *out, const struct gossip_report *report);

/* What is wrong sets in->failed. */
uint64_t gossip_take_node(struct unpack *in);
void gossip_take_mark(struct unpack *in, struct gossip_mark *out);
void gossip_take_entry(struct unpack *in, struct gossip_entry *out);
void gossip_take_report(struct unpack *in, struct gossip_report *out);

/* Whether there is more of a list. */
static inline bool gossip_has_more(const struct unpack *in)
{
    return !in->failed && in->next < in->end;
}

/* STATUS_CORRUPT where reading has failed, or has left something. */
MUST_CHECK enum status gossip_taken(const struct unpack *in);

/* Hosts and zones stand in lines for people and programs to read: what would break these doesn't
 * travel, and becomes '?'. */
void gossip_clean_text(char *text, size_t size, bool is_host);

#endif
