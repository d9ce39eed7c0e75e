/* The mixture of three tissues, on intensities drawn from mixtures that are known. */
#include "base/random.h"
#include "ops/tissue_mixture.h"
#include "tap.h"

enum { SIDE = 48 };

struct truth {
    double mean[NP_N_CLASSES], sd;
    double weight[NP_N_CLASSES + NP_N_CLASS_PAIRS]; /* as in struct np_mixture */
};

static double draw_one(const struct truth *truth, struct np_random *random)
{
    double u = np_random_uniform(random), t = np_random_uniform(random);
    int c = 0;

    while (c < NP_N_CLASSES + NP_N_CLASS_PAIRS - 1 && u >= truth->weight[c])
        u -= truth->weight[c++];
    double noise = truth->sd * np_random_normal(random);
    if (c < NP_N_CLASSES)
        return truth->mean[c] + noise;
    int dark = c - NP_N_CLASSES;
    return (1 - t) * truth->mean[dark] + t * truth->mean[dark + 1] + noise;
}

/* The largest error of a mean, in units of the range between the darkest and the brightest. */
static double error_of(const struct truth *truth)
{
    struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *values = np_image_new(&grid);
    struct np_mixture mixture = {0};
    struct np_random random;
    double worst = 0;

    np_random_seed(&random, 3, 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        values->voxel[i] = (float)draw_one(truth, &random);
    ok_int(np_mixture_fit(values, NULL, &mixture, NULL), 0);
    for (int k = 0; k < NP_N_CLASSES; k++) {
        double mean = mixture.low + mixture.mean[k] * (mixture.high - mixture.low);
        double off = (mean - truth->mean[k]) / (truth->mean[2] - truth->mean[0]);
        worst = off > worst ? off : -off > worst ? -off : worst;
    }
    return worst;
}

TEST(three_tissues_with_contrast)
{
    const struct truth truth = {{300, 650, 1000}, 60, {0.12, 0.36, 0.36, 0.08, 0.08}};

    ok_below(error_of(&truth), 0.02, "error of a mean");
}

TEST(grey_and_white_matter_with_little_contrast_are_two_tissues_and_the_mixed_voxels_are_none)
{
    const struct truth truth = {{250, 880, 985}, 40, {0.08, 0.33, 0.33, 0.22, 0.04}};

    ok_below(error_of(&truth), 0.03, "error of a mean");
}

TEST(so_are_dark_tissues_beside_bright_fluid)
{
    const struct truth truth = {{300, 420, 1000}, 40, {0.33, 0.33, 0.08, 0.04, 0.22}};

    ok_below(error_of(&truth), 0.03, "error of a mean");
}

TAP_MAIN
