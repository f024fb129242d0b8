/* SPDX-License-Identifier: MIT */
#include "cluster/detector.h"

#include <math.h>

void detector_add(struct detector *detector, uint64_t wait_ms)
{
    uint16_t *place = &detector->waits_ms[detector->next];
    uint64_t wait = wait_ms < DETECTOR_WAIT_MAX_MS ? wait_ms : DETECTOR_WAIT_MAX_MS;
    if (detector->count == DETECTOR_WINDOW) {
        detector->sum -= *place;
        detector->squares -= (uint64_t)*place * *place;
    } else {
        detector->count++;
    }
    *place = (uint16_t)wait;
    detector->sum += wait;
    detector->squares += wait * wait;
    detector->next = (uint16_t)((detector->next + 1) % DETECTOR_WINDOW);
}

double detector_phi(const struct detector *detector, uint64_t waiting_ms)
{
    double count = detector->count > 0 ? detector->count : 1;
    double mean = (double)detector->sum / count;
    double variance = (double)detector->squares / count - mean * mean;
    double deviation = variance > 0 ? sqrt(variance) : 0;
    if (deviation < DETECTOR_DEVIATION_MIN_MS)
        deviation = DETECTOR_DEVIATION_MIN_MS;
    if (deviation > DETECTOR_DEVIATION_MAX_MS)
        deviation = DETECTOR_DEVIATION_MAX_MS;
    double later = erfc(((double)waiting_ms - mean) / (deviation * sqrt(2.0))) / 2;
    double phi = later > 0 ? -log10(later) : DETECTOR_PHI_MAX;
    return phi < DETECTOR_PHI_MAX ? phi : DETECTOR_PHI_MAX;
}
