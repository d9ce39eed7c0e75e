/* Inside this module: parsing and checking the bytes of a NIfTI header. Nothing here opens a
 * file or allocates memory. */
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

/* The position of the voxels according to a header. */
struct np_nifti_layout {
    bool is_pair;         /* in an .img file of their own */
    int n_axes;           /* up to the last one with more than one voxel */
    int64_t offset;       /* of the first voxel in the data file's content */
    int64_t n_data_bytes; /* of all volumes; offset + n_data_bytes does not overflow */
};

/* Size of the header that begins with `bytes` (at least 4): 348 or 540; 0 when they begin no
 * header. */
size_t np_nifti_header_bytes(const uint8_t *bytes, size_t n_bytes);

/*
 * Check a header and fill `info`, except gzipped and file_bytes.
 *   bytes  the start of the file's content, as many as np_nifti_header_bytes returned
 * Returns 0 or what np_nifti_read_info returns for bad headers; outputs are then untouched.
 */
int np_nifti_parse(const char *path, const uint8_t *bytes, size_t n_bytes,
                   struct np_nifti_info *info, struct np_nifti_layout *layout,
                   struct np_error *err) NP_MUST_USE;

/*
 * Refuse content that begins no NIfTI header, and name its probable format.
 *   packing  "" or "gzipped ": prefix of the format's name
 * Returns NP_EFORMAT, NP_ETRUNCATED (empty), NP_ECONTENT (a pointer file).
 */
int np_nifti_refuse(const char *path, const char *packing, const uint8_t *bytes, size_t n_bytes,
                    struct np_error *err) NP_MUST_USE;

#endif
