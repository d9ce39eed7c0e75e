/* Which voxels of a head show tissue with signal: where a bias field can be seen. */
#ifndef NP_OPS_FOREGROUND_H
#define NP_OPS_FOREGROUND_H

#include "base/exec.h"
#include "image/image.h"

struct np_foreground_report {
    double threshold;   /* intensity; voxels above it are in */
    double otsu;        /* Otsu's threshold of the positive voxels */
    double head_median; /* of the voxels that are no background */
};

/*
 * The threshold is the lower of two: Otsu's on the positive voxels (1979,
 * doi:10.1109/TSMC.1979.4310076), and 0.9 of the median of the head (what exceeds the robust
 * minimum by a tenth of the robust range). Otsu alone can single out fat, where that is much
 * brighter than brain, or split a stripped brain between its tissues; the median alone takes in
 * dark tissue, whose noise misleads a bias field, where the neck is large.
 * Exact zeros, however many, do not count: background that was removed changes nothing. The
 * threshold is found on voxels about 2 mm apart, and holds for all.
 *   mask    owned by the caller
 *   report  may be NULL
 * Returns 0, NP_EMETHOD (no positive voxel, or all alike), NP_ENOMEM, NP_ECANCELED; on failure
 * `mask` and `report` are untouched.
 */
int np_foreground_mask(const struct np_image *image, const struct np_exec *exec,
                       struct np_mask **mask, struct np_foreground_report *report,
                       struct np_error *err);

#endif
