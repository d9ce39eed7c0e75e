/* The JSON form of a session's record: docs/schemas/status.schema.json. */
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/measure.h"
#include "catalog/warning.h"
#include "record/json.h"
#include "record/record.h"

/* Beyond any session; a list that is longer was not written by us, and is not made room for. */
enum {
    MOST_FILES = 4096,
    MOST_STAGES = 64,
    MOST_OUTPUTS = 64,
    MOST_WARNINGS = 4096,
    MOST_ATTEMPTS = 64
};

static json_t *failure_json(const struct np_failure *failure)
{
    if (failure->code == 0)
        return json_null();
    const struct np_outcome_info *outcome = np_outcome_info(np_error_outcome(failure->code));
    json_t *json = json_object();
    int status = failure->signal ? 128 + failure->signal : outcome->exit_status;
    json_object_set_new(json, "code", json_integer(status));
    json_object_set_new(json, "name", json_string(outcome->name));
    json_object_set_new(json, "error.type", json_string(outcome->name));
    json_object_set_new(json, "error", json_string(np_error_ident(failure->code)));
    np_json_text(json, "stage", failure->stage);
    np_json_text(json, "sentence", failure->sentence);
    np_json_text(json, "hint", failure->hint);
    json_object_set_new(json, "retry", json_string(np_retry_text(outcome->retry)));
    if (failure->signal)
        json_object_set_new(json, "signal", json_integer(failure->signal));
    if (failure->injected)
        json_object_set_new(json, "injected", json_true());
    return json;
}

static json_t *stages_json(const struct np_file_record *file)
{
    json_t *array = json_array();

    for (size_t i = 0; i < file->n_stages; i++) {
        const struct np_stage_record *stage = &file->stage[i];
        json_t *json = json_object();
        json_object_set_new(json, "name", json_string(stage->name));
        json_object_set_new(json, "state", json_string(np_state_name(stage->state)));
        np_json_time(json, "start", stage->start_ns);
        json_object_set_new(json, "wall_s", np_json_number(stage->wall_s));
        json_object_set_new(json, "cpu_s", np_json_number(stage->cpu_s));
        json_object_set_new(json, "peak_rss_bytes", json_integer(stage->peak_rss_bytes));
        json_array_append_new(array, json);
    }
    return array;
}

static json_t *outputs_json(const struct np_file_record *file)
{
    json_t *array = json_array();

    for (size_t i = 0; i < file->n_outputs; i++) {
        const struct np_output_record *output = &file->output[i];
        json_t *json = json_object();
        np_json_text(json, "path", output->path);
        json_object_set_new(json, "bytes", json_integer(output->n_bytes));
        np_json_text(json, "sha256", output->sha256);
        if (output->voxel_sha256[0])
            np_json_text(json, "voxel_sha256", output->voxel_sha256);
        json_array_append_new(array, json);
    }
    return array;
}

static json_t *measures_json(const struct np_file_record *file)
{
    json_t *object = json_object();

    for (size_t i = 0; i < file->n_measures; i++) {
        json_t *json = json_object();
        json_object_set_new(json, "value", np_json_number(file->measure[i].value));
        np_json_text(json, "unit", file->measure[i].unit);
        json_object_set_new(object, file->measure[i].key, json);
    }
    return object;
}

static json_t *texts_json(const struct np_text_record *text, size_t n)
{
    json_t *object = json_object();

    for (size_t i = 0; i < n; i++)
        np_json_text(object, text[i].key, text[i].text);
    return object;
}

static json_t *warnings_json(const struct np_file_record *file)
{
    json_t *array = json_array();

    for (size_t i = 0; i < file->n_warnings; i++) {
        json_t *json = json_object();
        np_json_text(json, "key", file->warning[i].key);
        np_json_text(json, "sentence", file->warning[i].text);
        json_array_append_new(array, json);
    }
    return array;
}

static json_t *kept_json(const struct np_file_record *file)
{
    json_t *json = json_object();

    np_json_text(json, "input_sha256", file->kept_input_sha256);
    np_json_text(json, "configuration_sha256", file->kept_config_sha256);
    json_object_set_new(json, "outputs", np_json_strings(&file->kept));
    return json;
}

