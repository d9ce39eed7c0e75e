/* gzip: what we write is read by others, what others write is read by us, and what is damaged is
 * refused with a sentence. */
#include "codec/packed.h"
#include "codec/source.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/path.h"
#include "base/random.h"
#include "codec/deflate.h"
#include "tap.h"

enum content { CONTENT_ZEROS, CONTENT_SMOOTH, CONTENT_NOISE, N_CONTENTS };

static uint8_t *make_content(enum content kind, size_t n)
{
    uint8_t *bytes = np_xmalloc(n + 1);
    struct np_random random;

    np_random_seed(&random, 7, (uint64_t)kind);
    for (size_t i = 0; i < n; i++)
        bytes[i] = kind == CONTENT_ZEROS    ? 0
                   : kind == CONTENT_SMOOTH ? (uint8_t)(i / 97 + np_random_bits(&random) % 3)
                                            : (uint8_t)np_random_bits(&random);
    return bytes;
}

static const char *file_name(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", tap_directory(), name);
    return path;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    ok(file && fwrite(bytes, 1, n, file) == n);
    ok(file && fclose(file) == 0);
}

static int pack(const char *path, enum np_packing packing, const void *head, size_t n_head,
                const void *body, size_t n_body, const struct np_exec *exec,
                struct np_packed *packed, struct np_error *err)
{
    NP_AUTO(np_packer_freep) struct np_packer *packer = NULL;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int code =
        np_packer_open(fd, path, packing, &(struct np_bytes){head, n_head}, exec, &packer, err);

    if (code == 0)
        code = np_packer_finish(packer, &(struct np_bytes){body, n_body}, packed, err);
    close(fd);
    return code;
}

/* The whole content; the code. */
static int read_all(const char *path, struct np_str *content, char hex[NP_SHA256_HEX],
                    struct np_error *err)
{
    NP_AUTO(np_source_freep) struct np_source *source = NULL;
    char buffer[7777];
    int64_t left;
    size_t n;

    np_str_clear(content);
    NP_TRY(np_source_open(path, &source, err));
    do {
        NP_TRY(np_source_read(source, buffer, sizeof(buffer), &n, err));
        np_str_add_bytes(content, buffer, n);
    } while (n == sizeof(buffer));
    return np_source_finish(source, NULL, &left, hex, err);
}

TEST(every_size_and_kind_of_content_comes_back)
{
    static const size_t sizes[] = {0, 1, 100, 1 << 20, (1 << 20) + 1, 3500000};
    const char *path = file_name("round.gz");

    for (int kind = 0; kind < N_CONTENTS; kind++)
        for (size_t i = 0; i < NP_COUNT(sizes); i++) {
            NP_AUTO(np_freep) uint8_t *bytes = make_content((enum content)kind, sizes[i]);
            NP_AUTO(np_str_done) struct np_str content = {0};
            char hex[NP_SHA256_HEX], body[NP_SHA256_HEX];
            struct np_packed packed;
            struct np_error err = {0};
            struct stat status;
            ok_int(pack(path, NP_PACKING_GZIP, "head", 4, bytes, sizes[i], NULL, &packed, &err), 0);
            ok_int(stat(path, &status), 0);
            ok_int(packed.n_bytes, status.st_size);
            np_sha256_of(bytes, sizes[i], body);
            ok_str(packed.body_sha256, body);
            ok_int(read_all(path, &content, hex, &err), 0);
            ok_str(hex, packed.sha256);
            ok_int((int64_t)content.length, (int64_t)sizes[i] + 4);
            ok(memcmp(content.text, "head", 4) == 0);
            ok(memcmp(content.text + 4, bytes, sizes[i]) == 0);
        }
}

TEST(zeros_shrink_and_noise_hardly_grows)
{
    enum { N = 4 << 20 };
    const char *path = file_name("size.gz");
    struct np_packed packed;
    struct np_error err = {0};

    NP_AUTO(np_freep) uint8_t *zeros = make_content(CONTENT_ZEROS, N);
    ok_int(pack(path, NP_PACKING_GZIP, "", 0, zeros, N, NULL, &packed, &err), 0);
    ok_below(packed.n_bytes, N * 0.01, "bytes for 4 MiB of zeros");
    NP_AUTO(np_freep) uint8_t *noise = make_content(CONTENT_NOISE, N);
    ok_int(pack(path, NP_PACKING_GZIP, "", 0, noise, N, NULL, &packed, &err), 0);
    ok_below(packed.n_bytes, N * 1.001, "bytes for 4 MiB of noise: stored, 5 in each 64 KiB");
}

