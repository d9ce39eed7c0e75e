/*
 * Storage order made canonical. Kernels run on images whose axes follow R, A, S as closely as the
 * grid allows, so that an image gives the same world-space result whichever of the 48 axis orders
 * it was stored in; results go back to the input's own order.
 */
#ifndef NP_IMAGE_ORIENT_H
#define NP_IMAGE_ORIENT_H

#include "image/image.h"

/* A copy in closest-to-RAS+ order (axes permuted and flipped, no interpolation). NULL when memory
 * does not suffice. */
struct np_image *np_image_to_ras(const struct np_image *image);
struct np_mask *np_mask_to_ras(const struct np_mask *mask);

/* Back from RAS order to `native`'s order: the inverse of the above. NULL when memory does not
 * suffice. */
struct np_image *np_image_from_ras(const struct np_image *ras, const struct np_grid *native);
struct np_mask *np_mask_from_ras(const struct np_mask *ras, const struct np_grid *native);

#endif
