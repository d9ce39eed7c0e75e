#include "spool/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "spool/append.h"
#include "spool/inside.h"
#include "spool/line_batch.h"
#include "spool/lines.h"
#include "trace/names.h"

/* A cohort has thousands of series; 512 points are well under a line's limit. */
enum { MOST_POINTS = 512 };

struct record {
    char *path;
    int fd;
    int reserve;  /* an unnamed file whose space is set aside for the last line; -1 = none */
    bool is_torn; /* the last write left part of a line */
    bool is_reported;
    bool is_synced; /* nothing was written since */
    struct np_spool_line_batch held;
    struct np_attrs resource;
    char *scope_text[3];             /* name, version, schema URL */
    struct np_instrumentation scope; /* of the texts above */
    struct np_spool_health health;
};

static void count(struct record *record, const struct np_spool_counts *what)
{
    record->health.n_lines++;
    record->health.n_spans += what->n_spans;
    record->health.n_logs += what->n_logs;
}

static void note_lost(struct record *record, const struct np_spool_counts *what,
                      const struct np_error *why)
{
    if (record->health.n_lost == 0)
        record->health.first_loss = *why;
    record->health.n_lost += what->n_starts + what->n_spans + what->n_logs + what->n_metrics;
    record->health.n_spans_lost += what->n_spans;
    record->health.n_logs_lost += what->n_logs;
}

static void note_unencoded(struct record *record, const struct np_spool_counts *what, int code)
{
    struct np_error why = {0};

    if (code == NP_ENOMEM)
        np_error_set(&why, code, "'%s': no memory to write an observation", record->path);
    else
        np_error_set(&why, code, "'%s': an observation is longer than %d bytes", record->path,
                     (int)NP_SPOOL_LINE_MOST);
    note_lost(record, what, &why);
}

/* Append the batch's lines, after a line feed when the last line is torn. `*n_whole` counts the
 * bytes of whole lines. */
static void append(struct record *record, size_t *n_whole, struct np_error *why)
{
    const struct np_otlp_buffer *lines = &record->held.lines;
    size_t n_feed = 0;

    *n_whole = 0;
    if (lines->failed) {
        np_error_set(why, NP_ENOMEM, "'%s': no memory to write observations", record->path);
        return;
    }
    if (record->is_torn &&
        np_spool_append(record->fd, record->path, "\n", 1, &record->is_torn, &n_feed, why) < 0)
        return;
    record->health.n_bytes += (int64_t)n_feed;
    /* A failure is in `why`, and the number of bytes that were written in `n_whole`. */
    NP_IGNORE(np_spool_append(record->fd, record->path, lines->bytes, lines->length,
                              &record->is_torn, n_whole, why));
}

static void write_held(struct record *record)
{
    struct np_spool_line_batch *held = &record->held;
    struct np_error why = {0};
    struct np_spool_counts unencoded = {0};
    size_t n_whole;
    int code = np_spool_line_batch_finish(held, &unencoded.n_starts);

    if (code)
        note_unencoded(record, &unencoded, code);
    if (held->n_lines == 0)
        return;
    append(record, &n_whole, &why);
    for (size_t i = 0; i < held->n_lines; i++) {
        if (held->line[i].end <= n_whole)
            count(record, &held->line[i].holds);
        else
            note_lost(record, &held->line[i].holds, &why);
    }
    record->health.n_bytes += (int64_t)n_whole;
    record->is_synced = record->is_synced && n_whole == 0;
    np_spool_line_batch_clear(held);
}

/* Note the result `code` of adding `what` to the line batch, and write the batch when it is
 * full. */
static void held(struct record *record, const struct np_spool_counts *what, int code)
{
    if (code)
        note_unencoded(record, what, code);
    if (np_spool_line_batch_is_full(&record->held))
        write_held(record);
}

