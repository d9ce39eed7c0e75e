/* The final states of sessions: one table of all events, and of the states that follow. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/verdict.h"
#include "tap.h"

enum { MOST_FILES = 3 };

/* As the worker said it last. */
#define SUCCESS                \
    {                          \
        NP_STATE_SUCCESS, 0, 0 \
    }
#define RUNNING                \
    {                          \
        NP_STATE_RUNNING, 0, 0 \
    }
#define UNREACHED                  \
    {                              \
        NP_STATE_NOT_STARTED, 0, 0 \
    }
#define BAD                            \
    {                                  \
        NP_STATE_FAILED, NP_EFORMAT, 0 \
    }
#define UNFIT                          \
    {                                  \
        NP_STATE_FAILED, NP_EMETHOD, 0 \
    }
#define STOPPED_BY(signal)                           \
    {                                                \
        NP_STATE_INTERRUPTED, NP_ECANCELED, (signal) \
    }

#define STATUS(n) ((n) << 8) /* the wait status of exit(n); that of a signal is its number */

struct row {
    const char *what;
    size_t n_files;
    struct np_verdict_reported said[MOST_FILES];
    int session_code, wait_status, run_signal;
    bool was_too_late;
    int write_code;
    /* what is expected: the last file, and the session */
    enum np_state file_state;
    enum np_verdict_reason reason;
    int file_code, file_signal;
    enum np_state state;
    int code, signal;
};

/* The same expectation of a row's last file and of its session. */
#define BOTH_DONE .file_state = NP_STATE_SUCCESS, .state = NP_STATE_SUCCESS
#define BOTH_FAILED(why, code_, signal_)                                  \
    .file_state = NP_STATE_FAILED, .reason = (why), .file_code = (code_), \
    .file_signal = (signal_), .state = NP_STATE_FAILED, .code = (code_), .signal = (signal_)
#define BOTH_STOPPED(why)                                                           \
    .file_state = NP_STATE_INTERRUPTED, .reason = (why), .file_code = NP_ECANCELED, \
    .file_signal = SIGTERM, .state = NP_STATE_INTERRUPTED, .code = NP_ECANCELED, .signal = SIGTERM

