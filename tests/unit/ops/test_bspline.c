#include <math.h>
#include <string.h>

#include "base/random.h"
#include "ops/bspline.h"
#include "tap.h"

enum { NX = 11, NY = 9, NZ = 7, N = NX * NY * NZ };
static const int n_spans[3] = {3, 2, 2};

/* A small grid of voxels on a lattice, three in four of them in. */
struct scene {
    struct np_bspline_axis axis[3];
    struct np_bspline_points points;
    uint8_t inside[N];
    float value[N]; /* at the points */
    float *planes, *out;
    int n_points;
};

static double position_of(int axis, int64_t i)
{
    static const int n[3] = {NX, NY, NZ};

    return (double)i * n_spans[axis] / (n[axis] - 1);
}

static void scene_init(struct scene *scene)
{
    static const int64_t n[3] = {NX, NY, NZ};
    struct np_random random;

    *scene = (struct scene){0};
    np_random_seed(&random, 8, 0);
    for (int i = 0; i < N; i++) {
        scene->inside[i] = np_random_uniform(&random) < 0.75;
        if (scene->inside[i])
            scene->value[scene->n_points++] = (float)np_random_normal(&random);
    }
    for (int a = 0; a < 3; a++) {
        double position[NX];
        for (int64_t i = 0; i < n[a]; i++)
            position[i] = position_of(a, i);
        ok_int(np_bspline_axis_init(&scene->axis[a], position, n[a], n_spans[a]), 0);
    }
    ok_int(np_bspline_points_init(&scene->points, scene->inside, n), 0);
    scene->planes = np_xcalloc(NZ * np_bspline_plane_size(scene->axis), sizeof(float));
    scene->out = np_xcalloc(np_bspline_plane_size(scene->axis), sizeof(float));
}

static void scene_done(struct scene *scene)
{
    for (int a = 0; a < 3; a++)
        np_bspline_axis_done(&scene->axis[a]);
    np_bspline_points_done(&scene->points);
    np_freep(&scene->planes);
    np_freep(&scene->out);
}

/* Weights of one voxel on all control points of an axis. */
static void dense_weights(int axis, int64_t i, double weight[8])
{
    double place = position_of(axis, i), w[4];
    int base = (int)fmin(floor(place), n_spans[axis] - 1);

    memset(weight, 0, 8 * sizeof(*weight));
    np_bspline_weights(place - base, w);
    for (int j = 0; j < 4; j++)
        weight[base + j] = w[j];
}

/* The fit's numerator and denominator at one control point, voxel by voxel, from the paper. */
static void brute_force(const struct scene *scene, const int c[3], double *numerator,
                        double *denominator)
{
    int point = 0;

    *numerator = *denominator = 0;
    for (int i = 0; i < N; i++) {
        double w[3][8], squares = 1;
        if (!scene->inside[i])
            continue;
        const int64_t at[3] = {i % NX, i / NX % NY, i / NX / NY};
        for (int a = 0; a < 3; a++) {
            double sum = 0;
            dense_weights(a, at[a], w[a]);
            for (int j = 0; j < 8; j++)
                sum += w[a][j] * w[a][j];
            squares *= sum;
        }
        double weight = w[0][c[0]] * w[1][c[1]] * w[2][c[2]];
        double phi = weight * (double)scene->value[point++] / squares;
        *numerator += weight * weight * phi;
        *denominator += weight * weight;
    }
}

TEST(weights_are_a_partition_of_one_that_reproduces_lines)
{
    for (double t = 0; t <= 1; t += 0.125) {
        double w[4];
        np_bspline_weights(t, w);
        ok_near(w[0] + w[1] + w[2] + w[3], 1, 1e-15, "sum of weights");
        ok_near(-w[0] + w[2] + 2 * w[3], t, 1e-15, "a line through the control points");
    }
}

