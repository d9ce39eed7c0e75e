#include "cli/explain.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "catalog/warning.h"

enum { SIGNAL_BASE = 128, LAST_SIGNAL = 64 };

static void print_errors(FILE *out, enum np_outcome outcome)
{
    const char *separator = "  errors:     ";

    for (int code = -1; code > -NP_N_ERROR_ORDINALS; code--)
        if (np_error_outcome(code) == outcome) {
            fprintf(out, "%s%s (%s)", separator, np_error_ident(code), np_error_summary(code));
            separator = ", ";
        }
    if (separator[0] == ',')
        fprintf(out, "\n");
}

static void print_outcome(FILE *out, enum np_outcome outcome)
{
    const struct np_outcome_info *info = np_outcome_info(outcome);

    fprintf(out, "%d %s\n", info->exit_status, info->name);
    fprintf(out, "  meaning:    %s\n", info->meaning);
    fprintf(out, "  what to do: %s\n", info->remedy);
    fprintf(out, "  retry:      %s\n", np_retry_text(info->retry));
    print_errors(out, outcome);
}

/* The error with this identifier, in any case; 0 when there is none. */
static int find_error(const char *ident)
{
    for (int code = -1; code > -NP_N_ERROR_ORDINALS; code--)
        if (strcasecmp(np_error_ident(code), ident) == 0)
            return code;
    return 0;
}

/* 128 + the signal that stopped the program, as shells count. */
static int find_signal(const char *status)
{
    char *end;
    long number = strtol(status, &end, 10);
    bool is_signal = *end == '\0' && number > SIGNAL_BASE && number <= SIGNAL_BASE + LAST_SIGNAL;

    return is_signal ? (int)(number - SIGNAL_BASE) : 0;
}

static void print_signal(FILE *out, int number)
{
    fprintf(out, "%d: ended by signal %d (%s)\n", SIGNAL_BASE + number, number, strsignal(number));
    print_outcome(out, NP_OUTCOME_INTERRUPTED);
}

static void print_warning(FILE *out, const struct np_warning_row *warning)
{
    fprintf(out, "%s: a warning, the session is a success\n", warning->key);
    fprintf(out, "  meaning:    %s\n", warning->meaning);
    fprintf(out, "  what to do: %s\n", warning->remedy);
}

static int unknown_code(const char *code, struct np_error *err)
{
    struct np_str names = {0};
    NP_AUTO(np_freep) char *clean = np_utf8_clean(code);

    np_utf8_cut(clean, 60);
    for (int i = 0; i < NP_N_OUTCOMES; i++)
        np_str_addf(&names, "%s%d %s", i ? ", " : "",
                    np_outcome_info((enum np_outcome)i)->exit_status,
                    np_outcome_info((enum np_outcome)i)->name);
    for (int i = 0; i < NP_N_WARNINGS; i++)
        np_str_addf(&names, ", %s", np_warning_rows[i].key);
    int result = np_error_set(err, NP_EUSAGE, "--explain: expected one of %s, found '%s'",
                              np_str_text(&names), clean);
    np_str_done(&names);
    return result;
}

int np_cli_explain(FILE *out, const char *code, struct np_error *err)
{
    const struct np_warning_row *warning = np_warning_find(code);
    enum np_outcome outcome;

    if (warning) {
        print_warning(out, warning);
        return 0;
    }
    if (np_outcome_find(code, &outcome)) {
        print_outcome(out, outcome);
        return 0;
    }
    int error = find_error(code);
    if (error) {
        fprintf(out, "%s: %s; its outcome is\n", np_error_ident(error), np_error_summary(error));
        print_outcome(out, np_error_outcome(error));
        return 0;
    }
    int number = find_signal(code);
    if (!number)
        return unknown_code(code, err);
    print_signal(out, number);
    return 0;
}
