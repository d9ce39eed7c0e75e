/* Private to the files of ops/quality.c. Levels: ops/quality_levels.h. */
#ifndef NP_OPS_QUALITY_JOB_H
#define NP_OPS_QUALITY_JOB_H

#include "ops/quality.h"
#include "ops/quality_levels.h"

enum {
    NP_QUALITY_PARTS = 8,
    NP_QUALITY_IN_HEAD =
        1, /* what a voxel belongs to, as bits of the number of its set of counts */
    NP_QUALITY_IN_FRAME = 2,
    NP_QUALITY_IN_AIR = 4,
    NP_QUALITY_SETS = 8,
    NP_QUALITY_SOURCE_OF_HAT = NP_QUALITY_SETS, /* one more: the source's intensities */
    NP_QUALITY_COUNTS,
    NP_QUALITY_ROUNDED = 16384, /* intensities rounded to integers, the last for all above */
    NP_QUALITY_SHARES = NP_TISSUE_WHOLE + 1,
    NP_QUALITY_REGION_BITS = 32,
};

/* Sums over voxels, or over pairs of neighbours. */
struct np_quality_sums {
    int64_t n;
    double sum, square;
};

/* The result of the pass over a range of planes of the image. */
struct np_quality_part {
    uint32_t (*count)[NP_N_LEVELS]; /* [NP_QUALITY_COUNTS] */
    int64_t *air;                   /* [NP_QUALITY_ROUNDED] */
    int64_t n_artifact;
    struct np_quality_sums level; /* of the brain */
    struct np_quality_sums brain,
        step[3]; /* of the source; step: to the next voxel along each axis */
    double field_low, field_high;
};

/* The result of the passes over a range of planes of the tissues' box. */
struct np_quality_tissue_part {
    int64_t n_share[NP_N_TISSUES][NP_QUALITY_SHARES];
    int64_t n_gathered[NP_N_TISSUES], n_white[2]; /* white: of its inside, of all */
    int64_t start[NP_N_TISSUES], white_start;     /* of this part, in what is gathered */
    int64_t *weight; /* [NP_N_TISSUES][NP_QUALITY_ROUNDED], thousandths */
};

struct np_quality_job {
    const struct np_quality_input *in;
    const struct np_exec *exec;
    const int64_t *n;
    float factor;
    uint8_t set[NP_QUALITY_REGION_BITS];
    uint8_t *has_brain; /* of each plane */
    struct np_quality_part part[NP_QUALITY_PARTS];
    struct np_quality_tissue_part *tissue_part; /* [NP_QUALITY_PARTS] */
    uint32_t *counts; /* [NP_QUALITY_PARTS][NP_QUALITY_COUNTS][NP_N_LEVELS]; later for unions */
    int64_t (*count)[NP_N_LEVELS]; /* [NP_QUALITY_COUNTS], of all parts */
    int64_t *air, *weights;        /* [NP_QUALITY_PARTS][…]; part 0 becomes the sum */
    float *white, *gathered[NP_N_TISSUES];
    int64_t n_share[NP_N_TISSUES][NP_QUALITY_SHARES], n_gathered[NP_N_TISSUES];
    int least_gathered[NP_N_TISSUES]; /* the least share of a voxel that is gathered */
    int64_t thousandths[NP_QUALITY_SHARES];
    int64_t *field_count; /* [FIELD_BINS] */
    struct np_quality_sums brain, step[3];
    double field_low, field_high;
    struct np_quality *out;
    int failed; /* of the noise's index */
    struct np_error *err;
};

static inline int64_t np_quality_part_start(int64_t n, int64_t part)
{
    return n * part / NP_QUALITY_PARTS;
}

/* The first share of a plane. */
static inline const uint8_t *np_quality_shares(const struct np_tissue *tissue, int k, int64_t z)
{
    return tissue->share[k] + z * tissue->n[0] * tissue->n[1];
}

/* A row of the tissues' box. */
static inline const float *np_quality_row_of_box(const struct np_quality_job *job,
                                                 const struct np_image *image, int64_t y, int64_t z)
{
    const int64_t *low = job->in->tissue->low;

    return image->voxel + ((z + low[2]) * job->n[1] + y + low[1]) * job->n[0] + low[0];
}

/* The one that there is. */
static inline const struct np_image *np_quality_image(const struct np_quality_input *in)
{
    return in->corrected ? in->corrected : in->source;
}

/* NP_ENOMEM, with a sentence. */
int np_quality_no_memory(struct np_error *err) NP_MUST_USE;

/* White matter's median, hence the factor; with tissues, and the room of what is gathered. Without
 * them the brain's mean. Return 0, NP_EDOMAIN, NP_ENOMEM. quality_white.c */
int np_quality_find_white(struct np_quality_job *job, struct np_error *err) NP_MUST_USE;
int np_quality_find_brain_level(struct np_quality_job *job, struct np_error *err) NP_MUST_USE;

/* The passes over the image and over the tissues' box. Return 0, NP_ENOMEM, NP_ECANCELED.
 * quality_counts.c */
int np_quality_count_image(struct np_quality_job *job, struct np_error *err) NP_MUST_USE;
int np_quality_count_tissues(struct np_quality_job *job, struct np_error *err) NP_MUST_USE;

/* The sum of the counts of those sets that have the bits `with` and not the bits `without`. */
void np_quality_unite(const struct np_quality_job *job, unsigned with, unsigned without,
                      int64_t *count);

/* Into job->out; `count` is memory for NP_N_LEVELS. quality_summary.c */
void np_quality_summarize_tissue(struct np_quality_job *job, int k);
void np_quality_summarize_air(struct np_quality_job *job, int64_t *count);

/* Reorders the values; NAN of none. */
double np_quality_median(float *value, int64_t n);

#endif
