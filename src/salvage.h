/* SPDX-License-Identifier: MIT */
/*
 * Saves what can be saved of a damaged data directory. The directory itself is only read: all goes
 * into a new one beside it, DIRECTORY.salvaged, which is a whole data directory afterwards, of a
 * new node. It must not exist before. Tables of the tier that are whole are shared by hard links,
 * so it takes little room.
 *
 * The tier first: opened and read through, or repaired where it is not whole (tier.h). Then the
 * log: every whole batch after what the tier holds, wherever it stands, goes through the same apply
 * as at a start.
 */
#ifndef SALVAGE_H
#define SALVAGE_H

/* Says on the standard output what was found, saved and lost. Returns the exit status: 0 if the new
 * directory is ready to be used. */
int salvage(const char *directory);

#endif
