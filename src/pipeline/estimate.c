/*
 * Memory: what the stages hold at once, as float volumes and masks, walked through in the recipe's
 * order; the head at 1 mm that brain extraction looks at; the packer's blocks of each thread.
 *
 * Disk: a voxel that is not zero becomes a float of arbitrary mantissa in desc-preproc, which packs
 * badly; how badly, and how many there are, a sample of the file says (image/nifti.h). desc-norm
 * holds such floats in the mask alone: a brain's size is known; the support that --skull-strip skip
 * keeps is what the sample shows above the background. A bias field is smooth, but its floats are
 * arbitrary too, in every voxel.
 */
#include "pipeline/estimate.h"

#include <math.h>
#include <stdlib.h>

#include "bids/derivative.h"
#include "codec/deflate.h"
#include "image/orient.h"
#include "pipeline/resources.h"
#include "stages/skull_strip.h"

/* ---- sums ----------------------------------------------------------------------------------- */

enum { BLOCK = 4096 };

/* A header may claim anything. */
int64_t np_need_count(double value)
{
    return value < (double)INT64_MAX ? (int64_t)value : INT64_MAX;
}

static int64_t sum(int64_t a, int64_t b)
{
    int64_t c;

    return __builtin_add_overflow(a, b, &c) ? INT64_MAX : c;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void np_need_add(struct np_need *total, const struct np_need *part)
{
    total->memory_bytes = larger(total->memory_bytes, part->memory_bytes);
    total->disk_bytes = sum(total->disk_bytes, part->disk_bytes);
    total->inodes = sum(total->inodes, part->inodes);
    total->seconds += part->seconds;
}

void np_need_most(struct np_need *most, const struct np_need *part)
{
    most->memory_bytes = larger(most->memory_bytes, part->memory_bytes);
    most->disk_bytes = larger(most->disk_bytes, part->disk_bytes);
    most->inodes = larger(most->inodes, part->inodes);
    most->seconds = fmax(most->seconds, part->seconds);
}

/* A file or a folder. */
static void add_file(struct np_need *need, double n_bytes)
{
    need->disk_bytes = sum(need->disk_bytes, np_need_count(ceil(n_bytes / BLOCK) * BLOCK));
    need->inodes++;
}

/* ---- memory --------------------------------------------------------------------------------- */

/* Libraries, the reader's and the writer's buffers. */
static const double MEMORY_FIXED = 12 * 1048576.0;
/* Samples for the bias fit. */
static const double FIT_BYTES = 4 * 1048576.0;
/* Brain extraction looks at the head at 1 mm and at 2 mm, as floats, and at masks of the latter;
 * its surface needs arrays of its own. */
static const double FINE_BYTES_PER_MM3 = 4, COARSE_BYTES_PER_MM3 = 0.85;
static const double SURFACE_BYTES = 13 * 1048576.0;
/* The network's layers and its window, then the head at 2 mm. They are given back before the
 * surface's arrays are needed. */
static const double NETWORK_BYTES = 37 * 1048576.0, WINDOW_BYTES_PER_MM3 = 1;
/* Where the image itself has voxels of 1 mm, half of the surface's arrays take the place of others. */
static const double FINE_SURFACE_BYTES = 6 * 1048576.0;
/* Of a run of the support, while its largest part is looked for; and most of that memory that the C
 * library keeps. */
static const double RUN_BYTES = 25, MOST_RUNS_KEPT = 32 * 1048576.0;
/* Without brain extraction, whether the head is stripped is seen at 2 mm. */
static const double SEEN_BYTES_PER_MM3 = 0.2;
/* The packer's blocks, of a body that is in memory whole. */
static const double PACKER_BYTES = 4 * 1048576.0;
/* Volumes are mapped in whole pages of 2 MiB. */
static const double PAGES = 1.015;
static const double MOST_FINE_VOXELS = 1 << 26; /* ops/head.c then looks more coarsely */

/* The resident memory while a file goes through its stages. base/alloc.c keeps released volumes for
 * the next request of their size, until a request of another size comes. */
struct residence {
    double volume_bytes; /* of one float volume */
    double n_volumes;    /* most at once so far; a mask is a quarter */
    double kept_bytes;   /* of other sizes */
    double fixed_bytes;  /* the same for all options */
    double peak_bytes;
};

static void hold(struct residence *r, double n_volumes, double other_bytes)
{
    if (n_volumes > r->n_volumes) {
        r->n_volumes = n_volumes;
        r->kept_bytes = 0;
    }
    r->kept_bytes = fmax(r->kept_bytes, other_bytes);
    r->peak_bytes = fmax(r->peak_bytes, r->n_volumes * r->volume_bytes + r->kept_bytes);
}

/* Beside these volumes alone: requests of such a size release what was kept. */
static void hold_beside(struct residence *r, double n_volumes, double other_bytes)
{
    r->peak_bytes = fmax(r->peak_bytes, n_volumes * r->volume_bytes + other_bytes);
}

/* Beside the volumes, and given back at once. */
static void hold_briefly(struct residence *r, double other_bytes)
{
    hold_beside(r, r->n_volumes, other_bytes);
}

/* While they are used, and what is kept of them. */
static void hold_runs(struct residence *r, const struct np_image_seen *seen)
{
    double n_bytes = RUN_BYTES * (double)seen->n_runs, kept = fmin(n_bytes, MOST_RUNS_KEPT);

    hold_briefly(r, n_bytes - kept);
    r->fixed_bytes += kept;
}

static double volumes_of(unsigned slots)
{
    static const unsigned floats[] = {NP_SLOT_RAW, NP_SLOT_FLAT, NP_SLOT_NORM, NP_SLOT_FIELD};
    double n = (slots & NP_SLOT_BRAIN ? 0.25 : 0) + (slots & NP_SLOT_REGIONS ? 0.25 : 0);

    for (size_t i = 0; i < NP_COUNT(floats); i++)
        n += (slots & floats[i]) != 0;
    return n;
}

/* Slots that a later stage or an output needs. */
static unsigned needed_later(const struct np_config *config, const struct np_recipe *recipe,
                             const struct np_stage *const *later)
{
    unsigned needed = np_recipe_wanted_slots(recipe, config);

    for (; *later; later++)
        needed |= (*later)->needs | (*later)->uses;
    return needed;
}

static double field_of_view_mm3(const struct np_grid *grid)
{
    return fmin((double)np_grid_voxels(grid) * fabs(np_grid_voxel_mm3(grid)), MOST_FINE_VOXELS);
}

/* Its support is kept as the mask: the network is not asked, and there are no tissues. */
static bool keeps_support(const struct np_config *config, const struct np_image_seen *seen)
{
    return seen->has_skull && config->skull_strip == NP_SKULL_STRIP_SKIP && !config->mask_dir;
}

static bool takes_support(const struct np_config *config, const struct np_stage *stage)
{
    return stage->gives & NP_SLOT_BRAIN && config->skull_strip == NP_SKULL_STRIP_SKIP;
}

static bool finds_brain(const struct np_config *config, const struct np_stage *stage)
{
    return stage->gives & NP_SLOT_BRAIN && config->skull_strip != NP_SKULL_STRIP_SKIP;
}

/* The head at 1 mm, unless the image is that already. */
static double fine_bytes(const struct np_grid *grid)
{
    bool is_fine = true;

    for (int i = 0; i < 3; i++)
        is_fine = is_fine && fabs(grid->spacing_mm[i] - 1) < 1e-6;
    return is_fine ? 0 : FINE_BYTES_PER_MM3 * field_of_view_mm3(grid);
}

/* Small arrays of a stage, whose memory is not given back. */
static double left_bytes(const struct np_config *config, const struct np_stage *stage,
                         const struct np_grid *grid)
{
    if (stage->gives & NP_SLOT_HEAD_FIELD)
        return config->bias_correction == NP_BIAS_NONE ? 0 : FIT_BYTES;
    if (finds_brain(config, stage))
        return (fine_bytes(grid) > 0 ? SURFACE_BYTES : FINE_SURFACE_BYTES) +
               COARSE_BYTES_PER_MM3 * field_of_view_mm3(grid);
    return stage->gives & NP_SLOT_BRAIN ? SEEN_BYTES_PER_MM3 * field_of_view_mm3(grid) : 0;
}

/* Bytes of the network beyond those of the arrays that come after it. */
static double network_bytes(const struct np_config *config, const struct np_stage *stage,
                            const struct np_grid *grid)
{
    double n_bytes = NETWORK_BYTES + WINDOW_BYTES_PER_MM3 * field_of_view_mm3(grid);

    if (!(stage->gives & NP_SLOT_BRAIN) || config->skull_strip == NP_SKULL_STRIP_CLASSIC)
        return 0;
    return fmax(0, n_bytes - left_bytes(config, stage, grid));
}

/* Voxels of the box around the mask, which tissues are kept for; the box of a large brain, and the
 * margin of the arrays that are used in the work. */
static double box_voxels(const struct np_config *config, const struct np_grid *grid)
{
    static const double BOX_MM3 = 4.6e6, WITH_MARGIN = 1.1;
    double n_voxels = (double)np_grid_voxels(grid), voxel_mm3 = fabs(np_grid_voxel_mm3(grid));

    if (config->skull_strip == NP_SKULL_STRIP_SKIP || !(voxel_mm3 > 0))
        return n_voxels;
    return WITH_MARGIN * fmin(n_voxels, BOX_MM3 / voxel_mm3);
}

/* Of each voxel of the box: three shares, and in the work those by parity, and the bin. */
enum { TISSUE_BYTES = 3, TISSUE_WORK_BYTES = TISSUE_BYTES + 3 + 2 };

/* Counts of intensities, the head's mask and distances between cells; then the brain's intensities, or the tissues
 * that are made for them alone. Much of it finds room in what earlier stages left. */
static double quality_bytes(const struct np_config *config, unsigned slots,
                            const struct np_grid *grid)
{
    static const double COUNTS = 4 * 1048576.0, HEAD_AND_CELLS = 1 + 0.5, GATHERED = 1.5;
    double n_box = box_voxels(config, grid);

    if (slots & NP_SLOT_RAW)
        return COUNTS + HEAD_AND_CELLS * (double)np_grid_voxels(grid);
    return fmax(COUNTS + (TISSUE_BYTES + GATHERED) * n_box,
                slots & NP_SLOT_TISSUE ? 0 : TISSUE_WORK_BYTES * n_box);
}

/* Volumes that a stage works with beside the slots. */
static double scratch_volumes(const struct np_config *config, const struct np_stage *stage,
                              bool turned)
{
    if (stage->gives == NP_SLOT_RAW)
        return turned; /* the file's order, then ours */
    if (stage->gives == NP_SLOT_NORM && config->normalize == NP_NORMALIZE_PERCENTILE)
        return 2; /* smoothed values and their weights */
    if (stage->gives == NP_SLOT_BRAIN && config->skull_strip == NP_SKULL_STRIP_SKIP)
        return 0.25; /* a mask that is kept */
    return 0;
}

/* Blocks of two batches, but not more than the image has; int16 is made of it a piece at a time. */
static double packer_bytes(const struct np_config *config, double volume_bytes, int n_threads)
{
    double others = (double)NP_ESTIMATE_BYTES_PER_THREAD * (n_threads - 1);
    double pieces = config->output_datatype == NP_DATATYPE_INT16 ? PACKER_BYTES : 0;

    return fmin(PACKER_BYTES + others + pieces, 2 * volume_bytes);
}

/* The stages one after the other, then the outputs: images go back to the file's order. */
static void hold_recipe(struct residence *r, const struct np_config *config,
                        const struct np_recipe *recipe, const struct np_grid *grid,
                        const struct np_image_seen *seen)
{
    bool is_head = keeps_support(config, seen), turned = !np_grid_is_ras(grid);
    unsigned slots = 0;

    for (const struct np_stage *const *stage = recipe->stage; *stage; stage++) {
        unsigned after = (slots & ~(*stage)->takes) | (*stage)->gives;
        if (config->normalize == NP_NORMALIZE_NONE)
            after &= ~(unsigned)NP_SLOT_NORM;
        hold(r,
             fmax(volumes_of(slots), volumes_of(after)) + scratch_volumes(config, *stage, turned),
             finds_brain(config, *stage) ? fine_bytes(grid) : 0);
        if (!is_head)
            hold_briefly(r, network_bytes(config, *stage, grid));
        if ((*stage)->gives & NP_SLOT_TISSUE && !is_head)
            hold_beside(r, volumes_of(slots), TISSUE_WORK_BYTES * box_voxels(config, grid));
        if (((*stage)->gives | (*stage)->takes) & NP_SLOT_REGIONS && !is_head)
            hold_beside(r, volumes_of(after | slots), quality_bytes(config, slots, grid));
        if (takes_support(config, *stage))
            hold_runs(r, seen);
        r->fixed_bytes += left_bytes(config, *stage, grid);
        slots = after & needed_later(config, recipe, stage + 1);
    }
    hold(r, volumes_of(slots) + turned,
         slots & NP_SLOT_TISSUE && !is_head ? TISSUE_BYTES * box_voxels(config, grid) : 0);
}

int64_t np_estimate_memory(const struct np_config *config, const struct np_recipe *recipe,
                           const struct np_grid *grid, const struct np_image_seen *seen,
                           int n_threads)
{
    double volume_bytes = sizeof(float) * (double)np_grid_voxels(grid);
    struct residence r = {.volume_bytes = volume_bytes, .fixed_bytes = MEMORY_FIXED};

    hold_recipe(&r, config, recipe, grid, seen);
    double writing =
        r.n_volumes * volume_bytes + r.kept_bytes + packer_bytes(config, volume_bytes, n_threads);
    return np_need_count(PAGES * (r.fixed_bytes + fmax(r.peak_bytes, writing)));
}

/* ---- outputs -------------------------------------------------------------------------------- */

/* Most that a brain's mask holds; 1.3 to 1.8 million were measured. */
static const double BRAIN_MM3 = 1.9e6;
/* Packed bytes of a voxel, for those kinds of values that are the same in every image. */
static const double FIELD_BYTES = 3.45, CONSTANT_BYTES = 0.02, ZERO_BYTES = 0.03;
static const double MASK_BYTES = 0.12, MASK_ZERO_BYTES = 0.003, SHARE_BYTES = 1;
static const double SIDECAR_BYTES = 2048;
/* How far the estimate of an image may be off. Without bias correction, the beginning of a
 * compressed file also shows fewer different values than the whole has. */
static const double MARGIN = 1.12, BEGINNING = 1.08;
/* The background, by the bright end of the image, as ops/stripped.h has it. Where less than a
 * quarter is background, it lies in holes of the rest. */
static const double BACKGROUND_SHARE = 0.01, BRIGHT_END = 0.98, LEAST_BACKGROUND = 0.25;

/* Counts of an image's voxels, and the packed bytes of one that is not zero. */
struct contents {
    double n_voxels, n_nonzero, n_brain;
    struct np_image_seen seen;
    double bytes, norm_bytes; /* of a voxel that is not zero, as --output-datatype says; of a
                                 normalized one */
};

/* Packed bytes for each value of the sample that is not zero. */
static double packed_bytes(const struct np_nifti_sample *sample)
{
    size_t n_bytes = (size_t)sample->n * sizeof(float), n_packed = 0;
    NP_AUTO(np_freep) uint8_t *room = np_xmalloc(np_deflate_bound(n_bytes));

    if (sample->n_values == 0)
        return sizeof(float);
    if (np_deflate_part(sample->voxel, n_bytes, room, &n_packed, NULL) < 0)
        return sizeof(float);
    return (double)n_packed / (double)sample->n_values;
}

/* The same for values that are written as int16. */
static double packed_int16_bytes(struct np_nifti_sample *sample)
{
    const struct np_image image = {np_grid_make(sample->n, 1, 1, 1, 1, 1), sample->voxel};
    size_t n_bytes = (size_t)sample->n * sizeof(int16_t), n_packed = 0;
    NP_AUTO(np_freep) uint8_t *room = np_xmalloc(np_deflate_bound(n_bytes));
    NP_AUTO(np_freep) int16_t *stored = np_xmalloc(n_bytes);
    double slope;

    if (sample->n_values == 0 || !np_nifti_int16_slope(&image, &slope))
        return sizeof(float);
    for (int64_t i = 0; i < sample->n; i++)
        stored[i] = (int16_t)rint((double)sample->voxel[i] / slope);
    if (np_deflate_part(stored, n_bytes, room, &n_packed, NULL) < 0)
        return sizeof(int16_t);
    return (double)n_packed / (double)sample->n_values;
}

/* As if by a bias field. */
static void divide(struct np_nifti_sample *sample)
{
    for (int64_t i = 0; i < sample->n; i++)
        sample->voxel[i] *= 1 + 0.1F * (float)i / (float)sample->n;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The size up to which a value is background; estimated from some of the sample. */
static float background_limit(const struct np_nifti_sample *sample)
{
    enum { MOST = 1 << 12 };
    float size[MOST] = {0};
    int64_t n = 0, step = sample->n / MOST + 1;

    for (int64_t i = 0; i < sample->n; i += step)
        if (sample->voxel[i] != 0)
            size[n++] = fabsf(sample->voxel[i]);
    qsort(size, (size_t)n, sizeof(*size), by_size);
    return (float)BACKGROUND_SHARE * size[(int64_t)(BRIGHT_END * (double)n)];
}

/* Set the background to zero. Returns how many runs of other values the sample has. */
static int64_t cut_background(struct np_nifti_sample *sample)
{
    float limit = background_limit(sample);
    int64_t n = sample->n, n_runs = 0;

    for (int64_t i = 0; i < n; i++)
        if (fabsf(sample->voxel[i]) <= limit)
            sample->voxel[i] = 0;
    for (int64_t i = 0; i < n; i++)
        n_runs += sample->voxel[i] != 0 && (i == 0 || sample->voxel[i - 1] == 0);
    sample->n = sample->n_values = 0;
    for (int64_t i = 0; i < n; i++)
        np_nifti_sample_add(sample, sample->voxel[i]);
    return n_runs;
}

/* The runs of the whole image; each row of voxels may end one. Its background is cut. */
static int64_t count_runs(const struct np_nifti_info *info, double n_nonzero,
                          struct np_nifti_sample *sample)
{
    double n_values = fmax((double)sample->n_values, 1);
    double n_rows = (double)info->grid.n[1] * (double)info->grid.n[2];

    return np_need_count(n_nonzero / n_values * (double)cut_background(sample) + n_rows);
}

/* As if by z-score. */
static void normalize(struct np_nifti_sample *sample)
{
    double sum = 0, squares = 0, n = (double)sample->n_values;

    for (int64_t i = 0; i < sample->n; i++) {
        sum += (double)sample->voxel[i];
        squares += (double)sample->voxel[i] * (double)sample->voxel[i];
    }
    double mean = sum / n, sd = sqrt(fmax(squares / n - mean * mean, 0));
    for (int64_t i = 0; i < sample->n; i++)
        if (sample->voxel[i] != 0 && sd > 0)
            sample->voxel[i] = (float)(((double)sample->voxel[i] - mean) / sd);
}

/* Voxels of the mask, when brain extraction is not asked for or, at most, when it is. */
static double mask_voxels(const struct np_config *config, const struct np_nifti_info *info,
                          double n_nonzero, double n_above)
{
    double voxel_mm3 = fabs(np_grid_voxel_mm3(&info->grid));

    if (config->skull_strip == NP_SKULL_STRIP_SKIP)
        return n_above > (1 - LEAST_BACKGROUND) * n_nonzero ? n_nonzero : n_above;
    return voxel_mm3 > 0 ? fmin(n_nonzero, BRAIN_MM3 / voxel_mm3) : n_nonzero;
}

/* The sample is used up. */
static struct contents contents_of(const struct np_config *config, const struct np_nifti_info *info,
                                   enum np_nifti_reach reach, struct np_nifti_sample *sample)
{
    double n_voxels = (double)np_grid_voxels(&info->grid);
    struct contents c = {.n_voxels = n_voxels, .n_nonzero = fmin(sample->n_nonzero, n_voxels)};
    bool divided = config->bias_correction != NP_BIAS_NONE;
    bool is_int16 = config->output_datatype == NP_DATATYPE_INT16;
    bool is_beginning = info->gzipped && reach == NP_NIFTI_BEGINNING;
    double n_above = fmin(np_nifti_sample_above(sample, BACKGROUND_SHARE, BRIGHT_END), n_voxels);

    if (divided)
        divide(sample);
    double bytes = packed_bytes(sample);
    c.bytes = is_int16 ? packed_int16_bytes(sample) : bytes;
    c.seen.n_runs = count_runs(info, c.n_nonzero, sample);
    c.n_brain = mask_voxels(config, info, c.n_nonzero, n_above);
    c.seen.has_skull =
        reach == NP_NIFTI_WHOLE &&
        np_skull_is_certain(n_above * fabs(np_grid_voxel_mm3(&info->grid)), sample->minimum);
    normalize(sample);
    c.norm_bytes = fmax(packed_bytes(sample), bytes);
    if (!divided) {
        double beginning = is_beginning ? BEGINNING : 1;
        c.bytes = fmin(c.bytes * fmax(sample->growth, beginning),
                       is_int16 ? sizeof(int16_t) : sizeof(float));
        c.norm_bytes = fmin(c.norm_bytes * sample->growth, sizeof(float));
    }
    return c;
}

/* The support that --skull-strip skip keeps is known of stripped brains alone. Of a head, what its
 * air is like must be seen. */
static bool must_see_all(const struct np_config *config, const struct np_nifti_info *info,
                         const struct np_nifti_sample *sample)
{
    return config->skull_strip == NP_SKULL_STRIP_SKIP &&
           sample->n_nonzero * fabs(np_grid_voxel_mm3(&info->grid)) > BRAIN_MM3;
}

static int read_contents(const struct np_config *config, const char *path,
                         struct np_nifti_info *info, struct contents *contents)
{
    NP_AUTO(np_freep) struct np_nifti_sample *sample = np_xcalloc(1, sizeof(*sample));
    enum np_nifti_reach reach = NP_NIFTI_BEGINNING;

    NP_TRY(np_nifti_read_sample(path, reach, info, sample, NULL));
    if (must_see_all(config, info, sample)) {
        reach = NP_NIFTI_WHOLE;
        NP_TRY(np_nifti_read_sample(path, reach, info, sample, NULL));
    }
    *contents = contents_of(config, info, reach, sample);
    return 0;
}

static double preproc_bytes(const struct np_config *config, const struct contents *c)
{
    (void)config;
    return c->n_nonzero * c->bytes + (c->n_voxels - c->n_nonzero) * ZERO_BYTES;
}

static double norm_bytes(const struct np_config *config, const struct contents *c)
{
    (void)config;
    return c->n_brain * c->norm_bytes + (c->n_voxels - c->n_brain) * ZERO_BYTES;
}

/* desc-brain holds the values of desc-preproc in the mask alone. */
static double brain_bytes(const struct contents *c)
{
    return c->n_brain * c->bytes + (c->n_voxels - c->n_brain) * ZERO_BYTES;
}

static double mask_bytes(const struct np_config *config, const struct contents *c)
{
    (void)config;
    return c->n_brain * MASK_BYTES + c->n_voxels * MASK_ZERO_BYTES;
}

static double share_bytes(const struct np_config *config, const struct contents *c)
{
    (void)config;
    return c->n_brain * SHARE_BYTES + c->n_voxels * MASK_ZERO_BYTES;
}

static double field_bytes(const struct np_config *config, const struct contents *c)
{
    return c->n_voxels * (config->bias_correction == NP_BIAS_NONE ? CONSTANT_BYTES : FIELD_BYTES);
}

/* How well the content of a slot is packed; a slot that is not listed counts as a whole head. */
static double bytes_of(const struct np_output *output, const struct np_config *config,
                       const struct contents *contents)
{
    static const struct {
        enum np_slot slot;
        double (*bytes)(const struct np_config *config, const struct contents *contents);
    } packed[] = {{NP_SLOT_NORM, norm_bytes},
                  {NP_SLOT_BRAIN, mask_bytes},
                  {NP_SLOT_FIELD, field_bytes},
                  {NP_SLOT_TISSUE, share_bytes}};

    if (output->reads & NP_SLOT_BRAIN)
        return brain_bytes(contents);
    for (size_t i = 0; i < NP_COUNT(packed); i++)
        if (packed[i].slot == output->slot)
            return packed[i].bytes(config, contents);
    return preproc_bytes(config, contents);
}

static void add_outputs(const struct np_config *config, const struct np_recipe *recipe,
                        const struct contents *contents, struct np_need *need)
{
    for (size_t i = 0; i < recipe->n_outputs; i++) {
        if (!np_output_is_wanted(&recipe->output[i], config))
            continue;
        add_file(need, MARGIN * bytes_of(&recipe->output[i], config, contents));
        if (recipe->output[i].file.description[NP_USUALLY])
            add_file(need, SIDECAR_BYTES);
    }
}

/* ---- time ----------------------------------------------------------------------------------- */

/* Seconds of processor, once and for each million voxels, on the machine of docs/benchmarks.md. */
struct cost {
    double once, per_megavoxel;
};

/* Covers slow and busy machines and slow file systems: a scheduler kills a job that takes longer
 * than it promised. */
static const double SLOW_MACHINE = 3;

static double seconds(struct cost cost, double n_voxels)
{
    return cost.once + cost.per_megavoxel * n_voxels * 1e-6;
}

static struct cost stage_cost(const struct np_config *config, const struct np_stage *stage)
{
    static const struct cost read = {0.03, 0.021}, fit = {0.13, 0.013}, copy = {0, 0.006},
                             surface = {1, 0.008}, support = {0.05, 0.035}, tissue = {0.02, 0.012},
                             regions = {0.03, 0.02}, metrics = {0.03, 0.02};

    if (stage->gives & NP_SLOT_RAW)
        return read;
    if (stage->gives & NP_SLOT_BRAIN)
        return config->skull_strip == NP_SKULL_STRIP_SKIP ? support : surface;
    if (stage->gives & NP_SLOT_TISSUE)
        return tissue;
    if (stage->gives & NP_SLOT_REGIONS)
        return regions;
    if (stage->takes & NP_SLOT_REGIONS)
        return metrics;
    if (stage->gives & (NP_SLOT_FIELD | NP_SLOT_HEAD_FIELD))
        return config->bias_correction == NP_BIAS_NONE ? copy : fit;
    return copy;
}

static struct cost output_cost(const struct np_config *config, const struct np_output *output)
{
    static const struct cost image = {0.01, 0.017}, field = {0.01, 0.055}, mask = {0.01, 0.003};

    if (output->format == NP_OUTPUT_UINT8)
        return mask;
    return output->slot == NP_SLOT_FIELD && config->bias_correction != NP_BIAS_NONE ? field : image;
}

/* On one thread. */
static double seconds_of(const struct np_config *config, const struct np_recipe *recipe,
                         double n_voxels)
{
    double sum = 0;

    for (const struct np_stage *const *stage = recipe->stage; *stage; stage++)
        sum += seconds(stage_cost(config, *stage), n_voxels);
    for (size_t i = 0; i < recipe->n_outputs; i++)
        if (np_output_is_wanted(&recipe->output[i], config))
            sum += seconds(output_cost(config, &recipe->output[i]), n_voxels);
    return SLOW_MACHINE * sum;
}

/* ---- parts of a run ------------------------------------------------------------------------- */

/* Bytes of what is written beside the images, and of telemetry in the run's one record. */
static const double RECORD_BYTES = 3072, RECORD_IMAGE_BYTES = 8192, LOG_IMAGE_BYTES = 3072;
static const double TELEMETRY_IMAGE_BYTES = 48 << 10, TELEMETRY_SESSION_BYTES = 6 << 10,
                    TELEMETRY_RUN_BYTES = 40 << 10;

/* The needs that follow from the options and the header; those of the image's files do not. */
static struct np_need need_of_grid(const struct np_config *config, const struct np_recipe *recipe,
                                   const struct np_grid *grid, const struct np_image_seen *seen,
                                   int n_threads)
{
    return (struct np_need){
        .memory_bytes = np_estimate_memory(config, recipe, grid, seen, n_threads),
        .seconds = seconds_of(config, recipe, (double)np_grid_voxels(grid)),
    };
}

static struct np_need need_of_refusal(const struct np_config *config,
                                      const struct np_recipe *recipe)
{
    return (struct np_need){.memory_bytes = np_need_count(MEMORY_FIXED),
                            .seconds = seconds_of(config, recipe, 0)};
}

bool np_estimate_image(const struct np_config *config, const struct np_recipe *recipe,
                       const char *path, int n_threads, struct np_nifti_info *info,
                       struct np_image_seen *seen, struct np_need *need)
{
    struct contents contents;

    *need = need_of_refusal(config, recipe);
    if (read_contents(config, path, info, &contents) < 0)
        return false;
    *seen = contents.seen;
    *need = need_of_grid(config, recipe, &info->grid, seen, n_threads);
    add_outputs(config, recipe, &contents, need);
    return true;
}

bool np_estimate_header(const struct np_config *config, const struct np_recipe *recipe,
                        const char *path, int n_threads, struct np_nifti_info *info,
                        struct np_need *need)
{
    *need = need_of_refusal(config, recipe);
    if (np_nifti_read_info(path, info, NULL) < 0)
        return false;
    *need = need_of_grid(config, recipe, &info->grid, &(struct np_image_seen){0}, n_threads);
    return true;
}

/* Records and log; the folders of the session, its images and its records. */
struct np_need np_estimate_records(const struct np_config *config, bool is_session, size_t n_images)
{
    struct np_need need = {0};
    double n = (double)n_images;

    for (int i = 0; i < 2; i++)
        add_file(&need, RECORD_BYTES + n * RECORD_IMAGE_BYTES);
    add_file(&need, n * LOG_IMAGE_BYTES);
    for (int i = 0; is_session && i < (n_images > 0 ? 4 : 1); i++)
        add_file(&need, BLOCK);
    if (!config->no_telemetry)
        need.disk_bytes = sum(need.disk_bytes,
                              np_need_count(TELEMETRY_SESSION_BYTES + n * TELEMETRY_IMAGE_BYTES));
    return need;
}

struct np_need np_estimate_run(const struct np_config *config)
{
    enum { DESCRIPTIONS = 6, PLANS = 1, MEMORY = 1, FOLDERS = 3 };
    struct np_need need = {0};
    int n = (config->bids_dir ? DESCRIPTIONS : 0) + PLANS + MEMORY + FOLDERS;

    for (int i = 0; i < n; i++)
        add_file(&need, BLOCK);
    if (!config->no_telemetry) {
        add_file(&need, BLOCK);
        add_file(&need, TELEMETRY_RUN_BYTES);
    }
    return need;
}

/* ---- threads -------------------------------------------------------------------------------- */

int np_estimate_threads(const struct np_config *config)
{
    return config->omp_nthreads > 0 ? config->omp_nthreads : 2;
}

struct np_team *np_estimate_team(const struct np_config *config)
{
    enum { MOST = 16 };
    struct np_resources resources;

    np_resources_detect(&resources);
    int n = config->nprocs > 0 ? config->nprocs : resources.cpus;
    return np_team_new(n < MOST ? n : MOST);
}
