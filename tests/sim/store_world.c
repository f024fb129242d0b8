/* SPDX-License-Identifier: MIT */
#include "sim/store_world.h"

#include "base/memory.h"
#include "row/slot.h"
#include "sim/store_audit.h"
#include "sim/store_client.h"
#include "store/export.h"
#include "store/generation.h"

enum {
    LIVES_MAX = 6,
    STEPS_MAX = 160,
    START_MS = 1000000,
    SETTLE_ROUNDS = 30,
    SETTLE_MS = 1100,
    CLOCK_BACK_MS = 5000,
    SETTLE_JOINED_MS = 301 * 1000, /* the index is then searched from the first on */
    JOINED_ODDS = 4,
    ALL_TIME_LEFT_MS = 0, /* a clock on which nothing has expired */
};

/* ---- the node's life ------------------------------------------------------------------------- */

static void set_clock(struct world *world, uint64_t now_ms)
{
    if (world->clock_count == world->clock_room) {
        world->clock_room = world->clock_room ? world->clock_room * 2 : 64;
        world->clocks = memory_resize(world->clocks, world->clock_room * sizeof(*world->clocks));
    }
    world->clocks[world->clock_count++] = world->now_ms = now_ms;
}

static void take_gone(struct world *world, uint64_t synced)
{
    for (unsigned db = 0; db < MODEL_DATABASES; db++) {
        for (unsigned key = 0; key < MODEL_KEYS; key++) {
            struct gone *gone = &world->gone[db][key];
            gone->told |= store_gate_passed(world->store, gone->gate);
            gone->durable |= gone->gate <= synced;
        }
    }
}

static void take_replies(struct world *world)
{
    struct store_stats stats;
    size_t kept = 0;
    store_stats(world->store, &stats);
    for (size_t i = 0; i < world->reply_count; i++) {
        struct reply reply = world->replies[i];
        if (reply.gate <= stats.log_synced && reply.operation > world->synced)
            world->synced = reply.operation;
        if (store_gate_passed(world->store, reply.gate) && reply.operation > world->acknowledged)
            world->acknowledged = reply.operation;
        if (reply.gate > stats.log_synced)
            world->replies[kept++] = reply;
    }
    world->reply_count = kept;
    take_gone(world, stats.log_synced);
}

static void turn_begin(struct world *world)
{
    struct store_stats stats;
    store_stats(world->store, &stats);
    world->turn = stats.log_position;
}

static void turn_end(struct world *world)
{
    enum status status = store_turn_end(world->store, world->now_ms);
    turn_begin(world);
    if (status == STATUS_OK)
        take_replies(world);
    else if (!world_expects(world, status))
        world_fail(world, "the turn's end: %s", status_text(status));
}

/* Again, where the process died before it had. */
static enum status join(struct world *world)
{
    enum status status = STATUS_OK;
    if (world->joined && !store_is_joined(world->store))
        status = store_join(world->store);
    return status;
}

/* STATUS_IO if the process died of a fault meanwhile. */
static enum status open_store(struct world *world)
{
    struct store_recovery recovery;
    struct buffer error = {0};
    world->workers = sim_workers_new(random_next(&world->random));
    sim_workers_set_late(world->workers, random_once_in(&world->random, 2) ? 2 : 0);
    world->tier = sim_tier_open(world->tier_disk);
    world->options.files = sim_files_interface(world->disk);
    world->options.tier = world->tier;
    world->options.workers = sim_workers_interface(world->workers);
    world->options.random48 = random_next(&world->random) >> 16;
    world->options.random_seed = random_next(&world->random);
    world->options.now_ms = world->now_ms;
    enum status status = store_open(&world->options, &world->store, &recovery, &error);
    bool died = sim_files_halted(world->disk) || sim_tier_is_crashed(world->tier_disk);
    if (status != STATUS_OK && !(died && status == STATUS_IO))
        world_fail(world, "opening: %s: %.*s", status_text(status), (int)buffer_size(&error),
                   error.block + error.start);
    else if (status != STATUS_OK)
        world_tell(world, "died while opening");
    else
        world_tell(world,
                   "opened: %llu records, %llu bytes lost, epoch %u; sync %d, seals of %llu, "
                   "budget %llu, policy %d",
                   (unsigned long long)recovery.log.records,
                   (unsigned long long)recovery.log.lost_bytes, store_epoch(world->store),
                   world->options.sync, (unsigned long long)world->options.seal_bytes,
                   (unsigned long long)world->options.rows_bytes, world->options.eviction);
    buffer_deinit(&error);
    return status;
}

/* A seal of the replay ends the process after the log was made durable: then a power cut loses
 * nothing either. */
