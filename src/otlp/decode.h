/* Reading OTLP/JSON back, as far as the program needs it. Foreign content is passed over, never an
 * error. */
#ifndef NP_OTLP_DECODE_H
#define NP_OTLP_DECODE_H

#include <jansson.h>

#include "otlp/encode.h"
#include "trace/trace.h"

/* Add the attributes of a JSON list of KeyValue; arrays and maps are passed over. */
void np_otlp_decode_attributes(const json_t *list, struct np_attrs *out);

/* The latest of all times in a request, 0 when there is none. */
int64_t np_otlp_latest_ns(json_t *request);

/*
 * A log record that is a span start, as the open span it tells of; NULL when it is none, or has no
 * valid ids. The caller releases it with np_span_freep.
 */
struct np_span *np_otlp_decode_span_start(const json_t *log_record);

#endif
