/*
 * The record of one session (or of one file of `process`): its options, events and outputs. Plain
 * data; JSON in and out (schema: docs/schemas/status.schema.json). The status record and the
 * completion record both have this form.
 */
#ifndef NP_RECORD_RECORD_H
#define NP_RECORD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum { NP_RECORD_SCHEMA = 1 };

/* X(IDENT, name); those from NOT_STARTED on are derived and never written as a session's state */
#define NP_STATES(X)                  \
    X(RUNNING, "running")             \
    X(SUCCESS, "success")             \
    X(FAILED, "failed")               \
    X(INTERRUPTED, "interrupted")     \
    X(NOTHING_TO_DO, "nothing-to-do") \
    X(NOT_STARTED, "not-started")     \
    X(LOST, "lost")                   \
    X(SKIPPED, "skipped")             \
    X(INCOMPLETE, "incomplete")       \
    X(GONE, "gone")                   \
    X(WITHDRAWN, "withdrawn")         \
    X(OUTDATED, "outdated")           \
    X(ELSEWHERE, "elsewhere")

enum np_state {
#define X(ident, name) NP_STATE_##ident,
    NP_STATES(X)
#undef X
        NP_N_STATES
};

/* Why something failed; code 0 = no failure. All texts are owned and may be NULL. */
struct np_failure {
    int code;       /* NP_E… */
    char *stage;    /* the stage that failed; NULL = outside any stage */
    char *sentence; /* names the file, what was expected, what was found */
    char *hint;     /* what to do */
    int signal;     /* signal that ended the worker; 0 = none */
    bool injected;  /* caused by --fail-rate: no real failure */
};

struct np_stage_record {
    char *name;
    enum np_state state;
    int64_t start_ns; /* UTC */
    double wall_s, cpu_s;
    int64_t peak_rss_bytes;
};

struct np_number_record {
    char *key;
    double value;
    char *unit; /* UCUM */
};

struct np_text_record {
    char *key;
    char *text;
};

struct np_output_record {
    char *path; /* relative to OUTPUT_DIR */
    int64_t n_bytes;
    char sha256[65];
    char voxel_sha256[65]; /* "" for what is no image; the same for every codec */
};

/* A brain mask that was given for an image. The hash is that of the file that was given, also when
 * a later run took the copy in OUTPUT_DIR; "" = none was given, or it was not read. */
struct np_mask_record {
    char sha256[65];
    int64_t n_bytes, mtime_ns; /* of that file; 0 = not known */
};

struct np_file_record {
    char *path; /* path of the input, relative to the dataset (or as given to `process`) */
    char *modality;
    int64_t n_bytes;
    int64_t mtime_ns;
    char sha256[65]; /* of the input on disk; "" until it was read */
    struct np_mask_record mask;
    enum np_state state;
    char *method; /* stages and their versions */
    struct np_stage_record *stage;
    size_t n_stages;
    struct np_number_record *measure;
    size_t n_measures;
    struct np_text_record *fact;
    size_t n_facts;
    struct np_output_record *output;
    size_t n_outputs;
    struct np_text_record *warning; /* key of catalog/warning.h, sentence */
    size_t n_warnings;
    struct np_failure failure;
    /* After a failure: outputs of an earlier success that still exist, and hashes of their input
     * and options. */
    struct np_strings kept; /* paths */
    char kept_input_sha256[65];
    char kept_config_sha256[65];
};

/* A short record of an earlier attempt. */
struct np_attempt {
    char run_id[40];
    int64_t start_ns, end_ns;
    enum np_state state;
    char *reason; /* "bad-data at load_file: …", NULL for success */
};

struct np_session_record {
    int schema;
    char run_id[40];   /* UUID */
    char trace_id[33]; /* hex */
    char *participant; /* label; NULL for `process` */
    char *session;     /* label of the session folder; NULL = none */
    char *requested_session;
    enum np_state state;
    char *host; /* np_process_place: the host, and the container where there is one */
    char *boot_id;
    int64_t pid;
    uint64_t pid_start;
    struct np_text_record *scheduler; /* slurm.job.id, … */
    size_t n_scheduler;
    int64_t start_ns, end_ns, heartbeat_ns; /* end_ns 0 = not ended */
    double wall_s, cpu_s;
    int64_t peak_rss_bytes;
    char *software_version;
    char *codec;
    char *config;           /* the options that change results, canonical JSON */
    char config_sha256[65]; /* of that text */
    bool injected;          /* the run had faults injected */
    struct np_file_record *file;
    size_t n_files;
    struct np_failure failure;  /* of the session: that of its first failed file, or its own */
    struct np_attempt *attempt; /* oldest first; without the present one */
    size_t n_attempts;
};

