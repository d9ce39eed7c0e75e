/*
 * Openings work on bits, 64 voxels of a row in a word. Neighbours along x are shifts; so an erosion
 * or a dilation costs a few operations a word. Around the bits lies a layer, which is a part of the
 * frame's rule, and empty for artifacts.
 */
#include "ops/quality_regions.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/morphology.h"
#include "ops/quality.h"
#include "ops/quality_levels.h"

enum { LAYER = 1, WORD = 64, LEAST_POSITIVE = 10, LEAST_FRAME = 500, N_BIG_COMPONENTS = 2 };
static const double ARTIFACT_SDS = 10, LEAST_DISTANCE = 0.1;
static const double MAD_OF_NORMAL = 0.6744897501960817; /* of sd 1 */
/* For the counts of intensities, whose least value is 2^-6: what a scanner measured is larger. */
static const double BRAIN_LEVEL = 16000;

struct bits {
    int64_t n[3];   /* voxels, with the layer */
    int64_t stride; /* words of a row */
    uint64_t *word;
};

static void bits_done(struct bits *bits)
{
    np_voxels_free(bits->word);
}

static int bits_make(const struct np_grid *grid, struct bits *bits, struct np_error *err)
{
    for (int a = 0; a < 3; a++)
        bits->n[a] = grid->n[a] + 2 * LAYER;
    bits->stride = (bits->n[0] + WORD - 1) / WORD;
    bits->word =
        np_try_voxels((size_t)(bits->stride * bits->n[1] * bits->n[2]), sizeof(*bits->word));
    return bits->word ? 0
                      : np_error_set(err, NP_ENOMEM, "image quality: no memory for its regions");
}

static uint64_t *row_of(const struct bits *bits, int64_t y, int64_t z)
{
    return bits->word + (z * bits->n[1] + y) * bits->stride;
}

static void set_bit(uint64_t *row, int64_t x)
{
    row[x / WORD] |= (uint64_t)1 << (x % WORD);
}

static bool has_bit(const uint64_t *row, int64_t x)
{
    return row[x / WORD] >> (x % WORD) & 1;
}

/* ---- openings ------------------------------------------------------------------------------ */

/* Neighbours across faces; or across faces and edges. */
enum shape { SHAPE_6, SHAPE_18 };
enum change { ERODE, DILATE };

struct morph {
    const struct bits *from, *to;
    enum shape shape;
    enum change change;
};

/* Nothing lies outside. */
static uint64_t word_at(const struct bits *bits, int64_t i, int64_t y, int64_t z)
{
    bool is_there =
        i >= 0 && i < bits->stride && y >= 0 && y < bits->n[1] && z >= 0 && z < bits->n[2];

    return is_there ? row_of(bits, y, z)[i] : 0;
}

static uint64_t join(uint64_t a, uint64_t b, enum change change)
{
    return change == ERODE ? a & b : a | b;
}

/* With the neighbours along x. */
static uint64_t joined_word(const struct morph *m, int64_t i, int64_t y, int64_t z)
{
    uint64_t here = word_at(m->from, i, y, z);
    uint64_t left = here << 1 | word_at(m->from, i - 1, y, z) >> (WORD - 1);
    uint64_t right = here >> 1 | word_at(m->from, i + 1, y, z) << (WORD - 1);

    return join(here, join(left, right, m->change), m->change);
}

static uint64_t morphed_word(const struct morph *m, int64_t i, int64_t y, int64_t z)
{
    uint64_t all = joined_word(m, i, y, z);

    for (int64_t d = -1; d <= 1; d += 2) {
        bool is_wide = m->shape == SHAPE_18;
        all = join(all, is_wide ? joined_word(m, i, y + d, z) : word_at(m->from, i, y + d, z),
                   m->change);
        all = join(all, is_wide ? joined_word(m, i, y, z + d) : word_at(m->from, i, y, z + d),
                   m->change);
        for (int64_t e = -1; is_wide && e <= 1; e += 2)
            all = join(all, word_at(m->from, i, y + d, z + e), m->change);
    }
    return all;
}

/* A row's last word has no bits beyond the image: the erosion of nothing is nothing, and what a
 * dilation adds there is cut off. */
