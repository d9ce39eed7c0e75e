#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "ops/histogram.h"
#include "tap.h"

/* An image of normal numbers with mean 100 and sd 20, and a mask of every third voxel. */
static struct np_image *draw_image(int64_t n, uint64_t seed)
{
    struct np_grid grid = np_grid_make(n, n, n, 1, 1, 1);
    struct np_image *image = np_image_new(&grid);
    struct np_random random;

    np_random_seed(&random, seed, 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        image->voxel[i] = (float)(100 + 20 * np_random_normal(&random));
    return image;
}

static struct np_mask *third_mask(const struct np_image *image)
{
    struct np_mask *mask = np_mask_new(&image->grid);

    for (size_t i = 0; i < np_grid_voxels(&image->grid); i += 3)
        mask->voxel[i] = 1;
    return mask;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The definition: sort, interpolate. */
static double sorted_quantile(const float *sorted, int64_t n, double p)
{
    double position = p * (double)(n - 1);
    int64_t i = (int64_t)position;
    double low = (double)sorted[i], high = (double)sorted[i + 1 < n ? i + 1 : i];

    return low + (high - low) * (position - (double)i);
}

TEST(quantiles_are_those_of_the_sorted_values)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_image(24, 1);
    NP_AUTO(np_mask_freep) struct np_mask *mask = third_mask(image);
    static const double p[] = {0, 0.001, 0.02, 0.5, 0.98, 0.999, 1, 1.0 / 3};
    double found[NP_COUNT(p)];
    size_t n = np_grid_voxels(&image->grid);
    int64_t n_in = 0;

    for (size_t i = 0; i < n; i += 7) /* both signs, zeros of both signs, ties, huge and tiny */
        image->voxel[i] = (i % 14 ? -1.0f : 1.0f) * (float)(i % 5) * (i % 21 ? 1.0f : 1e-30f);
    image->voxel[3] = 1e30f;
    image->voxel[6] = -0.0f;
    NP_AUTO(np_freep) float *sorted = np_xmalloc(n * sizeof(*sorted));
    for (size_t i = 0; i < n; i++)
        if (mask->voxel[i])
            sorted[n_in++] = image->voxel[i];
    qsort(sorted, (size_t)n_in, sizeof(*sorted), ascending);
    ok_int(np_image_quantiles(image, mask, p, (int)NP_COUNT(p), NULL, found, NULL), 0);
    for (size_t i = 0; i < NP_COUNT(p); i++)
        ok(found[i] == sorted_quantile(sorted, n_in, p[i]));
    ok_int(np_image_quantiles(image, NULL, p, 1, NULL, found, NULL), 0);
    ok(found[0] <= sorted[0]);
}

TEST(a_single_voxel_is_every_quantile)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_image(4, 2);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&image->grid);
    static const double p[] = {0, 0.3, 1};
    double found[3];
    struct np_moments moments;

    mask->voxel[17] = 1;
    image->voxel[17] = -2.5f;
    ok_int(np_image_quantiles(image, mask, p, 3, NULL, found, NULL), 0);
    ok(found[0] == -2.5 && found[1] == -2.5 && found[2] == -2.5);
    ok_int(np_image_moments(image, mask, NULL, &moments, NULL), 0);
    ok(moments.n == 1 && moments.mean == -2.5 && moments.sd == 0);
}

TEST(moments_are_those_of_the_definition)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_image(20, 3);
    NP_AUTO(np_mask_freep) struct np_mask *mask = third_mask(image);
    struct np_moments moments;
    long double sum = 0, square = 0;
    int64_t n = 0;

    for (size_t i = 0; i < np_grid_voxels(&image->grid); i += 3, n++)
        sum += (long double)image->voxel[i];
    for (size_t i = 0; i < np_grid_voxels(&image->grid); i += 3)
        square +=
            ((long double)image->voxel[i] - sum / n) * ((long double)image->voxel[i] - sum / n);
    ok_int(np_image_moments(image, mask, NULL, &moments, NULL), 0);
    ok_int(moments.n, n);
    ok_near(moments.mean, (double)(sum / n), 1e-11, "mean");
    ok_near(moments.sd, (double)sqrtl(square / (n - 1)), 1e-11, "sd");
}

TEST(the_mean_alone_is_that_of_the_moments)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_image(20, 3);
    NP_AUTO(np_mask_freep) struct np_mask *mask = third_mask(image);
    struct np_moments moments;
    double mean;

    ok_int(np_image_moments(image, mask, NULL, &moments, NULL), 0);
    ok_int(np_image_mean(image, mask, NULL, &mean, NULL), 0);
    ok(mean == moments.mean);
    ok_int(np_image_moments(image, NULL, NULL, &moments, NULL), 0);
    ok_int(np_image_mean(image, NULL, NULL, &mean, NULL), 0);
    ok(mean == moments.mean);
}

