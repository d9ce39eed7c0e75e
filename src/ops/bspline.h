/*
 * Smooth fields as uniform cubic B-splines on a lattice of control points, fitted to values at
 * voxels and evaluated at voxels.
 *
 * Fit: one level of multilevel B-spline approximation (Lee, Wolberg and Shin 1997,
 * doi:10.1109/2945.620490). With w_c = Bx By Bz, the weight of control point c at a voxel of value
 * r, and the sums taken over voxels,
 *     phi_c = sum w_c^2 (w_c r / S) / sum w_c^2,     S = sum over c of w_c^2 at that voxel.
 * Voxels lie on a grid, so all of these factor by axis (S = Sx Sy Sz), and the sums contract one
 * axis after the other: voxels into rows of control points, rows into planes, planes into the
 * lattice. Evaluation is the mirror image. The denominator depends on the voxels alone, not on
 * their values.
 *
 * The pieces are those that a caller's tasks work on: planes of voxels (one z). Only functions
 * named _new, _init and _refine allocate.
 */
#ifndef NP_OPS_BSPLINE_H
#define NP_OPS_BSPLINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

/* The four weights at position `t` in [0, 1] of a span. */
void np_bspline_weights(double t, double weight[4]);

/* Control points, x fastest; an axis of s spans has s + 3 control points. */
struct np_lattice {
    int n[3];
    double *value;
};

/* Zeroed; NULL when memory does not suffice. */
struct np_lattice *np_lattice_new(int nx, int ny, int nz);
void np_lattice_freep(struct np_lattice **lattice);
size_t np_lattice_size(const struct np_lattice *lattice);

/*
 * The same field on spans of half the length, exactly (subdivision of Lane and Riesenfeld 1980,
 * doi:10.1109/TPAMI.1980.4766968). NULL when memory does not suffice.
 */
struct np_lattice *np_lattice_refine(const struct np_lattice *coarse);

/* For each voxel along one axis: its span, and its weights on the span's four control points. */
struct np_bspline_axis {
    int64_t n;
    int n_control;
    int32_t *base;      /* [n] first control point */
    float (*weight)[4]; /* [n] w */
    float (*square)[4]; /* [n] w² */
    float (*cube)[4];   /* [n] w³ / sum w² */
    float *lane[4];     /* w in another layout, [4][n + padding]: for evaluation along a row */
    int64_t *span;      /* [n_control - 2] first voxel of each span, and n */
};

/*
 * Make the tables for voxels at `position` [n], in spans, ascending, within [0, n_spans]. Positions
 * outside are moved to the nearer end. Returns 0 or NP_ENOMEM.
 */
int np_bspline_axis_init(struct np_bspline_axis *axis, const double *position, int64_t n,
                         int n_spans) NP_MUST_USE;
void np_bspline_axis_done(struct np_bspline_axis *axis);

/* The voxels of a grid that are used, in storage order, by rows. */
struct np_bspline_row {
    int32_t y;
    int32_t n;
    int64_t first; /* index of its first point */
};

struct np_bspline_points {
    int64_t n_voxels[3];
    int64_t n;                  /* points */
    int32_t *x;                 /* [n] */
    struct np_bspline_row *row; /* rows with at least one point */
    int64_t *plane;             /* [nz + 1] first row of each plane */
};

/* `inside` [nz][ny][nx] is 0 or 1. Returns 0 or NP_ENOMEM. */
int np_bspline_points_init(struct np_bspline_points *points, const uint8_t *inside,
                           const int64_t n_voxels[3]) NP_MUST_USE;
void np_bspline_points_done(struct np_bspline_points *points);
/* The first point of plane z; z = nz gives the number of points. */
int64_t np_bspline_points_of_plane(const struct np_bspline_points *points, int64_t z);

/*
 * The size in floats of a plane of control points in memory (np_bspline_plane_size) and of one of
 * its rows (np_bspline_plane_stride). A row holds the control points of the x axis, padded to whole
 * SIMD vectors; the plane has one more row for scratch.
 */
size_t np_bspline_plane_size(const struct np_bspline_axis axis[3]);
int np_bspline_plane_stride(const struct np_bspline_axis axis[3]);

/*
 * Contract plane z of the voxels to control points in x and y.
 *   value  [points->n] values at the points
 *   plane  out, [np_bspline_plane_size]
 * `numerator` uses the values, `denominator` the weights alone.
 */
void np_bspline_plane_numerator(const struct np_bspline_axis axis[3],
                                const struct np_bspline_points *points, const float *value,
                                int64_t z, float *plane);
void np_bspline_plane_denominator(const struct np_bspline_axis axis[3],
                                  const struct np_bspline_points *points, int64_t z, float *plane);

/* Contract all planes [nz][plane size], in their order, to plane `k` of the lattice, in `out`
 * [plane size]. */
void np_bspline_collect_numerator(const struct np_bspline_axis axis[3], const float *planes, int k,
                                  float *out);
void np_bspline_collect_denominator(const struct np_bspline_axis axis[3], const float *planes,
                                    int k, float *out);

/*
 * Evaluation: first mix the lattice's planes for voxel plane z, then evaluate each row of voxels
 * from that plane.
 *   scratch  [np_bspline_row_size] floats; the returned row of nx values is a part of it
 */
void np_bspline_plane_mix(const struct np_bspline_axis axis[3], const struct np_lattice *lattice,
                          int64_t z, float *plane);
size_t np_bspline_row_size(const struct np_bspline_axis axis[3]);
const float *np_bspline_row_evaluate(const struct np_bspline_axis axis[3], const float *plane,
                                     int64_t y, float *scratch);

/* A field over all voxels of a grid, kept as control points: some KB instead of a volume. */
struct np_bspline_field {
    struct np_bspline_axis axis[3];
    struct np_lattice *lattice;
};

/* A field of 0 everywhere, with one span along each axis of `n` voxels. NULL when memory does
 * not suffice. */
struct np_bspline_field *np_bspline_field_new(const int64_t n[3]);

/* Add `shift` to the field everywhere: the weights at a voxel sum to 1. */
void np_bspline_field_shift(struct np_bspline_field *field, double shift);

/* Accepts a pointer to NULL; nulls the pointer. */
void np_bspline_field_freep(struct np_bspline_field **field);

/*
 * The field at the voxels of row y of plane z. Call np_bspline_field_plane for a plane before its
 * rows.
 *   scratch  [np_bspline_field_scratch] floats, zeroed once; each task needs its own; the returned
 *            row is a part of it
 */
size_t np_bspline_field_scratch(const struct np_bspline_field *field);
void np_bspline_field_plane(const struct np_bspline_field *field, int64_t z, float *scratch);
const float *np_bspline_field_row(const struct np_bspline_field *field, int64_t y, float *scratch);

#endif
