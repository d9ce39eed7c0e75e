#include "bids/entities.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bids/labels.h"

static const char *const keys[NP_N_ENTITIES] = {
#define X(ident, key) [NP_ENTITY_##ident] = key,
    NP_BIDS_ENTITIES(X)
#undef X
};

const char *np_bids_entity_key(enum np_bids_entity entity)
{
    return keys[entity];
}

/* Find the entity of "key-…"; false for an unknown key. */
static bool find_entity(const char *key, size_t n_key, size_t *entity)
{
    for (size_t i = 0; i < NP_N_ENTITIES; i++)
        if (strlen(keys[i]) == n_key && memcmp(keys[i], key, n_key) == 0) {
            *entity = i;
            return true;
        }
    return false;
}

/* Parse one "key-label" of `n` bytes. */
static bool parse_pair(const char *pair, size_t n, struct np_bids_name *name)
{
    const char *dash = memchr(pair, '-', n);
    size_t entity;

    if (!dash || !find_entity(pair, (size_t)(dash - pair), &entity) || name->entity[entity])
        return false;
    name->entity[entity] = np_xstrndup(dash + 1, n - (size_t)(dash + 1 - pair));
    return np_label_is_valid(name->entity[entity]);
}

bool np_bids_name_parse(const char *file_name, struct np_bids_name *name)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name parsed = {0};
    const char *rest = file_name;
    size_t n_stem = strcspn(file_name, ".");
    const char *end = file_name + n_stem;

    for (const char *bar; (bar = memchr(rest, '_', (size_t)(end - rest))); rest = bar + 1)
        if (!parse_pair(rest, (size_t)(bar - rest), &parsed))
            return false;
    parsed.suffix = np_xstrndup(rest, (size_t)(end - rest));
    parsed.extension = np_xstrdup(end);
    if (!np_label_is_valid(parsed.suffix))
        return false;
    *name = parsed;
    parsed = (struct np_bids_name){0};
    return true;
}

void np_bids_name_done(struct np_bids_name *name)
{
    for (size_t i = 0; i < NP_N_ENTITIES; i++)
        free(name->entity[i]);
    free(name->suffix);
    free(name->extension);
    *name = (struct np_bids_name){0};
}

static char *copy_or_null(const char *text)
{
    return text ? np_xstrdup(text) : NULL;
}

void np_bids_name_copy(const struct np_bids_name *from, struct np_bids_name *to)
{
    struct np_bids_name copy = {
        .suffix = copy_or_null(from->suffix),
        .extension = copy_or_null(from->extension),
    };

    for (size_t i = 0; i < NP_N_ENTITIES; i++)
        copy.entity[i] = copy_or_null(from->entity[i]);
    *to = copy;
}

char *np_bids_name_format(const struct np_bids_name *name)
{
    struct np_str out = {0};

    for (size_t i = 0; i < NP_N_ENTITIES; i++)
        if (name->entity[i])
            np_str_addf(&out, "%s-%s_", keys[i], name->entity[i]);
    np_str_add(&out, name->suffix ? name->suffix : "");
    np_str_add(&out, name->extension ? name->extension : "");
    return np_str_take(&out);
}
