/* Resampling between grids whose axes are parallel: to isotropic voxels and back. */
#ifndef NP_OPS_RESAMPLE_H
#define NP_OPS_RESAMPLE_H

#include "base/exec.h"
#include "image/image.h"

/*
 * The grid of cubes of `spacing_mm` that covers the same field of view (outer faces of the voxels)
 * along the same axes; the first voxel's outer corner stays where it is, the last one may reach up
 * to half a voxel beyond or fall short of it. Each axis has at least 1 voxel.
 */
struct np_grid np_grid_isotropic(const struct np_grid *grid, double spacing_mm);

/*
 * The part of `grid` from voxel `from` (inclusive) to `to` (exclusive), per axis.
 */
struct np_grid np_grid_crop(const struct np_grid *grid, const int64_t from[3], const int64_t to[3]);

/*
 * `in` at the voxels of `grid`, whose axes run along `in`'s in the same order and direction. Linear
 * where the new voxels are finer; where they are coarser, the weights are a tent as wide as the new
 * voxels, so nothing is skipped. Beyond the outermost centres the outermost value holds.
 *   out  owned by the caller
 * Returns 0, NP_EGEOMETRY (axes not parallel), NP_ENOMEM, NP_ECANCELED.
 */
int np_resample(const struct np_image *in, const struct np_grid *grid, const struct np_exec *exec,
                struct np_image **out, struct np_error *err);

/* The same for a mask: resampled as 0 and 1, then cut at one half (one half is in). */
int np_resample_mask(const struct np_mask *in, const struct np_grid *grid,
                     const struct np_exec *exec, struct np_mask **out, struct np_error *err);

#endif
