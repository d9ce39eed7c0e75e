/* Events of a whole cohort, as log records: the marks on a dashboard's axis of time. */
#ifndef NP_PIPELINE_COHORT_EVENT_H
#define NP_PIPELINE_COHORT_EVENT_H

#include "trace/trace.h"

enum np_cohort_event { NP_COHORT_SUBMIT, NP_COHORT_RESUBMIT, NP_COHORT_KILL };

/* Log that it happened to `n` sessions, as "resubmit: 3 sessions WHAT", at `time_ns` (unix; 0 = now). `span` is the context. */
void np_cohort_event_log(struct np_trace *trace, const struct np_span *span,
                         enum np_cohort_event event, int64_t time_ns, size_t n, const char *what);

#endif
