#include <math.h>
#include <string.h>

#include "base/random.h"
#include "ops/bias.h"
#include "ops/elementary.h"
#include "ops/histogram.h"
#include "ops/n4.h"
#include "tap.h"

/* A ball of three tissues in folded layers, noise, and a field that is known. */
enum { SIDE = 40 };
static const double SPACING_MM = 4;

struct phantom {
    struct np_image *image;
    struct np_image *truth; /* log field */
    struct np_image *field; /* what is estimated */
    struct np_mask *mask;
};

static void phantom_done(struct phantom *phantom)
{
    np_image_freep(&phantom->image);
    np_image_freep(&phantom->truth);
    np_image_freep(&phantom->field);
    np_mask_freep(&phantom->mask);
}

static double tissue(double x, double y, double z)
{
    double r = sqrt(x * x + y * y + z * z) + 0.08 * np_sin(9 * x) * np_sin(8 * y) * np_cos(7 * z);

    return r < 0.2 ? 30 : r < 0.62 ? 100 : r < 0.85 ? 70 : 30;
}

static void phantom_init(struct phantom *phantom, double strength)
{
    struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, SPACING_MM, SPACING_MM, SPACING_MM);
    struct np_random random;

    *phantom = (struct phantom){np_image_new(&grid), np_image_new(&grid), np_image_new(&grid),
                                np_mask_new(&grid)};
    np_random_seed(&random, 10, 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++) {
        double x = (double)(i % SIDE) / (SIDE / 2) - 1;
        double y = (double)(i / SIDE % SIDE) / (SIDE / 2) - 1;
        double z = (double)(i / SIDE / SIDE) / (SIDE / 2) - 1;
        double field = strength * (np_sin(1.5 * x + 0.5) + 0.7 * y * y - 0.5 * y * z);
        double value = tissue(x, y, z) + 2 * np_random_normal(&random);
        phantom->truth->voxel[i] = (float)field;
        phantom->image->voxel[i] = (float)(value * np_exp(field));
        phantom->mask->voxel[i] = x * x + y * y + z * z < 0.81;
    }
}

/* Standard deviation of the estimate's error in the mask; the level is arbitrary. */
static double error_sd(const struct phantom *phantom)
{
    NP_AUTO(np_image_freep) struct np_image *error = np_image_copy(phantom->field);
    struct np_moments moments = {0};

    for (size_t i = 0; i < np_grid_voxels(&error->grid); i++)
        error->voxel[i] -= phantom->truth->voxel[i];
    ok_int(np_image_moments(error, phantom->mask, NULL, &moments, NULL), 0);
    return moments.sd;
}

static double truth_sd(const struct phantom *phantom)
{
    struct np_moments moments = {0};

    ok_int(np_image_moments(phantom->truth, phantom->mask, NULL, &moments, NULL), 0);
    return moments.sd;
}

TEST(n4_removes_a_known_field)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    struct np_n4_report report;

    phantom_init(&phantom, 0.25);
    ok_above(truth_sd(&phantom), 0.1, "the field is strong: sd of its logarithm");
    ok_int(
        np_n4_estimate(phantom.image, phantom.mask, &options, NULL, phantom.field, &report, NULL),
        0);
    /* N4's usual floor is 0.02: some anatomy leaks into the field */
    ok_below(error_sd(&phantom), 0.02, "residual field, sd of the logarithm");
    ok_int(report.n_iterations, 200);
    ok(!report.converged);
    ok_int(report.shrink[0], 1);
    ok_int(report.n_control[0], 8 + 3);
    ok_int(report.n_points, np_mask_count(phantom.mask));
}

TEST(n4_finds_little_where_there_is_no_field)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    struct np_n4_report report;

    options.stop = 1e-3;
    phantom_init(&phantom, 0);
    ok_int(
        np_n4_estimate(phantom.image, phantom.mask, &options, NULL, phantom.field, &report, NULL),
        0);
    ok_below(error_sd(&phantom), 0.02, "field that is not there, sd of the logarithm");
    ok(report.converged);
    ok_below(report.n_iterations, 200, "iterations until the stop rule");
}

