#include "pipeline/supervisor.h"

#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/exec.h"
#include "pipeline/cohort_event.h"
#include "pipeline/committed.h"
#include "pipeline/open.h"
#include "pipeline/settled.h"
#include "pipeline/targets.h"
#include "pipeline/verdict.h"
#include "trace/names.h"

static const int64_t HEARTBEAT_NS = INT64_C(30) * 1000000000;
enum { POLL_S = 1 };

void np_supervisor_init(struct np_supervisor *s, struct np_run *run, const struct np_span *run_span)
{
    *s = (struct np_supervisor){.run = run,
                                .span = run_span,
                                .n_slots = (size_t)run->plan->n_parallel,
                                .beat_ns = np_clock_mono_ns(),
                                .collected_ns = np_clock_mono_ns()};
    s->active = np_xcalloc(s->n_slots, sizeof(*s->active));
    for (size_t i = 0; i < s->n_slots; i++)
        np_active_init(&s->active[i]);
}

void np_supervisor_done(struct np_supervisor *s)
{
    for (size_t i = 0; i < s->n_deferred; i++)
        np_failure_done(&s->deferred[i].why);
    free(s->deferred);
    free(s->active);
    *s = (struct np_supervisor){0};
}

void np_supervisor_workers(const struct np_supervisor *s, pid_t *pid)
{
    for (size_t i = 0; i < s->n_slots; i++)
        pid[i] = s->active[i].working.worker.pid;
}

static void count(struct np_supervisor *s, const char *label, enum np_state state,
                  const struct np_failure *failure)
{
    struct np_console *console = s->run->console;

    np_results_add(&s->run->results, label, state, failure);
    console->n_failed = s->run->results.n_failed;
    console->n_done++;
}

/* Another run is working on the session: it may be complete when we look again. */
static void defer(struct np_supervisor *s, const struct np_job *job, const struct np_error *err)
{
    s->deferred = np_xrealloc(s->deferred, (s->n_deferred + 1) * sizeof(*s->deferred));
    struct np_deferred *deferred = &s->deferred[s->n_deferred++];
    *deferred = (struct np_deferred){.job = job};
    np_failure_set(&deferred->why, err, NULL);
    np_console_print(s->run->console, 1,
                     "%s: another run is working on it; it is looked at again later", job->label);
}

/* Another run still works on the session that was deferred last. */
static void leave_elsewhere(struct np_supervisor *s, const struct np_deferred *deferred)
{
    count(s, deferred->job->label, NP_STATE_ELSEWHERE, &deferred->why);
    np_metric_add(s->run->trace, &np_metric_queue_depth, -1, NULL, NULL);
    np_trace_log(s->run->trace, s->span, NP_WARN, NULL, "%s: not started: %s", deferred->job->label,
                 deferred->why.sentence);
}

/* A full disk fails every further session, each after its whole work: none is begun. */
static void stop_on_full_disk(struct np_supervisor *s, const struct np_failure *failure)
{
    if (failure->code != NP_ESPACE || s->begins_no_more)
        return;
    s->begins_no_more = true;
    np_console_print(s->run->console, 0, "no room left for outputs: no further session is begun");
}

/* A session that could not start: its record is unchanged, because it may belong to another
 * process. */
static void refuse(struct np_supervisor *s, const struct np_job *job, const struct np_error *err)
{
    struct np_failure failure = {0};

    np_failure_set(&failure, err, NULL);
    count(s, job->label, NP_STATE_FAILED, &failure);
    stop_on_full_disk(s, &failure);
    np_failure_done(&failure);
    np_metric_add(s->run->trace, &np_metric_queue_depth, -1, NULL, NULL);
    np_console_print(s->run->console, 0, "%s: not started: %s", job->label, err->text);
    np_trace_log(s->run->trace, s->span, NP_ERROR_LEVEL, NULL,
                 job->session ? "%s: not started: %s" : "'%s': not started: %s", job->label,
                 err->text);
}

static void pass_over(struct np_supervisor *s, const struct np_job *job)
{
    count(s, job->label, NP_STATE_SKIPPED, NULL);
    np_metric_add(s->run->trace, &np_metric_queue_depth, -1, NULL, NULL);
    np_console_print(s->run->console, 1, "%s: already completed by another run, kept", job->label);
}

/* The failure that counts for the run: a full disk before others, because it stops the run. */
static const struct np_failure *failure_of(const struct np_session_record *record)
{
    for (size_t f = 0; f < record->n_files; f++)
        if (record->file[f].failure.code == NP_ESPACE)
            return &record->file[f].failure;
    return &record->failure;
}

