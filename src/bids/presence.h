/*
 * Does a dataset still hold a session? Absence alone is no evidence: a folder that is not mounted,
 * an empty mount point or a part of a dataset that was never fetched say nothing of their content.
 */
#ifndef NP_BIDS_PRESENCE_H
#define NP_BIDS_PRESENCE_H

#include <stdbool.h>

enum np_presence {
    NP_PRESENT,
    NP_ABSENT,           /* its folder is not there, and beside it there are others */
    NP_HIDDEN,           /* .bidsignore hides its folder: no run finds it */
    NP_PRESENCE_UNKNOWN, /* a folder above it is empty, missing or cannot be read */
};

/* True when `root` is a folder with at least one folder sub-*. */
bool np_dataset_is_there(const char *root);

/*
 * Labels without prefix; `session` NULL = no session label. `root` is a dataset that is there. A
 * participant is absent when the root can be listed and has no folder of this name; a session when
 * its participant's folder holds something else.
 */
enum np_presence np_dataset_presence(const char *root, const char *participant,
                                     const char *session);

/* True when the folder of a session, or one in it, holds a file. If so, a session in which no images
 * were found has none; empty folders prove nothing. */
bool np_dataset_session_holds_files(const char *root, const char *participant, const char *session);

#endif
