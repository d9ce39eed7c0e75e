/*
 * All fields of an anatomy on a coarse lattice of world positions, interpolated by cubic B-splines.
 * This makes drawing fast. The lattice does not depend on the image's grid, so images of one head
 * at different voxel sizes show the same surfaces. Private to synth.
 */
#ifndef NP_SYNTH_LATTICE_H
#define NP_SYNTH_LATTICE_H

#include "synth/anatomy.h"

/* The values at the nodes are used as spline coefficients (no prefilter). This smooths a little,
 * and it keeps every order between fields that holds at the nodes ("the mask lies inside the
 * skull"). */
struct np_synth_lattice {
    int64_t n[3];
    double origin_mm[3]; /* world position of node 0 */
    float *node;         /* [nz][ny][nx][NP_N_FIELDS] */
};

/* Positions along one axis: first node of four, and their weights. */
struct np_synth_lattice_axis {
    int64_t n;
    int64_t *first;
    float (*weight)[4];
};

/* An empty lattice that covers the box between two corners (mm). */
struct np_synth_lattice np_synth_lattice_cover(const double low_mm[3], const double high_mm[3]);

/*
 * Compute every node, and scale the bias field: mean 0 over the brain, and `bias_percent` peak to
 * peak there. Returns 0, NP_ENOMEM, NP_ECANCELED.
 */
int np_synth_lattice_fill(struct np_synth_lattice *lattice, const struct np_anatomy *anatomy,
                          double bias_percent, const struct np_exec *exec,
                          struct np_error *err) NP_MUST_USE;
void np_synth_lattice_done(struct np_synth_lattice *lattice);

/*
 * Tables for the positions first_mm + i × step_mm, i in [0, n), along world axis `axis`. Beyond the
 * lattice the values of its border are repeated. Returns 0, NP_ENOMEM.
 */
int np_synth_lattice_axis_make(const struct np_synth_lattice *lattice, int axis, double first_mm,
                               double step_mm, int64_t n, struct np_synth_lattice_axis *out,
                               struct np_error *err) NP_MUST_USE;
void np_synth_lattice_axis_done(struct np_synth_lattice_axis *axis);

/* Interpolate in three steps: out[ny][nx][fields] at one z position, out[nx][fields] at one y of
 * that plane, then the fields at one x. */
void np_synth_lattice_plane(const struct np_synth_lattice *lattice,
                            const struct np_synth_lattice_axis *z, int64_t i, float *plane);
void np_synth_lattice_row(const struct np_synth_lattice *lattice, const float *plane,
                          const struct np_synth_lattice_axis *y, int64_t i, float *row);
void np_synth_lattice_point(const float *row, const struct np_synth_lattice_axis *x, int64_t i,
                            float field[NP_N_FIELDS]);

#endif
