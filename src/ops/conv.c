#include "ops/conv.h"

#include <math.h>

#include "base/alloc.h"
#include "ops/conv_products.h"
#include "ops/elementary.h"
#include "ops/lanes.h"

enum { QUAD = NP_PRODUCTS_QUAD, BORDER_Z = 4, TAPS = 27 };

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
    return np_lanes_select(value < np_lanes_all(0), value * np_lanes_all(SLOPE), value);
}

/* ---- convolution --------------------------------------------------------------------------- */

/*
 * Winograd's method for 3 × 3 taps in x and y (Lavin & Gray 2016, doi:10.1109/CVPR.2016.435): a tile
 * of 2 × 2 outputs needs 4 × 4 inputs. With inputs and weights transformed, the taps become 16
 * products instead of 36. The taps along z are multiplied as they are.
 *   inputs   B d Bt,  B = 1  0 -1  0    weights  G w Gt,  G =  1   0   0    outputs  A m At,  A = 1 1  1  0
 *                         0  1  1  0                          1/2  1/2 1/2                         0 1 -1 -1
 *                         0 -1  1  0                          1/2 -1/2 1/2
 *                         0  1  0 -1                           0   0   1
 */
enum { SIDE = 4, N_PRODUCTS = SIDE * SIDE, TILE = 2, TAPS_Z = NP_PRODUCTS_TAPS };

struct conv_job {
    const struct np_layer *layer;
    const struct np_tensor *in, *add;
    struct np_tensor *out;
    np_lanes *weight; /* [product][quad of outputs][input][tap along z][output in the quad], each
                         repeated in 4 lanes */
    float *scratch;   /* of each task: inputs, then products, of one tile */
    np_products_fn *sum_products;
    size_t n_inputs, n_products;
};

static void transform_weights_of(const float tap[TAPS], int dz, float product[SIDE][SIDE])
{
    float half[SIDE][3];

    for (int y = 0; y < 3; y++) {
        float low = tap[3 * y + dz], mid = tap[9 + 3 * y + dz], high = tap[18 + 3 * y + dz];
        half[0][y] = low;
        half[1][y] = 0.5F * (low + mid + high);
        half[2][y] = 0.5F * (low - mid + high);
        half[3][y] = high;
    }
    for (int x = 0; x < SIDE; x++) {
        product[x][0] = half[x][0];
        product[x][1] = 0.5F * (half[x][0] + half[x][1] + half[x][2]);
        product[x][2] = 0.5F * (half[x][0] - half[x][1] + half[x][2]);
        product[x][3] = half[x][2];
    }
}

/* The transformed weights from input `i` to output `o`, spread so that the inner loop loads them
 * without shuffling. */
static void spread_weights(const struct np_layer *layer, int o, int i, np_lanes *weight)
{
    const int8_t *number = layer->number + ((size_t)o * (size_t)layer->n_in + (size_t)i) * TAPS;
    float scale = stored_float(layer->scale, o), tap[TAPS], product[SIDE][SIDE];
    size_t n_quads = (size_t)layer->n_out / QUAD, quad = (size_t)o / QUAD;

    for (int t = 0; t < TAPS; t++)
        tap[t] = scale * (float)number[t];
    for (int dz = 0; dz < TAPS_Z; dz++) {
        transform_weights_of(tap, dz, product);
        for (size_t p = 0; p < N_PRODUCTS; p++) {
            size_t block = (p * n_quads + quad) * (size_t)layer->n_in + (size_t)i;
            weight[(block * TAPS_Z + (size_t)dz) * QUAD + (size_t)o % QUAD] =
                np_lanes_all(product[p / SIDE][p % SIDE]);
        }
    }
}

static void transform_inputs_along(const np_lanes d[SIDE], np_lanes out[SIDE])
{
    out[0] = d[0] - d[2];
    out[1] = d[1] + d[2];
    out[2] = d[2] - d[1];
    out[3] = d[1] - d[3];
}

static void transform_outputs_along(const np_lanes m[SIDE], np_lanes out[TILE])
{
    out[0] = m[0] + m[1] + m[2];
    out[1] = m[1] - m[2] - m[3];
}

/* The rows of a tile's inputs in one channel, [y][x]. */
struct tile_rows {
    const float *at[SIDE][SIDE];
};

/* Transform four inputs along z of one channel. */
static void transform_inputs_at(const struct tile_rows *row, size_t z, size_t step, float *inputs)
{
    np_lanes along_x[SIDE][SIDE];

    for (int y = 0; y < SIDE; y++) {
        const np_lanes d[SIDE] = {
            np_lanes_load(row->at[y][0] + z), np_lanes_load(row->at[y][1] + z),
            np_lanes_load(row->at[y][2] + z), np_lanes_load(row->at[y][3] + z)};
        transform_inputs_along(d, along_x[y]);
    }
    for (int x = 0; x < SIDE; x++, inputs += SIDE * step) {
        const np_lanes d[SIDE] = {along_x[0][x], along_x[1][x], along_x[2][x], along_x[3][x]};
        np_lanes out[SIDE];
        transform_inputs_along(d, out);
        for (size_t y = 0; y < SIDE; y++)
            np_lanes_store(inputs + y * step + z, out[y]);
    }
}

/* The inputs of a tile, [product][channel][z with its border]. Beyond the border the tensor counts
 * as 0. */
