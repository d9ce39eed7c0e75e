#include "record/folder.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/path.h"
#include "base/random.h"
#include "codec/sha256.h"
#include "config/results.h"
#include "record/description.h"
#include "record/json.h"
#include "record/method.h"

enum { MOST_FOLDER_BYTES = 1 << 20, MOST_TRIES = 10, ID_DIGITS = 16 };

static char *memory_path(const char *output_dir)
{
    return np_path_join(output_dir, "logs/folder.json");
}

/* ---- one configuration ---- */

void np_making_done(struct np_making *making)
{
    for (size_t i = 0; i < making->n_methods; i++) {
        free(making->method[i].key);
        free(making->method[i].text);
    }
    free(making->method);
    free(making->options);
    *making = (struct np_making){0};
}

static const char *method_of(const struct np_making *making, const char *modality)
{
    for (size_t i = 0; i < making->n_methods; i++)
        if (strcmp(making->method[i].key, modality) == 0)
            return making->method[i].text;
    return NULL;
}

void np_making_add_method(struct np_making *making, const char *modality, const char *method)
{
    for (size_t i = 0; i < making->n_methods; i++) {
        struct np_text_record *known = &making->method[i];
        if (strcmp(known->key, modality) != 0)
            continue;
        if (np_method_lacks(known->text, method)) {
            free(known->text);
            known->text = np_xstrdup(method);
        }
        return;
    }
    making->method = np_xrealloc(making->method, (making->n_methods + 1) * sizeof(*making->method));
    making->method[making->n_methods++] =
        (struct np_text_record){.key = np_xstrdup(modality), .text = np_xstrdup(method)};
}

static void add_methods(const struct np_making *from, struct np_making *to)
{
    for (size_t i = 0; i < from->n_methods; i++)
        np_making_add_method(to, from->method[i].key, from->method[i].text);
}

void np_making_copy(const struct np_making *from, struct np_making *to)
{
    *to = (struct np_making){.options = np_xstrdup(from->options),
                             .n_sessions = from->n_sessions,
                             .first_ns = from->first_ns};
    add_methods(from, to);
}

static bool same_methods(const struct np_making *one, const struct np_making *other)
{
    for (size_t i = 0; i < one->n_methods; i++) {
        const char *method = method_of(other, one->method[i].key);
        if (method && !np_method_agrees(method, one->method[i].text))
            return false;
    }
    return true;
}

bool np_making_lacks(const struct np_making *one, const struct np_making *other)
{
    for (size_t i = 0; i < one->n_methods; i++) {
        const char *method = method_of(other, one->method[i].key);
        if (method && np_method_lacks(one->method[i].text, method))
            return true;
    }
    return false;
}

bool np_making_same(const struct np_making *one, const struct np_making *other)
{
    return np_config_results_same(one->options, other->options) && same_methods(one, other);
}

char *np_making_words(const struct np_making *making)
{
    return np_config_results_words(making->options);
}

/* The stages of `method` that `other` does not have in this version: "skull_strip:3 report:1". */
static char *stages_beyond(const char *method, const char *other)
{
    NP_AUTO(np_freep) char *copy = np_xstrdup(method);
    struct np_str out = {0};
    char *rest = NULL;

    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        const char *found = strstr(other, word);
        size_t n = strlen(word);
        bool is_whole = found && (found == other || found[-1] == ' ') && strchr(" ", found[n]);
        if (!is_whole)
            np_str_addf(&out, "%s%s", out.length ? " " : "", word);
    }
    if (!out.length)
        np_str_add(&out, "fewer stages");
    return np_str_take(&out);
}

char *np_making_difference(const struct np_making *there, const struct np_making *here)
{
    NP_AUTO(np_freep) char *options = np_config_results_difference(there->options, here->options);
    struct np_str out = {0};

    np_str_add(&out, options);
    for (size_t i = 0; i < there->n_methods; i++) {
        const char *before = there->method[i].text, *now = method_of(here, there->method[i].key);
        if (!now || strcmp(before, now) == 0)
            continue;
        NP_AUTO(np_freep) char *a = stages_beyond(before, now);
        NP_AUTO(np_freep) char *b = stages_beyond(now, before);
        np_str_addf(&out, "%smethod of %s: %s there, %s here", out.length ? "; " : "",
                    *there->method[i].key ? there->method[i].key : "an image", a, b);
    }
    return np_str_take(&out);
}

