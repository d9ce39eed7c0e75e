#include "work/work.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void np_work_init(struct np_work *work, const char *path, const struct np_modality *modality)
{
    *work = (struct np_work){.path = path, .modality = modality};
}

void np_work_done(struct np_work *work)
{
    np_work_release(work, ~0u);
    for (size_t i = 0; i < work->n_facts; i++)
        free(work->fact[i].text);
    free(work->measure);
    free(work->fact);
    for (size_t i = 0; i < work->n_warnings; i++)
        free(work->warning[i].sentence);
    free(work->warning);
    *work = (struct np_work){0};
}

enum content { IMAGE, MASK, SPLINE, TISSUE };

static const struct {
    enum np_slot slot;
    enum content content;
    size_t field; /* offset in struct np_work */
} slots[] = {
    {NP_SLOT_RAW, IMAGE, offsetof(struct np_work, raw)},
    {NP_SLOT_FLAT, IMAGE, offsetof(struct np_work, flat)},
    {NP_SLOT_BRAIN, MASK, offsetof(struct np_work, brain)},
    {NP_SLOT_NORM, IMAGE, offsetof(struct np_work, norm)},
    {NP_SLOT_FIELD, IMAGE, offsetof(struct np_work, field)},
    {NP_SLOT_HEAD_FIELD, SPLINE, offsetof(struct np_work, head_field)},
    {NP_SLOT_REGIONS, MASK, offsetof(struct np_work, regions)},
    {NP_SLOT_TISSUE, TISSUE, offsetof(struct np_work, tissue)},
};

/* The address of the pointer that a slot is. */
static void *place_of(struct np_work *work, size_t row)
{
    return (char *)work + slots[row].field;
}

static void *find_slot(struct np_work *work, enum np_slot slot, enum content content)
{
    for (size_t i = 0; i < NP_COUNT(slots); i++)
        if (slots[i].slot == slot && slots[i].content == content)
            return place_of(work, i);
    return NULL;
}

struct np_image **np_work_image(struct np_work *work, enum np_slot slot)
{
    return find_slot(work, slot, IMAGE);
}

struct np_mask **np_work_mask(struct np_work *work, enum np_slot slot)
{
    return find_slot(work, slot, MASK);
}

unsigned np_work_slots(const struct np_work *work)
{
    unsigned filled = 0;

    for (size_t i = 0; i < NP_COUNT(slots); i++) {
        const void *held;
        memcpy(&held, (const char *)work + slots[i].field, sizeof(held));
        filled |= held ? slots[i].slot : 0u;
    }
    return filled;
}

static void release_image(void *place)
{
    np_image_freep(place);
}

static void release_mask(void *place)
{
    np_mask_freep(place);
}

static void release_spline(void *place)
{
    np_bspline_field_freep(place);
}

static void release_tissue(void *place)
{
    np_tissue_freep(place);
}

static void (*const release[])(void *place) = {
    [IMAGE] = release_image,
    [MASK] = release_mask,
    [SPLINE] = release_spline,
    [TISSUE] = release_tissue,
};

void np_work_release(struct np_work *work, unsigned bits)
{
    for (size_t i = 0; i < NP_COUNT(slots); i++) {
        if (!(slots[i].slot & bits))
            continue;
        release[slots[i].content](place_of(work, i));
    }
}

void np_work_measure(struct np_work *work, enum np_measure_ident ident, double value)
{
    assert(np_measure_rows[ident].kind == NP_MEASURE_KIND_NUMBER);
    for (size_t i = 0; i < work->n_measures; i++)
        if (work->measure[i].ident == ident) {
            work->measure[i].value = value;
            return;
        }
    work->measure = np_xrealloc(work->measure, (work->n_measures + 1) * sizeof(*work->measure));
    work->measure[work->n_measures++] = (struct np_measure){ident, value};
}

void np_work_fact(struct np_work *work, enum np_measure_ident ident, const char *text)
{
    assert(np_measure_rows[ident].kind == NP_MEASURE_KIND_WORD);
    for (size_t i = 0; i < work->n_facts; i++)
        if (work->fact[i].ident == ident) {
            free(work->fact[i].text);
            work->fact[i].text = np_xstrdup(text);
            return;
        }
    work->fact = np_xrealloc(work->fact, (work->n_facts + 1) * sizeof(*work->fact));
    work->fact[work->n_facts++] = (struct np_fact){ident, np_xstrdup(text)};
}

void np_work_warn(struct np_work *work, enum np_warning_ident ident, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        abort();
    work->warning = np_xrealloc(work->warning, (work->n_warnings + 1) * sizeof(*work->warning));
    work->warning[work->n_warnings++] = (struct np_warning){ident, text};
}

double np_work_value(const struct np_work *work, enum np_measure_ident ident, double fallback)
{
    for (size_t i = 0; i < work->n_measures; i++)
        if (work->measure[i].ident == ident)
            return work->measure[i].value;
    return fallback;
}
