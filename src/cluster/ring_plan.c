/* SPDX-License-Identifier: MIT */
/*
 * Planning a ring: who keeps what, who gets what moves.
 *
 *   1. quotas     of zones, of the hosts in a zone, of the members on a host
 *   2. keep       what the ring before gave to members that are still there, where it is allowed
 *   3. relieve    who is above its quota gives copies away
 *   4. fill       places without an owner
 *   5. lead       of each slot's owners one is the first: evenly too
 *
 * A copy that moves goes to the next member clockwise below its quota. Where none of these may hold
 * the slot, another member takes it and gives one of its own away: a chain of moves, and rare.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "cluster/quota.h"
#include "cluster/ring.h"

#define NOBODY UINT32_MAX

enum { EXCHANGE_FAILURES_MAX = 16 }; /* of a plan: then it is not quite balanced */

/* A zone, or a host within a zone. */
struct place {
    uint64_t zone, host;
    uint32_t weight; /* of its members together */
    uint32_t share;  /* copies that it is to hold */
    uint32_t parent; /* of a host: its zone */
    unsigned hosts;  /* of a zone: those with a weight */
};

struct plan {
    struct ring *ring;
    struct place *zones, *hosts; /* sorted */
    uint32_t zone_count, host_count;
    uint32_t *host_of; /* of each member */
    uint32_t *quota, *load;
    uint8_t *held; /* of each slot: how many owners it has so far */
    /* At most `level` copies of a slot stand in a zone, in at most `high_zones` zones so many. */
    unsigned level, high_zones;
    struct ring_point *open; /* the points of members below their quota */
    uint32_t open_count;
    uint32_t cursor; /* where chains are looked for next: those before have been used up */
    unsigned failures;
    uint32_t open_members, open_closed; /* who have points there; of these, no longer below it */
};

/* ---- quotas ---------------------------------------------------------------------------------- */

static int by_zone_and_host(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->zone != y->zone)
        return x->zone < y->zone ? -1 : 1;
    return x->host < y->host ? -1 : x->host > y->host;
}

/* Makes one of those that are alike, in place; returns how many there are then. */
static uint32_t unite(struct place *places, uint32_t count)
{
    uint32_t united = 0;
    qsort(places, count, sizeof(*places), by_zone_and_host);
    for (uint32_t i = 0; i < count; i++) {
        if (united > 0 && by_zone_and_host(&places[united - 1], &places[i]) == 0)
            places[united - 1].weight += places[i].weight;
        else
            places[united++] = places[i];
    }
    return united;
}

static uint32_t find_place(const struct place *places, uint32_t count, struct place wanted)
{
    const struct place *found = bsearch(&wanted, places, count, sizeof(*places), by_zone_and_host);
    return (uint32_t)(found - places);
}

