/* SPDX-License-Identifier: MIT */
#include "base/crc64.h"

#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5) /* 0xad93d23594c935a9 with its bits reversed */

enum { BYTE_VALUES = 256, BYTE_BITS = 8 };

uint64_t crc64(struct bytes bytes)
{
    uint64_t table[BYTE_VALUES]; /* made each time: it costs as much as a kilobyte of input */
    for (unsigned i = 0; i < BYTE_VALUES; i++) {
        table[i] = i;
        for (unsigned bit = 0; bit < BYTE_BITS; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? POLYNOMIAL : 0);
    }
    uint64_t crc = 0;
    for (size_t i = 0; i < bytes.size; i++)
        crc = crc >> BYTE_BITS ^ table[(crc ^ (unsigned char)bytes.data[i]) & (BYTE_VALUES - 1)];
    return crc;
}
