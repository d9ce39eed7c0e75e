#include "ops/histogram.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementary.h"
#include "ops/lanes.h"

/* The slabs depend on the image's size alone, so sums are the same for any number of threads. */
enum { N_SLABS = 16 };

struct slab {
    size_t begin, end;
};

static struct slab slab_of(const struct np_image *image, int64_t task)
{
    size_t n = np_grid_voxels(&image->grid);
    size_t step = (n + N_SLABS - 1) / N_SLABS;
    size_t begin = step * (size_t)task, end = begin + step;

    return (struct slab){begin < n ? begin : n, end < n ? end : n};
}

static int check_grids(const struct np_image *image, const struct np_mask *mask,
                       struct np_error *err)
{
    for (int a = 0; mask && a < 3; a++)
        if (mask->grid.n[a] != image->grid.n[a])
            return np_error_set(err, NP_EGEOMETRY,
                                "statistics: mask has %" PRId64 " voxels along axis %d, image "
                                "has %" PRId64,
                                mask->grid.n[a], a, image->grid.n[a]);
    return 0;
}

/* --- range ------------------------------------------------------------------------------------ */

struct range_job {
    const struct np_image *image;
    struct np_range part[N_SLABS];
};

static void widen(struct np_range *range, double low, double high)
{
    range->minimum = low < range->minimum ? low : range->minimum;
    range->maximum = high > range->maximum ? high : range->maximum;
}

static void range_slab(void *context, int64_t task)
{
    struct range_job *job = context;
    struct slab slab = slab_of(job->image, task);
    const float *value = job->image->voxel;
    struct np_range found = {INFINITY, -INFINITY, 0};
    np_lanes low = np_lanes_all(INFINITY), high = np_lanes_all(-INFINITY);
    np_lane_bits negative = {0}; /* at most 2^31 in a lane of a slab: images are smaller */
    size_t i = slab.begin;

    for (; i + NP_LANES <= slab.end; i += NP_LANES) {
        np_lanes v = np_lanes_load(value + i);
        low = np_lanes_select(v < low, v, low);
        high = np_lanes_select(v > high, v, high);
        negative -= v < np_lanes_all(0);
    }
    for (; i < slab.end; i++) {
        widen(&found, (double)value[i], (double)value[i]);
        found.n_negative += value[i] < 0;
    }
    for (int j = 0; j < NP_LANES; j++) {
        widen(&found, (double)low[j], (double)high[j]);
        found.n_negative += negative[j];
    }
    job->part[task] = found;
}

int np_image_range(const struct np_image *image, const struct np_exec *exec, struct np_range *range,
                   struct np_error *err)
{
    struct range_job job = {.image = image};
    struct np_range found = {INFINITY, -INFINITY, 0};

    np_exec_run(exec, N_SLABS, range_slab, &job);
    for (int i = 0; i < N_SLABS; i++) {
        widen(&found, job.part[i].minimum, job.part[i].maximum);
        found.n_negative += job.part[i].n_negative;
    }
    NP_TRY(np_exec_check(exec, err));
    found.minimum += 0.0; /* -0 becomes 0: else the slabs would decide which one is reported */
    found.maximum += 0.0;
    *range = found;
    return 0;
}

struct equal_job {
    const struct np_image *image;
    float value;
    int64_t part[N_SLABS];
};

static void count_equal_slab(void *context, int64_t task)
{
    struct equal_job *job = context;
    struct slab slab = slab_of(job->image, task);
    const float *value = job->image->voxel;
    int64_t n = 0;

    for (size_t i = slab.begin; i < slab.end; i++)
        n += value[i] == job->value;
    job->part[task] = n;
}

int np_image_count_equal(const struct np_image *image, float value, const struct np_exec *exec,
                         int64_t *n, struct np_error *err)
{
    struct equal_job job = {.image = image, .value = value};
    int64_t sum = 0;

    np_exec_run(exec, N_SLABS, count_equal_slab, &job);
    NP_TRY(np_exec_check(exec, err));
    for (int i = 0; i < N_SLABS; i++)
        sum += job.part[i];
    *n = sum;
    return 0;
}

/* --- moments ---------------------------------------------------------------------------------- */

