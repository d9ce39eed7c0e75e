/* Inside this module: voxels as a file holds them, made floats. */
#ifndef NP_IMAGE_NIFTI_CONVERT_H
#define NP_IMAGE_NIFTI_CONVERT_H

#include "image/nifti.h"

/*
 * out[i] = raw[i] × slope + intercept, in double, then rounded to float; what is not finite then is
 * counted and becomes 0. `raw` is changed when its byte order is not ours.
 *   raw  n voxels of info->datatype, aligned to 8 bytes
 * Adds to `seen`.
 */
void np_nifti_convert(const struct np_nifti_info *info, void *raw, int64_t n, float *out,
                      struct np_nifti_seen *seen);

/* Bring stored voxels to this machine's byte order, in place. */
void np_nifti_to_native(const struct np_nifti_info *info, void *raw, int64_t n);

#endif
