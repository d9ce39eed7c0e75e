/* Inside this module: a NIfTI header's bytes, made sense of and checked. Nothing here opens a file
 * or asks for memory. */
#ifndef NP_IMAGE_NIFTI_HEADER_H
#define NP_IMAGE_NIFTI_HEADER_H

#include "image/nifti.h"

enum {
    NP_NIFTI1_BYTES = 348,
    NP_NIFTI2_BYTES = 540,
    NP_NIFTI1_OFFSET = 352, /* first place for voxels in a single file: header, 4 bytes more */
    NP_NIFTI2_OFFSET = 544,
    NP_NIFTI_MOST_AXIS1 = 32767 /* an axis of NIfTI-1 is a short */
};

/* Where a header says that the voxels are. */
struct np_nifti_layout {
    bool is_pair;         /* in an .img file of their own */
    int n_axes;           /* up to the last one with more than one voxel */
    int64_t offset;       /* of the first voxel in the data file's content */
    int64_t n_data_bytes; /* of all volumes; offset + n_data_bytes does not overflow */
};

/* Bytes that a header of this beginning has: 348 or 540;
 * 0 when `bytes` (at least 4) begins none. */
size_t np_nifti_header_bytes(const uint8_t *bytes, size_t n_bytes);

/*
 * Check a header and say what it means. `info` is filled but for gzipped and file_bytes.
 *   bytes  the file's content from its start, as many as np_nifti_header_bytes said
 * Returns 0 or what np_nifti_read_info says of bad headers; outputs are untouched then.
 */
int np_nifti_parse(const char *path, const uint8_t *bytes, size_t n_bytes,
                   struct np_nifti_info *info, struct np_nifti_layout *layout,
                   struct np_error *err);

/*
 * Refuse content that begins no NIfTI header, saying what it looks like.
 *   packing  "" or "gzipped ": put before what was found
 * Returns NP_EFORMAT, NP_ETRUNCATED (empty), NP_ECONTENT (a pointer file).
 */
int np_nifti_refuse(const char *path, const char *packing, const uint8_t *bytes, size_t n_bytes,
                    struct np_error *err);

#endif
