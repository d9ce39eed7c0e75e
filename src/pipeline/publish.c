#include "pipeline/publish.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "codec/sha256.h"
#include "image/orient.h"
#include "record/derivative_json.h"
#include "record/description.h"
#include "stages/stage.h"

/* Files written under temporary names, waiting to be renamed together. */
struct batch {
    struct np_atomic_file *file;
    size_t n;
};

static void batch_done(struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        np_atomic_done(&batch->file[i]);
    free(batch->file);
    *batch = (struct batch){0};
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
    char *source_prefix, *options;
    bool is_int16; /* the images in the source's units are written as int16 */
    double slope;
};

static void publication_done(struct publication *p)
{
    batch_done(&p->batch);
    free(p->source_prefix);
    free(p->options);
}

/* `*file` is valid until the next one is opened. */
static int open_target(struct publication *p, const char *relative, struct np_atomic_file **file,
                       struct np_error *err)
{
    NP_AUTO(np_freep) char *path = np_path_join(p->config->output_dir, relative);
    NP_AUTO(np_freep) char *folder = np_path_directory(path);
    struct batch *batch = &p->batch;

    NP_TRY(np_directory_make(folder, err));
    batch->file = np_xrealloc(batch->file, (batch->n + 1) * sizeof(*batch->file));
    *file = &batch->file[batch->n];
    NP_TRY(np_atomic_open(*file, path, err));
    batch->n++;
    return 0;
}

/* The paths of the outputs that this one was made of: those that hold a slot as the stages left it. */
static void list_origins(const struct publication *p, const struct np_output *output,
                         struct np_strings *paths)
{
    const struct np_recipe *recipe = p->file->recipe;

    for (size_t i = 0; i < recipe->n_outputs; i++)
        if (recipe->output[i].slot & output->made_of && !recipe->output[i].prepare)
            np_strings_give(paths, np_job_output(p->file, &recipe->output[i]));
}

static int write_sidecar(struct publication *p, const struct np_output *output,
                         const char *image_path, size_t index, struct np_error *err)
{
    NP_AUTO(np_freep) char *relative = np_derivative_sidecar(image_path);
    NP_AUTO(np_strings_done) struct np_strings made_of = {0};
    NP_AUTO(np_strings_done) struct np_strings header_warnings = {0};
    const struct np_derivative_facts facts = {
        .derivative = &output->file,
        .root = p->root,
        .scan = p->file->scan,
        .source_prefix = p->source_prefix,
        .options = p->options,
        .file = p->record,
        .output = &p->record->output[index],
        .made_of = &made_of,
        .header_warnings = &header_warnings,
        .skull_stripped_input = p->work->already_stripped,
    };
    struct np_atomic_file *file;

    list_origins(p, output, &made_of);
    np_nifti_doubts(&p->work->info, &header_warnings);
    /* Broken sidecars of the source were named once already, when the file's work began. */
    NP_AUTO(np_freep) char *text = np_derivative_json(&facts, NULL);
    NP_TRY(open_target(p, relative, &file, err));
    NP_TRY(np_atomic_write(file, text, strlen(text), err));
    NP_TRY(np_atomic_finish(file, err));
    struct np_output_record *record = np_file_record_output(p->record, relative);
    record->n_bytes = (int64_t)strlen(text);
    np_sha256_of(text, strlen(text), record->sha256);
    return 0;
}

static int note_written(struct publication *p, const struct np_output *output, const char *relative,
                        const struct np_nifti_written *written, struct np_error *err)
{
    size_t index = p->record->n_outputs;
    struct np_output_record *record = np_file_record_output(p->record, relative);

    record->n_bytes = written->n_bytes;
    memcpy(record->sha256, written->sha256, sizeof(record->sha256));
    memcpy(record->voxel_sha256, written->voxel_sha256, sizeof(record->voxel_sha256));
    bool has_sidecar = output->file.description[NP_USUALLY];
    return has_sidecar ? write_sidecar(p, output, relative, index, err) : 0;
}