static void die_opening(struct world *world)
{
    bool in_ingest = sim_tier_is_crashed(world->tier_disk);
    sim_workers_crash(world->workers);
    sim_workers_free(world->workers);
    world->tier->ops->free(world->tier);
    if (in_ingest && random_once_in(&world->random, 2))
        sim_files_power_cut(world->disk);
    else
        sim_files_crash(world->disk);
}

static bool life_begin(struct world *world)
{
    if (random_once_in(&world->random, 8))
        sim_files_halt_after(world->disk, random_below(&world->random, 12));
    enum status status;
    while ((status = open_store(world)) != STATUS_OK && !world->failed)
        die_opening(world);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *client = &world->clients[i];
        client->world = world;
        client->busy = client->fetching = false;
        arena_init(&client->arena);
        if (status == STATUS_OK)
            txn_init(&client->txn, world->store, &client->arena);
    }
    return status == STATUS_OK;
}

static bool is_dead(const struct world *world)
{
    return world->failed || sim_files_halted(world->disk) ||
           sim_tier_is_crashed(world->tier_disk) || store_failure(world->store) != STATUS_OK;
}

static void clients_stop(struct world *world)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_stop(&world->clients[i]);
        arena_deinit(&world->clients[i].arena);
    }
}

/* Reads every key, however cold; also those whose time is over. False if the process died of it: a
 * seal that the replay began goes on. */
static bool read_state(struct world *world, struct model_state *out)
{
    struct client *client = &world->clients[0];
    for (unsigned db = 0; db < MODEL_DATABASES; db++) {
        for (unsigned key = 0; key < MODEL_KEYS && !world->failed; key++) {
            struct model_value *value = &out->values[db][key];
            enum status status;
            do {
                txn_begin(&client->txn, ALL_TIME_LEFT_MS);
                status = client_read(client, (uint8_t)db, key, value);
                if (status == STATUS_COLD) {
                    client_fetch(client);
                    world->options.workers->ops->drain(world->options.workers);
                }
            } while (status == STATUS_COLD);
            if (status != STATUS_OK && is_dead(world)) {
                client_stop(client);
                return false;
            }
            if (status != STATUS_OK)
                world_fail(world, "database %u key %u after a restart: %s", db, key,
                           status_text(status));
            value->value = arena_copy(&world->model.arena, value->value);
        }
    }
    client_stop(client);
    return true;
}

static bool must_be_gone(const struct world *world, const struct gone *gone)
{
    if (world->joined) /* nobody has judged the clock */
        return false;
    return gone->gate > 0 && (world->power_cut ? gone->durable : gone->told);
}

/* Whether that is what came back of it; out_evicted of its keys may have been evicted. */
static bool is_state(const struct world *world, const struct model_state *expected,
                     const struct model_state *actual, uint64_t *out_evicted)
{
    *out_evicted = 0;
    for (unsigned db = 0; db < MODEL_DATABASES; db++) {
        for (unsigned key = 0; key < MODEL_KEYS; key++) {
            const struct model_value *a = &expected->values[db][key];
            const struct model_value *b = &actual->values[db][key];
            if (b->exists && must_be_gone(world, &world->gone[db][key]))
                return false;
            if (model_looks_same(a, b, ALL_TIME_LEFT_MS) ||
                (!b->exists && world_excused_by_clock(world, a)))
                continue;
            if (b->exists || !world_excused_by_eviction(world, a))
                return false;
            ++*out_evicted;
        }
    }
    return true;
}

/* What is not there any more, evicted or collected, is gone for good. */
static void take_state(struct world *world, const struct model_state *actual)
{
    struct model_state *state = &world->model.states[world->model.count];
    for (unsigned db = 0; db < MODEL_DATABASES; db++) {
        for (unsigned key = 0; key < MODEL_KEYS; key++) {
            if (!actual->values[db][key].exists)
                state->values[db][key].exists = false;
        }
    }
}

static void tell_differences(struct world *world, const struct model_state *expected,
                             const struct model_state *actual)
{
    for (unsigned db = 0; db < MODEL_DATABASES; db++) {
        for (unsigned key = 0; key < MODEL_KEYS; key++) {
            const struct model_value *a = &expected->values[db][key];
            const struct model_value *b = &actual->values[db][key];
            if (model_looks_same(a, b, ALL_TIME_LEFT_MS))
                continue;
            world_tell(
                world,
                "db %u key %u: %s '%.*s' of %zu bytes until %llu; expected %s '%.*s' of %zu until "
                "%llu",
                db, key, b->exists ? "there" : "gone", b->value.size < 24 ? (int)b->value.size : 24,
                b->value.data, b->value.size, (unsigned long long)b->at_ms,
                a->exists ? "there" : "gone", a->value.size < 24 ? (int)a->value.size : 24,
                a->value.data, a->value.size, (unsigned long long)a->at_ms);
        }
    }
}

