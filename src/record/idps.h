/*
 * Imaging-derived phenotypes: the measures of the records as one table, with a row for each
 * preprocessed image and a data dictionary. The first four columns have the names of Nipoppy's
 * tables, so that both can be joined.
 */
#ifndef NP_RECORD_IDPS_H
#define NP_RECORD_IDPS_H

#include "record/survey.h"

struct np_idp_column {
    char *name;        /* "skull_strip_volume" */
    char *description; /* a sentence */
    char *unit;        /* UCUM; NULL = none */
};

struct np_idp_row {
    /* borrowed from the survey; NULL where there is none */
    const char *participant, *session, *modality, *source, *version, *method;
    char *configuration; /* in words; NULL = unknown */
    char *warnings;      /* keys, as np_warning_cell gives them */
    double *value;       /* one per column of the table at that time; NaN = not measured */
    size_t n_values;
};

struct np_idps {
    struct np_idp_column *column; /* in the order in which the records name them */
    size_t n_columns;
    struct np_idp_row *row;
    size_t n_rows;
    size_t n_sessions; /* number of sessions with a row */
};

/*
 * Collect the measures and durations of all complete images, and the numbers in their quality
 * metrics (outputs named *_desc-iqm_*.json).
 *   output_dir  folder of the outputs that the records name
 *   survey      must outlive `idps`
 * Quality metrics that cannot be read are left out. Never fails.
 */
void np_idps_collect(const char *output_dir, const struct np_survey *survey, struct np_idps *idps);
void np_idps_done(struct np_idps *idps);

/* Tab-separated with a header; "n/a" = not measured. The caller frees. */
char *np_idps_tsv(const struct np_idps *idps);

/* The dictionary as BIDS writes them: {column: {Description, Units}}. The caller frees. */
char *np_idps_json(const struct np_idps *idps);

#endif
