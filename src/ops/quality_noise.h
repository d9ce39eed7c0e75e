/*
 * The second index of Mortamet et al. 2009 (doi:10.1002/mrm.21992), private to ops: how far the
 * intensities of the air are from a chi-squared distribution, right of where their density has
 * fallen to half its maximum.
 */
#ifndef NP_OPS_QUALITY_NOISE_H
#define NP_OPS_QUALITY_NOISE_H

#include "base/error.h"
#include "ops/quality_levels.h"

/*
 * The values are scaled to a 99 % quantile of 100. Their density is estimated with a normal kernel
 * of standard deviation 4, the distribution (degrees of freedom, location, scale) by maximum
 * likelihood. `index` is the mean distance of the two densities over those of 1000 points from 0 to
 * 110 that lie right of the half maximum; 0 of fewer than 1000 positive values.
 * Returns 0, NP_ENOMEM; `index` is then untouched.
 */
int np_quality_noise_index(const int64_t count[NP_N_LEVELS], double *index,
                           struct np_error *err) NP_MUST_USE;

#endif
