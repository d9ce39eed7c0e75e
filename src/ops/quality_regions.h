/*
 * The regions of a head image that ops/quality.h measures: by MRIQC's rules (Esteban et al. 2017,
 * doi:10.1371/journal.pone.0184661; artifacts: Mortamet et al. 2009, doi:10.1002/mrm.21992), from
 * masks of head and brain.
 *
 *   hat       not head, from a height of the rear part on, and from one of the front part
 *   artifact  in the hat: more than 10 robust standard deviations (of the hat's positive values;
 *             median distance to their median / 0.6744898), at least a tenth of the hat's largest
 *             distance, in voxels, away from the head (known to about one voxel); opened with the
 *             six neighbours across faces. None where fewer than 10 values are positive
 *   frame     values <= 0, and a layer around the image; opened with the 18 neighbours across faces
 *             and edges; the two largest components across faces. None of fewer than 500 voxels
 */
#ifndef NP_OPS_QUALITY_REGIONS_H
#define NP_OPS_QUALITY_REGIONS_H

#include "base/exec.h"
#include "image/image.h"

/* The first planes of the hat: in the rear part of the image, and in the front part, which begins at
 * `front_y`. */
struct np_hat_planes {
    int64_t front_y, rear_z, front_z;
};

/*
 * Write the bits of enum np_quality_region of each voxel.
 *   source  axes closest to RAS+, finite
 *   region  [voxels]
 * Cost at 256³: about 0.1 s of one core, 5 MiB; twice that, and 20 MiB, where something may be an
 * artifact, for the distances.
 * Returns 0, NP_EGEOMETRY (grids differ in size), NP_EDOMAIN (no brain, or no signal in it),
 * NP_ENOMEM, NP_ECANCELED; on failure the content of `region` is undefined.
 */
int np_quality_regions(const struct np_image *source, const struct np_mask *head,
                       const struct np_mask *brain, const struct np_hat_planes *planes,
                       const struct np_exec *exec, uint8_t *region,
                       struct np_error *err) NP_MUST_USE;

#endif
