#include "ops/quality_job.h"

#include <string.h>

#include "base/alloc.h"
#include "ops/lanes.h"

enum {
    WHITE = 230, /* the least share of 0.9 and more */
    N_NEIGHBOURS = 18,
};
static const double WHITE_LEVEL = 1000;

int np_quality_no_memory(struct np_error *err)
{
    return np_error_set(err, NP_ENOMEM, "image quality: no memory for its counts");
}

static void count_shares(void *context, int64_t number)
{
    const struct np_quality_job *job = context;
    const struct np_tissue *tissue = job->in->tissue;
    struct np_quality_tissue_part *part = &job->tissue_part[number];
    size_t n_plane = (size_t)(tissue->n[0] * tissue->n[1]);
    int64_t first = np_quality_part_start(tissue->n[2], number);
    size_t n = (size_t)(np_quality_part_start(tissue->n[2], number + 1) - first) * n_plane;

    for (int k = 0; k < NP_N_TISSUES; k++) {
        const uint8_t *share = np_quality_shares(tissue, k, first);
        for (size_t i = np_next_inside(share, 0, n); i < n; i = np_next_inside(share, i + 1, n))
            part->n_share[k][share[i]]++;
    }
}

/* The part's memory in what is gathered, and the image's counts. */
static void sum_shares(struct np_quality_job *job)
{
    int64_t white = 0;

    for (int k = 0; k < NP_N_TISSUES; k++) {
        int most = 0;
        for (int p = 0; p < NP_QUALITY_PARTS; p++)
            for (int s = 0; s < NP_QUALITY_SHARES; s++) {
                job->n_share[k][s] += job->tissue_part[p].n_share[k][s];
                most = job->n_share[k][s] && s > most ? s : most;
            }
        job->least_gathered[k] = most / 2 + 1;
        for (int p = 0; p < NP_QUALITY_PARTS; p++) {
            struct np_quality_tissue_part *part = &job->tissue_part[p];
            part->start[k] = job->n_gathered[k];
            for (int s = job->least_gathered[k]; s < NP_QUALITY_SHARES; s++)
                job->n_gathered[k] += part->n_share[k][s];
        }
    }
    for (int p = 0; p < NP_QUALITY_PARTS; p++) {
        job->tissue_part[p].white_start = white;
        for (int s = WHITE; s < NP_QUALITY_SHARES; s++)
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

/* The inside grows from the part's start, the rest from its end. */
static void gather_white(void *context, int64_t number)
{
    const struct np_quality_job *job = context;
    const struct np_tissue *tissue = job->in->tissue;
    struct np_quality_tissue_part *part = &job->tissue_part[number];
    int64_t room = 0, step[N_NEIGHBOURS];

    set_neighbours(tissue, step);
    for (int s = WHITE; s < NP_QUALITY_SHARES; s++)
        room += part->n_share[NP_TISSUE_WM][s];
    float *to = job->white + part->white_start, *end = to + room;
    for (int64_t z = np_quality_part_start(tissue->n[2], number);
         z < np_quality_part_start(tissue->n[2], number + 1); z++)
        for (int64_t y = 0; y < tissue->n[1]; y++) {
            const uint8_t *share = np_quality_shares(tissue, NP_TISSUE_WM, z) + y * tissue->n[0];
            const float *value = np_quality_row_of_box(job, job->in->corrected, y, z);
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

static double white_median(const struct np_quality_job *job)
{
    int64_t inside = 0, all = 0;

    for (int p = 0; p < NP_QUALITY_PARTS; p++) {
        inside += job->tissue_part[p].n_white[0];
        all += job->tissue_part[p].n_white[1];
    }
    if (!inside)
        return np_quality_median(job->white, all);
    for (int p = 0, to = 0; p < NP_QUALITY_PARTS; p++) {
        const struct np_quality_tissue_part *part = &job->tissue_part[p];
        memmove(job->white + to, job->white + part->white_start,
                (size_t)part->n_white[0] * sizeof(float));
        to += (int)part->n_white[0];
    }
    return np_quality_median(job->white, inside);
}

static int set_factor(struct np_quality_job *job, double level, struct np_error *err)
{
    if (!(level > 0))
        return np_error_set(err, NP_EDOMAIN,
                            "image quality: expected a brain with a positive intensity, found %g",
                            level);
    job->factor = (float)(WHITE_LEVEL / level);
    return 0;
}

int np_quality_find_white(struct np_quality_job *job, struct np_error *err)
{
    int64_t n = 0;

    np_exec_run(job->exec, NP_QUALITY_PARTS, count_shares, job);
    sum_shares(job);
    for (int s = WHITE; s < NP_QUALITY_SHARES; s++)
        n += job->n_share[NP_TISSUE_WM][s];
    job->white = np_try_malloc((size_t)n + 1, sizeof(float));
    if (!job->white)
        return np_quality_no_memory(err);
    np_exec_run(job->exec, NP_QUALITY_PARTS, gather_white, job);
    return set_factor(job, white_median(job), err);
}

static void sum_brain(void *context, int64_t number)
{
    struct np_quality_job *job = context;
    const float *value = np_quality_image(job->in)->voxel;
    const int64_t n_plane = job->n[0] * job->n[1];
    const size_t end = (size_t)(np_quality_part_start(job->n[2], number + 1) * n_plane);
    struct np_quality_sums *sums = &job->part[number].level;

    for (size_t i = (size_t)(np_quality_part_start(job->n[2], number) * n_plane); i < end; i++)
        if (job->in->region[i] & NP_REGION_BRAIN) {
            sums->sum += (double)value[i];
            sums->n++;
        }
}

/* Without tissues no metric depends on the factor; the counts' range wants the brain about 1000. */
int np_quality_find_brain_level(struct np_quality_job *job, struct np_error *err)
{
    double sum = 0;
    int64_t n = 0;

    np_exec_run(job->exec, NP_QUALITY_PARTS, sum_brain, job);
    for (int p = 0; p < NP_QUALITY_PARTS; p++) {
        sum += job->part[p].level.sum;
        n += job->part[p].level.n;
    }
    return set_factor(job, n > 0 ? sum / (double)n : 0, err);
}
