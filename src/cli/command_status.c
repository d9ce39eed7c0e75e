/* status and group: the state of an output, from its records. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "cli/command_trace.h"
#include "cli/commands.h"
#include "cli/telemetry.h"
#include "cli/watch.h"
#include "cli/withdrawal.h"
#include "otlp/redact.h"
#include "pipeline/cohort_gauges.h"
#include "pipeline/group.h"
#include "record/cohort.h"
#include "record/place.h"
#include "record/table.h"
#include "spool/closing.h"
#include "spool/record.h"
#include "trace/names.h"

static char *word(const struct np_otlp_redactor *redactor, const char *key, const char *label)
{
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer out = {0};

    np_otlp_redact(redactor, key, label, strlen(label), &out);
    return np_xasprintf("%.*s", (int)out.length, (const char *)out.bytes);
}

static char *participant_word(const void *redactor, const char *label)
{
    return word(redactor, NP_KEY_BIDS_PARTICIPANT, label);
}

static char *session_word(const void *redactor, const char *label)
{
    return word(redactor, NP_KEY_BIDS_SESSION, label);
}

/* With the words of --telemetry-id hash. They stay out of status.tsv, which other people may read:
 * the key is for its owner alone. */
static char *table_with_words(const char *output_dir, const struct np_survey *survey,
                              enum np_survey_rows rows)
{
    NP_AUTO(np_freep) char *folder = np_path_join(output_dir, NP_TELEMETRY_FOLDER);
    NP_AUTO(np_otlp_redactor_freep)
    struct np_otlp_redactor *redactor = np_otlp_redactor_find(folder);
    const struct np_survey_words words = {participant_word, session_word, redactor};

    return np_survey_tsv(survey, rows, &words);
}

static char *formatted(const struct np_config *config, const struct np_survey *survey,
                       enum np_survey_rows rows)
{
    switch (config->format) {
    case NP_FORMAT_TSV:
        return table_with_words(config->output_dir, survey, rows);
    case NP_FORMAT_JSON:
        return np_survey_json(survey, rows);
    case NP_FORMAT_NIPOPPY:
        return np_survey_nipoppy(survey, rows);
    case NP_FORMAT_TABLE:
        break;
    }
    return NULL;
}

static enum np_verify verification(const struct np_config *config)
{
    return config->verify_hash ? NP_VERIFY_HASHES
           : config->verify    ? NP_VERIFY_SIZES
                               : NP_VERIFY_RECORDS;
}

static int survey_cohort(const struct np_config *config, struct np_survey *survey,
                         struct np_error *err)
{
    const struct np_cohort_options options = {.output_dir = config->output_dir,
                                              .verify = verification(config),
                                              .bids_dir = config->bids_dir,
                                              .counts_dataset = config->bids_dir != NULL};

    NP_TRY(np_survey_read(config->output_dir, survey, err));
    return np_cohort_complete(survey, &options, err);
}

static void print_table(const struct np_config *config, const struct np_survey *survey,
                        enum np_survey_rows rows, FILE *out)
{
    NP_AUTO(np_freep) char *pending = np_telemetry_pending(config->output_dir);

    np_survey_print_table(survey, rows, out);
    if (pending)
        fprintf(out, "%s\n", pending);
}

static enum np_survey_rows wanted_rows(const struct np_config *config)
{
    return config->status_failed     ? NP_SURVEY_TO_RERUN
           : config->status_warnings ? NP_SURVEY_WARNED
                                     : NP_SURVEY_ALL;
}

/* Returns the exit status. */
static int print(const struct np_config *config, const struct np_survey *survey, FILE *out)
{
    enum np_survey_rows rows = wanted_rows(config);
    NP_AUTO(np_freep) char *text = formatted(config, survey, rows);

    if (text)
        fputs(text, out);
    else
        print_table(config, survey, rows, out);
    for (size_t i = 0; i < survey->n_rows && config->status_failed; i++)
        if (np_survey_needs_rerun(&survey->row[i]))
            return np_outcome_info(NP_OUTCOME_SOME_FAILED)->exit_status;
    return 0;
}

/* --withdraw, --restore */
static int change(const struct np_config *config, struct np_error *err)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    if (config->withdraw.n + config->restore.n == 0)
        return 0;
    NP_TRY(survey_cohort(config, &survey, err));
    return np_withdrawal_apply(config, &survey, err);
}

/* The content of --watch. */
struct watched {
    const struct np_config *config;
    int status;                     /* exit status of the last text */
    struct np_error err;            /* code < 0: there is no text */
    struct np_command_trace *trace; /* NULL = nothing is sent */
    struct np_cohort_gauges gauges;
};

/* All sessions have ended: nothing runs, and all that is wanted has begun. */
static bool is_final(const struct np_survey *survey)
{
    for (size_t i = 0; i < survey->n_rows; i++)
        if (survey->row[i].state == NP_STATE_RUNNING ||
            survey->row[i].state == NP_STATE_NOT_STARTED)
            return false;
    return true;
}

