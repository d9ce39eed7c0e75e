/* Samples of images: how many voxels are not zero, estimated from a part of the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/random.h"
#include "image/nifti.h"
#include "tap.h"

static struct np_nifti_sample sample;

static const char *file_name(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", tap_directory(), name);
    return path;
}

/* A ball of noise in the middle, whole numbers up to `most`; zeros around it. Returns how many
 * voxels are not zero. */
static double write_ball(const char *path, int64_t n, double radius, double most)
{
    const struct np_grid grid = np_grid_make(n, n, n, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_nifti_output how = {.description = "ball"};
    struct np_nifti_written written;
    struct np_random random;
    double n_nonzero = 0, half = (double)(n - 1) / 2;

    np_random_seed(&random, 7, 0);
    for (int64_t i = 0; i < n * n * n; i++) {
        double x = (double)(i % n) - half, y = (double)(i / n % n) - half,
               z = (double)(i / n / n) - half;
        if (x * x + y * y + z * z < radius * radius)
            image->voxel[i] = 1 + (float)(int)(most * np_random_uniform(&random));
        n_nonzero += image->voxel[i] != 0;
    }
    ok_int(np_nifti_write_image(path, path, image, &how, NULL, &written, NULL), 0);
    return n_nonzero;
}

/* Values that the ball does not have, and zeros that follow a zero. */
static int64_t count_odd_values(void)
{
    int64_t n = 0;

    for (int64_t i = 0; i < sample.n; i++) {
        float value = sample.voxel[i];
        n += value != 0 ? value < 1 || value > 1001 : i > 0 && sample.voxel[i - 1] == 0;
    }
    return n;
}

TEST(a_part_of_a_plain_or_packed_file_says_how_many_voxels_are_not_zero)
{
    static const char *const names[] = {"ball.nii", "ball.nii.gz"};

    for (int k = 0; k < 2; k++) {
        struct np_nifti_info info;
        double truth = write_ball(file_name(names[k]), 128, 50, 1000);
        ok_int(np_nifti_read_sample(file_name(names[k]), NP_NIFTI_BEGINNING, &info, &sample, NULL),
               0);
        ok_int(info.grid.n[0], 128);
        ok_near(sample.n_nonzero / truth, 1, 0.12, "voxels that are not zero, relative");
        ok(sample.n > 5000 && sample.n <= NP_NIFTI_SAMPLE_VOXELS);
        ok_int(count_odd_values(), 0);
    }
}

TEST(a_small_file_is_read_whole)
{
    static const char *const names[] = {"small.nii", "small.nii.gz"};

    for (int k = 0; k < 2; k++) {
        struct np_nifti_info info;
        double truth = write_ball(file_name(names[k]), 24, 9, 200);
        ok_int(np_nifti_read_sample(file_name(names[k]), NP_NIFTI_BEGINNING, &info, &sample, NULL),
               0);
        ok_near(sample.n_nonzero / truth, 1, 0.05, "voxels that are not zero, relative");
    }
}

TEST(an_image_of_zeros_has_none_that_are_not)
{
    struct np_nifti_info info;

    write_ball(file_name("zeros.nii"), 32, 0, 1);
    ok_int(np_nifti_read_sample(file_name("zeros.nii"), NP_NIFTI_BEGINNING, &info, &sample, NULL),
           0);
    ok_int(sample.n, 1);
    ok_int(sample.n_values, 0);
    ok_near(sample.n_nonzero, 0, 0, "voxels that are not zero");
}

TEST(a_run_of_zeros_is_one_voxel_of_the_sample)
{
    static const float voxels[] = {0, 0, 3, 0, 0, 0, 4, 5, 0};
    static const float kept[] = {0, 3, 0, 4, 5, 0};

    sample.n = sample.n_values = 0;
    for (size_t i = 0; i < NP_COUNT(voxels); i++)
        np_nifti_sample_add(&sample, voxels[i]);
    ok_int(sample.n, NP_COUNT(kept));
    ok_int(sample.n_values, 3);
    ok(memcmp(sample.voxel, kept, sizeof(kept)) == 0);
}

/* The share of the sample's values that are larger than 500. */
static double share_of_large(void)
{
    int64_t n = 0;

    for (int64_t i = 0; i < sample.n; i++)
        n += sample.voxel[i] > 500;
    return (double)n / (double)sample.n;
}

/* Small values in the first half of the image, large ones in the second. */
static void write_halves(const char *path)
{
    const struct np_grid grid = np_grid_make(128, 128, 128, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_nifti_output how = {.description = "halves"};
    struct np_nifti_written written;
    struct np_random random;
    size_t n = np_grid_voxels(&grid);

    np_random_seed(&random, 7, 0);
    for (size_t i = 0; i < n; i++)
        image->voxel[i] = (i < n / 2 ? 1 : 600) + (float)(int)(9 * np_random_uniform(&random));
    ok_int(np_nifti_write_image(path, path, image, &how, NULL, &written, NULL), 0);
}

TEST(the_beginning_of_a_packed_file_may_be_unlike_the_whole)
{
    static const enum np_nifti_reach reach[] = {NP_NIFTI_BEGINNING, NP_NIFTI_WHOLE,
                                                NP_NIFTI_BEGINNING};
    static const char *const names[] = {"halves.nii.gz", "halves.nii.gz", "halves.nii"};
    static const double expected[] = {0, 0.5, 0.5};

    for (int k = 0; k < 3; k++) {
        struct np_nifti_info info;
        write_halves(file_name(names[k]));
        ok_int(np_nifti_read_sample(file_name(names[k]), reach[k], &info, &sample, NULL), 0);
        ok_near(share_of_large(), expected[k], 0.01, "share of large values");
        ok_near(sample.n_nonzero / (128 * 128 * 128), 1, 0.05, "voxels that are not zero");
    }
}

/* Sizes 1 to 10 000 in turn; every third is negative, every fourth is 0. */
static void write_sizes(const char *path)
{
    const struct np_grid grid = np_grid_make(100, 100, 100, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_nifti_output how = {.description = "sizes"};
    struct np_nifti_written written;

    for (int i = 0; i < 1000000; i++)
        image->voxel[i] = i % 4 == 0 ? 0 : (float)((i % 3 == 0 ? -1 : 1) * (1 + i % 10000));
    ok_int(np_nifti_write_image(path, path, image, &how, NULL, &written, NULL), 0);
}

TEST(voxels_above_a_share_of_a_quantile_are_counted_of_the_whole_or_of_the_places)
{
    static const enum np_nifti_reach reach[] = {NP_NIFTI_WHOLE, NP_NIFTI_WHOLE, NP_NIFTI_BEGINNING};
    static const char *const names[] = {"sizes.nii.gz", "sizes.nii", "sizes.nii"};
    static const double off[] = {0.0003, 0.0003, 0.02};

    for (int k = 0; k < 3; k++) {
        struct np_nifti_info info;
        write_sizes(file_name(names[k]));
        ok_int(np_nifti_read_sample(file_name(names[k]), reach[k], &info, &sample, NULL), 0);
        ok_near(np_nifti_sample_above(&sample, 0.01, 0.98) / 750000, 0.9902, off[k], "above 98");
        ok_near(np_nifti_sample_above(&sample, 0.5, 0.98) / 750000, 0.51, 0.01 + off[k],
                "above 4900");
        ok_near(np_nifti_sample_above(&sample, 0, 0.98) / 750000, 1, off[k], "not zero");
        ok((double)sample.minimum < -9900 && (double)sample.minimum >= -10000);
    }
    memset(&sample, 0, sizeof(sample));
    ok_near(np_nifti_sample_above(&sample, 0.01, 0.98), 0, 0, "of nothing");
}

/* The lost voxels count as not zero, so that the estimate is not too low. */
TEST(a_packed_file_that_was_cut_gives_what_is_there)
{
    const char *path = file_name("cut.nii.gz");
    struct np_nifti_info info;

    write_ball(path, 64, 60, 1000);
    ok_int(truncate(path, 40000), 0);
    ok_int(np_nifti_read_sample(path, NP_NIFTI_BEGINNING, &info, &sample, NULL), 0);
    ok(sample.n > 0 && sample.n_nonzero > 0);
    ok(sample.n_nonzero <= 64 * 64 * 64);
}

TEST(no_image_is_refused_and_nothing_is_touched)
{
    struct np_nifti_info info = {.version = 7};
    struct np_error err = {0};
    const char *path = file_name("text.nii");

    ok_int(np_file_write_atomic(path, "no image", 8, NULL), 0);
    sample.n = -5;
    ok_int(np_nifti_read_sample(path, NP_NIFTI_BEGINNING, &info, &sample, &err), NP_EFORMAT);
    ok_contains(err.text, "text.nii");
    ok_int(sample.n, -5);
    ok_int(info.version, 7);
}

TAP_MAIN