static json_t *mask_json(const struct np_mask_record *mask)
{
    json_t *json = json_object();

    np_json_text(json, "sha256", mask->sha256);
    json_object_set_new(json, "bytes", json_integer(mask->n_bytes));
    json_object_set_new(json, "mtime_ns", json_integer(mask->mtime_ns));
    return json;
}

static json_t *file_json(const struct np_file_record *file)
{
    json_t *json = json_object(), *input = json_object();

    np_json_text(input, "path", file->path);
    json_object_set_new(input, "bytes", json_integer(file->n_bytes));
    json_object_set_new(input, "mtime_ns", json_integer(file->mtime_ns));
    if (file->sha256[0])
        np_json_text(input, "sha256", file->sha256);
    json_object_set_new(json, "input", input);
    if (file->mask.sha256[0])
        json_object_set_new(json, "mask", mask_json(&file->mask));
    np_json_text(json, "modality", file->modality);
    json_object_set_new(json, "state", json_string(np_state_name(file->state)));
    np_json_text(json, "method", file->method);
    json_object_set_new(json, "stages", stages_json(file));
    json_object_set_new(json, "measures", measures_json(file));
    json_object_set_new(json, "facts", texts_json(file->fact, file->n_facts));
    json_object_set_new(json, "outputs", outputs_json(file));
    json_object_set_new(json, "warnings", warnings_json(file));
    json_object_set_new(json, "failure", failure_json(&file->failure));
    if (file->kept.n > 0)
        json_object_set_new(json, "kept", kept_json(file));
    return json;
}

static json_t *attempts_json(const struct np_session_record *record)
{
    json_t *array = json_array();

    for (size_t i = 0; i < record->n_attempts; i++) {
        const struct np_attempt *attempt = &record->attempt[i];
        json_t *json = json_object();
        np_json_text(json, "run", attempt->run_id);
        np_json_time(json, "start", attempt->start_ns);
        np_json_time(json, "end", attempt->end_ns);
        json_object_set_new(json, "state", json_string(np_state_name(attempt->state)));
        np_json_text(json, "reason", attempt->reason);
        json_array_append_new(array, json);
    }
    return array;
}

static json_t *process_json(const struct np_session_record *record)
{
    json_t *json = json_object();

    np_json_text(json, "host", record->host);
    np_json_text(json, "boot_id", record->boot_id);
    json_object_set_new(json, "pid", json_integer(record->pid));
    json_object_set_new(json, "pid_start", json_integer((json_int_t)record->pid_start));
    json_object_set_new(json, "scheduler", texts_json(record->scheduler, record->n_scheduler));
    return json;
}

static json_t *record_json(const struct np_session_record *record)
{
    json_t *json = json_object(), *software = json_object(), *config = json_object();

    json_object_set_new(json, "schema", json_integer(record->schema));
    np_json_text(json, "run", record->run_id);
    np_json_text(json, "trace_id", record->trace_id);
    np_json_text(json, "participant", record->participant);
    np_json_text(json, "session", record->session);
    np_json_text(json, "requested_session", record->requested_session);
    json_object_set_new(json, "state", json_string(np_state_name(record->state)));
    np_json_time(json, "start", record->start_ns);
    np_json_time(json, "end", record->end_ns);
    np_json_time(json, "heartbeat", record->heartbeat_ns);
    json_object_set_new(json, "wall_s", np_json_number(record->wall_s));
    json_object_set_new(json, "cpu_s", np_json_number(record->cpu_s));
    json_object_set_new(json, "peak_rss_bytes", json_integer(record->peak_rss_bytes));
    json_object_set_new(json, "process", process_json(record));
    np_json_text(software, "name", "neuro-preprocess");
    np_json_text(software, "version", record->software_version);
    np_json_text(software, "codec", record->codec);
    json_object_set_new(json, "software", software);
    json_t *options = record->config ? json_loads(record->config, 0, NULL) : NULL;
    json_object_set_new(config, "options", options ? options : json_null());
    np_json_text(config, "text", record->config);
    np_json_text(config, "sha256", record->config_sha256);
    json_object_set_new(json, "configuration", config);
    if (record->injected)
        json_object_set_new(json, "injected", json_true());
    json_t *files = json_array();
    for (size_t i = 0; i < record->n_files; i++)
        json_array_append_new(files, file_json(&record->file[i]));
    json_object_set_new(json, "files", files);
    json_object_set_new(json, "failure", failure_json(&record->failure));
    json_object_set_new(json, "attempts", attempts_json(record));
    return json;
}

