/*
 * Estimate the smooth multiplicative field of an image from its histogram.
 * N4: Tustison et al. 2010, doi:10.1109/TMI.2010.2046908; histogram sharpening: Sled et al. 1998,
 * doi:10.1109/42.668698. Differences: docs/methods/bias.md.
 */
#ifndef NP_OPS_N4_H
#define NP_OPS_N4_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/bspline.h"

enum { NP_N4_MOST_LEVELS = 8, NP_N4_LEAST_POINTS = 100 };

struct np_n4_options {
    double mesh_mm;    /* length of a spline span at level 1; halved at each further level */
    int n_levels;      /* 1 to NP_N4_MOST_LEVELS */
    int n_iterations;  /* at most, per level */
    double stop;       /* ends a level: least change of its field, as a coefficient of
                          variation over the points, divided by `relaxation`; 0 = never early */
    double last_stop;  /* the same for the last level; 0 = as `stop` */
    double relaxation; /* each fit counts so many times: 1 as published; 2 (over-relaxation) needs
                          about half the iterations */
    double shrink_mm;  /* the fit uses voxels about this far apart; 0 = all voxels */
    double fwhm_log;   /* width of the Gaussian that is deconvolved from the log histogram */
    double wiener;     /* noise term of that deconvolution */
    int n_bins;        /* of the histogram */
};

/* 200 mm, 4 levels of 50 iterations, stop 0, relaxation 1, 4 mm, 0.15, 0.01, 200. */
struct np_n4_options np_n4_options_default(void);

struct np_n4_report {
    int n_levels;
    int iterations[NP_N4_MOST_LEVELS]; /* iterations of each level */
    int n_iterations;                  /* of all levels */
    double change;                     /* the last coefficient of variation */
    bool converged;                    /* every level ended by the stop rule */
    int shrink[3];                     /* distance between samples, in voxels */
    int n_control[3];                  /* control points at the last level */
    int64_t n_points;                  /* samples that the fit used */
    double mean, low, high;            /* field at the samples: mean, 5 %, 95 % quantiles */
};

/*
 * Estimate the field.
 *   in      arbitrary intensity units; voxels <= 0 are not used
 *   mask    same grid; the voxels used for the estimate
 *   field   out, owned by the caller: the natural logarithm of the field at every voxel. Outside
 *           the mask it is extrapolated; its level is arbitrary
 *   report  out, may be NULL
 * Reaching the iteration limit is not an error. An image that is constant in the mask has a field
 * of 0.
 * Returns 0, NP_EGEOMETRY (grids differ in size), NP_EDOMAIN (fewer than NP_N4_LEAST_POINTS
 * samples), NP_ENOMEM, NP_ECANCELED; on failure `field` and `report` are untouched.
 * Cost: per iteration about 10 ns a sample.
 */
int np_n4_fit(const struct np_image *in, const struct np_mask *mask,
              const struct np_n4_options *options, const struct np_exec *exec,
              struct np_bspline_field **field, struct np_n4_report *report,
              struct np_error *err) NP_MUST_USE;

/*
 * The same, with the field evaluated at every voxel; this costs 1 ns a voxel.
 *   log_field  same grid; out, untouched on failure. Its level is arbitrary: shift it as needed
 */
int np_n4_estimate(const struct np_image *in, const struct np_mask *mask,
                   const struct np_n4_options *options, const struct np_exec *exec,
                   struct np_image *log_field, struct np_n4_report *report,
                   struct np_error *err) NP_MUST_USE;

#endif
