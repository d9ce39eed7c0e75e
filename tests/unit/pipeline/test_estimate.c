/* The needs of work: causes that make them larger, and smaller. tests/cli/estimate.bats compares it with
 * what runs take. */
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/random.h"
#include "pipeline/estimate.h"
#include "tap.h"

static const int64_t MIB = 1 << 20;

static const struct np_recipe *recipe(void)
{
    return np_recipe_find(np_modality_find("T1w"));
}

static const struct np_image_seen unseen;

static int64_t memory(const struct np_config *config, struct np_grid grid, int n_threads)
{
    return np_estimate_memory(config, recipe(), &grid, &unseen, n_threads);
}

/* Noise in every voxel, in a file of its own kind. */
static const char *noise(const char *name)
{
    static char path[256];
    const struct np_grid grid = np_grid_make(60, 70, 60, 2, 2, 2);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_nifti_output how = {.description = "noise"};
    struct np_nifti_written written;
    struct np_random random;

    snprintf(path, sizeof(path), "%s/%s", tap_directory(), name);
    np_random_seed(&random, 1, 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        image->voxel[i] = 1 + (float)(int)(500 * np_random_uniform(&random));
    ok_int(np_nifti_write_image(path, path, image, &how, NULL, &written, NULL), 0);
    return path;
}

/* Of the images alone, without tissues and metrics, whose work hides what is held at the end. */
static int64_t plain_memory(const struct np_config *config, struct np_grid grid, int n_threads)
{
    static const struct np_stage *const stages[] = {&np_stage_load_file,
                                                    &np_stage_validate_data,
                                                    &np_stage_bias_correction,
                                                    &np_stage_skull_strip,
                                                    &np_stage_bias_refinement,
                                                    &np_stage_normalization,
                                                    NULL};
    struct np_recipe plain = *np_recipe_find(&np_modalities[NP_MODALITY_T2W]);

    plain.stage = stages;
    return np_estimate_memory(config, &plain, &grid, &unseen, n_threads);
}

static struct np_need plain_need(const struct np_config *config, const char *path)
{
    struct np_nifti_info info;
    struct np_need need;
    struct np_image_seen seen;

    ok(np_estimate_image(config, np_recipe_find(&np_modalities[NP_MODALITY_T2W]), path, 1, &info,
                         &seen, &need));
    return need;
}

static struct np_need need_of(const struct np_config *config, const char *path)
{
    struct np_nifti_info info;
    struct np_need need;
    struct np_image_seen seen;

    ok(np_estimate_image(config, recipe(), path, 1, &info, &seen, &need));
    return need;
}

TEST(a_256_cube_of_1_mm_needs_about_what_was_measured)
{
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    int64_t need = memory(&config, np_grid_make(256, 256, 256, 1, 1, 1), 2);
    ok(need >= 206 * MIB && need <= 240 * MIB);
}

/* Nothing else hides there what the network takes. */
TEST(a_small_image_of_1_mm_needs_what_was_measured)
{
    NP_AUTO(np_config_done) struct np_config config;
    const struct np_grid grid = np_grid_make(156, 175, 146, 1, 1, 1);

    np_config_init(&config);
    config.bias_correction = NP_BIAS_NONE;
    ok(memory(&config, grid, 2) >= 87 * MIB && memory(&config, grid, 2) <= 97 * MIB);
}

TEST(what_is_held_longer_or_turned_or_threaded_needs_more_memory)
{
    const struct np_grid grid = np_grid_make(200, 200, 200, 1, 1, 1);
    struct np_grid turned = grid, fine = np_grid_make(200, 200, 200, 0.9, 0.9, 0.9);
    NP_AUTO(np_config_done) struct np_config config;
    const double volume = 4.0 * 200 * 200 * 200, PAGES = 0.02; /* whole pages are a little more */

    np_config_init(&config);
    config.skull_strip = NP_SKULL_STRIP_CLASSIC; /* the network takes more than one volume, early */
    turned.world_from_voxel.m[0][0] = -1;
    int64_t usual = plain_memory(&config, grid, 1);
    ok_near((double)(plain_memory(&config, turned, 1) - usual) / volume, 1, PAGES, "volumes");
    ok_near((double)(plain_memory(&config, grid, 3) - usual) / NP_ESTIMATE_BYTES_PER_THREAD, 2,
            2 * PAGES, "buffers");
    ok(plain_memory(&config, fine, 1) > usual); /* brain extraction makes itself one of 1 mm */
    config.save_bias_field = true;
    ok_near((double)(plain_memory(&config, grid, 1) - usual) / volume, 1, PAGES, "volumes");
    config.save_bias_field = false;
    config.normalize = NP_NORMALIZE_PERCENTILE;
    ok(plain_memory(&config, grid, 1) > usual);
    config.normalize = NP_NORMALIZE_NONE;
    ok_int(plain_memory(&config, turned, 1),
           usual); /* the turned image takes the place of the other */
}

TEST(tissues_need_memory_for_the_box_of_a_brain)
{
    const struct np_grid grid = np_grid_make(300, 300, 300, 1, 1, 1);
    const double least = 4.6e6 * 8 / MIB, volume = 4.0 * 300 * 300 * 300 / MIB;
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    config.skull_strip = NP_SKULL_STRIP_CLASSIC;
    double more = (double)(memory(&config, grid, 1) - plain_memory(&config, grid, 1)) / MIB;
    more -= volume / 4; /* the regions that metrics are measured in are held, too */
    ok(more >= 0 && more < 1.2 * least);      /* mostly beside what other stages had at once */
    config.skull_strip = NP_SKULL_STRIP_SKIP; /* the box is the image */
    more = (double)(memory(&config, grid, 1) - plain_memory(&config, grid, 1)) / MIB;
    ok_above(more, volume / 2, "MiB");
}

TEST(metrics_need_memory_for_regions_and_the_brain)
{
    const struct np_grid grid = np_grid_make(300, 300, 300, 1, 1, 1);
    const double regions = 1.0 * 300 * 300 * 300 / MIB;
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    config.skull_strip = NP_SKULL_STRIP_CLASSIC;
    const struct np_recipe *t2w = np_recipe_find(&np_modalities[NP_MODALITY_T2W]);
    int64_t need = np_estimate_memory(&config, t2w, &grid, &unseen, 1);
    double more = (double)(need - plain_memory(&config, grid, 1)) / MIB;
    ok(more > regions / 2 && more < 3 * regions);
}

TEST(stages_that_are_switched_off_need_no_memory)
{
    const struct np_grid grid = np_grid_make(102, 120, 108, 2, 2, 2);
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    int64_t usual = memory(&config, grid, 1);
    config.bias_correction = NP_BIAS_NONE;
    int64_t unfitted = memory(&config, grid, 1);
    ok(unfitted < usual);
    config.skull_strip = NP_SKULL_STRIP_SKIP;
    config.save_bias_field = true; /* as it was measured: 65 MiB, of which the network takes 40 */
    ok(memory(&config, grid, 1) > 65 * MIB && memory(&config, grid, 1) < 78 * MIB);
}

TEST(outputs_that_are_not_written_need_no_disk)
{
    NP_AUTO(np_config_done) struct np_config config;
    const char *path = noise("noise.nii.gz");

    np_config_init(&config);
    struct np_need full = need_of(&config, path);
    config.level = NP_LEVEL_MINIMAL;
    struct np_need minimal = need_of(&config, path);
    ok(minimal.disk_bytes < full.disk_bytes);
    ok_int(full.inodes, 8);
    ok_int(minimal.inodes, 4);
    config.save_brain = true;
    struct np_need brain = need_of(&config, path);
    ok(brain.disk_bytes > minimal.disk_bytes + 60 * 70 * 60);
    ok_int(brain.inodes, 6);
    config.save_brain = false;
    config.save_bias_field = true;
    struct np_need field = need_of(&config, path);
    ok(field.disk_bytes > minimal.disk_bytes + 3 * 60 * 70 * 60);
    ok_int(field.inodes, 6);
    config.bias_correction = NP_BIAS_NONE;
    ok(need_of(&config, path).disk_bytes < minimal.disk_bytes); /* whole numbers pack better */
}

TEST(plain_and_packed_files_of_one_image_need_the_same)
{
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    double packed = (double)need_of(&config, noise("same.nii.gz")).disk_bytes;
    double plain = (double)need_of(&config, noise("same.nii")).disk_bytes;
    ok_near(packed / plain, 1, 0.05, "disk of the packed one by that of the plain one");
}

/* A ball of large values in noise that is below a hundredth of them. */
static const char *ball_in_faint_air(const char *name)
{
    static char path[256];
    const struct np_grid grid = np_grid_make(120, 120, 120, 2, 2, 2);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_nifti_output how = {.description = "ball"};
    struct np_nifti_written written;
    struct np_random random;

    snprintf(path, sizeof(path), "%s/%s", tap_directory(), name);
    np_random_seed(&random, 1, 0);
    for (int i = 0; i < 120 * 120 * 120; i++) {
        double x = i % 120 - 60, y = i / 120 % 120 - 60, z = i / 120 / 120 - 60;
        bool inside = x * x + y * y + z * z < 40 * 40;
        image->voxel[i] =
            1 + (float)(int)((inside ? 900 : 5) * np_random_uniform(&random)) + (inside ? 500 : 0);
    }
    ok_int(np_nifti_write_image(path, path, image, &how, NULL, &written, NULL), 0);
    return path;
}

/* A plain file says it too; a packed one is read to its end for that. */
TEST(air_that_is_fainter_than_a_hundredth_is_not_counted_as_support)
{
    static const char *const names[] = {"faint.nii.gz", "faint.nii"};
    NP_AUTO(np_config_done) struct np_config config;
    const double ball = 4.0 / 3 * 3.14159 * 40 * 40 * 40, PACKED = 3.7, MARGIN = 1.12;

    np_config_init(&config);
    config.skull_strip = NP_SKULL_STRIP_SKIP;
    for (size_t i = 0; i < NP_COUNT(names); i++) {
        const char *path = ball_in_faint_air(names[i]);
        config.level = NP_LEVEL_FULL;
        struct np_need full = plain_need(&config, path);
        config.level = NP_LEVEL_MINIMAL;
        struct np_need minimal = plain_need(&config, path);
        ok_near((double)(full.disk_bytes - minimal.disk_bytes) / (ball * PACKED * MARGIN), 1, 0.15,
                "desc-norm by that of the ball");
    }
}

/* A ball with values from `low` to 100 more, in air with values from 0 to `air`, in a file of its own
 * kind. */
static const char *ball(const char *name, double radius_mm, double low, double air)
{
    static char path[256];
    enum { N = 90 };
    const struct np_grid grid = np_grid_make(N, N, N, 2, 2, 2);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_nifti_output how = {.description = "ball"};
    struct np_nifti_written written;
    struct np_random random;
    double radius = radius_mm / 2;

    snprintf(path, sizeof(path), "%s/%s", tap_directory(), name);
    np_random_seed(&random, 1, 0);
    for (int i = 0; i < N * N * N; i++) {
        double x = i % N - N / 2, y = i / N % N - N / 2, z = i / N / N - N / 2;
        bool inside = x * x + y * y + z * z < radius * radius;
        image->voxel[i] =
            (float)((inside ? low : 0) + (inside ? 100 : air) * np_random_uniform(&random));
    }
    ok_int(np_nifti_write_image(path, path, image, &how, NULL, &written, NULL), 0);
    return path;
}

/* A ball of 85 mm is larger than any brain, one of 70 mm is not. */
TEST(under_skip_the_network_and_the_tissues_are_counted_where_the_image_may_be_stripped)
{
    static const struct {
        const char *name;
        double radius_mm, low, air;
        bool has_skull;
    } table[] = {{"head.nii.gz", 85, 500, 0, true},
                 {"head.nii", 85, 500, 0, true},
                 {"noise.nii.gz", 70, 500, 90, true},
                 {"brain.nii.gz", 70, 500, 0, false},
                 {"brain.nii", 70, 500, 0, false},
                 {"signed.nii.gz", 85, 500, -50, false}, /* its air may vanish at 2 mm */
                 {"z_scored.nii.gz", 85, -50, 0, false}};
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    config.skull_strip = NP_SKULL_STRIP_SKIP;
    for (size_t i = 0; i < NP_COUNT(table); i++) {
        const char *path = ball(table[i].name, table[i].radius_mm, table[i].low, table[i].air);
        struct np_nifti_info info;
        struct np_need need, by_header;
        struct np_image_seen seen;
        ok(np_estimate_image(&config, recipe(), path, 1, &info, &seen, &need));
        ok(np_estimate_header(&config, recipe(), path, 1, &info, &by_header));
        ok_near(seen.has_skull, table[i].has_skull, 0, table[i].name);
        if (seen.has_skull)
            ok_above((double)(by_header.memory_bytes - need.memory_bytes) / MIB, 20, "MiB");
        else
            ok_near((double)(need.memory_bytes - by_header.memory_bytes),
                    25.375 * (double)seen.n_runs, 1000, "bytes of the runs");
    }
}

/* Air up to the limit ends its runs after the rows; half above it, after two voxels on average. */
TEST(runs_of_the_support_are_counted_where_the_air_is_about_as_bright_as_its_limit)
{
    static const struct {
        const char *name;
        double air, per_air_voxel;
    } table[] = {{"faint.nii", 5.8, 0}, {"half.nii.gz", 11.8, 0.25}};
    const double n_rows = 90 * 90, n_air = 90 * 90 * 90 - 4.0 / 3 * 3.14159 * 42.5 * 42.5 * 42.5;
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    config.skull_strip = NP_SKULL_STRIP_SKIP;
    for (size_t i = 0; i < NP_COUNT(table); i++) {
        const char *path = ball(table[i].name, 85, 500, table[i].air);
        struct np_nifti_info info;
        struct np_image_seen seen;
        struct np_need need;
        ok(np_estimate_image(&config, recipe(), path, 1, &info, &seen, &need));
        ok_near((double)seen.n_runs - n_rows, table[i].per_air_voxel * n_air,
                0.1 * n_rows + 0.02 * n_air, table[i].name);
    }
}

TEST(a_mask_that_is_given_is_segmented_under_skip_too)
{
    const struct np_grid grid = np_grid_make(200, 200, 200, 1, 1, 1);
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    config.skull_strip = NP_SKULL_STRIP_SKIP;
    int64_t unknown = memory(&config, grid, 1);
    config.mask_dir = np_xstrdup("masks");
    ok_int(
        np_estimate_memory(&config, recipe(), &grid, &(struct np_image_seen){.has_skull = true}, 1),
        unknown);
}

TEST(without_telemetry_the_records_are_smaller)
{
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    struct np_need records = np_estimate_records(&config, true, 3), run = np_estimate_run(&config);
    config.no_telemetry = true;
    ok(np_estimate_records(&config, true, 3).disk_bytes < records.disk_bytes);
    ok(np_estimate_run(&config).disk_bytes < run.disk_bytes);
    ok_int(run.inodes - np_estimate_run(&config).inodes, 2); /* the folder and its file */
}

TEST(a_header_that_cannot_be_read_is_said_and_costs_the_attempt)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), "nothing.nii");
    struct np_nifti_info info = {.version = 5};
    struct np_need need;
    struct np_image_seen seen;

    np_config_init(&config);
    ok(!np_estimate_image(&config, recipe(), path, 1, &info, &seen, &need));
    ok_int(info.version, 5);
    ok_int(need.disk_bytes, 0);
    ok(need.memory_bytes > 0 && need.seconds > 0);
}

TEST(sums_end_where_numbers_do)
{
    struct np_need total = {.memory_bytes = 5, .disk_bytes = INT64_MAX - 1, .inodes = 2};
    const struct np_need part = {.memory_bytes = 3, .disk_bytes = 10, .inodes = 4, .seconds = 1.5};
    struct np_need most = {.memory_bytes = 1, .disk_bytes = 20};

    np_need_add(&total, &part);
    ok_int(total.memory_bytes, 5);
    ok_int(total.disk_bytes, INT64_MAX);
    ok_int(total.inodes, 6);
    ok_near(total.seconds, 1.5, 0, "seconds");
    np_need_most(&most, &part);
    ok_int(most.memory_bytes, 3);
    ok_int(most.disk_bytes, 20);
    ok_int(most.inodes, 4);
}

TAP_MAIN
