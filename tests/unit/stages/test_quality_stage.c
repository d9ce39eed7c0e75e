/* The stages that measure image quality, on heads that are drawn. */
#include <math.h>
#include <string.h>

#include "ops/quality.h"
#include "stages/stage.h"
#include "synth/head.h"
#include "tap.h"

struct measured {
    struct np_work work;
    struct np_config config;
};

static void done(struct measured *m)
{
    np_work_done(&m->work);
    np_config_done(&m->config);
}

static struct np_synth_options usual(void)
{
    struct np_synth_options options;

    np_synth_options_init(&options);
    for (int a = 0; a < 3; a++)
        options.spacing_mm[a] = 3;
    options.noise_percent = 3;
    options.bias_percent = 20;
    options.ghost_percent = 0;
    return options;
}

/* The stages from the regions on; the brain is the truth. */
static void measure_head(struct measured *m, struct np_synth_head *head,
                         enum np_modality_ident kind, const struct np_exec *exec)
{
    static const struct np_stage *const stages[] = {
        &np_stage_bias_correction, &np_stage_quality_regions, &np_stage_bias_refinement,
        &np_stage_tissue, &np_stage_quality};
    struct np_error err = {0};

    np_config_init(&m->config);
    np_work_init(&m->work, "head.nii.gz", &np_modalities[kind]);
    m->work.raw = head->image;
    m->work.brain = head->brain;
    head->image = NULL;
    head->brain = NULL;
    for (size_t i = 0; i < NP_COUNT(stages); i++)
        if (kind == NP_MODALITY_T1W || stages[i] != &np_stage_tissue) {
            int code = stages[i]->run(&m->work, &m->config, exec, &err);
            tap_check(code == 0, __FILE__, __LINE__, "%s: %s", stages[i]->name, err.text);
        }
}

static void measure(struct measured *m, const struct np_synth_options *options,
                    enum np_modality_ident kind, const struct np_exec *exec)
{
    struct np_synth_head head = {0};
    struct np_error err = {0};

    ok_int(np_synth_head(options, NULL, &head, &err), 0);
    measure_head(m, &head, kind, exec);
    np_synth_head_done(&head);
}

static double value(const struct measured *m, enum np_measure_ident ident)
{
    return np_work_value(&m->work, ident, NAN);
}

static double value_with(const struct np_synth_options *options, enum np_measure_ident ident)
{
    NP_AUTO(done) struct measured m = {0};

    measure(&m, options, NP_MODALITY_T1W, NULL);
    return value(&m, ident);
}

TEST(a_t1w_has_all_of_them_and_its_levels_are_white_matters)
{
    NP_AUTO(done) struct measured m = {0};
    const struct np_synth_options options = usual();
    int n = 0;

    measure(&m, &options, NP_MODALITY_T1W, NULL);
    for (int i = NP_MEASURE_QUALITY_CJV; i <= NP_MEASURE_QUALITY_WM2MAX; i++, n++)
        tap_check(isfinite(value(&m, (enum np_measure_ident)i)), __FILE__, __LINE__, "%s",
                  np_measure_rows[i].key);
    ok_int(n, 65);
    ok(m.work.regions == NULL);
    ok_near(value(&m, NP_MEASURE_QUALITY_SUMMARY_WM_MEDIAN), 1000, 30, "white matter");
    ok_near(value(&m, NP_MEASURE_QUALITY_SPACING_Y), 3, 1e-9, "mm");
    ok_near(value(&m, NP_MEASURE_QUALITY_ICVS_GM) + value(&m, NP_MEASURE_QUALITY_ICVS_WM) +
                value(&m, NP_MEASURE_QUALITY_ICVS_CSF),
            1, 1e-9, "shares");
    /* Rayleigh's median is 1.1774 sigma, 3 % of white matter; the field lies between .8 and 1.2. */
    ok_near(value(&m, NP_MEASURE_QUALITY_SUMMARY_AIR_MEDIAN), 35, 8, "air");
    ok_near(value(&m, NP_MEASURE_QUALITY_AIR_ARTIFACTS), 0, 1e-3, "no ghosts");
}

