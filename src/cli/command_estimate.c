/* estimate: memory, time and disk per session from the headers, and what to tell a scheduler. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "image/nifti.h"
#include "pipeline/plan.h"

/*
 * Seconds per million voxels on one thread, and per file, of the slowest machine it was measured
 * on, doubled: a scheduler kills who promised too little. docs/benchmarks.md has the measurements.
 */
static const double SECONDS_PER_MEGAVOXEL = 0.6;
static const double SECONDS_PER_FILE = 4;
static const int64_t MIB = 1 << 20;

struct estimate {
    size_t n_sessions, n_files, n_unreadable;
    int64_t memory_bytes, disk_bytes; /* the largest session's */
    int64_t total_disk_bytes;
    double seconds; /* of the longest session */
};

static void add_session(const struct np_session *session, int n_threads, struct estimate *sum)
{
    int64_t disk = 0;
    double seconds = 0;

    for (size_t i = 0; i < session->n_scans; i++) {
        struct np_nifti_info info;
        sum->n_files++;
        if (np_nifti_read_info(session->scan[i].path, &info, NULL) < 0) {
            sum->n_unreadable++;
            continue;
        }
        int64_t n = (int64_t)np_grid_voxels(&info.grid);
        int64_t memory = np_plan_file_bytes(n, n_threads);
        sum->memory_bytes = memory > sum->memory_bytes ? memory : sum->memory_bytes;
        disk += n * 5;
        seconds += SECONDS_PER_FILE + SECONDS_PER_MEGAVOXEL * (double)n * 1e-6;
    }
    sum->n_sessions++;
    sum->total_disk_bytes += disk;
    sum->disk_bytes = disk > sum->disk_bytes ? disk : sum->disk_bytes;
    sum->seconds = seconds > sum->seconds ? seconds : sum->seconds;
}

static void print(const struct estimate *sum, int n_threads)
{
    long long mib = (sum->memory_bytes + MIB - 1) / MIB + 256;
    int minutes = (int)(sum->seconds / 60) + 5;

    printf("%zu sessions, %zu images (%zu with a header that cannot be read)\n", sum->n_sessions,
           sum->n_files, sum->n_unreadable);
    printf("largest session: %lld MiB of memory with %d threads, %.0f s, %lld MiB of disk\n", mib,
           n_threads, sum->seconds, (long long)(sum->disk_bytes / MIB));
    printf("all sessions: %lld MiB of disk\n\n", (long long)(sum->total_disk_bytes / MIB));
    printf("hpc.json:\n{\"TIME\": \"%02d:%02d:00\", \"CORES\": \"%d\", \"MEMORY\": \"%lldM\"}\n\n",
           minutes / 60, minutes % 60, n_threads, mib);
    printf(
        "sbatch:\n#SBATCH --time=%02d:%02d:00\n#SBATCH --cpus-per-task=%d\n#SBATCH --mem=%lldM\n",
        minutes / 60, minutes % 60, n_threads, mib);
}

int np_command_estimate(const struct np_config *config)
{
    const struct np_selection selection = {.participants = &config->participants,
                                           .sessions = &config->sessions,
                                           .modalities = &config->modalities,
                                           .runs = &config->runs,
                                           .echoes = &config->echoes,
                                           .filter_file = config->bids_filter_file};
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_error err = {0};
    struct estimate sum = {0};
    int n_threads = config->omp_nthreads > 0 ? config->omp_nthreads : 2;

    if (np_dataset_open(config->bids_dir, &selection, &dataset, &err) < 0)
        return np_command_fail(&err);
    for (size_t i = 0; i < dataset->n_sessions; i++)
        add_session(&dataset->session[i], n_threads, &sum);
    print(&sum, n_threads);
    return 0;
}
