/*
 * Replacing labels in strings.
 *   1. The attribute's key says how its value is read: a label, a path, or text.
 *   2. Text is cut into quoted parts (our messages put paths in single quotes) and words.
 *   3. A part that looks like a path is cut at its slashes, and each piece at its underscores.
 *   4. "sub-X", "ses-X" and "acq-X" are replaced; of a word that is not known only the extension stays.
 * Too much is replaced rather than too little.
 */
#include "otlp/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "catalog/modality.h"
#include "codec/sha256.h"
#include "otlp/inside.h"
#include "trace/names.h"

enum { KEY_BYTES = 32, WORD_BYTES = 8 };

/* The same text gives different words as a participant, a session, a name, … */
enum kind { PARTICIPANT, SESSION, NAME, SITE, ACQUISITION, N_KINDS };

struct np_otlp_redactor {
    uint8_t key[N_KINDS][NP_SHA256_BYTES];
    bool is_none; /* sites and acquisitions are left out */
};

struct text {
    const char *at;
    size_t n;
};

static void add(struct np_otlp_buffer *out, struct text text)
{
    np_otlp_buffer_add(out, text.at, text.n);
}

static struct text part_of(struct text text, size_t from, size_t to)
{
    return (struct text){text.at + from, to - from};
}

static bool equals(struct text text, const char *word)
{
    return strlen(word) == text.n && memcmp(text.at, word, text.n) == 0;
}

static bool is_among(struct text text, const char *const *word, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (equals(text, word[i]))
            return true;
    return false;
}

static void add_word(const struct np_otlp_redactor *redactor, enum kind kind, struct text label,
                     struct np_otlp_buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[NP_SHA256_BYTES];

    if (label.n == 0)
        return;
    np_hmac_sha256(redactor->key[kind], sizeof(redactor->key[kind]), label.at, label.n, digest);
    for (size_t i = 0; i < WORD_BYTES; i++) {
        const char pair[2] = {digits[digest[i] >> 4], digits[digest[i] & 15]};
        np_otlp_buffer_add(out, pair, sizeof(pair));
    }
}

/* Letters of any language: a byte that is not ASCII counts as a letter. */
static bool is_letter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

/* Longest first. */
static const char *const extensions[] = {
    ".otlp.jsonl", ".nii.gz", ".jsonl", ".nii", ".json", ".html", ".tsv", ".bval", ".bvec", ".hdr",
    ".img",        ".mgz",    ".mgh",   ".dcm", ".gz",   ".tar",  ".txt", ".md",   ".sif",  ".tmp"};

/* The bytes of a known extension at `from`, when a word ends after it; 0 = none. */
static size_t extension_at(struct text text, size_t from)
{
    for (size_t i = 0; i < NP_COUNT(extensions); i++) {
        size_t n = strlen(extensions[i]);
        if (text.n - from >= n && strncasecmp(text.at + from, extensions[i], n) == 0 &&
            (text.n - from == n || !is_letter(text.at[from + n])))
            return n;
    }
    return 0;
}

/* Where a part's extension begins, its end when it has none. */
static size_t extension_start(struct text part)
{
    for (size_t i = 1; i < part.n; i++)
        if (part.at[i] == '.' && extension_at(part, i) == part.n - i)
            return i;
    return part.n;
}

/* Words that cannot identify a person; the suffixes of catalog/modality.h are such words too. */
static const char *const words[] = {
    /* folders of BIDS, of this program and of most systems */
    "anat", "func", "dwi", "fmap", "perf", "derivatives", "sourcedata", "rawdata", "bids", "logs",
    "telemetry", "neuro-preprocess", "data", "home", "mnt", "tmp", "scratch", "work", "out",
    "output", "input", "outputs", "inputs", "usr", "bin", "lib", "opt", "srv", "var", "proc", "dev",
    "self", "nipoppy", "nii",
    /* suffixes, and the last words of our own files */
    "PDw", "T2star", "T2starw", "T1map", "T2map", "sbref", "epi", "mask", "preproc", "status",
    "log", "complete", "biasfield", "iqm", "events", "physio", "participants", "sessions", "scans",
    "dataset_description", "descriptions", "README", "CHANGES", "CITATION", "index", "group"};

