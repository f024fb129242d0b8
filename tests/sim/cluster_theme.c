/* SPDX-License-Identifier: MIT */
#include "sim/cluster_theme.h"

#include <string.h>

#include "base/check.h"
#include "sim/cluster_plan.h"

struct theme_rule {
    const char *name;
    unsigned nodes_min, nodes_max;
    unsigned strict_odds; /* once in so many; 0: as drawn */
    unsigned five_odds;   /* copies; 0: three */
    unsigned lazy_odds;   /* once in so many nothing is synced before its time; 0: as drawn */
    bool all_write;       /* W is N, R is 1 */
    bool always;          /* every acknowledgement waits for its sync */
    bool two_of_three;    /* R and W, always */
    unsigned one_odds;    /* once in so many R is 1 and W is N */
    unsigned clients_min, clients_max;
    unsigned think_min_ms, think_max_ms;
    unsigned stay_odds, delete_odds;
    unsigned sums, own_keys, versions, hot_keys; /* of each so many at most; 0: as drawn */
    unsigned weights[HISTORY_CLASSES];
    unsigned faults[FAULT_KINDS]; /* once in so many */
};

enum { LAZY_SEAL_BYTES = 1000000 };

static const struct theme_rule rules[THEMES] =
    {
        [THEME_HANDOVER] =
            {
                .name = "handover",
                .nodes_min = 5,
                .nodes_max = 5,
                .lazy_odds = 1,
                .all_write = true,
                .clients_min = 4,
                .clients_max = 8,
                .think_min_ms = 30,
                .think_max_ms = 200,
                .stay_odds = 30,
                .sums = 24,
                .own_keys = 6,
                .versions = 3,
                .weights = {0, 1, 0, 8, 0, 1},
                .faults = {[FAULT_RESETS] = 4, [FAULT_FULL_DISK] = 6, [FAULT_DISK_LOST] = 4},
            },
        [THEME_DELETIONS] =
            {
                .name = "deletions",
                .nodes_min = 4,
                .nodes_max = 5,
                .strict_odds = 2,
                .lazy_odds = 2,
                .clients_min = 4,
                .clients_max = 8,
                .think_min_ms = 20,
                .think_max_ms = 100,
                .stay_odds = 10,
                .delete_odds = 2,
                .own_keys = 6,
                .versions = 30,
                .weights = {0, 1, 0, 0, 0, 6},
                .faults = {[FAULT_CRASH] = 3,
                           [FAULT_POWER_CUT] = 2,
                           [FAULT_SLOW_LINKS] = 2,
                           [FAULT_RESETS] = 3,
                           [FAULT_SLOW_DISK] = 3,
                           [FAULT_SLOW_PROCESS] = 3,
                           [FAULT_LINKS] = 4,
                           [FAULT_AWAY] = 2},
            },
        [THEME_COUNTERS] =
            {
                .name = "counters",
                .nodes_min = 4,
                .nodes_max = 6,
                .strict_odds = 3,
                .lazy_odds = 2,
                .clients_min = 6,
                .clients_max = 10,
                .think_min_ms = 10,
                .think_max_ms = 100,
                .stay_odds = 6,
                .sums = 3,
                .weights = {1, 0, 0, 6, 0, 1},
                .faults = {[FAULT_CRASH] = 2,
                           [FAULT_POWER_CUT] = 2,
                           [FAULT_ISOLATED] = 2,
                           [FAULT_HALVES] = 3,
                           [FAULT_LINKS] = 3,
                           [FAULT_OLD_DIRECTORY] = 3,
                           [FAULT_RESETS] = 4},
            },
        [THEME_MEMBERS] =
            {
                .name = "members",
                .nodes_min = 5,
                .nodes_max = 6,
                .strict_odds = 2,
                .clients_min = 4,
                .clients_max = 8,
                .think_min_ms = 10,
                .think_max_ms = 100,
                .stay_odds = 6,
                .sums = 6,
                .own_keys = 6,
                .versions = 3,
                .weights = {2, 2, 0, 3, 1, 2},
                .faults = {[FAULT_JOIN] = 1,
                           [FAULT_LEAVE] = 1,
                           [FAULT_AWAY] = 3,
                           [FAULT_ISOLATED] = 2,
                           [FAULT_LINKS] = 2,
                           [FAULT_SLOW_LINKS] = 3,
                           [FAULT_CRASH] = 3,
                           [FAULT_PAUSE] = 3},
            },
        [THEME_STRICT] =
            {
                .name = "strict",
                .nodes_min = 5,
                .nodes_max = 6,
                .strict_odds = 1,
                .five_odds = 2,
                .clients_min = 6,
                .clients_max = 10,
                .think_min_ms = 5,
                .think_max_ms = 40,
                .stay_odds = 4,
                .delete_odds = 4,
                .sums = 2,
                .own_keys = 3,
                .weights = {6, 1, 0, 3, 1, 1},
                .faults = {[FAULT_LINKS] = 1,
                           [FAULT_HALVES] = 2,
                           [FAULT_PAUSE] = 2,
                           [FAULT_ISOLATED] = 2,
                           [FAULT_ONE_WAY] = 2,
                           [FAULT_FULL_DISK] = 2,
                           [FAULT_CRASH] = 1,
                           [FAULT_RESETS] = 2,
                           [FAULT_SLOW_LINKS] = 3},
            },
        [THEME_CALM] =
            {
                .name = "calm",
                .nodes_min = 4,
                .nodes_max = 6,
                .clients_min = 4,
                .clients_max = 8,
                .think_min_ms = 5,
                .think_max_ms = 50,
                .stay_odds = 2,
                .delete_odds = 4,
                .sums = 2,
                .own_keys = 2,
                .weights = {3, 2, 1, 1, 2, 2},
            },
        [THEME_DISKS] =
            {
                .name = "disks",
                .nodes_min = 4,
                .nodes_max = 6,
                .always = true,
                .clients_min = 4,
                .clients_max = 8,
                .think_min_ms = 10,
                .think_max_ms = 100,
                .stay_odds = 10,
                .delete_odds = 6,
                .sums = 6,
                .own_keys = 6,
                .versions = 3,
                .weights = {2, 2, 0, 4, 0, 2},
                .faults = {[FAULT_POWER_CUT] = 1,
                           [FAULT_SLOW_SYNC] = 2,
                           [FAULT_SLOW_DISK] = 2,
                           [FAULT_FULL_DISK] = 2,
                           [FAULT_DISK_LOST] = 2,
                           [FAULT_DEATH] = 3},
            },
        [THEME_SWEPT] =
            {
                .name = "swept",
                .nodes_min = 3,
                .nodes_max = 5,
                .strict_odds = 2,
                .lazy_odds = 1,
                .two_of_three = true,
                .clients_min = 4,
                .clients_max = 8,
                .think_min_ms = 20,
                .think_max_ms = 80,
                .stay_odds = 10,
                .delete_odds = 2,
                .own_keys = 4,
                .versions = 24,
                .weights = {0, 0, 0, 0, 0, 6},
            },
        [THEME_LATE] =
            {
                .name = "late",
                .nodes_min = 4,
                .nodes_max = 5,
                .two_of_three = true,
                .strict_odds = 2,
                .clients_min = 6,
                .clients_max = 10,
                .think_min_ms = 5,
                .think_max_ms = 40,
                .stay_odds = 4,
                .delete_odds = 2,
                .own_keys = 2,
                .versions = 8,
                .weights = {0, 0, 0, 0, 0, 6},
            },
        [THEME_MISSED] =
            {
                .name = "missed",
                .nodes_min = 5,
                .nodes_max = 5,
                .two_of_three = true,
                .clients_min = 4,
                .clients_max = 7,
                .think_min_ms = 15,
                .think_max_ms = 40,
                .stay_odds = 10,
                .delete_odds = 2,
                .own_keys = 2,
                .versions = 40,
                .weights = {0, 0, 0, 0, 0, 6},
            },
        [THEME_PUSHED] =
            {
                .name = "pushed",
                .nodes_min = 5,
                .nodes_max = 5,
                .lazy_odds = 1,
                .one_odds = 2,
                .clients_min = 5,
                .clients_max = 8,
                .think_min_ms = 20,
                .think_max_ms = 100,
                .stay_odds = 20,
                .sums = 24,
                .own_keys = 6,
                .versions = 12,
                .weights = {0, 2, 0, 6, 0, 2},
            },
        [THEME_MOVING] =
            {
                .name = "moving",
                .nodes_min = 5,
                .nodes_max = 6,
                .strict_odds = 1,
                .two_of_three = true,
                .one_odds = 3,
                .clients_min = 4,
                .clients_max = 7,
                .think_min_ms = 10,
                .think_max_ms = 40,
                .stay_odds = 3,
                .sums = 4,
                .own_keys = 4,
                .hot_keys = 4,
                .versions = 4,
                .weights = {3, 3, 0, 2, 0, 1},
            },
        [THEME_BEHIND] =
            {
                .name = "behind",
                .nodes_min = 5,
                .nodes_max = 6,
                .strict_odds = 1,
                .two_of_three = true,
                .clients_min = 4,
                .clients_max = 6,
                .think_min_ms = 15,
                .think_max_ms = 50,
                .stay_odds = 200,
                .sums = 4,
                .own_keys = 3,
                .hot_keys = 8,
                .versions = 6,
                .weights = {3, 1, 0, 2, 0, 2},
            },
        [THEME_FLAPPING] =
            {
                .name = "flapping",
                .nodes_min = 3,
                .nodes_max = 3,
                .strict_odds = 1,
                .two_of_three = true,
                .clients_min = 3,
                .clients_max = 6,
                .think_min_ms = 10,
                .think_max_ms = 40,
                .stay_odds = 2,
                .sums = 1,
                .own_keys = 2,
                .hot_keys = 4,
                .weights = {6, 2, 0, 0, 0, 0},
            },
};

