/* Paths of the records of one session (or of one file of `process`) below OUTPUT_DIR. */
#ifndef NP_RECORD_PLACE_H
#define NP_RECORD_PLACE_H

#include "base/str.h"

/* Owned paths, each with OUTPUT_DIR as prefix. */
struct np_record_place {
    char *directory; /* logs/sub-01 */
    char *status;    /* …/sub-01[_ses-1]_status.json */
    char *log;       /* …/sub-01[_ses-1]_log.jsonl */
    char *complete;  /* …/sub-01_ses-1_complete.json, the session's label as it was requested */
    char *lock;      /* …/.sub-01[_ses-1].lock */
};

/* `session` may be NULL; `requested` is the label in the completion record's name. Labels have
 * no prefix. */
void np_record_place_session(struct np_record_place *place, const char *output_dir,
                             const char *participant, const char *session, const char *requested);

/* For a file of `process` or `batch`: `relative` is its path below the output, without extension
 * ("a/scan"). */
void np_record_place_file(struct np_record_place *place, const char *output_dir,
                          const char *relative);

/* `relative` of np_record_place_file: the image's name without its extension. The caller frees. */
char *np_record_stem(const char *name);

/* The file that is there while the results of an image (`recorded`: its path in records) are put in
 * place: where it was left behind, some of them may be new and others old. The caller frees. */
char *np_record_replacing_of(const struct np_record_place *place, const char *recorded);

/* Is this the name of a status record? */
bool np_record_is_status(const char *file_name);

/* The session of a status record by its place alone, logs/sub-01/sub-01[_ses-1]_status.json: `session`
 * becomes NULL where there is none. The caller frees both. False when it is not one of a session. */
bool np_record_session_of(const char *status_path, char **participant, char **session);

/* The lock that belongs to a status record, from its path. The caller frees. */
char *np_record_lock_of(const char *status_path);

/* The completion record that belongs to the status record of a file of `process`. The caller
 * frees. */
char *np_record_complete_of(const char *status_path);

/* Where telemetry is recorded, below OUTPUT_DIR. */
#define NP_TELEMETRY_FOLDER "logs/telemetry"
#define NP_CANARY_FOLDER "logs/canary"

void np_record_place_done(struct np_record_place *place);

#endif
