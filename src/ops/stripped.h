/* Is the skull gone already? */
#ifndef NP_OPS_STRIPPED_H
#define NP_OPS_STRIPPED_H

#include "base/exec.h"
#include "image/image.h"

/* The findings, in the order of the tests; those after the test that decided are NAN. */
struct np_stripped_report {
    double support_mm3;   /* of the largest connected part that is not background, holes filled */
    double outside_share; /* something outside that part, as a share of it */
    double border_share;  /* of the image's border, covered by it */
    double scalp_dip;     /* darkest layer below the surface over the brighter ones on both sides:
                             a skull between scalp and brain makes it small; about 1 without */
};

/*
 * Recognise an image from which the skull was removed: nearly nothing outside a compact support
 * of a brain's volume, and no dark layer below a bright one (the skull under the scalp).
 * A defaced head does not match.
 *   image   any units; the background is about 0
 *   brain   out: the filled support on the image's grid, owned by the caller; NULL when the image
 *           still shows a skull
 *   report  out; may be NULL
 * Returns 0, NP_ENOMEM, NP_ECANCELED; on failure the outputs are untouched.
 */
int np_stripped_detect(const struct np_image *image, const struct np_exec *exec,
                       struct np_mask **brain, struct np_stripped_report *report,
                       struct np_error *err);

/*
 * The support itself: the largest connected part of what is not background, holes filled; whatever
 * it looks like. Returns 0, NP_EMETHOD (nothing but background), NP_ENOMEM, NP_ECANCELED.
 */
int np_support_mask(const struct np_image *image, const struct np_exec *exec,
                    struct np_mask **support, struct np_error *err);

#endif
