/* Text to settings and back, by type. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/options.h"

/* Choices are stored by copying an int over the enum. */
_Static_assert(sizeof(enum np_skull_strip) == sizeof(int), "enums are ints");
_Static_assert(sizeof(enum np_format) == sizeof(int), "enums are ints");

enum { LONGEST_SHOWN = 80, MOST_VERBOSE = 3 };

static const double MOST_BYTES = 9007199254740992.0; /* 2^53: exact in a double */
static const double SLOW_STAGE_DEFAULT_S = 6, SLOW_STAGE_MOST_S = 3600;

/* One attempt to set an option. */
struct setting {
    const struct np_option *option;
    const char *value;
    const struct np_origin *origin;
    struct np_config *config;
    struct np_error *err;
};

static void *field_of(const struct np_option *option, struct np_config *config)
{
    return (char *)config + option->field;
}

static const void *field_in(const struct np_option *option, const struct np_config *config)
{
    return (const char *)config + option->field;
}

/* A value for a message: short, valid UTF-8, no secrets. The caller frees. */
static char *shown(const char *value)
{
    char *text = np_url_redact(value);
    char *clean = np_utf8_clean(text);

    free(text);
    if (strlen(clean) > LONGEST_SHOWN) {
        np_utf8_cut(clean, LONGEST_SHOWN);
        text = np_xasprintf("%s…", clean);
        free(clean);
        clean = text;
    }
    return clean;
}

static int wrong(const struct setting *set, const char *expected)
{
    if (!set->value || !*set->value)
        return np_error_set(set->err, set->origin->code, "%s: expected %s, found nothing",
                            set->origin->where, expected);
    NP_AUTO(np_freep) char *found = shown(set->value);
    return np_error_set(set->err, set->origin->code, "%s: expected %s, found '%s'",
                        set->origin->where, expected, found);
}

