#include "work/work.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void np_work_init(struct np_work *work, const char *path, const struct np_modality *modality)
{
    *work = (struct np_work){.path = path, .modality = modality};
}

void np_work_done(struct np_work *work)
{
    np_image_freep(&work->raw);
    np_image_freep(&work->flat);
    np_image_freep(&work->norm);
    np_image_freep(&work->field);
    np_bspline_field_freep(&work->head_field);
    np_mask_freep(&work->brain);
    for (size_t i = 0; i < work->n_measures; i++) {
        free(work->measure[i].key);
        free(work->measure[i].unit);
    }
    for (size_t i = 0; i < work->n_facts; i++) {
        free(work->fact[i].key);
        free(work->fact[i].text);
    }
    free(work->measure);
    free(work->fact);
    np_strings_done(&work->warnings);
    *work = (struct np_work){0};
}

unsigned np_work_slots(const struct np_work *work)
{
    return (work->raw ? NP_SLOT_RAW : 0u) | (work->flat ? NP_SLOT_FLAT : 0u) |
           (work->brain ? NP_SLOT_BRAIN : 0u) | (work->norm ? NP_SLOT_NORM : 0u) |
           (work->field ? NP_SLOT_FIELD : 0u) | (work->head_field ? NP_SLOT_HEAD_FIELD : 0u);
}

void np_work_measure(struct np_work *work, const char *key, double value, const char *unit)
{
    for (size_t i = 0; i < work->n_measures; i++)
        if (strcmp(work->measure[i].key, key) == 0) {
            work->measure[i].value = value;
            return;
        }
    work->measure = np_xrealloc(work->measure, (work->n_measures + 1) * sizeof(*work->measure));
    work->measure[work->n_measures++] =
        (struct np_measure){.key = np_xstrdup(key), .value = value, .unit = np_xstrdup(unit)};
}

void np_work_fact(struct np_work *work, const char *key, const char *text)
{
    for (size_t i = 0; i < work->n_facts; i++)
        if (strcmp(work->fact[i].key, key) == 0) {
            free(work->fact[i].text);
            work->fact[i].text = np_xstrdup(text);
            return;
        }
    work->fact = np_xrealloc(work->fact, (work->n_facts + 1) * sizeof(*work->fact));
    work->fact[work->n_facts++] =
        (struct np_fact){.key = np_xstrdup(key), .text = np_xstrdup(text)};
}

void np_work_warn(struct np_work *work, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        abort();
    np_strings_give(&work->warnings, text);
}

double np_work_value(const struct np_work *work, const char *key, double fallback)
{
    for (size_t i = 0; i < work->n_measures; i++)
        if (strcmp(work->measure[i].key, key) == 0)
            return work->measure[i].value;
    return fallback;
}
