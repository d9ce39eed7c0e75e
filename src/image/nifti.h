/*
 * NIfTI files: the only module that knows niftilib.
 * NIfTI-1 and -2; .nii, .nii.gz, .hdr + .img (each plain or gzipped); both byte orders. The
 * standards: https://nifti.nimh.nih.gov/nifti-1 and https://nifti.nimh.nih.gov/nifti-2
 */
#ifndef NP_IMAGE_NIFTI_H
#define NP_IMAGE_NIFTI_H

#include <math.h>

#include "base/exec.h"
#include "base/str.h"
#include "image/image.h"

enum np_geometry_source { NP_GEOMETRY_SFORM, NP_GEOMETRY_QFORM };

/* The content of a header, checked; plain data, nothing to release. */
struct np_nifti_info {
    struct np_grid grid;
    int version;            /* 1 or 2 */
    int datatype;           /* NIFTI_TYPE_* */
    char datatype_name[16]; /* "INT16" */
    int bytes_per_voxel;
    double scl_slope, scl_inter; /* 1 and 0 when the header's slope is 0, NaN or infinite */
    double stated_slope;         /* the header's */
    enum np_geometry_source geometry;
    int xform_code; /* of that source: meaning of the world coordinates; 1 scanner, 2 aligned (also
                       for a code that no standard has), … */
    int qform_code, sform_code; /* the header's */
    double pixdim_mm[3];        /* voxel sizes as the header states them; 0 = not stated */
    bool has_both_forms;        /* a valid sform and a valid qform */
    struct np_affine world_from_voxel_by_qform; /* when it has both */
    int slice_code, dim_info;                   /* copied to the output's header */
    bool swapped;                               /* the file's byte order is not this machine's */
    bool gzipped;
    int64_t file_bytes; /* size of the data file on disk */
};

/* The file with the voxels: the .img of a pair, for either name. The caller frees. */
char *np_nifti_data_path(const char *path);

/*
 * Read and check a header; reads no voxels and allocates nothing by its sizes.
 * Geometry: sform when its code > 0, else qform when its code > 0, else NP_EGEOMETRY. A singular or
 * non-finite one is NP_EGEOMETRY (also a singular sform beside a valid qform: the file contradicts
 * itself). Trailing axes of length 1 do not count; nt is n[3].
 * Returns 0, NP_ENOINPUT, NP_ECONTENT (link to content that is not here), NP_EFORMAT (not NIfTI:
 * names the probable format, DICOM, HTML, gzip of something else …), NP_ETRUNCATED, NP_EHEADER,
 * NP_EDATATYPE (complex, RGB), NP_EDIMENSION, NP_EGEOMETRY, NP_EIO. Each sentence names the file,
 * what was expected, what was found, what to do.
 */
int np_nifti_read_info(const char *path, struct np_nifti_info *info,
                       struct np_error *err) NP_MUST_USE;

/*
 * Add a sentence for each point in which the header contradicts itself or the standard and can yet
 * be used: sform and qform that mirror each other or lie apart, voxel sizes, the code of the form,
 * the slope. Each gives both figures; none names the file.
 */
void np_nifti_doubts(const struct np_nifti_info *info, struct np_strings *sentences);

enum { NP_NIFTI_SAMPLE_VOXELS = 1 << 16, NP_NIFTI_SIZES = 1 << 14 };

/*
 * A sample of an image's voxels, to estimate how well its values compress. Of each run of zeros it
 * holds one, because in a compressed file the length of a run hardly counts, but its ends do.
 */
struct np_nifti_sample {
    float voxel[NP_NIFTI_SAMPLE_VOXELS]; /* scaled */
    int64_t n;
    int64_t n_values; /* of them not zero */
    double n_nonzero; /* voxels of the whole image that are not zero, estimated */
    double growth;    /* packed bytes of a voxel of the whole by those of the sample; at least 1 */
    float minimum;    /* of the voxels that were read, and 0 */
    int64_t n_of_size[NP_NIFTI_SIZES]; /* voxels that were read and are not zero, by |v|: 64 sizes
                                          from each power of 2 to the next */
};

/* Append a voxel, unless the sample is full or the voxel continues a run of zeros. */
void np_nifti_sample_add(struct np_nifti_sample *sample, float value);

/*
 * Voxels of the whole image, estimated, whose size |v| is above `share` of a quantile of the sizes
 * of those that are not zero. Of an image that was read whole it is right but for the width of a
 * size, 1.6 % of it.
 */
double np_nifti_sample_above(const struct np_nifti_sample *sample, double share, double quantile);

/* How much of a file is read for a sample: in a few milliseconds the beginning of a compressed one,
 * or some places of a plain one; or all of it (256 MiB of content at most). */
enum np_nifti_reach { NP_NIFTI_BEGINNING, NP_NIFTI_WHOLE };

