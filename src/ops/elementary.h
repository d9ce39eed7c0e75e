/*
 * Elementary functions that give the same bits on every processor.
 *
 * The C library chooses its implementation at run time (with or without fused multiply-add), so its
 * results differ between machines in the last bit. All code whose results reach a voxel or a
 * measure uses these functions instead. They use additions, multiplications, divisions and bit
 * operations only, each rounded once (the build sets -ffp-contract=off). Square root, absolute
 * value, floor and the like are exact or correctly rounded everywhere and come from <math.h>.
 *
 * Methods: Cody and Waite, Software Manual for the Elementary Functions, 1980 (argument reduction);
 * truncated Taylor series on the reduced interval.
 */
#ifndef NP_OPS_ELEMENTARY_H
#define NP_OPS_ELEMENTARY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Double precision. Errors are below 2 units in the last place unless stated. NaN gives NaN. */

/* e^x; 0 below -745.2, infinity above 709.8. */
double np_exp(double x);

/* Natural logarithm; -infinity at 0, NaN below. */
double np_log(double x);

/* x in radians. Absolute error below 1e-15 for |x| <= 1e6; NaN beyond. */
double np_sin(double x);
double np_cos(double x);

/* x^y for x >= 0; NaN for x < 0, for any y. Errors up to 4 units where the result is near
 * overflow. */
double np_pow(double x, double y);

/* Real cube root, also of negative x. */
double np_cbrt(double x);

/*
 * Single precision, for voxels. Relative error of np_expf and np_logf below 2.5e-7 (3 units in the
 * last place). The array forms give the same bits as the scalar ones; `out` may be `in`.
 */

static inline float np_float_from_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint32_t np_bits_from_float(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* e^x. x is clamped to -87 … 88, so the result is always normal and finite. NaN counts as -87. */
static inline float np_expf(float x)
{
    /* Adding 1.5 · 2^23 rounds to an integer, which is then in the low bits. */
    const float round_magic = 12582912.0f;

    x = x > -87.0f ? x : -87.0f;
    x = x < 88.0f ? x : 88.0f;
    float shifted = x * 1.44269504f + round_magic;
    float k = shifted - round_magic;
    float r = (x - k * 0x1.62ep-1f) - k * 0x1.0bfbe8p-15f;
    float tail = 1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720)));
    float mantissa = 1.0f + (r + r * r * (0.5f + r * tail));
    return np_float_from_bits(np_bits_from_float(mantissa) + (np_bits_from_float(shifted) << 23));
}

/* Natural logarithm. x below the smallest normal number (also 0, negative values and NaN) counts
 * as that number: -87.3. */
static inline float np_logf(float x)
{
    const uint32_t half_root = 0x3f3504f3; /* sqrt(1/2) */

    x = x > 0x1p-126f ? x : 0x1p-126f;
    uint32_t offset = np_bits_from_float(x) - half_root;
    float k = (float)((int32_t)offset >> 23);
    float f = np_float_from_bits((offset & 0x7fffff) + half_root) - 1.0f;
    /* log(1 + f) = 2 atanh(s), s = f / (2 + f); 2 s = f - s f keeps f exact. */
    float s = f / (2.0f + f);
    float z = s * s;
    float tail = z * (2.0f / 3 + z * (2.0f / 5 + z * (2.0f / 7 + z * (2.0f / 9))));
    return k * 0x1.62ep-1f + (f + (k * 0x1.0bfbe8p-15f - s * (f - tail)));
}

void np_expf_n(const float *in, float *out, size_t n);
void np_logf_n(const float *in, float *out, size_t n);

#endif
