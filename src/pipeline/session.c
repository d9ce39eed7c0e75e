#include "pipeline/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "codec/deflate.h"
#include "codec/sha256.h"
#include "image/nifti.h"
#include "pipeline/fault.h"
#include "pipeline/wire.h"
#include "pipeline/worker.h"
#include "record/survey.h"
#include "trace/names.h"

void np_active_identity(const struct np_active *active, struct np_attrs *attrs)
{
    const struct np_session *session = active->job->session;

    if (!session)
        return;
    np_attrs_string(attrs, NP_KEY_BIDS_PARTICIPANT, session->participant);
    np_attrs_string(attrs, NP_KEY_BIDS_SESSION, session->session);
}

static void show(struct np_active *active, const struct np_log_record *record)
{
    /* An error stands in the session's outcome, a line later: shown twice only to who asked for
     * more. */
    bool warning = record->severity >= NP_WARN && record->severity < NP_ERROR_LEVEL;
    int level = warning ? 0 : record->severity >= NP_INFO ? 1 : 2;

    np_console_say(active->run->console, level, "%s: %s%s", active->job->label,
                   warning ? "warning: " : "", record->body);
}

static void tell(struct np_active *active, const struct np_log_record *record)
{
    np_journal_write(&active->journal, record);
    np_trace_log_record(active->run->trace, record);
    show(active, record);
}

void np_active_log(struct np_active *active, enum np_severity severity, const char *text)
{
    struct np_log_record record = {
        .time_ns = np_clock_unix_ns(), .severity = severity, .body = np_utf8_clean(text)};

    if (active->span) {
        record.trace_id = active->span->trace_id;
        record.span_id = active->span->span_id;
    }
    np_active_identity(active, &record.attrs);
    tell(active, &record);
    np_log_record_done(&record);
}

/* What is known of a file before its worker has said a word. */
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

static void note_root(struct np_active *active, const struct np_span *span)
{
    active->root = (struct np_span){
        .trace_id = span->trace_id, .span_id = span->span_id, .flags = span->flags};
}

void np_active_settle_trace(struct np_active *active, struct np_span *root)
{
    bool sampled = np_sampler_keeps(&active->run->sampler, root);

    np_span_set_sampled(root, sampled);
    note_root(active, root);
    np_trace_tell_sampling(active->run->trace, &root->trace_id, sampled);
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
    note_root(active, active->span);
}

static struct np_file_record *find_file(struct np_session_record *record, const char *path)
{
    for (size_t f = 0; f < record->n_files; f++)
        if (strcmp(record->file[f].path, path) == 0)
            return &record->file[f];
    return NULL;
}

/* What an earlier success left of a file that is done again: it stays if the new try fails. */
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

/* The selected file that writes what `old` wrote: the same image under another name (.nii, and now
 * .nii.gz). NULL when there is none. */
static struct np_file_record *successor(struct np_active *active, const struct np_file_record *old)
{
    for (size_t i = 0; i < active->job->n_files; i++) {
        NP_AUTO(np_freep)
        char *preproc = np_job_output(&active->job->file[i], NP_DERIVATIVE_PREPROC);
        for (size_t k = 0; k < old->n_outputs; k++)
            if (strcmp(old->output[k].path, preproc) == 0)
                return &active->record.file[i];
        if (np_strings_have(&old->kept, preproc))
            return &active->record.file[i];
    }
    return NULL;
}

