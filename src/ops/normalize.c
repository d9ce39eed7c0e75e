#include "ops/normalize.h"

#include <math.h>
#include <string.h>

#include "ops/histogram.h"
#include "ops/lanes.h"
#include "ops/smooth.h"

enum { N_BINS = 256 };
static const double PEAK_SD_BINS = 3; /* smoothing of the histogram */
static const double LEAST_PEAK = 0.2; /* of the largest; lower peaks belong to the right tail */
static const double STRIPE_QUANTILE = 0.05; /* on each side of the peak */
static const double PERCENTILE_FWHM_MM = 4;
enum { N_TISSUE_BINS = 512 };                /* about 30 between the quartiles */
static const double MARGIN_QUARTILES = 8;    /* of that histogram, on each side */
static const double LEAST_TISSUE_PEAK = 0.5; /* of the largest; lower peaks are fluid or lesions */
static const double LEAST_SPREAD = 1e-5; /* share of the larger end; a smaller spread is rounding */

static int check_scale(const struct np_normalization *found, const char *method,
                       struct np_error *err)
{
    if (found->scale > 0 && isfinite(found->scale) && isfinite(found->offset))
        return 0;
    return np_error_set(err, NP_EMETHOD,
                        "%s: the %lld voxels it rests on have no spread (offset %g, scale %g); "
                        "look at the image and its brain mask",
                        method, (long long)found->n_voxels, found->offset, found->scale);
}

int np_normalize_zscore(const struct np_image *image, const struct np_mask *mask,
                        const struct np_exec *exec, struct np_normalization *found,
                        struct np_error *err)
{
    struct np_moments moments;

    NP_TRY(np_image_moments(image, mask, exec, &moments, err));
    struct np_normalization made = {
        .offset = moments.mean, .scale = moments.sd, .n_voxels = moments.n};
    NP_TRY(check_scale(&made, "z-score", err));
    *found = made;
    return 0;
}

struct inside_job {
    const struct np_image *image;
    const struct np_mask *mask;
    struct np_image *value, *weight;
};

/* The image and 1 inside the mask, 0 outside. */
static void keep_inside(void *context, int64_t z)
{
    const struct inside_job *job = context;
    size_t n = (size_t)(job->image->grid.n[0] * job->image->grid.n[1]), begin = n * (size_t)z;

    for (size_t i = begin; i < begin + n; i++) {
        bool is_inside = job->mask->voxel[i] != 0;
        job->value->voxel[i] = is_inside ? job->image->voxel[i] : 0;
        job->weight->voxel[i] = is_inside ? 1 : 0;
    }
}

static void divide_inside(void *context, int64_t z)
{
    const struct inside_job *job = context;
    size_t n = (size_t)(job->image->grid.n[0] * job->image->grid.n[1]), end = n * (size_t)(z + 1);

    for (size_t i = end - n; (i = np_next_inside(job->mask->voxel, i, end)) < end; i++)
        job->value->voxel[i] /= job->weight->voxel[i];
}

/* Inside the mask: the mean of the mask's voxels, weighted by a Gaussian. */
static int smooth_inside(const struct np_image *image, const struct np_mask *mask, double fwhm_mm,
                         const struct np_exec *exec, struct np_image **out, struct np_error *err)
{
    NP_AUTO(np_image_freep) struct np_image *value = np_image_new(&image->grid);
    NP_AUTO(np_image_freep) struct np_image *weight = np_image_new(&image->grid);

    if (!value || !weight)
        return np_error_set(err, NP_ENOMEM, "percentiles: no memory for another %zu MiB",
                            2 * np_grid_mib(&image->grid));
    struct inside_job job = {image, mask, value, weight};
    np_exec_run(exec, image->grid.n[2], keep_inside, &job);
    NP_TRY(np_smooth_gaussian(value, fwhm_mm, exec, value, err));
    NP_TRY(np_smooth_gaussian(weight, fwhm_mm, exec, weight, err));
    np_exec_run(exec, image->grid.n[2], divide_inside, &job);
    *out = value;
    value = NULL;
    return 0;
}

struct select_job {
    const struct np_image *image;
    const struct np_mask *mask;
    float low, high; /* low <= value <= high */
    struct np_mask *out;
};

