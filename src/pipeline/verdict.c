#include "pipeline/verdict.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* Signals that only a bug of ours, or a failed check in a library, causes. */
static bool is_crash(int signal)
{
    return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGFPE ||
           signal == SIGILL;
}

/* The signal that stopped the run, or this worker alone; 0 = none. */
static int stopping_signal(const struct np_verdict_facts *facts)
{
    if (facts->run_signal)
        return facts->run_signal;
    for (size_t i = 0; i < facts->n_files; i++)
        if (facts->file[i].state == NP_STATE_INTERRUPTED)
            return facts->file[i].signal;
    return 0;
}

static struct np_verdict failed(enum np_verdict_reason reason, int code)
{
    return (struct np_verdict){.state =
                                   code == NP_ECANCELED ? NP_STATE_INTERRUPTED : NP_STATE_FAILED,
                               .reason = reason,
                               .code = code};
}

static struct np_verdict stopped(enum np_verdict_reason reason, int signal)
{
    struct np_verdict settled = failed(reason, NP_ECANCELED);

    settled.signal = signal;
    return settled;
}

/* A worker that ended before a file was finished, without being asked to. */
static struct np_verdict ended_without_result(int wait_status)
{
    struct np_verdict settled;

    if (WIFSIGNALED(wait_status)) {
        int signal = WTERMSIG(wait_status);
        settled = failed(NP_VERDICT_DIED, is_crash(signal) ? NP_EINTERNAL : NP_EKILLED);
        settled.signal = signal;
        return settled;
    }
    settled = failed(NP_VERDICT_ENDED, NP_EINTERNAL);
    settled.exit_status = WEXITSTATUS(wait_status);
    return settled;
}

struct np_verdict np_verdict_file(const struct np_verdict_facts *facts, size_t index)
{
    const struct np_verdict_reported *reported = &facts->file[index];
    int status = facts->wait_status, signal = stopping_signal(facts);

    if (reported->state != NP_STATE_RUNNING && reported->state != NP_STATE_NOT_STARTED)
        return (struct np_verdict){
            .state = reported->state, .code = reported->code, .signal = reported->signal};
    if (facts->code)
        return failed(NP_VERDICT_SESSION, facts->code);
    if (signal && facts->was_too_late)
        return stopped(NP_VERDICT_TOO_LATE, signal);
    bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool ended_by_it = WIFSIGNALED(status) && WTERMSIG(status) == signal;
    if (signal && (ended_well || ended_by_it))
        return stopped(NP_VERDICT_STOPPED, signal);
    return ended_without_result(status);
}

struct np_verdict np_verdict_session(const struct np_verdict_facts *facts,
                                     const struct np_verdict *file, size_t *from)
{
    struct np_verdict session = {.state =
                                     facts->n_files ? NP_STATE_SUCCESS : NP_STATE_NOTHING_TO_DO};

    *from = facts->n_files;
    if (facts->code)
        return failed(NP_VERDICT_SESSION, facts->code);
    for (size_t i = 0; i < facts->n_files && session.state != NP_STATE_FAILED; i++) {
        if (file[i].state == NP_STATE_SUCCESS)
            continue;
        session = file[i];
        *from = i;
    }
    return session;
}

struct np_verdict np_verdict_commit(struct np_verdict session, int write_code)
{
    return write_code < 0 ? failed(NP_VERDICT_SESSION, write_code) : session;
}

static void explain_death(const struct np_verdict *file, const struct np_verdict_words *words,
                          const char *stage, struct np_error *why)
{
    /* The kernel's count for the limit and that of wait4: 0.25 s apart at most, measured. */
    static const double CLOCKS_DIFFER_S = 0.5;

    if (file->signal == SIGKILL && words->cpu_s > words->cpu_limit_s - CLOCKS_DIFFER_S)
        np_error_set(why, file->code,
                     "'%s': the worker was killed in %s when it had used its %.0f s of CPU time "
                     "(ulimit -t); raise the limit",
                     words->label, stage, words->cpu_limit_s);
    else
        np_error_set(why, file->code,
                     "'%s': the worker died of signal %d (%s) in %s; its memory had reached %.0f "
                     "MiB",
                     words->label, file->signal, strsignal(file->signal), stage,
                     (double)words->peak_rss_bytes / (1 << 20));
}

void np_verdict_explain(const struct np_verdict *file, const struct np_verdict_words *words,
                        struct np_error *why)
{
    const char *stage = words->stage ? words->stage : "no stage";

    if (file->reason == NP_VERDICT_TOO_LATE)
        np_error_set(why, file->code,
                     "'%s': it did not stop within %d s of signal %d and was killed", words->path,
                     NP_STOP_GRACE_S, file->signal);
    else if (file->reason == NP_VERDICT_STOPPED)
        np_error_set(why, file->code, "'%s': stopped by signal %d before it was done", words->path,
                     file->signal);
    else if (file->reason == NP_VERDICT_DIED)
        explain_death(file, words, stage, why);
    else
        np_error_set(why, file->code,
                     "'%s': the worker ended by itself with status %d in %s, without a result",
                     words->label, file->exit_status, stage);
}
