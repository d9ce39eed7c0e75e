/*
 * Where the brain is, roughly: the small network of ops/brain_net.h applied to a head of any field
 * of view, spacing and intensity. It says which part of an image is brain within a few
 * millimetres; the surface of ops/brain.h finds the border itself.
 */
#ifndef NP_OPS_PRIOR_H
#define NP_OPS_PRIOR_H

#include "base/exec.h"
#include "image/image.h"

struct np_prior {
    struct np_image *distance_mm; /* signed distance to the brain's surface, below 0 inside; voxels
                                     of 4 mm (larger where the head is huge) along the image's
                                     axes, around the head */
    double corner_mm[3];          /* its first outer corner, along the axes from the image's */
    double centre_mm[3];          /* centre of the brain, measured from the same corner */
    double brain_mm3;             /* volume with a distance below 0 */
    double far_share;  /* voxels that are not background and lie more than 6 mm outside, as a share
                         of all that are not background: near 0 when the skull was removed */
    double zero_share; /* voxels that are exactly 0: a background that was removed */
};

/*
 * Recognise the brain.
 *   image  axes closest to RAS+, bias-corrected if possible, any spacing and units; background, if
 *          it is one value, is 0
 * Returns 0, NP_EMETHOD (nothing in the image has contrast, or no part of it looks like brain),
 * NP_ENOMEM, NP_ECANCELED; on failure `prior` is untouched.
 * Cost: 0.25 s of one core, divided by the threads; 60 MiB.
 */
int np_prior_make(const struct np_image *image, const struct np_exec *exec, struct np_prior *prior,
                  struct np_error *err) NP_MUST_USE;
void np_prior_done(struct np_prior *prior);

/* The distance at a point, in mm from the image's first outer corner; linear between the centres of
 * voxels, and the outermost value beyond them. */
double np_prior_at(const struct np_prior *prior, const double at_mm[3]);

#endif
