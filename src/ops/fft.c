#include "ops/fft.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/elementary.h"

static const double PI = 3.14159265358979323846;

struct np_fft {
    int n;
    struct np_complex *root; /* exp(-2 pi i j / n), j < n/2 */
    int *swap_with;          /* bit-reversed index */
};

struct np_fft *np_fft_new(int n)
{
    assert(n >= 2 && n <= 1 << 20 && (n & (n - 1)) == 0);
    struct np_fft *fft = np_xmalloc(sizeof(*fft));

    fft->n = n;
    fft->root = np_xmalloc((size_t)n / 2 * sizeof(*fft->root));
    fft->swap_with = np_xmalloc((size_t)n * sizeof(*fft->swap_with));
    for (int j = 0; j < n / 2; j++)
        fft->root[j] = (struct np_complex){np_cos(2 * PI * j / n), -np_sin(2 * PI * j / n)};
    fft->swap_with[0] = 0;
    for (int j = 1; j < n; j++)
        fft->swap_with[j] = fft->swap_with[j >> 1] >> 1 | (j & 1 ? n >> 1 : 0);
    return fft;
}

void np_fft_freep(struct np_fft **fft)
{
    if (*fft) {
        free((*fft)->root);
        free((*fft)->swap_with);
    }
    np_freep(fft);
}

static void reorder(const struct np_fft *fft, struct np_complex *x)
{
    for (int j = 0; j < fft->n; j++) {
        int other = fft->swap_with[j];

        if (other > j) {
            struct np_complex kept = x[j];
            x[j] = x[other];
            x[other] = kept;
        }
    }
}

/* Combine transforms of `half` values into transforms of twice the length. */
static void join(const struct np_fft *fft, int half, struct np_complex *x)
{
    int stride = fft->n / (2 * half);

    for (int start = 0; start < fft->n; start += 2 * half) {
        struct np_complex *even = x + start, *odd = x + start + half;

        for (int j = 0; j < half; j++) {
            struct np_complex w = fft->root[j * stride];
            double re = odd[j].re * w.re - odd[j].im * w.im;
            double im = odd[j].re * w.im + odd[j].im * w.re;
            odd[j] = (struct np_complex){even[j].re - re, even[j].im - im};
            even[j] = (struct np_complex){even[j].re + re, even[j].im + im};
        }
    }
}

void np_fft_run(const struct np_fft *fft, enum np_fft_direction direction, struct np_complex *x)
{
    /* The inverse is the forward transform with real and imaginary parts swapped. */
    if (direction == NP_FFT_INVERSE)
        for (int j = 0; j < fft->n; j++)
            x[j] = (struct np_complex){x[j].im, x[j].re};
    reorder(fft, x);
    for (int half = 1; half < fft->n; half *= 2)
        join(fft, half, x);
    if (direction == NP_FFT_INVERSE)
        for (int j = 0; j < fft->n; j++)
            x[j] = (struct np_complex){x[j].im / fft->n, x[j].re / fft->n};
}
