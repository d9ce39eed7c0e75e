/*
 * 1. One pass writes head, hat and brain, and the bits of zeros (ops/quality_bits.h).
 * 2. The frame: an opening of the zeros, and its two largest components.
 * 3. One pass counts the hat's intensities, one takes what is bright there.
 * 4. Where an opening leaves anything of that, what is near the head is taken out, by distances
 *    between cells of 2 x 2 x 2 voxels, and the rest is opened.
 *
 * Each pass is divided into N_PARTS ranges of planes, or into planes.
 */
#include "ops/quality_regions.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/lanes.h"
#include "ops/morphology.h"
#include "ops/quality.h"
#include "ops/quality_bits.h"
#include "ops/quality_levels.h"

enum { N_PARTS = 8, LAYER = NP_BITS_LAYER, CELL = 2, LEAST_POSITIVE = 10, LEAST_FRAME = 500 };
enum { N_BIG_COMPONENTS = 2, SOME_HAT = 128 };
static const double ARTIFACT_SDS = 10, LEAST_DISTANCE = 0.1;
static const double MAD_OF_NORMAL = 0.6744897501960817; /* of sd 1 */
/* For the counts of intensities, whose least value is 2^-6: what a scanner measured is larger. */
static const double BRAIN_LEVEL = 16000;

struct brain_sum {
    double sum, n;
};

struct job {
    const struct np_image *source;
    const struct np_mask *head, *brain;
    const struct np_hat_planes *planes;
    const struct np_exec *exec;
    const int64_t *n;
    uint8_t *region;
    struct np_bits bits, spare;
    int set;                        /* the region that the bits' voxels get */
    struct brain_sum *plane_sum;    /* of each plane */
    uint32_t (*count)[NP_N_LEVELS]; /* [N_PARTS], of the hat's intensities */
    float factor;                   /* to their units */
    double limit;                   /* of artifacts */
    int64_t n_cells[3];
    struct np_mask *cells; /* the number of their voxels in the head; SOME_HAT */
    float *distance2;      /* of each cell to the head, voxels² */
    float *plane_most;     /* of each plane of cells, the largest such distance in the hat */
    double distance2_limit;
};

static void job_done(struct job *job)
{
    np_bits_done(&job->bits);
    np_bits_done(&job->spare);
    np_freep(&job->plane_sum);
    np_freep(&job->count);
    np_freep(&job->plane_most);
    np_mask_freep(&job->cells);
}

static int no_memory(struct np_error *err)
{
    return np_error_set(err, NP_ENOMEM, "image quality: no memory for its regions");
}

/* ---- head, brain, hat and zeros -------------------------------------------------------------- */

static void mark_row(const struct job *job, int64_t y, int64_t z, struct brain_sum *sum)
{
    const bool is_high =
        z >= (y < job->planes->front_y ? job->planes->rear_z : job->planes->front_z);
    const size_t n_x = (size_t)job->n[0], first = (size_t)(z * job->n[1] + y) * n_x;
    const uint8_t *head = job->head->voxel + first, *brain = job->brain->voxel + first;
    uint8_t *region = job->region + first;

    memset(region, is_high ? NP_REGION_HAT : 0, n_x);
    for (size_t x = np_next_inside(head, 0, n_x); x < n_x; x = np_next_inside(head, x + 1, n_x))
        region[x] = NP_REGION_HEAD;
    for (size_t x = np_next_inside(brain, 0, n_x); x < n_x; x = np_next_inside(brain, x + 1, n_x)) {
        region[x] |= NP_REGION_BRAIN;
        sum->sum += (double)job->source->voxel[first + x];
        sum->n++;
    }
}

/* Most voxels are not 0: four are looked at together. */
static void find_zeros(const struct job *job, int64_t y, int64_t z, uint64_t *row)
{
    const int64_t n_x = job->n[0];
    const float *source = job->source->voxel + ((z - LAYER) * job->n[1] + y - LAYER) * n_x;
    const np_lanes zeros = np_lanes_all(0);

    for (int64_t x = 0; x < n_x; x += NP_LANES) {
        const int64_t end = x + NP_LANES < n_x ? x + NP_LANES : n_x;
        if (end - x == NP_LANES && !np_lanes_any(np_lanes_load(source + x) <= zeros))
            continue;
        for (int64_t i = x; i < end; i++)
            if (source[i] <= 0)
                np_bits_set(row, i + LAYER);
    }
}

/* A plane with the layer. */
static void mark_plane(void *context, int64_t z)
{
    const struct job *job = context;
    const struct np_bits *bits = &job->bits;

    for (int64_t y = 0; y < bits->n[1]; y++) {
        uint64_t *row = np_bits_row(bits, y, z);
        bool is_layer = y == 0 || y == bits->n[1] - 1 || z == 0 || z == bits->n[2] - 1;
        np_bits_set(row, 0);
        np_bits_set(row, bits->n[0] - 1);
        for (int64_t x = 1; is_layer && x < bits->n[0] - 1; x++)
            np_bits_set(row, x);
        if (is_layer)
            continue;
        mark_row(job, y - LAYER, z - LAYER, &job->plane_sum[z - LAYER]);
        find_zeros(job, y, z, row);
    }
}

