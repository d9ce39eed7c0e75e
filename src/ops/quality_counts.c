#include "ops/quality_job.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/lanes.h"

/* ---- the image ------------------------------------------------------------------------------- */

static void set_sets(struct np_quality_job *job)
{
    for (int r = 0; r < NP_QUALITY_REGION_BITS; r++) {
        bool is_air = (r & NP_REGION_HAT) && !(r & NP_REGION_ARTIFACT);
        job->set[r] = (uint8_t)((r & NP_REGION_HEAD ? NP_QUALITY_IN_HEAD : 0) |
                                (r & NP_REGION_FRAME ? NP_QUALITY_IN_FRAME : 0) |
                                (is_air ? NP_QUALITY_IN_AIR : 0));
    }
}

static inline int rounded(float value)
{
    float nearest = rintf(value);

    return nearest > 0 ? (nearest < NP_QUALITY_ROUNDED - 1 ? (int)nearest : NP_QUALITY_ROUNDED - 1)
                       : 0;
}

/* Returns the bits of all voxels of the row. */
static unsigned count_row(const struct np_quality_job *job, size_t first,
                          struct np_quality_part *part)
{
    const float *value = job->in->corrected->voxel + first;
    const uint8_t *region = job->in->region + first, *set_of = job->set;
    uint32_t(*count)[NP_N_LEVELS] = part->count;
    const float factor = job->factor;
    const int64_t n_x = job->n[0];
    int64_t *air = part->air, n_artifact = 0;
    unsigned all = 0;

    for (int64_t x = 0; x < n_x; x++) {
        unsigned here = region[x], set = set_of[here & (NP_QUALITY_REGION_BITS - 1)];
        all |= here;
        count[set][np_level_of(value[x] * factor)]++;
        if (!(here & NP_REGION_HAT))
            continue;
        if (set & NP_QUALITY_IN_AIR)
            air[rounded(value[x] * factor)]++;
        else
            n_artifact++;
    }
    part->n_artifact += n_artifact;
    return all;
}

/* The same, of the source's hat alone. */
static unsigned count_row_of_hat(const struct np_quality_job *job, size_t first,
                                 struct np_quality_part *part)
{
    const float *source = job->in->source->voxel + first, factor = job->factor;
    const uint8_t *region = job->in->region + first;
    uint32_t *count = part->count[NP_QUALITY_SOURCE_OF_HAT];
    unsigned all = 0;

    for (int64_t x = 0; x < job->n[0]; x++) {
        all |= region[x];
        if ((region[x] & NP_REGION_HAT) && !(region[x] & NP_REGION_FRAME))
            count[np_level_of(source[x] * factor)]++;
    }
    return all;
}

static inline void add_to(struct np_quality_sums *sums, double value)
{
    sums->n++;
    sums->sum += value;
    sums->square += value * value;
}

static void add_row_of_source(const struct np_quality_job *job, size_t first, bool has_next_y,
                              bool has_next_z, struct np_quality_part *part)
{
    const size_t next[3] = {1, (size_t)job->n[0], (size_t)(job->n[0] * job->n[1])};
    const float *source = job->in->source->voxel;
    const uint8_t *region = job->in->region;

    for (int64_t x = 0; x < job->n[0]; x++) {
        const size_t i = first + (size_t)x;
        const bool has_next[3] = {x + 1 < job->n[0], has_next_y, has_next_z};
        if (!(region[i] & NP_REGION_BRAIN))
            continue;
        add_to(&part->brain, (double)source[i]);
        for (int a = 0; a < 3; a++)
            if (has_next[a] && (region[i + next[a]] & NP_REGION_BRAIN))
                add_to(&part->step[a], (double)(source[i + next[a]] - source[i]));
    }
}

static void add_row_of_field(const struct np_quality_job *job, size_t first,
                             struct np_quality_part *part)
{
    for (size_t i = first; i < first + (size_t)job->n[0]; i++)
        if (job->in->region[i] & NP_REGION_BRAIN) {
            double factor = (double)job->in->field->voxel[i];
            part->field_low = factor < part->field_low ? factor : part->field_low;
            part->field_high = factor > part->field_high ? factor : part->field_high;
        }
}

static void pass_row(struct np_quality_job *job, int64_t y, int64_t z, struct np_quality_part *part)
{
    const size_t first = (size_t)((z * job->n[1] + y) * job->n[0]);
    unsigned all = 0;

    if (job->in->corrected)
        all |= count_row(job, first, part);
    if (job->in->source)
        all |= count_row_of_hat(job, first, part);
    if (!(all & NP_REGION_BRAIN))
        return;
    job->has_brain[z] = 1;
    if (job->in->source)
        add_row_of_source(job, first, y + 1 < job->n[1], z + 1 < job->n[2], part);
    if (job->in->field)
        add_row_of_field(job, first, part);
}

static void pass_image(void *context, int64_t number)
{
    struct np_quality_job *job = context;
    struct np_quality_part *part = &job->part[number];

    part->field_low = INFINITY;
    part->field_high = -INFINITY;
    for (int64_t z = np_quality_part_start(job->n[2], number);
         z < np_quality_part_start(job->n[2], number + 1); z++) {
        if (np_exec_canceled(job->exec))
            return;
        for (int64_t y = 0; y < job->n[1]; y++)
            pass_row(job, y, z, part);
    }
}

