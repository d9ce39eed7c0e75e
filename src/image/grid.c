#include "image/grid.h"

#include <math.h>
#include <string.h>

struct np_affine np_affine_identity(void)
{
    struct np_affine a = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};

    return a;
}

struct np_affine np_affine_mul(const struct np_affine *a_from_b, const struct np_affine *b_from_c)
{
    struct np_affine a_from_c = {{{0}}};

    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 4; k++)
                a_from_c.m[i][j] += a_from_b->m[i][k] * b_from_c->m[k][j];
    return a_from_c;
}

double np_affine_determinant(const struct np_affine *a)
{
    return a->m[0][0] * (a->m[1][1] * a->m[2][2] - a->m[1][2] * a->m[2][1]) -
           a->m[0][1] * (a->m[1][0] * a->m[2][2] - a->m[1][2] * a->m[2][0]) +
           a->m[0][2] * (a->m[1][0] * a->m[2][1] - a->m[1][1] * a->m[2][0]);
}

static double column_length(const struct np_affine *a, int j)
{
    return sqrt(a->m[0][j] * a->m[0][j] + a->m[1][j] * a->m[1][j] + a->m[2][j] * a->m[2][j]);
}

bool np_affine_invert(const struct np_affine *a, struct np_affine *out)
{
    double det = np_affine_determinant(a);
    double scale = column_length(a, 0) * column_length(a, 1) * column_length(a, 2);

    if (!(fabs(det) > 1e-12 * scale) || !isfinite(det))
        return false;
    struct np_affine inv = np_affine_identity();
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            int r0 = (j + 1) % 3, r1 = (j + 2) % 3, c0 = (i + 1) % 3, c1 = (i + 2) % 3;
            inv.m[i][j] = (a->m[r0][c0] * a->m[r1][c1] - a->m[r0][c1] * a->m[r1][c0]) / det;
        }
    for (int i = 0; i < 3; i++)
        inv.m[i][3] =
            -(inv.m[i][0] * a->m[0][3] + inv.m[i][1] * a->m[1][3] + inv.m[i][2] * a->m[2][3]);
    *out = inv;
    return true;
}

void np_affine_apply(const struct np_affine *a, const double p_b[3], double p_a[3])
{
    double p[3] = {p_b[0], p_b[1], p_b[2]};

    for (int i = 0; i < 3; i++)
        p_a[i] = a->m[i][0] * p[0] + a->m[i][1] * p[1] + a->m[i][2] * p[2] + a->m[i][3];
}

struct np_grid np_grid_make(int64_t nx, int64_t ny, int64_t nz, double sx_mm, double sy_mm,
                            double sz_mm)
{
    struct np_grid grid = {.n = {nx, ny, nz, 1}, .spacing_mm = {sx_mm, sy_mm, sz_mm}};

    grid.world_from_voxel = np_affine_identity();
    for (int i = 0; i < 3; i++) {
        grid.world_from_voxel.m[i][i] = grid.spacing_mm[i];
        grid.world_from_voxel.m[i][3] = -0.5 * (double)(grid.n[i] - 1) * grid.spacing_mm[i];
    }
    return grid;
}

size_t np_grid_voxels(const struct np_grid *grid)
{
    return (size_t)grid->n[0] * (size_t)grid->n[1] * (size_t)grid->n[2];
}

double np_grid_voxel_mm3(const struct np_grid *grid)
{
    return fabs(np_affine_determinant(&grid->world_from_voxel));
}

bool np_grid_same(const struct np_grid *a, const struct np_grid *b)
{
    return np_grid_same_within(a, b, 1e-3);
}

bool np_grid_same_within(const struct np_grid *a, const struct np_grid *b, double tolerance_mm)
{
    if (memcmp(a->n, b->n, sizeof(a->n)) != 0)
        return false;
    for (int corner = 0; corner < 8; corner++) {
        double p[3], pa[3], pb[3];
        for (int i = 0; i < 3; i++)
            p[i] = corner >> i & 1 ? (double)(a->n[i] - 1) : 0;
        np_affine_apply(&a->world_from_voxel, p, pa);
        np_affine_apply(&b->world_from_voxel, p, pb);
        for (int i = 0; i < 3; i++)
            if (!(fabs(pa[i] - pb[i]) <= tolerance_mm))
                return false;
    }
    return true;
}

void np_grid_orientation(const struct np_grid *grid, int axis[3], int sign[3])
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const struct np_affine *a = &grid->world_from_voxel;
    double best = -1;

    for (int o = 0; o < 6; o++) {
        double agreement = 0;
        for (int w = 0; w < 3; w++) {
            double length = column_length(a, orders[o][w]);
            agreement += length > 0 ? fabs(a->m[w][orders[o][w]]) / length : 0;
        }
        if (agreement > best + 1e-9) { /* a tie keeps the earlier order */
            best = agreement;
            for (int w = 0; w < 3; w++) {
                axis[w] = orders[o][w];
                sign[w] = a->m[w][orders[o][w]] < 0 ? -1 : 1;
            }
        }
    }
}

void np_grid_axis_codes(const struct np_grid *grid, char out[4])
{
    static const char codes[3][2] = {{'L', 'R'}, {'P', 'A'}, {'I', 'S'}};
    int axis[3], sign[3];

    np_grid_orientation(grid, axis, sign);
    for (int w = 0; w < 3; w++)
        out[axis[w]] = codes[w][sign[w] > 0];
    out[3] = '\0';
}
