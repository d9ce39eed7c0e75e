#include "ops/conv_products.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { QUAD = NP_PRODUCTS_QUAD, TAPS = NP_PRODUCTS_TAPS, STEP_Z = NP_PRODUCTS_STEP_Z };

static void multiply_at(const struct np_products_shape *shape, const float *from,
                        const np_lanes *weight, float *to)
{
    np_lanes sum[QUAD][2] = {0};

    for (size_t i = 0; i < shape->n_inputs; i++, from += shape->input_row)
        for (size_t t = 0; t < TAPS; t++, weight += QUAD) {
            np_lanes low = np_lanes_load(from + t), high = np_lanes_load(from + t + NP_LANES);
            sum[0][0] += low * weight[0];
            sum[0][1] += high * weight[0];
            sum[1][0] += low * weight[1];
            sum[1][1] += high * weight[1];
            sum[2][0] += low * weight[2];
            sum[2][1] += high * weight[2];
            sum[3][0] += low * weight[3];
            sum[3][1] += high * weight[3];
        }
    for (size_t o = 0; o < QUAD; o++) {
        np_lanes_store(to + o * shape->n_z, sum[o][0]);
        np_lanes_store(to + o * shape->n_z + NP_LANES, sum[o][1]);
    }
}

static void multiply_portable(const struct np_products_shape *shape, const float *from,
                              const np_lanes *weight, float *to)
{
    for (size_t z = 0; z < shape->n_z; z += STEP_Z)
        multiply_at(shape, from + z, weight, to + z);
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))

AVX2 static void multiply_8(const struct np_products_shape *shape, const float *from,
                            const np_lanes *weight, float *to)
{
    __m256 sum[QUAD] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                        _mm256_setzero_ps()};

    for (size_t i = 0; i < shape->n_inputs; i++, from += shape->input_row)
        for (size_t t = 0; t < TAPS; t++, weight += QUAD) {
            __m256 value = _mm256_loadu_ps(from + t);
            for (size_t o = 0; o < QUAD; o++)
                sum[o] = _mm256_add_ps(
                    sum[o], _mm256_mul_ps(value, _mm256_broadcast_ps((const __m128 *)&weight[o])));
        }
    for (size_t o = 0; o < QUAD; o++)
        _mm256_storeu_ps(to + o * shape->n_z, sum[o]);
}

/* Sixteen positions: as many sums as are needed to keep the adders busy. */
AVX2 static void multiply_16(const struct np_products_shape *shape, const float *from,
                             const np_lanes *weight, float *to)
{
    __m256 low_0 = _mm256_setzero_ps(), low_1 = low_0, low_2 = low_0, low_3 = low_0;
    __m256 high_0 = low_0, high_1 = low_0, high_2 = low_0, high_3 = low_0;

    for (size_t i = 0; i < shape->n_inputs; i++, from += shape->input_row)
        for (size_t t = 0; t < TAPS; t++, weight += QUAD) {
            __m256 low = _mm256_loadu_ps(from + t), high = _mm256_loadu_ps(from + t + 8);
            __m256 w = _mm256_broadcast_ps((const __m128 *)&weight[0]);
            low_0 = _mm256_add_ps(low_0, _mm256_mul_ps(low, w));
            high_0 = _mm256_add_ps(high_0, _mm256_mul_ps(high, w));
            w = _mm256_broadcast_ps((const __m128 *)&weight[1]);
            low_1 = _mm256_add_ps(low_1, _mm256_mul_ps(low, w));
            high_1 = _mm256_add_ps(high_1, _mm256_mul_ps(high, w));
            w = _mm256_broadcast_ps((const __m128 *)&weight[2]);
            low_2 = _mm256_add_ps(low_2, _mm256_mul_ps(low, w));
            high_2 = _mm256_add_ps(high_2, _mm256_mul_ps(high, w));
            w = _mm256_broadcast_ps((const __m128 *)&weight[3]);
            low_3 = _mm256_add_ps(low_3, _mm256_mul_ps(low, w));
            high_3 = _mm256_add_ps(high_3, _mm256_mul_ps(high, w));
        }
    const __m256 sum[QUAD][2] = {
        {low_0, high_0}, {low_1, high_1}, {low_2, high_2}, {low_3, high_3}};
    for (size_t o = 0; o < QUAD; o++) {
        _mm256_storeu_ps(to + o * shape->n_z, sum[o][0]);
        _mm256_storeu_ps(to + o * shape->n_z + 8, sum[o][1]);
    }
}

AVX2 static void multiply_avx2(const struct np_products_shape *shape, const float *from,
                               const np_lanes *weight, float *to)
{
    size_t z = 0;

    for (; z + 16 <= shape->n_z; z += 16)
        multiply_16(shape, from + z, weight, to + z);
    for (; z < shape->n_z; z += STEP_Z)
        multiply_8(shape, from + z, weight, to + z);
}
#endif

np_products_fn *np_products_choose(bool portable)
{
#if defined(__x86_64__)
    if (!portable && __builtin_cpu_supports("avx2"))
        return multiply_avx2;
#endif
    (void)portable;
    return multiply_portable;
}
