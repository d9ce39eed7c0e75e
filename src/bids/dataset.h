/*
 * The part of a BIDS dataset that was asked for: participants, sessions and the images to
 * preprocess in them, found straight from the paths, without an index of the dataset. Const after
 * np_dataset_open.
 */
#ifndef NP_BIDS_DATASET_H
#define NP_BIDS_DATASET_H

#include <stddef.h>

#include "base/str.h"
#include "bids/entities.h"
#include "bids/participants.h"

/* What to look for. All lists are borrowed; empty or NULL = no restriction.
 * Labels without prefix. */
struct np_selection {
    const struct np_strings *participants;
    /* "unnamed" = images without a session entity, unless a folder ses-unnamed exists */
    const struct np_strings *sessions;
    const struct np_strings *modalities; /* suffixes: T1w, T2w, FLAIR */
    const struct np_strings *runs;
    const struct np_strings *echoes;
    const char *filter_file;  /* --bids-filter-file, or NULL */
    const char *session_list; /* --session-list, or NULL; without lists of labels beside it */
};

/* One image to preprocess. */
struct np_scan {
    char *path;     /* as it can be opened: below the dataset's root as it was given */
    char *relative; /* to the dataset's root, "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz": for BIDS
                       URIs */
    struct np_bids_name name;
};

/* One participant-session, the unit that has a state. */
struct np_session {
    char *participant;       /* "01" */
    char *session;           /* "1"; NULL when the dataset has no session folder here */
    char *requested_session; /* label for the completion record: as requested, else the session,
                                else "unnamed" */
    struct np_scan *scan;    /* sorted by relative path */
    size_t n_scans;
    char *unreadable; /* why its folder could not be listed (the session has failed: NP_ENOINPUT);
                         NULL as a rule */
};

struct np_dataset {
    char *root;
    char *name;                           /* dataset_description.json's Name; NULL when absent */
    char *doi;                            /* DatasetDOI; NULL when absent */
    struct np_participants *participants; /* what participants.tsv says of them */
    struct np_session *session; /* sorted by participant, session; sessions without matching images
                                   are kept, n_scans 0 */
    size_t n_sessions;
    struct np_strings warnings; /* oddities that are no failure: one sentence each, with the file */
};

/*
 * Find what `selection` asks for below `root`. Labels may still have their prefix ("sub-01").
 *
 * Sessions. A participant has one for each ses-* folder, and one without label when there is an
 * anat/ outside of them that holds images, or no ses-* at all. Sessions that the filter's "session"
 * or "subject" rules out for every modality are left out; others without images are kept.
 * Images. Those in anat/ whose suffix is among the modalities (UNIT1 is no T1w), .nii or .nii.gz,
 * not hidden by .bidsignore. part-phase, -real and -imag are left out; so are, with a warning:
 * names that are not BIDS or contradict their folders, names of derivatives (desc-, space-, …),
 * single inversions, and a .nii beside its .nii.gz. A link without content is kept: reading it
 * tells. Choosing runs leaves out images without a run; choosing echoes keeps images without an
 * echo.
 *
 * Never looks into derivatives/, sourcedata/, code/, stimuli/ or hidden folders; what is asked for
 * by label costs the listing of its own folder only.
 * A label that was asked for and does not exist is NP_ESELECT; the sentence names it and the
 * labels that exist (did-you-mean). A session must exist with at least one of the selected
 * participants; a session of a session list, with its own participant.
 * Returns 0, NP_ENOINPUT (no such folder; not a BIDS dataset: no sub-* folder), NP_ESELECT (also:
 * the filter leaves no session), NP_ECONFIG (filter file, session list), NP_EUSAGE (a session list
 * beside lists of labels).
 */
int np_dataset_open(const char *root, const struct np_selection *selection,
                    struct np_dataset **dataset, struct np_error *err);
void np_dataset_freep(struct np_dataset **dataset);

/* "sub-01/ses-1" or "sub-01"; the caller frees. */
char *np_session_text(const struct np_session *session);

#endif
