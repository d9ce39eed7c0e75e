/* Deflate by ISA-L: level 1, which is ten times as fast as zlib's at 2 % more bytes. */
#include "codec/deflate.h"

#ifdef NP_WITH_ISAL

#include <isa-l.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *np_codec_name(void)
{
    return "isa-l " TEXT(ISAL_MAJOR_VERSION) "." TEXT(ISAL_MINOR_VERSION) "." TEXT(
        ISAL_PATCH_VERSION);
}

/*
 * ISA-L's assembly leaves the upper halves of the vector registers in use. On many processors this
 * slows down all SSE code that runs later in the thread (SHA-256 took twice as long), so we clear
 * them after each call.
 */
#if defined(__x86_64__)
__attribute__((target("avx"))) static void clear_upper_halves(void)
{
    _mm256_zeroupper();
}

static void leave_isal(void)
{
    if (__builtin_cpu_supports("avx"))
        clear_upper_halves();
}
#else
static void leave_isal(void)
{
}
#endif

/* ISA-L's interface has no const, but it only reads its input. */
static uint8_t *unconst(const void *bytes)
{
    union {
        const void *given;
        uint8_t *wanted;
    } pointer = {bytes};

    return pointer.wanted;
}

/* In the worst case the data are stored, with 5 bytes for each stored block, and only the last
 * block is shorter than 8 KiB. The rest of the room is for the end and for bytes that ISA-L
 * writes ahead. */
size_t np_deflate_bound(size_t n_bytes)
{
    return n_bytes + n_bytes / 512 + 1024;
}

static int deflate_some(struct isal_zstream *stream, const uint8_t *bytes, size_t n_bytes,
                        uint16_t flush, struct np_error *err)
{
    stream->flush = flush;
    stream->next_in = unconst(bytes);
    stream->avail_in = (uint32_t)n_bytes;
    int result = isal_deflate(stream);
    leave_isal();
    if (result != COMP_OK || stream->avail_in > 0 || stream->avail_out == 0)
        return np_error_set(err, NP_EINTERNAL, "compression: ISA-L failed (%d) on %zu bytes",
                            result, n_bytes);
    return 0;
}

/*
 * Two calls. When a stream of level 1 starts with more than 16 bytes, ISA-L 2.30 hashes the third
 * position from the address of the stream's state instead of the data, so about one address in a
 * thousand gives other (equally valid) bytes. A first call with 16 bytes uses the code for short
 * ends, which does not have this error; with a history the rest is then correct. This costs about
 * 10 bytes a part.
 */
int np_deflate_part(const void *bytes, size_t n_bytes, void *out, size_t *n_out,
                    struct np_error *err)
{
    enum { FIRST = 16 };
    size_t n_first = n_bytes < FIRST ? n_bytes : FIRST;
    NP_AUTO(np_freep) struct isal_zstream *stream = np_try_malloc(1, sizeof(*stream));
    NP_AUTO(np_freep) uint8_t *level_buf = np_try_malloc(1, ISAL_DEF_LVL1_DEFAULT);

    if (!stream || !level_buf)
        return np_error_set(err, NP_ENOMEM, "compression: no memory for its state of %zu KiB",
                            (sizeof(*stream) + ISAL_DEF_LVL1_DEFAULT) >> 10);
    isal_deflate_init(stream);
    stream->level = 1;
    stream->level_buf = level_buf;
    stream->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    stream->next_out = out;
    stream->avail_out = (uint32_t)np_deflate_bound(n_bytes);
    NP_TRY(deflate_some(stream, bytes, n_first, SYNC_FLUSH, err));
    NP_TRY(
        deflate_some(stream, (const uint8_t *)bytes + n_first, n_bytes - n_first, FULL_FLUSH, err));
    *n_out = stream->total_out;
    return 0;
}

struct np_inflate {
    struct inflate_state state;
};

struct np_inflate *np_inflate_new(void)
{
    struct np_inflate *self = np_try_malloc(1, sizeof(*self));

    if (self)
        isal_inflate_init(&self->state);
    return self;
}

void np_inflate_freep(struct np_inflate **self)
{
    np_freep(self);
}

void np_inflate_reset(struct np_inflate *self)
{
    isal_inflate_reset(&self->state);
}

enum np_inflate_state np_inflate_step(struct np_inflate *self, const uint8_t **in,
                                      const uint8_t *in_end, uint8_t **out, uint8_t *out_end)
{
    static const ptrdiff_t MOST = 1 << 30;
    struct inflate_state *state = &self->state;

    state->next_in = unconst(*in);
    state->avail_in = (uint32_t)(in_end - *in < MOST ? in_end - *in : MOST);
    state->next_out = *out;
    state->avail_out = (uint32_t)(out_end - *out < MOST ? out_end - *out : MOST);
    int result = isal_inflate(state);
    leave_isal();
    *in = state->next_in;
    *out = state->next_out;
    if (result != ISAL_DECOMP_OK)
        return NP_INFLATE_CORRUPT;
    if (state->block_state != ISAL_BLOCK_FINISH)
        return NP_INFLATE_MORE;
    /* Whole bytes that were read ahead do not belong to the stream. */
    *in -= state->read_in_length / 8;
    state->read_in_length = 0;
    return NP_INFLATE_END;
}

uint32_t np_crc32(uint32_t crc, const void *bytes, size_t n_bytes)
{
    uint32_t sum = crc32_gzip_refl(crc, bytes, n_bytes);

    leave_isal();
    return sum;
}

#endif
