/* NIfTI files written by hand, byte by byte at the offsets of the standard, so that headers can say
 * anything. Independent of the code under test and of niftilib. */
#ifndef NP_TESTS_ODD_NIFTI_H
#define NP_TESTS_ODD_NIFTI_H

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/path.h"
#include "tap.h"

struct odd {
    int version;
    bool big_endian;
    const char *magic; /* NULL = what the version has for a single file */
    int64_t sizeof_hdr;
    int64_t dim[8];
    int datatype, bitpix;
    double pixdim[8];
    double vox_offset, slope, inter;
    int qform_code, sform_code;
    double quatern[3], qoffset[3];
    double srow[3][4];
    int xyzt_units, slice_code, dim_info;
};

/* 4 × 3 × 2 voxels of uint8, 1 × 2 × 3 mm, sform diagonal. */
static inline struct odd odd_make(int version)
{
    struct odd odd = {.version = version,
                      .sizeof_hdr = version == 1 ? 348 : 540,
                      .dim = {3, 4, 3, 2, 1, 1, 1, 1},
                      .datatype = 2,
                      .bitpix = 8,
                      .pixdim = {1, 1, 2, 3, 0, 0, 0, 0},
                      .vox_offset = version == 1 ? 352 : 544,
                      .slope = 1,
                      .sform_code = 1,
                      .xyzt_units = 2,
                      .srow = {{1, 0, 0, -10}, {0, 2, 0, -20}, {0, 0, 3, -30}}};
    return odd;
}

enum odd_kind { ODD_INT8, ODD_INT16, ODD_INT32, ODD_INT64, ODD_FLOAT32, ODD_FLOAT64 };

/* A number as `kind` in the file's byte order. */
static inline void odd_put(uint8_t *at, enum odd_kind kind, double value, bool big_endian)
{
    static const size_t sizes[] = {1, 2, 4, 8, 4, 8};
    uint8_t bytes[8];
    int64_t integer = kind < ODD_FLOAT32 ? (int64_t)value : 0;
    float single = (float)value;

    if (kind == ODD_FLOAT32)
        memcpy(bytes, &single, 4);
    else if (kind == ODD_FLOAT64)
        memcpy(bytes, &value, 8);
    else
        memcpy(bytes, &integer, 8); /* little-endian: its first bytes */
    for (size_t i = 0; i < sizes[kind]; i++)
        at[big_endian ? sizes[kind] - 1 - i : i] = bytes[i];
}

static inline void odd_put_all(uint8_t *at, enum odd_kind kind, size_t step, const double *value,
                               int n, bool big_endian)
{
    for (int i = 0; i < n; i++)
        odd_put(at + (size_t)i * step, kind, value[i], big_endian);
}

/* The header's 348 or 540 bytes; `out` has room for 544. */
static inline void odd_header(const struct odd *odd, uint8_t *out)
{
    bool v1 = odd->version == 1, be = odd->big_endian;
    enum odd_kind real = v1 ? ODD_FLOAT32 : ODD_FLOAT64, code = v1 ? ODD_INT16 : ODD_INT32;
    size_t step = v1 ? 4 : 8;
    const char *magic = odd->magic ? odd->magic : v1 ? "n+1\0" : "n+2\0\r\n\032\n";

    memset(out, 0, 544);
    odd_put(out, ODD_INT32, (double)odd->sizeof_hdr, be);
    memcpy(out + (v1 ? 344 : 4), magic, v1 ? 4 : 8);
    for (int i = 0; i < 8; i++)
        odd_put(out + (v1 ? 40 + 2 * i : 16 + 8 * i), v1 ? ODD_INT16 : ODD_INT64,
                (double)odd->dim[i], be);
    odd_put(out + (v1 ? 70 : 12), ODD_INT16, odd->datatype, be);
    odd_put(out + (v1 ? 72 : 14), ODD_INT16, odd->bitpix, be);
    odd_put_all(out + (v1 ? 76 : 104), real, step, odd->pixdim, 8, be);
    odd_put(out + (v1 ? 108 : 168), v1 ? ODD_FLOAT32 : ODD_INT64, odd->vox_offset, be);
    odd_put(out + (v1 ? 112 : 176), real, odd->slope, be);
    odd_put(out + (v1 ? 116 : 184), real, odd->inter, be);
    odd_put(out + (v1 ? 252 : 344), code, odd->qform_code, be);
    odd_put(out + (v1 ? 254 : 348), code, odd->sform_code, be);
    odd_put_all(out + (v1 ? 256 : 352), real, step, odd->quatern, 3, be);
    odd_put_all(out + (v1 ? 268 : 376), real, step, odd->qoffset, 3, be);
    odd_put_all(out + (v1 ? 280 : 400), real, step, odd->srow[0], 12, be);
    odd_put(out + (v1 ? 122 : 496), v1 ? ODD_INT8 : ODD_INT32, odd->slice_code, be);
    odd_put(out + (v1 ? 123 : 500), v1 ? ODD_INT8 : ODD_INT32, odd->xyzt_units, be);
    odd_put(out + (v1 ? 39 : 524), ODD_INT8, odd->dim_info, be);
}

/* A path in the test's folder; of the last eight calls. */
static inline const char *odd_path(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", tap_directory(), name);
    return path;
}

static inline const char *odd_write_bytes(const char *name, const void *bytes, size_t n)
{
    const char *path = odd_path(name);
    FILE *file = fopen(path, "wb");

    ok(file && (n == 0 || fwrite(bytes, 1, n, file) == n));
    ok(file && fclose(file) == 0);
    return path;
}

/* Header, zeros up to vox_offset, then `n` bytes of voxels. Returns the path. */
static inline const char *odd_write(const char *name, const struct odd *odd, const void *voxel,
                                    size_t n)
{
    uint8_t header[544];
    struct np_str file = {0};

    odd_header(odd, header);
    np_str_add_bytes(&file, header, odd->version == 1 ? 348 : 540);
    while ((double)file.length < odd->vox_offset && file.length < 4096)
        np_str_add_char(&file, 0);
    np_str_add_bytes(&file, voxel, n);
    const char *path = odd_write_bytes(name, file.text, file.length);
    np_str_done(&file);
    return path;
}

/* A gzipped copy; `mode` is zlib's: "wb0" stores without compressing. */
static inline void gzip_with(const char *mode, const char *from, const char *to)
{
    NP_AUTO(np_str_done) struct np_str content = {0};

    ok_int(np_file_read(from, 16 << 20, &content, NULL), 0);
    gzFile out = gzopen(to, mode);
    ok(out && gzwrite(out, content.text, (unsigned)content.length) == (int)content.length);
    ok_int(gzclose(out), Z_OK);
}

static inline void gzip_file(const char *from, const char *to)
{
    gzip_with("wb", from, to);
}

#endif