static void set_plane(void *context, int64_t z)
{
    const struct job *job = context;
    const int64_t end = job->n[0] + LAYER;

    for (int64_t y = 0; y < job->n[1]; y++) {
        const uint64_t *row = np_bits_row(&job->bits, y + LAYER, z + LAYER);
        uint8_t *region = job->region + (z * job->n[1] + y) * job->n[0];
        for (int64_t x = np_bits_next(row, LAYER, end); x < end; x = np_bits_next(row, x + 1, end))
            region[x - LAYER] |= (uint8_t)job->set;
    }
}

static void set_region(struct job *job, int bit)
{
    job->set = bit;
    np_exec_run(job->exec, job->n[2], set_plane, job);
}

static int find_frame(struct job *job, struct np_error *err)
{
    bool is_some = np_bits_open(&job->bits, NP_BITS_18, job->exec, &job->spare);

    NP_TRY(np_exec_check(job->exec, err));
    if (!is_some)
        return 0;
    NP_TRY(np_bits_keep_largest(&job->bits, N_BIG_COMPONENTS, err));
    if (np_bits_count(&job->bits) >= LEAST_FRAME)
        set_region(job, NP_REGION_FRAME);
    return 0;
}

/* ---- artifacts ------------------------------------------------------------------------------- */

static int set_factor(struct job *job, struct np_error *err)
{
    double sum = 0, n = 0;

    for (int64_t z = 0; z < job->n[2]; z++) {
        sum += job->plane_sum[z].sum;
        n += job->plane_sum[z].n;
    }
    if (!(sum > 0))
        return np_error_set(err, NP_EDOMAIN,
                            "image quality: expected a brain with a positive intensity, found %g",
                            n > 0 ? sum / n : 0);
    job->factor = (float)(BRAIN_LEVEL * n / sum);
    return 0;
}

static void count_hat(void *context, int64_t part)
{
    const struct job *job = context;
    const int64_t n_plane = job->n[0] * job->n[1];
    const int64_t end = job->n[2] * (part + 1) / N_PARTS * n_plane;
    const float *source = job->source->voxel, factor = job->factor;
    uint32_t *count = job->count[part];

    for (int64_t i = job->n[2] * part / N_PARTS * n_plane; i < end; i++)
        if (job->region[i] & NP_REGION_HAT)
            count[np_level_of(source[i] * factor)]++;
}

/* Ten robust standard deviations of what is positive in the hat; INFINITY of too few. */
static int find_limit(struct job *job, struct np_error *err)
{
    NP_AUTO(np_freep) int64_t *count = np_try_calloc(NP_N_LEVELS, sizeof(*count));

    NP_TRY(set_factor(job, err));
    job->count = np_try_calloc(N_PARTS, sizeof(*job->count));
    if (!count || !job->count)
        return no_memory(err);
    np_exec_run(job->exec, N_PARTS, count_hat, job);
    for (int p = 0; p < N_PARTS; p++)
        for (int32_t i = 1; i < NP_N_LEVELS; i++)
            count[i] += job->count[p][i];
    job->limit = INFINITY;
    if (np_levels_total(count) < LEAST_POSITIVE)
        return 0;
    double distance = np_levels_median_distance(count, np_levels_quantile(count, 0.5));
    job->limit = ARTIFACT_SDS * distance / MAD_OF_NORMAL / (double)job->factor;
    return 0;
}

static void find_bright(void *context, int64_t z)
{
    const struct job *job = context;
    const double limit = job->limit;
    bool is_layer = z == 0 || z == job->bits.n[2] - 1;

    for (int64_t y = 0; y < job->bits.n[1]; y++) {
        uint64_t *row = np_bits_row(&job->bits, y, z);
        memset(row, 0, (size_t)job->bits.stride * sizeof(*row));
        if (is_layer || y == 0 || y == job->bits.n[1] - 1)
            continue;
        int64_t first = ((z - LAYER) * job->n[1] + y - LAYER) * job->n[0];
        const float *source = job->source->voxel + first;
        const uint8_t *region = job->region + first;
        for (int64_t x = 0; x < job->n[0]; x++)
            if (region[x] & NP_REGION_HAT && (double)source[x] > limit)
                np_bits_set(row, x + LAYER);
    }
}

static void fill_cells(void *context, int64_t cell_z)
{
    const struct job *job = context;
    uint8_t *plane = job->cells->voxel + cell_z * job->n_cells[0] * job->n_cells[1];

    for (int64_t z = cell_z * CELL; z < job->n[2] && z < (cell_z + 1) * CELL; z++)
        for (int64_t y = 0; y < job->n[1]; y++) {
            const uint8_t *region = job->region + (z * job->n[1] + y) * job->n[0];
            uint8_t *row = plane + y / CELL * job->n_cells[0];
            for (int64_t x = 0; x < job->n[0]; x++) {
                row[x / CELL] += region[x] & NP_REGION_HEAD;
                row[x / CELL] |= region[x] & NP_REGION_HAT ? SOME_HAT : 0;
            }
        }
}

