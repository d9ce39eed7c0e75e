#include "pipeline/journal.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"

void np_journal_open(struct np_journal *journal, const char *path, const char *run_id)
{
    snprintf(journal->run_id, sizeof(journal->run_id), "%s", run_id);
    /* Follow no link to another place, and do not wait for the reader of a pipe. */
    journal->fd =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
}

static void add_attr(struct np_str *line, const struct np_attr *attr)
{
    np_str_add(line, ", ");
    np_str_add_json(line, attr->key);
    np_str_add(line, ": ");
    switch (attr->type) {
    case NP_ATTR_STRING:
        np_str_add_json(line, attr->value.string);
        break;
    case NP_ATTR_INT:
        np_str_addf(line, "%lld", (long long)attr->value.integer);
        break;
    case NP_ATTR_DOUBLE: /* JSON cannot express values that are not finite */
        if (isfinite(attr->value.number))
            np_str_addf(line, "%.17g", attr->value.number);
        else
            np_str_add(line, "null");
        break;
    case NP_ATTR_BOOL:
        np_str_add(line, attr->value.boolean ? "true" : "false");
        break;
    }
}

void np_journal_write(struct np_journal *journal, const struct np_log_record *record)
{
    NP_AUTO(np_str_done) struct np_str line = {0};
    char time[NP_CLOCK_TEXT], trace_id[NP_TRACE_ID_HEX], span_id[NP_SPAN_ID_HEX];

    if (journal->fd < 0)
        return;
    np_trace_id_hex(&record->trace_id, trace_id);
    np_span_id_hex(&record->span_id, span_id);
    np_str_addf(&line, "{\"time\": \"%s\", \"severity\": \"%s\", \"body\": ",
                np_clock_iso8601(record->time_ns, time), np_severity_name(record->severity));
    np_str_add_json(&line, record->body);
    np_str_addf(&line, ", \"run\": \"%s\", \"trace_id\": \"%s\", \"span_id\": \"%s\"",
                journal->run_id, trace_id, span_id);
    for (size_t i = 0; i < record->attrs.n; i++)
        add_attr(&line, &record->attrs.item[i]);
    np_str_add(&line, "}\n");
    /* A line that does not fit the disk is lost: the session's record, written last, says why. */
    NP_IGNORE(np_fd_write_all(journal->fd, line.text, line.length));
}

void np_journal_close(struct np_journal *journal)
{
    if (journal->fd >= 0)
        close(journal->fd);
    journal->fd = -1;
}
