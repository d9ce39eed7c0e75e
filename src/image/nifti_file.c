#include "image/nifti_file.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "image/nifti_convert.h"

enum { CHUNK = 2 << 20 };

void np_nifti_file_done(struct np_nifti_file *file)
{
    np_source_freep(&file->source);
    np_freep(&file->raw);
    np_freep(&file->path);
}

enum member { MEMBER_NONE, MEMBER_HEADER, MEMBER_IMAGE };

static const char *const member_suffix[] = {"", ".hdr", ".img"};

/* The half of a pair that a name stands for; *n_stem is the length of the part before the
 * suffix. */
static enum member member_of(const char *path, size_t *n_stem)
{
    size_t n = strlen(path) - (np_ends_with(path, ".gz") ? 3 : 0);

    for (enum member m = MEMBER_HEADER; m <= MEMBER_IMAGE; m++)
        if (n > 4 && memcmp(path + n - 4, member_suffix[m], 4) == 0) {
            *n_stem = n - 4;
            return m;
        }
    return MEMBER_NONE;
}

/* Name of a half of the pair that `path` belongs to: gzipped or not as it is on disk, else as
 * `path` is. The caller frees. */
static char *member_path(const char *path, size_t n_stem, enum member wanted)
{
    bool gzipped = np_ends_with(path, ".gz");
    char *name = NULL;

    for (int attempt = 0; attempt < 3; attempt++) {
        free(name);
        name = np_xasprintf("%.*s%s%s", (int)n_stem, path, member_suffix[wanted],
                            (attempt % 2 == 1) != gzipped ? ".gz" : "");
        if (np_path_exists(name))
            break;
    }
    return name;
}

char *np_nifti_data_path(const char *path)
{
    size_t n_stem;

    return member_of(path, &n_stem) == MEMBER_HEADER ? member_path(path, n_stem, MEMBER_IMAGE)
                                                     : np_xstrdup(path);
}

/* The header's bytes, as many as its kind has, or as there are. */
static int read_header(struct np_source *source, uint8_t header[NP_NIFTI2_BYTES], size_t *n_header,
                       struct np_error *err)
{
    size_t n, more = 0;

    NP_TRY(np_source_read(source, header, NP_NIFTI1_BYTES, &n, err));
    if (n == NP_NIFTI1_BYTES && np_nifti_header_bytes(header, n) == NP_NIFTI2_BYTES)
        NP_TRY(np_source_read(source, header + n, NP_NIFTI2_BYTES - NP_NIFTI1_BYTES, &more, err));
    *n_header = n + more;
    return 0;
}

static int parse_header(const char *path, struct np_nifti_file *file, struct np_error *err)
{
    uint8_t header[NP_NIFTI2_BYTES];
    size_t n;

    NP_TRY(read_header(file->source, header, &n, err));
    file->position = (int64_t)n;
    if (np_nifti_header_bytes(header, n) == 0)
        return np_nifti_refuse(path, np_source_gzipped(file->source) ? "gzipped " : "", header, n,
                               err);
    return np_nifti_parse(path, header, n, &file->info, &file->layout, err);
}

static int check_pairing(const char *path, enum member member, bool is_pair, struct np_error *err)
{
    if (is_pair == (member != MEMBER_NONE))
        return 0;
    if (is_pair)
        return np_error_set(err, NP_EFORMAT,
                            "'%s': expected a single-file image (magic 'n+1'), found the header of "
                            "a pair (magic 'ni1'); name it .hdr beside its .img, or convert it",
                            path);
    return np_error_set(err, NP_EFORMAT,
                        "'%s': expected the header of a pair (magic 'ni1'), found a single-file "
                        "image (magic 'n+1'); name it .nii",
                        path);
}

static int64_t volume_bytes(const struct np_nifti_file *file)
{
    return (int64_t)np_grid_voxels(&file->info.grid) * file->info.bytes_per_voxel;
}

