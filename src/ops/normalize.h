/*
 * Intensity scales that are comparable between images. Each method finds an offset and a scale, so
 * that
 *     normalized = (value - offset) / scale     in the mask, 0 outside.
 * Nothing is clipped: offset and scale suffice to undo it.
 */
#ifndef NP_OPS_NORMALIZE_H
#define NP_OPS_NORMALIZE_H

#include "base/exec.h"
#include "catalog/contrast.h"
#include "image/image.h"

struct np_normalization {
    double offset, scale; /* in the image's units; scale > 0 */
    double low, high;     /* percentile: what becomes 0 and 1; white stripe: the stripe's ends */
    double mode;          /* white stripe: intensity of the peak */
    int64_t n_voxels;     /* number of voxels that offset and scale were computed from */
};

/*
 * Each returns 0, NP_EGEOMETRY (grids differ in size), NP_EDOMAIN (empty mask), NP_EMETHOD (the
 * brain has no spread), NP_ENOMEM, NP_ECANCELED; on failure `found` is untouched.
 */

/* Mean and standard deviation in the mask. */
int np_normalize_zscore(const struct np_image *image, const struct np_mask *mask,
                        const struct np_exec *exec, struct np_normalization *found,
                        struct np_error *err) NP_MUST_USE;

/*
 * The 1 % quantile of the brain becomes 0, and the 99 % quantile 1, in FLAIR that of its tissue. Both
 * are quantiles after smoothing by a Gaussian of 4 mm (full width at half maximum) over the mask's voxels alone.
 * Without smoothing, noise and voxel size would determine the tails. Tissue are the voxels up to the
 * middle of the upper flank of the histogram's last large peak, so that bright lesions do not move
 * the scale. In T2w fluid is brighter than most lesions, and in T1w lesions are dark.
 */
int np_normalize_percentile(const struct np_image *image, const struct np_mask *mask,
                            enum np_contrast contrast, const struct np_exec *exec,
                            struct np_normalization *found, struct np_error *err) NP_MUST_USE;

/*
 * White stripe: mean and standard deviation of the voxels within 5 percentiles of the peak.
 * Shinohara et al. 2014, doi:10.1016/j.nicl.2014.08.008. Differences:
 * docs/methods/normalization.md.
 */
int np_normalize_whitestripe(const struct np_image *image, const struct np_mask *mask,
                             enum np_white_peak peak, const struct np_exec *exec,
                             struct np_normalization *found, struct np_error *err) NP_MUST_USE;

/* out = (in - offset) / scale in the mask, 0 outside; all on one grid; `out` may be `in`. */
void np_normalize_apply(const struct np_image *in, const struct np_mask *mask,
                        const struct np_normalization *normalization, const struct np_exec *exec,
                        struct np_image *out);

#endif
