/*
 * 1. Count the shares in the tissues' box; find white matter's median, hence the factor.
 * 2. One pass over the image counts levels (ops/quality_levels.h) by what the voxels belong to, and
 *    sums differences of neighbours in the brain. Medians, quantiles and sums over any union of
 *    these sets come from the counts.
 * 3. One pass over the box sums shares by rounded intensity, and gathers the voxels of each tissue,
 *    whose medians are exact.
 *
 * Each pass is divided into N_PARTS ranges of planes, with memory of their own.
 */
#include "ops/quality.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/elementary.h"
#include "ops/lanes.h"
#include "ops/quality_levels.h"
#include "ops/quality_noise.h"

enum {
    N_PARTS = 8,
    IN_HEAD = 1, /* what a voxel belongs to, as bits of the number of its set of counts */
    IN_FRAME = 2,
    IN_AIR = 4,
    N_SETS = 8,
    SOURCE_OF_HAT = N_SETS, /* one more: the source's intensities */
    N_COUNTS,
    ROUNDED = 16384, /* intensities rounded to integers, the last for all above */
    N_SHARES = NP_TISSUE_WHOLE + 1,
    WHITE = 230, /* the least share of 0.9 and more */
    FIELD_BINS = 65536,
    N_REGION_BITS = 32,
    N_NEIGHBOURS = 18,
};
static const double WHITE_LEVEL = 1000;
static const double MAD_OF_NORMAL = 0.6744897501960817; /* of sd 1 */
static const double DIETRICH = 0.6551364;               /* sqrt((4 - pi) / 2) */
static const double TWO_LN_2 = 1.3862943611198906;

/* Sums over voxels, or over pairs of neighbours. */
struct sums {
    int64_t n;
    double sum, square;
};

/* The result of the pass over a range of planes of the image. */
struct part {
    uint32_t (*count)[NP_N_LEVELS]; /* [N_COUNTS] */
    int64_t *air;                   /* [ROUNDED] */
    int64_t n_artifact;
    struct sums brain, step[3]; /* of the source; step: to the next voxel along each axis */
    double field_low, field_high;
};

/* The result of the passes over a range of planes of the tissues' box. */
struct tissue_part {
    int64_t n_share[NP_N_TISSUES][N_SHARES];
    int64_t n_gathered[NP_N_TISSUES], n_white[2]; /* white: of its inside, of all */
    int64_t start[NP_N_TISSUES], white_start;     /* of this part, in what is gathered */
    int64_t *weight;                              /* [NP_N_TISSUES][ROUNDED], thousandths */
};

struct job {
    const struct np_quality_input *in;
    const struct np_exec *exec;
    const int64_t *n;
    float factor;
    uint8_t set[N_REGION_BITS];
    uint8_t *has_brain; /* of each plane */
    struct part part[N_PARTS];
    struct tissue_part *tissue_part; /* [N_PARTS] */
    uint32_t *counts;                /* [N_PARTS][N_COUNTS][NP_N_LEVELS]; later for unions */
    int64_t (*count)[NP_N_LEVELS];   /* [N_COUNTS], of all parts */
    int64_t *air, *weights;          /* [N_PARTS][…]; part 0 becomes the sum */
    float *white, *gathered[NP_N_TISSUES];
    int64_t n_share[NP_N_TISSUES][N_SHARES], n_gathered[NP_N_TISSUES];
    int least_gathered[NP_N_TISSUES]; /* the least share of a voxel that is gathered */
    int64_t thousandths[N_SHARES];
    int64_t *field_count; /* [FIELD_BINS] */
    struct sums brain, step[3];
    double field_low, field_high;
    struct np_quality *out;
    int failed; /* of the noise's index */
    struct np_error *err;
};

static int64_t part_start(int64_t n, int64_t part)
{
    return n * part / N_PARTS;
}

/* ---- medians of gathered values ------------------------------------------------------------ */

static void swap(float *a, float *b)
{
    float kept = *a;

    *a = *b;
    *b = kept;
}

static float middle_of(float a, float b, float c)
{
    float low = a < b ? a : b, high = a < b ? b : a;

    return c < low ? low : (c > high ? high : c);
}

/* Hoare 1961, doi:10.1145/366622.366647: afterwards value[rank] is as if all were in order, those
 * before it are at most as large, those after it at least. */
