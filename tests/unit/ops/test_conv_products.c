/* The inner loop of a convolution, against the sum as it is written down. */
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "ops/conv_products.h"
#include "tap.h"

enum { QUAD = NP_PRODUCTS_QUAD, TAPS = NP_PRODUCTS_TAPS, MOST_INPUTS = 24, MOST_Z = 72 };
enum { ROW = MOST_Z + TAPS - 1 };

struct operands {
    float from[MOST_INPUTS * ROW];
    np_lanes weight[MOST_INPUTS * TAPS * QUAD];
};

static void fill(struct operands *operands)
{
    struct np_random random;

    np_random_seed(&random, 11, 0);
    for (size_t i = 0; i < MOST_INPUTS * ROW; i++)
        operands->from[i] = (float)np_random_normal(&random);
    for (size_t i = 0; i < MOST_INPUTS * TAPS * QUAD; i++)
        operands->weight[i] = np_lanes_all((float)np_random_normal(&random));
}

static void sum_plainly(const struct np_products_shape *shape, const struct operands *operands,
                        float *to)
{
    for (size_t o = 0; o < QUAD; o++)
        for (size_t z = 0; z < shape->n_z; z++) {
            float sum = 0;
            for (size_t i = 0; i < shape->n_inputs; i++)
                for (size_t t = 0; t < TAPS; t++)
                    sum += operands->from[i * shape->input_row + z + t] *
                           operands->weight[(i * TAPS + t) * QUAD + o][0];
            to[o * shape->n_z + z] = sum;
        }
}

TEST(each_version_makes_the_bytes_of_the_plain_sum_for_any_size)
{
    static const struct np_products_shape shapes[] = {
        {1, ROW, 8}, {8, ROW, 16}, {24, ROW, 24}, {3, ROW, 64}, {24, ROW, 72}};
    static struct operands operands;
    float expected[QUAD * MOST_Z], found[QUAD * MOST_Z + 1];

    fill(&operands);
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        size_t n = QUAD * shapes[s].n_z;
        sum_plainly(&shapes[s], &operands, expected);
        for (int portable = 0; portable < 2; portable++) {
            found[n] = 17;
            np_products_choose(portable)(&shapes[s], operands.from, operands.weight, found);
            ok(memcmp(found, expected, n * sizeof(*found)) == 0);
            ok_near(found[n], 17, 0, "what lies behind the last output");
        }
    }
}

TAP_MAIN
