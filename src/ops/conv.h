/*
 * The layers of a small convolutional network, in plain C: 3×3×3 convolutions, pooling, and
 * merging upwards. Every output value is a sum in one fixed order, without fused multiply-add, so
 * that the bytes are the same for any number of threads and any processor.
 */
#ifndef NP_OPS_CONV_H
#define NP_OPS_CONV_H

#include <stddef.h>
#include <stdint.h>

#include "base/exec.h"

enum { NP_TENSOR_MOST_Z = 256 };

/*
 * Values on a grid of nx × ny × nz with several channels. z is fastest, and nz is a multiple of 8,
 * at most NP_TENSOR_MOST_Z; the channels are a multiple of 4. Around each channel lies a border of zeros, which a convolution
 * reads: one voxel in x and y, four in z.
 */
struct np_tensor {
    int n_channels, n[3];
    size_t row, plane, channel; /* steps from y to y + 1, x to x + 1, channel to channel + 1 */
    float *value;               /* owned */
};

/* Zeroed. Returns 0, or NP_ENOMEM with a sentence; `tensor` is then empty. */
int np_tensor_new(int n_channels, const int n[3], struct np_tensor *tensor,
                  struct np_error *err) NP_MUST_USE;
void np_tensor_done(struct np_tensor *tensor);

/* The first value (z = 0) of a row. */
float *np_tensor_row(const struct np_tensor *tensor, int channel, int x, int y);

/*
 * The weights of one layer as they are stored: for each output channel a scale, then whole numbers
 * [output][input][tap], and for each output channel a bias. A weight is its number times the scale
 * of its output channel. The pointers are borrowed; they need no alignment.
 */
struct np_layer {
    int n_in, n_out;
    const unsigned char *scale; /* n_out little-endian floats */
    const int8_t *number;       /* n_out × n_in × taps (27 with z fastest, or 1) */
    const unsigned char *bias;  /* n_out little-endian floats */
};

/*
 * out = rectify(convolve(in)); with `add`, out = add + rectify(convolve(in)). rectify(v) is v, or
 * 0.1 v below 0. `out` and `in` must differ; `add` may be `out`. Returns 0, NP_ENOMEM, NP_ECANCELED.
 */
int np_conv3(const struct np_layer *layer, const struct np_tensor *in, const struct np_tensor *add,
             const struct np_exec *exec, struct np_tensor *out, struct np_error *err) NP_MUST_USE;

/* The maximum of each block of 2 × 2 × 2; `out` has half the size and the same channels. */
void np_pool2(const struct np_tensor *in, const struct np_exec *exec, struct np_tensor *out);

/* out = rectify(mix(in), each voxel repeated 2 × 2 × 2, + skip), where mix weights the channels.
 * `out` may be `skip`. */
void np_merge_up(const struct np_layer *layer, const struct np_tensor *in,
                 const struct np_tensor *skip, const struct np_exec *exec, struct np_tensor *out);

/* The layer's weighted sum of the channels, without rectifying: one value for each voxel, z
 * fastest. n_out is 1. */
void np_mix_channels(const struct np_layer *layer, const struct np_tensor *in,
                     const struct np_exec *exec, float *out);

#endif