static void put_in_place(float *value, int64_t n, int64_t rank)
{
    int64_t low = 0, high = n - 1;

    while (low < high) {
        float pivot = middle_of(value[low], value[low + (high - low) / 2], value[high]);
        int64_t i = low, j = high;
        while (i <= j) {
            while (value[i] < pivot)
                i++;
            while (value[j] > pivot)
                j--;
            if (i <= j)
                swap(&value[i++], &value[j--]);
        }
        if (rank <= j)
            high = j;
        else if (rank >= i)
            low = i;
        else
            return;
    }
}

/* Reorders the values; NAN of none. */
static double median_of(float *value, int64_t n)
{
    if (n == 0)
        return NAN;
    put_in_place(value, n, n / 2);
    float high = value[n / 2], low = value[0];
    if (n % 2)
        return (double)high;
    for (int64_t i = 0; i < n / 2; i++)
        low = value[i] > low ? value[i] : low;
    return ((double)low + (double)high) / 2;
}

/* ---- white matter's level ------------------------------------------------------------------ */

static const uint8_t *shares_of_plane(const struct np_tissue *tissue, int k, int64_t z)
{
    return tissue->share[k] + z * tissue->n[0] * tissue->n[1];
}

static void count_shares(void *context, int64_t number)
{
    const struct job *job = context;
    const struct np_tissue *tissue = job->in->tissue;
    struct tissue_part *part = &job->tissue_part[number];
    size_t n_plane = (size_t)(tissue->n[0] * tissue->n[1]);
    int64_t first = part_start(tissue->n[2], number);
    size_t n = (size_t)(part_start(tissue->n[2], number + 1) - first) * n_plane;

    for (int k = 0; k < NP_N_TISSUES; k++) {
        const uint8_t *share = shares_of_plane(tissue, k, first);
        for (size_t i = np_next_inside(share, 0, n); i < n; i = np_next_inside(share, i + 1, n))
            part->n_share[k][share[i]]++;
    }
}

/* The part's memory in what is gathered, and the image's counts. */
static void sum_shares(struct job *job)
{
    int64_t white = 0;

    for (int k = 0; k < NP_N_TISSUES; k++) {
        int most = 0;
        for (int p = 0; p < N_PARTS; p++)
            for (int s = 0; s < N_SHARES; s++) {
                job->n_share[k][s] += job->tissue_part[p].n_share[k][s];
                most = job->n_share[k][s] && s > most ? s : most;
            }
        job->least_gathered[k] = most / 2 + 1;
        for (int p = 0; p < N_PARTS; p++) {
            struct tissue_part *part = &job->tissue_part[p];
            part->start[k] = job->n_gathered[k];
            for (int s = job->least_gathered[k]; s < N_SHARES; s++)
                job->n_gathered[k] += part->n_share[k][s];
        }
    }
    for (int p = 0; p < N_PARTS; p++) {
        job->tissue_part[p].white_start = white;
        for (int s = WHITE; s < N_SHARES; s++)
            white += job->tissue_part[p].n_share[NP_TISSUE_WM][s];
    }
}

/* Where the neighbours across faces and edges lie in the box's memory, the nearest first. */
static void set_neighbours(const struct np_tissue *tissue, int64_t step[N_NEIGHBOURS])
{
    const int64_t y = tissue->n[0], z = y * tissue->n[1];
    const int64_t half[N_NEIGHBOURS / 2] = {1, y, z, y + 1, y - 1, z + 1, z - 1, z + y, z - y};

    for (int i = 0; i < N_NEIGHBOURS / 2; i++) {
        step[2 * i] = half[i];
        step[2 * i + 1] = -half[i];
    }
}

static bool are_white(const uint8_t *share, const int64_t step[N_NEIGHBOURS])
{
    for (int i = 0; i < N_NEIGHBOURS; i++)
        if (share[step[i]] < WHITE)
            return false;
    return true;
}

/* Not at the box's border, where a neighbour is missing. */
static bool is_within(const int64_t n[3], int64_t x, int64_t y, int64_t z)
{
    return x > 0 && y > 0 && z > 0 && x < n[0] - 1 && y < n[1] - 1 && z < n[2] - 1;
}

static const float *row_of_box(const struct job *job, const struct np_image *image, int64_t y,
                               int64_t z)
{
    const int64_t *low = job->in->tissue->low;

    return image->voxel + ((z + low[2]) * job->n[1] + y + low[1]) * job->n[0] + low[0];
}

