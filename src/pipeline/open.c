#include "pipeline/open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "codec/deflate.h"
#include "codec/sha256.h"
#include "config/results.h"
#include "image/nifti.h"
#include "pipeline/fault.h"
#include "record/survey.h"
#include "trace/names.h"

/* Fill the record of a file before its worker has started. */
static void describe_files(struct np_active *active)
{
    const struct np_job *job = active->job;

    active->record.file = np_xcalloc(job->n_files, sizeof(*active->record.file));
    active->record.n_files = job->n_files;
    for (size_t i = 0; i < job->n_files; i++) {
        struct np_file_record *file = &active->record.file[i];
        NP_AUTO(np_freep) char *data_path = np_nifti_data_path(job->file[i].path);
        file->path = np_xstrdup(job->file[i].recorded);
        file->modality = np_xstrdup(job->file[i].modality);
        file->method = np_xstrdup(job->file[i].method);
        file->state = NP_STATE_NOT_STARTED;
        np_file_record_look(file, data_path);
        file->mask = job->file[i].mask_record;
    }
}

static void add_scheduler(struct np_session_record *record)
{
    static const char *const known[][2] = {{"slurm.job.id", "SLURM_JOB_ID"},
                                           {"slurm.array.job.id", "SLURM_ARRAY_JOB_ID"},
                                           {"slurm.array.task.id", "SLURM_ARRAY_TASK_ID"},
                                           {"slurm.node.name", "SLURMD_NODENAME"},
                                           {"slurm.cluster.name", "SLURM_CLUSTER_NAME"}};

    record->scheduler = np_xcalloc(NP_COUNT(known), sizeof(*record->scheduler));
    for (size_t i = 0; i < NP_COUNT(known); i++) {
        const char *value = getenv(known[i][1]);
        if (value && *value)
            record->scheduler[record->n_scheduler++] = (struct np_text_record){
                .key = np_xstrdup(known[i][0]), .text = np_utf8_clean(value)};
    }
}

static char *copy_or_null(const char *text)
{
    return text ? np_xstrdup(text) : NULL;
}

static void describe(struct np_active *active)
{
    struct np_session_record *record = &active->record;
    const struct np_run *run = active->run;
    const struct np_session *session = active->job->session;

    np_record_init(record);
    snprintf(record->run_id, sizeof(record->run_id), "%s", run->id);
    if (session) {
        record->participant = np_xstrdup(session->participant);
        record->session = copy_or_null(session->session);
        record->requested_session = np_xstrdup(session->requested_session);
    }
    record->state = NP_STATE_RUNNING;
    record->host = np_utf8_clean(np_process_place());
    record->boot_id = np_xstrdup(np_boot_id());
    record->pid = getpid();
    record->pid_start = np_process_start(getpid());
    add_scheduler(record);
    record->start_ns = record->heartbeat_ns = np_clock_unix_ns();
    record->software_version = np_xstrdup(run->version);
    record->codec = np_xstrdup(np_codec_name());
    record->config = np_xstrdup(run->plan->config);
    np_sha256_of(record->config, strlen(record->config), record->config_sha256);
    record->injected = np_fault_enabled(run->config);
    describe_files(active);
}

static void open_span(struct np_active *active, const struct np_span *run_span)
{
    if (!active->job->session)
        return;
    active->span = np_span_new(NP_SPAN_SESSION, NULL);
    np_span_link(active->span, run_span);
    np_active_identity(active, &active->span->attrs);
    np_attrs_string(&active->span->attrs, NP_KEY_NEURO_RUN_ID, active->run->id);
    if (np_fault_enabled(active->run->config))
        np_attrs_bool(&active->span->attrs, NP_KEY_NEURO_INJECTED, true);
    np_span_begin(active->run->trace, active->span);
    np_trace_id_hex(&active->span->trace_id, active->record.trace_id);
    np_active_note_root(active, active->span);
}

static struct np_file_record *find_file(struct np_session_record *record, const char *path)
{
    for (size_t f = 0; f < record->n_files; f++)
        if (strcmp(record->file[f].path, path) == 0)
            return &record->file[f];
    return NULL;
}

/* Record the outputs of an earlier success of a file that is processed again: they stay if the
 * new attempt fails. */
static void note_kept(struct np_file_record *file, const struct np_file_record *old,
                      const struct np_session_record *old_record)
{
    bool succeeded = old->state == NP_STATE_SUCCESS;

    memcpy(file->kept_input_sha256, succeeded ? old->sha256 : old->kept_input_sha256,
           sizeof(file->kept_input_sha256));
    memcpy(file->kept_config_sha256,
           succeeded ? old_record->config_sha256 : old->kept_config_sha256,
           sizeof(file->kept_config_sha256));
    for (size_t i = 0; succeeded && i < old->n_outputs; i++)
        np_strings_add(&file->kept, old->output[i].path);
    for (size_t i = 0; !succeeded && i < old->kept.n; i++)
        np_strings_add(&file->kept, old->kept.item[i]);
}

static bool wrote(const struct np_file_record *file, const char *path)
{
    for (size_t k = 0; k < file->n_outputs; k++)
        if (strcmp(file->output[k].path, path) == 0)
            return true;
    return np_strings_have(&file->kept, path);
}

/* The selected file that writes what `old` wrote: the same image under another name (.nii, and now
 * .nii.gz). NULL when there is none. */
