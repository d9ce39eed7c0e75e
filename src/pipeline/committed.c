#include "pipeline/committed.h"

#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "pipeline/observe.h"
#include "pipeline/verdict.h"
#include "trace/names.h"

static bool is_output(const struct np_file_record *file, const char *path)
{
    for (size_t i = 0; i < file->n_outputs; i++)
        if (strcmp(file->output[i].path, path) == 0)
            return true;
    return false;
}

/* True for a path that a record names and that is below OUTPUT_DIR. */
static bool is_inside(const char *path)
{
    return *path && *path != '/' && !np_starts_with(path, "../") && !strstr(path, "/../");
}

/*
 * Remove outputs of an earlier success that these options do not make: no record would name them
 * any more. Only files that our own record lists are removed.
 */
static void remove_superseded(const struct np_active *active, struct np_file_record *file)
{
    for (size_t i = 0; i < file->kept.n; i++) {
        NP_AUTO(np_freep)
        char *path = np_path_join(active->run->config->output_dir, file->kept.item[i]);
        if (is_inside(file->kept.item[i]) && !is_output(file, file->kept.item[i]))
            unlink(path);
    }
    np_strings_done(&file->kept);
}

static bool is_complete(const struct np_active *active)
{
    return active->record.state == NP_STATE_SUCCESS ||
           (active->record.state == NP_STATE_NOTHING_TO_DO && active->run->config->allow_empty);
}

/* Write the final status record, then the completion record. If one cannot be written, the
 * session fails, because its state must be on disk. */
static void write_records(struct np_active *active)
{
    struct np_session_record *record = &active->record;
    const struct np_verdict settled = {.state = record->state, .code = record->failure.code};
    struct np_error err = {0};
    int code = np_record_write_last(active->job->place.status, record, &err);

    if (code == 0 && is_complete(active))
        code = np_record_write(active->job->place.complete, record, &err);
    record->state = np_verdict_commit(settled, code).state;
    if (code == 0)
        return;
    np_failure_set(&record->failure, &err, NULL);
    np_active_log(active, NP_ERROR_LEVEL, err.text);
    /* The failure is logged already; this second attempt only adds it to the record. */
    NP_IGNORE(np_record_write_last(active->job->place.status, record, NULL));
}

static void settle_span(struct np_active *active)
{
    const struct np_failure *failure = &active->record.failure;
    struct np_error why = {0};

    if (active->span)
        np_observe_warnings(&active->record, &active->span->attrs);
    if (failure->code)
        np_error_set(&why, failure->code, "%s", failure->sentence ? failure->sentence : "");
    np_active_settle_span(active, &why);
}

static void print_outcome(struct np_active *active)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    const struct np_session_record *record = &active->record;

    if (record->failure.code) {
        NP_AUTO(np_freep) char *failure = np_failure_words(&record->failure);
        if (record->state == NP_STATE_FAILED) /* "interrupted" stands in the words */
            np_str_addf(&text, "%s: ", np_state_name(record->state));
        np_str_add(&text, failure);
    } else {
        np_str_addf(&text, "%s%s after %.1f s, %.0f MiB", np_state_name(record->state),
                    np_record_is_warned(record) ? " with warning" : "", record->wall_s,
                    (double)record->peak_rss_bytes / (1 << 20));
    }
    np_console_print(active->run->console, 0, "%s: %s", active->job->label, np_str_text(&text));
}

void np_active_commit(struct np_active *active)
{
    for (size_t f = 0; f < active->record.n_files; f++)
        if (active->record.file[f].state == NP_STATE_SUCCESS)
            remove_superseded(active, &active->record.file[f]);
    write_records(active);
    settle_span(active);
    np_observe_session(active); /* after the decision: exemplars refer to sent traces */
    np_span_end(active->run->trace, &active->span);
    print_outcome(active);
    np_journal_close(&active->journal);
    np_lock_release(&active->lock);
    np_reporting_done(&active->reporting);
    active->phase = NP_PHASE_COMMITTED;
}
