/* The state of an output for people to read. */
#ifndef NP_RECORD_TABLE_H
#define NP_RECORD_TABLE_H

#include <stdio.h>

#include "record/survey.h"

/*
 * Print counts by state, how far the cohort is, failures by reason, the sessions that have not
 * started, are withdrawn or gone, the warnings about results by their keys, and what to rerun.
 * NP_SURVEY_ALL gives a few examples of each; NP_SURVEY_TO_RERUN names all failures and no warning,
 * NP_SURVEY_WARNED all warnings and no failure. Control characters in records are removed.
 */
void np_survey_print_table(const struct np_survey *survey, enum np_survey_rows rows, FILE *out);

#endif
