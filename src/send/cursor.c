#include "send/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A range that the ledger notes as being sent was one request, perhaps in a protocol that needs
 * fewer bytes. A range larger than this was not written by us; skip it. */
enum { MOST_BYTES_PENDING = 2 * NP_SEND_MOST_BYTES_HTTP };

int np_send_cursor_open(struct np_send_cursor *cursor, const char *record_path,
                        const struct np_send_exporter *exporter,
                        const struct np_otlp_batch_options *options, struct np_error *err)
{
    struct stat status;

    cursor->signal = options->signal;
    cursor->exporter = exporter;
    cursor->fd = open(record_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (cursor->fd < 0 || fstat(cursor->fd, &status) != 0)
        return np_error_errno(err, errno, NP_ENOINPUT, "'%s': cannot open the telemetry record",
                              record_path);
    if (!S_ISREG(status.st_mode))
        return np_error_set(err, NP_ENOINPUT,
                            "'%s': expected a telemetry record, found no regular file",
                            record_path);
    cursor->batch = np_otlp_batch_new(options);
    return 0;
}

void np_send_cursor_done(struct np_send_cursor *cursor)
{
    if (cursor->lines.buffer)
        np_spool_lines_done(&cursor->lines);
    if (cursor->fd >= 0)
        close(cursor->fd);
    np_otlp_batch_freep(&cursor->batch);
    np_otlp_buffer_done(&cursor->body);
}

/* The place in the file of the next line. */
static int64_t next_at(const struct np_send_cursor *cursor)
{
    return cursor->base + cursor->lines.next_offset;
}

static int seek(struct np_send_cursor *cursor, int64_t at, struct np_error *err)
{
    if (cursor->lines.buffer && next_at(cursor) == at) {
        np_spool_lines_continue(&cursor->lines);
        return 0;
    }
    if (cursor->lines.buffer)
        np_spool_lines_done(&cursor->lines);
    if (lseek(cursor->fd, at, SEEK_SET) < 0)
        return np_error_errno(err, errno, NP_EIO, "cannot read telemetry lines");
    cursor->base = at;
    return np_spool_lines_open(&cursor->lines, cursor->fd, err);
}

static bool is_full(const struct np_send_cursor *cursor)
{
    return np_otlp_batch_count(cursor->batch) > cursor->exporter->most_items ||
           np_otlp_batch_bytes(cursor->batch) > cursor->exporter->most_bytes ||
           (cursor->most_lines && cursor->n_lines >= cursor->most_lines);
}

/* Add one line to the batch. When the line must stay out of it, put it back and set `*end`. */
static int load_line(struct np_send_cursor *cursor, bool is_exact, const char *line, size_t length,
                     enum np_send_stop *end)
{
    size_t before = np_otlp_batch_count(cursor->batch);
    enum np_otlp_line what = NP_OTLP_LINE_NOTHING;
    enum np_otlp_signal of;

    if (np_otlp_line_signal(line, length, &of) && of != cursor->signal)
        return 0;
    int code = np_otlp_batch_add_line(cursor->batch, line, length, &what);
    if (code < 0)
        return code;
    size_t n_items = np_otlp_batch_count(cursor->batch);
    if (what == NP_OTLP_LINE_WAITS)
        *end = NP_SEND_STOP_WAITS;
    else if (is_exact ? np_otlp_batch_bytes(cursor->batch) > MOST_BYTES_PENDING
                      : n_items > before && before > 0 && is_full(cursor))
        *end = NP_SEND_STOP_FULL;
    if (*end == NP_SEND_STOP_WAITS || *end == NP_SEND_STOP_FULL) {
        np_spool_lines_put_back(&cursor->lines);
        return 0;
    }
    cursor->n_lines += n_items > before;
    cursor->n_items = n_items;
    return 0;
}

static int read_range(struct np_send_cursor *cursor, struct np_spool_range range, bool is_exact,
                      enum np_spool_state state, enum np_send_stop *end, struct np_error *err)
{
    struct np_spool_lines *lines = &cursor->lines;
    const char *line;
    size_t length;
    int more;

    NP_TRY(seek(cursor, range.from, err));
    *end = NP_SEND_STOP_RECORD;
    while ((more = np_spool_lines_next(lines, &line, &length, err)) > 0) {
        bool is_half = !lines->ends_in_newline && state == NP_SPOOL_GROWING;
        if (is_half || cursor->base + lines->offset >= range.to) {
            np_spool_lines_put_back(lines);
            *end = is_half ? NP_SEND_STOP_RECORD : NP_SEND_STOP_RANGE;
            break;
        }
        int code = load_line(cursor, is_exact, line, length, end);
        if (code < 0)
            return np_error_set(err, code, "no memory for a batch of telemetry");
        if (!is_exact && np_otlp_batch_count(cursor->batch) == cursor->exporter->most_items)
            *end = NP_SEND_STOP_FULL; /* the next line cannot fit */
        if (*end != NP_SEND_STOP_RECORD)
            break;
    }
    return more < 0 ? more : 0;
}

void np_send_cursor_unload(struct np_send_cursor *cursor)
{
    cursor->range = (struct np_spool_range){0, 0};
}

bool np_send_cursor_is_loaded(const struct np_send_cursor *cursor)
{
    return cursor->range.to != 0;
}

int np_send_cursor_load(struct np_send_cursor *cursor, struct np_spool_range range, bool is_exact,
                        enum np_spool_state state, enum np_send_stop *end, struct np_error *err)
{
    np_otlp_batch_clear(cursor->batch);
    cursor->n_items = cursor->n_points = cursor->n_lines = cursor->n_lost = cursor->at = 0;
    cursor->may_be_stored = false;
    np_send_cursor_unload(cursor);
    NP_TRY(read_range(cursor, range, is_exact, state, end, err));
    cursor->range.from = range.from;
    cursor->range.to = is_exact ? range.to : next_at(cursor);
    cursor->n = cursor->n_items;
    cursor->n_points = np_otlp_batch_points(cursor->batch, 0, cursor->n_items);
    return 0;
}
