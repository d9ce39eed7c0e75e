#include "record/survey.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/path.h"
#include "bids/labels.h"
#include "record/counts.h"
#include "record/json.h"
#include "record/place.h"
#include "record/progress.h"
#include "record/warned.h"

static const int64_t NS_PER_S = 1000000000;
enum { DEEPEST = 64 };

/* Another boot is no proof that the process is gone: two hosts can have the same name. */
static bool is_of_this_boot(const struct np_session_record *record)
{
    if (!record->host || strcmp(record->host, np_process_place()) != 0)
        return false;
    return !record->boot_id || !record->boot_id[0] || !np_boot_id()[0] ||
           strcmp(record->boot_id, np_boot_id()) == 0;
}

enum np_state np_record_derived_state(const struct np_session_record *record, int64_t now_ns)
{
    if (record->state != NP_STATE_RUNNING)
        return record->state;
    if (is_of_this_boot(record)) {
        uint64_t start = np_process_start(record->pid);
        bool same_process = np_process_alive(record->pid) &&
                            (!start || !record->pid_start || start == record->pid_start);
        return same_process ? NP_STATE_RUNNING : NP_STATE_LOST;
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
           row->state == NP_STATE_LOST || row->state == NP_STATE_INCOMPLETE ||
           row->state == NP_STATE_NOT_STARTED || row->state == NP_STATE_OUTDATED;
}

bool np_survey_is_wanted(const struct np_survey_row *row)
{
    return row->state != NP_STATE_WITHDRAWN && row->state != NP_STATE_GONE;
}

static char *label_of(const struct np_session_record *record, const char *path)
{
    if (record->participant)
        return np_xasprintf("sub-%s%s%s", record->participant, record->session ? "/ses-" : "",
                            record->session ? record->session : "");
    return np_xstrdup(record->n_files == 1 ? record->file[0].path : np_path_name(path));
}

static struct np_survey_row *append(struct np_survey *survey, const struct np_survey_row *row)
{
    size_t n = survey->n_rows;

    if ((n & (n - 1)) == 0)
        survey->row = np_xrealloc(survey->row, (n ? 2 * n : 1) * sizeof(*survey->row));
    survey->row[n] = *row;
    return &survey->row[survey->n_rows++];
}

/* A session that began has a row, whatever became of its record: the next run does it again. */
static void add_unreadable(struct np_survey *survey, const char *path, const char *why)
{
    NP_AUTO(np_freep) char *participant = NULL;
    NP_AUTO(np_freep) char *session = NULL;

    np_strings_add(&survey->unreadable, why);
    if (!np_record_session_of(path, &participant, &session))
        return;
    const struct np_session_record labels = {.participant = participant, .session = session};
    NP_AUTO(np_freep) char *label = label_of(&labels, path);
    struct np_survey_row *row =
        np_survey_add_unrecorded(survey, np_xstrdup(path), participant, session, label);
    row->state = NP_STATE_INCOMPLETE;
    row->note = np_xasprintf("its record '%s' cannot be read", np_path_name(path));
}

static void add_row(struct np_survey *survey, const char *path)
{
    struct np_error err = {0};
    struct np_survey_row row = {.path = np_xstrdup(path), .has_record = true};

    if (np_record_read(path, &row.record, &err) < 0) {
        add_unreadable(survey, path, err.text);
        free(row.path);
        return;
    }
    row.label = label_of(&row.record, path);
    row.state = np_record_derived_state(&row.record, np_clock_unix_ns());
    append(survey, &row);
}

struct np_survey_row *np_survey_add_unrecorded(struct np_survey *survey, char *path,
                                               const char *participant, const char *session,
                                               const char *label)
{
    struct np_survey_row row = {
        .path = path, .label = np_xstrdup(label), .state = NP_STATE_NOT_STARTED};

    np_record_init(&row.record);
    row.record.participant = participant ? np_xstrdup(participant) : NULL;
    row.record.session = session ? np_xstrdup(session) : NULL;
    return append(survey, &row);
}

static int by_path(const void *a, const void *b)
{
    const struct np_survey_row *x = a, *y = b;

    return strcmp(x->path, y->path);
}

bool np_survey_shows(const struct np_survey_row *row, enum np_survey_rows rows)
{
    switch (rows) {
    case NP_SURVEY_TO_RERUN:
        return np_survey_needs_rerun(row);
    case NP_SURVEY_WARNED:
        return np_survey_is_warned(row);
    case NP_SURVEY_ALL:
        break;
    }
    return true;
}

void np_survey_sort(struct np_survey *survey)
{
    if (survey->n_rows)
        qsort(survey->row, survey->n_rows, sizeof(*survey->row), by_path);
}

static void walk(struct np_survey *survey, const char *directory, int depth)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    struct np_error err = {0};

