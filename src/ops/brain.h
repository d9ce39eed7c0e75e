/*
 * Where the brain is: a mask of brain tissue, ventricles and the fluid in the sulci under a smooth
 * outer surface, the brain stem down to about the cerebellum's lowest point. A deforming surface
 * (Smith 2002, doi:10.1002/hbm.10062) with restarts, and a border level that each head sets for
 * itself. How and how well: docs/methods/brain.md.
 */
#ifndef NP_OPS_BRAIN_H
#define NP_OPS_BRAIN_H

#include "base/exec.h"
#include "image/image.h"

/* How fluid looks beside tissue. */
enum np_contrast {
    NP_CONTRAST_T1W, /* fluid dark, fat bright */
    NP_CONTRAST_T2W, /* fluid brighter than tissue */
    NP_CONTRAST_FLAIR
};

struct np_brain_options {
    enum np_contrast contrast;
    double fraction;   /* of the start; larger is tighter; 0.6; T2w 0.4, more above 1.2 mm voxels */
    int most_restarts; /* coarse rounds that look for the centre; 4 */
    double restart_shift_mm;  /* a centre that moves less ends them; 1 */
    double head_height_mm;    /* what lies deeper below the top of the head is neck; 165 */
    double least_mm3;         /* a smaller mask is no brain; 300 000 */
    double most_mm3;          /* a larger one neither; 2 500 000 */
    double most_border_share; /* of the image's border, covered by the mask; 0.5 */
    double most_rim;          /* what lies around it over what lies inside; 0.65 */
    double effort;            /* share of the usual iterations: less for a quick look; 1 */
};

/* The defaults above. */
struct np_brain_options np_brain_defaults(enum np_contrast contrast);

struct np_brain_report {
    double volume_mm3;
    double centre_mm[3];     /* of the mask, world */
    int n_restarts;          /* that the start took */
    double start_volume_mm3; /* of the start's surface */
    double border_level;     /* b in the end: share of the brain's middle value, 0 … 1 */
    double middle;           /* tm: median of the shell under the surface, in the image's units */
    double border_share;     /* of the image's border, covered by the mask */
    double rim;              /* darkest layer within 10 mm around it over what lies inside */
};

/*
 * Extract the brain.
 *   flat    bias-corrected, axes in closest-to-RAS+ order, arbitrary units, any spacing
 *   mask    out, on flat's grid, one component without holes; owned by the caller
 *   report  out; may be NULL
 * Returns 0, NP_EMETHOD (no plausible brain: the sentence has the number and the range expected),
 * NP_ENOMEM, NP_ECANCELED. On failure the outputs are untouched.
 * Cost: about 0.4 s for a head on two threads; twice the memory of the image at 1 mm.
 */
int np_brain_extract(const struct np_image *flat, const struct np_brain_options *options,
                     const struct np_exec *exec, struct np_mask **mask,
                     struct np_brain_report *report, struct np_error *err);

#endif
