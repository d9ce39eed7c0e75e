/*
 * A small convolutional network that recognises the brain at 4 mm: an encoder and a decoder of four
 * levels with 8, 24, 48 and 64 channels (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28;
 * Çiçek et al. 2016, doi:10.1007/978-3-319-46723-8_49), 475 000 weights. The weights are part of
 * the program (brain_net.q8). They were learned from drawn images alone: docs/methods/brain.md and
 * brain_net.md say from which.
 */
#ifndef NP_OPS_BRAIN_NET_H
#define NP_OPS_BRAIN_NET_H

#include "base/exec.h"

/* Voxels of an input along each axis are a multiple of this. */
enum { NP_BRAIN_NET_MULTIPLE = 16, NP_BRAIN_NET_MOST_Z = 512 };

/*
 * Find the brain.
 *   window       n[0] × n[1] × n[2] values, z fastest, axes to right, front and top, voxels of 2 mm;
 *                0 is background, 1/2 the typical tissue of a head, at most 2. Each n is a multiple
 *                of NP_BRAIN_NET_MULTIPLE, and n[2] is at most NP_BRAIN_NET_MOST_Z
 *   distance_mm  out, half as many values along each axis: the signed distance from the voxel's
 *                centre to the brain's surface, below 0 inside; the caller's
 * Returns 0, NP_ENOMEM, NP_ECANCELED; on failure the content of `distance_mm` is undefined.
 * Cost: 0.2 s of one core for 96 × 128 × 128, divided by the threads; 35 MiB.
 */
int np_brain_net_run(const float *window, const int n[3], const struct np_exec *exec,
                     float *distance_mm, struct np_error *err) NP_MUST_USE;

#endif
