#include "pipeline/observe.h"

#include <math.h>
#include <string.h>

#include "base/path.h"
#include "catalog/measure.h"
#include "pipeline/rerun.h"
#include "trace/names.h"

/* "neuro.stage", "skull_strip", …: up to three pairs; NULL values are left out. */
typedef const char *const pairs[3][2];

static const char *error_type(const struct np_failure *failure)
{
    return failure->code ? np_outcome_info(np_error_outcome(failure->code))->name : NULL;
}

/* The span for exemplars; NULL when there is none. */
static const struct np_span *context(const struct np_active *active)
{
    return np_trace_id_is_zero(&active->root.trace_id) ? NULL : &active->root;
}

static void observe(const struct np_active *active, const struct np_metric_def *def, double value,
                    pairs attributes)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    for (int i = 0; i < 3 && attributes[i][0]; i++)
        np_attrs_string(&attrs, attributes[i][0], attributes[i][1]);
    np_metric_add(active->run->trace, def, value, &attrs, context(active));
}

static const char *format_of(const char *path)
{
    return np_ends_with(path, ".gz") ? "nii.gz" : "nii";
}

static double measure_stages(const struct np_active *active, const struct np_file_record *file)
{
    const char *error = error_type(&file->failure);
    double wall_s = 0;

    for (size_t s = 0; s < file->n_stages; s++) {
        const struct np_stage_record *stage = &file->stage[s];
        bool failed = stage->state != NP_STATE_SUCCESS;
        if (stage->start_ns == 0)
            continue;
        wall_s += stage->wall_s;
        observe(
            active, &np_metric_stage_duration, stage->wall_s,
            (pairs){{NP_KEY_NEURO_STAGE, stage->name}, {NP_KEY_ERROR_TYPE, failed ? error : NULL}});
    }
    return wall_s;
}

/* An image counts once for each key. */
static void count_warnings(const struct np_active *active, const struct np_file_record *file)
{
    NP_AUTO(np_strings_done) struct np_strings keys = {0};

    np_file_record_warning_keys(file, &keys);
    for (size_t i = 0; i < keys.n; i++) {
        const char *key = keys.item[i];
        observe(active, &np_metric_warnings, 1,
                (pairs){{NP_KEY_NEURO_WARNING, key}, {NP_KEY_BIDS_SUFFIX, file->modality}});
    }
}

static void measure_file(const struct np_active *active, const struct np_file_record *file)
{
    const char *error = error_type(&file->failure);
    double wall_s = measure_stages(active, file);

    observe(active, &np_metric_files_processed, 1,
            (pairs){{NP_KEY_NEURO_STATUS, error ? "failed" : "success"},
                    {NP_KEY_BIDS_SUFFIX, file->modality}});
    observe(active, &np_metric_process_duration, wall_s,
            (pairs){{NP_KEY_BIDS_SUFFIX, file->modality}, {NP_KEY_ERROR_TYPE, error}});
    observe(active, &np_metric_scan_size, (double)file->n_bytes,
            (pairs){{NP_KEY_NEURO_FORMAT, format_of(file->path)}});
    for (size_t i = 0; i < file->n_outputs; i++)
        if (file->output[i].voxel_sha256[0])
            observe(active, &np_metric_output_size, (double)file->output[i].n_bytes,
                    (pairs){{NP_KEY_NEURO_FORMAT, format_of(file->output[i].path)}});
    count_warnings(active, file);
    if (error)
        observe(active, &np_metric_errors, 1,
                (pairs){{NP_KEY_NEURO_STAGE, file->failure.stage}, {NP_KEY_ERROR_TYPE, error}});
}

/* A session can fail although none of its files did: its folder could not be read, or its record
 * not written. */
static void measure_session_failure(const struct np_active *active)
{
    const struct np_session_record *record = &active->record;

    for (size_t f = 0; f < record->n_files; f++)
        if (record->file[f].failure.code)
            return;
    if (record->failure.code)
        observe(active, &np_metric_errors, 1,
                (pairs){{NP_KEY_NEURO_STAGE, record->failure.stage},
                        {NP_KEY_ERROR_TYPE, error_type(&record->failure)}});
}

/* Labels, and the site when participants.tsv has it. */
static void add_identity(const struct np_active *active, struct np_attrs *attrs)
{
    const struct np_dataset *dataset = active->run->plan->dataset;
    const struct np_session *session = active->job->session;

    np_active_identity(active, attrs);
    if (!dataset || !session)
        return;
    np_attrs_string(attrs, NP_KEY_NEURO_SITE,
                    np_participants_site(dataset->participants, session->participant));
}

