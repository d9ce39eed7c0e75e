/*
 * --session-list: the sessions to take, one a line, as pairs. Participants × sessions (by two lists
 * of labels) cannot say "01/1 and 02/2".
 */
#ifndef NP_BIDS_SESSION_LIST_H
#define NP_BIDS_SESSION_LIST_H

#include "base/error.h"
#include "base/str.h"

enum { NP_SESSION_LIST_MOST_BYTES = 64 << 20 };

/* One line. */
struct np_session_pair {
    char *participant; /* "01" */
    char *session;     /* "1", "unnamed" = no session entity; NULL = all of the participant's */
};

struct np_session_list {
    struct np_session_pair *pair; /* in the order of lines */
    size_t n;
};

/*
 * Read a list: participant, tab or spaces, session; more columns are ignored, so are empty lines,
 * lines that begin with '#', and a header "participant_id …". Labels may have their prefix; a
 * session "n/a" is "unnamed", none at all means all sessions of the participant. What `status
 * --format nipoppy|tsv` and `estimate --format nipoppy|tsv` write are such lists.
 * Returns 0, NP_ENOINPUT (cannot be read), NP_ECONFIG (a label with other than letters and digits:
 * names file and line; a list without sessions).
 */
int np_session_list_read(const char *path, struct np_session_list *list, struct np_error *err);

/* The same for text in memory; `name` stands for the file in sentences. */
int np_session_list_parse(const char *name, const char *text, struct np_session_list *list,
                          struct np_error *err);

void np_session_list_done(struct np_session_list *list);

#endif
