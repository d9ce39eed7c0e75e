#include "pipeline/targets.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "codec/sha256.h"
#include "image/nifti.h"
#include "record/derivative_json.h"
#include "record/record.h"

/* All that the parts of the check share. */
struct check {
    const struct np_config *config;
    const struct np_job *job;
    struct np_session_record record; /* the session's, as it was left; it may name nothing */
};

static void check_done(struct check *check)
{
    np_record_done(&check->record);
}

/* Did an attempt end while it put the results of this file in place? Then some may lie there that
 * neither the record nor their sidecars name. */
static bool was_cut_off(const struct check *check, const struct np_job_file *file)
{
    NP_AUTO(np_freep) char *mark = np_record_replacing_of(&check->job->place, file->recorded);

    return np_path_exists(mark);
}

static const struct np_output_record *find_recorded(const struct check *check, const char *path)
{
    for (size_t f = 0; f < check->record.n_files; f++)
        for (size_t k = 0; k < check->record.file[f].n_outputs; k++)
            if (strcmp(check->record.file[f].output[k].path, path) == 0)
                return &check->record.file[f].output[k];
    return NULL;
}

static bool is_kept(const struct check *check, const char *path)
{
    for (size_t f = 0; f < check->record.n_files; f++)
        if (np_strings_have(&check->record.file[f].kept, path))
            return true;
    return false;
}

static bool record_names(const struct check *check, const char *path)
{
    return is_kept(check, path) || find_recorded(check, path);
}

/* The wanted outputs of a file, without their sidecars. */
static void list_images(const struct check *check, size_t file, struct np_strings *paths)
{
    np_job_outputs(&check->job->file[file], check->config, paths);
}

/* ---- two inputs for one output ---- */

static const char *first_common(const struct np_strings *one, const struct np_strings *other)
{
    for (size_t i = 0; i < one->n; i++)
        if (np_strings_have(other, one->item[i]))
            return one->item[i];
    return NULL;
}

static void compare_pair(const struct check *check, size_t i, size_t k, struct np_strings *clashes)
{
    NP_AUTO(np_strings_done) struct np_strings one = {0}, other = {0};

    list_images(check, i, &one);
    list_images(check, k, &other);
    const char *common = first_common(&one, &other);
    if (common)
        np_strings_give(clashes, np_xasprintf("'%s' and '%s' would both write '%s'",
                                              np_path_name(check->job->file[i].recorded),
                                              np_path_name(check->job->file[k].recorded), common));
}

static int check_clashes(const struct check *check, struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings clashes = {0};

    for (size_t i = 0; i < check->job->n_files; i++)
        for (size_t k = i + 1; k < check->job->n_files; k++)
            compare_pair(check, i, k, &clashes);
    if (clashes.n == 0)
        return 0;
    NP_AUTO(np_freep) char *all = np_strings_join(&clashes, "; ", clashes.n);
    return np_error_set(err, NP_ECLASH, "%s", all);
}

/* NP_ETAKEN with all the paths, unless there are none. `why` follows their names. */
static int refuse(const struct np_strings *paths, const char *why, struct np_error *err)
{
    if (paths->n == 0)
        return 0;
    NP_AUTO(np_freep) char *all = np_strings_join(paths, "', '", paths->n);
    return np_error_set(err, NP_ETAKEN, "'%s'%s", all, why);
}

/* ---- files of other people ---- */

/* Our sidecar is a record, too: it names the file that it lies beside by its hash. */
static bool sidecar_names(const char *path, const char *sidecar_path)
{
    struct np_derivative_hashes named;
    char sha256[65];

    return np_derivative_read_hashes(sidecar_path, &named) &&
           (strcmp(path, sidecar_path) == 0 ||
            (np_sha256_file(path, sha256, NULL) == 0 && strcmp(sha256, named.sha256) == 0));
}