char *np_record_format(const struct np_session_record *record)
{
    return np_json_take_text(record_json(record));
}

char *np_record_format_short(const struct np_session_record *record)
{
    return np_json_take_line(record_json(record));
}

char *np_file_record_format(const struct np_file_record *file)
{
    return np_json_take_text(file_json(file));
}

/* Reading: unknown keys are ignored, missing ones are empty, so that older and newer records can be
 * read. */

static enum np_state get_state(const json_t *json, const char *key)
{
    const char *name = json_string_value(json_object_get(json, key));
    enum np_state state;

    return name && np_state_find(name, &state) ? state : NP_STATE_NOT_STARTED;
}

static void get_failure(const json_t *json, struct np_failure *failure)
{
    if (!json_is_object(json))
        return;
    const char *ident = json_string_value(json_object_get(json, "error"));
    failure->code = ident ? np_error_from_ident(ident) : NP_EINTERNAL;
    failure->stage = np_json_get_text(json, "stage");
    failure->sentence = np_json_get_text(json, "sentence");
    failure->hint = np_json_get_text(json, "hint");
    int64_t signal = np_json_get_integer(json, "signal");
    failure->signal = signal > 0 && signal < NSIG ? (int)signal : 0;
    failure->injected = json_is_true(json_object_get(json, "injected"));
}

static void get_stages(const json_t *array, struct np_file_record *file)
{
    size_t i;
    json_t *json;

    json_array_foreach(array, i, json)
    {
        const char *name = json_string_value(json_object_get(json, "name"));
        if (!name)
            continue;
        struct np_stage_record *stage = np_file_record_stage(file, name);
        stage->state = get_state(json, "state");
        stage->start_ns = np_json_get_time(json, "start");
        stage->wall_s = np_json_get_number(json, "wall_s");
        stage->cpu_s = np_json_get_number(json, "cpu_s");
        stage->peak_rss_bytes = np_json_get_integer(json, "peak_rss_bytes");
    }
}

static void get_outputs(const json_t *array, struct np_file_record *file)
{
    size_t i;
    json_t *json;

    json_array_foreach(array, i, json)
    {
        NP_AUTO(np_freep) char *path = np_json_get_text(json, "path");
        if (!path)
            continue;
        struct np_output_record *output = np_file_record_output(file, path);
        output->n_bytes = np_json_get_integer(json, "bytes");
        np_json_get_hex(json, "sha256", output->sha256, sizeof(output->sha256));
        np_json_get_hex(json, "voxel_sha256", output->voxel_sha256, sizeof(output->voxel_sha256));
    }
}

static void get_texts(json_t *object, struct np_text_record **text, size_t *n)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            continue;
        *text = np_xrealloc(*text, (*n + 1) * sizeof(**text));
        (*text)[(*n)++] = (struct np_text_record){.key = np_xstrdup(key),
                                                  .text = np_xstrdup(json_string_value(value))};
    }
}

static void get_measures(json_t *object, struct np_file_record *file)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        const char *unit = json_string_value(json_object_get(value, "unit"));
        np_file_record_number(file, key, np_json_get_number(value, "value"), unit ? unit : "1");
    }
}

