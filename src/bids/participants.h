/* The sites of a dataset's participants, from its participants.tsv: read once, const after. */
#ifndef NP_BIDS_PARTICIPANTS_H
#define NP_BIDS_PARTICIPANTS_H

#include <stddef.h>

#include "base/str.h"

enum { NP_PARTICIPANTS_MOST_BYTES = 64 << 20 };

struct np_participants;

/*
 * Read participants.tsv below `root` (columns participant_id and site, in any place). Never NULL
 * and never a failure: what the file does not say is not known. Sentences in `warnings` say so of a
 * file that cannot be read, is over 64 MiB or has no column participant_id, and of participants
 * whose rows disagree about the site; no file, an empty one and no column "site" are as usual as all of them.
 * Tolerated: a byte order mark, lines that end with CR, LF or both, short rows, empty lines, cells
 * in double quotes, labels without "sub-". Of several rows for one participant the first counts.
 * Cost: the file's bytes once, n log n comparisons, nothing kept but labels and sites.
 */
struct np_participants *np_participants_read(const char *root, struct np_strings *warnings);

/* The same for text in memory, which ends at its first NUL. */
struct np_participants *np_participants_parse(const char *text, struct np_strings *warnings);

/* The site of a participant ("01"); NULL when it is not known, empty or "n/a". Borrowed. log n. */
const char *np_participants_site(const struct np_participants *table, const char *participant);

void np_participants_freep(struct np_participants **table);

#endif