static void note_foreign(const struct check *check, const char *relative,
                         const char *relative_sidecar, struct np_strings *foreign)
{
    NP_AUTO(np_freep) char *path = np_path_join(check->config->output_dir, relative);
    NP_AUTO(np_freep) char *sidecar = np_path_join(check->config->output_dir, relative_sidecar);

    if (np_path_is_taken(path) && !record_names(check, relative) && !sidecar_names(path, sidecar))
        np_strings_add(foreign, relative);
}

static int check_foreign(const struct check *check, struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings images = {0}, foreign = {0};

    for (size_t f = 0; f < check->job->n_files; f++)
        if (!was_cut_off(check, &check->job->file[f]))
            list_images(check, f, &images);
    for (size_t i = 0; i < images.n; i++) {
        NP_AUTO(np_freep) char *sidecar = np_derivative_sidecar(images.item[i]);
        note_foreign(check, images.item[i], sidecar, &foreign);
        note_foreign(check, sidecar, sidecar, &foreign);
    }
    return refuse(&foreign,
                  ": no record of ours names what is there, so it is not overwritten; "
                  "move it away, or choose another output folder",
                  err);
}

/* ---- our own masks, edited in place ---- */

/* The hash of the voxels as np_nifti_write_mask records it; false for an empty mask. */
static bool hash_mask(const struct np_image *image, char sha256[65])
{
    size_t n = np_grid_voxels(&image->grid), n_inside = 0;
    NP_AUTO(np_freep) uint8_t *voxel = np_try_malloc(n, 1);

    if (!voxel)
        return false;
    for (size_t i = 0; i < n; i++) {
        voxel[i] = image->voxel[i] > 0.5f;
        n_inside += voxel[i];
    }
    np_sha256_of(voxel, n, sha256);
    return n_inside > 0;
}

/* Editors write the positions anew, from a quaternion or a rotation made orthogonal: they move by
 * less than a part of a voxel. */
static bool is_on_grid_of(const struct np_nifti_info *mask, const char *image_path)
{
    static const double EDITORS_MOVE_MM = 0.2;
    struct np_nifti_info image;

    return np_nifti_read_info(image_path, &image, NULL) == 0 &&
           np_grid_same_within(&mask->grid, &image.grid, EDITORS_MOVE_MM);
}

/* The sidecar tells what was written, whatever became of the record; without it, the record does.
 * After a failed attempt the record has names alone: then nothing proves that a mask is unchanged,
 * and `made` is a hash of nothing. */
static bool hashes_of(const struct check *check, const char *relative,
                      struct np_derivative_hashes *made)
{
    NP_AUTO(np_freep) char *path = np_path_join(check->config->output_dir, relative);
    NP_AUTO(np_freep) char *sidecar = np_derivative_sidecar(path);
    const struct np_output_record *recorded = find_recorded(check, relative);

    if (np_derivative_read_hashes(sidecar, made))
        return true;
    *made = (struct np_derivative_hashes){0};
    if (!recorded)
        return is_kept(check, relative);
    memcpy(made->sha256, recorded->sha256, sizeof(made->sha256));
    memcpy(made->voxel_sha256, recorded->voxel_sha256, sizeof(made->voxel_sha256));
    return true;
}

static bool was_edited(const struct check *check, size_t file, const char *relative)
{
    NP_AUTO(np_freep) char *path = np_path_join(check->config->output_dir, relative);
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    struct np_derivative_hashes made;
    struct np_nifti_info info;
    char sha256[65];

    if (!np_path_exists(path) || !hashes_of(check, relative, &made) ||
        np_sha256_file(path, sha256, NULL) < 0 || strcmp(sha256, made.sha256) == 0)
        return false;
    struct np_nifti_content content;
    return np_nifti_read_volume(path, NULL, &info, &content, &image, NULL) == 0 &&
           is_on_grid_of(&info, check->job->file[file].path) && hash_mask(image, sha256) &&
           strcmp(sha256, made.voxel_sha256) != 0;
}