/* Old keys become those of today: an old record is compared and shown with new ones. */
static void rename_measures(struct np_file_record *file)
{
    for (size_t a = 0; a < np_n_measure_aliases; a++) {
        const struct np_measure_alias *alias = &np_measure_aliases[a];
        const char *word = np_file_record_fact(file, np_measure_rows[alias->when].key);
        if (!word || strcmp(word, alias->text) != 0)
            continue;
        for (size_t i = 0; i < file->n_measures; i++)
            if (strcmp(file->measure[i].key, alias->key) == 0) {
                free(file->measure[i].key);
                file->measure[i].key = np_xstrdup(np_measure_rows[alias->now].key);
            }
    }
}

static void get_mask(const json_t *json, struct np_mask_record *mask)
{
    np_json_get_hex(json, "sha256", mask->sha256, sizeof(mask->sha256));
    mask->n_bytes = np_json_get_integer(json, "bytes");
    mask->mtime_ns = np_json_get_integer(json, "mtime_ns");
}

/* Earlier versions wrote the sentences alone. */
static void get_warnings(const json_t *array, struct np_file_record *file)
{
    size_t i;
    json_t *json;

    json_array_foreach(array, i, json)
    {
        NP_AUTO(np_freep) char *key = np_json_get_text(json, "key");
        NP_AUTO(np_freep) char *sentence = np_json_get_text(json, "sentence");
        const char *text = json_is_string(json) ? json_string_value(json) : sentence;
        if (text)
            np_file_record_warn(file, key ? key : np_warning_rows[NP_WARNING_UNNAMED].key, text);
    }
}

static void get_file(const json_t *json, struct np_file_record *file)
{
    const json_t *input = json_object_get(json, "input");

    file->path = np_json_get_text(input, "path");
    if (!file->path)
        file->path = np_xstrdup("");
    file->n_bytes = np_json_get_integer(input, "bytes");
    file->mtime_ns = np_json_get_integer(input, "mtime_ns");
    np_json_get_hex(input, "sha256", file->sha256, sizeof(file->sha256));
    get_mask(json_object_get(json, "mask"), &file->mask);
    file->modality = np_json_get_text(json, "modality");
    file->state = get_state(json, "state");
    file->method = np_json_get_text(json, "method");
    get_stages(json_object_get(json, "stages"), file);
    get_measures(json_object_get(json, "measures"), file);
    get_texts(json_object_get(json, "facts"), &file->fact, &file->n_facts);
    rename_measures(file);
    get_outputs(json_object_get(json, "outputs"), file);
    get_warnings(json_object_get(json, "warnings"), file);
    get_failure(json_object_get(json, "failure"), &file->failure);
    const json_t *kept = json_object_get(json, "kept");
    np_json_get_hex(kept, "input_sha256", file->kept_input_sha256, sizeof(file->sha256));
    np_json_get_hex(kept, "configuration_sha256", file->kept_config_sha256, sizeof(file->sha256));
    np_json_get_strings(json_object_get(kept, "outputs"), &file->kept);
}

static void get_attempts(const json_t *array, struct np_session_record *record)
{
    size_t i, n = json_array_size(array);
    json_t *json;

    record->attempt = np_xcalloc(n, sizeof(*record->attempt));
    json_array_foreach(array, i, json)
    {
        struct np_attempt *attempt = &record->attempt[record->n_attempts++];
        np_json_get_hex(json, "run", attempt->run_id, sizeof(attempt->run_id));
        attempt->start_ns = np_json_get_time(json, "start");
        attempt->end_ns = np_json_get_time(json, "end");
        attempt->state = get_state(json, "state");
        attempt->reason = np_json_get_text(json, "reason");
    }
}

static int check_file_size(const json_t *file, const char *path, struct np_error *err)
{
    if (json_array_size(json_object_get(file, "stages")) <= MOST_STAGES &&
        json_array_size(json_object_get(file, "outputs")) <= MOST_OUTPUTS &&
        json_array_size(json_object_get(file, "warnings")) <= MOST_WARNINGS)
        return 0;
    return np_error_set(err, NP_ECONFIG,
                        "'%s': expected at most %d stages, %d outputs and %d warnings of a file, "
                        "found more",
                        path, MOST_STAGES, MOST_OUTPUTS, MOST_WARNINGS);
}