/* Compare the header's sizes with the limit of the deflate format before memory is allocated. */
static int check_claim(const char *path, const struct np_nifti_file *file, struct np_error *err)
{
    int64_t claim = file->layout.offset + file->layout.n_data_bytes;
    int64_t most = np_source_most_bytes(file->source), n_volumes = file->info.grid.n[3];

    if (claim <= most)
        return 0;
    if (file->info.gzipped)
        return np_error_set(err, NP_ETRUNCATED,
                            "'%s': expected %lld bytes by its header, found a gzip file of %lld "
                            "bytes, which cannot hold them; fetch or convert the image again",
                            path, (long long)claim, (long long)file->info.file_bytes);
    if (n_volumes > 1)
        return np_error_set(err, NP_ETRUNCATED,
                            "'%s': expected %lld bytes by its header (%lld volumes), found %lld "
                            "(%lld whole volumes); fetch or convert the image again",
                            path, (long long)claim, (long long)n_volumes, (long long)most,
                            most > file->layout.offset
                                ? (long long)((most - file->layout.offset) / volume_bytes(file))
                                : 0);
    return np_error_set(err, NP_ETRUNCATED,
                        "'%s': expected %lld bytes by its header, found %lld%s; fetch or convert "
                        "the image again",
                        path, (long long)claim, (long long)file->info.file_bytes,
                        file->position >= file->info.file_bytes ? " (nothing but the header)" : "");
}

int np_nifti_file_open(const char *path, struct np_nifti_file *file, struct np_error *err)
{
    size_t n_stem = 0;
    enum member member = member_of(path, &n_stem);
    NP_AUTO(np_freep)
    char *header_path =
        member == MEMBER_IMAGE ? member_path(path, n_stem, MEMBER_HEADER) : np_xstrdup(path);
    NP_AUTO(np_freep) char *data_path = np_nifti_data_path(path);

    file->path = np_xstrdup(path);
    NP_TRY(np_source_open(header_path, &file->source, err));
    NP_TRY(parse_header(header_path, file, err));
    NP_TRY(check_pairing(header_path, member, file->layout.is_pair, err));
    if (file->layout.is_pair) {
        np_source_freep(&file->source);
        NP_TRY(np_source_open(data_path, &file->source, err));
        file->position = 0;
    }
    file->info.gzipped = np_source_gzipped(file->source);
    file->info.file_bytes = np_source_file_bytes(file->source);
    return check_claim(data_path, file, err);
}

int np_nifti_file_check_scaling(const struct np_nifti_file *file, struct np_error *err)
{
    const struct np_nifti_info *info = &file->info;

    if (isfinite(info->scl_slope) && isfinite(info->scl_inter))
        return 0;
    return np_error_set(err, NP_EVALUE,
                        "'%s': expected finite scaling, found slope %g and intercept %g; correct "
                        "the header or convert the image again",
                        file->path, info->scl_slope, info->scl_inter);
}

static int refuse_short(const struct np_nifti_file *file, struct np_error *err)
{
    long long claim = file->layout.offset + file->layout.n_data_bytes;

    return np_error_set(err, NP_ETRUNCATED,
                        "'%s': expected %lld bytes by its header, found %lld; the file was cut: "
                        "fetch or convert it again",
                        file->path, claim, (long long)file->position);
}

static int go_to(struct np_nifti_file *file, int64_t position, const struct np_exec *exec,
                 struct np_error *err)
{
    int64_t n;

    if (position < file->position) {
        NP_TRY(np_source_rewind(file->source, err));
        file->position = 0;
    }
    NP_TRY(np_source_skip(file->source, position - file->position, exec, &n, err));
    file->position += n;
    return file->position < position ? refuse_short(file, err) : 0;
}

int np_nifti_file_seek(struct np_nifti_file *file, int64_t volume, const struct np_exec *exec,
                       struct np_error *err)
{
    assert(volume >= 0 && volume < file->info.grid.n[3]);
    return go_to(file, file->layout.offset + volume * volume_bytes(file), exec, err);
}

/*
 * A gzip stream cannot be inflated in parallel, so inflating must not wait: while one chunk is
 * read, another task converts the previous chunk.
 */
enum { TASK_READ, TASK_CONVERT, N_TASKS };

struct reading {
    struct np_nifti_file *file;
    int64_t n_voxels, n_chunk;
    int64_t step;    /* chunk `step` is read, the one before converted */
    uint8_t *stored; /* where all voxels go as they are; NULL when floats are made */
    float *voxel;    /* where the floats go */
    struct np_nifti_seen *seen;
    size_t n_read;
    int code; /* of the read */
    struct np_error error;
};

/* Voxels of a chunk: 0 for those before the first and after the last. */
static int64_t chunk_voxels(const struct reading *r, int64_t chunk)
{
    int64_t left = r->n_voxels - chunk * r->n_chunk;

    if (chunk < 0 || left <= 0)
        return 0;
    return left < r->n_chunk ? left : r->n_chunk;
}

