/*
 * Compression by libdeflate. It makes whole streams only, whose last block is marked as final, but
 * our parts are to be joined. So zlib reads the stream from block to block. In the last block we
 * clear the mark, and we append an empty stored block, which ends at a byte boundary. Reading takes
 * a third of the time of the compression, and it proves that the stream is readable.
 */
#include "codec/deflate.h"

#if defined(NP_WITH_LIBDEFLATE) && !defined(NP_WITH_ISAL)

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

enum { LEVEL = 1, RAW_WINDOW = -15, SYNC_ROOM = 8, SCRATCH = 32768 };

const char *np_codec_name(void)
{
    return "libdeflate " LIBDEFLATE_VERSION_STRING " + zlib " ZLIB_VERSION;
}

size_t np_deflate_bound(size_t n_bytes)
{
    return libdeflate_deflate_compress_bound(NULL, n_bytes) + SYNC_ROOM;
}

uint32_t np_crc32(uint32_t crc, const void *bytes, size_t n_bytes)
{
    return libdeflate_crc32(crc, bytes, n_bytes);
}

/* Positions, in bits from the stream's start, of the begin and end of its final block. */
struct last_block {
    uint64_t begin, end;
};

/* zlib stops at the end of each block. data_type: bit 7 is set at an end, bit 6 for the final
 * block; bits 0 to 2 are the number of unused bits of the last byte. */
static int find_last_block(const void *bytes, size_t n_bytes, struct last_block *last)
{
    uint8_t scratch[SCRATCH];
    z_stream stream = {.next_in = bytes, .avail_in = (uInt)n_bytes};

    if (inflateInit2(&stream, RAW_WINDOW) != Z_OK)
        return NP_ENOMEM;
    *last = (struct last_block){0};
    for (;;) {
        stream.next_out = scratch;
        stream.avail_out = sizeof(scratch);
        if (inflate(&stream, Z_BLOCK) != Z_OK) {
            inflateEnd(&stream);
            return NP_EINTERNAL;
        }
        if (!(stream.data_type & 128))
            continue;
        uint64_t at = 8 * (uint64_t)stream.total_in - (uint64_t)(stream.data_type & 7);
        if (stream.data_type & 64) {
            last->end = at;
            inflateEnd(&stream);
            return 0;
        }
        last->begin = at;
    }
}

int np_deflate_part(const void *bytes, size_t n_bytes, void *out, size_t *n_out,
                    struct np_error *err)
{
    static const uint8_t stored_lengths[4] = {0x00, 0x00, 0xff, 0xff};
    enum { STORED_HEADER_BITS = 3 };
    uint8_t *stream = out;
    struct last_block last;

    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(LEVEL);
    if (!compressor)
        return np_error_set(err, NP_ENOMEM, "compression: no memory for libdeflate's state");
    size_t n = libdeflate_deflate_compress(compressor, bytes, n_bytes, out,
                                           np_deflate_bound(n_bytes) - SYNC_ROOM);
    libdeflate_free_compressor(compressor);
    int found = n > 0 ? find_last_block(out, n, &last) : NP_EINTERNAL;
    if (found < 0)
        return np_error_set(err, found, "compression: libdeflate's stream of %zu bytes has no end",
                            n);
    stream[last.begin / 8] &= (uint8_t) ~(1u << last.begin % 8);
    memset(stream + n, 0, SYNC_ROOM - sizeof(stored_lengths));
    size_t used = (size_t)((last.end + STORED_HEADER_BITS + 7) / 8);
    memcpy(stream + used, stored_lengths, sizeof(stored_lengths));
    *n_out = used + sizeof(stored_lengths);
    return 0;
}

#endif
