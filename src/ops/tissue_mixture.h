/*
 * The mixture behind ops/tissue.h, private to ops: three normal classes of a brain's intensities,
 * and two classes of voxels that are mixed of neighbours in brightness, fitted to a histogram.
 */
#ifndef NP_OPS_TISSUE_MIXTURE_H
#define NP_OPS_TISSUE_MIXTURE_H

#include "base/exec.h"
#include "image/image.h"

enum {
    NP_MIXTURE_BINS = 1024,
    NP_N_CLASSES = 3,                    /* from dark to bright */
    NP_N_CLASS_PAIRS = NP_N_CLASSES - 1, /* of classes that mix */
};

struct np_mixture {
    double low, high; /* the histogram's ends, in the image's units */
    double mean[NP_N_CLASSES], sd[NP_N_CLASSES],
        weight[NP_N_CLASSES + NP_N_CLASS_PAIRS]; /* means and deviations in 0 … 1, low to high */
    int n_iterations;
};

/*
 * Fit to all voxels of `values`. Returns 0, NP_EDOMAIN (no voxel), NP_EMETHOD (three classes do not
 * part), NP_ENOMEM, NP_ECANCELED; on failure `mixture` is untouched.
 */
int np_mixture_fit(const struct np_image *values, const struct np_exec *exec,
                   struct np_mixture *mixture, struct np_error *err) NP_MUST_USE;

/* The expected share of each class in a voxel of each bin between low and high; they sum to 1. */
void np_mixture_shares(const struct np_mixture *mixture,
                       float share[NP_MIXTURE_BINS][NP_N_CLASSES]);

#endif
