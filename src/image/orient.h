/*
 * Conversion to a canonical storage order. Kernels run on images whose axes follow R, A, S as
 * closely as the grid allows. So an image gives the same result in world space for any of the 48
 * axis orders; results are converted back to the order of the input.
 */
#ifndef NP_IMAGE_ORIENT_H
#define NP_IMAGE_ORIENT_H

#include "base/exec.h"
#include "image/image.h"

/* A copy in closest-to-RAS+ order (axes permuted and flipped, no interpolation). NULL when memory
 * does not suffice. */
struct np_image *np_image_to_ras(const struct np_image *image, const struct np_exec *exec);

struct np_mask *np_mask_to_ras(const struct np_mask *mask, const struct np_exec *exec);

/* From RAS order back to `native`'s order: the inverse of the functions above. NULL when memory
 * does not suffice. */
struct np_image *np_image_from_ras(const struct np_image *ras, const struct np_grid *native,
                                   const struct np_exec *exec);
struct np_mask *np_mask_from_ras(const struct np_mask *ras, const struct np_grid *native,
                                 const struct np_exec *exec);

/* True when `native` is already in RAS order, so that converted copies would be identical. */
bool np_grid_is_ras(const struct np_grid *native);

#endif
