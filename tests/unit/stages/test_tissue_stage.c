/* The stage that tells tissues apart, on nested balls whose tissues are known. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "ops/tissue.h"
#include "stages/stage.h"
#include "tap.h"

enum { SIDE = 40 };

/* Balls of fluid, grey and white matter of these radii, in voxels of 4 mm; `grey` is the level of
 * grey matter between 300 and 1000. */
static void init(struct np_work *work, struct np_config *config, double white_radius, double grey,
                 double noise)
{
    const struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 4, 4, 4);
    struct np_random random;

    np_config_init(config);
    np_work_init(work, "head.nii.gz", &np_modalities[NP_MODALITY_T1W]);
    work->flat = np_image_new(&grid);
    work->brain = np_mask_new(&grid);
    np_random_seed(&random, 5, 0);
    for (int i = 0; i < SIDE * SIDE * SIDE; i++) {
        double x = i % SIDE - 20, y = i / SIDE % SIDE - 20, z = i / SIDE / SIDE - 20;
        double r = sqrt(x * x + y * y + z * z);
        double level = r < white_radius ? 1000 : r < 14 ? grey : 300;
        work->flat->voxel[i] = (float)(level + noise * np_random_normal(&random));
        work->brain->voxel[i] = r < 17;
    }
}

static void done(struct np_work *work, struct np_config *config)
{
    np_work_done(work);
    np_config_done(config);
}

static const char *only_warning(const struct np_work *work)
{
    ok_int((int64_t)work->n_warnings, 1);
    ok(work->n_warnings && work->warning[0].ident == NP_WARNING_TISSUE_UNSURE);
    return work->n_warnings ? work->warning[0].sentence : "";
}

TEST(volumes_and_labels_are_those_of_the_balls)
{
    struct np_work work;
    struct np_config config;
    const double ml = 4.0 / 3 * 3.14159265 * 0.064;

    init(&work, &config, 10, 700, 30);
    ok_int(np_stage_tissue.run(&work, &config, NULL, NULL), 0);
    ok_near(np_work_value(&work, NP_MEASURE_TISSUE_VOLUME_WM, 0) / (ml * 1000), 1, 0.05, "ml");
    ok_near(np_work_value(&work, NP_MEASURE_TISSUE_VOLUME_GM, 0) / (ml * 1744), 1, 0.05, "ml");
    ok_near(np_work_value(&work, NP_MEASURE_TISSUE_VOLUME_CSF, 0) / (ml * 2169), 1, 0.05, "ml");
    ok_near(np_work_value(&work, NP_MEASURE_TISSUE_MEAN_GM, 0), 700, 15, "intensity");
    ok_int((int64_t)work.n_warnings, 0);
    NP_AUTO(np_mask_freep) struct np_mask *labels = np_draw_tissue_labels(&work, NULL);
    NP_AUTO(np_image_freep) struct np_image *share = np_draw_wm(&work, NULL);
    const int centre = (20 * SIDE + 20) * SIDE + 20;
    ok_int(labels->voxel[centre], 2);
    ok_int(labels->voxel[centre + 12], 1);
    ok_int(labels->voxel[centre + 16], 3);
    ok_int(labels->voxel[0], 0);
    ok_near(share->voxel[centre], 1, 1e-6, "share of white matter");
    done(&work, &config);
}

TEST(tissues_that_hardly_differ_are_flagged)
{
    struct np_work work;
    struct np_config config;

    init(&work, &config, 10, 900, 80);
    ok_int(np_stage_tissue.run(&work, &config, NULL, NULL), 0);
    ok_contains(only_warning(&work), "standard deviations apart");
    done(&work, &config);
}

TEST(more_white_than_grey_matter_is_flagged_with_both_volumes)
{
    struct np_work work;
    struct np_config config;

    init(&work, &config, 13, 700, 20);
    ok_int(np_stage_tissue.run(&work, &config, NULL, NULL), 0);
    ok_contains(only_warning(&work), "ml of white matter");
    done(&work, &config);
}

TEST(one_intensity_is_a_warning_and_leaves_the_slot_empty)
{
    struct np_work work;
    struct np_config config;

    init(&work, &config, 10, 700, 0);
    for (int i = 0; i < SIDE * SIDE * SIDE; i++)
        work.flat->voxel[i] = 7;
    ok_int(np_stage_tissue.run(&work, &config, NULL, NULL), 0);
    ok_contains(only_warning(&work), "one intensity, 7");
    ok(work.tissue == NULL);
    done(&work, &config);
}

TEST(the_support_of_a_head_is_no_brain_a_stripped_image_or_a_given_mask_is)
{
    struct np_work work;
    struct np_config config;

    init(&work, &config, 10, 700, 30);
    config.skull_strip = NP_SKULL_STRIP_SKIP;
    ok_int(np_stage_tissue.run(&work, &config, NULL, NULL), 0);
    ok(work.tissue == NULL && work.n_measures == 0 && work.n_warnings == 0);
    work.already_stripped = true;
    ok_int(np_stage_tissue.run(&work, &config, NULL, NULL), 0);
    ok(work.tissue != NULL);
    work.already_stripped = false;
    work.mask_path = "mask.nii.gz";
    ok_int(np_stage_tissue.run(&work, &config, NULL, NULL), 0);
    ok(work.tissue != NULL);
    done(&work, &config);
}

TAP_MAIN
