/* SPDX-License-Identifier: MIT */
/* What the commands of a cluster are told, and may ask for. */
#ifndef NODE_PEERS_ADMIN_H
#define NODE_PEERS_ADMIN_H

#include "admin/admin.h"
#include "node/peers.h"

void peers_admin(struct peers *peers, struct admin_cluster *out);

#endif