static void commit(struct np_supervisor *s, struct np_active *active)
{
    np_active_commit(active);
    np_metric_add(s->run->trace, &np_metric_sessions_active, -1, NULL, NULL);
    count(s, active->job->label, active->record.state, failure_of(&active->record));
    s->run->results.n_warned += np_record_is_warned(&active->record);
    stop_on_full_disk(s, failure_of(&active->record));
    s->begins_no_more = s->begins_no_more || (active->record.state == NP_STATE_FAILED &&
                                              s->run->config->stop_on_first_crash);
    np_record_done(&active->record);
    np_active_init(active);
}

/* The worker has ended, or there was none. */
static void finish(struct np_supervisor *s, struct np_active *active)
{
    np_trace_settle(s->run->trace);
    np_active_settle(active);
    if (!np_active_report(active))
        commit(s, active);
}

/* Advance a session as far as the data from its child allow. */
static void advance(struct np_supervisor *s, struct np_active *active, bool has_news)
{
    if (active->phase == NP_PHASE_WORKING && has_news && !np_active_read(active))
        finish(s, active);
    else if (active->phase == NP_PHASE_REPORTING && np_active_report_is_over(active))
        commit(s, active);
}

/* The job was not opened (np_active_open returned `opened`). */
static void not_opened(struct np_supervisor *s, const struct np_job *job, int opened,
                       const struct np_error *err)
{
    if (opened > 0)
        pass_over(s, job);
    else if (opened != NP_ELOCKED)
        refuse(s, job, err);
    else if (s->looks_again)
        leave_elsewhere(s, &s->deferred[s->next_deferred - 1]);
    else
        defer(s, job, err);
}

/* The session fails before any work of its own: its record is final at once. */
static void fail_at_once(struct np_supervisor *s, struct np_active *slot,
                         const struct np_error *why)
{
    np_active_fail(slot, why);
    finish(s, slot);
}

/* A session without images has no worker: its record is final at once. */
static void begin(struct np_supervisor *s, const struct np_job *job, struct np_active *slot)
{
    struct np_error err = {0}, refused = {0};
    NP_AUTO(np_targets_seen_done) struct np_targets_seen seen = {0};

    np_targets_look(s->run->config, job, &seen); /* first: what comes later is noticed */
    /* by the records as they are before this attempt, and by what is there now */
    bool is_refused = np_targets_check(s->run->config, job, &refused) < 0;
    int opened = np_active_open(slot, s->run, job, s->span, &err);

    if (opened != 0) {
        np_active_init(slot);
        not_opened(s, job, opened, &err);
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
    if (is_refused) {
        fail_at_once(s, slot, &refused);
        return;
    }
    np_console_print(s->run->console, 1, "%s: started", job->label);
    np_trace_settle(s->run->trace);
    if (np_active_work(slot, s->span, &seen, &err) < 0) {
        np_active_fail(slot, &err);
        finish(s, slot);
        /* the next sessions would fail too, and lose their completion records */
        s->begins_no_more = true;
    }
}

static struct np_active *free_slot(struct np_supervisor *s)
{
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->active[i].phase == NP_PHASE_NONE)
            return &s->active[i];
    return NULL;
}

/* Signals are delivered here and while waiting, and nowhere else. So sessions that need no
 * waiting (without images, refused) cannot delay the stop of a run. */
static bool may_begin(const struct np_supervisor *s)
{
    sigprocmask(SIG_SETMASK, &s->open, NULL);
    sigprocmask(SIG_SETMASK, &s->closed, NULL);
    return !s->begins_no_more && !s->run->cancel->signal;
}

static size_t n_active(const struct np_supervisor *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_slots; i++)
        n += s->active[i].phase != NP_PHASE_NONE;
    return n;
}

static bool is_to_do(const struct np_job *job)
{
    return job->decision == NP_DECIDE_RUN || job->decision == NP_DECIDE_NOTHING_TO_DO;
}

/* The next job whose turn it is, NULL when there is none yet. The deferred ones have their turn
 * when all others are done, so that the other run has had most time. */
static const struct np_job *take_job(struct np_supervisor *s)
{
    const struct np_plan *plan = s->run->plan;

    while (s->next_job < plan->n_jobs)
        if (is_to_do(&plan->job[s->next_job++]))
            return &plan->job[s->next_job - 1];
    s->looks_again = s->looks_again || n_active(s) == 0;
    if (s->looks_again && s->next_deferred < s->n_deferred)
        return s->deferred[s->next_deferred++].job;
    return NULL;
}

static void begin_more(struct np_supervisor *s)
{
    const struct np_job *job;
    struct np_active *slot;

    while (may_begin(s) && (slot = free_slot(s)) && (job = take_job(s)))
        begin(s, job, slot);
}

