/* SPDX-License-Identifier: MIT */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "shoal: %s:%d: this should always hold, and does not: %s\n", file, line,
            condition);
    abort();
}