/* What came back is the history up to some operation, none of those that had to last missing. */
static void compare_history(struct world *world, const struct model_state *state, size_t least)
{
    uint64_t evicted;
    size_t count = world->model.count;
    while (!world->failed && (!is_state(world, &world->model.states[count], state, &evicted) ||
                              evicted > world->evictions_known)) {
        if (count == least) {
            tell_differences(world, &world->model.states[count], state);
            world_fail(world, "what came back is no state of the history from operation %zu to %zu",
                       least, world->model.count);
            break;
        }
        count--;
    }
    world_tell(world, "the history goes on from operation %zu of %zu (at least %zu)", count,
               world->model.count, least);
    if (!world->failed) {
        model_truncate(&world->model, count);
        take_state(world, state);
    }
}

/* False if the process died meanwhile. */
static bool check_recovered(struct world *world, size_t least)
{
    struct model_state *state = memory_zeroed(sizeof(*state));
    bool alive = read_state(world, state);
    if (alive && !world->failed)
        compare_history(world, state, least);
    memory_free(state);
    if (!alive)
        return false;
    world->acknowledged = world->synced = world->model.count;
    world->reply_count = 0;
    world->evictions_seen = 0;
    world->read_errors = false;
    memset(world->changed_at, 0, sizeof(world->changed_at));
    memset(world->gone, 0, sizeof(world->gone));
    turn_begin(world);
    return true;
}

static void die_reading(struct world *world)
{
    world_tell(world, "died after opening");
    sim_workers_crash(world->workers);
    clients_stop(world);
    store_abandon(world->store);
    die_opening(world);
}

/* An actor never contradicts itself (rule 1): a dot is new, and after an unclean end its actor too.
 */
static void check_actor(struct world *world)
{
    struct dot dot = txn_dot(&world->clients[0].txn, 0);
    struct dot last = world->last_dot;
    if (dot.actor == last.actor && (!world->closed || dot.time <= last.time))
        world_fail(world, "actor %llx goes on after %s", (unsigned long long)dot.actor,
                   world->closed ? "a clean stop, with its clock behind" : "an unclean end");
    world->closed = false;
}

static void heal(struct world *world)
{
    world->disk_full = false;
    sim_files_set_capacity(world->disk, SIM_FILES_UNLIMITED);
    sim_tier_set_full(world->tier_disk, false);
    world->fails_read = false;
    sim_tier_fail_read(world->tier_disk, BYTES(""), STATUS_OK);
}

enum end { END_CLEAN, END_CRASH, END_POWER_CUT, ENDS };

/* Ends the process; returns how many operations must have survived. */
static size_t life_end(struct world *world, enum end end)
{
    size_t least = end == END_POWER_CUT ? world->synced : world->acknowledged;
    struct store_stats stats;
    store_stats(world->store, &stats);
    world->evictions_known = stats.evicted_keys;
    world->power_cut = end == END_POWER_CUT;
    world->last_dot = txn_dot(&world->clients[0].txn, 0);
    if (world->options.sync == LOG_SYNC_ALWAYS && least < world->acknowledged)
        world_fail(world, "acknowledged %zu, synced only %zu", world->acknowledged, world->synced);
    if (end == END_CLEAN && !sim_files_halted(world->disk) &&
        !sim_tier_is_crashed(world->tier_disk)) {
        clients_stop(world);
        size_t all = world->model.count;
        enum status status = store_close(world->store);
        world->closed = true; /* perhaps without knowing it */
        if (status == STATUS_OK)
            least = all;
        else if (status != STATUS_DISK_FULL && !sim_files_halted(world->disk) &&
                 !sim_tier_is_crashed(world->tier_disk))
            world_fail(world, "a clean stop: %s", status_text(status));
        world_tell(world, "a clean stop");
    } else {
        sim_workers_crash(world->workers);
        clients_stop(world);
        store_abandon(world->store);
        world_tell(world, end == END_POWER_CUT ? "a power cut" : "a crash");
    }
    sim_workers_free(world->workers);
    world->tier->ops->free(world->tier);
    if (end == END_POWER_CUT)
        sim_files_power_cut(world->disk);
    else
        sim_files_crash(world->disk);
    heal(world);
    world->store = NULL;
    return least;
}

static void crashed_in_ingest(void *context)
{
    struct world *world = context;
    sim_files_halt_after(world->disk, 0);
}

