/* The needs of many images, from looks at some of them, beside those from a look at each. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "pipeline/estimate_cohort.h"
#include "tap.h"

enum { N = 200, N_NAMES = 2 * N };

static char names[N_NAMES][256];

/* Noise of this many levels in a share of the voxels. */
static const char *image_of(int i, double share, int n_levels, struct np_grid grid, bool packed)
{
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_nifti_written written;
    struct np_random random;

    snprintf(names[i], sizeof(*names), "%s/%d.nii%s", tap_directory(), i, packed ? ".gz" : "");
    np_random_seed(&random, (uint64_t)i, 0);
    for (size_t v = 0; v < np_grid_voxels(&grid); v++)
        if (np_random_uniform(&random) < share)
            image->voxel[v] = 1 + (float)(int)(n_levels * np_random_uniform(&random));
    ok_int(np_nifti_write_image(names[i], names[i], image, NULL, NULL, &written, NULL), 0);
    return names[i];
}

/* Two sites, one after the other: other voxels, other contents, packed or plain. */
static void make_cohort(struct np_image_need image[N])
{
    const struct np_grid small = np_grid_make(20, 24, 20, 2, 2, 2),
                         large = np_grid_make(40, 40, 32, 1, 1, 1);

    for (int i = 0; i < N; i++)
        image[i] = (struct np_image_need){
            .recipe = np_recipe_find(np_modality_find("T1w")),
            .path = i < N / 2 ? image_of(i, 0.2 + 0.002 * i, 40, small, i % 2)
                              : image_of(i, 0.9, 4000, large, i % 3)};
}

static int64_t by_looking_at_each(const struct np_config *config, const struct np_image_need *image,
                                  struct np_need *sum)
{
    *sum = (struct np_need){0};
    for (int i = 0; i < N; i++) {
        struct np_nifti_info info;
        struct np_need need;
        struct np_image_seen seen;
        ok(np_estimate_image(config, image[i].recipe, image[i].path, 1, &info, &seen, &need));
        np_need_add(sum, &need);
        if (need.memory_bytes != image[i].need.memory_bytes ||
            need.inodes != image[i].need.inodes || need.seconds != image[i].need.seconds)
            return i;
    }
    return N;
}

TEST(some_images_of_each_kind_give_what_all_give)
{
    NP_AUTO(np_config_done) struct np_config config;
    static struct np_image_need image[N];
    struct np_need sum, some = {0};

    np_config_init(&config);
    make_cohort(image);
    np_estimate_images(&config, 1, image, N);
    ok_int(by_looking_at_each(&config, image, &sum), N);
    for (int i = 0; i < N; i++) {
        ok(image[i].is_readable);
        np_need_add(&some, &image[i].need);
    }
    ok_near((double)some.disk_bytes / (double)sum.disk_bytes, 1, 0.03, "disk, of a look at each");
    ok_int(some.inodes, sum.inodes);
    ok(image[0].grid.n[0] == 20 && image[N - 1].grid.n[0] == 40);
}

/* A cohort in which the disk of an image depends on what it holds: of few, each is looked at. */
TEST(of_few_images_each_is_looked_at)
{
    NP_AUTO(np_config_done) struct np_config config;
    static struct np_image_need image[NP_ESTIMATE_LOOKS];
    const struct np_grid grid = np_grid_make(20, 24, 20, 2, 2, 2);

    np_config_init(&config);
    for (int i = 0; i < NP_ESTIMATE_LOOKS; i++)
        image[i] = (struct np_image_need){.recipe = np_recipe_find(np_modality_find("T1w")),
                                          .path = image_of(N + i, 0.02 * (i + 1), 40, grid, true)};
    np_estimate_images(&config, 1, image, NP_ESTIMATE_LOOKS);
    for (int i = 0; i < NP_ESTIMATE_LOOKS; i++) {
        struct np_nifti_info info;
        struct np_need need;
        struct np_image_seen seen;
        ok(np_estimate_image(&config, image[i].recipe, image[i].path, 1, &info, &seen, &need));
        ok_int(image[i].need.disk_bytes, need.disk_bytes);
    }
}

TEST(headers_that_cannot_be_read_are_marked_wherever_they_stand)
{
    NP_AUTO(np_config_done) struct np_config config;
    const struct np_recipe *recipe = np_recipe_find(np_modality_find("T1w"));
    const struct np_grid grid = np_grid_make(20, 24, 20, 2, 2, 2);
    struct np_image_need image[] = {{.recipe = recipe, .path = "/nowhere/a.nii"},
                                    {.recipe = recipe, .path = image_of(N, 0.5, 40, grid, true)},
                                    {.recipe = recipe, .path = "/nowhere/b.nii"}};

    np_config_init(&config);
    np_estimate_images(&config, 1, image, 3);
    ok(!image[0].is_readable && image[1].is_readable && !image[2].is_readable);
    ok_int(image[0].need.disk_bytes, 0);
    ok(image[1].need.disk_bytes > 0);
    ok_int(image[2].grid.n[0], 0);
}

TEST(a_cohort_without_images_needs_nothing)
{
    NP_AUTO(np_config_done) struct np_config config;
    struct np_dataset none = {0};
    struct np_need need = {0};
    size_t n_unreadable = 9;

    np_config_init(&config);
    np_estimate_sessions(&config, &none, &need, &n_unreadable);
    ok_int(n_unreadable, 0);
    ok_int(need.disk_bytes, 0);
}

TAP_MAIN