/* The slots that the outputs after this one are made from. */
static unsigned needed_after(const struct publication *p, const struct np_output *output)
{
    const struct np_recipe *recipe = p->file->recipe;
    unsigned slots = 0;

    for (output++; output < recipe->output + recipe->n_outputs; output++)
        if (np_output_is_wanted(output, p->config))
            slots |= output->slot | output->reads;
    return slots;
}

/* Two copies of a volume are enough: a slot goes as soon as it is not needed any more. */
static void release(struct publication *p, const struct np_output *output)
{
    np_work_release(p->work, output->slot & ~needed_after(p, output));
}

/* `*turned` is NULL when the image lies in the file's order already. */
static int turn_to_native(const struct publication *p, const char *relative,
                          const struct np_image *image, struct np_image **turned,
                          struct np_error *err)
{
    const struct np_grid *grid = &p->work->info.grid;

    *turned = NULL;
    if (np_grid_is_ras(grid))
        return 0;
    *turned = np_image_from_ras(image, grid, p->exec);
    return *turned ? 0
                   : np_error_set(err, NP_ENOMEM, "'%s': no memory for %zu MiB to write it",
                                  relative, np_grid_mib(grid));
}

static int write_image(struct publication *p, const struct np_output *output, const char *relative,
                       struct np_nifti_written *written, struct np_error *err)
{
    const struct np_nifti_output how = {.like = &p->work->info, .description = output->header_text};
    NP_AUTO(np_image_freep)
    struct np_image *drawn = output->draw_image ? output->draw_image(p->work, p->exec) : NULL;
    const struct np_image *image =
        output->draw_image ? drawn : *np_work_image(p->work, output->slot);
    if (!image)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory to draw it", relative);
    bool is_int16 = output->format == NP_OUTPUT_INTENSITIES && p->is_int16;
    struct np_image native = {p->work->info.grid, image->voxel};
    NP_AUTO(np_image_freep) struct np_image *turned = NULL;
    struct np_atomic_file *file;

    NP_TRY(turn_to_native(p, relative, image, &turned, err));
    if (turned) {
        native.voxel = turned->voxel;
        release(p, output);
    }
    NP_TRY(open_target(p, relative, &file, err));
    return is_int16 ? np_nifti_write_int16(file->path, file->temporary, &native, p->slope, &how,
                                           p->exec, written, err)
                    : np_nifti_write_image(file->path, file->temporary, &native, &how, p->exec,
                                           written, err);
}

static int write_uint8(struct publication *p, const struct np_output *output, const char *relative,
                       struct np_nifti_written *written, struct np_error *err)
{
    const struct np_nifti_output how = {.like = &p->work->info, .description = output->header_text};
    NP_AUTO(np_mask_freep)
    struct np_mask *drawn = output->draw_labels ? output->draw_labels(p->work, p->exec) : NULL;
    const struct np_mask *mask = output->draw_labels ? drawn : *np_work_mask(p->work, output->slot);
    NP_AUTO(np_mask_freep)
    struct np_mask *native = mask ? np_mask_from_ras(mask, &p->work->info.grid, p->exec) : NULL;
    struct np_atomic_file *file;

    if (!native)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for the mask", relative);
    release(p, output);
    NP_TRY(open_target(p, relative, &file, err));
    return np_nifti_write_mask(file->path, file->temporary, native, &how, p->exec, written, err);
}

/* Each writes what the output's slot holds. */
static int (*const writers[])(struct publication *p, const struct np_output *output,
                              const char *relative, struct np_nifti_written *written,
                              struct np_error *err) = {
    [NP_OUTPUT_FLOAT32] = write_image,
    [NP_OUTPUT_INTENSITIES] = write_image,
    [NP_OUTPUT_UINT8] = write_uint8,
};

static int write_output(struct publication *p, const struct np_output *output, struct np_error *err)
{
    NP_AUTO(np_freep) char *relative = np_job_output(p->file, output);
    struct np_nifti_written written;

    if (output->prepare)
        output->prepare(p->work);
    NP_TRY(writers[output->format](p, output, relative, &written, err));
    release(p, output);
    return note_written(p, output, relative, &written, err);
}

/*
 * Decide on int16, for the head whole: so desc-brain is desc-preproc inside the mask in this form,
 * too. A head that int16 cannot hold, or only coarsely, is written as float32.
 */
