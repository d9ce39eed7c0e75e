#include <float.h>
#include <math.h>

#include "base/random.h"
#include "ops/elementary.h"
#include "tap.h"

/* Distance from the long double value in units of the double's last place. */
static double ulps(double found, long double expected)
{
    double near = (double)expected;
    double unit = nextafter(fabs(near), INFINITY) - fabs(near);

    return (double)(fabsl((long double)found - expected) / unit);
}

enum { N_DRAWS = 200000 };

static double worst_ulps(double (*ours)(double), long double (*truth)(long double), double low,
                         double high)
{
    struct np_random random;
    double worst = 0;

    np_random_seed(&random, 1, 0);
    for (int i = 0; i < N_DRAWS; i++) {
        double x = low + (high - low) * np_random_uniform(&random);
        worst = fmax(worst, ulps(ours(x), truth(x)));
    }
    return worst;
}

TEST(double_functions_are_within_two_units_in_the_last_place)
{
    ok_below(worst_ulps(np_exp, expl, -700, 700), 1.5, "exp, ulp");
    ok_below(worst_ulps(np_exp, expl, -1, 1), 1.5, "exp near 0, ulp");
    ok_below(worst_ulps(np_log, logl, 1e-12, 2), 1.5, "log near 1, ulp");
    ok_below(worst_ulps(np_log, logl, 0, 1e300), 1.5, "log, ulp");
    ok_below(worst_ulps(np_cbrt, cbrtl, -1e3, 1e3), 1.5, "cbrt, ulp");
    ok_below(worst_ulps(np_cbrt, cbrtl, -1e300, 1e300), 1.5, "cbrt of large numbers, ulp");
    ok_below(worst_ulps(np_cbrt, cbrtl, 0, 0x1p-1021), 1.5, "cbrt of tiny numbers, ulp");
}

TEST(sine_and_cosine_are_within_1e_15)
{
    struct np_random random;
    double worst = 0;

    np_random_seed(&random, 2, 0);
    for (int i = 0; i < N_DRAWS; i++) {
        double x = (i % 2 ? 10 : 1e6) * (2 * np_random_uniform(&random) - 1);
        worst = fmax(worst, (double)fabsl(np_sin(x) - sinl(x)));
        worst = fmax(worst, (double)fabsl(np_cos(x) - cosl(x)));
    }
    ok_below(worst, 3e-16, "absolute error");
    /* Multiples of pi/2 are where a reduction loses digits. */
    for (int k = 1; k < 100000; k *= 7)
        ok_below(fabs(np_sin(k * M_PI) - (double)sinl(k * M_PI)), 1e-18 * k,
                 "sine near its zeros, absolute");
    ok(isnan(np_sin(1e7)) && isnan(np_cos(INFINITY)));
}

TEST(power_is_accurate_for_large_exponents)
{
    struct np_random random;
    double worst = 0, worst_small = 0;

    np_random_seed(&random, 3, 0);
    for (int i = 0; i < N_DRAWS; i++) {
        double x = 100 * np_random_uniform(&random) + 1e-3;
        double y = 200 * np_random_uniform(&random) - 100;
        double error = ulps(np_pow(x, y), powl(x, y));
        worst = fmax(worst, error);
        if (fabs(y) < 3)
            worst_small = fmax(worst_small, error);
    }
    ok_below(worst, 4, "pow, ulp");
    ok_below(worst_small, 1.5, "pow with small exponents, ulp");
}

TEST(special_values_are_as_promised)
{
    ok(np_exp(0) == 1 && np_exp(1000) == INFINITY && np_exp(-1000) == 0 && isnan(np_exp(NAN)));
    ok(np_exp(-INFINITY) == 0 && np_exp(INFINITY) == INFINITY);
    ok_near(np_exp(-740), 4.19955798965060e-322, 5e-324, "subnormal exp");
    ok(np_log(1) == 0 && np_log(0) == -INFINITY && isnan(np_log(-1)));
    ok_near(np_log(0x1p-1074), -1074 * M_LN2, 1e-12, "log of the smallest number");
    ok(np_pow(0, 2) == 0 && np_pow(0, -2) == INFINITY && np_pow(5, 0) == 1 && isnan(np_pow(-1, 2)));
    ok(np_pow(2, 10) == 1024 && np_pow(10, 400) == INFINITY && np_pow(10, -400) == 0);
    ok(np_cbrt(-27) == -3 && np_cbrt(0) == 0 && np_cbrt(8e-321) > 0);
    ok(np_sin(0) == 0 && np_cos(0) == 1);
}

TEST(single_precision_functions_are_within_3e_7)
{
    double worst_exp = 0, worst_log = 0;

    for (int i = 0; i < N_DRAWS; i++) {
        float x = -87 + 175 * (float)i / N_DRAWS;
        worst_exp = fmax(worst_exp, fabs(np_expf(x) / exp(x) - 1));
        float y = np_expf(x);
        double truth = log(y);
        worst_log = fmax(worst_log, fabs(np_logf(y) - truth) / fmax(fabs(truth), 1e-30));
        float near = 0.5f + 1.5f * (float)i / N_DRAWS;
        worst_log = fmax(worst_log, fabs(np_logf(near) - log(near)) / fmax(fabs(log(near)), 1e-30));
    }
    ok_below(worst_exp, 2.5e-7, "expf, relative");
    ok_below(worst_log, 2.5e-7, "logf, relative");
    ok(np_logf(1) == 0 && np_expf(0) == 1);
    ok(isfinite(np_expf(1e9f)) && np_expf(-1e9f) > 0 && isfinite(np_expf(NAN)));
    ok_near(np_logf(0), -87.336, 0.01, "log of 0 is that of the smallest normal number");
    ok(np_logf(-1) == np_logf(0) && np_logf(NAN) == np_logf(0));
}

TEST(array_forms_give_the_bits_of_the_scalar_ones)
{
    enum { N = 1003 };
    static float in[N], out[N];
    int differ = 0;

    for (int i = 0; i < N; i++)
        in[i] = (float)(i - 300) * 0.37f;
    in[7] = NAN;
    in[8] = INFINITY;
    in[9] = 1e-42f;
    np_expf_n(in, out, N);
    for (int i = 0; i < N; i++)
        differ += np_bits_from_float(out[i]) != np_bits_from_float(np_expf(in[i]));
    np_logf_n(in, out, N);
    for (int i = 0; i < N; i++)
        differ += np_bits_from_float(out[i]) != np_bits_from_float(np_logf(in[i]));
    ok_int(differ, 0);
    memcpy(out, in, sizeof(in));
    np_expf_n(out, out, N);
    ok(np_bits_from_float(out[N - 1]) == np_bits_from_float(np_expf(in[N - 1])));
}

/* The fingerprint was made on one processor and must come out of every other. */
TEST(bits_are_those_of_every_processor)
{
    uint64_t hash = 1469598103934665603u;

    for (int i = 1; i < 20000; i++) {
        double x = i * 0.0373;
        double value[] = {np_exp(x - 300), np_log(x),      np_sin(x),
                          np_cos(x),       np_pow(x, 0.7), np_cbrt(x - 9)};
        for (int j = 0; j < (int)NP_COUNT(value); j++) {
            uint64_t bits;
            memcpy(&bits, &value[j], sizeof(bits));
            hash = (hash ^ bits) * 1099511628211u;
        }
    }
    tap_check(hash == 0x3101eeef3e43a3b8u, __FILE__, __LINE__, "hash %016llx",
              (unsigned long long)hash);
}

TAP_MAIN