/* Entities whose labels stay. */
static const char *const entities[] = {
    "ce",    "chunk", "den",   "desc", "dir",  "echo", "flip",      "hemi", "inv",
    "label", "mod",   "mt",    "part", "proc", "rec",  "recording", "res",  "run",
    "seg",   "space", "split", "stat", "task", "trc",  "tracksys"};

static bool is_plain_word(struct text word)
{
    for (size_t i = 0; i < NP_N_MODALITIES; i++)
        if (equals(word, np_modalities[i].suffix))
            return true;
    return is_among(word, words, NP_COUNT(words));
}

/* True for the characters of labels, in BIDS and as users write them. */
static bool is_of_label(char c)
{
    return is_letter(c) || c == '+';
}

/* Entities whose labels are replaced: an acquisition may be named after a site or its scanner. */
enum { PREFIX = 4 };
static const struct {
    char prefix[PREFIX + 1];
    enum kind kind;
} replaced[] = {{"sub-", PARTICIPANT}, {"ses-", SESSION}, {"acq-", ACQUISITION}};

/* "sub-", "ses-" or "acq-" at `from`, whatever its case, after no letter and before a label. */
static bool is_entity_at(struct text text, size_t from, enum kind *kind)
{
    if (text.n - from <= PREFIX || (from > 0 && is_letter(text.at[from - 1])) ||
        !is_of_label(text.at[from + PREFIX]))
        return false;
    for (size_t i = 0; i < NP_COUNT(replaced); i++)
        if (strncasecmp(text.at + from, replaced[i].prefix, PREFIX) == 0) {
            *kind = replaced[i].kind;
            return true;
        }
    return false;
}

/* The end of the label at `from`. Labels are letters and digits; what users write besides ("01-02",
 * "john.doe", "a+b") belongs to it, an extension does not. */
static size_t label_end(struct text text, size_t from)
{
    size_t at = from;

    for (; at < text.n; at++) {
        char c = text.at[at];
        bool joins = c == '-' || c == '.' || c == '@' || c == '~';
        bool goes_on = at + 1 < text.n && is_of_label(text.at[at + 1]);
        if (!is_of_label(c) && !(joins && goes_on && extension_at(text, at) == 0))
            break;
    }
    return at;
}

/* "acq-X" is left out whole, with the underscore that parts it from what follows. */
static bool is_left_out(const struct np_otlp_redactor *redactor, enum kind kind)
{
    return redactor->is_none && (kind == ACQUISITION || kind == SITE);
}

/* Copy, "sub-X", "ses-X" and "acq-X" replaced. */
static void add_labels_replaced(const struct np_otlp_redactor *redactor, struct text text,
                                struct np_otlp_buffer *out)
{
    size_t copied = 0;
    enum kind kind;

    for (size_t i = 0; i < text.n; i++) {
        if (!is_entity_at(text, i, &kind))
            continue;
        size_t end = label_end(text, i + PREFIX);
        if (is_left_out(redactor, kind)) {
            add(out, part_of(text, copied, i));
            end += end < text.n && text.at[end] == '_';
        } else {
            add(out, part_of(text, copied, i + PREFIX));
            add_word(redactor, kind, part_of(text, i + PREFIX, end), out);
        }
        copied = end;
        i = end - 1;
    }
    add(out, part_of(text, copied, text.n));
}

static bool has_label(struct text text)
{
    enum kind kind;

    for (size_t i = 0; i < text.n; i++)
        if (is_entity_at(text, i, &kind))
            return true;
    return false;
}

/* "run-1" */
static bool is_entity(struct text chunk)
{
    const char *dash = memchr(chunk.at, '-', chunk.n);

    return dash &&
           is_among(part_of(chunk, 0, (size_t)(dash - chunk.at)), entities, NP_COUNT(entities));
}

/* Add one part of a BIDS name: the text between two underscores. */
static void add_chunk(const struct np_otlp_redactor *redactor, struct text chunk,
                      struct np_otlp_buffer *out)
{
    enum kind kind;

