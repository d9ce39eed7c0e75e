/* Detection of images from which the skull was removed. */
#ifndef NP_OPS_STRIPPED_H
#define NP_OPS_STRIPPED_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/prior.h"

/* The findings, in the order of the tests; those after the test that decided are NAN. */
struct np_stripped_report {
    double support_mm3;   /* of the largest connected part above the background, holes filled */
    double outside_share; /* voxels above the background outside that part, as a share of it */
    double border_share;  /* share of the grid's border that it covers */
    double scalp_dip;     /* darkest layer below the surface over the brighter ones on both sides:
                             small with a skull between scalp and brain, about 1 without */
    double far_share;     /* of the prior; NAN without one */
    bool unsure;          /* the signs do not all say the same */
};

/*
 * Recognise an image from which the skull was removed: nearly nothing outside a compact support
 * of a brain's volume, and no dark layer below a bright one (the skull under the scalp).
 * A defaced head does not match.
 *   image   any units; the background is about 0
 *   prior   where the brain is; NULL = not known. With it, the share of the support far outside the
 *           brain is the first sign, and the layers are the second. Without it, volume, border and
 *           layers decide, so a part of a head may be taken for a stripped brain
 *   brain   out: the filled support on the image's grid, owned by the caller; NULL when the image
 *           still shows a skull
 *   report  out; may be NULL
 * Returns 0, NP_ENOMEM, NP_ECANCELED; on failure the outputs are untouched.
 */
int np_stripped_detect(const struct np_image *image, const struct np_prior *prior,
                       const struct np_exec *exec, struct np_mask **brain,
                       struct np_stripped_report *report, struct np_error *err) NP_MUST_USE;

/*
 * Whether the skull may have been removed, whatever the prior says: false for the most heads, whose
 * support is larger than any brain or whose air is not empty. Much cheaper than a prior.
 * Returns 0, NP_ENOMEM, NP_ECANCELED; on failure `*is_possible` is untouched.
 */
int np_stripped_is_possible(const struct np_image *image, const struct np_exec *exec,
                            bool *is_possible, struct np_error *err) NP_MUST_USE;

/*
 * Whether an image is no stripped brain, by counts alone.
 *   above_mm3  volume of all voxels above the background (1 % of the 98 % quantile of those that
 *              are not 0), in air and holes too, before bias correction
 *   minimum    of the voxels. Where values lie on both sides of 0, as in an interpolated image,
 *              nothing is certain: their means at 2 mm are smaller than they are
 * True only where np_stripped_is_possible says false.
 */
bool np_stripped_is_ruled_out(double above_mm3, double minimum);

/*
 * The support: the largest connected part of the voxels above the background, holes filled, of any
 * shape. Returns 0, NP_EMETHOD (nothing but background), NP_ENOMEM, NP_ECANCELED.
 */
int np_support_mask(const struct np_image *image, const struct np_exec *exec,
                    struct np_mask **support, struct np_error *err) NP_MUST_USE;

#endif
