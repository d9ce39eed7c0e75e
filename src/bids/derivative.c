#include "bids/derivative.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "bids/labels.h"
#include "catalog/modality.h"

static void set_text(char **place, const char *text)
{
    char *copy = np_xstrdup(text);

    free(*place);
    *place = copy;
}

/* The entity that says what the new suffix no longer does; NP_N_ENTITIES = none. */
static enum np_bids_entity entity_of_suffix(const struct np_bids_name *source,
                                            const struct np_derivative *derivative)
{
    if (derivative->source_suffix == NP_SOURCE_SUFFIX_IN_MOD)
        return NP_ENTITY_MOD;
    if (derivative->source_suffix == NP_SOURCE_SUFFIX_IN_SPACE &&
        !np_modality_mask_is_short(source->suffix) && !source->entity[NP_ENTITY_SPACE])
        return NP_ENTITY_SPACE;
    return NP_N_ENTITIES;
}

/* The source's name, changed to that of a derivative. */
static char *derive(const struct np_bids_name *source, const struct np_derivative *derivative)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};
    enum np_bids_entity kept = entity_of_suffix(source, derivative);

    np_bids_name_copy(source, &name);
    if (kept != NP_N_ENTITIES)
        set_text(&name.entity[kept], source->suffix);
    if (derivative->label)
        set_text(&name.entity[NP_ENTITY_LABEL], derivative->label);
    if (derivative->desc)
        set_text(&name.entity[NP_ENTITY_DESC], derivative->desc);
    if (derivative->suffix)
        set_text(&name.suffix, derivative->suffix);
    set_text(&name.extension, derivative->extension);
    return np_bids_name_format(&name);
}

char *np_derivative_path(const struct np_scan *scan, const struct np_derivative *derivative)
{
    NP_AUTO(np_freep) char *folder = np_path_directory(scan->relative);
    NP_AUTO(np_freep) char *name = derive(&scan->name, derivative);

    return strchr(scan->relative, '/') ? np_path_join(folder, name) : np_xstrdup(name);
}

/* True when the name has at least one entity: "scan" alone has the form of a suffix. */
static bool has_entities(const struct np_bids_name *name)
{
    for (size_t i = 0; i < NP_N_ENTITIES; i++)
        if (name->entity[i])
            return true;
    return false;
}

/* "scan_desc-brain_mask.nii.gz" */
static char *append_to_stem(const char *stem, const char *modality,
                            const struct np_derivative *derivative)
{
    struct np_str name = {0};

    np_str_add(&name, stem);
    if (derivative->source_suffix == NP_SOURCE_SUFFIX_IN_MOD)
        np_str_addf(&name, "_mod-%s", modality);
    if (derivative->label)
        np_str_addf(&name, "_label-%s", derivative->label);
    if (derivative->desc)
        np_str_addf(&name, "_desc-%s", derivative->desc);
    if (derivative->suffix)
        np_str_addf(&name, "_%s", derivative->suffix);
    np_str_add(&name, derivative->extension);
    return np_str_take(&name);
}

char *np_derivative_path_plain(const char *file_name, const char *modality,
                               const struct np_derivative *derivative)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};
    const char *own = np_path_name(file_name);
    size_t n_stem = np_image_stem_length(own);
    NP_AUTO(np_freep) char *stem = np_xstrndup(own, n_stem ? n_stem : strlen(own));

    if (np_bids_name_parse(stem, &name) && has_entities(&name) && !*name.extension)
        return derive(&name, derivative);
    return append_to_stem(stem, modality, derivative);
}

char *np_derivative_sidecar(const char *image_path)
{
    const char *name = np_path_name(image_path);
    size_t n_stem = np_image_stem_length(name);
    size_t n_folder = (size_t)(name - image_path);

    return np_xasprintf("%.*s.json", (int)(n_folder + (n_stem ? n_stem : strlen(name))),
                        image_path);
}
