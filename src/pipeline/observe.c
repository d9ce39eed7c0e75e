#include "pipeline/observe.h"

#include "trace/names.h"

static const char *error_type(const struct np_failure *failure)
{
    return failure->code ? np_outcome_info(np_error_outcome(failure->code))->name : NULL;
}

/* One observation in a series named by up to three attributes; NULL values are left out. */
static void observe(const struct np_active *active, const struct np_metric_def *def, double value,
                    const char *const attributes[3][2])
{
    struct np_attrs attrs = {0};

    for (int i = 0; i < 3 && attributes[i][0]; i++)
        np_attrs_string(&attrs, attributes[i][0], attributes[i][1]);
    np_metric_add(active->run->trace, def, value, &attrs, active->span);
    np_attrs_done(&attrs);
}

static const char *format_of(const char *path)
{
    return np_ends_with(path, ".gz") ? "nii.gz" : "nii";
}

static void measure_file(const struct np_active *active, const struct np_file_record *file)
{
    const char *error = error_type(&file->failure);
    double wall_s = 0;

    for (size_t s = 0; s < file->n_stages; s++) {
        const struct np_stage_record *stage = &file->stage[s];
        bool failed = stage->state != NP_STATE_SUCCESS;
        if (stage->start_ns == 0)
            continue;
        wall_s += stage->wall_s;
        observe(active, &np_metric_stage_duration, stage->wall_s,
                (const char *const[3][2]){{NP_KEY_NEURO_STAGE, stage->name},
                                          {NP_KEY_ERROR_TYPE, failed ? error : NULL}});
    }
    observe(active, &np_metric_files_processed, 1,
            (const char *const[3][2]){{NP_KEY_NEURO_STATUS, error ? "failed" : "success"},
                                      {NP_KEY_BIDS_SUFFIX, file->modality}});
    observe(active, &np_metric_process_duration, wall_s,
            (const char *const[3][2]){{NP_KEY_BIDS_SUFFIX, file->modality},
                                      {NP_KEY_ERROR_TYPE, error}});
    observe(active, &np_metric_scan_size, (double)file->n_bytes,
            (const char *const[3][2]){{NP_KEY_NEURO_FORMAT, format_of(file->path)}});
    for (size_t i = 0; i < file->n_outputs; i++)
        if (file->output[i].voxel_sha256[0])
            observe(active, &np_metric_output_size, (double)file->output[i].n_bytes,
                    (const char *const[3][2]){{NP_KEY_NEURO_FORMAT, "nii.gz"}});
    if (error)
        observe(active, &np_metric_errors, 1,
                (const char *const[3][2]){{NP_KEY_NEURO_STAGE, file->failure.stage},
                                          {NP_KEY_ERROR_TYPE, error}});
}

/* All measures of a session in one log record: what dashboards read when the process is long gone.
 */
static void tell_summary(const struct np_active *active)
{
    const struct np_session_record *record = &active->record;
    struct np_attrs attrs = {0};

    np_attrs_string(&attrs, NP_KEY_EVENT_NAME, NP_EVENT_SESSION_SUMMARY);
    np_active_identity(active, &attrs);
    np_attrs_string(&attrs, NP_KEY_NEURO_OUTCOME,
                    np_outcome_info(np_error_outcome(record->failure.code))->name);
    for (size_t f = 0; f < record->n_files; f++) {
        const struct np_file_record *file = &record->file[f];
        for (size_t i = 0; i < file->n_measures; i++) {
            /* One file needs no number before its keys. */
            NP_AUTO(np_freep)
            char *key = record->n_files == 1 ? np_xstrdup(file->measure[i].key)
                                             : np_xasprintf("file%zu.%s", f, file->measure[i].key);
            np_attrs_double(&attrs, key, file->measure[i].value);
        }
    }
    np_trace_log(active->run->trace, active->span, NP_INFO, &attrs, "%s: %s after %.1f s",
                 active->job->label, np_state_name(record->state), record->wall_s);
    np_attrs_done(&attrs);
}

void np_observe_session(const struct np_active *active)
{
    struct np_trace *trace = active->run->trace;
    const struct np_session_record *record = &active->record;
    bool good = record->failure.code == 0;
    struct np_attrs attrs = {0};

    for (size_t f = 0; f < record->n_files; f++)
        measure_file(active, &record->file[f]);
    observe(active, &np_metric_sessions_processed, 1,
            (const char *const[3][2]){{NP_KEY_NEURO_STATUS, good ? "success" : "failed"}});
    np_active_identity(active, &attrs);
    np_metric_set(trace, &np_metric_session_duration, record->wall_s, &attrs);
    np_metric_set(trace, &np_metric_session_cpu_time, record->cpu_s, &attrs);
    np_metric_set(trace, &np_metric_session_peak_memory, (double)record->peak_rss_bytes, &attrs);
    np_attrs_done(&attrs);
    tell_summary(active);
}
