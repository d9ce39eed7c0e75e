#include <math.h>
#include <string.h>

#include "base/random.h"
#include "ops/histogram.h"
#include "stages/stage.h"
#include "tap.h"

/* A head of nested balls (brain of two tissues, bone, fat; air), noise, and a field that grows
 * along x. Voxels of 4 mm. */
enum { SIDE = 44 };

static double radius_mm(size_t i)
{
    double x = (double)(i % SIDE) - SIDE / 2, y = (double)(i / SIDE % SIDE) - SIDE / 2,
           z = (double)(i / SIDE / SIDE) - SIDE / 2;

    return 4 * sqrt(x * x + y * y + z * z);
}

static double truth(size_t i)
{
    return 0.4 * ((double)(i % SIDE) / SIDE - 0.5);
}

static void init(struct np_work *work, struct np_config *config)
{
    struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 4, 4, 4);
    struct np_random random;

    np_config_init(config);
    np_work_init(work, "head.nii.gz", &np_modalities[NP_MODALITY_T1W]);
    work->raw = np_image_new(&grid);
    work->brain = np_mask_new(&grid);
    np_random_seed(&random, 13, 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++) {
        double r = radius_mm(i);
        double level = r < 40 ? 100 : r < 56 ? 70 : r < 62 ? 10 : r < 70 ? 130 : 0;
        double value = level * exp(truth(i)) + 2 * np_random_normal(&random);
        work->raw->voxel[i] = r < 75 ? (float)fabs(value) : 0;
        work->brain->voxel[i] = r < 56;
    }
}

static void done(struct np_work *work, struct np_config *config)
{
    np_work_done(work);
    np_config_done(config);
}

static const char *fact(const struct np_work *work, enum np_measure_ident ident)
{
    for (size_t i = 0; i < work->n_facts; i++)
        if (work->fact[i].ident == ident)
            return work->fact[i].text;
    return NULL;
}

/* The first field as a volume. */
static struct np_image *head_field(const struct np_work *work)
{
    struct np_image *field = np_image_new(&work->flat->grid);
    NP_AUTO(np_freep)
    float *scratch = np_xcalloc(np_bspline_field_scratch(work->head_field), sizeof(*scratch));

    for (int64_t z = 0; z < SIDE; z++) {
        np_bspline_field_plane(work->head_field, z, scratch);
        for (int64_t y = 0; y < SIDE; y++)
            memcpy(field->voxel + SIDE * (y + SIDE * z),
                   np_bspline_field_row(work->head_field, y, scratch), SIDE * sizeof(float));
    }
    return field;
}

/* Largest |flat · exp(field) - raw| relative to raw. */
static double inconsistency(const struct np_work *work, const struct np_image *field,
                            const struct np_image *before)
{
    double worst = 0;

    for (size_t i = 0; i < np_grid_voxels(&before->grid); i++) {
        double raw = (double)before->voxel[i];
        double back = (double)work->flat->voxel[i] * exp((double)field->voxel[i]);
        worst = fmax(worst, fabs(back - raw) / fmax(raw, 1));
    }
    return worst;
}

/* Standard deviation of field less truth in the brain. */
static double error_sd(const struct np_work *work, const struct np_image *field)
{
    NP_AUTO(np_image_freep) struct np_image *error = np_image_copy(field);
    struct np_moments moments = {0};

    for (size_t i = 0; i < np_grid_voxels(&error->grid); i++)
        error->voxel[i] -= (float)truth(i);
    ok_int(np_image_moments(error, work->brain, NULL, &moments, NULL), 0);
    return moments.sd;
}

TEST(two_fits_remove_the_field_and_the_parts_fit_together)
{
    struct np_work work;
    struct np_config config;
    struct np_moments moments;

    init(&work, &config);
    NP_AUTO(np_image_freep) struct np_image *raw = np_image_copy(work.raw);
    ok_int(np_stage_bias_correction.run(&work, &config, NULL, NULL), 0);
    ok(np_work_slots(&work) & NP_SLOT_FLAT && np_work_slots(&work) & NP_SLOT_HEAD_FIELD);
    NP_AUTO(np_image_freep) struct np_image *first = head_field(&work);
    ok_below(inconsistency(&work, first, raw), 1e-6, "flat times field against raw");
    ok_str(fact(&work, NP_MEASURE_BIAS_METHOD), "n4");
    ok_above(np_work_value(&work, NP_MEASURE_BIAS_ITERATIONS, 0), 0, "iterations");
    ok_above(np_work_value(&work, NP_MEASURE_BIAS_FIELD_RANGE, 0), 0.1, "range of the field");
    /* The true field has sd 0.06 in the brain. */
    ok_below(error_sd(&work, first), 0.04, "error of the first field, sd of its logarithm");
    ok_int(np_stage_bias_refinement.run(&work, &config, NULL, NULL), 0);
    ok(np_work_slots(&work) & NP_SLOT_FLAT && np_work_slots(&work) & NP_SLOT_FIELD);
    ok_below(inconsistency(&work, work.field, raw), 1e-6, "flat times field against raw");
    ok_below(error_sd(&work, work.field), 0.02, "error of the second field, sd of its logarithm");
    ok_int(np_image_moments(work.field, work.brain, NULL, &moments, NULL), 0);
    ok_near(moments.mean, 0, 1e-6, "mean log field in the brain");
    done(&work, &config);
}

