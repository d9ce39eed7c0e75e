#include "record/counts.h"

#include <stdlib.h>
#include <string.h>

#include "record/warned.h"

void np_counts_add_failure(struct np_counts *counts, const char *stage, const char *error_type,
                           size_t n)
{
    for (size_t i = 0; i < counts->n_failures; i++) {
        struct np_counted_failure *failure = &counts->failure[i];
        if (strcmp(failure->stage, stage) != 0 || strcmp(failure->error_type, error_type) != 0)
            continue;
        failure->n += n;
        return;
    }
    counts->failure =
        np_xrealloc(counts->failure, (counts->n_failures + 1) * sizeof(*counts->failure));
    counts->failure[counts->n_failures++] = (struct np_counted_failure){
        .stage = np_xstrdup(stage), .error_type = np_xstrdup(error_type), .n = n};
}

void np_counts_find(const struct np_survey *survey, struct np_counts *counts)
{
    *counts = (struct np_counts){0};
    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_survey_row *row = &survey->row[i];
        counts->of_state[row->state]++;
        counts->n_warned += np_survey_is_warned(row);
        if (row->state == NP_STATE_FAILED)
            np_counts_add_failure(counts, np_survey_stage(row), np_survey_reason(row), 1);
        counts->n_injected += row->state == NP_STATE_FAILED && row->record.failure.injected;
    }
}

void np_counts_done(struct np_counts *counts)
{
    for (size_t i = 0; i < counts->n_failures; i++) {
        free(counts->failure[i].stage);
        free(counts->failure[i].error_type);
    }
    free(counts->failure);
    *counts = (struct np_counts){0};
}
