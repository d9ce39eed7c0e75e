/*
 * The option table: the only source of all commands and options. The parser, --help, the man page,
 * the shell completions, the configuration file, the environment, --print-config and its schema all
 * read it. To add an option, add a field to struct np_config, its default to np_config_init, and a
 * row here.
 */
#ifndef NP_CONFIG_OPTIONS_H
#define NP_CONFIG_OPTIONS_H

#include <stddef.h>

#include "config/config.h"

enum np_option_type {
    NP_OPT_FLAG,    /* bool; its presence sets true */
    NP_OPT_COUNT,   /* int; each presence adds one (-vv) */
    NP_OPT_ASSIGN,  /* no argument of its own: sets the option `same_as` to `assigns` */
    NP_OPT_INT,     /* int */
    NP_OPT_SEED,    /* uint64_t */
    NP_OPT_MEMORY,  /* int64_t, bytes; a plain number counts `unit_bytes`, 0 = a suffix is needed */
    NP_OPT_DOUBLE,  /* double */
    NP_OPT_STRING,  /* char *, owned; any bytes */
    NP_OPT_CHOICE,  /* an enum; one of `choices` */
    NP_OPT_LIST,    /* struct np_strings; several values up to the next option; repeats add */
    NP_OPT_STAGE,   /* STAGE[:SECONDS]: slow_stage and slow_stage_s; STAGE is one of `choices` */
    NP_OPT_NOTHING, /* accepted for drivers, without effect */
    NP_OPT_COMMAND, /* prints something and ends: `command`; its argument, if any, is
                       config->argument */
};

/* A word that an option takes, and the number it stands for. */
struct np_choice {
    const char *word; /* NULL ends a table */
    int value;        /* NP_CHOICE_LATER: known, refused in this version */
};

enum { NP_CHOICE_LATER = -1000 };

enum np_option_group {
    NP_GROUP_PLACES,
    NP_GROUP_SELECTION,
    NP_GROUP_METHODS,
    NP_GROUP_RESOURCES,
    NP_GROUP_OUTPUTS,
    NP_GROUP_POLICY,
    NP_GROUP_DATASET,
    NP_GROUP_TELEMETRY,
    NP_GROUP_FAULTS,
    NP_GROUP_STATUS,
    NP_GROUP_REPLAY,
    NP_GROUP_DEMO_DATA,
    NP_GROUP_GENERAL,
    NP_N_GROUPS
};

enum np_option_trait {
    NP_OPT_IN_FILE = 1 << 0,         /* allowed in --config-file and in the environment */
    NP_OPT_CHANGES_RESULTS = 1 << 1, /* part of np_config_results_json */
    NP_OPT_FILE = 1 << 2,            /* its argument is a file's path */
    NP_OPT_DIRECTORY = 1 << 3,       /* its argument is a folder's path */
    NP_OPT_LABEL = 1 << 4,           /* its values are BIDS labels */
    NP_OPT_ANOTHER_WAY = 1 << 5,     /* shares its field with an earlier row, which represents it */
    NP_OPT_RECORDED = 1 << 6,        /* accepted with a notice: `later` names the missing feature */
    NP_OPT_DOES_NOTHING = 1 << 7,    /* with NP_OPT_RECORDED: the whole call does nothing */
    NP_OPT_ZERO_IS_AUTO = 1 << 8,    /* 0 = determined at run time */
    NP_OPT_WRITTEN = 1 << 9,         /* with NP_OPT_FILE: the file is made, not read */
    NP_OPT_UNLISTED = 1 << 10, /* accepted since drivers pass it, without effect: not in --help */
};

