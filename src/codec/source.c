/* Reading: plain files unchanged; gzip files as a sequence of members, each with header, deflate
 * data, CRC and length. */
#include "codec/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "codec/deflate.h"

enum { BUFFER = 256 << 10, SCRATCH = 64 << 10 };

enum source_state {
    SOURCE_PLAIN,
    SOURCE_MEMBER, /* before a member's header */
    SOURCE_DATA,   /* in the deflate data */
    SOURCE_END
};

struct np_source {
    char *path;
    int fd;
    enum source_state state;
    bool gzipped;
    bool at_eof;
    int64_t file_bytes;
    struct timespec changed; /* time of change at opening */
    int64_t n_taken;         /* bytes of the file that were read into the buffer */
    struct np_sha256 hash;   /* of them */
    /* The longest stretch from the file's beginning that was read before a rewind, and its hash. */
    int64_t n_known;
    struct np_sha256 known;
    struct np_inflate *inflate;
    uint32_t crc;      /* of the member's content so far */
    uint32_t n_member; /* its length, modulo 2^32 as in the trailer */
    const uint8_t *in, *in_end;
    /* Before each new piece, keep the last bytes, because np_inflate_step may step back over
     * them. */
    uint8_t buffer[NP_INFLATE_LOOKBEHIND + BUFFER];
};

static int refuse_missing(const char *path, int reason, struct np_error *err)
{
    char target[256];
    ssize_t n = reason == ENOENT ? readlink(path, target, sizeof(target) - 1) : -1;

    if (n < 0)
        return np_error_errno(err, reason, NP_ENOINPUT, "'%s': cannot open", path);
    target[n] = '\0';
    if (strstr(target, ".git/annex") || strstr(target, "/annex/objects/"))
        return np_error_set(err, NP_ECONTENT,
                            "'%s': expected the file's content, found a git-annex link to content "
                            "that is not here; fetch it with 'datalad get' or 'git annex get'",
                            path);
    return np_error_set(err, NP_ECONTENT,
                        "'%s': expected a file, found a link to '%.200s', which is not there; "
                        "fetch the content, or bind the folder that holds it",
                        path, target);
}

/* Non-blocking, so that a FIFO does not block us. */
static int open_regular(const char *path, int *fd, struct stat *status, struct np_error *err)
{
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (opened < 0)
        return refuse_missing(path, errno, err);
    int reason = fstat(opened, status) == 0 ? 0 : errno;
    if (reason == 0 && S_ISREG(status->st_mode)) {
        *fd = opened;
        return 0;
    }
    close(opened);
    if (reason)
        return np_error_errno(err, reason, NP_ENOINPUT, "'%s': cannot look at it", path);
    return np_error_set(err, NP_ENOINPUT, "'%s': expected a file, found a %s", path,
                        S_ISDIR(status->st_mode) ? "folder" : "device or pipe");
}

static int refuse_changed(const struct np_source *source, struct np_error *err)
{
    return np_error_set(err, NP_EBUSY,
                        "'%s': expected the file as it was when it was first read, found it "
                        "changed; run again when nothing writes to it",
                        source->path);
}

/* Compare with what was read before a rewind, when these bytes reach the end of it. */
static int check_known(const struct np_source *source, const void *bytes, size_t n_bytes,
                       struct np_error *err)
{
    int64_t n_rest = source->n_known - source->n_taken;
    uint8_t before[NP_SHA256_BYTES], now[NP_SHA256_BYTES];

    if (n_rest <= 0 || ((size_t)n_rest > n_bytes && n_bytes > 0))
        return 0;
    if (n_bytes == 0)
        return refuse_changed(source, err);
    struct np_sha256 known = source->known, hash = source->hash;
    np_sha256_update(&hash, bytes, (size_t)n_rest);
    np_sha256_digest(&known, before);
    np_sha256_digest(&hash, now);
    return memcmp(before, now, sizeof(now)) == 0 ? 0 : refuse_changed(source, err);
}

