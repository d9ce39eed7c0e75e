/* Inside this module: composing the bytes of a header for writing. */
#ifndef NP_IMAGE_NIFTI_COMPOSE_H
#define NP_IMAGE_NIFTI_COMPOSE_H

#include "image/nifti_header.h"

/* The content of a file to write. */
struct np_nifti_form {
    const struct np_grid *grid;
    /* Four axes, the last of them time, even when there is one volume; else three. */
    bool is_series;
    int datatype, bytes_per_voxel;
    double scl_slope, scl_inter;
};

/* 1, or 2 when an axis is too long for version 1 or `how->like` is of version 2.
 * `how` may be NULL. */
int np_nifti_compose_version(const struct np_nifti_form *form, const struct np_nifti_output *how);

/* A single file's header, and the four bytes that say "no extension". Returns how many bytes that
 * is: the place of the first voxel. `how` may be NULL. */
size_t np_nifti_compose(const struct np_nifti_form *form, const struct np_nifti_output *how,
                        uint8_t head[NP_NIFTI2_OFFSET]);

#endif
