/*
 * How participants' labels are replaced in strings on their way to the network (--telemetry-id).
 *
 * A label is replaced by a word: 16 hex digits of an HMAC-SHA-256 of it. With `hash` the key is
 * kept beside the record, so that a participant has one word in all runs into one output folder and
 * another one elsewhere. With `none` the key is random and forgotten with the process: the words
 * keep series apart, and nothing leads from them to a label or to another run.
 *
 * Replaced are:
 *   bids.participant, bids.session    the value
 *   bids.acquisition, neuro.site      the value; `none` leaves the attribute out
 *   file.name, file.path, …           each part of the path (below)
 *   neuro.session.folder, .rerun      left out: a path or a command with words in it leads nowhere
 *   any other string                  every "sub-X", "ses-X" and "acq-X" in it, whatever X looks
 *                                     like (`none` leaves "acq-X" out); paths, file names and parts in single
 *                                     quotes, piece by piece
 * A part of a path stays when it is a word of this program or of BIDS (anat, T1w, run-1, logs, …),
 * loses its labels when it is a BIDS name, and is replaced, up to its extension, when it is
 * neither: a file or folder may be named after a person.
 */
#ifndef NP_OTLP_REDACT_H
#define NP_OTLP_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "otlp/buffer.h"
#include "trace/naming.h"

struct np_otlp_redactor;

/*
 * A redactor for records in `folder`, whose ".salt" (mode 0600) holds the key; it is made when it
 * is not there. NP_NAME_LABEL gives NULL: nothing is replaced. Returns 0, NP_ECREATE,
 * NP_ESPACE, NP_EIO (no key can be made or read: without one only `none` can be sent).
 * On failure `*redactor` is untouched.
 */
int np_otlp_redactor_open(enum np_naming naming, const char *folder,
                          struct np_otlp_redactor **redactor, struct np_error *err) NP_MUST_USE;

/* The same for looking only: no key is made. NULL when there is none that can be read. */
struct np_otlp_redactor *np_otlp_redactor_find(const char *folder);

void np_otlp_redactor_freep(struct np_otlp_redactor **redactor);

/* True for an attribute that must not leave the machine at all. `redactor` may be NULL. */
bool np_otlp_redact_leaves_out(const struct np_otlp_redactor *redactor, const char *key);

/*
 * Append the `n` bytes at `in` to `out` as they may leave the machine. `key` is the attribute that
 * they are the value of, NULL for other strings (names, bodies, messages).
 */
void np_otlp_redact(const struct np_otlp_redactor *redactor, const char *key, const char *in,
                    size_t n, struct np_otlp_buffer *out);

#endif
