/* SPDX-License-Identifier: MIT */
/* Makes a cluster_view of what the layout says and of what gossip knows. */
#ifndef ADMIN_CLUSTER_SURVEY_H
#define ADMIN_CLUSTER_SURVEY_H

#include "admin/cluster_view.h"
#include "cluster/gossip.h"
#include "cluster/layout.h"

/* `layout` NULL: this node has none yet. The texts are borrowed from `gossip`; the rest is in the
 * arena. */
void cluster_survey(const struct layout *layout, struct gossip *gossip, struct arena *arena,
                    struct cluster_view *out);

#endif