static void select_plane(void *context, int64_t z)
{
    const struct select_job *job = context;
    size_t n = (size_t)(job->image->grid.n[0] * job->image->grid.n[1]), end = n * (size_t)(z + 1);
    const uint8_t *inside = job->mask->voxel;
    const float *value = job->image->voxel;

    for (size_t i = end - n; (i = np_next_inside(inside, i, end)) < end; i++)
        job->out->voxel[i] = value[i] >= job->low && value[i] <= job->high;
}

/* Put the voxels of `mask` whose value lies in [low, high] into `out`, which is all zeros or
 * `mask` itself. */
static void select_range(const struct np_image *image, const struct np_mask *mask, double low,
                         double high, const struct np_exec *exec, struct np_mask *out)
{
    struct select_job job = {image, mask, (float)low, (float)high, out};

    np_exec_run(exec, image->grid.n[2], select_plane, &job);
}

/* The position at which `density` has fallen to `level` beyond bin `peak`; the last bin when it has
 * not. */
static double falls_to(const double *density, int n, int peak, double level)
{
    int bin = peak;

    while (bin + 1 < n && density[bin + 1] >= level)
        bin++;
    if (bin + 1 == n)
        return bin;
    return bin + (density[bin] - level) / (density[bin] - density[bin + 1]);
}

/* The middle of the upper flank of the tissue's peak: the mean of three positions. */
static double upper_flank(const double *density, int n)
{
    static const double share[] = {0.6, 0.4, 0.25};
    int peak = np_density_last_mode(density, n, LEAST_TISSUE_PEAK);
    const int n_shares = NP_COUNT(share);
    double sum = 0;

    for (int i = 0; i < n_shares; i++)
        sum += falls_to(density, n, peak, share[i] * density[peak]);
    return sum / n_shares;
}

/*
 * Find the upper end of the tissue's intensities: few voxels, however bright, cannot move it. The
 * quartiles determine the histogram's bins, because lesions do not move them much either. In T2w
 * fluid is brighter than most lesions, and in T1w lesions are dark: the end is the largest value.
 * It also is where the quartiles are equal, since there is no flank.
 */
static int find_tissue_end(const struct np_image *smooth, const struct np_mask *mask,
                           enum np_contrast contrast, const struct np_exec *exec, double *end,
                           struct np_error *err)
{
    static const double p[] = {0.25, 0.75, 1};
    double at[NP_COUNT(p)], density[N_TISSUE_BINS];
    NP_AUTO(np_histogram_done) struct np_histogram histogram = {0};

    NP_TRY(np_image_quantiles(smooth, mask, p, (int)NP_COUNT(p), exec, at, err));
    double margin = MARGIN_QUARTILES * (at[1] - at[0]);
    *end = at[2];
    if (contrast != NP_CONTRAST_FLAIR || margin < LEAST_SPREAD * fmax(fabs(at[0]), fabs(at[1])))
        return 0;
    NP_TRY(np_histogram_make(smooth, mask, at[0] - margin, at[1] + margin, N_TISSUE_BINS, exec,
                             &histogram, err));
    np_histogram_smooth(&histogram, PEAK_SD_BINS, density);
    *end = np_histogram_value(&histogram, upper_flank(density, N_TISSUE_BINS));
    return 0;
}

int np_normalize_percentile(const struct np_image *image, const struct np_mask *mask,
                            enum np_contrast contrast, const struct np_exec *exec,
                            struct np_normalization *found, struct np_error *err)
{
    static const double low = 0.01, high = 0.99;
    struct np_normalization made = {0};
    double end;
    NP_AUTO(np_image_freep) struct np_image *smooth = NULL;

    if (memcmp(image->grid.n, mask->grid.n, sizeof(image->grid.n)) != 0)
        return np_error_set(err, NP_EGEOMETRY, "percentiles: image and mask differ in size");
    NP_TRY(smooth_inside(image, mask, PERCENTILE_FWHM_MM, exec, &smooth, err));
    NP_AUTO(np_mask_freep) struct np_mask *tissue = np_mask_new(&mask->grid);
    if (!tissue)
        return np_error_set(err, NP_ENOMEM, "percentiles: no memory for a mask of %zu MiB",
                            np_grid_mib(&mask->grid) / 4 + 1);
    NP_TRY(find_tissue_end(smooth, mask, contrast, exec, &end, err));
    select_range(smooth, mask, -INFINITY, end, exec, tissue);
    NP_TRY(np_image_quantiles(smooth, mask, &low, 1, exec, &made.low, err));
    NP_TRY(np_image_quantiles(smooth, tissue, &high, 1, exec, &made.high, err));
    made.offset = made.low;
    made.scale = made.high - made.low;
    made.n_voxels = np_mask_count(mask);
    if (made.scale < LEAST_SPREAD * fmax(fabs(made.low), fabs(made.high)))
        made.scale = 0;
    NP_TRY(check_scale(&made, "percentiles", err));
    *found = made;
    return 0;
}

