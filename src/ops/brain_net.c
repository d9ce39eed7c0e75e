#include "ops/brain_net.h"

#include "base/alloc.h"
#include "ops/conv.h"

/* The file of weights becomes a part of the program. */
__asm__(".pushsection .rodata\n"
        "np_brain_net_begin:\n"
        ".incbin \"src/ops/brain_net.q8\"\n"
        "np_brain_net_end:\n"
        ".popsection\n");
extern const unsigned char np_brain_net_begin[] __attribute__((visibility("hidden")));
extern const unsigned char np_brain_net_end[] __attribute__((visibility("hidden")));

static const float UNIT_MM = 10; /* of the network's answer */

enum {
    N_LEVELS = 4,
    N_BLOCKS = 8, /* voxels of 2 mm in one of 4 mm: the channels of the input */
    TAPS = 27
};
static const int CHANNELS[N_LEVELS] = {8, 24, 48, 64};

/* Two convolutions on the way down at each level; one mix and two convolutions on the way up. */
struct network {
    struct np_layer down[N_LEVELS][2];
    struct np_layer mix[N_LEVELS - 1], up[N_LEVELS - 1][2];
    struct np_layer answer;
};

static struct np_layer take_layer(const unsigned char **at, int n_in, int n_out, int n_taps)
{
    struct np_layer layer = {.n_in = n_in, .n_out = n_out, .scale = *at};

    layer.number = (const int8_t *)(*at + 4 * (size_t)n_out);
    layer.bias = *at + 4 * (size_t)n_out + (size_t)n_out * (size_t)n_in * (size_t)n_taps;
    *at = layer.bias + 4 * (size_t)n_out;
    return layer;
}

/* The layers in the order in which the file holds them. Returns 0, or NP_EINTERNAL when the file
 * has another size. */
static int take_layers(struct network *net, struct np_error *err)
{
    const unsigned char *at = np_brain_net_begin;

    for (int l = 0, n_in = N_BLOCKS; l < N_LEVELS; n_in = CHANNELS[l++]) {
        net->down[l][0] = take_layer(&at, n_in, CHANNELS[l], TAPS);
        net->down[l][1] = take_layer(&at, CHANNELS[l], CHANNELS[l], TAPS);
    }
    for (int l = N_LEVELS - 2; l >= 0; l--) {
        net->mix[l] = take_layer(&at, CHANNELS[l + 1], CHANNELS[l], 1);
        net->up[l][0] = take_layer(&at, CHANNELS[l], CHANNELS[l], TAPS);
        net->up[l][1] = take_layer(&at, CHANNELS[l], CHANNELS[l], TAPS);
    }
    net->answer = take_layer(&at, CHANNELS[0], 1, 1);
    size_t n_bytes = (size_t)((uintptr_t)np_brain_net_end - (uintptr_t)np_brain_net_begin);
    size_t n_taken = (size_t)(at - np_brain_net_begin);
    if (n_taken != n_bytes)
        return np_error_set(err, NP_EINTERNAL,
                            "brain network: the weights have %zu bytes, expected %zu", n_bytes,
                            n_taken);
    return 0;
}

/* A level's tensor that is kept for the way up, and a second one of the same shape. */
struct level {
    struct np_tensor kept, other;
};

static void levels_done(struct level (*levels)[N_LEVELS])
{
    for (int l = 0; l < N_LEVELS; l++) {
        np_tensor_done(&(*levels)[l].kept);
        np_tensor_done(&(*levels)[l].other);
    }
}

static int new_levels(const int n[3], struct level level[N_LEVELS], struct np_error *err)
{
    for (int l = 0; l < N_LEVELS; l++) {
        int n_level[3] = {n[0] >> (l + 1), n[1] >> (l + 1), n[2] >> (l + 1)};
        NP_TRY(np_tensor_new(CHANNELS[l], n_level, &level[l].kept, err));
        NP_TRY(np_tensor_new(CHANNELS[l], n_level, &level[l].other, err));
    }
    return 0;
}

/* The eight voxels of 2 mm in a voxel of 4 mm are its channels. */
static int split_blocks(const float *window, const int n[3], struct np_tensor *blocks,
                        struct np_error *err)
{
    int half[3] = {n[0] / 2, n[1] / 2, n[2] / 2};

    NP_TRY(np_tensor_new(N_BLOCKS, half, blocks, err));
    for (int c = 0; c < N_BLOCKS; c++)
        for (int x = 0; x < half[0]; x++)
            for (int y = 0; y < half[1]; y++) {
                size_t from =
                    (size_t)(2 * x + (c >> 2)) * (size_t)n[1] + (size_t)(2 * y + (c >> 1 & 1));
                const float *row = window + from * (size_t)n[2] + (c & 1);
                float *to = np_tensor_row(blocks, c, x, y);
                for (int z = 0; z < half[2]; z++)
                    to[z] = row[2 * z];
            }
    return 0;
}

static int go_down(const struct network *net, const struct np_tensor *blocks,
                   const struct np_exec *exec, struct level level[N_LEVELS], struct np_error *err)
{
    NP_TRY(np_conv3(&net->down[0][0], blocks, NULL, exec, &level[0].other, err));
    NP_TRY(np_conv3(&net->down[0][1], &level[0].other, NULL, exec, &level[0].kept, err));
    for (int l = 1; l < N_LEVELS; l++) {
        struct np_tensor pooled = {0};
        NP_TRY(np_tensor_new(CHANNELS[l - 1], level[l].kept.n, &pooled, err));
        np_pool2(&level[l - 1].kept, exec, &pooled);
        int code = np_conv3(&net->down[l][0], &pooled, NULL, exec, &level[l].other, err);
        np_tensor_done(&pooled);
        if (code < 0)
            return code;
        NP_TRY(np_conv3(&net->down[l][1], &level[l].other, NULL, exec, &level[l].kept, err));
    }
    return 0;
}

static int go_up(const struct network *net, const struct np_exec *exec,
                 struct level level[N_LEVELS], struct np_error *err)
{
    for (int l = N_LEVELS - 2; l >= 0; l--) {
        struct np_tensor *kept = &level[l].kept, *other = &level[l].other;
        np_merge_up(&net->mix[l], &level[l + 1].kept, kept, exec, kept);
        NP_TRY(np_conv3(&net->up[l][0], kept, NULL, exec, other, err));
        NP_TRY(np_conv3(&net->up[l][1], other, kept, exec, kept, err));
    }
    return 0;
}

int np_brain_net_run(const float *window, const int n[3], const struct np_exec *exec,
                     float *distance_mm, struct np_error *err)
{
    struct network net;
    NP_AUTO(np_tensor_done) struct np_tensor blocks = {0};
    NP_AUTO(levels_done) struct level level[N_LEVELS] = {0};

    NP_TRY(take_layers(&net, err));
    NP_TRY(split_blocks(window, n, &blocks, err));
    NP_TRY(new_levels(n, level, err));
    NP_TRY(go_down(&net, &blocks, exec, level, err));
    NP_TRY(go_up(&net, exec, level, err));
    np_mix_channels(&net.answer, &level[0].kept, exec, distance_mm);
    size_t n_out = (size_t)n[0] / 2 * (size_t)(n[1] / 2) * (size_t)(n[2] / 2);
    for (size_t i = 0; i < n_out; i++)
        distance_mm[i] *= UNIT_MM;
    return 0;
}
