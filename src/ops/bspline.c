#include "ops/bspline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "ops/lanes.h"

enum { PADDING = 2 * NP_LANES };

/* to[i] += weight · from[i] for i < n, with n rounded up to whole SIMD vectors. */
static inline void add_scaled(float *to, const float *from, float weight, int n)
{
    for (int i = 0; i < n; i += NP_LANES)
        np_lanes_store(to + i, np_lanes_load(to + i) + np_lanes_load(from + i) * weight);
}

void np_bspline_weights(double t, double weight[4])
{
    double s = 1 - t;

    weight[0] = s * s * s / 6;
    weight[1] = (3 * t * t * t - 6 * t * t + 4) / 6;
    weight[2] = (3 * s * s * s - 6 * s * s + 4) / 6;
    weight[3] = t * t * t / 6;
}

/* --- lattice ---------------------------------------------------------------------------------- */

struct np_lattice *np_lattice_new(int nx, int ny, int nz)
{
    struct np_lattice *lattice = np_try_calloc(1, sizeof(*lattice));

    if (!lattice)
        return NULL;
    lattice->n[0] = nx;
    lattice->n[1] = ny;
    lattice->n[2] = nz;
    lattice->value = np_try_calloc(np_lattice_size(lattice), sizeof(*lattice->value));
    if (!lattice->value)
        np_lattice_freep(&lattice);
    return lattice;
}

void np_lattice_freep(struct np_lattice **lattice)
{
    if (*lattice)
        free((*lattice)->value);
    np_freep(lattice);
}

size_t np_lattice_size(const struct np_lattice *lattice)
{
    return (size_t)lattice->n[0] * (size_t)lattice->n[1] * (size_t)lattice->n[2];
}

/* Halve the spans along one axis. `from` and `to` are [n_outer][n][n_inner]. */
static void refine_axis(const double *from, double *to, size_t n_outer, int n_coarse,
                        size_t n_inner)
{
    int n_fine = 2 * n_coarse - 3;

    for (size_t o = 0; o < n_outer; o++)
        for (int i = 0; i < n_fine; i++)
            for (size_t j = 0; j < n_inner; j++) {
                const double *p = from + (o * (size_t)n_coarse + (size_t)(i / 2)) * n_inner + j;
                double *out = to + (o * (size_t)n_fine + (size_t)i) * n_inner + j;
                *out = i % 2 == 0 ? (p[0] + p[n_inner]) / 2
                                  : (p[0] + 6 * p[n_inner] + p[2 * n_inner]) / 8;
            }
}

struct np_lattice *np_lattice_refine(const struct np_lattice *coarse)
{
    const int *n = coarse->n;
    int fine[3] = {2 * n[0] - 3, 2 * n[1] - 3, 2 * n[2] - 3};
    NP_AUTO(np_lattice_freep) struct np_lattice *in_x = np_lattice_new(fine[0], n[1], n[2]);
    NP_AUTO(np_lattice_freep) struct np_lattice *in_xy = np_lattice_new(fine[0], fine[1], n[2]);
    struct np_lattice *all = np_lattice_new(fine[0], fine[1], fine[2]);

    if (!in_x || !in_xy || !all) {
        np_lattice_freep(&all);
        return NULL;
    }
    refine_axis(coarse->value, in_x->value, (size_t)n[1] * (size_t)n[2], n[0], 1);
    refine_axis(in_x->value, in_xy->value, (size_t)n[2], n[1], (size_t)fine[0]);
    refine_axis(in_xy->value, all->value, 1, n[2], (size_t)fine[0] * (size_t)fine[1]);
    return all;
}

/* --- axis ------------------------------------------------------------------------------------- */

