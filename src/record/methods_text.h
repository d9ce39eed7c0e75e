/*
 * CITATION.md of an output: the methods of this folder in sentences for a paper, with the
 * references that they need.
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
bool np_methods_tell_of_masks(const char *text);

#endif
