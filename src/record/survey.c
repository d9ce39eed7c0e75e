#include "record/survey.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "bids/labels.h"
#include "record/json.h"
#include "record/place.h"

static const int64_t NS_PER_S = 1000000000;
enum { DEEPEST = 64 };

enum np_state np_record_derived_state(const struct np_session_record *record, int64_t now_ns)
{
    if (record->state != NP_STATE_RUNNING)
        return record->state;
    if (record->host && strcmp(record->host, np_process_place()) == 0) {
        bool same_boot = !record->boot_id || !np_boot_id()[0] || !record->boot_id[0] ||
                         strcmp(record->boot_id, np_boot_id()) == 0;
        uint64_t start = np_process_start(record->pid);
        bool same_process = np_process_alive(record->pid) &&
                            (!start || !record->pid_start || start == record->pid_start);
        return same_boot && same_process ? NP_STATE_RUNNING : NP_STATE_LOST;
    }
    return now_ns - record->heartbeat_ns > NP_HEARTBEAT_LOST_S * NS_PER_S ? NP_STATE_LOST
                                                                          : NP_STATE_RUNNING;
}

void np_record_close_lost(struct np_session_record *record, int64_t now_ns)
{
    const struct np_stage_record *open = np_record_open_stage(record);
    char seen[NP_CLOCK_TEXT];
    struct np_error why = {0};

    np_error_set(&why, NP_EKILLED,
                 "process %lld on %s is gone without a word; its last sign of life was at %s",
                 (long long)record->pid, record->host ? record->host : "an unknown host",
                 np_clock_iso8601(record->heartbeat_ns, seen));
    np_failure_set(&record->failure, &why, open ? open->name : NULL);
    record->state = NP_STATE_FAILED;
    record->end_ns = record->heartbeat_ns ? record->heartbeat_ns : now_ns;
    for (size_t f = 0; f < record->n_files; f++) {
        struct np_file_record *file = &record->file[f];
        if (file->state != NP_STATE_RUNNING)
            continue;
        file->state = NP_STATE_FAILED;
        np_failure_copy(&record->failure, &file->failure);
        for (size_t s = 0; s < file->n_stages; s++)
            if (file->stage[s].state == NP_STATE_RUNNING)
                file->stage[s].state = NP_STATE_FAILED;
    }
}

bool np_survey_needs_rerun(const struct np_survey_row *row)
{
    return row->state == NP_STATE_FAILED || row->state == NP_STATE_INTERRUPTED ||
           row->state == NP_STATE_LOST;
}

static char *label_of(const struct np_session_record *record, const char *path)
{
    if (record->participant)
        return np_xasprintf("sub-%s%s%s", record->participant, record->session ? "/ses-" : "",
                            record->session ? record->session : "");
    return np_xstrdup(record->n_files == 1 ? record->file[0].path : np_path_name(path));
}

static void add_row(struct np_survey *survey, const char *path)
{
    struct np_error err = {0};
    struct np_survey_row row = {.path = np_xstrdup(path)};

    if (np_record_read(path, &row.record, &err) < 0) {
        np_strings_add(&survey->unreadable, err.text);
        free(row.path);
        return;
    }
    row.label = label_of(&row.record, path);
    row.state = np_record_derived_state(&row.record, np_clock_unix_ns());
    survey->row = np_xrealloc(survey->row, (survey->n_rows + 1) * sizeof(*survey->row));
    survey->row[survey->n_rows++] = row;
}

static void walk(struct np_survey *survey, const char *directory, int depth)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    if (depth > DEEPEST || np_directory_list(directory, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.item[i];
        NP_AUTO(np_freep) char *path = np_path_join(directory, name);
        if (name[0] == '.')
            continue;
        if (np_record_is_status(name))
            add_row(survey, path);
        else if (np_path_is_real_directory(path))
            walk(survey, path, depth + 1);
    }
}

int np_survey_read(const char *output_dir, struct np_survey *survey, struct np_error *err)
{
    NP_AUTO(np_freep) char *logs = np_path_join(output_dir, "logs");

    *survey = (struct np_survey){0};
    if (!np_path_is_directory(logs))
        return np_error_set(err, NP_ENOINPUT,
                            "'%s': expected an output folder of neuro-preprocess with a folder "
                            "logs/ in it, found none; check the path",
                            output_dir);
    walk(survey, logs, 0);
    return 0;
}

void np_survey_done(struct np_survey *survey)
{
    for (size_t i = 0; i < survey->n_rows; i++) {
        free(survey->row[i].path);
        free(survey->row[i].label);
        np_record_done(&survey->row[i].record);
    }
    free(survey->row);
    np_strings_done(&survey->unreadable);
    *survey = (struct np_survey){0};
}