/* The inside grows from the part's start, the rest from its end. */
static void gather_white(void *context, int64_t number)
{
    const struct job *job = context;
    const struct np_tissue *tissue = job->in->tissue;
    struct tissue_part *part = &job->tissue_part[number];
    int64_t room = 0, step[N_NEIGHBOURS];

    set_neighbours(tissue, step);
    for (int s = WHITE; s < N_SHARES; s++)
        room += part->n_share[NP_TISSUE_WM][s];
    float *to = job->white + part->white_start, *end = to + room;
    for (int64_t z = part_start(tissue->n[2], number); z < part_start(tissue->n[2], number + 1);
         z++)
        for (int64_t y = 0; y < tissue->n[1]; y++) {
            const uint8_t *share = shares_of_plane(tissue, NP_TISSUE_WM, z) + y * tissue->n[0];
            const float *value = row_of_box(job, job->in->corrected, y, z);
            for (int64_t x = 0; x < tissue->n[0]; x++) {
                if (share[x] < WHITE)
                    continue;
                if (is_within(tissue->n, x, y, z) && are_white(share + x, step))
                    to[part->n_white[0]++] = value[x];
                else
                    *--end = value[x];
            }
        }
    part->n_white[1] = room;
}

static double white_median(const struct job *job)
{
    int64_t inside = 0, all = 0;

    for (int p = 0; p < N_PARTS; p++) {
        inside += job->tissue_part[p].n_white[0];
        all += job->tissue_part[p].n_white[1];
    }
    if (!inside)
        return median_of(job->white, all);
    for (int p = 0, to = 0; p < N_PARTS; p++) {
        const struct tissue_part *part = &job->tissue_part[p];
        memmove(job->white + to, job->white + part->white_start,
                (size_t)part->n_white[0] * sizeof(float));
        to += (int)part->n_white[0];
    }
    return median_of(job->white, inside);
}

static int no_memory(struct np_error *err)
{
    return np_error_set(err, NP_ENOMEM, "image quality: no memory for its counts");
}

static int set_factor(struct job *job, double level, struct np_error *err)
{
    if (!(level > 0))
        return np_error_set(err, NP_EDOMAIN,
                            "image quality: expected a brain with a positive intensity, found %g",
                            level);
    job->factor = (float)(WHITE_LEVEL / level);
    return 0;
}

static int find_white(struct job *job, struct np_error *err)
{
    int64_t n = 0;

    np_exec_run(job->exec, N_PARTS, count_shares, job);
    sum_shares(job);
    for (int s = WHITE; s < N_SHARES; s++)
        n += job->n_share[NP_TISSUE_WM][s];
    job->white = np_try_malloc((size_t)n + 1, sizeof(float));
    if (!job->white)
        return no_memory(err);
    np_exec_run(job->exec, N_PARTS, gather_white, job);
    return set_factor(job, white_median(job), err);
}

/* Without tissues no metric depends on the factor; the counts' range wants the brain about 1000. */
static int find_brain_level(struct job *job, struct np_error *err)
{
    size_t n_voxels = np_grid_voxels(&job->in->source->grid);
    double sum = 0, n = 0;

    for (size_t i = 0; i < n_voxels; i++)
        if (job->in->region[i] & NP_REGION_BRAIN) {
            sum += (double)job->in->corrected->voxel[i];
            n++;
        }
    return set_factor(job, n > 0 ? sum / n : 0, err);
}

/* ---- the pass over the image --------------------------------------------------------------- */

static void set_sets(struct job *job)
{
    for (int r = 0; r < N_REGION_BITS; r++) {
        bool is_air = (r & NP_REGION_HAT) && !(r & NP_REGION_ARTIFACT);
        job->set[r] = (uint8_t)((r & NP_REGION_HEAD ? IN_HEAD : 0) |
                                (r & NP_REGION_FRAME ? IN_FRAME : 0) | (is_air ? IN_AIR : 0));
    }
}

static inline int rounded(float value)
{
    float nearest = rintf(value);

    return nearest > 0 ? (nearest < ROUNDED - 1 ? (int)nearest : ROUNDED - 1) : 0;
}

