#include "pipeline/run.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"
#include "codec/deflate.h"
#include "pipeline/committed.h"
#include "pipeline/fault.h"
#include "pipeline/open.h"
#include "pipeline/settled.h"
#include "pipeline/working.h"
#include "record/description.h"
#include "record/survey.h"
#include "trace/names.h"
#include "trace/process.h"

static const int64_t HEARTBEAT_NS = INT64_C(30) * 1000000000;
enum { POLL_S = 1 };

const char *np_run_codec(void)
{
    return np_codec_name();
}

void np_run_id(char id[40])
{
    uint8_t b[16];

    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) {
        struct np_random random;
        np_random_seed(&random, (uint64_t)np_clock_unix_ns(), (uint64_t)getpid());
        for (size_t i = 0; i < sizeof(b); i++)
            b[i] = (uint8_t)np_random_bits(&random);
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(id, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

/* Outputs with injected faults and real ones must not mix: what is there decides. */
static int check_injection(const struct np_run *run, struct np_error *err)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    if (!np_fault_enabled(run->config) ||
        np_survey_read(run->config->output_dir, &survey, NULL) < 0)
        return 0;
    for (size_t i = 0; i < survey.n_rows; i++)
        if (!survey.row[i].record.injected)
            return np_error_set(err, NP_EUSAGE,
                                "'%s': holds real results (%s); --fail-rate and --slow-stage want "
                                "an output of their own",
                                run->config->output_dir, survey.row[i].label);
    return 0;
}

int np_run_prepare(const struct np_run *run, struct np_error *err)
{
    const struct np_description description = {.output_dir = run->config->output_dir,
                                               .source = run->plan->dataset,
                                               .links = &run->config->dataset_links,
                                               .version = run->version};

    NP_TRY(check_injection(run, err));
    NP_TRY(np_directory_make(run->config->output_dir, err));
    np_atomic_sweep(run->config->output_dir);
    return np_description_write(&description, err);
}

/* The supervisor's own state. */
struct supervisor {
    struct np_run *run;
    struct np_span *span;     /* preprocess_run */
    struct np_active *active; /* n_slots; a free one has job NULL */
    size_t n_slots;
    size_t next_job;
    bool stop;        /* --stop-on-first-crash saw one */
    bool watch_ended; /* nobody is at the other end of run->watch any more */
    bool forwarded;   /* the signal went to the workers, at forwarded_ns (monotonic) */
    int64_t forwarded_ns;
    sigset_t open;   /* the signal mask that lets signals in */
    sigset_t closed; /* and the one that holds them back */
    int64_t beat_ns;
    int64_t collected_ns;    /* when metrics were collected last */
    pid_t *worker;           /* n_slots: for what is observed of them */
    struct np_failure first; /* of the sessions that failed */
    char *first_label;
    bool same_reason; /* all failures so far have first's outcome (and signal) */
};

static void note_failure(struct supervisor *s, const char *label, const struct np_failure *failure)
{
    if (!s->first.code) {
        np_failure_copy(failure, &s->first);
        s->first_label = np_xstrdup(label);
        s->same_reason = true;
        return;
    }
    if (np_error_outcome(s->first.code) != np_error_outcome(failure->code))
        s->same_reason = false;
}

static void note_error(struct supervisor *s, const struct np_job *job, const struct np_error *err)
{
    struct np_failure failure = {0};

    np_failure_set(&failure, err, NULL);
    note_failure(s, job->label, &failure);
    np_failure_done(&failure);
}

/* A session that could not even begin: its record was not touched, it may be another process's. */
static void refuse(struct supervisor *s, const struct np_job *job, const struct np_error *err)
{
    s->run->n_failed++;
    s->run->console->n_failed++;
    s->run->console->n_done++;
    np_metric_add(s->run->trace, &np_metric_queue_depth, -1, NULL, NULL);
    note_error(s, job, err);
    np_console_say(s->run->console, 0, "%s: not begun: %s", job->label, err->text);
    np_trace_log(s->run->trace, s->span, NP_ERROR_LEVEL, NULL,
                 job->session ? "%s: not begun: %s" : "'%s': not begun: %s", job->label, err->text);
}

static void pass_over(struct supervisor *s, const struct np_job *job)
{
    s->run->n_skipped++;
    s->run->console->n_done++;
    np_metric_add(s->run->trace, &np_metric_queue_depth, -1, NULL, NULL);
    np_console_say(s->run->console, 1, "%s: another run has completed it meanwhile, kept",
                   job->label);
}

static void count_result(struct supervisor *s, const struct np_active *active)
{
    struct np_run *run = s->run;
    const struct np_session_record *record = &active->record;

    run->console->n_done++;
    switch (record->state) {
    case NP_STATE_SUCCESS:
        run->n_success++;
        break;
    case NP_STATE_NOTHING_TO_DO:
        run->n_nothing++;
        break;
    case NP_STATE_INTERRUPTED:
        run->n_interrupted++;
        note_failure(s, active->job->label, &record->failure);
        break;
    default:
        run->n_failed++;
        run->console->n_failed++;
        note_failure(s, active->job->label, &record->failure);
        s->stop = s->stop || run->config->stop_on_first_crash;
    }
}

/* The kernel's count of a worker's memory covers the stage that it died in. */
static void finish(struct supervisor *s, struct np_active *active)
{
    struct np_child_end end;

    np_trace_settle(s->run->trace);
    np_child_wait(&active->worker, INT64_MAX, &end);
    np_active_settle(active, &end);
    np_active_commit(active);
    np_metric_add(s->run->trace, &np_metric_sessions_active, -1, NULL, NULL);
    count_result(s, active);
    np_record_done(&active->record);
    *active = (struct np_active){.worker = {.fd = -1}};
}

/* A session without images has no worker: its record says so at once. */
static void begin(struct supervisor *s, const struct np_job *job, struct np_active *slot)
{
    struct np_error err = {0};
    int opened = np_active_open(slot, s->run, job, s->span, &err);

    if (opened != 0) {
        *slot = (struct np_active){.worker = {.fd = -1}};
        if (opened < 0)
            refuse(s, job, &err);
        else
            pass_over(s, job);
        return;
    }
    np_metric_add(s->run->trace, &np_metric_queue_depth, -1, NULL, NULL);
    np_metric_add(s->run->trace, &np_metric_sessions_active, 1, NULL, NULL);
    if (job->n_files == 0) {
        if (job->session && job->session->unreadable) {
            np_error_set(&err, NP_ENOINPUT, "%s", job->session->unreadable);
            np_active_fail(slot, &err);
        }
        finish(s, slot);
        return;
    }
    np_console_say(s->run->console, 1, "%s: begun", job->label);
    np_trace_settle(s->run->trace);
    if (np_active_fork(slot, s->span, &err) < 0) {
        np_active_fail(slot, &err);
        finish(s, slot);
        s->stop = true; /* the next ones would fare no better, and lose their completion */
    }
}

static struct np_active *free_slot(struct supervisor *s)
{
    for (size_t i = 0; i < s->n_slots; i++)
        if (!s->active[i].job)
            return &s->active[i];
    return NULL;
}

/* Signals come in here and while waiting, nowhere else: sessions that take no waiting (nothing to
 * do, refused) do not keep a run from being stopped. */
static bool may_begin(const struct supervisor *s)
{
    sigprocmask(SIG_SETMASK, &s->open, NULL);
    sigprocmask(SIG_SETMASK, &s->closed, NULL);
    return !s->stop && !s->run->cancel->signal;
}

static void begin_more(struct supervisor *s)
{
    struct np_active *slot;

    while (may_begin(s) && s->next_job < s->run->plan->n_jobs && (slot = free_slot(s))) {
        const struct np_job *job = &s->run->plan->job[s->next_job++];
        if (job->decision == NP_DECIDE_RUN || job->decision == NP_DECIDE_NOTHING_TO_DO)
            begin(s, job, slot);
    }
}

static size_t n_active(const struct supervisor *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_slots; i++)
        n += s->active[i].job != NULL;
    return n;
}

