/* SPDX-License-Identifier: MIT */
/*
 * What nodes say to each other: one number for each kind of message. Sixteen numbers for each
 * module that speaks; what the payload looks like is drawn in that module's own codec. A node that
 * hears a number it does not know drops the message: a newer node may say more.
 */
#ifndef BUS_MESSAGE_H
#define BUS_MESSAGE_H

enum message_family {
    MESSAGES_GOSSIP = 0x00, /* cluster/gossip.h */
    MESSAGES_AGREE = 0x10,  /* cluster/agree.h */
    MESSAGES_QUORUM = 0x20, /* quorum/quorum.h */
    MESSAGES_SYNC = 0x30,   /* sync/sync.h */
    MESSAGES_NODE = 0x40,   /* node/forward.h */
};

static inline enum message_family message_family(unsigned type)
{
    return (enum message_family)(type & ~0xfu);
}

enum {
    MESSAGE_TYPES = 0x50,
    /* Of a payload. What is larger goes in parts: rows are at most 1 MiB each. */
    MESSAGE_SIZE_MAX = 4 * 1024 * 1024,
};

#endif