/* Returns the bits of all voxels of the row. */
static unsigned count_row(const struct job *job, size_t first, struct part *part)
{
    const float *value = job->in->corrected->voxel + first,
                *source = job->in->source->voxel + first;
    const uint8_t *region = job->in->region + first, *set_of = job->set;
    uint32_t(*count)[NP_N_LEVELS] = part->count;
    const float factor = job->factor;
    const int64_t n_x = job->n[0];
    int64_t *air = part->air, n_artifact = 0;
    unsigned all = 0;

    for (int64_t x = 0; x < n_x; x++) {
        unsigned here = region[x], set = set_of[here & (N_REGION_BITS - 1)];
        all |= here;
        count[set][np_level_of(value[x] * factor)]++;
        if (!(here & NP_REGION_HAT))
            continue;
        if (!(here & NP_REGION_FRAME))
            count[SOURCE_OF_HAT][np_level_of(source[x] * factor)]++;
        if (set & IN_AIR)
            air[rounded(value[x] * factor)]++;
        else
            n_artifact++;
    }
    part->n_artifact += n_artifact;
    return all;
}

static inline void add_to(struct sums *sums, double value)
{
    sums->n++;
    sums->sum += value;
    sums->square += value * value;
}

static void add_row_of_brain(const struct job *job, size_t first, bool has_next_y, bool has_next_z,
                             struct part *part)
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
        if (job->in->field) {
            double factor = (double)job->in->field->voxel[i];
            part->field_low = factor < part->field_low ? factor : part->field_low;
            part->field_high = factor > part->field_high ? factor : part->field_high;
        }
    }
}

static void pass_image(void *context, int64_t number)
{
    struct job *job = context;
    struct part *part = &job->part[number];

    part->field_low = INFINITY;
    part->field_high = -INFINITY;
    for (int64_t z = part_start(job->n[2], number); z < part_start(job->n[2], number + 1); z++) {
        if (np_exec_canceled(job->exec))
            return;
        for (int64_t y = 0; y < job->n[1]; y++) {
            size_t first = (size_t)((z * job->n[1] + y) * job->n[0]);
            if (!(count_row(job, first, part) & NP_REGION_BRAIN))
                continue;
            job->has_brain[z] = 1;
            add_row_of_brain(job, first, y + 1 < job->n[1], z + 1 < job->n[2], part);
        }
    }
}

static void merge_counts(void *context, int64_t set)
{
    const struct job *job = context;

    for (int p = 0; p < N_PARTS; p++) {
        const uint32_t *count = job->part[p].count[set];
        for (int32_t i = 0; i < NP_N_LEVELS; i++)
            job->count[set][i] += count[i];
    }
}

static void add_sums(struct sums *to, const struct sums *sums)
{
    to->n += sums->n;
    to->sum += sums->sum;
    to->square += sums->square;
}

static void merge_parts(struct job *job)
{
    np_exec_run(job->exec, N_COUNTS, merge_counts, job);
    job->field_low = INFINITY;
    job->field_high = -INFINITY;
    for (int p = 0; p < N_PARTS; p++) {
        const struct part *part = &job->part[p];
        for (int i = 0; p && i < ROUNDED; i++)
            job->air[i] += part->air[i];
        add_sums(&job->brain, &part->brain);
        for (int a = 0; a < 3; a++)
            add_sums(&job->step[a], &part->step[a]);
        job->field_low = fmin(job->field_low, part->field_low);
        job->field_high = fmax(job->field_high, part->field_high);
    }
}

/* ---- the pass over the tissues ------------------------------------------------------------- */

/* Returns where the next voxel that is gathered goes. */
static float *sum_row(const struct job *job, int k, const float *value, const uint8_t *share,
                      int64_t *weight, float *to)
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
    const struct job *job = context;
    const struct np_tissue *tissue = job->in->tissue;
    struct tissue_part *part = &job->tissue_part[number];
    float *to[NP_N_TISSUES];

    for (int k = 0; k < NP_N_TISSUES; k++)
        to[k] = job->gathered[k] + part->start[k];
    for (int64_t z = part_start(tissue->n[2], number); z < part_start(tissue->n[2], number + 1);
         z++)
        for (int64_t y = 0; y < tissue->n[1]; y++)
            for (int k = 0; k < NP_N_TISSUES; k++)
                to[k] = sum_row(job, k, row_of_box(job, job->in->corrected, y, z),
                                shares_of_plane(tissue, k, z) + y * tissue->n[0],
                                part->weight + (ptrdiff_t)k * ROUNDED, to[k]);
}

