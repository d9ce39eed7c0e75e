#include "image/nifti_convert.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <nifti1.h>
#include <string.h>

/* Number of voxels that fit into the cache between two passes over them. */
enum { PIECE = 1 << 14 };

typedef void convert_fn(const void *raw, int64_t n, double slope, double inter, float *out);

#define CONVERT_FROM(name, type)                                                         \
    static void name(const void *raw, int64_t n, double slope, double inter, float *out) \
    {                                                                                    \
        const type *in = raw;                                                            \
                                                                                         \
        for (int64_t i = 0; i < n; i++)                                                  \
            out[i] = (float)((double)in[i] * slope + inter);                             \
    }

CONVERT_FROM(from_uint8, uint8_t)
CONVERT_FROM(from_int8, int8_t)
CONVERT_FROM(from_uint16, uint16_t)
CONVERT_FROM(from_int16, int16_t)
CONVERT_FROM(from_uint32, uint32_t)
CONVERT_FROM(from_int32, int32_t)
CONVERT_FROM(from_uint64, uint64_t)
CONVERT_FROM(from_int64, int64_t)
CONVERT_FROM(from_float32, float)
CONVERT_FROM(from_float64, double)

static const struct {
    int datatype;
    convert_fn *convert;
} converters[] = {
    {NIFTI_TYPE_UINT8, from_uint8},     {NIFTI_TYPE_INT8, from_int8},
    {NIFTI_TYPE_UINT16, from_uint16},   {NIFTI_TYPE_INT16, from_int16},
    {NIFTI_TYPE_UINT32, from_uint32},   {NIFTI_TYPE_INT32, from_int32},
    {NIFTI_TYPE_UINT64, from_uint64},   {NIFTI_TYPE_INT64, from_int64},
    {NIFTI_TYPE_FLOAT32, from_float32}, {NIFTI_TYPE_FLOAT64, from_float64},
};

void np_nifti_to_native(const struct np_nifti_info *info, void *raw, int64_t n)
{
    int n_bytes = info->swapped ? info->bytes_per_voxel : 1;
    uint16_t *two = raw;
    uint32_t *four = raw;
    uint64_t *eight = raw;

    for (int64_t i = 0; n_bytes == 2 && i < n; i++)
        two[i] = __builtin_bswap16(two[i]);
    for (int64_t i = 0; n_bytes == 4 && i < n; i++)
        four[i] = __builtin_bswap32(four[i]);
    for (int64_t i = 0; n_bytes == 8 && i < n; i++)
        eight[i] = __builtin_bswap64(eight[i]);
}

static int64_t count_nonfinite(const float *voxel, int64_t n)
{
    int64_t count = 0;

    for (int64_t i = 0; i < n; i++)
        count += !(fabsf(voxel[i]) <= FLT_MAX);
    return count;
}

/* Several independent minima and maxima, so that no comparison waits for the previous one. */
static void range(const float *voxel, int64_t n, struct np_nifti_seen *seen)
{
    enum { LANES = 8 };
    float low[LANES], high[LANES];

    for (int j = 0; j < LANES; j++) {
        low[j] = INFINITY;
        high[j] = -INFINITY;
    }
    for (int64_t i = 0; i < n; i += LANES)
        for (int64_t j = 0; j < LANES && i + j < n; j++) {
            float v = voxel[i + j];
            low[j] = v < low[j] ? v : low[j];
            high[j] = v > high[j] ? v : high[j];
        }
    for (int j = 0; j < LANES; j++) {
        seen->minimum = low[j] < seen->minimum ? low[j] : seen->minimum;
        seen->maximum = high[j] > seen->maximum ? high[j] : seen->maximum;
    }
}

/* The same for voxels that are not all finite: the others become 0 and are left out of the
 * statistics. */
static void range_of_finite(float *voxel, int64_t n, struct np_nifti_seen *seen)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(voxel[i])) {
            voxel[i] = 0;
            continue;
        }
        seen->minimum = voxel[i] < seen->minimum ? voxel[i] : seen->minimum;
        seen->maximum = voxel[i] > seen->maximum ? voxel[i] : seen->maximum;
    }
}

/* Voxels that are NaN or infinite in the file; integers never are. */
static int64_t count_stored_nonfinite(const struct np_nifti_info *info, const void *raw, int64_t n)
{
    const double *value = raw;
    int64_t count = 0;

    if (info->datatype == NIFTI_TYPE_FLOAT32)
        return count_nonfinite(raw, n);
    for (int64_t i = 0; info->datatype == NIFTI_TYPE_FLOAT64 && i < n; i++)
        count += !isfinite(value[i]);
    return count;
}

static void convert_piece(const struct np_nifti_info *info, convert_fn *convert, uint8_t *raw,
                          int64_t n, float *out, struct np_nifti_seen *seen)
{
    np_nifti_to_native(info, raw, n);
    convert(raw, n, info->scl_slope, info->scl_inter, out);
    int64_t n_nonfinite = count_nonfinite(out, n);
    seen->n_nonfinite += n_nonfinite;
    if (n_nonfinite == 0) {
        range(out, n, seen);
        return;
    }
    seen->n_too_large += n_nonfinite - count_stored_nonfinite(info, raw, n);
    range_of_finite(out, n, seen);
}

void np_nifti_convert(const struct np_nifti_info *info, void *raw, int64_t n, float *out,
                      struct np_nifti_seen *seen)
{
    convert_fn *convert = NULL;
    uint8_t *bytes = raw;

    for (size_t i = 0; i < NP_COUNT(converters); i++)
        if (converters[i].datatype == info->datatype)
            convert = converters[i].convert;
    assert(convert);
    for (int64_t done = 0; done < n; done += PIECE)
        convert_piece(info, convert, bytes + done * info->bytes_per_voxel,
                      n - done < PIECE ? n - done : PIECE, out + done, seen);
}

#define STORE_AS(name, type, low, high)                                                  \
    static void name(const float *in, int64_t n, double slope, double inter, type *out,  \
                     struct np_nifti_misfits *misfits)                                   \
    {                                                                                    \
        int64_t n_clipped = 0, n_nan = 0;                                                \
                                                                                         \
        for (int64_t i = 0; i < n; i++) {                                                \
            double value = isnan(in[i]) ? 0 : in[i];                                     \
            double rounded = rint((value - inter) / slope);                              \
            double kept = rounded < (low) ? (low) : rounded > (high) ? (high) : rounded; \
            n_nan += isnan(in[i]);                                                       \
            n_clipped += kept != rounded;                                                \
            out[i] = (type)kept;                                                         \
        }                                                                                \
        misfits->n_clipped += n_clipped;                                                 \
        misfits->n_nan += n_nan;                                                         \
    }

STORE_AS(as_uint8, uint8_t, 0, UINT8_MAX)
STORE_AS(as_int16, int16_t, INT16_MIN, INT16_MAX)

void np_nifti_store(int datatype, const float *in, int64_t n, double slope, double inter, void *raw,
                    struct np_nifti_misfits *misfits)
{
    assert(datatype == NIFTI_TYPE_UINT8 || datatype == NIFTI_TYPE_INT16);
    if (datatype == NIFTI_TYPE_UINT8)
        as_uint8(in, n, slope, inter, raw, misfits);
    else
        as_int16(in, n, slope, inter, raw, misfits);
}
