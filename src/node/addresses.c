/* SPDX-License-Identifier: MIT */
#include "node/addresses.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/pack.h"

enum {
    FORM = 1,
    NODE_BITS = 48,
    FILE_SIZE_MAX = 1024 * 1024,
};

static const char file_name[] = "peers";

struct address {
    uint64_t node;
    char host[BUS_HOST_MAX];
    uint16_t port;
};

static struct address *address_of(struct addresses *addresses, uint64_t node)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (addresses->items[i].node == node)
            return &addresses->items[i];
    size_t count = ++addresses->count;
    addresses->items = memory_resize(addresses->items, count * sizeof(*addresses->items));
    struct address *address = &addresses->items[count - 1];
    *address = (struct address){.node = node};
    return address;
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool decode_one(struct unpack *in, struct address *out)
{
    *out = (struct address){.node = unpack_next_varint(in)};
    uint64_t port = unpack_next_varint(in);
    uint64_t size = unpack_next_varint(in);
    if (in->failed || out->node >> NODE_BITS != 0 || port == 0 || port > UINT16_MAX || size == 0 ||
        size >= sizeof(out->host))
        return false;
    struct bytes host = unpack_bytes(in, size);
    if (in->failed || memchr(host.data, '\0', host.size))
        return false;
    out->port = (uint16_t)port;
    memcpy(out->host, host.data, host.size);
    return true;
}

static void encode(const struct addresses *addresses, struct buffer *out)
{
    buffer_append_u8(out, FORM);
    for (size_t i = 0; i < addresses->count; i++) {
        const struct address *address = &addresses->items[i];
        buffer_append_varint(out, address->node);
        buffer_append_varint(out, address->port);
        buffer_append_varint(out, strlen(address->host));
        buffer_append(out, address->host, strlen(address->host));
    }
}

void addresses_load(struct addresses *addresses, struct files *files, const struct layout *layout,
                    uint64_t own_node, struct bus *bus)
{
    struct buffer *bytes = &addresses->written;
    if (files_read_all(files, file_name, FILE_SIZE_MAX, bytes) != STATUS_OK)
        return;
    struct unpack in = unpack_begin(buffer_bytes(bytes));
    struct address said;
    if (unpack_next_u8(&in) != FORM)
        return;
    while (in.next < in.end && decode_one(&in, &said)) {
        if (!layout || !layout_is_member(layout, said.node) || said.node == own_node)
            continue;
        *address_of(addresses, said.node) = said;
        bus_want(bus, said.node, said.host, said.port);
    }
}

void addresses_deinit(struct addresses *addresses)
{
    memory_free(addresses->items);
    buffer_deinit(&addresses->written);
    *addresses = (struct addresses){0};
}

/* ---- what gossip says ------------------------------------------------------------------------ */

bool addresses_drop(struct addresses *addresses, const struct layout *layout, uint64_t *out_node)
{
    for (size_t i = 0; i < addresses->count; i++) {
        if (layout_is_member(layout, addresses->items[i].node))
            continue;
        *out_node = addresses->items[i].node;
        addresses->items[i] = addresses->items[--addresses->count];
        return true;
    }
    return false;
}

void addresses_keep(struct addresses *addresses, struct files *files, const struct layout *layout,
                    const struct gossip *gossip)
{
    const struct gossip_peer *peer;
    for (size_t i = 0; (peer = gossip_peer_at(gossip, i)); i++) {
        const struct gossip_self *said = &peer->said;
        if (!layout_is_member(layout, said->node) || !said->host[0] || said->bus_port == 0)
            continue;
        struct address *address = address_of(addresses, said->node);
        snprintf(address->host, sizeof(address->host), "%s", said->host);
        address->port = said->bus_port;
    }
    struct buffer now = {0};
    encode(addresses, &now);
    if (!bytes_equal(buffer_bytes(&now), buffer_bytes(&addresses->written)) &&
        files_replace(files, file_name, buffer_bytes(&now)) == STATUS_OK) {
        buffer_deinit(&addresses->written);
        addresses->written = now;
        return;
    }
    buffer_deinit(&now);
}
