/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target: a file fuzz_<what>.c with the two functions below. `make fuzz` links it with
 * libFuzzer (libfuzzer.c), which searches for inputs that reach new code; the stage fuzz of
 * scripts/test.py links it with replay.c, which runs the seeds, corpus/<what>/ and some simple
 * changes of them. An input that once broke something stays in corpus/<what>/, named after what it
 * broke.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/bytes.h"
#include "base/check.h"

/*
 * Any bytes go in. What must hold of the code under test is stated with check(): a broken one ends
 * the process. `input` is a block of exactly its size. Nothing is kept from call to call.
 */
void fuzz_one(struct bytes input);

/* Good inputs to begin with, made by the code that writes such bytes. */
typedef void (*fuzz_seed)(void *context, struct bytes input);
void fuzz_seeds(fuzz_seed seed, void *context);

/* The first byte of `input`, which loses it; 0 at its end. */
static inline uint8_t fuzz_take_u8(struct bytes *input)
{
    if (input->size == 0)
        return 0;
    uint8_t byte = (uint8_t)input->data[0];
    *input = bytes_of(input->data + 1, input->size - 1);
    return byte;
}

/* A part of `input`, which loses it: a size in two bytes, the higher first, then so many bytes, or
 * what there is. */
static inline struct bytes fuzz_take_part(struct bytes *input)
{
    size_t high = fuzz_take_u8(input);
    size_t size = high << 8 | fuzz_take_u8(input);
    if (size > input->size)
        size = input->size;
    struct bytes part = bytes_of(input->data, size);
    *input = bytes_of(input->data + size, input->size - size);
    return part;
}

#endif
