#include "spool/entry.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/sha256.h"
#include "spool/inside.h"
#include "spool/lines.h"

static const char *const mark_names[NP_SPOOL_N_MARKS] = {
    [NP_SPOOL_MARK_SENDING] = "sending", [NP_SPOOL_MARK_ACCEPTED] = "accepted",
    [NP_SPOOL_MARK_PARTIAL] = "partial", [NP_SPOOL_MARK_DROPPED] = "dropped",
    [NP_SPOOL_MARK_SPLIT] = "split",     [NP_SPOOL_MARK_VOID] = "void",
};

void np_spool_batch_id(const char *record_path, enum np_otlp_signal signal,
                       const struct np_spool_range *range, size_t first, size_t n,
                       char id[NP_SPOOL_BATCH_ID])
{
    char hex[NP_SHA256_HEX];
    NP_AUTO(np_freep)
    char *text = np_xasprintf("%s\n%s\n%lld-%lld\n%zu+%zu", np_path_name(record_path),
                              np_otlp_signal_name(signal), (long long)range->from,
                              (long long)range->to, first, n);

    np_sha256_of(text, strlen(text), hex);
    memcpy(id, hex, NP_SPOOL_BATCH_ID - 1);
    id[NP_SPOOL_BATCH_ID - 1] = '\0';
}

/* Writing. */

static json_t *entry_json(const struct np_spool_entry *entry, const char *record_path)
{
    char id[NP_SPOOL_BATCH_ID], time[NP_CLOCK_TEXT];

    np_spool_batch_id(record_path, entry->signal, &entry->range, 0, 0, id);
    json_t *object = json_pack(
        "{ss ss ss ss sI sI ss sI}", "time", np_clock_iso8601(np_clock_unix_ns(), time),
        "destination", entry->destination, "signal", np_otlp_signal_name(entry->signal), "batch",
        id, "from", (json_int_t)entry->range.from, "to", (json_int_t)entry->range.to, "outcome",
        mark_names[entry->mark], "items", (json_int_t)entry->n_items);
    if (object && entry->n_rejected)
        json_object_set_new(object, "rejected", json_integer(entry->n_rejected));
    if (object && entry->text && *entry->text)
        json_object_set_new(object, "said", json_string(entry->text));
    return object;
}

char *np_spool_entry_text(const struct np_spool_entry *entry, const char *record_path)
{
    json_t *object = entry_json(entry, record_path);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    json_decref(object);
    return text;
}

/* Reading. */

static bool signal_of(const char *name, enum np_otlp_signal *signal)
{
    for (int i = 0; name && i < NP_OTLP_N_SIGNALS; i++)
        if (strcmp(name, np_otlp_signal_name((enum np_otlp_signal)i)) == 0) {
            *signal = (enum np_otlp_signal)i;
            return true;
        }
    return false;
}

static bool mark_of(const char *name, enum np_spool_mark *mark)
{
    for (int i = 0; name && i < NP_SPOOL_N_MARKS; i++)
        if (strcmp(name, mark_names[i]) == 0) {
            *mark = (enum np_spool_mark)i;
            return true;
        }
    return false;
}

static int64_t count_at(const json_t *object, const char *key)
{
    enum { MOST = 1 << 30 };
    json_int_t n = json_integer_value(json_object_get(object, key));

    return n < 0 ? 0 : n > MOST ? MOST : n;
}

/* Read an entry, which borrows from `object`. Returns false when it is none. */
static bool entry_of(const json_t *object, struct np_spool_entry *entry)
{
    const json_t *from = json_object_get(object, "from"), *to = json_object_get(object, "to");

    *entry = (struct np_spool_entry){
        .destination = json_string_value(json_object_get(object, "destination")),
        .range = {json_integer_value(from), json_integer_value(to)},
        .n_items = count_at(object, "items"),
        .n_rejected = count_at(object, "rejected"),
    };
    if (entry->n_rejected > entry->n_items)
        entry->n_rejected = entry->n_items;
    return entry->destination && json_is_integer(from) && json_is_integer(to) &&
           entry->range.from >= 0 && entry->range.from < entry->range.to &&
           entry->range.to < INT64_MAX &&
           signal_of(json_string_value(json_object_get(object, "signal")), &entry->signal) &&
           mark_of(json_string_value(json_object_get(object, "outcome")), &entry->mark);
}

int np_spool_entries_read(int fd, const char *path,
                          int (*use)(void *self, const struct np_spool_entry *entry), void *self,
                          struct np_error *err)
{
    NP_AUTO(np_spool_lines_done) struct np_spool_lines lines = {.fd = -1};
    const char *line;
    size_t length;
    int more;

    NP_TRY(np_spool_lines_open(&lines, fd, err));
    while ((more = np_spool_lines_next(&lines, &line, &length, err)) > 0) {
        struct np_spool_entry entry;
        json_t *object = json_loadb(line, length, 0, NULL);
        int code = object && entry_of(object, &entry) ? use(self, &entry) : 0;
        json_decref(object);
        if (code < 0)
            return np_error_set(err, code, "'%s': no memory for the ledger", path);
    }
    return more;
}
