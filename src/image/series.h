/*
 * Series of volumes (4-D images), read and written one volume at a time, so that a long one is
 * never in memory as a whole. Runs over time will use them. No modality of this version has more
 * than one volume, so only tests call the functions here; their parts (image/nifti_file.h,
 * image/nifti_out.h, codec/packed.h) read and write every image.
 */
#ifndef NP_IMAGE_SERIES_H
#define NP_IMAGE_SERIES_H

#include "image/nifti.h"

struct np_series;

/*
 * Open a series for reading, and check its header. A file of one volume is a series of one.
 *   exec  may be NULL; borrowed until np_series_freep
 * Memory: 256 KiB, and 4 MiB from the first np_series_read on.
 * Returns 0, what np_nifti_read_info returns, NP_EDIMENSION (a fifth axis with more than one voxel:
 * it is not said what its volumes are), NP_EVALUE (NaN slope). On failure *series is untouched.
 */
int np_series_open(const char *path, const struct np_exec *exec, struct np_series **series,
                   struct np_error *err) NP_MUST_USE;

/* Accepts NULL and a pointer to NULL; nulls the pointer. */
void np_series_freep(struct np_series **series);

/*
 * The header, borrowed: grid.n[3] volumes on `grid`, grid.tr_s seconds apart (0 when there is one
 * volume or the fourth axis is no time); datatype, scl_slope and scl_inter are what is stored.
 */
const struct np_nifti_info *np_series_info(const struct np_series *series);

/*
 * Read one volume as floats, scaled, in the file's axis order. Volumes may be read in any order,
 * but the file is a stream: on the way to a later volume those between are read too, on the way to
 * an earlier one the file is read again from its beginning. So read forwards; each step back costs
 * a whole pass in the worst case. Bytes that are read again must be what they were: see NP_EBUSY.
 *   volume  in [0, grid.n[3])
 *   image   on the series' grid, as np_image_new makes it; its contents are replaced
 *   seen    what was seen is added; may be NULL
 * Returns 0, NP_ETRUNCATED (fewer volumes than the header claims: says which one is missing),
 * NP_EFORMAT (corrupt gzip), NP_ENOMEM, NP_EIO, NP_EBUSY (the file changed between two passes),
 * NP_ECANCELED. After a failure only np_series_freep may follow, and the image holds anything.
 */
int np_series_read(struct np_series *series, int64_t volume, struct np_image *image,
                   struct np_nifti_seen *seen, struct np_error *err) NP_MUST_USE;

/* The same as the file holds it, in this machine's byte order.
 *   voxel  np_grid_voxels(grid) of the stored datatype, aligned to 8 bytes */
int np_series_read_stored(struct np_series *series, int64_t volume, void *voxel,
                          struct np_error *err) NP_MUST_USE;

/*
 * Read to the file's end, so that all volumes are known to be there and all checksums are verified.
 * Volumes may be read again after it.
 *   n_extra_bytes  content after the last volume
 *   sha256         of the data file's bytes on disk, hex: of those that all passes read
 * Returns what np_series_read returns.
 */
int np_series_finish(struct np_series *series, int64_t *n_extra_bytes, char sha256[65],
                     struct np_error *err) NP_MUST_USE;

#endif