const char *np_state_name(enum np_state state);

/* False when there is no such state. */
bool np_state_find(const char *name, enum np_state *state);

void np_record_init(struct np_session_record *record);
void np_record_done(struct np_session_record *record);
void np_file_record_done(struct np_file_record *file);

/* Move `from` to `to` (which is released first); `from` is empty afterwards. */
void np_file_record_move(struct np_file_record *from, struct np_file_record *to);

void np_failure_set(struct np_failure *failure, const struct np_error *err, const char *stage);
void np_failure_copy(const struct np_failure *from, struct np_failure *to);
void np_failure_done(struct np_failure *failure);

/* "bad-data at load_file: 'x.nii.gz': …"; the caller frees. */
char *np_failure_text(const struct np_failure *failure);

/* The same for a reader: "'x.nii.gz': … (bad-data at load_file)"; the caller frees. */
char *np_failure_words(const struct np_failure *failure);

/* "bad-data at load_file"; the caller frees. */
char *np_failure_kind(const struct np_failure *failure);

/* Record size and mtime of an input's data file, if it can be read. */
void np_file_record_look(struct np_file_record *file, const char *data_path);

/* The same of a mask's file. */
void np_mask_record_look(struct np_mask_record *mask, const char *path);

struct np_stage_record *np_file_record_stage(struct np_file_record *file, const char *name);
struct np_output_record *np_file_record_output(struct np_file_record *file, const char *path);
/* Remove the outputs from the record, because they were not put in place. */
void np_file_record_drop_outputs(struct np_file_record *file);
void np_file_record_number(struct np_file_record *file, const char *key, double value,
                           const char *unit);
void np_file_record_text(struct np_file_record *file, const char *key, const char *text);
/* Append a warning; the same key may come again. */
void np_file_record_warn(struct np_file_record *file, const char *key, const char *sentence);
double np_file_record_value(const struct np_file_record *file, const char *key, double fallback);
const char *np_file_record_fact(const struct np_file_record *file, const char *key);

/* Add the keys of warnings to `keys`, each once. */
void np_file_record_warning_keys(const struct np_file_record *file, struct np_strings *keys);
void np_record_warning_keys(const struct np_session_record *record, struct np_strings *keys);

/* "mask-unsure;header-mismatch", "" without warnings: a cell of a table, a value in telemetry. The
 * caller frees. */
char *np_warning_cell(const struct np_strings *keys);

/* True when a session ended well, and its result should be looked at. */
bool np_record_is_warned(const struct np_session_record *record);

/* The stage that is running, or NULL. */
const struct np_stage_record *np_record_open_stage(const struct np_session_record *record);

/* Add the present attempt of `old` to the attempts of `record`, after those of `old` (at most 20
 * are kept). */
void np_record_inherit_attempts(struct np_session_record *record,
                                const struct np_session_record *old);

/* JSON text, indented, ending in a newline; the caller frees. */
char *np_record_format(const struct np_session_record *record);
/* The same in one line. */
char *np_record_format_short(const struct np_session_record *record);
char *np_file_record_format(const struct np_file_record *file);

/* Returns 0, NP_ECONFIG (not JSON, another schema, more entries than a session can have; older
 * schema versions are read). On failure `record` is empty. */
int np_record_parse(const char *text, const char *path, struct np_session_record *record,
                    struct np_error *err) NP_MUST_USE;
int np_file_record_parse(const char *text, struct np_file_record *file,
                         struct np_error *err) NP_MUST_USE;

/* Read a file (at most 16 MiB). Returns 0, NP_ENOINPUT, NP_EIO, NP_ECONFIG. */
int np_record_read(const char *path, struct np_session_record *record,
                   struct np_error *err) NP_MUST_USE;

/* Write a record that is updated again soon: atomically, not synced. */
int np_record_refresh(const char *path, const struct np_session_record *record,
                      struct np_error *err) NP_MUST_USE;

/* Write atomically, synced. The record of a running session takes the room that its end will need:
 * np_record_write_last finds it there. */
int np_record_write(const char *path, const struct np_session_record *record,
                    struct np_error *err) NP_MUST_USE;

/* The same for the last state of an attempt, which is wanted most when the disk is full: then it
 * goes over the record of the running session. Returns what np_record_write does. */
int np_record_write_last(const char *path, const struct np_session_record *record,
                         struct np_error *err) NP_MUST_USE;

#endif
