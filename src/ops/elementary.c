#include "ops/elementary.h"

#include <math.h>

#include "base/alloc.h"
#include "ops/lanes.h"

/* ln 2 = hi + lo; hi has 33 bits, so k · hi is exact for every exponent k. */
static const double LN2_HI = 0x1.62e42fefp-1;
static const double LN2_LO = 0x1.473de6af278edp-34;
static const double INV_LN2 = 0x1.71547652b82fep+0;
static const double ROUND_MAGIC = 0x1.8p52; /* adding it rounds to an integer */

static double from_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* 2^k for a normal result. */
static double power_of_two(int k)
{
    return from_bits((uint64_t)(k + 1023) << 52);
}

/* value · 2^k, also where the result is subnormal or infinite; |k| <= 1100. */
static double scale(double value, int k)
{
    int half = k / 2;

    return value * power_of_two(half) * power_of_two(k - half);
}

/* c[0] + c[1] x + …, by Horner's rule. */
static double polynomial(const double *c, int n, double x)
{
    double sum = c[n - 1];

    for (int i = n - 2; i >= 0; i--)
        sum = sum * x + c[i];
    return sum;
}

/* e^r - 1 for |r| <= 0.35, r = hi - lo. The series' remainder is 4e-18. */
static double expm1_reduced(double hi, double lo)
{
    static const double c[] = {
        1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,      1.0 / 720,       1.0 / 5040,
        1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
    };
    double r = hi - lo;

    return hi + (r * r * polynomial(c, (int)NP_COUNT(c), r) - lo);
}

double np_exp(double x)
{
    if (x != x)
        return x;
    if (x > 709.79)
        return INFINITY;
    if (x < -745.2)
        return 0;
    double k = (x * INV_LN2 + ROUND_MAGIC) - ROUND_MAGIC;
    return scale(1 + expm1_reduced(x - k * LN2_HI, k * LN2_LO), (int)k);
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)); x finite and positive. */
static double split_exponent(double x, int *k)
{
    const uint64_t half_root = 0x3fe6a09e667f3bcd; /* sqrt(1/2) */
    int shift = 0;

    if (x < 0x1p-1022) {
        x *= 0x1p54;
        shift = -54;
    }
    uint64_t offset = to_bits(x) - half_root;
    *k = (int)((int64_t)offset >> 52) + shift;
    return from_bits((offset & 0xfffffffffffff) + half_root);
}

/* 2 (z/3 + z²/5 + …), z = s²: what 2 atanh(s) / s has beyond 2. z <= 0.0295; the remainder is
 * 1e-18. */
static double atanh_tail(double z)
{
    static const double c[] = {
        2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11, 2.0 / 13,
        2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23,
    };

    return z * polynomial(c, (int)NP_COUNT(c), z);
}

double np_log(double x)
{
    if (x != x || x < 0)
        return NAN;
    if (x == 0)
        return -INFINITY;
    if (x == INFINITY)
        return x;
    int k;
    double f = split_exponent(x, &k) - 1;
    /* log(1 + f) = 2 atanh(s) = 2 s + s tail, and 2 s = f - s f = f - f²/2 + s f²/2. */
    double s = f / (2 + f);
    double half_square = 0.5 * f * f;
    double tail = atanh_tail(s * s);
    return k * LN2_HI - ((half_square - (s * (half_square + tail) + k * LN2_LO)) - f);
}

/* sin and cos on [-pi/4, pi/4] of r + dr, |dr| tiny. The series' remainders are below 1e-17. */
static double sin_reduced(double r, double dr)
{
    static const double c[] = {
        -1.0 / 6,        1.0 / 120,         -1.0 / 5040,           1.0 / 362880,
        -1.0 / 39916800, 1.0 / 6227020800., -1.0 / 1307674368000.,
    };
    double z = r * r;

    return r + (dr * (1 - 0.5 * z) + r * z * polynomial(c, (int)NP_COUNT(c), z));
}

static double cos_reduced(double r, double dr)
{
    static const double c[] = {
        1.0 / 24,        -1.0 / 720,          1.0 / 40320,           -1.0 / 3628800,
        1.0 / 479001600, -1.0 / 87178291200., 1.0 / 20922789888000.,
    };
    double z = r * r;
    double half = 0.5 * z;
    double head = 1 - half;

    return head + (((1 - head) - half) + (z * z * polynomial(c, (int)NP_COUNT(c), z) - r * dr));
}

/* sin(x + quarter_turns · pi/2). */
static double circular(double x, int quarter_turns)
{
    /* pi/2 in pieces of 33 bits: their products with k < 2^20 are exact. */
    static const double half_pi_1 = 0x1.921fb544p+0, half_pi_2 = 0x1.0b4611a6p-34,
                        half_pi_3 = 0x1.3198a2e037073p-69;

    if (!(fabs(x) <= 1e6))
        return NAN;
    double k = (x * 0x1.45f306dc9c883p-1 + ROUND_MAGIC) - ROUND_MAGIC;
    double head = x - k * half_pi_1;
    double step = k * half_pi_2;
    double r = head - step;
    double dr = ((head - r) - step) - k * half_pi_3;
    switch (((int)k + quarter_turns) & 3) {
    case 0:
        return sin_reduced(r, dr);
    case 1:
        return cos_reduced(r, dr);
    case 2:
        return -sin_reduced(r, dr);
    default:
        return -cos_reduced(r, dr);
    }
}

double np_sin(double x)
{
    return circular(x, 0);
}

