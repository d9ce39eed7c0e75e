/*
 * Sessions that are a success with warning: what their warnings are about, and how many have each.
 */
#ifndef NP_RECORD_WARNED_H
#define NP_RECORD_WARNED_H

#include "record/survey.h"

/* True for a complete session with a warning about a result; the others have failures to read. */
bool np_survey_is_warned(const struct np_survey_row *row);

/* {0} is empty. Release with np_warned_done. */
struct np_warned {
    size_t n_sessions;      /* with any warning */
    struct np_strings keys; /* in the order in which sessions have them first */
    size_t *n_of;           /* sessions with each key */
};

void np_warned_find(const struct np_survey *survey, struct np_warned *warned);
void np_warned_done(struct np_warned *warned);

/* The first image of a session with a warning of this key; n_files when there is none. `*n_images`
 * gets the number of such images. */
size_t np_warned_image(const struct np_session_record *record, const char *key, size_t *n_images);

/* The first sentence of this key; NULL when there is none. Borrowed. */
const char *np_warned_sentence(const struct np_file_record *file, const char *key);

#endif
