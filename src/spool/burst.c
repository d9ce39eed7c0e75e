#include "spool/burst.h"

#include <string.h>

#include "base/error.h"
#include "otlp/json.h"
#include "spool/lines.h"

/* A kill or a full disk costs the last line: a shared one stays short. */
enum { MOST_SHARED_BYTES = 16 << 10 };

enum { MOST_BYTES = 60 << 10 };

static size_t lines_end(const struct np_spool_burst *burst)
{
    return burst->n_lines ? burst->line[burst->n_lines - 1].end : 0;
}

static size_t last_line_start(const struct np_spool_burst *burst)
{
    return burst->n_lines > 1 ? burst->line[burst->n_lines - 2].end : 0;
}

/* What is added to a request: one of these. */
struct item {
    enum np_otlp_signal signal;
    const struct np_span *span, *start;
    const struct np_log_record *log;
};

static void add_item(struct np_otlp_request *request, const struct item *item)
{
    if (item->span)
        np_otlp_request_span(request, item->span);
    else if (item->log)
        np_otlp_request_log(request, item->log);
    else
        np_otlp_request_span_start(request, item->start);
}

/* The line's end, which `items_end` is set before; false when it does not fit. */
static bool end_line(struct np_spool_burst *burst, size_t *items_end)
{
    *items_end = burst->lines.length;
    np_otlp_request_end(&burst->request);
    np_otlp_buffer_add(&burst->lines, "\n", 1);
    return !burst->lines.failed;
}

/* Add to the last line; false when it takes none of this signal, or not this one: it is as before.
 */
static bool share_line(struct np_spool_burst *burst, const struct item *item)
{
    size_t start = last_line_start(burst), end = lines_end(burst), items_end;
    char tail[512];
    size_t n_tail = end - burst->items_end;

    if (burst->items_end == 0 || burst->signal != item->signal ||
        burst->n_items >= burst->most_shared || burst->items_end - start > MOST_SHARED_BYTES ||
        n_tail > sizeof(tail))
        return false;
    memcpy(tail, burst->lines.bytes + burst->items_end, n_tail);
    np_otlp_buffer_cut(&burst->lines, burst->items_end);
    burst->lines.most = start + NP_SPOOL_LINE_MOST;
    add_item(&burst->request, item);
    if (end_line(burst, &items_end)) {
        burst->items_end = items_end;
        burst->n_items++;
        burst->line[burst->n_lines - 1].end = burst->lines.length;
        return true;
    }
    np_otlp_buffer_cut(&burst->lines, burst->items_end);
    memcpy(burst->lines.bytes + burst->items_end, tail, n_tail);
    burst->lines.length = end;
    return false;
}

/* The line behind the last one is whole, or `code` says why not. */
static int take_line(struct np_spool_burst *burst, int code)
{
    size_t start = lines_end(burst);

    if (code) {
        np_otlp_buffer_cut(&burst->lines, start);
        burst->items_end = 0;
        return code;
    }
    burst->line[burst->n_lines++] = (struct np_spool_burst_line){.end = burst->lines.length};
    return 0;
}

static int add(struct np_spool_burst *burst, const struct item *item)
{
    if (share_line(burst, item))
        return 0;
    burst->lines.most = lines_end(burst) + NP_SPOOL_LINE_MOST;
    burst->signal = item->signal;
    burst->n_items = 1;
    np_otlp_request_begin(&burst->request, &np_otlp_json, &burst->source, item->signal,
                          &burst->lines);
    add_item(&burst->request, item);
    end_line(burst, &burst->items_end);
    return take_line(burst, burst->lines.failed);
}

static struct np_spool_observed *last_holds(struct np_spool_burst *burst)
{
    return &burst->line[burst->n_lines - 1].holds;
}

void np_spool_burst_span_start(struct np_spool_burst *burst, const struct np_span *span)
{
    burst->start[burst->n_starts++] = np_span_copy(span);
}

/* From the newest: it is nearly always the one. */
static void forget_start(struct np_spool_burst *burst, const struct np_span_id *span_id)
{
    size_t i = burst->n_starts;

    while (i > 0 && memcmp(&burst->start[i - 1]->span_id, span_id, sizeof(*span_id)) != 0)
        i--;
    if (i-- == 0)
        return;
    np_span_freep(&burst->start[i]);
    burst->n_starts--;
    memmove(&burst->start[i], &burst->start[i + 1], (burst->n_starts - i) * sizeof(*burst->start));
}

int np_spool_burst_span_end(struct np_spool_burst *burst, const struct np_span *span)
{
    NP_TRY(add(burst, &(struct item){.signal = NP_OTLP_TRACES, .span = span}));
    last_holds(burst)->n_spans++;
    forget_start(burst, &span->span_id); /* of a span whose end is lost the start stays */
    return 0;
}

int np_spool_burst_log(struct np_spool_burst *burst, const struct np_log_record *log)
{
    NP_TRY(add(burst, &(struct item){.signal = NP_OTLP_LOGS, .log = log}));
    last_holds(burst)->n_logs++;
    return 0;
}

int np_spool_burst_metrics(struct np_spool_burst *burst, const struct np_metric_point *point,
                           size_t n)
{
    size_t start = lines_end(burst);

    burst->lines.most = start + NP_SPOOL_LINE_MOST;
    int code = np_otlp_encode_metrics(&np_otlp_json, &burst->source, point, n, &burst->lines);
    if (!code) {
        np_otlp_buffer_add(&burst->lines, "\n", 1);
        code = burst->lines.failed;
    }
    burst->items_end = 0; /* points of one metric must be neighbours: such a line is not shared */
    NP_TRY(take_line(burst, code));
    last_holds(burst)->n_metrics = 1;
    return 0;
}

bool np_spool_burst_is_full(const struct np_spool_burst *burst)
{
    return burst->n_lines + burst->n_starts >= NP_SPOOL_BURST_MOST ||
           burst->lines.length > MOST_BYTES;
}

int np_spool_burst_finish(struct np_spool_burst *burst, int64_t *n_lost)
{
    int code = 0;

    *n_lost = 0;
    for (size_t i = 0; i < burst->n_starts; i++) {
        int failed = add(burst, &(struct item){.signal = NP_OTLP_LOGS, .start = burst->start[i]});
        if (failed)
            code = failed;
        else
            last_holds(burst)->n_starts++;
        *n_lost += failed != 0;
        np_span_freep(&burst->start[i]);
    }
    burst->n_starts = 0;
    return code;
}

void np_spool_burst_clear(struct np_spool_burst *burst)
{
    for (size_t i = 0; i < burst->n_starts; i++)
        np_span_freep(&burst->start[i]);
    burst->n_lines = burst->n_starts = 0;
    burst->items_end = 0;
    np_otlp_buffer_cut(&burst->lines, 0);
}

void np_spool_burst_done(struct np_spool_burst *burst)
{
    np_spool_burst_clear(burst);
    np_otlp_buffer_done(&burst->lines);
}