int np_bspline_axis_init(struct np_bspline_axis *axis, const double *position, int64_t n,
                         int n_spans)
{
    size_t count = (size_t)n, padded = count + PADDING;
    struct np_bspline_axis made = {
        .n = n,
        .n_control = n_spans + 3,
        .base = np_try_malloc(count, sizeof(*made.base)),
        .weight = np_try_malloc(count, sizeof(*made.weight)),
        .square = np_try_malloc(count, sizeof(*made.square)),
        .cube = np_try_malloc(count, sizeof(*made.cube)),
        .lane = {np_try_calloc(4 * padded, sizeof(float))},
        .span = np_try_malloc((size_t)n_spans + 1, sizeof(*made.span)),
    };

    if (!made.base || !made.weight || !made.square || !made.cube || !made.lane[0] || !made.span) {
        np_bspline_axis_done(&made);
        return NP_ENOMEM;
    }
    for (int j = 1; j < 4; j++)
        made.lane[j] = made.lane[j - 1] + padded;
    for (int64_t i = 0; i < n; i++) {
        double w[4], place = fmin(fmax(position[i], 0), n_spans);
        int base = (int)fmin(floor(place), n_spans - 1);
        np_bspline_weights(place - base, w);
        double sum = w[0] * w[0] + w[1] * w[1] + w[2] * w[2] + w[3] * w[3];
        made.base[i] = base;
        for (int j = 0; j < 4; j++) {
            made.weight[i][j] = made.lane[j][i] = (float)w[j];
            made.square[i][j] = (float)(w[j] * w[j]);
            made.cube[i][j] = (float)(w[j] * w[j] * w[j] / sum);
        }
    }
    for (int64_t s = 0, i = 0; s <= n_spans; s++) {
        while (i < n && made.base[i] < s)
            i++;
        made.span[s] = i;
    }
    *axis = made;
    return 0;
}

void np_bspline_axis_done(struct np_bspline_axis *axis)
{
    free(axis->base);
    free(axis->weight);
    free(axis->square);
    free(axis->cube);
    free(axis->lane[0]);
    free(axis->span);
    *axis = (struct np_bspline_axis){0};
}

/* --- points ----------------------------------------------------------------------------------- */

int np_bspline_points_init(struct np_bspline_points *points, const uint8_t *inside,
                           const int64_t n_voxels[3])
{
    int64_t nx = n_voxels[0], ny = n_voxels[1], nz = n_voxels[2];
    int64_t n = 0;

    for (int64_t i = 0; i < nx * ny * nz; i++)
        n += inside[i];
    struct np_bspline_points made = {
        .n_voxels = {nx, ny, nz},
        .n = n,
        .x = np_try_malloc((size_t)n, sizeof(*made.x)),
        .row = np_try_malloc((size_t)(ny * nz), sizeof(*made.row)),
        .plane = np_try_malloc((size_t)nz + 1, sizeof(*made.plane)),
    };
    if (!made.x || !made.row || !made.plane) {
        np_bspline_points_done(&made);
        return NP_ENOMEM;
    }
    int64_t n_points = 0, n_rows = 0;
    for (int64_t z = 0; z < nz; z++) {
        made.plane[z] = n_rows;
        for (int64_t y = 0; y < ny; y++) {
            const uint8_t *in = inside + nx * (y + ny * z);
            int64_t first = n_points;

            for (int64_t x = 0; x < nx; x++)
                if (in[x])
                    made.x[n_points++] = (int32_t)x;
            if (n_points > first)
                made.row[n_rows++] =
                    (struct np_bspline_row){(int32_t)y, (int32_t)(n_points - first), first};
        }
    }
    made.plane[nz] = n_rows;
    *points = made;
    return 0;
}

void np_bspline_points_done(struct np_bspline_points *points)
{
    free(points->x);
    free(points->row);
    free(points->plane);
    *points = (struct np_bspline_points){0};
}

int64_t np_bspline_points_of_plane(const struct np_bspline_points *points, int64_t z)
{
    int64_t row = points->plane[z];

    return row == points->plane[points->n_voxels[2]] ? points->n : points->row[row].first;
}

/* --- voxels to control points ----------------------------------------------------------------- */

int np_bspline_plane_stride(const struct np_bspline_axis axis[3])
{
    return (axis[0].n_control + NP_LANES - 1) / NP_LANES * NP_LANES;
}

