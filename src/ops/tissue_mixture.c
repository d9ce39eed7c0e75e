#include "ops/tissue_mixture.h"

#include <math.h>

#include "base/alloc.h"
#include "ops/elementary.h"
#include "ops/histogram.h"

enum {
    N_BINS = NP_MIXTURE_BINS,
    PER_COARSE = 8, /* bins in a coarse one, with which the search starts */
    N_COARSE = N_BINS / PER_COARSE,
    N_MIXES = 7, /* shares of a mixed voxel: 1/8 … 7/8 of the brighter class */
    N_WEIGHTS = NP_N_CLASSES + NP_N_CLASS_PAIRS,
    N_PARTS = NP_N_CLASSES + NP_N_CLASS_PAIRS * N_MIXES,
    MOST_ITERATIONS = 100,
    N_STARTS = 3,
    N_SUMS = 4, /* sums that grow side by side, so that no addition waits for the one before */
};

static const double CUT[2] = {0.001, 0.999}; /* quantiles: the histogram's ends */
static const double SETTLED = 1e-4;          /* of the range: what no mean moves further than */
static const double LEAST_SD = 0.004;        /* of the range */
static const float NOWHERE = 1e-20F;         /* a density below this is none */
static const float FAR = -60;                /* exponent: further off, floats would be subnormal */

/* One part of the mixture: a class alone, or a mix of two. */
struct part {
    int dark;      /* the class, or the darker one of a mix; the other is the next */
    double bright; /* the share of the next */
    double mean, sd, weight;
};

/* Of each part in each bin, and of all parts. */
struct density {
    float of[N_PARTS][N_BINS], all[N_BINS];
};

static void set_parts(const struct np_mixture *mixture, struct part part[N_PARTS])
{
    for (int k = 0; k < NP_N_CLASSES; k++)
        part[k] = (struct part){k, 0, mixture->mean[k], mixture->sd[k], mixture->weight[k]};
    for (int p = 0; p < NP_N_CLASS_PAIRS; p++)
        for (int m = 0; m < N_MIXES; m++) {
            double t = (m + 1) / (double)(N_MIXES + 1);
            part[NP_N_CLASSES + p * N_MIXES + m] = (struct part){
                .dark = p,
                .bright = t,
                .mean = (1 - t) * mixture->mean[p] + t * mixture->mean[p + 1],
                .sd = (1 - t) * mixture->sd[p] + t * mixture->sd[p + 1],
                .weight = mixture->weight[NP_N_CLASSES + p] / N_MIXES,
            };
        }
}

static double bin_middle(int bin)
{
    return (bin + 0.5) / N_BINS;
}

static void set_density_of(const struct part *part, float density[N_BINS])
{
    float middle = (float)part->mean, per_sd = (float)(1 / part->sd);
    float height = (float)(part->weight / part->sd);

    for (int i = 0; i < N_BINS; i++) {
        float z = ((float)(2 * i + 1) * (0.5F / N_BINS) - middle) * per_sd;
        float exponent = -0.5F * z * z;
        density[i] = exponent > FAR ? exponent : FAR;
    }
    np_expf_n(density, density, N_BINS);
    for (int i = 0; i < N_BINS; i++)
        density[i] *= height;
}

static void set_density(const struct part part[N_PARTS], struct density *density)
{
    for (int i = 0; i < N_BINS; i++)
        density->all[i] = NOWHERE;
    for (int c = 0; c < N_PARTS; c++) {
        set_density_of(&part[c], density->of[c]);
        for (int i = 0; i < N_BINS; i++)
            density->all[i] += density->of[c][i];
    }
}

/* ---- the start ----------------------------------------------------------------------------- */

/* Numbers of voxels, and sums of their values, in all coarse bins before each. */
struct coarse {
    double n[N_COARSE + 1], sum[N_COARSE + 1];
};

static struct coarse make_coarse(const struct np_histogram *histogram)
{
    struct coarse coarse = {0};

    for (int i = 0; i < N_BINS; i++) {
        coarse.n[i / PER_COARSE + 1] += (double)histogram->count[i];
        coarse.sum[i / PER_COARSE + 1] += (double)histogram->count[i] * bin_middle(i);
    }
    for (int i = 0; i < N_COARSE; i++) {
        coarse.n[i + 1] += coarse.n[i];
        coarse.sum[i + 1] += coarse.sum[i];
    }
    return coarse;
}

/* The share of a class of the bins [from, to) in the variance between classes. */
static double between(const struct coarse *coarse, int from, int to)
{
    double n = coarse->n[to] - coarse->n[from], sum = coarse->sum[to] - coarse->sum[from];

    return n > 0 ? sum * sum / n : 0;
}

/* The border that parts the bins [from, to) into two classes with the largest variance between
 * them. */
