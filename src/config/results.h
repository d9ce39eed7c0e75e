/*
 * Configurations of results as people compare them. The canonical text of np_config_results_json
 * names every option that changes results; here an option that it does not name has its default, so
 * that a text of an earlier version, which knew fewer options, still means the same.
 */
#ifndef NP_CONFIG_RESULTS_H
#define NP_CONFIG_RESULTS_H

#include <stdbool.h>

/*
 * "normalize=percentile save-bias-field=true": the options that differ from this version's
 * defaults, in the order of their names; "defaults" when none does. Two configurations are the same
 * when their words are. A text that is no JSON object is given back as it is. The caller frees.
 */
char *np_config_results_words(const char *json);

/* True when both give the same words; NULL is the same as nothing else. */
bool np_config_results_same(const char *one, const char *other);

/* "normalize: zscore there, percentile here; …", an option at a time, "" when they are the same.
 * The caller frees. */
char *np_config_results_difference(const char *there, const char *here);

#endif
