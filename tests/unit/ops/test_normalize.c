#include <math.h>
#include <string.h>

#include "base/random.h"
#include "ops/histogram.h"
#include "ops/normalize.h"
#include "ops/smooth.h"
#include "synth/head.h"
#include "tap.h"

/* A T1w-like brain: CSF 30, grey matter 70, white matter 100 (30, 40 and 30 %), noise 3, and a
 * tail of bright vessels; a mask of three voxels in four. */
enum { SIDE = 48 };

struct scene {
    struct np_image *image;
    struct np_mask *mask;
};

static void scene_done(struct scene *scene)
{
    np_image_freep(&scene->image);
    np_mask_freep(&scene->mask);
}

static void scene_init(struct scene *scene)
{
    struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 1, 1, 1);
    struct np_random random;

    *scene = (struct scene){np_image_new(&grid), np_mask_new(&grid)};
    np_random_seed(&random, 12, 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++) {
        double draw = np_random_uniform(&random);
        double level = draw < 0.29   ? 30
                       : draw < 0.7  ? 70
                       : draw < 0.99 ? 100
                                     : 120 + 80 * np_random_uniform(&random);
        scene->image->voxel[i] = (float)(level + 3 * np_random_normal(&random));
        scene->mask->voxel[i] = i % 4 != 0;
    }
}

typedef int method_fn(const struct np_image *image, const struct np_mask *mask,
                      const struct np_exec *exec, struct np_normalization *found,
                      struct np_error *err);

static int last_peak(const struct np_image *image, const struct np_mask *mask,
                     const struct np_exec *exec, struct np_normalization *found,
                     struct np_error *err)
{
    return np_normalize_whitestripe(image, mask, NP_WHITE_LAST, exec, found, err);
}

static int largest_peak(const struct np_image *image, const struct np_mask *mask,
                        const struct np_exec *exec, struct np_normalization *found,
                        struct np_error *err)
{
    return np_normalize_whitestripe(image, mask, NP_WHITE_LARGEST, exec, found, err);
}

static int percentile_flair(const struct np_image *image, const struct np_mask *mask,
                            const struct np_exec *exec, struct np_normalization *found,
                            struct np_error *err)
{
    return np_normalize_percentile(image, mask, NP_CONTRAST_FLAIR, exec, found, err);
}

static int percentile_t2w(const struct np_image *image, const struct np_mask *mask,
                          const struct np_exec *exec, struct np_normalization *found,
                          struct np_error *err)
{
    return np_normalize_percentile(image, mask, NP_CONTRAST_T2W, exec, found, err);
}

static method_fn *const methods[] = {np_normalize_zscore, percentile_flair, percentile_t2w,
                                     last_peak, largest_peak};

TEST(zscore_has_mean_0_and_sd_1_in_the_mask_and_is_0_outside)
{
    NP_AUTO(scene_done) struct scene scene;
    struct np_normalization found;
    struct np_moments moments;
    int n_outside = 0;

    scene_init(&scene);
    ok_int(np_normalize_zscore(scene.image, scene.mask, NULL, &found, NULL), 0);
    np_normalize_apply(scene.image, scene.mask, &found, NULL, scene.image);
    ok_int(np_image_moments(scene.image, scene.mask, NULL, &moments, NULL), 0);
    ok_near(moments.mean, 0, 1e-7, "mean");
    ok_near(moments.sd, 1, 1e-7, "sd");
    for (size_t i = 0; i < np_grid_voxels(&scene.image->grid); i++)
        n_outside += !scene.mask->voxel[i] && scene.image->voxel[i] != 0;
    ok_int(n_outside, 0);
}

/* Smooth tissue in a ball, with what is outside it far off: only the ball counts. */
static void ball_init(struct scene *scene, double spacing_mm, double noise)
{
    int64_t side = (int64_t)(80 / spacing_mm);
    struct np_grid grid = np_grid_make(side, side, side, spacing_mm, spacing_mm, spacing_mm);
    struct np_random random;

    *scene = (struct scene){np_image_new(&grid), np_mask_new(&grid)};
    np_random_seed(&random, 3, 0);
    for (int64_t z = 0, i = 0; z < side; z++)
        for (int64_t y = 0; y < side; y++)
            for (int64_t x = 0; x < side; x++, i++) {
                double at[3] = {(double)x, (double)y, (double)z}, r2 = 0;
                for (int a = 0; a < 3; a++) {
                    at[a] = (at[a] + 0.5) * spacing_mm - 40;
                    r2 += at[a] * at[a];
                }
                bool is_inside = r2 < 36 * 36;
                double level = 100 + at[0]; /* 64 to 136 */
                scene->mask->voxel[i] = is_inside;
                scene->image->voxel[i] =
                    (float)(is_inside ? level + noise * np_random_normal(&random) : 5000);
            }
}

