#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/path.h"
#include "base/str.h"

static const struct np_outcome_info outcomes[NP_N_OUTCOMES] = {
#define X(ident, status, name, meaning, remedy, retry) \
    [NP_OUTCOME_##ident] = {status, name, meaning, remedy, retry},
    NP_OUTCOMES(X)
#undef X
};

static const struct {
    const char *ident;
    const char *summary;
    enum np_outcome outcome;
} errors[NP_N_ERROR_ORDINALS] = {{"NP_OK", "ok", NP_OUTCOME_OK},
#define X(ident, outcome, text) {#ident, text, NP_OUTCOME_##outcome},
                                 NP_ERRORS(X)
#undef X
};

static int ordinal(int code)
{
    return code <= 0 && code > -NP_N_ERROR_ORDINALS ? -code : NP_ERROR_ORDINAL_NP_EINTERNAL;
}

NP_PRINTF(2, 0)
static void format_text(struct np_error *err, const char *format, va_list args)
{
    vsnprintf(err->text, sizeof(err->text), format, args);
    np_utf8_cut(err->text, sizeof(err->text) - 1);
}

int np_error_set(struct np_error *err, int code, const char *format, ...)
{
    if (!err)
        return code;
    if (err->code < 0)
        return err->code;
    err->code = code;
    va_list args;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    return code;
}

static int code_of_errno(int errnum, int fallback)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return NP_ESPACE;
    case ENOMEM:
        return NP_ENOMEM;
    case ESTALE:
        return NP_EBUSY;
    case EIO:
    case EFBIG: /* a limit of this process, or of files of that system: not a full disk */
        return NP_EIO;
    default:
        return fallback;
    }
}

/* The system's words; of a file-size limit also the limit, which no free space helps against. */
static void add_reason(struct np_error *err, int errnum)
{
    size_t used = strlen(err->text);
    char *end = err->text + used, reason[128];
    size_t room = sizeof(err->text) - used;
    struct rlimit limit;
    const char *words = strerror_r(errnum, reason, sizeof(reason));

    if (errnum == EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        snprintf(end, room,
                 ": %s: this process may write files of %llu bytes (ulimit -f): raise it", words,
                 (unsigned long long)limit.rlim_cur);
    else
        snprintf(end, room, ": %s%s", words,
                 errnum == ENOENT && err->code == NP_ENOINPUT ? np_path_missing_hint() : "");
    np_utf8_cut(err->text, sizeof(err->text) - 1);
}

int np_error_errno(struct np_error *err, int errnum, int fallback, const char *format, ...)
{
    int code = code_of_errno(errnum, fallback);

    if (!err)
        return code;
    if (err->code < 0)
        return err->code;
    err->code = code;
    va_list args;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    add_reason(err, errnum);
    return code;
}

void np_error_context(struct np_error *err, const char *format, ...)
{
    if (!err || err->code >= 0)
        return;
    char before[sizeof(err->text)];
    snprintf(before, sizeof(before), "%s", err->text);
    va_list args;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", before);
    np_utf8_cut(err->text, sizeof(err->text) - 1);
}

const char *np_error_ident(int code)
{
    return errors[ordinal(code)].ident;
}

int np_error_from_ident(const char *ident)
{
    for (int i = 0; i < NP_N_ERROR_ORDINALS; i++)
        if (strcmp(errors[i].ident, ident) == 0)
            return -i;
    return NP_EINTERNAL;
}

const char *np_error_summary(int code)
{
    return errors[ordinal(code)].summary;
}

enum np_outcome np_error_outcome(int code)
{
    return errors[ordinal(code)].outcome;
}

const struct np_outcome_info *np_outcome_info(enum np_outcome outcome)
{
    return &outcomes[outcome];
}

/* Errors whose remedy is not that of their outcome. */
static const struct {
    int code;
    const char *remedy;
} own_remedies[] = {
    {NP_EIO, "check the storage that holds the file (the system's log names a failing one) and the "
             "limits of the process, then run the same command again"},
    {NP_EKILLED, "check the limits of memory and of CPU time (ulimit -t) and the scheduler's log, "
                 "then run the same command again"},
    {NP_ECLASH, "give the images different names, or leave out all but one with a filter"},
    {NP_ETAKEN, "nothing was overwritten; run the same command again when the file is out of the "
                "way"},
    {NP_ELOCKED, "wait for it, or stop it, then run the same command again"},
    {NP_ECANARY,
     "leave this node out (np-slurm resubmit does), run the same command on another one, "
     "and tell its administrator: its memory or processor may be broken"},
    {NP_ENAME, "shorten the name in the dataset, then run the same command again"},
};

const char *np_error_remedy(int code)
{
    for (size_t i = 0; i < NP_COUNT(own_remedies); i++)
        if (own_remedies[i].code == code)
            return own_remedies[i].remedy;
    return outcomes[np_error_outcome(code)].remedy;
}

bool np_outcome_find(const char *name_or_status, enum np_outcome *outcome)
{
    char *end;
    long status = strtol(name_or_status, &end, 10);
    bool is_number = end != name_or_status && *end == '\0';

    for (int i = 0; i < NP_N_OUTCOMES; i++)
        if (is_number ? outcomes[i].exit_status == status
                      : strcmp(outcomes[i].name, name_or_status) == 0) {
            *outcome = (enum np_outcome)i;
            return true;
        }
    return false;
}

const char *np_retry_text(enum np_retry retry)
{
    static const char *const texts[] = {
        [NP_RETRY_NEVER] = "never",
        [NP_RETRY_YES] = "yes",
        [NP_RETRY_AFTER_A_LOOK] = "after a look",
        [NP_RETRY_AFTER_FIXING] = "after fixing",
        [NP_RETRY_AFTER_SPACE] = "after space",
        [NP_RETRY_WITH_MORE_MEMORY] = "with more memory",
    };
    return texts[retry];
}
