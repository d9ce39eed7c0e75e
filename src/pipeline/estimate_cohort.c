#include "pipeline/estimate_cohort.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/resources.h"

/* ---- kinds of images ------------------------------------------------------------------------ */

/* Images of one kind are packed alike. */
struct kind {
    const struct np_recipe *recipe;
    int datatype, gzipped;
    int voxels;  /* of the image, as a step of a logarithm */
    int density; /* the file's bytes a voxel, likewise */
};

struct look {
    struct kind kind;
    struct np_image_need *image;
    bool is_chosen;
};

struct looks {
    const struct np_config *config;
    int n_threads;
    struct np_image_need *image;
    struct look *look;
};

/* Half an octave. */
static int step(double value)
{
    return value > 0 ? (int)floor(2 * log2(value)) : -1;
}

static struct kind kind_of(const struct np_recipe *recipe, const struct np_nifti_info *info)
{
    double n_voxels = (double)np_grid_voxels(&info->grid);

    return (struct kind){.recipe = recipe,
                         .datatype = info->datatype,
                         .gzipped = info->gzipped,
                         .voxels = step(n_voxels),
                         .density = n_voxels > 0 ? step((double)info->file_bytes / n_voxels) : -1};
}

static int compare(intmax_t a, intmax_t b)
{
    return (a > b) - (a < b);
}

static int by_kind(const struct kind *a, const struct kind *b)
{
    const int order[] = {compare((intptr_t)a->recipe, (intptr_t)b->recipe),
                         compare(a->gzipped, b->gzipped), compare(a->datatype, b->datatype),
                         compare(a->voxels, b->voxels), compare(a->density, b->density)};

    for (size_t i = 0; i < NP_COUNT(order); i++)
        if (order[i] != 0)
            return order[i];
    return 0;
}

/* Images that cannot be read come last; those of one kind keep the order of the cohort. */
static int by_kind_and_place(const void *a, const void *b)
{
    const struct look *x = a, *y = b;
    int order = compare(!x->image->is_readable, !y->image->is_readable);

    if (order == 0 && x->image->is_readable)
        order = by_kind(&x->kind, &y->kind);
    return order != 0 ? order : compare((intptr_t)x->image, (intptr_t)y->image);
}

static void read_header(void *context, int64_t i)
{
    struct looks *looks = context;
    struct np_image_need *image = &looks->image[i];
    struct np_nifti_info info;

    looks->look[i] = (struct look){.image = image};
    image->is_readable = np_estimate_header(looks->config, image->recipe, image->path,
                                            looks->n_threads, &info, &image->need);
    if (!image->is_readable)
        return;
    image->grid = info.grid;
    image->file_bytes = info.file_bytes;
    looks->look[i].kind = kind_of(image->recipe, &info);
}

/* ---- the images that are looked at, and the others ------------------------------------------ */

static size_t end_of_kind(const struct look *look, size_t begin, size_t n)
{
    size_t end = begin + 1;

    while (end < n && look[end].image->is_readable &&
           by_kind(&look[end].kind, &look[begin].kind) == 0)
        end++;
    return end;
}

/* Spread over the cohort, so that no site or scanner is left out. */
static void choose(struct look *look, size_t n)
{
    size_t n_chosen = n < NP_ESTIMATE_LOOKS ? n : NP_ESTIMATE_LOOKS;

    for (size_t i = 0; i < n_chosen; i++)
        look[(2 * i + 1) * n / (2 * n_chosen)].is_chosen = true;
}

static void look_at_voxels(void *context, int64_t i)
{
    struct looks *looks = context;
    struct np_image_need *image = looks->look[i].image;
    struct np_nifti_info info;

    if (looks->look[i].is_chosen)
        image->is_readable = np_estimate_image(looks->config, image->recipe, image->path,
                                               looks->n_threads, &info, &image->seen, &image->need);
}

/* An output of the others takes, for each byte of its image's file, what it took in those that were
 * looked at; each has as many files. */
static void estimate_others(struct look *look, size_t n)
{
    double disk_bytes = 0, file_bytes = 0;
    int64_t inodes = 0;

    for (size_t i = 0; i < n; i++)
        if (look[i].is_chosen && look[i].image->is_readable) {
            disk_bytes += (double)look[i].image->need.disk_bytes;
            file_bytes += (double)look[i].image->file_bytes;
            inodes = look[i].image->need.inodes;
        }
    for (size_t i = 0; i < n; i++)
        if (!look[i].is_chosen && file_bytes > 0) {
            look[i].image->need.disk_bytes =
                np_need_count(disk_bytes / file_bytes * (double)look[i].image->file_bytes);
            look[i].image->need.inodes = inodes;
        }
}

static void for_each_kind(struct look *look, size_t n, void (*visit)(struct look *look, size_t n))
{
    size_t end;

    for (size_t begin = 0; begin < n && look[begin].image->is_readable; begin = end) {
        end = end_of_kind(look, begin, n);
        visit(&look[begin], end - begin);
    }
}

void np_estimate_images(const struct np_config *config, int n_threads, struct np_image_need *image,
                        size_t n)
{
    NP_AUTO(np_team_freep) struct np_team *team = np_estimate_team(config);
    NP_AUTO(np_freep) struct look *look = np_xcalloc(n + 1, sizeof(*look));
    struct looks looks = {config, n_threads, image, look};
    const struct np_exec exec = {.team = team};

    np_exec_run(&exec, (int64_t)n, read_header, &looks);
    qsort(look, n, sizeof(*look), by_kind_and_place);
    for_each_kind(look, n, choose);
    np_exec_run(&exec, (int64_t)n, look_at_voxels, &looks);
    for_each_kind(look, n, estimate_others);
}

/* ---- the sessions of a dataset -------------------------------------------------------------- */

static size_t list_images(const struct np_dataset *dataset, struct np_image_need *image)
{
    size_t n = 0;

    for (size_t i = 0; i < dataset->n_sessions; i++)
        for (size_t s = 0; s < dataset->session[i].n_scans; s++, n++) {
            const struct np_scan *scan = &dataset->session[i].scan[s];
            if (image)
                image[n] = (struct np_image_need){
                    .recipe = np_recipe_find(np_modality_find(scan->name.suffix)),
                    .path = scan->path};
        }
    return n;
}

void np_estimate_sessions(const struct np_config *config, const struct np_dataset *dataset,
                          struct np_need *need, size_t *n_unreadable)
{
    size_t n = list_images(dataset, NULL), next = 0;
    NP_AUTO(np_freep) struct np_image_need *image = np_xcalloc(n + 1, sizeof(*image));

    list_images(dataset, image);
    np_estimate_images(config, np_estimate_threads(config), image, n);
    *n_unreadable = 0;
    for (size_t i = 0; i < dataset->n_sessions; i++) {
        size_t n_scans = dataset->session[i].n_scans;
        need[i] = np_estimate_records(config, true, n_scans);
        for (size_t s = 0; s < n_scans; s++, next++) {
            *n_unreadable += !image[next].is_readable;
            np_need_add(&need[i], &image[next].need);
        }
    }
}