static void morph_plane(void *context, int64_t z)
{
    const struct morph *m = context;
    int64_t used = m->from->n[0] % WORD;
    uint64_t last = used ? ((uint64_t)1 << used) - 1 : ~(uint64_t)0;

    for (int64_t y = 0; y < m->from->n[1]; y++) {
        uint64_t *to = row_of(m->to, y, z);
        for (int64_t i = 0; i < m->from->stride; i++)
            to[i] = morphed_word(m, i, y, z);
        to[m->from->stride - 1] &= last;
    }
}

/* `spare` is of the same size. */
static void open_bits(struct bits *bits, struct bits *spare, enum shape shape,
                      const struct np_exec *exec)
{
    struct morph erosion = {bits, spare, shape, ERODE}, dilation = {spare, bits, shape, DILATE};

    np_exec_run(exec, bits->n[2], morph_plane, &erosion);
    np_exec_run(exec, bits->n[2], morph_plane, &dilation);
}

static bool is_empty(const struct bits *bits)
{
    for (int64_t i = 0; i < bits->stride * bits->n[1] * bits->n[2]; i++)
        if (bits->word[i])
            return false;
    return true;
}

/* ---- head, brain and hat --------------------------------------------------------------------- */

struct job {
    const struct np_image *source;
    const struct np_mask *head, *brain;
    const struct np_hat_planes *planes;
    const struct np_exec *exec;
    const int64_t *n;
    uint8_t *region;
    struct bits bits, spare;
    double limit;     /* of artifacts */
    float *distance2; /* to the head, voxels² */
    double distance2_limit;
    float *plane_most; /* of each plane, the largest such distance in the hat */
};

static void job_done(struct job *job)
{
    bits_done(&job->bits);
    bits_done(&job->spare);
    np_freep(&job->plane_most);
}

static void mark_plane(void *context, int64_t z)
{
    const struct job *job = context;

    for (int64_t y = 0; y < job->n[1]; y++) {
        bool is_high = z >= (y < job->n[1] / 2 ? job->planes->rear_z : job->planes->front_z);
        int64_t first = (z * job->n[1] + y) * job->n[0];
        for (int64_t i = first; i < first + job->n[0]; i++) {
            int outside = is_high ? NP_REGION_HAT : 0;
            job->region[i] = (uint8_t)((job->head->voxel[i] ? NP_REGION_HEAD : outside) |
                                       (job->brain->voxel[i] ? NP_REGION_BRAIN : 0));
        }
    }
}

static void set_region(const struct job *job, const struct bits *bits, int bit)
{
    for (int64_t z = 0; z < job->n[2]; z++)
        for (int64_t y = 0; y < job->n[1]; y++) {
            const uint64_t *row = row_of(bits, y + LAYER, z + LAYER);
            uint8_t *region = job->region + (z * job->n[1] + y) * job->n[0];
            for (int64_t x = 0; x < job->n[0]; x++)
                if (has_bit(row, x + LAYER))
                    region[x] |= (uint8_t)bit;
        }
}

/* ---- the frame ------------------------------------------------------------------------------- */

static void find_zeros(void *context, int64_t z)
{
    const struct job *job = context;

    for (int64_t y = 0; y < job->bits.n[1]; y++) {
        uint64_t *row = row_of(&job->bits, y, z);
        bool is_layer = y == 0 || y == job->bits.n[1] - 1 || z == 0 || z == job->bits.n[2] - 1;
        memset(row, 0, (size_t)job->bits.stride * sizeof(*row));
        set_bit(row, 0);
        set_bit(row, job->bits.n[0] - 1);
        int64_t first = is_layer ? 0 : ((z - LAYER) * job->n[1] + y - LAYER) * job->n[0];
        for (int64_t x = 0; x < job->n[0]; x++)
            if (is_layer || job->source->voxel[first + x] <= 0)
                set_bit(row, x + LAYER);
    }
}

/* Keep the largest component of the mask in `kept`, too, and take it out of the mask. */
static int move_largest(struct np_mask *mask, struct np_mask *kept, struct np_error *err)
{
    size_t n = np_grid_voxels(&mask->grid);
    NP_AUTO(np_mask_freep) struct np_mask *largest = np_mask_new(&mask->grid);

    if (!largest)
        return np_error_set(err, NP_ENOMEM, "image quality: no memory for its regions");
    memcpy(largest->voxel, mask->voxel, n);
    NP_TRY(np_mask_keep_largest(largest, NP_CONNECT_6, NULL, err));
    for (size_t i = 0; i < n; i++) {
        mask->voxel[i] &= (uint8_t)!largest->voxel[i];
        kept->voxel[i] |= largest->voxel[i];
    }
    return 0;
}