/* Which zones and hosts there are, and where each member is. */
static void find_places(struct plan *plan)
{
    const struct ring *ring = plan->ring;
    uint32_t count = ring->member_count;
    plan->hosts = memory_alloc(count * sizeof(*plan->hosts));
    plan->zones = memory_alloc(count * sizeof(*plan->zones));
    plan->host_of = memory_alloc(count * sizeof(*plan->host_of));
    for (uint32_t i = 0; i < count; i++) {
        const struct ring_member *member = &ring->members[i];
        plan->hosts[i] = (struct place){member->zone, member->host, .weight = member->weight};
    }
    plan->host_count = unite(plan->hosts, count);
    for (uint32_t i = 0; i < plan->host_count; i++)
        plan->zones[i] = (struct place){plan->hosts[i].zone, 0, .weight = plan->hosts[i].weight};
    plan->zone_count = unite(plan->zones, plan->host_count);
    for (uint32_t i = 0; i < plan->host_count; i++) {
        struct place *host = &plan->hosts[i];
        host->parent = find_place(plan->zones, plan->zone_count, (struct place){host->zone, 0});
        plan->zones[host->parent].hosts += host->weight > 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct ring_member *member = &ring->members[i];
        plan->host_of[i] =
            find_place(plan->hosts, plan->host_count, (struct place){member->zone, member->host});
    }
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many copies there can be, and how they are spread over zones. */
static void find_spread(struct plan *plan)
{
    unsigned hosts = 0, room = 0;
    for (uint32_t i = 0; i < plan->host_count; i++)
        hosts += plan->hosts[i].weight > 0;
    plan->ring->copies = smaller(plan->ring->copies, hosts);
    for (plan->level = 0; room < plan->ring->copies;) {
        plan->high_zones = plan->ring->copies - room;
        plan->level++;
        room = 0;
        for (uint32_t i = 0; i < plan->zone_count; i++)
            room += smaller(plan->zones[i].hosts, plan->level);
    }
}

static void share_zones(struct plan *plan)
{
    struct quota *quotas = memory_alloc(plan->zone_count * sizeof(*quotas));
    for (uint32_t i = 0; i < plan->zone_count; i++) {
        unsigned hosts = plan->zones[i].hosts;
        quotas[i] = (struct quota){
            .weight = plan->zones[i].weight,
            .least = (uint64_t)SLOT_COUNT * smaller(hosts, plan->level - 1),
            .most = (uint64_t)SLOT_COUNT * smaller(hosts, plan->level),
        };
    }
    quota_share(quotas, plan->zone_count, (uint64_t)SLOT_COUNT * plan->ring->copies);
    for (uint32_t i = 0; i < plan->zone_count; i++)
        plan->zones[i].share = (uint32_t)quotas[i].share;
    memory_free(quotas);
}

static void share_hosts(struct plan *plan)
{
    struct quota *quotas = memory_alloc(plan->host_count * sizeof(*quotas));
    for (uint32_t begin = 0, end; begin < plan->host_count; begin = end) {
        uint32_t zone = plan->hosts[begin].parent;
        for (end = begin; end < plan->host_count && plan->hosts[end].parent == zone; end++)
            quotas[end] = (struct quota){.weight = plan->hosts[end].weight, .most = SLOT_COUNT};
        quota_share(quotas + begin, end - begin, plan->zones[zone].share);
    }
    for (uint32_t i = 0; i < plan->host_count; i++)
        plan->hosts[i].share = (uint32_t)quotas[i].share;
    memory_free(quotas);
}

/* Seldom are there several on a host; looking through all for each host costs little. */
static void share_members(struct plan *plan)
{
    const struct ring *ring = plan->ring;
    struct quota *quotas = memory_alloc(ring->member_count * sizeof(*quotas));
    uint32_t *members = memory_alloc(ring->member_count * sizeof(*members));
    for (uint32_t host = 0; host < plan->host_count; host++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < ring->member_count; i++) {
            if (plan->host_of[i] != host)
                continue;
            members[count] = i;
            quotas[count++] = (struct quota){.weight = ring->members[i].weight, .most = SLOT_COUNT};
        }
        quota_share(quotas, count, plan->hosts[host].share);
        for (uint32_t i = 0; i < count; i++)
            plan->quota[members[i]] = (uint32_t)quotas[i].share;
    }
    memory_free(quotas);
    memory_free(members);
}

/* ---- who owns a slot ------------------------------------------------------------------------- */

static uint32_t zone_of(const struct plan *plan, uint32_t member)
{
    return plan->hosts[plan->host_of[member]].parent;
}

/* As if the owner at `without` were none: NOBODY, to look at all. */
static unsigned held_in_zone(const struct plan *plan, uint16_t slot, uint32_t zone,
                             uint32_t without)
{
    unsigned count = 0;
    for (unsigned i = 0; i < plan->held[slot]; i++)
        count += i != without && zone_of(plan, plan->ring->owners[slot][i]) == zone;
    return count;
}

/* Of the zones of its owners, how many hold as many as a zone may. */
static unsigned full_zones(const struct plan *plan, uint16_t slot, uint32_t without)
{
    unsigned count = 0;
    for (unsigned i = 0; i < plan->held[slot]; i++) {
        uint32_t zone = zone_of(plan, plan->ring->owners[slot][i]);
        count += i != without && held_in_zone(plan, slot, zone, without) == plan->level;
    }
    return count / plan->level; /* each was counted once for each of its owners */
}

/* Whether one more owner is allowed, by host and zone. */
static bool may_hold(const struct plan *plan, uint16_t slot, uint32_t member, uint32_t without)
{
    for (unsigned i = 0; i < plan->held[slot]; i++)
        if (i != without && plan->host_of[plan->ring->owners[slot][i]] == plan->host_of[member])
            return false;
    unsigned held = held_in_zone(plan, slot, zone_of(plan, member), without);
    if (held + 1 < plan->level)
        return true;
    return held + 1 == plan->level && full_zones(plan, slot, without) < plan->high_zones;
}

