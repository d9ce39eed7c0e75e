/* Image quality metrics: of arrays whose values are computed here, beside MRIQC's functions (numbers
 * kept from `make check-mriqc`), and of heads that are spoiled more and more. */
#include "ops/quality.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "ops/quality_levels.h"
#include "ops/quality_mriqc.h"
#include "ops/quality_noise.h"
#include "ops/quality_scenes.h"
#include "ops/smooth.h"
#include "tap.h"

static const double MAD_PER_SD = 0.6744897501960817;

/* ---- slabs: air, fluid, grey and white matter, two values each ------------------------------ */

enum { SIDE = 20, PLANE = SIDE * SIDE, N_VOXELS = SIDE * PLANE, N_AIR_PLANES = 8 };
static const float SLAB[4][2] = {{8, 12}, {270, 330}, {680, 720}, {990, 1010}};

struct slabs {
    struct np_image *source, *corrected, *field;
    uint8_t region[N_VOXELS];
    struct np_tissue tissue;
};

static int slab_of(int z)
{
    return z < N_AIR_PLANES ? 0 : 1 + (z - N_AIR_PLANES) / 4;
}

static void slabs_done(struct slabs *slabs)
{
    np_image_freep(&slabs->source);
    np_image_freep(&slabs->corrected);
    np_image_freep(&slabs->field);
    np_tissue_done(&slabs->tissue);
}

/* The field rises from 0.9 to 1.1 along y. */
static void slabs_make(struct slabs *slabs)
{
    const struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 1, 1.5, 2);

    slabs->source = np_image_new(&grid);
    slabs->corrected = np_image_new(&grid);
    slabs->field = np_image_new(&grid);
    slabs->tissue = (struct np_tissue){.grid = grid, .n = {SIDE, SIDE, SIDE}};
    for (int k = 0; k < NP_N_TISSUES; k++)
        slabs->tissue.share[k] = np_try_voxels(N_VOXELS, 1);
    for (int i = 0; i < N_VOXELS; i++) {
        int slab = slab_of(i / PLANE), y = i / SIDE % SIDE;
        slabs->corrected->voxel[i] = slabs->source->voxel[i] = SLAB[slab][i & 1];
        slabs->field->voxel[i] = (float)(0.9 + 0.2 * y / (SIDE - 1));
        slabs->region[i] = slab ? NP_REGION_HEAD | NP_REGION_BRAIN : NP_REGION_HAT;
        if (slab)
            slabs->tissue.share[slab - 1][i] = NP_TISSUE_WHOLE;
    }
}

static struct np_quality_input slabs_input(const struct slabs *slabs)
{
    return (struct np_quality_input){slabs->source, slabs->corrected, slabs->field, slabs->region,
                                     &slabs->tissue};
}

static void ok_share(double found, double expected, const char *what)
{
    ok_near(found / expected, 1, 5e-4, what);
}

static struct np_quality slabs_measured(const struct slabs *slabs)
{
    const struct np_quality_input input = slabs_input(slabs);
    struct np_quality quality = {0};
    struct np_error err = {0};

    ok_int(np_quality_measure(&input, NULL, &quality, &err), 0);
    return quality;
}

TEST(summaries_of_two_values_are_known)
{
    NP_AUTO(slabs_done) struct slabs slabs = {0};

    slabs_make(&slabs);
    const struct np_quality quality = slabs_measured(&slabs);
    for (int k = 0; k < NP_N_SUMMARIES; k++) {
        const struct np_quality_summary *of = &quality.summary[k];
        const float *value = SLAB[k == NP_QUALITY_BG ? 0 : k + 1];
        double middle = (double)(value[0] + value[1]) / 2, half = (double)(value[1] - value[0]) / 2;
        ok_share(of->mean, middle, "mean");
        ok_share(of->median, middle, "median: between the two values, half of the voxels each");
        ok_share(of->p05, (double)value[0], "5 %");
        ok_share(of->p95, (double)value[1], "95 %");
        ok_share(of->stdv, half, "standard deviation");
        ok_share(of->mad, half / MAD_PER_SD, "mad");
        ok_near(of->kurtosis, -2, 1e-3, "two values, as often: 1 - 3");
        ok_near(of->n, k == NP_QUALITY_BG ? N_AIR_PLANES * PLANE : 4 * PLANE, 1e-6, "voxels");
    }
}