struct moments_job {
    const struct np_image *image;
    const struct np_mask *mask;
    double mean; /* result of the first pass, used by the second */
    struct {
        int64_t n;
        double sum, square;
        float minimum, maximum;
    } part[N_SLABS];
};

static void sum_slab(void *context, int64_t task)
{
    struct moments_job *job = context;
    struct slab slab = slab_of(job->image, task);
    const float *value = job->image->voxel;
    const uint8_t *inside = job->mask ? job->mask->voxel : NULL;
    int64_t n = 0;
    double sum = 0;
    float minimum = INFINITY, maximum = -INFINITY;

    for (size_t i = slab.begin; (i = np_next_inside(inside, i, slab.end)) < slab.end; i++) {
        n++;
        sum += (double)value[i];
        minimum = value[i] < minimum ? value[i] : minimum;
        maximum = value[i] > maximum ? value[i] : maximum;
    }
    job->part[task].n = n;
    job->part[task].sum = sum;
    job->part[task].minimum = minimum;
    job->part[task].maximum = maximum;
}

static void sum_squares_slab(void *context, int64_t task)
{
    struct moments_job *job = context;
    struct slab slab = slab_of(job->image, task);
    const float *value = job->image->voxel;
    const uint8_t *inside = job->mask ? job->mask->voxel : NULL;
    double square = 0;

    for (size_t i = slab.begin; (i = np_next_inside(inside, i, slab.end)) < slab.end; i++) {
        double distance = (double)value[i] - job->mean;
        square += distance * distance;
    }
    job->part[task].square = square;
}

/* The first pass: everything but the standard deviation. */
static int sum_up(struct moments_job *job, const struct np_exec *exec, struct np_moments *found,
                  struct np_error *err)
{
    double sum = 0;

    NP_TRY(check_grids(job->image, job->mask, err));
    np_exec_run(exec, N_SLABS, sum_slab, job);
    for (int i = 0; i < N_SLABS; i++) {
        found->n += job->part[i].n;
        sum += job->part[i].sum;
        found->minimum = fmin(found->minimum, (double)job->part[i].minimum);
        found->maximum = fmax(found->maximum, (double)job->part[i].maximum);
    }
    if (found->n == 0)
        return np_error_set(err, NP_EDOMAIN, "statistics: the mask holds no voxel");
    found->mean = job->mean = sum / (double)found->n;
    return np_exec_check(exec, err);
}

int np_image_mean(const struct np_image *image, const struct np_mask *mask,
                  const struct np_exec *exec, double *mean, struct np_error *err)
{
    struct moments_job job = {.image = image, .mask = mask};
    struct np_moments found = {.minimum = INFINITY, .maximum = -INFINITY};

    NP_TRY(sum_up(&job, exec, &found, err));
    *mean = found.mean;
    return 0;
}

int np_image_moments(const struct np_image *image, const struct np_mask *mask,
                     const struct np_exec *exec, struct np_moments *moments, struct np_error *err)
{
    struct moments_job job = {.image = image, .mask = mask};
    struct np_moments found = {.minimum = INFINITY, .maximum = -INFINITY};
    double square = 0;

    NP_TRY(sum_up(&job, exec, &found, err));
    np_exec_run(exec, N_SLABS, sum_squares_slab, &job);
    for (int i = 0; i < N_SLABS; i++)
        square += job.part[i].square;
    found.sd = found.n > 1 ? sqrt(square / (double)(found.n - 1)) : 0;
    *moments = found;
    return 0;
}

/* --- quantiles -------------------------------------------------------------------------------- */

/*
 * Radix selection. The bits of a float are mapped so that they sort like the values, and are read
 * in three digits of 11, 11 and 10 bits. The first pass counts the first digits, which gives the
 * first digit of each wanted rank. The second pass counts the second digits of the values with that
 * first digit, and so on.
 */
enum { DIGIT_BITS = 11, N_DIGITS = 1 << DIGIT_BITS, N_PASSES = 3 };
enum { MOST_RANKS = 2 * NP_MOST_QUANTILES };
static const int digit_shift[N_PASSES] = {21, 10, 0};
static const uint32_t digit_mask[N_PASSES] = {0x7ff, 0x7ff, 0x3ff};

