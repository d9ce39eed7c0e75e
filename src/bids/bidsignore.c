#include "bids/bidsignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

enum token_kind {
    TOKEN_BYTE,      /* this byte */
    TOKEN_ANY,       /* '?': one byte that is no slash */
    TOKEN_CLASS,     /* "[…]": one of a set, no slash */
    TOKEN_STAR,      /* '*': any number of bytes, no slash */
    TOKEN_DEEP,      /* "**" between slashes: any number of whole folders may follow … */
    TOKEN_DEEP_NAME, /* … and this state is inside the name of such a folder */
    TOKEN_REST,      /* "**" at the end: at least one byte, slashes too */
};

struct token {
    enum token_kind kind;
    unsigned char byte; /* in lower case, as those of a class */
    uint64_t set[4];    /* of a class: one bit per byte value */
};

struct np_ignore_rule {
    struct token *token;
    size_t n_tokens;
    bool takes_back;   /* began with '!' */
    bool folders_only; /* ended with '/' */
};

static struct token *add_token(struct np_ignore_rule *rule, enum token_kind kind)
{
    rule->token = np_xrealloc(rule->token, (rule->n_tokens + 1) * sizeof(*rule->token));
    struct token *token = &rule->token[rule->n_tokens++];
    *token = (struct token){.kind = kind};
    return token;
}

/* Case does not matter, as for the BIDS validator. */
static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : c;
}

static void add_byte(struct np_ignore_rule *rule, char c)
{
    add_token(rule, TOKEN_BYTE)->byte = lower((unsigned char)c);
}

static void add_deep(struct np_ignore_rule *rule)
{
    add_token(rule, TOKEN_DEEP);
    add_token(rule, TOKEN_DEEP_NAME);
}

static void set_range(struct token *token, unsigned first, unsigned last)
{
    for (unsigned c = first; c <= last; c++) {
        unsigned folded = lower((unsigned char)c);
        token->set[folded / 64] |= UINT64_C(1) << (folded % 64);
    }
}

/* "[:alpha:]" and the like, as in the C locale. Returns its length, 0 when it is none. */
static size_t named_class(const char *s, struct token *token)
{
    static const struct {
        const char *name;
        const char *ranges; /* pairs of first and last byte */
    } classes[] = {
        {"[:alpha:]", "azAZ"},   {"[:digit:]", "09"},     {"[:alnum:]", "azAZ09"},
        {"[:upper:]", "AZ"},     {"[:lower:]", "az"},     {"[:xdigit:]", "afAF09"},
        {"[:space:]", "\t\r  "}, {"[:blank:]", "\t\t  "}, {"[:punct:]", "!/:@[`{~"},
    };

    for (size_t i = 0; i < NP_COUNT(classes); i++) {
        if (!np_starts_with(s, classes[i].name))
            continue;
        for (const char *r = classes[i].ranges; *r; r += 2)
            set_range(token, (unsigned char)r[0], (unsigned char)r[1]);
        return strlen(classes[i].name);
    }
    return 0;
}

/* Read one byte of a class and remove its backslash. Advances `s`; false at the end of the text. */
static bool class_byte(const char **s, unsigned char *c)
{
    if (**s == '\\')
        (*s)++;
    if (!**s)
        return false;
    *c = (unsigned char)*(*s)++;
    return true;
}

/* Parse a class after its '['. Returns the text after ']', or NULL when there is no ']'. */
static const char *parse_class(const char *s, struct np_ignore_rule *rule)
{
    struct token class = {.kind = TOKEN_CLASS};
    bool inverted = *s == '!' || *s == '^';
    const char *first = s += inverted;

    while (*s != ']' || s == first) {
        size_t n_named = named_class(s, &class);
        unsigned char low, high;
        s += n_named;
        if (n_named)
            continue;
        if (!class_byte(&s, &low))
            return NULL;
        high = low;
        if (s[0] == '-' && s[1] && s[1] != ']') {
            s++;
            if (!class_byte(&s, &high))
                return NULL;
        }
        set_range(&class, low, high);
    }
    for (size_t i = 0; inverted && i < NP_COUNT(class.set); i++)
        class.set[i] = ~class.set[i];
    *add_token(rule, TOKEN_CLASS) = class;
    return s + 1;
}

