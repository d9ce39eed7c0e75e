#include "record/quality_table.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "bids/labels.h"
#include "catalog/measure.h"
#include "catalog/modality.h"
#include "record/json.h"

#define PREFIX "quality."

static const char *const bids_name = "Name of the image that was measured, without its ending.";

struct columns {
    bool is_there[NP_N_MEASURES];
    size_t n;
};

static bool is_metric(const char *key)
{
    return strncmp(key, PREFIX, strlen(PREFIX)) == 0;
}

static const char *name_of(int ident)
{
    return np_measure_rows[ident].key + strlen(PREFIX);
}

/* NAN where the image does not have it. */
static double value_of(const struct np_file_record *file, int ident)
{
    for (size_t m = 0; m < file->n_measures; m++)
        if (strcmp(file->measure[m].key, np_measure_rows[ident].key) == 0)
            return file->measure[m].value;
    return NAN;
}

static bool is_shown(const struct np_file_record *file, const char *modality)
{
    if (file->state != NP_STATE_SUCCESS || !file->modality || strcmp(file->modality, modality) != 0)
        return false;
    for (size_t m = 0; m < file->n_measures; m++)
        if (is_metric(file->measure[m].key))
            return true;
    return false;
}

typedef void visit_fn(void *context, const struct np_file_record *file);

static void visit_all(const struct np_survey *survey, const char *modality, visit_fn *visit,
                      void *context)
{
    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_survey_row *row = &survey->row[i];
        if (!row->has_record || !np_survey_is_wanted(row))
            continue;
        for (size_t f = 0; f < row->record.n_files; f++)
            if (is_shown(&row->record.file[f], modality))
                visit(context, &row->record.file[f]);
    }
}

static void note_columns(void *context, const struct np_file_record *file)
{
    struct columns *columns = context;

    for (int i = 0; i < NP_N_MEASURES; i++) {
        bool is_new = !columns->is_there[i] && is_metric(np_measure_rows[i].key) &&
                      isfinite(value_of(file, i));
        columns->is_there[i] = columns->is_there[i] || is_new;
        columns->n += is_new;
    }
}

static struct columns find_columns(const struct np_survey *survey, const char *modality)
{
    struct columns columns = {0};

    visit_all(survey, modality, note_columns, &columns);
    return columns;
}

struct table {
    const struct columns *columns;
    struct np_str text;
};

static void add_row(void *context, const struct np_file_record *file)
{
    struct table *table = context;
    const char *name = np_path_name(file->path);
    size_t n_stem = np_image_stem_length(name);
    NP_AUTO(np_freep) char *stem = np_xstrndup(name, n_stem ? n_stem : strlen(name));
    NP_AUTO(np_freep) char *clean = np_utf8_clean(stem);

    np_str_add(&table->text, clean);
    for (int i = 0; i < NP_N_MEASURES; i++) {
        if (!table->columns->is_there[i])
            continue;
        double value = value_of(file, i);
        if (isfinite(value))
            np_str_addf(&table->text, "\t%.12g", value);
        else
            np_str_add(&table->text, "\tn/a");
    }
    np_str_add_char(&table->text, '\n');
}

char *np_quality_table_tsv(const struct np_survey *survey, const char *modality)
{
    const struct columns columns = find_columns(survey, modality);
    struct table table = {.columns = &columns};

    if (!columns.n)
        return NULL;
    np_str_add(&table.text, "bids_name");
    for (int i = 0; i < NP_N_MEASURES; i++)
        if (columns.is_there[i])
            np_str_addf(&table.text, "\t%s", name_of(i));
    np_str_add_char(&table.text, '\n');
    visit_all(survey, modality, add_row, &table);
    return np_str_take(&table.text);
}

static json_t *describe(int ident)
{
    const struct np_measure_row *row = &np_measure_rows[ident];
    NP_AUTO(np_freep)
    char *text = *row->formula ? np_xasprintf("%s (%s).", row->meaning, row->formula)
                               : np_xasprintf("%s.", row->meaning);
    json_t *entry = json_object();

    np_json_text(entry, "Description", text);
    if (strcmp(row->unit, "1") != 0)
        np_json_text(entry, "Units", row->unit);
    return entry;
}

char *np_quality_table_json(const struct np_survey *survey, const char *modality)
{
    const struct columns columns = find_columns(survey, modality);
    json_t *dictionary = json_object();

    json_object_set_new(dictionary, "bids_name", json_pack("{s:s}", "Description", bids_name));
    for (int i = 0; i < NP_N_MEASURES; i++)
        if (columns.is_there[i])
            json_object_set_new(dictionary, name_of(i), describe(i));
    return np_json_take_text(dictionary);
}

/* Takes `text`; NULL removes the file. */
static int put(const char *output_dir, const char *modality, const char *ending, char *text,
               struct np_error *err)
{
    NP_AUTO(np_freep) char *owned = text;
    NP_AUTO(np_freep) char *name = np_xasprintf("logs/group_%s.%s", modality, ending);
    NP_AUTO(np_freep) char *path = np_path_join(output_dir, name);

    if (owned)
        return np_file_write_atomic(path, owned, strlen(owned), err);
    unlink(path);
    return 0;
}

int np_quality_tables_write(const char *output_dir, const struct np_survey *survey,
                            struct np_error *err)
{
    for (size_t i = 0; i < NP_N_MODALITIES; i++) {
        const char *modality = np_modalities[i].suffix;
        char *table = np_quality_table_tsv(survey, modality);
        char *dictionary = table ? np_quality_table_json(survey, modality) : NULL;
        int code = put(output_dir, modality, "tsv", table, err);
        int second = put(output_dir, modality, "json", dictionary, code < 0 ? NULL : err);
        if (code < 0 || second < 0)
            return code < 0 ? code : second;
    }
    return 0;
}
