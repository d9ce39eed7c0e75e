#include "record/record.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"

/* The final record of a session with three images has 26 kB in one line, most of them image quality. */
enum { MOST_ATTEMPTS = 20, MOST_RECORD_BYTES = 16 << 20, RUNNING_BYTES = 32768 };

static const char *const state_names[NP_N_STATES] = {
#define X(ident, name) [NP_STATE_##ident] = name,
    NP_STATES(X)
#undef X
};

const char *np_state_name(enum np_state state)
{
    return state_names[state];
}

bool np_state_find(const char *name, enum np_state *state)
{
    for (int i = 0; i < NP_N_STATES; i++)
        if (strcmp(state_names[i], name) == 0) {
            *state = (enum np_state)i;
            return true;
        }
    return false;
}

void np_record_init(struct np_session_record *record)
{
    *record = (struct np_session_record){.schema = NP_RECORD_SCHEMA};
}

void np_failure_done(struct np_failure *failure)
{
    free(failure->stage);
    free(failure->sentence);
    free(failure->hint);
    *failure = (struct np_failure){0};
}

static char *copy_or_null(const char *text)
{
    return text ? np_xstrdup(text) : NULL;
}

void np_failure_copy(const struct np_failure *from, struct np_failure *to)
{
    struct np_failure copy = *from;

    copy.stage = copy_or_null(from->stage);
    copy.sentence = copy_or_null(from->sentence);
    copy.hint = copy_or_null(from->hint);
    np_failure_done(to);
    *to = copy;
}

void np_failure_set(struct np_failure *failure, const struct np_error *err, const char *stage)
{
    np_failure_done(failure);
    failure->code = err->code;
    failure->stage = copy_or_null(stage);
    failure->sentence = np_utf8_clean(err->text);
    failure->hint = np_xstrdup(np_error_remedy(err->code));
}

/* "bad-data at load_file"; the caller frees. */
static char *name_and_stage(const struct np_failure *failure)
{
    const char *name = np_outcome_info(np_error_outcome(failure->code))->name;

    return failure->stage ? np_xasprintf("%s at %s", name, failure->stage) : np_xstrdup(name);
}

char *np_failure_kind(const struct np_failure *failure)
{
    NP_AUTO(np_freep) char *kind = name_and_stage(failure);

    return np_xasprintf("%s%s", kind, failure->injected ? ", injected" : "");
}

char *np_failure_text(const struct np_failure *failure)
{
    NP_AUTO(np_freep) char *kind = name_and_stage(failure);

    return np_xasprintf("%s: %s%s", kind, failure->sentence ? failure->sentence : "",
                        failure->injected ? " (injected)" : "");
}

char *np_failure_words(const struct np_failure *failure)
{
    NP_AUTO(np_freep) char *kind = np_failure_kind(failure);
    const char *sentence = failure->sentence ? failure->sentence : "";

    return np_xasprintf("%s%s(%s)", sentence, *sentence ? " " : "", kind);
}

static void texts_done(struct np_text_record *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(text[i].key);
        free(text[i].text);
    }
    free(text);
}

void np_file_record_drop_outputs(struct np_file_record *file)
{
    for (size_t i = 0; i < file->n_outputs; i++)
        free(file->output[i].path);
    free(file->output);
    file->output = NULL;
    file->n_outputs = 0;
}

void np_file_record_done(struct np_file_record *file)
{
    for (size_t i = 0; i < file->n_stages; i++)
        free(file->stage[i].name);
    for (size_t i = 0; i < file->n_measures; i++) {
        free(file->measure[i].key);
        free(file->measure[i].unit);
    }
    np_file_record_drop_outputs(file);
    free(file->stage);
    free(file->measure);
    texts_done(file->fact, file->n_facts);
    texts_done(file->warning, file->n_warnings);
    np_strings_done(&file->kept);
    np_failure_done(&file->failure);
    free(file->path);
    free(file->modality);
    free(file->method);
    *file = (struct np_file_record){0};
}