TEST(over_relaxation_finds_the_same_field_in_fewer_iterations)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    struct np_n4_report report[2] = {0};
    double error[2];

    phantom_init(&phantom, 0.25);
    options.stop = 5e-4;
    for (int i = 0; i < 2; i++) {
        options.relaxation = 1 + i;
        ok_int(np_n4_estimate(phantom.image, phantom.mask, &options, NULL, phantom.field,
                              &report[i], NULL),
               0);
        error[i] = error_sd(&phantom);
    }
    ok_below(error[1], error[0] + 0.001, "residual field, sd of the logarithm");
    ok_below(report[1].n_iterations, 0.7 * report[0].n_iterations, "iterations");
}

TEST(the_last_level_can_end_earlier_than_the_others)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    struct np_n4_report report[2];

    phantom_init(&phantom, 0.25);
    options.stop = 5e-4;
    for (int i = 0; i < 2; i++) {
        options.last_stop = i * 2e-3;
        ok_int(np_n4_estimate(phantom.image, phantom.mask, &options, NULL, phantom.field,
                              &report[i], NULL),
               0);
    }
    for (int level = 0; level < 3; level++)
        ok_int(report[1].iterations[level], report[0].iterations[level]);
    ok_below(report[1].iterations[3], report[0].iterations[3], "iterations of the last level");
    ok_below(report[1].change, 2e-3, "its last change");
}

TEST(units_of_intensity_do_not_matter)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    struct np_moments moments = {0};

    options.n_iterations = 5;
    phantom_init(&phantom, 0.2);
    NP_AUTO(np_image_freep) struct np_image *first = np_image_new(&phantom.image->grid);
    ok_int(np_n4_estimate(phantom.image, phantom.mask, &options, NULL, first, NULL, NULL), 0);
    for (size_t i = 0; i < np_grid_voxels(&phantom.image->grid); i++)
        phantom.image->voxel[i] *= 1024;
    ok_int(np_n4_estimate(phantom.image, phantom.mask, &options, NULL, phantom.field, NULL, NULL),
           0);
    for (size_t i = 0; i < np_grid_voxels(&first->grid); i++)
        first->voxel[i] -= phantom.field->voxel[i];
    ok_int(np_image_moments(first, phantom.mask, NULL, &moments, NULL), 0);
    /* logarithms near 10 in single precision */
    ok_below(fmax(fabs(moments.minimum), fabs(moments.maximum)), 1e-4, "change of the log field");
}

TEST(samples_lie_as_near_to_the_target_distance_as_voxels_allow)
{
    /* spacing of the voxels, steps of voxels for 4 mm */
    static const struct {
        double spacing_mm;
        int shrink;
    } table[] = {{1, 4}, {0.7, 6}, {0.5, 8}, {3, 1}, {2.4, 2}, {5, 1}, {1.3, 3}};

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct np_grid grid = np_grid_make(60, 60, 60, table[i].spacing_mm, 4, 4);
        NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
        NP_AUTO(np_image_freep) struct np_image *field = np_image_new(&grid);
        NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
        struct np_n4_options options = np_n4_options_default();
        struct np_n4_report report;
        options.n_iterations = 1;
        for (size_t v = 0; v < np_grid_voxels(&grid); v++) {
            image->voxel[v] = (float)(v % 17 + 1);
            mask->voxel[v] = 1;
        }
        ok_int(np_n4_estimate(image, mask, &options, NULL, field, &report, NULL), 0);
        ok_int(report.shrink[0], table[i].shrink);
    }
}

TEST(the_field_is_the_same_bytes_for_any_number_of_threads)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    static const int n_threads[] = {1, 2, 3, 8};

    options.n_iterations = 6;
    options.shrink_mm = 8;
    phantom_init(&phantom, 0.2);
    NP_AUTO(np_image_freep) struct np_image *first = np_image_new(&phantom.image->grid);
    ok_int(np_n4_estimate(phantom.image, phantom.mask, &options, NULL, first, NULL, NULL), 0);
    for (size_t t = 0; t < NP_COUNT(n_threads); t++) {
        NP_AUTO(np_team_freep) struct np_team *team = np_team_new(n_threads[t]);
        struct np_exec exec = {team, NULL};
        ok_int(
            np_n4_estimate(phantom.image, phantom.mask, &options, &exec, phantom.field, NULL, NULL),
            0);
        ok(memcmp(first->voxel, phantom.field->voxel,
                  np_grid_voxels(&first->grid) * sizeof(float)) == 0);
    }
}

