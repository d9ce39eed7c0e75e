#include "pipeline/plan_json.h"

static const char *decision_name(enum np_decision decision)
{
    static const char *const names[] = {[NP_DECIDE_RUN] = "run",
                                        [NP_DECIDE_SKIP] = "skip",
                                        [NP_DECIDE_NOTHING_TO_DO] = "nothing-to-do",
                                        [NP_DECIDE_CONFLICT] = "conflict",
                                        [NP_DECIDE_LEAVE] = "leave",
                                        [NP_DECIDE_WITHDRAWN] = "withdrawn"};
    return names[decision];
}

static void add_file(struct np_str *out, const struct np_job_file *file)
{
    NP_AUTO(np_freep) char *preproc = np_job_output(file, file->recipe->main_output);

    np_str_add(out, "        {\"path\": ");
    np_str_add_json(out, file->recorded);
    np_str_add(out, ", \"modality\": ");
    np_str_add_json(out, file->modality);
    np_str_add(out, ", \"output\": ");
    np_str_add_json(out, preproc);
    np_str_add(out, ", \"stages\": [");
    for (const struct np_stage *const *stage = file->recipe->stage; *stage; stage++) {
        np_str_add_json(out, (*stage)->name);
        np_str_add(out, ", ");
    }
    np_str_add_json(out, NP_STAGE_WRITE_OUTPUT);
    np_str_addf(out, "], \"memory_bytes\": %lld", (long long)file->need.memory_bytes);
    if (file->mask) {
        np_str_add(out, ", \"mask\": ");
        np_str_add_json(out, file->mask);
    }
    if (file->refused.code) {
        np_str_add(out, ", \"refused\": ");
        np_str_add_json(out, file->refused.text);
    }
    np_str_add(out, "}");
}

static void add_job(struct np_str *out, const struct np_job *job)
{
    np_str_add(out, "    {\"label\": ");
    np_str_add_json(out, job->label);
    np_str_add(out, ", \"participant\": ");
    np_str_add_json(out, job->session ? job->session->participant : NULL);
    np_str_add(out, ", \"session\": ");
    np_str_add_json(out, job->session ? job->session->session : NULL);
    np_str_addf(out,
                ", \"decision\": \"%s\", \"memory_bytes\": %lld, \"time_s\": %.1f, "
                "\"disk_bytes\": %lld, \"why\": ",
                decision_name(job->decision), (long long)job->need.memory_bytes, job->need.seconds,
                (long long)job->need.disk_bytes);
    np_str_add_json(out, job->why);
    if (job->refused.code) {
        np_str_add(out, ", \"refused\": ");
        np_str_add_json(out, job->refused.text);
    }
    np_str_add(out, ", \"files\": [");
    for (size_t i = 0; i < job->n_files; i++) {
        np_str_add(out, i ? ",\n" : "\n");
        add_file(out, &job->file[i]);
    }
    np_str_add(out, job->n_files ? "\n    ]}" : "]}");
}

char *np_plan_json(const struct np_plan *plan, const char *traceparent)
{
    struct np_str out = {0};

    np_str_addf(&out,
                "{\n  \"sessions\": %zu, \"run\": %zu, \"skip\": %zu, \"nothing_to_do\": %zu, "
                "\"leave\": %zu,\n",
                plan->n_jobs, plan->n_run, plan->n_skip, plan->n_nothing, plan->n_leave);
    if (traceparent)
        np_str_addf(&out, "  \"traceparent\": \"%s\",\n", traceparent);
    np_str_addf(&out, "  \"parallel\": %d, \"threads\": %d,\n", plan->n_parallel, plan->n_threads);
    np_str_addf(&out,
                "  \"memory_bytes\": %lld, \"memory_source\": \"%s\", \"disk_need_bytes\": %lld, "
                "\"disk_free_bytes\": %lld, \"inodes_need\": %lld,\n",
                (long long)plan->memory_bytes, plan->resources.memory_source,
                (long long)plan->need.disk_bytes, (long long)plan->disk_free_bytes,
                (long long)plan->need.inodes);
    np_str_addf(&out, "  \"configuration\": %s,\n  \"plan\": [", plan->config);
    for (size_t i = 0; i < plan->n_jobs; i++) {
        np_str_add(&out, i ? ",\n" : "\n");
        add_job(&out, &plan->job[i]);
    }
    np_str_add(&out, "\n  ]\n}\n");
    return np_str_take(&out);
}
