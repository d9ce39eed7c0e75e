#include "cli/complete.h"

#include <string.h>

#include "base/str.h"
#include "config/options.h"

/* The kind of value after an option. */
static bool is_path(const struct np_option *option)
{
    return (option->traits & (NP_OPT_FILE | NP_OPT_DIRECTORY)) != 0;
}

/* All long names of an option: "--nprocs|--nthreads|-x" with `separator` between them; the caller
 * frees. */
static char *names_of(const struct np_option *option, const char *separator)
{
    struct np_str out = {0};
    NP_AUTO(np_freep) char *aliases = np_xstrdup(option->aliases ? option->aliases : "");
    char *state = NULL;

    np_str_addf(&out, "--%s", option->name);
    for (char *name = strtok_r(aliases, " ", &state); name; name = strtok_r(NULL, " ", &state))
        np_str_addf(&out, "%s--%s", separator, name);
    if (option->letter)
        np_str_addf(&out, "%s-%c", separator, option->letter);
    return np_str_take(&out);
}

/* The verbs of this version; the caller frees. */
static char *verbs(const char *separator)
{
    struct np_str out = {0};

    for (size_t i = 0; i < np_n_commands; i++)
        if (np_commands[i].verb && !np_commands[i].later)
            np_str_addf(&out, "%s%s", out.length ? separator : "", np_commands[i].verb);
    return np_str_take(&out);
}

/* bash: one case per kind of value, one list of options per command. */

static void bash_values(FILE *out)
{
    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        if (!np_option_takes_value(option))
            continue;
        NP_AUTO(np_freep) char *names = names_of(option, "|");
        NP_AUTO(np_freep)
        char *words = option->choices ? np_choice_words(option->choices, " ") : NULL;
        fprintf(out, "    %s)\n", names);
        if (words)
            fprintf(out, "        mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n", words);
        else if (is_path(option))
            fprintf(out, "        mapfile -t COMPREPLY < <(compgen %s -- \"$cur\")\n",
                    option->traits & NP_OPT_DIRECTORY ? "-d" : "-f");
        fprintf(out, "        return\n        ;;\n");
    }
}

static void bash_options(FILE *out, unsigned commands)
{
    fprintf(out, "options='");
    for (size_t i = 0; i < np_n_options; i++)
        if (np_options[i].commands & commands && !np_options[i].later)
            fprintf(out, "--%s ", np_options[i].name);
    fprintf(out, "'\n");
}

static void print_bash(FILE *out)
{
    NP_AUTO(np_freep) char *commands = verbs(" ");

    fprintf(out, "# bash completion of neuro-preprocess\n"
                 "_neuro_preprocess()\n{\n"
                 "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} "
                 "options\n"
                 "    COMPREPLY=()\n"
                 "    case $prev in\n");
    bash_values(out);
    fprintf(out, "    esac\n"
                 "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < np_n_commands; i++) {
        if (!np_commands[i].verb || np_commands[i].later)
            continue;
        fprintf(out, "    %s) ", np_commands[i].verb);
        bash_options(out, 1u << np_commands[i].command);
        fprintf(out, "        ;;\n");
    }
    fprintf(out, "    *) ");
    bash_options(out, 1u << NP_COMMAND_PARTICIPANT);
    fprintf(out,
            "        ;;\n    esac\n"
            "    if [[ $cur == -* ]]; then\n"
            "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
            "    elif ((COMP_CWORD == 1)); then\n"
            "        mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"; compgen -d -- "
            "\"$cur\")\n"
            "    elif ((COMP_CWORD == 3)) && [[ ' %s ' != *\" ${COMP_WORDS[1]} \"* ]]; then\n"
            "        mapfile -t COMPREPLY < <(compgen -W 'participant session group' -- \"$cur\")\n"
            "    else\n"
            "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
            "    fi\n}\n"
            "complete -o filenames -F _neuro_preprocess neuro-preprocess\n",
            commands, commands);
}

/* Escape text inside single quotes of zsh and fish; in zsh's option descriptions [ ] and : are
 * special. */
