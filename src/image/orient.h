/*
 * Storage order made canonical. Kernels run on images whose axes follow R, A, S as closely as the
 * grid allows, so that an image gives the same world-space result whichever of the 48 axis orders
 * it was stored in; results go back to the input's own order.
 */
#ifndef NP_IMAGE_ORIENT_H
#define NP_IMAGE_ORIENT_H

#include "base/exec.h"
#include "image/image.h"

/* A copy in closest-to-RAS+ order (axes permuted and flipped, no interpolation). NULL when memory
 * does not suffice. */
struct np_image *np_image_to_ras(const struct np_image *image, const struct np_exec *exec);
struct np_mask *np_mask_to_ras(const struct np_mask *mask, const struct np_exec *exec);

/* Back from RAS order to `native`'s order: the inverse of the above. NULL when memory does not
 * suffice. */
struct np_image *np_image_from_ras(const struct np_image *ras, const struct np_grid *native,
                                   const struct np_exec *exec);
struct np_mask *np_mask_from_ras(const struct np_mask *ras, const struct np_grid *native,
                                 const struct np_exec *exec);

/* True when `native`'s order is RAS order: its copies would be what they are copies of. */
bool np_grid_is_ras(const struct np_grid *native);

#endif
