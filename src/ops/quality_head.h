/*
 * The head's outline, and the air above it, without a template: what image quality is measured in
 * (ops/quality_regions.h).
 */
#ifndef NP_OPS_QUALITY_HEAD_H
#define NP_OPS_QUALITY_HEAD_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/quality_regions.h"

/* Above the brain's middle in front of it, and from 20 mm below it on in the rear: neither nose nor
 * neck. `brain`: axes closest to RAS+, not empty. */
struct np_hat_planes np_quality_planes(const struct np_mask *brain);

/*
 * The head, on cells of about 3 mm and of at least 8 voxels: those whose mean lies above the air's
 * level by more than 0.2 of the brain's, with the brain; above the planes only within 30 mm of the
 * brain, so that bright ghosts are no head. The largest part across faces, edges and corners; gaps
 * of less than 18 mm closed, holes filled, one cell wider on all sides. The air's level is the 10 %
 * quantile of the cells that are not 0, the brain's its median.
 *   source  any units, finite
 *   brain   same grid
 *   head    out: same grid; every voxel is written
 * Returns 0, NP_EDOMAIN (no brain, or none that is brighter than air), NP_ENOMEM, NP_ECANCELED; on
 * failure the content of `head` is undefined.
 */
int np_quality_head(const struct np_image *source, const struct np_mask *brain,
                    const struct np_hat_planes *planes, const struct np_exec *exec,
                    struct np_mask *head, struct np_error *err) NP_MUST_USE;

#endif
