/* The mask that the stage takes, by the option and by the kind of image. */
#include <math.h>
#include <string.h>

#include "ops/stripped.h"
#include "stages/stage.h"
#include "synth/heads.h"
#include "tap.h"

/* A brain of 66 × 84 × 60 mm semi-axes: alone, or in fluid, skull and scalp. */
static double paint(const double p[3], int with_head)
{
    double r2 = p[0] * p[0] / (66 * 66) + p[1] * p[1] / (84 * 84) + p[2] * p[2] / (60 * 60);
    double out_mm = (sqrt(r2) - 1) * 68;
    double fold = sin(p[0] / 4) * sin(p[1] / 5) * sin(p[2] / 4);

    if (out_mm < 0)
        return out_mm < -3 - 17 * fold * fold ? 100 : 72;
    if (!with_head || out_mm > 16)
        return 0;
    return out_mm < 2.5 ? 22 : out_mm < 9 ? 9 : 110;
}

static void fill(struct np_work *work, int with_head)
{
    struct np_grid grid = np_grid_make(64, 76, 60, 3, 3, 3);

    np_work_init(work, "/data/sub-01_T1w.nii.gz", &np_modalities[NP_MODALITY_T1W]);
    work->flat = np_image_new(&grid);
    for (int64_t z = 0, i = 0; z < 60; z++)
        for (int64_t y = 0; y < 76; y++)
            for (int64_t x = 0; x < 64; x++, i++) {
                const double voxel[3] = {(double)x, (double)y, (double)z};
                double p[3];
                np_affine_apply(&grid.world_from_voxel, voxel, p);
                work->flat->voxel[i] = (float)paint(p, with_head);
            }
}

static int strip(struct np_work *work, enum np_skull_strip how, struct np_error *err)
{
    const struct np_config config = {.skull_strip = how};

    return np_stage_skull_strip.run(work, &config, NULL, err);
}

static const char *method(const struct np_work *work)
{
    for (size_t i = 0; i < work->n_facts; i++)
        if (work->fact[i].ident == NP_MEASURE_SKULL_STRIP_METHOD)
            return work->fact[i].text;
    return "none";
}

static const double BRAIN_MM3 = 1393.4e3;

/* A child's head at 2 mm, or its brain alone, of a newborn's size; the image is the work's. */
static void draw_child(struct np_work *work, struct np_synth_head *head, bool small_brain)
{
    struct np_synth_options options = np_synth_case_find("Child")->options;

    for (int i = 0; i < 3; i++) {
        options.shape[i] = (int64_t)((double)options.shape[i] * options.spacing_mm[i] / 2);
        options.spacing_mm[i] = 2;
    }
    if (small_brain)
        options.extent = NP_SYNTH_STRIPPED;
    ok_int(np_synth_head(&options, NULL, head, NULL), 0);
    np_work_init(work, "/data/sub-01_T1w.nii.gz", &np_modalities[NP_MODALITY_T1W]);
    work->flat = head->image;
    head->image = NULL;
    for (int i = 0; small_brain && i < 3; i++) {
        work->flat->grid.spacing_mm[i] *= 0.58;
        for (int k = 0; k < 3; k++)
            work->flat->grid.world_from_voxel.m[k][i] *= 0.58;
    }
    if (small_brain)
        head->brain->grid = work->flat->grid;
}

TEST(a_head_is_stripped_by_default_with_the_network)
{
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_work_done) struct np_work work;

    draw_child(&work, &head, false);
    ok_int(strip(&work, NP_SKULL_STRIP_AUTO, NULL), 0);
    ok_str(method(&work), "network-and-surface");
    ok(!work.already_stripped);
    ok(work.brain && np_work_slots(&work) & NP_SLOT_BRAIN);
    double truth_mm3 = (double)np_mask_count(head.brain) * np_grid_voxel_mm3(&head.brain->grid);
    ok_near(np_work_value(&work, NP_MEASURE_SKULL_STRIP_VOLUME, 0) / truth_mm3, 1, 0.05,
            "volume, relative");
    ok_below(np_work_value(&work, NP_MEASURE_SKULL_STRIP_RIM, 1), 0.5, "rim");
    ok_above(np_work_value(&work, NP_MEASURE_SKULL_STRIP_AGREEMENT, 0), 0.9, "agreement");
    ok_above(np_work_value(&work, NP_MEASURE_SKULL_STRIP_FAR_SHARE, 0), 0.2, "share far outside");
    ok_int((int64_t)work.n_warnings, 0);
}

