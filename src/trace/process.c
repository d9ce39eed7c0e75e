#include "trace/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "trace/names.h"

static void set_by(struct np_trace *trace, const struct np_metric_def *def, const char *key,
                   const char *word, double value)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_attrs_string(&attrs, key, word);
    np_metric_set(trace, def, value, &attrs);
}

static double seconds(const struct timeval *a, const struct timeval *b)
{
    return (double)(a->tv_sec + b->tv_sec) + 1e-6 * (double)(a->tv_usec + b->tv_usec);
}

static void measure_cpu(struct np_trace *trace)
{
    struct rusage own, ended;

    if (getrusage(RUSAGE_SELF, &own) != 0 || getrusage(RUSAGE_CHILDREN, &ended) != 0)
        return;
    set_by(trace, &np_metric_process_cpu_time, NP_KEY_CPU_MODE, "user",
           seconds(&own.ru_utime, &ended.ru_utime));
    set_by(trace, &np_metric_process_cpu_time, NP_KEY_CPU_MODE, "system",
           seconds(&own.ru_stime, &ended.ru_stime));
}

/* The number after `word` in a file of /proc; -1 when it is missing. */
static int64_t number_after(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    long long value;

    return at && sscanf(at + strlen(word), "%lld", &value) == 1 ? value : -1;
}

/* The kernel includes the bytes of children that were waited for. */
static void measure_disk(struct np_trace *trace)
{
    NP_AUTO(np_str_done) struct np_str text = {0};

    if (np_file_read("/proc/self/io", 4096, &text, NULL) < 0)
        return;
    int64_t n_read = number_after(np_str_text(&text), "\nread_bytes: ");
    int64_t n_written = number_after(np_str_text(&text), "\nwrite_bytes: ");
    if (n_read >= 0)
        set_by(trace, &np_metric_process_disk_io, NP_KEY_DISK_IO_DIRECTION, "read", (double)n_read);
    if (n_written >= 0)
        set_by(trace, &np_metric_process_disk_io, NP_KEY_DISK_IO_DIRECTION, "write",
               (double)n_written);
}

struct usage {
    int64_t resident_bytes, virtual_bytes;
};

static bool add_usage(pid_t pid, struct usage *sum)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    char path[64];

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    if (np_file_read(path, 65536, &text, NULL) < 0)
        return false;
    int64_t resident_kib = number_after(np_str_text(&text), "\nVmRSS:");
    int64_t virtual_kib = number_after(np_str_text(&text), "\nVmSize:");
    if (resident_kib < 0 || virtual_kib < 0)
        return false; /* a zombie: it has ended, but was not waited for */
    sum->resident_bytes += resident_kib * 1024;
    sum->virtual_bytes += virtual_kib * 1024;
    return true;
}

void np_process_measure(struct np_trace *trace, const pid_t *worker, size_t n_workers)
{
    struct usage sum = {0};

    measure_cpu(trace);
    measure_disk(trace);
    if (!add_usage(getpid(), &sum))
        return;
    for (size_t i = 0; i < n_workers; i++)
        if (worker[i] > 0)
            add_usage(worker[i], &sum);
    np_metric_set(trace, &np_metric_process_memory_usage, (double)sum.resident_bytes, NULL);
    np_metric_set(trace, &np_metric_process_memory_virtual, (double)sum.virtual_bytes, NULL);
}