    if (chunk.n == 0 || is_entity(chunk) || is_plain_word(chunk))
        add(out, chunk);
    else if (is_entity_at(chunk, 0, &kind) && label_end(chunk, 4) == chunk.n)
        add_labels_replaced(redactor, chunk, out);
    else
        add_word(redactor, NAME, chunk, out);
}

/* A name with labels in it: chunk by chunk. */
static void add_bids_name(const struct np_otlp_redactor *redactor, struct text stem,
                          struct np_otlp_buffer *out)
{
    size_t from = 0;
    enum kind kind;

    for (size_t i = 0; i <= stem.n; i++) {
        if (i < stem.n && stem.at[i] != '_')
            continue;
        struct text chunk = part_of(stem, from, i);
        bool is_out = is_entity_at(chunk, 0, &kind) && is_left_out(redactor, kind);
        if (!is_out)
            add_chunk(redactor, chunk, out);
        if (!is_out && i < stem.n)
            add(out, part_of(stem, i, i + 1));
        from = i + 1;
    }
}

/* One part of a path. */
static void add_part(const struct np_otlp_redactor *redactor, struct text part,
                     struct np_otlp_buffer *out)
{
    size_t end = extension_start(part);
    struct text stem = part_of(part, 0, end);

    if (stem.n == 0 || equals(part, ".") || equals(part, "..") || equals(part, "~") ||
        is_plain_word(stem))
        add(out, stem);
    else if (has_label(stem))
        add_bids_name(redactor, stem, out);
    else
        add_word(redactor, NAME, stem, out);
    add(out, part_of(part, end, part.n));
}

static void add_path(const struct np_otlp_redactor *redactor, struct text path,
                     struct np_otlp_buffer *out)
{
    size_t from = 0;

    for (size_t i = 0; i <= path.n; i++) {
        if (i < path.n && path.at[i] != '/')
            continue;
        add_part(redactor, part_of(path, from, i), out);
        if (i < path.n)
            add(out, part_of(path, i, i + 1));
        from = i + 1;
    }
}

static bool contains(struct text text, const char *what)
{
    return memmem(text.at, text.n, what, strlen(what)) != NULL;
}

/* "/a", "./a", "a/b/c", "a.nii"; not "input/output" or "https://…". */
static bool looks_like_path(struct text word)
{
    if (contains(word, "://"))
        return false;
    const char *slash = memchr(word.at, '/', word.n);
    if (slash && (slash == word.at || word.at[0] == '.' || word.at[0] == '~'))
        return word.n > 1;
    if (slash && memchr(slash + 1, '/', word.n - (size_t)(slash + 1 - word.at)))
        return true;
    return extension_start(word) < word.n || (slash && has_label(word));
}

static void add_one_word(const struct np_otlp_redactor *redactor, struct text word,
                         struct np_otlp_buffer *out)
{
    size_t end = word.n; /* without the sentence's own marks */

    while (end > 0 && strchr(".:!?'", word.at[end - 1]))
        end--;
    struct text bare = part_of(word, 0, end);
    if (looks_like_path(bare))
        add_path(redactor, bare, out);
    else if (has_label(bare) && !contains(bare, "://"))
        add_bids_name(redactor, bare, out);
    else
        add_labels_replaced(redactor, bare, out);
    add(out, part_of(word, end, word.n));
}

/* The quote that closes the one before `from`; text.n when none does. An apostrophe stands between
 * letters. */
static size_t closing_quote(struct text text, size_t from)
{
    for (size_t i = from; i < text.n; i++)
        if (text.at[i] == '\'' && (i + 1 == text.n || !is_letter(text.at[i + 1])))
            return i;
    return text.n;
}

/* A shortened message may end inside its quotes: the rest counts as quoted. */
static bool is_opening_quote(struct text text, size_t at)
{
    return text.at[at] == '\'' && (at == 0 || !is_letter(text.at[at - 1])) && at + 1 < text.n;
}

static bool ends_word(char c)
{
    return (unsigned char)c <= ' ' || strchr("\"()[]{}<>,;=|", c) != NULL;
}

