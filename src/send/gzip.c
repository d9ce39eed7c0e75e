#include "send/gzip.h"

#include <string.h>

#include "base/alloc.h"
#include "codec/deflate.h"

enum { HEAD_BYTES = 10, TAIL_BYTES = 8 };

int np_send_gzip(const void *bytes, size_t n, struct np_otlp_buffer *out)
{
    static const char head[10] = {'\x1f', '\x8b', 8, 0, 0, 0, 0, 0, 0, '\xff'};
    NP_AUTO(np_freep) void *part = np_try_malloc(np_deflate_bound(n), 1);
    size_t n_part = 0;
    uint8_t tail[8];

    if (!part || np_deflate_part(bytes, n, part, &n_part, NULL) < 0)
        return NP_ENOMEM;
    uint32_t crc = np_crc32(0, bytes, n);
    for (size_t i = 0; i < 4; i++) {
        tail[i] = (uint8_t)(crc >> 8 * i);
        tail[4 + i] = (uint8_t)(n >> 8 * i);
    }
    np_otlp_buffer_add(out, head, sizeof(head));
    np_otlp_buffer_add(out, part, n_part);
    np_otlp_buffer_add(out, NP_DEFLATE_END, NP_DEFLATE_END_BYTES);
    np_otlp_buffer_add(out, tail, sizeof(tail));
    return out->failed;
}

/* Inflate what stands between head and tail; false when that is not one whole stream. */
static bool inflate(struct np_inflate *inflater, const uint8_t *in, const uint8_t *end,
                    struct np_otlp_buffer *out)
{
    enum np_inflate_state state = NP_INFLATE_MORE;
    uint8_t part[4096];

    while (state == NP_INFLATE_MORE) {
        uint8_t *at = part;
        state = np_inflate_step(inflater, &in, end, &at, part + sizeof(part));
        if (state == NP_INFLATE_MORE && at == part)
            return false; /* it was cut */
        np_otlp_buffer_add(out, part, (size_t)(at - part));
        if (out->failed)
            return false;
    }
    return state == NP_INFLATE_END && end - in == TAIL_BYTES;
}

static uint32_t little_endian(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

bool np_send_gunzip(const void *bytes, size_t n, struct np_otlp_buffer *out)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0};
    const uint8_t *in = bytes;
    size_t before = out->length;

    if (n < HEAD_BYTES + TAIL_BYTES || memcmp(in, head, sizeof(head)) != 0)
        return false;
    NP_AUTO(np_inflate_freep) struct np_inflate *inflater = np_inflate_new();
    if (!inflater || !inflate(inflater, in + HEAD_BYTES, in + n, out))
        return false;
    const uint8_t *tail = in + n - TAIL_BYTES;
    size_t n_out = out->length - before;
    return little_endian(tail) == np_crc32(0, out->bytes + before, n_out) &&
           little_endian(tail + 4) == (uint32_t)n_out;
}