/* Parse stars: "**" alone between slashes (or at an end) matches folders; all others act as one
 * '*'. Returns the text after them. */
static const char *parse_stars(const char *pattern, const char *s, struct np_ignore_rule *rule)
{
    size_t n = strspn(s, "*");
    bool after_slash = s > pattern && s[-1] == '/';

    if (n == 2 && s[2] == '/' && (s == pattern || after_slash)) {
        add_deep(rule);
        return s + 3;
    }
    add_token(rule, n == 2 && s[2] == '\0' && after_slash ? TOKEN_REST : TOKEN_STAR);
    return s + n;
}

/* Parse the body of a rule. False when it can never match (a class without end, a backslash at
 * the end). */
static bool parse_pattern(const char *pattern, struct np_ignore_rule *rule)
{
    for (const char *s = pattern; *s;) {
        if (*s == '*') {
            s = parse_stars(pattern, s, rule);
        } else if (*s == '[') {
            s = parse_class(s + 1, rule);
            if (!s)
                return false;
        } else if (*s == '?') {
            add_token(rule, TOKEN_ANY);
            s++;
        } else {
            s += *s == '\\';
            if (!*s)
                return false;
            add_byte(rule, *s++);
        }
    }
    return true;
}

/* Remove spaces at the end, except after a backslash. */
static void trim(char *line)
{
    size_t n = strlen(line);

    if (n > 0 && line[n - 1] == '\r')
        n--;
    while (n > 0 && line[n - 1] == ' ' && !(n > 1 && line[n - 2] == '\\'))
        n--;
    line[n] = '\0';
}

static void rule_done(struct np_ignore_rule *rule)
{
    free(rule->token);
    *rule = (struct np_ignore_rule){0};
}

/* Make a rule from one line (which is changed). False when the line has no rule; `why` then gets
 * the reason, unless the line is a comment. */
static bool parse_line(char *line, struct np_ignore_rule *rule, const char **why)
{
    *why = NULL;
    trim(line);
    if (*line == '\0' || *line == '#')
        return false;
    rule->takes_back = *line == '!';
    line += rule->takes_back;
    size_t n = strlen(line);
    rule->folders_only = n > 0 && line[n - 1] == '/';
    if (rule->folders_only)
        line[--n] = '\0';
    bool tied = strchr(line, '/') != NULL;
    line += *line == '/';
    if (*line == '\0') {
        *why = "the pattern is empty";
        return false;
    }
    if (!tied)
        add_deep(rule);
    if (!parse_pattern(line, rule)) {
        *why = "expected a whole pattern, found an open '[' or a '\\' at its end";
        return false;
    }
    return true;
}

static void add_rule(struct np_ignore *ignore, size_t *capacity, const struct np_ignore_rule *rule)
{
    if (ignore->n_rules == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 16;
        ignore->rule = np_xrealloc(ignore->rule, *capacity * sizeof(*ignore->rule));
    }
    ignore->rule[ignore->n_rules++] = *rule;
}

static void warn(struct np_strings *warnings, size_t line, const char *why)
{
    if (warnings)
        np_strings_give(warnings, np_xasprintf("'.bidsignore' line %zu: %s; left out", line, why));
}

void np_ignore_parse(const char *text, size_t n_bytes, struct np_ignore *ignore,
                     struct np_strings *warnings)
{
    const char *end = text + n_bytes;
    size_t capacity = 0, line_number = 0;

    *ignore = (struct np_ignore){0};
    text += np_byte_order_mark(text, n_bytes);
    for (const char *next; text < end; text = next) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((newline ? newline : end) - text);
        next = newline ? newline + 1 : end;
        line_number++;
        if (n > NP_IGNORE_LONGEST_LINE) {
            warn(warnings, line_number, "longer than 4096 bytes");
            continue;
        }
        if (ignore->n_rules == NP_IGNORE_MOST_RULES) {
            warn(warnings, line_number, "more than 4096 patterns: this and all that follow");
            return;
        }
        NP_AUTO(np_freep) char *line = np_xstrndup(text, n);
        struct np_ignore_rule rule = {0};
        const char *why;
        if (parse_line(line, &rule, &why)) {
            add_rule(ignore, &capacity, &rule);
            continue;
        }
        rule_done(&rule);
        if (why)
            warn(warnings, line_number, why);
    }
}

