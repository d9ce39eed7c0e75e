/* Inside this module: conversion of voxels between the file's types and floats. */
#ifndef NP_IMAGE_NIFTI_CONVERT_H
#define NP_IMAGE_NIFTI_CONVERT_H

#include "image/nifti.h"

/*
 * out[i] = raw[i] × slope + intercept, in double, then rounded to float. Values that are not finite
 * are counted and become 0; those of them that are finite in the file are counted again. `raw` is changed when its byte order is not this machine's.
 *   raw  n voxels of info->datatype, aligned to 8 bytes
 * Adds to `seen`.
 */
void np_nifti_convert(const struct np_nifti_info *info, void *raw, int64_t n, float *out,
                      struct np_nifti_seen *seen);

/* Bring stored voxels to this machine's byte order, in place. */
void np_nifti_to_native(const struct np_nifti_info *info, void *raw, int64_t n);

/* Voxels that a datatype could not hold. */
struct np_nifti_misfits {
    int64_t n_clipped, n_nan;
};

/*
 * raw[i] = (in[i] - intercept) / slope, in double, then rounded to the nearest integer, ties to
 * even, and clipped to what the datatype holds; NaN counts as 0.
 *   datatype  NIFTI_TYPE_UINT8 or NIFTI_TYPE_INT16
 * Adds to `misfits`.
 */
void np_nifti_store(int datatype, const float *in, int64_t n, double slope, double inter, void *raw,
                    struct np_nifti_misfits *misfits);

#endif