static void forward_signal(struct supervisor *s)
{
    if (!s->run->cancel->signal || s->forwarded)
        return;
    s->forwarded = true;
    s->forwarded_ns = np_clock_mono_ns();
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->active[i].worker.pid > 0)
            kill(s->active[i].worker.pid, (int)s->run->cancel->signal);
    np_console_say(s->run->console, 0, "signal %d: stopping %zu sessions",
                   (int)s->run->cancel->signal, n_active(s));
}

/* A worker that hangs, in a file system that does not answer or in a bug of ours, must not keep the
 * others' ends from being told before whoever sent the signal kills us all. */
static void kill_the_deaf(struct supervisor *s)
{
    bool is_over = s->forwarded &&
                   np_clock_mono_ns() - s->forwarded_ns > NP_STOP_GRACE_S * INT64_C(1000000000);

    for (size_t i = 0; is_over && i < s->n_slots; i++) {
        struct np_active *active = &s->active[i];
        if (active->worker.pid > 0 && !active->was_deaf && kill(active->worker.pid, SIGKILL) == 0)
            active->was_deaf = true;
    }
}

static void heartbeats(struct supervisor *s)
{
    if (np_clock_mono_ns() - s->beat_ns < HEARTBEAT_NS)
        return;
    s->beat_ns = np_clock_mono_ns();
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->active[i].job)
            np_active_heartbeat(&s->active[i]);
}

