/*
 * What a worker tells its supervisor, as frames on a pipe: spans as they start and end, log
 * records, and the record of the file in work. Both ends are the same program on the same machine:
 * native byte order, no version.
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

/* Writer: a trace sink that sends every observation down `fd`. The trace closes it; `fd` stays the
 * caller's. */
struct np_trace_sink np_wire_sink(int *fd);

/* Send the state of a file. A broken pipe is no error: the reader is gone, and so will we be. */
void np_wire_send_file(int fd, uint32_t index, const char *json);

/* Reader: take the first whole frame off `buffer`; false when there is none yet. np_wire_drop frees
 * what was taken. */
bool np_wire_next(const struct np_str *buffer, size_t *position, struct np_frame *frame);

/* Decode; false when the frame is not well-formed (a worker that died in the middle of it). The
 * results are owned. */
bool np_wire_span(const struct np_frame *frame, struct np_span **span);
bool np_wire_log(const struct np_frame *frame, struct np_log_record *record);
bool np_wire_file(const struct np_frame *frame, uint32_t *index, char **json);

#endif
