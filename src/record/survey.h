/*
 * The state of a whole output, from the records alone, for `status` and `group`. Reading changes
 * nothing.
 */
#ifndef NP_RECORD_SURVEY_H
#define NP_RECORD_SURVEY_H

#include <stdio.h>

#include "record/record.h"

/* When the process of a running record cannot be checked, an older heartbeat means that it is
 * lost. */
enum { NP_HEARTBEAT_LOST_S = 600 };

/* The sessions to show. */
enum np_survey_rows { NP_SURVEY_ALL, NP_SURVEY_TO_RERUN };

struct np_survey_row {
    char *path;          /* of the status record */
    char *label;         /* "sub-01/ses-1", or the file's name for `process` */
    enum np_state state; /* from the record, or LOST */
    struct np_session_record record;
};

struct np_survey {
    struct np_survey_row *row; /* folder by folder, in the order of names */
    size_t n_rows;
    struct np_strings unreadable; /* sentences about records that could not be read */
};

/* Reads all records below logs/; links to folders are not followed. Returns 0, NP_ENOINPUT (no
 * such folder, or no logs/ in it: names what was expected). */
int np_survey_read(const char *output_dir, struct np_survey *survey,
                   struct np_error *err) NP_MUST_USE;
void np_survey_done(struct np_survey *survey);

/* RUNNING becomes LOST when the process has ended (same host) or its heartbeat is too old. */
enum np_state np_record_derived_state(const struct np_session_record *record, int64_t now_ns);

/*
 * Close a record whose process has ended: state failed, error "killed", the stage that was running.
 * In memory only.
 */
void np_record_close_lost(struct np_session_record *record, int64_t now_ns);

/* True for sessions that should be run again: failed, interrupted, lost. */
bool np_survey_needs_rerun(const struct np_survey_row *row);

/* Print counts by state, failures by reason, and sessions to rerun. For people: control
 * characters in records are removed. */
void np_survey_print_table(const struct np_survey *survey, enum np_survey_rows rows, FILE *out);

/* One row per session, with a header; the caller frees. */
char *np_survey_tsv(const struct np_survey *survey, enum np_survey_rows rows);
char *np_survey_json(const struct np_survey *survey, enum np_survey_rows rows);

/* "01<TAB>1" per session to run again, without header, for `nipoppy process --use-subcohort`.
 * Records without valid labels are left out. */
char *np_survey_nipoppy(const struct np_survey *survey);

#endif