/* Sizes that are and are not whole slabs and lanes. */
TEST(the_range_is_that_of_every_voxel)
{
    for (int size = 1; size <= 12; size++) {
        NP_AUTO(np_image_freep) struct np_image *image = draw_image(size, (uint64_t)size);
        size_t n = np_grid_voxels(&image->grid);
        double minimum = INFINITY, maximum = -INFINITY;
        struct np_range range;
        int64_t n_negative = 0;

        image->voxel[n - 1] = size % 2 ? -1e6f : 1e6f;
        image->voxel[n / 2] = -0.0f;
        for (size_t i = 0; i < n; i++) {
            minimum = fmin(minimum, (double)image->voxel[i]);
            maximum = fmax(maximum, (double)image->voxel[i]);
            n_negative += image->voxel[i] < 0;
        }
        ok_int(np_image_range(image, NULL, &range, NULL), 0);
        ok(range.minimum == minimum && range.maximum == maximum);
        ok_int(range.n_negative, n_negative);
    }
}

TEST(equal_values_are_counted)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_image(9, 4);
    int64_t n = -1;

    image->voxel[0] = image->voxel[77] = image->voxel[9 * 9 * 9 - 1] = -3;
    ok_int(np_image_count_equal(image, -3, NULL, &n, NULL), 0);
    ok_int((int)n, 3);
    ok_int(np_image_count_equal(image, 3, NULL, &n, NULL), 0);
    ok_int((int)n, 0);
}

