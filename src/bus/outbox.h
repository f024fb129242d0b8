/* SPDX-License-Identifier: MIT */
/*
 * Where what a module has to say to other nodes goes. Messages to one node arrive in the order in
 * which they were sent, each at most once; they may not arrive at all, when the link breaks.
 */
#ifndef BUS_OUTBOX_H
#define BUS_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "bus/message.h"

struct outbox {
    /* False: there is no link to that node now, or what waits to be sent is too much; the message
     * is dropped. The payload, at most MESSAGE_SIZE_MAX, is copied. Never calls back. */
    bool (*send)(void *context, uint64_t node, unsigned type, struct bytes payload);
    void *context;
};

static inline bool outbox_send(const struct outbox *outbox, uint64_t node, unsigned type,
                               struct bytes payload)
{
    return outbox->send(outbox->context, node, type, payload);
}

#endif
