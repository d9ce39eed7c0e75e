/* Agreement of two masks. */
#ifndef NP_OPS_OVERLAP_H
#define NP_OPS_OVERLAP_H

#include "base/exec.h"
#include "image/image.h"

struct np_overlap {
    double dice;                /* 2 |A and B| / (|A| + |B|) */
    double jaccard;             /* |A and B| / |A or B| */
    double sensitivity;         /* |A and B| / |B| */
    double false_positive;      /* |A without B| / |B| */
    double hd95_mm;             /* the larger of the two 95 % quantiles of surface distances */
    double surface_distance_mm; /* mean surface distance, both directions */
};

/*
 * Compare `mask` (A) with `reference` (B). A surface is the mask's voxels with a face neighbour
 * outside the mask or on the grid's border; distances run between voxel centres.
 * Returns 0, NP_EGEOMETRY (grids differ), NP_EDOMAIN (a mask is empty), NP_ENOMEM, NP_ECANCELED; on
 * failure `overlap` is untouched.
 */
int np_overlap_measure(const struct np_mask *mask, const struct np_mask *reference,
                       const struct np_exec *exec, struct np_overlap *overlap,
                       struct np_error *err) NP_MUST_USE;

#endif
