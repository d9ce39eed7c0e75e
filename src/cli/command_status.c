/* status and group: the state of an output, from its records. */
#include <stdio.h>
#include <stdlib.h>

#include "base/path.h"
#include "cli/commands.h"
#include "pipeline/group.h"
#include "record/cohort.h"
#include "record/place.h"
#include "record/table.h"
#include "spool/closing.h"
#include "spool/record.h"

static char *formatted(const struct np_survey *survey, enum np_format format,
                       enum np_survey_rows rows)
{
    switch (format) {
    case NP_FORMAT_TSV:
        return np_survey_tsv(survey, rows);
    case NP_FORMAT_JSON:
        return np_survey_json(survey, rows);
    case NP_FORMAT_NIPOPPY:
        return np_survey_nipoppy(survey);
    case NP_FORMAT_TABLE:
        break;
    }
    return NULL;
}

int np_command_status(const struct np_config *config)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    struct np_error err = {0};
    enum np_survey_rows rows = config->status_failed ? NP_SURVEY_TO_RERUN : NP_SURVEY_ALL;

    if (np_survey_read(config->output_dir, &survey, &err) < 0)
        return np_command_fail(&err);
    np_cohort_verify(&survey, config->output_dir, NP_VERIFY_RECORDS);
    np_cohort_add_plans(&survey, config->output_dir);
    NP_AUTO(np_freep) char *text = formatted(&survey, config->format, rows);
    if (text)
        fputs(text, stdout);
    else
        np_survey_print_table(&survey, rows, stdout);
    for (size_t i = 0; i < survey.n_rows && config->status_failed; i++)
        if (np_survey_needs_rerun(&survey.row[i]))
            return np_outcome_info(NP_OUTCOME_SOME_FAILED)->exit_status;
    return 0;
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
            /* A record in use is closed by the process that uses it. */
            int code = np_spool_record_close_open_spans(path, NULL, &err);
            if (code < 0 && code != NP_EBUSY)
                np_console_say(console, 0, "warning: telemetry of a dead run: %s", err.text);
            break;
        }
}

int np_command_group(const struct np_config *config)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_strings_done) struct np_strings closed = {0};
    struct np_error err = {0};
    struct np_console console;

    if (np_group_run(config->output_dir, &survey, &closed, &err) < 0)
        return np_command_fail(&err);
    np_console_init(&console, config->verbosity);
    close_telemetry(config->output_dir, &closed, &console);
    np_survey_print_table(&survey, NP_SURVEY_ALL, stdout);
    return 0;
}
