/*
 * Counts of intensities of which neither the range nor the middle is known beforehand, private to
 * ops: the bins' width is a share of the value (2^-11), so that quantiles, and sums of powers, have
 * a relative error below 2^-12 wherever they lie. Values below 2^-6 count as 0, those of 2^17 and
 * more as 2^17: in units in which white matter, or the brain, is 1000.
 */
#ifndef NP_OPS_QUALITY_LEVELS_H
#define NP_OPS_QUALITY_LEVELS_H

#include <stdint.h>

#include "ops/elementary.h"

enum {
    NP_LEVEL_BITS = 11, /* of the mantissa: bins of an octave, as a power of 2 */
    NP_LEVEL_OCTAVES = 23,
    NP_LEVEL_SHIFT = 23 - NP_LEVEL_BITS,
    NP_N_LEVELS = 1 + (NP_LEVEL_OCTAVES << NP_LEVEL_BITS),     /* the first is that of 0 */
    NP_LEVEL_BASE = ((127 - 6) << 23) - (1 << NP_LEVEL_SHIFT), /* bits of 2^-6 begin level 1 */
};

static inline int32_t np_level_of(float value)
{
    const float least = 0x1p-6F;

    if (!(value >= least))
        return 0;
    int32_t level = (int32_t)(np_bits_from_float(value) - NP_LEVEL_BASE) >> NP_LEVEL_SHIFT;
    return level < NP_N_LEVELS ? level : NP_N_LEVELS - 1;
}

/* The middle of a bin. */
static inline double np_level_value(int32_t level)
{
    uint32_t half = (uint32_t)1 << (NP_LEVEL_SHIFT - 1);

    return level ? (double)np_float_from_bits(((uint32_t)level << NP_LEVEL_SHIFT) + half +
                                              NP_LEVEL_BASE)
                 : 0;
}

/* All of the counts. */
int64_t np_levels_total(const int64_t count[NP_N_LEVELS]);

/* The order statistics around position p (n - 1), linearly interpolated; NAN of no value. */
double np_levels_quantile(const int64_t count[NP_N_LEVELS], double p);

/* The median of the squares. */
double np_levels_median_square(const int64_t count[NP_N_LEVELS]);

/* The median of the distances to `centre`; NAN of no value. */
double np_levels_median_distance(const int64_t count[NP_N_LEVELS], double centre);

/* Kurtosis less 3 (0 of a normal distribution), of the population; NAN where all are alike. */
double np_levels_kurtosis(const int64_t count[NP_N_LEVELS]);

#endif