static int measure_tissues(struct job *job, struct np_error *err)
{
    job->weights = np_try_calloc((size_t)N_PARTS * NP_N_TISSUES * ROUNDED, sizeof(int64_t));
    if (!job->weights)
        return no_memory(err);
    for (int k = 0; k < NP_N_TISSUES; k++) {
        job->gathered[k] = np_try_malloc((size_t)job->n_gathered[k] + 1, sizeof(float));
        if (!job->gathered[k])
            return no_memory(err);
    }
    for (int s = 0; s < N_SHARES; s++) /* as MRIQC rounds shares */
        job->thousandths[s] = (int64_t)(1000.0 * s / NP_TISSUE_WHOLE + 0.5);
    for (int p = 0; p < N_PARTS; p++)
        job->tissue_part[p].weight = job->weights + (ptrdiff_t)p * NP_N_TISSUES * ROUNDED;
    np_exec_run(job->exec, N_PARTS, pass_tissues, job);
    for (int p = 1; p < N_PARTS; p++)
        for (int i = 0; i < NP_N_TISSUES * ROUNDED; i++)
            job->weights[i] += job->tissue_part[p].weight[i];
    return np_exec_check(job->exec, err);
}

/* ---- summaries ----------------------------------------------------------------------------- */

/* Of weighted integers: the first whose cumulated weight reaches the target; between two, where it
 * is reached exactly (SAS's definition 5). */
static double weighted_quantile(const int64_t weight[ROUNDED], int64_t total, double p)
{
    double target = p * (double)total;
    int64_t sum = weight[0];
    int i = 0, next;

    while ((double)sum < target)
        sum += weight[++i];
    if ((double)sum > target)
        return i;
    for (next = i + 1; next < ROUNDED && !weight[next];)
        next++;
    return next < ROUNDED ? (i + next) / 2.0 : i;
}

static void summarize_rounded(const int64_t weight[ROUNDED], struct np_quality_summary *summary)
{
    int64_t total = 0;
    double sum = 0, square = 0;

    *summary = (struct np_quality_summary){NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0};
    for (int i = 0; i < ROUNDED; i++) {
        total += weight[i];
        sum += (double)weight[i] * i;
    }
    if (total == 0)
        return;
    summary->mean = sum / (double)total;
    for (int i = 0; i < ROUNDED; i++)
        square += (double)weight[i] * (i - summary->mean) * (i - summary->mean);
    summary->stdv = sqrt(square / (double)total);
    summary->p05 = weighted_quantile(weight, total, 0.05);
    summary->median = weighted_quantile(weight, total, 0.5);
    summary->p95 = weighted_quantile(weight, total, 0.95);
}

static double kurtosis_of(const float *value, int64_t n)
{
    double sum = 0, square = 0, fourth = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)value[i];
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = ((double)value[i] - mean) * ((double)value[i] - mean);
        square += d;
        fourth += d * d;
    }
    return square > 0 ? fourth * (double)n / (square * square) - 3 : NAN;
}

static void summarize_tissue(struct job *job, int k)
{
    struct np_quality_summary *summary = &job->out->summary[k];
    float *value = job->gathered[k];
    int64_t n = job->n_gathered[k];

    summarize_rounded(job->weights + (ptrdiff_t)k * ROUNDED, summary);
    for (int s = 0; s < N_SHARES; s++)
        summary->n += (double)job->n_share[k][s] * s / NP_TISSUE_WHOLE;
    if (n == 0 || isnan(summary->median))
        return;
    summary->kurtosis = kurtosis_of(value, n);
    for (int64_t i = 0; i < n; i++)
        value[i] = fabsf(value[i] - (float)summary->median);
    summary->mad = median_of(value, n) / MAD_OF_NORMAL;
}

/* The sum of the counts of those sets that have the bits `with` and not the bits `without`. */
static void unite(const struct job *job, unsigned with, unsigned without, int64_t *count)
{
    memset(count, 0, NP_N_LEVELS * sizeof(*count));
    for (unsigned set = 0; set < N_SETS; set++)
        if ((set & with) == with && !(set & without))
            for (int32_t i = 0; i < NP_N_LEVELS; i++)
                count[i] += job->count[set][i];
}

