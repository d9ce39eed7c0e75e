/*
 * One iteration, for each vertex v with the mean of its neighbours m, normal n and mean edge l:
 *   1. s = m - v, split into s_n along the normal and s_t across it.
 *   2. u1 = s_t / 2 keeps vertices apart evenly.
 *   3. u2 = f2 s_n smooths: f2 = (1 + tanh(F (1/r - E))) / 2 with the local curvature
 *      1/r = 2 |s_n| / l², E = (1/r_min + 1/r_max) / 2, F = 6 / (1/r_min - 1/r_max).
 *   4. Along -n: I_min = max(t2, min(tm, samples up to d1)), I_max = min(tm, max(t, samples up to
 *      d2)); border level t_l = t2 + b (I_max - t2).
 *   5. u3 = 0.05 l f3 n, f3 = 2 (I_min - t_l) / (I_max - t2).
 *   6. v += u1 + u2 + u3.
 */
#include "ops/surface.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementary.h"

enum {
    VERTICES_PER_TASK = 161, /* 642 vertices are four tasks */
    EDGE_EVERY = 50,         /* iterations between measurements of the mean edge */
    GROUP = 8,               /* vertices probed before the group before is moved */
    MOST_SAMPLES = 64
};

struct evolution {
    const struct np_mesh *mesh; /* holds the old positions */
    double (*next)[3];
    const struct np_image *image;
    const struct np_surface_forces *forces;
    double edge_mm;
    double curve_middle, curve_slope; /* E and F */
    double per_mm;                    /* voxels per mm */
    int n_min, n_max;                 /* samples along the normal, one voxel apart */
};

static bool inside(const struct np_grid *grid, const float p_voxel[3])
{
    for (int i = 0; i < 3; i++)
        if (!(p_voxel[i] >= 0 && p_voxel[i] < (float)grid->n[i]))
            return false;
    return true;
}

/* Measurements of a vertex before its voxels are read. */
struct probe {
    double normal[3], mean_mm[3];
    double across[3], along;  /* s of step 1: across the normal, and its length along it */
    bool samples;             /* true when all samples lie in the image */
    int64_t at[MOST_SAMPLES]; /* indices of the sampled voxels */
};

/*
 * Positions of the samples of one vertex, each a voxel further inwards. Single precision suffices
 * because the nearest voxel is taken. Most of the time is spent waiting for these voxels: they are
 * prefetched here and read after some more vertices have been probed.
 */
static void place_samples(const struct evolution *e, const float first_voxel[3],
                          const float step_voxel[3], int64_t at[MOST_SAMPLES])
{
    const int64_t *n = e->image->grid.n;
    int last_x = (int)n[0] - 1, last_y = (int)n[1] - 1, last_z = (int)n[2] - 1;
    float x = first_voxel[0], y = first_voxel[1], z = first_voxel[2];

    for (int k = 0; k < e->n_min; k++) {
        /* The sum of steps may round outwards. */
        int ix = (int)x < last_x ? (int)x : last_x;
        int iy = (int)y < last_y ? (int)y : last_y;
        int iz = (int)z < last_z ? (int)z : last_z;
        at[k] = (iz * n[1] + iy) * n[0] + ix;
        __builtin_prefetch(e->image->voxel + at[k]);
        x += step_voxel[0];
        y += step_voxel[1];
        z += step_voxel[2];
    }
}

static void probe_vertex(const struct evolution *e, int v, struct probe *probe)
{
    const double *p = e->mesh->position_mm[v];
    float first[3], last[3], step[3];

    np_mesh_normal_and_mean(e->mesh, v, probe->normal, probe->mean_mm);
    if (e->forces->follow_prior)
        return;
    for (int i = 0; i < 3; i++) {
        step[i] = (float)-probe->normal[i];
        first[i] = (float)(p[i] * e->per_mm) + step[i];
        last[i] = first[i] + step[i] * (float)e->n_min;
    }
    /* The grid is convex: when both ends are inside, so are the samples between them. */
    probe->samples = inside(&e->image->grid, first) && inside(&e->image->grid, last);
    if (probe->samples)
        place_samples(e, first, step, probe->at);
}

/* f3 of step 5; a positive value moves the vertex outwards. */
static double image_force(const struct evolution *e, const struct probe *probe)
{
    const struct np_surface_forces *f = e->forces;
    const float *voxel = e->image->voxel;
    float too_bright = (float)f->too_bright, dark = (float)f->dark;
    float low = (float)f->middle, high = (float)f->head;

    if (!probe->samples)
        return 0;
    for (int k = 0; k < e->n_min; k++) {
        float value = voxel[probe->at[k]];
        value = value > too_bright ? dark : value;
        low = value < low ? value : low;
        if (k < e->n_max)
            high = value > high ? value : high;
    }
    double lowest = fmax((double)low, f->dark), highest = fmin((double)high, f->middle);
    double range = highest - f->dark;
    return range > 0 ? 2 * (lowest - f->dark - f->share * range) / range : 0;
}

