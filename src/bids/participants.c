#include "bids/participants.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

static const char FILE_NAME[] = "participants.tsv";
static const char ID_COLUMN[] = "participant_id";
static const char SITE_COLUMN[] = "site";

/* Offsets into the table's texts, which move while they grow; 0 is the empty text. */
struct row {
    size_t label;
    size_t site;
};

struct np_participants {
    struct np_str texts; /* labels and sites, each terminated */
    struct row *row;     /* sorted by label */
    size_t n_rows;
};

/* A cell of a line: between tabs, without the quotes around it. */
struct cell {
    const char *text;
    size_t n_bytes;
    const char *next; /* the tab or the line's end after it */
};

static struct cell cell_at(const char *text)
{
    size_t n = strcspn(text, "\t\r\n");
    bool is_quoted = n >= 2 && text[0] == '"' && text[n - 1] == '"';

    return is_quoted ? (struct cell){text + 1, n - 2, text + n} : (struct cell){text, n, text + n};
}

/* The cell in a column of the line; an empty one when the line is shorter. */
static struct cell cell_in(const char *line, size_t column)
{
    struct cell cell = cell_at(line);

    for (; column > 0; column--) {
        if (*cell.next != '\t')
            return (struct cell){"", 0, cell.next};
        cell = cell_at(cell.next + 1);
    }
    return cell;
}

static bool cell_is(const struct cell *cell, const char *text)
{
    return cell->n_bytes == strlen(text) && memcmp(cell->text, text, cell->n_bytes) == 0;
}

static bool find_column(const char *header, const char *name, size_t *column)
{
    struct cell cell = cell_at(header);

    for (*column = 0; !cell_is(&cell, name); ++*column) {
        if (*cell.next != '\t')
            return false;
        cell = cell_at(cell.next + 1);
    }
    return true;
}

/* The line after this one; blank lines are passed over. */
static const char *next_line(const char *line)
{
    line += strcspn(line, "\r\n");
    return line + strspn(line, "\r\n");
}

static size_t add_text(struct np_participants *table, const char *text, size_t n_bytes)
{
    size_t at = table->texts.length;

    np_str_add_bytes(&table->texts, text, n_bytes);
    np_str_add_char(&table->texts, '\0');
    return at;
}

static const char *text_at(const struct np_participants *table, size_t offset)
{
    return table->texts.text + offset;
}

static void add_row(struct np_participants *table, const struct cell *id, const struct cell *site)
{
    static const char prefix[] = "sub-";
    const size_t n_prefix = sizeof(prefix) - 1;
    bool has_prefix = id->n_bytes > n_prefix && memcmp(id->text, prefix, n_prefix) == 0;
    size_t skipped = has_prefix ? n_prefix : 0, n = table->n_rows;

    if (id->n_bytes == 0)
        return;
    /* Doubling by the count alone: powers of two are when the room is full. */
    if ((n & (n - 1)) == 0)
        table->row = np_xrealloc(table->row, (n ? n * 2 : 1) * sizeof(*table->row));
    bool is_known = site->n_bytes > 0 && !cell_is(site, "n/a");
    size_t label = add_text(table, id->text + skipped, id->n_bytes - skipped);
    table->row[table->n_rows++] = (struct row){
        .label = label,
        .site = is_known ? add_text(table, site->text, site->n_bytes) : 0,
    };
}

/* By label, then in the file's order: texts were added in that order. */
static int by_label(const void *a, const void *b, void *table)
{
    const struct row *x = a, *y = b;
    int order = strcmp(text_at(table, x->label), text_at(table, y->label));

    if (order != 0)
        return order;
    return x->label < y->label ? -1 : x->label > y->label;
}

/* Of equal neighbours the first. Counts the rows that contradict it, and notes the first's label.
 */
static size_t drop_repeated(struct np_participants *table, const char **label)
{
    size_t n = 0, n_contradictions = 0;

    for (size_t i = 0; i < table->n_rows; i++) {
        const struct row *row = &table->row[i], *last = n ? &table->row[n - 1] : NULL;
        if (!last || strcmp(text_at(table, last->label), text_at(table, row->label)) != 0) {
            table->row[n++] = *row;
            continue;
        }
        if (strcmp(text_at(table, last->site), text_at(table, row->site)) == 0)
            continue;
        if (n_contradictions++ == 0)
            *label = text_at(table, last->label);
    }
    table->n_rows = n;
    return n_contradictions;
}

static void sort_rows(struct np_participants *table, struct np_strings *warnings)
{
    const char *label = "";

    qsort_r(table->row, table->n_rows, sizeof(*table->row), by_label, table);
    size_t n = drop_repeated(table, &label);
    if (n == 0)
        return;
    NP_AUTO(np_freep) char *clean = np_utf8_clean(label);
    np_utf8_cut(clean, 60);
    np_strings_give(warnings,
                    np_xasprintf("'%s': expected one %s a participant, found another in %zu row%s "
                                 "(the first: 'sub-%s'); a participant's first row counts",
                                 FILE_NAME, SITE_COLUMN, n, n == 1 ? "" : "s", clean));
}

static struct np_participants *new_table(void)
{
    struct np_participants *table = np_xcalloc(1, sizeof(*table));

    add_text(table, "", 0);
    return table;
}

struct np_participants *np_participants_parse(const char *text, struct np_strings *warnings)
{
    struct np_participants *table = new_table();
    const char *header = text + np_byte_order_mark(text, strnlen(text, 3));
    size_t id, site;

    header += strspn(header, "\r\n");
    if (!*header)
        return table;
    if (!find_column(header, ID_COLUMN, &id)) {
        np_strings_give(warnings, np_xasprintf("'%s': expected a column '%s', found none; the "
                                               "participants' sites are not known",
                                               FILE_NAME, ID_COLUMN));
        return table;
    }
    if (!find_column(header, SITE_COLUMN, &site))
        return table;
    for (const char *line = next_line(header); *line; line = next_line(line)) {
        struct cell label_cell = cell_in(line, id), site_cell = cell_in(line, site);
        add_row(table, &label_cell, &site_cell);
    }
    sort_rows(table, warnings);
    return table;
}

struct np_participants *np_participants_read(const char *root, struct np_strings *warnings)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, FILE_NAME);
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_error why = {0};

    if (!np_path_exists(path))
        return new_table();
    if (np_file_read(path, NP_PARTICIPANTS_MOST_BYTES, &text, &why) < 0) {
        np_strings_give(warnings,
                        np_xasprintf("%s; the participants' sites are not known", why.text));
        return new_table();
    }
    return np_participants_parse(np_str_text(&text), warnings);
}

const char *np_participants_site(const struct np_participants *table, const char *participant)
{
    size_t low = 0, high = table->n_rows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct row *row = &table->row[middle];
        int order = strcmp(text_at(table, row->label), participant);
        if (order == 0)
            return row->site ? text_at(table, row->site) : NULL;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void np_participants_freep(struct np_participants **table)
{
    if (*table) {
        np_str_done(&(*table)->texts);
        free((*table)->row);
    }
    np_freep(table);
}
