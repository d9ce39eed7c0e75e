/* Inside this module: writing a NIfTI file, its voxels in pieces of any size.
 * np_nifti_write_image, np_nifti_write_mask and np_series_writer use it. */
#ifndef NP_IMAGE_NIFTI_OUT_H
#define NP_IMAGE_NIFTI_OUT_H

#include "codec/packed.h"
#include "image/nifti_compose.h"

/* Zeroed before np_nifti_out_open. */
struct np_nifti_out {
    char *path; /* name in errors */
    int fd;
    bool is_open; /* fd is */
    struct np_packer *packer;
};

/*
 * Create the file `fd_path` and write the header; gzipped when `path` ends in ".gz".
 * Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO, NP_ENOMEM; then only np_nifti_out_done may follow.
 */
int np_nifti_out_open(const char *path, const char *fd_path, const struct np_nifti_form *form,
                      const struct np_nifti_output *how, const struct np_exec *exec,
                      struct np_nifti_out *out, struct np_error *err) NP_MUST_USE;

/* Write the last voxels (all of them, when none were appended to the packer), sync and close.
 * Returns the above and NP_ECANCELED; `written` is untouched on failure. */
int np_nifti_out_finish(struct np_nifti_out *out, const struct np_bytes *last,
                        struct np_nifti_written *written, struct np_error *err) NP_MUST_USE;

/* Accepts a zeroed struct. */
void np_nifti_out_done(struct np_nifti_out *out);

#endif