static void find_most(void *context, int64_t z)
{
    const struct job *job = context;
    int64_t n_plane = job->n_cells[0] * job->n_cells[1];
    float most = 0;

    for (int64_t i = z * n_plane; i < (z + 1) * n_plane; i++)
        if (job->cells->voxel[i] & SOME_HAT && job->distance2[i] > most)
            most = job->distance2[i];
    job->plane_most[z] = most;
}

static void take_out_near(void *context, int64_t z)
{
    const struct job *job = context;
    const int64_t end = job->n[0] + LAYER;

    for (int64_t y = 0; y < job->n[1]; y++) {
        uint64_t *row = np_bits_row(&job->bits, y + LAYER, z + LAYER);
        const float *distance2 =
            job->distance2 + (z / CELL * job->n_cells[1] + y / CELL) * job->n_cells[0];
        for (int64_t x = np_bits_next(row, LAYER, end); x < end; x = np_bits_next(row, x + 1, end))
            if ((double)distance2[(x - LAYER) / CELL] < job->distance2_limit)
                row[x / NP_BITS_WORD] &= ~((uint64_t)1 << (x % NP_BITS_WORD));
    }
}

/* A cell is head where half of its voxels are. Distances count voxels, whatever their size. */
static int leave_far(struct job *job, struct np_error *err)
{
    for (int a = 0; a < 3; a++)
        job->n_cells[a] = (job->n[a] + CELL - 1) / CELL;
    const struct np_grid grid =
        np_grid_make(job->n_cells[0], job->n_cells[1], job->n_cells[2], CELL, CELL, CELL);
    NP_AUTO(np_image_freep) struct np_image *distance2 = np_image_new(&grid);
    NP_AUTO(np_mask_freep) struct np_mask *head = np_mask_new(&grid);
    float most = 0;

    job->cells = np_mask_new(&grid);
    job->plane_most = np_try_calloc((size_t)job->n_cells[2], sizeof(*job->plane_most));
    if (!distance2 || !head || !job->cells || !job->plane_most)
        return no_memory(err);
    np_exec_run(job->exec, job->n_cells[2], fill_cells, job);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        head->voxel[i] = 2 * (job->cells->voxel[i] & ~SOME_HAT) >= CELL * CELL * CELL;
    NP_TRY(np_distance_mm2(head, NP_DISTANCE_TO_ONE, job->exec, distance2, err));
    job->distance2 = distance2->voxel;
    np_exec_run(job->exec, job->n_cells[2], find_most, job);
    for (int64_t z = 0; z < job->n_cells[2]; z++)
        most = job->plane_most[z] > most ? job->plane_most[z] : most;
    job->distance2_limit = LEAST_DISTANCE * LEAST_DISTANCE * (double)most;
    np_exec_run(job->exec, job->n[2], take_out_near, job);
    job->distance2 = NULL;
    return 0;
}

/* Where an opening leaves nothing of all bright voxels, it leaves nothing of those that are far
 * away, and the distances, which cost most, are not needed. */
static int find_artifacts(struct job *job, struct np_error *err)
{
    NP_TRY(find_limit(job, err));
    np_exec_run(job->exec, job->bits.n[2], find_bright, job);
    if (!np_bits_erode(&job->bits, NP_BITS_6, job->exec, &job->spare))
        return 0;
    NP_TRY(leave_far(job, err));
    if (np_bits_open(&job->bits, NP_BITS_6, job->exec, &job->spare))
        set_region(job, NP_REGION_ARTIFACT);
    return 0;
}

static bool same_size(const struct np_grid *a, const struct np_grid *b)
{
    return a->n[0] == b->n[0] && a->n[1] == b->n[1] && a->n[2] == b->n[2];
}

int np_quality_regions(const struct np_image *source, const struct np_mask *head,
                       const struct np_mask *brain, const struct np_hat_planes *planes,
                       const struct np_exec *exec, uint8_t *region, struct np_error *err)
{
    NP_AUTO(job_done)
    struct job job = {.source = source,
                      .head = head,
                      .brain = brain,
                      .planes = planes,
                      .exec = exec,
                      .n = source->grid.n,
                      .region = region};

    if (!same_size(&source->grid, &head->grid) || !same_size(&source->grid, &brain->grid))
        return np_error_set(err, NP_EGEOMETRY,
                            "image quality: the image and the masks differ in size");
    job.plane_sum = np_try_calloc((size_t)job.n[2], sizeof(*job.plane_sum));
    if (!job.plane_sum)
        return no_memory(err);
    NP_TRY(np_bits_make(&source->grid, &job.bits, err));
    NP_TRY(np_bits_make(&source->grid, &job.spare, err));
    np_exec_run(exec, job.bits.n[2], mark_plane, &job);
    NP_TRY(find_frame(&job, err));
    NP_TRY(find_artifacts(&job, err));
    return np_exec_check(exec, err);
}