static void summarize_air(struct job *job, int64_t *count)
{
    struct np_quality_summary *summary = &job->out->summary[NP_QUALITY_BG];

    unite(job, IN_AIR, 0, count);
    summarize_rounded(job->air, summary);
    summary->n = (double)np_levels_total(count);
    if (summary->n == 0)
        return;
    summary->kurtosis = np_levels_kurtosis(count);
    summary->mad = np_levels_median_distance(count, summary->median) / MAD_OF_NORMAL;
}

/* ---- metrics of the whole image ------------------------------------------------------------ */

static double efc_of(const int64_t count[NP_N_LEVELS])
{
    double n = 0, sum = 0, square = 0, entropy = 0;

    for (int32_t i = 0; i < NP_N_LEVELS; i++) {
        double value = np_level_value(i), times = (double)count[i];
        n += times;
        if (times == 0 || value == 0)
            continue;
        sum += times * value;
        square += times * value * value;
        entropy += times * value * np_log(value);
    }
    double most = sqrt(square);
    if (!(most > 0) || n < 2)
        return NAN;
    return (entropy - sum * np_log(most)) / most / (sqrt(n) * -np_log(n) / 2);
}

static double fber_of(const struct job *job, int64_t *count)
{
    unite(job, IN_HEAD, 0, count);
    double head = np_levels_median_square(count);
    unite(job, 0, IN_HEAD | IN_FRAME, count);
    double rest = np_levels_median_square(count);
    return rest >= 1e-3 ? head / rest : -1;
}

static double fwhm_of(const struct sums *values, const struct sums *steps)
{
    if (values->n < 9 || steps->n < 6)
        return NAN;
    double n = (double)values->n, n_steps = (double)steps->n;
    double variance = (values->square - values->sum * values->sum / n) / (n - 1);
    double of_steps = (steps->square - steps->sum * steps->sum / n_steps) / (n_steps - 1);
    double correlation = 1 - of_steps / (2 * variance);
    if (!(variance > 0) || !(correlation > 0) || !(correlation < 1))
        return NAN;
    return sqrt(-TWO_LN_2 / np_log(correlation));
}

static void measure_smoothness(const struct job *job)
{
    for (int a = 0; a < 3; a++)
        job->out->fwhm[a] = fwhm_of(&job->brain, &job->step[a]);
    job->out->fwhm_avg = (job->out->fwhm[0] + job->out->fwhm[1] + job->out->fwhm[2]) / 3;
}

static void measure_air(struct job *job, int64_t *count)
{
    int64_t n_artifact = 0;

    for (int p = 0; p < N_PARTS; p++)
        n_artifact += job->part[p].n_artifact;
    unite(job, IN_AIR, 0, count);
    int64_t n_air = np_levels_total(count);
    job->out->qi_1 = n_air ? (double)n_artifact / (double)(n_air + n_artifact) : -1;
    job->failed = np_quality_noise_index(job->count[SOURCE_OF_HAT], &job->out->qi_2, job->err);
}

/* ---- the bias field ------------------------------------------------------------------------ */

static void count_field(const struct job *job, double bins_per_unit)
{
    int64_t n_plane = job->n[0] * job->n[1];

    for (int64_t z = 0; z < job->n[2]; z++)
        for (int64_t i = z * n_plane; job->has_brain[z] && i < (z + 1) * n_plane; i++)
            if (job->in->region[i] & NP_REGION_BRAIN) {
                double bin = ((double)job->in->field->voxel[i] - job->field_low) * bins_per_unit;
                job->field_count[bin < FIELD_BINS - 1 ? (int)bin : FIELD_BINS - 1]++;
            }
}

/* The values are evenly spread in their bin. */
static double field_quantile(const struct job *job, int64_t n, double p)
{
    double position = p * (double)(n - 1), width = (job->field_high - job->field_low) / FIELD_BINS;
    int64_t before = 0;
    int i = 0;

    while (i < FIELD_BINS - 1 && (double)(before + job->field_count[i]) <= position)
        before += job->field_count[i++];
    double share = (position - (double)before + 0.5) / (double)job->field_count[i];
    return job->field_low + width * (i + (share < 1 ? share : 1));
}

static void measure_field(const struct job *job)
{
    int64_t n = job->brain.n;

    job->out->inu_med = job->out->inu_range = NAN;
    if (!job->in->field)
        return;
    if (!(job->field_high > job->field_low)) {
        job->out->inu_med = job->field_low;
        job->out->inu_range = 0;
        return;
    }
    count_field(job, FIELD_BINS / (job->field_high - job->field_low));
    job->out->inu_med = field_quantile(job, n, 0.5);
    job->out->inu_range = field_quantile(job, n, 0.95) - field_quantile(job, n, 0.05);
}

