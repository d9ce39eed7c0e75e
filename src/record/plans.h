/*
 * The plans of an output folder: below logs/plans/ one small file for each run says what was asked
 * for, and one for each later change (a session withdrawn, restored, gone from its dataset, found
 * there again).
 * Each has a name of its own and is written once: no writer waits for another or overwrites its
 * file, which holds on network file systems, too.
 * Wanted is the union of all plans. A narrower run takes nothing away; changes mark sessions. They
 * carry a sequence number, because the clocks of hosts differ.
 * Schema: docs/schemas/plan.schema.json.
 */
#ifndef NP_RECORD_PLANS_H
#define NP_RECORD_PLANS_H

#include "base/error.h"
#include "base/str.h"

enum { NP_PLAN_SCHEMA = 1 };

/* Below OUTPUT_DIR. */
#define NP_PLANS_FOLDER "logs/plans"

/* A session, or a file of `process` and `batch`. Without prefixes; borrowed. */
struct np_asked {
    const char *participant; /* "01"; NULL for a file */
    const char *session;     /* "1"; NULL = no session label */
    const char *file;        /* name in records, "a/scan.nii.gz"; NULL for a session */
};

struct np_asked_list {
    struct np_asked *item;
    size_t n;
    struct np_strings texts; /* that the items borrow */
};

/* Add a copy. */
void np_asked_add(struct np_asked_list *list, const struct np_asked *asked);
void np_asked_done(struct np_asked_list *list);

/* "sub-01/ses-1", "sub-01", or the file's name; the caller frees. */
char *np_asked_text(const struct np_asked *asked);

/* The plan of a run; all borrowed. */
struct np_run_plan {
    const char *run_id;       /* UUID, in the file's name */
    const char *command;      /* "participant" */
    const char *version;      /* of neuro-preprocess */
    const char *dataset_path; /* NULL for files */
    const char *dataset_name; /* NULL when it has none */
    const char *selection;    /* JSON object: the options that select */
    const char *config;       /* JSON object: the options that change results */
    const struct np_asked_list *asked;
    /* Those of them that have ended, and that this run does again; NULL = none. With the run that
     * wrote the record of each. */
    const struct np_asked_list *again;
    const struct np_strings *again_run;
};

/* Write logs/plans/TIME_RUN.json. Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO. */
int np_plans_write(const char *output_dir, const struct np_run_plan *plan,
                   struct np_error *err) NP_MUST_USE;

/* X(IDENT, word): in the file's name. The second of each pair ends the first. */
#define NP_PLAN_CHANGES(X)    \
    X(WITHDRAWN, "withdrawn") \
    X(RESTORED, "restored")   \
    X(GONE, "gone")           \
    X(FOUND, "found")

enum np_plan_change {
#define X(ident, word) NP_PLAN_##ident,
    NP_PLAN_CHANGES(X)
#undef X
        NP_N_PLAN_CHANGES
};

/* Write logs/plans/TIME_UUID_CHANGE.json, whose sequence number follows on all that are there.
 * Nothing for an empty list. Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO. */
int np_plans_change(const char *output_dir, enum np_plan_change change,
                    const struct np_asked_list *asked, struct np_error *err) NP_MUST_USE;

/* Marks of a session in the plans and changes. */
enum np_plan_mark {
    NP_MARK_WANTED = 1 << 0,    /* in some plan */
    NP_MARK_WITHDRAWN = 1 << 1, /* withdrawn and not restored */
    NP_MARK_GONE = 1 << 2,      /* not in the dataset when a run last looked */
};

struct np_plans; /* opaque */

enum np_plans_part { NP_PLANS_ALL, NP_PLANS_CHANGES_ONLY };

/* Read them. Files that cannot be read are named in np_plans_unreadable. Never fails: without the
 * folder there are no plans. */
struct np_plans *np_plans_read(const char *output_dir, enum np_plans_part part);
void np_plans_freep(struct np_plans **plans);

/* The number of runs whose plans were read. */
size_t np_plans_n(const struct np_plans *plans);

/* True when a run was asked for some of the images alone (--modalities, --run-id, a filter), and when
 * there is no plan: an image without a record may then be one that nobody wants. */
bool np_plans_restrict_images(const struct np_plans *plans);

/* The marks of a session, bits of enum np_plan_mark; 0 when no file names it. */
unsigned np_plans_marks(const struct np_plans *plans, const struct np_asked *asked);

/* The run whose record of this session a later run was asked to replace, because that record ended
 * and the later run was asked for more: it is not done while the record is still of that run. NULL
 * when there is none. Borrowed. */
const char *np_plans_again(const struct np_plans *plans, const struct np_asked *asked);

/* Add all sessions that have one of `marks`, in no particular order. */
void np_plans_list(const struct np_plans *plans, unsigned marks, struct np_asked_list *list);

/* One sentence for each file that could not be read; borrowed. */
const struct np_strings *np_plans_unreadable(const struct np_plans *plans);

#endif
