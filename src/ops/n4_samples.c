#include "ops/n4_samples.h"

#include <math.h>
#include <stdlib.h>

#include "ops/elementary.h"

void np_n4_samples_done(struct np_n4_samples *samples)
{
    free(samples->inside);
    np_voxels_free(samples->log);
    *samples = (struct np_n4_samples){0};
}

/* The number of voxels whose total length is nearest to `target_mm`; at least 1. */
static int sample_step(double spacing_mm, double target_mm, int64_t n)
{
    int64_t fewer = (int64_t)fmin(floor(target_mm / spacing_mm), (double)n);

    if (fewer < 1)
        return 1;
    double under = target_mm - (double)fewer * spacing_mm;
    double over = (double)(fewer + 1) * spacing_mm - target_mm;
    int64_t nearest = over < under ? fewer + 1 : fewer;
    return (int)(nearest < n ? nearest : n);
}

struct sample_job {
    const struct np_image *in;
    const struct np_mask *mask;
    struct np_n4_samples *samples;
};

static void sample_plane(void *context, int64_t plane)
{
    const struct sample_job *job = context;
    const struct np_n4_samples *samples = job->samples;
    const int64_t *n = job->in->grid.n;
    int64_t z = samples->first[2] + plane * samples->step[2];
    size_t row_size = (size_t)samples->n[0];
    size_t to = row_size * (size_t)(samples->n[1] * plane);

    for (int64_t i = 0; i < samples->n[1]; i++, to += row_size) {
        int64_t y = samples->first[1] + i * samples->step[1];
        int64_t from = samples->first[0] + n[0] * (y + n[1] * z);

        for (size_t x = 0; x < row_size; x++, from += samples->step[0]) {
            float value = job->in->voxel[from];
            samples->inside[to + x] = job->mask->voxel[from] && value > 0;
            samples->log[to + x] = value;
        }
        np_logf_n(samples->log + to, samples->log + to, row_size);
    }
}

int np_n4_samples_init(struct np_n4_samples *samples, const struct np_image *in,
                       const struct np_mask *mask, double shrink_mm, const struct np_exec *exec,
                       struct np_error *err)
{
    NP_AUTO(np_n4_samples_done) struct np_n4_samples made = {0};
    size_t n = 1;

    for (int a = 0; a < 3; a++) {
        int64_t last = in->grid.n[a] - 1;
        made.step[a] = sample_step(in->grid.spacing_mm[a], shrink_mm, in->grid.n[a]);
        made.n[a] = last / made.step[a] + 1;
        made.first[a] = last % made.step[a] / 2;
        n *= (size_t)made.n[a];
    }
    made.inside = np_try_malloc(n, sizeof(*made.inside));
    made.log = np_try_voxels(n, sizeof(*made.log));
    if (!made.inside || !made.log)
        return np_error_set(err, NP_ENOMEM, "bias field: no memory for %zu samples", n);
    struct sample_job job = {in, mask, &made};
    np_exec_run(exec, made.n[2], sample_plane, &job);
    *samples = made;
    made = (struct np_n4_samples){0};
    return 0;
}
