#include "pipeline/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/path.h"
#include "pipeline/fault.h"
#include "pipeline/observe.h"
#include "pipeline/publish.h"
#include "pipeline/wire.h"
#include "record/derivative_json.h"
#include "trace/names.h"

/* One file on its way through a worker. */
struct file_run {
    const struct np_worker_task *task;
    const struct np_job_file *file;
    uint32_t index;
    struct np_trace *trace;
    const struct np_exec *exec;
    struct np_span *span;  /* preprocess_file */
    struct np_span *group; /* process_image, while it is open */
    struct np_file_record record;
    struct np_work work;
    int fault_at;  /* number of the stage that is to fail, -1 = none */
    int n_started; /* stages that have started */
    size_t n_warned;
};

static void send_record(struct file_run *run)
{
    NP_AUTO(np_freep) char *json = np_file_record_format(&run->record);

    np_wire_send_file(run->task->fd, run->index, json);
}

/* Reset the kernel's high-water mark of resident memory, so that each stage has its own. */
static void reset_peak_memory(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");

    if (file) {
        fputs("5", file);
        fclose(file);
    }
}

static int64_t peak_memory_bytes(void)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    long long kib = 0;

    if (np_file_read("/proc/self/status", 65536, &text, NULL) < 0)
        return 0;
    const char *line = strstr(np_str_text(&text), "VmHWM:");
    return line && sscanf(line, "VmHWM: %lld", &kib) == 1 ? (int64_t)kib * 1024 : 0;
}

static void add_identity(const struct file_run *run, struct np_attrs *attrs)
{
    const struct np_session *session = run->task->job->session;

    if (session) {
        np_attrs_string(attrs, NP_KEY_BIDS_PARTICIPANT, session->participant);
        np_attrs_string(attrs, NP_KEY_BIDS_SESSION, session->session);
    }
    np_attrs_string(attrs, NP_KEY_BIDS_SUFFIX, run->file->modality);
}

/* `warning`: its key; NULL for a line that is none. */
static void log_line(struct file_run *run, const struct np_span *span, enum np_severity severity,
                     const char *stage, const char *warning, const char *text)
{
    struct np_attrs attrs = {0};

    add_identity(run, &attrs);
    np_attrs_string(&attrs, NP_KEY_NEURO_STAGE, stage);
    np_attrs_string(&attrs, NP_KEY_NEURO_WARNING, warning);
    np_attrs_string(&attrs, NP_KEY_FILE_PATH, run->file->recorded);
    np_trace_log(run->trace, span, severity, &attrs, "%s", text);
    np_attrs_done(&attrs);
}

static void log_warnings(struct file_run *run, const struct np_span *span, const char *stage)
{
    for (; run->n_warned < run->work.n_warnings; run->n_warned++) {
        const struct np_warning *warning = &run->work.warning[run->n_warned];
        const char *key = np_warning_rows[warning->ident].key;
        log_line(run, span, NP_WARN, stage, key, warning->sentence);
        np_file_record_warn(&run->record, key, warning->sentence);
    }
}

/* Copy a stage's measures to its span and to the record. */
static void set_measures(struct file_run *run, struct np_span *span, size_t first_measure,
                         size_t first_fact)
{
    for (size_t i = first_measure; i < run->work.n_measures; i++)
        np_attrs_double(&span->attrs, np_measure_rows[run->work.measure[i].ident].attribute,
                        run->work.measure[i].value);
    for (size_t i = first_fact; i < run->work.n_facts; i++)
        np_attrs_string(&span->attrs, np_measure_rows[run->work.fact[i].ident].attribute,
                        run->work.fact[i].text);
}

static void record_measures(struct file_run *run)
{
    for (size_t i = 0; i < run->work.n_measures; i++) {
        const struct np_measure_row *row = &np_measure_rows[run->work.measure[i].ident];
        np_file_record_number(&run->record, row->key, run->work.measure[i].value, row->unit);
    }
    for (size_t i = 0; i < run->work.n_facts; i++)
        np_file_record_text(&run->record, np_measure_rows[run->work.fact[i].ident].key,
                            run->work.fact[i].text);
}

