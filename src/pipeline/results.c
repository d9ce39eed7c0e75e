#include "pipeline/results.h"

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
    case NP_STATE_ELSEWHERE:
        results->n_elsewhere++;
        np_reasons_add(&results->elsewhere, label, failure);
        return;
    case NP_STATE_INTERRUPTED:
        results->n_interrupted++;
        break;
    default:
        results->n_failed++;
    }
    np_reasons_add(&results->reasons, label, failure);
}

void np_results_done(struct np_results *results)
{
    np_reasons_done(&results->reasons);
    np_reasons_done(&results->elsewhere);
}

const struct np_reason *np_results_headline(const struct np_results *results)
{
    const struct np_reasons *reasons = &results->reasons;

    for (size_t i = 0; i < reasons->n; i++)
        if (reasons->reason[i].first.code == NP_ESPACE)
            return &reasons->reason[i];
    return reasons->n ? &reasons->reason[0] : NULL;
}

size_t np_results_bad(const struct np_results *results)
{
    return results->n_failed + results->n_interrupted;
}

size_t np_results_tried(const struct np_results *results)
{
    return np_results_bad(results) + results->n_success + results->n_skipped;
}

/* False when sessions failed with different outcomes. */
static bool is_one_outcome(const struct np_reasons *reasons)
{
    for (size_t i = 1; i < reasons->n; i++)
        if (np_error_outcome(reasons->reason[i].first.code) !=
            np_error_outcome(reasons->reason[0].first.code))
            return false;
    return true;
}

/* When all sessions failed with the same outcome, the run has that outcome. */
static int common_status(const struct np_failure *failure)
{
    enum np_outcome outcome = np_error_outcome(failure->code);

    if (outcome == NP_OUTCOME_INTERRUPTED && failure->signal)
        return 128 + failure->signal;
    if (outcome == NP_OUTCOME_KILLED)
        outcome = NP_OUTCOME_SOME_FAILED;
    return np_outcome_info(outcome)->exit_status;
}

/* No session failed. */
static int status_without_failure(const struct np_results *results, bool allow_empty)
{
    bool nothing = results->n_nothing > 0 && np_results_tried(results) == 0 && !allow_empty;

    if (results->n_elsewhere)
        return np_outcome_info(NP_OUTCOME_TEMPORARY)->exit_status;
    return np_outcome_info(nothing ? NP_OUTCOME_NOTHING_SELECTED : NP_OUTCOME_OK)->exit_status;
}

int np_results_exit_status(const struct np_results *results, int signal, bool allow_empty)
{
    const struct np_reason *headline = np_results_headline(results);
    size_t n_others = results->n_not_started + results->n_elsewhere;

    if (signal)
        return 128 + signal;
    if (!headline)
        return status_without_failure(results, allow_empty);
    if (headline->first.code == NP_ESPACE)
        return common_status(&headline->first);
    if (is_one_outcome(&results->reasons) &&
        np_results_bad(results) == np_results_tried(results) + n_others)
        return common_status(&headline->first);
    return np_outcome_info(NP_OUTCOME_SOME_FAILED)->exit_status;
}