double np_cos(double x)
{
    return circular(x, 1);
}

/* An unevaluated sum: twice the precision where one is not enough. */
struct pair {
    double hi, lo;
};

static struct pair pair_sum(double a, double b)
{
    double sum = a + b;
    double b_seen = sum - a;

    return (struct pair){sum, (a - (sum - b_seen)) + (b - b_seen)};
}

/* a · b exactly (Dekker 1971, doi:10.1007/BF01397083). */
static struct pair pair_product(double a, double b)
{
    const double splitter = 0x1p27 + 1;
    double a_big = a * splitter, b_big = b * splitter;
    double a_hi = a_big - (a_big - a), b_hi = b_big - (b_big - b);
    double a_lo = a - a_hi, b_lo = b - b_hi;
    double product = a * b;

    return (struct pair){product,
                         ((a_hi * b_hi - product) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
}

/* log(x) to about 60 bits; x finite and positive. */
static struct pair log_pair(double x)
{
    int k;
    double f = split_exponent(x, &k) - 1;
    struct pair sum = pair_sum(2, f);
    double s = f / sum.hi;
    struct pair back = pair_product(s, sum.hi);
    double s_lo = ((f - back.hi) - back.lo - s * sum.lo) / sum.hi;
    double rest = 2 * s_lo + s * atanh_tail(s * s) + k * LN2_LO;
    struct pair head = pair_sum(k * LN2_HI, 2 * s);
    struct pair all = pair_sum(head.hi, rest);

    return (struct pair){all.hi, all.lo + head.lo};
}

double np_pow(double x, double y)
{
    if (y == 0 || x == 1)
        return 1;
    if (x != x || y != y || x < 0)
        return NAN;
    if (x == 0 || x == INFINITY)
        return (x == 0) == (y > 0) ? 0 : INFINITY;
    struct pair l = log_pair(x);
    double rough = y * l.hi;
    if (!(fabs(rough) < 760))
        return rough > 0 ? INFINITY : 0;
    struct pair product = pair_product(y, l.hi);
    double power = np_exp(product.hi);
    if (power == 0 || power == INFINITY)
        return power;
    return power + power * (product.lo + y * l.lo);
}

double np_cbrt(double x)
{
    double size = fabs(x);

    if (x != x || size == 0 || size == INFINITY)
        return x;
    double unscale = 1;
    if (size < 0x1p-1000) {
        size *= 0x1p300;
        unscale = 0x1p-100;
    }
    /* A third of the bit pattern is a third of the exponent: right to 5 %. */
    double root = from_bits(to_bits(size) / 3 + 0x2a9f7893782da1ce);
    for (int i = 0; i < 4; i++)
        root -= (root - size / (root * root)) / 3; /* Newton: the error squares each time */
    return copysign(root * unscale, x);
}

/* --- four at once ----------------------------------------------------------------------------- */

/* Each lane does what the scalar functions of the header do, operation by operation. */
typedef int32_t lane_bits __attribute__((vector_size(16)));
typedef uint32_t lane_words __attribute__((vector_size(16)));

/* `yes` where the mask is set, else `no`. */
static inline np_lanes pick(lane_bits mask, np_lanes yes, np_lanes no)
{
    return (np_lanes)(((lane_bits)yes & mask) | ((lane_bits)no & ~mask));
}

static inline np_lanes expf_lanes(np_lanes x)
{
    const np_lanes round_magic = np_lanes_all(12582912.0f), low = np_lanes_all(-87.0f),
                   high = np_lanes_all(88.0f);

    x = pick(x > low, x, low);
    x = pick(x < high, x, high);
    np_lanes shifted = x * 1.44269504f + round_magic;
    np_lanes k = shifted - round_magic;
    np_lanes r = (x - k * 0x1.62ep-1f) - k * 0x1.0bfbe8p-15f;
    np_lanes tail = 1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720)));
    np_lanes mantissa = 1.0f + (r + r * r * (0.5f + r * tail));
    return (np_lanes)((lane_words)mantissa + ((lane_words)shifted << 23));
}

static inline np_lanes logf_lanes(np_lanes x)
{
    const uint32_t half_root = 0x3f3504f3;
    const np_lanes smallest = np_lanes_all(0x1p-126f);

    x = pick(x > smallest, x, smallest);
    lane_words offset = (lane_words)x - half_root;
    np_lanes k = __builtin_convertvector((lane_bits)offset >> 23, np_lanes);
    np_lanes f = (np_lanes)((offset & 0x7fffff) + half_root) - 1.0f;
    np_lanes s = f / (2.0f + f);
    np_lanes z = s * s;
    np_lanes tail = z * (2.0f / 3 + z * (2.0f / 5 + z * (2.0f / 7 + z * (2.0f / 9))));
    return k * 0x1.62ep-1f + (f + (k * 0x1.0bfbe8p-15f - s * (f - tail)));
}

void np_expf_n(const float *in, float *out, size_t n)
{
    size_t i = 0;

    for (; i + NP_LANES <= n; i += NP_LANES)
        np_lanes_store(out + i, expf_lanes(np_lanes_load(in + i)));
    for (; i < n; i++)
        out[i] = np_expf(in[i]);
}

void np_logf_n(const float *in, float *out, size_t n)
{
    size_t i = 0;

    for (; i + NP_LANES <= n; i += NP_LANES)
        np_lanes_store(out + i, logf_lanes(np_lanes_load(in + i)));
    for (; i < n; i++)
        out[i] = np_logf(in[i]);
}
