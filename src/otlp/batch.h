/*
 * Lines of a record -> request bodies. A batch takes lines of one signal and translates each item
 * (span, log record, metric) once into the protocol's encoding. Any range of its items can become
 * one request, in which neighbours with the same resource and scope share them.
 *
 * Lines are untrusted: a record may hold any bytes. A line that is not valid OTLP/JSON is refused;
 * names that are not of the protocol are skipped.
 */
#ifndef NP_OTLP_BATCH_H
#define NP_OTLP_BATCH_H

#include <stddef.h>

#include "otlp/buffer.h"
#include "otlp/signal.h"
#include "trace/naming.h"
#include "trace/trace.h"

struct np_otlp_redactor; /* otlp/redact.h */

enum np_otlp_selection { NP_OTLP_KEEP, NP_OTLP_DROP, NP_OTLP_WAIT };

struct np_otlp_batch_options {
    enum np_otlp_signal signal;
    enum np_otlp_protocol protocol;
    /*
     * How participants are named: at least as `naming` says, and as the resource of a line asks for
     * (neuro.telemetry.id) where that is stricter, except where they are named so already
     * (neuro.telemetry.named); lines without that attribute as `silent_naming`
     * says. `redactor_of` gives the redactor of a way of naming; NULL = nothing is ever redacted.
     */
    enum np_naming naming, silent_naming;
    const struct np_otlp_redactor *(*redactor_of)(void *context, enum np_naming naming);
    /* Called for each span (NULL = all are kept); it may change *flags. */
    enum np_otlp_selection (*select)(void *context, const struct np_trace_id *trace_id,
                                     uint32_t *flags);
    void *context;
};

enum np_otlp_line {
    NP_OTLP_LINE_ADDED,
    NP_OTLP_LINE_NOTHING, /* nothing to send: another signal, a span start, or all spans dropped
                             by `select` */
    NP_OTLP_LINE_WAITS,   /* `select` returned NP_OTLP_WAIT: nothing was added */
    NP_OTLP_LINE_BROKEN,  /* not OTLP/JSON: nothing was added */
};

struct np_otlp_batch;

struct np_otlp_batch *np_otlp_batch_new(const struct np_otlp_batch_options *options);
void np_otlp_batch_freep(struct np_otlp_batch **batch);

/* Find a line's signal from its first bytes. Returns false when it has none. */
bool np_otlp_line_signal(const char *line, size_t n, enum np_otlp_signal *signal);

/*
 * Add the items of one line (without line feed). Log records that only the record needs
 * ("neuro.span.start", "neuro.sampling", "neuro.run.end") are left out. `*result` says what became of it. Returns 0,
 * NP_ENOMEM; nothing was added then.
 */
int np_otlp_batch_add_line(struct np_otlp_batch *batch, const char *line, size_t n,
                           enum np_otlp_line *result) NP_MUST_USE;

/* Items so far: spans, log records or metrics. */
size_t np_otlp_batch_count(const struct np_otlp_batch *batch);

/* Spans, log records or data points in items [first, first + n), as servers count them. */
size_t np_otlp_batch_points(const struct np_otlp_batch *batch, size_t first, size_t n);

/* An upper estimate of the bytes of one request with all items, before compression. */
size_t np_otlp_batch_bytes(const struct np_otlp_batch *batch);

/* Append one request with items [first, first + n) to `out`. Returns 0, NP_ENOMEM, NP_EVALUE (more
 * than out->most); `out` then holds what it held before. */
int np_otlp_batch_encode(const struct np_otlp_batch *batch, size_t first, size_t n,
                         struct np_otlp_buffer *out) NP_MUST_USE;

/* Remove the items. Memory and known resources are kept. */
void np_otlp_batch_clear(struct np_otlp_batch *batch);

#endif
