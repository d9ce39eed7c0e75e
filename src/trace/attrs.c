/*
 * Lists of attributes. Keys and texts are copied into blocks that belong to the list: a span with
 * ten attributes makes two requests for memory, not twenty.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "trace/trace.h"

enum { FIRST_ITEMS = 16, FIRST_TEXT = 480, MORE_TEXT = 4000 };

struct np_text_block {
    struct np_text_block *older;
    size_t used, size;
    char byte[];
};

/* Reserve `n` bytes that do not move until the list is released. */
static char *reserve(struct np_attrs *attrs, size_t n)
{
    struct np_text_block *block = attrs->text;

    if (!block || block->size - block->used < n) {
        size_t size = block ? MORE_TEXT : FIRST_TEXT;
        size = size < n ? n : size;
        block = np_xmalloc(sizeof(*block) + size);
        *block = (struct np_text_block){.older = attrs->text, .size = size};
        attrs->text = block;
    }
    char *room = block->byte + block->used;
    block->used += n;
    return room;
}

/* Copy `*length` bytes into the list's memory; invalid UTF-8 is replaced. */
static const char *keep(struct np_attrs *attrs, const char *text, size_t *length)
{
    if (np_printable_prefix(text, *length) == *length)
        return memcpy(reserve(attrs, *length + 1), text, *length + 1);
    NP_AUTO(np_freep) char *clean = np_utf8_clean(text);
    *length = strlen(clean);
    return memcpy(reserve(attrs, *length + 1), clean, *length + 1);
}

static struct np_attr *find(const struct np_attrs *attrs, const char *key, size_t length)
{
    for (size_t i = 0; i < attrs->n; i++)
        if (attrs->item[i].key_length == length && memcmp(attrs->item[i].key, key, length) == 0)
            return &attrs->item[i];
    return NULL;
}

/* The attribute with this key, or a new one at the end. */
static struct np_attr *slot(struct np_attrs *attrs, const char *key, enum np_attr_type type)
{
    size_t length = strlen(key);
    struct np_attr *attr = find(attrs, key, length);

    if (!attr) {
        if (attrs->n == attrs->capacity) {
            attrs->capacity = attrs->capacity ? attrs->capacity * 2 : FIRST_ITEMS;
            attrs->item = np_xrealloc(attrs->item, attrs->capacity * sizeof(*attrs->item));
        }
        attr = &attrs->item[attrs->n];
        attr->key = keep(attrs, key, &length);
        attr->key_length = (uint32_t)length;
        attrs->n++;
    }
    attr->type = type;
    return attr;
}

/* Without the end of `value`, which is longer than NP_ATTR_MOST_BYTES: whole characters. */
static char *shortened(const char *value)
{
    size_t n = NP_ATTR_MOST_BYTES;

    while (n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80)
        n--;
    return np_xstrndup(value, n);
}

void np_attrs_string(struct np_attrs *attrs, const char *key, const char *value)
{
    if (!value)
        return;
    size_t length = strlen(value);
    NP_AUTO(np_freep) char *begin = length > NP_ATTR_MOST_BYTES ? shortened(value) : NULL;
    if (begin) {
        value = begin;
        length = strlen(begin);
    }
    const char *copy = keep(attrs, value, &length);
    slot(attrs, key, NP_ATTR_STRING)->value.string = copy;
}

void np_attrs_int(struct np_attrs *attrs, const char *key, int64_t value)
{
    slot(attrs, key, NP_ATTR_INT)->value.integer = value;
}

void np_attrs_double(struct np_attrs *attrs, const char *key, double value)
{
    slot(attrs, key, NP_ATTR_DOUBLE)->value.number = value;
}

void np_attrs_bool(struct np_attrs *attrs, const char *key, bool value)
{
    slot(attrs, key, NP_ATTR_BOOL)->value.boolean = value;
}

const struct np_attr *np_attrs_find(const struct np_attrs *attrs, const char *key)
{
    return find(attrs, key, strlen(key));
}

static void copy_one(const struct np_attr *attr, struct np_attrs *to)
{
    switch (attr->type) {
    case NP_ATTR_STRING:
        np_attrs_string(to, attr->key, attr->value.string);
        break;
    case NP_ATTR_INT:
        np_attrs_int(to, attr->key, attr->value.integer);
        break;
    case NP_ATTR_DOUBLE:
        np_attrs_double(to, attr->key, attr->value.number);
        break;
    case NP_ATTR_BOOL:
        np_attrs_bool(to, attr->key, attr->value.boolean);
        break;
    }
}

void np_attrs_copy(const struct np_attrs *from, struct np_attrs *to)
{
    for (size_t i = 0; i < from->n; i++)
        copy_one(&from->item[i], to);
    to->n_dropped += from->n_dropped;
}

/* Length in bytes of the first `most` characters of valid UTF-8. */
static size_t cut_at(const char *text, int64_t most)
{
    size_t n = 0;

    for (int64_t i = 0; i < most && text[n]; i++)
        do
            n++;
        while (((unsigned char)text[n] & 0xc0) == 0x80);
    return n;
}

void np_attrs_copy_limited(const struct np_attrs *from, int64_t most_attributes,
                           int64_t most_characters, struct np_attrs *to)
{
    to->n_dropped += from->n_dropped;
    for (size_t i = 0; i < from->n; i++) {
        const struct np_attr *attr = &from->item[i];
        if (most_attributes >= 0 && (int64_t)to->n >= most_attributes) {
            to->n_dropped++;
        } else if (attr->type == NP_ATTR_STRING && most_characters >= 0) {
            NP_AUTO(np_freep)
            char *cut =
                np_xstrndup(attr->value.string, cut_at(attr->value.string, most_characters));
            np_attrs_string(to, attr->key, cut);
        } else {
            copy_one(attr, to);
        }
    }
}

void np_attrs_done(struct np_attrs *attrs)
{
    while (attrs->text) {
        struct np_text_block *older = attrs->text->older;
        free(attrs->text);
        attrs->text = older;
    }
    free(attrs->item);
    *attrs = (struct np_attrs){0};
}
