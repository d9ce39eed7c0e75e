/*
 * Geometry of an image, apart from its voxels. World is RAS+ millimetres (NIfTI's scanner or
 * aligned space); voxel indices count from 0 and name voxel centres. Storage order is x fastest:
 * index = x + nx (y + ny z).
 */
#ifndef NP_IMAGE_GRID_H
#define NP_IMAGE_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Row-major 4×4; always named a_from_b. */
struct np_affine {
    double m[4][4];
};

struct np_grid {
    int64_t n[4];                      /* nx, ny, nz, nt; each at least 1 */
    double spacing_mm[3];              /* lengths of the affine's columns */
    double tr_s;                       /* 0 when there is one volume */
    struct np_affine world_from_voxel; /* mm */
};

struct np_affine np_affine_identity(void);

/* a_from_c = np_affine_mul(a_from_b, b_from_c) */
struct np_affine np_affine_mul(const struct np_affine *a_from_b, const struct np_affine *b_from_c);

/* False when singular (|det| below 1e-12 of the product of the column lengths); `out` is untouched
 * then. */
bool np_affine_invert(const struct np_affine *a_from_b, struct np_affine *b_from_a);

/* Determinant of the 3×3 part: mm³ per voxel, signed. */
double np_affine_determinant(const struct np_affine *a_from_b);

/* out = A p; `out` may be `p`. */
void np_affine_apply(const struct np_affine *a_from_b, const double p_b[3], double p_a[3]);

/* A grid of nx × ny × nz, 1 volume, with spacing in mm, axes parallel to the world's, centred on
 * the world's origin. */
struct np_grid np_grid_make(int64_t nx, int64_t ny, int64_t nz, double sx_mm, double sy_mm,
                            double sz_mm);

/* Voxels of one volume. */
size_t np_grid_voxels(const struct np_grid *grid);
double np_grid_voxel_mm3(const struct np_grid *grid);

/* Same size, and world positions that agree within 1e-3 mm at every corner. */
bool np_grid_same(const struct np_grid *a, const struct np_grid *b);

/* The same within this tolerance. */
bool np_grid_same_within(const struct np_grid *a, const struct np_grid *b, double tolerance_mm);

/*
 * The voxel axis that is closest to each world axis (R, A, S), and its direction: axis[w] in
 * {0,1,2} is a permutation; sign[w] is +1 when the index grows towards R, A or S. Of the 6 orders
 * the one with the best total agreement is taken.
 */
void np_grid_orientation(const struct np_grid *grid, int axis[3], int sign[3]);

/* The same as letters, e.g. "LPS" = voxel axes run towards left, posterior, superior. `out` holds 4
 * bytes. */
void np_grid_axis_codes(const struct np_grid *grid, char out[4]);

#endif
