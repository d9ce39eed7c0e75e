/*
 * The inner loop of a convolution (ops/conv.h), private to ops: sums of products over input
 * channels and taps along z. Each sum is one chain in one order, without fused multiply-add, so
 * that the bytes do not depend on how many of them a processor computes at once.
 */
#ifndef NP_OPS_CONV_PRODUCTS_H
#define NP_OPS_CONV_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>

#include "ops/lanes.h"

enum { NP_PRODUCTS_QUAD = 4, NP_PRODUCTS_TAPS = 3, NP_PRODUCTS_STEP_Z = 8 };

struct np_products_shape {
    size_t n_inputs;  /* channels */
    size_t input_row; /* floats from one channel to the next */
    size_t n_z;       /* outputs along z, a multiple of NP_PRODUCTS_STEP_Z */
};

/*
 * to[o * n_z + z] = sum over inputs i and taps t of from[i * input_row + z + t] * weight[i][t][o],
 * for four outputs o.
 *   weight  each repeated in all lanes
 */
typedef void np_products_fn(const struct np_products_shape *shape, const float *from,
                            const np_lanes *weight, float *to);

/* The fastest for this processor, or (`portable`) the one for all. */
np_products_fn *np_products_choose(bool portable);

#endif
