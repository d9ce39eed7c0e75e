/*
 * The messages of a worker to its supervisor, as frames on a pipe: starts and ends of spans, log
 * records, and the record of the present file. Both ends are the same program on the same machine,
 * so they use native byte order and no version.
 */
#ifndef NP_PIPELINE_WIRE_H
#define NP_PIPELINE_WIRE_H

#include <stdint.h>

#include "base/str.h"
#include "trace/trace.h"

enum np_frame_type {
    NP_FRAME_SPAN_START = 1,
    NP_FRAME_SPAN_END,
    NP_FRAME_LOG,
    NP_FRAME_FILE, /* index (uint32), then the file record as JSON */
};

struct np_frame {
    enum np_frame_type type;
    const char *payload; /* borrowed from the buffer */
    size_t n_bytes;
};

/* Writer: a trace sink that sends every observation through `fd`. The trace closes the sink; the
 * caller keeps `fd`. */
struct np_trace_sink np_wire_sink(int *fd);

/* Send the state of a file. A broken pipe is no error: the supervisor is gone, and this process
 * will end too. */
void np_wire_send_file(int fd, uint32_t index, const char *json);

/* Reader: take the first complete frame from `buffer`; false when there is none yet.
 * np_wire_drop removes it from the buffer. */
bool np_wire_next(const struct np_str *buffer, size_t *position, struct np_frame *frame);

/* Decode a frame; false when it is malformed (the worker died while writing it). The results are
 * owned. */
bool np_wire_span(const struct np_frame *frame, struct np_span **span);
bool np_wire_log(const struct np_frame *frame, struct np_log_record *record);
bool np_wire_file(const struct np_frame *frame, uint32_t *index, char **json);

#endif
