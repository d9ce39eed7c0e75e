/* The sharpening of the histogram of logarithms: step 2c of N4 (ops/n4.h). */
#ifndef NP_OPS_N4_SHARPEN_H
#define NP_OPS_N4_SHARPEN_H

#include "ops/fft.h"

/* The histogram and the expected values. */
struct np_n4_sharpener {
    int n_bins, n_padded;
    struct np_fft *fft;
    struct np_complex *counts; /* [n_padded] scratch: the histogram */
    struct np_complex *kernel; /* [n_padded] scratch: the Gaussian, then its transform */
    float *expected;           /* [n_bins] E at each bin */
    float *slope;              /* [n_bins] to the next bin's */
};

void np_n4_sharpener_init(struct np_n4_sharpener *sharpener, int n_bins);
void np_n4_sharpener_done(struct np_n4_sharpener *sharpener);

/*
 * Deconvolve the histogram by a Gaussian (Wiener filter) and compute the value that is expected in
 * each bin: `expected` and `slope`.
 *   count     [n_bins], the histogram at the values low + i step
 *   fwhm_log  full width of the Gaussian at half its maximum, in the unit of `step`
 *   wiener    the filter's noise term
 */
void np_n4_sharpen(struct np_n4_sharpener *sharpener, const double *count, double low, double step,
                   double fwhm_log, double wiener);

#endif
