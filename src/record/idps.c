#include "record/idps.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "catalog/measure.h"
#include "catalog/modality.h"
#include "catalog/warning.h"
#include "record/json.h"

enum { MOST_METRICS_BYTES = 1 << 20 };

#define WARNINGS "warnings"

static const struct {
    const char *name, *description;
} label_columns[] = {
    {"participant_id", "Participant label without sub-."},
    {"bids_participant_id", "Participant label with sub-."},
    {"session_id", "Session label without ses-; 'unnamed' for images that belong to no session."},
    {"bids_session_id", "Session label with ses-."},
    {"modality", "BIDS suffix of the image: " NP_ANATOMICAL_SUFFIXES "."},
    {"source_file", "The image that was measured, relative to its dataset."},
    {"version", "Version of neuro-preprocess that made the results."},
    {"method", "The stages that made the results, and their versions."},
    {"configuration", "Options that change results and differ from the defaults. Measures of "
                      "different methods or configurations are not comparable."},
    {WARNINGS, "What a person should look at in the results of this image: the keys of its "
               "warnings, with semicolons between them; n/a where there is none."},
};

/* A sentence; a record may hold keys that this version's table does not know. */
static char *describe_measure(const char *key)
{
    const struct np_measure_row *row = np_measure_find(key);

    if (!row)
        return np_xasprintf("Measure '%s' of the records.", key);
    return *row->formula ? np_xasprintf("%s (%s).", row->meaning, row->formula)
                         : np_xasprintf("%s.", row->meaning);
}

static bool is_column(const char *key)
{
    const struct np_measure_row *row = np_measure_find(key);

    return !row || (row->shown & NP_IN_IDPS);
}

/* "skull_strip.volume" → "skull_strip_volume" */
static char *column_name(const char *key)
{
    NP_AUTO(np_freep) char *clean = np_utf8_clean(key);
    char *name = np_xstrdup(clean);

    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
    return name;
}

/* The column with this name; a new one is appended. Takes `name` and `description`. */
static size_t find_column(struct np_idps *idps, char *name, char *description, const char *unit)
{
    for (size_t c = 0; c < idps->n_columns; c++)
        if (strcmp(idps->column[c].name, name) == 0) {
            free(name);
            free(description);
            return c;
        }
    bool has_unit = unit && *unit && strcmp(unit, "1") != 0;
    idps->column = np_xrealloc(idps->column, (idps->n_columns + 1) * sizeof(*idps->column));
    idps->column[idps->n_columns] =
        (struct np_idp_column){name, description, has_unit ? np_xstrdup(unit) : NULL};
    return idps->n_columns++;
}

static void set_value(struct np_idp_row *row, size_t column, double value)
{
    if (row->n_values <= column)
        row->value = np_xrealloc(row->value, (column + 1) * sizeof(*row->value));
    while (row->n_values <= column)
        row->value[row->n_values++] = NAN;
    row->value[column] = value;
}

static void add_measures(struct np_idps *idps, const struct np_file_record *file,
                         struct np_idp_row *row)
{
    for (size_t m = 0; m < file->n_measures; m++) {
        const struct np_number_record *measure = &file->measure[m];
        if (!is_column(measure->key))
            continue;
        size_t column = find_column(idps, column_name(measure->key), describe_measure(measure->key),
                                    measure->unit);
        set_value(row, column, measure->value);
    }
}

static void add_durations(struct np_idps *idps, const struct np_file_record *file,
                          struct np_idp_row *row)
{
    double sum_s = 0;

    for (size_t s = 0; s < file->n_stages; s++) {
        NP_AUTO(np_freep) char *key = np_xasprintf("duration.%s", file->stage[s].name);
        char *meaning = np_xasprintf("Duration of the stage %s.", file->stage[s].name);
        set_value(row, find_column(idps, column_name(key), meaning, "s"), file->stage[s].wall_s);
        sum_s += file->stage[s].wall_s;
    }
    if (file->n_stages)
        set_value(row,
                  find_column(idps, np_xstrdup("duration"),
                              np_xstrdup("Duration of all stages of this image."), "s"),
                  sum_s);
}

/* Add the numbers of one file of quality metrics. */
static void add_metrics(struct np_idps *idps, const char *path, struct np_idp_row *row)
{
    NP_AUTO(np_json_freep) json_t *metrics = NULL;
    const char *key;
    json_t *value;

    if (np_json_read(path, path, MOST_METRICS_BYTES, &metrics, NULL) < 0)
        return;
    json_object_foreach(metrics, key, value)
    {
        if (!json_is_number(value))
            continue;
        NP_AUTO(np_freep) char *prefixed = np_xasprintf("iqm.%s", key);
        char *meaning = np_xasprintf("Image quality metric '%s' of desc-iqm.", key);
        size_t column = find_column(idps, column_name(prefixed), meaning, NULL);
        set_value(row, column, json_number_value(value));
    }
}

static void add_all_metrics(struct np_idps *idps, const char *output_dir,
                            const struct np_file_record *file, struct np_idp_row *row)
{
    for (size_t i = 0; i < file->n_outputs; i++) {
        const char *path = file->output[i].path;
        if (!strstr(np_path_name(path), "_desc-iqm_") || !np_ends_with(path, ".json"))
            continue;
        NP_AUTO(np_freep) char *whole = np_path_join(output_dir, path);
        add_metrics(idps, whole, row);
    }
}