/* A rank that is being searched among the values whose leading digits are known. */
struct rank {
    int64_t rank;     /* position among those values, from 0 */
    uint32_t leading; /* leading digits of those values */
    int group;        /* ranks with the same leading digits share counts */
};

struct quantile_job {
    const struct np_image *image;
    const struct np_mask *mask;
    int pass;
    int n_groups;
    uint32_t leading[MOST_RANKS];               /* of each group */
    np_lanes low[MOST_RANKS], high[MOST_RANKS]; /* its values' bounds, from the second pass on */
    int64_t *count;                             /* [slab][group][digit] */
};

static uint32_t ordered_bits(float value)
{
    uint32_t bits = np_bits_from_float(value + 0.0f); /* -0 becomes 0 */

    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float from_ordered_bits(uint32_t ordered)
{
    return np_float_from_bits(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}

/* Neighbouring voxels often have the same digit. Two tables, so that a count does not wait for the
 * one before. */
static void count_first_digits(const float *value, struct slab slab, int64_t *count)
{
    int64_t odd[N_DIGITS] = {0};
    size_t i = slab.begin;

    for (; i + 1 < slab.end; i += 2) {
        count[ordered_bits(value[i]) >> digit_shift[0]]++;
        odd[ordered_bits(value[i + 1]) >> digit_shift[0]]++;
    }
    for (; i < slab.end; i++)
        count[ordered_bits(value[i]) >> digit_shift[0]]++;
    for (int digit = 0; digit < N_DIGITS; digit++)
        count[digit] += odd[digit];
}

/* Count a value in the groups that have its leading digits. */
static inline void count_next_digit(const struct quantile_job *job, float value, int64_t *count)
{
    uint32_t bits = ordered_bits(value), leading = bits >> digit_shift[job->pass - 1];
    uint32_t digit = bits >> digit_shift[job->pass] & digit_mask[job->pass];

    for (int g = 0; g < job->n_groups; g++)
        if (leading == job->leading[g])
            count[(size_t)g * N_DIGITS + digit]++;
}

/* The values whose leading digits are a group's lie between these two. */
static void set_bounds(struct quantile_job *job)
{
    int shift = job->pass > 0 ? digit_shift[job->pass - 1] : 0;

    for (int g = 0; g < job->n_groups && job->pass > 0; g++) {
        uint32_t first = job->leading[g] << shift;
        job->low[g] = np_lanes_all(from_ordered_bits(first));
        job->high[g] = np_lanes_all(from_ordered_bits(first | ((1u << shift) - 1)));
    }
}

/* Most values belong to no group: four of these are passed over in one step. */
static void count_next_digits(const struct quantile_job *job, struct slab slab, int64_t *count)
{
    const float *value = job->image->voxel;
    size_t i = slab.begin;

    for (; i + NP_LANES <= slab.end; i += NP_LANES) {
        np_lanes v = np_lanes_load(value + i);
        np_lane_bits is_in = {0};
        for (int g = 0; g < job->n_groups; g++)
            is_in |= (v >= job->low[g]) & (v <= job->high[g]);
        for (size_t j = 0; np_lanes_any(is_in) && j < NP_LANES; j++)
            count_next_digit(job, value[i + j], count);
    }
    for (; i < slab.end; i++)
        count_next_digit(job, value[i], count);
}

static void count_slab(void *context, int64_t task)
{
    struct quantile_job *job = context;
    struct slab slab = slab_of(job->image, task);
    const float *value = job->image->voxel;
    const uint8_t *inside = job->mask ? job->mask->voxel : NULL;
    int64_t *count = job->count + task * job->n_groups * N_DIGITS;

    if (!inside && job->pass == 0)
        count_first_digits(value, slab, count);
    else if (!inside)
        count_next_digits(job, slab, count);
    else if (job->pass == 0)
        for (size_t i = slab.begin; (i = np_next_inside(inside, i, slab.end)) < slab.end; i++)
            count[ordered_bits(value[i]) >> digit_shift[0]]++;
    else
        for (size_t i = slab.begin; (i = np_next_inside(inside, i, slab.end)) < slab.end; i++)
            count_next_digit(job, value[i], count);
}

/* Add the counts of all slabs into the counts of the first. */
static void add_slabs(struct quantile_job *job)
{
    size_t n = (size_t)job->n_groups * N_DIGITS;

    for (size_t slab = 1; slab < N_SLABS; slab++)
        for (size_t i = 0; i < n; i++)
            job->count[i] += job->count[slab * n + i];
}

/* Go to the next digit: find the digit that holds the rank, and the rank within that digit. */
static void descend(const int64_t *count, struct rank *rank, int pass)
{
    uint32_t digit = 0;

    while (rank->rank >= count[digit])
        rank->rank -= count[digit++];
    rank->leading = rank->leading << (pass == N_PASSES - 1 ? 10 : DIGIT_BITS) | digit;
}

static void group_ranks(struct quantile_job *job, struct rank *rank, int n_ranks)
{
    job->n_groups = 0;
    for (int r = 0; r < n_ranks; r++) {
        int g = 0;

        while (g < job->n_groups && job->leading[g] != rank[r].leading)
            g++;
        if (g == job->n_groups)
            job->leading[job->n_groups++] = rank[r].leading;
        rank[r].group = g;
    }
}

/* For each p: the two ranks between which the quantile is interpolated, among n values. */
static void set_ranks(struct rank *rank, const double *p, int n_p, int64_t n)
{
    for (int i = 0; i < n_p; i++) {
        int64_t below = (int64_t)floor(p[i] * (double)(n - 1));

        rank[2 * i].rank = below;
        rank[2 * i + 1].rank = below + 1 < n ? below + 1 : below;
    }
}

/* One pass: count the next digit below each group's leading digits, into `count`. */
static int count_digits(struct quantile_job *job, const struct np_exec *exec, int64_t **count,
                        struct np_error *err)
{
    np_freep(count);
    *count = np_try_calloc((size_t)job->n_groups * N_SLABS * N_DIGITS, sizeof(**count));
    if (!*count)
        return np_error_set(err, NP_ENOMEM, "quantiles: no memory for 4 MiB of counts");
    job->count = *count;
    np_exec_run(exec, N_SLABS, count_slab, job);
    add_slabs(job);
    return np_exec_check(exec, err);
}

int np_image_quantiles(const struct np_image *image, const struct np_mask *mask, const double *p,
                       int n_p, const struct np_exec *exec, double *out, struct np_error *err)
{
    struct quantile_job job = {.image = image, .mask = mask};
    struct rank rank[MOST_RANKS] = {0};
    NP_AUTO(np_freep) int64_t *count = NULL;
    int64_t n = 0;

    assert(n_p > 0 && n_p <= NP_MOST_QUANTILES);
    NP_TRY(check_grids(image, mask, err));
    for (job.pass = 0; job.pass < N_PASSES; job.pass++) {
        group_ranks(&job, rank, 2 * n_p);
        set_bounds(&job);
        NP_TRY(count_digits(&job, exec, &count, err));
        if (job.pass == 0) {
            for (int digit = 0; digit < N_DIGITS; digit++)
                n += count[digit];
            if (n == 0)
                return np_error_set(err, NP_EDOMAIN, "quantiles: the mask holds no voxel");
            set_ranks(rank, p, n_p, n);
        }
        for (int r = 0; r < 2 * n_p; r++)
            descend(count + (size_t)rank[r].group * N_DIGITS, &rank[r], job.pass);
    }
    for (int i = 0; i < n_p; i++) {
        double position = p[i] * (double)(n - 1);
        double low = (double)from_ordered_bits(rank[2 * i].leading);
        double high = (double)from_ordered_bits(rank[2 * i + 1].leading);
        out[i] = low + (high - low) * (position - floor(position));
    }
    return 0;
}

/* --- histograms ------------------------------------------------------------------------------- */

struct histogram_job {
    const struct np_image *image;
    const struct np_mask *mask;
    double low, high;
    int n_bins;
    int64_t *count; /* [slab][table][bin] */
};

/* Of a slab: neighbouring voxels, which are often alike, are counted in different ones. */
enum { N_TABLES = 2 };

static void fill_slab(void *context, int64_t task)
{
    struct histogram_job *job = context;
    struct slab slab = slab_of(job->image, task);
    const float *value = job->image->voxel;
    const uint8_t *inside = job->mask ? job->mask->voxel : NULL;
    int64_t *count = job->count + task * N_TABLES * job->n_bins;
    double bins_per_unit = job->n_bins / (job->high - job->low);

    for (size_t i = slab.begin; (i = np_next_inside(inside, i, slab.end)) < slab.end; i++) {
        double x = (double)value[i];

        if (!(x >= job->low && x <= job->high))
            continue;
        int bin = (int)((x - job->low) * bins_per_unit);
        bin = bin < job->n_bins ? bin : job->n_bins - 1;
        count[(i % N_TABLES) * (size_t)job->n_bins + (size_t)bin]++;
    }
}

int np_histogram_make(const struct np_image *image, const struct np_mask *mask, double low,
                      double high, int n_bins, const struct np_exec *exec,
                      struct np_histogram *histogram, struct np_error *err)
{
    assert(high > low && n_bins > 0);
    NP_TRY(check_grids(image, mask, err));
    NP_AUTO(np_freep)
    int64_t *count = np_try_calloc((size_t)n_bins * N_SLABS * N_TABLES, sizeof(*count));
    struct histogram_job job = {image, mask, low, high, n_bins, count};
    int64_t n = 0;

    if (!count)
        return np_error_set(err, NP_ENOMEM, "histogram: no memory for %d bins", n_bins);
    np_exec_run(exec, N_SLABS, fill_slab, &job);
    NP_TRY(np_exec_check(exec, err));
    for (size_t table = 1; table < (size_t)N_SLABS * N_TABLES; table++)
        for (size_t i = 0; i < (size_t)n_bins; i++)
            count[i] += count[table * (size_t)n_bins + i];
    for (int i = 0; i < n_bins; i++)
        n += count[i];
    *histogram = (struct np_histogram){low, high, n_bins, count, n};
    count = NULL;
    return 0;
}

void np_histogram_done(struct np_histogram *histogram)
{
    free(histogram->count);
    *histogram = (struct np_histogram){0};
}

double np_histogram_value(const struct np_histogram *histogram, double position)
{
    double width = (histogram->high - histogram->low) / histogram->n_bins;

    return histogram->low + (position + 0.5) * width;
}

double np_histogram_otsu(const struct np_histogram *histogram)
{
    double total = 0, n = (double)histogram->n;
    double below = 0, sum = 0, best = -1;
    int first = 0, last = 0;

    for (int i = 0; i < histogram->n_bins; i++)
        total += (double)histogram->count[i] * i;
    for (int i = 0; i + 1 < histogram->n_bins; i++) {
        below += (double)histogram->count[i];
        sum += (double)histogram->count[i] * i;
        if (below == 0 || below == n)
            continue;
        double apart = total * below - sum * n;
        double between = apart / below * (apart / (n - below));
        if (between > best) {
            best = between;
            first = i;
        }
        if (between == best)
            last = i;
    }
    return np_histogram_value(histogram, 0.5 * (first + last) + 0.5);
}

void np_histogram_smooth(const struct np_histogram *histogram, double sd_bins, double *density)
{
    int reach = (int)ceil(4 * sd_bins);
    double sum = 1;

    for (int k = 1; k <= reach; k++)
        sum += 2 * np_exp(-0.5 * k * k / (sd_bins * sd_bins));
    for (int i = 0; i < histogram->n_bins; i++)
        density[i] = (double)histogram->count[i] / sum;
    for (int k = 1; k <= reach; k++) {
        double weight = np_exp(-0.5 * k * k / (sd_bins * sd_bins)) / sum;

        for (int i = 0; i + k < histogram->n_bins; i++) {
            density[i] += weight * (double)histogram->count[i + k];
            density[i + k] += weight * (double)histogram->count[i];
        }
    }
}

int np_density_mode(const double *density, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (density[i] > density[best])
            best = i;
    return best;
}

int np_density_last_mode(const double *density, int n, double share)
{
    double least = share * density[np_density_mode(density, n)];
    bool falling = true; /* going left: is the value to the right lower? */

    for (int i = n - 1; i >= 0; i--) {
        double left = i > 0 ? density[i - 1] : 0;

        if (falling && density[i] > left && density[i] >= least && density[i] > 0)
            return i;
        if (density[i] != left)
            falling = left > density[i];
    }
    return -1;
}