static int keep_two_largest(struct bits *bits, struct np_error *err)
{
    const struct np_grid grid = np_grid_make(bits->n[0], bits->n[1], bits->n[2], 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
    NP_AUTO(np_mask_freep) struct np_mask *kept = np_mask_new(&grid);
    int64_t n_rows = bits->n[1] * bits->n[2];

    if (!mask || !kept)
        return np_error_set(err, NP_ENOMEM, "image quality: no memory for its regions");
    for (int64_t row = 0; row < n_rows; row++)
        for (int64_t x = 0; x < bits->n[0]; x++)
            mask->voxel[row * bits->n[0] + x] = has_bit(bits->word + row * bits->stride, x);
    for (int i = 0; i < N_BIG_COMPONENTS; i++)
        NP_TRY(move_largest(mask, kept, err));
    memset(bits->word, 0, (size_t)(bits->stride * n_rows) * sizeof(*bits->word));
    for (int64_t row = 0; row < n_rows; row++)
        for (int64_t x = 0; x < bits->n[0]; x++)
            if (kept->voxel[row * bits->n[0] + x])
                set_bit(bits->word + row * bits->stride, x);
    return 0;
}

static int64_t count_inside(const struct job *job, const struct bits *bits)
{
    int64_t n = 0;

    for (int64_t z = 0; z < job->n[2]; z++)
        for (int64_t y = 0; y < job->n[1]; y++)
            for (int64_t x = 0; x < job->n[0]; x++)
                n += has_bit(row_of(bits, y + LAYER, z + LAYER), x + LAYER);
    return n;
}

static int find_frame(struct job *job, struct np_error *err)
{
    np_exec_run(job->exec, job->bits.n[2], find_zeros, job);
    open_bits(&job->bits, &job->spare, SHAPE_18, job->exec);
    NP_TRY(np_exec_check(job->exec, err));
    if (is_empty(&job->bits))
        return 0;
    NP_TRY(keep_two_largest(&job->bits, err));
    if (count_inside(job, &job->bits) >= LEAST_FRAME)
        set_region(job, &job->bits, NP_REGION_FRAME);
    return 0;
}

/* ---- artifacts ------------------------------------------------------------------------------- */

static int brain_mean(const struct job *job, double *mean, struct np_error *err)
{
    double sum = 0, n = 0;

    for (size_t i = 0; i < np_grid_voxels(&job->source->grid); i++)
        if (job->brain->voxel[i]) {
            sum += (double)job->source->voxel[i];
            n++;
        }
    if (!(sum > 0))
        return np_error_set(err, NP_EDOMAIN,
                            "image quality: expected a brain with a positive intensity, found %g",
                            n > 0 ? sum / n : 0);
    *mean = sum / n;
    return 0;
}

/* Ten robust standard deviations of what is positive in the hat; INFINITY of too few. */
static int find_limit(struct job *job, struct np_error *err)
{
    NP_AUTO(np_freep) int64_t *count = np_try_calloc(NP_N_LEVELS, sizeof(*count));
    double mean = 0;

    if (!count)
        return np_error_set(err, NP_ENOMEM, "image quality: no memory for its counts");
    NP_TRY(brain_mean(job, &mean, err));
    const float factor = (float)(BRAIN_LEVEL / mean);
    for (size_t i = 0; i < np_grid_voxels(&job->source->grid); i++)
        if (job->region[i] & NP_REGION_HAT)
            count[np_level_of(job->source->voxel[i] * factor)]++;
    count[0] = 0;
    job->limit = INFINITY;
    if (np_levels_total(count) < LEAST_POSITIVE)
        return 0;
    double distance = np_levels_median_distance(count, np_levels_quantile(count, 0.5));
    job->limit = ARTIFACT_SDS * distance / MAD_OF_NORMAL / (double)factor;
    return 0;
}

static void find_bright(void *context, int64_t z)
{
    const struct job *job = context;

    for (int64_t y = 0; y < job->n[1]; y++) {
        uint64_t *row = row_of(&job->bits, y + LAYER, z + LAYER);
        int64_t first = (z * job->n[1] + y) * job->n[0];
        for (int64_t x = 0; x < job->n[0]; x++)
            if (job->region[first + x] & NP_REGION_HAT &&
                (double)job->source->voxel[first + x] > job->limit)
                set_bit(row, x + LAYER);
    }
}

static void find_most(void *context, int64_t z)
{
    const struct job *job = context;
    int64_t n_plane = job->n[0] * job->n[1];
    float most = 0;

    for (int64_t i = z * n_plane; i < (z + 1) * n_plane; i++)
        if (job->region[i] & NP_REGION_HAT && job->distance2[i] > most)
            most = job->distance2[i];
    job->plane_most[z] = most;
}

static void take_out_near(void *context, int64_t z)
{
    const struct job *job = context;

    for (int64_t y = 0; y < job->n[1]; y++) {
        uint64_t *row = row_of(&job->bits, y + LAYER, z + LAYER);
        int64_t first = (z * job->n[1] + y) * job->n[0];
        for (int64_t x = 0; x < job->n[0]; x++)
            if ((double)job->distance2[first + x] < job->distance2_limit)
                row[(x + LAYER) / WORD] &= ~((uint64_t)1 << ((x + LAYER) % WORD));
    }
}

/* Distances count voxels, whatever their size. */
static int leave_far(struct job *job, struct np_error *err)
{
    const struct np_grid grid = np_grid_make(job->n[0], job->n[1], job->n[2], 1, 1, 1);
    const struct np_mask head = {grid, job->head->voxel};
    NP_AUTO(np_image_freep) struct np_image *distance2 = np_image_new(&grid);
    float most = 0;

    job->plane_most = np_try_calloc((size_t)job->n[2], sizeof(*job->plane_most));
    if (!distance2 || !job->plane_most)
        return np_error_set(err, NP_ENOMEM, "image quality: no memory for %zu MiB of distances",
                            np_grid_mib(&grid));
    NP_TRY(np_distance_mm2(&head, NP_DISTANCE_TO_ONE, job->exec, distance2, err));
    job->distance2 = distance2->voxel;
    np_exec_run(job->exec, job->n[2], find_most, job);
    for (int64_t z = 0; z < job->n[2]; z++)
        most = job->plane_most[z] > most ? job->plane_most[z] : most;
    job->distance2_limit = LEAST_DISTANCE * LEAST_DISTANCE * (double)most;
    np_exec_run(job->exec, job->n[2], take_out_near, job);
    job->distance2 = NULL;
    return 0;
}

/* Does an opening leave anything of all bright voxels? Where not, it leaves nothing of those that
 * are far away, and the distances, which cost most, are not needed. */
static int may_be_artifacts(struct job *job, bool *may_be, struct np_error *err)
{
    NP_AUTO(bits_done) struct bits copy = {0};
    size_t n_words = (size_t)(job->bits.stride * job->bits.n[1] * job->bits.n[2]);

    NP_TRY(bits_make(&job->source->grid, &copy, err));
    memcpy(copy.word, job->bits.word, n_words * sizeof(*copy.word));
    open_bits(&copy, &job->spare, SHAPE_6, job->exec);
    *may_be = !is_empty(&copy);
    return 0;
}

static int find_artifacts(struct job *job, struct np_error *err)
{
    bool may_be = false;
    size_t n_words = (size_t)(job->bits.stride * job->bits.n[1] * job->bits.n[2]);

    NP_TRY(find_limit(job, err));
    memset(job->bits.word, 0, n_words * sizeof(*job->bits.word));
    np_exec_run(job->exec, job->n[2], find_bright, job);
    NP_TRY(may_be_artifacts(job, &may_be, err));
    if (!may_be)
        return 0;
    NP_TRY(leave_far(job, err));
    open_bits(&job->bits, &job->spare, SHAPE_6, job->exec);
    set_region(job, &job->bits, NP_REGION_ARTIFACT);
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
    NP_TRY(bits_make(&source->grid, &job.bits, err));
    NP_TRY(bits_make(&source->grid, &job.spare, err));
    np_exec_run(exec, job.n[2], mark_plane, &job);
    NP_TRY(find_frame(&job, err));
    NP_TRY(find_artifacts(&job, err));
    return np_exec_check(exec, err);
}