TEST(a_constant_image_has_no_field)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    struct np_n4_report report;
    int n_other = 0;

    phantom_init(&phantom, 0);
    for (size_t i = 0; i < np_grid_voxels(&phantom.image->grid); i++)
        phantom.image->voxel[i] = 5;
    ok_int(
        np_n4_estimate(phantom.image, phantom.mask, &options, NULL, phantom.field, &report, NULL),
        0);
    for (size_t i = 0; i < np_grid_voxels(&phantom.image->grid); i++)
        n_other += phantom.field->voxel[i] != 0;
    ok_int(n_other, 0);
    ok(report.converged && report.n_iterations == 0);
}

TEST(voxels_that_are_not_positive_take_no_part)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    struct np_n4_report report;
    int64_t n_left = 0;

    options.n_iterations = 2;
    phantom_init(&phantom, 0.2);
    for (size_t i = 0; i < np_grid_voxels(&phantom.image->grid); i++) {
        if (i % 4 == 0)
            phantom.image->voxel[i] = i % 8 ? 0.0f : -3.0f;
        n_left += phantom.mask->voxel[i] && phantom.image->voxel[i] > 0;
    }
    ok_int(
        np_n4_estimate(phantom.image, phantom.mask, &options, NULL, phantom.field, &report, NULL),
        0);
    ok_int(report.n_points, n_left);
    ok(isfinite(error_sd(&phantom)));
}

TEST(a_small_mask_and_another_grid_are_errors_that_name_the_reason)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    struct np_error err = {0};
    struct np_grid other = np_grid_make(SIDE, SIDE, SIDE + 1, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *wrong = np_mask_new(&other);

    phantom_init(&phantom, 0.1);
    memset(phantom.mask->voxel, 0, np_grid_voxels(&phantom.mask->grid));
    memset(phantom.mask->voxel, 1, NP_N4_LEAST_POINTS - 1);
    ok_int(np_n4_estimate(phantom.image, phantom.mask, &options, NULL, phantom.field, NULL, &err),
           NP_EDOMAIN);
    ok_contains(err.text, "at least 100");
    ok_int(np_n4_estimate(phantom.image, wrong, &options, NULL, phantom.field, NULL, NULL),
           NP_EGEOMETRY);
}

TEST(cancelling_stops_it_and_leaves_the_output_alone)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    struct np_cancel cancel = {15};
    struct np_exec exec = {NULL, &cancel};

    phantom_init(&phantom, 0.1);
    phantom.field->voxel[5] = 7;
    ok_int(np_n4_estimate(phantom.image, phantom.mask, &options, &exec, phantom.field, NULL, NULL),
           NP_ECANCELED);
    ok(phantom.field->voxel[5] == 7);
}

TEST(each_failed_allocation_is_reported_and_leaves_the_output_alone)
{
    NP_AUTO(phantom_done) struct phantom phantom;
    struct np_n4_options options = np_n4_options_default();
    int code = NP_ENOMEM, n_failed = 0;

    options.n_iterations = 1;
    options.n_levels = 2;
    phantom_init(&phantom, 0.1);
    while (code == NP_ENOMEM && n_failed < 1000) {
        struct np_error err = {0};
        phantom.field->voxel[0] = 7;
        np_alloc_fail_at(n_failed + 1);
        code =
            np_n4_estimate(phantom.image, phantom.mask, &options, NULL, phantom.field, NULL, &err);
        if (code != 0) {
            n_failed++;
            ok(code == NP_ENOMEM && phantom.field->voxel[0] == 7);
            ok_contains(err.text, "no memory");
        }
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok_above(n_failed, 20, "allocations that were made to fail");
}

TAP_MAIN
