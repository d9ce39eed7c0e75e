/*
 * The tissues of a brain: the share of cerebrospinal fluid, grey and white matter in each voxel.
 *
 * 1. The histogram of the mask is a mixture of three normal classes and of two classes of mixed
 *    voxels (fluid with grey, grey with white matter, all shares alike), fitted by expectation
 *    maximization (Dempster et al. 1977; mixed voxels: Santago & Gage 1993, doi:10.1109/42.241885).
 * 2. Neighbours tend to be alike: a Potts field, solved by its mean field (Zhang 1992,
 *    doi:10.1109/78.157229).
 */
#ifndef NP_OPS_TISSUE_H
#define NP_OPS_TISSUE_H

#include "base/exec.h"
#include "catalog/contrast.h"
#include "image/image.h"

enum np_tissue_class { NP_TISSUE_CSF, NP_TISSUE_GM, NP_TISSUE_WM, NP_N_TISSUES };

/* The share of a tissue is value / NP_TISSUE_WHOLE. */
enum { NP_TISSUE_WHOLE = 255 };

struct np_tissue {
    struct np_grid grid;          /* of the image */
    int64_t low[3], n[3];         /* the box around the mask: its first voxel, and its size */
    uint8_t *share[NP_N_TISSUES]; /* [n[2]][n[1]][n[0]], of the box alone; their sum is
                                        NP_TISSUE_WHOLE in the mask, else 0 */
    double mean[NP_N_TISSUES], sd[NP_N_TISSUES]; /* of unmixed voxels, in the image's units */
    double mm3[NP_N_TISSUES];                    /* sums of shares */
    int n_iterations;                            /* of the fit */
};

/*
 * Classify the mask's voxels of a bias-corrected image.
 *   contrast  T1w: fluid is darkest, white matter brightest; T2w: the other way round. No other.
 *   tissue    owned by the caller, who calls np_tissue_done
 * Returns 0, NP_EGEOMETRY (grids differ in size), NP_EDOMAIN (empty mask), NP_EMETHOD (three
 * tissues do not part), NP_ENOMEM, NP_ECANCELED; on failure `tissue` is untouched.
 */
int np_tissue_classify(const struct np_image *image, const struct np_mask *mask,
                       enum np_contrast contrast, const struct np_exec *exec,
                       struct np_tissue *tissue, struct np_error *err) NP_MUST_USE;
void np_tissue_done(struct np_tissue *tissue);
void np_tissue_freep(struct np_tissue **tissue); /* of one that lies in memory of its own */

/* Of all voxels of the grid: 1 GM, 2 WM, 3 CSF, as BIDS numbers them, the tissue of the largest
 * share; 0 outside the mask. */
void np_tissue_labels(const struct np_tissue *tissue, const struct np_exec *exec, uint8_t *label);

/* Of all voxels of the grid: the share of one tissue, 0 … 1. */
void np_tissue_shares(const struct np_tissue *tissue, enum np_tissue_class which,
                      const struct np_exec *exec, float *share);

#endif
