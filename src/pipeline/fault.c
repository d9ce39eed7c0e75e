#include "pipeline/fault.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"

bool np_fault_enabled(const struct np_config *config)
{
    return config->fail_rate > 0 || config->slow_stage;
}

/* FNV-1a: the name picks the stream. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

int np_fault_stage(const struct np_config *config, const char *name, int n_stages)
{
    struct np_random random;

    if (config->fail_rate <= 0 || n_stages <= 0)
        return -1;
    np_random_seed(&random, config->random_seed, hash_text(name));
    if (np_random_uniform(&random) >= config->fail_rate)
        return -1;
    return (int)(np_random_uniform(&random) * n_stages);
}

bool np_fault_delay(const struct np_config *config, const char *stage, const struct np_exec *exec)
{
    if (!config->slow_stage || strcmp(config->slow_stage, stage) != 0)
        return false;
    const struct timespec step = {.tv_nsec = 20 * 1000 * 1000};
    int64_t end = np_clock_mono_ns() + (int64_t)(config->slow_stage_s * 1e9);
    while (np_clock_mono_ns() < end && !np_exec_canceled(exec))
        clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
    return true;
}
