/*
 * The texts of an output's descriptive files about its configurations: CITATION.md (the methods in
 * sentences for a paper, with the references that they need), README.md, descriptions.tsv, and the
 * description in dataset_description.json. None claims what was switched off.
 */
#ifndef NP_RECORD_METHODS_TEXT_H
#define NP_RECORD_METHODS_TEXT_H

#include "record/folder.h"

/*
 * One paragraph for each configuration of the folder; `versions` of neuro-preprocess that wrote
 * here, in any order; a sentence more where masks were given for images. It depends on these alone,
 * so runs and tasks in any order write the same text. The caller frees.
 */
char *np_methods_text(const struct np_folder *folder, const struct np_strings *versions,
                      bool has_given_masks);

/* Does a text of ours have that sentence? */
bool np_methods_mention_masks(const char *text);

/* The same in README.md, below the list of files. The caller frees. */
char *np_methods_readme(const struct np_folder *folder, const struct np_strings *versions,
                        bool has_given_masks);

/* descriptions.tsv; the caller frees. */
char *np_methods_descriptions(const struct np_folder *folder);

/* dseg.tsv, what the labels of the segmentations mean; NULL when the folder has none. The caller
 * frees. */
char *np_methods_segments(const struct np_folder *folder);

/* "Anatomical images: bias correction (N4) and brain extraction"; the caller frees. */
char *np_methods_summary(const struct np_folder *folder);

#endif