static void merge_counts(void *context, int64_t set)
{
    const struct np_quality_job *job = context;

    for (int p = 0; p < NP_QUALITY_PARTS; p++) {
        const uint32_t *count = job->part[p].count[set];
        for (int32_t i = 0; i < NP_N_LEVELS; i++)
            job->count[set][i] += count[i];
    }
}

static void add_sums(struct np_quality_sums *to, const struct np_quality_sums *sums)
{
    to->n += sums->n;
    to->sum += sums->sum;
    to->square += sums->square;
}

static void merge_parts(struct np_quality_job *job)
{
    np_exec_run(job->exec, NP_QUALITY_COUNTS, merge_counts, job);
    job->field_low = INFINITY;
    job->field_high = -INFINITY;
    for (int p = 0; p < NP_QUALITY_PARTS; p++) {
        const struct np_quality_part *part = &job->part[p];
        for (int i = 0; p && i < NP_QUALITY_ROUNDED; i++)
            job->air[i] += part->air[i];
        add_sums(&job->brain, &part->brain);
        for (int a = 0; a < 3; a++)
            add_sums(&job->step[a], &part->step[a]);
        job->field_low = fmin(job->field_low, part->field_low);
        job->field_high = fmax(job->field_high, part->field_high);
    }
}

int np_quality_count_image(struct np_quality_job *job, struct np_error *err)
{
    set_sets(job);
    np_exec_run(job->exec, NP_QUALITY_PARTS, pass_image, job);
    NP_TRY(np_exec_check(job->exec, err));
    merge_parts(job);
    return 0;
}

void np_quality_unite(const struct np_quality_job *job, unsigned with, unsigned without,
                      int64_t *count)
{
    memset(count, 0, NP_N_LEVELS * sizeof(*count));
    for (unsigned set = 0; set < NP_QUALITY_SETS; set++)
        if ((set & with) == with && !(set & without))
            for (int32_t i = 0; i < NP_N_LEVELS; i++)
                count[i] += job->count[set][i];
}

/* ---- the tissues ----------------------------------------------------------------------------- */

/* Returns where the next voxel that is gathered goes. */
static float *sum_row(const struct np_quality_job *job, int k, const float *value,
                      const uint8_t *share, int64_t *weight, float *to)
{
    const size_t n_x = (size_t)job->in->tissue->n[0];
    const int64_t *thousandths = job->thousandths;
    const int least = job->least_gathered[k];
    const float factor = job->factor;

    for (size_t x = np_next_inside(share, 0, n_x); x < n_x; x = np_next_inside(share, x + 1, n_x)) {
        float here = value[x] > 0 ? value[x] * factor : 0;
        weight[rounded(here)] += thousandths[share[x]];
        if (share[x] >= least)
            *to++ = here;
    }
    return to;
}

static void pass_tissues(void *context, int64_t number)
{
    const struct np_quality_job *job = context;
    const struct np_tissue *tissue = job->in->tissue;
    struct np_quality_tissue_part *part = &job->tissue_part[number];
    float *to[NP_N_TISSUES];

    for (int k = 0; k < NP_N_TISSUES; k++)
        to[k] = job->gathered[k] + part->start[k];
    for (int64_t z = np_quality_part_start(tissue->n[2], number);
         z < np_quality_part_start(tissue->n[2], number + 1); z++)
        for (int64_t y = 0; y < tissue->n[1]; y++)
            for (int k = 0; k < NP_N_TISSUES; k++)
                to[k] = sum_row(job, k, np_quality_row_of_box(job, job->in->corrected, y, z),
                                np_quality_shares(tissue, k, z) + y * tissue->n[0],
                                part->weight + (ptrdiff_t)k * NP_QUALITY_ROUNDED, to[k]);
}

int np_quality_count_tissues(struct np_quality_job *job, struct np_error *err)
{
    job->weights = np_try_calloc((size_t)NP_QUALITY_PARTS * NP_N_TISSUES * NP_QUALITY_ROUNDED,
                                 sizeof(int64_t));
    if (!job->weights)
        return np_quality_no_memory(err);
    for (int k = 0; k < NP_N_TISSUES; k++) {
        job->gathered[k] = np_try_malloc((size_t)job->n_gathered[k] + 1, sizeof(float));
        if (!job->gathered[k])
            return np_quality_no_memory(err);
    }
    for (int s = 0; s < NP_QUALITY_SHARES; s++) /* as MRIQC rounds shares */
        job->thousandths[s] = (int64_t)(1000.0 * s / NP_TISSUE_WHOLE + 0.5);
    for (int p = 0; p < NP_QUALITY_PARTS; p++)
        job->tissue_part[p].weight =
            job->weights + (ptrdiff_t)p * NP_N_TISSUES * NP_QUALITY_ROUNDED;
    np_exec_run(job->exec, NP_QUALITY_PARTS, pass_tissues, job);
    for (int p = 1; p < NP_QUALITY_PARTS; p++)
        for (int i = 0; i < NP_N_TISSUES * NP_QUALITY_ROUNDED; i++)
            job->weights[i] += job->tissue_part[p].weight[i];
    return np_exec_check(job->exec, err);
}
