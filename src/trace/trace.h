/*
 * Spans, log records and metrics of a run: their model and aggregation, without encoding and I/O.
 * Terms and semantics are OpenTelemetry's (specification 1.5x). A trace passes observations to
 * sinks.
 *
 * Ownership: a sink borrows its arguments for the call. Texts from callers are copied.
 * Threads: a trace, and the spans that end in it, belong to one thread.
 * Cost: a span with ten attributes from start to end takes well under a microsecond without sinks
 * (tests/bench/spans.c).
 */
#ifndef NP_TRACE_TRACE_H
#define NP_TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { NP_TRACE_ID_BYTES = 16, NP_SPAN_ID_BYTES = 8, NP_TRACE_ID_HEX = 33, NP_SPAN_ID_HEX = 17 };

struct np_trace_id {
    uint8_t byte[NP_TRACE_ID_BYTES];
};

struct np_span_id {
    uint8_t byte[NP_SPAN_ID_BYTES];
};

enum np_attr_type { NP_ATTR_STRING, NP_ATTR_INT, NP_ATTR_DOUBLE, NP_ATTR_BOOL };

struct np_attr {
    const char *key; /* the list's own */
    uint32_t key_length;
    enum np_attr_type type;
    union {
        const char *string; /* the list's own, valid UTF-8 */
        int64_t integer;
        double number;
        bool boolean;
    } value;
};

/* A list of attributes; {0} is empty. Setting a key again replaces its value. Texts are in a few
 * blocks of memory that are released with the list. */
struct np_attrs {
    struct np_attr *item;
    size_t n, capacity;
    struct np_text_block *text;
    uint32_t n_dropped; /* attributes beyond a limit */
};

/* A longer text is cut: one of them must not make a line or a request too large for all that is in
 * it. */
enum { NP_ATTR_MOST_BYTES = 16384 };

void np_attrs_string(struct np_attrs *attrs, const char *key,
                     const char *value); /* a NULL value adds nothing; invalid UTF-8 is replaced */
void np_attrs_int(struct np_attrs *attrs, const char *key, int64_t value);
void np_attrs_double(struct np_attrs *attrs, const char *key, double value);
void np_attrs_bool(struct np_attrs *attrs, const char *key, bool value);
const struct np_attr *np_attrs_find(const struct np_attrs *attrs, const char *key);
void np_attrs_copy(const struct np_attrs *from, struct np_attrs *to); /* adds all of `from` */

/* Add at most `most_attributes` of `from`, string values cut to `most_characters` (-1 = no
 * limit). Attributes left out are counted in to->n_dropped. */
void np_attrs_copy_limited(const struct np_attrs *from, int64_t most_attributes,
                           int64_t most_characters, struct np_attrs *to);
void np_attrs_done(struct np_attrs *attrs);

enum np_span_kind { NP_SPAN_INTERNAL = 1 };
enum np_span_status { NP_STATUS_UNSET = 0, NP_STATUS_OK = 1, NP_STATUS_ERROR = 2 };

/* Bits of a span's flags: W3C trace flags, and OTLP's two bits on the parent. */
enum np_span_flag {
    NP_FLAG_SAMPLED = 1,
    NP_FLAG_W3C = 0xff,
    NP_FLAG_PARENT_KNOWN = 1 << 8, /* the next bit is valid */
    NP_FLAG_PARENT_REMOTE = 1 << 9,
};

struct np_span_event {
    int64_t time_ns;
    char *name; /* owned */
    struct np_attrs attrs;
};

struct np_span_link {
    struct np_trace_id trace_id;
    struct np_span_id span_id;
    uint32_t flags;    /* W3C's of the linked span, and whether its context is remote */
    char *trace_state; /* owned, may be NULL */
};

