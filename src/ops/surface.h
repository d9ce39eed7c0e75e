/*
 * The deforming surface of the Brain Extraction Tool: a closed mesh that is pushed outwards where
 * what lies under it is bright and inwards where it is dark, and kept smooth.
 * Smith 2002, Hum Brain Mapp 17:143, doi:10.1002/hbm.10062.
 */
#ifndef NP_OPS_SURFACE_H
#define NP_OPS_SURFACE_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/mesh.h"

/* What drives the surface; intensities in the image's units. */
struct np_surface_forces {
    double dark;         /* t2: what counts as nothing */
    double head;         /* t: above it is head, not background */
    double middle;       /* tm: a typical value in the brain; brighter counts as this */
    double share;        /* b: the border lies at this share between dark and the local maximum */
    double too_bright;   /* samples above it count as dark (fat, vessels); INFINITY = none do */
    double reach_min_mm; /* d1: the local minimum is sought so far inwards; at most 64 voxels */
    double reach_max_mm; /* d2: the local maximum is sought so far inwards; at most d1 */
    double curve_min_mm; /* radii of curvature between which smoothing sets in */
    double curve_max_mm;
};

/*
 * Move `mesh` through `image` for `n_iterations`. All vertices move at once (each from the old
 * positions), so the result does not depend on their order or on threads.
 *   image  isotropic; the mesh's millimetres count from its outer corner. Nearest voxels are
 *          sampled; where samples fall outside, only smoothness acts
 * Returns 0 or NP_ECANCELED (mesh then somewhere on its way).
 * Cost: about 60 ns per vertex, iteration and thread.
 */
int np_surface_evolve(struct np_mesh *mesh, const struct np_image *image,
                      const struct np_surface_forces *forces, int n_iterations,
                      const struct np_exec *exec, struct np_error *err);

#endif
