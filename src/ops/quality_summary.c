#include "ops/quality_job.h"

#include <math.h>

static const double MAD_OF_NORMAL = 0.6744897501960817; /* of sd 1 */

/* ---- medians of gathered values ------------------------------------------------------------ */

static void swap(float *a, float *b)
{
    float kept = *a;

    *a = *b;
    *b = kept;
}

static float middle_of(float a, float b, float c)
{
    float low = a < b ? a : b, high = a < b ? b : a;

    return c < low ? low : (c > high ? high : c);
}

/* Hoare 1961, doi:10.1145/366622.366647: afterwards value[rank] is as if all were in order, those
 * before it are at most as large, those after it at least. */
static void put_in_place(float *value, int64_t n, int64_t rank)
{
    int64_t low = 0, high = n - 1;

    while (low < high) {
        float pivot = middle_of(value[low], value[low + (high - low) / 2], value[high]);
        int64_t i = low, j = high;
        while (i <= j) {
            while (value[i] < pivot)
                i++;
            while (value[j] > pivot)
                j--;
            if (i <= j)
                swap(&value[i++], &value[j--]);
        }
        if (rank <= j)
            high = j;
        else if (rank >= i)
            low = i;
        else
            return;
    }
}

/* Reorders the values; NAN of none. */
double np_quality_median(float *value, int64_t n)
{
    if (n == 0)
        return NAN;
    put_in_place(value, n, n / 2);
    float high = value[n / 2], low = value[0];
    if (n % 2)
        return (double)high;
    for (int64_t i = 0; i < n / 2; i++)
        low = value[i] > low ? value[i] : low;
    return ((double)low + (double)high) / 2;
}

/* ---- summaries ----------------------------------------------------------------------------- */

/* Of weighted integers: the first whose cumulated weight reaches the target; between two, where it
 * is reached exactly (SAS's definition 5). */
static double weighted_quantile(const int64_t weight[NP_QUALITY_ROUNDED], int64_t total, double p)
{
    double target = p * (double)total;
    int64_t sum = weight[0];
    int i = 0, next;

    while ((double)sum < target)
        sum += weight[++i];
    if ((double)sum > target)
        return i;
    for (next = i + 1; next < NP_QUALITY_ROUNDED && !weight[next];)
        next++;
    return next < NP_QUALITY_ROUNDED ? (i + next) / 2.0 : i;
}

static void summarize_rounded(const int64_t weight[NP_QUALITY_ROUNDED],
                              struct np_quality_summary *summary)
{
    int64_t total = 0;
    double sum = 0, square = 0;

    *summary = (struct np_quality_summary){NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0};
    for (int i = 0; i < NP_QUALITY_ROUNDED; i++) {
        total += weight[i];
        sum += (double)weight[i] * i;
    }
    if (total == 0)
        return;
    summary->mean = sum / (double)total;
    for (int i = 0; i < NP_QUALITY_ROUNDED; i++)
        square += (double)weight[i] * (i - summary->mean) * (i - summary->mean);
    summary->stdv = sqrt(square / (double)total);
    summary->p05 = weighted_quantile(weight, total, 0.05);
    summary->median = weighted_quantile(weight, total, 0.5);
    summary->p95 = weighted_quantile(weight, total, 0.95);
}

static double kurtosis_of(const float *value, int64_t n)
{
    double sum = 0, square = 0, fourth = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)value[i];
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = ((double)value[i] - mean) * ((double)value[i] - mean);
        square += d;
        fourth += d * d;
    }
    return square > 0 ? fourth * (double)n / (square * square) - 3 : NAN;
}

void np_quality_summarize_tissue(struct np_quality_job *job, int k)
{
    struct np_quality_summary *summary = &job->out->summary[k];
    float *value = job->gathered[k];
    int64_t n = job->n_gathered[k];

    summarize_rounded(job->weights + (ptrdiff_t)k * NP_QUALITY_ROUNDED, summary);
    for (int s = 0; s < NP_QUALITY_SHARES; s++)
        summary->n += (double)job->n_share[k][s] * s / NP_TISSUE_WHOLE;
    if (n == 0 || isnan(summary->median))
        return;
    summary->kurtosis = kurtosis_of(value, n);
    for (int64_t i = 0; i < n; i++)
        value[i] = fabsf(value[i] - (float)summary->median);
    summary->mad = np_quality_median(value, n) / MAD_OF_NORMAL;
}

void np_quality_summarize_air(struct np_quality_job *job, int64_t *count)
{
    struct np_quality_summary *summary = &job->out->summary[NP_QUALITY_BG];

    np_quality_unite(job, NP_QUALITY_IN_AIR, 0, count);
    summarize_rounded(job->air, summary);
    summary->n = (double)np_levels_total(count);
    if (summary->n == 0)
        return;
    summary->kurtosis = np_levels_kurtosis(count);
    summary->mad = np_levels_median_distance(count, summary->median) / MAD_OF_NORMAL;
}
