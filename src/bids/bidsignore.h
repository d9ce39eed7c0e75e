/*
 * .bidsignore: the paths that do not belong to a dataset. Its patterns are those of gitignore:
 * comments; '!' includes again; a slash at the start or in the middle anchors to the root; a slash
 * at the end matches folders only; '*', '?', "[a-z]", "[!a]", "[[:digit:]]" and "**" between
 * slashes. The last pattern that matches decides, and nothing below an ignored folder can be
 * included again.
 *
 * A pattern is compiled to a small automaton that makes one step for each byte of the path: the
 * cost is at most pattern length × path length, for any pattern.
 */
#ifndef NP_BIDS_BIDSIGNORE_H
#define NP_BIDS_BIDSIGNORE_H

#include "base/str.h"

/* Limits: the rest of a longer file is ignored; a longer line is skipped. */
enum { NP_IGNORE_MOST_BYTES = 1 << 20, NP_IGNORE_LONGEST_LINE = 4096, NP_IGNORE_MOST_RULES = 4096 };

struct np_ignore_rule;

/* {0} ignores nothing. */
struct np_ignore {
    struct np_ignore_rule *rule;
    size_t n_rules;
};

enum np_path_kind { NP_PATH_FILE, NP_PATH_FOLDER };

/* Read rules from the text of a file. `warnings` (may be NULL) gets a sentence for each line
 * that is skipped. */
void np_ignore_parse(const char *text, size_t n_bytes, struct np_ignore *ignore,
                     struct np_strings *warnings);

/* Read the rules of `root`/.bidsignore; a missing file gives none. A file that cannot be read
 * gives a warning. */
void np_ignore_read(const char *root, struct np_ignore *ignore, struct np_strings *warnings);
void np_ignore_done(struct np_ignore *ignore);

/* True when `path` or a folder that contains it is ignored. `path` is relative to the root,
 * without a slash at either end. */
bool np_ignore_matches(const struct np_ignore *ignore, const char *path, enum np_path_kind kind);

#endif