/* What is read when metrics are collected. */
static void observe(void *self, struct np_trace *trace)
{
    struct supervisor *s = self;

    for (size_t i = 0; i < s->n_slots; i++)
        s->worker[i] = s->active[i].worker.pid;
    np_process_measure(trace, s->worker, s->n_slots);
    np_metric_set(trace, &np_metric_memory_limit, (double)s->run->plan->memory_bytes, NULL);
}

static void collect_at_times(struct supervisor *s)
{
    double interval_s = s->run->metric_interval_s;

    if (interval_s <= 0 || (double)(np_clock_mono_ns() - s->collected_ns) * 1e-9 < interval_s)
        return;
    s->collected_ns = np_clock_mono_ns();
    np_trace_collect(s->run->trace);
}

/* Signals are let in only while waiting, so that none falls between a look at `cancel` and the
 * wait. */
static void wait_for_news(struct supervisor *s)
{
    const struct np_run_watch *watch = &s->run->watch;
    struct pollfd *fds = np_xcalloc(s->n_slots + 1, sizeof(*fds));
    const struct timespec timeout = {.tv_sec = POLL_S};

    for (size_t i = 0; i < s->n_slots; i++)
        fds[i] =
            (struct pollfd){.fd = s->active[i].job ? s->active[i].worker.fd : -1, .events = POLLIN};
    bool is_watching = watch->ready && !s->watch_ended;
    fds[s->n_slots] = (struct pollfd){.fd = is_watching ? watch->fd : -1, .events = POLLIN};
    np_trace_settle(s->run->trace);
    int n = s->run->cancel->signal && !s->forwarded
                ? 0
                : ppoll(fds, (nfds_t)s->n_slots + 1, &timeout, &s->open);
    if (n > 0 && fds[s->n_slots].revents & (POLLHUP | POLLERR | POLLNVAL))
        s->watch_ended = true; /* it would be ready for ever */
    else if (n > 0 && fds[s->n_slots].revents & POLLIN)
        watch->ready(watch->self);
    for (size_t i = 0; n > 0 && i < s->n_slots; i++)
        if (fds[i].revents && !np_active_read(&s->active[i]))
            finish(s, &s->active[i]);
    free(fds);
}

