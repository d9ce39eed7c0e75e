/* idps: the measures of an output as a table. */
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "cli/commands.h"
#include "record/idps.h"

static int write_table(const struct np_config *config, const struct np_idps *idps,
                       struct np_error *err)
{
    NP_AUTO(np_freep)
    char *table = np_path_join(config->output_dir, "neuro-preprocess_idps.tsv");
    NP_AUTO(np_freep)
    char *dictionary = np_path_join(config->output_dir, "neuro-preprocess_idps.json");
    NP_AUTO(np_freep) char *rows = np_idps_tsv(idps);
    NP_AUTO(np_freep) char *columns = np_idps_json(idps);

    NP_AUTO(np_freep) char *table_file = NULL;
    NP_AUTO(np_freep) char *dictionary_file = NULL;

    NP_TRY(np_directory_make(config->output_dir, err));
    NP_TRY(np_path_replaceable(table, "participant_id\t", &table_file, err));
    NP_TRY(np_path_replaceable(dictionary, "{\n  \"participant_id\"", &dictionary_file, err));
    NP_TRY(np_file_write_atomic(dictionary_file, columns, strlen(columns), err));
    NP_TRY(np_file_write_atomic(table_file, rows, strlen(rows), err));
    NP_AUTO(np_freep) char *shown = np_utf8_clean(table);
    printf("%zu image%s of %zu session%s, %zu measure%s: %s\n", idps->n_rows,
           np_plural((int64_t)idps->n_rows), idps->n_sessions, np_plural((int64_t)idps->n_sessions),
           idps->n_columns, np_plural((int64_t)idps->n_columns), shown);
    return 0;
}

int np_command_idps(const struct np_config *config)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_idps_done) struct np_idps idps = {0};
    const char *source = config->inputs.item[0];
    struct np_error err = {0};

    if (np_survey_read(source, &survey, &err) < 0)
        return np_command_fail(&err);
    for (size_t i = 0; i < survey.unreadable.n; i++) {
        NP_AUTO(np_freep) char *clean = np_utf8_clean(survey.unreadable.item[i]);
        fprintf(stderr, "neuro-preprocess: warning: left out: %s\n", clean);
    }
    NP_AUTO(np_freep) char *mixture = np_survey_mixture(&survey);
    if (mixture)
        fprintf(stderr,
                "neuro-preprocess: warning: %s; their measures are not comparable, the column "
                "'configuration' tells them apart\n",
                mixture);
    np_idps_collect(source, &survey, &idps);
    if (idps.n_rows == 0)
        np_error_set(&err, NP_ESELECT, "'%s': expected images that are complete, found none",
                     source);
    else
        write_table(config, &idps, &err);
    return err.code ? np_command_fail(&err) : 0;
}