static bool is_open(const struct plan *plan, uint32_t member)
{
    return plan->load[member] < plan->quota[member];
}

static void add_owner(struct plan *plan, uint16_t slot, uint32_t member)
{
    check(plan->held[slot] < plan->ring->copies);
    plan->ring->owners[slot][plan->held[slot]++] = (uint16_t)member;
    plan->load[member]++;
    if (plan->load[member] == plan->quota[member])
        plan->open_closed++;
}

/* The others move up: who comes next leads. */
static void replace_owner(struct plan *plan, uint16_t slot, unsigned place, uint32_t heir)
{
    uint16_t *owners = plan->ring->owners[slot];
    plan->load[owners[place]]--;
    plan->held[slot]--;
    for (unsigned i = place; i < plan->held[slot]; i++)
        owners[i] = owners[i + 1];
    add_owner(plan, slot, heir);
}

/* ---- where a copy may go --------------------------------------------------------------------- */

/* Those who have reached their quota are left out once they are half of them. */
static void refresh_open(struct plan *plan)
{
    const struct ring *ring = plan->ring;
    if (2 * plan->open_closed < plan->open_members)
        return;
    plan->open_count = plan->open_members = plan->open_closed = 0;
    for (uint32_t i = 0; i < ring->point_count; i++)
        if (is_open(plan, ring->points[i].member))
            plan->open[plan->open_count++] = ring->points[i];
    for (uint32_t i = 0; i < ring->member_count; i++)
        plan->open_members += is_open(plan, i);
}

/* The first clockwise that is below its quota and may hold the slot. */
static uint32_t find_open(struct plan *plan, uint16_t slot, uint32_t without)
{
    refresh_open(plan);
    uint32_t first = ring_point_of_slot(plan->open, plan->open_count, slot);
    for (uint32_t i = 0; i < plan->open_count; i++) {
        uint32_t at = first + i < plan->open_count ? first + i : first + i - plan->open_count;
        uint32_t member = plan->open[at].member;
        if (is_open(plan, member) && may_hold(plan, slot, member, without))
            return member;
    }
    return NOBODY;
}

/* ---- chains ---------------------------------------------------------------------------------- */

/* A search among members, breadth first: how each was reached. */
struct search {
    uint32_t *queue, *from, *through; /* members; from whom; by which slot */
    uint32_t head, tail;
};

static void search_init(struct search *search, uint32_t count)
{
    search->queue = memory_alloc(3 * (size_t)count * sizeof(*search->queue));
    search->from = search->queue + count;
    search->through = search->from + count;
    search->head = search->tail = 0;
    for (uint32_t i = 0; i < count; i++)
        search->from[i] = NOBODY;
}

static void search_deinit(struct search *search)
{
    memory_free(search->queue);
}

static void reach(struct search *search, uint32_t member, uint32_t from, uint32_t slot)
{
    search->from[member] = from;
    search->through[member] = slot;
    search->queue[search->tail++] = member;
}

static unsigned place_of(const struct plan *plan, uint32_t slot, uint32_t member)
{
    unsigned place = 0;
    while (place < plan->held[slot] && plan->ring->owners[slot][place] != member)
        place++;
    return place;
}

/* Each on the way gives the slot by which the next was reached to that next one. */
static bool pass_along(struct plan *plan, const struct search *search, uint32_t last)
{
    for (uint32_t to = last; search->from[to] != to; to = search->from[to]) {
        uint16_t slot = (uint16_t)search->through[to];
        unsigned place = place_of(plan, slot, search->from[to]);
        if (place == plan->held[slot] || !may_hold(plan, slot, to, place))
            return false; /* the way led twice through this slot */
        replace_owner(plan, slot, place, to);
    }
    return true;
}

/* Whom `member` could give one of its slots to; the first of them below its quota, if there is. */
static uint32_t reach_from(struct plan *plan, struct search *search, uint32_t member)
{
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        uint32_t slot = (plan->cursor + i) % SLOT_COUNT;
        unsigned place = place_of(plan, slot, member);
        if (place == plan->held[slot])
            continue;
        for (uint32_t other = 0; other < plan->ring->member_count; other++) {
            if (search->from[other] != NOBODY || plan->quota[other] == 0 ||
                !may_hold(plan, (uint16_t)slot, other, place))
                continue;
            reach(search, other, member, slot);
            if (is_open(plan, other)) {
                plan->cursor = slot;
                return other;
            }
        }
    }
    return NOBODY;
}