static struct np_file_record *successor(struct np_active *active, const struct np_file_record *old)
{
    for (size_t i = 0; i < active->job->n_files; i++) {
        NP_AUTO(np_strings_done) struct np_strings paths = {0};
        np_job_outputs(&active->job->file[i], NULL, &paths);
        for (size_t k = 0; k < paths.n; k++)
            if (wrote(old, paths.item[k]))
                return &active->record.file[i];
    }
    return NULL;
}

/* A complete file that is not selected this time stays in the session's record. */
static int carry(struct np_active *active, struct np_file_record *old,
                 const struct np_session_record *old_record, struct np_error *err)
{
    struct np_session_record *record = &active->record;
    struct np_file_record *next = successor(active, old);

    if (next)
        note_kept(next, old, old_record);
    if (next || old->state != NP_STATE_SUCCESS)
        return 0;
    if (!np_config_results_same(old_record->config, record->config))
        return np_error_set(err, NP_ECONFIG,
                            "'%s': made with other options than those of this run, and not among "
                            "the files selected; select the whole session, or keep its options",
                            old->path);
    record->file = np_xrealloc(record->file, (record->n_files + 1) * sizeof(*record->file));
    record->file[record->n_files] = (struct np_file_record){0};
    np_file_record_move(old, &record->file[record->n_files++]);
    return 0;
}

/*
 * An earlier record becomes an attempt of this one, and its entries of other files are kept. If its
 * state is running, its supervisor is dead, because we hold the lock.
 */
static int inherit(struct np_active *active, struct np_error *err)
{
    NP_AUTO(np_record_done) struct np_session_record old = {0};

    if (np_record_read(active->job->place.status, &old, NULL) < 0)
        return 0;
    if (old.state == NP_STATE_RUNNING)
        np_record_close_lost(&old, np_clock_unix_ns());
    np_record_inherit_attempts(&active->record, &old);
    for (size_t f = 0; f < old.n_files; f++) {
        struct np_file_record *file = find_file(&active->record, old.file[f].path);
        if (file)
            note_kept(file, &old.file[f], &old);
        else
            NP_TRY(carry(active, &old.file[f], &old, err));
    }
    return 0;
}

/* Remove temporary files of dead processes where this session writes. */
static void sweep(const struct np_active *active)
{
    NP_AUTO(np_strings_done) struct np_strings outputs = {0}, folders = {0};

    np_atomic_sweep(active->job->place.directory);
    for (size_t i = 0; i < active->job->n_files; i++)
        np_job_outputs(&active->job->file[i], NULL, &outputs);
    for (size_t i = 0; i < outputs.n; i++) {
        NP_AUTO(np_freep) char *folder = np_path_directory(outputs.item[i]);
        if (np_strings_have(&folders, folder))
            continue;
        np_strings_add(&folders, folder);
        NP_AUTO(np_freep) char *path = np_path_join(active->run->config->output_dir, folder);
        np_atomic_sweep(path);
    }
}

static int remove_completion(const struct np_active *active, struct np_error *err)
{
    const char *path = active->job->place.complete;

    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot remove the completion record",
                          path);
}

/* The state of the job since it was planned: 1 when another run has completed it, NP_ECONFIG
 * when another run completed it with other options. For a job without images another run makes
 * no difference. */
static int look_again(const struct np_active *active, struct np_error *err)
{
    const struct np_run *run = active->run;

    if (active->job->n_files == 0)
        return 0;
    NP_TRY(np_admission_still_holds(run->config, err));
    if (run->config->rerun == NP_RERUN_ALL)
        return 0;
    enum np_completeness found =
        np_plan_completeness(run->plan, run->config, active->job, NULL, NULL);
    if ((found == NP_OTHER_CONFIG || found == NP_OTHER_METHOD || found == NP_OTHER_MASK) &&
        run->config->rerun != NP_RERUN_OUTDATED)
        return np_error_set(err, NP_ECONFIG,
                            "'%s': already completed by another run with other options or masks; "
                            "give the two runs different output folders",
                            active->job->label);
    return found == NP_COMPLETE ||
           (found == NP_LACKS_ADDED && run->config->rerun != NP_RERUN_OUTDATED);
}

/* Write the first record; the session has started when this succeeds. */
static int begin_record(struct np_active *active, const struct np_span *run_span,
                        struct np_error *err)
{
    describe(active);
    sweep(active);
    NP_TRY(inherit(active, err));
    NP_TRY(remove_completion(active, err));
    open_span(active, run_span);
    return np_record_write(active->job->place.status, &active->record, err);
}

static void give_up(struct np_active *active, const struct np_error *why)
{
    np_active_settle_span(active, why);
    np_span_end(active->run->trace, &active->span);
    np_record_done(&active->record);
    np_lock_release(&active->lock);
}

int np_active_open(struct np_active *active, struct np_run *run, const struct np_job *job,
                   const struct np_span *run_span, struct np_error *err)
{
    np_active_init(active);
    active->run = run;
    active->job = job;
    active->start_ns = np_clock_mono_ns();
    NP_TRY(np_directory_make(job->place.directory, err));
    NP_TRY(np_lock_take(&active->lock, job->place.lock, err));
    int code = look_again(active, err);
    if (code != 0) {
        np_lock_release(&active->lock);
        return code;
    }
    code = begin_record(active, run_span, err);
    if (code < 0) {
        give_up(active, err);
        return code;
    }
    np_journal_open(&active->journal, job->place.log, run->id);
    active->phase = NP_PHASE_OPEN;
    return 0;
}