static void transform_inputs(const struct conv_job *job, const int at[2], float *inputs)
{
    static const float zeros[NP_TENSOR_MOST_Z + 2 * BORDER_Z];
    const struct np_tensor *in = job->in;
    struct tile_rows row;

    for (int c = 0; c < in->n_channels; c++, inputs += in->row) {
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                bool is_beyond = at[0] + x - 1 > in->n[0] || at[1] + y - 1 > in->n[1];
                row.at[y][x] = is_beyond
                                   ? zeros
                                   : np_tensor_row(in, c, at[0] + x - 1, at[1] + y - 1) - BORDER_Z;
            }
        for (size_t z = 0; z < in->row; z += NP_LANES)
            transform_inputs_at(&row, z, (size_t)in->n_channels * in->row, inputs);
    }
}

/* All products of a tile, [product][output][z]. */
static void multiply(const struct conv_job *job, const float *inputs, float *products)
{
    const struct np_tensor *in = job->in;
    size_t n_in = (size_t)in->n_channels, n_out = (size_t)job->layer->n_out, nz = (size_t)in->n[2];
    const struct np_products_shape shape = {n_in, in->row, nz};
    const np_lanes *weight = job->weight;

    for (size_t p = 0; p < N_PRODUCTS; p++, inputs += n_in * in->row)
        for (size_t o = 0; o < n_out; o += QUAD, weight += n_in * TAPS_Z * QUAD)
            job->sum_products(&shape, inputs + BORDER_Z - 1, weight,
                              products + (p * n_out + o) * nz);
}

/* Four values of one output channel at (x, y, z): rectified, and added to what `add` holds there. */
static void finish(const struct conv_job *job, int channel, const int at[3], np_lanes sum)
{
    np_lanes value = rectify_lanes(sum);

    if (at[0] >= job->out->n[0] || at[1] >= job->out->n[1])
        return;
    if (job->add)
        value += np_lanes_load(np_tensor_row(job->add, channel, at[0], at[1]) + at[2]);
    np_lanes_store(np_tensor_row(job->out, channel, at[0], at[1]) + at[2], value);
}

/* The 2 × 2 outputs of one channel at four positions along z. */
static void transform_outputs_at(const struct conv_job *job, int channel, const int at[3],
                                 const float *products)
{
    size_t step = (size_t)job->layer->n_out * (size_t)job->in->n[2];
    np_lanes bias = np_lanes_all(stored_float(job->layer->bias, channel)), along_y[TILE][SIDE];

    for (int x = 0; x < SIDE; x++, products += SIDE * step) {
        const np_lanes m[SIDE] = {np_lanes_load(products), np_lanes_load(products + step),
                                  np_lanes_load(products + 2 * step),
                                  np_lanes_load(products + 3 * step)};
        np_lanes out[TILE];
        transform_outputs_along(m, out);
        along_y[0][x] = out[0];
        along_y[1][x] = out[1];
    }
    for (int y = 0; y < TILE; y++) {
        np_lanes out[TILE];
        transform_outputs_along(along_y[y], out);
        finish(job, channel, (const int[3]){at[0], at[1] + y, at[2]}, out[0] + bias);
        finish(job, channel, (const int[3]){at[0] + 1, at[1] + y, at[2]}, out[1] + bias);
    }
}

/* The tiles of two planes of x. */
static void convolve_planes(void *context, int64_t task)
{
    const struct conv_job *job = context;
    float *inputs = job->scratch + (size_t)task * (job->n_inputs + job->n_products);
    float *products = inputs + job->n_inputs;
    int at[3] = {TILE * (int)task};

    for (at[1] = 0; at[1] < job->in->n[1]; at[1] += TILE) {
        transform_inputs(job, at, inputs);
        multiply(job, inputs, products);
        for (int o = 0; o < job->layer->n_out; o++)
            for (at[2] = 0; at[2] < job->in->n[2]; at[2] += NP_LANES)
                transform_outputs_at(job, o, at,
                                     products + (size_t)o * (size_t)job->in->n[2] + at[2]);
    }
}

int np_conv3(const struct np_layer *layer, const struct np_tensor *in, const struct np_tensor *add,
             const struct np_exec *exec, struct np_tensor *out, struct np_error *err)
{
    size_t n_in = (size_t)layer->n_in, n_out = (size_t)layer->n_out;
    size_t n_tasks = ((size_t)in->n[0] + TILE - 1) / TILE;
    struct conv_job job = {.layer = layer,
                           .in = in,
                           .add = add,
                           .out = out,
                           .sum_products = np_products_choose(false)};

    job.n_inputs = N_PRODUCTS * n_in * in->row;
    job.n_products = N_PRODUCTS * n_out * (size_t)in->n[2];
    NP_AUTO(np_voxels_freep)
    np_lanes *weight = np_try_voxels(N_PRODUCTS * TAPS_Z * n_in * n_out, sizeof(*weight));
    NP_AUTO(np_voxels_freep)
    float *scratch = np_try_voxels(n_tasks * (job.n_inputs + job.n_products), sizeof(*scratch));
    if (!weight || !scratch)
        return np_error_set(err, NP_ENOMEM, "brain network: no memory for a layer");
    job.weight = weight;
    job.scratch = scratch;
    for (int o = 0; o < layer->n_out; o++)
        for (int i = 0; i < layer->n_in; i++)
            spread_weights(layer, o, i, weight);
    np_exec_run(exec, (int64_t)n_tasks, convolve_planes, &job);
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