void np_file_record_move(struct np_file_record *from, struct np_file_record *to)
{
    np_file_record_done(to);
    *to = *from;
    *from = (struct np_file_record){0};
}

void np_record_done(struct np_session_record *record)
{
    for (size_t i = 0; i < record->n_files; i++)
        np_file_record_done(&record->file[i]);
    for (size_t i = 0; i < record->n_attempts; i++)
        free(record->attempt[i].reason);
    free(record->file);
    free(record->attempt);
    texts_done(record->scheduler, record->n_scheduler);
    np_failure_done(&record->failure);
    char **owned[] = {&record->participant, &record->session, &record->requested_session,
                      &record->host,        &record->boot_id, &record->software_version,
                      &record->codec,       &record->config};
    for (size_t i = 0; i < NP_COUNT(owned); i++)
        free(*owned[i]);
    *record = (struct np_session_record){0};
}

void np_file_record_look(struct np_file_record *file, const char *data_path)
{
    struct stat status;

    if (stat(data_path, &status) != 0)
        return;
    file->n_bytes = status.st_size;
    file->mtime_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
}

void np_mask_record_look(struct np_mask_record *mask, const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return;
    mask->n_bytes = status.st_size;
    mask->mtime_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
}

struct np_stage_record *np_file_record_stage(struct np_file_record *file, const char *name)
{
    for (size_t i = 0; i < file->n_stages; i++)
        if (strcmp(file->stage[i].name, name) == 0)
            return &file->stage[i];
    file->stage = np_xrealloc(file->stage, (file->n_stages + 1) * sizeof(*file->stage));
    struct np_stage_record *stage = &file->stage[file->n_stages++];
    *stage = (struct np_stage_record){.name = np_xstrdup(name), .state = NP_STATE_NOT_STARTED};
    return stage;
}

struct np_output_record *np_file_record_output(struct np_file_record *file, const char *path)
{
    file->output = np_xrealloc(file->output, (file->n_outputs + 1) * sizeof(*file->output));
    struct np_output_record *output = &file->output[file->n_outputs++];
    *output = (struct np_output_record){.path = np_xstrdup(path)};
    return output;
}

void np_file_record_number(struct np_file_record *file, const char *key, double value,
                           const char *unit)
{
    file->measure = np_xrealloc(file->measure, (file->n_measures + 1) * sizeof(*file->measure));
    file->measure[file->n_measures++] =
        (struct np_number_record){.key = np_xstrdup(key), .value = value, .unit = np_xstrdup(unit)};
}

void np_file_record_text(struct np_file_record *file, const char *key, const char *text)
{
    file->fact = np_xrealloc(file->fact, (file->n_facts + 1) * sizeof(*file->fact));
    file->fact[file->n_facts++] =
        (struct np_text_record){.key = np_xstrdup(key), .text = np_utf8_clean(text)};
}

void np_file_record_warn(struct np_file_record *file, const char *key, const char *sentence)
{
    file->warning = np_xrealloc(file->warning, (file->n_warnings + 1) * sizeof(*file->warning));
    file->warning[file->n_warnings++] =
        (struct np_text_record){.key = np_utf8_clean(key), .text = np_utf8_clean(sentence)};
}

void np_file_record_warning_keys(const struct np_file_record *file, struct np_strings *keys)
{
    for (size_t i = 0; i < file->n_warnings; i++)
        if (!np_strings_have(keys, file->warning[i].key))
            np_strings_add(keys, file->warning[i].key);
}

void np_record_warning_keys(const struct np_session_record *record, struct np_strings *keys)
{
    for (size_t i = 0; i < record->n_files; i++)
        np_file_record_warning_keys(&record->file[i], keys);
}

char *np_warning_cell(const struct np_strings *keys)
{
    return np_strings_join(keys, ";", SIZE_MAX);
}

