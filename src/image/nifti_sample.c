/* A sample of an image's voxels, and an estimate of how many of all voxels are not zero. */
#include <math.h>

#include "image/nifti_convert.h"
#include "image/nifti_file.h"

enum {
    N_PLACES = 128, /* in a plain file */
    PLACE = NP_NIFTI_SAMPLE_VOXELS / N_PLACES,
    /* Of compressed content: a library inflates up to 64 KiB ahead of what was asked for, which
     * must not count; and a beginning of zeros says nothing. */
    LEAST_BYTES = 1 << 19,
    MOST_BYTES = 64 << 20,
    MOST_VOXEL_BYTES = 8
};

struct sampling {
    struct np_source *source;
    const struct np_nifti_info *info;
    struct np_nifti_sample *sample;
    int64_t n_seen, n_nonzero; /* voxels */
    int64_t stride;            /* the sample keeps one place of so many */
    uint64_t raw[PLACE * MOST_VOXEL_BYTES / sizeof(uint64_t)];
    float voxel[PLACE];
};

/* Read a place, or what is left of it; returns how many voxels were there. */
static int64_t read_place(struct sampling *s)
{
    struct np_nifti_sample *sample = s->sample;
    struct np_nifti_seen seen = NP_NIFTI_NOTHING_SEEN;
    int64_t size = s->info->bytes_per_voxel;
    int64_t left = (int64_t)np_grid_voxels(&s->info->grid) - s->n_seen;
    size_t n_read = 0;

    /* The sample of a file that breaks off is what comes before the break. */
    NP_IGNORE(np_source_read(s->source, s->raw, (size_t)((left < PLACE ? left : PLACE) * size),
                             &n_read, NULL));
    int64_t n = (int64_t)n_read / size;
    np_nifti_convert(s->info, s->raw, n, s->voxel, &seen);
    bool kept = s->n_seen / PLACE % s->stride == 0;
    for (int64_t i = 0; i < n; i++) {
        s->n_nonzero += s->voxel[i] != 0;
        if (kept && s->voxel[i] != 0 && sample->n < NP_NIFTI_SAMPLE_VOXELS)
            sample->voxel[sample->n++] = s->voxel[i];
    }
    s->n_seen += n;
    return n;
}

static bool is_enough(const struct sampling *s)
{
    int64_t n_bytes = s->n_seen * s->info->bytes_per_voxel;

    return n_bytes >= MOST_BYTES ||
           (n_bytes >= LEAST_BYTES && s->n_nonzero >= NP_NIFTI_SAMPLE_VOXELS);
}

/*
 * Zeros before the first other voxel are left out. Those after it take as much as a fast packer
 * spends on them, a byte for 170: with another packer's file the estimate is a little high.
 */
static void sample_packed(struct sampling *s)
{
    static const double ZEROS_A_BYTE = 170;
    int64_t begin = np_source_used_bytes(s->source), n = PLACE, n_before = 0;

    s->stride = LEAST_BYTES / NP_NIFTI_SAMPLE_VOXELS / s->info->bytes_per_voxel;
    while (!is_enough(s) && n > 0) {
        if (s->n_nonzero == 0) {
            begin = np_source_used_bytes(s->source);
            n_before = s->n_seen;
        }
        n = read_place(s);
    }
    double used = (double)(np_source_used_bytes(s->source) - begin);
    double n_zeros = (double)(s->n_seen - n_before - s->n_nonzero);
    double for_zeros = n_zeros * s->info->bytes_per_voxel / ZEROS_A_BYTE;
    if (n == 0)
        s->sample->n_nonzero = (double)s->n_nonzero; /* that was all */
    else if (used > 0)
        s->sample->n_nonzero =
            (double)s->n_nonzero * (double)s->info->file_bytes / fmax(used - for_zeros, used / 2);
}

/* Voxels before place `i`: in each part of the image one place, but not at the same distance from
 * its beginning, which might be the same column of each slice. */
static int64_t place_at(int64_t i, int64_t n_voxels)
{
    static const double GOLDEN = 0.6180339887498949;
    int64_t part = n_voxels / N_PLACES;
    double turn = (double)i * GOLDEN;

    return part > PLACE ? i * part + (int64_t)((turn - floor(turn)) * (double)(part - PLACE))
                        : i * PLACE;
}

static void sample_plain(struct sampling *s)
{
    int64_t n_voxels = (int64_t)np_grid_voxels(&s->info->grid), at = 0;

    s->stride = 1;
    for (int64_t i = 0; i < N_PLACES; i++) {
        int64_t further = (place_at(i, n_voxels) - at) * s->info->bytes_per_voxel;
        if (np_source_jump(s->source, further) < 0)
            break;
        at = place_at(i, n_voxels) + read_place(s);
    }
    if (s->n_seen > 0)
        s->sample->n_nonzero = (double)s->n_nonzero / (double)s->n_seen * (double)n_voxels;
}

int np_nifti_read_sample(const char *path, struct np_nifti_info *info,
                         struct np_nifti_sample *sample, struct np_error *err)
{
    NP_AUTO(np_nifti_file_done) struct np_nifti_file file = {0};

    NP_TRY(np_nifti_file_open(path, &file, err));
    *info = file.info;
    sample->n = 0;
    double n_voxels = (double)np_grid_voxels(&info->grid);
    sample->n_nonzero = n_voxels; /* unless the sample shows fewer */
    sample->growth = 1;
    if (np_nifti_file_seek(&file, 0, NULL, NULL) < 0)
        return 0;
    NP_AUTO(np_freep) struct sampling *s = np_xcalloc(1, sizeof(*s));
    s->source = file.source;
    s->info = &file.info;
    s->sample = sample;
    if (file.info.gzipped)
        sample_packed(s);
    else
        sample_plain(s);
    sample->growth = fmax(1, sample->n_nonzero / n_voxels);
    sample->n_nonzero = fmin(sample->n_nonzero, n_voxels);
    return 0;
}
