#include "pipeline/plan_text.h"

#include <stdlib.h>
#include <string.h>

char *np_plan_counts(const struct np_plan *plan)
{
    const char *job = plan->dataset ? "session" : "file",
               *plural = np_plural((int64_t)plan->n_jobs);
    NP_AUTO(np_str_done) struct np_str counts = {0};

    if (plan->n_run == plan->n_jobs)
        return np_xasprintf("%zu %s%s to do", plan->n_jobs, job, plural);
    np_str_add_count(&counts, plan->n_run, "to do");
    np_str_add_count(&counts, plan->n_skip, "already complete");
    np_str_add_count(&counts, plan->n_nothing, "without images");
    np_str_add_count(&counts, plan->n_leave, "left as they are");
    np_str_add_count(&counts, plan->n_withdrawn, "withdrawn");
    return np_xasprintf("%zu %s%s: %s", plan->n_jobs, job, plural, np_str_text(&counts));
}

static const char *decision_text(enum np_decision decision)
{
    static const char *const texts[] = {
        [NP_DECIDE_RUN] = "to do",
        [NP_DECIDE_SKIP] = "already complete",
        [NP_DECIDE_NOTHING_TO_DO] = "no image of the selected modalities",
        [NP_DECIDE_CONFLICT] = "made with other options or methods",
        [NP_DECIDE_LEAVE] = "left as it is",
        [NP_DECIDE_WITHDRAWN] = "withdrawn (back with: status OUTPUT_DIR --restore SESSION)",
    };
    return texts[decision];
}

/* "2 T1w, FLAIR": how many images of each modality. */
static void add_modalities(struct np_str *line, const struct np_job *job)
{
    for (size_t i = 0; i < job->n_files; i++) {
        const char *modality = job->file[i].modality;
        size_t n = 0, n_before = 0;
        for (size_t k = 0; k < job->n_files; k++)
            if (strcmp(job->file[k].modality, modality) == 0) {
                n++;
                n_before += k < i;
            }
        if (n_before)
            continue;
        np_str_add(line, i ? ", " : " ");
        if (n > 1)
            np_str_addf(line, "%zu ", n);
        np_str_add(line, modality);
    }
}

/* Names come from folders: they may hold anything. */
static void add_clean_line(struct np_str *out, const struct np_str *line)
{
    NP_AUTO(np_freep) char *clean = np_utf8_clean(np_str_text(line));

    np_str_add(out, clean);
    np_str_add_char(out, '\n');
}

static void add_job(struct np_str *out, const struct np_job *job)
{
    NP_AUTO(np_str_done) struct np_str line = {0};

    np_str_addf(&line, "%s: %s", job->label, decision_text(job->decision));
    if (job->decision == NP_DECIDE_RUN)
        add_modalities(&line, job);
    if (job->why)
        np_str_addf(&line, " (%s)", job->why);
    if (job->session && job->session->unreadable)
        np_str_addf(&line, "; it will fail: %s", job->session->unreadable);
    for (size_t i = 0; job->decision == NP_DECIDE_RUN && i < job->n_files; i++)
        if (job->file[i].mask)
            np_str_addf(&line, "; with the mask '%s'", job->file[i].mask);
    if (job->refused.code)
        np_str_addf(&line, "; it will fail: %s", job->refused.text);
    for (size_t i = 0; i < job->n_files; i++)
        if (job->file[i].refused.code)
            np_str_addf(&line, "; it will fail: %s", job->file[i].refused.text);
    add_clean_line(out, &line);
}

static void add_warnings(struct np_str *out, const struct np_strings *warnings)
{
    for (size_t i = 0; i < warnings->n; i++) {
        NP_AUTO(np_str_done) struct np_str line = {0};
        np_str_addf(&line, "warning: %s", warnings->item[i]);
        add_clean_line(out, &line);
    }
}

static void add_needs(struct np_str *out, const struct np_plan *plan)
{
    NP_AUTO(np_freep) char *counts = np_plan_counts(plan);

    np_str_addf(out, "%s; %d at once, %d thread%s each\n", counts, plan->n_parallel,
                plan->n_threads, np_plural(plan->n_threads));
    if (plan->n_run)
        np_str_addf(out, "needed at most: %lld MiB of disk, %lld files and folders\n",
                    (long long)(plan->need.disk_bytes >> 20) + 1, (long long)plan->need.inodes);
    np_str_add(out, "nothing was done (--dry-run); --format json prints the whole plan\n");
}

char *np_plan_warnings_text(const struct np_plan *plan)
{
    struct np_str out = {0};

    if (plan->dataset)
        add_warnings(&out, &plan->dataset->warnings);
    add_warnings(&out, &plan->warnings);
    return np_str_take(&out);
}

char *np_plan_text(const struct np_plan *plan)
{
    struct np_str out = {0};

    for (size_t i = 0; i < plan->n_jobs; i++)
        add_job(&out, &plan->job[i]);
    NP_AUTO(np_freep) char *warnings = np_plan_warnings_text(plan);
    np_str_add(&out, warnings);
    add_needs(&out, plan);
    return np_str_take(&out);
}
