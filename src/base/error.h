/*
 * Errors, and their meaning for users.
 *
 * Two tables are the only source of these facts. An *outcome* is visible to users and schedulers:
 * exit status, name (also the telemetry's `error.type`), meaning, remedy, and whether a retry makes
 * sense. An *error* is what the code distinguishes; each error has exactly one outcome.
 */
#ifndef NP_BASE_ERROR_H
#define NP_BASE_ERROR_H

#include <stdbool.h>

#include "base/alloc.h"

/* X(ident, exit status, name, meaning, what to do, retry) */
#define NP_OUTCOMES(X)                                                                             \
    X(OK, 0, "ok", "every selected session is complete", "nothing to do", NP_RETRY_NEVER)          \
    X(SOME_FAILED, 1, "some-failed", "at least one session failed; the others are complete",       \
      "see 'neuro-preprocess status OUTPUT_DIR --failed', fix the cause, then run the same "       \
      "command again",                                                                             \
      NP_RETRY_AFTER_A_LOOK)                                                                       \
    X(BAD_LEVEL, 17, "bad-level", "unknown analysis level", "use participant, session or group",   \
      NP_RETRY_NEVER)                                                                              \
    X(NOTHING_SELECTED, 18, "nothing-selected", "the filters selected no files",                   \
      "check the labels, the modalities and the filter file against the dataset; --allow-empty "   \
      "accepts sessions without images",                                                           \
      NP_RETRY_NEVER)                                                                              \
    X(USAGE, 64, "usage", "the command line is wrong", "see --help", NP_RETRY_NEVER)               \
    X(BAD_DATA, 65, "bad-data", "the input image is corrupt or unusable",                          \
      "convert or fetch the image again, or exclude it with a filter", NP_RETRY_NEVER)             \
    X(NO_INPUT, 66, "no-input", "an input is missing, unreadable, or its content was not fetched", \
      "check the path and its permissions; for a dataset of links, fetch the content first",       \
      NP_RETRY_NEVER)                                                                              \
    X(NO_MEMORY, 69, "no-memory", "the work does not fit the allowed memory",                      \
      "give the run more memory (--mem-gb, or the job's own limit) or fewer sessions at once "     \
      "(--parallel)",                                                                              \
      NP_RETRY_WITH_MORE_MEMORY)                                                                   \
    X(INTERNAL, 70, "internal", "a bug in neuro-preprocess", "report it with the session's log",   \
      NP_RETRY_NEVER)                                                                              \
    X(CANT_CREATE, 73, "cant-create", "the output cannot be created",                              \
      "check that the output folder is writable and lies outside the dataset (or below its "       \
      "derivatives/)",                                                                             \
      NP_RETRY_AFTER_FIXING)                                                                       \
    X(IO, 74, "io", "an input/output error, or disk, quota or inodes are exhausted",               \
      "free space or inodes where the output lies, then run the same command again",               \
      NP_RETRY_AFTER_SPACE)                                                                        \
    X(TEMPORARY, 75, "temporary", "another process is using it, or a temporary condition",         \
      "run the same command again later; it is safe to requeue", NP_RETRY_YES)                     \
    X(METHOD_FAILED, 76, "method-failed",                                                          \
      "the image is readable, but a method found no plausible result",                             \
      "look at the image; if it is as it should be, change the method's options or leave the "     \
      "image out",                                                                                 \
      NP_RETRY_NEVER)                                                                              \
    X(CONFIG, 78, "config",                                                                        \
      "the configuration or filter file is invalid, or does not match earlier results",            \
      "correct the file, or choose one of the ways that the message names", NP_RETRY_NEVER)        \
    X(KILLED, 137, "killed", "the process was killed (by the kernel, the scheduler or a person)",  \
      "check the memory limit and the scheduler's log, then run the same command again",           \
      NP_RETRY_YES)                                                                                \
    X(INTERRUPTED, 143, "interrupted", "stopped by a signal before it was finished",               \
      "run the same command again; complete sessions are kept", NP_RETRY_YES)