TEST(a_flair_has_those_that_need_no_tissue_and_a_t2w_all)
{
    NP_AUTO(done) struct measured flair = {0}, t2w = {0};
    struct np_synth_options options = usual();

    options.contrast = NP_SYNTH_FLAIR;
    measure(&flair, &options, NP_MODALITY_FLAIR, NULL);
    options.contrast = NP_SYNTH_T2W;
    measure(&t2w, &options, NP_MODALITY_T2W, NULL);
    ok(isfinite(value(&flair, NP_MEASURE_QUALITY_EFC)));
    ok(isfinite(value(&flair, NP_MEASURE_QUALITY_FBER)));
    ok(isfinite(value(&flair, NP_MEASURE_QUALITY_AIR_NOISE_MISFIT)));
    ok(isfinite(value(&flair, NP_MEASURE_QUALITY_INU_RANGE)));
    ok(isnan(value(&flair, NP_MEASURE_QUALITY_CJV)));
    ok(isnan(value(&flair, NP_MEASURE_QUALITY_SUMMARY_AIR_MEAN)));
    ok(isfinite(value(&t2w, NP_MEASURE_QUALITY_CJV)));
    ok(isfinite(value(&t2w, NP_MEASURE_QUALITY_WM2MAX)));
    ok(t2w.work.tissue == NULL);
}

TEST(noise_ghosts_and_bias_move_their_metrics_one_way)
{
    struct np_synth_options options = usual();
    double cjv = 0, snr = INFINITY, air = 0, artifacts = -1, range = 0;

    for (int step = 0; step < 3; step++) {
        options = usual();
        options.noise_percent = 2 + 3 * step;
        NP_AUTO(done) struct measured m = {0};
        measure(&m, &options, NP_MODALITY_T1W, NULL);
        ok(value(&m, NP_MEASURE_QUALITY_CJV) > cjv);
        ok(value(&m, NP_MEASURE_QUALITY_SNR_TOTAL) < snr);
        ok(value(&m, NP_MEASURE_QUALITY_SUMMARY_AIR_MAD) > air);
        cjv = value(&m, NP_MEASURE_QUALITY_CJV);
        snr = value(&m, NP_MEASURE_QUALITY_SNR_TOTAL);
        air = value(&m, NP_MEASURE_QUALITY_SUMMARY_AIR_MAD);
    }
    for (int step = 0; step < 3; step++) {
        options = usual();
        options.noise_percent = 1;
        options.ghost_percent = 10 * step;
        double now = value_with(&options, NP_MEASURE_QUALITY_AIR_ARTIFACTS);
        ok(now > artifacts);
        artifacts = now;
    }
    for (int step = 0; step < 3; step++) {
        options = usual();
        options.bias_percent = 10 + 20 * step;
        double now = value_with(&options, NP_MEASURE_QUALITY_INU_RANGE);
        ok(now > range);
        range = now;
    }
}

TEST(without_air_its_metrics_are_absent_and_the_others_are_there)
{
    NP_AUTO(done) struct measured stripped = {0};
    struct np_synth_options options = usual();

    options.extent = NP_SYNTH_STRIPPED;
    measure(&stripped, &options, NP_MODALITY_T1W, NULL);
    ok(isnan(value(&stripped, NP_MEASURE_QUALITY_FBER)));
    ok(isnan(value(&stripped, NP_MEASURE_QUALITY_AIR_ARTIFACTS)));
    ok(isnan(value(&stripped, NP_MEASURE_QUALITY_CNR_AIR)));
    ok(isnan(value(&stripped, NP_MEASURE_QUALITY_SUMMARY_AIR_N)));
    ok(isfinite(value(&stripped, NP_MEASURE_QUALITY_CJV)));
    ok(isfinite(value(&stripped, NP_MEASURE_QUALITY_FWHM_AVG)));
}

