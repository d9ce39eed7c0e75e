/* The group level: from the records, at any time. */
#ifndef NP_PIPELINE_GROUP_H
#define NP_PIPELINE_GROUP_H

#include "config/config.h"
#include "record/survey.h"
#include "trace/trace.h"

/*
 * Close the records that dead supervisors left in state running (each under its session's lock),
 * complete the survey (np_cohort_complete with the sizes of outputs, and with `bids_dir` if that is
 * a dataset; it may be NULL). `closed` gets the run ids of closed records (may be NULL); `survey` is
 * the state afterwards. Returns 0, NP_ENOINPUT, or what np_dataset_open returns.
 */
int np_group_run(const char *bids_dir, const char *output_dir, struct np_survey *survey,
                 struct np_strings *closed, struct np_error *err) NP_MUST_USE;

/* Observe the whole folder after np_group_run: the gauges and the summary of the cohort, and the
 * summaries of the sessions whose records were closed. `config` names the dataset and the output
 * folder; `span` is the context of what is logged. */
void np_group_observe(const struct np_config *config, const struct np_survey *survey,
                      const struct np_strings *closed, struct np_trace *trace,
                      const struct np_span *span);

/* Write logs/status.tsv, and the tables of image quality (record/quality_table.h). Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO. */
int np_group_write_table(const char *output_dir, const struct np_survey *survey,
                         struct np_error *err) NP_MUST_USE;

#endif