static int part_in_two(const struct coarse *coarse, int from, int to)
{
    int border = (from + to) / 2;
    double best = -1;

    for (int a = from + 1; a < to; a++) {
        double found = between(coarse, from, a) + between(coarse, a, to);
        if (found > best) {
            best = found;
            border = a;
        }
    }
    return border;
}

/* The same for all bins and three classes. */
static void part_in_three(const struct coarse *coarse, int border[2])
{
    double best = -1;

    for (int a = 1; a < N_COARSE - 1; a++) {
        int b = part_in_two(coarse, a, N_COARSE);
        double found = between(coarse, 0, a) + between(coarse, a, b) + between(coarse, b, N_COARSE);
        if (found > best) {
            best = found;
            border[0] = a;
            border[1] = b;
        }
    }
}

/*
 * Where the fit may begin. Where two tissues have little contrast, three classes of largest variance
 * are two tissues, and what is mixed of them; two classes, one of which is parted again, are then
 * nearer.
 */
static void set_starts(const struct np_histogram *histogram, int border[N_STARTS][2])
{
    struct coarse coarse = make_coarse(histogram);
    int half = part_in_two(&coarse, 0, N_COARSE);

    part_in_three(&coarse, border[0]);
    border[1][0] = half;
    border[1][1] = part_in_two(&coarse, half, N_COARSE);
    border[2][0] = part_in_two(&coarse, 0, half);
    border[2][1] = half;
}

static void start(const struct np_histogram *histogram, const int border[2],
                  struct np_mixture *mixture)
{
    const int end[NP_N_CLASSES + 1] = {0, border[0] * PER_COARSE, border[1] * PER_COARSE, N_BINS};

    for (int k = 0; k < NP_N_CLASSES; k++) {
        double n = 0, sum = 0, square = 0;
        for (int i = end[k]; i < end[k + 1]; i++) {
            n += (double)histogram->count[i];
            sum += (double)histogram->count[i] * bin_middle(i);
            square += (double)histogram->count[i] * bin_middle(i) * bin_middle(i);
        }
        double mean = n > 0 ? sum / n : 0.5 * (end[k] + end[k + 1]) / N_BINS;
        mixture->mean[k] = mean;
        mixture->sd[k] = fmax(n > 0 ? sqrt(fmax(square / n - mean * mean, 0)) : 0, LEAST_SD);
        mixture->weight[k] = 0.8 * n / (double)histogram->n;
    }
    for (int p = 0; p < NP_N_CLASS_PAIRS; p++)
        mixture->weight[NP_N_CLASSES + p] = 0.2 / NP_N_CLASS_PAIRS;
}

/* ---- the fit ------------------------------------------------------------------------------- */

/* Of the voxels that belong to one part: their number, and sums of their values and squares. */
struct moments {
    double n, value, square;
};

/* `per_density` is the bin's count by the density of all parts. */
static struct moments moments_of(const float density[N_BINS], const float per_density[N_BINS])
{
    double n[N_SUMS] = {0}, value[N_SUMS] = {0}, square[N_SUMS] = {0};

    for (int i = 0; i < N_BINS; i += N_SUMS)
        for (int s = 0; s < N_SUMS; s++) {
            double here = (double)(density[i + s] * per_density[i + s]), v = bin_middle(i + s);
            n[s] += here;
            value[s] += here * v;
            square[s] += here * v * v;
        }
    return (struct moments){n[0] + n[1] + n[2] + n[3], value[0] + value[1] + value[2] + value[3],
                            square[0] + square[1] + square[2] + square[3]};
}

/* The normal equations of the means. A class mixes with its neighbours alone, so they are
 * tridiagonal. */
struct equations {
    double square[NP_N_CLASSES][NP_N_CLASSES], right[NP_N_CLASSES];
};

static void add_part(const struct part *part, const struct moments *moments,
                     struct equations *equations)
{
    double w = 1 / (part->sd * part->sd), share[2] = {1 - part->bright, part->bright};

    for (int a = 0; a < 2 && share[a] > 0; a++) {
        equations->right[part->dark + a] += w * share[a] * moments->value;
        for (int b = 0; b < 2 && share[b] > 0; b++)
            equations->square[part->dark + a][part->dark + b] +=
                w * share[a] * share[b] * moments->n;
    }
}

static void solve(const struct equations *e, double mean[NP_N_CLASSES])
{
    double diagonal[NP_N_CLASSES], right[NP_N_CLASSES];

    for (int k = 0; k < NP_N_CLASSES; k++) {
        diagonal[k] = e->square[k][k];
        right[k] = e->right[k];
        if (k > 0 && diagonal[k - 1] > 0) {
            double f = e->square[k][k - 1] / diagonal[k - 1];
            diagonal[k] -= f * e->square[k - 1][k];
            right[k] -= f * right[k - 1];
        }
    }
    for (int k = NP_N_CLASSES - 1; k >= 0; k--) {
        double above = k + 1 < NP_N_CLASSES ? e->square[k][k + 1] * mean[k + 1] : 0;
        if (diagonal[k] > 0)
            mean[k] = (right[k] - above) / diagonal[k];
    }
}

