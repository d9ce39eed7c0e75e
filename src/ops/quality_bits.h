/*
 * Masks of one bit a voxel, 64 voxels of a row in a word, private to ops: openings cost a few
 * operations a word, and components are found by their runs. Around the image lies a layer one
 * voxel thick, which belongs to the mask; around that nothing. All of it gives the same bits for
 * any number of threads.
 */
#ifndef NP_OPS_QUALITY_BITS_H
#define NP_OPS_QUALITY_BITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/exec.h"
#include "image/grid.h"

enum { NP_BITS_LAYER = 1, NP_BITS_WORD = 64 };

struct np_bits {
    int64_t n[3];   /* voxels, with the layer */
    int64_t stride; /* words of a row; one more, always 0, lies between two rows */
    uint64_t *word; /* with rows and planes around, always 0 */
};

/* Neighbours across faces; or across faces and edges. */
enum np_bits_shape { NP_BITS_6, NP_BITS_18 };

/* An empty mask. Returns 0, NP_ENOMEM. */
int np_bits_make(const struct np_grid *grid, struct np_bits *bits,
                 struct np_error *err) NP_MUST_USE;
void np_bits_done(struct np_bits *bits);

/* The row's words; y and z count the layer: the image's first row is (1, 1). */
static inline uint64_t *np_bits_row(const struct np_bits *bits, int64_t y, int64_t z)
{
    return bits->word + 1 + ((z + 1) * (bits->n[1] + 2) + y + 1) * (bits->stride + 1);
}

static inline void np_bits_set(uint64_t *row, int64_t x)
{
    row[x / NP_BITS_WORD] |= (uint64_t)1 << (x % NP_BITS_WORD);
}

/* The first bit from `x` on that is set, or `end`. */
int64_t np_bits_next(const uint64_t *row, int64_t x, int64_t end);

/* Write what an erosion leaves to `eroded`, of the same size; false where it is nothing. */
bool np_bits_erode(const struct np_bits *bits, enum np_bits_shape shape, const struct np_exec *exec,
                   const struct np_bits *eroded);

/* In place; `spare` is of the same size. False where nothing is left. */
bool np_bits_open(const struct np_bits *bits, enum np_bits_shape shape, const struct np_exec *exec,
                  const struct np_bits *spare);

/* Keep the `n_kept` components across faces that have most voxels; of equal ones, the first in
 * storage order. Returns 0, NP_ENOMEM (mask untouched). */
int np_bits_keep_largest(struct np_bits *bits, int n_kept, struct np_error *err) NP_MUST_USE;

/* Voxels of the image in the mask. */
int64_t np_bits_count(const struct np_bits *bits);

#endif
