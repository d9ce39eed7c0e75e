#include "ops/n4_sharpen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/elementary.h"

static const double PI = 3.14159265358979323846;

void np_n4_sharpener_init(struct np_n4_sharpener *sharpener, int n_bins)
{
    int n_padded = 2;

    while (n_padded < n_bins)
        n_padded *= 2;
    n_padded *= 2; /* room for the tails of the convolution */
    *sharpener = (struct np_n4_sharpener){
        .n_bins = n_bins,
        .n_padded = n_padded,
        .fft = np_fft_new(n_padded),
        .counts = np_xmalloc((size_t)n_padded * sizeof(*sharpener->counts)),
        .kernel = np_xmalloc((size_t)n_padded * sizeof(*sharpener->kernel)),
        .expected = np_xmalloc((size_t)n_bins * sizeof(*sharpener->expected)),
        .slope = np_xmalloc((size_t)n_bins * sizeof(*sharpener->slope)),
    };
}

void np_n4_sharpener_done(struct np_n4_sharpener *sharpener)
{
    np_fft_freep(&sharpener->fft);
    free(sharpener->counts);
    free(sharpener->kernel);
    free(sharpener->expected);
    free(sharpener->slope);
}

/* Transform of a Gaussian whose full width at half maximum is `fwhm_bins`. It is real because
 * the Gaussian is even. */
static void make_kernel(struct np_n4_sharpener *sharpener, double fwhm_bins)
{
    double rate = 4 * np_log(2) / (fwhm_bins * fwhm_bins);
    double height = 2 * sqrt(np_log(2) / PI) / fwhm_bins;
    int n = sharpener->n_padded;

    for (int i = 0; i <= n / 2; i++) {
        struct np_complex value = {height * np_exp(-rate * i * i), 0};
        sharpener->kernel[i] = value;
        sharpener->kernel[i ? n - i : 0] = value;
    }
    np_fft_run(sharpener->fft, NP_FFT_FORWARD, sharpener->kernel);
}

/*
 * U and x U are transformed together as real and imaginary part; the kernel is real, so they stay separate.
 */
void np_n4_sharpen(struct np_n4_sharpener *sharpener, const double *count, double low, double step,
                   double fwhm_log, double wiener)
{
    int n = sharpener->n_padded, n_bins = sharpener->n_bins, offset = (n - n_bins) / 2;
    struct np_complex *u = sharpener->counts;
    double most = 0;

    make_kernel(sharpener, fwhm_log / step);
    memset(u, 0, (size_t)n * sizeof(*u));
    for (int i = 0; i < n_bins; i++)
        u[offset + i].re = count[i];
    np_fft_run(sharpener->fft, NP_FFT_FORWARD, u);
    for (int i = 0; i < n; i++) {
        double f = sharpener->kernel[i].re, inverse = f / (f * f + wiener);
        u[i] = (struct np_complex){u[i].re * inverse, u[i].im * inverse};
    }
    np_fft_run(sharpener->fft, NP_FFT_INVERSE, u);
    for (int i = 0; i < n; i++) {
        double density = u[i].re > 0 ? u[i].re : 0;
        u[i] = (struct np_complex){density, density * (i - offset)};
    }
    np_fft_run(sharpener->fft, NP_FFT_FORWARD, u);
    for (int i = 0; i < n; i++) {
        double f = sharpener->kernel[i].re;
        u[i] = (struct np_complex){u[i].re * f, u[i].im * f};
    }
    np_fft_run(sharpener->fft, NP_FFT_INVERSE, u);
    for (int i = 0; i < n_bins; i++)
        most = fmax(most, u[offset + i].re);
    /* Where the density is rounding noise it carries no information: the value is its own
     * expectation. */
    for (int i = 0; i < n_bins; i++) {
        struct np_complex at = u[offset + i];
        double bin = at.re > 1e-9 * most ? at.im / at.re : i;
        sharpener->expected[i] = (float)(low + bin * step);
    }
    for (int i = 0; i < n_bins; i++)
        sharpener->slope[i] =
            i + 1 < n_bins ? sharpener->expected[i + 1] - sharpener->expected[i] : 0;
}
