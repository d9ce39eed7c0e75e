/* Inside this module: an open NIfTI file with a checked header, whose volumes are read in the
 * file's order. np_nifti_read_volume and np_series use it. */
#ifndef NP_IMAGE_NIFTI_FILE_H
#define NP_IMAGE_NIFTI_FILE_H

#include "codec/source.h"
#include "image/nifti_header.h"

/* Zeroed before np_nifti_file_open. */
struct np_nifti_file {
    char *path;               /* as it was given, for errors */
    struct np_source *source; /* of the voxels */
    int64_t position;         /* in its content */
    struct np_nifti_info info;
    struct np_nifti_layout layout;
    uint8_t *raw; /* two chunks of voxels on their way to floats; NULL before the first volume */
};

/*
 * Open the file that holds the header, check the header, open the file that holds the voxels (often
 * the same), check that it can hold what the header claims. Returns what np_nifti_read_info
 * returns; then only np_nifti_file_done may follow.
 */
int np_nifti_file_open(const char *path, struct np_nifti_file *file,
                       struct np_error *err) NP_MUST_USE;

/* Accepts a zeroed struct. */
void np_nifti_file_done(struct np_nifti_file *file);

/* Check that voxels can be converted to floats. Returns 0, NP_EVALUE (slope or intercept not
 * finite). */
int np_nifti_file_check_scaling(const struct np_nifti_file *file, struct np_error *err) NP_MUST_USE;

/* Go to a volume's first voxel. Returns what np_nifti_file_read returns. */
int np_nifti_file_seek(struct np_nifti_file *file, int64_t volume, const struct np_exec *exec,
                       struct np_error *err) NP_MUST_USE;

/*
 * Read one volume, scaled, as np_nifti_convert does it. Volumes before the place that was read last
 * cost a way from the file's beginning.
 *   volume  in [0, info.grid.n[3])
 *   voxel   np_grid_voxels of floats
 * Returns 0, NP_ETRUNCATED, NP_EFORMAT, NP_ENOMEM, NP_EIO, NP_EBUSY (the file changed),
 * NP_ECANCELED; then only np_nifti_file_done may follow.
 */
int np_nifti_file_read(struct np_nifti_file *file, int64_t volume, const struct np_exec *exec,
                       float *voxel, struct np_nifti_seen *seen, struct np_error *err) NP_MUST_USE;

/* The same, as the file holds them, in this machine's byte order.
 *   voxel  np_grid_voxels of info.datatype, aligned to 8 bytes */
int np_nifti_file_read_stored(struct np_nifti_file *file, int64_t volume,
                              const struct np_exec *exec, void *voxel,
                              struct np_error *err) NP_MUST_USE;

/*
 * Read to the file's end: all volumes are there, all checksums are right.
 *   n_extra_bytes  content after the last voxel
 *   sha256         of the data file's bytes on disk, hex
 * Returns what np_nifti_file_read returns.
 */
int np_nifti_file_finish(struct np_nifti_file *file, const struct np_exec *exec,
                         int64_t *n_extra_bytes, char sha256[NP_SHA256_HEX],
                         struct np_error *err) NP_MUST_USE;

#endif
