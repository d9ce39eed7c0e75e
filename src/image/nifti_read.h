/* Inside this module: an image's file, opened for reading its voxels. */
#ifndef NP_IMAGE_NIFTI_READ_H
#define NP_IMAGE_NIFTI_READ_H

#include "codec/source.h"
#include "image/nifti_header.h"

/* Start with zeros. */
struct np_nifti_opened {
    struct np_source *source; /* of the voxels */
    int64_t position;         /* in its content */
    struct np_nifti_info info;
    struct np_nifti_layout layout;
};

/*
 * Open the file that holds the header, check the header, open the file that holds the voxels (often
 * the same), check that it can hold what the header claims.
 * Returns what np_nifti_read_info returns.
 */
int np_nifti_open(const char *path, struct np_nifti_opened *file, struct np_error *err);
void np_nifti_opened_done(struct np_nifti_opened *file);

/* Go to the first voxel. Returns 0, NP_ETRUNCATED, NP_EFORMAT, NP_EIO, NP_ECANCELED. */
int np_nifti_skip_to_voxels(const char *path, struct np_nifti_opened *file,
                            const struct np_exec *exec, struct np_error *err);

#endif
