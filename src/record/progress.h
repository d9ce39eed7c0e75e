/* How far a cohort is: complete of wanted, and while it runs, how fast and how long yet. */
#ifndef NP_RECORD_PROGRESS_H
#define NP_RECORD_PROGRESS_H

#include "record/survey.h"

/* With fewer sessions finished there is no estimate. */
enum { NP_PROGRESS_LEAST = 20 };

struct np_progress {
    size_t n_wanted;   /* neither withdrawn nor gone */
    size_t n_complete; /* of these: success */
    size_t n_nothing;  /* of these: nothing-to-do */
    size_t n_running;
    size_t n_not_started;
    size_t n_rerun; /* np_survey_needs_rerun; not_started among them */

    /* While sessions run, and after NP_PROGRESS_LEAST of them: */
    bool has_estimate;
    double per_hour;        /* sessions finished */
    double left_s;          /* until those that run or have not started are done */
    double least_s, most_s; /* the range in which it is 19 times out of 20 */
};

/*
 * The estimate comes from the times between the ends of the last 200 sessions. Pauses, in which
 * no session was worked on, do not count. If these times are independent and their distribution
 * stays, the time left for k sessions is k times their mean; its variance is that of k such times
 * and that of the mean.
 */
void np_progress_find(const struct np_survey *survey, struct np_progress *progress);

/* "75 of 200 complete; 2 running; 12 a minute; about 10 min left (8 min to 13 min)"; the caller
 * frees. */
char *np_progress_text(const struct np_progress *progress);

#endif