static void add_text(const struct np_otlp_redactor *redactor, struct text text,
                     struct np_otlp_buffer *out)
{
    size_t i = 0;

    while (i < text.n) {
        size_t from = i;
        if (is_opening_quote(text, i)) {
            size_t end = closing_quote(text, i + 1);
            struct text inner = part_of(text, i + 1, end);
            add(out, part_of(text, i, i + 1));
            if (inner.n > 2 && memcmp(inner.at, "--", 2) == 0) /* an option of ours */
                add_labels_replaced(redactor, inner, out);
            else
                add_path(redactor, inner, out);
            i = end < text.n ? end + 1 : end;
            add(out, part_of(text, end, i));
            continue;
        }
        while (i < text.n && !ends_word(text.at[i]) && (i == from || !is_opening_quote(text, i)))
            i++;
        if (i > from)
            add_one_word(redactor, part_of(text, from, i), out);
        else
            add(out, part_of(text, i, i + 1)), i++;
    }
}

/* How the value of an attribute is read. Attributes that are not listed are text. */
enum reading { READ_LABEL, READ_PATH, READ_PLAIN, READ_NEVER /* left out */ };

static const struct {
    const char *key; /* a final dot matches all keys that begin so */
    enum reading reading;
    enum kind kind; /* of a label */
} readings[] = {
    {NP_KEY_BIDS_PARTICIPANT, READ_LABEL, PARTICIPANT},
    {NP_KEY_BIDS_SESSION, READ_LABEL, SESSION},
    {NP_KEY_BIDS_ACQUISITION, READ_LABEL, ACQUISITION},
    {NP_KEY_NEURO_SITE, READ_LABEL, SITE},
    {NP_KEY_FILE_NAME, READ_PATH, 0},
    {NP_KEY_FILE_PATH, READ_PATH, 0},
    {NP_KEY_NEURO_OUTPUT_PATH, READ_PATH, 0},
    {NP_KEY_NEURO_SESSION_FOLDER, READ_NEVER, 0},
    {NP_KEY_NEURO_SESSION_RERUN, READ_NEVER, 0},
    /* the program and the machine */
    {"service.", READ_PLAIN, 0},
    {"host.", READ_PLAIN, 0},
    {"os.", READ_PLAIN, 0},
    {"container.", READ_PLAIN, 0},
    {"vcs.", READ_PLAIN, 0},
    {"slurm.", READ_PLAIN, 0},
    {"process.executable.", READ_PLAIN, 0},
    {"otel.", READ_PLAIN, 0},
};

static bool key_matches(const char *row, const char *key)
{
    size_t n = strlen(row);

    return row[n - 1] == '.' ? strncmp(row, key, n) == 0 : strcmp(row, key) == 0;
}

bool np_otlp_redact_leaves_out(const struct np_otlp_redactor *redactor, const char *key)
{
    for (size_t i = 0; redactor && i < NP_COUNT(readings); i++) {
        bool is_out =
            readings[i].reading == READ_NEVER ||
            (readings[i].reading == READ_LABEL && is_left_out(redactor, readings[i].kind));
        if (is_out && strcmp(readings[i].key, key) == 0)
            return true;
    }
    return false;
}

void np_otlp_redact(const struct np_otlp_redactor *redactor, const char *key, const char *in,
                    size_t n, struct np_otlp_buffer *out)
{
    const struct text text = {in, n};

    for (size_t i = 0; key && i < NP_COUNT(readings); i++) {
        if (!key_matches(readings[i].key, key))
            continue;
        switch (readings[i].reading) {
        case READ_LABEL:
            if (!is_left_out(redactor, readings[i].kind))
                add_word(redactor, readings[i].kind, text, out);
            return;
        case READ_PATH:
            add_path(redactor, text, out);
            return;
        case READ_PLAIN:
            add_labels_replaced(redactor, text, out);
            return;
        case READ_NEVER:
            return;
        }
    }
    add_text(redactor, text, out);
}

/* The key. */

struct np_otlp_redactor *np_otlp_redactor_new(const void *key, size_t n_bytes)
{
    static const char *const purpose[N_KINDS] = {"participant", "session", "name", "site",
                                                 "acquisition"};
    struct np_otlp_redactor *redactor = np_xcalloc(1, sizeof(*redactor));