/*
 * One who may hold the slot and now has room for it, since it has given another slot away, to one
 * who had room or gave another one away...
 */
static uint32_t find_exchange(struct plan *plan, uint16_t slot, uint32_t without)
{
    struct search search;
    uint32_t found = NOBODY;
    if (plan->failures == EXCHANGE_FAILURES_MAX)
        return NOBODY;
    search_init(&search, plan->ring->member_count);
    for (uint32_t i = 0; i < plan->ring->member_count; i++)
        if (plan->quota[i] > 0 && may_hold(plan, slot, i, without))
            reach(&search, i, i, slot);
    while (search.head < search.tail && found == NOBODY)
        found = reach_from(plan, &search, search.queue[search.head++]);
    if (found != NOBODY && !pass_along(plan, &search, found))
        found = NOBODY;
    while (found != NOBODY && search.from[found] != found)
        found = search.from[found];
    plan->failures += found == NOBODY;
    search_deinit(&search);
    return found;
}

/* Somebody, above its quota then. */
static uint32_t find_anybody(const struct plan *plan, uint16_t slot)
{
    const struct ring *ring = plan->ring;
    uint32_t first = ring_point_of_slot(ring->points, ring->point_count, slot);
    for (uint32_t i = 0; i < ring->point_count; i++) {
        uint32_t member = ring->points[(first + i) % ring->point_count].member;
        if (may_hold(plan, slot, member, NOBODY))
            return member;
    }
    check(!"a slot that nobody may hold");
    return NOBODY;
}

/* ---- the steps ------------------------------------------------------------------------------- */

static void keep(struct plan *plan, const struct ring *old)
{
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        for (unsigned i = 0; i < old->copies && plan->held[slot] < plan->ring->copies; i++) {
            uint64_t node = old->members[old->owners[slot][i]].node;
            const struct ring_member *member = ring_member(plan->ring, node);
            if (member == NULL || member->weight == 0)
                continue;
            uint32_t index = (uint32_t)(member - plan->ring->members);
            if (may_hold(plan, (uint16_t)slot, index, NOBODY))
                add_owner(plan, (uint16_t)slot, index);
        }
    }
}

static bool is_over(const struct plan *plan, uint32_t member)
{
    return plan->load[member] > plan->quota[member];
}

/* At most one copy of the slot moves. */
static void relieve(struct plan *plan, uint16_t slot, bool exchange)
{
    for (unsigned i = 0; i < plan->held[slot]; i++) {
        if (!is_over(plan, plan->ring->owners[slot][i]))
            continue;
        uint32_t heir = exchange ? find_exchange(plan, slot, i) : find_open(plan, slot, i);
        if (heir == NOBODY)
            continue;
        replace_owner(plan, slot, i, heir);
        return;
    }
}

static void fill(struct plan *plan, uint16_t slot)
{
    while (plan->held[slot] < plan->ring->copies) {
        uint32_t heir = find_open(plan, slot, NOBODY);
        if (heir == NOBODY)
            heir = find_exchange(plan, slot, NOBODY);
        if (heir == NOBODY)
            heir = find_anybody(plan, slot);
        add_owner(plan, slot, heir);
    }
}

static void place_copies(struct plan *plan, const struct ring *old)
{
    if (old != NULL)
        keep(plan, old);
    for (unsigned round = 0; round < plan->ring->copies; round++)
        for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
            relieve(plan, (uint16_t)slot, false);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        relieve(plan, (uint16_t)slot, true);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        fill(plan, (uint16_t)slot);
}

/* ---- who leads ------------------------------------------------------------------------------- */

/* The slots of each leader, as lists. */
struct lead {
    struct ring *ring;
    uint32_t *quota, *count;   /* of each member */
    uint32_t *first;           /* of each member: a slot that it leads */
    uint32_t next[SLOT_COUNT]; /* of each slot: another one of that leader */
};

static void list_leaders(struct lead *lead)
{
    const struct ring *ring = lead->ring;
    for (uint32_t i = 0; i < ring->member_count; i++) {
        lead->first[i] = NOBODY;
        lead->count[i] = 0;
    }
    for (uint32_t slot = SLOT_COUNT; slot-- > 0;) {
        uint32_t leader = ring->owners[slot][0];
        lead->next[slot] = lead->first[leader];
        lead->first[leader] = slot;
        lead->count[leader]++;
    }
}

