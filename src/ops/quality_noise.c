/*
 * All values stand on a lattice, half a step of the 1000 points wide. A chi-squared distribution
 * with a location and a scale is a gamma distribution with them. At a given location, the
 * likelihood of a gamma distribution is largest at one shape, which Newton's method finds; the
 * location is found by golden sections.
 */
#include "ops/quality_noise.h"

#include <math.h>

#include "base/alloc.h"

enum {
    N_POINTS = 1000,
    STEPS = 2, /* of the lattice between two points */
    N_LATTICE = 16384,
    N_COARSE = 28, /* locations that are tried before golden sections */
    N_GOLDEN = 30,
    LEAST_VALUES = 1000,
};
static const double END = 110, TOP_LEVEL = 100, KERNEL_SD = 4, KERNEL_REACH_SDS = 6;
static const double GOLDEN = 0.6180339887498949;
static const double NEAREST = 0.02, FACTOR = 1.6; /* of the locations' distances to the values */

struct noise {
    double *count; /* [N_LATTICE] */
    double n;
    int32_t first, end; /* of the lattice, where counts are */
};

struct gamma {
    double shape, scale, location;
    double likelihood; /* its logarithm, divided by n */
};

static double step(void)
{
    return END / (N_POINTS - 1) / STEPS;
}

/* ---- special functions: asymptotic series, from 8 on; recurrences below ---------------------- */

static double digamma(double x)
{
    double before = 0;

    while (x < 8) {
        before -= 1 / x;
        x += 1;
    }
    double r = 1 / (x * x);
    return before + np_log(x) - 1 / (2 * x) -
           r * (1.0 / 12 - r * (1.0 / 120 - r * (1.0 / 252 - r / 240)));
}

static double trigamma(double x)
{
    double before = 0;

    while (x < 8) {
        before += 1 / (x * x);
        x += 1;
    }
    double r = 1 / (x * x);
    return before + 1 / x + r / 2 + r / x * (1.0 / 6 - r * (1.0 / 30 - r * (1.0 / 42 - r / 30)));
}

static double log_gamma(double x)
{
    const double half_log_two_pi = 0.9189385332046727;
    double product = 1;

    while (x < 8) {
        product *= x;
        x += 1;
    }
    double r = 1 / (x * x);
    return (x - 0.5) * np_log(x) - x + half_log_two_pi +
           (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r / 1680))) / x - np_log(product);
}

/* ---- the fit ------------------------------------------------------------------------------- */

/* log(shape) - digamma(shape) = gap > 0; the start is within 1.5 % (Minka 2002). */
static double shape_of(double gap)
{
    double shape = (3 - gap + sqrt((gap - 3) * (gap - 3) + 24 * gap)) / (12 * gap);

    for (int i = 0; i < 6; i++)
        shape -= (np_log(shape) - digamma(shape) - gap) / (1 / shape - trigamma(shape));
    return shape;
}

static struct gamma fit_at(const struct noise *noise, double location)
{
    double sum = 0, log_sum = 0;

    for (int32_t i = noise->first; i < noise->end; i++)
        if (noise->count[i] > 0) {
            double value = i * step() - location;
            sum += noise->count[i] * value;
            log_sum += noise->count[i] * np_log(value);
        }
    double mean = sum / noise->n, log_mean = log_sum / noise->n;
    struct gamma fit = {.location = location, .shape = shape_of(np_log(mean) - log_mean)};
    fit.scale = mean / fit.shape;
    fit.likelihood = (fit.shape - 1) * log_mean - fit.shape - fit.shape * np_log(fit.scale) -
                     log_gamma(fit.shape);
    return fit;
}

/* At a distance to the least value whose logarithm is given. */
static struct gamma fit_below(const struct noise *noise, double log_distance)
{
    return fit_at(noise, noise->first * step() - np_exp(log_distance));
}

static struct gamma fit_all(const struct noise *noise)
{
    const double stride = np_log(FACTOR), start = np_log(NEAREST);
    struct gamma best = fit_below(noise, start);
    int at = 0;

