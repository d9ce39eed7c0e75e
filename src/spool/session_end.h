/* How a session, or a file of `process` or `batch`, ended, by its final record in the output folder:
 * for the spans whose end is missing from the telemetry. Private to this room. */
#ifndef NP_SPOOL_SESSION_END_H
#define NP_SPOOL_SESSION_END_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/trace.h"

struct np_spool_session_end {
    enum np_span_status status; /* of that span; Error without the reason */
    int64_t end_ns;
};

/*
 * Find the end of the session, or of the file, whose span is `root`: in its status record below the
 * output folder that `telemetry_path` lies in, of the attempt that the span's neuro.run.id names;
 * spans of files have none, then it is `run_id`. Returns false when there is no such record, when
 * it has no end, and when it says that the session's process was killed.
 */
bool np_spool_session_end(const char *telemetry_path, const struct np_span *root,
                          const char *run_id, struct np_spool_session_end *end);

#endif
