/*
 * The state of a whole output, for `status` and `group`: here from the records of sessions alone;
 * record/cohort.h adds what was asked for, the dataset and the outputs. Reading changes nothing.
 */
#ifndef NP_RECORD_SURVEY_H
#define NP_RECORD_SURVEY_H

#include "record/folder.h"
#include "record/record.h"

/* When the process of a running record cannot be checked, an older heartbeat means that it is
 * lost. */
enum { NP_HEARTBEAT_LOST_S = 600 };

/* The sessions to show: all, those that a rerun would do, those that are a success with warning. */
enum np_survey_rows { NP_SURVEY_ALL, NP_SURVEY_TO_RERUN, NP_SURVEY_WARNED };

struct np_survey_row {
    char *path;          /* of the status record */
    char *label;         /* "sub-01/ses-1", or the file's name for `process` */
    enum np_state state; /* from the record, or derived */
    char *note;          /* the reason of a derived state, a sentence; may be NULL */
    bool has_record;     /* false: only the labels of `record` are set */
    struct np_session_record record;
};

/* How far the outputs of complete sessions were looked at. */
enum np_verify {
    NP_VERIFY_RECORDS, /* is there a completion record? */
    NP_VERIFY_SIZES,   /* and does each output have the recorded size? */
    NP_VERIFY_HASHES,  /* and the recorded SHA-256? */
};

struct np_survey {
    struct np_survey_row *row; /* folder by folder, in the order of names */
    size_t n_rows;
    struct np_folder folder;      /* its memory, or what its records tell */
    struct np_strings unreadable; /* sentences about records that could not be read */
    bool knows_plans;             /* sessions that never began have rows, too */
    enum np_verify verified;
};

/* Reads all records below logs/; links to folders are not followed. A session whose record cannot be
 * read has a row without a record, state incomplete. Returns 0, NP_ENOINPUT (no
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

/* True for sessions that a rerun would do: failed, interrupted, lost, incomplete, not
 * started, outdated. */
bool np_survey_needs_rerun(const struct np_survey_row *row);

/* True for sessions that are still asked for: neither withdrawn nor gone from their dataset. */
bool np_survey_is_wanted(const struct np_survey_row *row);

/* True for the sessions that are asked for. */
bool np_survey_shows(const struct np_survey_row *row, enum np_survey_rows rows);

/* Sort by the path of the record. */
void np_survey_sort(struct np_survey *survey);

/* Add a row without a record, state not-started; takes `path`. */
struct np_survey_row *np_survey_add_unrecorded(struct np_survey *survey, char *path,
                                               const char *participant, const char *session,
                                               const char *label);

/* Why a session is as it is: "bad-data", its stage, a sentence, what to do; "" where there is none.
 * Borrowed from the row. */
const char *np_survey_reason(const struct np_survey_row *row);
const char *np_survey_stage(const struct np_survey_row *row);
const char *np_survey_sentence(const struct np_survey_row *row);
const char *np_survey_hint(const struct np_survey_row *row);

/*
 * The configurations of the results that the records tell of, whatever the folder remembers:
 * makings with their number of sessions, the most frequent first. Release with np_folder_done.
 */
void np_survey_configurations(const struct np_survey *survey, struct np_folder *found);

/* "2 configurations: defaults (5 sessions); normalize=percentile (2 sessions)"; NULL when there are
 * fewer. The caller frees. */
char *np_survey_mixture(const struct np_survey *survey);

/* How telemetry names a participant or a session: a word for its label. The caller frees what a
 * function returns. */
struct np_survey_words {
    char *(*participant)(const void *self, const char *label);
    char *(*session)(const void *self, const char *label);
    const void *self;
};

/* One row per session, with a header; the caller frees. With `words` (NULL = without) two columns
 * more, participant_hash and session_hash; words->self NULL = no word is known: n/a. */
char *np_survey_tsv(const struct np_survey *survey, enum np_survey_rows rows,
                    const struct np_survey_words *words);
char *np_survey_json(const struct np_survey *survey, enum np_survey_rows rows);

/* "01<TAB>1" per session, without header, for `nipoppy process --use-subcohort`: of those that a
 * rerun would do, which NP_SURVEY_ALL means here too, or of those with warnings. Records without
 * valid labels are left out. */
char *np_survey_nipoppy(const struct np_survey *survey, enum np_survey_rows rows);

#endif
