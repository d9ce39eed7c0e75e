/* The usable resources are at least something, at most those that the machine and the scheduler give. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/resources.h"
#include "tap.h"

static void forget_scheduler(void)
{
    unsetenv("SLURM_CPUS_PER_TASK");
    unsetenv("SLURM_MEM_PER_NODE");
    unsetenv("SLURM_MEM_PER_CPU");
}

TEST(there_is_a_cpu_and_some_memory)
{
    struct np_resources found;

    forget_scheduler();
    np_resources_detect(&found);
    ok(found.cpus >= 1 && found.cpus <= found.affinity_cpus);
    ok(found.memory_bytes > 0 && found.memory_bytes <= found.available_bytes);
    ok(strcmp(found.memory_source, "available") == 0 || strcmp(found.memory_source, "cgroup") == 0);
}

TEST(a_schedulers_grant_is_the_ceiling)
{
    struct np_resources found;

    setenv("SLURM_CPUS_PER_TASK", "1", 1);
    setenv("SLURM_MEM_PER_NODE", "64", 1);
    np_resources_detect(&found);
    ok_int(found.cpus, 1);
    ok_int(found.slurm_bytes, INT64_C(64) << 20);
    ok(found.memory_bytes <= INT64_C(64) << 20);
    unsetenv("SLURM_MEM_PER_NODE");
    setenv("SLURM_MEM_PER_CPU", "32", 1);
    np_resources_detect(&found);
    ok_int(found.slurm_bytes, INT64_C(32) << 20);
    forget_scheduler();
}

TEST(a_variable_that_is_no_sensible_number_is_not_set)
{
    static const char *const odd[] = {"", "0", "-4", "4x", "99999999999999999999", "4294967297"};

    forget_scheduler();
    for (size_t i = 0; i < NP_COUNT(odd); i++) {
        struct np_resources found;
        setenv("SLURM_CPUS_PER_TASK", odd[i], 1);
        setenv("SLURM_MEM_PER_CPU", odd[i], 1);
        np_resources_detect(&found);
        ok_int(found.slurm_cpus, 0);
        ok_int(found.slurm_bytes, 0);
        ok(found.cpus >= 1);
    }
    forget_scheduler();
}

TAP_MAIN
