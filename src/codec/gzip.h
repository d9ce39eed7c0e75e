/*
 * Files that may be gzipped (RFC 1952), read and written in bounded pieces, with the SHA-256 of
 * their bytes taken on the way. Whether a file is gzipped is seen from its first two bytes, not
 * from its name.
 */
#ifndef NP_CODEC_GZIP_H
#define NP_CODEC_GZIP_H

#include <stdbool.h>

#include "base/exec.h"
#include "codec/sha256.h"

struct np_source;

/*
 * Open a regular file for reading its content from the beginning. Returns 0, NP_ENOINPUT (also for
 * what is no regular file), NP_ECONTENT (a link whose target is not here: git-annex, DataLad),
 * NP_ENOMEM, NP_EIO. On failure *source is untouched.
 */
int np_source_open(const char *path, struct np_source **source, struct np_error *err);
void np_source_freep(struct np_source **source);

bool np_source_gzipped(const struct np_source *source);

/* Bytes on disk. */
int64_t np_source_file_bytes(const struct np_source *source);

/* Bytes on disk that what was read so far takes: of a gzipped file, compressed ones. */
int64_t np_source_used_bytes(const struct np_source *source);

/* Content bytes that the file cannot exceed: its size, or the limit of the deflate format. What a
 * header claims is checked against this before memory is asked for. */
int64_t np_source_most_bytes(const struct np_source *source);

/*
 * Read up to `n_bytes` of content; *n_read is less only at its end.
 * Returns 0, NP_ETRUNCATED (a gzip stream without its end), NP_EFORMAT (corrupt: deflate data, CRC,
 * length, or bytes after the end that are neither a further member nor zeros), NP_ENOMEM, NP_EIO.
 */
int np_source_read(struct np_source *source, void *out, size_t n_bytes, size_t *n_read,
                   struct np_error *err);

/* Go on `n_bytes` further in a plain file without reading them; its hash is then not taken.
 * Returns 0 or NP_EIO. */
int np_source_jump(struct np_source *source, int64_t n_bytes);

/* Read past `n_bytes`; *n_skipped is less only at the content's end. NP_ECANCELED too. */
int np_source_skip(struct np_source *source, int64_t n_bytes, const struct np_exec *exec,
                   int64_t *n_skipped, struct np_error *err);

/*
 * Read to the end, so that all checksums are verified, and hash the file.
 *   n_left  content bytes that nobody had read
 *   hex     SHA-256 of the file's bytes on disk
 * Returns the above and NP_ECANCELED.
 */
int np_source_finish(struct np_source *source, const struct np_exec *exec, int64_t *n_left,
                     char hex[NP_SHA256_HEX], struct np_error *err);

enum np_packing { NP_PACKING_PLAIN, NP_PACKING_GZIP };

struct np_bytes {
    const void *bytes;
    size_t n;
};

struct np_packed {
    int64_t n_bytes;                 /* written */
    char sha256[NP_SHA256_HEX];      /* of them */
    char body_sha256[NP_SHA256_HEX]; /* of the body before compression */
};

/*
 * Write `head`, then `body`, to `fd`. Gzip: one member, its header without time, name or system;
 * the head and each MiB of the body are deflated on their own, in parallel, so that the bytes are
 * the same for any number of threads. Needs 8 MiB of memory a thread.
 *   path  the file's name in errors
 * Returns 0, NP_ENOMEM, NP_ESPACE, NP_EIO, NP_ECANCELED; what was written by then stays.
 */
int np_packed_write(int fd, const char *path, enum np_packing packing, const struct np_bytes *head,
                    const struct np_bytes *body, const struct np_exec *exec,
                    struct np_packed *packed, struct np_error *err);

#endif
