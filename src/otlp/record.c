#include "otlp/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "otlp/append.h"
#include "otlp/lines.h"

/* A cohort has thousands of series; 512 points are well under a line's limit. */
enum { MOST_POINTS = 512 };

struct record {
    char *path;
    int fd;
    bool is_torn; /* the last write left part of a line */
    bool is_told;
    struct np_attrs resource;
    char *scope_text[3];             /* name, version, schema URL */
    struct np_instrumentation scope; /* of the texts above */
    struct np_otlp_source source;    /* of the two above */
    struct np_otlp_buffer line;
    struct np_otlp_health health;
};

static void lose(struct record *record, const struct np_error *why)
{
    if (record->health.n_lost++ == 0)
        record->health.first_loss = *why;
}

static void lose_unencoded(struct record *record, int code)
{
    struct np_error why = {0};

    if (code == NP_ENOMEM)
        np_error_set(&why, code, "'%s': no memory to write an observation", record->path);
    else
        np_error_set(&why, code, "'%s': an observation is longer than %d bytes", record->path,
                     (int)NP_OTLP_LINE_MOST);
    lose(record, &why);
}

/* `code` is the encoder's answer; the request is in record->line after one byte for a line feed. */
static void write_line(struct record *record, int code)
{
    struct np_error why = {0};

    if (!code) {
        np_otlp_buffer_add(&record->line, "\n", 1);
        code = record->line.failed;
    }
    if (code) {
        lose_unencoded(record, code);
        return;
    }
    size_t skip = record->is_torn ? 0 : 1; /* the line feed before is for torn lines alone */
    size_t n_bytes = record->line.length - skip;
    if (np_otlp_append(record->fd, record->path, record->line.bytes + skip, n_bytes,
                       &record->is_torn, &why) < 0) {
        lose(record, &why);
        return;
    }
    record->health.n_lines++;
    record->health.n_bytes += (int64_t)n_bytes;
}

static struct np_otlp_buffer *fresh_line(struct record *record)
{
    np_otlp_buffer_cut(&record->line, 0);
    np_otlp_buffer_add(&record->line, "\n", 1);
    return &record->line;
}

static void on_span_start(void *self, const struct np_span *span)
{
    struct record *record = self;
    struct np_otlp_buffer *line = fresh_line(record);

    write_line(record, np_otlp_encode_span_start(&np_otlp_json, &record->source, span, line));
}

static void on_span_end(void *self, const struct np_span *span)
{
    struct record *record = self;
    struct np_otlp_buffer *line = fresh_line(record);

    write_line(record, np_otlp_encode_spans(&np_otlp_json, &record->source, &span, 1, line));
}

static void on_log(void *self, const struct np_log_record *log)
{
    struct record *record = self;
    struct np_otlp_buffer *line = fresh_line(record);

    write_line(record, np_otlp_encode_logs(&np_otlp_json, &record->source, &log, 1, line));
}

static void on_metrics(void *self, const struct np_metric_point *point, size_t n_points)
{
    struct record *record = self;

    for (size_t i = 0; i < n_points; i += MOST_POINTS) {
        size_t n = n_points - i < MOST_POINTS ? n_points - i : MOST_POINTS;
        struct np_otlp_buffer *line = fresh_line(record);
        write_line(record,
                   np_otlp_encode_metrics(&np_otlp_json, &record->source, &point[i], n, line));
    }
}

/* EINVAL and EROFS: a file system, or a device, that cannot sync. */
static void on_flush(void *self)
{
    struct record *record = self;
    struct np_error why = {0};

    if (fdatasync(record->fd) == 0 || errno == EINVAL || errno == EROFS)
        return;
    np_error_errno(&why, errno, NP_EIO, "'%s': cannot write telemetry to the disk", record->path);
    lose(record, &why);
}

static void on_close(void *self)
{
    struct record *record = self;

    on_flush(record);
    close(record->fd);
    free(record->path);
    for (size_t i = 0; i < NP_COUNT(record->scope_text); i++)
        free(record->scope_text[i]);
    np_attrs_done(&record->resource);
    np_otlp_buffer_done(&record->line);
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
    record->source = (struct np_otlp_source){&record->resource, &record->scope};
}

int np_otlp_record_open(const char *path, const struct np_attrs *resource,
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
    int code = np_otlp_ends_torn(fd, path, &is_torn, err);
    if (code < 0) {
        close(fd);
        return code;
    }
    struct record *record = np_xcalloc(1, sizeof(*record));
    record->path = np_xstrdup(path);
    record->fd = fd;
    record->is_torn = is_torn;
    record->line.most = NP_OTLP_LINE_MOST;
    copy_source(record, resource, scope);
    *sink = (struct np_trace_sink){
        .self = record,
        .span_start = on_span_start,
        .span_end = on_span_end,
        .log = on_log,
        .metrics = on_metrics,
        .flush = on_flush,
        .close = on_close,
    };
    return 0;
}

const struct np_otlp_health *np_otlp_record_health(const struct np_trace_sink *sink)
{
    const struct record *record = sink->self;

    return &record->health;
}

bool np_otlp_record_trouble(const struct np_trace_sink *sink, struct np_error *what)
{
    struct record *record = sink->self;

    if (record->health.n_lost == 0 || record->is_told)
        return false;
    record->is_told = true;
    *what = record->health.first_loss;
    return true;
}
