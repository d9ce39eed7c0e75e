/*
 * Brain extraction: a mask of brain tissue, ventricles and the fluid in the sulci under a smooth
 * outer surface. The brain stem is included down to about the cerebellum's lowest point.
 *
 * Method: a deforming surface (Smith 2002, doi:10.1002/hbm.10062) with a border level that is derived
 * from each head. A prior (ops/prior.h) starts and bounds it; without one it starts from a sphere,
 * with restarts. Details and accuracy: docs/methods/brain.md.
 */
#ifndef NP_OPS_BRAIN_H
#define NP_OPS_BRAIN_H

#include "base/exec.h"
#include "catalog/contrast.h"
#include "image/image.h"
#include "ops/prior.h"

struct np_brain_options {
    enum np_contrast contrast;
    const struct np_prior *prior; /* starts and bounds the surface; borrowed; NULL = the image alone
                                     decides (the classic method) */
    double fraction;   /* tightness of the start, 0 … 1; 0.6; T2w 0.4, more above 1.2 mm voxels */
    int most_restarts; /* most coarse rounds that search the centre; 4 */
    double restart_shift_mm; /* no further round when the centre moves less than this; 1 */
    double head_height_mm;   /* voxels deeper than this below the top of the head are neck; 165 */
    double least_mm3;        /* a smaller mask is refused; 300 000, with a prior 60 000 */
    double most_mm3; /* a larger mask is refused, or doubted where the prior agrees; 2 500 000 */
    double most_border_share; /* share of the grid's border that the mask may cover; 0.5 */
    double most_rim;          /* most intensity of the dark layer around, over the inside; 0.65 */
    double least_agreement;   /* with a prior: a mask that agrees less is in doubt; 0.90 */
    bool force;               /* an implausible mask is kept, with a doubt; false */
    double effort;            /* factor on the iterations; below 1 for a quick estimate; 1 */
};

/* The defaults above. `prior` may be NULL and is borrowed. */
struct np_brain_options np_brain_defaults(enum np_contrast contrast, const struct np_prior *prior);

enum { NP_BRAIN_MOST_DOUBT = 512 };

struct np_brain_report {
    double volume_mm3;
    double centre_mm[3];     /* centre of gravity of the mask, world coordinates */
    int n_restarts;          /* coarse rounds of the start */
    double start_volume_mm3; /* volume inside the surface after the start */
    double border_level;     /* b, final: share of `middle` above dark, 0 … 1 */
    double middle;           /* tm: median of the shell under the surface, in the image's units */
    double border_share;     /* share of the grid's border that the mask covers */
    double agreement;        /* Dice coefficient of the mask and the prior's, at 2 mm; NAN = none */
    double rim;              /* darkest layer within 10 mm outside, divided by the inside */
    /* Why the mask may be wrong, a clause; empty when it is sure. */
    char doubt[NP_BRAIN_MOST_DOUBT];
};

/*
 * Extract the brain.
 *   flat    bias-corrected, axes in closest-to-RAS+ order, arbitrary units, any spacing
 *   mask    out, on flat's grid, one component without holes; owned by the caller
 *   report  out; may be NULL
 * A mask is refused when it is implausible. With a prior, one sign against it is a doubt, two signs
 * refuse it.
 * Returns 0, NP_EMETHOD (no plausible brain: the sentence gives the value and the expected range),
 * NP_ENOMEM, NP_ECANCELED. On failure the outputs are untouched.
 * Cost: about 0.4 s for a head on two threads; twice the memory of the image at 1 mm.
 */
int np_brain_extract(const struct np_image *flat, const struct np_brain_options *options,
                     const struct np_exec *exec, struct np_mask **mask,
                     struct np_brain_report *report, struct np_error *err) NP_MUST_USE;

#endif
