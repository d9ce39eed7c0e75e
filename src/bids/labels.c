#include "bids/labels.h"

#include <string.h>
#include <strings.h>

/* The C library's isalnum depends on the locale; labels do not. */
static bool is_label_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+';
}

bool np_label_is_valid(const char *label)
{
    size_t n = 0;

    while (is_label_byte(label[n]))
        n++;
    return n > 0 && label[n] == '\0';
}

const char *np_label_strip(const char *text, const char *key)
{
    size_t n_key = strlen(key);

    return strncmp(text, key, n_key) == 0 && text[n_key] == '-' ? text + n_key + 1 : text;
}

static bool is_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

bool np_index_equal(const char *a, const char *b)
{
    if (!is_digits(a) || !is_digits(b))
        return strcmp(a, b) == 0;
    return strcmp(a + strspn(a, "0"), b + strspn(b, "0")) == 0;
}

const char *np_label_nearest(const char *asked, const struct np_strings *known)
{
    const char *nearest = NULL;
    size_t least = strlen(asked) / 3 + 1;

    for (size_t i = 0; i < known->n; i++)
        if (np_index_equal(asked, known->item[i]))
            return known->item[i];
    for (size_t i = 0; i < known->n; i++) {
        if (strcasecmp(asked, known->item[i]) == 0)
            return known->item[i];
        size_t distance = np_edit_distance(asked, known->item[i]);
        if (distance < least) {
            least = distance;
            nearest = known->item[i];
        }
    }
    return nearest;
}

size_t np_image_stem_length(const char *file_name)
{
    static const char *const extensions[] = {".nii.gz", ".nii", ".hdr.gz", ".hdr",
                                             ".img.gz", ".img", ".mgz",    ".mgh"};
    size_t n = strlen(file_name);

    for (size_t i = 0; i < NP_COUNT(extensions); i++) {
        size_t n_extension = strlen(extensions[i]);
        if (n > n_extension && strcasecmp(file_name + n - n_extension, extensions[i]) == 0)
            return n - n_extension;
    }
    return 0;
}
