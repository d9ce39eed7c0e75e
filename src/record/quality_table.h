/*
 * The image quality metrics of a cohort, a table for each modality, in the form that users of MRIQC
 * read: a row for each image, first column `bids_name`, then the metrics by their names.
 */
#ifndef NP_RECORD_QUALITY_TABLE_H
#define NP_RECORD_QUALITY_TABLE_H

#include "record/survey.h"

/*
 * Of the images of this modality that are a success, and whose sessions are still asked for. Columns
 * are the rows of catalog/measure.h that are metrics, in their order, as far as one image has them;
 * n/a where an image has none. NULL when no image has a metric. The caller frees.
 */
char *np_quality_table_tsv(const struct np_survey *survey, const char *modality);

/* The dictionary of that table: description and unit of each column. */
char *np_quality_table_json(const struct np_survey *survey, const char *modality);

/* Write logs/group_<modality>.tsv and .json of each modality that has metrics; where it has none any
 * more, remove them. Returns 0, NP_ECREATE and others of base/path.h. */
int np_quality_tables_write(const char *output_dir, const struct np_survey *survey,
                            struct np_error *err) NP_MUST_USE;

#endif
