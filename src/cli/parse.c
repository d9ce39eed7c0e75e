/*
 * Three steps:
 *   1. cut the words into settings and positional arguments;
 *   2. read the sources in the order file, environment, command line;
 *   3. find the command and check that all options apply to it.
 */
#include "cli/parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "config/config_file.h"
#include "config/options.h"

/* An option as found on the command line. */
struct assignment {
    const struct np_option *option;
    const char *value; /* borrowed from argv; NULL = takes none */
    char *where;       /* as typed: "--participant_label" */
};

/* The command line, cut into its parts. */
struct line {
    char **word;
    int n_words;
    int at;           /* index of the next word */
    bool only_places; /* after "--" */
    bool ends;        /* an option such as --version was found: the rest does not matter */
    struct assignment *assignment;
    size_t n_assignments;
    struct np_strings places;
    const char *last_list; /* the option that took the last list, as typed, and how many words */
    int n_last_list;
    struct np_strings *foreign;
    struct np_error *err;
};

static void line_done(struct line *line)
{
    for (size_t i = 0; i < line->n_assignments; i++)
        free(line->assignment[i].where);
    free(line->assignment);
    np_strings_done(&line->places);
}

/* A word for a message; the caller frees. */
static char *shown(const char *word)
{
    enum { LONGEST = 80 };
    NP_AUTO(np_freep) char *safe = np_url_redact(word);
    char *clean = np_utf8_clean(safe);

    np_utf8_cut(clean, LONGEST);
    return clean;
}

/* "-5" and "-.5" are numbers, "-" is a name. */
static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && word[1] != '.' && !isdigit((unsigned char)word[1]);
}

/* The next word if it can be a value; NULL otherwise. */
static const char *peek_value(const struct line *line)
{
    if (line->at >= line->n_words || is_option(line->word[line->at]))
        return NULL;
    return line->word[line->at];
}

/* Record `option` with a value; `n_typed` bytes of `typed` are its spelling. */
static void assign(struct line *line, const struct np_option *option, const char *typed,
                   size_t n_typed, const char *value)
{
    size_t n = line->n_assignments++;

    line->assignment = np_xrealloc(line->assignment, (n + 1) * sizeof(*line->assignment));
    line->assignment[n] = (struct assignment){option, value, np_xstrndup(typed, n_typed)};
    line->ends |= option->type == NP_OPT_COMMAND && option->command != NP_COMMAND_PRINT_CONFIG;
}

static int value_missing(const struct line *line, const struct np_option *option, const char *typed,
                         size_t n_typed)
{
    if (line->at >= line->n_words)
        return np_error_set(line->err, NP_EUSAGE, "%.*s: expected %s, found the end of the line",
                            (int)n_typed, typed, option->argument);
    NP_AUTO(np_freep) char *next = shown(line->word[line->at]);
    return np_error_set(line->err, NP_EUSAGE,
                        "%.*s: expected %s, found the option '%s'; write a value that begins with "
                        "'-' as %.*s=VALUE",
                        (int)n_typed, typed, option->argument, next, (int)n_typed, typed);
}

/* Parse one of our options: the first `n_typed` bytes of `typed` are its name, `value` is the
 * text after "=". */
static int read_ours(struct line *line, const struct np_option *option, const char *typed,
                     size_t n_typed, const char *value)
{
    if (!np_option_takes_value(option)) {
        if (value)
            return np_error_set(line->err, NP_EUSAGE, "%.*s: takes no value", (int)n_typed, typed);
        assign(line, option, typed, n_typed, NULL);
        return 0;
    }
    if (value) {
        assign(line, option, typed, n_typed, value);
        return 0;
    }
    int n_values = 0;
    int most = option->type == NP_OPT_LIST && option->most == 0 ? line->n_words : 1;
    for (const char *next; n_values < most && (next = peek_value(line)); n_values++) {
        assign(line, option, typed, n_typed, next);
        line->at++;
    }
    if (n_values == 0)
        return value_missing(line, option, typed, n_typed);
    if (option->type == NP_OPT_LIST) {
        line->last_list = typed;
        line->n_last_list = n_values;
    }
    return 0;
}