TEST(contrast_and_noise_of_two_values_are_known)
{
    NP_AUTO(slabs_done) struct slabs slabs = {0};

    slabs_make(&slabs);
    const struct np_quality q = slabs_measured(&slabs);
    ok_share(q.cjv, (20 + 10) / MAD_PER_SD / 300, "cjv");
    ok_share(q.cnr, 300 / sqrt(2 * 2 + 20 * 20 + 10 * 10), "cnr");
    ok_share(q.snr[NP_TISSUE_WM], 1000 / (10 * sqrt(1600.0 / 1599)), "snr of white matter");
    ok_share(q.snr[NP_TISSUE_GM], 700 / (20 * sqrt(1600.0 / 1599)), "snr of grey matter");
    ok_share(q.snr[NP_TISSUE_CSF], 300 / (30 * sqrt(1600.0 / 1599)), "snr of fluid");
    ok_share(q.snr_total, (100 + 35 + 10) / sqrt(1600.0 / 1599) / 3, "snr, mean of three");
    ok_share(q.snrd[NP_TISSUE_WM], 0.6551364 * 1000 * MAD_PER_SD / 2, "Dietrich's snr");
    ok_share(q.snrd_total, 0.6551364 * 2000 / 3 * MAD_PER_SD / 2, "Dietrich's snr, mean of three");
    ok_share(q.wm2max, 1000.0 / 1010, "white matter / 99.95 % quantile");
    /* Medians lie between two values: of the head's 680² and 720², and of the air's 8² and 12². */
    ok_share(q.fber, (680.0 * 680 + 720.0 * 720) / (8 * 8 + 12 * 12), "fber");
}

TEST(volumes_sizes_and_the_field_are_known)
{
    NP_AUTO(slabs_done) struct slabs slabs = {0};

    slabs_make(&slabs);
    const struct np_quality q = slabs_measured(&slabs);
    for (int k = 0; k < NP_N_TISSUES; k++) {
        ok_near(q.icvs[k], 1.0 / 3, 1e-12, "a third of the brain");
        /* 1600 whole voxels, and 6400 others which count as 1 - 0 */
        ok_near(q.rpve[k], 8000.0 / 1600, 1e-12, "rpve");
        ok_int(q.size[k], SIDE);
        ok_near(q.spacing_mm[k], 1 + 0.5 * k, 1e-12, "spacing");
    }
    ok_near(q.inu_med, 1, 0.006, "between the two middle planes");
    ok_near(q.inu_range, 0.9 * 0.2, 0.011, "95 % - 5 %, within a plane of 20");
}

TEST(entropy_is_that_of_the_sum)
{
    NP_AUTO(slabs_done) struct slabs slabs = {0};
    double square = 0, entropy = 0;

    slabs_make(&slabs);
    for (int i = 0; i < N_VOXELS; i++)
        square += pow((double)slabs.corrected->voxel[i], 2);
    for (int i = 0; i < N_VOXELS; i++) {
        double share = (double)slabs.corrected->voxel[i] / sqrt(square);
        entropy -= share * log(share);
    }
    ok_share(slabs_measured(&slabs).efc, entropy / (sqrt(N_VOXELS) * log(sqrt(N_VOXELS))), "efc");
}

TEST(artifacts_are_a_share_of_the_hat_and_no_air)
{
    NP_AUTO(slabs_done) struct slabs slabs = {0};

    slabs_make(&slabs);
    for (int i = 0; i < PLANE; i++) {
        slabs.region[i] |= NP_REGION_ARTIFACT;
        slabs.corrected->voxel[i] = 5000;
    }
    const struct np_quality q = slabs_measured(&slabs);
    ok_near(q.qi_1, 1.0 / N_AIR_PLANES, 1e-12, "one plane of eight");
    ok_share(q.summary[NP_QUALITY_BG].mean, 10, "the air without it");
    ok_near(q.summary[NP_QUALITY_BG].n, (N_AIR_PLANES - 1) * PLANE, 1e-6, "voxels");
}

