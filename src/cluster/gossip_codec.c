/* SPDX-License-Identifier: MIT */
#include "cluster/gossip_codec.h"

#include "base/check.h"

enum { NODE_SIZE = 6, PORT_MAX = 65535 };

/* ---- writing --------------------------------------------------------------------------------- */

void gossip_put_node(struct buffer *out, uint64_t node)
{
    char bytes[sizeof(node)];
    check(node >> (8 * NODE_SIZE) == 0);
    pack_u64(bytes, node);
    buffer_append(out, bytes, NODE_SIZE);
}

void gossip_put_number(struct buffer *out, uint64_t number)
{
    char *start = buffer_reserve(out, VARINT_MAX);
    buffer_commit(out, (size_t)(pack_varint(start, number) - start));
}

void gossip_put_mark(struct buffer *out, const struct gossip_mark *mark)
{
    gossip_put_node(out, mark->node);
    gossip_put_number(out, mark->generation);
    gossip_put_number(out, mark->version);
}

static void put_text(struct buffer *out, const char *text)
{
    struct bytes bytes = bytes_text(text);
    gossip_put_number(out, bytes.size);
    buffer_append_bytes(out, bytes);
}

void gossip_put_entry(struct buffer *out, const struct gossip_entry *entry)
{
    const struct gossip_self *said = &entry->said;
    char cluster[sizeof(said->cluster)];
    gossip_put_node(out, said->node);
    gossip_put_number(out, said->generation);
    gossip_put_number(out, entry->version);
    gossip_put_number(out, entry->incarnation);
    put_text(out, said->host);
    gossip_put_number(out, said->port);
    gossip_put_number(out, said->bus_port);
    put_text(out, said->zone);
    gossip_put_number(out, said->weight);
    buffer_append_u8(out, said->leaving);
    pack_u64(cluster, said->cluster);
    buffer_append(out, cluster, sizeof(cluster));
    gossip_put_number(out, said->layout_version);
    gossip_put_number(out, said->synced_version);
    gossip_put_number(out, said->absent_count);
    for (unsigned i = 0; i < said->absent_count; i++)
        gossip_put_node(out, said->absent[i]);
    gossip_put_number(out, said->lost);
    gossip_put_number(out, said->empty_version);
}

void gossip_put_report(struct buffer *out, const struct gossip_report *report)
{
    gossip_put_node(out, report->reporter);
    gossip_put_node(out, report->suspect);
    gossip_put_number(out, report->generation);
    gossip_put_number(out, report->incarnation);
}

/* ---- reading --------------------------------------------------------------------------------- */

uint64_t gossip_take_node(struct unpack *in)
{
    char bytes[sizeof(uint64_t)] = {0};
    struct bytes node = unpack_bytes(in, NODE_SIZE);
    memcpy(bytes, node.data, node.size);
    return unpack_u64(bytes);
}

static uint64_t take_below(struct unpack *in, uint64_t limit)
{
    uint64_t number = unpack_next_varint(in);
    if (number < limit)
        return number;
    in->failed = true;
    return 0;
}

void gossip_take_mark(struct unpack *in, struct gossip_mark *out)
{
    out->node = gossip_take_node(in);
    out->generation = take_below(in, GOSSIP_NUMBER_MAX);
    out->version = take_below(in, GOSSIP_NUMBER_MAX);
}

static bool may_travel(char c, bool is_host)
{
    unsigned char byte = (unsigned char)c;
    return byte >= ' ' && byte != 0x7f && !(is_host && byte == ' ');
}

static void take_text(struct unpack *in, char *out, size_t room, bool is_host)
{
    struct bytes text = unpack_bytes(in, take_below(in, room));
    for (size_t i = 0; i < text.size; i++)
        if (!may_travel(text.data[i], is_host))
            in->failed = true;
    memcpy(out, text.data, text.size);
    memset(out + text.size, 0, room - text.size);
}

static void take_absent(struct unpack *in, struct gossip_self *said)
{
    said->absent_count = (unsigned)take_below(in, GOSSIP_ABSENT_MAX + 1);
    memset(said->absent, 0, sizeof(said->absent));
    for (unsigned i = 0; i < said->absent_count; i++) {
        said->absent[i] = gossip_take_node(in);
        in->failed |= i > 0 && said->absent[i] <= said->absent[i - 1];
    }
    said->lost = (uint16_t)take_below(in, UINT64_C(1) << said->absent_count);
    said->empty_version = unpack_next_varint(in);
}

void gossip_take_entry(struct unpack *in, struct gossip_entry *out)
{
    struct gossip_self *said = &out->said;
    said->node = gossip_take_node(in);
    said->generation = take_below(in, GOSSIP_NUMBER_MAX);
    out->version = take_below(in, GOSSIP_NUMBER_MAX);
    out->incarnation = take_below(in, GOSSIP_NUMBER_MAX);
    take_text(in, said->host, sizeof(said->host), true);
    said->port = (uint16_t)take_below(in, PORT_MAX + 1);
    said->bus_port = (uint16_t)take_below(in, PORT_MAX + 1);
    take_text(in, said->zone, sizeof(said->zone), false);
    said->weight = (uint32_t)take_below(in, (uint64_t)UINT32_MAX + 1);
    said->leaving = take_below(in, 2) == 1;
    said->cluster = unpack_next_u64(in);
    said->layout_version = unpack_next_varint(in);
    said->synced_version = unpack_next_varint(in);
    take_absent(in, said);
}

void gossip_take_report(struct unpack *in, struct gossip_report *out)
{
    out->reporter = gossip_take_node(in);
    out->suspect = gossip_take_node(in);
    out->generation = take_below(in, GOSSIP_NUMBER_MAX);
    out->incarnation = take_below(in, GOSSIP_NUMBER_MAX);
}

enum status gossip_taken(const struct unpack *in)
{
    return in->failed || in->next != in->end ? STATUS_CORRUPT : STATUS_OK;
}

void gossip_clean_text(char *text, size_t size, bool is_host)
{
    text[size - 1] = 0;
    for (; *text; text++)
        if (!may_travel(*text, is_host))
            *text = '?';
}
