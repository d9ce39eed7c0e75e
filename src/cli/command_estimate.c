/* estimate: memory, time and disk per session from the headers, and the lines for a scheduler. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "pipeline/estimate_cohort.h"
#include "pipeline/selected.h"

static const int64_t MIB = 1 << 20;

struct estimate {
    const struct np_dataset *dataset;
    struct np_need *need; /* [dataset->n_sessions] */
    struct np_need most;  /* the largest of each */
    struct np_need total; /* with what a run writes once */
    size_t n_files, n_unreadable;
    int n_threads; /* of one session */
};

static void sum_up(const struct np_config *config, struct estimate *estimate)
{
    const struct np_dataset *dataset = estimate->dataset;

    np_estimate_sessions(config, dataset, estimate->need, &estimate->n_unreadable);
    estimate->total = np_estimate_run(config);
    for (size_t i = 0; i < dataset->n_sessions; i++) {
        estimate->n_files += dataset->session[i].n_scans;
        np_need_add(&estimate->total, &estimate->need[i]);
        np_need_most(&estimate->most, &estimate->need[i]);
    }
}

static long long mib(int64_t bytes)
{
    return bytes / MIB + (bytes % MIB > 0);
}

/* Memory to request for one session: that of the session plus libraries, the supervisor and the
 * kernel's buffers. */
static long long asked_mib(const struct estimate *estimate)
{
    return mib(estimate->most.memory_bytes) + 256;
}

/* "00:05:00"; reading from a slow file system comes on top. */
static char *asked_time(const struct estimate *estimate)
{
    int minutes = (int)(estimate->most.seconds / 60) + 5;

    return np_xasprintf("%02d:%02d:00", minutes / 60, minutes % 60);
}

static char *as_table(const struct estimate *estimate)
{
    struct np_str out = {0};
    NP_AUTO(np_freep) char *time = asked_time(estimate);
    const struct np_need *total = &estimate->total, *largest = &estimate->most;

    np_str_addf(&out, "%zu session%s, %zu image%s (%zu with a header that cannot be read)\n",
                estimate->dataset->n_sessions, np_plural((int64_t)estimate->dataset->n_sessions),
                estimate->n_files, np_plural((int64_t)estimate->n_files), estimate->n_unreadable);
    np_str_addf(&out,
                "largest session: %lld MiB of memory with %d thread%s, %.0f s, %lld MiB of disk\n",
                asked_mib(estimate), estimate->n_threads, np_plural(estimate->n_threads),
                largest->seconds, mib(largest->disk_bytes));
    np_str_addf(
        &out, "all sessions: %.1f CPU hours, %lld MiB of disk, %lld files and folders at most\n\n",
        total->seconds / 3600, mib(total->disk_bytes), (long long)total->inodes);
    np_str_addf(&out, "hpc.json:\n{\"TIME\": \"%s\", \"CORES\": \"%d\", \"MEMORY\": \"%lldM\"}\n\n",
                time, estimate->n_threads, asked_mib(estimate));
    np_str_addf(&out,
                "sbatch:\n#SBATCH --time=%s\n#SBATCH --cpus-per-task=%d\n#SBATCH --mem=%lldM\n",
                time, estimate->n_threads, asked_mib(estimate));
    return np_str_take(&out);
}

/* "ses-1", or `none` when the session has no label. */
static char *session_name(const struct np_session *session, const char *none)
{
    return session->session ? np_xasprintf("ses-%s", session->session) : np_xstrdup(none);
}

static char *as_tsv(const struct estimate *estimate)
{
    struct np_str out = {0};

    np_str_add(&out, "participant_id\tsession_id\tn_files\tmemory_mib\ttime_s\tdisk_mib\n");
    for (size_t i = 0; i < estimate->dataset->n_sessions; i++) {
        const struct np_session *session = &estimate->dataset->session[i];
        const struct np_need *need = &estimate->need[i];
        NP_AUTO(np_freep) char *name = session_name(session, "n/a");
        np_str_addf(&out, "sub-%s\t%s\t%zu\t%lld\t%.1f\t%lld\n", session->participant, name,
                    session->n_scans, mib(need->memory_bytes), need->seconds,
                    mib(need->disk_bytes));
    }
    return np_str_take(&out);
}

static char *as_pairs(const struct estimate *estimate)
{
    struct np_str out = {0};

    for (size_t i = 0; i < estimate->dataset->n_sessions; i++)
        np_str_addf(&out, "%s\t%s\n", estimate->dataset->session[i].participant,
                    estimate->dataset->session[i].requested_session);
    return np_str_take(&out);
}

static void add_need(struct np_str *out, const struct np_need *need)
{
    np_str_addf(out, "\"memory_bytes\": %lld, \"time_s\": %.1f, \"disk_bytes\": %lld",
                (long long)need->memory_bytes, need->seconds, (long long)need->disk_bytes);
}

static char *as_json(const struct estimate *estimate)
{
    struct np_str out = {0};
    NP_AUTO(np_freep) char *time = asked_time(estimate);
    const struct np_need *total = &estimate->total;

    np_str_addf(&out, "{\n  \"n_sessions\": %zu, \"n_files\": %zu, \"n_unreadable\": %zu,\n",
                estimate->dataset->n_sessions, estimate->n_files, estimate->n_unreadable);
    np_str_addf(&out, "  \"threads\": %d,\n  \"largest\": {", estimate->n_threads);
    add_need(&out, &estimate->most);
    np_str_addf(&out,
                "},\n  \"total\": {\"time_s\": %.1f, \"disk_bytes\": %lld, \"inodes\": %lld},",
                total->seconds, (long long)total->disk_bytes, (long long)total->inodes);
    np_str_addf(&out,
                "\n  \"hpc\": {\"TIME\": \"%s\", \"CORES\": \"%d\", \"MEMORY\": \"%lldM\"},"
                "\n  \"sessions\": [",
                time, estimate->n_threads, asked_mib(estimate));
    for (size_t i = 0; i < estimate->dataset->n_sessions; i++) {
        const struct np_session *session = &estimate->dataset->session[i];
        np_str_addf(&out, "%s    {\"participant\": ", i ? ",\n" : "\n");
        np_str_add_json(&out, session->participant);
        np_str_add(&out, ", \"session\": ");
        np_str_add_json(&out, session->session);
        np_str_addf(&out, ", \"n_files\": %zu, ", session->n_scans);
        add_need(&out, &estimate->need[i]);
        np_str_add(&out, "}");
    }
    np_str_add(&out, "\n  ]\n}\n");
    return np_str_take(&out);
}

int np_command_estimate(const struct np_config *config)
{
    static char *(*const formats[])(const struct estimate *) = {[NP_FORMAT_TABLE] = as_table,
                                                                [NP_FORMAT_TSV] = as_tsv,
                                                                [NP_FORMAT_JSON] = as_json,
                                                                [NP_FORMAT_NIPOPPY] = as_pairs};
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_error err = {0};

    if (np_dataset_open_selected(config, &dataset, &err) < 0)
        return np_command_fail(&err);
    NP_AUTO(np_freep) struct np_need *need = np_xcalloc(dataset->n_sessions, sizeof(*need));
    struct estimate estimate = {
        .dataset = dataset, .need = need, .n_threads = np_estimate_threads(config)};
    sum_up(config, &estimate);
    NP_AUTO(np_freep) char *text = formats[config->format](&estimate);
    fputs(text, stdout);
    return 0;
}
