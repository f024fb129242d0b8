/* SPDX-License-Identifier: MIT */
/*
 * One node's store in a world of faults: the real log, table, apply, sealing and recovery over a
 * simulated disk, a model of the ordered tier, and storage threads that run when chance says so.
 * Clients write, read, scan and flush; the process crashes, loses power, meets a full disk and
 * failing reads, and starts again; several lives a seed.
 *
 * Checked, against whole states of a model:
 *   - each reply is what the model says (A3: nothing out of thin air; A9: nothing visible after its
 * time, nothing gone before);
 *   - after a crash the store holds a prefix of the history with at least all that was acknowledged
 * (A1, A11): after the death of the process what was written, after a power cut what was synced;
 *   - operations on several keys are there whole or not at all;
 *   - scans return each key that is there throughout, DBSIZE counts what is there;
 *   - keys may be missing only while a policy evicts, and only so many as it evicted; or where the
 * clock went back after their time, and then for good: what a client was told is gone does not come
 * back, with no restart (A9);
 *   - a reply waits until what it tells of is durable;
 *   - no actor contradicts itself (rule 1);
 *   - where the store is one copy among several (one seed in four), nothing leaves it but what the
 * world collects, and that for good;
 *   - when nothing goes wrong any more, all work that is left gets done, and counts are exact;
 *   - the tables, lists, counts and bytes in memory equal their recomputation, and the tier's facts
 * what it holds.
 */
#ifndef SIM_STORE_WORLD_H
#define SIM_STORE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

/* Runs the world of that seed; false if a check failed, which has been said on stderr. With `trace`
 * every step is told. The hash is of the trace, told or not, and of what the disk then holds: the
 * same for the same seed. */
bool store_world_run(uint64_t seed, bool trace, uint64_t *out_hash);

#endif
