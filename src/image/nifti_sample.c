/* A sample of an image's voxels, and an estimate of how many of all voxels are not zero. */
#include <math.h>

#include "image/nifti_convert.h"
#include "image/nifti_file.h"

enum {
    N_PLACES = 256, /* spread over the image */
    PLACE = NP_NIFTI_SAMPLE_VOXELS / N_PLACES,
    /* Of a compressed file's content. */
    LEAST_BYTES = 1 << 20,
    MOST_ZERO_BYTES = 64 << 20,    /* a beginning of zeros says nothing */
    MOST_SPREAD_BYTES = 256 << 20, /* the image beyond that is taken to be like its beginning */
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

void np_nifti_sample_add(struct np_nifti_sample *sample, float value)
{
    bool again = sample->n > 0 && sample->voxel[sample->n - 1] == 0;

    if (sample->n == NP_NIFTI_SAMPLE_VOXELS || (value == 0 && again))
        return;
    sample->voxel[sample->n++] = value;
    sample->n_values += value != 0;
}

/* Read a place, or what is left of it; returns how many voxels were there. */
static int64_t read_place(struct sampling *s)
{
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
        if (kept)
            np_nifti_sample_add(s->sample, s->voxel[i]);
    }
    s->n_seen += n;
    return n;
}

static bool is_enough(const struct sampling *s)
{
    int64_t n_bytes = s->n_seen * s->info->bytes_per_voxel;

    return n_bytes >= MOST_ZERO_BYTES ||
           (n_bytes >= LEAST_BYTES && s->n_nonzero >= NP_NIFTI_SAMPLE_VOXELS);
}

/* A place in the content: voxels before it, and bytes of the file. */
struct mark {
    int64_t n_seen, n_nonzero, used;
};

/*
 * Zeros before the first other voxel are left out. Those after it take as much as a fast packer
 * spends on them, a byte for 170: with another packer's file the estimate is a little high.
 */
static void count_packed(struct sampling *s, const struct mark *first, const struct mark *last)
{
    static const double ZEROS_A_BYTE = 170;
    double used = (double)(last->used - first->used);
    double n_zeros = (double)(last->n_seen - first->n_seen - last->n_nonzero);
    double for_zeros = n_zeros * s->info->bytes_per_voxel / ZEROS_A_BYTE;

    if (used > 0 && last->n_nonzero > 0)
        s->sample->n_nonzero = (double)last->n_nonzero * (double)s->info->file_bytes /
                               fmax(used - for_zeros, used / 2);
}

/* A library inflates ahead of what was asked for. When it takes more of the file, what it took
 * before was used up. */
static void sample_packed(struct sampling *s)
{
    struct mark first = {0}, last = {0};
    int64_t n = PLACE;

    s->stride = LEAST_BYTES / NP_NIFTI_SAMPLE_VOXELS / s->info->bytes_per_voxel;
    while (!is_enough(s) && n > 0) {
        struct mark here = {s->n_seen, s->n_nonzero, np_source_used_bytes(s->source)};
        n = read_place(s);
        if (np_source_used_bytes(s->source) == here.used)
            continue;
        last = here;
        if (here.n_nonzero == 0)
            first = here;
    }
    if (n == 0)
        s->sample->n_nonzero = (double)s->n_nonzero; /* that was all */
    else
        count_packed(s, &first, &last);
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

/* A compressed file is read on the way. */
static int go_further(struct np_source *source, int64_t n_bytes)
{
    int64_t n_skipped;

    if (!np_source_gzipped(source))
        return np_source_jump(source, n_bytes);
    return np_source_skip(source, n_bytes, NULL, &n_skipped, NULL);
}

static void sample_spread(struct sampling *s)
{
    int64_t n_voxels = (int64_t)np_grid_voxels(&s->info->grid), n_reached = n_voxels, at = 0;
    int64_t most = MOST_SPREAD_BYTES / s->info->bytes_per_voxel;

    if (s->info->gzipped && n_reached > most)
        n_reached = most;
    s->stride = 1;
    for (int64_t i = 0; i < N_PLACES; i++) {
        int64_t further = (place_at(i, n_reached) - at) * s->info->bytes_per_voxel;
        if (go_further(s->source, further) < 0)
            break;
        at = place_at(i, n_reached) + read_place(s);
    }
    if (s->n_seen > 0)
        s->sample->n_nonzero = (double)s->n_nonzero / (double)s->n_seen * (double)n_voxels;
}

int np_nifti_read_sample(const char *path, enum np_nifti_reach reach, struct np_nifti_info *info,
                         struct np_nifti_sample *sample, struct np_error *err)
{
    NP_AUTO(np_nifti_file_done) struct np_nifti_file file = {0};

    NP_TRY(np_nifti_file_open(path, &file, err));
    *info = file.info;
    sample->n = sample->n_values = 0;
    double n_voxels = (double)np_grid_voxels(&info->grid);
    sample->n_nonzero = n_voxels; /* unless the sample shows fewer */
    sample->growth = 1;
    if (np_nifti_file_seek(&file, 0, NULL, NULL) < 0)
        return 0;
    NP_AUTO(np_freep) struct sampling *s = np_xcalloc(1, sizeof(*s));
    s->source = file.source;
    s->info = &file.info;
    s->sample = sample;
    if (file.info.gzipped && reach == NP_NIFTI_BEGINNING)
        sample_packed(s);
    else
        sample_spread(s);
    sample->growth = fmax(1, sample->n_nonzero / n_voxels);
    sample->n_nonzero = fmin(sample->n_nonzero, n_voxels);
    return 0;
}
