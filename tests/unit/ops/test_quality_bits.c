/* Masks of bits beside the same rules, voxel by voxel. */
#include "ops/quality_bits.h"

#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "image/image.h"
#include "ops/morphology.h"
#include "tap.h"

/* With the layer: rows end at a word's end, one voxel after it, and in its middle. */
static const int64_t SIZES[][3] = {{62, 9, 7}, {63, 9, 7}, {130, 12, 5}, {5, 3, 3}};

static bool get(const struct np_bits *bits, int64_t x, int64_t y, int64_t z)
{
    if (x < 0 || y < 0 || z < 0 || x >= bits->n[0] || y >= bits->n[1] || z >= bits->n[2])
        return false;
    return np_bits_row(bits, y, z)[x / NP_BITS_WORD] >> (x % NP_BITS_WORD) & 1;
}

static void draw(struct np_bits *bits, const int64_t size[3], double share)
{
    const struct np_grid grid = np_grid_make(size[0], size[1], size[2], 1, 1, 1);
    struct np_random random;
    struct np_error err = {0};

    ok_int(np_bits_make(&grid, bits, &err), 0);
    np_random_seed(&random, (uint64_t)size[0], 3);
    for (int64_t z = 0; z < bits->n[2]; z++)
        for (int64_t y = 0; y < bits->n[1]; y++)
            for (int64_t x = 0; x < bits->n[0]; x++)
                if (np_random_uniform(&random) < share)
                    np_bits_set(np_bits_row(bits, y, z), x);
}

/* All, or any, of a voxel and its neighbours. */
static bool morphed(const struct np_bits *bits, enum np_bits_shape shape, bool is_all, int64_t x,
                    int64_t y, int64_t z)
{
    bool all = true, any = false;

    for (int64_t k = -1; k <= 1; k++)
        for (int64_t j = -1; j <= 1; j++)
            for (int64_t i = -1; i <= 1; i++)
                if (i * i + j * j + k * k <= (shape == NP_BITS_6 ? 1 : 2)) {
                    bool here = get(bits, x + i, y + j, z + k);
                    all = all && here;
                    any = any || here;
                }
    return is_all ? all : any;
}

static int64_t differences(const struct np_bits *from, const struct np_bits *to,
                           enum np_bits_shape shape, bool is_all)
{
    int64_t n = 0;

    for (int64_t z = 0; z < to->n[2]; z++)
        for (int64_t y = 0; y < to->n[1]; y++)
            for (int64_t x = 0; x < to->n[0]; x++)
                n += get(to, x, y, z) != morphed(from, shape, is_all, x, y, z);
    return n;
}

TEST(an_opening_is_an_erosion_and_a_dilation_of_the_same_neighbours)
{
    for (size_t s = 0; s < NP_COUNT(SIZES); s++)
        for (int shape = NP_BITS_6; shape <= NP_BITS_18; shape++) {
            NP_AUTO(np_bits_done) struct np_bits bits = {0}, same = {0}, spare = {0};
            draw(&bits, SIZES[s], 0.9);
            draw(&same, SIZES[s], 0.9);
            draw(&spare, SIZES[s], 0.1);
            bool is_some = np_bits_open(&bits, (enum np_bits_shape)shape, NULL, &spare);
            ok_int(differences(&same, &spare, (enum np_bits_shape)shape, true), 0);
            ok_int(differences(&spare, &bits, (enum np_bits_shape)shape, false), 0);
            ok(is_some || s == NP_COUNT(SIZES) - 1);
        }
}

TEST(an_opening_of_what_is_thin_leaves_nothing)
{
    NP_AUTO(np_bits_done) struct np_bits bits = {0}, spare = {0};

    draw(&bits, SIZES[0], 0);
    draw(&spare, SIZES[0], 1);
    for (int64_t x = 3; x < 60; x++)
        np_bits_set(np_bits_row(&bits, 4, 4), x);
    ok(!np_bits_open(&bits, NP_BITS_6, NULL, &spare));
    ok_int(np_bits_next(np_bits_row(&bits, 4, 4), 0, 64), 64);
}

TEST(the_largest_components_are_kept)
{
    for (size_t s = 0; s < NP_COUNT(SIZES); s++) {
        NP_AUTO(np_bits_done) struct np_bits bits = {0};
        struct np_error err = {0};
        int64_t wrong = 0, i = 0;
        draw(&bits, SIZES[s], 0.28); /* many components of several sizes */
        const struct np_grid grid = np_grid_make(bits.n[0], bits.n[1], bits.n[2], 1, 1, 1);
        NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
        NP_AUTO(np_mask_freep) struct np_mask *first = np_mask_new(&grid);
        for (int64_t z = 0; z < bits.n[2]; z++)
            for (int64_t y = 0; y < bits.n[1]; y++)
                for (int64_t x = 0; x < bits.n[0]; x++)
                    mask->voxel[i++] = get(&bits, x, y, z);
        memcpy(first->voxel, mask->voxel, (size_t)i);
        ok_int(np_mask_keep_largest(first, NP_CONNECT_6, NULL, &err), 0);
        for (int64_t k = 0; k < i; k++)
            mask->voxel[k] &= (uint8_t)!first->voxel[k];
        ok_int(np_mask_keep_largest(mask, NP_CONNECT_6, NULL, &err), 0);
        ok_int(np_bits_keep_largest(&bits, 2, &err), 0);
        i = 0;
        for (int64_t z = 0; z < bits.n[2]; z++)
            for (int64_t y = 0; y < bits.n[1]; y++)
                for (int64_t x = 0; x < bits.n[0]; x++, i++)
                    wrong += get(&bits, x, y, z) != (first->voxel[i] || mask->voxel[i]);
        ok_int(wrong, 0);
    }
}

TEST(voxels_of_the_image_are_counted_without_the_layer)
{
    NP_AUTO(np_bits_done) struct np_bits bits = {0};

    draw(&bits, SIZES[1], 1.1);
    ok_int(np_bits_count(&bits), 63 * 9 * 7);
}

TAP_MAIN
