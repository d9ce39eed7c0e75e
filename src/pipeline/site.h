/* The site of a participant, from the dataset's participants.tsv. Inside pipeline/ only. */
#ifndef NP_PIPELINE_SITE_H
#define NP_PIPELINE_SITE_H

/* The value of column "site" in the row of "sub-<participant>"; NULL when there is no such file,
 * column or row, or it says n/a. The caller frees. */
char *np_site_of(const char *dataset_root, const char *participant);

#endif