static int read_file(struct np_source *source, void *out, size_t n_bytes, size_t *n_read,
                     struct np_error *err)
{
    ssize_t n;

    do
        n = read(source->fd, out, n_bytes);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot read after %lld bytes",
                              source->path, (long long)source->n_taken);
    NP_TRY(check_known(source, out, (size_t)n, err));
    np_sha256_update(&source->hash, out, (size_t)n);
    source->n_taken += n;
    source->at_eof = n == 0;
    *n_read = (size_t)n;
    return 0;
}

/* Read more input when none is left. */
static int fill(struct np_source *source, struct np_error *err)
{
    uint8_t *start = source->buffer + NP_INFLATE_LOOKBEHIND;
    size_t n;

    if (source->in < source->in_end || source->at_eof)
        return 0;
    memmove(source->buffer, source->in_end - NP_INFLATE_LOOKBEHIND, NP_INFLATE_LOOKBEHIND);
    source->in = source->in_end = start;
    NP_TRY(read_file(source, start, BUFFER, &n, err));
    source->in_end = start + n;
    return 0;
}

/* The state at the file's beginning, with its first bytes in the buffer. */
static int begin(struct np_source *source, struct np_error *err)
{
    np_sha256_init(&source->hash);
    source->n_taken = 0;
    source->at_eof = false;
    source->in = source->in_end = source->buffer + NP_INFLATE_LOOKBEHIND;
    source->state = source->gzipped ? SOURCE_MEMBER : SOURCE_PLAIN;
    return fill(source, err);
}

int np_source_open(const char *path, struct np_source **out, struct np_error *err)
{
    NP_AUTO(np_source_freep) struct np_source *source = np_try_malloc(1, sizeof(*source));
    struct stat status;

    if (!source)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for a buffer of %zu KiB", path,
                            sizeof(*source) >> 10);
    *source = (struct np_source){.fd = -1, .path = np_xstrdup(path)};
    NP_TRY(open_regular(path, &source->fd, &status, err));
    source->file_bytes = status.st_size;
    source->changed = status.st_mtim;
    NP_TRY(begin(source, err));
    source->gzipped =
        source->in_end - source->in >= 2 && source->in[0] == 0x1f && source->in[1] == 0x8b;
    if (source->gzipped) {
        source->state = SOURCE_MEMBER;
        source->inflate = np_inflate_new();
        if (!source->inflate)
            return np_error_set(err, NP_ENOMEM, "'%s': no memory to inflate it", path);
    }
    *out = source;
    source = NULL;
    return 0;
}

void np_source_freep(struct np_source **address)
{
    struct np_source *source = *address;

    if (!source)
        return;
    if (source->fd >= 0)
        close(source->fd);
    np_inflate_freep(&source->inflate);
    free(source->path);
    np_freep(address);
}

bool np_source_gzipped(const struct np_source *source)
{
    return source->gzipped;
}

int64_t np_source_file_bytes(const struct np_source *source)
{
    return source->file_bytes;
}

int64_t np_source_used_bytes(const struct np_source *source)
{
    return source->n_taken - (source->in_end - source->in);
}

int64_t np_source_most_bytes(const struct np_source *source)
{
    int64_t most;

    if (!source->gzipped)
        return source->file_bytes;
    return __builtin_mul_overflow(source->file_bytes, (int64_t)NP_DEFLATE_MOST_GAIN, &most)
               ? INT64_MAX
               : most;
}

int np_source_rewind(struct np_source *source, struct np_error *err)
{
    struct stat now;

    if (source->n_taken > source->n_known) {
        source->n_known = source->n_taken;
        source->known = source->hash;
    }
    if (fstat(source->fd, &now) != 0 || lseek(source->fd, 0, SEEK_SET) != 0)
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot go back to its beginning",
                              source->path);
    if (now.st_size != source->file_bytes || now.st_mtim.tv_sec != source->changed.tv_sec ||
        now.st_mtim.tv_nsec != source->changed.tv_nsec)
        return refuse_changed(source, err);
    return begin(source, err);
}