/* X(ident, outcome, short description) */
#define NP_ERRORS(X)                                                   \
    X(NP_EUSAGE, USAGE, "bad command line")                            \
    X(NP_ELEVEL, BAD_LEVEL, "unknown analysis level")                  \
    X(NP_ESELECT, NOTHING_SELECTED, "nothing selected")                \
    X(NP_EFORMAT, BAD_DATA, "not a NIfTI image")                       \
    X(NP_ETRUNCATED, BAD_DATA, "file is truncated")                    \
    X(NP_EHEADER, BAD_DATA, "header is invalid")                       \
    X(NP_EDATATYPE, BAD_DATA, "datatype not supported")                \
    X(NP_EDIMENSION, BAD_DATA, "wrong dimensions")                     \
    X(NP_EGEOMETRY, BAD_DATA, "geometry is unusable")                  \
    X(NP_EVALUE, BAD_DATA, "voxel values are unusable")                \
    X(NP_ECLASH, BAD_DATA, "two inputs for one output")                \
    X(NP_ENOINPUT, NO_INPUT, "input cannot be read")                   \
    X(NP_ECONTENT, NO_INPUT, "content not fetched")                    \
    X(NP_ENOMEM, NO_MEMORY, "not enough memory")                       \
    X(NP_EINTERNAL, INTERNAL, "internal error")                        \
    X(NP_ECREATE, CANT_CREATE, "output cannot be created")             \
    X(NP_ETAKEN, CANT_CREATE, "another file is in the output's place") \
    X(NP_ENAME, CANT_CREATE, "name too long for the file system")      \
    X(NP_EIO, IO, "input/output error")                                \
    X(NP_ESPACE, IO, "no space left")                                  \
    X(NP_EBUSY, TEMPORARY, "in use by another process")                \
    X(NP_ELOCKED, TEMPORARY, "another run is working on it")           \
    X(NP_ECANARY, TEMPORARY, "this machine computes wrongly")          \
    X(NP_EDOMAIN, METHOD_FAILED, "input outside the method's domain")  \
    X(NP_EMETHOD, METHOD_FAILED, "no plausible result")                \
    X(NP_ECONFIG, CONFIG, "invalid configuration")                     \
    X(NP_EKILLED, KILLED, "process was killed")                        \
    X(NP_ECANCELED, INTERRUPTED, "interrupted")

enum np_retry {
    NP_RETRY_NEVER,
    NP_RETRY_YES,
    NP_RETRY_AFTER_A_LOOK,
    NP_RETRY_AFTER_FIXING,
    NP_RETRY_AFTER_SPACE,
    NP_RETRY_WITH_MORE_MEMORY,
};

enum np_outcome {
#define X(ident, status, name, meaning, remedy, retry) NP_OUTCOME_##ident,
    NP_OUTCOMES(X)
#undef X
        NP_N_OUTCOMES
};

/* Positive ordinals, so that the codes can be their negatives. */
enum np_error_ordinal {
    NP_ERROR_ORDINAL_NONE,
#define X(ident, outcome, text) NP_ERROR_ORDINAL_##ident,
    NP_ERRORS(X)
#undef X
        NP_N_ERROR_ORDINALS
};

enum np_error_code {
#define X(ident, outcome, text) ident = -NP_ERROR_ORDINAL_##ident,
    NP_ERRORS(X)
#undef X
};

/* An error that a function returns to its caller: the code and a sentence. Code 0 = no error. */
struct np_error {
    int code;
    char text[512];
};

/* The facts about an outcome that users see. */
struct np_outcome_info {
    int exit_status;
    const char *name;
    const char *meaning;
    const char *remedy;
    enum np_retry retry;
};

/* Evaluate `expr`; when it is an error, return its code from the calling function. This is the
 * only macro with control flow. */
#define NP_TRY(expr)               \
    do {                           \
        int np_try_code_ = (expr); \
        if (np_try_code_ < 0)      \
            return np_try_code_;   \
    } while (0)

/*
 * Set `err` to `code` with a sentence, and return `code`. The first error wins: when `err` already
 * holds an error, it is unchanged and its code is returned. `err` may be NULL. The text is cut to
 * fit, between characters.
 */
int np_error_set(struct np_error *err, int code, const char *format, ...) NP_PRINTF(3, 4);

/* The same for a failed system call. The code is derived from `errnum` (NP_ESPACE, NP_ENOMEM,
 * …); `fallback` is for the other values. */
int np_error_errno(struct np_error *err, int errnum, int fallback, const char *format, ...)
    NP_PRINTF(4, 5);

/* Put "prefix: " before the sentence. Nothing happens when `err` is NULL or holds no error. */
void np_error_context(struct np_error *err, const char *format, ...) NP_PRINTF(2, 3);

/* "NP_EFORMAT" for NP_EFORMAT; "NP_OK" for 0. */
const char *np_error_ident(int code);

/* The code with this identifier; NP_EINTERNAL for an unknown one. */
int np_error_from_ident(const char *ident);

/* "not a NIfTI image" for NP_EFORMAT. */
const char *np_error_summary(int code);

/* The outcome that an error belongs to; 0 is NP_OUTCOME_OK. */
enum np_outcome np_error_outcome(int code);

/* Exit status, name, meaning and remedy. Never NULL. */
const struct np_outcome_info *np_outcome_info(enum np_outcome outcome);

/* The remedy for an error: that of its outcome, or a closer one. */
const char *np_error_remedy(int code);

/* Find an outcome by its name or by its exit status in digits; false when there is none. */
bool np_outcome_find(const char *name_or_status, enum np_outcome *outcome);

/* "never", "yes", "after a look", … */
const char *np_retry_text(enum np_retry retry);

#endif
