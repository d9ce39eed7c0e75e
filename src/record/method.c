#include "record/method.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "catalog/stage_name.h"

static void split(const char *method, struct np_strings *words)
{
    NP_AUTO(np_freep) char *copy = np_xstrdup(method);
    char *rest = NULL;

    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        np_strings_add(words, word);
}

/* Do they name the same stage, in whatever version? */
static bool same_stage(const char *word, const char *other)
{
    size_t n = strcspn(word, ":");

    return n == strcspn(other, ":") && strncmp(word, other, n) == 0;
}

static bool has_stage(const struct np_strings *words, const char *word)
{
    for (size_t i = 0; i < words->n; i++)
        if (same_stage(words->item[i], word))
            return true;
    return false;
}

/* Does the stage only add something that the other method does not have at all? */
static bool is_addition(const char *word, const struct np_strings *other)
{
    NP_AUTO(np_freep) char *name = np_xstrndup(word, strcspn(word, ":"));

    return np_stage_only_adds(name) && !has_stage(other, word);
}

/* The words that are no additions to `other`; `n_added` gets the number of the others. */
static char *common(const struct np_strings *words, const struct np_strings *other, size_t *n_added)
{
    struct np_str text = {0};

    *n_added = 0;
    for (size_t i = 0; i < words->n; i++) {
        if (is_addition(words->item[i], other))
            ++*n_added;
        else
            np_str_addf(&text, "%s ", words->item[i]);
    }
    np_str_add(&text, "");
    return np_str_take(&text);
}

static bool agrees(const char *one, const char *other, size_t *n_beyond)
{
    NP_AUTO(np_strings_done) struct np_strings a = {0}, b = {0};
    size_t n;

    split(one, &a);
    split(other, &b);
    NP_AUTO(np_freep) char *common_a = common(&a, &b, &n);
    NP_AUTO(np_freep) char *common_b = common(&b, &a, n_beyond);
    return strcmp(common_a, common_b) == 0;
}

bool np_method_has(const char *method, const char *stage)
{
    NP_AUTO(np_strings_done) struct np_strings words = {0};

    split(method, &words);
    return has_stage(&words, stage);
}

bool np_method_agrees(const char *one, const char *other)
{
    size_t n;

    return agrees(one, other, &n);
}

bool np_method_lacks(const char *one, const char *other)
{
    size_t n;

    return agrees(one, other, &n) && n > 0;
}
