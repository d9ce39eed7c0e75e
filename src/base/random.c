#include "base/random.h"

#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void np_random_seed(struct np_random *random, uint64_t seed, uint64_t stream)
{
    uint64_t state = seed ^ rotl(stream * 0xd1342543de82ef95u, 32);

    for (int i = 0; i < 4; i++)
        random->state[i] = splitmix(&state);
}

uint64_t np_random_bits(struct np_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

double np_random_uniform(struct np_random *random)
{
    return (double)(np_random_bits(random) >> 11) * 0x1p-53;
}

double np_random_normal(struct np_random *random)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += np_random_uniform(random);
    return sum;
}

uint64_t np_random_system(void)
{
    struct np_random random;
    uint64_t bits;

    if (getrandom(&bits, sizeof(bits), 0) == (ssize_t)sizeof(bits))
        return bits;
    np_random_seed(&random, (uint64_t)np_clock_unix_ns(), (uint64_t)getpid());
    return np_random_bits(&random);
}