/* ---- the memory ---- */

void np_folder_done(struct np_folder *folder)
{
    for (size_t i = 0; i < folder->n_makings; i++)
        np_making_done(&folder->making[i]);
    free(folder->making);
    free(folder->id);
    free(folder->source_name);
    free(folder->source_doi);
    *folder = (struct np_folder){0};
}

static struct np_making *add_making(struct np_folder *folder)
{
    folder->making = np_xrealloc(folder->making, (folder->n_makings + 1) * sizeof(*folder->making));
    folder->making[folder->n_makings] = (struct np_making){0};
    return &folder->making[folder->n_makings++];
}

static const struct np_making *find(const struct np_folder *folder, const struct np_making *ours)
{
    for (size_t i = 0; i < folder->n_makings; i++)
        if (np_making_same(&folder->making[i], ours))
            return &folder->making[i];
    return NULL;
}

bool np_folder_lacks(const struct np_folder *folder, const struct np_making *ours)
{
    const struct np_making *known = find(folder, ours);

    return known && np_making_lacks(known, ours);
}

enum np_folder_verdict np_folder_judge(const struct np_folder *folder, const struct np_making *ours,
                                       bool redoes_outdated, bool allows_mixed)
{
    bool agrees = find(folder, ours) != NULL;

    if (folder->n_makings == 0)
        return NP_FOLDER_FOUNDS;
    if (redoes_outdated)
        return agrees && folder->n_makings == 1 ? NP_FOLDER_AGREES : NP_FOLDER_CHANGES;
    if (agrees)
        return NP_FOLDER_AGREES;
    return allows_mixed ? NP_FOLDER_MIXES : NP_FOLDER_REFUSES;
}

void np_folder_apply(struct np_folder *folder, enum np_folder_verdict verdict,
                     const struct np_making *ours)
{
    if (verdict == NP_FOLDER_CHANGES)
        while (folder->n_makings > 0)
            np_making_done(&folder->making[--folder->n_makings]);
    if (verdict == NP_FOLDER_AGREES)
        for (size_t i = 0; i < folder->n_makings; i++)
            if (np_making_same(&folder->making[i], ours))
                add_methods(ours, &folder->making[i]);
    if (verdict == NP_FOLDER_FOUNDS || verdict == NP_FOLDER_CHANGES || verdict == NP_FOLDER_MIXES)
        np_making_copy(ours, add_making(folder));
}

/* The results of a session as a configuration; false when it has none. */
static bool making_of_record(const struct np_session_record *record, struct np_making *making)
{
    *making = (struct np_making){.n_sessions = 1, .first_ns = record->start_ns};
    bool has_results = false;
    for (size_t f = 0; f < record->n_files; f++) {
        const struct np_file_record *file = &record->file[f];
        if (file->state != NP_STATE_SUCCESS || !file->method)
            continue;
        np_making_add_method(making, file->modality ? file->modality : "", file->method);
        has_results = true;
    }
    if (has_results && record->config)
        making->options = np_xstrdup(record->config);
    else
        np_making_done(making);
    return making->options != NULL;
}

void np_folder_learn(struct np_folder *folder, const struct np_session_record *record)
{
    NP_AUTO(np_making_done) struct np_making made;

    if (!making_of_record(record, &made))
        return;
    for (size_t i = 0; i < folder->n_makings; i++) {
        struct np_making *known = &folder->making[i];
        if (!np_making_same(known, &made))
            continue;
        add_methods(&made, known);
        known->n_sessions++;
        known->first_ns = made.first_ns < known->first_ns ? made.first_ns : known->first_ns;
        return;
    }
    *add_making(folder) = made;
    made = (struct np_making){0};
}

static int by_sessions(const void *a, const void *b)
{
    const struct np_making *x = a, *y = b;

    if (x->n_sessions != y->n_sessions)
        return x->n_sessions > y->n_sessions ? -1 : 1;
    return (x->first_ns > y->first_ns) - (x->first_ns < y->first_ns);
}