static void set_quality_gauges(const struct np_active *active, const struct np_file_record *file,
                               const struct np_attrs *identity)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_attrs_copy(identity, &attrs);
    np_attrs_string(&attrs, NP_KEY_BIDS_SUFFIX, file->modality);
    for (size_t i = 0; i < np_n_quality_metrics; i++) {
        double value = np_file_record_value(file, np_quality_metrics[i].measure, NAN);
        if (!isnan(value))
            np_metric_set(active->run->trace, np_quality_metrics[i].def, value, &attrs);
    }
}

/* Paths are quoted in all messages (a BIDS label needs no quotes), so that the redactor can find
 * them. */
static char *quoted_label(const struct np_active *active)
{
    const char *label = active->job->label;

    return active->job->session ? np_xstrdup(label) : np_xasprintf("'%s'", label);
}

/* Measures of another version that this one does not know stay in the session's record alone. */
static void add_measures(const struct np_file_record *file, struct np_attrs *attrs)
{
    for (size_t i = 0; i < file->n_measures; i++) {
        const struct np_measure_row *row = np_measure_find(file->measure[i].key);
        if (row)
            np_attrs_double(attrs, row->attribute, file->measure[i].value);
    }
    for (size_t i = 0; i < file->n_facts; i++) {
        const struct np_measure_row *row = np_measure_find(file->fact[i].key);
        if (row)
            np_attrs_string(attrs, row->attribute, file->fact[i].text);
    }
}

static void add_warning_keys(const struct np_strings *keys, struct np_attrs *attrs)
{
    NP_AUTO(np_freep) char *cell = np_warning_cell(keys);

    np_attrs_string(attrs, NP_KEY_NEURO_WARNINGS, *cell ? cell : NULL);
}

void np_observe_warnings(const struct np_session_record *record, struct np_attrs *attrs)
{
    NP_AUTO(np_strings_done) struct np_strings keys = {0};

    np_record_warning_keys(record, &keys);
    add_warning_keys(&keys, attrs);
}

void np_observe_file_warnings(const struct np_file_record *file, struct np_attrs *attrs)
{
    NP_AUTO(np_strings_done) struct np_strings keys = {0};

    np_file_record_warning_keys(file, &keys);
    add_warning_keys(&keys, attrs);
}

/* Write everything about a file into one log record, for dashboards that are used long after the
 * run. */
static void log_file_summary(const struct np_active *active, const struct np_attrs *identity,
                             const struct np_file_record *file)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_attrs_string(&attrs, NP_KEY_EVENT_NAME, NP_EVENT_FILE_SUMMARY);
    np_attrs_copy(identity, &attrs);
    np_attrs_string(&attrs, NP_KEY_NEURO_RUN_ID, active->run->id);
    np_attrs_string(&attrs, NP_KEY_FILE_NAME, np_path_name(file->path));
    np_attrs_string(&attrs, NP_KEY_FILE_PATH, file->path);
    np_attrs_int(&attrs, NP_KEY_FILE_SIZE, file->n_bytes);
    np_attrs_string(&attrs, NP_KEY_BIDS_SUFFIX, file->modality);
    np_attrs_string(&attrs, NP_KEY_NEURO_OUTCOME,
                    np_outcome_info(np_error_outcome(file->failure.code))->name);
    if (file->failure.code)
        np_attrs_string(&attrs, NP_KEY_NEURO_STAGE, file->failure.stage);
    np_observe_file_warnings(file, &attrs);
    add_measures(file, &attrs);
    np_trace_log(active->run->trace, context(active), NP_INFO, &attrs, "'%s': %s", file->path,
                 np_state_name(file->state));
}

/* The attributes of neuro.session.summary that the record alone tells. */
static void add_summary(const struct np_session_record *record, struct np_attrs *attrs)
{
    np_attrs_string(attrs, NP_KEY_EVENT_NAME, NP_EVENT_SESSION_SUMMARY);
    np_attrs_string(attrs, NP_KEY_NEURO_STATE, np_state_name(record->state));
    np_attrs_string(attrs, NP_KEY_NEURO_OUTCOME,
                    np_outcome_info(np_error_outcome(record->failure.code))->name);
    if (record->failure.code)
        np_attrs_string(attrs, NP_KEY_NEURO_STAGE, record->failure.stage);
    np_attrs_double(attrs, NP_KEY_NEURO_SESSION_DURATION, record->wall_s);
    np_attrs_double(attrs, NP_KEY_NEURO_SESSION_CPU_TIME, record->cpu_s);
    np_attrs_int(attrs, NP_KEY_NEURO_SESSION_PEAK_MEMORY, record->peak_rss_bytes);
    np_attrs_int(attrs, NP_KEY_NEURO_SESSION_FILES, (int64_t)record->n_files);
    np_observe_warnings(record, attrs);
    if (record->injected)
        np_attrs_bool(attrs, NP_KEY_NEURO_INJECTED, true);
}