static const struct row rows[] = {
    /* Working: all goes well, or a stage fails. */
    {.what = "all files are done", .n_files = 2, .said = {SUCCESS, SUCCESS}, BOTH_DONE},
    {.what = "a bad image fails its session, the other file stays",
     .n_files = 2,
     .said = {BAD, SUCCESS},
     .file_state = NP_STATE_SUCCESS,
     .state = NP_STATE_FAILED,
     .code = NP_EFORMAT},
    {.what = "the first failure is the session's",
     .n_files = 2,
     .said = {BAD, UNFIT},
     .file_state = NP_STATE_FAILED,
     .file_code = NP_EMETHOD,
     .state = NP_STATE_FAILED,
     .code = NP_EFORMAT},
    {.what = "a session without images", .state = NP_STATE_NOTHING_TO_DO},
    /* Open: there is no worker. */
    {.what = "open: no process for a worker",
     .n_files = 1,
     .said = {UNREACHED},
     .session_code = NP_EBUSY,
     BOTH_FAILED(NP_VERDICT_SESSION, NP_EBUSY, 0)},
    {.what = "open: no process for a worker, and TERM at once",
     .n_files = 1,
     .said = {UNREACHED},
     .session_code = NP_EBUSY,
     .run_signal = SIGTERM,
     BOTH_FAILED(NP_VERDICT_SESSION, NP_EBUSY, 0)},
    {.what = "open: a folder that cannot be read fails a session without images",
     .session_code = NP_ENOINPUT,
     .state = NP_STATE_FAILED,
     .code = NP_ENOINPUT},
    {.what = "open: killed before it said a word",
     .n_files = 1,
     .said = {UNREACHED},
     .wait_status = SIGKILL,
     BOTH_FAILED(NP_VERDICT_DIED, NP_EKILLED, SIGKILL)},
    {.what = "open: TERM before it said a word",
     .n_files = 1,
     .said = {UNREACHED},
     .run_signal = SIGTERM,
     BOTH_STOPPED(NP_VERDICT_STOPPED)},
    /* Working. */
    {.what = "working: killed in the second file",
     .n_files = 2,
     .said = {SUCCESS, RUNNING},
     .wait_status = SIGKILL,
     BOTH_FAILED(NP_VERDICT_DIED, NP_EKILLED, SIGKILL)},
    {.what = "working: a crash is a bug",
     .n_files = 1,
     .said = {RUNNING},
     .wait_status = SIGSEGV,
     BOTH_FAILED(NP_VERDICT_DIED, NP_EINTERNAL, SIGSEGV)},
    {.what = "working: an end without a result is a bug",
     .n_files = 1,
     .said = {RUNNING},
     .wait_status = STATUS(3),
     BOTH_FAILED(NP_VERDICT_ENDED, NP_EINTERNAL, 0)},
    {.what = "working: even with status 0",
     .n_files = 1,
     .said = {RUNNING},
     BOTH_FAILED(NP_VERDICT_ENDED, NP_EINTERNAL, 0)},
    {.what = "working: TERM, and the stage said so",
     .n_files = 2,
     .said = {STOPPED_BY(SIGTERM), UNREACHED},
     .run_signal = SIGTERM,
     BOTH_STOPPED(NP_VERDICT_STOPPED)},
    {.what = "working: TERM reached this worker alone",
     .n_files = 2,
     .said = {STOPPED_BY(SIGTERM), UNREACHED},
     BOTH_STOPPED(NP_VERDICT_STOPPED)},
    {.what = "working: the signal itself ended the worker",
     .n_files = 1,
     .said = {RUNNING},
     .wait_status = SIGTERM,
     .run_signal = SIGTERM,
     BOTH_STOPPED(NP_VERDICT_STOPPED)},
    {.what = "working: TERM, and it did not stop in time",
     .n_files = 1,
     .said = {RUNNING},
     .wait_status = SIGKILL,
     .run_signal = SIGTERM,
     .was_too_late = true,
     BOTH_STOPPED(NP_VERDICT_TOO_LATE)},
    {.what = "working: TERM, and somebody else killed it meanwhile",
     .n_files = 1,
     .said = {RUNNING},
     .wait_status = SIGKILL,
     .run_signal = SIGTERM,
     BOTH_FAILED(NP_VERDICT_DIED, NP_EKILLED, SIGKILL)},
    {.what = "working: TERM, and a crash on the way out",
     .n_files = 1,
     .said = {RUNNING},
     .wait_status = SIGABRT,
     .run_signal = SIGTERM,
     BOTH_FAILED(NP_VERDICT_DIED, NP_EINTERNAL, SIGABRT)},
    {.what = "working: a failure weighs more than an interruption",
     .n_files = 2,
     .said = {BAD, STOPPED_BY(SIGINT)},
     .run_signal = SIGINT,
     .file_state = NP_STATE_INTERRUPTED,
     .file_code = NP_ECANCELED,
     .file_signal = SIGINT,
     .state = NP_STATE_FAILED,
     .code = NP_EFORMAT},
    {.what = "working: so does one that comes later",
     .n_files = 2,
     .said = {STOPPED_BY(SIGINT), BAD},
     .run_signal = SIGINT,
     .file_state = NP_STATE_FAILED,
     .file_code = NP_EFORMAT,
     .state = NP_STATE_FAILED,
     .code = NP_EFORMAT},
    /* Settled, reporting: the worker has said all; nothing that comes changes what it said. */
    {.what = "settled: killed after its last word",
     .n_files = 1,
     .said = {SUCCESS},
     .wait_status = SIGKILL,
     BOTH_DONE},
    {.what = "settled: TERM after its last word",
     .n_files = 1,
     .said = {SUCCESS},
     .run_signal = SIGTERM,
     BOTH_DONE},
    {.what = "settled: too late for the signal, after its last word",
     .n_files = 1,
     .said = {SUCCESS},
     .wait_status = SIGKILL,
     .run_signal = SIGTERM,
     .was_too_late = true,
     BOTH_DONE},
    /* Committed: the files are what they are, the session is what could be written of it. */
    {.what = "commit: no room for the final record",
     .n_files = 1,
     .said = {SUCCESS},
     .write_code = NP_ESPACE,
     .file_state = NP_STATE_SUCCESS,
     .state = NP_STATE_FAILED,
     .code = NP_ESPACE},
    {.what = "commit: the record of an interrupted session cannot be written",
     .n_files = 1,
     .said = {STOPPED_BY(SIGTERM)},
     .run_signal = SIGTERM,
     .write_code = NP_ECREATE,
     .file_state = NP_STATE_INTERRUPTED,
     .file_code = NP_ECANCELED,
     .file_signal = SIGTERM,
     .state = NP_STATE_FAILED,
     .code = NP_ECREATE},
    {.what = "commit: the record of a killed worker cannot be written",
     .n_files = 1,
     .said = {RUNNING},
     .wait_status = SIGKILL,
     .write_code = NP_EIO,
     .file_state = NP_STATE_FAILED,
     .reason = NP_VERDICT_DIED,
     .file_code = NP_EKILLED,
     .file_signal = SIGKILL,
     .state = NP_STATE_FAILED,
     .code = NP_EIO},
    {.what = "commit: nothing was to be done, and that cannot be written",
     .write_code = NP_ESPACE,
     .state = NP_STATE_FAILED,
     .code = NP_ESPACE},
};