static double spread_around(const struct moments *m, double mean)
{
    return fmax(m->square - 2 * mean * m->value + mean * mean * m->n, 0);
}

/* One step of expectation maximization. Returns how far a mean moved. */
static double step(const struct np_histogram *histogram, struct density *density,
                   struct np_mixture *mixture)
{
    struct part part[N_PARTS];
    struct equations equations = {0};
    struct np_mixture next = *mixture;
    float per_density[N_BINS];
    double moved = 0;

    set_parts(mixture, part);
    set_density(part, density);
    for (int i = 0; i < N_BINS; i++)
        per_density[i] = (float)histogram->count[i] / density->all[i];
    for (int w = 0; w < N_WEIGHTS; w++)
        next.weight[w] = 0;
    for (int c = 0; c < N_PARTS; c++) {
        struct moments m = moments_of(density->of[c], per_density);
        int of = c < NP_N_CLASSES ? c : NP_N_CLASSES + (c - NP_N_CLASSES) / N_MIXES;
        add_part(&part[c], &m, &equations);
        next.weight[of] += m.n / (double)histogram->n;
        if (c < NP_N_CLASSES && m.n > 0)
            next.sd[c] = fmax(sqrt(spread_around(&m, part[c].mean) / m.n), LEAST_SD);
    }
    solve(&equations, next.mean);
    for (int k = 0; k < NP_N_CLASSES; k++)
        moved = fmax(moved, fabs(next.mean[k] - mixture->mean[k]));
    *mixture = next;
    return moved;
}

static bool is_in_order(const struct np_mixture *mixture)
{
    for (int k = 0; k + 1 < NP_N_CLASSES; k++)
        if (!(mixture->mean[k] + LEAST_SD < mixture->mean[k + 1]))
            return false;
    return true;
}

static double log_likelihood(const struct np_histogram *histogram, const struct np_mixture *mixture,
                             struct density *density)
{
    struct part part[N_PARTS];
    double sum = 0;

    set_parts(mixture, part);
    set_density(part, density);
    for (int i = 0; i < N_BINS; i++)
        if (histogram->count[i] > 0)
            sum += (double)histogram->count[i] * np_log((double)density->all[i]);
    return sum;
}

/* The likeliest of the fits from all starts; false when no fit parts three classes. */
static bool fit(const struct np_histogram *histogram, struct np_mixture *best)
{
    NP_AUTO(np_freep) struct density *density = np_xcalloc(1, sizeof(*density));
    double likeliest = -INFINITY;
    int border[N_STARTS][2];

    set_starts(histogram, border);
    for (int s = 0; s < N_STARTS; s++) {
        struct np_mixture made = *best;
        double moved = 1;
        start(histogram, border[s], &made);
        for (made.n_iterations = 0; made.n_iterations < MOST_ITERATIONS && moved > SETTLED;
             made.n_iterations++)
            moved = step(histogram, density, &made);
        double found = is_in_order(&made) ? log_likelihood(histogram, &made, density) : -INFINITY;
        if (found > likeliest) {
            likeliest = found;
            *best = made;
        }
    }
    return isfinite(likeliest);
}

int np_mixture_fit(const struct np_image *values, const struct np_exec *exec,
                   struct np_mixture *mixture, struct np_error *err)
{
    NP_AUTO(np_histogram_done) struct np_histogram histogram = {0};
    struct np_mixture made = {0};
    double end[2];

    NP_TRY(np_image_quantiles(values, NULL, CUT, 2, exec, end, err));
    if (!(end[1] > end[0]))
        return np_error_set(err, NP_EMETHOD, "tissues: the brain has one intensity, %g", end[0]);
    made.low = end[0];
    made.high = end[1];
    NP_TRY(np_histogram_make(values, NULL, end[0], end[1], N_BINS, exec, &histogram, err));
    if (!fit(&histogram, &made))
        return np_error_set(err, NP_EMETHOD,
                            "tissues: the brain's intensities do not part into three classes");
    NP_TRY(np_exec_check(exec, err));
    *mixture = made;
    return 0;
}

void np_mixture_shares(const struct np_mixture *mixture, float share[NP_MIXTURE_BINS][NP_N_CLASSES])
{
    NP_AUTO(np_freep) struct density *density = np_xcalloc(1, sizeof(*density));
    struct part part[N_PARTS];

    set_parts(mixture, part);
    set_density(part, density);
    for (int i = 0; i < N_BINS; i++) {
        for (int k = 0; k < NP_N_CLASSES; k++)
            share[i][k] = 0;
        for (int c = 0; c < N_PARTS; c++) {
            float probable = density->of[c][i] / density->all[i], bright = (float)part[c].bright;
            share[i][part[c].dark] += probable * (1 - bright);
            if (bright > 0)
                share[i][part[c].dark + 1] += probable * bright;
        }
    }
}
