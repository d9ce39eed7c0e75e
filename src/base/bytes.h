/* Bytes eight at a time. */
#ifndef NP_BASE_BYTES_H
#define NP_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

/* The eight bytes at `at`, the first of them the lowest. */
static inline uint64_t np_load_little_endian(const char *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof(eight));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return eight;
}

#endif
