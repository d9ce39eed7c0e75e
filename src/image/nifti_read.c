/*
 * Reading: open the file that holds the header, check the header, open the file that holds the
 * voxels (often the same), check that it can hold what the header claims; only then ask for memory.
 */
#include "image/nifti_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "image/nifti_convert.h"

enum { CHUNK = 2 << 20 };

void np_nifti_opened_done(struct np_nifti_opened *file)
{
    np_source_freep(&file->source);
}

enum member { MEMBER_NONE, MEMBER_HEADER, MEMBER_IMAGE };

static const char *const member_suffix[] = {"", ".hdr", ".img"};

/* Which half of a pair a name stands for; *n_stem is the length of what comes before the suffix. */
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

static int parse_header(const char *path, struct np_nifti_opened *file, struct np_error *err)
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

/* Deflate's limit makes lies of headers visible before memory is asked for. */
static int check_claim(const char *path, const struct np_nifti_opened *file, struct np_error *err)
{
    int64_t claim = file->layout.offset + file->layout.n_data_bytes;
    int64_t most = np_source_most_bytes(file->source);

    if (claim <= most)
        return 0;
    if (file->info.gzipped)
        return np_error_set(err, NP_ETRUNCATED,
                            "'%s': expected %lld bytes by its header, found a gzip file of %lld "
                            "bytes, which cannot hold them; fetch or convert the image again",
                            path, (long long)claim, (long long)file->info.file_bytes);
    return np_error_set(err, NP_ETRUNCATED,
                        "'%s': expected %lld bytes by its header, found %lld%s; fetch or convert "
                        "the image again",
                        path, (long long)claim, (long long)file->info.file_bytes,
                        file->position >= file->info.file_bytes ? " (nothing but the header)" : "");
}

int np_nifti_open(const char *path, struct np_nifti_opened *file, struct np_error *err)
{
    size_t n_stem = 0;
    enum member member = member_of(path, &n_stem);
    NP_AUTO(np_freep)
    char *header_path =
        member == MEMBER_IMAGE ? member_path(path, n_stem, MEMBER_HEADER) : np_xstrdup(path);
    NP_AUTO(np_freep) char *data_path = np_nifti_data_path(path);

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

int np_nifti_read_info(const char *path, struct np_nifti_info *info, struct np_error *err)
{
    NP_AUTO(np_nifti_opened_done) struct np_nifti_opened file = {0};

    NP_TRY(np_nifti_open(path, &file, err));
    *info = file.info;
    return 0;
}

static int check_one_volume(const char *path, const struct np_nifti_info *info,
                            struct np_error *err)
{
    const int64_t *n = info->grid.n;

    if (n[3] > 1)
        return np_error_set(err, NP_EDIMENSION,
                            "'%s': expected one 3-D volume, found %lld volumes; take one of them, "
                            "or their mean",
                            path, (long long)n[3]);
    if (n[0] == 1 || n[1] == 1 || n[2] == 1)
        return np_error_set(err, NP_EDIMENSION,
                            "'%s': expected a 3-D volume, found %lld x %lld x %lld voxels; one "
                            "slice is not enough",
                            path, (long long)n[0], (long long)n[1], (long long)n[2]);
    if (!isfinite(info->scl_slope) || !isfinite(info->scl_inter))
        return np_error_set(err, NP_EVALUE,
                            "'%s': expected finite scaling, found slope %g and intercept %g; mend "
                            "the header or convert the image again",
                            path, info->scl_slope, info->scl_inter);
    return 0;
}

static int refuse_short(const char *path, const struct np_nifti_opened *file, int64_t n_found,
                        struct np_error *err)
{
    long long claim = file->layout.offset + file->layout.n_data_bytes;

    return np_error_set(err, NP_ETRUNCATED,
                        "'%s': expected %lld bytes by its header, found %lld; the file was cut: "
                        "fetch or convert it again",
                        path, claim, (long long)n_found);
}

int np_nifti_skip_to_voxels(const char *path, struct np_nifti_opened *file,
                            const struct np_exec *exec, struct np_error *err)
{
    int64_t gap = file->layout.offset - file->position, n;

    NP_TRY(np_source_skip(file->source, gap, exec, &n, err));
    file->position += n;
    return n < gap ? refuse_short(path, file, file->position, err) : 0;
}

/*
 * Inflating has no parallel form, so it must not wait: while one chunk is read, another task
 * converts the chunk before it.
 */
enum { TASK_READ, TASK_CONVERT, N_TASKS };

struct reading {
    struct np_nifti_opened *file;
    uint8_t *raw[2]; /* in turns */
    int64_t n_voxels, n_chunk;
    int64_t step; /* chunk `step` is read, the one before converted */
    size_t n_read;
    float *voxel;
    struct np_nifti_seen *seen;
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

static void read_step(void *context, int64_t task)
{
    struct reading *r = context;
    int64_t before = r->step - 1, n_before = chunk_voxels(r, before);

    if (task == TASK_READ && chunk_bytes(r, r->step) > 0)
        r->code = np_source_read(r->file->source, r->raw[r->step % 2], chunk_bytes(r, r->step),
                                 &r->n_read, &r->error);
    if (task == TASK_CONVERT && n_before > 0)
        np_nifti_convert(&r->file->info, r->raw[before % 2], n_before,
                         r->voxel + before * r->n_chunk, r->seen);
}

static int read_steps(const char *path, struct reading *r, const struct np_exec *exec,
                      struct np_error *err)
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
            return refuse_short(path, r->file, r->file->position, err);
    }
    return 0;
}

