/*
 * SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), streaming. They are our own code because they
 * only name the content of files and protect no secret of importance. The processor's SHA
 * instructions are used where it has them, with the same result (about 2 GB/s instead of 0.25).
 */
#ifndef NP_CODEC_SHA256_H
#define NP_CODEC_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { NP_SHA256_BYTES = 32, NP_SHA256_BLOCK = 64, NP_SHA256_HEX = 2 * NP_SHA256_BYTES + 1 };

/* Plain data: copy it to fork a hash; nothing to release. */
struct np_sha256 {
    uint32_t state[8];
    uint64_t n_bytes;
    uint8_t block[NP_SHA256_BLOCK]; /* the first n_bytes % 64 bytes are not hashed yet */
};

void np_sha256_init(struct np_sha256 *hash);
void np_sha256_update(struct np_sha256 *hash, const void *bytes, size_t n_bytes);

/* The hash is used up after either of these. */
void np_sha256_digest(struct np_sha256 *hash, uint8_t digest[NP_SHA256_BYTES]);
void np_sha256_hex(struct np_sha256 *hash, char hex[NP_SHA256_HEX]);

/* All of the above for bytes in memory. */
void np_sha256_of(const void *bytes, size_t n_bytes, char hex[NP_SHA256_HEX]);

/* The hash of a file's bytes on disk. Returns 0, NP_ENOINPUT, NP_EIO; `hex` is then untouched. */
int np_sha256_file(const char *path, char hex[NP_SHA256_HEX], struct np_error *err) NP_MUST_USE;

void np_hmac_sha256(const void *key, size_t n_key, const void *bytes, size_t n_bytes,
                    uint8_t digest[NP_SHA256_BYTES]);

/* Tests: 1 = go without the processor's SHA instructions from now on, 0 = use them again. */
void np_sha256_portable(int portable);

#endif