size_t np_bspline_plane_size(const struct np_bspline_axis axis[3])
{
    return (size_t)np_bspline_plane_stride(axis) * ((size_t)axis[1].n_control + 1);
}

/* Sum of weight · value over the points of a row, on control points; `value` NULL = all ones. */
static void contract_row(const struct np_bspline_axis *axis, float (*weight)[4], const int32_t *x,
                         const float *value, int n, float *control)
{
    int base = axis->base[x[0]];
    np_lanes sum = {0};

    for (int i = 0; i < n; i++) {
        if (axis->base[x[i]] != base) {
            np_lanes_store(control + base, np_lanes_load(control + base) + sum);
            sum = (np_lanes){0};
            base = axis->base[x[i]];
        }
        np_lanes w = np_lanes_load(weight[x[i]]);
        sum += value ? w * value[i] : w;
    }
    np_lanes_store(control + base, np_lanes_load(control + base) + sum);
}

static void contract_plane(const struct np_bspline_axis axis[3],
                           const struct np_bspline_points *points, float (*weight_x)[4],
                           float (*weight_y)[4], const float *value, int64_t z, float *plane)
{
    int stride = np_bspline_plane_stride(axis);
    float *control = plane + (size_t)stride * (size_t)axis[1].n_control;

    memset(plane, 0, np_bspline_plane_size(axis) * sizeof(*plane));
    for (int64_t r = points->plane[z]; r < points->plane[z + 1]; r++) {
        const struct np_bspline_row *row = &points->row[r];
        float *to = plane + (size_t)stride * (size_t)axis[1].base[row->y];

        memset(control, 0, (size_t)stride * sizeof(*control));
        contract_row(&axis[0], weight_x, points->x + row->first, value ? value + row->first : NULL,
                     row->n, control);
        for (int j = 0; j < 4; j++)
            add_scaled(to + j * stride, control, weight_y[row->y][j], stride);
    }
}

void np_bspline_plane_numerator(const struct np_bspline_axis axis[3],
                                const struct np_bspline_points *points, const float *value,
                                int64_t z, float *plane)
{
    contract_plane(axis, points, axis[0].cube, axis[1].cube, value, z, plane);
}

void np_bspline_plane_denominator(const struct np_bspline_axis axis[3],
                                  const struct np_bspline_points *points, int64_t z, float *plane)
{
    contract_plane(axis, points, axis[0].square, axis[1].square, NULL, z, plane);
}

static void collect(const struct np_bspline_axis axis[3], float (*weight_z)[4], const float *planes,
                    int k, float *out)
{
    size_t size = np_bspline_plane_size(axis);
    int64_t first = axis[2].span[k > 3 ? k - 3 : 0];
    int64_t end = axis[2].span[k < axis[2].n_control - 3 ? k + 1 : axis[2].n_control - 3];

    memset(out, 0, size * sizeof(*out));
    for (int64_t z = first; z < end; z++)
        add_scaled(out, planes + size * (size_t)z, weight_z[z][k - axis[2].base[z]],
                   (int)size - np_bspline_plane_stride(axis));
}

void np_bspline_collect_numerator(const struct np_bspline_axis axis[3], const float *planes, int k,
                                  float *out)
{
    collect(axis, axis[2].cube, planes, k, out);
}

void np_bspline_collect_denominator(const struct np_bspline_axis axis[3], const float *planes,
                                    int k, float *out)
{
    collect(axis, axis[2].square, planes, k, out);
}

/* --- control points to voxels ----------------------------------------------------------------- */

void np_bspline_plane_mix(const struct np_bspline_axis axis[3], const struct np_lattice *lattice,
                          int64_t z, float *plane)
{
    int nx = lattice->n[0], ny = lattice->n[1];
    size_t size = (size_t)nx * (size_t)ny;
    const double *p = lattice->value + size * (size_t)axis[2].base[z];
    const float *w = axis[2].weight[z];
    double w0 = (double)w[0], w1 = (double)w[1], w2 = (double)w[2], w3 = (double)w[3];

    for (int y = 0; y < ny; y++, p += nx, plane += np_bspline_plane_stride(axis))
        for (int x = 0; x < nx; x++)
            plane[x] = (float)(w0 * p[x] + w1 * p[(size_t)x + size] + w2 * p[(size_t)x + 2 * size] +
                               w3 * p[(size_t)x + 3 * size]);
}