/* Does the mask of --mask-dir hold what was painted? Then nothing is lost. */
static bool is_given(const struct np_job_file *file, const char *edited)
{
    bool is_copy = file->mask_record.sha256[0]; /* it is the edited file itself */
    NP_AUTO(np_image_freep) struct np_image *one = NULL, *other = NULL;
    char hash[65], other_hash[65];
    struct np_nifti_content content;

    return file->mask && !is_copy &&
           np_nifti_read_volume(edited, NULL, NULL, &content, &one, NULL) == 0 &&
           np_nifti_read_volume(file->mask, NULL, NULL, &content, &other, NULL) == 0 &&
           hash_mask(one, hash) && hash_mask(other, other_hash) && strcmp(hash, other_hash) == 0;
}

static void list_edited(const struct check *check, size_t file, struct np_strings *edited)
{
    NP_AUTO(np_freep) char *relative = np_job_mask(&check->job->file[file]);

    if (!relative || !was_edited(check, file, relative))
        return;
    NP_AUTO(np_freep) char *path = np_path_join(check->config->output_dir, relative);
    if (!is_given(&check->job->file[file], path))
        np_strings_add(edited, relative);
}

static int check_edited(const struct check *check, struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings edited = {0};

    if (check->config->rerun == NP_RERUN_ALL)
        return 0;
    for (size_t f = 0; f < check->job->n_files; f++)
        if (!was_cut_off(check, &check->job->file[f]))
            list_edited(check, f, &edited);
    return refuse(&edited,
                  " was edited since it was made, and a redo would overwrite it; to use "
                  "what you painted, copy it to a folder of masks and give that with "
                  "--mask-dir; --rerun all replaces it",
                  err);
}

int np_targets_check(const struct np_config *config, const struct np_job *job, struct np_error *err)
{
    NP_AUTO(check_done) struct check check = {.config = config, .job = job};

    NP_IGNORE(np_record_read(job->place.status, &check.record, NULL)); /* none names nothing */
    NP_TRY(check_clashes(&check, err));
    NP_TRY(check_foreign(&check, err));
    return check_edited(&check, err);
}

/* ---- what others write while the session is processed ---- */

static void look_at(const struct np_config *config, const char *relative,
                    struct np_targets_seen *seen)
{
    NP_AUTO(np_freep) char *path = np_path_join(config->output_dir, relative);

    np_strings_add(&seen->path, path);
    seen->stamp = np_xrealloc(seen->stamp, seen->path.n * sizeof(*seen->stamp));
    seen->stamp[seen->path.n - 1] = np_path_stamp(path);
}

void np_targets_look(const struct np_config *config, const struct np_job *job,
                     struct np_targets_seen *seen)
{
    NP_AUTO(np_strings_done) struct np_strings images = {0};

    *seen = (struct np_targets_seen){0};
    for (size_t f = 0; f < job->n_files; f++)
        np_job_outputs(&job->file[f], config, &images);
    for (size_t i = 0; i < images.n; i++) {
        NP_AUTO(np_freep) char *sidecar = np_derivative_sidecar(images.item[i]);
        look_at(config, images.item[i], seen);
        look_at(config, sidecar, seen);
    }
}

void np_targets_seen_done(struct np_targets_seen *seen)
{
    np_strings_done(&seen->path);
    free(seen->stamp);
    *seen = (struct np_targets_seen){0};
}

/* True for a path that was looked at and was written since. */
static bool was_written(const struct np_targets_seen *seen, const char *path)
{
    for (size_t i = 0; i < seen->path.n; i++)
        if (strcmp(seen->path.item[i], path) == 0)
            return np_path_is_newer(path, &seen->stamp[i]);
    return false;
}

int np_targets_unchanged(const struct np_targets_seen *seen, const struct np_strings *paths,
                         struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings written = {0};

    for (size_t i = 0; i < paths->n; i++)
        if (was_written(seen, paths->item[i]))
            np_strings_add(&written, paths->item[i]);
    return refuse(&written,
                  ": written by another program while this session was processed, so "
                  "not overwritten; to use a mask that you painted, copy it to a folder of "
                  "masks and give that with --mask-dir; --rerun all replaces it",
                  err);
}
