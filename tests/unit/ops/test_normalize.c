#include <math.h>
#include <string.h>

#include "base/random.h"
#include "ops/histogram.h"
#include "ops/normalize.h"
#include "ops/smooth.h"
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

static method_fn *const methods[] = {np_normalize_zscore, np_normalize_percentile, last_peak,
                                     largest_peak};

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

TEST(percentiles_1_and_99_of_the_brain_at_4_mm_become_0_and_1)
{
    NP_AUTO(scene_done) struct scene scene;
    static const double p[] = {0.01, 0.99, 1};
    struct np_normalization found;
    double range[3];

    scene_init(&scene);
    NP_AUTO(np_image_freep) struct np_image *smooth = seen_at_4_mm(&scene);
    ok_int(np_normalize_percentile(scene.image, scene.mask, NULL, &found, NULL), 0);
    np_normalize_apply(smooth, scene.mask, &found, NULL, smooth);
    ok_int(np_image_quantiles(smooth, scene.mask, p, 3, NULL, range, NULL), 0);
    ok_near(range[0], 0, 1e-6, "p1");
    ok_near(range[1], 1, 1e-6, "p99");
    np_normalize_apply(scene.image, scene.mask, &found, NULL, scene.image);
    ok_int(np_image_quantiles(scene.image, scene.mask, p, 3, NULL, range, NULL), 0);
    ok_above(range[2], 1.2, "nothing is clipped: the maximum");
}

TEST(percentiles_are_the_tissues_and_not_the_noises_or_the_voxels)
{
    NP_AUTO(scene_done) struct scene still, noisy, coarse;
    struct np_normalization found[3];

    ball_init(&still, 1, 0);
    ball_init(&noisy, 1, 15);
    ball_init(&coarse, 2, 5);
    ok_int(np_normalize_percentile(still.image, still.mask, NULL, &found[0], NULL), 0);
    ok_int(np_normalize_percentile(noisy.image, noisy.mask, NULL, &found[1], NULL), 0);
    ok_int(np_normalize_percentile(coarse.image, coarse.mask, NULL, &found[2], NULL), 0);
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
