/* CPUs and memory that this process may use: limits of the affinity mask, cgroups (v1 and v2)
 * and Slurm. */
#ifndef NP_PIPELINE_RESOURCES_H
#define NP_PIPELINE_RESOURCES_H

#include <stdint.h>

struct np_resources {
    int affinity_cpus;       /* sched_getaffinity */
    double cgroup_cpus;      /* quota / period; 0 = no limit */
    int slurm_cpus;          /* SLURM_CPUS_PER_TASK; 0 = not set */
    int cpus;                /* the smallest of these, at least 1 */
    int64_t cgroup_bytes;    /* the smallest memory limit from our cgroup to the root; 0 = none */
    int64_t slurm_bytes;     /* SLURM_MEM_PER_NODE, or per CPU times CPUs; 0 = not set */
    int64_t available_bytes; /* MemAvailable of the machine */
    int64_t memory_bytes; /* usable memory: a limit if there is one, else 90 % of the available */
    const char *memory_source; /* "cgroup", "slurm", "available" */
};

void np_resources_detect(struct np_resources *resources);

/* The name by which the scheduler knows this machine: SLURMD_NODENAME, else the host's. Borrowed. */
const char *np_resources_node(void);

/* The number of descriptors that this process may have, after raising its own limit as far as
 * possible. */
int np_resources_descriptors(void);

#endif