/* Find the histogram's peak: its intensity, and the share of the voxels below it. */
static int find_peak(const struct np_image *image, const struct np_mask *population,
                     enum np_white_peak which, const struct np_exec *exec, double *mode,
                     double *below, struct np_error *err)
{
    static const double p[] = {0.001, 0.999};
    double range[NP_COUNT(p)], density[N_BINS];
    NP_AUTO(np_histogram_done) struct np_histogram histogram = {0};

    NP_TRY(np_image_quantiles(image, population, p, (int)NP_COUNT(p), exec, range, err));
    if (!(range[1] > range[0]))
        return np_error_set(err, NP_EMETHOD,
                            "white stripe: nearly all voxels have the value %g; look at the image "
                            "and its brain mask",
                            range[0]);
    NP_TRY(np_histogram_make(image, population, range[0], range[1], N_BINS, exec, &histogram, err));
    np_histogram_smooth(&histogram, PEAK_SD_BINS, density);
    int bin = which == NP_WHITE_LAST ? np_density_last_mode(density, N_BINS, LEAST_PEAK)
                                     : np_density_mode(density, N_BINS);
    double count = 0.5 * (double)histogram.count[bin];
    for (int i = 0; i < bin; i++)
        count += (double)histogram.count[i];
    *mode = np_histogram_value(&histogram, bin);
    *below = p[0] + (p[1] - p[0]) * count / (double)histogram.n;
    return 0;
}

int np_normalize_whitestripe(const struct np_image *image, const struct np_mask *mask,
                             enum np_white_peak peak, const struct np_exec *exec,
                             struct np_normalization *found, struct np_error *err)
{
    struct np_normalization made = {0};
    struct np_moments moments;
    double below, ends[2];

    NP_TRY(np_image_moments(image, mask, exec, &moments, err));
    NP_AUTO(np_mask_freep) struct np_mask *population = np_mask_new(&image->grid);
    if (!population)
        return np_error_set(err, NP_ENOMEM, "white stripe: no memory for a mask of %zu MiB",
                            np_grid_mib(&image->grid) / 4 + 1);
    select_range(image, mask, peak == NP_WHITE_LAST ? moments.mean : -INFINITY, INFINITY, exec,
                 population);
    NP_TRY(find_peak(image, population, peak, exec, &made.mode, &below, err));
    const double p[] = {fmax(below - STRIPE_QUANTILE, 0), fmin(below + STRIPE_QUANTILE, 1)};
    NP_TRY(np_image_quantiles(image, population, p, 2, exec, ends, err));
    select_range(image, population, ends[0], ends[1], exec, population);
    NP_TRY(np_image_moments(image, population, exec, &moments, err));
    made.low = ends[0];
    made.high = ends[1];
    made.offset = moments.mean;
    made.scale = moments.sd;
    made.n_voxels = moments.n;
    NP_TRY(check_scale(&made, "white stripe", err));
    *found = made;
    return 0;
}

struct apply_job {
    const struct np_image *in;
    const struct np_mask *mask;
    double offset, scale;
    struct np_image *out;
};

static void apply_plane(void *context, int64_t z)
{
    const struct apply_job *job = context;
    size_t n = (size_t)(job->in->grid.n[0] * job->in->grid.n[1]), begin = n * (size_t)z;

    for (size_t i = begin; i < begin + n; i++)
        job->out->voxel[i] = job->mask->voxel[i]
                                 ? (float)(((double)job->in->voxel[i] - job->offset) / job->scale)
                                 : 0;
}

void np_normalize_apply(const struct np_image *in, const struct np_mask *mask,
                        const struct np_normalization *normalization, const struct np_exec *exec,
                        struct np_image *out)
{
    struct apply_job job = {in, mask, normalization->offset, normalization->scale, out};

    np_exec_run(exec, in->grid.n[2], apply_plane, &job);
}
