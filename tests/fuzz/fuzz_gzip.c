/* Any bytes as a file that may be gzipped: read in pieces of a size that their number gives.
 * Finding: no crash, no leak, no hang; where zlib accepts the whole as one member, so do we, with
 * the same content. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "codec/source.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

enum { MOST_CONTENT = 1 << 20 };

/* zlib's opinion: content bytes of a single sound member, -1 otherwise. */
static long zlib_reads(const uint8_t *bytes, size_t n_bytes, uint8_t *out)
{
    z_stream stream = {.next_in = bytes, .avail_in = (uInt)n_bytes};

    stream.next_out = out;
    stream.avail_out = MOST_CONTENT;
    if (inflateInit2(&stream, 31) != Z_OK)
        abort();
    int result = inflate(&stream, Z_FINISH);
    long n = result == Z_STREAM_END && stream.avail_in == 0 ? (long)stream.total_out : -1;
    inflateEnd(&stream);
    return n;
}

static long we_read(const char *path, size_t piece, uint8_t *out)
{
    NP_AUTO(np_source_freep) struct np_source *source = NULL;
    char hex[NP_SHA256_HEX];
    struct np_error err = {0};
    size_t done = 0, n = piece;
    int64_t left;

    if (np_source_open(path, &source, &err) < 0)
        return -1;
    while (n == piece && done + piece <= MOST_CONTENT) {
        if (np_source_read(source, out + done, piece, &n, &err) < 0)
            return -1;
        done += n;
    }
    if (np_source_finish(source, NULL, &left, hex, &err) < 0)
        return -1;
    return (long)done + (long)left;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    enum { MOST_PIECE = 4096 };
    static uint8_t ours[MOST_CONTENT], theirs[MOST_CONTENT];
    size_t piece = 1 + n_bytes * 7919 % MOST_PIECE;

    long n_ours = we_read(fuzz_file(".gz", bytes, n_bytes), piece, ours);
    long n_theirs = zlib_reads(bytes, n_bytes, theirs);
    if (n_theirs < 0)
        return 0;
    /* Bytes that did not fill a last piece were counted, not kept. */
    size_t n_kept = (size_t)n_theirs < MOST_CONTENT - MOST_PIECE ? (size_t)n_theirs : 0;
    if (n_ours != n_theirs || memcmp(ours, theirs, n_kept) != 0)
        abort();
    return 0;
}