struct np_option {
    const char *name;    /* "participant-label"; "_" is accepted for every "-" */
    const char *aliases; /* other long names, separated by spaces; NULL = none */
    char letter;         /* 'w' for -w, 0 = none */
    enum np_option_type type;
    enum np_option_group group;
    unsigned commands; /* bits 1u << enum np_command that it applies to */
    unsigned traits;   /* of enum np_option_trait */
    size_t field;      /* offset in struct np_config */
    unsigned shown;    /* sidecars that name its value: bits of enum np_shown_in */
    const char *argument;
    const struct np_choice *choices;
    const char *prefix;      /* removed from a value: "sub-" */
    double least, most;      /* of numbers, inclusive; both 0 = the type's own range, from 1 up; of
                                lists `most` values each time, 0 = up to the next option */
    double unit_bytes;       /* NP_OPT_MEMORY */
    const char *same_as;     /* NP_OPT_ASSIGN */
    const char *assigns;     /* NP_OPT_ASSIGN: one value, or a list separated by spaces */
    enum np_command command; /* NP_OPT_COMMAND */
    const char *later;       /* with NP_OPT_RECORDED: not shown in help and
                                completion, because it does nothing yet */
    const char *help;        /* sentences */
};

extern const struct np_option np_options[];
extern const size_t np_n_options;

/* "Participants, sessions and files", the heading of a group. */
const char *np_option_heading(enum np_option_group group);

/* An option of another tool that is accepted and ignored. */
struct np_foreign_option {
    const char *name;
    int most_values; /* 0, 1, or NP_FOREIGN_LIST: up to the next option */
};

enum { NP_FOREIGN_LIST = 1000000 };

extern const struct np_foreign_option np_foreign_options[];
extern const size_t np_n_foreign_options;

/* A command of the program. */
struct np_command_info {
    enum np_command command;
    const char *verb;    /* "process"; NULL: chosen by the level, the third positional */
    const char *form;    /* the text after the program's name */
    const char *summary; /* a sentence */
    const char *later;   /* not NULL: refused in this version, and why */
    int least, most;     /* positionals after the verb; most -1 = no limit */
};

extern const struct np_command_info np_commands[];
extern const size_t np_n_commands;

/* The command with this verb ("process"), or of an enum; NULL when there is none. */
const struct np_command_info *np_command_find(const char *verb);
const struct np_command_info *np_command_info(enum np_command command);

/*
 * The option with this long name or alias, "-" and "_" alike, without leading dashes; the first
 * `length` bytes of `name` count. NULL when there is none.
 */
const struct np_option *np_option_find(const char *name, size_t length);
const struct np_option *np_option_find_letter(char letter);
const struct np_foreign_option *np_foreign_find(const char *name, size_t length);

/* True when the next word is the option's value. */
bool np_option_takes_value(const struct np_option *option);

/*
 * The most similar of all names and aliases (of options with all of `traits`): `name` is its
 * beginning, or nearly the same. Foreign options are included when `traits` is 0. NULL when none is
 * similar; the caller frees.
 */
char *np_option_suggest(const char *name, unsigned traits);

/* The word in `words` that is most similar to `word`; NULL when none is similar. */
const char *np_choice_suggest(const struct np_choice *choices, const char *word);

/* "auto, force, skip" (the words of this version); the caller frees. */
char *np_choice_words(const struct np_choice *choices, const char *separator);

/* The source of a setting, for messages, and the error code for a wrong value. */
struct np_origin {
    const char *where; /* "--parallel", "'study.json' line 3, column 15: parallel" */
    int code;          /* NP_EUSAGE, NP_ECONFIG */
};

/*
 * Set an option; a list option adds the value, others replace the old one.
 *   value   text; NULL for options without a value. NP_OPT_FLAG and NP_OPT_COUNT also accept
 *           "true", "false" and numbers (for files and the environment).
 * Returns 0, or origin->code: `config` is then untouched.
 */
int np_option_set(const struct np_option *option, const char *value, const struct np_origin *origin,
                  struct np_config *config, struct np_error *err) NP_MUST_USE;

/* Reset to the default of np_config_init (an empty list for lists). */
void np_option_reset(const struct np_option *option, struct np_config *config);

/* Its present value as text: "zscore", "01 02", "8G", "auto"; "" when it has none. The caller
 * frees. */
char *np_option_text(const struct np_option *option, const struct np_config *config);

/* Bytes as the shortest exact text that --mem takes: "8G", "1500M", "12345B". The caller frees. */
char *np_memory_text(int64_t bytes);

#endif
