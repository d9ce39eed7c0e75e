#include "ops/quality_levels.h"

#include <math.h>

int64_t np_levels_total(const int64_t count[NP_N_LEVELS])
{
    int64_t n = 0;

    for (int32_t i = 0; i < NP_N_LEVELS; i++)
        n += count[i];
    return n;
}

/* The level of the value number `rank`, counted from 0; there are more. */
static int32_t level_at(const int64_t count[NP_N_LEVELS], int64_t rank)
{
    int64_t before = 0;
    int32_t i = 0;

    while (before + count[i] <= rank)
        before += count[i++];
    return i;
}

double np_levels_quantile(const int64_t count[NP_N_LEVELS], double p)
{
    int64_t n = np_levels_total(count);

    if (n == 0)
        return NAN;
    double position = p * (double)(n - 1);
    int64_t rank = (int64_t)position;
    double low = np_level_value(level_at(count, rank));
    double high = np_level_value(level_at(count, rank + 1 < n ? rank + 1 : rank));
    return low + (position - (double)rank) * (high - low);
}

double np_levels_median_square(const int64_t count[NP_N_LEVELS])
{
    int64_t n = np_levels_total(count);

    if (n == 0)
        return NAN;
    double low = np_level_value(level_at(count, (n - 1) / 2));
    double high = np_level_value(level_at(count, n / 2));
    return (low * low + high * high) / 2;
}

/* Two pointers move away from the centre: in each step the nearer of the next two levels. */
double np_levels_median_distance(const int64_t count[NP_N_LEVELS], double centre)
{
    const int64_t n = np_levels_total(count);
    int32_t up = np_level_of((float)centre), down = up - 1;
    int64_t passed = 0;
    double distance = 0, first = NAN;

    if (n == 0)
        return NAN;
    while (passed <= n / 2) {
        double above = up < NP_N_LEVELS ? fabs(np_level_value(up) - centre) : INFINITY;
        double below = down >= 0 ? fabs(centre - np_level_value(down)) : INFINITY;
        int64_t here = above <= below ? count[up++] : count[down--];
        distance = here ? fmin(above, below) : distance;
        passed += here;
        if (isnan(first) && 2 * passed >= n)
            first = distance;
    }
    return n % 2 ? distance : (first + distance) / 2;
}

double np_levels_kurtosis(const int64_t count[NP_N_LEVELS])
{
    const int64_t n = np_levels_total(count);
    double sum = 0, square = 0, fourth = 0;

    for (int32_t i = 0; i < NP_N_LEVELS; i++)
        sum += (double)count[i] * np_level_value(i);
    double mean = sum / (double)n;
    for (int32_t i = 0; i < NP_N_LEVELS; i++) {
        double d = np_level_value(i) - mean;
        square += (double)count[i] * d * d;
        fourth += (double)count[i] * d * d * d * d;
    }
    return square > 0 ? fourth * (double)n / (square * square) - 3 : NAN;
}