static void supervise(struct supervisor *s)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGXCPU};

    sigprocmask(SIG_SETMASK, NULL, &s->open);
    s->closed = s->open;
    for (size_t i = 0; i < NP_COUNT(signals); i++) {
        sigdelset(&s->open, signals[i]); /* a launcher may have left them blocked */
        sigaddset(&s->closed, signals[i]);
    }
    sigprocmask(SIG_SETMASK, &s->closed, NULL);
    begin_more(s);
    while (n_active(s) > 0) {
        s->run->console->n_active = n_active(s);
        np_console_progress(s->run->console);
        wait_for_news(s);
        forward_signal(s);
        kill_the_deaf(s);
        heartbeats(s);
        collect_at_times(s);
        begin_more(s);
    }
    sigprocmask(SIG_SETMASK, &s->open, NULL);
    for (; s->next_job < s->run->plan->n_jobs; s->next_job++)
        s->run->n_not_started += s->run->plan->job[s->next_job].decision == NP_DECIDE_RUN;
}

static int exit_status(const struct supervisor *s)
{
    const struct np_run *run = s->run;
    size_t n_bad = run->n_failed + run->n_interrupted;
    size_t n_tried = n_bad + run->n_success + run->n_skipped;
    size_t n_selected = n_tried + run->n_not_started;

    if (run->cancel->signal)
        return 128 + (int)run->cancel->signal;
    if (n_bad == 0) {
        bool nothing = run->n_nothing > 0 && n_tried == 0 && !run->config->allow_empty;
        return np_outcome_info(nothing ? NP_OUTCOME_NOTHING_SELECTED : NP_OUTCOME_OK)->exit_status;
    }
    enum np_outcome outcome = np_error_outcome(s->first.code);
    bool all_alike = s->same_reason && n_bad == n_selected;
    if (all_alike && outcome == NP_OUTCOME_INTERRUPTED && s->first.signal)
        return 128 + s->first.signal;
    if (all_alike && outcome != NP_OUTCOME_KILLED)
        return np_outcome_info(outcome)->exit_status;
    return np_outcome_info(NP_OUTCOME_SOME_FAILED)->exit_status;
}

/* "stage: sentence. What to do: …" of the first failure, and how many more there are. */
static void say_failures(const struct supervisor *s)
{
    const struct np_run *run = s->run;
    size_t n_bad = run->n_failed + run->n_interrupted;
    NP_AUTO(np_str_done) struct np_str line = {0};

    np_str_addf(&line, "%s: ", s->first_label);
    NP_AUTO(np_freep) char *failure = np_failure_text(&s->first);
    np_str_add(&line, failure);
    if (n_bad > 1)
        np_str_addf(&line, " — and %zu more of %zu sessions%s; see: neuro-preprocess status '%s'",
                    n_bad - 1, n_bad + run->n_success + run->n_skipped + run->n_nothing,
                    s->same_reason ? ", for the same reason" : "", run->config->output_dir);
    if (run->n_not_started)
        np_str_addf(&line, "; %zu not started", run->n_not_started);
    np_str_addf(&line, ". What to do: %s", s->first.hint ? s->first.hint : "see the log");
    np_console_fail(run->console, "%s", np_str_text(&line));
}

static void say_summary(const struct supervisor *s)
{
    const struct np_run *run = s->run;
    double elapsed_s = (double)(np_clock_mono_ns() - run->console->start_ns) * 1e-9;
    bool asked_for = run->config->allow_empty;

    np_console_say(run->console, 0,
                   "%zu complete, %zu were complete already, %zu failed, %zu interrupted, %zu with "
                   "nothing to do, %zu not started; %.1f s",
                   run->n_success, run->n_skipped, run->n_failed, run->n_interrupted,
                   run->n_nothing, run->n_not_started, elapsed_s);
    if (s->first.code)
        say_failures(s);
    else if (run->exit_status && run->n_nothing && !asked_for)
        np_console_fail(run->console,
                        "%zu sessions hold no image of the modalities asked for. What to do: check "
                        "--modalities and the filters, or pass --allow-empty",
                        run->n_nothing);
}