const char *theme_name(enum theme theme)
{
    check(theme != THEMES && theme <= THEME_SOME_SCENE);
    if (theme == THEME_SOME_SCENE)
        return "scenes";
    return theme == THEME_NONE ? "none" : rules[theme].name;
}

enum theme theme_named(const char *name)
{
    enum theme theme = THEME_NONE;
    if (strcmp(name, theme_name(THEME_SOME_SCENE)) == 0)
        return THEME_SOME_SCENE;
    while (theme < THEMES && strcmp(theme_name(theme), name) != 0)
        theme++;
    return theme;
}

unsigned theme_fault_odds(enum theme theme, int kind)
{
    check(theme < THEMES && kind < FAULT_KINDS);
    return rules[theme].faults[kind];
}

enum theme theme_draw(struct random *random)
{
    if (random_once_in(random, 2))
        return THEME_NONE;
    return (enum theme)(1 + random_below(random, THEMES_DRAWN - 1));
}

static unsigned between(struct random *random, unsigned least, unsigned most)
{
    return least + (unsigned)random_below(random, most - least + 1);
}

static void shape_quorums(const struct theme_rule *rule, struct random *random,
                          struct cluster_settings *settings)
{
    bool five = rule->five_odds && random_once_in(random, rule->five_odds);
    settings->copies = five && settings->nodes >= 5 ? 5 : 3;
    if (settings->copies > settings->nodes)
        settings->copies = settings->nodes;
    settings->read_quorum = settings->write_quorum = settings->copies / 2 + 1;
    if (rule->strict_odds)
        settings->sloppy = !random_once_in(random, rule->strict_odds);
    else if (!rule->always)
        settings->sloppy = true;
    if (!settings->sloppy && settings->copies == 3 && !rule->two_of_three &&
        random_once_in(random, 2)) {
        settings->write_quorum = 1;
        settings->read_quorum = 3;
    }
    if (rule->all_write || (rule->one_odds && random_once_in(random, rule->one_odds))) {
        settings->write_quorum = settings->copies;
        settings->read_quorum = 1;
    }
    if (rule->always)
        settings->sync = LOG_SYNC_ALWAYS;
    else if (rule->lazy_odds && random_once_in(random, rule->lazy_odds)) {
        settings->sync = random_once_in(random, 4) ? LOG_SYNC_EVERYSEC : LOG_SYNC_NO;
        settings->seal_bytes = LAZY_SEAL_BYTES;
    }
}

static unsigned up_to(struct random *random, unsigned most, unsigned drawn)
{
    return most ? between(random, (most + 1) / 2, most) : drawn;
}

void theme_shape(enum theme theme, struct random *random, unsigned nodes,
                 struct cluster_settings *settings, struct cluster_load *load)
{
    check(theme > THEME_NONE && theme < THEMES);
    const struct theme_rule *rule = &rules[theme];
    unsigned drawn = between(random, rule->nodes_min, rule->nodes_max);
    settings->nodes = nodes ? nodes : drawn;
    shape_quorums(rule, random, settings);
    load->nodes = settings->nodes;
    load->clients = between(random, rule->clients_min, rule->clients_max);
    load->think_us = SIM_MS * between(random, rule->think_min_ms, rule->think_max_ms);
    load->stay_odds = rule->stay_odds;
    load->delete_odds = rule->delete_odds;
    load->sums = up_to(random, rule->sums, load->sums);
    load->own_keys = up_to(random, rule->own_keys, load->own_keys);
    load->versions = up_to(random, rule->versions, load->versions);
    load->hot_keys = up_to(random, rule->hot_keys, load->hot_keys);
    for (int class = 0; class < HISTORY_CLASSES; class ++)
        load->weights[class] = rule->weights[class];
}