static int refuse_cut(const struct np_source *source, struct np_error *err)
{
    return np_error_set(
        err, NP_ETRUNCATED,
        "'%s': expected the end of its gzip stream, found the end of the file after "
        "%lld bytes; the file was cut: fetch or convert it again",
        source->path, (long long)source->n_taken);
}

static int refuse_corrupt(const struct np_source *source, const char *what, struct np_error *err)
{
    return np_error_set(err, NP_EFORMAT,
                        "'%s': expected sound gzip data, found %s near byte %lld; the file is "
                        "damaged: fetch or convert it again",
                        source->path, what,
                        (long long)(source->n_taken - (source->in_end - source->in)));
}

/* The next byte of the file, which must exist according to the format. */
static int take_byte(struct np_source *source, unsigned *byte, struct np_error *err)
{
    NP_TRY(fill(source, err));
    if (source->in == source->in_end)
        return refuse_cut(source, err);
    *byte = *source->in++;
    return 0;
}

static int take_number(struct np_source *source, int n_bytes, uint32_t *number,
                       struct np_error *err)
{
    uint32_t value = 0;

    for (int i = 0; i < n_bytes; i++) {
        unsigned byte = 0;
        NP_TRY(take_byte(source, &byte, err));
        value |= (uint32_t)byte << 8 * i;
    }
    *number = value;
    return 0;
}

static int skip_text(struct np_source *source, struct np_error *err)
{
    unsigned byte = 0;

    do
        NP_TRY(take_byte(source, &byte, err));
    while (byte != 0);
    return 0;
}

/* RFC 1952, 2.3 */
static int read_member_header(struct np_source *source, struct np_error *err)
{
    enum { HEADER_CRC = 2, EXTRA = 4, NAME = 8, COMMENT = 16, RESERVED = 0xe0 };
    uint32_t magic, method, flags, ignored, n_extra = 0;

    NP_TRY(take_number(source, 2, &magic, err));
    if (magic != 0x8b1f)
        return refuse_corrupt(source, "something else after the end of the compressed data", err);
    NP_TRY(take_number(source, 1, &method, err));
    NP_TRY(take_number(source, 1, &flags, err));
    if (method != 8 || flags & RESERVED)
        return refuse_corrupt(source, "a header that no gzip has", err);
    NP_TRY(take_number(source, 4, &ignored, err)); /* time */
    NP_TRY(take_number(source, 2, &ignored, err)); /* effort, system */
    if (flags & EXTRA)
        NP_TRY(take_number(source, 2, &n_extra, err));
    for (; n_extra > 0; n_extra--)
        NP_TRY(take_number(source, 1, &ignored, err));
    if (flags & NAME)
        NP_TRY(skip_text(source, err));
    if (flags & COMMENT)
        NP_TRY(skip_text(source, err));
    if (flags & HEADER_CRC)
        NP_TRY(take_number(source, 2, &ignored, err));
    np_inflate_reset(source->inflate);
    source->crc = 0;
    source->n_member = 0;
    source->state = SOURCE_DATA;
    return 0;
}

/* After a member: the file's end, zeros to it (tapes and blocks are padded so), or a member. */
static int find_next_member(struct np_source *source, struct np_error *err)
{
    NP_TRY(fill(source, err));
    if (source->in < source->in_end && *source->in != 0) {
        source->state = SOURCE_MEMBER;
        return 0;
    }
    for (;;) {
        NP_TRY(fill(source, err));
        if (source->in == source->in_end)
            break;
        for (; source->in < source->in_end; source->in++)
            if (*source->in != 0)
                return refuse_corrupt(source, "something else after the end and its zeros", err);
    }
    source->state = SOURCE_END;
    return 0;
}

