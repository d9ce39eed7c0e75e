/* Apply, shift and blend bias fields that were estimated elsewhere. A field is the natural
 * logarithm of the factor. */
#ifndef NP_OPS_BIAS_H
#define NP_OPS_BIAS_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/bspline.h"

/* field += shift, in place. */
void np_bias_shift(struct np_image *log_field, double shift, const struct np_exec *exec);

/*
 * out = in / exp(field), unclipped; zeros stay zeros. All on one grid; `out` may be `in`.
 */
void np_bias_divide(const struct np_image *in, const struct np_image *log_field,
                    const struct np_exec *exec, struct np_image *out);

/* The same, by a field that is kept as control points. Returns 0 or NP_ENOMEM; `out` is then
 * untouched. */
int np_bias_divide_by_fit(const struct np_image *in, const struct np_bspline_field *log_field,
                          const struct np_exec *exec, struct np_image *out,
                          struct np_error *err) NP_MUST_USE;

/*
 * Blend a field that was fitted inside `mask` with a field that is valid everywhere.
 *   inner  in and out. It keeps its own values in the mask and about one block (4 mm) around it.
 *          Over the next `width_mm` it passes into `outer`: the weight is a smoothstep of the
 *          distance to the mask.
 *   outer  its mean over the mask is first moved to that of `inner`
 * A spline is not valid far from the voxels that it was fitted to: the extrapolation of `inner`
 * would spoil scalp and neck. All on one grid.
 * Returns 0, NP_EDOMAIN (empty mask), NP_ENOMEM, NP_ECANCELED; on failure `inner` is untouched.
 */
int np_bias_blend(struct np_image *inner, const struct np_mask *mask,
                  const struct np_bspline_field *outer, double width_mm, const struct np_exec *exec,
                  struct np_error *err) NP_MUST_USE;

#endif