static void note_failure(struct file_run *run, struct np_span *span, const char *stage,
                         const struct np_error *err)
{
    np_failure_set(&run->record.failure, err, stage);
    run->record.failure.injected = run->fault_at == run->n_started - 1 && err->code == NP_EMETHOD;
    if (run->record.failure.injected) {
        np_freep(&run->record.failure.hint);
        run->record.failure.hint = np_xstrdup("nothing is wrong: the fault was asked for; run "
                                              "without --fail-rate into another OUTPUT_DIR");
    }
    if (err->code == NP_ECANCELED)
        run->record.failure.signal = (int)run->task->cancel->signal;
    run->record.state = err->code == NP_ECANCELED ? NP_STATE_INTERRUPTED : NP_STATE_FAILED;
    np_span_fail(span, err);
    if (run->record.failure.injected)
        np_attrs_bool(&span->attrs, NP_KEY_NEURO_INJECTED, true);
    log_line(run, span, NP_ERROR_LEVEL, stage, NULL, err->text);
}

typedef int stage_body(struct file_run *run, const struct np_stage *stage, struct np_span *span,
                       struct np_error *err);

/* Run a stage with a span and a record around it. All stages pass here. */
static int run_stage(struct file_run *run, const char *name, const struct np_stage *stage,
                     stage_body *body, struct np_error *err)
{
    struct np_span *span = np_span_new(name, run->group ? run->group : run->span);
    size_t first_measure = run->work.n_measures, first_fact = run->work.n_facts;
    int64_t start_ns = np_clock_mono_ns(), start_cpu_ns = np_clock_cpu_ns();

    np_attrs_string(&span->attrs, NP_KEY_NEURO_STAGE, name);
    np_span_begin(run->trace, span);
    np_file_record_stage(&run->record, name)->state = NP_STATE_RUNNING;
    np_file_record_stage(&run->record, name)->start_ns = np_clock_unix_ns();
    send_record(run);
    reset_peak_memory();
    if (np_fault_delay(run->task->config, name, run->exec))
        np_attrs_bool(&span->attrs, NP_KEY_NEURO_INJECTED, true);
    int code = np_exec_check(run->exec, err);
    if (code == 0 && run->n_started++ == run->fault_at)
        code = np_error_set(err, NP_EMETHOD, "'%s': fault injected on request (--fail-rate)",
                            run->file->path);
    if (code == 0)
        code = body(run, stage, span, err);

    struct np_stage_record *record = np_file_record_stage(&run->record, name);
    record->wall_s = (double)(np_clock_mono_ns() - start_ns) * 1e-9;
    record->cpu_s = (double)(np_clock_cpu_ns() - start_cpu_ns) * 1e-9;
    record->peak_rss_bytes = peak_memory_bytes();
    record->state = code == 0              ? NP_STATE_SUCCESS
                    : code == NP_ECANCELED ? NP_STATE_INTERRUPTED
                                           : NP_STATE_FAILED;
    set_measures(run, span, first_measure, first_fact);
    log_warnings(run, span, name);
    if (code < 0) {
        note_failure(run, span, name, err);
    } else {
        NP_AUTO(np_freep)
        char *text =
            np_xasprintf("%s %s: done in %.2f s", run->file->modality, name, record->wall_s);
        log_line(run, span, NP_INFO, name, NULL, text);
    }
    np_span_end(run->trace, &span);
    return code;
}

/* A fact about the image is an attribute of the file's span, too, and not only of the stage's. */
static void note_image_fact(struct file_run *run, enum np_measure_ident ident, const char *text)
{
    np_attrs_string(&run->span->attrs, np_measure_rows[ident].attribute, text);
    np_work_fact(&run->work, ident, text);
}

static void describe_image(struct file_run *run)
{
    const struct np_grid *grid = &run->work.info.grid;
    char text[96];

    memcpy(run->record.sha256, run->work.content.sha256, sizeof(run->record.sha256));
    if (!run->record.mask.sha256[0]) /* else it is the one that was given earlier */
        memcpy(run->record.mask.sha256, run->work.mask_sha256, sizeof(run->record.mask.sha256));
    snprintf(text, sizeof(text), "%lldx%lldx%lld", (long long)grid->n[0], (long long)grid->n[1],
             (long long)grid->n[2]);
    note_image_fact(run, NP_MEASURE_IMAGE_SHAPE, text);
    snprintf(text, sizeof(text), "%.4gx%.4gx%.4g", grid->spacing_mm[0], grid->spacing_mm[1],
             grid->spacing_mm[2]);
    note_image_fact(run, NP_MEASURE_IMAGE_VOXEL_SIZE_MM, text);
    note_image_fact(run, NP_MEASURE_IMAGE_DTYPE, run->work.info.datatype_name);
}

