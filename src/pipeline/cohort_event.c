#include "pipeline/cohort_event.h"

#include "base/clock.h"
#include "base/str.h"
#include "trace/names.h"

void np_cohort_event_log(struct np_trace *trace, const struct np_span *span,
                         enum np_cohort_event event, int64_t time_ns, size_t n, const char *what)
{
    static const char *const words[] = {[NP_COHORT_SUBMIT] = "submit",
                                        [NP_COHORT_RESUBMIT] = "resubmit",
                                        [NP_COHORT_KILL] = "kill"};
    NP_AUTO(np_log_record_done)
    struct np_log_record record = {.time_ns = time_ns ? time_ns : np_clock_unix_ns(),
                                   .severity = event == NP_COHORT_KILL ? NP_WARN : NP_INFO};

    record.body =
        np_xasprintf("%s: %zu session%s %s", words[event], n, np_plural((int64_t)n), what);
    record.trace_id = span->trace_id;
    record.span_id = span->span_id;
    record.flags = span->flags & NP_FLAG_W3C;
    np_attrs_string(&record.attrs, NP_KEY_EVENT_NAME, NP_EVENT_COHORT_EVENT);
    np_attrs_string(&record.attrs, NP_KEY_NEURO_COHORT_EVENT, words[event]);
    np_trace_log_record(trace, &record);
}
