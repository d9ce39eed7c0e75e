/* A blurred histogram of known values: what is expected in a bin is the value it was blurred from. */
#include <math.h>

#include "ops/n4_sharpen.h"
#include "tap.h"

enum { N_BINS = 200 };
static const double STEP = 0.01, FWHM = 0.15, WIENER = 0.01, LOW = 3;

/* Counts of one value that lies in bin `centre`, blurred by a Gaussian of `fwhm`. */
static void add_blurred(double *count, double centre, double fwhm, double n)
{
    double rate = 4 * log(2) / (fwhm / STEP * fwhm / STEP);

    for (int i = 0; i < N_BINS; i++)
        count[i] += n * exp(-rate * (i - centre) * (i - centre));
}

/* The expectation in bin `i`, in bins from `centre`. */
static double expected_from(const struct np_n4_sharpener *sharpener, int i, double centre)
{
    return ((double)sharpener->expected[i] - LOW) / STEP - centre;
}

TEST(a_value_that_was_blurred_is_expected_from_all_bins_about_it)
{
    struct np_n4_sharpener sharpener;
    double count[N_BINS] = {0};

    add_blurred(count, 90, FWHM, 1000);
    np_n4_sharpener_init(&sharpener, N_BINS);
    np_n4_sharpen(&sharpener, count, LOW, STEP, FWHM, WIENER);
    ok_near(expected_from(&sharpener, 90, 90), 0, 1e-3, "in its own bin, bins");
    for (int d = 1; d <= 10; d++) {
        /* The filter's noise term leaves a part of the width. */
        ok_below(expected_from(&sharpener, 90 + d, 90), 0.3 * d, "above it, bins");
        ok_above(expected_from(&sharpener, 90 - d, 90), -0.3 * d, "below it, bins");
        ok_near((double)sharpener.slope[90 + d],
                (double)(sharpener.expected[91 + d] - sharpener.expected[90 + d]), 0, "slope");
    }
    np_n4_sharpener_done(&sharpener);
}

TEST(two_values_stay_apart_and_the_sharpener_can_be_used_again)
{
    struct np_n4_sharpener sharpener;

    np_n4_sharpener_init(&sharpener, N_BINS);
    for (int shift = 0; shift <= 10; shift += 10) {
        double count[N_BINS] = {0};
        add_blurred(count, 60 + shift, FWHM, 1000);
        add_blurred(count, 120 + shift, FWHM, 500);
        np_n4_sharpen(&sharpener, count, LOW, STEP, FWHM, WIENER);
        for (int d = -5; d <= 5; d += 5) {
            ok_near(expected_from(&sharpener, 60 + shift + d, 60 + shift), 0, 1.5, "first, bins");
            ok_near(expected_from(&sharpener, 120 + shift + d, 120 + shift), 0, 1.5,
                    "second, bins");
        }
    }
    np_n4_sharpener_done(&sharpener);
}

TAP_MAIN
