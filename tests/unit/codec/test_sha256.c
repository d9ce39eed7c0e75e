/* SHA-256 and HMAC against published vectors (FIPS 180-4 examples; RFC 4231). */
#include "codec/sha256.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "tap.h"

static const struct {
    const char *text;
    const char *hex;
} known[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

TEST(published_vectors_hold_with_and_without_the_sha_instructions)
{
    char hex[NP_SHA256_HEX];

    for (int portable = 0; portable <= 1; portable++) {
        np_sha256_portable(portable);
        for (size_t i = 0; i < NP_COUNT(known); i++) {
            np_sha256_of(known[i].text, strlen(known[i].text), hex);
            ok_str(hex, known[i].hex);
        }
    }
    np_sha256_portable(0);
}

TEST(a_million_letters_a_in_pieces_of_any_size)
{
    static const char expected[] =
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    static const size_t pieces[] = {1, 63, 64, 65, 1000, 65536};
    char *letters = np_xmalloc(65536), hex[NP_SHA256_HEX];

    memset(letters, 'a', 65536);
    for (int portable = 0; portable <= 1; portable++) {
        np_sha256_portable(portable);
        for (size_t i = 0; i < NP_COUNT(pieces); i++) {
            struct np_sha256 hash;
            np_sha256_init(&hash);
            for (size_t left = 1000000; left > 0;) {
                size_t n = left < pieces[i] ? left : pieces[i];
                np_sha256_update(&hash, letters, n);
                left -= n;
            }
            np_sha256_hex(&hash, hex);
            ok_str(hex, expected);
        }
    }
    np_sha256_portable(0);
    free(letters);
}

TEST(every_length_up_to_three_blocks_is_the_same_in_both_codes)
{
    uint8_t bytes[3 * NP_SHA256_BLOCK];
    char fast[NP_SHA256_HEX], portable[NP_SHA256_HEX];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        np_sha256_portable(0);
        np_sha256_of(bytes, n, fast);
        np_sha256_portable(1);
        np_sha256_of(bytes, n, portable);
        ok_str(fast, portable);
    }
    np_sha256_portable(0);
}

static void ok_hmac(const char *key, const char *text, const char *expected)
{
    uint8_t digest[NP_SHA256_BYTES];
    char hex[NP_SHA256_HEX];

    np_hmac_sha256(key, strlen(key), text, strlen(text), digest);
    for (int i = 0; i < NP_SHA256_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    ok_str(hex, expected);
}

TEST(hmac_holds_for_short_and_long_keys)
{
    char long_key[132] = "";

    ok_hmac("Jefe", "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(long_key, 0xaa, 131);
    ok_hmac(long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(a_file_is_hashed_as_its_bytes_and_a_missing_one_is_named)
{
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), "abc");
    char hex[NP_SHA256_HEX] = "untouched";
    struct np_error err = {0};

    ok_int(np_sha256_file(path, hex, &err), NP_ENOINPUT);
    ok_contains(err.text, path);
    ok_str(hex, "untouched");
    err = (struct np_error){0};
    ok_int(np_file_write_atomic(path, "abc", 3, &err), 0);
    ok_int(np_sha256_file(path, hex, &err), 0);
    ok_str(hex, known[1].hex);
}

TAP_MAIN
