/* Seeded random numbers, the same on every machine, for synthetic data and injected faults; and the
 * system's, for names and identifiers. Neither is for secrets. */
#ifndef NP_BASE_RANDOM_H
#define NP_BASE_RANDOM_H

#include <stdint.h>

/* xoshiro256** (Blackman and Vigna 2018, doi:10.1145/3460772). */
struct np_random {
    uint64_t state[4];
};

/* Streams of one seed are independent of each other. */
void np_random_seed(struct np_random *random, uint64_t seed, uint64_t stream);
uint64_t np_random_bits(struct np_random *random);

/* Uniform in [0, 1), 53 bits. */
double np_random_uniform(struct np_random *random);

/* Normal, mean 0, sd 1: twelve uniforms less six (exact arithmetic, so the same bits on every
 * processor). */
double np_random_normal(struct np_random *random);

/* 64 bits of the system; of the clock and the process's number where it gives none. */
uint64_t np_random_system(void);

#endif
