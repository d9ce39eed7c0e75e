/*
 * The last step of a deforming surface: every vertex is put where, along its normal, the brain
 * ends, all of them together. A place is worth what is gained on the way to it, brain-like samples
 * counting for it and others against, and staying is worth something too; neighbours that differ
 * pay for it. The best joint choice is sought by belief propagation on the mesh (min-sum;
 * Felzenszwalb & Huttenlocher 2006, doi:10.1007/s11263-006-7899-4).
 */
#ifndef NP_OPS_SETTLE_H
#define NP_OPS_SETTLE_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/mesh.h"

struct np_settle_options {
    double dark;       /* intensity of what is certainly not brain */
    double share;      /* the border lies at this share between dark and the tissue under it */
    double softness;   /* half-width, as a share of the same, within which a sample is undecided */
    double too_bright; /* samples above it are not brain (fat, vessels); INFINITY = none */
    double stiffness;  /* what a difference of 1 mm between neighbours costs, in mm of gain */
    double most_step_mm; /* a difference costs no more than this one */
    double home;         /* what a move by 1 mm costs, in mm of gain; grows with its square */
};

/*
 * Move `mesh` along its normals, by up to 3 mm inwards and half a millimetre outwards: its own
 * search went as far out as it should, and bone beside muscle is not to be crossed here.
 *   image  isotropic; the mesh's millimetres count from its outer corner. Samples are linear
 *          between voxels; outside the image they are dark
 * Returns 0, NP_ENOMEM (mesh untouched) or NP_ECANCELED (mesh untouched).
 * Cost: about 40 ms for 10242 vertices on one thread; 13 MB.
 */
int np_surface_settle(struct np_mesh *mesh, const struct np_image *image,
                      const struct np_settle_options *options, const struct np_exec *exec,
                      struct np_error *err);

#endif