static size_t chunk_bytes(const struct reading *r, int64_t chunk)
{
    return (size_t)(chunk_voxels(r, chunk) * r->file->info.bytes_per_voxel);
}

/* Where a chunk is read to: its place, or one of two buffers in turns. */
static uint8_t *chunk_raw(const struct reading *r, int64_t chunk)
{
    int64_t n_bytes = r->n_chunk * r->file->info.bytes_per_voxel;

    return r->stored ? r->stored + chunk * n_bytes : r->file->raw + chunk % 2 * n_bytes;
}

static void convert_chunk(const struct reading *r, int64_t chunk)
{
    const struct np_nifti_info *info = &r->file->info;
    int64_t n = chunk_voxels(r, chunk);

    if (n == 0)
        return;
    if (r->stored)
        np_nifti_to_native(info, chunk_raw(r, chunk), n);
    else
        np_nifti_convert(info, chunk_raw(r, chunk), n, r->voxel + chunk * r->n_chunk, r->seen);
}

static void read_step(void *context, int64_t task)
{
    struct reading *r = context;

    if (task == TASK_CONVERT)
        convert_chunk(r, r->step - 1);
    else if (chunk_bytes(r, r->step) > 0)
        r->code = np_source_read(r->file->source, chunk_raw(r, r->step), chunk_bytes(r, r->step),
                                 &r->n_read, &r->error);
}

static int read_steps(struct reading *r, const struct np_exec *exec, struct np_error *err)
{
    int64_t n_steps = (r->n_voxels + r->n_chunk - 1) / r->n_chunk + 1;

    for (r->step = 0; r->step < n_steps; r->step++) {
        NP_TRY(np_exec_check(exec, err));
        r->n_read = 0;
        np_exec_run(exec, N_TASKS, read_step, r);
        if (r->code < 0)
            return np_error_set(err, r->code, "%s", r->error.text);
        r->file->position += (int64_t)r->n_read;
        if (r->n_read < chunk_bytes(r, r->step))
            return refuse_short(r->file, err);
    }
    return 0;
}

static struct reading reading_of(struct np_nifti_file *file)
{
    int64_t n_voxels = (int64_t)np_grid_voxels(&file->info.grid);
    int64_t most = CHUNK / file->info.bytes_per_voxel;

    return (struct reading){
        .file = file, .n_voxels = n_voxels, .n_chunk = most < n_voxels ? most : n_voxels};
}

/* Go to the volume and read it; with several volumes, an error names the volume. */
static int read_at(struct reading *r, int64_t volume, const struct np_exec *exec,
                   struct np_error *err)
{
    struct np_nifti_file *file = r->file;
    int64_t n = file->info.grid.n[3];

    int code = np_nifti_file_seek(file, volume, exec, err);
    if (code == 0)
        code = read_steps(r, exec, err);
    if (code < 0 && n > 1)
        np_error_context(err, "volume %lld of %lld", (long long)volume + 1, (long long)n);
    return code;
}

int np_nifti_file_read(struct np_nifti_file *file, int64_t volume, const struct np_exec *exec,
                       float *voxel, struct np_nifti_seen *seen, struct np_error *err)
{
    struct reading reading = reading_of(file);

    if (!file->raw)
        file->raw = np_try_malloc(2 * (size_t)reading.n_chunk, (size_t)file->info.bytes_per_voxel);
    if (!file->raw)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for a buffer of %d MiB", file->path,
                            2 * CHUNK >> 20);
    reading.voxel = voxel;
    reading.seen = seen;
    return read_at(&reading, volume, exec, err);
}

int np_nifti_file_read_stored(struct np_nifti_file *file, int64_t volume,
                              const struct np_exec *exec, void *voxel, struct np_error *err)
{
    struct reading reading = reading_of(file);

    reading.stored = voxel;
    return read_at(&reading, volume, exec, err);
}

int np_nifti_file_finish(struct np_nifti_file *file, const struct np_exec *exec,
                         int64_t *n_extra_bytes, char sha256[NP_SHA256_HEX], struct np_error *err)
{
    int64_t end = file->layout.offset + file->layout.n_data_bytes, n_left;

    if (file->position < end)
        NP_TRY(go_to(file, end, exec, err));
    NP_TRY(np_source_finish(file->source, exec, &n_left, sha256, err));
    *n_extra_bytes = file->position - end + n_left;
    file->position += n_left;
    return 0;
}