/* Along the way that was found each leader hands one slot to the next. */
static void hand_over(struct lead *lead, const struct search *search, uint32_t last)
{
    for (uint32_t to = last; search->from[to] != to; to = search->from[to]) {
        uint16_t *owners = lead->ring->owners[search->through[to]];
        unsigned place = 0;
        while (owners[place] != to)
            place++;
        owners[place] = owners[0];
        owners[0] = (uint16_t)to;
    }
}

/* The shortest way from `start` to one who leads too few. */
static bool find_way(struct lead *lead, uint32_t start)
{
    struct search search;
    bool found = false;
    search_init(&search, lead->ring->member_count);
    reach(&search, start, start, NOBODY);
    while (search.head < search.tail && !found) {
        uint32_t member = search.queue[search.head++];
        found = lead->count[member] < lead->quota[member];
        if (found)
            hand_over(lead, &search, member);
        for (uint32_t slot = lead->first[member]; slot != NOBODY; slot = lead->next[slot]) {
            for (unsigned i = 1; i < lead->ring->copies; i++) {
                uint32_t other = lead->ring->owners[slot][i];
                if (search.from[other] == NOBODY)
                    reach(&search, other, member, slot);
            }
        }
    }
    search_deinit(&search);
    return found;
}

static void share_leads(struct lead *lead, const uint32_t *loads)
{
    uint32_t count = lead->ring->member_count;
    struct quota *quotas = memory_alloc(count * sizeof(*quotas));
    for (uint32_t i = 0; i < count; i++)
        quotas[i] = (struct quota){.weight = loads[i], .most = loads[i]};
    quota_share(quotas, count, SLOT_COUNT);
    for (uint32_t i = 0; i < count; i++)
        lead->quota[i] = (uint32_t)quotas[i].share;
    memory_free(quotas);
}

/* Where a leader of too many stands beside one of too few: that is most of it. */
static void swap_leaders(struct lead *lead)
{
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t *owners = lead->ring->owners[slot];
        for (unsigned i = 1; i < lead->ring->copies; i++) {
            uint16_t leader = owners[0], other = owners[i];
            if (lead->count[leader] <= lead->quota[leader] ||
                lead->count[other] >= lead->quota[other])
                continue;
            owners[0] = other;
            owners[i] = leader;
            lead->count[leader]--;
            lead->count[other]++;
        }
    }
}

/* No copy moves here; only who is asked first does. */
static void choose_leaders(struct plan *plan)
{
    uint32_t count = plan->ring->member_count;
    struct lead *lead = memory_zeroed(sizeof(*lead));
    lead->ring = plan->ring;
    lead->quota = memory_alloc(3 * (size_t)count * sizeof(*lead->quota));
    lead->count = lead->quota + count;
    lead->first = lead->count + count;
    share_leads(lead, plan->load);
    list_leaders(lead);
    swap_leaders(lead);
    list_leaders(lead);
    for (uint32_t i = 0; i < count; i++)
        while (lead->count[i] > lead->quota[i] && find_way(lead, i))
            list_leaders(lead);
    memory_free(lead->quota);
    memory_free(lead);
}

/* ---- the whole ------------------------------------------------------------------------------- */

void ring_plan(const struct ring *old, const struct ring_member *members, uint32_t count,
               unsigned copies, struct ring *out)
{
    struct plan plan = {.ring = out};
    ring_begin(members, count, copies, out);
    plan.quota = memory_zeroed(count * sizeof(*plan.quota));
    plan.load = memory_zeroed(count * sizeof(*plan.load));
    plan.held = memory_zeroed(SLOT_COUNT);
    plan.open = memory_alloc(out->point_count * sizeof(*plan.open));
    find_places(&plan);
    find_spread(&plan);
    if (out->copies > 0) {
        share_zones(&plan);
        share_hosts(&plan);
        share_members(&plan);
        place_copies(&plan, old);
        choose_leaders(&plan);
    }
    memory_free(plan.open);
    memory_free(plan.held);
    memory_free(plan.load);
    memory_free(plan.quota);
    memory_free(plan.host_of);
    memory_free(plan.hosts);
    memory_free(plan.zones);
}
