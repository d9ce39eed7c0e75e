/* Masks that people made: what counts as inside, and what does not fit. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "image/nifti.h"
#include "tap.h"

static struct np_grid grid_of(int64_t nx)
{
    return np_grid_make(nx, 3, 2, 1, 1, 1);
}

/* A file of these values, again and again. */
static char *file_of(const char *name, const struct np_grid *grid, const float *value, int n)
{
    const struct np_nifti_info like = {.xform_code = 1, .version = 1};
    const struct np_nifti_output how = {.like = &like};
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(grid);
    char *path = np_xasprintf("%s/%s", tap_directory(), name);
    struct np_nifti_written written;

    for (size_t i = 0; i < np_grid_voxels(grid); i++)
        image->voxel[i] = value[i % (size_t)n];
    ok_int(np_nifti_write_image(path, path, image, &how, NULL, &written, NULL), 0);
    return path;
}

TEST(voxels_above_a_half_are_inside)
{
    const float value[] = {0, 1, 0.5F, 0.51F, -3, 255};
    const struct np_grid grid = grid_of(6);
    NP_AUTO(np_freep) char *path = file_of("a.nii.gz", &grid, value, 6);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
    char sha256[65] = "";

    ok_int(np_nifti_read_mask(path, &grid, NULL, sha256, &mask, NULL), 0);
    for (int i = 0; i < 36; i++)
        ok_int(mask->voxel[i], value[i % 6] > 0.5F);
    ok_int(np_mask_count(mask), 18);
    ok_int((int64_t)strlen(sha256), 64);
}

static int read_on(const char *path, const struct np_grid *grid, struct np_error *err)
{
    struct np_mask *mask = NULL;
    char sha256[65];
    int code = np_nifti_read_mask(path, grid, NULL, sha256, &mask, err);

    ok(mask == NULL);
    return code;
}

TEST(another_grid_is_refused_with_both_sizes)
{
    const float one = 1;
    const struct np_grid grid = grid_of(6), longer = grid_of(7);
    struct np_grid shifted = grid;
    NP_AUTO(np_freep) char *path = file_of("b.nii", &grid, &one, 1);
    struct np_error err = {0};

    ok_int(read_on(path, &longer, &err), NP_EGEOMETRY);
    ok_contains(err.text, "b.nii");
    ok_contains(err.text, "7 × 3 × 2");
    ok_contains(err.text, "6 × 3 × 2");
    err = (struct np_error){0};
    shifted.world_from_voxel.m[0][3] += 0.01;
    ok_int(read_on(path, &shifted, &err), NP_EGEOMETRY);
    ok_contains(err.text, "another place");
}

TEST(nothing_inside_is_refused)
{
    const float little[] = {0, 0.4F, NAN};
    const struct np_grid grid = grid_of(6);
    NP_AUTO(np_freep) char *path = file_of("c.nii", &grid, little, 3);
    struct np_error err = {0};

    ok_int(read_on(path, &grid, &err), NP_EVALUE);
    ok_contains(err.text, "above 0.5");
}

TEST(no_memory_is_an_error)
{
    const float one = 1;
    const struct np_grid grid = grid_of(6);
    NP_AUTO(np_freep) char *path = file_of("d.nii", &grid, &one, 1);

    for (int64_t nth = 1; nth <= 2; nth++) {
        np_alloc_fail_at(nth);
        ok_int(read_on(path, &grid, NULL), NP_ENOMEM);
        np_alloc_fail_at(0);
    }
}

TAP_MAIN
