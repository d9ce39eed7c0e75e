#include "show/textfile.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "show/prometheus.h"

static const char ending[] = ".prom";

/* How a file of ours begins: metrics are sorted by name, and those of a run begin with "neuro". */
static const char beginning[] = "# HELP neuro_";

struct textfile {
    char *path;
    char *label; /* its name without ".prom" */
    const struct np_otlp_redactor *redactor;
    struct np_error trouble; /* the first failure */
    bool is_reported;
};

static int check_name(const char *path, struct np_error *err)
{
    const char *name = np_path_name(path);

    if (np_ends_with(name, ending) && strlen(name) > strlen(ending))
        return 0;
    return np_error_set(err, NP_EUSAGE,
                        "'%s': expected a file for metrics whose name ends in %s, which is what "
                        "node_exporter reads, found another name",
                        path, ending);
}

/* The file to write, links resolved; the caller frees `*target`. */
static int find_target(const char *path, char **target, struct np_error *err)
{
    NP_AUTO(np_freep) char *found = NULL;

    NP_TRY(check_name(path, err));
    NP_TRY(np_path_replaceable(path, beginning, &found, err));
    NP_TRY(check_name(found, err));
    *target = found;
    found = NULL;
    return 0;
}

int np_show_textfile_check(const char *path, const char *dataset, struct np_error *err)
{
    NP_AUTO(np_freep) char *target = NULL;

    NP_TRY(find_target(path, &target, err));
    if (!dataset || !np_path_is_below(target, dataset))
        return 0;
    return np_error_set(err, NP_ECREATE,
                        "'%s': expected a file for metrics outside the dataset, found one in '%s'; "
                        "choose another",
                        path, dataset);
}

static int replace_file(const struct textfile *file, const struct np_otlp_buffer *text,
                        struct np_error *err)
{
    NP_AUTO(np_freep) char *target = NULL;

    if (text->failed)
        return np_error_set(err, text->failed, "'%s': no memory to write metrics", file->path);
    NP_TRY(find_target(file->path, &target, err));
    return np_file_replace_public(target, text->bytes, text->length, err);
}

static void write_file(void *self, const struct np_metric_point *point, size_t n_points)
{
    struct textfile *file = self;
    const struct np_show_page page = {.redactor = file->redactor, .textfile = file->label};
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};
    struct np_error err = {0};

    np_show_prometheus_text(point, n_points, &page, &text);
    if (replace_file(file, &text, &err) < 0 && file->trouble.code == 0)
        file->trouble = err;
}

static void close_file(void *self)
{
    struct textfile *file = self;

    free(file->path);
    free(file->label);
    free(file);
}

void np_show_textfile_open(const char *path, const struct np_otlp_redactor *redactor,
                           struct np_trace_sink *sink)
{
    const char *name = np_path_name(path);
    size_t n_ending = np_ends_with(name, ending) ? strlen(ending) : 0;
    struct textfile *file = np_xcalloc(1, sizeof(*file));

    file->path = np_xstrdup(path);
    file->label = np_xstrndup(name, strlen(name) - n_ending);
    file->redactor = redactor;
    *sink = (struct np_trace_sink){.self = file, .metrics = write_file, .close = close_file};
}

bool np_show_textfile_trouble(const struct np_trace_sink *sink, struct np_error *what)
{
    struct textfile *file = sink->self;

    if (file->trouble.code == 0 || file->is_reported)
        return false;
    file->is_reported = true;
    *what = file->trouble;
    return true;
}