TEST(classic_does_without_the_network)
{
    NP_AUTO(np_work_done) struct np_work work;

    fill(&work, 1);
    ok_int(strip(&work, NP_SKULL_STRIP_CLASSIC, NULL), 0);
    ok_str(method(&work), "adaptive-surface");
    ok_near(np_work_value(&work, NP_MEASURE_SKULL_STRIP_VOLUME, 0) / BRAIN_MM3, 1, 0.08,
            "volume, relative");
    ok_below(np_work_value(&work, NP_MEASURE_SKULL_STRIP_RIM, 1), 0.5, "rim");
    ok(isnan(np_work_value(&work, NP_MEASURE_SKULL_STRIP_AGREEMENT, NAN)));
}

TEST(a_brain_alone_keeps_its_support_by_default)
{
    NP_AUTO(np_work_done) struct np_work work;

    fill(&work, 0);
    ok_int(strip(&work, NP_SKULL_STRIP_AUTO, NULL), 0);
    ok_str(method(&work), "already-stripped");
    ok(work.already_stripped);
    ok_near(np_work_value(&work, NP_MEASURE_SKULL_STRIP_VOLUME, 0) / BRAIN_MM3, 1, 0.02,
            "volume, relative");
}

TEST(force_strips_any_image)
{
    NP_AUTO(np_work_done) struct np_work work;

    fill(&work, 0);
    ok_int(strip(&work, NP_SKULL_STRIP_FORCE, NULL), 0);
    ok_str(method(&work), "network-and-surface");
    ok(!work.already_stripped);
}

TEST(skip_takes_the_support_of_any_image)
{
    NP_AUTO(np_work_done) struct np_work work;

    fill(&work, 1);
    ok_int(strip(&work, NP_SKULL_STRIP_SKIP, NULL), 0);
    ok_str(method(&work), "skip");
    ok(!work.already_stripped);
    ok_above(np_work_value(&work, NP_MEASURE_SKULL_STRIP_VOLUME, 0) / BRAIN_MM3, 1.7,
             "with the scalp");
}

TEST(two_signs_decide_whether_an_image_with_a_given_mask_is_stripped)
{
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_mask_freep) struct np_mask *seen = NULL;
    NP_AUTO(np_work_done) struct np_work work;

    draw_child(&work, &head, true);
    ok_int(np_stripped_detect(work.flat, NULL, NULL, &seen, NULL, NULL), 0);
    ok(!seen); /* the image alone: no brain has less than 300 ml */
    ok_int(strip(&work, NP_SKULL_STRIP_SKIP, NULL), 0);
    ok(work.already_stripped);
    ok_int((int64_t)work.n_warnings, 0);
    np_mask_freep(&work.brain);
    work.mask_path = "/masks/sub-01_mask.nii.gz";
    work.brain = head.brain;
    head.brain = NULL;
    ok_int(strip(&work, NP_SKULL_STRIP_AUTO, NULL), 0);
    ok_str(method(&work), "given");
    ok(work.already_stripped);
}

TEST(no_brain_is_a_failure_that_names_the_file_and_fills_no_slot)
{
    NP_AUTO(np_work_done) struct np_work work;
    struct np_error err = {0};

    fill(&work, 1);
    for (size_t i = 0; i < np_grid_voxels(&work.flat->grid); i++)
        work.flat->voxel[i] = 5;
    ok_int(strip(&work, NP_SKULL_STRIP_AUTO, &err), NP_EMETHOD);
    ok_contains(err.text, "'/data/sub-01_T1w.nii.gz'");
    ok(work.brain == NULL);
    ok_str(method(&work), "none");
}

TAP_MAIN