/*
 * Read a header, as np_nifti_read_info, and a sample of the voxels, in places spread over the
 * image. With NP_NIFTI_WHOLE the voxels between them are counted too. With NP_NIFTI_BEGINNING only
 * these places are read of a plain file; a compressed one is read from its beginning until the sample is full: the
 * bytes that the sample takes in the file say how many such voxels the whole file holds (a run of
 * zeros takes nearly none). So less than a MiB of a file is read, and a beginning without anything
 * but zeros is left after 64 MiB of content. The rest may be tissue, or noise alone.
 * A file that ends early gives what was read before.
 * Returns what np_nifti_read_info returns; on failure `info` and `sample` are untouched.
 */
int np_nifti_read_sample(const char *path, enum np_nifti_reach reach, struct np_nifti_info *info,
                         struct np_nifti_sample *sample, struct np_error *err) NP_MUST_USE;

/* Statistics of voxels that were converted to floats; they add up over volumes. */
struct np_nifti_seen {
    int64_t n_nonfinite;    /* voxels that were NaN or infinite; they are 0 in the image */
    int64_t n_too_large;    /* of them: finite in the file, beyond the range of float32 */
    float minimum, maximum; /* of the finite voxels, scaled; minimum > maximum: there was none */
};
#define NP_NIFTI_NOTHING_SEEN ((struct np_nifti_seen){0, 0, INFINITY, -INFINITY})

/* Results of np_nifti_read_volume besides the voxels. */
struct np_nifti_content {
    int64_t n_nonfinite;     /* voxels that were NaN or infinite; they are 0 in the image */
    int64_t n_too_large;     /* of them: finite in the file, beyond the range of float32 */
    double minimum, maximum; /* of the finite voxels, scaled */
    int64_t n_extra_bytes;   /* after the last voxel: padding, or a header that says too little */
    char sha256[65];         /* of the data file's bytes on disk, hex */
};

/*
 * Read the (only) volume as float, scaled by slope and intercept, in the file's axis order.
 *   info   out, may be NULL
 *   image  out, owned by the caller
 * 3-D images only: more than one volume is NP_EDIMENSION, fewer than 3 axes with more than one
 * voxel too. Returns the above and NP_ENOMEM (says how much), NP_EVALUE (a slope with a NaN or
 * infinite intercept), NP_ECANCELED.
 */
int np_nifti_read_volume(const char *path, const struct np_exec *exec, struct np_nifti_info *info,
                         struct np_nifti_content *content, struct np_image **image,
                         struct np_error *err) NP_MUST_USE;

/*
 * Read a mask: voxels above 0.5 are inside. It must lie on `grid`.
 *   sha256  gets the hash of the data file's bytes on disk
 *   mask    out, owned by the caller, in the file's axis order
 * Returns what np_nifti_read_volume returns; NP_EGEOMETRY (another grid: both are named), NP_EVALUE
 * (nothing inside).
 */
int np_nifti_read_mask(const char *path, const struct np_grid *grid, const struct np_exec *exec,
                       char sha256[65], struct np_mask **mask, struct np_error *err) NP_MUST_USE;

/* Options for writing. */
struct np_nifti_output {
    const struct np_nifti_info *like; /* gives codes, slice order, units, version; may be NULL */
    const char *description;          /* header's descrip, at most 79 bytes; may be NULL */
};

/* The result of writing, for records. */
struct np_nifti_written {
    int64_t n_bytes;       /* on disk */
    char sha256[65];       /* of the file */
    char voxel_sha256[65]; /* of the voxel data, little-endian, before compression: the same for
                              every codec */
};

/*
 * The slope with which int16 holds an image: value = stored × slope. 0 stays 0, no value is clipped,
 * and none changes by more than 1/32767 of the largest size. The slope is a power of two, so every
 * reader computes the same floats, and whole numbers up to 32767 are exact. Of zeros alone it is 1.
 * False when a value is not finite, or when the slope would be too small for a header.
 */
bool np_nifti_int16_slope(const struct np_image *image, double *slope);

/*
 * Write one volume as float32 (image) or uint8 (mask) single-file NIfTI (version 1, or 2 when an
 * axis exceeds 32767 or `like` is version 2), little-endian, gzipped when `path` ends in ".gz".
 * sform and qform are both set to the grid (qform only when the grid has no shear). The gzip header
 * has neither time nor name. The bytes go to `fd_path` (a temporary file); `path` is the name in
 * errors and decides about gzip. The file is synced. Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO,
 * NP_ENOMEM, NP_ECANCELED.
 */
int np_nifti_write_image(const char *path, const char *fd_path, const struct np_image *image,
                         const struct np_nifti_output *how, const struct np_exec *exec,
                         struct np_nifti_written *written, struct np_error *err) NP_MUST_USE;
int np_nifti_write_mask(const char *path, const char *fd_path, const struct np_mask *mask,
                        const struct np_nifti_output *how, const struct np_exec *exec,
                        struct np_nifti_written *written, struct np_error *err) NP_MUST_USE;

/* As int16, with the slope that np_nifti_int16_slope gave, for this image or a part of its voxels, in
 * any order; NP_EINTERNAL for a slope that does not hold them. */
int np_nifti_write_int16(const char *path, const char *fd_path, const struct np_image *image,
                         double slope, const struct np_nifti_output *how,
                         const struct np_exec *exec, struct np_nifti_written *written,
                         struct np_error *err) NP_MUST_USE;

#endif