static void forward_signal(struct np_supervisor *s)
{
    if (!s->run->cancel->signal || s->forwarded)
        return;
    s->forwarded = true;
    s->forwarded_ns = np_clock_mono_ns();
    for (size_t i = 0; i < s->n_slots; i++)
        np_active_stop(&s->active[i], (int)s->run->cancel->signal);
    np_console_print(s->run->console, 0, "signal %d: stopping %zu session%s",
                     (int)s->run->cancel->signal, n_active(s), np_plural((int64_t)n_active(s)));
    np_cohort_event_log(s->run->trace, s->span, NP_COHORT_KILL, 0, n_active(s),
                        "stopped by a signal");
}

/* Kill workers that did not stop in time, because of a hanging file system or a bug. They must
 * not delay the records of the other sessions until the scheduler kills all of us. */
static void kill_late_ones(struct np_supervisor *s)
{
    if (!s->forwarded ||
        np_clock_mono_ns() - s->forwarded_ns <= NP_STOP_GRACE_S * INT64_C(1000000000))
        return;
    for (size_t i = 0; i < s->n_slots; i++)
        np_active_kill_late(&s->active[i]);
}

static void heartbeats(struct np_supervisor *s)
{
    if (np_clock_mono_ns() - s->beat_ns < HEARTBEAT_NS)
        return;
    s->beat_ns = np_clock_mono_ns();
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->active[i].phase != NP_PHASE_NONE)
            np_active_heartbeat(&s->active[i]);
}

static void collect_at_times(struct np_supervisor *s)
{
    double interval_s = s->run->metric_interval_s;

    if (interval_s <= 0 || (double)(np_clock_mono_ns() - s->collected_ns) * 1e-9 < interval_s)
        return;
    s->collected_ns = np_clock_mono_ns();
    np_trace_collect(s->run->trace);
}

/* Signals are delivered only while waiting, so that none comes between the test of `cancel` and
 * the wait. */
static void wait_for_events(struct np_supervisor *s)
{
    const struct np_run_watch *watch = &s->run->watch;
    struct pollfd *fds = np_xcalloc(s->n_slots + 1, sizeof(*fds));
    const struct timespec timeout = {.tv_sec = POLL_S};

    for (size_t i = 0; i < s->n_slots; i++)
        fds[i] = (struct pollfd){.fd = np_active_fd(&s->active[i]), .events = POLLIN};
    bool is_watching = watch->ready && !s->watch_ended;
    fds[s->n_slots] = (struct pollfd){.fd = is_watching ? watch->fd : -1, .events = POLLIN};
    np_trace_settle(s->run->trace);
    int n = s->run->cancel->signal && !s->forwarded
                ? 0
                : ppoll(fds, (nfds_t)s->n_slots + 1, &timeout, &s->open);
    if (n > 0 && fds[s->n_slots].revents & (POLLHUP | POLLERR | POLLNVAL))
        s->watch_ended = true; /* otherwise it would stay readable */
    else if (n > 0 && fds[s->n_slots].revents & POLLIN)
        watch->ready(watch->self);
    for (size_t i = 0; i < s->n_slots; i++)
        advance(s, &s->active[i], n > 0 && fds[i].revents);
    free(fds);
}

/* The run was stopped before these had their turn. */
static void count_unbegun(struct np_supervisor *s)
{
    for (; s->next_job < s->run->plan->n_jobs; s->next_job++) {
        const struct np_job *job = &s->run->plan->job[s->next_job];
        if (job->decision == NP_DECIDE_RUN)
            np_results_add(&s->run->results, job->label, NP_STATE_NOT_STARTED, NULL);
    }
    for (; s->next_deferred < s->n_deferred; s->next_deferred++)
        leave_elsewhere(s, &s->deferred[s->next_deferred]);
}

void np_supervise(struct np_supervisor *s)
{
    sigprocmask(SIG_SETMASK, NULL, &s->open);
    s->closed = s->open;
    for (size_t i = 0; i < NP_N_STOP_SIGNALS; i++) {
        sigdelset(&s->open, np_stop_signals[i]); /* a launcher may have blocked them */
        sigaddset(&s->closed, np_stop_signals[i]);
    }
    sigprocmask(SIG_SETMASK, &s->closed, NULL);
    begin_more(s);
    while (n_active(s) > 0) {
        s->run->console->n_active = n_active(s);
        np_console_progress(s->run->console);
        wait_for_events(s);
        forward_signal(s);
        kill_late_ones(s);
        heartbeats(s);
        collect_at_times(s);
        begin_more(s);
    }
    sigprocmask(SIG_SETMASK, &s->open, NULL);
    count_unbegun(s);
}
