/* Appending lines to a file that others read, and that a kill or a full disk can cut short. */
#ifndef NP_OTLP_APPEND_H
#define NP_OTLP_APPEND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Append whole lines in one write (more only when the system takes less). `*is_torn` is whether the
 * file now ends inside a line; when nothing could be written it is left as it was. The caller puts
 * a line feed first when it is set. Returns 0, NP_ESPACE, NP_EIO.
 */
int np_otlp_append(int fd, const char *path, const char *bytes, size_t n_bytes, bool *is_torn,
                   struct np_error *err);

/* Whether the file ends inside a line; false for an empty file and for a device. Returns 0, NP_EIO.
 */
int np_otlp_ends_torn(int fd, const char *path, bool *is_torn, struct np_error *err);

#endif