    if (depth > DEEPEST)
        return;
    if (np_directory_list(directory, &names, &err) < 0) {
        np_strings_add(&survey->unreadable, err.text); /* it may hold records */
        return;
    }
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

static void read_folder(struct np_survey *survey, const char *output_dir)
{
    struct np_error err = {0};
    int code = np_folder_recall(output_dir, &survey->folder, &err);

    if (code == 0)
        return;
    if (code < 0)
        np_strings_add(&survey->unreadable, err.text);
    for (size_t i = 0; i < survey->n_rows; i++)
        np_folder_learn(&survey->folder, &survey->row[i].record);
    np_folder_settle(&survey->folder, output_dir);
}

static void mark_outdated(struct np_survey *survey)
{
    for (size_t i = 0; i < survey->n_rows; i++) {
        struct np_survey_row *row = &survey->row[i];
        if (row->state != NP_STATE_SUCCESS ||
            np_folder_accepts_record(&survey->folder, &row->record))
            continue;
        row->state = NP_STATE_OUTDATED;
        row->note = np_folder_difference(&survey->folder, &row->record);
    }
}

int np_survey_read(const char *output_dir, struct np_survey *survey, struct np_error *err)
{
    NP_AUTO(np_freep) char *logs = np_path_join(output_dir, "logs");
    struct stat status;

    *survey = (struct np_survey){0};
    bool is_absent = stat(logs, &status) != 0;
    if (is_absent && errno != ENOENT && errno != ENOTDIR)
        return np_error_errno(err, errno, NP_ENOINPUT, "'%s': cannot be looked into", output_dir);
    if (is_absent || !S_ISDIR(status.st_mode))
        return np_error_set(err, NP_ENOINPUT,
                            "'%s': expected an output folder of neuro-preprocess with a folder "
                            "logs/ in it, found none; check the path",
                            output_dir);
    walk(survey, logs, 0);
    read_folder(survey, output_dir);
    mark_outdated(survey);
    return 0;
}

void np_survey_done(struct np_survey *survey)
{
    for (size_t i = 0; i < survey->n_rows; i++) {
        free(survey->row[i].path);
        free(survey->row[i].label);
        free(survey->row[i].note);
        np_record_done(&survey->row[i].record);
    }
    free(survey->row);
    np_folder_done(&survey->folder);
    np_strings_done(&survey->unreadable);
    *survey = (struct np_survey){0};
}

/* A session that a run would not take on, or that has no record, has no failure of its own. */
static bool shows_failure(const struct np_survey_row *row)
{
    return np_survey_is_wanted(row) && row->state != NP_STATE_INCOMPLETE && row->has_record;
}

const char *np_survey_reason(const struct np_survey_row *row)
{
    int code = shows_failure(row) ? row->record.failure.code : 0;

    if (row->state == NP_STATE_LOST)
        return np_outcome_info(NP_OUTCOME_KILLED)->name;
    return code ? np_outcome_info(np_error_outcome(code))->name : "";
}

const char *np_survey_stage(const struct np_survey_row *row)
{
    const struct np_stage_record *open = np_record_open_stage(&row->record);

    if (!shows_failure(row))
        return "";
    if (row->record.failure.stage)
        return row->record.failure.stage;
    return open ? open->name : "";
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

const char *np_survey_sentence(const struct np_survey_row *row)
{
    if (row->note)
        return row->note;
    if (row->state == NP_STATE_LOST)
        return "its process is gone, or has given no sign of life for 10 minutes";
    return text_or_empty(row->record.failure.sentence);
}

const char *np_survey_hint(const struct np_survey_row *row)
{
    if (row->state == NP_STATE_OUTDATED)
        return "process it again with --rerun outdated";
    return shows_failure(row) ? text_or_empty(row->record.failure.hint) : "";
}

void np_survey_configurations(const struct np_survey *survey, struct np_folder *found)
{
    *found = (struct np_folder){0};
    for (size_t i = 0; i < survey->n_rows; i++)
        np_folder_learn(found, &survey->row[i].record);
    np_folder_rank(found);
}

/* Methods are named where the options do not tell two configurations apart. */
static void add_configuration(struct np_str *out, const struct np_folder *found, size_t i)
{
    const struct np_making *making = &found->making[i];
    NP_AUTO(np_freep) char *words = np_making_words(making);
    NP_AUTO(np_freep) char *first = np_making_words(&found->making[0]);
    NP_AUTO(np_freep) char *difference = np_making_difference(making, &found->making[0]);
    bool names_method = i > 0 && strcmp(words, first) == 0;

    np_str_addf(out, "%s%s (%zu session%s%s%s)", i ? "; " : "", words, making->n_sessions,
                np_plural((int64_t)making->n_sessions), names_method ? ", " : "",
                names_method ? difference : "");
}

char *np_survey_mixture(const struct np_survey *survey)
{
    NP_AUTO(np_folder_done) struct np_folder found;
    struct np_str out = {0};

    np_survey_configurations(survey, &found);
    if (found.n_makings < 2)
        return NULL;
    np_str_addf(&out, "%zu configurations: ", found.n_makings);
    for (size_t i = 0; i < found.n_makings; i++)
        add_configuration(&out, &found, i);
    return np_str_take(&out);
}

/* A cell of a TSV: no tabs, no line breaks. */
static void add_cell(struct np_str *out, const char *text, char end)
{
    NP_AUTO(np_freep) char *clean = np_utf8_clean(text);

    np_str_add(out, *clean ? clean : "n/a");
    np_str_add_char(out, end);
}

/* How the results were made. */
static void add_origin(struct np_str *out, const struct np_session_record *record)
{
    NP_AUTO(np_freep) char *method = np_folder_record_method(record);
    NP_AUTO(np_freep) char *words = np_folder_record_words(record);

    add_cell(out, text_or_empty(record->software_version), '\t');
    add_cell(out, text_or_empty(method), '\t');
    add_cell(out, text_or_empty(words), '\t');
}

static void add_warnings(struct np_str *out, const struct np_session_record *record, char end)
{
    NP_AUTO(np_strings_done) struct np_strings keys = {0};

    np_record_warning_keys(record, &keys);
    NP_AUTO(np_freep) char *cell = np_warning_cell(&keys);
    add_cell(out, cell, end);
}

/* The last cells of a row. */
static void add_words(struct np_str *out, const struct np_session_record *record,
                      const struct np_survey_words *words)
{
    NP_AUTO(np_freep) char *participant = NULL, *session = NULL;

    if (words->self && record->participant)
        participant = words->participant(words->self, record->participant);
    if (words->self && record->session)
        session = words->session(words->self, record->session);
    add_cell(out, text_or_empty(participant), '\t');
    add_cell(out, text_or_empty(session), '\n');
}

char *np_survey_tsv(const struct np_survey *survey, enum np_survey_rows rows,
                    const struct np_survey_words *words)
{
    struct np_str out = {0};

    np_str_add(&out, "participant_id\tsession_id\tstate\terror_type\tstage\tinjected\tstart\t"
                     "wall_s\tpeak_rss_mib\tn_files\tattempts\treason\thint\tversion\tmethod\t"
                     "configuration\twarnings");
    np_str_add(&out, words ? "\tparticipant_hash\tsession_hash\n" : "\n");
    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_survey_row *row = &survey->row[i];
        const struct np_session_record *record = &row->record;
        char start[NP_CLOCK_TEXT], numbers[64];
        if (!np_survey_shows(row, rows))
            continue;
        NP_AUTO(np_freep)
        char *participant =
            record->participant ? np_xasprintf("sub-%s", record->participant) : np_xstrdup("");
        NP_AUTO(np_freep)
        char *session = record->session ? np_xasprintf("ses-%s", record->session) : np_xstrdup("");
        add_cell(&out, *participant ? participant : row->label, '\t');
        add_cell(&out, session, '\t');
        add_cell(&out, np_state_name(row->state), '\t');
        add_cell(&out, np_survey_reason(row), '\t');
        add_cell(&out, np_survey_stage(row), '\t');
        add_cell(&out, record->failure.injected ? "true" : "false", '\t');
        add_cell(&out, record->start_ns ? np_clock_iso8601(record->start_ns, start) : "", '\t');
        snprintf(numbers, sizeof(numbers), "%.3f", isfinite(record->wall_s) ? record->wall_s : 0);
        add_cell(&out, numbers, '\t');
        np_str_addf(&out, "%lld\t%zu\t%zu\t", (long long)(record->peak_rss_bytes >> 20),
                    record->n_files, row->has_record ? record->n_attempts + 1 : 0);
        add_cell(&out, np_survey_sentence(row), '\t');
        add_cell(&out, np_survey_hint(row), '\t');
        add_origin(&out, record);
        add_warnings(&out, record, words ? '\t' : '\n');
        if (words)
            add_words(&out, record, words);
    }
    return np_str_take(&out);
}

static json_t *row_warnings_json(const struct np_session_record *record)
{
    json_t *array = json_array();

    for (size_t f = 0; f < record->n_files; f++)
        for (size_t i = 0; i < record->file[f].n_warnings; i++) {
            json_t *json = json_object();
            np_json_text(json, "file", record->file[f].path);
            np_json_text(json, "key", record->file[f].warning[i].key);
            np_json_text(json, "sentence", record->file[f].warning[i].text);
            json_array_append_new(array, json);
        }
    return array;
}

static json_t *row_json(const struct np_survey_row *row)
{
    json_t *json = json_object();

    np_json_text(json, "label", row->label);
    np_json_text(json, "participant", row->record.participant);
    np_json_text(json, "session", row->record.session);
    np_json_text(json, "state", np_state_name(row->state));
    np_json_text(json, "error.type", *np_survey_reason(row) ? np_survey_reason(row) : NULL);
    np_json_text(json, "stage", *np_survey_stage(row) ? np_survey_stage(row) : NULL);
    np_json_text(json, "sentence", *np_survey_sentence(row) ? np_survey_sentence(row) : NULL);
    np_json_text(json, "hint", *np_survey_hint(row) ? np_survey_hint(row) : NULL);
    json_object_set_new(json, "injected", json_boolean(row->record.failure.injected));
    json_object_set_new(json, "wall_s", np_json_number(row->record.wall_s));
    json_object_set_new(json, "peak_rss_bytes", json_integer(row->record.peak_rss_bytes));
    np_json_text(json, "record", row->has_record ? row->path : NULL);
    NP_AUTO(np_freep) char *method = np_folder_record_method(&row->record);
    NP_AUTO(np_freep) char *words = np_folder_record_words(&row->record);
    np_json_text(json, "version", row->record.software_version);
    np_json_text(json, "method", method);
    np_json_text(json, "configuration", words);
    json_object_set_new(json, "warnings", row_warnings_json(&row->record));
    return json;
}

static void set_count(json_t *json, const char *key, size_t n)
{
    json_object_set_new(json, key, json_integer((json_int_t)n));
}

static json_t *configurations_json(const struct np_survey *survey)
{
    NP_AUTO(np_folder_done) struct np_folder found;
    json_t *array = json_array();

    np_survey_configurations(survey, &found);
    for (size_t i = 0; i < found.n_makings; i++) {
        NP_AUTO(np_freep) char *words = np_making_words(&found.making[i]);
        json_t *json = json_object();
        np_json_text(json, "configuration", words);
        set_count(json, "n_sessions", found.making[i].n_sessions);
        json_array_append_new(array, json);
    }
    return array;
}

/* {"mask-unsure": 3}: sessions with warnings of each key. */
static void add_warned(json_t *json, const struct np_survey *survey)
{
    NP_AUTO(np_warned_done) struct np_warned warned;
    json_t *counts = json_object();

    np_warned_find(survey, &warned);
    for (size_t i = 0; i < warned.keys.n; i++)
        set_count(counts, warned.keys.item[i], warned.n_of[i]);
    set_count(json, "n_with_warnings", warned.n_sessions);
    json_object_set_new(json, "warnings", counts);
}

static void add_progress(json_t *json, const struct np_survey *survey)
{
    static const char *const verified[] = {[NP_VERIFY_RECORDS] = "records",
                                           [NP_VERIFY_SIZES] = "sizes",
                                           [NP_VERIFY_HASHES] = "hashes"};
    struct np_progress progress;

    np_progress_find(survey, &progress);
    set_count(json, "n_wanted", progress.n_wanted);
    set_count(json, "n_complete", progress.n_complete);
    set_count(json, "n_without_images", progress.n_nothing);
    set_count(json, "n_to_rerun", progress.n_rerun);
    if (progress.has_estimate) {
        json_object_set_new(json, "sessions_per_hour", np_json_number(progress.per_hour));
        json_object_set_new(json, "left_s", np_json_number(progress.left_s));
        json_object_set_new(json, "left_least_s", np_json_number(progress.least_s));
        json_object_set_new(json, "left_most_s", np_json_number(progress.most_s));
    }
    json_object_set_new(json, "knows_plans", json_boolean(survey->knows_plans));
    json_object_set_new(json, "verified", json_string(verified[survey->verified]));
}

/* {"success": 12}: the states that a session has. */
static json_t *states_json(const struct np_survey *survey)
{
    NP_AUTO(np_counts_done) struct np_counts counts;
    json_t *json = json_object();

    np_counts_find(survey, &counts);
    for (int s = 0; s < NP_N_STATES; s++)
        if (counts.of_state[s])
            set_count(json, np_state_name((enum np_state)s), counts.of_state[s]);
    return json;
}

char *np_survey_json(const struct np_survey *survey, enum np_survey_rows rows)
{
    json_t *json = json_object(), *sessions = json_array();

    for (size_t i = 0; i < survey->n_rows; i++)
        if (np_survey_shows(&survey->row[i], rows))
            json_array_append_new(sessions, row_json(&survey->row[i]));
    json_object_set_new(json, "n_sessions", json_integer((json_int_t)survey->n_rows));
    add_progress(json, survey);
    json_object_set_new(json, "states", states_json(survey));
    add_warned(json, survey);
    json_object_set_new(json, "configurations", configurations_json(survey));
    json_object_set_new(json, "sessions", sessions);
    json_object_set_new(json, "unreadable", np_json_strings(&survey->unreadable));
    return np_json_take_text(json);
}

char *np_survey_nipoppy(const struct np_survey *survey, enum np_survey_rows rows)
{
    enum np_survey_rows listed = rows == NP_SURVEY_ALL ? NP_SURVEY_TO_RERUN : rows;
    struct np_str out = {0};

    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_session_record *record = &survey->row[i].record;
        const char *session = record->session ? record->session : "unnamed";
        if (record->participant && np_survey_shows(&survey->row[i], listed) &&
            np_label_is_valid(record->participant) && np_label_is_valid(session))
            np_str_addf(&out, "%s\t%s\n", record->participant, session);
    }
    return np_str_take(&out);
}
