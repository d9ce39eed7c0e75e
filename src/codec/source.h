/*
 * Reading files that may be gzipped (RFC 1952), from the beginning, in pieces of any size, and
 * computing the SHA-256 of the file's bytes on the way. The first two bytes of the file tell
 * whether it is gzipped, not its name.
 */
#ifndef NP_CODEC_SOURCE_H
#define NP_CODEC_SOURCE_H

#include <stdbool.h>

#include "base/exec.h"
#include "codec/sha256.h"

struct np_source;

/*
 * Open a regular file for reading its content from the beginning. Returns 0, NP_ENOINPUT (also when
 * it is no regular file), NP_ECONTENT (a link whose target does not exist here: git-annex,
 * DataLad), NP_ENOMEM, NP_EIO. On failure *source is untouched.
 */
int np_source_open(const char *path, struct np_source **source, struct np_error *err) NP_MUST_USE;
void np_source_freep(struct np_source **source);

bool np_source_gzipped(const struct np_source *source);

/* Bytes on disk. */
int64_t np_source_file_bytes(const struct np_source *source);

/* Bytes of the file that were consumed so far: of a gzipped file, compressed bytes. */
int64_t np_source_used_bytes(const struct np_source *source);

/* Upper limit of the content's size: the file's size, or the limit of the deflate format. Check
 * the sizes in a header against this before allocating memory. */
int64_t np_source_most_bytes(const struct np_source *source);

/*
 * Read up to `n_bytes` of content; *n_read is less only at its end.
 * Returns 0, NP_ETRUNCATED (a gzip stream without its end), NP_EFORMAT (corrupt: deflate data, CRC,
 * length, or bytes after the end that are neither a further member nor zeros), NP_ENOMEM, NP_EIO.
 */
int np_source_read(struct np_source *source, void *out, size_t n_bytes, size_t *n_read,
                   struct np_error *err) NP_MUST_USE;

/* Skip `n_bytes` of a plain file without reading them. Its hash is then not computed, and
 * np_source_rewind must not follow. Returns 0 or NP_EIO. */
int np_source_jump(struct np_source *source, int64_t n_bytes);

/* Read and discard `n_bytes`; *n_skipped is less only at the content's end. Returns the above
 * and NP_ECANCELED. */
int np_source_skip(struct np_source *source, int64_t n_bytes, const struct np_exec *exec,
                   int64_t *n_skipped, struct np_error *err) NP_MUST_USE;

/*
 * Go back to the beginning of the content. The file is read again from there, so reaching a
 * position costs the same as the first time. The bytes must be the same as before: when the longest
 * stretch read so far has been read again, its hash is compared. Returns 0, NP_EBUSY (the file's
 * size or time of change differ from those at opening), NP_EIO. Afterwards reading may return
 * NP_EBUSY too: the bytes differ from those read before.
 */
int np_source_rewind(struct np_source *source, struct np_error *err) NP_MUST_USE;

/*
 * Read to the end, so that all checksums are verified, and hash the file.
 *   n_left  content bytes that were not read before
 *   hex     SHA-256 of the file's bytes on disk
 * Returns what np_source_skip returns.
 */
int np_source_finish(struct np_source *source, const struct np_exec *exec, int64_t *n_left,
                     char hex[NP_SHA256_HEX], struct np_error *err) NP_MUST_USE;

#endif