TEST(separable_fit_is_the_sum_over_voxels)
{
    NP_AUTO(scene_done) struct scene scene;
    scene_init(&scene);
    size_t size = np_bspline_plane_size(scene.axis);
    int stride = np_bspline_plane_stride(scene.axis);
    double worst = 0, largest = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (int z = 0; z < NZ; z++)
            if (pass == 0)
                np_bspline_plane_numerator(scene.axis, &scene.points, scene.value, z,
                                           scene.planes + size * (size_t)z);
            else
                np_bspline_plane_denominator(scene.axis, &scene.points, z,
                                             scene.planes + size * (size_t)z);
        for (int k = 0; k < scene.axis[2].n_control; k++) {
            if (pass == 0)
                np_bspline_collect_numerator(scene.axis, scene.planes, k, scene.out);
            else
                np_bspline_collect_denominator(scene.axis, scene.planes, k, scene.out);
            for (int j = 0; j < scene.axis[1].n_control; j++)
                for (int i = 0; i < scene.axis[0].n_control; i++) {
                    const int c[3] = {i, j, k};
                    double truth[2];
                    brute_force(&scene, c, &truth[0], &truth[1]);
                    worst = fmax(worst, fabs((double)scene.out[j * stride + i] - truth[pass]));
                    largest = fmax(largest, fabs(truth[pass]));
                }
        }
    }
    /* sums in single precision, each of them rounded three times */
    ok_below(worst / largest, 3 * 6e-8, "largest difference from brute force, of the largest");
}

/* The spline at a voxel, from its definition. */
static double evaluate(const struct np_lattice *lattice, const int64_t at[3], const int spans[3])
{
    static const int n[3] = {NX, NY, NZ};
    double w[3][4], sum = 0;
    int base[3];

    for (int a = 0; a < 3; a++) {
        double place = (double)at[a] * spans[a] / (n[a] - 1);
        base[a] = (int)fmin(floor(place), spans[a] - 1);
        np_bspline_weights(place - base[a], w[a]);
    }
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++)
            for (int i = 0; i < 4; i++)
                sum +=
                    w[0][i] * w[1][j] * w[2][k] *
                    lattice->value[base[0] + i +
                                   lattice->n[0] * (base[1] + j + lattice->n[1] * (base[2] + k))];
    return sum;
}

static struct np_lattice *random_lattice(void)
{
    struct np_lattice *lattice = np_lattice_new(n_spans[0] + 3, n_spans[1] + 3, n_spans[2] + 3);
    struct np_random random;

    np_random_seed(&random, 9, 0);
    for (size_t i = 0; i < np_lattice_size(lattice); i++)
        lattice->value[i] = np_random_normal(&random);
    return lattice;
}

TEST(rows_are_the_spline_at_every_voxel)
{
    NP_AUTO(scene_done) struct scene scene;
    scene_init(&scene);
    NP_AUTO(np_lattice_freep) struct np_lattice *lattice = random_lattice();
    NP_AUTO(np_freep) float *row = np_xcalloc(np_bspline_row_size(scene.axis), sizeof(float));
    double worst = 0;

    for (int64_t z = 0; z < NZ; z++) {
        np_bspline_plane_mix(scene.axis, lattice, z, scene.out);
        for (int64_t y = 0; y < NY; y++) {
            const float *field = np_bspline_row_evaluate(scene.axis, scene.out, y, row);
            for (int64_t x = 0; x < NX; x++) {
                const int64_t at[3] = {x, y, z};
                worst = fmax(worst, fabs((double)field[x] - evaluate(lattice, at, n_spans)));
            }
        }
    }
    ok_below(worst, 5e-7, "difference from the definition, single precision of values near 1");
}

TEST(refinement_is_the_same_field)
{
    static const int finer_spans[3] = {6, 4, 4};
    NP_AUTO(np_lattice_freep) struct np_lattice *coarse = random_lattice();
    NP_AUTO(np_lattice_freep) struct np_lattice *fine = np_lattice_refine(coarse);
    double worst = 0;

    for (int a = 0; a < 3; a++)
        ok_int(fine->n[a], finer_spans[a] + 3);
    for (int64_t i = 0; i < N; i++) {
        const int64_t at[3] = {i % NX, i / NX % NY, i / NX / NY};
        worst = fmax(worst, fabs(evaluate(coarse, at, n_spans) - evaluate(fine, at, finer_spans)));
    }
    ok_below(worst, 1e-14, "difference after subdivision");
}

TEST(points_are_the_mask_in_storage_order)
{
    NP_AUTO(scene_done) struct scene scene;
    scene_init(&scene);
    int64_t point = 0;

    ok_int(scene.points.n, scene.n_points);
    for (int64_t z = 0; z < NZ; z++) {
        ok_int(np_bspline_points_of_plane(&scene.points, z), point);
        for (int64_t r = scene.points.plane[z]; r < scene.points.plane[z + 1]; r++)
            for (int32_t i = 0; i < scene.points.row[r].n; i++, point++)
                if (!scene.inside[scene.points.x[point] +
                                  NX * (scene.points.row[r].y + NY * (int)z)])
                    ok(false);
    }
    ok_int(np_bspline_points_of_plane(&scene.points, NZ), scene.n_points);
}

TAP_MAIN
