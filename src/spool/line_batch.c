#include "spool/line_batch.h"

#include <string.h>

#include "base/error.h"
#include "otlp/json.h"
#include "spool/lines.h"

/* A kill or a full disk costs the last line, so that a shared line stays short. */
enum { MOST_SHARED_BYTES = 16 << 10 };

enum { MOST_BYTES = 60 << 10 };

static size_t lines_end(const struct np_spool_line_batch *batch)
{
    return batch->n_lines ? batch->line[batch->n_lines - 1].end : 0;
}

static size_t last_line_start(const struct np_spool_line_batch *batch)
{
    return batch->n_lines > 1 ? batch->line[batch->n_lines - 2].end : 0;
}

/* One item of a request: one of the three pointers is set. */
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

/* End the line; `*items_end` is where its end begins. Returns false when it does not fit. */
static bool end_line(struct np_spool_line_batch *batch, size_t *items_end)
{
    *items_end = batch->lines.length;
    np_otlp_request_end(&batch->request);
    np_otlp_buffer_add(&batch->lines, "\n", 1);
    return !batch->lines.failed;
}

/* Add an item to the last line. Returns false, and leaves the line as it was, when the line is
 * of another signal or full. */
static bool share_line(struct np_spool_line_batch *batch, const struct item *item)
{
    size_t start = last_line_start(batch), end = lines_end(batch), items_end;
    char tail[512];
    size_t n_tail = end - batch->items_end;

    if (batch->items_end == 0 || batch->signal != item->signal ||
        batch->n_items >= batch->most_shared || batch->items_end - start > MOST_SHARED_BYTES ||
        n_tail > sizeof(tail))
        return false;
    memcpy(tail, batch->lines.bytes + batch->items_end, n_tail);
    np_otlp_buffer_cut(&batch->lines, batch->items_end);
    batch->lines.most = start + NP_SPOOL_LINE_MOST;
    add_item(&batch->request, item);
    if (end_line(batch, &items_end)) {
        batch->items_end = items_end;
        batch->n_items++;
        batch->line[batch->n_lines - 1].end = batch->lines.length;
        return true;
    }
    np_otlp_buffer_cut(&batch->lines, batch->items_end);
    memcpy(batch->lines.bytes + batch->items_end, tail, n_tail);
    batch->lines.length = end;
    return false;
}

/* Count the line that was written behind the last one, or remove it when `code` is an error. */
static int take_line(struct np_spool_line_batch *batch, int code)
{
    size_t start = lines_end(batch);

    if (code) {
        np_otlp_buffer_cut(&batch->lines, start);
        batch->items_end = 0;
        return code;
    }
    batch->line[batch->n_lines++] = (struct np_spool_line){.end = batch->lines.length};
    return 0;
}

static int add(struct np_spool_line_batch *batch, const struct item *item)
{
    if (share_line(batch, item))
        return 0;
    batch->lines.most = lines_end(batch) + NP_SPOOL_LINE_MOST;
    batch->signal = item->signal;
    batch->n_items = 1;
    np_otlp_request_begin(&batch->request, &np_otlp_json, &batch->source, item->signal,
                          &batch->lines);
    add_item(&batch->request, item);
    end_line(batch, &batch->items_end);
    return take_line(batch, batch->lines.failed);
}

static struct np_spool_counts *last_holds(struct np_spool_line_batch *batch)
{
    return &batch->line[batch->n_lines - 1].holds;
}

void np_spool_line_batch_span_start(struct np_spool_line_batch *batch, const struct np_span *span)
{
    batch->start[batch->n_starts++] = np_span_copy(span);
}

/* Search from the newest: it is nearly always the last one. */
static void forget_start(struct np_spool_line_batch *batch, const struct np_span_id *span_id)
{
    size_t i = batch->n_starts;

    while (i > 0 && memcmp(&batch->start[i - 1]->span_id, span_id, sizeof(*span_id)) != 0)
        i--;
    if (i-- == 0)
        return;
    np_span_freep(&batch->start[i]);
    batch->n_starts--;
    memmove(&batch->start[i], &batch->start[i + 1], (batch->n_starts - i) * sizeof(*batch->start));
}

int np_spool_line_batch_span_end(struct np_spool_line_batch *batch, const struct np_span *span)
{
    NP_TRY(add(batch, &(struct item){.signal = NP_OTLP_TRACES, .span = span}));
    last_holds(batch)->n_spans++;
    forget_start(batch, &span->span_id); /* when the end is lost, the start stays */
    return 0;
}

int np_spool_line_batch_log(struct np_spool_line_batch *batch, const struct np_log_record *log)
{
    NP_TRY(add(batch, &(struct item){.signal = NP_OTLP_LOGS, .log = log}));
    last_holds(batch)->n_logs++;
    return 0;
}

int np_spool_line_batch_metrics(struct np_spool_line_batch *batch,
                                const struct np_metric_point *point, size_t n)
{
    size_t start = lines_end(batch);

    batch->lines.most = start + NP_SPOOL_LINE_MOST;
    int code = np_otlp_encode_metrics(&np_otlp_json, &batch->source, point, n, &batch->lines);
    if (!code) {
        np_otlp_buffer_add(&batch->lines, "\n", 1);
        code = batch->lines.failed;
    }
    batch->items_end = 0; /* points of one metric must be neighbours, so that lines of metrics
                             are not shared */
    NP_TRY(take_line(batch, code));
    last_holds(batch)->n_metrics = 1;
    return 0;
}

bool np_spool_line_batch_is_full(const struct np_spool_line_batch *batch)
{
    return batch->n_lines + batch->n_starts >= NP_SPOOL_LINE_BATCH_MOST ||
           batch->lines.length > MOST_BYTES;
}

int np_spool_line_batch_finish(struct np_spool_line_batch *batch, int64_t *n_lost)
{
    int code = 0;

    *n_lost = 0;
    for (size_t i = 0; i < batch->n_starts; i++) {
        int failed = add(batch, &(struct item){.signal = NP_OTLP_LOGS, .start = batch->start[i]});
        if (failed)
            code = failed;
        else
            last_holds(batch)->n_starts++;
        *n_lost += failed != 0;
        np_span_freep(&batch->start[i]);
    }
    batch->n_starts = 0;
    return code;
}

void np_spool_line_batch_clear(struct np_spool_line_batch *batch)
{
    for (size_t i = 0; i < batch->n_starts; i++)
        np_span_freep(&batch->start[i]);
    batch->n_lines = batch->n_starts = 0;
    batch->items_end = 0;
    np_otlp_buffer_cut(&batch->lines, 0);
}

void np_spool_line_batch_done(struct np_spool_line_batch *batch)
{
    np_spool_line_batch_clear(batch);
    np_otlp_buffer_done(&batch->lines);
}
