/*
 * The selected part of a BIDS dataset: participants, sessions and the images to preprocess.
 * Discovery uses paths only, without an index of the dataset. Constant after np_dataset_open.
 */
#ifndef NP_BIDS_DATASET_H
#define NP_BIDS_DATASET_H

#include <stddef.h>

#include "base/str.h"
#include "bids/entities.h"
#include "bids/participants.h"

/* The selection. All lists are borrowed; empty or NULL means no restriction. Labels have no
 * prefix. */
struct np_selection {
    const struct np_strings *participants;
    /* "unnamed" = images without a session entity, unless a folder ses-unnamed exists */
    const struct np_strings *sessions;
    const struct np_strings *modalities; /* suffixes: T1w, T2w, … */
    const struct np_strings *runs;
    const struct np_strings *echoes;
    const char *filter_file;  /* --bids-filter-file, or NULL */
    const char *session_list; /* --session-list, or NULL; without lists of labels beside it */
};

/* One image to preprocess. */
struct np_scan {
    char *path;     /* for opening: below the dataset's root as it was given */
    char *relative; /* to the dataset's root, "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz": for BIDS
                       URIs */
    struct np_bids_name name;
};

/* One session of one participant: the unit that has a state. */
struct np_session {
    char *participant;       /* "01" */
    char *session;           /* "1"; NULL when the dataset has no session folder here */
    char *requested_session; /* for the completion record: as requested, else the session,
                                else "unnamed" */
    struct np_scan *scan;    /* sorted by relative path */
    size_t n_scans;
    char *unreadable; /* why its folder could not be listed (the session has failed: NP_ENOINPUT);
                         usually NULL */
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
 * Find the sessions and images that `selection` asks for below `root`. Labels may have their prefix
 * ("sub-01").
 *
 * Sessions. A participant has one session for each ses-* folder. It also has one without label when
 * there is an anat/ with images outside of them, or no ses-* folder at all. A session is left out
 * when the filter's "session" or "subject" excludes it for every modality; other sessions without
 * images are kept.
 *
 * Images. Those in anat/ whose suffix is among the modalities, .nii or .nii.gz,
 * and not hidden by .bidsignore. Images with part-phase, part-real or part-imag are left out. Also
 * left out, with a warning: names that are not BIDS or contradict their folders, names of
 * derivatives (desc-, space-, …), single inversions, and a .nii beside its .nii.gz. A link without
 * content is kept; reading it gives the error. A selection of runs leaves out images without a run;
 * a selection of echoes keeps images without an echo.
 *
 * UNIT1 (MP2RAGE) stands for a T1w: when T1w is selected too, it is used only in sessions that have
 * no T1w. Sessions without images are summed up in the warnings, with what is there instead.
 *
 * derivatives/, sourcedata/, code/, stimuli/ and hidden folders are never read. A session that is
 * requested by label costs the listing of its own folder only.
 * A label that was requested and does not exist is NP_ESELECT; the sentence names it and the labels
 * that exist (did-you-mean). A session must exist with at least one of the selected participants; a
 * session of a session list, with its own participant.
 * Returns 0, NP_ENOINPUT (no such folder; not a BIDS dataset: no sub-* folder), NP_ESELECT (also:
 * the filter leaves no session), NP_ECONFIG (filter file, session list), NP_EUSAGE (a session list
 * together with lists of labels).
 */
int np_dataset_open(const char *root, const struct np_selection *selection,
                    struct np_dataset **dataset, struct np_error *err) NP_MUST_USE;
void np_dataset_freep(struct np_dataset **dataset);

/* "sub-01/ses-1" or "sub-01"; the caller frees. */
char *np_session_text(const struct np_session *session);

#endif
