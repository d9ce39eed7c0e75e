/*
 * The last step of the deforming surface: all vertices together are placed where the brain ends
 * along their normals. Moving a vertex outwards gains by each brain-like sample that it passes and
 * loses by each other sample. Moving away from the start costs, and so does a difference between
 * neighbours. The best joint choice is sought by belief propagation on the mesh (min-sum;
 * Felzenszwalb and Huttenlocher 2006, doi:10.1007/s11263-006-7899-4).
 */
#ifndef NP_OPS_SETTLE_H
#define NP_OPS_SETTLE_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/mesh.h"

struct np_settle_options {
    double dark;         /* intensity that is certainly not brain */
    double share;        /* the border lies at this share between dark and the tissue inside */
    double softness;     /* half-width of the undecided range, as a share of the same */
    double too_bright;   /* brighter samples are not brain (fat, vessels); INFINITY = none */
    double stiffness;    /* cost of a difference of 1 mm between neighbours, in mm of gain */
    double most_step_mm; /* a larger difference costs no more than this one */
    double move_cost;    /* cost of a move by 1 mm, in mm of gain; grows with its square */
};

/*
 * Move the vertices of `mesh` along their normals, by up to 3 mm inwards and half a millimetre
 * outwards. The surface has already searched further outwards; a longer step here could cross bone
 * into muscle.
 *   image  isotropic; the mesh's millimetres count from its outer corner. Samples are interpolated
 *          linearly; outside the image they are dark
 * Returns 0, NP_ENOMEM or NP_ECANCELED (mesh untouched).
 * Cost: about 40 ms for 10242 vertices on one thread; 13 MB.
 */
int np_surface_settle(struct np_mesh *mesh, const struct np_image *image,
                      const struct np_settle_options *options, const struct np_exec *exec,
                      struct np_error *err) NP_MUST_USE;

#endif
