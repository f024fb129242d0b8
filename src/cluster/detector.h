/* SPDX-License-Identifier: MIT */
/*
 * How sure one can be that somebody who has not answered yet will not (phi-accrual: Hayashibara et
 * al. 2004): the times that his earlier answers took, lost and repeated questions included, are
 * taken for a normal distribution; phi is minus the decimal logarithm of the chance that an answer
 * takes even longer than what has passed. Phi 8: once in 10^8 answers, were they so distributed.
 */
#ifndef CLUSTER_DETECTOR_H
#define CLUSTER_DETECTOR_H

#include <stdint.h>

enum {
    DETECTOR_WINDOW = 64,             /* answers that are remembered */
    DETECTOR_DEVIATION_MIN_MS = 350,  /* so that regular answers are no reason for haste */
    DETECTOR_DEVIATION_MAX_MS = 1500, /* and irregular ones none to wait for ever */
    DETECTOR_WAIT_MAX_MS = 5000,      /* what took longer counts as so long */
};

#define DETECTOR_THRESHOLD 8.0   /* beyond it somebody is suspected */
#define DETECTOR_PHI_MAX   300.0 /* no phi is higher */

/* All zeros: has seen nothing yet. */
struct detector {
    uint16_t waits_ms[DETECTOR_WINDOW];
    uint16_t count, next;
    uint64_t sum, squares;
};

/* An answer took so long. */
void detector_add(struct detector *detector, uint64_t wait_ms);

/* An answer has not come for so long. */
double detector_phi(const struct detector *detector, uint64_t waiting_ms);

#endif