/* ---- volumes ------------------------------------------------------------------------------- */

static double share_quantile(const int64_t n_share[N_SHARES], int64_t n, double p)
{
    double position = p * (double)(n - 1), value[2];
    int64_t rank = (int64_t)position;

    for (int side = 0; side < 2; side++) {
        int64_t before = 0, at = rank + side < n ? rank + side : rank;
        int s = 1;
        while (before + n_share[s] <= at)
            before += n_share[s++];
        value[side] = (double)s / NP_TISSUE_WHOLE;
    }
    return value[0] + (position - (double)rank) * (value[1] - value[0]);
}

static double rpve_of(const int64_t n_share[N_SHARES], int64_t n_voxels)
{
    int64_t n = 0;
    double sum = 0;

    for (int s = 1; s < N_SHARES; s++)
        n += n_share[s];
    if (n == 0)
        return NAN;
    double low = share_quantile(n_share, n, 0.02), high = share_quantile(n_share, n, 0.98);
    int64_t n_left = 0;
    for (int s = 1; s < N_SHARES; s++) {
        double share = (double)s / NP_TISSUE_WHOLE;
        if (share < low || share > high)
            continue;
        n_left += n_share[s];
        sum += (double)n_share[s] * (share > 0.5 ? share : 1 - share);
    }
    return (sum + (double)(n_voxels - n_left)) / (double)n;
}

static void measure_volumes(const struct job *job)
{
    struct np_quality *out = job->out;
    double all = 0;

    for (int k = 0; k < NP_N_TISSUES; k++)
        all += out->summary[k].n;
    for (int k = 0; k < NP_N_TISSUES; k++) {
        out->icvs[k] = out->summary[k].n / all;
        out->rpve[k] = rpve_of(job->n_share[k], (int64_t)np_grid_voxels(&job->in->source->grid));
    }
}

/* ---- signal, contrast and noise ------------------------------------------------------------ */

/* A quotient by nothing does not exist. */
static double quotient(double above, double below)
{
    return below > 0 ? above / below : NAN;
}

static double snrd_of(double median, const struct np_quality_summary *air)
{
    if (air->mad > 1)
        return DIETRICH * median / air->mad;
    if (isnan(air->stdv))
        return NAN;
    return air->stdv > 1e-3 ? DIETRICH * median / air->stdv : -1;
}

static void measure_contrast(const struct job *job, int64_t *count)
{
    struct np_quality *out = job->out;
    const struct np_quality_summary *air = &out->summary[NP_QUALITY_BG];
    const struct np_quality_summary *gm = &out->summary[NP_TISSUE_GM];
    const struct np_quality_summary *wm = &out->summary[NP_TISSUE_WM];
    double contrast = fabs(wm->median - gm->median);

    out->snr_total = out->snrd_total = 0;
    for (int k = 0; k < NP_N_TISSUES; k++) {
        const struct np_quality_summary *of = &out->summary[k];
        out->snr[k] = quotient(of->median, of->n > 1 ? of->stdv * sqrt(of->n / (of->n - 1)) : NAN);
        out->snrd[k] = snrd_of(of->median, air);
        out->snr_total += out->snr[k] / NP_N_TISSUES;
        out->snrd_total += out->snrd[k] / NP_N_TISSUES;
    }
    out->cnr =
        quotient(contrast, sqrt(air->stdv * air->stdv + gm->stdv * gm->stdv + wm->stdv * wm->stdv));
    out->cjv = quotient(wm->mad + gm->mad, contrast);
    unite(job, 0, 0, count);
    out->wm2max = quotient(wm->median, np_levels_quantile(count, 0.9995));
}

/* ---- all of them --------------------------------------------------------------------------- */

enum task { TASK_CSF, TASK_GM, TASK_WM, TASK_AIR, TASK_FIELD, N_TASKS };

static void measure_one(void *context, int64_t task)
{
    struct job *job = context;

    if (task == TASK_AIR)
        measure_air(job, (int64_t *)job->counts);
    else if (task == TASK_FIELD)
        measure_field(job);
    else if (job->in->tissue)
        summarize_tissue(job, (int)task);
}

