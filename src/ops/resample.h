/* Resampling between grids whose axes are parallel: to isotropic voxels and back. */
#ifndef NP_OPS_RESAMPLE_H
#define NP_OPS_RESAMPLE_H

#include "base/exec.h"
#include "image/image.h"

/*
 * The grid of cubic voxels of `spacing_mm` that covers the same field of view (outer faces of the
 * voxels) along the same axes. The outer corner of the first voxel stays in place. The end may lie
 * up to half a voxel outside or inside the old one. Each axis has at least 1 voxel.
 */
struct np_grid np_grid_isotropic(const struct np_grid *grid, double spacing_mm);

/*
 * Resample `in` to `grid`, whose axes run along those of `in` in the same order and direction.
 * Linear interpolation where the new voxels are finer. Where they are coarser, the weights are a
 * tent as wide as the new voxels, so every input voxel contributes. Beyond the outermost centres
 * the outermost value is repeated.
 *   out  owned by the caller
 * Returns 0, NP_EGEOMETRY (axes not parallel), NP_ENOMEM, NP_ECANCELED.
 */
int np_resample(const struct np_image *in, const struct np_grid *grid, const struct np_exec *exec,
                struct np_image **out, struct np_error *err) NP_MUST_USE;

#endif
