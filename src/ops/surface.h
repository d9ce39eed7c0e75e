/*
 * The deforming surface of the Brain Extraction Tool: a smooth closed mesh that moves outwards
 * where the image under it is bright and inwards where it is dark. Smith 2002, Hum Brain Mapp
 * 17:143, doi:10.1002/hbm.10062.
 */
#ifndef NP_OPS_SURFACE_H
#define NP_OPS_SURFACE_H

#include <stdbool.h>

#include "base/exec.h"
#include "image/image.h"
#include "ops/mesh.h"
#include "ops/prior.h"

/* Parameters of the forces; intensities in the image's units. */
struct np_surface_forces {
    double dark;         /* t2: intensity of the background */
    double head;         /* t: threshold between background and head */
    double middle;       /* tm: a typical intensity of brain; brighter samples count as this */
    double share;        /* b: the border lies at this share between dark and the local maximum */
    double too_bright;   /* brighter samples count as dark (fat, vessels); INFINITY = none */
    double reach_min_mm; /* d1: the local minimum is sought so far inwards; at most 64 voxels */
    double reach_max_mm; /* d2: the local maximum is sought so far inwards; at most d1 */
    double curve_min_mm; /* radii of curvature between which smoothing increases */
    double curve_max_mm;
    const struct np_prior *prior; /* bounds the surface; NULL = none */
    double outer_mm;              /* further outside the prior's surface a vertex is drawn back */
    double inner_mm;              /* further inside it a vertex is pushed out */
    bool follow_prior;            /* the image is not looked at: the surface goes to the prior's */
};

/*
 * Move `mesh` through `image` for `n_iterations`. All vertices move at once (each from the old
 * positions), so the result does not depend on their order or on the number of threads.
 *   image  isotropic; the mesh's millimetres count from its outer corner. The nearest voxel is
 *          sampled; where samples fall outside the image, only smoothing acts
 * Returns 0 or NP_ECANCELED (mesh then between two iterations).
 * Cost: about 60 ns per vertex, iteration and thread.
 */
int np_surface_evolve(struct np_mesh *mesh, const struct np_image *image,
                      const struct np_surface_forces *forces, int n_iterations,
                      const struct np_exec *exec, struct np_error *err) NP_MUST_USE;

#endif
