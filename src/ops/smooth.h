/* Gaussian smoothing of an image, in millimetres. */
#ifndef NP_OPS_SMOOTH_H
#define NP_OPS_SMOOTH_H

#include "base/exec.h"
#include "image/image.h"

/*
 * Convolve with a Gaussian of full width at half maximum `fwhm_mm`, one axis after the other. The
 * kernel is cut at 3 standard deviations and renormalised where the grid ends, so a constant stays
 * that constant.
 *   out  same grid; may be `in` itself
 * An axis whose spacing makes the kernel a single voxel is left alone; fwhm_mm <= 0 copies.
 * Returns 0, NP_EGEOMETRY (another size), NP_ENOMEM, NP_ECANCELED; on failure `out` holds rubbish.
 */
int np_smooth_gaussian(const struct np_image *in, double fwhm_mm, const struct np_exec *exec,
                       struct np_image *out, struct np_error *err);

#endif