/* At most once a minute, and at the end. */
static void observe(struct watched *watched, const struct np_survey *survey, int64_t start_ns)
{
    if (!watched->trace || (!is_final(survey) && !np_cohort_gauges_are_due(&watched->gauges)))
        return;
    np_cohort_gauges_set(&watched->gauges, watched->trace->run.trace, NULL, survey, start_ns);
    np_trace_collect(watched->trace->run.trace);
    np_trace_settle(watched->trace->run.trace);
}

static bool print_present(void *self, FILE *out)
{
    struct watched *watched = self;
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    int64_t start_ns = np_clock_mono_ns();

    if (survey_cohort(watched->config, &survey, &watched->err) < 0)
        return false;
    observe(watched, &survey, start_ns);
    watched->status = print(watched->config, &survey, out);
    return !is_final(&survey);
}

static int show_present(struct watched *watched, const struct np_cancel *cancel)
{
    int signal = np_watch(&(struct np_watched){print_present, watched}, cancel, stdout);

    if (watched->err.code < 0)
        return np_command_fail(&watched->err);
    return signal ? 128 + signal : watched->status;
}

/* Only reads, unless telemetry is to be sent: what is sent is recorded first. */
static int watch(const struct np_config *config, const struct np_cancel *cancel)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    struct watched watched = {.config = config};
    struct np_command_trace trace;
    struct np_error err = {0};

    if (!np_command_trace_is_sent(config))
        return show_present(&watched, cancel);
    if (np_survey_read(config->output_dir, &survey, &err) < 0)
        return np_command_fail(&err);
    np_command_trace_open(&trace, config, &survey.folder, true);
    watched.trace = &trace;
    int status = show_present(&watched, cancel);
    np_cohort_gauges_done(&watched.gauges);
    np_command_trace_close(&trace, status);
    return status;
}

int np_command_status(const struct np_config *config, const struct np_cancel *cancel)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    struct np_error err = {0};

    if (config->status_failed && config->status_warnings)
        np_error_set(&err, NP_EUSAGE,
                     "--failed lists sessions to run again and --warnings complete ones: expected "
                     "one of them");
    if (err.code < 0 || change(config, &err) < 0)
        return np_command_fail(&err);
    if (config->watch)
        return watch(config, cancel);
    if (survey_cohort(config, &survey, &err) < 0)
        return np_command_fail(&err);
    return print(config, &survey, stdout);
}

/* End the open spans in the telemetry of runs that died. */
static void close_telemetry(const char *output_dir, const struct np_strings *run_ids,
                            struct np_console *console)
{
    NP_AUTO(np_freep) char *folder = np_path_join(output_dir, NP_TELEMETRY_FOLDER);
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    if (run_ids->n == 0 || np_directory_list(folder, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.n; i++)
        for (size_t r = 0; r < run_ids->n; r++) {
            NP_AUTO(np_freep)
            char *ending = np_xasprintf("_%s" NP_SPOOL_RECORD_SUFFIX, run_ids->item[r]);
            if (!np_ends_with(names.item[i], ending))
                continue;
            NP_AUTO(np_freep) char *path = np_path_join(folder, names.item[i]);
            struct np_error err = {0};
            struct np_spool_closing found = {0};
            /* A record in use is closed by the process that uses it. */
            int code = np_spool_record_close_open_spans(path, &found, &err);
            if (code < 0 && code != NP_EBUSY)
                np_console_print(console, 0, "warning: telemetry of a dead run: %s", err.text);
            if (found.n_unreadable)
                np_console_print(console, 0, "warning: '%s': %" PRId64 NP_SPOOL_UNREADABLE, path,
                                 found.n_unreadable);
            break;
        }
}

/* The tables come last, so that a full disk does not hide the state. Returns the exit status. */
static int finish_group(const struct np_config *config, const struct np_survey *survey,
                        struct np_error *err)
{
    np_survey_print_table(survey, NP_SURVEY_ALL, stdout);
    return np_group_write_table(config->output_dir, survey, err) < 0 ? np_command_fail(err) : 0;
}

int np_command_group(const struct np_config *config)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_strings_done) struct np_strings closed = {0};
    struct np_error err = {0};
    struct np_command_trace trace;

    if (np_command_check_textfile(config, &err) < 0 ||
        np_group_run(config->bids_dir, config->output_dir, &survey, &closed, &err) < 0)
        return np_command_fail(&err);
    np_command_trace_open(&trace, config, &survey.folder, false);
    close_telemetry(config->output_dir, &closed, &trace.console);
    struct np_span *span = np_run_span_begin(&trace.run, NP_SPAN_GROUP);
    np_group_observe(config, &survey, &closed, trace.run.trace, span);
    trace.run.exit_status = finish_group(config, &survey, &err);
    np_run_span_end(&trace.run, &span, &err);
    np_command_trace_close(&trace, trace.run.exit_status);
    return trace.run.exit_status;
}
