#include "pipeline/site.h"

#include <string.h>

#include "base/path.h"
#include "base/str.h"

enum { MOST_BYTES = 16 << 20 };

/* The column of `name` in a line of cells between tabs, -1 when there is none. */
static int column_of(const char *line, const char *name)
{
    size_t n = strlen(name);

    for (int column = 0;; column++) {
        size_t cell = strcspn(line, "\t\r\n");
        if (cell == n && strncmp(line, name, n) == 0)
            return column;
        if (line[cell] != '\t')
            return -1;
        line += cell + 1;
    }
}

/* A copy of a line's cell; NULL when the line is shorter, or the cell is empty or "n/a". */
static char *cell_of(const char *line, int column)
{
    for (; column > 0; column--) {
        line += strcspn(line, "\t\r\n");
        if (*line++ != '\t')
            return NULL;
    }
    size_t n = strcspn(line, "\t\r\n");
    if (n == 0 || (n == 3 && strncmp(line, "n/a", 3) == 0))
        return NULL;
    return np_xstrndup(line, n);
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');

    return end ? end + 1 : line + strlen(line);
}

char *np_site_of(const char *dataset_root, const char *participant)
{
    NP_AUTO(np_freep) char *path = np_path_join(dataset_root, "participants.tsv");
    NP_AUTO(np_freep) char *id = np_xasprintf("sub-%s", participant);
    NP_AUTO(np_str_done) struct np_str text = {0};

    if (np_file_read(path, MOST_BYTES, &text, NULL) < 0)
        return NULL;
    const char *head = np_str_text(&text);
    int site = column_of(head, "site"), key = column_of(head, "participant_id");
    if (site < 0 || key < 0)
        return NULL;
    for (const char *line = next_line(head); *line; line = next_line(line)) {
        NP_AUTO(np_freep) char *found = cell_of(line, key);
        if (found && strcmp(found, id) == 0)
            return cell_of(line, site);
    }
    return NULL;
}
