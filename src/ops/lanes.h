/*
 * Tools for inner loops, private to ops: four floats at once, and a fast search in masks. They use
 * vector types because the compiler does not vectorise loops at every optimisation level. Each
 * vector element is computed as a scalar would be, so results do not depend on them.
 */
#ifndef NP_OPS_LANES_H
#define NP_OPS_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef float np_lanes __attribute__((vector_size(16)));
typedef int32_t np_lane_bits __attribute__((vector_size(16))); /* of a comparison: 0 or -1 */
enum { NP_LANES = 4 };

/* Load four floats; the memory need not be aligned. */
static inline np_lanes np_lanes_load(const float *from)
{
    np_lanes value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static inline void np_lanes_store(float *to, np_lanes value)
{
    memcpy(to, &value, sizeof(value));
}

static inline np_lanes np_lanes_all(float value)
{
    return (np_lanes){value, value, value, value};
}

/* `yes` where the comparison holds, else `no`. */
static inline np_lanes np_lanes_select(np_lane_bits holds, np_lanes yes, np_lanes no)
{
    return (np_lanes)(((np_lane_bits)yes & holds) | ((np_lane_bits)no & ~holds));
}

static inline bool np_lanes_any(np_lane_bits holds)
{
    uint64_t half[2];

    memcpy(half, &holds, sizeof(half));
    return half[0] | half[1];
}

/*
 * The first voxel from `i` on that is in the mask, or `end`; `inside` NULL means all voxels are.
 * Most of a volume lies outside the brain, so eight zeros are skipped in one step.
 */
static inline size_t np_next_inside(const uint8_t *inside, size_t i, size_t end)
{
    if (!inside)
        return i;
    while (i < end && !inside[i]) {
        uint64_t eight = 1;

        if (i + sizeof(eight) <= end)
            memcpy(&eight, inside + i, sizeof(eight));
        i += eight ? 1 : sizeof(eight);
    }
    return i;
}

#endif