static int check_record_size(const json_t *json, const char *path, struct np_error *err)
{
    const json_t *files = json_object_get(json, "files");
    size_t i;
    json_t *file;

    if (json_array_size(files) > MOST_FILES ||
        json_array_size(json_object_get(json, "attempts")) > MOST_ATTEMPTS)
        return np_error_set(err, NP_ECONFIG,
                            "'%s': expected at most %d files and %d attempts, found more", path,
                            MOST_FILES, MOST_ATTEMPTS);
    json_array_foreach(files, i, file) NP_TRY(check_file_size(file, path, err));
    return 0;
}

static void get_record(const json_t *json, struct np_session_record *record)
{
    const json_t *process = json_object_get(json, "process");
    const json_t *software = json_object_get(json, "software");
    const json_t *config = json_object_get(json, "configuration");

    np_json_get_hex(json, "run", record->run_id, sizeof(record->run_id));
    np_json_get_hex(json, "trace_id", record->trace_id, sizeof(record->trace_id));
    record->participant = np_json_get_text(json, "participant");
    record->session = np_json_get_text(json, "session");
    record->requested_session = np_json_get_text(json, "requested_session");
    record->state = get_state(json, "state");
    record->start_ns = np_json_get_time(json, "start");
    record->end_ns = np_json_get_time(json, "end");
    record->heartbeat_ns = np_json_get_time(json, "heartbeat");
    record->wall_s = np_json_get_number(json, "wall_s");
    record->cpu_s = np_json_get_number(json, "cpu_s");
    record->peak_rss_bytes = np_json_get_integer(json, "peak_rss_bytes");
    record->host = np_json_get_text(process, "host");
    record->boot_id = np_json_get_text(process, "boot_id");
    record->pid = np_json_get_integer(process, "pid");
    record->pid_start = (uint64_t)np_json_get_integer(process, "pid_start");
    get_texts(json_object_get(process, "scheduler"), &record->scheduler, &record->n_scheduler);
    record->software_version = np_json_get_text(software, "version");
    record->codec = np_json_get_text(software, "codec");
    record->config = np_json_get_text(config, "text");
    np_json_get_hex(config, "sha256", record->config_sha256, sizeof(record->config_sha256));
    record->injected = json_is_true(json_object_get(json, "injected"));
    const json_t *files = json_object_get(json, "files");
    size_t i, n = json_array_size(files);
    json_t *file;
    record->file = np_xcalloc(n, sizeof(*record->file));
    json_array_foreach(files, i, file) get_file(file, &record->file[record->n_files++]);
    get_failure(json_object_get(json, "failure"), &record->failure);
    get_attempts(json_object_get(json, "attempts"), record);
}

int np_record_parse(const char *text, const char *path, struct np_session_record *record,
                    struct np_error *err)
{
    const struct np_json_source source = {path, text, strlen(text)};
    NP_AUTO(np_json_freep) json_t *json = NULL;

    np_record_init(record);
    NP_TRY(np_json_parse(&source, 0, &json, err));
    int64_t schema = np_json_get_integer(json, "schema");
    if (schema < 1 || schema > NP_RECORD_SCHEMA)
        return np_error_set(err, NP_ECONFIG,
                            "'%s': expected a status record of schema 1 to %d, found schema %lld; "
                            "use the version of neuro-preprocess that wrote it, or a newer one",
                            path, NP_RECORD_SCHEMA, (long long)schema);
    NP_TRY(check_record_size(json, path, err));
    get_record(json, record);
    return 0;
}

int np_file_record_parse(const char *text, struct np_file_record *file, struct np_error *err)
{
    const struct np_json_source source = {"a worker's report", text, strlen(text)};
    NP_AUTO(np_json_freep) json_t *json = NULL;

    NP_TRY(np_json_parse(&source, 0, &json, err));
    NP_TRY(check_file_size(json, source.label, err));
    *file = (struct np_file_record){0};
    get_file(json, file);
    return 0;
}
