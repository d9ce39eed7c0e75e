/*
 * Writing a series of volumes (a 4-D image), one volume at a time. image/series.h is for reading,
 * and tells why only tests call these functions so far.
 */
#ifndef NP_IMAGE_SERIES_WRITER_H
#define NP_IMAGE_SERIES_WRITER_H

#include "image/nifti.h"

struct np_series_writer;

/* NIfTI's own codes, as in np_nifti_info. */
enum np_series_datatype { NP_SERIES_UINT8 = 2, NP_SERIES_INT16 = 4, NP_SERIES_FLOAT32 = 16 };

/* The content of the file and options for writing. */
struct np_series_output {
    const struct np_grid *grid; /* n[3] volumes, tr_s seconds apart; 0 = not known */
    enum np_series_datatype datatype;
    double scl_slope, scl_inter;   /* value = stored × slope + intercept; float32: 1 and 0 */
    struct np_nifti_output header; /* as np_nifti_write_image takes it */
};

/* The result of writing. */
struct np_series_written {
    struct np_nifti_written file;
    /* Voxels whose value the datatype cannot hold; the nearest that it can was stored. */
    int64_t n_clipped;
    int64_t n_nan; /* voxels that were NaN, stored as the value 0; always 0 for float32 */
};

/*
 * Begin a single-file NIfTI of four axes, as np_nifti_write_image writes three: little-endian,
 * gzipped when `path` ends in ".gz", of version 2 when an axis exceeds 32767 or the header's `like`
 * is of version 2, the same bytes for any number of threads. The time between volumes stands in
 * pixdim[4], in seconds.
 *   path     what errors name, and what decides about gzip
 *   fd_path  where the bytes go: a temporary, which the caller renames after
 *            np_series_writer_finish (np_atomic_file). A file that was not finished is refused by
 *            readers: gzip without its end, or fewer volumes than its header claims.
 *   how      not needed after the call
 *   exec     may be NULL; borrowed until np_series_writer_freep
 * Memory: what np_packer_open takes, and one volume as it is stored (none for float32).
 * Returns 0, NP_EVALUE (a slope that is 0 or not finite, an intercept that is not finite, scaling
 * of float32, a time between volumes that is negative or not finite), NP_ECREATE, NP_ESPACE,
 * NP_EIO, NP_ENOMEM. On failure *writer is untouched.
 */
int np_series_writer_open(const char *path, const char *fd_path, const struct np_series_output *how,
                          const struct np_exec *exec, struct np_series_writer **writer,
                          struct np_error *err) NP_MUST_USE;

/* Accepts NULL and a pointer to NULL; nulls the pointer. */
void np_series_writer_freep(struct np_series_writer **writer);

/*
 * Write the next volume. Integers are (value - intercept) / slope, rounded to the nearest, ties to
 * even. Values that the datatype cannot hold become the nearest that it can, as in other tools:
 * interpolation makes some in every series. They are counted, so that the caller can say so.
 * Integers that were read with a slope and an intercept are written back by the same two as what
 * they were, if |intercept / slope| is below a million. Floats are written as they are, NaN too.
 *   image  of the writer's shape
 * Returns 0, NP_EINTERNAL (all volumes of the grid are written already), NP_ESPACE, NP_EIO,
 * NP_ENOMEM, NP_ECANCELED. After a failure only np_series_writer_freep may follow.
 */
int np_series_writer_append(struct np_series_writer *writer, const struct np_image *image,
                            struct np_error *err) NP_MUST_USE;

/* The same for voxels as they are stored: np_grid_voxels(grid) of the datatype. */
int np_series_writer_append_stored(struct np_series_writer *writer, const void *voxel,
                                   struct np_error *err) NP_MUST_USE;

/* End the file, sync and close it. Returns what np_series_writer_append returns (NP_EINTERNAL:
 * volumes are missing); `written` is untouched on failure. */
int np_series_writer_finish(struct np_series_writer *writer, struct np_series_written *written,
                            struct np_error *err) NP_MUST_USE;

#endif
