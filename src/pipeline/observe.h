/* Metrics and the summary record of a session that has ended. Inside pipeline/ only. */
#ifndef NP_PIPELINE_OBSERVE_H
#define NP_PIPELINE_OBSERVE_H

#include "pipeline/session.h"
#include "record/survey.h"

/* Counters, histograms (with the session's span as exemplar), end-of-session gauges,
 * neuro.session.summary. */
void np_observe_session(const struct np_active *active);

/* neuro.session.summary of a session whose run was killed, once its record is closed: in the
 * session's trace, else in that of `span`. `config` names the dataset and the output folder. */
void np_observe_lost(const struct np_config *config, struct np_trace *trace,
                     const struct np_span *span, const struct np_survey_row *row);

/* neuro.warnings of a session, of a file; none without warnings. */
void np_observe_warnings(const struct np_session_record *record, struct np_attrs *attrs);
void np_observe_file_warnings(const struct np_file_record *file, struct np_attrs *attrs);

#endif
