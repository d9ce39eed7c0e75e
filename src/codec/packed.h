/*
 * Writing a file that may be gzipped, in pieces of any size: open with the head, append the body,
 * finish. The bytes on disk depend on the head and the body alone: neither the sizes of the pieces
 * nor the number of threads change them. The head and each MiB of the body are deflated separately,
 * and the threads share these blocks.
 */
#ifndef NP_CODEC_PACKED_H
#define NP_CODEC_PACKED_H

#include "base/exec.h"
#include "codec/sha256.h"

enum np_packing { NP_PACKING_PLAIN, NP_PACKING_GZIP };

struct np_bytes {
    const void *bytes;
    size_t n;
};

/* The result of writing. */
struct np_packed {
    int64_t n_bytes;                 /* on disk */
    char sha256[NP_SHA256_HEX];      /* of the file */
    char body_sha256[NP_SHA256_HEX]; /* of the body before compression */
};

struct np_packer;

/*
 * Begin a file at the start of `fd`, and write the head. Gzip: one member, its header without time,
 * name or system.
 *   fd    stays the caller's: close it after np_packer_freep
 *   path  what errors name
 *   head  below 1 GiB; not needed after the call
 *   exec  may be NULL; borrowed until np_packer_freep
 * Memory: 4 MiB a thread (at most 64 MiB) for compressed blocks, and as much again from the first
 * np_packer_append on. Plain files need only the latter.
 * Returns 0, NP_ENOMEM, NP_ESPACE, NP_EIO. On failure *packer is untouched.
 */
int np_packer_open(int fd, const char *path, enum np_packing packing, const struct np_bytes *head,
                   const struct np_exec *exec, struct np_packer **packer,
                   struct np_error *err) NP_MUST_USE;

/*
 * Append to the body. Bytes that fill no block, or not enough blocks for all threads, are copied
 * and wait for more; so `bytes` is not needed after the call. Returns 0, NP_ENOMEM, NP_ESPACE,
 * NP_EIO, NP_ECANCELED. After a failure only np_packer_freep may follow; bytes that were written
 * before stay in the file.
 */
int np_packer_append(struct np_packer *packer, const void *bytes, size_t n_bytes,
                     struct np_error *err) NP_MUST_USE;

/*
 * Add the body's last piece, which may be empty, and end the file. Given here, the piece is not
 * copied: a body that is in memory whole needs no append. The file is not synced.
 * Returns what np_packer_append returns; `packed` is untouched on failure.
 */
int np_packer_finish(struct np_packer *packer, const struct np_bytes *last,
                     struct np_packed *packed, struct np_error *err) NP_MUST_USE;

/* Accepts NULL and a pointer to NULL; nulls the pointer. Without np_packer_finish before it, the
 * file has no end, and readers of gzip refuse it. */
void np_packer_freep(struct np_packer **packer);

#endif