/* The mask's voxels around, weighted by a Gaussian of 4 mm; made here from the smoothing alone. */
static struct np_image *seen_at_4_mm(const struct scene *scene)
{
    struct np_image *value = np_image_new(&scene->image->grid);
    NP_AUTO(np_image_freep) struct np_image *weight = np_image_new(&scene->image->grid);
    size_t n = np_grid_voxels(&value->grid);

    for (size_t i = 0; i < n; i++) {
        weight->voxel[i] = scene->mask->voxel[i] ? 1 : 0;
        value->voxel[i] = scene->mask->voxel[i] ? scene->image->voxel[i] : 0;
    }
    ok_int(np_smooth_gaussian(value, 4, NULL, value, NULL), 0);
    ok_int(np_smooth_gaussian(weight, 4, NULL, weight, NULL), 0);
    for (size_t i = 0; i < n; i++)
        value->voxel[i] = scene->mask->voxel[i] ? value->voxel[i] / weight->voxel[i] : 0;
    return value;
}

/* The brain seen at 4 mm, in the units of its percentile normalization, at three quantiles. */
static void seen_quantiles(const struct scene *scene, enum np_contrast contrast, const double p[3],
                           double at[3])
{
    struct np_normalization found;
    NP_AUTO(np_image_freep) struct np_image *smooth = seen_at_4_mm(scene);

    ok_int(np_normalize_percentile(scene->image, scene->mask, contrast, NULL, &found, NULL), 0);
    np_normalize_apply(smooth, scene->mask, &found, NULL, smooth);
    ok_int(np_image_quantiles(smooth, scene->mask, p, 3, NULL, at, NULL), 0);
}

TEST(percentile_1_of_the_brain_at_4_mm_becomes_0_and_the_upper_end_of_its_tissue_1)
{
    NP_AUTO(scene_done) struct scene scene;
    static const double p[] = {0.01, 0.85, 0.97};
    struct np_normalization found;
    struct np_moments moments;
    double at[3];

    scene_init(&scene);
    seen_quantiles(&scene, NP_CONTRAST_FLAIR, p, at);
    ok_near(at[0], 0, 1e-6, "p1");
    ok_below(at[1], 1, "p85 lies below the middle of the peak's flank");
    ok_above(at[2], 1, "p97 lies above it");
    ok_int(np_normalize_percentile(scene.image, scene.mask, NP_CONTRAST_FLAIR, NULL, &found, NULL),
           0);
    ok(found.low == found.offset && found.high > found.low);
    np_normalize_apply(scene.image, scene.mask, &found, NULL, scene.image);
    ok_int(np_image_moments(scene.image, scene.mask, NULL, &moments, NULL), 0);
    ok_above(moments.maximum, 1.2, "nothing is clipped: the maximum");
}

TEST(in_t1w_and_t2w_percentile_99_of_the_brain_becomes_1)
{
    NP_AUTO(scene_done) struct scene scene;
    static const enum np_contrast contrast[] = {NP_CONTRAST_T1W, NP_CONTRAST_T2W};
    static const double p[] = {0.01, 0.5, 0.99};
    double at[3];

    scene_init(&scene);
    for (size_t i = 0; i < NP_COUNT(contrast); i++) {
        seen_quantiles(&scene, contrast[i], p, at);
        ok_near(at[0], 0, 1e-6, "p1");
        ok_near(at[2], 1, 1e-6, "p99");
    }
}

/* The distance of two voxels. */
static double apart_mm(const struct np_grid *grid, int64_t a, int64_t b)
{
    double sum = 0;

    for (int axis = 0; axis < 3; axis++) {
        double mm = (double)(a % grid->n[axis] - b % grid->n[axis]) * grid->spacing_mm[axis];
        a /= grid->n[axis];
        b /= grid->n[axis];
        sum += mm * mm;
    }
    return sqrt(sum);
}

/* Mark `ml` of white matter, in balls of 8 mm around voxels of it. */
static struct np_mask *place_lesions(const struct np_synth_head *head, double ml)
{
    const struct np_grid *grid = &head->image->grid;
    struct np_mask *lesion = np_mask_new(grid);
    int64_t n = (int64_t)np_grid_voxels(grid),
            left = (int64_t)(ml * 1000 / np_grid_voxel_mm3(grid));
    struct np_random random;