    for (int i = 1; i < N_COARSE; i++) {
        struct gamma fit = fit_below(noise, start + i * stride);
        if (fit.likelihood > best.likelihood) {
            best = fit;
            at = i;
        }
    }
    double low = start + (at ? at - 1 : 0) * stride, high = start + (at + 1) * stride;
    for (int i = 0; i < N_GOLDEN; i++) {
        double left = high - GOLDEN * (high - low), right = low + GOLDEN * (high - low);
        if (fit_below(noise, left).likelihood > fit_below(noise, right).likelihood)
            high = right;
        else
            low = left;
    }
    return fit_below(noise, (low + high) / 2);
}

static double density_at(const struct gamma *fit, double x)
{
    double value = x - fit->location;

    if (value <= 0)
        return 0;
    return np_exp((fit->shape - 1) * np_log(value) - value / fit->scale -
                  fit->shape * np_log(fit->scale) - log_gamma(fit->shape));
}

/* ---- the values' density ------------------------------------------------------------------- */

static void spread(const int64_t count[NP_N_LEVELS], double top, struct noise *noise)
{
    noise->first = N_LATTICE;
    for (int32_t i = 0; i < NP_N_LEVELS; i++) {
        if (!count[i])
            continue;
        double at = np_level_value(i) * TOP_LEVEL / top / step() + 0.5;
        int32_t to = at < N_LATTICE ? (int32_t)at : N_LATTICE - 1;
        noise->count[to] += (double)count[i];
        noise->n += (double)count[i];
        noise->first = to < noise->first ? to : noise->first;
        noise->end = to + 1;
    }
}

static void smooth(const struct noise *noise, double density[N_POINTS])
{
    const double root_two_pi = 2.5066282746310002;
    const int32_t reach = (int32_t)(KERNEL_REACH_SDS * KERNEL_SD / step());
    double kernel[1024]; /* the reach is 435 */

    for (int32_t d = 0; d <= reach; d++) {
        double sds = d * step() / KERNEL_SD;
        kernel[d] = np_exp(-sds * sds / 2) / (KERNEL_SD * root_two_pi * noise->n);
    }
    for (int32_t i = 0; i < N_POINTS; i++) {
        int32_t at = i * STEPS, from = at - reach > 0 ? at - reach : 0;
        density[i] = 0;
        for (int32_t j = from; j <= at + reach && j < noise->end; j++)
            density[i] += noise->count[j] * kernel[j < at ? at - j : j - at];
    }
}

/* From here on the density is at most half its maximum; 0 where its last point is above. */
static int first_below_half(const double density[N_POINTS])
{
    double most = 0;
    int i = N_POINTS;

    for (int k = 0; k < N_POINTS; k++)
        most = density[k] > most ? density[k] : most;
    while (i > 0 && density[i - 1] <= most / 2)
        i--;
    return i < N_POINTS ? i : 0;
}

int np_quality_noise_index(const int64_t count[NP_N_LEVELS], double *index, struct np_error *err)
{
    NP_AUTO(np_freep) double *lattice = np_try_calloc(N_LATTICE, sizeof(*lattice));
    double density[N_POINTS], sum = 0;
    struct noise noise = {.count = lattice};

    if (!lattice)
        return np_error_set(err, NP_ENOMEM, "noise of the air: no memory for 1 MiB");
    double top = np_levels_quantile(count, 0.99);
    if (np_levels_total(count) - count[0] < LEAST_VALUES || !(top > 0)) {
        *index = 0;
        return 0;
    }
    spread(count, top, &noise);
    smooth(&noise, density);
    struct gamma fit = fit_all(&noise);
    int first = first_below_half(density);
    for (int i = first; i < N_POINTS; i++)
        sum += fabs(density[i] - density_at(&fit, i * step() * STEPS));
    *index = sum / (N_POINTS - first);
    return 0;
}