static void check_row(const struct row *row)
{
    const struct np_verdict_facts facts = {.file = row->said,
                                           .n_files = row->n_files,
                                           .code = row->session_code,
                                           .wait_status = row->wait_status,
                                           .run_signal = row->run_signal,
                                           .was_too_late = row->was_too_late};
    struct np_verdict file[MOST_FILES] = {{0}};
    size_t from;

    printf("# %s\n", row->what);
    for (size_t i = 0; i < row->n_files; i++)
        file[i] = np_verdict_file(&facts, i);
    if (row->n_files) {
        const struct np_verdict *last = &file[row->n_files - 1];
        ok_int(last->state, row->file_state);
        ok_int(last->reason, row->reason);
        ok_int(last->code, row->file_code);
        ok_int(last->signal, row->file_signal);
    }
    struct np_verdict session =
        np_verdict_commit(np_verdict_session(&facts, file, &from), row->write_code);
    ok_int(session.state, row->state);
    ok_int(session.code, row->code);
    ok_int(session.signal, row->signal);
}

TEST(what_is_said_how_it_ended_and_signals_decide_what_a_session_becomes)
{
    for (size_t i = 0; i < NP_COUNT(rows); i++)
        check_row(&rows[i]);
}

TEST(a_session_takes_its_failure_from_the_worst_of_its_files)
{
    const struct np_verdict_reported said[] = {SUCCESS, STOPPED_BY(SIGTERM), BAD};
    struct np_verdict_facts facts = {.file = said, .n_files = 3};
    struct np_verdict file[3];
    size_t from;

    for (size_t i = 0; i < 3; i++)
        file[i] = np_verdict_file(&facts, i);
    np_verdict_session(&facts, file, &from);
    ok_int((int64_t)from, 2);
    facts.n_files = 2;
    np_verdict_session(&facts, file, &from);
    ok_int((int64_t)from, 1);
    facts.n_files = 1;
    np_verdict_session(&facts, file, &from);
    ok_int((int64_t)from, 1); /* none */
}

/* Of the worker, of the 60 s that it may use. */
static double cpu_s = 7;

/* The sentence on the one file of a session that these facts befell. */
static const char *sentence(const struct np_verdict_facts *facts, const char *stage)
{
    static struct np_error why;
    const struct np_verdict_words words = {.label = "sub-01",
                                           .path = "sub-01/anat/sub-01_T1w.nii.gz",
                                           .stage = stage,
                                           .peak_rss_bytes = 180 << 20,
                                           .cpu_s = cpu_s,
                                           .cpu_limit_s = 60};
    struct np_verdict file = np_verdict_file(facts, 0);

    why = (struct np_error){0};
    np_verdict_explain(&file, &words, &why);
    ok_int(why.code, file.code);
    return why.text;
}

TEST(sentences_name_the_file_or_session_the_signal_and_the_stage)
{
    const struct np_verdict_reported running = RUNNING;
    struct np_verdict_facts facts = {.file = &running, .n_files = 1, .wait_status = SIGKILL};

    ok_str(sentence(&facts, "skull_strip"),
           "'sub-01': the worker died of signal 9 (Killed) in skull_strip; its memory had reached "
           "180 MiB");
    cpu_s = 60.02;
    ok_str(sentence(&facts, "skull_strip"),
           "'sub-01': the worker was killed in skull_strip when it had used its 60 s of CPU time "
           "(ulimit -t); raise the limit");
    cpu_s = 7;
    facts.wait_status = STATUS(1);
    ok_str(sentence(&facts, NULL),
           "'sub-01': the worker ended by itself with status 1 in no stage, without a result");
    facts = (struct np_verdict_facts){.file = &running, .n_files = 1, .run_signal = SIGTERM};
    ok_str(sentence(&facts, "load_file"),
           "'sub-01/anat/sub-01_T1w.nii.gz': stopped by signal 15 before it was done");
    facts.was_too_late = true;
    facts.wait_status = SIGKILL;
    ok_str(sentence(&facts, "load_file"),
           "'sub-01/anat/sub-01_T1w.nii.gz': it did not stop within 20 s of signal 15 and was "
           "killed");
}

TAP_MAIN
