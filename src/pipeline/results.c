#include "pipeline/results.h"

static void note_failure(struct np_results *results, const char *label,
                         const struct np_failure *failure)
{
    if (!results->first.code) {
        np_failure_copy(failure, &results->first);
        results->first_label = np_xstrdup(label);
        return;
    }
    if (np_error_outcome(results->first.code) != np_error_outcome(failure->code))
        results->is_mixed = true;
}

void np_results_add(struct np_results *results, const char *label, enum np_state state,
                    const struct np_failure *failure)
{
    switch (state) {
    case NP_STATE_SUCCESS:
        results->n_success++;
        return;
    case NP_STATE_SKIPPED:
        results->n_skipped++;
        return;
    case NP_STATE_NOTHING_TO_DO:
        results->n_nothing++;
        return;
    case NP_STATE_NOT_STARTED:
        results->n_not_started++;
        return;
    case NP_STATE_INTERRUPTED:
        results->n_interrupted++;
        break;
    default:
        results->n_failed++;
    }
    note_failure(results, label, failure);
}

void np_results_done(struct np_results *results)
{
    np_failure_done(&results->first);
    np_freep(&results->first_label);
}

size_t np_results_bad(const struct np_results *results)
{
    return results->n_failed + results->n_interrupted;
}

size_t np_results_tried(const struct np_results *results)
{
    return np_results_bad(results) + results->n_success + results->n_skipped;
}

/* When all sessions failed with the same outcome, the run has that outcome. */
static int common_status(const struct np_results *results)
{
    enum np_outcome outcome = np_error_outcome(results->first.code);

    if (outcome == NP_OUTCOME_INTERRUPTED && results->first.signal)
        return 128 + results->first.signal;
    if (outcome == NP_OUTCOME_KILLED)
        outcome = NP_OUTCOME_SOME_FAILED;
    return np_outcome_info(outcome)->exit_status;
}

int np_results_exit_status(const struct np_results *results, int signal, bool allow_empty)
{
    size_t n_bad = np_results_bad(results), n_tried = np_results_tried(results);

    if (signal)
        return 128 + signal;
    if (n_bad == 0) {
        bool nothing = results->n_nothing > 0 && n_tried == 0 && !allow_empty;
        return np_outcome_info(nothing ? NP_OUTCOME_NOTHING_SELECTED : NP_OUTCOME_OK)->exit_status;
    }
    if (!results->is_mixed && n_bad == n_tried + results->n_not_started)
        return common_status(results);
    return np_outcome_info(NP_OUTCOME_SOME_FAILED)->exit_status;
}