bool np_record_is_warned(const struct np_session_record *record)
{
    for (size_t i = 0; i < record->n_files && record->state == NP_STATE_SUCCESS; i++)
        if (record->file[i].n_warnings)
            return true;
    return false;
}

double np_file_record_value(const struct np_file_record *file, const char *key, double fallback)
{
    for (size_t i = 0; i < file->n_measures; i++)
        if (strcmp(file->measure[i].key, key) == 0)
            return file->measure[i].value;
    return fallback;
}

const char *np_file_record_fact(const struct np_file_record *file, const char *key)
{
    for (size_t i = 0; i < file->n_facts; i++)
        if (strcmp(file->fact[i].key, key) == 0)
            return file->fact[i].text;
    return NULL;
}

const struct np_stage_record *np_record_open_stage(const struct np_session_record *record)
{
    for (size_t f = 0; f < record->n_files; f++)
        for (size_t s = 0; s < record->file[f].n_stages; s++)
            if (record->file[f].stage[s].state == NP_STATE_RUNNING)
                return &record->file[f].stage[s];
    return NULL;
}

static void add_attempt(struct np_session_record *record, const struct np_attempt *from,
                        char *reason)
{
    if (record->n_attempts == MOST_ATTEMPTS) {
        free(record->attempt[0].reason);
        memmove(record->attempt, record->attempt + 1,
                (MOST_ATTEMPTS - 1) * sizeof(*record->attempt));
        record->n_attempts--;
    }
    record->attempt =
        np_xrealloc(record->attempt, (record->n_attempts + 1) * sizeof(*record->attempt));
    record->attempt[record->n_attempts] = *from;
    record->attempt[record->n_attempts++].reason = reason;
}

void np_record_inherit_attempts(struct np_session_record *record,
                                const struct np_session_record *old)
{
    for (size_t i = 0; i < old->n_attempts; i++)
        add_attempt(record, &old->attempt[i], copy_or_null(old->attempt[i].reason));
    struct np_attempt last = {
        .start_ns = old->start_ns, .end_ns = old->end_ns, .state = old->state};
    memcpy(last.run_id, old->run_id, sizeof(last.run_id));
    add_attempt(record, &last, old->failure.code ? np_failure_text(&old->failure) : NULL);
}

int np_record_read(const char *path, struct np_session_record *record, struct np_error *err)
{
    NP_AUTO(np_str_done) struct np_str text = {0};

    NP_TRY(np_file_read(path, MOST_RECORD_BYTES, &text, err));
    return np_record_parse(np_str_text(&text), path, record, err);
}

/* As it is written: a running session's with spaces for what its end will add. */
static char *text_of(const struct np_session_record *record)
{
    char *text = np_record_format(record);

    if (record->state != NP_STATE_RUNNING || strlen(text) >= RUNNING_BYTES)
        return text;
    char *padded = np_xasprintf("%-*s", RUNNING_BYTES, text);
    free(text);
    return padded;
}

int np_record_write(const char *path, const struct np_session_record *record, struct np_error *err)
{
    NP_AUTO(np_freep) char *text = text_of(record);

    return np_file_write_atomic(path, text, strlen(text), err);
}

int np_record_write_last(const char *path, const struct np_session_record *record,
                         struct np_error *err)
{
    struct np_error first = {0};
    int code = np_record_write(path, record, &first);

    if (code != NP_ESPACE)
        return code < 0 ? np_error_set(err, code, "%s", first.text) : 0;
    NP_AUTO(np_freep) char *line = np_record_format_short(record);
    if (np_file_overwrite(path, line, strlen(line), NULL) == 0)
        return 0;
    return np_error_set(err, code, "%s", first.text);
}

int np_record_refresh(const char *path, const struct np_session_record *record,
                      struct np_error *err)
{
    NP_AUTO(np_freep) char *text = text_of(record);

    return np_file_replace(path, text, strlen(text), err);
}
