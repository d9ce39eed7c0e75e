/*
 * Any bytes as a status record: read or refused; what was read is written to a text that reads the
 * same, and can be closed and shown. Bytes that begin with '{' are the text itself; all others
 * choose among the words of a record, so that its reader is reached and not the JSON parser alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "record/record.h"
#include "record/survey.h"
#include "record/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static const char *const keys[] = {
    "schema",   "run",         "trace_id",  "participant", "session",       "state",
    "start",    "end",         "heartbeat", "wall_s",      "cpu_s",         "peak_rss_bytes",
    "process",  "host",        "boot_id",   "pid",         "pid_start",     "scheduler",
    "software", "version",     "codec",     "text",        "configuration", "sha256",
    "files",    "input",       "path",      "bytes",       "mtime_ns",      "modality",
    "method",   "stages",      "name",      "measures",    "value",         "unit",
    "facts",    "outputs",     "warnings",  "failure",     "error",         "stage",
    "key",      "sentence",    "hint",      "signal",      "attempts",      "reason",
    "injected", "voxel_sha256"};

static const char *const values[] = {"1",
                                     "0",
                                     "-1",
                                     "2147483647",
                                     "9223372036854775807",
                                     "-9223372036854775808",
                                     "1e308",
                                     "0.1",
                                     "true",
                                     "false",
                                     "null",
                                     "\"\"",
                                     "\"running\"",
                                     "\"success\"",
                                     "\"lost\"",
                                     "\"NP_EFORMAT\"",
                                     "\"NP_OK\"",
                                     "\"0123456789abcdef\"",
                                     "\"9999-12-31T23:59:59.999999999Z\"",
                                     "\"0001-01-01T00:00:00Z\"",
                                     "\"2026-11-21T10:00:00.5Z\"",
                                     "\"\\u001b[31m\\ufffd\"",
                                     "\"\xef\x9f\x83\xef\x9e\xa9\"",
                                     "\"../../x\"",
                                     "\"localhost\""};

struct choices {
    const uint8_t *next;
    size_t left;
};

static uint8_t choose(struct choices *from)
{
    if (from->left == 0)
        return 0;
    from->left--;
    return *from->next++;
}

static void add_value(struct np_str *out, struct choices *from, int depth)
{
    uint8_t kind = choose(from);
    bool is_object = kind % 4 == 1;

    if (kind % 4 == 0 || kind % 4 == 3 || depth > 6) {
        np_str_add(out, values[choose(from) % NP_COUNT(values)]);
        return;
    }
    np_str_add_char(out, is_object ? '{' : '[');
    for (int n = choose(from) % 12; n > 0; n--) {
        if (is_object)
            np_str_addf(out, "\"%s\":", keys[choose(from) % NP_COUNT(keys)]);
        add_value(out, from, depth + 1);
        np_str_add(out, n > 1 ? "," : "");
    }
    np_str_add_char(out, is_object ? '}' : ']');
}

static char *make_text(const uint8_t *bytes, size_t n_bytes)
{
    struct choices from = {bytes, n_bytes};
    struct np_str out = {0};

    if (n_bytes > 0 && bytes[0] == '{')
        return np_xstrndup((const char *)bytes, n_bytes);
    np_str_add(&out, "{\"schema\":1");
    while (from.left > 0) {
        np_str_addf(&out, ",\"%s\":", keys[choose(&from) % NP_COUNT(keys)]);
        add_value(&out, &from, 0);
    }
    np_str_add_char(&out, '}');
    return np_str_take(&out);
}

/* A record that was read: nothing that is done with it may go wrong. */
static void use(struct np_session_record *record)
{
    NP_AUTO(np_freep) char *failure = np_failure_text(&record->failure);
    struct np_survey_row row = {.path = (char[]){"x"}, .label = (char[]){"y"}, .has_record = true};
    const struct np_survey survey = {.row = &row, .n_rows = 1};
    FILE *nowhere = fopen("/dev/null", "w");

    row.state = np_record_derived_state(record, np_clock_unix_ns());
    row.record = *record;
    np_survey_print_table(&survey, NP_SURVEY_ALL, nowhere);
    NP_AUTO(np_freep) char *tsv = np_survey_tsv(&survey, NP_SURVEY_ALL, NULL);
    NP_AUTO(np_freep) char *json = np_survey_json(&survey, NP_SURVEY_ALL);
    size_t n_lines = 0, n_tabs = 0;
    for (const char *c = tsv; *c; c++) {
        n_lines += *c == '\n';
        n_tabs += *c == '\t';
    }
    if (n_lines != 2 || n_tabs != 2 * 16 || json[0] != '{' || strlen(failure) < 4)
        abort();
    fclose(nowhere);
    np_record_close_lost(record, np_clock_unix_ns());
}

static void check_record(const char *text)
{
    NP_AUTO(np_record_done) struct np_session_record record, again;
    struct np_error err = {0};

    np_record_init(&again);
    if (np_record_parse(text, "fuzzed", &record, &err) < 0) {
        if (err.code == 0 || !err.text[0])
            abort();
        return;
    }
    NP_AUTO(np_freep) char *once = np_record_format(&record);
    if (np_record_parse(once, "again", &again, &err) < 0)
        abort();
    NP_AUTO(np_freep) char *twice = np_record_format(&again);
    if (strcmp(once, twice) != 0)
        abort();
    use(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_freep) char *text = make_text(bytes, n_bytes);
    NP_AUTO(np_file_record_done) struct np_file_record file = {0};

    check_record(text);
    NP_IGNORE(np_file_record_parse(text, &file, NULL)); /* it must not crash, whatever it says */
    return 0;
}
