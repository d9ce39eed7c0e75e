#include "ops/conv.h"

#include <math.h>

#include "base/alloc.h"
#include "ops/elementary.h"
#include "ops/lanes.h"

enum { QUAD = 4, BORDER_Z = 4, TAPS = 27, STEP_Z = 2 * NP_LANES };

typedef int32_t lane_bits __attribute__((vector_size(16)));

static const float SLOPE = 0.1F;

int np_tensor_new(int n_channels, const int n[3], struct np_tensor *tensor, struct np_error *err)
{
    size_t row = (size_t)n[2] + 2 * (size_t)BORDER_Z, plane = row * ((size_t)n[1] + 2);

    *tensor = (struct np_tensor){.n_channels = n_channels,
                                 .n = {n[0], n[1], n[2]},
                                 .row = row,
                                 .plane = plane,
                                 .channel = plane * ((size_t)n[0] + 2)};
    tensor->value = np_try_voxels((size_t)n_channels * tensor->channel, sizeof(float));
    if (!tensor->value)
        return np_error_set(err, NP_ENOMEM, "brain network: no memory for %zu MiB",
                            ((size_t)n_channels * tensor->channel * sizeof(float) >> 20) + 1);
    return 0;
}

void np_tensor_done(struct np_tensor *tensor)
{
    np_voxels_freep(&tensor->value);
}

float *np_tensor_row(const struct np_tensor *tensor, int channel, int x, int y)
{
    return tensor->value + (size_t)channel * tensor->channel + (size_t)(x + 1) * tensor->plane +
           (size_t)(y + 1) * tensor->row + BORDER_Z;
}