static void on_span_start(void *self, const struct np_span *span)
{
    struct record *record = self;

    np_spool_line_batch_span_start(&record->held, span);
    held(record, &(struct np_spool_counts){0}, 0);
}

static void on_span_end(void *self, const struct np_span *span)
{
    struct record *record = self;

    held(record, &(struct np_spool_counts){.n_spans = 1},
         np_spool_line_batch_span_end(&record->held, span));
}

static void on_log(void *self, const struct np_log_record *log)
{
    struct record *record = self;

    held(record, &(struct np_spool_counts){.n_logs = 1},
         np_spool_line_batch_log(&record->held, log));
}

static void on_metrics(void *self, const struct np_metric_point *point, size_t n_points)
{
    struct record *record = self;

    for (size_t i = 0; i < n_points; i += MOST_POINTS) {
        size_t n = n_points - i < MOST_POINTS ? n_points - i : MOST_POINTS;
        held(record, &(struct np_spool_counts){.n_metrics = 1},
             np_spool_line_batch_metrics(&record->held, &point[i], n));
    }
}

static void on_settle(void *self)
{
    write_held(self);
}

/* EINVAL and EROFS: a file system or a device that cannot sync. */
static void on_flush(void *self)
{
    struct record *record = self;
    struct np_error why = {0};

    write_held(record);
    if (record->is_synced)
        return;
    record->is_synced = true;
    if (fdatasync(record->fd) == 0 || errno == EINVAL || errno == EROFS)
        return;
    np_error_errno(&why, errno, NP_EIO, "'%s': cannot write telemetry to the disk", record->path);
    note_lost(record, &(struct np_spool_counts){.n_starts = 1}, &why); /* the number is not known */
}

static void on_close(void *self)
{
    struct record *record = self;

    on_flush(record);
    close(record->fd);
    if (record->reserve >= 0)
        close(record->reserve);
    free(record->path);
    for (size_t i = 0; i < NP_COUNT(record->scope_text); i++)
        free(record->scope_text[i]);
    np_attrs_done(&record->resource);
    np_spool_line_batch_done(&record->held);
    free(record);
}

static char *copy_or_null(const char *text)
{
    return text ? np_xstrdup(text) : NULL;
}

static void copy_source(struct record *record, const struct np_attrs *resource,
                        const struct np_instrumentation *scope)
{
    if (resource)
        np_attrs_copy(resource, &record->resource);
    if (scope) {
        record->scope_text[0] = copy_or_null(scope->name);
        record->scope_text[1] = copy_or_null(scope->version);
        record->scope_text[2] = copy_or_null(scope->schema_url);
    }
    record->scope = (struct np_instrumentation){
        .name = record->scope_text[0],
        .version = record->scope_text[1],
        .schema_url = record->scope_text[2],
    };
    record->held.source =
        (struct np_otlp_source){.resource = &record->resource, .scope = &record->scope};
}

/* Take the lock that shows that the run is alive. A process that checks for it holds it for a
 * moment, so that some tries are needed. A file system without locks has none. */
static void lock_record(int fd)
{
    enum { TRIES = 20, PAUSE_MS = 5 };

    for (int i = 0; i < TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return;
        poll(NULL, 0, PAUSE_MS);
    }
}

/* The file has no name, so nothing is left of it after a kill. Some file systems, as NFS, have no
 * such files. */