    for (size_t i = 0; i < N_KINDS; i++)
        np_hmac_sha256(key, n_bytes, purpose[i], strlen(purpose[i]), redactor->key[i]);
    return redactor;
}

void np_otlp_redactor_freep(struct np_otlp_redactor **address)
{
    if (!*address)
        return;
    explicit_bzero(*address, sizeof(**address));
    np_freep(address);
}

static int random_key(uint8_t key[KEY_BYTES], struct np_error *err)
{
    ssize_t got;

    do
        got = getrandom(key, KEY_BYTES, 0);
    while (got < 0 && errno == EINTR);
    if (got != KEY_BYTES)
        return np_error_set(err, NP_EIO, "the system gives no random bytes for a key");
    return 0;
}

/* A whole key or none: written beside its place, then linked to it, which fails when another
 * process was first. In containers many processes of one folder have the same number, so the name
 * beside is random. */
static int make_salt(const char *path, struct np_error *err)
{
    uint8_t key[KEY_BYTES], name[KEY_BYTES];
    uint64_t number;

    NP_TRY(random_key(key, err));
    NP_TRY(random_key(name, err));
    memcpy(&number, name, sizeof(number));
    NP_AUTO(np_freep) char *beside = np_xasprintf("%s.%016" PRIx64 ".tmp", path, number);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot make a key", beside);
    int code = np_fd_write_all(fd, key, sizeof(key));
    int reason = -code;
    if (code == 0 && (fsync(fd) != 0 || (link(beside, path) != 0 && errno != EEXIST))) {
        reason = errno;
        code = -1;
        /* a file system without links */
        if ((reason == EPERM || reason == EOPNOTSUPP) && rename(beside, path) == 0)
            code = 0;
    }
    close(fd);
    unlink(beside);
    if (code != 0)
        return np_error_errno(err, reason, NP_EIO, "'%s': cannot keep a key", path);
    return 0;
}

static int read_salt(const char *path, uint8_t key[KEY_BYTES], bool *is_there, struct np_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    *is_there = fd >= 0 || errno != ENOENT;
    if (fd < 0)
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot read the key", path);
    ssize_t got = read(fd, key, KEY_BYTES);
    close(fd);
    if (got != KEY_BYTES)
        return np_error_set(err, NP_EIO, "'%s': expected a key of %d bytes, found %zd", path,
                            (int)KEY_BYTES, got);
    return 0;
}

static int salt(const char *folder, uint8_t key[KEY_BYTES], struct np_error *err)
{
    NP_AUTO(np_freep) char *path = np_path_join(folder, ".salt");
    bool is_there;

    if (read_salt(path, key, &is_there, NULL) == 0)
        return 0;
    if (!is_there) {
        NP_TRY(np_directory_make(folder, err));
        NP_TRY(make_salt(path, err));
    }
    return read_salt(path, key, &is_there, err);
}

struct np_otlp_redactor *np_otlp_redactor_find(const char *folder)
{
    NP_AUTO(np_freep) char *path = np_path_join(folder, ".salt");
    struct np_otlp_redactor *redactor = NULL;
    uint8_t key[KEY_BYTES];
    bool is_there;

    if (read_salt(path, key, &is_there, NULL) == 0)
        redactor = np_otlp_redactor_new(key, sizeof(key));
    explicit_bzero(key, sizeof(key));
    return redactor;
}

int np_otlp_redactor_open(enum np_naming naming, const char *folder,
                          struct np_otlp_redactor **redactor, struct np_error *err)
{
    uint8_t key[KEY_BYTES];

    if (naming == NP_NAME_LABEL) {
        *redactor = NULL;
        return 0;
    }
    NP_TRY(naming == NP_NAME_HASH ? salt(folder, key, err) : random_key(key, err));
    *redactor = np_otlp_redactor_new(key, sizeof(key));
    (*redactor)->is_none = naming == NP_NAME_NONE;
    explicit_bzero(key, sizeof(key));
    return 0;
}
