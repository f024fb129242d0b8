/* SPDX-License-Identifier: MIT */
/*
 * A disk in memory, with one directory, that fails as real ones do: deterministic from a seed.
 *
 * What was written is in the page cache until it is synced, each write by itself; what was created,
 * renamed or removed likewise until the directory is. A process crash loses nothing. A power cut
 * decides for each of those changes by itself whether it is kept, lost, or (a write) torn; later
 * ones may be kept and earlier ones lost. What was synced stays.
 *
 *     struct sim_files *disk = sim_files_new(seed, SIM_FILES_UNLIMITED);
 *     struct files *files = sim_files_interface(disk);   the code under test gets this
 *     sim_files_halt_after(disk, 17);                    the process dies in its 18th change
 *     ... the code under test meets STATUS_IO, its memory is freed ...
 *     sim_files_power_cut(disk);                         and starts again with the same `files`
 *
 * One process at a time uses the disk. Handles that it left open are dead after a crash, but still
 * to be closed.
 */
#ifndef SIM_FILES_H
#define SIM_FILES_H

#include "store/files.h"

#define SIM_FILES_UNLIMITED UINT64_MAX

struct sim_files;

/* Room for `capacity` bytes in all files, reserved ones included. */
struct sim_files *sim_files_new(uint64_t seed, uint64_t capacity);

/* Freed with the disk: sim_files_free, or the interface's own `free`. */
struct files *sim_files_interface(struct sim_files *disk);
void sim_files_free(struct sim_files *disk);

/*
 * What `cp -a` would make of it: another disk, with another mark (files_ops.lock). All on it is
 * synced.
 */
struct sim_files *sim_files_copy(const struct sim_files *disk, uint64_t seed);
/* The copy is put back where it came from: it has that disk's mark. */
void sim_files_put_back(struct sim_files *copy, const struct sim_files *disk);

/* ---- crashes --------------------------------------------------------------------------------- */

/*
 * The process is gone: the lock is free, handles are dead, nothing is lost. Faults that were
 * scheduled are forgotten.
 */
void sim_files_crash(struct sim_files *disk);

/* The same, and everything that was not synced is kept, lost or torn. */
void sim_files_power_cut(struct sim_files *disk);

/*
 * The process dies after `changes` more changes (writes, syncs, reservations, truncations,
 * creations, renames, removals): the next one may be done in part, and from then on every call
 * fails with STATUS_IO until sim_files_crash or _power_cut.
 */
void sim_files_halt_after(struct sim_files *disk, uint64_t changes);
bool sim_files_halted(const struct sim_files *disk);

/* Changes so far: to know how many there are to die in. */
uint64_t sim_files_changes(const struct sim_files *disk);

/* ---- errors ---------------------------------------------------------------------------------- */

enum sim_files_call {
    SIM_FILES_OPEN,
    SIM_FILES_READ,
    SIM_FILES_WRITE, /* after the error, what stands there is unknown */
    SIM_FILES_SYNC,
    SIM_FILES_RESERVE,
    SIM_FILES_TRUNCATE,
    SIM_FILES_RENAME,
    SIM_FILES_REMOVE,
    SIM_FILES_SYNC_DIRECTORY,
    SIM_FILES_CALLS,
};

/* After `calls` more calls of this kind, one fails with `status`. */
void sim_files_fail(struct sim_files *disk, enum sim_files_call call, uint64_t calls,
                    enum status status);

void sim_files_set_capacity(struct sim_files *disk, uint64_t capacity);
uint64_t sim_files_used(const struct sim_files *disk);

/* ---- damage, and looking --------------------------------------------------------------------- */

/* Flips one bit of a file, for good. The byte must be in the file. */
void sim_files_flip_bit(struct sim_files *disk, const char *name, uint64_t at, unsigned bit);

/*
 * Of all names, sizes and contents as the process sees them: equal if and only if nothing differs.
 */
uint64_t sim_files_digest(const struct sim_files *disk);

#endif
