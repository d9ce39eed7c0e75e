#include "bids/derivative.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "bids/labels.h"
#include "catalog/modality.h"

/* What of a name each kind sets; NULL = as the source has it. */
static const struct {
    const char *desc;
    const char *suffix;
} forms[] = {
    [NP_DERIVATIVE_PREPROC] = {"preproc", NULL},
    [NP_DERIVATIVE_NORM] = {"norm", NULL},
    [NP_DERIVATIVE_MASK] = {"brain", "mask"},
    [NP_DERIVATIVE_BIASFIELD] = {NULL, "biasfield"},
};

static void set_text(char **place, const char *text)
{
    char *copy = np_xstrdup(text);

    free(*place);
    *place = copy;
}

/* The source's name, changed to that of a derivative. */
static char *derive(const struct np_bids_name *source, enum np_derivative kind)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};

    np_bids_name_copy(source, &name);
    /* A mask's suffix no longer says of which contrast it is: some say in whose space they are. */
    if (kind == NP_DERIVATIVE_MASK && !np_modality_mask_is_short(source->suffix) &&
        !name.entity[NP_ENTITY_SPACE])
        set_text(&name.entity[NP_ENTITY_SPACE], source->suffix);
    if (kind == NP_DERIVATIVE_BIASFIELD)
        set_text(&name.entity[NP_ENTITY_MOD], source->suffix);
    if (forms[kind].desc)
        set_text(&name.entity[NP_ENTITY_DESC], forms[kind].desc);
    if (forms[kind].suffix)
        set_text(&name.suffix, forms[kind].suffix);
    set_text(&name.extension, ".nii.gz");
    return np_bids_name_format(&name);
}

char *np_derivative_path(const struct np_scan *scan, enum np_derivative kind)
{
    NP_AUTO(np_freep) char *folder = np_path_directory(scan->relative);
    NP_AUTO(np_freep) char *name = derive(&scan->name, kind);

    return strchr(scan->relative, '/') ? np_path_join(folder, name) : np_xstrdup(name);
}

/* At least one entity: "scan" alone has the form of a suffix. */
static bool has_entities(const struct np_bids_name *name)
{
    for (size_t i = 0; i < NP_N_ENTITIES; i++)
        if (name->entity[i])
            return true;
    return false;
}

char *np_derivative_path_plain(const char *file_name, const char *modality, enum np_derivative kind)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};
    const char *own = np_path_name(file_name);
    size_t n_stem = np_image_stem_length(own);
    NP_AUTO(np_freep) char *stem = np_xstrndup(own, n_stem ? n_stem : strlen(own));

    if (np_bids_name_parse(stem, &name) && has_entities(&name) && !*name.extension)
        return derive(&name, kind);
    if (kind == NP_DERIVATIVE_BIASFIELD)
        return np_xasprintf("%s_mod-%s_biasfield.nii.gz", stem, modality);
    return np_xasprintf("%s_desc-%s%s%s.nii.gz", stem, forms[kind].desc,
                        forms[kind].suffix ? "_" : "",
                        forms[kind].suffix ? forms[kind].suffix : "");
}

char *np_derivative_sidecar(const char *image_path)
{
    const char *name = np_path_name(image_path);
    size_t n_stem = np_image_stem_length(name);
    size_t n_folder = (size_t)(name - image_path);

    return np_xasprintf("%.*s.json", (int)(n_folder + (n_stem ? n_stem : strlen(name))),
                        image_path);
}
