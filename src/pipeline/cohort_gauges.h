/*
 * The whole output folder as telemetry: gauges neuro.cohort.* and a log record neuro.cohort.summary,
 * with the numbers of `status`. Sessions are counted by their latest state; a session that failed
 * and was mended by a later run is a success, whoever ran it. (The counters of a run count attempts.)
 */
#ifndef NP_PIPELINE_COHORT_GAUGES_H
#define NP_PIPELINE_COHORT_GAUGES_H

#include "record/counts.h"
#include "trace/trace.h"

/* {0} has counted nothing. Release with np_cohort_gauges_done. */
struct np_cohort_gauges {
    struct np_counts last;
    int64_t due_ns; /* monotonic: earlier there is no other count */
};

/* True when the last count is a minute old, and so old that counting takes a fiftieth of the time at most. */
bool np_cohort_gauges_are_due(const struct np_cohort_gauges *gauges);

/*
 * Set the gauges from a survey that np_cohort_complete has completed, and log the summary. A state
 * without sessions is 0, and so is a failure that this process saw and that is gone. The survey
 * took from `start_ns` (np_clock_mono_ns) until now. `span` is the context of the log record (NULL = none).
 */
void np_cohort_gauges_set(struct np_cohort_gauges *gauges, struct np_trace *trace,
                          const struct np_span *span, const struct np_survey *survey,
                          int64_t start_ns);

/* Count output_dir as `status OUTPUT_DIR` does. A folder that cannot be read sets nothing. */
void np_cohort_gauges_count(struct np_cohort_gauges *gauges, struct np_trace *trace,
                            const struct np_span *span, const char *output_dir);

void np_cohort_gauges_done(struct np_cohort_gauges *gauges);

#endif
