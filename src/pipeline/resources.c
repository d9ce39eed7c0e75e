#include "pipeline/resources.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/path.h"
#include "base/str.h"

static const char CGROUP_ROOT[] = "/sys/fs/cgroup";
static const int64_t MIB = 1 << 20;
/* cgroup v1 says "no limit" with a number near 2^63 */
static const int64_t NO_LIMIT_BYTES = INT64_C(1) << 60;

int np_resources_descriptors(void)
{
    enum { ENOUGH = 65536 };
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    rlim_t most = limit.rlim_max < ENOUGH ? limit.rlim_max : ENOUGH;
    if (limit.rlim_cur < most) {
        struct rlimit more = {.rlim_cur = most, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            limit = more;
    }
    return limit.rlim_cur < ENOUGH ? (int)limit.rlim_cur : ENOUGH;
}

static int affinity_cpus(void)
{
    enum { MOST_CPUS = 8192 };
    size_t size = CPU_ALLOC_SIZE(MOST_CPUS);
    cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
    int n = 1;

    if (set && sched_getaffinity(0, size, set) == 0)
        n = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return n > 0 ? n : 1;
}

static int64_t read_number(const char *directory, const char *name)
{
    NP_AUTO(np_freep) char *path = np_path_join(directory, name);
    NP_AUTO(np_str_done) struct np_str text = {0};

    if (np_file_read(path, 4096, &text, NULL) < 0)
        return 0;
    char *end;
    long long value = strtoll(np_str_text(&text), &end, 10);
    return end == np_str_text(&text) || value >= NO_LIMIT_BYTES || value < 0 ? 0 : value;
}

static double read_cpu_max(const char *directory)
{
    NP_AUTO(np_freep) char *path = np_path_join(directory, "cpu.max");
    NP_AUTO(np_str_done) struct np_str text = {0};
    long long quota, period;

    if (np_file_read(path, 4096, &text, NULL) < 0 ||
        sscanf(np_str_text(&text), "%lld %lld", &quota, &period) != 2 || period <= 0)
        return 0;
    return (double)quota / (double)period;
}

static void tighten(int64_t *limit, int64_t value)
{
    if (value > 0 && (*limit == 0 || value < *limit))
        *limit = value;
}

/* A folder and all above it may set limits. */
static void walk_up(struct np_resources *resources, const char *controller_root, const char *group)
{
    NP_AUTO(np_freep) char *directory = np_xasprintf("%s%s", controller_root, group);

    while (strlen(directory) >= strlen(controller_root)) {
        tighten(&resources->cgroup_bytes, read_number(directory, "memory.max"));
        tighten(&resources->cgroup_bytes, read_number(directory, "memory.limit_in_bytes"));
        double cpus = read_cpu_max(directory);
        int64_t period = read_number(directory, "cpu.cfs_period_us");
        int64_t quota = read_number(directory, "cpu.cfs_quota_us");
        if (cpus <= 0 && quota > 0 && period > 0)
            cpus = (double)quota / (double)period;
        if (cpus > 0 && (resources->cgroup_cpus <= 0 || cpus < resources->cgroup_cpus))
            resources->cgroup_cpus = cpus;
        char *slash = strrchr(directory, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* Lines "ID:controllers:path"; an empty controller list is v2. */
static void read_cgroups(struct np_resources *resources)
{
    NP_AUTO(np_str_done) struct np_str text = {0};

    if (np_file_read("/proc/self/cgroup", 65536, &text, NULL) < 0)
        return;
    char *rest = text.text;
    for (char *line; rest && (line = strsep(&rest, "\n"));) {
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        if (strcmp(group, "/") == 0)
            *group = 0;
        if (!*controllers)
            walk_up(resources, CGROUP_ROOT, group);
        else if (strstr(controllers, "memory") || strstr(controllers, "cpu")) {
            NP_AUTO(np_freep) char *root = np_xasprintf("%s/%s", CGROUP_ROOT, controllers);
            walk_up(resources, root, group);
        }
    }
}

static int64_t memory_available(void)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    long long kib = 0;

    if (np_file_read("/proc/meminfo", 65536, &text, NULL) < 0)
        return 0;
    const char *line = strstr(np_str_text(&text), "MemAvailable:");
    return line && sscanf(line, "MemAvailable: %lld", &kib) == 1 ? kib * 1024 : 0;
}

/* A count or a number of MiB; 0 when it is not set, or is none that could be true. */
static int64_t environment_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long long value = text ? strtoll(text, &end, 10) : 0;

    return text && end != text && *end == '\0' && value > 0 && value <= INT32_MAX ? value : 0;
}

void np_resources_detect(struct np_resources *resources)
{
    *resources = (struct np_resources){.affinity_cpus = affinity_cpus()};
    read_cgroups(resources);
    resources->slurm_cpus = (int)environment_number("SLURM_CPUS_PER_TASK");
    int cpus = resources->affinity_cpus;
    if (resources->cgroup_cpus > 0 && ceil(resources->cgroup_cpus) < cpus)
        cpus = (int)ceil(resources->cgroup_cpus);
    if (resources->slurm_cpus > 0 && resources->slurm_cpus < cpus)
        cpus = resources->slurm_cpus;
    resources->cpus = cpus > 0 ? cpus : 1;

    resources->slurm_bytes = environment_number("SLURM_MEM_PER_NODE") * MIB;
    if (!resources->slurm_bytes)
        resources->slurm_bytes = environment_number("SLURM_MEM_PER_CPU") * MIB * resources->cpus;
    resources->available_bytes = memory_available();
    resources->memory_bytes = resources->available_bytes / 10 * 9;
    resources->memory_source = "available";
    if (resources->slurm_bytes && (resources->slurm_bytes < resources->memory_bytes)) {
        resources->memory_bytes = resources->slurm_bytes;
        resources->memory_source = "slurm";
    }
    if (resources->cgroup_bytes && resources->cgroup_bytes <= resources->memory_bytes) {
        resources->memory_bytes = resources->cgroup_bytes;
        resources->memory_source = "cgroup";
    }
}

const char *np_resources_node(void)
{
    const char *node = getenv("SLURMD_NODENAME");

    return node && *node ? node : np_host_name();
}
