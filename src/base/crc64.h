/* SPDX-License-Identifier: MIT */
/* CRC-64 with Jones's polynomial, reflected, from 0: the checksum of Redis's files and dumps. */
#ifndef BASE_CRC64_H
#define BASE_CRC64_H

#include <stdint.h>

#include "base/bytes.h"

uint64_t crc64(struct bytes bytes);

#endif
