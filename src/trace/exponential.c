/*
 * Exponential histograms.
 *   1. The bucket of a value at the present scale is the number of factors below it, rounded up,
 *      minus 1.
 *   2. When the bucket and the buckets in use would span more than there are, lower the scale until
 *      they fit: each step halves the indices and merges neighbours.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "trace/internal.h"

/*
 * ceil(log2(value) * 2^scale) - 1, so that bucket i ends at 2^((i + 1) 2^-scale), inclusive. A
 * power of two is the end of a bucket at every scale and is found without rounding. For other
 * values the logarithm may have an error in its last digit, which the specification allows.
 * Subnormal values count as the smallest normal one.
 */
static int32_t bucket_of(double value, int32_t scale)
{
    int exponent;
    double fraction = frexp(fmax(value, DBL_MIN), &exponent); /* in [0.5, 1) */

    exponent--; /* value = 2 fraction * 2^exponent */
    if (fraction == 0.5)
        return scale >= 0 ? (int32_t)((uint32_t)exponent << scale) - 1 : (exponent - 1) >> -scale;
    if (scale <= 0)
        return exponent >> -scale;
    return (int32_t)ceil(ldexp(log2(fmax(value, DBL_MIN)), scale)) - 1;
}

/* The number of steps by which the scale must be lowered until [low, high] fits. */
static int32_t surplus(int32_t low, int32_t high)
{
    int32_t steps = 0;

    while ((high >> steps) - (low >> steps) >= NP_EXPONENTIAL_BUCKETS)
        steps++;
    return steps;
}

static void lower_scale(struct np_exponential *histogram, int32_t steps)
{
    int32_t offset = histogram->offset >> steps;
    uint64_t merged[NP_EXPONENTIAL_BUCKETS] = {0};

    for (uint32_t i = 0; i < histogram->n; i++)
        merged[((histogram->offset + (int32_t)i) >> steps) - offset] += histogram->bucket[i];
    if (histogram->n > 0)
        histogram->n =
            (uint32_t)(((histogram->offset + (int32_t)histogram->n - 1) >> steps) - offset + 1);
    memcpy(histogram->bucket, merged, sizeof(merged));
    histogram->offset = offset;
    histogram->scale -= steps;
}

/* Extend the buckets to `index`, which fits. */
static void extend(struct np_exponential *histogram, int32_t index)
{
    if (histogram->n == 0) {
        histogram->offset = index;
        histogram->n = 1;
    }
    if (index < histogram->offset) {
        uint32_t shift = (uint32_t)(histogram->offset - index);
        memmove(&histogram->bucket[shift], histogram->bucket,
                histogram->n * sizeof(*histogram->bucket));
        memset(histogram->bucket, 0, shift * sizeof(*histogram->bucket));
        histogram->offset = index;
        histogram->n += shift;
    }
    if (index - histogram->offset >= (int32_t)histogram->n)
        histogram->n = (uint32_t)(index - histogram->offset) + 1;
}

void np_exponential_count(struct np_exponential *histogram, double value)
{
    int32_t index = bucket_of(value, histogram->scale);

    if (histogram->n > 0) {
        int32_t low = histogram->offset, high = low + (int32_t)histogram->n - 1;
        int32_t steps = surplus(index < low ? index : low, index > high ? index : high);
        if (steps > 0) {
            lower_scale(histogram, steps);
            index >>= steps;
        }
    }
    extend(histogram, index);
    histogram->bucket[index - histogram->offset]++;
}