static int read_voxels(const char *path, struct np_nifti_opened *file, const struct np_exec *exec,
                       float *voxel, struct np_nifti_seen *seen, struct np_error *err)
{
    int64_t n_voxels = (int64_t)np_grid_voxels(&file->info.grid);
    int64_t size = file->info.bytes_per_voxel;
    int64_t n_chunk = CHUNK / size < n_voxels ? CHUNK / size : n_voxels;
    NP_AUTO(np_freep) uint8_t *raw = np_try_malloc(2 * (size_t)n_chunk, (size_t)size);

    if (!raw)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for a buffer of %d MiB", path,
                            2 * CHUNK >> 20);
    struct reading reading = {.file = file,
                              .raw = {raw, raw + n_chunk * size},
                              .n_voxels = n_voxels,
                              .n_chunk = n_chunk,
                              .voxel = voxel,
                              .seen = seen};
    return read_steps(path, &reading, exec, err);
}

int np_nifti_read_volume(const char *path, const struct np_exec *exec, struct np_nifti_info *info,
                         struct np_nifti_content *content, struct np_image **image,
                         struct np_error *err)
{
    NP_AUTO(np_nifti_opened_done) struct np_nifti_opened file = {0};
    NP_AUTO(np_image_freep) struct np_image *made = NULL;
    struct np_nifti_seen seen = {0, INFINITY, -INFINITY};
    struct np_nifti_content found = {0};

    NP_TRY(np_nifti_open(path, &file, err));
    NP_TRY(check_one_volume(path, &file.info, err));
    made = np_image_new(&file.info.grid);
    if (!made)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for its %zu MiB of voxels", path,
                            np_grid_mib(&file.info.grid));
    NP_TRY(np_nifti_skip_to_voxels(path, &file, exec, err));
    NP_TRY(read_voxels(path, &file, exec, made->voxel, &seen, err));
    NP_TRY(np_source_finish(file.source, exec, &found.n_extra_bytes, found.sha256, err));
    bool none = seen.minimum > seen.maximum; /* not one finite voxel */
    found.n_nonfinite = seen.n_nonfinite;
    found.minimum = none ? 0 : seen.minimum;
    found.maximum = none ? 0 : seen.maximum;
    if (info)
        *info = file.info;
    *content = found;
    *image = made;
    made = NULL;
    return 0;
}