static int read_foreign(struct line *line, const struct np_foreign_option *foreign,
                        const char *typed, size_t n_typed, const char *value)
{
    NP_AUTO(np_freep) char *name = np_xstrndup(typed, n_typed);

    if (!np_strings_have(line->foreign, name))
        np_strings_add(line->foreign, name);
    for (int i = 0; !value && i < foreign->most_values && peek_value(line); i++)
        line->at++;
    if (!value && foreign->most_values == NP_FOREIGN_LIST) {
        line->last_list = typed;
        line->n_last_list = line->n_words;
    }
    return 0;
}

static int unknown_option(const struct line *line, const char *word)
{
    NP_AUTO(np_freep) char *found = shown(word);
    NP_AUTO(np_freep) char *name = np_xstrdup(word + strspn(word, "-"));

    name[strcspn(name, "=")] = '\0';
    NP_AUTO(np_freep) char *near = np_option_suggest(name, 0);
    if (near)
        return np_error_set(line->err, NP_EUSAGE, "unknown option '%s'; did you mean '--%s'?",
                            found, near);
    return np_error_set(line->err, NP_EUSAGE, "unknown option '%s'", found);
}

static int read_long(struct line *line, const char *word)
{
    size_t n_name = strcspn(word, "=");
    const char *value = word[n_name] ? word + n_name + 1 : NULL;
    const struct np_option *option = np_option_find(word + 2, n_name - 2);

    if (option)
        return read_ours(line, option, word, n_name, value);
    const struct np_foreign_option *foreign = np_foreign_find(word + 2, n_name - 2);
    if (foreign)
        return read_foreign(line, foreign, word, n_name, value);
    return unknown_option(line, word);
}

/* Parse "-w", or several letters without values: "-vv". */
static int read_letters(struct line *line, const char *word)
{
    const struct np_option *option = np_option_find_letter(word[1]);

    if (option && word[2] == '\0')
        return read_ours(line, option, word, 2, NULL);
    for (const char *letter = word + 1; *letter; letter++) {
        option = np_option_find_letter(*letter);
        if (!option || np_option_takes_value(option))
            return unknown_option(line, word);
    }
    for (const char *letter = word + 1; *letter; letter++)
        assign(line, np_option_find_letter(*letter), word, strlen(word), NULL);
    return 0;
}

static int cut(struct line *line)
{
    while (line->at < line->n_words && !line->ends) {
        const char *word = line->word[line->at++];
        if (line->only_places || !is_option(word))
            np_strings_add(&line->places, word);
        else if (strcmp(word, "--") == 0)
            line->only_places = true;
        else
            NP_TRY(word[1] == '-' ? read_long(line, word) : read_letters(line, word));
    }
    return 0;
}

/* The sources, in order. */

/* The last --config-file, else the environment's, else NULL. */
static const char *config_file_of(const struct line *line)
{
    const char *path = getenv(NP_ENVIRONMENT_PREFIX "CONFIG_FILE");

    for (size_t i = 0; i < line->n_assignments; i++)
        if (strcmp(line->assignment[i].option->name, "config-file") == 0)
            path = line->assignment[i].value;
    return path && *path ? path : NULL;
}

/* A list on the command line replaces the list of an earlier source; repeated options on the
 * command line are joined. */
static int apply(const struct line *line, struct np_config *config)
{
    size_t n_options = np_n_options;
    NP_AUTO(np_freep) bool *touched = np_xcalloc(n_options, sizeof(*touched));

    for (size_t i = 0; i < line->n_assignments; i++) {
        const struct assignment *a = &line->assignment[i];
        size_t row = (size_t)(a->option - np_options);
        bool adds = a->option->type == NP_OPT_LIST || a->option->type == NP_OPT_COUNT;
        if (adds && !touched[row])
            np_option_reset(a->option, config);
        touched[row] = true;
        struct np_origin origin = {a->where, NP_EUSAGE};
        NP_TRY(np_option_set(a->option, a->value, &origin, config, line->err));
    }
    return 0;
}

static int read_sources(const struct line *line, struct np_config *config,
                        struct np_strings *notices)
{
    const char *path = config_file_of(line);

    if (path)
        NP_TRY(np_config_read_file(path, config, line->err));
    NP_TRY(np_config_read_environment(environ, config, notices, line->err));
    return apply(line, config);
}

/* Commands. */

static const struct np_choice levels[] = {
    {"participant", NP_COMMAND_PARTICIPANT},
    {"session", NP_COMMAND_PARTICIPANT},
    {"group", NP_COMMAND_GROUP},
    {NULL, 0},
};

