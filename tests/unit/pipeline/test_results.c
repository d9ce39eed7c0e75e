/* The exit status of a run, from what became of its sessions (docs/exit-codes.md). */
#include <signal.h>
#include <stdio.h>

#include "pipeline/results.h"
#include "tap.h"

enum { MOST_SESSIONS = 4 };

struct session {
    enum np_state state; /* NP_N_STATES ends a list */
    int code;
    int signal;
};

#define GOOD                   \
    {                          \
        NP_STATE_SUCCESS, 0, 0 \
    }
#define FAILED(code)               \
    {                              \
        NP_STATE_FAILED, (code), 0 \
    }
#define KILLED(signal)                        \
    {                                         \
        NP_STATE_FAILED, NP_EKILLED, (signal) \
    }
#define STOPPED(signal)                              \
    {                                                \
        NP_STATE_INTERRUPTED, NP_ECANCELED, (signal) \
    }
#define SKIPPED                \
    {                          \
        NP_STATE_SKIPPED, 0, 0 \
    }
#define EMPTY                        \
    {                                \
        NP_STATE_NOTHING_TO_DO, 0, 0 \
    }
#define UNBEGUN                    \
    {                              \
        NP_STATE_NOT_STARTED, 0, 0 \
    }
#define END               \
    {                     \
        NP_N_STATES, 0, 0 \
    }

static const struct {
    const char *what;
    struct session session[MOST_SESSIONS];
    int signal;
    bool allow_empty;
    int expected;
} rows[] = {
    {"no session at all", {END}, 0, false, 0},
    {"all are done", {GOOD, GOOD, END}, 0, false, 0},
    {"all were complete", {SKIPPED, END}, 0, false, 0},
    {"done and complete and empty", {GOOD, SKIPPED, EMPTY, END}, 0, false, 0},
    {"none has an image", {EMPTY, EMPTY, END}, 0, false, 18},
    {"none has an image, which is allowed", {EMPTY, EMPTY, END}, 0, true, 0},
    {"one of two fails", {FAILED(NP_EFORMAT), GOOD, END}, 0, false, 1},
    {"the only one fails", {FAILED(NP_EFORMAT), END}, 0, false, 65},
    {"all fail alike", {FAILED(NP_EFORMAT), FAILED(NP_EVALUE), END}, 0, false, 65},
    {"all fail, each otherwise", {FAILED(NP_EFORMAT), FAILED(NP_EMETHOD), END}, 0, false, 1},
    {"one fails beside an empty one", {FAILED(NP_EMETHOD), EMPTY, END}, 0, false, 76},
    {"one fails beside one that was complete", {FAILED(NP_EMETHOD), SKIPPED, END}, 0, false, 1},
    {"one fails and the next is not begun", {FAILED(NP_EBUSY), UNBEGUN, END}, 0, false, 1},
    {"the only one's first record cannot be written", {FAILED(NP_ECREATE), END}, 0, false, 73},
    {"no room for the only one's record", {FAILED(NP_ESPACE), END}, 0, false, 74},
    {"the only one is another process's", {FAILED(NP_EBUSY), END}, 0, false, 75},
    {"the only worker is killed", {KILLED(SIGKILL), END}, 0, false, 1},
    {"the only worker crashes", {FAILED(NP_EINTERNAL), END}, 0, false, 70},
    {"the only worker alone got TERM", {STOPPED(SIGTERM), END}, 0, false, 143},
    {"the only worker alone got INT", {STOPPED(SIGINT), END}, 0, false, 130},
    {"one worker of two alone got TERM", {STOPPED(SIGTERM), GOOD, END}, 0, false, 1},
    {"TERM before the first session", {UNBEGUN, UNBEGUN, END}, SIGTERM, false, 143},
    {"TERM stops some", {GOOD, STOPPED(SIGTERM), UNBEGUN, END}, SIGTERM, false, 143},
    {"TERM after all are done", {GOOD, GOOD, END}, SIGTERM, false, 143},
    {"USR1 and a failure", {FAILED(NP_EFORMAT), END}, SIGUSR1, false, 138},
    {"INT and a killed worker", {KILLED(SIGKILL), UNBEGUN, END}, SIGINT, false, 130},
};

static void add(struct np_results *results, const struct session *session)
{
    const struct np_failure failure = {.code = session->code, .signal = session->signal};

    np_results_add(results, "sub-01", session->state, &failure);
}

TEST(the_exit_status_says_what_became_of_all_sessions)
{
    for (size_t i = 0; i < NP_COUNT(rows); i++) {
        NP_AUTO(np_results_done) struct np_results results = {0};
        printf("# %s\n", rows[i].what);
        for (size_t k = 0; k < MOST_SESSIONS && rows[i].session[k].state != NP_N_STATES; k++)
            add(&results, &rows[i].session[k]);
        ok_int(np_results_exit_status(&results, rows[i].signal, rows[i].allow_empty),
               rows[i].expected);
    }
}

TEST(the_first_failure_is_kept_with_its_label_and_a_different_one_is_seen)
{
    NP_AUTO(np_results_done) struct np_results results = {0};
    const struct np_failure bad = {.code = NP_EFORMAT, .sentence = (char[]){"not NIfTI"}},
                            cut = {.code = NP_ETRUNCATED}, weak = {.code = NP_EMETHOD};

    np_results_add(&results, "sub-01", NP_STATE_SUCCESS, NULL);
    np_results_add(&results, "sub-02", NP_STATE_FAILED, &bad);
    np_results_add(&results, "sub-03", NP_STATE_FAILED, &cut);
    ok_str(results.first_label, "sub-02");
    ok_str(results.first.sentence, "not NIfTI");
    ok(!results.is_mixed); /* both are bad data */
    np_results_add(&results, "sub-04", NP_STATE_FAILED, &weak);
    ok(results.is_mixed);
    ok_str(results.first_label, "sub-02");
    ok_int((int64_t)np_results_bad(&results), 3);
    ok_int((int64_t)np_results_tried(&results), 4);
}

TAP_MAIN