TEST(the_smoothness_of_smoothed_noise_is_found)
{
    const struct np_grid grid = np_grid_make(60, 60, 60, 1, 1.25, 2);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    NP_AUTO(np_freep) uint8_t *region = np_xcalloc(np_grid_voxels(&grid), 1);
    struct np_quality quality;
    struct np_random random;
    struct np_error err = {0};

    np_random_seed(&random, 5, 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++) {
        image->voxel[i] = (float)np_random_normal(&random);
        region[i] = NP_REGION_BRAIN;
    }
    ok_int(np_smooth_gaussian(image, 5, NULL, image, &err), 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        image->voxel[i] = 100 + 10 * image->voxel[i];
    const struct np_quality_input input = {image, image, NULL, region, NULL};
    ok_int(np_quality_measure(&input, NULL, &quality, &err), 0);
    ok_near(quality.fwhm[0], 5, 0.2, "5 mm in voxels of 1 mm; about 2000 independent values: 2 %");
    ok_near(quality.fwhm[1], 4, 0.2, "5 mm in voxels of 1.25 mm");
    ok_near(quality.fwhm[2], 2.5, 0.15, "5 mm in voxels of 2 mm");
    ok_near(quality.fwhm_avg, (quality.fwhm[0] + quality.fwhm[1] + quality.fwhm[2]) / 3, 1e-12,
            "mean");
}

/* ---- the levels' and the noise's arithmetic -------------------------------------------------- */

TEST(levels_keep_values_to_a_four_thousandth)
{
    double worst = 0;

    for (float value = 0.02F; value < 1e5F; value *= 1.0001F)
        worst = fmax(worst, fabs(np_level_value(np_level_of(value)) / (double)value - 1));
    ok_below(worst, 1.0 / 4096 + 1e-9, "half a bin");
    ok_int(np_level_of(0), 0);
    ok_int(np_level_of(-5), 0);
    ok_int(np_level_of(1e9F), NP_N_LEVELS - 1);
    ok(np_level_value(0) == 0);
}

TEST(medians_of_few_levels_are_known)
{
    NP_AUTO(np_freep) int64_t *count = np_xcalloc(NP_N_LEVELS, sizeof(*count));

    ok(isnan(np_levels_quantile(count, 0.5)));
    ok(isnan(np_levels_median_distance(count, 0)));
    count[np_level_of(10)] = 1;
    count[np_level_of(20)] = 2;
    count[np_level_of(50)] = 1;
    ok_share(np_levels_quantile(count, 0.5), 20, "median");
    ok_share(np_levels_quantile(count, 1.0 / 6), 15, "half way from the first to the second");
    ok_share(np_levels_median_distance(count, 20), 5, "0 0 10 30: between the two in the middle");
    ok_share(np_levels_median_distance(count, 60), 40, "10 40 40 50");
    ok_share(np_levels_median_square(count), 400, "of 100 400 400 2500");
}

static double noise_index(double (*draw)(struct np_random *))
{
    NP_AUTO(np_freep) int64_t *count = np_xcalloc(NP_N_LEVELS, sizeof(*count));
    struct np_error err = {0};
    struct np_random random;
    double index = NAN;

    np_random_seed(&random, 3, 0);
    for (int i = 0; i < 200000; i++)
        count[np_level_of((float)draw(&random))]++;
    ok_int(np_quality_noise_index(count, &index, &err), 0);
    return index;
}

/* Chi-squared, with 12 degrees of freedom. */
static double draw_chi_squared(struct np_random *random)
{
    double sum = 0;

    for (int i = 0; i < 12; i++) {
        double normal = np_random_normal(random);
        sum += normal * normal;
    }
    return 10 * sum;
}

/* Noise, and one voxel in ten with a ghost of two to four times its level. */
static double draw_with_ghost(struct np_random *random)
{
    bool is_ghost = np_random_uniform(random) < 0.1;

    return draw_chi_squared(random) * (is_ghost ? 2 + 2 * np_random_uniform(random) : 1);
}

TEST(noise_that_is_chi_squared_fits_and_a_ghost_does_not)
{
    double noise = noise_index(draw_chi_squared), ghost = noise_index(draw_with_ghost);

    ok_below(noise, 2e-4, "the kernel's smoothing alone; densities are about 0.02");
    ok_above(ghost, 3 * noise, "a tail that no chi-squared distribution has");
}

/* ---- failures -------------------------------------------------------------------------------- */

TEST(what_does_not_exist_is_nan_or_as_mriqc_says)
{
    NP_AUTO(slabs_done) struct slabs slabs = {0};
    struct np_quality q;
    struct np_error err = {0};

    slabs_make(&slabs);
    for (int i = 0; i < N_AIR_PLANES * PLANE; i++)
        slabs.source->voxel[i] = slabs.corrected->voxel[i] = 0;
    q = slabs_measured(&slabs);
    ok_near(q.fber, -1, 0, "no signal outside the head");
    ok_near(q.snrd[NP_TISSUE_WM], -1, 0, "no noise");
    ok_near(q.qi_2, 0, 0, "no noise");
    for (int i = 0; i < N_AIR_PLANES * PLANE; i++)
        slabs.region[i] = 0;
    q = slabs_measured(&slabs);
    ok_near(q.qi_1, -1, 0, "no hat");
    ok(isnan(q.snrd_total) && isnan(q.cnr) && isnan(q.summary[NP_QUALITY_BG].mad));
    ok_near(q.summary[NP_QUALITY_BG].n, 0, 0, "no air");
    struct np_quality_input input = slabs_input(&slabs);
    input.tissue = NULL;
    input.field = NULL;
    ok_int(np_quality_measure(&input, NULL, &q, &err), 0);
    ok(isnan(q.cjv) && isnan(q.summary[NP_TISSUE_WM].mean) && isnan(q.rpve[0]) && isnan(q.inu_med));
    ok_above(q.efc, 0, "needs no tissue");
}

static void ok_refused(const struct np_quality_input *input, int code, const char *why)
{
    struct np_quality quality = {.cjv = 77};
    struct np_error err = {0};

    ok_int(np_quality_measure(input, NULL, &quality, &err), code);
    ok_contains(err.text, why);
    ok_near(quality.cjv, 77, 0, "untouched");
}

TEST(unusable_input_is_refused)
{
    NP_AUTO(slabs_done) struct slabs slabs = {0};

    slabs_make(&slabs);
    const struct np_quality_input input = slabs_input(&slabs);
    slabs.field->grid.n[1] = SIDE - 1;
    ok_refused(&input, NP_EGEOMETRY, "differ in size");
    slabs.field->grid.n[1] = SIDE;
    for (int i = 0; i < N_VOXELS; i++)
        slabs.region[i] &= (uint8_t)~NP_REGION_BRAIN;
    ok_refused(&input, NP_EDOMAIN, "expected a brain, found none");
    memset(slabs.tissue.share[NP_TISSUE_WM], 0, N_VOXELS);
    ok_refused(&input, NP_EDOMAIN, "positive intensity");
}

TEST(each_request_for_memory_may_fail)
{
    NP_AUTO(slabs_done) struct slabs slabs = {0};
    struct np_quality quality = {.cjv = 77};
    struct np_error err = {0};

    slabs_make(&slabs);
    const struct np_quality_input input = slabs_input(&slabs);
    int64_t before = np_alloc_requests();
    ok_int(np_quality_measure(&input, NULL, &quality, &err), 0);
    int64_t n = np_alloc_requests() - before;
    ok_above(n, 8, "requests");
    quality.cjv = 77;
    for (int64_t i = 1; i <= n; i++) {
        np_alloc_fail_at(i);
        ok_int(np_quality_measure(&input, NULL, &quality, &err), NP_ENOMEM);
        np_alloc_fail_at(0);
    }
    ok_near(quality.cjv, 77, 0, "untouched");
}

TEST(a_stop_is_obeyed)
{
    NP_AUTO(slabs_done) struct slabs slabs = {0};
    struct np_quality quality = {.cjv = 77};
    struct np_cancel cancel = {2};
    const struct np_exec exec = {NULL, &cancel};
    struct np_error err = {0};

    slabs_make(&slabs);
    const struct np_quality_input input = slabs_input(&slabs);
    ok_int(np_quality_measure(&input, &exec, &quality, &err), NP_ECANCELED);
    ok_near(quality.cjv, 77, 0, "untouched");
}

/* ---- beside MRIQC ---------------------------------------------------------------------------- */

static double mriqc_value(const char *scene, const char *key)
{
    for (size_t i = 0; i < NP_COUNT(MRIQC_VALUES); i++)
        if (!strcmp(MRIQC_VALUES[i].scene, scene) && !strcmp(MRIQC_VALUES[i].key, key))
            return MRIQC_VALUES[i].value;
    return NAN;
}

/* By MRIQC, to four decimals. */
static bool is_rounded(const char *key)
{
    return !strncmp(key, "summary_", 8) || !strcmp(key, "efc") || !strcmp(key, "fber");
}

static void ok_as_mriqc(const char *scene, const struct quality_key *key, double ours)
{
    double theirs = mriqc_value(scene, key->name);
    double within = strcmp(key->name, "qi_2") ? 1e-3 : 1e-2; /* its fit is an approximation */
    NP_AUTO(np_freep) char *what = np_xasprintf("%s: %s", scene, key->name);

    if (isnan(theirs) && !strcmp(key->name, "qi_2"))
        ok_above(ours, 0, "MRIQC's search ended early (tests/mriqc/compare.py): no comparison");
    else if (isnan(theirs))
        tap_check(isnan(ours), __FILE__, __LINE__, "%s: %g, MRIQC has none", what, ours);
    else
        ok_near(ours, theirs, within * fabs(theirs) + (is_rounded(key->name) ? 6e-5 : 0), what);
}

TEST(values_are_those_of_mriqcs_functions)
{
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_exec exec = {team, NULL};

    for (size_t s = 0; s < NP_COUNT(QUALITY_SCENES); s++) {
        NP_AUTO(quality_scene_done) struct quality_scene scene = {0};
        struct np_quality alone, many;
        struct np_error err = {0};
        ok_int(quality_scene_make(&QUALITY_SCENES[s], &scene, &err), 0);
        const struct np_quality_input input = quality_scene_input(&scene);
        memset(&alone, 0, sizeof(alone));
        memset(&many, 0, sizeof(many));
        ok_int(np_quality_measure(&input, NULL, &alone, &err), 0);
        ok_int(np_quality_measure(&input, &exec, &many, &err), 0);
        ok(memcmp(&alone, &many, sizeof(alone)) == 0); /* for any number of threads */
        for (size_t i = 0; i < NP_COUNT(QUALITY_KEYS); i++)
            ok_as_mriqc(QUALITY_SCENES[s].name, &QUALITY_KEYS[i],
                        quality_value(&alone, &QUALITY_KEYS[i]));
    }
}

/* ---- what must not matter -------------------------------------------------------------------- */

static const struct quality_scene_row HEAD = {
    "head", {3, 3, 3}, 0, 2, 0, NP_SYNTH_WHOLE_HEAD, 0, 0,
};

static struct np_image *copy_of(const struct np_image *image)
{
    struct np_image *copy = np_image_copy(image);

    ok(copy != NULL);
    return copy;
}

/* A copy of what takes half a second to draw; its truth stays behind. */
static void head_make(struct quality_scene *scene)
{
    static struct quality_scene kept;
    struct np_error err = {0};

    if (!kept.corrected)
        ok_int(quality_scene_make(&HEAD, &kept, &err), 0);
    size_t n = np_grid_voxels(&kept.corrected->grid), n_box = 1;
    scene->head.image = copy_of(kept.head.image);
    scene->corrected = copy_of(kept.corrected);
    scene->field = copy_of(kept.field);
    scene->region = np_xmalloc(n);
    memcpy(scene->region, kept.region, n);
    scene->tissue = kept.tissue;
    for (int a = 0; a < 3; a++)
        n_box *= (size_t)kept.tissue.n[a];
    for (int k = 0; k < NP_N_TISSUES; k++) {
        scene->tissue.share[k] = np_try_voxels(n_box, 1);
        memcpy(scene->tissue.share[k], kept.tissue.share[k], n_box);
    }
}

static struct np_quality measured(const struct quality_scene *scene)
{
    const struct np_quality_input input = quality_scene_input(scene);
    struct np_quality quality = {0};
    struct np_error err = {0};

    ok_int(np_quality_measure(&input, NULL, &quality, &err), 0);
    return quality;
}

/* `but` names the keys, each between spaces, that may change. */
static void ok_same(const struct np_quality *a, const struct np_quality *b, double within,
                    const char *but)
{
    for (size_t i = 0; i < NP_COUNT(QUALITY_KEYS); i++) {
        const struct quality_key *key = &QUALITY_KEYS[i];
        NP_AUTO(np_freep) char *name = np_xasprintf(" %s ", key->name);
        double value = quality_value(a, key);
        if (!strstr(but, name))
            ok_near(quality_value(b, key), value, within * fabs(value) + 1e-4, key->name);
    }
}

static void scale(struct quality_scene *scene, float factor)
{
    for (size_t i = 0; i < np_grid_voxels(&scene->corrected->grid); i++) {
        scene->head.image->voxel[i] *= factor;
        scene->corrected->voxel[i] *= factor;
    }
}

TEST(units_and_datatypes_do_not_matter)
{
    NP_AUTO(quality_scene_done) struct quality_scene scene = {0};

    head_make(&scene);
    const struct np_quality before = measured(&scene);
    scale(&scene, 0.037F);
    const struct np_quality scaled = measured(&scene);
    ok_same(&before, &scaled, 1e-3, "");
    scale(&scene, (float)(4000 / 0.037 / np_synth_white(NP_SYNTH_T1W)));
    for (size_t i = 0; i < np_grid_voxels(&scene.corrected->grid); i++) {
        scene.head.image->voxel[i] = rintf(scene.head.image->voxel[i]);
        scene.corrected->voxel[i] = rintf(scene.corrected->voxel[i]);
    }
    const struct np_quality integers = measured(&scene);
    ok_same(&before, &integers, 1e-2, " summary_bg_p05 ");
    ok_near(integers.summary[NP_QUALITY_BG].p05, before.summary[NP_QUALITY_BG].p05, 1,
            "an integer near 6: the step to the next is more than 1 %");
}

static void flip(void *voxel, size_t size, const int64_t n[3])
{
    NP_AUTO(np_freep) char *kept = np_xmalloc(size);

    for (int64_t row = 0; row < n[1] * n[2]; row++)
        for (int64_t x = 0; x < n[0] / 2; x++) {
            char *a = (char *)voxel + (size_t)(row * n[0] + x) * size;
            char *b = (char *)voxel + (size_t)(row * n[0] + n[0] - 1 - x) * size;
            memcpy(kept, a, size);
            memcpy(a, b, size);
            memcpy(b, kept, size);
        }
}

TEST(the_direction_of_an_axis_does_not_matter)
{
    NP_AUTO(quality_scene_done) struct quality_scene scene = {0};

    head_make(&scene);
    const struct np_quality before = measured(&scene);
    const int64_t *n = scene.corrected->grid.n;
    flip(scene.head.image->voxel, sizeof(float), n);
    flip(scene.corrected->voxel, sizeof(float), n);
    flip(scene.field->voxel, sizeof(float), n);
    flip(scene.region, 1, n);
    for (int k = 0; k < NP_N_TISSUES; k++)
        flip(scene.tissue.share[k], 1, scene.tissue.n);
    scene.tissue.low[0] = n[0] - scene.tissue.low[0] - scene.tissue.n[0];
    const struct np_quality after = measured(&scene);
    ok_same(&before, &after, 1e-9, "");
}

/* Planes of zeros at the end of z, as a scanner or a program adds. */
static void pad(struct np_image **image, int64_t n_planes)
{
    struct np_grid grid = (*image)->grid;
    size_t n = np_grid_voxels(&grid);

    grid.n[2] += n_planes;
    struct np_image *padded = np_image_new(&grid);
    memcpy(padded->voxel, (*image)->voxel, n * sizeof(float));
    np_image_freep(image);
    *image = padded;
}

TEST(a_frame_of_zeros_does_not_matter)
{
    NP_AUTO(quality_scene_done) struct quality_scene scene = {0};

    head_make(&scene);
    const struct np_quality before = measured(&scene);
    size_t n = np_grid_voxels(&scene.corrected->grid);
    pad(&scene.head.image, 15);
    pad(&scene.corrected, 15);
    pad(&scene.field, 15);
    size_t n_padded = np_grid_voxels(&scene.corrected->grid);
    scene.region = np_xrealloc(scene.region, n_padded);
    memset(scene.region + n, NP_REGION_FRAME, n_padded - n);
    scene.tissue.grid = scene.corrected->grid;
    const struct np_quality after = measured(&scene);
    ok_int(after.size[2], before.size[2] + 15);
    /* By MRIQC's formulas these count all voxels of the image. */
    ok_same(&before, &after, 1e-9, " rpve_csf rpve_gm  rpve_gm rpve_wm  rpve_wm wm2max  wm2max ");
    ok_near(after.wm2max, before.wm2max, 0.02 * before.wm2max, "99.95 % of more voxels");
}

/* ---- what must matter ------------------------------------------------------------------------ */

enum { N_STRENGTHS = 4 };
typedef void spoil_fn(struct quality_scene *scene, double strength);

struct claim {
    const char *key;
    int direction; /* 1: rises with the strength; -1: falls */
};

static double value_of(const struct np_quality *quality, const char *name)
{
    for (size_t i = 0; i < NP_COUNT(QUALITY_KEYS); i++)
        if (!strcmp(QUALITY_KEYS[i].name, name))
            return quality_value(quality, &QUALITY_KEYS[i]);
    return NAN;
}

/* Strengths 0, 1, 2 and 3 of the same head. */
static void ok_monotone(spoil_fn *spoil, const struct claim *claims, size_t n_claims)
{
    struct np_quality quality[N_STRENGTHS];
    NP_AUTO(quality_scene_done) struct quality_scene scene = {0};

    head_make(&scene);
    size_t size = np_grid_voxels(&scene.corrected->grid) * sizeof(float);
    NP_AUTO(np_image_freep) struct np_image *clean = np_image_copy(scene.head.image);
    for (int s = 0; s < N_STRENGTHS; s++) {
        memcpy(scene.head.image->voxel, clean->voxel, size);
        spoil(&scene, s);
        quality[s] = measured(&scene);
    }
    for (size_t i = 0; i < n_claims; i++)
        for (int s = 1; s < N_STRENGTHS; s++)
            ok_above(claims[i].direction * (value_of(&quality[s], claims[i].key) -
                                            value_of(&quality[s - 1], claims[i].key)),
                     0, claims[i].key);
}

static void both_are(struct quality_scene *scene)
{
    memcpy(scene->corrected->voxel, scene->head.image->voxel,
           np_grid_voxels(&scene->corrected->grid) * sizeof(float));
}

/* Rician: the magnitude of a complex image whose parts have this noise. */
static void add_noise(struct quality_scene *scene, double strength)
{
    double sd = 0.03 * strength * np_synth_white(NP_SYNTH_T1W);
    struct np_random random;

    np_random_seed(&random, 9, 0);
    for (size_t i = 0; i < np_grid_voxels(&scene->corrected->grid); i++) {
        double real = (double)scene->head.image->voxel[i] + sd * np_random_normal(&random);
        double imaginary = sd * np_random_normal(&random);
        scene->head.image->voxel[i] = (float)sqrt(real * real + imaginary * imaginary);
    }
    both_are(scene);
}

/* Not corrected, but found: 10 % more at one end of y than at the other for each strength. */
static void add_bias(struct quality_scene *scene, double strength)
{
    const int64_t *n = scene->corrected->grid.n;

    for (int64_t i = 0; i < n[0] * n[1] * n[2]; i++) {
        double y = (double)(i / n[0] % n[1]) / (double)(n[1] - 1) - 0.5;
        scene->field->voxel[i] = (float)(1 + 0.2 * strength * y);
        scene->head.image->voxel[i] *= scene->field->voxel[i];
    }
    both_are(scene);
}

static void blur(struct quality_scene *scene, double strength)
{
    struct np_error err = {0};

    ok_int(np_smooth_gaussian(scene->head.image, 2.5 * strength, NULL, scene->head.image, &err), 0);
    both_are(scene);
}

/* The image moved by whole voxels along an axis, around its ends. */
static struct np_image *moved(const struct np_image *image, int axis, int64_t by)
{
    const int64_t *n = image->grid.n;
    struct np_image *out = np_image_new(&image->grid);

    for (int64_t i = 0; i < n[0] * n[1] * n[2]; i++) {
        int64_t at[3] = {i % n[0], i / n[0] % n[1], i / (n[0] * n[1])};
        at[axis] = (at[axis] + by) % n[axis];
        out->voxel[(at[2] * n[1] + at[1]) * n[0] + at[0]] = image->voxel[i];
    }
    return out;
}

/* A copy, half the image away along y. */
static void add_ghost(struct quality_scene *scene, double strength)
{
    struct np_image *image = scene->head.image;
    NP_AUTO(np_image_freep) struct np_image *copy = moved(image, 1, image->grid.n[1] / 2);

    for (size_t i = 0; i < np_grid_voxels(&image->grid); i++)
        image->voxel[i] += (float)(0.04 * strength) * copy->voxel[i];
    both_are(scene);
}

/* Every other line of k-space along y comes from the head `strength` voxels further along z: half
 * the sum of both, and half the difference half the image away. */
static void add_motion(struct quality_scene *scene, double strength)
{
    struct np_image *image = scene->head.image;
    NP_AUTO(np_image_freep) struct np_image *later = moved(image, 2, (int64_t)strength);
    NP_AUTO(np_image_freep) struct np_image *difference = np_image_new(&image->grid);

    for (size_t i = 0; i < np_grid_voxels(&image->grid); i++) {
        difference->voxel[i] = (image->voxel[i] - later->voxel[i]) / 2;
        later->voxel[i] = (image->voxel[i] + later->voxel[i]) / 2;
    }
    NP_AUTO(np_image_freep)
    struct np_image *ghost = moved(difference, 1, image->grid.n[1] / 2);
    for (size_t i = 0; i < np_grid_voxels(&image->grid); i++)
        image->voxel[i] = fabsf(later->voxel[i] + ghost->voxel[i]);
    both_are(scene);
}

TEST(metrics_follow_noise)
{
    static const struct claim claims[] = {
        {"cjv", 1},        {"cnr", -1},           {"efc", 1},
        {"fber", -1},      {"snr_wm", -1},        {"snr_gm", -1},
        {"snr_total", -1}, {"snrd_wm", -1},       {"snrd_total", -1},
        {"fwhm_avg", -1},  {"summary_bg_mad", 1}, {"summary_wm_stdv", 1},
    };
    ok_monotone(add_noise, claims, NP_COUNT(claims));
}

TEST(metrics_follow_a_bias_that_was_left)
{
    static const struct claim claims[] = {
        {"cjv", 1}, {"cnr", -1}, {"inu_range", 1}, {"snr_wm", -1}, {"summary_wm_mad", 1},
    };
    ok_monotone(add_bias, claims, NP_COUNT(claims));
}

TEST(metrics_follow_blur)
{
    static const struct claim claims[] = {
        {"fwhm_x", 1},
        {"fwhm_y", 1},
        {"fwhm_z", 1},
        {"fwhm_avg", 1},
    };
    ok_monotone(blur, claims, NP_COUNT(claims));
}

TEST(metrics_follow_ghosts)
{
    static const struct claim claims[] = {
        {"efc", 1},
        {"fber", -1},
        {"snrd_total", -1},
        {"summary_bg_p95", 1},
    };
    ok_monotone(add_ghost, claims, NP_COUNT(claims));
}

TEST(metrics_follow_motion)
{
    static const struct claim claims[] = {
        {"efc", 1}, {"fber", -1}, {"cjv", 1}, {"snr_wm", -1}, {"summary_bg_p95", 1},
    };
    ok_monotone(add_motion, claims, NP_COUNT(claims));
}

TAP_MAIN
