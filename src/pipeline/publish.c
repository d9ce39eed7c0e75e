#include "pipeline/publish.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "codec/sha256.h"
#include "image/orient.h"
#include "record/derivative_json.h"
#include "record/description.h"
#include "stages/stage.h"

enum { MOST_OUTPUTS = 8 };

/* Files written under temporary names, waiting to be renamed together. */
struct batch {
    struct np_atomic_file file[MOST_OUTPUTS];
    size_t n;
};

static void batch_done(struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        np_atomic_done(&batch->file[i]);
    batch->n = 0;
}

/* All that the parts of publishing share. */
struct publication {
    const struct np_config *config;
    const char *root;
    const struct np_job_file *file;
    struct np_work *work;
    const struct np_exec *exec;
    struct np_file_record *record;
    struct batch batch;
    char *preproc_path, *mask_path, *source_prefix;
};

static void publication_done(struct publication *p)
{
    batch_done(&p->batch);
    free(p->preproc_path);
    free(p->mask_path);
    free(p->source_prefix);
}

static int open_target(struct publication *p, const char *relative, struct np_atomic_file **file,
                       struct np_error *err)
{
    NP_AUTO(np_freep) char *path = np_path_join(p->config->output_dir, relative);
    NP_AUTO(np_freep) char *folder = np_path_directory(path);

    assert(p->batch.n < MOST_OUTPUTS);
    NP_TRY(np_directory_make(folder, err));
    *file = &p->batch.file[p->batch.n];
    NP_TRY(np_atomic_open(*file, path, err));
    p->batch.n++;
    return 0;
}

static int write_sidecar(struct publication *p, enum np_derivative kind, const char *image_path,
                         size_t output_index, struct np_error *err)
{
    NP_AUTO(np_freep) char *relative = np_derivative_sidecar(image_path);
    const struct np_derivative_facts facts = {
        .kind = kind,
        .root = p->root,
        .scan = p->file->scan,
        .source_prefix = p->source_prefix,
        .file = p->record,
        .output = &p->record->output[output_index],
        .preproc_path = p->preproc_path,
        .mask_path = p->mask_path,
        .skull_stripped_input = p->work->already_stripped,
    };
    /* Broken sidecars of the source were named once already, when the file's work began. */
    NP_AUTO(np_freep) char *text = np_derivative_json(&facts, NULL);
    struct np_atomic_file *file;

    NP_TRY(open_target(p, relative, &file, err));
    NP_TRY(np_atomic_write(file, text, strlen(text), err));
    NP_TRY(np_atomic_finish(file, err));
    struct np_output_record *output = np_file_record_output(p->record, relative);
    output->n_bytes = (int64_t)strlen(text);
    np_sha256_of(text, strlen(text), output->sha256);
    return 0;
}

static int note_written(struct publication *p, enum np_derivative kind, const char *relative,
                        const struct np_nifti_written *written, struct np_error *err)
{
    size_t index = p->record->n_outputs;
    struct np_output_record *output = np_file_record_output(p->record, relative);

    output->n_bytes = written->n_bytes;
    memcpy(output->sha256, written->sha256, sizeof(output->sha256));
    memcpy(output->voxel_sha256, written->voxel_sha256, sizeof(output->voxel_sha256));
    return write_sidecar(p, kind, relative, index, err);
}

/* `image` is in RAS order and is released on the way: two copies of a volume are enough. */
static int to_native(const struct publication *p, const char *relative, struct np_image **image,
                     struct np_image **native, struct np_error *err)
{
    const struct np_grid *grid = &p->work->info.grid;

    *native = np_grid_is_ras(grid) ? *image : np_image_from_ras(*image, grid, p->exec);
    if (!*native)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for %zu MiB to write it", relative,
                            np_grid_mib(grid));
    if (*native == *image) {
        (*native)->grid = *grid;
        *image = NULL;
    }
    np_image_freep(image);
    return 0;
}

static int write_image(struct publication *p, enum np_derivative kind, struct np_image **image,
                       const char *description, struct np_error *err)
{
    const struct np_nifti_output how = {.like = &p->work->info, .description = description};
    NP_AUTO(np_freep) char *relative = np_job_output(p->file, kind);
    NP_AUTO(np_image_freep) struct np_image *native = NULL;
    struct np_atomic_file *file;
    struct np_nifti_written written;

    NP_TRY(to_native(p, relative, image, &native, err));
    NP_TRY(open_target(p, relative, &file, err));
    NP_TRY(np_nifti_write_image(file->path, file->temporary, native, &how, p->exec, &written, err));
    return note_written(p, kind, relative, &written, err);
}

static int write_mask(struct publication *p, struct np_error *err)
{
    const struct np_nifti_output how = {.like = &p->work->info, .description = "brain mask"};
    NP_AUTO(np_freep) char *relative = np_job_output(p->file, NP_DERIVATIVE_MASK);
    NP_AUTO(np_mask_freep)
    struct np_mask *native = np_mask_from_ras(p->work->brain, &p->work->info.grid, p->exec);
    struct np_atomic_file *file;
    struct np_nifti_written written;

    if (!native)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for the mask", relative);
    NP_TRY(open_target(p, relative, &file, err));
    NP_TRY(np_nifti_write_mask(file->path, file->temporary, native, &how, p->exec, &written, err));
    return note_written(p, NP_DERIVATIVE_MASK, relative, &written, err);
}

static int write_all(struct publication *p, struct np_error *err)
{
    struct np_work *work = p->work;

    if (p->config->save_bias_field && work->field) {
        np_field_to_factor(work->field);
        NP_TRY(write_image(p, NP_DERIVATIVE_BIASFIELD, &work->field, "bias field", err));
    }
    NP_TRY(write_image(p, NP_DERIVATIVE_PREPROC, &work->flat, "bias-corrected", err));
    if (work->norm && p->config->level == NP_LEVEL_FULL)
        NP_TRY(write_image(p, NP_DERIVATIVE_NORM, &work->norm, "brain, normalized", err));
    return write_mask(p, err);
}

/* What could make a rename fail half-way is asked before the first one. */
static int check_targets(const struct batch *batch, struct np_error *err)
{
    for (size_t i = 0; i < batch->n; i++)
        if (np_path_is_directory(batch->file[i].path))
            return np_error_set(err, NP_ECREATE,
                                "'%s': expected a file or nothing there, found a folder; remove it",
                                batch->file[i].path);
    return 0;
}

int np_publish(const struct np_config *config, const char *root, const struct np_job_file *file,
               struct np_work *work, const struct np_exec *exec, struct np_file_record *record,
               struct np_error *err)
{
    NP_AUTO(publication_done)
    struct publication p = {
        .config = config,
        .root = root,
        .file = file,
        .work = work,
        .exec = exec,
        .record = record,
        .preproc_path = np_job_output(file, NP_DERIVATIVE_PREPROC),
        .mask_path = np_job_output(file, NP_DERIVATIVE_MASK),
        .source_prefix = np_description_source_prefix(&config->dataset_links),
    };

    int code = write_all(&p, err);
    if (code == 0)
        code = np_exec_check(exec, err);
    if (code == 0)
        code = check_targets(&p.batch, err);
    /* All of them to the disk first:
     * then little time passes between the first rename and the last. */
    for (size_t i = 0; i < p.batch.n && code == 0; i++)
        code = np_atomic_finish(&p.batch.file[i], err);
    for (size_t i = 0; i < p.batch.n && code == 0; i++)
        code = np_atomic_commit(&p.batch.file[i], err);
    if (code < 0)
        np_file_record_drop_outputs(record);
    return code;
}
