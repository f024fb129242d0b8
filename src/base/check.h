/* SPDX-License-Identifier: MIT */
/* Invariants, on in production too: a broken one prints where and ends the process. Never for input
 * from outside. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define check(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_failed(#condition, __FILE__, __LINE__);                                          \
    } while (0)

_Noreturn void check_failed(const char *condition, const char *file, int line);

#endif
