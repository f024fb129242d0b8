/* SPDX-License-Identifier: MIT */
/*
 * Scenes: faults set so that they meet. Some rules are broken to no harm unless things happen in a
 * certain order: a tombstone is collected from memory, and the power of one who had confirmed it
 * goes before it was synced. Chance alone does not get there in any number of seeds. A scene draws
 * when and whom its faults strike, and lets some of them wait for what nodes do (enum
 * fault_trigger); what the nodes do it leaves to them.
 */
#ifndef SIM_CLUSTER_SCENE_H
#define SIM_CLUSTER_SCENE_H

#include "base/random.h"

struct cluster_plan;

/* Adds to a plan what its theme's scene needs; of themes that are none nothing. */
void scene_draw(struct cluster_plan *plan, struct random *random);

#endif
