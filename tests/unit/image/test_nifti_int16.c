/* Values as int16: those that stay exact, the distance that others move, those that are refused. */
#include <float.h>
#include <math.h>

#include "base/random.h"
#include "base/str.h"
#include "image/nifti.h"
#include "tap.h"

enum { N = 64 };

/* N × 2 × 2 voxels: these values, again and again. */
static struct np_image *image_of(const float *value, int n)
{
    const struct np_grid grid = np_grid_make(N, 2, 2, 1, 1, 1);
    struct np_image *image = np_image_new(&grid);

    for (int i = 0; i < 4 * N; i++)
        image->voxel[i] = value[i % n];
    return image;
}

/* Write and read again. */
static struct np_image *through_int16(const struct np_image *image, struct np_nifti_info *info)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/x.nii.gz", tap_directory());
    const struct np_nifti_info like = {.xform_code = 1, .version = 1};
    const struct np_nifti_output how = {.like = &like};
    double slope = 0;
    struct np_nifti_written written;
    struct np_nifti_content content;
    struct np_image *read = NULL;

    ok(np_nifti_int16_slope(image, &slope));
    ok_int(np_nifti_write_int16(path, path, image, slope, &how, NULL, &written, NULL), 0);
    ok_int(np_nifti_read_volume(path, NULL, info, &content, &read, NULL), 0);
    ok_str(info->datatype_name, "INT16");
    return read;
}

/* The largest change, and whether zeros and no other voxels are 0. */
static double change(const float *value, int n, struct np_nifti_info *info)
{
    NP_AUTO(np_image_freep) struct np_image *image = image_of(value, n);
    NP_AUTO(np_image_freep) struct np_image *read = through_int16(image, info);
    double most = 0;

    for (int i = 0; i < 4 * N; i++) {
        most = fmax(most, fabs((double)read->voxel[i] - (double)image->voxel[i]));
        ok(image->voxel[i] != 0 || read->voxel[i] == 0);
    }
    return most;
}

TEST(no_value_moves_by_more_than_a_32767th_of_the_largest_and_zero_stays_zero)
{
    struct np_nifti_info info;
    struct np_random random;
    float value[N];

    np_random_seed(&random, 3, 0);
    for (int i = 0; i < N; i++)
        value[i] = i % 4 == 0 ? 0 : (float)(1000 + 300 * np_random_normal(&random));
    value[1] = 1234.5F;
    value[2] = 40000.25F; /* a vessel */
    ok(change(value, N, &info) <= 40000.25 / 32767);
    value[3] = -17.3F; /* nothing is clipped below */
    ok(change(value, N, &info) <= 40000.25 / 32767);
}

TEST(whole_numbers_are_exact_up_to_32767)
{
    struct np_nifti_info info;
    float value[N];

    for (int i = 0; i < N; i++)
        value[i] = (float)(i * 519); /* up to 32697 */
    value[N - 1] = 32767;
    ok_near(change(value, N, &info), 0, 0, "all of them");
    ok_near(info.scl_slope, 1, 0, "the step");
    value[0] = -32767;
    ok_near(change(value, N, &info), 0, 0, "negative ones too");
    value[0] = 32768;
    ok_near(change(value, N, &info), 1, 0, "one more needs steps of 2: odd numbers move by 1");
}

TEST(eight_bit_values_and_fractions_of_powers_of_two_are_exact)
{
    const float value[] = {0, 0.25F, 17.5F, 255};
    struct np_nifti_info info;

    ok_near(change(value, 4, &info), 0, 0, "the step is 2^-7");
    ok_near(info.scl_slope, 1.0 / 128, 0, "255 / 32767, rounded up to a power of two");
}

TEST(a_constant_image_has_a_slope_too)
{
    static const float constants[] = {0, 7, 1234.567F, -0.001F, 1e30F};
    struct np_nifti_info info;

    for (size_t i = 0; i < NP_COUNT(constants); i++) {
        ok(change(&constants[i], 1, &info) <= fabs((double)constants[i]) / 32767);
        ok(info.stated_slope > 0); /* 0 would mean that there is no scaling */
    }
}

static bool is_refused(float odd)
{
    const float value[] = {0, 1, odd};
    NP_AUTO(np_image_freep) struct np_image *image = image_of(value, 3);
    double slope;

    return !np_nifti_int16_slope(image, &slope);
}

TEST(values_that_are_not_finite_are_refused)
{
    ok(is_refused(NAN));
    ok(is_refused(INFINITY));
    ok(is_refused(-INFINITY));
    ok(!is_refused(FLT_MAX));
}

TEST(values_too_small_for_a_slope_are_refused)
{
    const float value[] = {0, 1e-39F};
    NP_AUTO(np_image_freep) struct np_image *image = image_of(value, 2);
    double slope;

    ok(!np_nifti_int16_slope(image, &slope));
}

TEST(a_slope_of_another_image_is_a_bug_that_is_said)
{
    const float value[] = {0, 70000};
    NP_AUTO(np_image_freep) struct np_image *image = image_of(value, 2);
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/y.nii", tap_directory());
    struct np_nifti_written written;
    struct np_error err = {0};

    ok_int(np_nifti_write_int16(path, path, image, 1, NULL, NULL, &written, &err), NP_EINTERNAL);
    ok_contains(err.text, "128 voxels");
}

TAP_MAIN