TEST(quantiles_reach_to_the_ends_of_what_a_float_can_hold)
{
    struct np_grid grid = np_grid_make(5, 1, 1, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    const float value[5] = {FLT_MAX, -0.0F, -FLT_MAX, FLT_MIN, 0};
    const double p[4] = {0, 0.25, 0.75, 1};
    double q[4];

    memcpy(image->voxel, value, sizeof(value));
    ok_int(np_image_quantiles(image, NULL, p, 4, NULL, q, NULL), 0);
    ok_near(q[0], -(double)FLT_MAX, 0, "least");
    ok_near(q[1], 0, 0, "a quarter");
    ok_near(q[2], (double)FLT_MIN, 0, "three quarters");
    ok_near(q[3], (double)FLT_MAX, 0, "largest");
}

TEST(an_empty_mask_and_another_grid_are_errors)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_image(4, 4);
    NP_AUTO(np_mask_freep) struct np_mask *empty = np_mask_new(&image->grid);
    struct np_grid other = np_grid_make(4, 4, 5, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *wrong = np_mask_new(&other);
    struct np_histogram histogram;
    struct np_moments moments;
    double p = 0.5, out;

    ok_int(np_image_quantiles(image, empty, &p, 1, NULL, &out, NULL), NP_EDOMAIN);
    ok_int(np_image_moments(image, empty, NULL, &moments, NULL), NP_EDOMAIN);
    ok_int(np_image_mean(image, empty, NULL, &out, NULL), NP_EDOMAIN);
    ok_int(np_image_quantiles(image, wrong, &p, 1, NULL, &out, NULL), NP_EGEOMETRY);
    ok_int(np_image_moments(image, wrong, NULL, &moments, NULL), NP_EGEOMETRY);
    ok_int(np_image_mean(image, wrong, NULL, &out, NULL), NP_EGEOMETRY);
    ok_int(np_histogram_make(image, wrong, 0, 1, 4, NULL, &histogram, NULL), NP_EGEOMETRY);
}

TEST(the_histogram_counts_the_values_in_range)
{
    struct np_grid grid = np_grid_make(6, 1, 1, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    NP_AUTO(np_histogram_done) struct np_histogram histogram = {0};
    static const float value[] = {-0.1f, 0, 0.99f, 1, 4, 4.01f};

    memcpy(image->voxel, value, sizeof(value));
    ok_int(np_histogram_make(image, NULL, 0, 4, 4, NULL, &histogram, NULL), 0);
    ok_int(histogram.n, 4);
    ok_int(histogram.count[0], 2);
    ok_int(histogram.count[1], 1);
    ok_int(histogram.count[2], 0);
    ok_int(histogram.count[3], 1); /* the upper end belongs to the last bin */
    ok_near(np_histogram_value(&histogram, 1), 1.5, 0, "centre of the second bin");
}

TEST(otsu_parts_two_normal_classes_half_way)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_image(32, 5);
    NP_AUTO(np_histogram_done) struct np_histogram histogram = {0};

    for (size_t i = 0; i < np_grid_voxels(&image->grid); i += 2)
        image->voxel[i] += 200; /* means 100 and 300, sd 20 each */
    ok_int(np_histogram_make(image, NULL, 0, 400, 400, NULL, &histogram, NULL), 0);
    /* Between the classes there are empty bins, all of them as good: the middle is 200; which
     * of them are empty varies with the draw by a few units. */
    ok_near(np_histogram_otsu(&histogram), 200, 10, "threshold");
}

TEST(smoothing_keeps_the_count_and_the_modes_are_found)
{
    enum { N = 200 };
    int64_t count[N] = {0};
    struct np_histogram histogram = {0, N, N, count, 300};
    double density[N], sum = 0;

    count[60] = 200;
    count[120] = 90;
    count[180] = 10; /* a tail that is no mode at a fifth of the largest */
    np_histogram_smooth(&histogram, 3, density);
    for (int i = 0; i < N; i++)
        sum += density[i];
    ok_near(sum, 300, 1e-9, "smoothed count");
    /* 1 / (3 sqrt(2 pi)); cutting at 4 sd adds 6e-5 of it */
    ok_near(density[60] / 200, 0.132981, 2e-5, "height of the Gaussian");
    ok_int(np_density_mode(density, N), 60);
    ok_int(np_density_last_mode(density, N, 0.2), 120);
    ok_int(np_density_last_mode(density, N, 0.01), 180);
    ok_int(np_density_last_mode(density, N, 0.6), 60);
    const double rising[] = {1, 2, 3}, plateau[] = {0, 2, 2, 1}, none[] = {0, 0};
    ok_int(np_density_last_mode(rising, 3, 0.2), 2);
    ok_int(np_density_last_mode(plateau, 4, 0.2), 1);
    ok_int(np_density_last_mode(none, 2, 0.2), -1);
}

TEST(results_are_the_same_bits_for_any_number_of_threads)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_image(31, 6);
    NP_AUTO(np_mask_freep) struct np_mask *mask = third_mask(image);
    static const double p[] = {0.01, 0.5, 0.99};
    double first[8] = {0}, found[8];
    static const int n_threads[] = {1, 2, 3, 8};

    for (size_t t = 0; t < NP_COUNT(n_threads); t++) {
        NP_AUTO(np_team_freep) struct np_team *team = np_team_new(n_threads[t]);
        struct np_exec exec = {team, NULL};
        struct np_moments moments;
        ok_int(np_image_quantiles(image, mask, p, 3, &exec, found, NULL), 0);
        struct np_range range;
        ok_int(np_image_moments(image, mask, &exec, &moments, NULL), 0);
        ok_int(np_image_range(image, &exec, &range, NULL), 0);
        found[3] = moments.mean;
        found[4] = moments.sd;
        found[5] = range.minimum;
        found[6] = range.maximum;
        found[7] = (double)range.n_negative;
        if (t == 0)
            memcpy(first, found, sizeof(found));
        ok(memcmp(first, found, sizeof(found)) == 0);
    }
}

TEST(no_memory_and_cancelling_are_reported)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_image(8, 7);
    struct np_cancel cancel = {15};
    struct np_exec exec = {NULL, &cancel};
    struct np_histogram histogram;
    struct np_moments moments;
    struct np_error err = {0};
    double p = 0.5, out;
    int code = NP_ENOMEM, n_failed = 0;

    for (; code == NP_ENOMEM; n_failed += code == NP_ENOMEM) {
        np_alloc_fail_at(n_failed + 1);
        code = np_image_quantiles(image, NULL, &p, 1, NULL, &out, NULL);
    }
    np_alloc_fail_at(0);
    ok(code == 0 && n_failed == 3);
    np_alloc_fail_at(1);
    ok_int(np_histogram_make(image, NULL, 0, 1, 4, NULL, &histogram, &err), NP_ENOMEM);
    np_alloc_fail_at(0);
    ok_contains(err.text, "4 bins");
    ok_int(np_image_quantiles(image, NULL, &p, 1, &exec, &out, NULL), NP_ECANCELED);
    ok_int(np_image_moments(image, NULL, &exec, &moments, NULL), NP_ECANCELED);
    ok_int(np_image_mean(image, NULL, &exec, &out, NULL), NP_ECANCELED);
    struct np_range range;
    ok_int(np_image_range(image, &exec, &range, NULL), NP_ECANCELED);
    ok_int(np_histogram_make(image, NULL, 0, 1, 4, &exec, &histogram, NULL), NP_ECANCELED);
}

TAP_MAIN
