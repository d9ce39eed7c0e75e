/* A sample of an image's voxels, and an estimate of how many of all voxels are not zero. */
#include <math.h>
#include <string.h>

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

/* The upper bits of a float: its exponent and the first 6 of its fraction. */
enum { SIZE_SHIFT = 17 };

static int size_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return (int)((bits & 0x7fffffff) >> SIZE_SHIFT);
}

static float least_of_size(int size)
{
    uint32_t bits = (uint32_t)size << SIZE_SHIFT;
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

double np_nifti_sample_above(const struct np_nifti_sample *sample, double share, double quantile)
{
    int64_t n = 0, n_below = 0, n_above = 0;
    int bright = 0;

    for (int i = 0; i < NP_NIFTI_SIZES; i++)
        n += sample->n_of_size[i];
    if (n == 0)
        return 0;
    while ((double)(n_below += sample->n_of_size[bright]) < quantile * (double)n)
        bright++;
    for (int i = size_of((float)(share * (double)least_of_size(bright))) + 1; i < NP_NIFTI_SIZES;
         i++)
        n_above += sample->n_of_size[i];
    return sample->n_nonzero * (double)n_above / (double)n;
}

static void count(struct sampling *s, float value)
{
    s->sample->minimum = fminf(s->sample->minimum, value);
    if (value == 0)
        return;
    s->n_nonzero++;
    s->sample->n_of_size[size_of(value)]++;
}

/* Read up to `n` voxels, at most PLACE; returns how many were there. */
static int64_t read_voxels(struct sampling *s, int64_t n, bool kept)
{
    struct np_nifti_seen seen = NP_NIFTI_NOTHING_SEEN;
    int64_t size = s->info->bytes_per_voxel;
    int64_t left = (int64_t)np_grid_voxels(&s->info->grid) - s->n_seen;
    size_t n_read = 0;

    n = n < PLACE ? n : PLACE;
    /* The sample of a file that breaks off is what comes before the break. */
    NP_IGNORE(
        np_source_read(s->source, s->raw, (size_t)((left < n ? left : n) * size), &n_read, NULL));
    n = (int64_t)n_read / size;
    np_nifti_convert(s->info, s->raw, n, s->voxel, &seen);
    for (int64_t i = 0; i < n; i++) {
        count(s, s->voxel[i]);
        if (kept)
            np_nifti_sample_add(s->sample, s->voxel[i]);
    }
    s->n_seen += n;
    return n;
}

/* Read a place, or what is left of it; returns how many voxels were there. */
static int64_t read_place(struct sampling *s)
{
    return read_voxels(s, PLACE, s->n_seen / PLACE % s->stride == 0);
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

/* Voxels on the way to the next place. */
static int go_further(struct sampling *s, int64_t n_voxels, enum np_nifti_reach reach)
{
    if (reach == NP_NIFTI_BEGINNING)
        return np_source_jump(s->source, n_voxels * s->info->bytes_per_voxel);
    for (int64_t n; n_voxels > 0; n_voxels -= n)
        if ((n = read_voxels(s, n_voxels, false)) == 0)
            return -1;
    return 0;
}

static void sample_spread(struct sampling *s, enum np_nifti_reach reach)
{
    int64_t n_voxels = (int64_t)np_grid_voxels(&s->info->grid), n_reached = n_voxels, at = 0;
    int64_t most = MOST_SPREAD_BYTES / s->info->bytes_per_voxel;

    if (reach == NP_NIFTI_WHOLE && n_reached > most)
        n_reached = most;
    s->stride = 1;
    for (int64_t i = 0; i < N_PLACES && go_further(s, place_at(i, n_reached) - at, reach) == 0; i++)
        at = place_at(i, n_reached) + read_voxels(s, PLACE, true);
    if (reach == NP_NIFTI_WHOLE)
        go_further(s, n_reached - at, reach);
    if (s->n_seen > 0)
        s->sample->n_nonzero = (double)s->n_nonzero / (double)s->n_seen * (double)n_voxels;
}

int np_nifti_read_sample(const char *path, enum np_nifti_reach reach, struct np_nifti_info *info,
                         struct np_nifti_sample *sample, struct np_error *err)
{
    NP_AUTO(np_nifti_file_done) struct np_nifti_file file = {0};

    NP_TRY(np_nifti_file_open(path, &file, err));
    *info = file.info;
    memset(sample, 0, sizeof(*sample));
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
        sample_spread(s, reach);
    sample->growth = fmax(1, sample->n_nonzero / n_voxels);
    sample->n_nonzero = fmin(sample->n_nonzero, n_voxels);
    return 0;
}
