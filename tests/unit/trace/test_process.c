/* The program's use of its machine. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"
#include "trace/names.h"
#include "trace/process.h"

struct seen {
    double cpu_s, resident_bytes;
    int n_points;
};

static void see(void *self, const struct np_metric_point *point, size_t n_points)
{
    struct seen *seen = self;

    seen->n_points = (int)n_points;
    for (size_t i = 0; i < n_points; i++) {
        if (point[i].def == &np_metric_process_cpu_time)
            seen->cpu_s += point[i].value; /* user and system */
        if (point[i].def == &np_metric_process_memory_usage)
            seen->resident_bytes = point[i].value;
    }
}

static struct seen measured(const pid_t *worker, size_t n_workers)
{
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct seen seen = {0};

    np_process_measure(trace, worker, n_workers);
    np_trace_snapshot(trace, see, &seen);
    return seen;
}

/* A child that has used this much CPU time and waits to be killed. */
static pid_t busy_child(int64_t cpu_ns)
{
    int ends[2];
    char ready;

    ok_int(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        while (np_clock_cpu_ns() < cpu_ns)
            ;
        if (write(ends[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    ok_int(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    close(ends[1]);
    return child;
}

TEST(a_living_worker_counts_in_memory_and_an_ended_one_in_cpu_time)
{
    struct seen alone = measured(NULL, 0);
    pid_t worker[2] = {0, busy_child(INT64_C(50) * 1000000)};
    struct seen both = measured(worker, 2);

    ok_int(alone.n_points, 6);
    ok(alone.resident_bytes > 0 && both.resident_bytes > alone.resident_bytes);
    kill(worker[1], SIGKILL);
    waitpid(worker[1], NULL, 0);
    struct seen after = measured(worker, 2);
    ok_above(after.cpu_s - alone.cpu_s, 0.04, "CPU time of a worker that took 0.05 s");
    ok(after.resident_bytes < both.resident_bytes);
}

TAP_MAIN