static void fault(struct world *world)
{
    struct random *random = &world->random;
    switch (random_below(random, 6)) {
    case 0:
        sim_files_halt_after(world->disk, random_below(random, 40));
        break;
    case 1:
        sim_tier_crash_in_ingest(world->tier_disk, (enum sim_tier_crash)random_below(random, 2),
                                 crashed_in_ingest, world);
        break;
    case 2:
        sim_tier_fail_next_ingest(world->tier_disk,
                                  random_once_in(random, 2) ? STATUS_DISK_FULL : STATUS_IO);
        break;
    case 3:
        world->disk_full = true;
        sim_files_set_capacity(world->disk, sim_files_used(world->disk));
        sim_tier_set_full(world->tier_disk, true);
        break;
    case 4:
        world->read_errors = world->fails_read = true;
        sim_tier_fail_some_read(world->tier_disk, random_next(random),
                                random_once_in(random, 2) ? STATUS_IO : STATUS_CORRUPT);
        break;
    default:
        heal(world);
        break;
    }
}

/* ---- what sync/ does where there are other copies -------------------------------------------- */

struct collectable {
    struct buffer names;   /* notes */
    struct buffer digests; /* of them */
};

static void note_collectable(void *context, struct bytes name, uint64_t digest)
{
    struct collectable *collectable = context;
    generation_note(&collectable->names, name);
    buffer_append(&collectable->digests, &digest, sizeof(digest));
}

/* All other copies agree. */
static void collect(struct world *world)
{
    struct collectable found = {0};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        store_find_collectable(world->store, (uint16_t)slot, world->now_ms, 100, note_collectable,
                               &found);
    struct bytes name, digests = buffer_bytes(&found.digests);
    unsigned count = 0;
    for (size_t at = 0; generation_next_note(&found.names, &at, &name); count++) {
        uint64_t digest;
        memcpy(&digest, digests.data + count * sizeof(digest), sizeof(digest));
        enum status status = store_give_away(world->store, name, digest);
        if (status != STATUS_OK && !world_expects(world, status))
            world_fail(world, "collecting: %s", status_text(status));
    }
    world_tell(world, "collected %u", count);
    buffer_deinit(&found.names);
    buffer_deinit(&found.digests);
}

static void pass_time(struct world *world, uint64_t most_ms)
{
    struct random *random = &world->random;
    if (world->clock_back_odds && random_once_in(random, world->clock_back_odds))
        set_clock(world, world->now_ms - random_below(random, CLOCK_BACK_MS));
    else
        set_clock(world, world->now_ms + random_below(random, most_ms));
}

static void step(struct world *world)
{
    struct random *random = &world->random;
    struct workers *workers = world->options.workers;
    struct client *client = &world->clients[random_below(random, CLIENTS)];
    switch (random_below(random, 10)) {
    case 0:
        pass_time(world, 200);
        store_tick(world->store, world->now_ms);
        break;
    case 1:
    case 2:
        turn_end(world);
        break;
    case 3:
    case 4:
        sim_workers_step(world->workers);
        break;
    case 5:
        workers->ops->poll(workers);
        take_replies(world);
        break;
    default:
        if (client->fetching)
            break;
        if (!client->busy)
            client->operation = operation_draw(random, &world->mix, &world->model, world->now_ms);
        client->busy = true;
        client_run(client);
        break;
    }
    if (random_once_in(random, 400))
        fault(world);
    if (world->joined && random_once_in(random, 50) && !is_dead(world))
        collect(world);
}

static uint64_t count_visible(const struct world *world, unsigned db, uint64_t *out_uncertain)
{
    uint64_t visible = 0;
    *out_uncertain = 0;
    for (unsigned key = 0; key < MODEL_KEYS; key++) {
        const struct model_value *value = &model_now(&world->model)->values[db][key];
        if (!model_is_visible(value, world->now_ms))
            continue;
        visible++;
        *out_uncertain +=
            world_excused_by_clock(world, value) || world_excused_by_eviction(world, value);
    }
    return visible;
}

/* Nothing goes wrong any more and nobody writes: all work that was left is done after a while, and
 * counts are exact. */