static int run_kernel(struct file_run *run, const struct np_stage *stage, struct np_span *span,
                      struct np_error *err)
{
    bool reads_input = stage->traits & NP_STAGE_READS_INPUT;

    (void)span;
    /* Refused in the plan, for itself alone. */
    if (reads_input && run->file->refused.code < 0)
        return np_error_set(err, run->file->refused.code, "%s", run->file->refused.text);
    if (stage->needs & ~np_work_slots(&run->work))
        return np_error_set(err, NP_EINTERNAL, "'%s': stage %s did not find what it needs",
                            run->file->path, stage->name);
    NP_TRY(stage->run(&run->work, run->task->config, run->exec, err));
    if (reads_input)
        describe_image(run);
    return 0;
}

static int write_body(struct file_run *run, const struct np_stage *stage, struct np_span *span,
                      struct np_error *err)
{
    const struct np_dataset *dataset = run->task->plan->dataset;

    (void)stage;
    record_measures(run);
    const struct np_publish_order order = {.config = run->task->config,
                                           .root = dataset ? dataset->root : NULL,
                                           .place = &run->task->job->place,
                                           .file = run->file,
                                           .seen = run->task->seen};
    NP_TRY(np_publish(&order, &run->work, run->exec, &run->record, err));
    int64_t n_bytes = 0;
    for (size_t i = 0; i < run->record.n_outputs; i++)
        n_bytes += run->record.output[i].n_bytes;
    NP_AUTO(np_freep) char *path = np_job_output(run->file, run->file->recipe->main_output);
    np_attrs_string(&span->attrs, NP_KEY_NEURO_OUTPUT_PATH, path);
    np_attrs_string(&span->attrs, NP_KEY_NEURO_OUTPUT_FORMAT, "nii.gz");
    np_attrs_int(&span->attrs, NP_KEY_NEURO_OUTPUT_SIZE, n_bytes);
    np_attrs_bool(&span->attrs, NP_KEY_NEURO_OUTPUT_COMPRESSED, true);
    return 0;
}

/* Stages that process the loaded image have one common parent span. */
static bool processes_image(const struct np_stage *stage)
{
    return !(stage->traits & (NP_STAGE_READS_INPUT | NP_STAGE_VALIDATES_INPUT));
}

/* Images are large: a slot that neither a later stage nor an output needs is released at once. */
static void release_unneeded(struct file_run *run, const struct np_stage *const *later)
{
    unsigned needed = np_recipe_wanted_slots(run->file->recipe, run->task->config);

    for (; *later; later++)
        needed |= (*later)->needs | (*later)->uses;
    np_work_release(&run->work, ~needed);
}

static int run_stages(struct file_run *run, struct np_error *err)
{
    for (const struct np_stage *const *next = run->file->recipe->stage; *next; next++) {
        const struct np_stage *stage = *next;
        if (processes_image(stage) && !run->group) {
            run->group = np_span_new(NP_SPAN_PROCESS_IMAGE, run->span);
            np_span_begin(run->trace, run->group);
        }
        int code = run_stage(run, stage->name, stage, run_kernel, err);
        if (code < 0) {
            if (run->group)
                np_span_fail(run->group, err);
            np_span_end(run->trace, &run->group);
            return code;
        }
        if (stage->traits & NP_STAGE_VALIDATES_INPUT)
            np_span_event(run->span, NP_EVENT_VALIDATION_PASSED, NULL);
        release_unneeded(run, next + 1);
    }
    np_span_end(run->trace, &run->group);
    return run_stage(run, NP_STAGE_WRITE_OUTPUT, NULL, write_body, err);
}

