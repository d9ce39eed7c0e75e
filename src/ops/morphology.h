/*
 * Shapes of masks: distances in millimetres, components, holes. Axes are taken as orthogonal with
 * the grid's spacing; grids may be anisotropic. All of it gives the same bytes for any number of
 * threads. Distances: exact Euclidean (Felzenszwalb and Huttenlocher 2012,
 * doi:10.4086/toc.2012.v008a019).
 */
#ifndef NP_OPS_MORPHOLOGY_H
#define NP_OPS_MORPHOLOGY_H

#include "base/exec.h"
#include "image/image.h"

/* Neighbours of a voxel: across faces, or across faces, edges and corners. */
enum np_connectivity { NP_CONNECT_6, NP_CONNECT_26 };

/* The value of the voxels that distances are measured to. */
enum np_distance_to { NP_DISTANCE_TO_ZERO, NP_DISTANCE_TO_ONE };

/*
 * Squared distance (mm²) from each voxel's centre to the nearest centre of a voxel with the given
 * value; 0 on such voxels, INFINITY everywhere when there is none. Only voxels of the grid count.
 *   out  same grid as `mask`; every voxel is written
 * Returns 0, NP_EGEOMETRY (another size), NP_ENOMEM, NP_ECANCELED; on failure the content of `out`
 * is undefined. Cost: about 15 ns per voxel and thread.
 */
int np_distance_mm2(const struct np_mask *mask, enum np_distance_to to, const struct np_exec *exec,
                    struct np_image *out, struct np_error *err) NP_MUST_USE;

/*
 * In place: keep the component with the most voxels; of equal ones, the first in storage order. An
 * empty mask stays empty.
 *   n_components  out, the number of components before; may be NULL
 * Returns 0, NP_ENOMEM (mask untouched).
 */
int np_mask_keep_largest(struct np_mask *mask, enum np_connectivity connectivity,
                         int64_t *n_components, struct np_error *err) NP_MUST_USE;

/*
 * In place: fill holes, which are zeros without a path across faces to the grid's border. Returns
 * 0, NP_ENOMEM (mask untouched).
 */
int np_mask_fill_holes(struct np_mask *mask, struct np_error *err) NP_MUST_USE;

/* The share of the grid's border (its outermost voxels) that the mask covers. */
double np_mask_border_share(const struct np_mask *mask);

/* Centre of gravity in voxel indices; false when the mask is empty. */
bool np_mask_centroid(const struct np_mask *mask, double centre_voxel[3]);

#endif