/*
 * The force of the prior, for a vertex at `at_mm` on which the image acts with `force`. Beyond the
 * bounds it grows by the share PER_MM for each millimetre, so that no bound is a step.
 */
static double bounded_force(const struct np_surface_forces *f, const double at_mm[3], double force)
{
    static const double PER_MM = 0.5, FOLLOW_PER_MM = 0.25;
    double outside_mm = np_prior_at(f->prior, at_mm);

    if (f->follow_prior)
        return fmin(fmax(-FOLLOW_PER_MM * (outside_mm + f->inner_mm), -1), 1);
    if (outside_mm > f->outer_mm)
        return force - PER_MM * (outside_mm - f->outer_mm);
    if (outside_mm < -f->inner_mm)
        return force + PER_MM * (-f->inner_mm - outside_mm);
    return force;
}

/* Step 1. */
static void split_shift(const struct evolution *e, int v, struct probe *probe)
{
    const double *p = e->mesh->position_mm[v], *normal = probe->normal;
    double s[3];

    probe->along = 0;
    for (int i = 0; i < 3; i++) {
        s[i] = probe->mean_mm[i] - p[i];
        probe->along += s[i] * normal[i];
    }
    for (int i = 0; i < 3; i++)
        probe->across[i] = s[i] - probe->along * normal[i];
}

static void move_vertex(const struct evolution *e, int v, const struct probe *probe, double f2)
{
    const double *p = e->mesh->position_mm[v], *normal = probe->normal;
    double force = e->forces->follow_prior ? 0 : image_force(e, probe);

    if (e->forces->prior)
        force = bounded_force(e->forces, p, force);
    double push = f2 * probe->along + 0.05 * e->edge_mm * force;
    for (int i = 0; i < 3; i++)
        e->next[v][i] = p[i] + 0.5 * probe->across[i] + push * normal[i];
}

static void move_group(const struct evolution *e, int first, int n, struct probe probe[GROUP])
{
    float x[GROUP], power[GROUP];

    for (int k = 0; k < n; k++) {
        split_shift(e, first + k, &probe[k]);
        double curvature = 2 * fabs(probe[k].along) / (e->edge_mm * e->edge_mm);
        /* (1 + tanh(x)) / 2 = 1 / (1 + exp(-2 x)); single precision suffices for a weight. */
        x[k] = -2 * (float)(e->curve_slope * (curvature - e->curve_middle));
    }
    np_expf_n(x, power, (size_t)n);
    for (int k = 0; k < n; k++)
        move_vertex(e, first + k, &probe[k], 1 / (1 + (double)power[k]));
}

static int group_size(int first, int end)
{
    return end - first < GROUP ? end - first : GROUP;
}

static void move_some(void *context, int64_t task)
{
    const struct evolution *e = context;
    int from = (int)task * VERTICES_PER_TASK, end = from + VERTICES_PER_TASK;
    struct probe probe[2][GROUP];

    end = end < e->mesh->n_vertices ? end : e->mesh->n_vertices;
    for (int first = from, turn = 0; first < end + GROUP; first += GROUP, turn = !turn) {
        for (int k = 0; k < group_size(first, end); k++)
            probe_vertex(e, first + k, &probe[turn][k]);
        if (first > from)
            move_group(e, first - GROUP, group_size(first - GROUP, end), probe[!turn]);
    }
}

int np_surface_evolve(struct np_mesh *mesh, const struct np_image *image,
                      const struct np_surface_forces *forces, int n_iterations,
                      const struct np_exec *exec, struct np_error *err)
{
    NP_AUTO(np_freep)
    double(*next)[3] = np_xcalloc((size_t)mesh->n_vertices, sizeof(*next));
    double low = 1 / forces->curve_max_mm, high = 1 / forces->curve_min_mm;
    struct evolution e = {.mesh = mesh,
                          .next = next,
                          .image = image,
                          .forces = forces,
                          .curve_middle = (low + high) / 2,
                          .curve_slope = 6 / (high - low),
                          .per_mm = 1 / image->grid.spacing_mm[0]};
    e.n_min = (int)fmin(fmax(forces->reach_min_mm * e.per_mm + 0.5, 0), MOST_SAMPLES);
    e.n_max = (int)fmin(fmax(forces->reach_max_mm * e.per_mm + 0.5, 0), MOST_SAMPLES);
    int64_t n_tasks = (mesh->n_vertices + VERTICES_PER_TASK - 1) / VERTICES_PER_TASK;

    for (int i = 0; i < n_iterations; i++) {
        if (i % EDGE_EVERY == 0) {
            NP_TRY(np_exec_check(exec, err));
            e.edge_mm = np_mesh_mean_edge_mm(mesh);
        }
        e.next = next;
        np_exec_run(exec, n_tasks, move_some, &e);
        double(*old)[3] = mesh->position_mm;
        mesh->position_mm = next;
        next = old;
    }
    return 0;
}
