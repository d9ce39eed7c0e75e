/* Images that the validation lets pass, warns of and refuses. */
#include <math.h>
#include <string.h>

#include "stages/stage.h"
#include "tap.h"

/* A work on a ball of 100 in zeros. */
static void fill(struct np_work *work, int64_t nx, int64_t ny, int64_t nz, double mm)
{
    struct np_grid grid = np_grid_make(nx, ny, nz, mm, mm, mm);

    np_work_init(work, "/data/sub-01_T1w.nii.gz", &np_modalities[NP_MODALITY_T1W]);
    work->raw = np_image_new(&grid);
    for (int64_t i = 0; i < (int64_t)np_grid_voxels(&grid); i++) {
        int64_t x = i % nx - nx / 2, y = i / nx % ny - ny / 2, z = i / nx / ny - nz / 2;
        work->raw->voxel[i] = 4 * (x * x + y * y + z * z) < nx * nx ? 100 : 0;
    }
}

static int validate(struct np_work *work, struct np_error *err)
{
    const struct np_config config = {.skull_strip = NP_SKULL_STRIP_AUTO};

    return np_stage_validate_data.run(work, &config, NULL, err);
}

TEST(a_plain_image_passes_without_a_warning)
{
    NP_AUTO(np_work_done) struct np_work work;
    struct np_error err = {0};

    fill(&work, 40, 40, 20, 4);
    ok_int(validate(&work, &err), 0);
    ok_int((int64_t)work.n_warnings, 0);
    ok_near(np_work_value(&work, NP_MEASURE_VALIDATE_DATA_MAXIMUM, -1), 100, 0, "maximum");
    ok_near(np_work_value(&work, NP_MEASURE_VALIDATE_DATA_NONFINITE, -1), 0, 0,
            "non-finite voxels");
}

TEST(a_few_voxels_that_are_not_finite_are_a_warning_with_their_number)
{
    NP_AUTO(np_work_done) struct np_work work;

    fill(&work, 40, 40, 40, 4);
    work.content.n_nonfinite = 17;
    ok_int(validate(&work, NULL), 0);
    ok_int((int64_t)work.n_warnings, 1);
    ok_contains(work.warning[0].sentence, "17 voxels");
}

TEST(voxels_too_large_for_float32_are_said_to_be_that)
{
    NP_AUTO(np_work_done) struct np_work few;
    NP_AUTO(np_work_done) struct np_work many;
    NP_AUTO(np_work_done) struct np_work mixed;
    struct np_error err = {0}, both = {0};

    fill(&few, 40, 40, 40, 4);
    fill(&many, 40, 40, 40, 4);
    fill(&mixed, 40, 40, 40, 4);
    few.content.n_nonfinite = 18;
    few.content.n_too_large = 1;
    many.content.n_nonfinite = many.content.n_too_large = 6400;
    mixed.content.n_nonfinite = 6400;
    mixed.content.n_too_large = 10;
    ok_int(validate(&few, NULL), 0);
    ok_int((int64_t)few.n_warnings, 2);
    ok_contains(few.warning[0].sentence, "NaN or infinite and taken as 0: 17 voxels");
    ok_contains(few.warning[1].sentence, "too large for 32-bit floats (beyond 3.4e38, scaled)");
    ok_contains(few.warning[1].sentence, ": 1 voxel");
    ok_int(validate(&many, &err), NP_EVALUE);
    ok_contains(err.text, "10.0 % of the voxels are too large for 32-bit floats");
    ok(!strstr(err.text, "NaN"));
    ok_int(validate(&mixed, &both), NP_EVALUE);
    ok_contains(both.text, "are NaN, infinite or too large for 32-bit floats");
}

TEST(a_header_that_contradicts_itself_is_a_warning)
{
    NP_AUTO(np_work_done) struct np_work work;

    fill(&work, 40, 40, 40, 4);
    work.info.grid = work.raw->grid;
    work.info.sform_code = work.info.xform_code = 1;
    for (int i = 0; i < 3; i++)
        work.info.pixdim_mm[i] = 1;
    ok_int(validate(&work, NULL), 0);
    ok_int((int64_t)work.n_warnings, 1);
    ok_contains(work.warning[0].sentence, "4 x 4 x 4 mm by the sform");
}

TEST(more_than_five_per_cent_of_them_are_refused)
{
    NP_AUTO(np_work_done) struct np_work work;
    struct np_error err = {0};

    fill(&work, 40, 40, 40, 4);
    work.content.n_nonfinite = 40 * 40 * 40 / 10;
    ok_int(validate(&work, &err), NP_EVALUE);
    ok_contains(err.text, "'/data/sub-01_T1w.nii.gz'");
    ok_contains(err.text, "10.0 %");
    ok_contains(err.text, "at most 5 %");
}

