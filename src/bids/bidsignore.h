/*
 * .bidsignore: which paths of a dataset are not part of it. Its patterns are those of gitignore:
 * comments, '!' to take back, a slash at the start or in the middle to tie to the root, a slash at
 * the end for folders alone, '*', '?', "[a-z]", "[!a]", "[[:digit:]]" and "**" between slashes; the
 * last pattern that matches decides, and nothing below an ignored folder can be taken back.
 *
 * A pattern is a small automaton that is stepped once per byte of the path: the cost is at most
 * pattern length × path length, whatever the pattern.
 */
#ifndef NP_BIDS_BIDSIGNORE_H
#define NP_BIDS_BIDSIGNORE_H

#include "base/str.h"

/* More than this of a file is not looked at; longer lines are left out. */
enum { NP_IGNORE_MOST_BYTES = 1 << 20, NP_IGNORE_LONGEST_LINE = 4096, NP_IGNORE_MOST_RULES = 4096 };

struct np_ignore_rule;

/* {0} ignores nothing. */
struct np_ignore {
    struct np_ignore_rule *rule;
    size_t n_rules;
};

enum np_path_kind { NP_PATH_FILE, NP_PATH_FOLDER };

/* Rules from the text of a file. Sentences about lines that are left out go to `warnings` (may be
 * NULL). */
void np_ignore_parse(const char *text, size_t n_bytes, struct np_ignore *ignore,
                     struct np_strings *warnings);

/* Rules from `root`/.bidsignore; none when there is no such file. One that cannot be read is a
 * warning. */
void np_ignore_read(const char *root, struct np_ignore *ignore, struct np_strings *warnings);
void np_ignore_done(struct np_ignore *ignore);

/* True when `path`, relative to the root and without a slash at either end, is ignored itself or
 * lies in an ignored folder. */
bool np_ignore_matches(const struct np_ignore *ignore, const char *path, enum np_path_kind kind);

#endif
