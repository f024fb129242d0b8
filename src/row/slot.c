/* SPDX-License-Identifier: MIT */
#include "row/slot.h"

/*
 * CRC16 with the polynomial x^16 + x^12 + x^5 + 1, no reflection, eight bytes at a time ("slicing":
 * Kounavis and Berry 2008). The CRC is linear, so table k holds b * x^(16 + 8k) for each byte b:
 * the sum of the powers for its set bits. The compiler works the tables out from the powers.
 */
#define TIMES_X(power) (((power) << 1 ^ ((power)&0x8000 ? 0x1021 : 0)) & 0xffff)
#define POWERS(k, first)                                                                           \
    P##k##0 = first, P##k##1 = TIMES_X(P##k##0), P##k##2 = TIMES_X(P##k##1),                       \
    P##k##3 = TIMES_X(P##k##2), P##k##4 = TIMES_X(P##k##3), P##k##5 = TIMES_X(P##k##4),            \
    P##k##6 = TIMES_X(P##k##5), P##k##7 = TIMES_X(P##k##6)

enum {
    POWERS(0, 0x1021), /* x^16 reduced */
    POWERS(1, TIMES_X(P07)),
    POWERS(2, TIMES_X(P17)),
    POWERS(3, TIMES_X(P27)),
    POWERS(4, TIMES_X(P37)),
    POWERS(5, TIMES_X(P47)),
    POWERS(6, TIMES_X(P57)),
    POWERS(7, TIMES_X(P67)),
};

#define BIT(byte, bit, power) ((byte) >> (bit)&1 ? (power) : 0)
#define SUM1(k, b)                                                                                 \
    (BIT(b, 0, P##k##0) ^ BIT(b, 1, P##k##1) ^ BIT(b, 2, P##k##2) ^ BIT(b, 3, P##k##3) ^           \
     BIT(b, 4, P##k##4) ^ BIT(b, 5, P##k##5) ^ BIT(b, 6, P##k##6) ^ BIT(b, 7, P##k##7))
#define SUM4(k, b)  SUM1(k, b), SUM1(k, b + 1), SUM1(k, b + 2), SUM1(k, b + 3)
#define SUM16(k, b) SUM4(k, b), SUM4(k, b + 4), SUM4(k, b + 8), SUM4(k, b + 12)
#define SUM64(k, b) SUM16(k, b), SUM16(k, b + 16), SUM16(k, b + 32), SUM16(k, b + 48)
#define TABLE(k)                                                                                   \
    {                                                                                              \
        SUM64(k, 0), SUM64(k, 64), SUM64(k, 128), SUM64(k, 192)                                    \
    }

static const uint16_t tables[8][256] = {TABLE(0), TABLE(1), TABLE(2), TABLE(3),
                                        TABLE(4), TABLE(5), TABLE(6), TABLE(7)};

static uint16_t crc16(const unsigned char *in, size_t size)
{
    uint16_t crc = 0;
    for (; size >= 8; in += 8, size -= 8)
        crc = tables[7][in[0] ^ crc >> 8] ^ tables[6][in[1] ^ (crc & 0xff)] ^ tables[5][in[2]] ^
              tables[4][in[3]] ^ tables[3][in[4]] ^ tables[2][in[5]] ^ tables[1][in[6]] ^
              tables[0][in[7]];
    for (; size > 0; in++, size--)
        crc = (uint16_t)(crc << 8) ^ tables[0][*in ^ crc >> 8];
    return crc;
}

static struct bytes hash_tag(struct bytes key)
{
    const char *open = key.size ? memchr(key.data, '{', key.size) : NULL;
    if (!open)
        return key;
    const char *tag = open + 1;
    const char *close = memchr(tag, '}', (size_t)(key.data + key.size - tag));
    return close && close > tag ? bytes_of(tag, (size_t)(close - tag)) : key;
}

uint16_t slot_of_key(struct bytes key)
{
    struct bytes tag = hash_tag(key);
    return crc16((const unsigned char *)tag.data, tag.size) % SLOT_COUNT;
}
