/* SPDX-License-Identifier: MIT */
/*
 * Stands in for what makes a node one of several, in tests of a node alone over a double of the
 * store: none of these is ever called.
 */
#include <stdlib.h>

#include "base/check.h"
#include "node/peers.h"
#include "node/peers_admin.h"
#include "quorum/quorum.h"
#include "sync/sync.h"

#define NEVER(returned, declaration)                                                               \
    returned declaration                                                                           \
    {                                                                                              \
        abort();                                                                                   \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"

NEVER(enum quorum_route, quorum_route(const struct quorum *q, uint16_t slot, uint64_t *out_node))
NEVER(bool, quorum_may_coordinate(const struct quorum *q, uint16_t slot))
NEVER(bool, quorum_same_owners(struct quorum *q, uint16_t a, uint16_t b))
NEVER(bool, quorum_is_unsettled(const struct quorum *q, uint16_t slot))
NEVER(void, quorum_settle(struct quorum *q, const uint16_t *slots, size_t count,
                          struct quorum_write *write))
NEVER(uint64_t, quorum_claims(const struct quorum *q))
NEVER(bool, quorum_is_exclusive(const struct quorum *q))
NEVER(bool, quorum_is_storing(const struct quorum *q, uint64_t from))
NEVER(unsigned, quorum_others_to_ask(struct quorum *q, uint16_t slot,
                                     struct consistency consistency, bool writes, uint64_t now_ms))
NEVER(void, quorum_verify(struct quorum *q, struct quorum_verify *verify, uint64_t now_ms))
NEVER(void, quorum_verify_cancel(struct quorum *q, struct quorum_verify *verify))
NEVER(void, quorum_write(struct quorum *q, const struct txn *txn, struct quorum_write *write,
                         uint64_t now_ms))
NEVER(void, quorum_write_forget(struct quorum *q, struct quorum_write *write))
NEVER(unsigned,
      quorum_mark_count(const struct quorum *q, const struct quorum_mark *mark, unsigned *out_most))
NEVER(void, quorum_mark_init(struct quorum_mark *mark))
NEVER(void, quorum_mark_deinit(struct quorum_mark *mark))
NEVER(unsigned, quorum_other_owners(const struct quorum *q))
NEVER(uint64_t, sync_ask_durable(struct sync *sync))
NEVER(bool, sync_is_durable(const struct sync *sync, uint64_t node, uint64_t question))
NEVER(struct quorum_owners,
      quorum_mark_owners(const struct quorum *q, const struct quorum_mark *mark))
NEVER(unsigned, sync_durable_missing(const struct sync *sync, uint64_t question))
NEVER(void, quorum_ask_outcome(struct quorum *q, struct quorum_outcome *outcome, uint64_t now_ms))
NEVER(void, quorum_outcome_cancel(struct quorum *q, struct quorum_outcome *outcome))
NEVER(void,
      quorum_made(struct quorum *q, struct request_id id, struct buffer *rows, uint64_t now_ms))
NEVER(enum status, quorum_cover(struct quorum *q, struct request_id id, uint64_t node,
                                struct bytes rows, uint64_t now_ms))
NEVER(void, quorum_keep_made(struct quorum *q, struct request_id id, uint64_t now_ms))

NEVER(enum status, peers_open(const struct peers_options *options, uint64_t now_ms,
                              struct peers **out, struct buffer *out_error))
NEVER(struct bus *, peers_bus(struct peers *peers))
NEVER(uint64_t, peers_steady_ms(const struct peers *peers))
NEVER(uint64_t, peers_time_ms(struct peers *peers, uint64_t wall_ms))
NEVER(void, peers_turn_begin(struct peers *peers, uint64_t wall_ms))
NEVER(void, peers_turn_end(struct peers *peers))
NEVER(void, peers_tick(struct peers *peers))
NEVER(void, peers_wake(struct peers *peers))
NEVER(uint64_t, peers_deadline_ms(const struct peers *peers))
NEVER(enum status, peers_failure(const struct peers *peers))
NEVER(void, peers_configure(struct peers *peers))
NEVER(void, peers_admin(struct peers *peers, struct admin_cluster *out))

void peers_close(struct peers *peers)
{
    check(!peers);
}
