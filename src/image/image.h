/* Voxels in memory: an image of floats and a mask of 0/1 bytes; two types, so that one cannot be
 * passed as the other. */
#ifndef NP_IMAGE_IMAGE_H
#define NP_IMAGE_IMAGE_H

#include "base/error.h"
#include "image/grid.h"

/* One volume; `voxel` has np_grid_voxels(&grid) values, x fastest. */
struct np_image {
    struct np_grid grid;
    float *voxel;
};

/* One volume; each voxel is 0 or 1. */
struct np_mask {
    struct np_grid grid;
    uint8_t *voxel;
};

/* Zeroed, on `grid` (its fourth dimension is taken as 1). NULL when memory does not suffice. */
struct np_image *np_image_new(const struct np_grid *grid);
struct np_mask *np_mask_new(const struct np_grid *grid);

/* Release and set the pointer to NULL. A NULL pointer, or a pointer to NULL, is allowed. */
void np_image_freep(struct np_image **image);
void np_mask_freep(struct np_mask **mask);

/* A copy; NULL when memory does not suffice. */
struct np_image *np_image_copy(const struct np_image *image);

/* Number of voxels that are 1. */
int64_t np_mask_count(const struct np_mask *mask);

/* Size of one volume of floats on this grid in MiB, rounded up: for messages. */
size_t np_grid_mib(const struct np_grid *grid);

#endif
