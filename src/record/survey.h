/*
 * The state of a whole output, from the records alone: what `status` and `group` show. Reading
 * changes nothing.
 */
#ifndef NP_RECORD_SURVEY_H
#define NP_RECORD_SURVEY_H

#include <stdio.h>

#include "record/record.h"

/* A running record whose heartbeat is older is lost, when its process cannot be asked. */
enum { NP_HEARTBEAT_LOST_S = 600 };

/* Which sessions to show. */
enum np_survey_rows { NP_SURVEY_ALL, NP_SURVEY_TO_RERUN };

struct np_survey_row {
    char *path;          /* of the status record */
    char *label;         /* "sub-01/ses-1", or the file's name for `process` */
    enum np_state state; /* as recorded, or LOST */
    struct np_session_record record;
};

struct np_survey {
    struct np_survey_row *row; /* folder by folder, in the order of names */
    size_t n_rows;
    struct np_strings unreadable; /* sentences on records that could not be read */
};

/* Links to folders below logs/ are not followed. Returns 0, NP_ENOINPUT (no such folder, or no
 * logs/ in it: says what was expected). */
int np_survey_read(const char *output_dir, struct np_survey *survey, struct np_error *err);
void np_survey_done(struct np_survey *survey);

/* RUNNING becomes LOST when the process is gone (same host) or its heartbeat is too old. */
enum np_state np_record_derived_state(const struct np_session_record *record, int64_t now_ns);

/*
 * Close a record whose process is gone: state failed, error "killed", the stage it was in. In
 * memory only.
 */
void np_record_close_lost(struct np_session_record *record, int64_t now_ns);

/* Rows whose session should be run again: failed, interrupted, lost. */
bool np_survey_needs_rerun(const struct np_survey_row *row);

/* Counts by state, failures by reason, what to rerun: for people, so without control characters
 * whatever the records say. */
void np_survey_print_table(const struct np_survey *survey, enum np_survey_rows rows, FILE *out);

/* One row a session, with a header; the caller frees. */
char *np_survey_tsv(const struct np_survey *survey, enum np_survey_rows rows);
char *np_survey_json(const struct np_survey *survey, enum np_survey_rows rows);

/* "01<TAB>1" per session to run again, no header: what `nipoppy process --use-subcohort` takes.
 * Records whose labels are none are left out. */
char *np_survey_nipoppy(const struct np_survey *survey);

#endif