/* A file that is complete and was not asked for this time stays in the session's record. */
static int carry(struct np_active *active, struct np_file_record *old,
                 const struct np_session_record *old_record, struct np_error *err)
{
    struct np_session_record *record = &active->record;
    struct np_file_record *heir = successor(active, old);

    if (heir)
        note_kept(heir, old, old_record);
    if (heir || old->state != NP_STATE_SUCCESS)
        return 0;
    if (!old_record->config || strcmp(old_record->config, record->config) != 0)
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
 * An earlier record becomes an attempt of this one, and what it holds of other files stays. A
 * running one can only be a dead supervisor's: we hold the lock.
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

/* Leftovers of dead processes, where this session writes. */
static void sweep(const struct np_active *active)
{
    np_atomic_sweep(active->job->place.directory);
    for (size_t i = 0; i < active->job->n_files; i++) {
        NP_AUTO(np_freep)
        char *relative = np_job_output(&active->job->file[i], NP_DERIVATIVE_PREPROC);
        NP_AUTO(np_freep) char *path = np_path_join(active->run->config->output_dir, relative);
        NP_AUTO(np_freep) char *folder = np_path_directory(path);
        np_atomic_sweep(folder);
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

/* What became of the job since it was planned: 1 when another run has completed it, NP_ECONFIG when
 * it did with other options. Without images there is nothing that another can have done better. */
static int look_again(const struct np_active *active, struct np_error *err)
{
    const struct np_run *run = active->run;

    if (active->job->n_files == 0 || run->config->rerun == NP_RERUN_ALL)
        return 0;
    enum np_completeness found =
        np_plan_completeness(run->plan, run->config->output_dir, active->job, NULL);
    if ((found == NP_OTHER_CONFIG || found == NP_OTHER_METHOD) &&
        run->config->rerun != NP_RERUN_OUTDATED)
        return np_error_set(err, NP_ECONFIG,
                            "'%s': another run has completed it meanwhile, with other options; "
                            "give the two different output folders",
                            active->job->label);
    return found == NP_COMPLETE;
}

int np_active_open(struct np_active *active, struct np_run *run, const struct np_job *job,
                   const struct np_span *run_span, struct np_error *err)
{
    *active = (struct np_active){.run = run,
                                 .job = job,
                                 .worker = {.fd = -1},
                                 .journal = {.fd = -1},
                                 .start_ns = np_clock_mono_ns()};
    NP_TRY(np_directory_make(job->place.directory, err));
    NP_TRY(np_lock_take(&active->lock, job->place.lock, err));
    int code = look_again(active, err);
    if (code != 0) {
        np_lock_release(&active->lock);
        return code;
    }
    describe(active);
    sweep(active);
    code = inherit(active, err);
    if (code == 0)
        code = remove_completion(active, err);
    if (code == 0) {
        open_span(active, run_span);
        code = np_record_write(job->place.status, &active->record, err);
    }
    if (code < 0) {
        np_span_end(run->trace, &active->span);
        np_record_done(&active->record);
        np_lock_release(&active->lock);
        return code;
    }
    np_journal_open(&active->journal, job->place.log, run->id);
    return 0;
}

/* What the worker's process gets. */
struct start {
    const struct np_active *active;
    const struct np_span *run_span;
};

/* The worker's side of the fork. */
static int be_worker(void *context, int fd)
{
    const struct start *start = context;
    const struct np_active *active = start->active;
    const struct np_worker_task task = {
        .config = active->run->config,
        .plan = active->run->plan,
        .job = active->job,
        .resource = np_trace_resource(active->run->trace),
        .session = active->span,
        .run = start->run_span,
        .cancel = active->run->cancel,
        .fd = fd,
    };

    np_span_export_environment(active->span ? active->span : start->run_span);
    np_worker_run(&task);
    return EXIT_SUCCESS;
}

int np_active_fork(struct np_active *active, const struct np_span *run_span, struct np_error *err)
{
    struct start start = {.active = active, .run_span = run_span};
    const struct np_child_options worker = {
        .channel = NP_CHILD_PIPE,
        .signals = NP_CHILD_INHERITS_HANDLERS,
        .death_signal = SIGKILL, /* without its supervisor it would publish what nobody records */
        .run = be_worker,
        .context = &start,
    };

    int code = np_child_start(&worker, &active->worker, err);
    if (code < 0)
        np_error_context(err, "'%s': no worker", active->job->label);
    return code;
}

static void remember_open(struct np_active *active, struct np_span *span)
{
    active->open = np_xrealloc(active->open, (active->n_open + 1) * sizeof(*active->open));
    active->open[active->n_open++] = span;
}

static void forget_open(struct np_active *active, const struct np_span *ended)
{
    for (size_t i = 0; i < active->n_open; i++)
        if (memcmp(&active->open[i]->span_id, &ended->span_id, sizeof(ended->span_id)) == 0) {
            np_span_freep(&active->open[i]);
            active->open[i] = active->open[--active->n_open];
            return;
        }
}

static void take_span(struct np_active *active, const struct np_frame *frame)
{
    NP_AUTO(np_span_freep) struct np_span *span = NULL;

    if (!np_wire_span(frame, &span))
        return;
    if (!active->record.trace_id[0])
        np_trace_id_hex(&span->trace_id, active->record.trace_id);
    if (frame->type == NP_FRAME_SPAN_START) {
        np_trace_span_start(active->run->trace, span);
        remember_open(active, span);
        span = NULL;
        return;
    }
    if (np_span_id_is_zero(&span->parent_id))
        np_active_settle_trace(active, span);
    np_trace_span_end(active->run->trace, span);
    forget_open(active, span);
}

static void take_log(struct np_active *active, const struct np_frame *frame)
{
    struct np_log_record record;

    if (!np_wire_log(frame, &record))
        return;
    tell(active, &record);
    np_log_record_done(&record);
}

/* The worker knows nothing of what was kept. */
static void move_kept(struct np_file_record *from, struct np_file_record *to)
{
    np_strings_done(&to->kept);
    to->kept = from->kept;
    from->kept = (struct np_strings){0};
    memcpy(to->kept_input_sha256, from->kept_input_sha256, sizeof(to->kept_input_sha256));
    memcpy(to->kept_config_sha256, from->kept_config_sha256, sizeof(to->kept_config_sha256));
}

static void take_file(struct np_active *active, const struct np_frame *frame)
{
    NP_AUTO(np_freep) char *json = NULL;
    struct np_file_record file = {0};
    uint32_t index;

    if (!np_wire_file(frame, &index, &json) || index >= active->job->n_files ||
        np_file_record_parse(json, &file, NULL) < 0)
        return;
    move_kept(&active->record.file[index], &file);
    np_file_record_move(&file, &active->record.file[index]);
    np_active_heartbeat(active);
}

static void take_frames(struct np_active *active)
{
    size_t position = 0;
    struct np_frame frame;

    while (np_wire_next(&active->inbox, &position, &frame)) {
        if (frame.type == NP_FRAME_LOG)
            take_log(active, &frame);
        else if (frame.type == NP_FRAME_FILE)
            take_file(active, &frame);
        else
            take_span(active, &frame);
    }
    if (position > 0) {
        active->inbox.length -= position;
        memmove(active->inbox.text, active->inbox.text + position, active->inbox.length + 1);
    }
}

bool np_active_read(struct np_active *active)
{
    char buffer[65536];

    for (;;) {
        ssize_t n = read(active->worker.fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0) {
            np_child_close(&active->worker);
            return false;
        }
        np_str_add_bytes(&active->inbox, buffer, (size_t)n);
        take_frames(active);
    }
}

void np_active_heartbeat(struct np_active *active)
{
    active->record.heartbeat_ns = np_clock_unix_ns();
    active->record.wall_s = (double)(np_clock_mono_ns() - active->start_ns) * 1e-9;
    /* A failure here is not the end: the final write decides. */
    np_record_refresh(active->job->place.status, &active->record, NULL);
    np_lock_touch(&active->lock);
}

void np_active_fail(struct np_active *active, const struct np_error *why)
{
    np_failure_set(&active->record.failure, why, NULL);
    active->record.state = why->code == NP_ECANCELED ? NP_STATE_INTERRUPTED : NP_STATE_FAILED;
}