static void lack_tissues(struct np_quality *out)
{
    out->cjv = out->cnr = out->wm2max = out->snr_total = out->snrd_total = NAN;
    for (int k = 0; k < NP_N_TISSUES; k++)
        out->icvs[k] = out->rpve[k] = out->snr[k] = out->snrd[k] = NAN;
    for (int k = 0; k < NP_N_SUMMARIES; k++)
        out->summary[k] = (struct np_quality_summary){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

/* `counts` is free once its parts are merged: memory for unions. */
static int finish(struct job *job, struct np_error *err)
{
    struct np_quality *out = job->out;
    int64_t *count = (int64_t *)job->counts;

    np_exec_run(job->exec, N_TASKS, measure_one, job);
    NP_TRY(job->failed);
    NP_TRY(np_exec_check(job->exec, err));
    measure_smoothness(job);
    unite(job, 0, IN_FRAME, count);
    out->efc = efc_of(count);
    out->fber = fber_of(job, count);
    for (int a = 0; a < 3; a++) {
        out->size[a] = job->n[a];
        out->spacing_mm[a] = job->in->source->grid.spacing_mm[a];
    }
    if (!job->in->tissue) {
        lack_tissues(out);
        return 0;
    }
    summarize_air(job, count);
    measure_volumes(job);
    measure_contrast(job, count);
    return 0;
}

static int get_memory(struct job *job, struct np_error *err)
{
    size_t n_counts = (size_t)N_COUNTS * NP_N_LEVELS;

    job->counts = np_try_voxels(N_PARTS * n_counts, sizeof(*job->counts));
    job->count = np_try_calloc(N_COUNTS, sizeof(*job->count));
    job->air = np_try_calloc((size_t)N_PARTS * ROUNDED, sizeof(*job->air));
    job->has_brain = np_try_calloc((size_t)job->n[2], 1);
    job->tissue_part = np_try_calloc(N_PARTS, sizeof(*job->tissue_part));
    job->field_count = np_try_calloc(FIELD_BINS, sizeof(*job->field_count));
    if (!job->counts || !job->count || !job->air || !job->has_brain || !job->tissue_part ||
        !job->field_count)
        return no_memory(err);
    for (int p = 0; p < N_PARTS; p++) {
        job->part[p].count = (uint32_t(*)[NP_N_LEVELS])(job->counts + (size_t)p * n_counts);
        job->part[p].air = job->air + (ptrdiff_t)p * ROUNDED;
    }
    return 0;
}

static void job_done(struct job *job)
{
    np_voxels_free(job->counts);
    np_freep(&job->count);
    np_freep(&job->air);
    np_freep(&job->has_brain);
    np_freep(&job->tissue_part);
    np_freep(&job->field_count);
    np_freep(&job->weights);
    np_freep(&job->white);
    for (int k = 0; k < NP_N_TISSUES; k++)
        np_freep(&job->gathered[k]);
}

static bool same_size(const struct np_grid *a, const struct np_grid *b)
{
    return a->n[0] == b->n[0] && a->n[1] == b->n[1] && a->n[2] == b->n[2];
}

static int check(const struct np_quality_input *in, struct np_error *err)
{
    const struct np_grid *grid = &in->source->grid;

    if (!same_size(grid, &in->corrected->grid) ||
        (in->field && !same_size(grid, &in->field->grid)) ||
        (in->tissue && !same_size(grid, &in->tissue->grid)))
        return np_error_set(err, NP_EGEOMETRY,
                            "image quality: the images and the tissues differ in size");
    return 0;
}

int np_quality_measure(const struct np_quality_input *input, const struct np_exec *exec,
                       struct np_quality *quality, struct np_error *err)
{
    struct np_quality out = {0};
    NP_AUTO(job_done)
    struct job job = {
        .in = input, .exec = exec, .n = input->source->grid.n, .out = &out, .err = err};

    NP_TRY(check(input, err));
    NP_TRY(get_memory(&job, err));
    set_sets(&job);
    NP_TRY(input->tissue ? find_white(&job, err) : find_brain_level(&job, err));
    np_exec_run(exec, N_PARTS, pass_image, &job);
    NP_TRY(np_exec_check(exec, err));
    merge_parts(&job);
    if (job.brain.n == 0)
        return np_error_set(err, NP_EDOMAIN, "image quality: expected a brain, found none");
    if (input->tissue)
        NP_TRY(measure_tissues(&job, err));
    NP_TRY(finish(&job, err));
    *quality = out;
    return 0;
}
