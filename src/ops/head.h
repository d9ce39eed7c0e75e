/*
 * Measurements of a head that brain extraction starts from: the image at 1 and 2 mm, its range of
 * intensities, and estimates of the brain's centre and size. Positions are millimetres along the
 * grid's axes from its first outer corner, as in ops/mesh.h.
 */
#ifndef NP_OPS_HEAD_H
#define NP_OPS_HEAD_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/mesh.h"

struct np_head {
    const struct np_image *fine; /* about 1 mm, isotropic: the surface evolves in this image */
    struct np_image *made_fine;  /* the same, when we own it; NULL when it is the input */
    struct np_image *coarse;     /* twice that spacing, same corner: for statistics */
    double dark, bright;         /* 2 % and 98 % quantiles */
    double threshold;            /* background … head: dark + 0.1 (bright - dark) */
    double centre_mm[3];         /* centre of gravity, without the neck */
    double radius_mm;            /* radius of a ball with the head's volume, without the neck */
};

/*
 * Resample the head and measure it.
 *   flat            any spacing, axes closest to RAS+; borrowed for as long as `head` is used
 *   head_height_mm  voxels deeper than this below the top of the head are neck; centre and radius
 *                   leave them out
 * Returns 0, NP_EMETHOD (no contrast at all), NP_ENOMEM, NP_ECANCELED; on failure `head` is
 * untouched.
 */
int np_head_measure(const struct np_image *flat, double head_height_mm, const struct np_exec *exec,
                    struct np_head *head, struct np_error *err) NP_MUST_USE;
void np_head_done(struct np_head *head);

/*
 * Median of the values between dark and bright in a ball; the mean of dark and bright when the ball
 * holds no such value. Returns 0, NP_ENOMEM, NP_ECANCELED.
 */
int np_head_ball_median(const struct np_head *head, const double centre_mm[3], double radius_mm,
                        const struct np_exec *exec, double *median,
                        struct np_error *err) NP_MUST_USE;

/*
 * Median and 10 % quantile of the shell between `from_mm` and `to_mm` below the surface. Returns 0,
 * NP_EDOMAIN (the surface encloses nothing that deep), NP_ENOMEM, NP_ECANCELED.
 */
int np_head_shell(const struct np_head *head, const struct np_mesh *surface, double from_mm,
                  double to_mm, const struct np_exec *exec, double *median, double *low,
                  struct np_error *err) NP_MUST_USE;

#endif