static void settle(struct world *world)
{
    const char *left = "something";
    struct store_stats stats;
    heal(world);
    for (unsigned round = 0; left && round < SETTLE_ROUNDS; round++) {
        set_clock(world, world->now_ms + (world->joined ? SETTLE_JOINED_MS : SETTLE_MS));
        store_stats(world->store, &stats);
        uint64_t seals = stats.seals;
        store_tick(world->store, world->now_ms);
        turn_end(world);
        world->options.workers->ops->drain(world->options.workers);
        if (is_dead(world))
            return;
        if (world->joined)
            collect(world);
        left = round == 0 ? "a search that was under way" : NULL;
        store_stats(world->store, &stats);
        if (stats.sealing || stats.seals != seals)
            left = "a seal";
        if (!left && world->joined && store_collectable_count(world->store) > 0)
            left = "something to collect"; /* a search that began late had passed it */
        /* A policy need not evict for what is deleted already. */
        uint64_t waiting = world->eviction == EVICT_NOTHING ? 0 : stats.doomed_bytes;
        if (!left && stats.rows_bytes - waiting > world->options.rows_bytes &&
            stats.rows > stats.dirty_rows)
            left = "clean rows beyond the budget";
        for (unsigned db = 0; db < MODEL_DATABASES; db++) {
            uint64_t uncertain, visible = count_visible(world, db, &uncertain);
            uint64_t keys = store_keys(world->store, (uint8_t)db);
            if (keys > visible || keys < visible - uncertain)
                left = "keys that have expired";
        }
    }
    if (left)
        world_fail(world, "after %d quiet rounds there is still %s", SETTLE_ROUNDS, left);
    world_tell(world, "settled");
}

static void live(struct world *world)
{
    unsigned steps = (unsigned)random_below(&world->random, STEPS_MAX) * 4;
    for (unsigned i = 0; i < steps && !is_dead(world); i++)
        step(world);
    bool settled = random_once_in(&world->random, 3);
    if (!is_dead(world) && settled)
        settle(world);
    if (!is_dead(world) && !world->disk_full && random_once_in(&world->random, 3)) {
        enum status status = store_seal_now(world->store);
        world_tell(world, "sealed: %s", status_text(status));
        turn_begin(world);
        take_replies(world);
    }
    if (!is_dead(world) && !world->fails_read) {
        bool purged = settled && !world->read_errors; /* a search is not tried again at once */
        const char *wrong = store_audit(world->store, purged ? world->now_ms : 0);
        if (wrong)
            world_fail(world, "%s", wrong);
    }
}

static void draw_options(struct world *world)
{
    struct random *random = &world->random;
    static const uint64_t seals[] = {2000, 20000, 200000, 4000000};
    static const uint64_t budgets[] = {1, 20000, 100000, 100000000};
    world->options.sync = (enum log_sync)random_below(random, 3);
    world->options.seal_bytes = seals[random_below(random, 4)];
    world->options.rows_bytes = budgets[random_below(random, 4)];
    world->options.databases = MODEL_DATABASES;
    world->options.eviction =
        random_once_in(random, 4) ? 1 + random_below(random, EVICT_VOLATILE_TTL) : EVICT_NOTHING;
    world->mix = operation_mix_draw(random);
    if (world->joined) {
        world->options.eviction = EVICT_NOTHING;
        world->mix.weights[FLUSH] = 0;
    }
    sim_tier_set_cold(world->tier_disk, (unsigned)random_below(random, 4));
}

bool store_world_run(uint64_t seed, bool trace, uint64_t *out_hash)
{
    struct world *world = memory_zeroed(sizeof(*world));
    world->seed = seed;
    world->trace = trace;
    world->random.state = seed;
    set_clock(world, START_MS);
    world->disk = sim_files_new(random_next(&world->random), SIM_FILES_UNLIMITED);
    world->tier_disk = sim_tier_new(random_next(&world->random));
    model_init(&world->model);
    if (random_once_in(&world->random, 4))
        world->clock_back_odds = 20;
    world->joined = seed % JOINED_ODDS == 0;
    if (world->joined) /* what has expired comes back with it */
        world->clock_back_odds = 0;
    unsigned lives = 1 + (unsigned)random_below(&world->random, LIVES_MAX);
    size_t least = 0;
    for (unsigned life = 0; life < lives && !world->failed; life++) {
        draw_options(world);
        while (life_begin(world) && !check_recovered(world, least) && !world->failed)
            die_reading(world);
        if (world->failed)
            break;
        check_actor(world);
        if (join(world) != STATUS_OK && !is_dead(world))
            world_fail(world, "joining failed");
        world->eviction = world->options.eviction;
        live(world);
        least = life_end(world, (enum end)random_below(&world->random, ENDS));
        pass_time(world, 1000);
    }
    bool passed = !world->failed;
    *out_hash = world->hash + sim_files_digest(world->disk);
    model_deinit(&world->model);
    memory_free(world->replies);
    memory_free(world->clocks);
    if (passed) { /* after a failure the store may still use them */
        sim_tier_delete(world->tier_disk);
        sim_files_free(world->disk);
    }
    memory_free(world);
    return passed;
}
