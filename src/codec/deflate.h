/*
 * The deflate format (RFC 1951) behind three calls and a checksum. The library is chosen when the
 * program is built, the fastest that is present:
 *   compress  ISA-L level 1, else libdeflate level 1, else zlib level 1
 *   inflate   ISA-L, else zlib (libdeflate needs whole buffers, and we read in bounded pieces)
 * All libraries inflate to the same bytes. Their compressed bytes differ, also between versions of
 * one library, so files of different builds are compared by the hash of their voxels. Within one
 * build the bytes are the same on any x86-64 processor that runs it: zlib and libdeflate have one
 * algorithm, and ISA-L's three variants for SSE4.2, AVX and AVX2 make the same bytes (compared for
 * 2.30.0). ISA-L's portable variant, for processors below x86-64-v2 and other architectures, makes
 * different bytes.
 */
#ifndef NP_CODEC_DEFLATE_H
#define NP_CODEC_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* "isa-l 2.30.0", "libdeflate 1.14 + zlib 1.2.13", "zlib 1.2.13": for --version. Borrowed. */
const char *np_codec_name(void);

/* Most bytes that np_deflate_part can make of `n_bytes`. */
size_t np_deflate_bound(size_t n_bytes);

/*
 * Compress `n_bytes` (below 1 GiB) to non-final deflate blocks that end at a byte boundary and do
 * not refer to earlier bytes. Parts that were made in parallel are joined by writing them in order
 * and then NP_DEFLATE_END.
 *   out  has room for np_deflate_bound(n_bytes)
 * Returns 0, NP_ENOMEM, NP_EINTERNAL.
 */
int np_deflate_part(const void *bytes, size_t n_bytes, void *out, size_t *n_out,
                    struct np_error *err) NP_MUST_USE;

/* The empty final block that ends joined parts. */
#define NP_DEFLATE_END "\x03\x00"
enum { NP_DEFLATE_END_BYTES = 2 };

/* No deflate stream can become more than this many times its size. */
enum { NP_DEFLATE_MOST_GAIN = 1032 };

struct np_inflate;

/* NULL when memory does not suffice. */
struct np_inflate *np_inflate_new(void);
void np_inflate_freep(struct np_inflate **inflate);

/* Begin a new stream. */
void np_inflate_reset(struct np_inflate *inflate);

enum np_inflate_state { NP_INFLATE_MORE, NP_INFLATE_END, NP_INFLATE_CORRUPT, NP_INFLATE_NO_MEMORY };

/*
 * Inflate from *in (until `in_end`) to *out (until `out_end`) and advance both, until one is used
 * up or the stream ends. At the end of the stream *in points behind its last byte. That may be up
 * to 8 bytes *before* the *in of this call, because an earlier call may have read ahead.
 */
enum np_inflate_state np_inflate_step(struct np_inflate *inflate, const uint8_t **in,
                                      const uint8_t *in_end, uint8_t **out, uint8_t *out_end);

enum { NP_INFLATE_LOOKBEHIND = 8 };

/* CRC-32 as gzip uses it; start with 0. */
uint32_t np_crc32(uint32_t crc, const void *bytes, size_t n_bytes);

/* The CRC-32 of A followed by B, from those of A and B. */
uint32_t np_crc32_join(uint32_t crc_a, uint32_t crc_b, size_t n_bytes_b);

#endif
