/* Reading a mask: an image of any datatype that is 0 and 1, or nearly so. */
#include <string.h>

#include "image/nifti.h"

static int check_grid(const char *path, const struct np_grid *found, const struct np_grid *expected,
                      struct np_error *err)
{
    const int64_t *n = expected->n, *m = found->n;

    if (np_grid_same(found, expected))
        return 0;
    if (n[0] != m[0] || n[1] != m[1] || n[2] != m[2])
        return np_error_set(
            err, NP_EGEOMETRY,
            "'%s': expected the grid of the image, %lld × %lld × %lld, found %lld × "
            "%lld × %lld; resample the mask to the image",
            path, (long long)n[0], (long long)n[1], (long long)n[2], (long long)m[0],
            (long long)m[1], (long long)m[2]);
    return np_error_set(err, NP_EGEOMETRY,
                        "'%s': expected the grid of the image, found as many voxels in another "
                        "place or order; resample the mask to the image",
                        path);
}

int np_nifti_read_mask(const char *path, const struct np_grid *grid, const struct np_exec *exec,
                       char sha256[65], struct np_mask **out, struct np_error *err)
{
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
    struct np_nifti_info info;
    struct np_nifti_content content;

    NP_TRY(np_nifti_read_info(path, &info, err));
    NP_TRY(check_grid(path, &info.grid, grid, err));
    NP_TRY(np_nifti_read_volume(path, exec, &info, &content, &image, err));
    mask = np_mask_new(grid);
    if (!mask)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for the mask", path);
    for (size_t i = 0; i < np_grid_voxels(grid); i++)
        mask->voxel[i] = image->voxel[i] > 0.5F;
    if (np_mask_count(mask) == 0)
        return np_error_set(err, NP_EVALUE,
                            "'%s': expected voxels above 0.5, which are brain, found none", path);
    memcpy(sha256, content.sha256, sizeof(content.sha256));
    *out = mask;
    mask = NULL;
    return 0;
}