/* The value of a flag: "word", "true" or "false". */
static int read_flag(const struct setting *set, bool *flag)
{
    static const struct np_choice words[] = {{"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0},
                                             {"on", 1},   {"off", 0},   {"1", 1},   {"0", 0}};

    if (!set->value) {
        *flag = true;
        return 0;
    }
    for (size_t i = 0; i < NP_COUNT(words); i++)
        if (strcasecmp(words[i].word, set->value) == 0) {
            *flag = words[i].value != 0;
            return 0;
        }
    return wrong(set, "true or false");
}

/* A decimal number; no "nan", "inf", hexadecimal digits or blanks. */
static bool read_number(const char *text, double *number, const char **rest)
{
    size_t n = strspn(text, "0123456789.+-eE");
    NP_AUTO(np_freep) char *digits = np_xstrndup(text, n);
    char *end;

    if (n == 0 || strcspn(digits, "0123456789") == n)
        return false;
    *number = strtod(digits, &end);
    *rest = text + (end - digits);
    return end != digits && isfinite(*number);
}

static bool read_whole(const char *text, int64_t *number)
{
    char *end;

    if (text[strspn(text, "0123456789+-")] != '\0')
        return false;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static int set_flag(const struct setting *set)
{
    bool flag = false;

    NP_TRY(read_flag(set, &flag));
    *(bool *)field_of(set->option, set->config) = flag;
    return 0;
}

static int set_count(const struct setting *set)
{
    int *field = field_of(set->option, set->config);
    int64_t number = (*field < 0 ? 0 : *field) + 1;

    if (!set->value && number > MOST_VERBOSE)
        number = MOST_VERBOSE;
    if (set->value && (!read_whole(set->value, &number) || number < -1 || number > MOST_VERBOSE))
        return wrong(set, "a whole number from -1 to 3");
    *field = (int)number;
    return 0;
}

static int set_int(const struct setting *set)
{
    const struct np_option *option = set->option;
    bool bounded = option->least != 0 || option->most != 0;
    int64_t least = bounded ? (int64_t)option->least : 1;
    int64_t most = bounded ? (int64_t)option->most : 65536;
    int64_t number;

    if (!read_whole(set->value, &number) || number < least || number > most) {
        NP_AUTO(np_freep)
        char *expected =
            np_xasprintf("a whole number from %lld to %lld", (long long)least, (long long)most);
        return wrong(set, expected);
    }
    *(int *)field_of(option, set->config) = (int)number;
    return 0;
}

static int set_seed(const struct setting *set)
{
    char *end;

    errno = 0;
    unsigned long long number = strtoull(set->value, &end, 10);
    if (errno || end == set->value || set->value[strspn(set->value, "0123456789")] != '\0' ||
        number > INT64_MAX) /* the range of JSON numbers in the configuration file */
        return wrong(set, "a whole number from 0 to 9223372036854775807");
    *(uint64_t *)field_of(set->option, set->config) = number;
    return 0;
}

static int set_double(const struct setting *set)
{
    const struct np_option *option = set->option;
    const char *rest = "";
    double number = 0;

    if (!read_number(set->value, &number, &rest) || *rest || number < option->least ||
        number > option->most) {
        NP_AUTO(np_freep)
        char *expected = np_xasprintf("a number from %g to %g", option->least, option->most);
        return wrong(set, expected);
    }
    *(double *)field_of(option, set->config) = number;
    return 0;
}

/* Bytes in one "K", "MB", "GiB", …; 0 for anything else. Powers of 1024, as schedulers count. */
static double unit_of(const char *suffix)
{
    static const char letters[] = "KMGT";

    if (strcasecmp(suffix, "B") == 0)
        return 1;
    const char *at = *suffix ? strchr(letters, *suffix & ~0x20) : NULL;
    if (!at || (strcasecmp(suffix + 1, "") && strcasecmp(suffix + 1, "B") &&
                strcasecmp(suffix + 1, "iB") && strcasecmp(suffix + 1, "i")))
        return 0;
    return ldexp(1, 10 * (int)(at - letters + 1));
}

static int set_memory(const struct setting *set)
{
    const char *suffix = "";
    double number = 0;
    bool is_number = read_number(set->value, &number, &suffix);
    double unit = is_number && *suffix ? unit_of(suffix) : set->option->unit_bytes;

    if (is_number && *suffix == '\0' && unit == 0)
        return wrong(set, "a size with its unit, such as 8G or 8000M (a plain number means MB to "
                          "some tools and GB to others)");
    if (!is_number || unit == 0)
        return wrong(set, set->option->unit_bytes ? "a number" : "a size such as 8G or 8000M");
    double bytes = floor(number * unit);
    if (!(bytes >= 1 && bytes <= MOST_BYTES))
        return wrong(set, "a size above 0 and below 8192T");
    *(int64_t *)field_of(set->option, set->config) = (int64_t)bytes;
    return 0;
}

static int set_string(const struct setting *set)
{
    char **field = field_of(set->option, set->config);

    if (!*set->value)
        return wrong(set, set->option->argument);
    char *text = np_xstrdup(set->value);
    free(*field);
    *field = text;
    return 0;
}

/* The row of a word, in any case; the error lists the valid words. */
static int find_choice(const struct setting *set, const char *word, const struct np_choice **found)
{
    const struct np_choice *choices = set->option->choices;
    NP_AUTO(np_freep) char *words = np_choice_words(choices, ", ");

    for (const struct np_choice *c = choices; c->word; c++) {
        if (strcasecmp(c->word, word) != 0)
            continue;
        if (c->value == NP_CHOICE_LATER)
            return np_error_set(set->err, set->origin->code,
                                "%s: '%s' comes later; this version knows %s", set->origin->where,
                                c->word, words);
        *found = c;
        return 0;
    }
    NP_AUTO(np_freep) char *text = shown(word);
    const char *near = np_choice_suggest(choices, word);
    return np_error_set(set->err, set->origin->code, "%s: expected one of %s, found '%s'%s%s%s",
                        set->origin->where, words, text, near ? "; did you mean '" : "",
                        near ? near : "", near ? "'?" : "");
}

static int set_choice(const struct setting *set)
{
    const struct np_choice *choice = NULL;

    NP_TRY(find_choice(set, set->value, &choice));
    memcpy(field_of(set->option, set->config), &choice->value, sizeof(int));
    return 0;
}

static int check_label(const struct setting *set, const char *label)
{
    if (!*label)
        return wrong(set, "a label");
    if (label[strcspn(label, "/,_ \t\n")] != '\0')
        return wrong(set, "a label of letters and digits (several are separated by spaces)");
    return 0;
}

static int check_link(const struct setting *set)
{
    size_t n_name = strcspn(set->value, "=");

    if (n_name == 0 || set->value[n_name] != '=' || set->value[n_name + 1] == '\0')
        return wrong(set, "NAME=URI");
    return 0;
}

static int set_list(const struct setting *set)
{
    struct np_strings *list = field_of(set->option, set->config);
    const char *value = set->value;
    const struct np_choice *choice = NULL;

    if (set->option->prefix && np_starts_with(value, set->option->prefix))
        value += strlen(set->option->prefix);
    if (set->option->traits & NP_OPT_LABEL)
        NP_TRY(check_label(set, value));
    if (set->option->choices) {
        NP_TRY(find_choice(set, value, &choice));
        value = choice->word;
    }
    if (strchr(set->option->argument, '='))
        NP_TRY(check_link(set));
    if (!*value)
        return wrong(set, set->option->argument);
    bool is_set = choice || (set->option->traits & NP_OPT_LABEL);
    if (!is_set || !np_strings_have(list, value))
        np_strings_add(list, value);
    return 0;
}

static int set_stage(const struct setting *set)
{
    size_t n_name = strcspn(set->value, ":");
    NP_AUTO(np_freep) char *name = np_xstrndup(set->value, n_name);
    const struct np_choice *choice = NULL;
    double seconds = SLOW_STAGE_DEFAULT_S;
    const char *rest = "";

    NP_TRY(find_choice(set, name, &choice));
    if (set->value[n_name] == ':' && (!read_number(set->value + n_name + 1, &seconds, &rest) ||
                                      *rest || seconds < 0 || seconds > SLOW_STAGE_MOST_S))
        return wrong(set, "STAGE[:SECONDS] with seconds from 0 to 3600");
    free(set->config->slow_stage);
    set->config->slow_stage = np_xstrdup(choice->word);
    set->config->slow_stage_s = seconds;
    return 0;
}

/* Either all or none are set, because the assigned values come from the table. */
static int set_other(const struct setting *set)
{
    const struct np_option *other =
        np_option_find(set->option->same_as, strlen(set->option->same_as));
    bool wanted = false;

    NP_TRY(read_flag(set, &wanted));
    if (!wanted)
        return 0;
    NP_AUTO(np_freep) char *words = np_xstrdup(set->option->assigns);
    char *state = NULL;
    np_option_reset(other, set->config);
    for (char *word = strtok_r(words, " ", &state); word; word = strtok_r(NULL, " ", &state))
        NP_TRY(np_option_set(other, word, set->origin, set->config, set->err));
    return 0;
}

static int set_command(const struct setting *set)
{
    const struct np_choice *choice = NULL;

    if (set->option->choices)
        NP_TRY(find_choice(set, set->value, &choice));
    set->config->command = set->option->command;
    free(set->config->argument);
    set->config->argument = set->value ? np_xstrdup(choice ? choice->word : set->value) : NULL;
    return 0;
}

static int set_nothing(const struct setting *set)
{
    (void)set;
    return 0;
}

static int (*const setters[])(const struct setting *) = {
    [NP_OPT_FLAG] = set_flag,       [NP_OPT_COUNT] = set_count,   [NP_OPT_ASSIGN] = set_other,
    [NP_OPT_INT] = set_int,         [NP_OPT_SEED] = set_seed,     [NP_OPT_MEMORY] = set_memory,
    [NP_OPT_DOUBLE] = set_double,   [NP_OPT_STRING] = set_string, [NP_OPT_CHOICE] = set_choice,
    [NP_OPT_LIST] = set_list,       [NP_OPT_STAGE] = set_stage,   [NP_OPT_NOTHING] = set_nothing,
    [NP_OPT_COMMAND] = set_command,
};

/* The word that represents the default. */
static int set_auto(const struct setting *set)
{
    np_option_reset(set->option, set->config);
    return 0;
}

int np_option_set(const struct np_option *option, const char *value, const struct np_origin *origin,
                  struct np_config *config, struct np_error *err)
{
    struct setting set = {option, value, origin, config, err};

    if (!value && np_option_takes_value(option))
        return wrong(&set, option->argument);
    if (value && (option->traits & NP_OPT_ZERO_IS_AUTO) && strcmp(value, "auto") == 0)
        return set_auto(&set);
    return setters[option->type](&set);
}

/* Move one field's default from a fresh struct; `fresh` then owns the old value. */
static void swap_bytes(void *a, void *b, size_t n_bytes)
{
    unsigned char *x = a, *y = b;

    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char keep = x[i];
        x[i] = y[i];
        y[i] = keep;
    }
}

static size_t field_bytes(enum np_option_type type)
{
    static const size_t bytes[] = {
        [NP_OPT_FLAG] = sizeof(bool),
        [NP_OPT_COUNT] = sizeof(int),
        [NP_OPT_INT] = sizeof(int),
        [NP_OPT_SEED] = sizeof(uint64_t),
        [NP_OPT_MEMORY] = sizeof(int64_t),
        [NP_OPT_DOUBLE] = sizeof(double),
        [NP_OPT_STRING] = sizeof(char *),
        [NP_OPT_CHOICE] = sizeof(int),
        [NP_OPT_LIST] = sizeof(struct np_strings),
        [NP_OPT_STAGE] = sizeof(char *),
        [NP_OPT_COMMAND] = 0,
    };
    return bytes[type];
}

void np_option_reset(const struct np_option *option, struct np_config *config)
{
    struct np_config fresh;

    np_config_init(&fresh);
    if (option->type == NP_OPT_LIST)
        np_strings_done(field_of(option, config));
    else
        swap_bytes(field_of(option, config), field_of(option, &fresh), field_bytes(option->type));
    if (option->type == NP_OPT_STAGE)
        config->slow_stage_s = fresh.slow_stage_s;
    np_config_done(&fresh);
}

char *np_memory_text(int64_t bytes)
{
    static const char suffixes[] = "BKMGT";
    int power = 0;

    while (power < 4 && bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        power++;
    }
    return np_xasprintf("%lld%c", (long long)bytes, suffixes[power]);
}

static char *choice_text(const struct np_option *option, int value)
{
    for (const struct np_choice *c = option->choices; c->word; c++)
        if (c->value == value)
            return np_xstrdup(c->word);
    return np_xstrdup("");
}

static char *number_text(const struct np_option *option, int64_t number)
{
    if (number == 0 && (option->traits & NP_OPT_ZERO_IS_AUTO))
        return np_xstrdup("auto");
    return option->type == NP_OPT_MEMORY ? np_memory_text(number)
                                         : np_xasprintf("%lld", (long long)number);
}

char *np_option_text(const struct np_option *option, const struct np_config *config)
{
    const void *field = field_in(option, config);
    int choice;

    switch (option->type) {
    case NP_OPT_FLAG:
        return np_xstrdup(*(const bool *)field ? "true" : "false");
    case NP_OPT_COUNT:
    case NP_OPT_INT:
        return number_text(option, *(const int *)field);
    case NP_OPT_SEED:
        return np_xasprintf("%llu", (unsigned long long)*(const uint64_t *)field);
    case NP_OPT_MEMORY:
        return number_text(option, *(const int64_t *)field);
    case NP_OPT_DOUBLE:
        return np_xasprintf("%.15g", *(const double *)field);
    case NP_OPT_STRING:
        return np_xstrdup(*(char *const *)field ? *(char *const *)field : "");
    case NP_OPT_CHOICE:
        memcpy(&choice, field, sizeof(choice));
        return choice_text(option, choice);
    case NP_OPT_LIST:
        return np_strings_join(field, " ", SIZE_MAX);
    case NP_OPT_STAGE:
        return config->slow_stage
                   ? np_xasprintf("%s:%.15g", config->slow_stage, config->slow_stage_s)
                   : np_xstrdup("");
    case NP_OPT_ASSIGN:
    case NP_OPT_NOTHING:
    case NP_OPT_COMMAND:
        break;
    }
    return np_xstrdup("");
}
