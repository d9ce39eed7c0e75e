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
#define ELSEWHERE                         \
    {                                     \
        NP_STATE_ELSEWHERE, NP_ELOCKED, 0 \
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
    {"another run works on the only one", {ELSEWHERE, END}, 0, false, 75},
    {"another run works on one, one is done", {ELSEWHERE, GOOD, END}, 0, false, 75},
    {"another run works on one, one fails", {ELSEWHERE, FAILED(NP_EFORMAT), END}, 0, false, 1},
    {"another run works on one, TERM", {ELSEWHERE, GOOD, END}, SIGTERM, false, 143},
    {"the disk is full after one", {GOOD, FAILED(NP_ESPACE), UNBEGUN, END}, 0, false, 74},
    {"the disk is full after another failure",
     {FAILED(NP_EFORMAT), FAILED(NP_ESPACE), UNBEGUN, END},
     0,
     false,
     74},
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

TEST(failures_are_summed_by_reason_and_a_full_disk_is_the_headline)
{
    NP_AUTO(np_results_done) struct np_results results = {0};
    const struct np_failure bad = {.code = NP_EFORMAT, .sentence = (char[]){"not NIfTI"}},
                            cut = {.code = NP_ETRUNCATED}, full = {.code = NP_ESPACE};

    np_results_add(&results, "sub-01", NP_STATE_SUCCESS, NULL);
    ok(np_results_headline(&results) == NULL);
    np_results_add(&results, "sub-02", NP_STATE_FAILED, &bad);
    np_results_add(&results, "sub-03", NP_STATE_FAILED, &cut);
    ok_int((int64_t)results.reasons.n, 1); /* both are bad data */
    ok_str(np_results_headline(&results)->examples.item[0], "sub-02");
    ok_str(np_results_headline(&results)->first.sentence, "not NIfTI");
    np_results_add(&results, "sub-04", NP_STATE_FAILED, &full);
    ok_int((int64_t)results.reasons.n, 2);
    ok_str(np_results_headline(&results)->examples.item[0], "sub-04");
    ok_int((int64_t)np_results_bad(&results), 3);
    ok_int((int64_t)np_results_tried(&results), 4);
    const struct np_failure clash = {.code = NP_ECLASH};
    np_results_add(&results, "sub-05", NP_STATE_FAILED, &clash);
    ok_int((int64_t)results.reasons.n, 3); /* bad data, but something else is to be done */
}

TEST(a_reason_names_three_sessions_and_counts_the_others)
{
    NP_AUTO(np_results_done) struct np_results results = {0};
    const struct np_failure bad = {.code = NP_EFORMAT,
                                   .stage = (char[]){"load_file"},
                                   .sentence = (char[]){"not NIfTI"},
                                   .hint = (char[]){"convert it"}};
    static const char *const labels[] = {"sub-1", "sub-2", "sub-3", "sub-4", "sub-5"};

    for (size_t i = 0; i < NP_COUNT(labels); i++)
        np_results_add(&results, labels[i], NP_STATE_FAILED, &bad);
    NP_AUTO(np_freep) char *text = np_reason_text(np_results_headline(&results));
    ok_str(text,
           "sub-1: not NIfTI (bad-data at load_file) — and 4 more for the same reason (sub-2, "
           "sub-3, …). What to do: convert it");
    NP_AUTO(np_freep) char *brief = np_reason_short(np_results_headline(&results));
    ok_str(brief, "bad-data at load_file: sub-1, sub-2, sub-3 and 2 more. What to do: convert it");
}

TAP_MAIN