/* A span, open (end_ns 0) or ended. Plain data: sinks read all of it. */
struct np_span {
    struct np_trace_id trace_id;
    struct np_span_id span_id;
    struct np_span_id parent_id; /* zero = root */
    uint32_t flags;              /* of enum np_span_flag */
    char *trace_state;           /* owned, may be NULL */
    char *name;                  /* owned */
    int64_t start_ns, end_ns;    /* since 1970 UTC */
    int64_t start_mono_ns;       /* np_clock_mono_ns at the start; 0 = not known */
    enum np_span_status status;
    char *status_message; /* owned, may be NULL */
    struct np_attrs attrs;
    struct np_span_event *event;
    size_t n_events;
    struct np_span_link *link;
    size_t n_links;
    uint32_t n_events_dropped, n_links_dropped; /* dropped because of a limit */
};

/* Limits on what sinks receive; -1 = no limit. Characters are Unicode's. */
struct np_trace_limits {
    int64_t span_attributes, span_characters;
    int64_t span_events, span_links, event_attributes;
    int64_t log_attributes, log_characters;
};

/* OpenTelemetry severity numbers: the least of each range of four. */
enum np_severity {
    NP_TRACE_LEVEL = 1,
    NP_DEBUG = 5,
    NP_INFO = 9,
    NP_WARN = 13,
    NP_ERROR_LEVEL = 17,
    NP_FATAL = 21,
};

/* The words for them, the least severe first. */
struct np_severity_word {
    enum np_severity least;
    const char *name; /* in log records: "INFO" */
    const char *word; /* in settings: "info" */
};

enum { NP_N_SEVERITY_WORDS = 6 };

extern const struct np_severity_word np_severity_words[NP_N_SEVERITY_WORDS];

/* "INFO" for NP_INFO and the three numbers after it. */
const char *np_severity_name(enum np_severity severity);

struct np_log_record {
    int64_t time_ns;
    enum np_severity severity;
    char *body;                  /* owned, valid UTF-8, one sentence */
    struct np_trace_id trace_id; /* zero = none */
    struct np_span_id span_id;
    uint32_t flags; /* W3C's of the span */
    struct np_attrs attrs;
};

enum np_metric_kind { NP_METRIC_COUNTER, NP_METRIC_UPDOWN, NP_METRIC_GAUGE, NP_METRIC_HISTOGRAM };

/* A metric as it is known at compile time (trace/names.h). */
struct np_metric_def {
    const char *name;
    const char *unit; /* UCUM */
    const char *description;
    enum np_metric_kind kind;
    bool is_observed; /* set by a callback at collection (OpenTelemetry's asynchronous kinds) */
    bool is_integer;
    const double *bound; /* histogram: ascending upper bounds */
    size_t n_bounds;
    const char *attributes; /* keys by spaces, "?" after those that may be absent; NULL = none */
};

struct np_exemplar {
    double value;
    int64_t time_ns;
    struct np_trace_id trace_id; /* zero = measured outside any span */
    struct np_span_id span_id;
};

/*
 * OpenTelemetry's exponential histogram, for values >= 0. Buckets grow by a factor b =
 * 2^(2^-scale): bucket i holds values in (b^(offset + i), b^(offset + i + 1)]. When 160 buckets do
 * not suffice, the scale is lowered, which merges pairs of buckets.
 */
enum { NP_EXPONENTIAL_BUCKETS = 160, NP_EXPONENTIAL_SCALE = 20 };

struct np_exponential {
    int32_t scale;
    uint64_t zero_count;
    int32_t offset;
    uint32_t n; /* buckets in use; 0 = all values were 0 */
    uint64_t bucket[NP_EXPONENTIAL_BUCKETS];
};

enum np_temporality { NP_CUMULATIVE, NP_DELTA };