void np_ignore_read(const char *root, struct np_ignore *ignore, struct np_strings *warnings)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, ".bidsignore");
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_error err = {0};

    *ignore = (struct np_ignore){0};
    if (!np_path_exists(path))
        return;
    if (np_file_read(path, NP_IGNORE_MOST_BYTES, &text, &err) < 0) {
        np_strings_give(warnings, np_xasprintf("%s; its patterns are left out", err.text));
        return;
    }
    np_ignore_parse(np_str_text(&text), text.length, ignore, warnings);
}

void np_ignore_done(struct np_ignore *ignore)
{
    for (size_t i = 0; i < ignore->n_rules; i++)
        rule_done(&ignore->rule[i]);
    free(ignore->rule);
    *ignore = (struct np_ignore){0};
}

/* Mark the states that are reached without a byte: '*' and "**" may match nothing. */
static void reach(const struct np_ignore_rule *rule, unsigned char *state)
{
    for (size_t i = 0; i < rule->n_tokens; i++) {
        if (!state[i])
            continue;
        if (rule->token[i].kind == TOKEN_STAR)
            state[i + 1] = 1;
        else if (rule->token[i].kind == TOKEN_DEEP)
            state[i + 2] = 1;
    }
}

/* Mark in `next` the states that byte `c`, in lower case, leads to from state `i`. */
static void step(const struct token *token, size_t i, unsigned char c, unsigned char *next)
{
    bool is_slash = c == '/';

    switch (token->kind) {
    case TOKEN_BYTE:
        next[i + 1] |= c == token->byte;
        return;
    case TOKEN_ANY:
        next[i + 1] |= !is_slash;
        return;
    case TOKEN_CLASS:
        next[i + 1] |= !is_slash && ((token->set[c / 64] >> (c % 64)) & 1);
        return;
    case TOKEN_STAR:
        next[i] |= !is_slash;
        return;
    case TOKEN_DEEP:
        next[i + 1] |= !is_slash;
        return;
    case TOKEN_DEEP_NAME:
        next[is_slash ? i - 1 : i] = 1;
        return;
    case TOKEN_REST:
        next[i] = next[i + 1] = 1;
        return;
    }
}

/* The states of the longest pattern: one token per byte, two for a "**", and the end. */
enum { MOST_STATES = NP_IGNORE_LONGEST_LINE + 4 };

static bool rule_matches(const struct np_ignore_rule *rule, const char *path, size_t n_path)
{
    unsigned char states[2][MOST_STATES];
    unsigned char *now = states[0], *next = states[1];
    size_t n_states = rule->n_tokens + 1;

    memset(now, 0, n_states);
    now[0] = 1;
    reach(rule, now);
    for (size_t at = 0; at < n_path; at++) {
        memset(next, 0, n_states);
        for (size_t i = 0; i < rule->n_tokens; i++)
            if (now[i])
                step(&rule->token[i], i, lower((unsigned char)path[at]), next);
        reach(rule, next);
        unsigned char *swap = now;
        now = next;
        next = swap;
    }
    return now[rule->n_tokens];
}

/* True when the last matching rule ignores this path itself; the folders above it are not
 * considered. */
static bool is_ignored_itself(const struct np_ignore *ignore, const char *path, size_t n_path,
                              enum np_path_kind kind)
{
    for (size_t i = ignore->n_rules; i-- > 0;) {
        const struct np_ignore_rule *rule = &ignore->rule[i];
        if (rule->folders_only && kind != NP_PATH_FOLDER)
            continue;
        if (rule_matches(rule, path, n_path))
            return !rule->takes_back;
    }
    return false;
}

bool np_ignore_matches(const struct np_ignore *ignore, const char *path, enum np_path_kind kind)
{
    if (ignore->n_rules == 0)
        return false;
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
        if (is_ignored_itself(ignore, path, (size_t)(slash - path), NP_PATH_FOLDER))
            return true;
    return is_ignored_itself(ignore, path, strlen(path), kind);
}
