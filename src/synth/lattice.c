#include "synth/lattice.h"

#include <inttypes.h>
#include <math.h>

#include "ops/elementary.h"

static const double STEP_MM = 3;

struct build {
    const struct np_anatomy *anatomy;
    const struct np_exec *exec;
    struct np_synth_lattice *lattice;
};

/* Compute one row of nodes. */
static void build_row(void *context, int64_t task)
{
    const struct build *build = context;
    struct np_synth_lattice *lattice = build->lattice;
    int64_t y = task % lattice->n[1], z = task / lattice->n[1];
    float *node = lattice->node + task * lattice->n[0] * NP_N_FIELDS;
    double world_mm[3] = {0, lattice->origin_mm[1] + (double)y * STEP_MM,
                          lattice->origin_mm[2] + (double)z * STEP_MM};

    if (np_exec_canceled(build->exec))
        return;
    for (int64_t x = 0; x < lattice->n[0]; x++) {
        world_mm[0] = lattice->origin_mm[0] + (double)x * STEP_MM;
        np_anatomy_at(build->anatomy, world_mm, node + x * NP_N_FIELDS);
    }
}

/* A range of s, peak to peak, around a mean of 1 is a range of log((1 + s/2) / (1 - s/2)) in the
 * logarithm. */
static void scale_bias(struct np_synth_lattice *lattice, double percent)
{
    int64_t n_nodes = lattice->n[0] * lattice->n[1] * lattice->n[2];
    double lowest = INFINITY, highest = -INFINITY, sum = 0;
    int64_t n_brain = 0;

    for (int64_t i = 0; i < n_nodes; i++) {
        const float *node = lattice->node + i * NP_N_FIELDS;
        if (node[NP_FIELD_HULL] >= 0)
            continue;
        lowest = fmin(lowest, node[NP_FIELD_BIAS]);
        highest = fmax(highest, node[NP_FIELD_BIAS]);
        sum += node[NP_FIELD_BIAS];
        n_brain++;
    }
    double half = percent / 200;
    double gain =
        n_brain > 0 && highest > lowest ? np_log((1 + half) / (1 - half)) / (highest - lowest) : 0;
    double mean = n_brain > 0 ? sum / (double)n_brain : 0;
    for (int64_t i = 0; i < n_nodes; i++) {
        float *bias = lattice->node + i * NP_N_FIELDS + NP_FIELD_BIAS;
        *bias = (float)(gain * (*bias - mean));
    }
}

struct np_synth_lattice np_synth_lattice_cover(const double low_mm[3], const double high_mm[3])
{
    struct np_synth_lattice lattice = {{0}, {0}, NULL};

    for (int i = 0; i < 3; i++) {
        /* Nodes lie at multiples of the step, so every image of this head has the same nodes. */
        double first = floor(low_mm[i] / STEP_MM) - 1, last = ceil(high_mm[i] / STEP_MM) + 1;
        lattice.origin_mm[i] = first * STEP_MM;
        lattice.n[i] = (int64_t)(last - first) + 1;
    }
    return lattice;
}

int np_synth_lattice_fill(struct np_synth_lattice *lattice, const struct np_anatomy *anatomy,
                          double bias_percent, const struct np_exec *exec, struct np_error *err)
{
    size_t n_nodes = (size_t)(lattice->n[0] * lattice->n[1] * lattice->n[2]);
    struct build build = {anatomy, exec, lattice};

    lattice->node = np_try_voxels(n_nodes, NP_N_FIELDS * sizeof(*lattice->node));
    if (!lattice->node)
        return np_error_set(err, NP_ENOMEM, "synthetic head: no memory for an anatomy of %zu MiB",
                            n_nodes * NP_N_FIELDS * sizeof(float) >> 20);
    np_exec_run(exec, lattice->n[1] * lattice->n[2], build_row, &build);
    NP_TRY(np_exec_check(exec, err));
    scale_bias(lattice, bias_percent);
    return 0;
}

void np_synth_lattice_done(struct np_synth_lattice *lattice)
{
    np_voxels_freep(&lattice->node);
}

int np_synth_lattice_axis_make(const struct np_synth_lattice *lattice, int axis, double first_mm,
                               double step_mm, int64_t n, struct np_synth_lattice_axis *out,
                               struct np_error *err)
{
    NP_AUTO(np_freep) int64_t *first = np_try_malloc((size_t)n, sizeof(*first));
    NP_AUTO(np_freep) float(*weight)[4] = np_try_malloc((size_t)n, sizeof(*weight));

    if (!first || !weight)
        return np_error_set(err, NP_ENOMEM, "synthetic head: no memory for %" PRId64 " positions",
                            n);
    for (int64_t i = 0; i < n; i++) {
        double u = (first_mm + (double)i * step_mm - lattice->origin_mm[axis]) / STEP_MM;
        u = fmin(fmax(u, 1), (double)lattice->n[axis] - 2.001);
        double whole = floor(u), t = u - whole, s = 1 - t;
        first[i] = (int64_t)whole - 1;
        weight[i][0] = (float)(s * s * s / 6);
        weight[i][1] = (float)((3 * t * t * t - 6 * t * t + 4) / 6);
        weight[i][2] = (float)((3 * s * s * s - 6 * s * s + 4) / 6);
        weight[i][3] = (float)(t * t * t / 6);
    }
    out->n = n;
    out->first = first;
    out->weight = weight;
    first = NULL;
    weight = NULL;
    return 0;
}

void np_synth_lattice_axis_done(struct np_synth_lattice_axis *axis)
{
    np_freep(&axis->first);
    np_freep(&axis->weight);
}

/* out = sum of four blocks of `n` floats, `stride` apart. */
static void blend(const float *restrict in, int64_t stride, const float weight[4], int64_t n,
                  float *restrict out)
{
    const float w0 = weight[0], w1 = weight[1], w2 = weight[2], w3 = weight[3];
    const float *in1 = in + stride, *in2 = in1 + stride, *in3 = in2 + stride;

    for (int64_t i = 0; i < n; i++)
        out[i] = (w0 * in[i] + w1 * in1[i]) + (w2 * in2[i] + w3 * in3[i]);
}

void np_synth_lattice_plane(const struct np_synth_lattice *lattice,
                            const struct np_synth_lattice_axis *z, int64_t i, float *plane)
{
    int64_t n = lattice->n[0] * lattice->n[1] * NP_N_FIELDS;

    blend(lattice->node + z->first[i] * n, n, z->weight[i], n, plane);
}

void np_synth_lattice_row(const struct np_synth_lattice *lattice, const float *plane,
                          const struct np_synth_lattice_axis *y, int64_t i, float *row)
{
    int64_t n = lattice->n[0] * NP_N_FIELDS;

    blend(plane + y->first[i] * n, n, y->weight[i], n, row);
}

void np_synth_lattice_point(const float *row, const struct np_synth_lattice_axis *x, int64_t i,
                            float field[NP_N_FIELDS])
{
    blend(row + x->first[i] * NP_N_FIELDS, NP_N_FIELDS, x->weight[i], NP_N_FIELDS, field);
}