/* One time series from start_ns (0 for a gauge, which has no start). */
struct np_metric_point {
    const struct np_metric_def *def;
    struct np_attrs attrs;
    enum np_temporality temporality; /* of counters and histograms */
    int64_t start_ns, time_ns;
    double value;   /* counter, up-down, gauge */
    uint64_t count; /* histogram */
    double sum, minimum, maximum;
    uint64_t *bucket;                   /* n_bounds + 1; NULL when exponential */
    struct np_exponential *exponential; /* NULL when the bounds are explicit */
    const struct np_exemplar *exemplar; /* since the last collection; newest last */
    size_t n_exemplars;
};

/* The series that a sink receives as delta (since the last collection): none, all counters and
 * histograms, or only the synchronous ones of them. Up-down counters are always cumulative. */
enum np_temporality_preference { NP_PREFER_CUMULATIVE, NP_PREFER_DELTA, NP_PREFER_LOW_MEMORY };

enum np_histogram_kind { NP_HISTOGRAM_EXPLICIT, NP_HISTOGRAM_EXPONENTIAL };

/* The measurements that may become exemplars: those in a sampled span, all, none. */
enum np_exemplar_filter { NP_EXEMPLARS_TRACED, NP_EXEMPLARS_ALL, NP_EXEMPLARS_NONE };

/*
 * A receiver of observations. NULL members are not called. Calls return nothing: a sink keeps its
 * own error state. span_start is called when a span opens (so that the spans of a killed run are
 * known), span_end when it is complete. A sink may buffer until settle: the program calls it before
 * it waits and before anything that may end the process.
 */
struct np_trace_sink {
    void *self;
    void (*span_start)(void *self, const struct np_span *span);
    void (*span_end)(void *self, const struct np_span *span);
    void (*log)(void *self, const struct np_log_record *record);
    void (*metrics)(void *self, const struct np_metric_point *point, size_t n_points);
    enum np_temporality_preference temporality; /* of these points */
    void (*settle)(void *self);                 /* pass on everything that is buffered */
    void (*flush)(void *self);                  /* settle, and wait until the data are on disk */
    void (*close)(void *self);                  /* flush, then release self */
};

enum { NP_TRACE_MOST_SINKS = 4 };

struct np_trace;

/* A trace without sinks; `resource` is copied. Never NULL. */
struct np_trace *np_trace_new(const struct np_attrs *resource);

/* Close the sinks and release all memory. The caller must end or release open spans. */
void np_trace_freep(struct np_trace **trace);
void np_trace_add_sink(struct np_trace *trace, struct np_trace_sink sink);
const struct np_attrs *np_trace_resource(const struct np_trace *trace);

/* Without this call there are no limits. */
void np_trace_set_limits(struct np_trace *trace, const struct np_trace_limits *limits);
void np_trace_settle(struct np_trace *trace);
void np_trace_flush(struct np_trace *trace);

/* Random ids from the system's entropy (getrandom, a kilobyte at a time and not shared with forked
 * children); never zero. */
struct np_trace_id np_trace_id_new(void);
struct np_span_id np_span_id_new(void);
void np_trace_id_hex(const struct np_trace_id *id, char out[NP_TRACE_ID_HEX]);
void np_span_id_hex(const struct np_span_id *id, char out[NP_SPAN_ID_HEX]);
bool np_trace_id_parse(const char *hex, struct np_trace_id *id);
bool np_span_id_parse(const char *hex, struct np_span_id *id);
bool np_trace_id_is_zero(const struct np_trace_id *id);
bool np_span_id_is_zero(const struct np_span_id *id);

/* Parse a W3C traceparent ("00-<32 hex>-<16 hex>-<2 hex>") into its parts; false when it is not
 * valid (it is then ignored). */
bool np_traceparent_parse(const char *text, struct np_trace_id *trace_id,
                          struct np_span_id *span_id, uint32_t *flags);

/* "00-<trace id>-<span id>-<flags>" */
enum { NP_TRACEPARENT_TEXT = 56 };
void np_traceparent_format(const struct np_span *span, char out[NP_TRACEPARENT_TEXT]);

/* W3C tracestate: at most 32 members "key=value" with the characters that are allowed. */
bool np_tracestate_is_valid(const char *text);