size_t np_bspline_row_size(const struct np_bspline_axis axis[3])
{
    return (size_t)np_bspline_plane_stride(axis) + (size_t)axis[0].n + PADDING;
}

const float *np_bspline_row_evaluate(const struct np_bspline_axis axis[3], const float *plane,
                                     int64_t y, float *scratch)
{
    int stride = np_bspline_plane_stride(axis);
    float *control = scratch, *out = scratch + stride;
    const float *from = plane + (size_t)stride * (size_t)axis[1].base[y];
    const float *weight = axis[1].weight[y];
    float *const *lane = axis[0].lane;

    for (int x = 0; x < stride; x += NP_LANES)
        np_lanes_store(control + x, np_lanes_load(from + x) * weight[0] +
                                        np_lanes_load(from + x + stride) * weight[1] +
                                        np_lanes_load(from + x + 2 * stride) * weight[2] +
                                        np_lanes_load(from + x + 3 * stride) * weight[3]);
    /* Write whole SIMD vectors: the last values of a span reach into the next span, which is
     * written after it. */
    for (int s = 0; s < axis[0].n_control - 3; s++) {
        const float *c = control + s;

        for (int64_t x = axis[0].span[s]; x < axis[0].span[s + 1]; x += NP_LANES)
            np_lanes_store(
                out + x, np_lanes_load(lane[0] + x) * c[0] + np_lanes_load(lane[1] + x) * c[1] +
                             np_lanes_load(lane[2] + x) * c[2] + np_lanes_load(lane[3] + x) * c[3]);
    }
    return out;
}

/* --- fields ----------------------------------------------------------------------------------- */

static int init_one_span(struct np_bspline_axis *axis, int64_t n)
{
    NP_AUTO(np_freep) double *position = np_try_malloc((size_t)n, sizeof(*position));

    if (!position)
        return NP_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        position[i] = n > 1 ? (double)i / (double)(n - 1) : 0;
    return np_bspline_axis_init(axis, position, n, 1);
}

struct np_bspline_field *np_bspline_field_new(const int64_t n[3])
{
    struct np_bspline_field *field = np_try_calloc(1, sizeof(*field));
    bool fits = field != NULL;

    for (int a = 0; a < 3 && fits; a++)
        fits = init_one_span(&field->axis[a], n[a]) == 0;
    if (fits)
        field->lattice = np_lattice_new(4, 4, 4);
    if (!fits || !field->lattice)
        np_bspline_field_freep(&field);
    return field;
}

void np_bspline_field_freep(struct np_bspline_field **address)
{
    struct np_bspline_field *field = *address;

    if (!field)
        return;
    for (int a = 0; a < 3; a++)
        np_bspline_axis_done(&field->axis[a]);
    np_lattice_freep(&field->lattice);
    np_freep(address);
}

void np_bspline_field_shift(struct np_bspline_field *field, double shift)
{
    size_t n = np_lattice_size(field->lattice);

    for (size_t i = 0; i < n; i++)
        field->lattice->value[i] += shift;
}

size_t np_bspline_field_scratch(const struct np_bspline_field *field)
{
    return np_bspline_plane_size(field->axis) + np_bspline_row_size(field->axis);
}

void np_bspline_field_plane(const struct np_bspline_field *field, int64_t z, float *scratch)
{
    np_bspline_plane_mix(field->axis, field->lattice, z, scratch);
}

const float *np_bspline_field_row(const struct np_bspline_field *field, int64_t y, float *scratch)
{
    return np_bspline_row_evaluate(field->axis, scratch, y,
                                   scratch + np_bspline_plane_size(field->axis));
}