TEST(no_bias_correction_leaves_the_image_as_it_is)
{
    struct np_work work;
    struct np_config config;

    init(&work, &config);
    config.bias_correction = NP_BIAS_NONE;
    ok_int(np_stage_bias_correction.run(&work, &config, NULL, NULL), 0);
    ok_int(np_stage_bias_refinement.needs & ~np_work_slots(&work), 0);
    NP_AUTO(np_image_freep) struct np_image *first = head_field(&work);
    ok(inconsistency(&work, first, work.raw) == 0);
    ok_int(np_stage_bias_refinement.run(&work, &config, NULL, NULL), 0);
    ok(memcmp(work.flat->voxel, work.raw->voxel, np_grid_voxels(&work.raw->grid) * sizeof(float)) ==
       0);
    ok(work.field->voxel[0] == 0 && inconsistency(&work, work.field, work.raw) == 0);
    ok_str(fact(&work, NP_MEASURE_BIAS_METHOD), "none");
    done(&work, &config);
}

TEST(normalization_is_undone_by_its_measures)
{
    static const enum np_normalize methods[] = {NP_NORMALIZE_ZSCORE, NP_NORMALIZE_WHITESTRIPE,
                                                NP_NORMALIZE_PERCENTILE};
    static const char *const names[] = {"zscore", "whitestripe", "percentile"};
    struct np_work work;
    struct np_config config;

    init(&work, &config);
    work.flat = np_image_copy(work.raw);
    for (size_t m = 0; m < NP_COUNT(methods); m++) {
        double worst = 0;
        config.normalize = methods[m];
        ok_int(np_stage_normalization.run(&work, &config, NULL, NULL), 0);
        ok_str(fact(&work, NP_MEASURE_NORMALIZATION_METHOD), names[m]);
        for (size_t i = 0; i < np_grid_voxels(&work.raw->grid); i++) {
            double back = (double)work.norm->voxel[i] *
                              np_work_value(&work, NP_MEASURE_NORMALIZATION_SCALE, NAN) +
                          np_work_value(&work, NP_MEASURE_NORMALIZATION_OFFSET, NAN);
            if (work.brain->voxel[i])
                worst = fmax(worst, fabs(back - (double)work.flat->voxel[i]));
            else if (work.norm->voxel[i] != 0)
                worst = INFINITY;
        }
        ok_below(worst, 1e-4, "round trip, single precision of values near 100");
    }
    done(&work, &config);
}

TEST(no_normalization_leaves_the_slot_empty)
{
    struct np_work work;
    struct np_config config;

    init(&work, &config);
    work.flat = np_image_copy(work.raw);
    config.normalize = NP_NORMALIZE_NONE;
    ok_int(np_stage_normalization.run(&work, &config, NULL, NULL), 0);
    ok(!work.norm);
    ok_str(fact(&work, NP_MEASURE_NORMALIZATION_METHOD), "none");
    done(&work, &config);
}

/* Each request for memory fails in turn; the slots and the raw image stay. */
static void fail_each_allocation(const struct np_stage *stage)
{
    struct np_work work;
    struct np_config config;
    int code = NP_ENOMEM, n_failed = 0;

    init(&work, &config);
    if (stage != &np_stage_bias_correction)
        ok_int(np_stage_bias_correction.run(&work, &config, NULL, NULL), 0);
    unsigned before = np_work_slots(&work);
    const struct np_image *field = work.field;
    NP_AUTO(np_image_freep) struct np_image *raw = np_image_copy(work.raw);
    size_t n_bytes = np_grid_voxels(&raw->grid) * sizeof(float);
    while (code == NP_ENOMEM && n_failed < 1000) {
        np_alloc_fail_at(n_failed + 1);
        code = stage->run(&work, &config, NULL, NULL);
        n_failed += code == NP_ENOMEM;
        if (code != 0)
            ok(np_work_slots(&work) == before && work.field == field &&
               memcmp(work.raw->voxel, raw->voxel, n_bytes) == 0);
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok_above(n_failed, 1, "allocations that were made to fail");
    done(&work, &config);
}

TEST(failed_allocations_leave_the_slots_alone)
{
    fail_each_allocation(&np_stage_bias_correction);
    fail_each_allocation(&np_stage_bias_refinement);
    fail_each_allocation(&np_stage_normalization);
}

TAP_MAIN
