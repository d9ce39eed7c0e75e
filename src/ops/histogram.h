/*
 * Statistics of the values of an image in a mask: moments, exact quantiles, histograms, Otsu's
 * threshold, modes. All of them give the same bits for any number of threads.
 *
 * `mask` is on the image's grid, or NULL for every voxel. Values are finite.
 */
#ifndef NP_OPS_HISTOGRAM_H
#define NP_OPS_HISTOGRAM_H

#include "base/exec.h"
#include "image/image.h"

struct np_range {
    double minimum, maximum;
    int64_t n_negative; /* voxels below 0 */
};

/* The range of all voxels, in one pass. Returns 0 or NP_ECANCELED; `range` is then untouched. */
int np_image_range(const struct np_image *image, const struct np_exec *exec, struct np_range *range,
                   struct np_error *err) NP_MUST_USE;

/* How many voxels have this value. Returns 0 or NP_ECANCELED; `n` is then untouched. */
int np_image_count_equal(const struct np_image *image, float value, const struct np_exec *exec,
                         int64_t *n, struct np_error *err) NP_MUST_USE;

struct np_moments {
    int64_t n;
    double mean;
    double sd; /* of the sample (n - 1); 0 when n < 2 */
    double minimum, maximum;
};

/*
 * Returns 0, NP_EGEOMETRY (grids differ in size), NP_EDOMAIN (no voxel), NP_ECANCELED.
 * On failure `moments` is untouched. Cost: two passes.
 */
int np_image_moments(const struct np_image *image, const struct np_mask *mask,
                     const struct np_exec *exec, struct np_moments *moments,
                     struct np_error *err) NP_MUST_USE;

/* The mean alone, in one pass: the same number as np_image_moments gives. Returns the same
 * codes. */
int np_image_mean(const struct np_image *image, const struct np_mask *mask,
                  const struct np_exec *exec, double *mean, struct np_error *err) NP_MUST_USE;

enum { NP_MOST_QUANTILES = 8 };

/*
 * Exact quantiles: the order statistics around position p (n - 1), linearly interpolated.
 *   p    [n_p], each in [0, 1], in any order; n_p <= NP_MOST_QUANTILES
 *   out  [n_p]
 * Returns as above and NP_ENOMEM. Cost: three passes, no sorting, 4 MiB at most.
 */
int np_image_quantiles(const struct np_image *image, const struct np_mask *mask, const double *p,
                       int n_p, const struct np_exec *exec, double *out,
                       struct np_error *err) NP_MUST_USE;

/* Counts in `n_bins` equal bins between `low` and `high`; count is owned. */
struct np_histogram {
    double low, high;
    int n_bins;
    int64_t *count;
    int64_t n; /* sum of the counts */
};

/*
 * Count the voxels with low <= value <= high and leave out the others. `high` > `low`, n_bins > 0.
 * Returns 0, NP_EGEOMETRY, NP_ENOMEM, NP_ECANCELED; on failure `histogram` is untouched.
 */
int np_histogram_make(const struct np_image *image, const struct np_mask *mask, double low,
                      double high, int n_bins, const struct np_exec *exec,
                      struct np_histogram *histogram, struct np_error *err) NP_MUST_USE;
void np_histogram_done(struct np_histogram *histogram);

/* The value at bin `position` (may be fractional; 0 is the centre of the first bin). */
double np_histogram_value(const struct np_histogram *histogram, double position);

/*
 * The value that separates the counts into two classes with the largest variance between them (Otsu
 * 1979, doi:10.1109/TSMC.1979.4310076): the upper edge of the lower class's last bin. When a run of
 * empty bins makes several values equally good, the middle of the run.
 */
double np_histogram_otsu(const struct np_histogram *histogram);

/*
 * Convolve the counts with a Gaussian of `sd_bins`, cut at 4 sd, into `density` [n_bins]. Counts
 * that the convolution moves out of the range are lost.
 */
void np_histogram_smooth(const struct np_histogram *histogram, double sd_bins, double *density);

/*
 * Position of the last (highest) local maximum of `density` [n] that reaches `share` of the largest
 * value; -1 when there is none (all zero). The position of a plateau is its first bin.
 */
int np_density_last_mode(const double *density, int n, double share);

/* Position of the largest value; of equal values, the first. */
int np_density_mode(const double *density, int n);

#endif