TEST(images_without_any_contrast_or_signal_are_refused)
{
    static const struct {
        float value;
        const char *says;
    } cases[] = {{0, "all voxels are 0"}, {7, "all voxels are 7"}};

    for (size_t c = 0; c < NP_COUNT(cases); c++) {
        NP_AUTO(np_work_done) struct np_work work;
        struct np_error err = {0};
        fill(&work, 40, 40, 40, 4);
        for (size_t i = 0; i < 64000; i++)
            work.raw->voxel[i] = cases[c].value;
        ok_int(validate(&work, &err), NP_EVALUE);
        ok_contains(err.text, cases[c].says);
    }
}

TEST(an_image_with_nothing_above_zero_is_refused_and_some_below_is_a_warning)
{
    NP_AUTO(np_work_done) struct np_work dark;
    NP_AUTO(np_work_done) struct np_work some;
    struct np_error err = {0};

    fill(&dark, 40, 40, 40, 4);
    fill(&some, 40, 40, 40, 4);
    for (size_t i = 0; i < 64000; i++)
        dark.raw->voxel[i] = -dark.raw->voxel[i];
    for (size_t i = 0; i < 6400; i++)
        some.raw->voxel[i] = -1;
    ok_int(validate(&dark, &err), NP_EVALUE);
    ok_contains(err.text, "scl_slope");
    ok_int(validate(&some, NULL), 0);
    ok_int((int64_t)some.n_warnings, 1);
    ok_contains(some.warning[0].sentence, "10.0 %");
}

TEST(sizes_that_can_hold_no_head_are_refused)
{
    static const struct {
        int64_t n[3];
        double mm;
        const char *says;
    } cases[] = {{{64, 64, 3}, 4, "inferior-superior"}, /* a localizer */
                 {{6, 64, 64}, 4, "left-right"},
                 {{20, 20, 64}, 8, "along two of the axes"},
                 {{64, 64, 64}, 12, "12.0 mm long"},
                 {{64, 64, 64}, 0.1, "6.4 mm long"}};

    for (size_t c = 0; c < NP_COUNT(cases); c++) {
        NP_AUTO(np_work_done) struct np_work work;
        struct np_error err = {0};
        fill(&work, cases[c].n[0], cases[c].n[1], cases[c].n[2], cases[c].mm);
        ok_int(validate(&work, &err), NP_EDIMENSION);
        ok_contains(err.text, cases[c].says);
    }
}

TEST(eight_thick_slices_are_enough_whichever_the_axis)
{
    static const int64_t sizes[3][3] = {{64, 64, 8}, {8, 64, 64}, {64, 8, 64}};

    for (size_t s = 0; s < NP_COUNT(sizes); s++) {
        NP_AUTO(np_work_done) struct np_work work;
        fill(&work, sizes[s][0], sizes[s][1], sizes[s][2], 3);
        ok_int(validate(&work, NULL), 0);
    }
}

TEST(a_background_of_one_value_becomes_0_whatever_the_value)
{
    static const float backgrounds[] = {-1, 50, -0.25F};

    for (size_t b = 0; b < NP_COUNT(backgrounds); b++) {
        NP_AUTO(np_work_done) struct np_work work;
        fill(&work, 40, 40, 20, 4);
        for (size_t i = 0; i < np_grid_voxels(&work.raw->grid); i++)
            work.raw->voxel[i] += backgrounds[b];
        ok_int(validate(&work, NULL), 0);
        ok_near((double)work.raw->voxel[0], 0, 0, "the background");
        ok_near((double)work.raw->voxel[(10 * 40 + 20) * 40 + 20], 100, 0, "the ball");
        ok_near(np_work_value(&work, NP_MEASURE_VALIDATE_DATA_BACKGROUND, 0),
                (double)backgrounds[b], 0, "what was subtracted");
        ok_int((int64_t)work.n_warnings, 0);
    }
}

TEST(air_with_noise_and_a_background_of_0_are_left_alone)
{
    NP_AUTO(np_work_done) struct np_work plain, noisy;

    fill(&plain, 40, 40, 20, 4);
    fill(&noisy, 40, 40, 20, 4);
    for (size_t i = 0; i < np_grid_voxels(&noisy.raw->grid); i++)
        noisy.raw->voxel[i] += 1 + (float)(i % 5);
    float before = noisy.raw->voxel[3];
    ok_int(validate(&plain, NULL), 0);
    ok_int(validate(&noisy, NULL), 0);
    ok(isnan(np_work_value(&plain, NP_MEASURE_VALIDATE_DATA_BACKGROUND, NAN)));
    ok(isnan(np_work_value(&noisy, NP_MEASURE_VALIDATE_DATA_BACKGROUND, NAN)));
    ok_near((double)noisy.raw->voxel[3], (double)before, 0, "air");
}

TAP_MAIN
