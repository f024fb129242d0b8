/* SPDX-License-Identifier: MIT */
/* Which planted bug a KIND=mutant build has (base/mutant.h): of a unit test the one that the
 * environment names, of the simulator the one that is asked for. */
#ifdef SHOAL_MUTANTS

#include <stdlib.h>

#include "base/mutant.h"

const char *mutant_chosen;

__attribute__((constructor)) static void choose(void)
{
    mutant_chosen = getenv("SHOAL_MUTANT");
}

#else

typedef int nothing_is_planted;

#endif