void np_folder_rank(struct np_folder *folder)
{
    if (folder->n_makings > 1)
        qsort(folder->making, folder->n_makings, sizeof(*folder->making), by_sessions);
}

void np_folder_settle(struct np_folder *folder, const char *output_dir)
{
    if (folder->n_makings == 0)
        return;
    np_folder_rank(folder);
    folder->origin = NP_FOLDER_FROM_RECORDS;
    folder->has_source =
        np_description_source(output_dir, &folder->source_name, &folder->source_doi);
}

bool np_folder_accepts(const struct np_folder *folder, const char *options, const char *modality,
                       const char *method)
{
    for (size_t i = 0; i < folder->n_makings; i++) {
        const char *expected = method_of(&folder->making[i], modality ? modality : "");
        if (np_config_results_same(folder->making[i].options, options) &&
            (!expected || !method || np_method_agrees(expected, method)))
            return true;
    }
    return false;
}

bool np_folder_accepts_record(const struct np_folder *folder,
                              const struct np_session_record *record)
{
    for (size_t f = 0; f < record->n_files; f++) {
        const struct np_file_record *file = &record->file[f];
        if (file->state == NP_STATE_SUCCESS &&
            !np_folder_accepts(folder, record->config, file->modality, file->method))
            return false;
    }
    return true;
}

char *np_folder_difference(const struct np_folder *folder, const struct np_session_record *record)
{
    NP_AUTO(np_making_done) struct np_making made = {0};

    if (folder->n_makings == 0 || !making_of_record(record, &made))
        return np_xstrdup("unknown options there");
    return np_making_difference(&made, &folder->making[0]);
}

char *np_folder_record_words(const struct np_session_record *record)
{
    NP_AUTO(np_making_done) struct np_making made;

    return making_of_record(record, &made) ? np_making_words(&made) : NULL;
}

char *np_folder_record_method(const struct np_session_record *record)
{
    NP_AUTO(np_making_done) struct np_making made;
    struct np_str out = {0};

    if (!making_of_record(record, &made))
        return NULL;
    bool are_equal = true;
    for (size_t i = 1; i < made.n_methods; i++)
        are_equal = are_equal && strcmp(made.method[i].text, made.method[0].text) == 0;
    if (are_equal)
        return np_xstrdup(made.method[0].text);
    for (size_t i = 0; i < made.n_methods; i++)
        np_str_addf(&out, "%s%s: %s", i ? "; " : "", made.method[i].key, made.method[i].text);
    return np_str_take(&out);
}

/* ---- its file ---- */

static json_t *making_json(const struct np_making *making)
{
    json_t *json = json_object(), *methods = json_object();
    NP_AUTO(np_freep) char *words = np_making_words(making);
    json_t *options = json_loads(making->options, 0, NULL);
    char sha256[65];

    np_sha256_of(words, strlen(words), sha256);
    sha256[8] = '\0';
    for (size_t i = 0; i < making->n_methods; i++)
        np_json_text(methods, making->method[i].key, making->method[i].text);
    np_json_text(json, "words", words);
    np_json_text(json, "digest", sha256);
    json_object_set_new(json, "options", options ? options : json_object());
    json_object_set_new(json, "methods", methods);
    return json;
}

static char *new_id(void)
{
    return np_xasprintf("%016" PRIx64, np_random_system());
}

/* A folder without an id gets one. */
static char *memory_text(const struct np_folder *folder)
{
    json_t *json = json_object(), *configurations = json_array(), *source = json_object();
    NP_AUTO(np_freep) char *id = folder->id ? np_xstrdup(folder->id) : new_id();

    json_object_set_new(json, "schema", json_integer(NP_FOLDER_SCHEMA));
    np_json_text(json, "id", id);
    for (size_t i = 0; i < folder->n_makings; i++)
        json_array_append_new(configurations, making_json(&folder->making[i]));
    json_object_set_new(json, "configurations", configurations);
    np_json_text(source, "name", folder->source_name);
    np_json_text(source, "doi", folder->source_doi);
    if (folder->has_source) {
        json_object_set_new(json, "source", source);
    } else {
        json_object_set_new(json, "source", json_null());
        json_decref(source);
    }
    return np_json_take_text(json);
}