    np_random_seed(&random, 4, 0);
    while (left > 0) {
        int64_t centre = (int64_t)(np_random_uniform(&random) * (double)n);
        if (head->label[centre] != NP_SYNTH_WHITE)
            continue;
        for (int64_t i = 0; i < n && left > 0; i++)
            if (head->label[i] == NP_SYNTH_WHITE && !lesion->voxel[i] &&
                apart_mm(grid, i, centre) < 8) {
                lesion->voxel[i] = 1;
                left--;
            }
    }
    return lesion;
}

/* Where the intensity `tissue` lies on the scale, in percent of the range, when lesions have a
 * level. */
static double tissue_on_the_scale(const struct np_synth_head *head, const struct np_mask *lesion,
                                  enum np_contrast contrast, double level, double tissue)
{
    NP_AUTO(np_image_freep) struct np_image *image = np_image_copy(head->image);
    struct np_normalization found;

    for (size_t i = 0; i < np_grid_voxels(&image->grid); i++)
        if (lesion->voxel[i])
            image->voxel[i] = (float)level;
    ok_int(np_normalize_percentile(image, head->brain, contrast, NULL, &found, NULL), 0);
    return 100 * (tissue - found.offset) / found.scale;
}

/* Lesions of 1.4 to 2.4 times white matter; the tissue is the median of the brain. */
static void lesions_of_any_volume_leave_the_scale(enum np_synth_contrast synth,
                                                  enum np_contrast contrast)
{
    static const double ml[] = {0, 5, 20, 40}, times_white[] = {1.4, 1.8, 2.4};
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    struct np_synth_options options;
    double white = np_synth_white(synth), half = 0.5, tissue, without = 0;

    np_synth_options_init(&options);
    options.contrast = synth;
    options.bias_percent = 0;
    for (int a = 0; a < 3; a++)
        options.spacing_mm[a] = 2.5;
    ok_int(np_synth_head(&options, NULL, &head, NULL), 0);
    ok_int(np_image_quantiles(head.image, head.brain, &half, 1, NULL, &tissue, NULL), 0);
    for (size_t v = 0; v < NP_COUNT(ml); v++) {
        NP_AUTO(np_mask_freep) struct np_mask *lesion = place_lesions(&head, ml[v]);
        for (size_t t = 0; t < NP_COUNT(times_white); t++) {
            double on_scale =
                tissue_on_the_scale(&head, lesion, contrast, times_white[t] * white, tissue);
            without = ml[v] > 0 ? without : on_scale;
            ok_near(on_scale, without, 2, "tissue, percent of the range");
        }
    }
}

TEST(bright_lesions_do_not_move_percentiles_by_more_than_2_percent_of_the_range)
{
    lesions_of_any_volume_leave_the_scale(NP_SYNTH_T2W, NP_CONTRAST_T2W);
    lesions_of_any_volume_leave_the_scale(NP_SYNTH_FLAIR, NP_CONTRAST_FLAIR);
}

TEST(percentiles_are_the_tissues_and_not_the_noises_or_the_voxels)
{
    NP_AUTO(scene_done) struct scene still, noisy, coarse;
    struct np_normalization found[3];

    ball_init(&still, 1, 0);
    ball_init(&noisy, 1, 15);
    ball_init(&coarse, 2, 5);
    ok_int(percentile_flair(still.image, still.mask, NULL, &found[0], NULL), 0);
    ok_int(percentile_flair(noisy.image, noisy.mask, NULL, &found[1], NULL), 0);
    ok_int(percentile_flair(coarse.image, coarse.mask, NULL, &found[2], NULL), 0);
    for (int i = 1; i < 3; i++) {
        ok_near(found[i].offset, found[0].offset, 0.02 * found[0].scale, "offset");
        ok_near(found[i].scale, found[0].scale, 0.04 * found[0].scale, "scale");
    }
}

TEST(white_stripe_finds_white_matter)
{
    NP_AUTO(scene_done) struct scene scene;
    struct np_normalization found;

    scene_init(&scene);
    ok_int(last_peak(scene.image, scene.mask, NULL, &found, NULL), 0);
    /* noise 3 of 16 000 voxels: the smoothed peak wanders by some tenths */
    ok_near(found.mode, 100, 1, "peak");
    ok_near(found.offset, 100, 1, "mean of the stripe");
    ok_below(found.high - found.low, 3, "width of the stripe");
    ok(found.low <= found.mode && found.mode <= found.high);
    ok_int(largest_peak(scene.image, scene.mask, NULL, &found, NULL), 0);
    ok_near(found.offset, 70, 1, "the largest peak is grey matter here");
}

