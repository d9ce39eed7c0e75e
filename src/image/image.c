#include "image/image.h"

#include <stdlib.h>
#include <string.h>

struct np_image *np_image_new(const struct np_grid *grid)
{
    struct np_image *image = np_try_calloc(1, sizeof(*image));

    if (!image)
        return NULL;
    image->grid = *grid;
    image->grid.n[3] = 1;
    image->voxel = np_try_voxels(np_grid_voxels(grid), sizeof(*image->voxel));
    if (!image->voxel)
        np_image_freep(&image);
    return image;
}

struct np_mask *np_mask_new(const struct np_grid *grid)
{
    struct np_mask *mask = np_try_calloc(1, sizeof(*mask));

    if (!mask)
        return NULL;
    mask->grid = *grid;
    mask->grid.n[3] = 1;
    mask->voxel = np_try_voxels(np_grid_voxels(grid), sizeof(*mask->voxel));
    if (!mask->voxel)
        np_mask_freep(&mask);
    return mask;
}

void np_image_freep(struct np_image **image)
{
    if (*image)
        np_voxels_free((*image)->voxel);
    np_freep(image);
}

void np_mask_freep(struct np_mask **mask)
{
    if (*mask)
        np_voxels_free((*mask)->voxel);
    np_freep(mask);
}

struct np_image *np_image_copy(const struct np_image *image)
{
    struct np_image *copy = np_image_new(&image->grid);

    if (copy)
        memcpy(copy->voxel, image->voxel, np_grid_voxels(&image->grid) * sizeof(*image->voxel));
    return copy;
}

int64_t np_mask_count(const struct np_mask *mask)
{
    size_t n = np_grid_voxels(&mask->grid), i = 0;
    int64_t count = 0;

    for (uint64_t eight; i + sizeof(eight) <= n; i += sizeof(eight)) {
        memcpy(&eight, mask->voxel + i, sizeof(eight));
        count += (int64_t)(eight * 0x0101010101010101u >> 56); /* the sum of its bytes */
    }
    for (; i < n; i++)
        count += mask->voxel[i];
    return count;
}

size_t np_grid_mib(const struct np_grid *grid)
{
    const size_t mib = (size_t)1 << 20;

    return (np_grid_voxels(grid) * sizeof(float) + mib - 1) / mib;
}
