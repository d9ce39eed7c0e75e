/* Metrics and the summary record of a session that has ended. Inside pipeline/ only. */
#ifndef NP_PIPELINE_OBSERVE_H
#define NP_PIPELINE_OBSERVE_H

#include "pipeline/session.h"

/* Counters, histograms (with the session's span as exemplar), end-of-session gauges,
 * neuro.session.summary. */
void np_observe_session(const struct np_active *active);

#endif
