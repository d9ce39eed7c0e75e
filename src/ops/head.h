/*
 * What brain extraction starts from: the head at 1 and 2 mm, its range of intensities, and a guess
 * of where the brain is. Positions are millimetres along the grid's axes from its first outer
 * corner, as in ops/mesh.h.
 */
#ifndef NP_OPS_HEAD_H
#define NP_OPS_HEAD_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/mesh.h"

struct np_head {
    const struct np_image *fine; /* about 1 mm, isotropic: what the surface moves in */
    struct np_image *made_fine;  /* the same, owned; NULL when it is the image that was given */
    struct np_image *coarse;     /* twice that, same corner: where statistics are taken */
    double dark, bright;         /* 2 % and 98 % quantiles */
    double threshold;            /* head rather than background: a tenth of the way between them */
    double centre_mm[3];         /* of gravity, without the neck */
    double radius_mm;            /* of a ball as large as the head without the neck */
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
                    struct np_head *head, struct np_error *err);
void np_head_done(struct np_head *head);

/*
 * Median of the values between dark and bright in a ball; falls back to their middle where the ball
 * holds none. Returns 0, NP_ENOMEM, NP_ECANCELED.
 */
int np_head_ball_median(const struct np_head *head, const double centre_mm[3], double radius_mm,
                        const struct np_exec *exec, double *median, struct np_error *err);

/*
 * Median and 10 % quantile of the shell between `from_mm` and `to_mm` below the surface. Returns 0,
 * NP_EDOMAIN (the surface encloses nothing that deep), NP_ENOMEM, NP_ECANCELED.
 */
int np_head_shell(const struct np_head *head, const struct np_mesh *surface, double from_mm,
                  double to_mm, const struct np_exec *exec, double *median, double *low,
                  struct np_error *err);

#endif