static int choose_datatype(struct publication *p, struct np_error *err)
{
    struct np_work *work = p->work;
    double range;

    p->is_int16 = p->config->output_datatype == NP_DATATYPE_INT16 && work->flat;
    if (!p->is_int16)
        return 0;
    p->is_int16 = np_nifti_int16_slope(work->flat, &p->slope);
    if (!p->is_int16) {
        np_work_warn(work, NP_WARNING_DATATYPE_FLOAT32,
                     "'%s': written as float32: int16 cannot hold values that are not finite, or "
                     "all of them as small as these",
                     work->path);
        return 0;
    }
    NP_TRY(np_steps_are_fine(work, p->slope, p->exec, &range, &p->is_int16, err));
    if (!p->is_int16)
        np_work_warn(work, NP_WARNING_DATATYPE_FLOAT32,
                     "'%s': written as float32: the largest values would make the steps of int16 "
                     "%.3g, coarse for a brain whose intensities span %.3g",
                     work->path, p->slope, range);
    return 0;
}

static int write_all(struct publication *p, struct np_error *err)
{
    const struct np_recipe *recipe = p->file->recipe;

    for (size_t i = 0; i < recipe->n_outputs; i++) {
        const struct np_output *output = &recipe->output[i];
        if (np_output_is_wanted(output, p->config) && (np_work_slots(p->work) & output->slot))
            NP_TRY(write_output(p, output, err));
    }
    return 0;
}

/* Look, before the first rename, for anything that would make a later one fail. */
static int check_targets(const struct batch *batch, struct np_error *err)
{
    for (size_t i = 0; i < batch->n; i++)
        if (np_path_is_directory(batch->file[i].path))
            return np_error_set(err, NP_ECREATE,
                                "'%s': expected a file or nothing there, found a folder; remove it",
                                batch->file[i].path);
    return 0;
}

/* Has anybody written there since the work began? That is not ours to overwrite. */
static int check_seen(const struct np_publish_order *order, const struct batch *batch,
                      struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings paths = {0};

    if (!order->seen)
        return 0;
    for (size_t i = 0; i < batch->n; i++)
        np_strings_add(&paths, batch->file[i].path);
    return np_targets_unchanged(order->seen, &paths, err);
}

/* Rename all files. A mark stays behind where that does not come to its end. */
static int put_in_place(const struct np_publish_order *order, struct batch *batch,
                        struct np_error *err)
{
    NP_AUTO(np_freep)
    char *mark = np_record_replacing_of(order->place, order->file->recorded);

    NP_TRY(np_directory_make(order->place->directory, err));
    NP_TRY(np_file_replace(mark, order->file->recorded, strlen(order->file->recorded), err));
    for (size_t i = 0; i < batch->n; i++)
        NP_TRY(np_atomic_commit(&batch->file[i], err));
    unlink(mark);
    return 0;
}

/* All outputs lie beside their targets: the last looks, then the renames. */
static int commit(const struct np_publish_order *order, struct batch *batch, struct np_error *err)
{
    NP_TRY(check_targets(batch, err));
    /* Sync all files first, so that little time passes between the first rename and the last. */
    for (size_t i = 0; i < batch->n; i++)
        NP_TRY(np_atomic_finish(&batch->file[i], err));
    NP_TRY(check_seen(order, batch, err));
    return put_in_place(order, batch, err);
}

int np_publish(const struct np_publish_order *order, struct np_work *work,
               const struct np_exec *exec, struct np_file_record *record, struct np_error *err)
{
    NP_AUTO(publication_done)
    struct publication p = {
        .config = order->config,
        .root = order->root,
        .file = order->file,
        .work = work,
        .exec = exec,
        .record = record,
        .source_prefix = np_description_source_prefix(&order->config->dataset_links),
        .options = np_config_results_json(order->config),
    };

    int code = choose_datatype(&p, err);
    if (code == 0)
        code = write_all(&p, err);
    if (code == 0)
        code = np_exec_check(exec, err);
    if (code == 0)
        code = commit(order, &p.batch, err);
    if (code < 0)
        np_file_record_drop_outputs(record);
    return code;
}
