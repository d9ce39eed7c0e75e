/* The rest of each session after the selection: substitutes, and sessions without images, summed up
 * in warnings. Private to bids/. */
#ifndef NP_BIDS_COVERAGE_H
#define NP_BIDS_COVERAGE_H

#include "bids/finder.h"

/* Keep substitutes only in a session without the first modality, when that is selected too. */
void np_finder_settle_substitutes(struct np_finder *finder, struct np_session *session);

/* Remember a session without images, and what is there instead; `folder` is the session's. */
void np_finder_note_empty(struct np_finder *finder, const char *folder,
                          const struct np_session *session);

/* One warning for sessions that a filter or a choice of runs emptied, one for the others. */
void np_finder_warn_of_empty_sessions(const struct np_finder *finder,
                                      const struct np_selection *selection,
                                      const struct np_dataset *dataset);

/* Say in how many sessions a substitute is used, and how many were left out. */
void np_finder_warn_of_substitutes(const struct np_finder *finder,
                                   const struct np_dataset *dataset);

#endif
