/* The foreground of a head image: voxels of tissue with signal, from which a bias field can be
 * estimated. */
#ifndef NP_OPS_FOREGROUND_H
#define NP_OPS_FOREGROUND_H

#include "base/exec.h"
#include "image/image.h"

struct np_foreground_report {
    double threshold;   /* intensity; brighter voxels are foreground */
    double otsu;        /* Otsu's threshold of the positive voxels */
    double head_median; /* median of the voxels that are not background */
};

/*
 * The threshold is the lower of two: Otsu's on the positive voxels (1979,
 * doi:10.1109/TSMC.1979.4310076), and 0.9 of the median of the head (voxels above the robust
 * minimum by more than a tenth of the robust range). Otsu's threshold alone can select fat only,
 * where fat is much brighter than brain, or separate the tissues of a stripped brain. The median
 * alone includes dark tissue where the neck is large, and the noise of dark tissue misleads the
 * bias field. Exact zeros do not count, however many there are: an image whose background was
 * removed gives the same threshold. The threshold is computed on voxels about 2 mm apart and used
 * for all voxels.
 *   mask    owned by the caller
 *   report  may be NULL
 * Returns 0, NP_EMETHOD (no positive voxel, or all alike), NP_ENOMEM, NP_ECANCELED; on failure
 * `mask` and `report` are untouched.
 */
int np_foreground_mask(const struct np_image *image, const struct np_exec *exec,
                       struct np_mask **mask, struct np_foreground_report *report,
                       struct np_error *err) NP_MUST_USE;

#endif