static float stored_float(const unsigned char *bytes, int i)
{
    const unsigned char *b = bytes + 4 * (size_t)i;

    return np_float_from_bits((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                              (uint32_t)b[3] << 24);
}

static float rectify(float value)
{
    return value < 0 ? SLOPE * value : value;
}

static np_lanes rectify_lanes(np_lanes value)
{
    lane_bits negative = value < np_lanes_all(0);
    np_lanes scaled = value * np_lanes_all(SLOPE);

    return (np_lanes)(((lane_bits)scaled & negative) | ((lane_bits)value & ~negative));
}

/* ---- convolution --------------------------------------------------------------------------- */

struct conv_job {
    const struct np_layer *layer;
    const struct np_tensor *in, *add;
    struct np_tensor *out;
    np_lanes
        *weight; /* [quad of outputs][input][tap][output in the quad], each repeated in 4 lanes */
};

/* Spread the weights so that the inner loop loads them without shuffling. */
static void spread_weights(const struct np_layer *layer, np_lanes *weight)
{
    for (int o = 0; o < layer->n_out; o++) {
        const int8_t *number = layer->number + (size_t)o * (size_t)layer->n_in * TAPS;
        float scale = stored_float(layer->scale, o);
        for (int i = 0; i < layer->n_in; i++)
            for (int t = 0; t < TAPS; t++) {
                size_t block = ((size_t)(o / QUAD) * (size_t)layer->n_in + (size_t)i) * TAPS;
                weight[(block + (size_t)t) * QUAD + (size_t)(o % QUAD)] =
                    np_lanes_all(scale * (float)number[i * TAPS + t]);
            }
    }
}

/* Add one input channel's taps to the sums of four outputs at eight positions along z. `corner` is
 * the input at (-1, -1, -1) of the first. */
static const np_lanes *add_taps(const float *corner, const struct np_tensor *in,
                                const np_lanes *weight, np_lanes sum[QUAD][2])
{
    for (int dx = 0; dx < 3; dx++)
        for (int dy = 0; dy < 3; dy++) {
            const float *from = corner + (size_t)dx * in->plane + (size_t)dy * in->row;
            for (int dz = 0; dz < 3; dz++, weight += QUAD) {
                np_lanes low = np_lanes_load(from + dz), high = np_lanes_load(from + dz + NP_LANES);
                sum[0][0] += low * weight[0];
                sum[0][1] += high * weight[0];
                sum[1][0] += low * weight[1];
                sum[1][1] += high * weight[1];
                sum[2][0] += low * weight[2];
                sum[2][1] += high * weight[2];
                sum[3][0] += low * weight[3];
                sum[3][1] += high * weight[3];
            }
        }
    return weight;
}

static void finish(const struct conv_job *job, int channel, const int at[3], const np_lanes sum[2])
{
    float *to = np_tensor_row(job->out, channel, at[0], at[1]) + at[2];
    np_lanes low = rectify_lanes(sum[0]), high = rectify_lanes(sum[1]);

    if (job->add) {
        const float *more = np_tensor_row(job->add, channel, at[0], at[1]) + at[2];
        low += np_lanes_load(more);
        high += np_lanes_load(more + NP_LANES);
    }
    np_lanes_store(to, low);
    np_lanes_store(to + NP_LANES, high);
}

static void convolve_at(const struct conv_job *job, int quad, const int at[3])
{
    const struct np_layer *layer = job->layer;
    const np_lanes *weight = job->weight + (size_t)quad * (size_t)layer->n_in * TAPS * QUAD;
    np_lanes sum[QUAD][2];

    for (int o = 0; o < QUAD; o++)
        sum[o][0] = sum[o][1] = np_lanes_all(stored_float(layer->bias, quad * QUAD + o));
    for (int i = 0; i < layer->n_in; i++)
        weight = add_taps(np_tensor_row(job->in, i, at[0] - 1, at[1] - 1) + at[2] - 1, job->in,
                          weight, sum);
    for (int o = 0; o < QUAD; o++)
        finish(job, quad * QUAD + o, at, sum[o]);
}

/* One plane of x, four output channels. */
static void convolve_plane(void *context, int64_t task)
{
    const struct conv_job *job = context;
    int n_quads = job->layer->n_out / QUAD, at[3] = {(int)(task / n_quads)};

    for (at[1] = 0; at[1] < job->in->n[1]; at[1]++)
        for (at[2] = 0; at[2] < job->in->n[2]; at[2] += STEP_Z)
            convolve_at(job, (int)(task % n_quads), at);
}

int np_conv3(const struct np_layer *layer, const struct np_tensor *in, const struct np_tensor *add,
             const struct np_exec *exec, struct np_tensor *out, struct np_error *err)
{
    size_t n_weights = (size_t)layer->n_in * (size_t)layer->n_out * TAPS;
    NP_AUTO(np_voxels_freep) np_lanes *weight = np_try_voxels(n_weights, sizeof(*weight));
    struct conv_job job = {layer, in, add, out, weight};

    if (!weight)
        return np_error_set(err, NP_ENOMEM, "brain network: no memory for its weights");
    spread_weights(layer, weight);
    np_exec_run(exec, (int64_t)in->n[0] * (layer->n_out / QUAD), convolve_plane, &job);
    return np_exec_check(exec, err);
}

/* ---- coarser and finer --------------------------------------------------------------------- */

struct pool_job {
    const struct np_tensor *in;
    struct np_tensor *out;
};

static float block_maximum(const struct np_tensor *in, int channel, const int at[3])
{
    float most = -INFINITY;

    for (int dx = 0; dx < 2; dx++)
        for (int dy = 0; dy < 2; dy++) {
            const float *from =
                np_tensor_row(in, channel, 2 * at[0] + dx, 2 * at[1] + dy) + 2 * (size_t)at[2];
            most = from[0] > most ? from[0] : most;
            most = from[1] > most ? from[1] : most;
        }
    return most;
}

static void pool_channel(void *context, int64_t channel)
{
    const struct pool_job *job = context;
    int at[3];

    for (at[0] = 0; at[0] < job->out->n[0]; at[0]++)
        for (at[1] = 0; at[1] < job->out->n[1]; at[1]++) {
            float *to = np_tensor_row(job->out, (int)channel, at[0], at[1]);
            for (at[2] = 0; at[2] < job->out->n[2]; at[2]++)
                to[at[2]] = block_maximum(job->in, (int)channel, at);
        }
}

void np_pool2(const struct np_tensor *in, const struct np_exec *exec, struct np_tensor *out)
{
    struct pool_job job = {in, out};

    np_exec_run(exec, in->n_channels, pool_channel, &job);
}

struct merge_job {
    const struct np_layer *layer;
    const struct np_tensor *in, *skip;
    struct np_tensor *out;
    float *mixed;
};

/* The weighted sum of the channels at one row. */
static void mix_row(const struct np_layer *layer, const struct np_tensor *in, int output,
                    const int at[2], float *sum)
{
    float scale = stored_float(layer->scale, output), bias = stored_float(layer->bias, output);

    for (int z = 0; z < in->n[2]; z++)
        sum[z] = bias;
    for (int i = 0; i < layer->n_in; i++) {
        float weight = scale * (float)layer->number[output * layer->n_in + i];
        const float *from = np_tensor_row(in, i, at[0], at[1]);
        for (int z = 0; z < in->n[2]; z++)
            sum[z] += weight * from[z];
    }
}

static void merge_channel(void *context, int64_t channel)
{
    const struct merge_job *job = context;
    float sum[NP_TENSOR_MOST_Z];

    for (int x = 0; x < job->out->n[0]; x++)
        for (int y = 0; y < job->out->n[1]; y++) {
            if (y % 2 == 0)
                mix_row(job->layer, job->in, (int)channel, (const int[2]){x / 2, y / 2}, sum);
            const float *skip = np_tensor_row(job->skip, (int)channel, x, y);
            float *to = np_tensor_row(job->out, (int)channel, x, y);
            for (int z = 0; z < job->out->n[2]; z++)
                to[z] = rectify(sum[z / 2] + skip[z]);
        }
}

void np_merge_up(const struct np_layer *layer, const struct np_tensor *in,
                 const struct np_tensor *skip, const struct np_exec *exec, struct np_tensor *out)
{
    struct merge_job job = {.layer = layer, .in = in, .skip = skip, .out = out};

    np_exec_run(exec, layer->n_out, merge_channel, &job);
}

static void mix_plane(void *context, int64_t x)
{
    const struct merge_job *job = context;
    const int *n = job->in->n;

    for (int y = 0; y < n[1]; y++)
        mix_row(job->layer, job->in, 0, (const int[2]){(int)x, y},
                job->mixed + ((size_t)x * (size_t)n[1] + (size_t)y) * (size_t)n[2]);
}

void np_mix_channels(const struct np_layer *layer, const struct np_tensor *in,
                     const struct np_exec *exec, float *out)
{
    struct merge_job job = {.layer = layer, .in = in, .mixed = out};

    np_exec_run(exec, in->n[0], mix_plane, &job);
}
