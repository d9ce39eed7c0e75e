#include "record/progress.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_FINISHED = 200 };

/* Between sessions of one run there are milliseconds: a longer time without any is a pause. */
static const double PAUSE_S = 60;
static const double S_PER_NS = 1e-9;

/* A session that has ended. */
struct span {
    int64_t start_ns, end_ns;
};

static int by_end(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    return (x->end_ns > y->end_ns) - (x->end_ns < y->end_ns);
}

static bool has_ended(const struct np_survey_row *row)
{
    const struct np_session_record *record = &row->record;

    return row->has_record && (row->state == NP_STATE_SUCCESS || row->state == NP_STATE_FAILED) &&
           record->start_ns > 0 && record->end_ns >= record->start_ns;
}

/* All that have ended, in the order of their ends; the caller frees. */
static struct span *list_ended(const struct np_survey *survey, size_t *n)
{
    struct span *ended = np_xcalloc(survey->n_rows + 1, sizeof(*ended));

    *n = 0;
    for (size_t i = 0; i < survey->n_rows; i++)
        if (has_ended(&survey->row[i]))
            ended[(*n)++] =
                (struct span){survey->row[i].record.start_ns, survey->row[i].record.end_ns};
    qsort(ended, *n, sizeof(*ended), by_end);
    return ended;
}

static int64_t first_running(const struct np_survey *survey)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_survey_row *row = &survey->row[i];
        if (row->state == NP_STATE_RUNNING && row->record.start_ns < first)
            first = row->record.start_ns;
    }
    return first;
}

/* Mean and variance of the times between ends, without pauses. */
static void measure(const struct span *ended, size_t n, int64_t first_start, double *mean_s,
                    double *variance_s2)
{
    double sum = 0, squares = 0;

    for (size_t i = n - 1; i > 0; i--) {
        if (ended[i].start_ns < first_start)
            first_start = ended[i].start_ns;
        double idle_s = (double)(first_start - ended[i - 1].end_ns) * S_PER_NS;
        double gap_s = (double)(ended[i].end_ns - ended[i - 1].end_ns) * S_PER_NS -
                       (idle_s > PAUSE_S ? idle_s : 0);
        sum += gap_s;
        squares += gap_s * gap_s;
    }
    double n_gaps = (double)(n - 1);
    *mean_s = sum / n_gaps;
    *variance_s2 = fmax(squares - n_gaps * *mean_s * *mean_s, 0) / (n_gaps - 1);
}

static void estimate(const struct np_survey *survey, struct np_progress *progress)
{
    size_t n;
    NP_AUTO(np_freep) struct span *ended = list_ended(survey, &n);
    double mean_s, variance_s2, k = (double)(progress->n_running + progress->n_not_started);

    if (n < NP_PROGRESS_LEAST || progress->n_running == 0)
        return;
    size_t n_used = n < MOST_FINISHED ? n : MOST_FINISHED;
    measure(ended + n - n_used, n_used, first_running(survey), &mean_s, &variance_s2);
    if (mean_s <= 0)
        return;
    double spread_s = 2 * sqrt(k * variance_s2 + k * k * variance_s2 / (double)(n_used - 1));
    progress->has_estimate = true;
    progress->per_hour = 3600 / mean_s;
    progress->left_s = k * mean_s;
    progress->least_s = fmax(progress->left_s - spread_s, 0);
    progress->most_s = progress->left_s + spread_s;
}

void np_progress_find(const struct np_survey *survey, struct np_progress *progress)
{
    *progress = (struct np_progress){0};
    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_survey_row *row = &survey->row[i];
        progress->n_wanted += np_survey_is_wanted(row);
        progress->n_complete += row->state == NP_STATE_SUCCESS;
        progress->n_nothing += row->state == NP_STATE_NOTHING_TO_DO;
        progress->n_running += row->state == NP_STATE_RUNNING;
        progress->n_not_started += row->state == NP_STATE_NOT_STARTED;
        progress->n_rerun += np_survey_needs_rerun(row);
    }
    estimate(survey, progress);
}

/* "45 s", "12 min", "3 h 20 min", "2 d 4 h" */
static void add_duration(struct np_str *out, double s)
{
    const double minute = 60, hour = 3600, day = 86400;
    long long n_min = llround(s / minute), n_hours = llround(s / hour);

    if (s < 1.5 * minute)
        np_str_addf(out, "%lld s", llround(s));
    else if (s < 1.5 * hour)
        np_str_addf(out, "%lld min", n_min);
    else if (s < 2 * day)
        np_str_addf(out, "%lld h %lld min", n_min / 60, n_min % 60);
    else
        np_str_addf(out, "%lld d %lld h", n_hours / 24, n_hours % 24);
}

static void add_estimate(struct np_str *out, const struct np_progress *progress)
{
    if (progress->per_hour >= 60)
        np_str_addf(out, "; %.3g a minute", progress->per_hour / 60);
    else
        np_str_addf(out, "; %.2g an hour", progress->per_hour);
    np_str_add(out, "; about ");
    add_duration(out, progress->left_s);
    np_str_add(out, " left (");
    add_duration(out, progress->least_s);
    np_str_add(out, " to ");
    add_duration(out, progress->most_s);
    np_str_add(out, ")");
}

char *np_progress_text(const struct np_progress *progress)
{
    struct np_str out = {0};

    np_str_addf(&out, "%zu of %zu complete", progress->n_complete, progress->n_wanted);
    if (progress->n_nothing)
        np_str_addf(&out, ", %zu without images", progress->n_nothing);
    if (progress->n_running)
        np_str_addf(&out, "; %zu running", progress->n_running);
    if (progress->has_estimate)
        add_estimate(&out, progress);
    return np_str_take(&out);
}