TEST(the_support_of_a_head_is_no_brain)
{
    NP_AUTO(done) struct measured m = {0};
    const struct np_grid grid = np_grid_make(10, 10, 10, 1, 1, 1);

    np_config_init(&m.config);
    np_work_init(&m.work, "head.nii.gz", &np_modalities[NP_MODALITY_T1W]);
    m.config.skull_strip = NP_SKULL_STRIP_SKIP;
    m.work.raw = np_image_new(&grid);
    m.work.flat = np_image_new(&grid);
    m.work.brain = np_mask_new(&grid);
    ok_int(np_stage_quality_regions.run(&m.work, &m.config, NULL, NULL), 0);
    ok_int(np_stage_quality.run(&m.work, &m.config, NULL, NULL), 0);
    ok_int((int64_t)m.work.n_measures, 0);
    /* a brain without signal is nothing to measure, and no failure */
    m.config.skull_strip = NP_SKULL_STRIP_AUTO;
    m.work.brain->voxel[555] = 1;
    ok_int(np_stage_quality_regions.run(&m.work, &m.config, NULL, NULL), 0);
    ok_int(np_stage_quality.run(&m.work, &m.config, NULL, NULL), 0);
    ok_int((int64_t)m.work.n_measures, 0);
}

/* The head's outline consists of cells, which lie elsewhere in a larger image; so the air is not the
 * same to the voxel. All but those that count all voxels of the image, by MRIQC's
 * formula, or its size. */
static bool counts_voxels(int ident)
{
    const char *key = np_measure_rows[ident].key;

    return strstr(key, "rpve") || strstr(key, "size") || strstr(key, "wm2max");
}

TEST(zeros_around_the_image_and_another_unit_change_nothing)
{
    const struct np_synth_options options = usual();
    const int pad = 6;
    struct np_synth_head head = {0}, wide = {0};
    NP_AUTO(done) struct measured plain = {0}, padded = {0};

    ok_int(np_synth_head(&options, NULL, &head, NULL), 0);
    struct np_grid grid = head.image->grid;
    const int64_t n_x = grid.n[0], n_y = grid.n[1], n_z = grid.n[2];
    for (int a = 0; a < 3; a++)
        grid.n[a] += 2 * pad;
    wide.image = np_image_new(&grid);
    wide.brain = np_mask_new(&grid);
    for (int64_t z = 0; z < n_z; z++)
        for (int64_t y = 0; y < n_y; y++)
            for (int64_t x = 0; x < n_x; x++) {
                int64_t to = ((z + pad) * grid.n[1] + y + pad) * grid.n[0] + x + pad;
                int64_t from = (z * n_y + y) * n_x + x;
                wide.image->voxel[to] = 8 * head.image->voxel[from];
                wide.brain->voxel[to] = head.brain->voxel[from];
            }
    measure_head(&plain, &head, NP_MODALITY_T1W, NULL);
    measure_head(&padded, &wide, NP_MODALITY_T1W, NULL);
    for (int i = NP_MEASURE_QUALITY_CJV; i <= NP_MEASURE_QUALITY_WM2MAX; i++) {
        double one = value(&plain, (enum np_measure_ident)i);
        double other = value(&padded, (enum np_measure_ident)i);
        if (!counts_voxels(i))
            ok_near(other, one, 0.03 * fabs(one) + 0.02, np_measure_rows[i].key);
    }
    np_synth_head_done(&head);
    np_synth_head_done(&wide);
}

TEST(any_number_of_threads_measures_the_same)
{
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_exec exec = {team, NULL};
    NP_AUTO(done) struct measured one = {0}, many = {0};
    struct np_synth_options options = usual();

    options.ghost_percent = 20;
    measure(&one, &options, NP_MODALITY_T1W, NULL);
    measure(&many, &options, NP_MODALITY_T1W, &exec);
    ok_int((int64_t)one.work.n_measures, (int64_t)many.work.n_measures);
    for (size_t i = 0; i < one.work.n_measures; i++)
        ok(one.work.measure[i].value == many.work.measure[i].value);
}

TAP_MAIN
