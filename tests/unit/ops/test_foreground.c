#include <math.h>
#include <string.h>

#include "base/random.h"
#include "ops/foreground.h"
#include "tap.h"

/* A head of nested balls, from outside: fat, bone, brain; noise everywhere but in removed
 * background. */
struct scene {
    double background, fat, bone, brain, noise;
};

enum { SIDE = 48 };

enum part { BACKGROUND, FAT, BONE, BRAIN };

static enum part part_of(size_t i)
{
    double x = (double)(i % SIDE) - SIDE / 2, y = (double)(i / SIDE % SIDE) - SIDE / 2,
           z = (double)(i / SIDE / SIDE) - SIDE / 2;
    double r = sqrt(x * x + y * y + z * z);

    return r < 15 ? BRAIN : r < 17 ? BONE : r < 18.5 ? FAT : BACKGROUND;
}

static struct np_image *draw(const struct scene *scene)
{
    struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 1, 1, 1);
    struct np_image *image = np_image_new(&grid);
    const double level[] = {scene->background, scene->fat, scene->bone, scene->brain};
    struct np_random random;

    np_random_seed(&random, 11, 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++) {
        double value = level[part_of(i)];
        double noise = scene->noise * np_random_normal(&random);
        image->voxel[i] = value > 0 ? (float)fabs(value + noise) : 0;
    }
    return image;
}

/* Share of a part's voxels that are in the mask. */
static double share_of(const struct np_mask *mask, enum part part)
{
    double in = 0, all = 0;

    for (size_t i = 0; i < np_grid_voxels(&mask->grid); i++)
        if (part_of(i) == part) {
            all++;
            in += mask->voxel[i];
        }
    return in / all;
}

TEST(brain_is_in_and_background_and_bone_are_out)
{
    static const struct scene scenes[] = {
        {3, 150, 8, 100, 3}, /* noise in the background */
        {0, 150, 8, 100, 3}, /* background that was removed */
        {3, 300, 8, 100, 3}, /* fat so bright that Otsu's threshold would single it out */
    };

    for (size_t i = 0; i < NP_COUNT(scenes); i++) {
        NP_AUTO(np_image_freep) struct np_image *image = draw(&scenes[i]);
        NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
        struct np_foreground_report report;
        ok_int(np_foreground_mask(image, NULL, &mask, &report, NULL), 0);
        ok_above(share_of(mask, BRAIN), 0.99, "share of the brain that is in");
        ok_above(share_of(mask, FAT), 0.99, "share of fat that is in");
        ok_below(share_of(mask, BONE), 0.01, "share of bone that is in");
        ok_below(share_of(mask, BACKGROUND), 0.01, "share of background that is in");
        ok(report.threshold <= report.otsu && report.threshold <= report.head_median);
    }
}

TEST(most_of_a_stripped_brain_is_in)
{
    static const struct scene stripped = {0, 0, 0, 100, 5};
    NP_AUTO(np_image_freep) struct np_image *image = draw(&stripped);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;

    ok_int(np_foreground_mask(image, NULL, &mask, NULL, NULL), 0);
    /* A normal distribution, cut at 0.9 of its mean or, where Otsu cuts lower, there: at its
     * middle at the worst. */
    ok_above(share_of(mask, BRAIN), 0.45, "share of the brain that is in");
    ok_below(share_of(mask, BACKGROUND), 1e-9, "share of background that is in");
}

TEST(an_image_without_contrast_is_an_error_that_names_the_reason)
{
    struct np_grid grid = np_grid_make(8, 8, 8, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
    struct np_error err = {0}, other = {0};

    ok_int(np_foreground_mask(image, NULL, &mask, NULL, &err), NP_EMETHOD);
    ok_contains(err.text, "no voxel is positive");
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        image->voxel[i] = 12;
    ok_int(np_foreground_mask(image, NULL, &mask, NULL, &other), NP_EMETHOD);
    ok_contains(other.text, "12");
    ok(!mask);
}

TEST(each_failed_allocation_is_reported)
{
    static const struct scene scene = {3, 150, 8, 100, 3};
    NP_AUTO(np_image_freep) struct np_image *image = draw(&scene);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
    int code = NP_ENOMEM, n_failed = 0;

    while (code == NP_ENOMEM && n_failed < 100) {
        np_alloc_fail_at(n_failed + 1);
        code = np_foreground_mask(image, NULL, &mask, NULL, NULL);
        n_failed += code == NP_ENOMEM;
        ok((code == 0) == (mask != NULL));
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    /* sample and mask (2 each), mask of the sample, robust range, histogram, median */
    ok_int(n_failed, 2 + 2 + 2 + 3 + 1 + 3);
}

TAP_MAIN
