/* SPDX-License-Identifier: MIT */
#include "store/verify.h"

#include "base/arena.h"
#include "store/derive.h"
#include "store/export.h"
#include "store/identity.h"
#include "store/log.h"
#include "store/meta.h"
#include "store/store.h"

enum { REPORT_LINES_MAX = 100 };

struct counting {
    struct facts *facts;
    struct buffer *report;
    struct arena arena;
    uint64_t rows;
    uint64_t damaged;
};

static void damaged(struct counting *counting, struct bytes name, const char *what)
{
    if (counting->damaged++ >= REPORT_LINES_MAX)
        return;
    buffer_printf(counting->report, "tier: %s: ", what);
    for (size_t i = 0; i < name.size && i < 32; i++)
        buffer_printf(counting->report, "%02x", (unsigned char)name.data[i]);
    buffer_printf(counting->report, "%s\n", name.size > 32 ? "..." : "");
}

static enum tier_next count_row(void *context, struct bytes name, struct bytes row,
                                struct buffer *seek_to)
{
    struct counting *counting = context;
    struct row_key key;
    struct row decoded;
    (void)seek_to;
    counting->rows++;
    if (!row_key_decode(name, &key) || key.db >= counting->facts->databases) {
        damaged(counting, name, "not the name of a row");
    } else if (row_decode(row, &counting->arena, &decoded) != STATUS_OK) {
        damaged(counting, name, "a damaged row");
    } else if (key.kind == ROW_HEAD) {
        struct row_facts facts = derive_facts(row, &counting->arena);
        facts_count(counting->facts, key.slot, key.db, facts.live, facts.at_ms != EXPIRY_NEVER);
        facts_count_tombstones(counting->facts, key.slot, key.db, !facts.live);
        facts_of(counting->facts, key.slot, key.db)->stored++;
        if (counting->facts->digests)
            facts_add_digest(counting->facts, key.slot, key.db, export_digest(name, row));
    }
    arena_clear(&counting->arena);
    return TIER_NEXT;
}

enum status verify_count(struct tier *tier, struct facts *facts, struct buffer *report)
{
    struct counting counting = {.facts = facts, .report = report};
    arena_init(&counting.arena);
    char past_slots = (char)(SLOT_COUNT >> 8);
    enum status status = tier->ops->scan(tier, bytes_of("", 0), bytes_of(&past_slots, 1), true,
                                         count_row, &counting);
    arena_deinit(&counting.arena);
    if (status != STATUS_OK)
        buffer_printf(report, "tier: reading ended early: %s\n", status_text(status));
    if (counting.damaged > REPORT_LINES_MAX)
        buffer_printf(report, "tier: %llu damaged rows in all\n",
                      (unsigned long long)counting.damaged);
    return status == STATUS_OK && counting.damaged > 0 ? STATUS_CORRUPT : status;
}

static uint64_t compare_facts(const struct facts *counted, const struct facts *stored,
                              struct buffer *report)
{
    uint64_t wrong = 0;
    for (unsigned db = 0; db < counted->databases; db++) {
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
            const struct slot_facts *a = facts_look(counted, (uint16_t)slot, (uint8_t)db);
            const struct slot_facts *b = facts_look(stored, (uint16_t)slot, (uint8_t)db);
            bool same = !stored->digests || a->digest == b->digest;
            if (a->keys == b->keys && a->expiring == b->expiring && a->stored == b->stored && same)
                continue;
            if (wrong++ < REPORT_LINES_MAX)
                buffer_printf(
                    report,
                    "tier: slot %u of database %u holds %u keys (%u expiring, %u rows), its record "
                    "says %u (%u, %u)%s\n",
                    slot, db, a->keys, a->expiring, a->stored, b->keys, b->expiring, b->stored,
                    same ? "" : "; their digests differ");
        }
    }
    return wrong;
}

/* The first of two findings that is one. */
static enum status worse(enum status a, enum status b)
{
    return a != STATUS_OK ? a : b;
}

static enum status check_facts(struct tier *tier, struct buffer *report)
{
    struct facts counted, stored;
    facts_init(&counted, DATABASES_MAX);
    facts_init(&stored, DATABASES_MAX);
    counted.digests = true;
    enum status status = verify_count(tier, &counted, report);
    enum status reading = facts_read(&stored, tier);
    if (reading != STATUS_OK)
        buffer_printf(report, "tier: the record of its counts: %s\n", status_text(reading));
    status = worse(status, reading);
    if (status == STATUS_OK && compare_facts(&counted, &stored, report) > 0)
        status = STATUS_CORRUPT;
    uint64_t keys = 0;
    for (unsigned db = 0; db < DATABASES_MAX; db++)
        keys += counted.keys[db];
    buffer_printf(report, "tier: %llu keys\n", (unsigned long long)keys);
    facts_deinit(&counted);
    facts_deinit(&stored);
    return status;
}

static enum status check_tier(struct tier *tier, struct buffer *report)
{
    struct buffer reason = {0};
    enum status status = tier->ops->verify(tier, &reason);
    struct bytes text = buffer_bytes(&reason);
    if (status != STATUS_OK)
        buffer_printf(report, "tier: %.*s\n", (int)text.size, text.size ? text.data : "");
    buffer_deinit(&reason);
    return worse(status, check_facts(tier, report));
}

static enum status check_log(struct files *files, uint64_t sealed, struct buffer *report)
{
    struct log_recovery recovery = {0};
    struct buffer findings = {0};
    enum status status = log_verify(files, sealed, &recovery, &findings);
    struct bytes text = buffer_bytes(&findings);
    if (text.size > 0)
        buffer_printf(report, "log: %.*s", (int)text.size, text.data);
    buffer_deinit(&findings);
    buffer_printf(report, "log: %llu records after position %llu\n",
                  (unsigned long long)recovery.records, (unsigned long long)sealed);
    return status;
}

enum status store_check(struct files *files, struct tier *tier, struct buffer *out_report)
{
    uint64_t mark, sealed;
    enum status status = files->ops->lock(files, &mark);
    if (status != STATUS_OK) {
        buffer_printf(out_report, "the data directory: %s\n", status_text(status));
        return status;
    }
    status = identity_check(files);
    if (status != STATUS_OK)
        buffer_printf(out_report, "the file 'identity': %s\n",
                      status == STATUS_ABSENT ? "it is missing" : status_text(status));
    if (status == STATUS_ABSENT)
        status = STATUS_CORRUPT;
    enum status of_seal = tier ? meta_seal_read(tier, &sealed) : STATUS_CORRUPT;
    if (of_seal != STATUS_OK && tier)
        buffer_printf(out_report, "tier: the record of what it holds: %s\n", status_text(of_seal));
    status = worse(status, of_seal);
    if (tier)
        status = worse(status, check_tier(tier, out_report));
    if (of_seal != STATUS_OK) {
        buffer_printf(out_report, "log: not checked: only the tier tells where it begins\n");
        return status;
    }
    return worse(status, check_log(files, sealed, out_report));
}