static int unknown_level(const struct line *line)
{
    NP_AUTO(np_freep) char *found = shown(line->places.item[2]);
    const char *near = np_choice_suggest(levels, found);

    return np_error_set(line->err, NP_ELEVEL,
                        "expected the analysis level participant, session or group, found "
                        "'%s'%s%s%s",
                        found, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* The verb that a word misspells; NULL when it is one, or similar to none. */
static const char *near_verb(const char *word)
{
    const char *near = NULL;

    for (size_t i = 0; i < np_n_commands; i++) {
        const char *verb = np_commands[i].verb;
        if (verb && strcmp(verb, word) == 0)
            return NULL;
        if (!near && verb && np_edit_distance(verb, word) <= 2)
            near = verb;
    }
    return near;
}

static bool is_image_name(const char *word)
{
    return np_ends_with(word, ".nii") || np_ends_with(word, ".nii.gz");
}

/* An exit status or the name of an outcome: --explain takes both. */
static bool is_code(const char *word)
{
    enum np_outcome outcome;

    return (*word && word[strspn(word, "0123456789")] == '\0') || np_outcome_find(word, &outcome);
}

/* The call that a newcomer meant by these words; the caller frees, NULL when it is not known. */
static char *meant_call(const struct np_strings *words)
{
    const char *word = words->n > 0 ? words->item[0] : "";
    const char *next = words->n > 1 ? words->item[1] : "";

    if (strcmp(word, "help") == 0 || strcmp(word, "version") == 0)
        return np_xasprintf("neuro-preprocess --%s", word);
    if (strcmp(word, "explain") == 0)
        return np_xasprintf("neuro-preprocess --explain %.20s", is_code(next) ? next : "65");
    if (is_image_name(word)) {
        NP_AUTO(np_freep) char *file = shown(word);
        return np_xasprintf("neuro-preprocess process '%s' -o DIR", file);
    }
    return NULL;
}

/* Too few words: if a list before them may have taken some, the message tells so. */
static int places_missing(const struct line *line, const char *form)
{
    struct np_str hint = {0};
    const char *verb = line->places.n ? near_verb(line->places.item[0]) : NULL;
    NP_AUTO(np_freep) char *found = np_strings_join(&line->places, "' '", 4);
    NP_AUTO(np_freep) char *text = shown(found);
    NP_AUTO(np_freep) char *call = meant_call(&line->places);

    if (call)
        np_str_addf(&hint, "; did you mean: %s", call);
    else if (verb)
        np_str_addf(&hint, "; did you mean '%s'?", verb);
    else if (line->n_last_list > 1)
        np_str_addf(&hint, "; put them before %.*s, or '--' before them",
                    (int)strcspn(line->last_list, "="), line->last_list);
    int code = np_error_set(line->err, NP_EUSAGE, "expected 'neuro-preprocess %s', found %s%s%s%s",
                            form, line->places.n ? "only '" : "no words", text,
                            line->places.n ? "'" : "", np_str_text(&hint));
    np_str_done(&hint);
    return code;
}

static int too_many_places(const struct line *line, const struct np_command_info *info,
                           size_t first)
{
    NP_AUTO(np_freep) char *found = shown(line->places.item[first]);

    return np_error_set(line->err, NP_EUSAGE,
                        "expected 'neuro-preprocess %s', found '%s' beyond that", info->form,
                        found);
}

static bool assigned(const struct line *line, const char *name)
{
    for (size_t i = 0; i < line->n_assignments; i++)
        if (strcmp(line->assignment[i].option->name, name) == 0)
            return true;
    return false;
}

/* BIDS_DIR OUTPUT_DIR LEVEL */
static int find_level(const struct line *line, const struct np_command_info **found)
{
    static const char form[] = "BIDS_DIR OUTPUT_DIR {participant|session|group} [options]";

    if (line->places.n < 3)
        return places_missing(line, form);
    for (const struct np_choice *level = levels; level->word; level++)
        if (strcmp(level->word, line->places.item[2]) == 0) {
            *found = np_command_info((enum np_command)level->value);
            return line->places.n > 3 ? too_many_places(line, *found, 3) : 0;
        }
    return unknown_level(line);
}

static int find_command(const struct line *line, const struct np_command_info **found)
{
    const struct np_command_info *info =
        line->places.n ? np_command_find(line->places.item[0]) : NULL;

    if (!info && line->places.n == 0 && assigned(line, "input-dir"))
        info = np_command_info(NP_COMMAND_BATCH);
    else if (!info && line->places.n == 0 && assigned(line, "input"))
        info = np_command_info(NP_COMMAND_PROCESS);
    if (!info)
        return find_level(line, found);
    if (info->later)
        return np_error_set(line->err, NP_EUSAGE, "%s: %s", info->verb, info->later);
    *found = info;
    return 0;
}

static void set_place(char **field, const char *path)
{
    free(*field);
    *field = np_xstrdup(path);
}

/* Assign the words of a command to its places. */
static int take_places(const struct line *line, const struct np_command_info *info,
                       struct np_config *config)
{
    size_t first = info->verb && line->places.n ? 1 : 0;
    size_t n = line->places.n - first;
    char **place = line->places.item + first;
    bool takes_inputs = info->command == NP_COMMAND_PROCESS || info->command == NP_COMMAND_BATCH;
    size_t n_given = n + (takes_inputs ? config->inputs.n : 0);

    if (n_given < (size_t)info->least)
        return places_missing(line, info->form);
    if (info->most >= 0 && n_given > (size_t)info->most)
        return n ? too_many_places(line, info, line->places.n - 1)
                 : np_error_set(line->err, NP_EUSAGE, "--input-dir: expected one folder, found %zu",
                                n_given);
    switch (info->command) {
    case NP_COMMAND_STATUS:
        set_place(&config->output_dir, place[0]);
        break;
    case NP_COMMAND_PARTICIPANT:
    case NP_COMMAND_GROUP:
    case NP_COMMAND_DOCTOR:
    case NP_COMMAND_ESTIMATE:
        if (n > 0)
            set_place(&config->bids_dir, place[0]);
        if (n > 1)
            set_place(&config->output_dir, place[1]);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            np_strings_add(&config->inputs, place[i]);
    }
    return 0;
}

/* "participant, process and batch"; the caller frees. */
static char *commands_of(const struct np_option *option)
{
    struct np_str out = {0};

    for (size_t i = 0; i < np_n_commands; i++)
        if (option->commands & 1u << np_commands[i].command && !np_commands[i].later)
            np_str_addf(&out, "%s%s", out.length ? ", " : "",
                        np_commands[i].verb                          ? np_commands[i].verb
                        : np_commands[i].command == NP_COMMAND_GROUP ? "group"
                                                                     : "participant");
    return np_str_take(&out);
}

static int check_options(const struct line *line, const struct np_command_info *info)
{
    for (size_t i = 0; i < line->n_assignments; i++) {
        const struct assignment *a = &line->assignment[i];
        if (a->option->commands & 1u << info->command)
            continue;
        NP_AUTO(np_freep) char *commands = commands_of(a->option);
        return np_error_set(line->err, NP_EUSAGE,
                            "%s: not an option of 'neuro-preprocess %s' but "
                            "of %s",
                            a->where, info->verb ? info->verb : "BIDS_DIR OUTPUT_DIR LEVEL",
                            commands);
    }
    return 0;
}

/* Results go into a folder; who names an image there would get a folder of that name. */
static int check_results_folder(const struct line *line, const struct np_command_info *info,
                                const struct np_config *config)
{
    size_t n = config->inputs.n;

    if (config->output_dir && is_image_name(config->output_dir) &&
        !np_path_is_directory(config->output_dir))
        return np_error_set(line->err, NP_EUSAGE,
                            "-o '%s': expected a folder for the results, found the name of an "
                            "image; neuro-preprocess %s '%s' -o DIR",
                            config->output_dir, info->verb, n ? config->inputs.item[0] : "FILE");
    if (config->output_dir)
        return 0;
    if (info->command == NP_COMMAND_PROCESS && n == 2 && !np_path_exists(config->inputs.item[1]))
        return np_error_set(line->err, NP_EUSAGE,
                            "process: expected -o DIR, the folder for the results, found '%s', "
                            "which does not exist; neuro-preprocess process '%s' -o DIR",
                            config->inputs.item[1], config->inputs.item[0]);
    return np_error_set(line->err, NP_EUSAGE,
                        "%s: expected -o DIR, the folder for the results; 'neuro-preprocess "
                        "%s'",
                        info->verb, info->form);
}

static int check_command(const struct line *line, const struct np_command_info *info,
                         const struct np_config *config)
{
    bool takes_images = info->command == NP_COMMAND_PROCESS || info->command == NP_COMMAND_BATCH;
    bool writes_beside = takes_images || info->command == NP_COMMAND_IDPS;

    NP_TRY(check_options(line, info));
    if (writes_beside)
        NP_TRY(check_results_folder(line, info, config));
    if (takes_images && assigned(line, "modalities") && config->modalities.n > 1)
        return np_error_set(line->err, NP_EUSAGE,
                            "--modalities: %s expects one, found %zu; it is what images are whose "
                            "name does not say it",
                            info->verb, config->modalities.n);
    return 0;
}

/* Notices. */

static void notice_foreign(const struct np_config *config, struct np_strings *notices)
{
    if (config->foreign.n == 0)
        return;
    NP_AUTO(np_freep) char *names = np_strings_join(&config->foreign, ", ", 30);
    np_strings_give(notices, np_xasprintf("ignored, options of other tools: %s", names));
}

/* Add a notice for each requested feature of a later version, from any source. */
static void notice_later(const struct np_config *config, struct np_strings *notices)
{
    struct np_config defaults;

    np_config_init(&defaults);
    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        if (!(option->traits & NP_OPT_RECORDED))
            continue;
        NP_AUTO(np_freep) char *now = np_option_text(option, config);
        NP_AUTO(np_freep) char *usual = np_option_text(option, &defaults);
        if (strcmp(now, usual) != 0)
            np_strings_give(notices, np_xasprintf("--%s: %s", option->name, option->later));
    }
    np_config_done(&defaults);
}

/* Drivers pass the same options to every level. */
static void notice_group(const struct line *line, struct np_strings *notices)
{
    struct np_strings ignored = {0};

    for (size_t i = 0; i < line->n_assignments; i++) {
        const struct assignment *a = &line->assignment[i];
        bool means_nothing =
            a->option->group == NP_GROUP_SELECTION || a->option->group == NP_GROUP_METHODS;
        if (means_nothing && !np_strings_have(&ignored, a->where))
            np_strings_add(&ignored, a->where);
    }
    NP_AUTO(np_freep) char *names = np_strings_join(&ignored, ", ", 30);
    if (ignored.n)
        np_strings_give(
            notices,
            np_xasprintf("ignored, the group level takes all that is in OUTPUT_DIR: %s", names));
    np_strings_done(&ignored);
}

/* The command whose help is requested: the word before or after --help. */
static void find_topic(const struct line *line, struct np_config *config)
{
    const char *word = line->places.n ? line->places.item[0] : peek_value(line);
    const struct np_command_info *info = word ? np_command_find(word) : NULL;

    config->topic = info ? info->command : NP_COMMAND_HELP;
}

/* Options such as --version ignore everything else, even a wrong environment. */
static int answer(const struct line *line, struct np_config *config)
{
    const struct assignment *last = &line->assignment[line->n_assignments - 1];
    struct np_origin origin = {last->where, NP_EUSAGE};

    find_topic(line, config);
    return np_option_set(last->option, last->value, &origin, config, line->err);
}

static int parse(struct line *line, struct np_config *config, struct np_strings *notices)
{
    const struct np_command_info *info = NULL;

    NP_TRY(cut(line));
    if (line->ends)
        return answer(line, config);
    NP_TRY(read_sources(line, config, notices));
    bool prints_config = config->command == NP_COMMAND_PRINT_CONFIG;
    notice_foreign(config, notices);
    notice_later(config, notices);
    if (prints_config && line->places.n == 0)
        return 0;
    NP_TRY(find_command(line, &info));
    NP_TRY(take_places(line, info, config));
    NP_TRY(check_command(line, info, config));
    if (info->command == NP_COMMAND_GROUP)
        notice_group(line, notices);
    if (!prints_config)
        config->command = info->command;
    return 0;
}

int np_cli_parse(int argc, char **argv, struct np_config *config, struct np_strings *notices,
                 struct np_error *err)
{
    struct line line = {
        .word = argv, .n_words = argc, .at = 1, .foreign = &config->foreign, .err = err};

    for (int i = 0; i < argc; i++)
        np_strings_give(&config->command_line, np_url_redact(argv[i]));
    int code = parse(&line, config, notices);
    line_done(&line);
    return code;
}
