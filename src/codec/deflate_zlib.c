/* Deflate by zlib: the parts that the other libraries do not provide. */
#include "codec/deflate.h"

#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

uint32_t np_crc32_join(uint32_t crc_a, uint32_t crc_b, size_t n_bytes_b)
{
    return (uint32_t)crc32_combine(crc_a, crc_b, (z_off_t)n_bytes_b);
}

#ifndef NP_WITH_ISAL

enum { RAW_WINDOW = -15 };

/* Allocate with np_try_malloc, so that tests can make it fail. */
static void *take(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return np_try_malloc(count, size);
}

static void give(void *opaque, void *memory)
{
    (void)opaque;
    free(memory);
}

struct np_inflate {
    z_stream stream;
};

struct np_inflate *np_inflate_new(void)
{
    struct np_inflate *self = np_try_calloc(1, sizeof(*self));

    if (!self)
        return NULL;
    self->stream.zalloc = take;
    self->stream.zfree = give;
    if (inflateInit2(&self->stream, RAW_WINDOW) != Z_OK)
        np_freep(&self);
    return self;
}

void np_inflate_freep(struct np_inflate **self)
{
    if (*self)
        inflateEnd(&(*self)->stream);
    np_freep(self);
}

void np_inflate_reset(struct np_inflate *self)
{
    inflateReset(&self->stream);
}

enum np_inflate_state np_inflate_step(struct np_inflate *self, const uint8_t **in,
                                      const uint8_t *in_end, uint8_t **out, uint8_t *out_end)
{
    static const ptrdiff_t MOST = 1 << 30;
    z_stream *stream = &self->stream;

    stream->next_in = *in;
    stream->avail_in = (uInt)(in_end - *in < MOST ? in_end - *in : MOST);
    stream->next_out = *out;
    stream->avail_out = (uInt)(out_end - *out < MOST ? out_end - *out : MOST);
    int result = inflate(stream, Z_NO_FLUSH);
    *in = stream->next_in;
    *out = stream->next_out;
    if (result == Z_STREAM_END)
        return NP_INFLATE_END;
    if (result == Z_MEM_ERROR) /* zlib allocates its window at the first output */
        return NP_INFLATE_NO_MEMORY;
    return result == Z_OK || result == Z_BUF_ERROR ? NP_INFLATE_MORE : NP_INFLATE_CORRUPT;
}

#ifndef NP_WITH_LIBDEFLATE

const char *np_codec_name(void)
{
    return "zlib " ZLIB_VERSION;
}

/* zlib's own worst case for any settings, plus the empty block that ends a part. */
size_t np_deflate_bound(size_t n_bytes)
{
    return n_bytes + n_bytes / 8 + n_bytes / 64 + 64;
}

int np_deflate_part(const void *bytes, size_t n_bytes, void *out, size_t *n_out,
                    struct np_error *err)
{
    z_stream stream = {.zalloc = take, .zfree = give};

    /* Voxels seldom repeat at a distance. Runs (background) and entropy coding alone take a
     * third of the time of level 1's search and give smaller files. */
    if (deflateInit2(&stream, 1, Z_DEFLATED, RAW_WINDOW, 8, Z_RLE) != Z_OK)
        return np_error_set(err, NP_ENOMEM, "compression: no memory for zlib's state of 256 KiB");
    stream.next_in = bytes;
    stream.avail_in = (uInt)n_bytes;
    stream.next_out = out;
    stream.avail_out = (uInt)np_deflate_bound(n_bytes);
    int result = deflate(&stream, Z_SYNC_FLUSH);
    size_t made = stream.total_out;
    unsigned left = stream.avail_in, room = stream.avail_out;
    deflateEnd(&stream);
    /* Z_BUF_ERROR means that an empty part had nothing to flush; that is no error. */
    if ((result != Z_OK && result != Z_BUF_ERROR) || left > 0 || room == 0)
        return np_error_set(err, NP_EINTERNAL, "compression: zlib failed (%d) on %zu bytes", result,
                            n_bytes);
    *n_out = made;
    return 0;
}

uint32_t np_crc32(uint32_t crc, const void *bytes, size_t n_bytes)
{
    return (uint32_t)crc32_z(crc, bytes, n_bytes);
}

#endif
#endif
