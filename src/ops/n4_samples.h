/* The voxels of an image that N4 fits its field to (ops/n4.h). */
#ifndef NP_OPS_N4_SAMPLES_H
#define NP_OPS_N4_SAMPLES_H

#include "base/exec.h"
#include "image/image.h"

/*
 * The sampled voxels that the fit uses. They are single voxels, not means of blocks. A mean has
 * less noise, but it mixes tissues, and mixtures blur the histogram that is to be sharpened (the
 * error of the field is then three times as large: docs/methods/bias.md).
 */
struct np_n4_samples {
    int step[3];
    int64_t first[3];
    int64_t n[3];
    uint8_t *inside; /* [nz][ny][nx] */
    float *log;      /* [nz][ny][nx]; set where inside is 1 */
};

/*
 * Take voxels about `shrink_mm` apart, whole voxels along each axis, centred in the grid. `inside`
 * is 1 where the mask is and the value is > 0. The caller frees with np_n4_samples_done. Returns 0,
 * NP_ENOMEM; `samples` is then untouched.
 */
int np_n4_samples_init(struct np_n4_samples *samples, const struct np_image *in,
                       const struct np_mask *mask, double shrink_mm, const struct np_exec *exec,
                       struct np_error *err) NP_MUST_USE;
void np_n4_samples_done(struct np_n4_samples *samples);

#endif