static bool parse_making(const json_t *json, struct np_making *making)
{
    const json_t *options = json_object_get(json, "options");
    json_t *methods = json_object_get(json, "methods"), *value;
    const char *key;

    if (!json_is_object(options) || !json_is_object(methods))
        return false;
    NP_AUTO(np_freep) char *text = json_dumps(options, JSON_COMPACT | JSON_SORT_KEYS);
    making->options = np_xstrdup(text ? text : "{}");
    json_object_foreach(methods, key, value) if (json_is_string(value))
        np_making_add_method(making, key, json_string_value(value));
    return true;
}

/* It becomes part of telemetry: nothing but an id of ours is taken. */
static char *id_of(const json_t *json)
{
    NP_AUTO(np_freep) char *id = np_json_get_text(json, "id");

    return id && strlen(id) == ID_DIGITS && strspn(id, "0123456789abcdef") == ID_DIGITS
               ? np_xstrdup(id)
               : NULL;
}

static bool parse(const json_t *json, struct np_folder *folder)
{
    const json_t *configurations = json_object_get(json, "configurations");
    const json_t *source = json_object_get(json, "source");

    if (np_json_get_integer(json, "schema") != NP_FOLDER_SCHEMA)
        return false;
    for (size_t i = 0; i < json_array_size(configurations); i++)
        if (!parse_making(json_array_get(configurations, i), add_making(folder)))
            return false;
    folder->id = id_of(json);
    folder->has_source = json_is_object(source);
    folder->source_name = np_json_get_text(source, "name");
    folder->source_doi = np_json_get_text(source, "doi");
    folder->origin = NP_FOLDER_REMEMBERED;
    return folder->n_makings > 0;
}

/* On a file system without hard links the file of a run that has just begun is not whole for a
 * moment. */
static int read_memory(const char *path, json_t **json, struct np_error *err)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    int code = NP_ECONFIG;

    for (int i = 0; i < MOST_TRIES && code == NP_ECONFIG; i++) {
        if (i > 0 && np_json_file_ends(path))
            break;
        if (i > 0)
            nanosleep(&pause, NULL);
        code = np_json_read(path, path, MOST_FOLDER_BYTES, json, NULL);
    }
    return code == 0 || code == NP_ECONFIG ? code
                                           : np_json_read(path, path, MOST_FOLDER_BYTES, json, err);
}

int np_folder_recall(const char *output_dir, struct np_folder *folder, struct np_error *err)
{
    NP_AUTO(np_freep) char *path = memory_path(output_dir);
    NP_AUTO(np_json_freep) json_t *json = NULL;

    *folder = (struct np_folder){0};
    if (!np_path_exists(path))
        return 1;
    int code = read_memory(path, &json, err);
    if (code == 0 && parse(json, folder))
        return 0;
    np_folder_done(folder);
    if (code < 0 && code != NP_ECONFIG)
        return code;
    return np_error_set(err, NP_ECONFIG,
                        "'%s': expected the folder's configuration (schema %d), found another "
                        "content; remove it: the next run takes it from the records",
                        path, NP_FOLDER_SCHEMA);
}

int np_folder_write_first(const char *output_dir, const struct np_folder *folder,
                          struct np_error *err)
{
    NP_AUTO(np_freep) char *logs = np_path_join(output_dir, "logs");
    NP_AUTO(np_freep) char *path = memory_path(output_dir);
    NP_AUTO(np_freep) char *text = memory_text(folder);

    NP_TRY(np_directory_make(logs, err));
    np_atomic_sweep(logs);
    return np_file_write_first(path, text, strlen(text), err);
}

int np_folder_replace(const char *output_dir, const struct np_folder *folder, struct np_error *err)
{
    NP_AUTO(np_freep) char *path = memory_path(output_dir);
    NP_AUTO(np_freep) char *text = memory_text(folder);

    return np_file_write_atomic(path, text, strlen(text), err);
}