static const char *reason_name(const struct np_survey_row *row)
{
    if (row->state == NP_STATE_LOST)
        return np_outcome_info(NP_OUTCOME_KILLED)->name;
    return row->record.failure.code
               ? np_outcome_info(np_error_outcome(row->record.failure.code))->name
               : "";
}

static const char *stage_name(const struct np_survey_row *row)
{
    const struct np_stage_record *open = np_record_open_stage(&row->record);

    if (row->record.failure.stage)
        return row->record.failure.stage;
    return open ? open->name : "";
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static const char *sentence_of(const struct np_survey_row *row)
{
    if (row->state == NP_STATE_LOST)
        return "its process is gone, or has given no sign of life for 10 minutes";
    return text_or_empty(row->record.failure.sentence);
}

/* One line, whatever the records hold. */
NP_PRINTF(2, 3)
static void print_line(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    NP_AUTO(np_freep) char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        abort();
    NP_AUTO(np_freep) char *clean = np_utf8_clean(text);
    fprintf(out, "%s\n", clean);
}

static void print_counts(const struct np_survey *survey, FILE *out)
{
    NP_AUTO(np_str_done) struct np_str line = {0};
    size_t count[NP_N_STATES] = {0};

    for (size_t i = 0; i < survey->n_rows; i++)
        count[survey->row[i].state]++;
    np_str_addf(&line, "%zu session%s:", survey->n_rows, np_plural((int64_t)survey->n_rows));
    const char *separator = " ";
    for (int s = 0; s < NP_N_STATES; s++)
        if (count[s]) {
            np_str_addf(&line, "%s%zu %s", separator, count[s], np_state_name((enum np_state)s));
            separator = ", ";
        }
    print_line(out, "%s", np_str_text(&line));
}

static void print_running(const struct np_survey *survey, FILE *out)
{
    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_survey_row *row = &survey->row[i];
        if (row->state == NP_STATE_RUNNING)
            print_line(out, "  %s: running, in %s", row->label,
                       *stage_name(row) ? stage_name(row) : "start");
    }
}

static bool same_failure(const struct np_survey_row *a, const struct np_survey_row *b)
{
    return a->state == b->state && strcmp(reason_name(a), reason_name(b)) == 0 &&
           strcmp(stage_name(a), stage_name(b)) == 0;
}

/* All rows that failed as `survey->row[first]` did; none of them is before it. */
static void print_failure_group(const struct np_survey *survey, size_t first, bool *told, FILE *out)
{
    const struct np_survey_row *row = &survey->row[first];
    NP_AUTO(np_strings_done) struct np_strings lines = {0};

    for (size_t i = first; i < survey->n_rows; i++) {
        const struct np_survey_row *other = &survey->row[i];
        if (told[i] || !np_survey_needs_rerun(other) || !same_failure(row, other))
            continue;
        told[i] = true;
        np_strings_give(&lines, np_xasprintf("  %s: %s%s", other->label, sentence_of(other),
                                             other->record.failure.injected ? " (injected)" : ""));
    }
    fputc('\n', out);
    print_line(out, "%s%s%s%s%s: %zu", np_state_name(row->state), *reason_name(row) ? ", " : "",
               reason_name(row), *stage_name(row) ? " at " : "", stage_name(row), lines.n);
    for (size_t i = 0; i < lines.n; i++)
        print_line(out, "%s", lines.item[i]);
    if (row->record.failure.hint)
        print_line(out, "  what to do: %s", row->record.failure.hint);
}

/* Failures grouped by reason and stage, in order of first appearance. */
static void print_failures(const struct np_survey *survey, FILE *out)
{
    NP_AUTO(np_freep) bool *told = np_xcalloc(survey->n_rows, sizeof(*told));

    for (size_t i = 0; i < survey->n_rows; i++)
        if (!told[i] && np_survey_needs_rerun(&survey->row[i]))
            print_failure_group(survey, i, told, out);
}

void np_survey_print_table(const struct np_survey *survey, enum np_survey_rows rows, FILE *out)
{
    size_t n_rerun = 0;

    print_counts(survey, out);
    if (rows == NP_SURVEY_ALL)
        print_running(survey, out);
    print_failures(survey, out);
    for (size_t i = 0; i < survey->n_rows; i++)
        n_rerun += np_survey_needs_rerun(&survey->row[i]);
    for (size_t i = 0; i < survey->unreadable.n; i++)
        print_line(out, "unreadable record: %s", survey->unreadable.item[i]);
    if (n_rerun) {
        fputc('\n', out);
        print_line(out,
                   "to rerun: %zu. Fix the cause and run the same command again: it processes only "
                   "these sessions.",
                   n_rerun);
    }
}