static int check_member(struct np_source *source, struct np_error *err)
{
    uint32_t crc, length;

    NP_TRY(take_number(source, 4, &crc, err));
    NP_TRY(take_number(source, 4, &length, err));
    if (crc != source->crc)
        return refuse_corrupt(source, "another checksum (CRC-32) than it states", err);
    if (length != source->n_member)
        return refuse_corrupt(source, "another length than it states", err);
    return find_next_member(source, err);
}

/* Inflate some bytes: at least one, unless the state changes. */
static int read_data(struct np_source *source, uint8_t **next, uint8_t *end, struct np_error *err)
{
    uint8_t *before = *next;

    NP_TRY(fill(source, err));
    const uint8_t *in_before = source->in;
    enum np_inflate_state state =
        np_inflate_step(source->inflate, &source->in, source->in_end, next, end);
    size_t n = (size_t)(*next - before);
    source->crc = np_crc32(source->crc, before, n);
    source->n_member += (uint32_t)n;
    if (state == NP_INFLATE_NO_MEMORY)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory to inflate it", source->path);
    if (state == NP_INFLATE_CORRUPT)
        return refuse_corrupt(source, "compressed data that mean nothing", err);
    if (state == NP_INFLATE_END)
        return check_member(source, err);
    if (n == 0 && source->in == in_before && source->at_eof)
        return refuse_cut(source, err);
    return 0;
}

static int read_gzip(struct np_source *source, uint8_t *out, size_t n_bytes, size_t *n_read,
                     struct np_error *err)
{
    uint8_t *next = out;

    while (next < out + n_bytes && source->state != SOURCE_END) {
        if (source->state == SOURCE_MEMBER)
            NP_TRY(read_member_header(source, err));
        else
            NP_TRY(read_data(source, &next, out + n_bytes, err));
    }
    *n_read = (size_t)(next - out);
    return 0;
}

static int read_plain(struct np_source *source, uint8_t *out, size_t n_bytes, size_t *n_read,
                      struct np_error *err)
{
    size_t done = (size_t)(source->in_end - source->in);

    if (done > n_bytes)
        done = n_bytes;
    if (done > 0)
        memcpy(out, source->in, done);
    source->in += done;
    while (done < n_bytes && !source->at_eof) {
        size_t n = 0;
        NP_TRY(read_file(source, out + done, n_bytes - done, &n, err));
        done += n;
    }
    *n_read = done;
    return 0;
}

int np_source_read(struct np_source *source, void *out, size_t n_bytes, size_t *n_read,
                   struct np_error *err)
{
    return source->gzipped ? read_gzip(source, out, n_bytes, n_read, err)
                           : read_plain(source, out, n_bytes, n_read, err);
}

int np_source_skip(struct np_source *source, int64_t n_bytes, const struct np_exec *exec,
                   int64_t *n_skipped, struct np_error *err)
{
    uint8_t scratch[SCRATCH];
    int64_t done = 0;

    while (done < n_bytes) {
        size_t want = n_bytes - done < SCRATCH ? (size_t)(n_bytes - done) : SCRATCH, n = 0;
        NP_TRY(np_exec_check(exec, err));
        NP_TRY(np_source_read(source, scratch, want, &n, err));
        done += (int64_t)n;
        if (n < want)
            break;
    }
    *n_skipped = done;
    return 0;
}

int np_source_jump(struct np_source *source, int64_t n_bytes)
{
    int64_t held = source->in_end - source->in;

    if (n_bytes <= held) {
        source->in += n_bytes;
        return 0;
    }
    source->in = source->in_end;
    return lseek(source->fd, n_bytes - held, SEEK_CUR) < 0 ? NP_EIO : 0;
}

int np_source_finish(struct np_source *source, const struct np_exec *exec, int64_t *n_left,
                     char hex[NP_SHA256_HEX], struct np_error *err)
{
    int64_t left;

    NP_TRY(np_source_skip(source, INT64_MAX, exec, &left, err));
    struct np_sha256 hash = source->hash;
    np_sha256_hex(&hash, hex);
    *n_left = left;
    return 0;
}
