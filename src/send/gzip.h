/* gzip members (RFC 1952) as bodies of HTTP. */
#ifndef NP_SEND_GZIP_H
#define NP_SEND_GZIP_H

#include <stdbool.h>

#include "base/error.h"
#include "otlp/buffer.h"

/* Append a member with the `n` bytes to `out`. Returns 0, NP_ENOMEM, and as out->failed. */
int np_send_gzip(const void *bytes, size_t n, struct np_otlp_buffer *out) NP_MUST_USE;

/* Append what one member of `n` bytes holds to `out`. False when it is not a whole, sound member
 * without optional fields in its header, or when `out` takes no more. */
bool np_send_gunzip(const void *bytes, size_t n, struct np_otlp_buffer *out);

#endif