/* A cell of a TSV: no tabs, no line breaks. */
static void add_cell(struct np_str *out, const char *text, char end)
{
    NP_AUTO(np_freep) char *clean = np_utf8_clean(text);

    np_str_add(out, *clean ? clean : "n/a");
    np_str_add_char(out, end);
}

char *np_survey_tsv(const struct np_survey *survey, enum np_survey_rows rows)
{
    struct np_str out = {0};

    np_str_add(&out, "participant_id\tsession_id\tstate\terror_type\tstage\tinjected\tstart\t"
                     "wall_s\tpeak_rss_mib\tn_files\tattempts\treason\thint\n");
    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_survey_row *row = &survey->row[i];
        const struct np_session_record *record = &row->record;
        char start[NP_CLOCK_TEXT], numbers[64];
        if (rows == NP_SURVEY_TO_RERUN && !np_survey_needs_rerun(row))
            continue;
        NP_AUTO(np_freep)
        char *participant =
            record->participant ? np_xasprintf("sub-%s", record->participant) : np_xstrdup("");
        NP_AUTO(np_freep)
        char *session = record->session ? np_xasprintf("ses-%s", record->session) : np_xstrdup("");
        add_cell(&out, *participant ? participant : row->label, '\t');
        add_cell(&out, session, '\t');
        add_cell(&out, np_state_name(row->state), '\t');
        add_cell(&out, reason_name(row), '\t');
        add_cell(&out, stage_name(row), '\t');
        add_cell(&out, record->failure.injected ? "true" : "false", '\t');
        add_cell(&out, record->start_ns ? np_clock_iso8601(record->start_ns, start) : "", '\t');
        snprintf(numbers, sizeof(numbers), "%.3f", isfinite(record->wall_s) ? record->wall_s : 0);
        add_cell(&out, numbers, '\t');
        np_str_addf(&out, "%lld\t%zu\t%zu\t", (long long)(record->peak_rss_bytes >> 20),
                    record->n_files, record->n_attempts + 1);
        add_cell(&out, sentence_of(row), '\t');
        add_cell(&out, text_or_empty(record->failure.hint), '\n');
    }
    return np_str_take(&out);
}

static json_t *row_json(const struct np_survey_row *row)
{
    json_t *json = json_object();

    np_json_text(json, "label", row->label);
    np_json_text(json, "participant", row->record.participant);
    np_json_text(json, "session", row->record.session);
    np_json_text(json, "state", np_state_name(row->state));
    np_json_text(json, "error.type", *reason_name(row) ? reason_name(row) : NULL);
    np_json_text(json, "stage", *stage_name(row) ? stage_name(row) : NULL);
    np_json_text(json, "sentence", *sentence_of(row) ? sentence_of(row) : NULL);
    np_json_text(json, "hint", row->record.failure.hint);
    json_object_set_new(json, "injected", json_boolean(row->record.failure.injected));
    json_object_set_new(json, "wall_s", np_json_number(row->record.wall_s));
    json_object_set_new(json, "peak_rss_bytes", json_integer(row->record.peak_rss_bytes));
    np_json_text(json, "record", row->path);
    return json;
}

char *np_survey_json(const struct np_survey *survey, enum np_survey_rows rows)
{
    json_t *json = json_object(), *counts = json_object(), *sessions = json_array();
    json_int_t count[NP_N_STATES] = {0};

    for (size_t i = 0; i < survey->n_rows; i++) {
        count[survey->row[i].state]++;
        if (rows == NP_SURVEY_ALL || np_survey_needs_rerun(&survey->row[i]))
            json_array_append_new(sessions, row_json(&survey->row[i]));
    }
    for (int s = 0; s < NP_N_STATES; s++)
        if (count[s])
            json_object_set_new(counts, np_state_name((enum np_state)s), json_integer(count[s]));
    json_object_set_new(json, "n_sessions", json_integer((json_int_t)survey->n_rows));
    json_object_set_new(json, "states", counts);
    json_object_set_new(json, "sessions", sessions);
    json_object_set_new(json, "unreadable", np_json_strings(&survey->unreadable));
    return np_json_take_text(json);
}

char *np_survey_nipoppy(const struct np_survey *survey)
{
    struct np_str out = {0};

    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_session_record *record = &survey->row[i].record;
        const char *session = record->session ? record->session : "unnamed";
        if (record->participant && np_survey_needs_rerun(&survey->row[i]) &&
            np_label_is_valid(record->participant) && np_label_is_valid(session))
            np_str_addf(&out, "%s\t%s\n", record->participant, session);
    }
    return np_str_take(&out);
}