TEST(two_numbers_undo_every_method)
{
    NP_AUTO(scene_done) struct scene scene;
    scene_init(&scene);
    NP_AUTO(np_image_freep) struct np_image *out = np_image_new(&scene.image->grid);

    for (size_t m = 0; m < NP_COUNT(methods); m++) {
        struct np_normalization found;
        double worst = 0;
        ok_int(methods[m](scene.image, scene.mask, NULL, &found, NULL), 0);
        np_normalize_apply(scene.image, scene.mask, &found, NULL, out);
        for (size_t i = 0; i < np_grid_voxels(&out->grid); i++)
            if (scene.mask->voxel[i])
                worst = fmax(worst, fabs((double)out->voxel[i] * found.scale + found.offset -
                                         (double)scene.image->voxel[i]));
        ok_below(worst, 2e-5, "round trip, single precision of values near 100");
    }
}

TEST(intensities_times_ten_and_more_give_the_same_scores)
{
    NP_AUTO(scene_done) struct scene scene;
    scene_init(&scene);
    NP_AUTO(np_image_freep) struct np_image *first = np_image_new(&scene.image->grid);
    NP_AUTO(np_image_freep) struct np_image *second = np_image_copy(scene.image);
    size_t n = np_grid_voxels(&first->grid);

    for (size_t i = 0; i < n; i++)
        second->voxel[i] = 16 * second->voxel[i] + 512;
    for (size_t m = 0; m < NP_COUNT(methods); m++) {
        NP_AUTO(np_image_freep) struct np_image *other = np_image_new(&first->grid);
        struct np_normalization found;
        double worst = 0;
        ok_int(methods[m](scene.image, scene.mask, NULL, &found, NULL), 0);
        np_normalize_apply(scene.image, scene.mask, &found, NULL, first);
        ok_int(methods[m](second, scene.mask, NULL, &found, NULL), 0);
        np_normalize_apply(second, scene.mask, &found, NULL, other);
        for (size_t i = 0; i < n; i++)
            worst = fmax(worst, fabs((double)(first->voxel[i] - other->voxel[i])));
        /* scores reach 200; a voxel at a bin's edge may move the peak's quantile a little */
        ok_below(worst, 0.1, "difference of the scores");
    }
}

TEST(a_brain_without_spread_is_an_error_that_names_the_reason)
{
    NP_AUTO(scene_done) struct scene scene;
    struct np_normalization found = {.offset = 7};

    scene_init(&scene);
    for (size_t i = 0; i < np_grid_voxels(&scene.image->grid); i++)
        scene.image->voxel[i] = 5;
    for (size_t m = 0; m < NP_COUNT(methods); m++) {
        struct np_error err = {0};
        ok_int(methods[m](scene.image, scene.mask, NULL, &found, &err), NP_EMETHOD);
        ok_contains(err.text, "look at the image");
    }
    memset(scene.mask->voxel, 0, np_grid_voxels(&scene.mask->grid));
    for (size_t m = 0; m < NP_COUNT(methods); m++)
        ok_int(methods[m](scene.image, scene.mask, NULL, &found, NULL), NP_EDOMAIN);
    ok(found.offset == 7);
}

TEST(any_number_of_threads_gives_the_same_bytes)
{
    NP_AUTO(scene_done) struct scene scene;
    static const int n_threads[] = {1, 2, 3, 8};

    scene_init(&scene);
    for (size_t m = 0; m < NP_COUNT(methods); m++) {
        struct np_normalization first = {0};
        for (size_t t = 0; t < NP_COUNT(n_threads); t++) {
            NP_AUTO(np_team_freep) struct np_team *team = np_team_new(n_threads[t]);
            struct np_exec exec = {team, NULL};
            struct np_normalization found;
            ok_int(methods[m](scene.image, scene.mask, &exec, &found, NULL), 0);
            if (t == 0)
                first = found;
            ok(found.offset == first.offset && found.scale == first.scale);
        }
    }
}

TEST(each_failed_allocation_is_reported)
{
    NP_AUTO(scene_done) struct scene scene;
    struct np_normalization found;

    scene_init(&scene);
    for (size_t m = 1; m < NP_COUNT(methods); m++) { /* z-score allocates nothing */
        int code = NP_ENOMEM, n_failed = 0;
        while (code == NP_ENOMEM && n_failed < 100) {
            np_alloc_fail_at(n_failed + 1);
            code = methods[m](scene.image, scene.mask, NULL, &found, NULL);
            n_failed += code == NP_ENOMEM;
        }
        np_alloc_fail_at(0);
        ok_int(code, 0);
        ok_above(n_failed, 2, "allocations that were made to fail");
    }
}

TAP_MAIN
