#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "trace/trace.h"

static void clear_value(struct np_attr *attr)
{
    if (attr->type == NP_ATTR_STRING)
        free(attr->value.string);
}

/* The attribute of this key, its old value released, or a new one at the end. */
static struct np_attr *slot(struct np_attrs *attrs, const char *key, enum np_attr_type type)
{
    for (size_t i = 0; i < attrs->n; i++)
        if (strcmp(attrs->item[i].key, key) == 0) {
            clear_value(&attrs->item[i]);
            attrs->item[i].type = type;
            return &attrs->item[i];
        }
    if (attrs->n == attrs->capacity) {
        attrs->capacity = attrs->capacity ? attrs->capacity * 2 : 8;
        attrs->item = np_xrealloc(attrs->item, attrs->capacity * sizeof(*attrs->item));
    }
    struct np_attr *attr = &attrs->item[attrs->n++];
    attr->key = np_utf8_clean(key);
    attr->type = type;
    return attr;
}

void np_attrs_string(struct np_attrs *attrs, const char *key, const char *value)
{
    if (!value)
        return;
    char *copy = np_utf8_clean(value); /* first: `value` may be what is replaced */
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
    for (size_t i = 0; i < attrs->n; i++)
        if (strcmp(attrs->item[i].key, key) == 0)
            return &attrs->item[i];
    return NULL;
}

void np_attrs_copy(const struct np_attrs *from, struct np_attrs *to)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct np_attr *attr = &from->item[i];
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
}

void np_attrs_done(struct np_attrs *attrs)
{
    for (size_t i = 0; i < attrs->n; i++) {
        clear_value(&attrs->item[i]);
        free(attrs->item[i].key);
    }
    free(attrs->item);
    *attrs = (struct np_attrs){0};
}
