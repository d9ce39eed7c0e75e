/* Gaussian smoothing of an image, in millimetres. */
#ifndef NP_OPS_SMOOTH_H
#define NP_OPS_SMOOTH_H

#include "base/exec.h"
#include "image/image.h"

/*
 * Convolve with a Gaussian of full width at half maximum `fwhm_mm`, one axis after the other. The
 * kernel is cut at 3 standard deviations and renormalised at the grid's border, so a constant image
 * stays constant.
 *   out  same grid; may be `in` itself
 * An axis is unchanged when its spacing makes the kernel a single voxel; fwhm_mm <= 0 copies.
 * Returns 0, NP_EGEOMETRY (another size), NP_ENOMEM, NP_ECANCELED; on failure the content of `out`
 * is undefined.
 */
int np_smooth_gaussian(const struct np_image *in, double fwhm_mm, const struct np_exec *exec,
                       struct np_image *out, struct np_error *err) NP_MUST_USE;

#endif
