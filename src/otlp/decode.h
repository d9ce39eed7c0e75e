/* Read OTLP/JSON back, as far as the program needs it. Unknown content is skipped and is no
 * error. */
#ifndef NP_OTLP_DECODE_H
#define NP_OTLP_DECODE_H

#include <jansson.h>

#include "trace/trace.h"

/* Add the attributes of a JSON list of KeyValue. Arrays and maps are skipped. */
void np_otlp_decode_attributes(const json_t *list, struct np_attrs *out);

/* The latest time in a request; 0 when there is none. */
int64_t np_otlp_latest_ns(json_t *request);

/*
 * Make the open span that a log record "neuro.span.start" describes; NULL when the record is no
 * such start, or has no valid ids. The caller releases it with np_span_freep.
 */
struct np_span *np_otlp_decode_span_start(const json_t *log_record);

#endif