TEST(the_bytes_are_the_same_for_any_number_of_threads)
{
    static const int threads[] = {1, 2, 3, 8};
    enum { N = 9 * (1 << 20) + 12345 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_SMOOTH, N);
    struct np_packed packed[NP_COUNT(threads)];

    for (int packing = NP_PACKING_PLAIN; packing <= NP_PACKING_GZIP; packing++)
        for (size_t i = 0; i < NP_COUNT(threads); i++) {
            NP_AUTO(np_team_freep) struct np_team *team = np_team_new(threads[i]);
            struct np_exec exec = {.team = team};
            struct np_error err = {0};
            char hex[NP_SHA256_HEX];
            ok_int(pack(file_name("threads"), (enum np_packing)packing, "h", 1, bytes, N, &exec,
                        &packed[i], &err),
                   0);
            ok_int(np_sha256_file(file_name("threads"), hex, &err), 0);
            ok_str(packed[i].sha256, hex);
            ok_str(packed[i].sha256, packed[0].sha256);
            ok_str(packed[i].body_sha256, packed[0].body_sha256);
        }
}

/* Voxels of smooth noise: like an image, with matches near and far. */
static void fill_like_voxels(uint8_t *bytes, size_t n, uint64_t seed)
{
    struct np_random random;

    np_random_seed(&random, seed, 0);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(np_random_bits(&random) % 7 + (i / 64 % 31));
}

