/* SPDX-License-Identifier: MIT */
/* What the machine gives to the process: time, chance, memory, descriptors. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

/* Milliseconds of Unix time. */
uint64_t machine_clock_ms(void);

/* Nanoseconds of a clock that never goes back. */
uint64_t machine_monotonic_ns(void *context);

/* Fills `out` from the system's source of randomness. */
void machine_random(void *out, unsigned size);

/* Bytes that this process may use: of the machine, or of its control group (version 1 or 2) if that
 * is less. 0: unknown. */
uint64_t machine_memory(void);

/* CPU time of the process so far. */
void machine_cpu_time(void *context, uint64_t *out_system_us, uint64_t *out_user_us);

/* The same of the calling thread. */
void machine_thread_cpu_time(void *context, uint64_t *out_system_us, uint64_t *out_user_us);

/* Bytes of physical memory that the process has. 0: unknown. */
uint64_t machine_resident(void *context);

/* Stops the calling thread for so long. */
void machine_sleep(void *context, uint64_t us);

/* What it is: "Linux 6.1.0-18-amd64 x86_64". Valid for ever; not for several threads. */
const char *machine_system(void);

/* Allows as many open descriptors as the system lets this process have; returns how many that are.
 */
uint64_t machine_raise_descriptors(void);

#endif
