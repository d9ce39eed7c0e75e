#include "cli/manpage.h"

#include <string.h>

#include "catalog/modality.h"
#include "cli/usage.h"
#include "cli/version.h"
#include "config/config_file.h"

/* Escape text for roff: "-" is printed as a minus that can be copied, and no line is read as a
 * request. */
static void put(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\'')
            fputs("\\(aq", out);
        else
            fputc(*text, out);
    }
}

static void put_line(FILE *out, const char *text)
{
    put(out, text);
    fputc('\n', out);
}

/* The tag of a tagged paragraph, in bold up to the first space. */
static void put_tag(FILE *out, const char *prefix, const char *text)
{
    fputs(".TP\n\\fB", out);
    put(out, prefix);
    size_t n_bold = strcspn(text, " ");
    NP_AUTO(np_freep) char *bold = np_xstrndup(text, n_bold);
    put(out, bold);
    fputs("\\fR", out);
    put_line(out, text + n_bold);
}

static void put_option(FILE *out, const struct np_option *option, const struct np_config *defaults)
{
    NP_AUTO(np_freep) char *form = np_cli_option_form(option);
    NP_AUTO(np_freep) char *usual = np_cli_option_default(option, defaults);
    NP_AUTO(np_freep) char *aliases = np_cli_option_aliases(option);
    NP_AUTO(np_freep)
    char *prefix = option->letter ? np_xasprintf("-%c, ", option->letter) : np_xstrdup("");

    put_tag(out, prefix, form);
    put_line(out, option->help);
    if (option->type == NP_OPT_STAGE) {
        NP_AUTO(np_freep) char *words = np_choice_words(option->choices, ", ");
        NP_AUTO(np_freep) char *text = np_xasprintf("STAGE is one of %s.", words);
        put_line(out, text);
    }
    if (*aliases) {
        NP_AUTO(np_freep) char *text = np_xasprintf("Also: %s.", aliases);
        put_line(out, text);
    }
    if (*usual) {
        NP_AUTO(np_freep) char *text = np_xasprintf("Default: %s.", usual);
        put_line(out, text);
    }
}

static void put_options(FILE *out, const struct np_config *defaults)
{
    fputs(".SH OPTIONS\n", out);
    put_line(out, "Option names may be written with '_' for '-', values as '--name VALUE' or "
                  "'--name=VALUE'. A list ends at the next option or at '--'.");
    for (int group = 0; group < NP_N_GROUPS; group++) {
        fputs(".SS ", out);
        put_line(out, np_option_heading((enum np_option_group)group));
        for (size_t i = 0; i < np_n_options; i++)
            if (np_options[i].group == (enum np_option_group)group && !np_options[i].later)
                put_option(out, &np_options[i], defaults);
    }
    NP_AUTO(np_freep) char *foreign = np_cli_foreign_options();
    fputs(".SS Options of other tools\n", out);
    put_line(out, "Accepted and ignored, with one notice:");
    put_line(out, foreign);
}

static void put_commands(FILE *out)
{
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; i < np_n_commands; i++) {
        put_tag(out, "", np_commands[i].form);
        put_line(out, np_commands[i].summary);
    }
}

static void put_exit_codes(FILE *out)
{
    fputs(".SH EXIT STATUS\n", out);
    for (int i = 0; i < NP_N_OUTCOMES; i++) {
        const struct np_outcome_info *info = np_outcome_info((enum np_outcome)i);
        NP_AUTO(np_freep) char *tag = np_xasprintf("%d %s", info->exit_status, info->name);
        NP_AUTO(np_freep)
        char *text =
            np_xasprintf("%c%s. What to do: %s. Retry: %s.", (char)(info->meaning[0] & ~0x20),
                         info->meaning + 1, info->remedy, np_retry_text(info->retry));
        put_tag(out, "", tag);
        put_line(out, text);
    }
}

static void put_settings(FILE *out)
{
    fputs(".SH CONFIGURATION FILE\n", out);
    put_line(out, "One JSON object; its keys are the long names of options without dashes, its "
                  "values numbers, true or false, strings, and lists of strings; null is the "
                  "default. --print-config prints the effective one, --print-config-schema its "
                  "JSON Schema.");
    fputs(".SH ENVIRONMENT\n.TP\n", out);
    put_line(out, NP_ENVIRONMENT_PREFIX "OPTION_NAME");
    put_line(out, "The option of that name, in capitals and with '_' for '-': "
                  "" NP_ENVIRONMENT_PREFIX "MEM=8G. Lists are separated by spaces, flags are true "
                  "or false. It wins over the configuration file, the command line wins over it.");
    fputs(".TP\n", out);
    put_line(out, NP_ENVIRONMENT_PREFIX "CONFIG_FILE");
    put_line(out, "The configuration file when --config-file is not given.");
}

static void put_examples(FILE *out)
{
    fputs(".SH EXAMPLES\n", out);
    for (const struct np_cli_example *e = np_cli_examples; e->line; e++) {
        fputs(".TP\n", out);
        put_line(out, e->line);
        put_line(out, e->does);
    }
}

void np_cli_print_man(FILE *out, const struct np_config *defaults)
{
    fprintf(out, ".TH NEURO-PREPROCESS 1 2026-11-21 \"neuro-preprocess %s\" \"User Commands\"\n",
            np_cli_version());
    fputs(".SH NAME\nneuro\\-preprocess \\- preprocess brain MRI to BIDS derivatives\n"
          ".SH SYNOPSIS\n.nf\n",
          out);
    for (size_t i = 0; i < np_n_commands; i++) {
        fputs("\\fBneuro\\-preprocess\\fR ", out);
        put_line(out, np_commands[i].form);
    }
    fputs(".fi\n.SH DESCRIPTION\n", out);
    put_line(out, "Preprocesses " NP_ANATOMICAL_SUFFIXES
                  " images: bias correction, brain extraction and "
                  "intensity normalization. Writes BIDS derivatives, a record of every session, "
                  "and telemetry as OpenTelemetry JSON lines. What is complete is never done "
                  "twice.");
    put_commands(out);
    put_options(out, defaults);
    put_settings(out);
    put_exit_codes(out);
    put_examples(out);
}
