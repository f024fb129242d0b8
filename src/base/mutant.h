/* SPDX-License-Identifier: MIT */
/*
 * Planted bugs: places where the code would be wrong in a way that the tests must find.
 *
 *     if (MUTANT(acknowledged_before_durable))
 *         return true;
 *
 * Only in KIND=mutant builds, and there only the one that was chosen: `make sim-mutants` lets the
 * simulator look for each of them. In all other builds the condition is a constant, and nothing of
 * it is left.
 */
#ifndef BASE_MUTANT_H
#define BASE_MUTANT_H

#include <stdbool.h>

#ifdef SHOAL_MUTANTS

#include <string.h>

extern const char *mutant_chosen; /* tests/support has it; NULL: none */

#define MUTANT(name) (mutant_chosen && strcmp(mutant_chosen, #name) == 0)

#else

#define MUTANT(name) false

#endif

#endif
