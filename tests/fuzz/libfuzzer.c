/* SPDX-License-Identifier: MIT */
/* The way in for libFuzzer, which has the main function. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_one(bytes_of(data, size));
    return 0;
}