static void open_run_span(struct supervisor *s)
{
    s->span = np_span_new(NP_SPAN_RUN, NULL);
    if (!s->run->joins_no_parent)
        np_span_join_environment(s->span);
    np_attrs_string(&s->span->attrs, NP_KEY_NEURO_RUN_ID, s->run->id);
    if (np_fault_enabled(s->run->config))
        np_attrs_bool(&s->span->attrs, NP_KEY_NEURO_INJECTED, true);
    np_span_begin(s->run->trace, s->span);
}

static void close_run_span(struct supervisor *s)
{
    np_attrs_int(&s->span->attrs, NP_KEY_PROCESS_EXIT_CODE, s->run->exit_status);
    if (s->first.code) {
        struct np_error why = {0};
        np_error_set(&why, s->first.code, "%zu sessions failed, %zu were interrupted",
                     s->run->n_failed, s->run->n_interrupted);
        np_span_fail(s->span, &why);
    } else {
        s->span->status = NP_STATUS_OK;
    }
    bool sampled = np_sampler_keeps(&s->run->sampler, s->span);
    np_span_set_sampled(s->span, sampled);
    np_trace_tell_sampling(s->run->trace, &s->span->trace_id, sampled);
    np_span_end(s->run->trace, &s->span);
}

static void count_skipped(struct np_run *run)
{
    for (size_t i = 0; i < run->plan->n_jobs; i++) {
        const struct np_job *job = &run->plan->job[i];
        if (job->decision != NP_DECIDE_SKIP)
            continue;
        run->n_skipped++;
        np_console_say(run->console, 1, "%s: complete already, kept", job->label);
    }
}

/* Counters begin at zero, so that the first failure is a step that a server sees. */
static void begin_metrics(struct supervisor *s)
{
    static const char *const outcomes[] = {"success", "failed"};
    const struct np_run *run = s->run;
    double n_planned = (double)run->console->n_total;

    np_metric_set(run->trace, &np_metric_sessions_planned, n_planned, NULL);
    np_metric_add(run->trace, &np_metric_queue_depth, n_planned, NULL, NULL);
    np_metric_add(run->trace, &np_metric_sessions_active, 0, NULL, NULL);
    for (size_t i = 0; i < NP_COUNT(outcomes); i++) {
        NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
        np_attrs_string(&attrs, NP_KEY_NEURO_STATUS, outcomes[i]);
        np_metric_add(run->trace, &np_metric_sessions_processed, 0, &attrs, NULL);
        for (size_t m = 0; m < run->config->modalities.n; m++) {
            np_attrs_string(&attrs, NP_KEY_BIDS_SUFFIX, run->config->modalities.item[m]);
            np_metric_add(run->trace, &np_metric_files_processed, 0, &attrs, NULL);
        }
    }
    np_trace_add_observer(run->trace, observe, s);
    np_trace_collect(run->trace);
    s->collected_ns = np_clock_mono_ns();
}

void np_run_execute(struct np_run *run)
{
    struct supervisor s = {
        .run = run, .n_slots = (size_t)run->plan->n_parallel, .beat_ns = np_clock_mono_ns()};

    s.active = np_xcalloc(s.n_slots, sizeof(*s.active));
    s.worker = np_xcalloc(s.n_slots, sizeof(*s.worker));
    for (size_t i = 0; i < s.n_slots; i++)
        s.active[i].worker.fd = -1;
    run->console->n_total = run->plan->n_run + run->plan->n_nothing;
    open_run_span(&s);
    begin_metrics(&s);
    count_skipped(run);
    supervise(&s);
    run->exit_status = exit_status(&s);
    close_run_span(&s);
    np_trace_collect(run->trace);
    np_trace_remove_observer(run->trace, &s);
    say_summary(&s);
    np_console_end(run->console);
    np_failure_done(&s.first);
    free(s.first_label);
    free(s.active);
    free(s.worker);
}
