#include "cli/usage.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/modality.h"
#include "config/config_file.h"

enum { WIDTH = 100, TEXT_COLUMN = 34 };

const struct np_cli_example np_cli_examples[] = {
    {"neuro-preprocess /data/bids /data/out participant", "every session of a dataset"},
    {"neuro-preprocess /data/bids /data/out participant --participant-label 01 02 --nprocs 8",
     "two participants on eight CPUs"},
    {"neuro-preprocess process scan.nii.gz -o out", "one image, no dataset"},
    {"neuro-preprocess status /data/out --failed", "what failed, and why"},
    {"neuro-preprocess demo-data demo && neuro-preprocess demo out participant",
     "try it on synthetic heads"},
    {NULL, NULL},
};

/* Print the words of `text` from `column` on, broken before WIDTH and continued at `indent`, and
 * end the line. */
static void print_wrapped(FILE *out, const char *text, size_t column, size_t indent)
{
    size_t start = column;

    while (*text) {
        size_t n = strcspn(text, " ");
        if (column > start && column + 1 + n > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = start = indent;
        } else if (column > start) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, n, out);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

char *np_cli_option_form(const struct np_option *option)
{
    struct np_str out = {0};

    np_str_addf(&out, "--%s", option->name);
    if (option->choices && option->type != NP_OPT_STAGE) {
        NP_AUTO(np_freep) char *words = np_choice_words(option->choices, "|");
        np_str_addf(&out, " {%s}", words);
    } else if (option->argument)
        np_str_addf(&out, " %s", option->argument);
    if (option->type == NP_OPT_LIST && option->most == 0)
        np_str_add(&out, "...");
    return np_str_take(&out);
}

char *np_cli_option_default(const struct np_option *option, const struct np_config *defaults)
{
    bool shows = option->argument && option->type != NP_OPT_COMMAND &&
                 !(option->traits & NP_OPT_ANOTHER_WAY);

    return shows ? np_option_text(option, defaults) : np_xstrdup("");
}

char *np_cli_option_aliases(const struct np_option *option)
{
    struct np_str out = {0};
    NP_AUTO(np_freep) char *names = np_xstrdup(option->aliases ? option->aliases : "");
    char *state = NULL;

    for (char *name = strtok_r(names, " ", &state); name; name = strtok_r(NULL, " ", &state))
        np_str_addf(&out, "%s--%s", out.length ? ", " : "", name);
    return np_str_take(&out);
}

char *np_cli_foreign_options(void)
{
    struct np_str out = {0};

    for (size_t i = 0; i < np_n_foreign_options; i++)
        np_str_addf(&out, "%s--%s", i ? " " : "", np_foreign_options[i].name);
    return np_str_take(&out);
}

static void print_option(FILE *out, const struct np_option *option,
                         const struct np_config *defaults)
{
    NP_AUTO(np_freep) char *form = np_cli_option_form(option);
    NP_AUTO(np_freep) char *usual = np_cli_option_default(option, defaults);
    NP_AUTO(np_freep) char *aliases = np_cli_option_aliases(option);
    struct np_str text = {0};
    int n_printed = option->letter ? fprintf(out, "  -%c, %s", option->letter, form)
                                   : fprintf(out, "      %s", form);
    size_t column = n_printed > 0 ? (size_t)n_printed : 0;

    np_str_add(&text, option->help);
    if (option->type == NP_OPT_STAGE) {
        NP_AUTO(np_freep) char *words = np_choice_words(option->choices, ", ");
        np_str_addf(&text, " STAGE: %s.", words);
    }
    if (*aliases)
        np_str_addf(&text, " Also: %s.", aliases);
    if (*usual)
        np_str_addf(&text, " [default: %s]", usual);
    if (column + 2 > TEXT_COLUMN) {
        fputc('\n', out);
        column = 0;
    }
    fprintf(out, "%*s", (int)(TEXT_COLUMN - column), "");
    print_wrapped(out, np_str_text(&text), TEXT_COLUMN, TEXT_COLUMN);
    np_str_done(&text);
}

/* The options of a group that apply to any of `commands`, under their heading. */
static void print_group(FILE *out, enum np_option_group group, unsigned commands,
                        const struct np_config *defaults)
{
    bool any = false;

    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        bool is_listed = !option->later && !(option->traits & NP_OPT_UNLISTED);
        if (option->group != group || !(option->commands & commands) || !is_listed)
            continue;
        if (!any)
            fprintf(out, "\n%s:\n", np_option_heading(group));
        any = true;
        print_option(out, option, defaults);
    }
}

static void print_options(FILE *out, unsigned commands, const struct np_config *defaults)
{
    for (int group = 0; group < NP_N_GROUPS; group++)
        print_group(out, (enum np_option_group)group, commands, defaults);
}

static void print_exit_codes(FILE *out)
{
    fprintf(out, "\nExit codes (more: --explain CODE):\n");
    for (int i = 0; i < NP_N_OUTCOMES; i++) {
        const struct np_outcome_info *info = np_outcome_info((enum np_outcome)i);
        int n = fprintf(out, "  %3d  %-17s", info->exit_status, info->name);
        print_wrapped(out, info->meaning, n > 0 ? (size_t)n : 0, 24);
    }
}

static void print_examples(FILE *out)
{
    fprintf(out, "\nExamples:\n");
    for (const struct np_cli_example *e = np_cli_examples; e->line; e++)
        fprintf(out, "  %s\n      %s\n", e->line, e->does);
}

static void print_overview(FILE *out, const struct np_config *defaults)
{
    NP_AUTO(np_freep) char *foreign = np_cli_foreign_options();

    fprintf(out,
            "Preprocess brain MRI (" NP_ANATOMICAL_SUFFIXES "): bias correction, brain extraction, "
            "intensity\nnormalization; BIDS derivatives and a record of every session.\n\n"
            "Usage:\n");
    for (size_t i = 0; i < np_n_commands; i++) {
        fprintf(out, "  neuro-preprocess %s\n", np_commands[i].form);
        fprintf(out, "      ");
        print_wrapped(out, np_commands[i].summary, 6, 6);
    }
    fprintf(out, "  neuro-preprocess --input FILE --output DIR, --input-dir DIR --output-dir DIR\n"
                 "      The same as 'process' and 'batch'.\n");
    print_options(out, ~0u, defaults);
    fprintf(out, "\nOptions of other tools, accepted and ignored:\n  ");
    print_wrapped(out, foreign, 2, 2);
    fprintf(out, "\n");
    print_wrapped(out,
                  "Option names may be written with '_' for '-', values as '--name VALUE' or "
                  "'--name=VALUE'. A list ends at the next option or at '--'. Settings come from "
                  "the defaults, the configuration file, the environment "
                  "(" NP_ENVIRONMENT_PREFIX "MEM=8G for --mem) and the command line; later ones "
                  "win.",
                  0, 0);
    print_exit_codes(out);
    print_examples(out);
}

void np_cli_print_help(FILE *out, const struct np_config *defaults, enum np_command topic)
{
    const struct np_command_info *info = np_command_info(topic);

    if (!info) {
        print_overview(out, defaults);
        return;
    }
    fprintf(out, "Usage:\n  neuro-preprocess %s\n\n", info->form);
    print_wrapped(out, info->summary, 0, 0);
    print_options(out, 1u << topic, defaults);
    fprintf(out, "\nAll commands, exit codes and examples: neuro-preprocess --help\n");
}
