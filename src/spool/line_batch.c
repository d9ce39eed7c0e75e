#include "spool/line_batch.h"

#include <string.h>

#include "base/error.h"
#include "otlp/json.h"
#include "spool/lines.h"

/* A kill or a full disk costs the last line, so that a shared line stays short. */
enum { MOST_SHARED_BYTES = 16 << 10 };

enum { MOST_BYTES = 60 << 10 };

/* In the order of writing. */
static const enum np_otlp_signal order[] = {NP_OTLP_LOGS, NP_OTLP_TRACES, NP_OTLP_METRICS};

static size_t lines_end(const struct np_spool_signal_lines *of)
{
    return of->n_lines ? of->line[of->n_lines - 1].end : 0;
}

static size_t last_line_start(const struct np_spool_signal_lines *of)
{
    return of->n_lines > 1 ? of->line[of->n_lines - 2].end : 0;
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
static bool end_line(struct np_spool_signal_lines *of, size_t *items_end)
{
    *items_end = of->bytes.length;
    np_otlp_request_end(&of->request);
    np_otlp_buffer_add(&of->bytes, "\n", 1);
    return !of->bytes.failed;
}

/* Add an item to the last line. Returns false, and leaves the line as it was, when it is full. */
static bool share_line(struct np_spool_signal_lines *of, size_t most_shared,
                       const struct item *item)
{
    size_t start = last_line_start(of), end = lines_end(of), items_end;
    char tail[512];
    size_t n_tail = end - of->items_end;

    if (of->items_end == 0 || of->n_items >= most_shared ||
        of->items_end - start > MOST_SHARED_BYTES || n_tail > sizeof(tail))
        return false;
    memcpy(tail, of->bytes.bytes + of->items_end, n_tail);
    np_otlp_buffer_cut(&of->bytes, of->items_end);
    of->bytes.most = start + NP_SPOOL_LINE_MOST;
    add_item(&of->request, item);
    if (end_line(of, &items_end)) {
        of->items_end = items_end;
        of->n_items++;
        of->line[of->n_lines - 1].end = of->bytes.length;
        return true;
    }
    np_otlp_buffer_cut(&of->bytes, of->items_end);
    memcpy(of->bytes.bytes + of->items_end, tail, n_tail);
    of->bytes.length = end;
    return false;
}

/* Count the line that was written behind the last one, or remove it when `code` is an error. */
static int take_line(struct np_spool_signal_lines *of, int code)
{
    size_t start = lines_end(of);

    if (code) {
        np_otlp_buffer_cut(&of->bytes, start);
        of->items_end = 0;
        return code;
    }
    of->line[of->n_lines++] = (struct np_spool_line){.end = of->bytes.length};
    return 0;
}

static int add(struct np_spool_line_batch *batch, const struct item *item)
{
    struct np_spool_signal_lines *of = &batch->of[item->signal];

    if (share_line(of, batch->most_shared, item))
        return 0;
    of->bytes.most = lines_end(of) + NP_SPOOL_LINE_MOST;
    of->n_items = 1;
    np_otlp_request_begin(&of->request, &np_otlp_json, &batch->source, item->signal, &of->bytes);
    add_item(&of->request, item);
    end_line(of, &of->items_end);
    return take_line(of, of->bytes.failed);
}

static struct np_spool_counts *last_holds(struct np_spool_line_batch *batch,
                                          enum np_otlp_signal signal)
{
    struct np_spool_signal_lines *of = &batch->of[signal];

    return &of->line[of->n_lines - 1].holds;
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
    last_holds(batch, NP_OTLP_TRACES)->n_spans++;
    forget_start(batch, &span->span_id); /* when the end is lost, the start stays */
    return 0;
}

int np_spool_line_batch_log(struct np_spool_line_batch *batch, const struct np_log_record *log)
{
    NP_TRY(add(batch, &(struct item){.signal = NP_OTLP_LOGS, .log = log}));
    last_holds(batch, NP_OTLP_LOGS)->n_logs++;
    return 0;
}

int np_spool_line_batch_metrics(struct np_spool_line_batch *batch,
                                const struct np_metric_point *point, size_t n)
{
    struct np_spool_signal_lines *of = &batch->of[NP_OTLP_METRICS];

    of->bytes.most = lines_end(of) + NP_SPOOL_LINE_MOST;
    int code = np_otlp_encode_metrics(&np_otlp_json, &batch->source, point, n, &of->bytes);
    if (!code) {
        np_otlp_buffer_add(&of->bytes, "\n", 1);
        code = of->bytes.failed;
    }
    of->items_end = 0; /* points of one metric must be neighbours, so that lines of metrics are
                          not shared */
    NP_TRY(take_line(of, code));
    last_holds(batch, NP_OTLP_METRICS)->n_metrics = 1;
    return 0;
}

bool np_spool_line_batch_is_full(const struct np_spool_line_batch *batch)
{
    size_t n_lines = batch->n_starts, n_bytes = 0;

    for (size_t i = 0; i < NP_COUNT(batch->of); i++) {
        n_lines += batch->of[i].n_lines;
        n_bytes += batch->of[i].bytes.length;
    }
    return n_lines >= NP_SPOOL_LINE_BATCH_MOST || n_bytes > MOST_BYTES;
}

/* The lines of the first signal are not copied: until they are written, the two change buffers. */
static void swap_with_owner(struct np_spool_line_batch *batch)
{
    struct np_otlp_buffer lines = batch->lines;

    batch->lines = batch->owner->bytes;
    batch->owner->bytes = lines;
}

/* Append the lines of a signal to those that are to be written. */
static void join(struct np_spool_line_batch *batch, struct np_spool_signal_lines *of)
{
    size_t start = batch->n_lines ? batch->line[batch->n_lines - 1].end : 0;

    if (of->n_lines == 0)
        return;
    if (batch->n_lines == 0) {
        batch->owner = of;
        swap_with_owner(batch);
        batch->lines.most = 0;
        np_otlp_buffer_cut(&batch->lines, lines_end(of));
    } else {
        np_otlp_buffer_add(&batch->lines, of->bytes.bytes, lines_end(of));
    }
    for (size_t i = 0; i < of->n_lines; i++) {
        struct np_spool_line *line = &batch->line[batch->n_lines++];
        *line = of->line[i];
        line->end += start;
    }
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
            last_holds(batch, NP_OTLP_LOGS)->n_starts++;
        *n_lost += failed != 0;
        np_span_freep(&batch->start[i]);
    }
    batch->n_starts = 0;
    for (size_t i = 0; i < NP_COUNT(order); i++)
        join(batch, &batch->of[order[i]]);
    return code;
}

void np_spool_line_batch_clear(struct np_spool_line_batch *batch)
{
    for (size_t i = 0; i < batch->n_starts; i++)
        np_span_freep(&batch->start[i]);
    batch->n_starts = batch->n_lines = 0;
    if (batch->owner)
        swap_with_owner(batch);
    batch->owner = NULL;
    np_otlp_buffer_cut(&batch->lines, 0);
    for (size_t i = 0; i < NP_COUNT(batch->of); i++) {
        batch->of[i].n_lines = 0;
        batch->of[i].items_end = 0;
        np_otlp_buffer_cut(&batch->of[i].bytes, 0);
    }
}

void np_spool_line_batch_done(struct np_spool_line_batch *batch)
{
    np_spool_line_batch_clear(batch);
    np_otlp_buffer_done(&batch->lines);
    for (size_t i = 0; i < NP_COUNT(batch->of); i++)
        np_otlp_buffer_done(&batch->of[i].bytes);
}
