#include "base/bind.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/str.h"

enum { MOST_MOUNTS_BYTES = 4 << 20, N_FIELDS = 5 };

/* Fields of a line of mountinfo, without escapes: "36 35 98:0 /root /point rw …". */
enum { DEVICE = 2, ROOT = 3, POINT = 4 };

/* Where a path lies: a device, and a path in its file system. */
struct place {
    char *device, *path;
};

static void place_done(struct place *place)
{
    np_freep(&place->device);
    np_freep(&place->path);
}

/* "\\040" is a space. The caller frees. */
static char *unescape(const char *text, size_t n)
{
    struct np_str out = {0};

    for (size_t i = 0; i < n; i++) {
        unsigned code;
        bool is_escape = text[i] == '\\' && i + 3 < n && sscanf(text + i + 1, "%3o", &code) == 1;
        np_str_add_char(&out, is_escape ? (char)code : text[i]);
        i += is_escape ? 3 : 0;
    }
    return np_str_take(&out);
}

/* False for a line with fewer fields. */
static bool split(const char *line, size_t n, char *field[N_FIELDS])
{
    for (int i = 0; i < N_FIELDS; i++) {
        size_t length = 0;
        while (length < n && line[length] != ' ')
            length++;
        field[i] = unescape(line, length);
        if (length == 0 || length == n)
            return false;
        line += length + 1;
        n -= length + 1;
    }
    return true;
}

/* How much of a path the mount point is; 0 = it is not above it. */
static size_t covered(const char *point, const char *path)
{
    size_t n = strlen(point);

    if (n == 1)
        return 1;
    return strncmp(point, path, n) == 0 && (path[n] == '/' || path[n] == '\0') ? n : 0;
}

/* The longest mount point counts; of equal ones the last, which hides the others. */
static void consider(const char *line, size_t n, const char *path, size_t *most,
                     struct place *place)
{
    char *field[N_FIELDS] = {0};
    size_t n_covered = split(line, n, field) ? covered(field[POINT], path) : 0;

    if (n_covered > 0 && n_covered >= *most) {
        const char *below = path + n_covered + (path[n_covered] == '/');
        *most = n_covered;
        place_done(place);
        place->device = np_xstrdup(field[DEVICE]);
        place->path = *below ? np_path_join(field[ROOT], below) : np_xstrdup(field[ROOT]);
    }
    for (int i = 0; i < N_FIELDS; i++)
        np_freep(&field[i]);
}

static bool locate(const char *mountinfo, const char *path, struct place *place)
{
    size_t most = 0;

    for (const char *line = mountinfo; *line;) {
        size_t n = strcspn(line, "\n");
        consider(line, n, path, &most, place);
        line += n + (line[n] == '\n');
    }
    return most > 0;
}

char *np_bind_relative_by(const char *mountinfo, const char *path, const char *directory)
{
    NP_AUTO(place_done) struct place to = {0};
    NP_AUTO(place_done) struct place from = {0};

    if (!locate(mountinfo, path, &to) || !locate(mountinfo, directory, &from) ||
        strcmp(to.device, from.device) != 0)
        return NULL;
    return np_path_between(to.path, from.path);
}

char *np_bind_relative(const char *path, const char *directory)
{
    NP_AUTO(np_str_done) struct np_str mountinfo = {0};
    NP_AUTO(np_freep) char *to = np_path_resolve(path);
    NP_AUTO(np_freep) char *from = np_path_resolve(directory);
    char *found = NULL;

    if (np_path_in_container() && to && from &&
        np_file_read("/proc/self/mountinfo", MOST_MOUNTS_BYTES, &mountinfo, NULL) == 0)
        found = np_bind_relative_by(np_str_text(&mountinfo), to, from);
    return found ? found : np_path_relative(path, directory);
}
