/*
 * --session-list: the selected sessions as pairs, one per line. Two lists of labels select all
 * combinations of participants and sessions; they cannot express "01/1 and 02/2".
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
 * Read a list: participant, tab or spaces, session. Further columns, empty lines, lines that begin
 * with '#' and a header "participant_id …" are ignored. Labels may have their prefix. A session
 * "n/a" means "unnamed"; no session means all sessions of the participant. `status --format
 * nipoppy|tsv` and `estimate --format nipoppy|tsv` write such lists.
 * Returns 0, NP_ENOINPUT (cannot be read), NP_ECONFIG (a label with other characters than letters
 * and digits: names file and line; a list without sessions).
 */
int np_session_list_read(const char *path, struct np_session_list *list,
                         struct np_error *err) NP_MUST_USE;

/* The same for text in memory; sentences use `name` as the file's name. */
int np_session_list_parse(const char *name, const char *text, struct np_session_list *list,
                          struct np_error *err) NP_MUST_USE;

void np_session_list_done(struct np_session_list *list);

#endif
