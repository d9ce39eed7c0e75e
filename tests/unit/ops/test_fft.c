#include <math.h>
#include <string.h>

#include "base/random.h"
#include "ops/elementary.h"
#include "ops/fft.h"
#include "tap.h"

enum { LONGEST = 512 };
static struct np_complex in[LONGEST], out[LONGEST];

static void draw(int n)
{
    struct np_random random;

    np_random_seed(&random, 4, (uint64_t)n);
    for (int i = 0; i < n; i++)
        in[i] = (struct np_complex){np_random_normal(&random), np_random_normal(&random)};
}

/* Largest distance of `out` from the sum that defines the transform of `in`. */
static double distance_to_definition(int n)
{
    double worst = 0;

    for (int k = 0; k < n; k++) {
        double re = 0, im = 0;
        for (int j = 0; j < n; j++) {
            double angle = -2 * M_PI * (double)((int64_t)j * k % n) / n;
            re += in[j].re * cos(angle) - in[j].im * sin(angle);
            im += in[j].re * sin(angle) + in[j].im * cos(angle);
        }
        worst = fmax(worst, hypot(out[k].re - re, out[k].im - im));
    }
    return worst;
}

TEST(transform_is_the_defining_sum_for_every_length)
{
    for (int n = 2; n <= LONGEST; n *= 2) {
        NP_AUTO(np_fft_freep) struct np_fft *fft = np_fft_new(n);
        draw(n);
        memcpy(out, in, sizeof(in));
        np_fft_run(fft, NP_FFT_FORWARD, out);
        /* values of size sqrt(n), rounding 1e-16 in each of log2 n steps and n sums */
        ok_below(distance_to_definition(n), 1e-12, "distance from the definition");
    }
}

TEST(inverse_undoes_forward)
{
    NP_AUTO(np_fft_freep) struct np_fft *fft = np_fft_new(LONGEST);
    double worst = 0;

    draw(LONGEST);
    memcpy(out, in, sizeof(in));
    np_fft_run(fft, NP_FFT_FORWARD, out);
    np_fft_run(fft, NP_FFT_INVERSE, out);
    for (int i = 0; i < LONGEST; i++)
        worst = fmax(worst, hypot(out[i].re - in[i].re, out[i].im - in[i].im));
    ok_below(worst, 1e-14, "round trip");
}

TEST(impulse_has_a_flat_spectrum)
{
    NP_AUTO(np_fft_freep) struct np_fft *fft = np_fft_new(64);
    struct np_complex x[64] = {{1, 0}};
    int differ = 0;

    np_fft_run(fft, NP_FFT_FORWARD, x);
    for (int i = 0; i < 64; i++)
        differ += x[i].re != 1 || x[i].im != 0;
    ok_int(differ, 0);
}

TAP_MAIN
