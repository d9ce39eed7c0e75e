/* Append lines to a file that other processes read. A kill or a full disk can cut the last line
 * short. */
#ifndef NP_SPOOL_APPEND_H
#define NP_SPOOL_APPEND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Append whole lines in one write (more only when the system takes less). On failure those that
 * were written whole stay, and part of a line is taken back. `*n_whole` (may be NULL) is how many
 * bytes of whole lines stand in the file, always. `*is_torn` is whether the file now ends inside a
 * line; when nothing could be written it is left as it was. The caller puts a line feed first when
 * it is set. Returns 0, NP_ESPACE, NP_EIO.
 */
int np_spool_append(int fd, const char *path, const char *bytes, size_t n_bytes, bool *is_torn,
                    size_t *n_whole, struct np_error *err) NP_MUST_USE;

/* Set `*is_torn` to whether the file ends inside a line; false for an empty file and for a
 * device. Returns 0, NP_EIO. */
int np_spool_ends_torn(int fd, const char *path, bool *is_torn, struct np_error *err) NP_MUST_USE;

#endif
