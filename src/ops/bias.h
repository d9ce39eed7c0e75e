/* What is done with bias fields once they are estimated. Fields are natural logarithms. */
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

/* The same by a field that is not kept as a volume; 0 or NP_ENOMEM, then `out` is untouched. */
int np_bias_divide_by_fit(const struct np_image *in, const struct np_bspline_field *log_field,
                          const struct np_exec *exec, struct np_image *out, struct np_error *err);

/*
 * Join a field that was fitted inside `mask` with one that holds everywhere.
 *   inner  in, and out: its own values in the mask and about a block (4 mm) around it, then a
 *          smooth passage over `width_mm` (smoothstep of the distance to the mask) to `outer`
 *   outer  its level is moved first, to the mean of `inner` over the mask
 * A spline is worth nothing far from the voxels it was fitted to: the extrapolation of `inner`
 * would wreck scalp and neck. All on one grid. Returns 0, NP_EDOMAIN (empty mask), NP_ENOMEM,
 * NP_ECANCELED; on failure `inner` is untouched.
 */
int np_bias_blend(struct np_image *inner, const struct np_mask *mask,
                  const struct np_bspline_field *outer, double width_mm, const struct np_exec *exec,
                  struct np_error *err);

#endif