static void put_quoted(FILE *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr(special, *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

/* The first sentence of a help text, without its full stop; the caller frees. */
static char *short_help(const struct np_option *option)
{
    const char *end = strpbrk(option->help, ".;");

    while (end && end[1] != ' ' && end[1] != '\0')
        end = strpbrk(end + 1, ".;");
    return end ? np_xstrndup(option->help, (size_t)(end - option->help)) : np_xstrdup(option->help);
}

static void zsh_spec(FILE *out, const struct np_option *option, const char *dashes,
                     const char *name, size_t n_name)
{
    NP_AUTO(np_freep) char *help = short_help(option);
    bool repeats = option->type == NP_OPT_LIST || option->type == NP_OPT_COUNT;

    fprintf(out, "        '%s%s%.*s[", repeats ? "*" : "", dashes, (int)n_name, name);
    put_quoted(out, help, "[]:");
    fputc(']', out);
    if (np_option_takes_value(option)) {
        fputc(':', out);
        put_quoted(out, option->argument, "[]:");
        fputc(':', out);
    }
    if (option->choices && option->type != NP_OPT_STAGE) {
        NP_AUTO(np_freep) char *words = np_choice_words(option->choices, " ");
        fprintf(out, "(%s)", words);
    } else if (is_path(option))
        fputs(option->traits & NP_OPT_DIRECTORY ? "_files -/" : "_files", out);
    else if (option->type == NP_OPT_STAGE) {
        NP_AUTO(np_freep) char *words = np_choice_words(option->choices, " ");
        fprintf(out, "(%s)", words);
    }
    fputs("' \\\n", out);
}

static void print_zsh(FILE *out)
{
    fprintf(out, "#compdef neuro-preprocess\n"
                 "_neuro_preprocess() {\n"
                 "    local curcontext=$curcontext state line\n"
                 "    typeset -A opt_args\n"
                 "    local -a commands\n"
                 "    commands=(\n");
    for (size_t i = 0; i < np_n_commands; i++) {
        if (!np_commands[i].verb || np_commands[i].later)
            continue;
        fprintf(out, "        '%s:", np_commands[i].verb);
        put_quoted(out, np_commands[i].summary, ":");
        fputs("'\n", out);
    }
    fprintf(out, "    )\n    _arguments -s \\\n");
    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        if (option->later)
            continue;
        zsh_spec(out, option, "--", option->name, strlen(option->name));
        if (option->letter)
            zsh_spec(out, option, "-", &option->letter, 1);
    }
    fprintf(out, "        '1: :->first' '2: :_files' '3: :->third' '*: :_files'\n"
                 "    case $state in\n"
                 "    first) _describe command commands; _files ;;\n"
                 "    third) compadd participant session group; _files ;;\n"
                 "    esac\n}\n"
                 "if [[ $funcstack[1] == _neuro-preprocess ]]; then\n"
                 "    _neuro_preprocess \"$@\"\n"
                 "else\n"
                 "    compdef _neuro_preprocess neuro-preprocess\n"
                 "fi\n");
}

static void fish_option(FILE *out, const struct np_option *option)
{
    NP_AUTO(np_freep) char *help = short_help(option);

    fprintf(out, "complete -c neuro-preprocess -l %s", option->name);
    if (option->letter)
        fprintf(out, " -s %c", option->letter);
    if (option->choices) {
        NP_AUTO(np_freep) char *words = np_choice_words(option->choices, " ");
        fprintf(out, " -x -a '%s'", words);
    } else if (option->traits & NP_OPT_DIRECTORY)
        fputs(" -x -a '(__fish_complete_directories)'", out);
    else if (np_option_takes_value(option))
        fputs(is_path(option) ? " -r -F" : " -x", out);
    fputs(" -d '", out);
    put_quoted(out, help, "");
    fputs("'\n", out);
}

static void print_fish(FILE *out)
{
    fprintf(out, "# fish completion of neuro-preprocess\n");
    for (size_t i = 0; i < np_n_commands; i++) {
        if (!np_commands[i].verb || np_commands[i].later)
            continue;
        fprintf(out, "complete -c neuro-preprocess -n __fish_use_subcommand -a %s -d '",
                np_commands[i].verb);
        put_quoted(out, np_commands[i].summary, "");
        fputs("'\n", out);
    }
    fprintf(out, "complete -c neuro-preprocess -n 'test (count (commandline -opc)) -eq 3' -a "
                 "'participant session group'\n");
    for (size_t i = 0; i < np_n_options; i++)
        if (!np_options[i].later)
            fish_option(out, &np_options[i]);
}

int np_cli_print_completion(FILE *out, const char *shell, struct np_error *err)
{
    static const struct {
        const char *shell;
        void (*print)(FILE *);
    } printers[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

    for (size_t i = 0; i < NP_COUNT(printers); i++)
        if (strcmp(printers[i].shell, shell) == 0) {
            printers[i].print(out);
            return 0;
        }
    return np_error_set(err, NP_EUSAGE, "--completion: expected bash, zsh or fish, found '%.40s'",
                        shell);
}