/*
 * Read a remote parent from the environment: TRACEPARENT and TRACESTATE. True when there is a valid
 * one; `span` (new, a root) then becomes its child. An invalid tracestate is ignored.
 */
bool np_span_join_environment(struct np_span *span);

/* Set TRACEPARENT and TRACESTATE for child processes that start after this call. BAGGAGE is
 * unchanged. */
void np_span_export_environment(const struct np_span *span);

/*
 * Open a span as child of `parent` (NULL = root of a new trace; a remote parent is a struct np_span
 * with ids, flags and trace_state only). The caller owns it and ends it with np_span_end. Sinks get
 * the start from np_span_begin, after the attributes of the start are set.
 */
struct np_span *np_span_new(const char *name, const struct np_span *parent);

/* An independent copy without events; release it with np_span_freep. */
struct np_span *np_span_copy(const struct np_span *span);
void np_span_begin(struct np_trace *trace, struct np_span *span);
/* The time in the span's own terms: its start and the time that has passed since by a clock that
 * nobody can set. Without the latter, the wall clock's time, but not before the start. */
int64_t np_span_now_ns(const struct np_span *span);

void np_span_event(struct np_span *span, const char *name, const struct np_attrs *attrs);
void np_span_link(struct np_span *span, const struct np_span *other);

/* The `exception` event and status Error with error.type, neuro.error.code and the sentence. */
void np_span_fail(struct np_span *span, const struct np_error *err);

/* Set the end time (unless set), pass the span to the sinks, and release it; the pointer becomes
 * NULL. Accepts a pointer to NULL. */
void np_span_end(struct np_trace *trace, struct np_span **span);

/* Release a span without passing it to sinks. */
void np_span_freep(struct np_span **span);

/* Pass a span or a record from another process (a worker) to the sinks, unchanged. */
void np_trace_span_start(struct np_trace *trace, const struct np_span *span);
void np_trace_span_end(struct np_trace *trace, const struct np_span *span);
void np_trace_log_record(struct np_trace *trace, const struct np_log_record *record);

/* Log one sentence, in the context of `span` (NULL = none) with `attrs` (NULL = none). */
void np_trace_log(struct np_trace *trace, const struct np_span *span, enum np_severity severity,
                  const struct np_attrs *attrs, const char *format, ...) NP_PRINTF(5, 6);
void np_log_record_done(struct np_log_record *record);

/* Set how metrics are aggregated; call it before the first measurement. */
void np_trace_set_metrics(struct np_trace *trace, enum np_histogram_kind histogram,
                          enum np_exemplar_filter exemplars);

/* Aggregate a measurement. A value is ignored when it is not finite, would decrease a counter,
 * or is negative in a histogram. `attrs` select the series (copied when new; NULL = none);
 * `span` gives the exemplar (may be NULL). */
void np_metric_add(struct np_trace *trace, const struct np_metric_def *def, double value,
                   const struct np_attrs *attrs, const struct np_span *span);
/* For gauges and asynchronous counters and up-down counters: the last value counts. */
void np_metric_set(struct np_trace *trace, const struct np_metric_def *def, double value,
                   const struct np_attrs *attrs);

/* Call `observe` before each collection, to set the asynchronous metrics. */
enum { NP_TRACE_MOST_OBSERVERS = 8 };
void np_trace_add_observer(struct np_trace *trace,
                           void (*observe)(void *self, struct np_trace *trace), void *self);

/* Remove the observers with this `self`. */
void np_trace_remove_observer(struct np_trace *trace, const void *self);

/* Send the state of all series to the sinks. */
void np_trace_collect(struct np_trace *trace);

/* Pass the cumulative state of all series to `use`, between collections; changes nothing. */
void np_trace_snapshot(struct np_trace *trace,
                       void (*use)(void *self, const struct np_metric_point *point,
                                   size_t n_points),
                       void *self);

#endif