TEST(the_bytes_do_not_depend_on_earlier_calls)
{
    enum { N = 200000, ROUNDS = 8 };
    NP_AUTO(np_freep) uint8_t *bytes = np_xmalloc(N);
    NP_AUTO(np_freep) uint8_t *other = np_xmalloc(N);
    NP_AUTO(np_freep) uint8_t *first = np_xmalloc(np_deflate_bound(N));
    NP_AUTO(np_freep) uint8_t *again = np_xmalloc(np_deflate_bound(N));
    size_t n_first = 0, n_again = 0;

    /* Memory that is freed is handed out again as it is, and not given back to the system. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    fill_like_voxels(bytes, N, 1);
    ok_int(np_deflate_part(bytes, N, first, &n_first, NULL), 0);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        fill_like_voxels(other, N, round + 2);
        ok_int(np_deflate_part(other, N - round * 17, again, &n_again, NULL), 0);
        ok_int(np_deflate_part(bytes, N, again, &n_again, NULL), 0);
        ok(n_again == n_first && memcmp(first, again, n_first) == 0);
    }
}

/* ISA-L's first hash comes from an address unless it is kept from it: one run in 100 here. */
TEST(the_bytes_do_not_depend_on_where_the_state_lies)
{
    enum { N = 40, ROUNDS = 2000, STEP = 1 << 16 };
    static const uint8_t bytes[N] = {0x5c, 1};
    uint8_t first[2048], again[2048];
    NP_AUTO(np_freep) void **holds = np_xcalloc(ROUNDS, sizeof(*holds));
    size_t n_first = 0, n_again = 0;
    int n_odd = 0;

    ok_int(np_deflate_part(bytes, N, first, &n_first, NULL), 0);
    for (int round = 0; round < ROUNDS; round++) {
        holds[round] = np_xmalloc(STEP);
        ok_int(np_deflate_part(bytes, N, again, &n_again, NULL), 0);
        n_odd += n_again != n_first || memcmp(first, again, n_first) != 0;
    }
    ok_int(n_odd, 0);
    for (int round = 0; round < ROUNDS; round++)
        np_freep(&holds[round]);
}

TEST(the_header_carries_neither_time_nor_name)
{
    static const uint8_t expected[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255};
    NP_AUTO(np_str_done) struct np_str file = {0};
    struct np_packed packed;
    struct np_error err = {0};

    ok_int(pack(file_name("named.gz"), NP_PACKING_GZIP, "h", 1, "body", 4, NULL, &packed, &err), 0);
    ok_int(np_file_read(file_name("named.gz"), 1000, &file, &err), 0);
    ok(file.length > 10 && memcmp(file.text, expected, sizeof(expected)) == 0);
}

TEST(gzip_python_and_zlib_read_it_as_one_member)
{
    enum { N = 5 << 20 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_SMOOTH, N);
    NP_AUTO(np_freep) uint8_t *back = np_xmalloc(N + 1);
    NP_AUTO(np_freep) char *path = np_xstrdup(file_name("others.gz"));
    struct np_packed packed;
    struct np_error err = {0};

    ok_int(pack(path, NP_PACKING_GZIP, "", 0, bytes, N, NULL, &packed, &err), 0);
    gzFile file = gzopen(path, "rb");
    ok(file && gzread(file, back, N + 1) == N);
    ok(memcmp(bytes, back, N) == 0);
    ok_int(gzclose(file), Z_OK);
    ok(tap_succeeds("gzip", "-t", path));
    /* One member: zlib's decompressor object, which stops at a member's end, has nothing left. */
    NP_AUTO(np_freep)
    char *program = np_xasprintf("import sys, zlib; d = zlib.decompressobj(31); "
                                 "n = len(d.decompress(open(sys.argv[1], 'rb').read())); "
                                 "assert n == %d and d.eof and not d.unused_data",
                                 N);
    if (tap_succeeds("python3", "-c", "import zlib"))
        ok(tap_succeeds("python3", "-c", program, path));
}

/* A member made by zlib at a level; the bytes made. */
static size_t zlib_member(const void *bytes, size_t n, int level, gz_header *header, uint8_t *out,
                          size_t room)
{
    z_stream stream = {.next_in = bytes, .avail_in = (uInt)n};

    stream.next_out = out;
    stream.avail_out = (uInt)room;
    deflateInit2(&stream, level, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY);
    if (header)
        deflateSetHeader(&stream, header);
    deflate(&stream, Z_FINISH);
    size_t n_out = stream.total_out;
    deflateEnd(&stream);
    return n_out;
}

TEST(many_members_of_all_levels_and_padding_with_zeros_are_read_through)
{
    enum { N = 300000, ROOM = 8 << 20 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_SMOOTH, N);
    NP_AUTO(np_freep) uint8_t *file = np_xmalloc(ROOM);
    NP_AUTO(np_str_done) struct np_str content = {0};
    uint8_t extra[300] = {1, 2, 3};
    uint8_t name[] = "name", comment[] = "a comment";
    gz_header header = {
        .name = name, .comment = comment, .extra = extra, .extra_len = sizeof(extra), .hcrc = 1};
    char hex[NP_SHA256_HEX], expected[NP_SHA256_HEX];
    struct np_error err = {0};
    size_t n = 0;

    for (int level = 0; level <= 9; level++)
        n += zlib_member(bytes, N, level, level % 2 ? &header : NULL, file + n, ROOM - n);
    /* Tiny members, so that several lie in what an inflater reads ahead. */
    for (int i = 0; i < 50; i++)
        n += zlib_member("x", (size_t)(i % 2), 6, NULL, file + n, ROOM - n);
    memset(file + n, 0, 1000);
    for (size_t padding = 0; padding <= 1000; padding += 500) {
        write_file(file_name("members.gz"), file, n + padding);
        ok_int(read_all(file_name("members.gz"), &content, hex, &err), 0);
        ok_str(err.text, "");
        ok_int((int64_t)content.length, 10 * N + 25);
        ok(memcmp(content.text + 9 * N, bytes, N) == 0);
        ok(memcmp(content.text + 10 * N, "xxx", 3) == 0);
        np_sha256_of(file, n + padding, expected);
        ok_str(hex, expected);
    }
}

TEST(members_that_end_anywhere_in_the_read_buffer_are_joined)
{
    enum { ROOM = 2 << 20, BUFFER = 256 << 10 };
    NP_AUTO(np_freep) uint8_t *noise = make_content(CONTENT_NOISE, BUFFER);
    NP_AUTO(np_freep) uint8_t *file = np_xmalloc(ROOM);
    NP_AUTO(np_str_done) struct np_str content = {0};
    char hex[NP_SHA256_HEX];
    struct np_error err = {0};

    /* Stored members, so that their length follows the content's: the end moves byte by byte over
     * the border of the buffer. */
    for (size_t size = BUFFER - 80; size < BUFFER; size++) {
        size_t n = zlib_member(noise, size, 0, NULL, file, ROOM);
        n += zlib_member("tail", 4, 6, NULL, file + n, ROOM - n);
        write_file(file_name("border.gz"), file, n);
        ok_int(read_all(file_name("border.gz"), &content, hex, &err), 0);
        ok_int((int64_t)content.length, (int64_t)size + 4);
        ok(memcmp(content.text + size, "tail", 4) == 0);
    }
}

TEST(a_file_cut_at_any_byte_is_truncated)
{
    enum { N = 200 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_SMOOTH, N);
    NP_AUTO(np_str_done) struct np_str content = {0};
    uint8_t file[1000];
    uint8_t name[] = "name";
    gz_header header = {.name = name};
    char hex[NP_SHA256_HEX];

    size_t n = zlib_member(bytes, N, 6, &header, file, sizeof(file));
    for (size_t cut = 2; cut < n; cut++) {
        struct np_error err = {0};
        write_file(file_name("cut.gz"), file, cut);
        ok_int(read_all(file_name("cut.gz"), &content, hex, &err), NP_ETRUNCATED);
        ok_contains(err.text, "cut.gz': expected the end of its gzip stream, found the end of the "
                              "file after ");
    }
}

TEST(a_changed_byte_anywhere_is_noticed)
{
    enum { N = 200 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_NOISE, N);
    NP_AUTO(np_str_done) struct np_str content = {0};
    uint8_t file[1000];
    char hex[NP_SHA256_HEX];

    size_t n = zlib_member(bytes, N, 6, NULL, file, sizeof(file));
    for (size_t at = 2; at < n; at++) {
        struct np_error err = {0};
        if (at >= 4 && at < 10)
            continue; /* time, effort and system mean nothing to the content */
        file[at] ^= 0x55;
        write_file(file_name("bad.gz"), file, n);
        int code = read_all(file_name("bad.gz"), &content, hex, &err);
        ok(code == NP_EFORMAT || code == NP_ETRUNCATED);
        ok_contains(err.text, "bad.gz': expected ");
        file[at] ^= 0x55;
    }
}

static void ok_damaged(const uint8_t *file, size_t n, const char *sentence)
{
    NP_AUTO(np_str_done) struct np_str content = {0};
    struct np_error err = {0};
    char hex[NP_SHA256_HEX];

    write_file(file_name("damaged.gz"), file, n);
    ok_int(read_all(file_name("damaged.gz"), &content, hex, &err), NP_EFORMAT);
    ok_contains(err.text, sentence);
}

TEST(each_kind_of_damage_has_its_sentence)
{
    uint8_t file[1000];
    size_t n = zlib_member("content", 7, 6, NULL, file, sizeof(file));

    file[n - 8] ^= 1;
    ok_damaged(file, n, "another checksum (CRC-32) than it states");
    file[n - 8] ^= 1;
    file[n - 4] ^= 1;
    ok_damaged(file, n, "another length than it states");
    file[n - 4] ^= 1;
    file[10] = 7; /* a final block of the kind that does not exist */
    ok_damaged(file, n, "compressed data that mean nothing");
    n = zlib_member("content", 7, 6, NULL, file, sizeof(file));
    memset(file + n, 'r', 4);
    ok_damaged(file, n + 4, "something else after the end of the compressed data");
    file[n] = file[n + 1] = 0;
    file[n + 2] = 'r';
    ok_damaged(file, n + 3, "something else after the end and its zeros");
    file[2] = 9;
    ok_damaged(file, n, "a header that no gzip has");
}

TEST(plain_files_are_read_unchanged_under_any_name)
{
    enum { N = 700001 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_NOISE, N);
    NP_AUTO(np_str_done) struct np_str content = {0};
    char hex[NP_SHA256_HEX], expected[NP_SHA256_HEX];
    struct np_error err = {0};

    bytes[0] = 'p';
    write_file(file_name("plain.gz"), bytes, N);
    ok_int(read_all(file_name("plain.gz"), &content, hex, &err), 0);
    ok_int((int64_t)content.length, N);
    ok(memcmp(content.text, bytes, N) == 0);
    np_sha256_of(bytes, N, expected);
    ok_str(hex, expected);
}

TEST(finish_hashes_the_whole_file_and_counts_the_unread_bytes)
{
    NP_AUTO(np_source_freep) struct np_source *source = NULL;
    char hex[NP_SHA256_HEX], expected[NP_SHA256_HEX], four[4];
    struct np_packed packed;
    struct np_error err = {0};
    int64_t left;
    size_t n;

    ok_int(pack(file_name("left.gz"), NP_PACKING_GZIP, "head", 4, "body!", 5, NULL, &packed, &err),
           0);
    ok_int(np_source_open(file_name("left.gz"), &source, &err), 0);
    ok(np_source_gzipped(source));
    ok_int(np_source_file_bytes(source), packed.n_bytes);
    ok_int(np_source_most_bytes(source), packed.n_bytes * 1032);
    ok_int(np_source_read(source, four, 4, &n, &err), 0);
    ok_int((int64_t)n, 4);
    ok_int(np_source_finish(source, NULL, &left, hex, &err), 0);
    ok_int(left, 5);
    ok_int(np_sha256_file(file_name("left.gz"), expected, &err), 0);
    ok_str(hex, expected);
}

static void ok_refused(const char *path, int code, const char *sentence)
{
    NP_AUTO(np_source_freep) struct np_source *source = NULL;
    struct np_error err = {0};

    ok_int(np_source_open(path, &source, &err), code);
    ok(!source);
    ok_contains(err.text, path);
    ok_contains(err.text, sentence);
}

TEST(folders_and_links_without_content_are_refused)
{
    NP_AUTO(np_freep) char *annex = np_xstrdup(file_name("annex.gz"));
    NP_AUTO(np_freep) char *dangling = np_xstrdup(file_name("dangling.gz"));
    NP_AUTO(np_freep) char *fifo = np_xstrdup(file_name("fifo"));

    ok_refused(file_name("missing"), NP_ENOINPUT, "No such file");
    ok_refused(tap_directory(), NP_ENOINPUT, "expected a file, found a folder");
    ok_int(symlink("../.git/annex/objects/ab/cd/MD5E-s1--x/MD5E-s1--x", annex), 0);
    ok_refused(annex, NP_ECONTENT, "git-annex link to content that is not here; fetch it");
    ok_int(symlink("/nowhere/at/all", dangling), 0);
    ok_refused(dangling, NP_ECONTENT, "a link to '/nowhere/at/all', which is not there");
    ok_int(mkfifo(fifo, 0600), 0);
    ok_refused(fifo, NP_ENOINPUT, "found a device or pipe");
}

TEST(a_full_disk_is_no_space)
{
    enum { N = 3 << 20 };
    NP_AUTO(np_freep) uint8_t *noise = make_content(CONTENT_NOISE, N);
    struct np_packed packed;
    struct np_error err = {0};

    if (access("/dev/full", W_OK) != 0) {
        tap_skip("no /dev/full here");
        return;
    }
    ok_int(pack("/dev/full", NP_PACKING_GZIP, "h", 1, noise, N, NULL, &packed, &err), NP_ESPACE);
    ok_contains(err.text, "'/dev/full': cannot write after 0 bytes: No space left on device");
}

TEST(a_limit_of_the_file_s_size_in_any_block_is_named_with_what_was_written)
{
    enum { N = 11 << 20, STEP = 1900001 };
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    NP_AUTO(np_freep) uint8_t *noise = make_content(CONTENT_NOISE, N);
    struct np_exec exec = {.team = team};

    for (int64_t most = STEP; most < N; most += STEP) {
        struct np_packed packed = {.n_bytes = 99};
        struct np_error err = {0};
        struct stat status;
        long long n_said = -1;
        tap_limit_file_size(most);
        int code =
            pack(file_name("full.gz"), NP_PACKING_GZIP, "h", 1, noise, N, &exec, &packed, &err);
        tap_limit_file_size(-1);
        ok_int(code, NP_EIO);
        ok_int(stat(file_name("full.gz"), &status), 0);
        ok_int(status.st_size, most);
        const char *said = strstr(err.text, "full.gz': cannot write after ");
        ok(said && sscanf(said, "full.gz': cannot write after %lld bytes", &n_said) == 1);
        /* The block that did not fit is not counted: noise's blocks are a MiB and little more. */
        ok(n_said <= most && n_said > most - (1 << 20) - 1000);
        ok_int(packed.n_bytes, 99);
    }
}

/* Appended in pieces of `step` bytes, or of sizes that vary when it is 0; the last `n_last` bytes
 * are given to finish. */
static int pack_in_pieces(const char *path, enum np_packing packing, const uint8_t *body, size_t n,
                          size_t step, size_t n_last, const struct np_exec *exec,
                          struct np_packed *packed, struct np_error *err)
{
    NP_AUTO(np_packer_freep) struct np_packer *packer = NULL;
    NP_AUTO(np_freep) uint8_t *piece = np_xmalloc(n + 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int code = np_packer_open(fd, path, packing, &(struct np_bytes){"head", 4}, exec, &packer, err);
    size_t size = step;

    for (size_t from = 0; code == 0 && from < n - n_last; from += size) {
        size = step ? step : from % 1999993 + 1;
        size = size < n - n_last - from ? size : n - n_last - from;
        memcpy(piece, body + from, size);
        code = np_packer_append(packer, piece, size, err);
        memset(piece, 0xee, size); /* the packer has what it needs of it */
    }
    if (code == 0)
        code = np_packer_finish(packer, &(struct np_bytes){body + n - n_last, n_last}, packed, err);
    close(fd);
    return code;
}

TEST(the_bytes_do_not_depend_on_how_the_body_was_cut_into_pieces)
{
    static const size_t steps[] = {0, 65536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 9000000};
    static const size_t lasts[] = {0, 1, 5 * (1 << 20) + 7};
    enum { N = 10 * (1 << 20) + 12345 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_SMOOTH, N);

    for (int packing = NP_PACKING_PLAIN; packing <= NP_PACKING_GZIP; packing++) {
        struct np_packed whole, packed;
        struct np_error err = {0};
        const char *path = file_name("pieces");
        ok_int(pack(path, (enum np_packing)packing, "head", 4, bytes, N, NULL, &whole, &err), 0);
        for (size_t i = 0; i < NP_COUNT(steps) * NP_COUNT(lasts); i++) {
            NP_AUTO(np_team_freep) struct np_team *team = np_team_new(1 + (int)(i % 3));
            struct np_exec exec = {.team = team};
            char hex[NP_SHA256_HEX];
            ok_int(pack_in_pieces(path, (enum np_packing)packing, bytes, N,
                                  steps[i / NP_COUNT(lasts)], lasts[i % NP_COUNT(lasts)], &exec,
                                  &packed, &err),
                   0);
            ok_int(np_sha256_file(path, hex, &err), 0);
            ok_str(hex, whole.sha256);
            ok_str(packed.sha256, whole.sha256);
            ok_str(packed.body_sha256, whole.body_sha256);
            ok_int(packed.n_bytes, whole.n_bytes);
        }
    }
}

TEST(a_file_that_is_not_finished_is_refused_by_readers)
{
    enum { N = 9 << 20 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_SMOOTH, N);
    NP_AUTO(np_packer_freep) struct np_packer *packer = NULL;
    NP_AUTO(np_str_done) struct np_str content = {0};
    const char *path = file_name("unfinished.gz");
    struct np_error err = {0};
    char hex[NP_SHA256_HEX];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    ok_int(
        np_packer_open(fd, path, NP_PACKING_GZIP, &(struct np_bytes){"h", 1}, NULL, &packer, &err),
        0);
    ok_int(np_packer_append(packer, bytes, N, &err), 0);
    np_packer_freep(&packer);
    ok(!packer);
    close(fd);
    ok_int(read_all(path, &content, hex, &err), NP_ETRUNCATED);
    ok_contains(err.text, "expected the end of its gzip stream");
}

TEST(a_signal_stops_reading_and_writing)
{
    enum { N = 3 << 20 };
    NP_AUTO(np_freep) uint8_t *zeros = make_content(CONTENT_ZEROS, N);
    NP_AUTO(np_source_freep) struct np_source *source = NULL;
    struct np_cancel cancel = {.signal = 15};
    struct np_exec exec = {.cancel = &cancel};
    struct np_packed packed;
    struct np_error err = {0}, second = {0};
    char hex[NP_SHA256_HEX];
    int64_t left;

    ok_int(pack(file_name("stop.gz"), NP_PACKING_GZIP, "h", 1, zeros, N, &exec, &packed, &err),
           NP_ECANCELED);
    write_file(file_name("stop"), zeros, N);
    ok_int(np_source_open(file_name("stop"), &source, NULL), 0);
    ok_int(np_source_finish(source, &exec, &left, hex, &second), NP_ECANCELED);
}

TEST(every_failed_allocation_is_no_memory_and_leaves_nothing)
{
    enum { N = 2 << 20, MOST = 100 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_SMOOTH, N);
    NP_AUTO(np_str_done) struct np_str content = {0};
    char hex[NP_SHA256_HEX];
    int code = NP_ENOMEM, nth;

    for (nth = 1; code == NP_ENOMEM && nth < MOST; nth++) {
        struct np_packed packed;
        struct np_error err = {0};
        np_alloc_fail_at(nth);
        code = pack(file_name("memory.gz"), NP_PACKING_GZIP, "h", 1, bytes, N, NULL, &packed, &err);
        ok(code == 0 || (code == NP_ENOMEM && strstr(err.text, "no memory")));
    }
    ok_int(code, 0);
    ok(nth > 3);
    code = NP_ENOMEM;
    for (nth = 1; code == NP_ENOMEM && nth < MOST; nth++) {
        struct np_packed packed;
        struct np_error err = {0};
        np_alloc_fail_at(nth);
        code = pack_in_pieces(file_name("memory.gz"), NP_PACKING_GZIP, bytes, N, 100000, 1, NULL,
                              &packed, &err);
        ok(code == 0 || (code == NP_ENOMEM && strstr(err.text, "no memory")));
    }
    ok_int(code, 0);
    ok(nth > 4);
    code = NP_ENOMEM;
    for (nth = 1; code == NP_ENOMEM && nth < MOST; nth++) {
        struct np_error err = {0};
        np_alloc_fail_at(nth);
        code = read_all(file_name("memory.gz"), &content, hex, &err);
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok(nth > 3);
}

TEST(parts_of_any_size_join)
{
    enum { N = 400000, STEP = 39999 };
    NP_AUTO(np_freep) uint8_t *bytes = make_content(CONTENT_SMOOTH, N);
    NP_AUTO(np_freep) uint8_t *stream = np_xmalloc(2 * N);
    NP_AUTO(np_freep) uint8_t *back = np_xmalloc(N + 1);
    uLongf n_back = 0;
    size_t n = 0;

    for (size_t from = 0, size = 0; from < N; from += size, size += STEP) {
        size_t part = size < N - from ? size : N - from, made;
        ok_int(np_deflate_part(bytes + from, part, stream + n, &made, NULL), 0);
        ok(made <= np_deflate_bound(part));
        n += made;
        size = part;
    }
    memcpy(stream + n, NP_DEFLATE_END, NP_DEFLATE_END_BYTES);
    z_stream z = {.next_in = stream, .avail_in = (uInt)(n + NP_DEFLATE_END_BYTES)};
    z.next_out = back;
    z.avail_out = N + 1;
    inflateInit2(&z, -15);
    ok_int(inflate(&z, Z_FINISH), Z_STREAM_END);
    n_back = z.total_out;
    inflateEnd(&z);
    ok_int((int64_t)n_back, N);
    ok(memcmp(bytes, back, N) == 0);
}

TEST(the_checksum_of_a_whole_is_joined_from_its_parts)
{
    static const char text[] = "123456789";
    uint32_t a = np_crc32(0, text, 4), b = np_crc32(0, text + 4, 5);

    ok_int(np_crc32(0, text, 9), 0xcbf43926); /* the check value of CRC-32/ISO-HDLC */
    ok_int(np_crc32(a, text + 4, 5), 0xcbf43926);
    ok_int(np_crc32_join(a, b, 5), 0xcbf43926);
    ok_contains(np_codec_name(), ".");
}

TAP_MAIN