/* The caller frees. */
static char *warning_keys(const struct np_file_record *file)
{
    NP_AUTO(np_strings_done) struct np_strings keys = {0};

    np_file_record_warning_keys(file, &keys);
    return np_warning_cell(&keys);
}

static void add_image(struct np_idps *idps, const char *output_dir,
                      const struct np_session_record *record, const struct np_file_record *file)
{
    struct np_idp_row row = {.participant = record->participant,
                             .session = record->session,
                             .modality = file->modality,
                             .source = file->path,
                             .version = record->software_version,
                             .method = file->method,
                             .configuration = np_folder_record_words(record),
                             .warnings = warning_keys(file)};

    add_measures(idps, file, &row);
    add_all_metrics(idps, output_dir, file, &row);
    add_durations(idps, file, &row);
    idps->row = np_xrealloc(idps->row, (idps->n_rows + 1) * sizeof(*idps->row));
    idps->row[idps->n_rows++] = row;
}

void np_idps_collect(const char *output_dir, const struct np_survey *survey, struct np_idps *idps)
{
    *idps = (struct np_idps){0};
    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_session_record *record = &survey->row[i].record;
        size_t n_before = idps->n_rows;
        for (size_t f = 0; f < record->n_files; f++)
            if (record->file[f].state == NP_STATE_SUCCESS)
                add_image(idps, output_dir, record, &record->file[f]);
        idps->n_sessions += idps->n_rows > n_before;
    }
}

void np_idps_done(struct np_idps *idps)
{
    for (size_t c = 0; c < idps->n_columns; c++) {
        free(idps->column[c].name);
        free(idps->column[c].description);
        free(idps->column[c].unit);
    }
    for (size_t r = 0; r < idps->n_rows; r++) {
        free(idps->row[r].value);
        free(idps->row[r].configuration);
        free(idps->row[r].warnings);
    }
    free(idps->column);
    free(idps->row);
    *idps = (struct np_idps){0};
}

/* One cell of a row; an existing label gets `prefix`. */
static void add_label(struct np_str *row, const char *prefix, const char *label)
{
    NP_AUTO(np_freep) char *clean = np_utf8_clean(label ? label : "");

    np_str_addf(row, "%s%s%s", row->length ? "\t" : "", *clean ? prefix : "",
                *clean ? clean : "n/a");
}

/* The caller frees. */
static char *row_text(const struct np_idps *idps, const struct np_idp_row *row)
{
    struct np_str line = {0};
    const char *session = row->participant && !row->session ? "unnamed" : row->session;

    add_label(&line, "", row->participant);
    add_label(&line, "sub-", row->participant);
    add_label(&line, "", session);
    add_label(&line, "ses-", row->session);
    add_label(&line, "", row->modality);
    add_label(&line, "", row->source);
    add_label(&line, "", row->version);
    add_label(&line, "", row->method);
    add_label(&line, "", row->configuration);
    add_label(&line, "", row->warnings);
    for (size_t c = 0; c < idps->n_columns; c++) {
        bool known = c < row->n_values && isfinite(row->value[c]);
        np_str_add_char(&line, '\t');
        if (known)
            np_str_addf(&line, "%.12g", row->value[c]);
        else
            np_str_add(&line, "n/a");
    }
    return np_str_take(&line);
}

char *np_idps_tsv(const struct np_idps *idps)
{
    struct np_str out = {0};

    for (size_t i = 0; i < NP_COUNT(label_columns); i++)
        np_str_addf(&out, "%s%s", i ? "\t" : "", label_columns[i].name);
    for (size_t c = 0; c < idps->n_columns; c++)
        np_str_addf(&out, "\t%s", idps->column[c].name);
    np_str_add_char(&out, '\n');
    for (size_t r = 0; r < idps->n_rows; r++) {
        NP_AUTO(np_freep) char *line = row_text(idps, &idps->row[r]);
        np_str_addf(&out, "%s\n", line);
    }
    return np_str_take(&out);
}

/* {"mask-unsure": "The brain mask …"} */
static json_t *warning_levels(void)
{
    json_t *levels = json_object();

    for (int i = 0; i < NP_N_WARNINGS; i++)
        np_json_text(levels, np_warning_rows[i].key, np_warning_rows[i].meaning);
    return levels;
}

char *np_idps_json(const struct np_idps *idps)
{
    json_t *dictionary = json_object();

    for (size_t i = 0; i < NP_COUNT(label_columns); i++)
        json_object_set_new(dictionary, label_columns[i].name,
                            json_pack("{s:s}", "Description", label_columns[i].description));
    json_object_set_new(json_object_get(dictionary, WARNINGS), "Levels", warning_levels());
    for (size_t c = 0; c < idps->n_columns; c++) {
        json_t *entry = json_object();
        np_json_text(entry, "Description", idps->column[c].description);
        if (idps->column[c].unit)
            np_json_text(entry, "Units", idps->column[c].unit);
        json_object_set_new(dictionary, idps->column[c].name, entry);
    }
    return np_json_take_text(dictionary);
}
