/* The layers of the network, against sums in double precision. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "ops/conv.h"
#include "tap.h"

enum { N_IN = 4, N_OUT = 8, NX = 5, NY = 6, NZ = 8, TAPS = 27 };

/* A layer with random numbers, stored as the file of weights stores it. */
struct stored {
    unsigned char scale[4 * N_OUT], bias[4 * N_OUT];
    int8_t number[N_OUT * N_IN * TAPS];
};

static void store_float(unsigned char *to, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    for (int b = 0; b < 4; b++)
        to[b] = (unsigned char)(bits >> (8 * b));
}

static double scale_of(int o)
{
    return (double)(0.01F * (float)(o + 1));
}

static double bias_of(int o)
{
    return (double)(0.5F - 0.1F * (float)o);
}

static struct np_layer random_layer(struct stored *stored, int n_taps)
{
    struct np_random random;

    np_random_seed(&random, 7, (uint64_t)n_taps);
    for (int o = 0; o < N_OUT; o++) {
        store_float(stored->scale + 4 * o, (float)scale_of(o));
        store_float(stored->bias + 4 * o, (float)bias_of(o));
    }
    for (int i = 0; i < N_OUT * N_IN * n_taps; i++)
        stored->number[i] = (int8_t)(np_random_uniform(&random) * 254 - 127);
    return (struct np_layer){N_IN, N_OUT, stored->scale, stored->number, stored->bias};
}

static void fill(struct np_tensor *tensor, int n_channels, int nx, int ny, int nz, uint64_t seed)
{
    struct np_random random;

    ok_int(np_tensor_new(n_channels, (const int[3]){nx, ny, nz}, tensor, NULL), 0);
    np_random_seed(&random, seed, 0);
    for (int c = 0; c < n_channels; c++)
        for (int x = 0; x < nx; x++)
            for (int y = 0; y < ny; y++)
                for (int z = 0; z < nz; z++)
                    np_tensor_row(tensor, c, x, y)[z] = (float)np_random_normal(&random);
}

static double rectified(double value)
{
    return value < 0 ? 0.1 * value : value;
}

/* The convolution at a voxel; outside the grid the input is 0. */
static double expected(const struct stored *stored, const struct np_tensor *in, int o,
                       const int at[3])
{
    double sum = bias_of(o);

    for (int i = 0; i < N_IN; i++)
        for (int t = 0; t < TAPS; t++) {
            int x = at[0] + t / 9 - 1, y = at[1] + t / 3 % 3 - 1, z = at[2] + t % 3 - 1;
            if (x >= 0 && x < NX && y >= 0 && y < NY && z >= 0 && z < NZ)
                sum += scale_of(o) * stored->number[(o * N_IN + i) * TAPS + t] *
                       (double)np_tensor_row(in, i, x, y)[z];
        }
    return rectified(sum);
}

static double largest_error(const struct stored *stored, const struct np_tensor *in,
                            const struct np_tensor *add, const struct np_tensor *out)
{
    double most = 0;
    int at[3];

    for (int o = 0; o < N_OUT; o++)
        for (at[0] = 0; at[0] < NX; at[0]++)
            for (at[1] = 0; at[1] < NY; at[1]++)
                for (at[2] = 0; at[2] < NZ; at[2]++) {
                    double more = add ? (double)np_tensor_row(add, o, at[0], at[1])[at[2]] : 0;
                    double found = (double)np_tensor_row(out, o, at[0], at[1])[at[2]];
                    most = fmax(most, fabs(found - more - expected(stored, in, o, at)));
                }
    return most;
}

TEST(a_convolution_is_the_sum_over_27_neighbours_with_zeros_outside)
{
    NP_AUTO(np_tensor_done) struct np_tensor in = {0}, out = {0}, add = {0};
    struct stored stored;
    struct np_layer layer = random_layer(&stored, TAPS);

    fill(&in, N_IN, NX, NY, NZ, 1);
    fill(&out, N_OUT, NX, NY, NZ, 2);
    fill(&add, N_OUT, NX, NY, NZ, 3);
    ok_int(np_conv3(&layer, &in, NULL, NULL, &out, NULL), 0);
    ok_below(largest_error(&stored, &in, NULL, &out), 1e-4, "error, of values up to 30");
    ok_int(np_conv3(&layer, &in, &add, NULL, &out, NULL), 0);
    ok_below(largest_error(&stored, &in, &add, &out), 1e-4, "error, with an addition");
}

TEST(any_number_of_threads_gives_the_same_bytes)
{
    NP_AUTO(np_tensor_done) struct np_tensor in = {0}, one = {0}, three = {0};
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_exec exec = {.team = team};
    struct stored stored;
    struct np_layer layer = random_layer(&stored, TAPS);

    fill(&in, N_IN, NX, NY, NZ, 1);
    fill(&one, N_OUT, NX, NY, NZ, 2);
    fill(&three, N_OUT, NX, NY, NZ, 2);
    ok_int(np_conv3(&layer, &in, NULL, NULL, &one, NULL), 0);
    ok_int(np_conv3(&layer, &in, NULL, &exec, &three, NULL), 0);
    ok(memcmp(one.value, three.value, N_OUT * one.channel * sizeof(float)) == 0);
}

TEST(pooling_takes_the_largest_of_eight_also_when_all_are_negative)
{
    NP_AUTO(np_tensor_done) struct np_tensor in = {0}, out = {0};

    fill(&in, 4, 4, 4, 16, 5);
    fill(&out, 4, 2, 2, 8, 6);
    for (int y = 2; y < 4; y++)
        for (int x = 2; x < 4; x++)
            np_tensor_row(&in, 3, x, y)[14] = np_tensor_row(&in, 3, x, y)[15] = -5;
    np_tensor_row(&in, 3, 3, 2)[15] = -4;
    np_pool2(&in, NULL, &out);
    ok_near((double)np_tensor_row(&out, 3, 1, 1)[7], -4, 0, "the largest");
}

TEST(merging_repeats_the_coarse_voxels_and_adds_the_fine_ones)
{
    NP_AUTO(np_tensor_done) struct np_tensor in = {0}, skip = {0};
    struct stored stored;
    struct np_layer layer = random_layer(&stored, 1);
    double sum = bias_of(2);

    fill(&in, N_IN, 2, 3, 8, 1);
    fill(&skip, N_OUT, 4, 6, 16, 2);
    for (int i = 0; i < N_IN; i++)
        sum += scale_of(2) * stored.number[2 * N_IN + i] * (double)np_tensor_row(&in, i, 1, 2)[5];
    sum += (double)np_tensor_row(&skip, 2, 3, 4)[11];
    np_merge_up(&layer, &in, &skip, NULL, &skip);
    ok_near((double)np_tensor_row(&skip, 2, 3, 4)[11], rectified(sum), 1e-4, "merged");
}

TEST(memory_that_does_not_suffice_is_said)
{
    struct np_tensor tensor;
    struct np_error err = {0};

    np_alloc_fail_at(1);
    ok_int(np_tensor_new(4, (const int[3]){4, 4, 8}, &tensor, &err), NP_ENOMEM);
    np_alloc_fail_at(0);
    ok(tensor.value == NULL);
    ok_contains(err.text, "memory");
}

TAP_MAIN
