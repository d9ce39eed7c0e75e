/* Gaussian smoothing against its own definition. */
#include <math.h>
#include <string.h>

#include "ops/smooth.h"
#include "tap.h"

TEST(a_point_becomes_a_gaussian_of_the_width_asked_for_on_any_spacing)
{
    struct np_grid grid = np_grid_make(61, 61, 41, 0.5, 0.8, 1.5);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    double sum = 0, second_mm2[3] = {0};

    image->voxel[(20 * 61 + 30) * 61 + 30] = 1000;
    ok_int(np_smooth_gaussian(image, 6, NULL, image, NULL), 0);
    for (int64_t z = 0, i = 0; z < 41; z++)
        for (int64_t y = 0; y < 61; y++)
            for (int64_t x = 0; x < 61; x++, i++) {
                const double d_mm[3] = {(double)(x - 30) * 0.5, (double)(y - 30) * 0.8,
                                        (double)(z - 20) * 1.5};
                sum += (double)image->voxel[i];
                for (int a = 0; a < 3; a++)
                    second_mm2[a] += (double)image->voxel[i] * d_mm[a] * d_mm[a];
            }
    ok_near(sum, 1000, 0.1, "sum of the values");
    for (int a = 0; a < 3; a++)
        /* Cutting the kernel at 3 standard deviations takes 1.4 % off its width. */
        ok_near(sqrt(second_mm2[a] / sum) * 2.3548, 6, 0.12, "full width at half maximum, mm");
}

TEST(a_constant_stays_the_same_constant_up_to_the_border)
{
    struct np_grid grid = np_grid_make(20, 9, 5, 1, 1, 3);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    double worst = 0;

    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        image->voxel[i] = 42;
    ok_int(np_smooth_gaussian(image, 8, NULL, image, NULL), 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        worst = fmax(worst, fabs((double)image->voxel[i] - 42));
    ok_below(worst, 1e-4, "deviation (single precision)");
}

TEST(no_width_copies)
{
    struct np_grid grid = np_grid_make(4, 4, 4, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *in = np_image_new(&grid);
    NP_AUTO(np_image_freep) struct np_image *out = np_image_new(&grid);

    for (size_t i = 0; i < 64; i++)
        in->voxel[i] = (float)i;
    ok_int(np_smooth_gaussian(in, 0, NULL, out, NULL), 0);
    ok(memcmp(in->voxel, out->voxel, 64 * sizeof(float)) == 0);
}

TEST(threads_signals_sizes_and_memory)
{
    struct np_grid grid = np_grid_make(31, 22, 17, 1, 1, 1), other = np_grid_make(5, 5, 5, 1, 1, 1);
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_cancel cancel = {.signal = 2};
    const struct np_exec three = {.team = team}, stopped = {.cancel = &cancel};
    NP_AUTO(np_image_freep) struct np_image *in = np_image_new(&grid);
    NP_AUTO(np_image_freep) struct np_image *a = np_image_new(&grid);
    NP_AUTO(np_image_freep) struct np_image *b = np_image_new(&grid);
    NP_AUTO(np_image_freep) struct np_image *small = np_image_new(&other);

    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        in->voxel[i] = (float)(i * 7919 % 1013);
    ok_int(np_smooth_gaussian(in, 4, NULL, a, NULL), 0);
    ok_int(np_smooth_gaussian(in, 4, &three, b, NULL), 0);
    ok(memcmp(a->voxel, b->voxel, np_grid_voxels(&grid) * sizeof(float)) == 0);
    ok_int(np_smooth_gaussian(in, 4, &stopped, b, NULL), NP_ECANCELED);
    ok_int(np_smooth_gaussian(in, 4, NULL, small, NULL), NP_EGEOMETRY);
    for (int n = 1; n <= 2; n++) {
        np_alloc_fail_at(n);
        ok_int(np_smooth_gaussian(in, 4, NULL, b, NULL), NP_ENOMEM);
        np_alloc_fail_at(0);
    }
}

TAP_MAIN