static int set_space_aside(const char *directory)
{
    enum { BYTES = 16384 }; /* more than the last line, in whole blocks */
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 && fallocate(fd, 0, 0, BYTES) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int np_spool_record_open(const char *path, const struct np_attrs *resource,
                         const struct np_instrumentation *scope, struct np_trace_sink *sink,
                         struct np_error *err)
{
    NP_AUTO(np_freep) char *directory = np_path_directory(path);
    bool is_torn;

    NP_TRY(np_directory_make(directory, err));
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot open the telemetry record",
                              path);
    int code = np_spool_ends_torn(fd, path, &is_torn, err);
    if (code < 0) {
        close(fd);
        return code;
    }
    lock_record(fd);
    struct record *record = np_xcalloc(1, sizeof(*record));
    record->path = np_xstrdup(path);
    record->fd = fd;
    record->reserve = set_space_aside(directory);
    record->is_torn = is_torn;
    copy_source(record, resource, scope);
    record->held.most_shared = NP_SPOOL_LINE_BATCH_SHARED;
    *sink = (struct np_trace_sink){
        .self = record,
        .span_start = on_span_start,
        .span_end = on_span_end,
        .log = on_log,
        .metrics = on_metrics,
        .settle = on_settle,
        .flush = on_flush,
        .close = on_close,
    };
    return 0;
}

/* Other processes may have copies of the descriptor: the space is free once the file is empty. */
static void free_reserve(struct record *record)
{
    if (record->reserve < 0)
        return;
    if (ftruncate(record->reserve, 0) != 0) {
        /* the last line then finds the room that there is */
    }
    close(record->reserve);
    record->reserve = -1;
}

void np_spool_record_end(const struct np_trace_sink *sink, int exit_status)
{
    struct record *record = sink->self;
    NP_AUTO(np_log_record_done)
    struct np_log_record end = {.time_ns = np_clock_unix_ns(),
                                .severity = NP_DEBUG,
                                .body = np_xstrdup("The run has ended.")};

    np_attrs_string(&end.attrs, NP_KEY_EVENT_NAME, NP_EVENT_RUN_END);
    np_attrs_int(&end.attrs, NP_KEY_PROCESS_EXIT_CODE, exit_status);
    write_held(record); /* the end is a line of its own: damage to others leaves it readable */
    free_reserve(record);
    held(record, &(struct np_spool_counts){.n_logs = 1},
         np_spool_line_batch_log(&record->held, &end));
    write_held(record);
}

void np_spool_record_limit_items(const struct np_trace_sink *sink, int64_t most)
{
    struct record *record = sink->self;

    if (most > 0 && most < NP_SPOOL_LINE_BATCH_SHARED)
        record->held.most_shared = (size_t)most;
}

static void set_processed(struct np_trace *trace, const struct np_metric_def *def, int64_t n_good,
                          int64_t n_lost)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_attrs_string(&attrs, NP_KEY_OTEL_COMPONENT_TYPE, "neuro_record");
    np_attrs_string(&attrs, NP_KEY_OTEL_COMPONENT_NAME, "neuro_record/0");
    np_metric_set(trace, def, (double)n_good, &attrs);
    np_attrs_string(&attrs, NP_KEY_ERROR_TYPE, "io");
    if (n_lost > 0)
        np_metric_set(trace, def, (double)n_lost, &attrs);
}

static void observe(void *self, struct np_trace *trace)
{
    struct record *record = self;
    const struct np_spool_health *health = &record->health;

    write_held(record); /* lines that are not written yet count neither as processed nor as lost */
    set_processed(trace, &np_metric_sdk_span_processed, health->n_spans, health->n_spans_lost);
    set_processed(trace, &np_metric_sdk_log_processed, health->n_logs, health->n_logs_lost);
}

void np_spool_record_observe(const struct np_trace_sink *sink, struct np_trace *trace)
{
    np_trace_add_observer(trace, observe, sink->self);
}

const struct np_spool_health *np_spool_record_health(const struct np_trace_sink *sink)
{
    struct record *record = sink->self;

    write_held(record);
    return &record->health;
}

bool np_spool_record_trouble(const struct np_trace_sink *sink, struct np_error *what)
{
    struct record *record = sink->self;

    if (record->health.n_lost == 0 || record->is_reported)
        return false;
    record->is_reported = true;
    *what = record->health.first_loss;
    np_error_context(what, "telemetry: %" PRId64 " observation%s not recorded, in all",
                     record->health.n_lost, record->health.n_lost == 1 ? " was" : "s were");
    return true;
}