/* Where the session ran, and with how much memory. */
static void add_place(const struct np_active *active, struct np_attrs *attrs)
{
    const struct np_plan *plan = active->run->plan;
    int64_t asked_bytes =
        plan->resources.slurm_bytes ? plan->resources.slurm_bytes : active->run->config->mem_bytes;

    np_attrs_string(attrs, NP_KEY_NEURO_NODE, np_resources_node());
    np_attrs_int(attrs, NP_KEY_NEURO_SESSION_MEMORY_LIMIT, plan->memory_bytes);
    if (asked_bytes)
        np_attrs_int(attrs, NP_KEY_NEURO_SESSION_MEMORY_REQUEST, asked_bytes);
}

/* Where its results lie, and how it is done again. */
static void add_way_back(const struct np_config *config, const struct np_session_record *record,
                         struct np_attrs *attrs)
{
    NP_AUTO(np_freep) char *folder = np_rerun_folder(config->output_dir, record);
    NP_AUTO(np_freep) char *command = np_rerun_command(config, record);

    np_attrs_string(attrs, NP_KEY_NEURO_SESSION_FOLDER, folder);
    np_attrs_string(attrs, NP_KEY_NEURO_SESSION_RERUN, command);
}

/* ": 'x.nii.gz': … (bad-data at load_file)", "" for a session that did not fail; the caller frees. */
static char *reason_of(const struct np_session_record *record)
{
    NP_AUTO(np_freep)
    char *words = record->failure.code ? np_failure_words(&record->failure) : NULL;

    return words ? np_xasprintf(": %s", words) : np_xstrdup("");
}

/* The same of the session. */
static void log_summary(const struct np_active *active, const struct np_attrs *identity)
{
    const struct np_session_record *record = &active->record;
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    NP_AUTO(np_freep) char *label = quoted_label(active);

    np_attrs_copy(identity, &attrs);
    np_attrs_string(&attrs, NP_KEY_NEURO_RUN_ID, active->run->id);
    add_summary(record, &attrs);
    add_place(active, &attrs);
    add_way_back(active->run->config, record, &attrs);
    NP_AUTO(np_freep) char *reason = reason_of(record);
    np_trace_log(active->run->trace, context(active), NP_INFO, &attrs, "%s: %s after %.1f s%s",
                 label, np_state_name(record->state), record->wall_s, reason);
}

void np_observe_session(const struct np_active *active)
{
    struct np_trace *trace = active->run->trace;
    const struct np_session_record *record = &active->record;
    bool good = record->failure.code == 0;
    NP_AUTO(np_attrs_done) struct np_attrs identity = {0};

    for (size_t f = 0; f < record->n_files; f++)
        measure_file(active, &record->file[f]);
    measure_session_failure(active);
    observe(active, &np_metric_sessions_processed, 1,
            (pairs){{NP_KEY_NEURO_STATUS, good ? "success" : "failed"}});
    add_identity(active, &identity);
    np_metric_set(trace, &np_metric_session_duration, record->wall_s, &identity);
    np_metric_set(trace, &np_metric_session_cpu_time, record->cpu_s, &identity);
    np_metric_set(trace, &np_metric_session_peak_memory, (double)record->peak_rss_bytes, &identity);
    for (size_t f = 0; f < record->n_files; f++) {
        set_quality_gauges(active, &record->file[f], &identity);
        log_file_summary(active, &identity, &record->file[f]);
    }
    log_summary(active, &identity);
}

void np_observe_lost(const struct np_config *config, struct np_trace *trace,
                     const struct np_span *span, const struct np_survey_row *row)
{
    const struct np_session_record *record = &row->record;
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    struct np_span of_session = {.flags = NP_FLAG_SAMPLED};
    bool is_known = np_trace_id_parse(record->trace_id, &of_session.trace_id);

    np_attrs_string(&attrs, NP_KEY_BIDS_PARTICIPANT, record->participant);
    np_attrs_string(&attrs, NP_KEY_BIDS_SESSION, record->session);
    np_attrs_string(&attrs, NP_KEY_NEURO_RUN_ID, record->run_id);
    add_summary(record, &attrs);
    np_attrs_string(&attrs, NP_KEY_NEURO_NODE, record->host);
    add_way_back(config, record, &attrs);
    NP_AUTO(np_freep) char *reason = reason_of(record);
    np_trace_log(trace, is_known ? &of_session : span, NP_INFO, &attrs,
                 record->participant ? "%s: %s%s" : "'%s': %s%s", row->label,
                 np_state_name(record->state), reason);
}
