#include "codec/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* FIPS 180-4, 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t load_be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* FIPS 180-4, 6.2.2 */
static void compress_portable(uint32_t state[8], const uint8_t *block, size_t n_blocks)
{
    for (; n_blocks > 0; n_blocks--, block += NP_SHA256_BLOCK) {
        uint32_t w[64], s[8];

        for (int t = 0; t < 16; t++)
            w[t] = load_be(block + 4 * t);
        for (int t = 16; t < 64; t++) {
            uint32_t a = w[t - 15], b = w[t - 2];
            w[t] = w[t - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[t - 7] +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
        }
        memcpy(s, state, sizeof(s));
        for (int t = 0; t < 64; t++) {
            uint32_t a = s[0], e = s[4];
            uint32_t t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                          ((e & s[5]) ^ (~e & s[6])) + K[t] + w[t];
            uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                          ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof(*s));
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++)
            state[i] += s[i];
    }
}

#if defined(__x86_64__)
/*
 * The SHA instructions keep the state as two vectors, ABEF and CDGH, and do two rounds each.
 * w[0..3] hold the 16 latest words of the message schedule. Round group g uses w[g % 4]; from the
 * fourth group on, it is first computed from the four before.
 */
__attribute__((target("sha,sse4.1,ssse3"))) static void
compress_x86(uint32_t state[8], const uint8_t *block, size_t n_blocks)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    const uint32_t *s = state;
    __m128i abef = _mm_set_epi32((int)s[0], (int)s[1], (int)s[4], (int)s[5]);
    __m128i cdgh = _mm_set_epi32((int)s[2], (int)s[3], (int)s[6], (int)s[7]);

    for (; n_blocks > 0; n_blocks--, block += NP_SHA256_BLOCK) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];

        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), big_endian);
#if !defined(__clang__) /* clang unrolls by itself; w[] must become registers */
#pragma GCC unroll 16
#endif
        for (int g = 0; g < 16; g++) {
            __m128i *now = &w[g % 4];
            if (g >= 4) {
                __m128i last = w[(g + 3) % 4];
                __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(g + 1) % 4]),
                                            _mm_alignr_epi8(last, w[(g + 2) % 4], 4));
                *now = _mm_sha256msg2_epu32(sum, last);
            }
            __m128i wk = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(K + 4 * g)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    uint32_t x[4], y[4];
    _mm_storeu_si128((__m128i *)x, abef);
    _mm_storeu_si128((__m128i *)y, cdgh);
    const uint32_t out[8] = {x[3], x[2], y[3], y[2], x[1], x[0], y[1], y[0]};
    memcpy(state, out, sizeof(out));
}

static int processor_has_sha(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}
#endif

typedef void compress_fn(uint32_t state[8], const uint8_t *block, size_t n_blocks);

static _Atomic(compress_fn *) chosen;

static compress_fn *choose(int portable)
{
#if defined(__x86_64__)
    if (!portable && processor_has_sha())
        return compress_x86;
#endif
    (void)portable;
    return compress_portable;
}

void np_sha256_portable(int portable)
{
    atomic_store(&chosen, choose(portable));
}

static void compress(uint32_t state[8], const uint8_t *block, size_t n_blocks)
{
    compress_fn *fn = atomic_load_explicit(&chosen, memory_order_relaxed);

    if (!fn)
        atomic_store(&chosen, fn = choose(0));
    fn(state, block, n_blocks);
}

void np_sha256_init(struct np_sha256 *hash)
{
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memcpy(hash->state, initial, sizeof(initial));
    hash->n_bytes = 0;
}

void np_sha256_update(struct np_sha256 *hash, const void *bytes, size_t n_bytes)
{
    const uint8_t *next = bytes;
    size_t waiting = hash->n_bytes % NP_SHA256_BLOCK;

    hash->n_bytes += n_bytes;
    if (waiting > 0) {
        size_t room = NP_SHA256_BLOCK - waiting, n = n_bytes < room ? n_bytes : room;
        if (n > 0)
            memcpy(hash->block + waiting, next, n);
        if (n < room)
            return;
        compress(hash->state, hash->block, 1);
        next += n;
        n_bytes -= n;
    }
    size_t n_blocks = n_bytes / NP_SHA256_BLOCK, rest = n_bytes % NP_SHA256_BLOCK;
    if (n_blocks > 0)
        compress(hash->state, next, n_blocks);
    if (rest > 0)
        memcpy(hash->block, next + n_blocks * NP_SHA256_BLOCK, rest);
}

void np_sha256_digest(struct np_sha256 *hash, uint8_t digest[NP_SHA256_BYTES])
{
    static const uint8_t padding[NP_SHA256_BLOCK] = {0x80};
    uint64_t n_bits = hash->n_bytes * 8;
    size_t waiting = hash->n_bytes % NP_SHA256_BLOCK;
    uint8_t length[8];

    np_sha256_update(hash, padding, waiting < 56 ? 56 - waiting : 120 - waiting);
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(n_bits >> (56 - 8 * i));
    np_sha256_update(hash, length, sizeof(length));
    for (int i = 0; i < NP_SHA256_BYTES; i++)
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void np_sha256_hex(struct np_sha256 *hash, char hex[NP_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[NP_SHA256_BYTES];

    np_sha256_digest(hash, digest);
    for (int i = 0; i < NP_SHA256_BYTES; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * NP_SHA256_BYTES] = '\0';
}

void np_sha256_of(const void *bytes, size_t n_bytes, char hex[NP_SHA256_HEX])
{
    struct np_sha256 hash;

    np_sha256_init(&hash);
    np_sha256_update(&hash, bytes, n_bytes);
    np_sha256_hex(&hash, hex);
}

int np_sha256_file(const char *path, char hex[NP_SHA256_HEX], struct np_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t buffer[65536];
    struct np_sha256 hash;

    if (fd < 0)
        return np_error_errno(err, errno, NP_ENOINPUT, "'%s': cannot open", path);
    np_sha256_init(&hash);
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int reason = errno;
            close(fd);
            return np_error_errno(err, reason, NP_EIO, "'%s': cannot read", path);
        }
        if (n == 0)
            break;
        np_sha256_update(&hash, buffer, (size_t)n);
    }
    close(fd);
    np_sha256_hex(&hash, hex);
    return 0;
}

void np_hmac_sha256(const void *key, size_t n_key, const void *bytes, size_t n_bytes,
                    uint8_t digest[NP_SHA256_BYTES])
{
    uint8_t pad[NP_SHA256_BLOCK] = {0};
    struct np_sha256 hash;

    np_sha256_init(&hash);
    if (n_key > sizeof(pad)) {
        np_sha256_update(&hash, key, n_key);
        np_sha256_digest(&hash, pad);
        np_sha256_init(&hash);
    } else if (n_key > 0) {
        memcpy(pad, key, n_key);
    }
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36;
    np_sha256_update(&hash, pad, sizeof(pad));
    np_sha256_update(&hash, bytes, n_bytes);
    np_sha256_digest(&hash, digest);
    np_sha256_init(&hash);
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    np_sha256_update(&hash, pad, sizeof(pad));
    np_sha256_update(&hash, digest, NP_SHA256_BYTES);
    np_sha256_digest(&hash, digest);
}