/* The record has all stages from the start, so that it shows which were not reached. */
static void open_record(struct file_run *run)
{
    NP_AUTO(np_freep) char *data_path = np_nifti_data_path(run->file->path);
    struct np_file_record *record = &run->record;

    record->path = np_xstrdup(run->file->recorded);
    record->modality = np_xstrdup(run->file->modality);
    record->method = np_xstrdup(run->file->method);
    record->state = NP_STATE_RUNNING;
    np_file_record_look(record, data_path);
    record->mask = run->file->mask_record;
    for (const struct np_stage *const *stage = run->file->recipe->stage; *stage; stage++)
        np_file_record_stage(record, (*stage)->name);
    np_file_record_stage(record, NP_STAGE_WRITE_OUTPUT);
}

static void open_span(struct file_run *run)
{
    const struct np_worker_task *task = run->task;

    run->span = np_span_new(NP_SPAN_FILE, task->session);
    if (!task->session && task->run)
        np_span_link(run->span, task->run);
    add_identity(run, &run->span->attrs);
    np_attrs_string(&run->span->attrs, NP_KEY_FILE_NAME, np_path_name(run->file->recorded));
    np_attrs_string(&run->span->attrs, NP_KEY_FILE_PATH, run->file->recorded);
    np_attrs_int(&run->span->attrs, NP_KEY_FILE_SIZE, run->record.n_bytes);
    if (run->file->scan) {
        char *const *entity = run->file->scan->name.entity;
        np_attrs_string(&run->span->attrs, NP_KEY_BIDS_ACQUISITION, entity[NP_ENTITY_ACQ]);
        np_attrs_string(&run->span->attrs, NP_KEY_BIDS_RUN, entity[NP_ENTITY_RUN]);
        np_attrs_string(&run->span->attrs, NP_KEY_BIDS_ECHO, entity[NP_ENTITY_ECHO]);
    }
    np_span_begin(run->trace, run->span);
}

/* Read the sidecars now only to report broken ones, before any failure of the image; they are
 * read again for the outputs. */
static void check_sidecar(struct file_run *run)
{
    if (!run->file->scan)
        return;
    NP_AUTO(np_strings_done) struct np_strings sentences = {0};
    np_derivative_check_source(run->task->plan->dataset->root, run->file->scan, &sentences);
    for (size_t i = 0; i < sentences.n; i++)
        np_work_warn(&run->work, NP_WARNING_SIDECAR_UNUSABLE, "%s", sentences.item[i]);
}

static void close_file(struct file_run *run, int code, const struct np_error *err)
{
    if (code == 0) {
        run->record.state = NP_STATE_SUCCESS;
        run->span->status = NP_STATUS_OK;
    } else {
        if (run->record.n_measures == 0)
            record_measures(run);
        np_span_fail(run->span, err);
    }
    np_observe_file_warnings(&run->record, &run->span->attrs);
    np_span_end(run->trace, &run->span);
    send_record(run);
    np_work_done(&run->work);
    np_file_record_done(&run->record);
}

static int count_stages(const struct np_recipe *recipe)
{
    int n = 1; /* write_output */

    for (const struct np_stage *const *stage = recipe->stage; *stage; stage++)
        n++;
    return n;
}

static void run_file(const struct np_worker_task *task, struct np_trace *trace,
                     const struct np_exec *exec, uint32_t index)
{
    const struct np_job_file *file = &task->job->file[index];
    struct np_error err = {0};
    struct file_run run = {
        .task = task,
        .file = file,
        .index = index,
        .trace = trace,
        .exec = exec,
        .fault_at = np_fault_stage(task->config, file->recorded, count_stages(file->recipe))};

    np_work_init(&run.work, file->path, np_modality_find(file->modality));
    run.work.scan = file->scan;
    run.work.mask_path = file->mask;
    open_record(&run);
    open_span(&run);
    check_sidecar(&run);
    int code = run_stages(&run, &err);
    close_file(&run, code, &err);
}

void np_worker_run(const struct np_worker_task *task)
{
    int fd = task->fd;
    struct np_trace *trace = np_trace_new(task->resource);
    struct np_team *team = np_team_new(task->plan->n_threads);
    const struct np_exec exec = {.team = team, .cancel = task->cancel};

    np_trace_add_sink(trace, np_wire_sink(&fd));
    for (size_t i = 0; i < task->job->n_files && !np_exec_canceled(&exec); i++)
        run_file(task, trace, &exec, (uint32_t)i);
    np_team_freep(&team);
    np_trace_freep(&trace);
}
