/* SPDX-License-Identifier: MIT */
/*
 * What a world is about. Faults that are drawn each by itself seldom meet: what a stand-in keeps is
 * lost only if the others lose it while it does; who collects too early is seen only where somebody
 * has an old copy just then; and a clock that is off by minutes forgives nearly everything. So half
 * of the seeds have a theme: it says how many nodes and copies there are, what clients mostly do,
 * and which faults come, some of them together. The other half is drawn as cluster_plan.c has it.
 *
 * Some themes are scenes (cluster_scene.h): they are for rules whose breach only a certain order of
 * faults can show. They are run where they are asked for, so what other seeds mean stays.
 */
#ifndef SIM_CLUSTER_THEME_H
#define SIM_CLUSTER_THEME_H

#include "base/random.h"
#include "sim/cluster_client.h"
#include "sim/cluster_node.h"

enum theme {
    THEME_NONE,
    THEME_HANDOVER,  /* stand-ins, whose owners come back when others have lost what they kept */
    THEME_DELETIONS, /* much is deleted, and collected while copies are slow, or lost */
    THEME_COUNTERS,  /* many clients count, nodes die and forget */
    THEME_MEMBERS,   /* nodes come and go */
    THEME_STRICT,    /* quorums of owners alone, links that fail */
    THEME_CALM,      /* nothing fails, everything is slow, clients change their nodes */
    THEME_DISKS,     /* every acknowledgement waits for a sync; power, room and disks go */
    THEMES_DRAWN,    /* these are drawn; the others, for which scenes are set, are asked for: */
    THEME_SWEPT = THEMES_DRAWN, /* power is cut where tombstones are being collected */
    THEME_LATE,                 /* what is deleted and collected is still on slow ways elsewhere */
    THEME_MISSED,               /* one misses writes, another deletions; then both are back */
    THEME_PUSHED,               /* who hands over what it alone has is cut off while it does */
    THEME_MOVING,               /* strict quorums while slots move, over slow ways */
    THEME_BEHIND,               /* an owner is away while slots move, and comes back */
    THEME_FLAPPING,             /* three nodes, few keys, strict, one that comes and goes */
    THEMES,
};

const char *theme_name(enum theme theme);
/* THEMES: none has that name. */
enum theme theme_named(const char *name);

/* Once in how many worlds of that theme a kind of fault exists (enum fault_kind); 0: never. */
unsigned theme_fault_odds(enum theme theme, int kind);

/* Of half of the seeds one. */
enum theme theme_draw(struct random *random);

/* After settings and load are drawn; `nodes` are there already if the caller wants so many. */
void theme_shape(enum theme theme, struct random *random, unsigned nodes,
                 struct cluster_settings *settings, struct cluster_load *load);

#endif
