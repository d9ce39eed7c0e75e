#include "spool/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "spool/lines.h"
#include "spool/record.h"
#include "trace/names.h"

static const char FOLDER[] = "owed";
enum { QUIET_S = 600, MOST_MARK = 4096 };

static char *mark_path(const char *record_path)
{
    NP_AUTO(np_freep) char *folder = np_path_directory(record_path);

    return np_xasprintf("%s/%s/%s", folder, FOLDER, np_path_name(record_path));
}

static char *mark_text(void)
{
    return np_xasprintf("%s\n", np_host_name());
}

int np_spool_pending_mark(const char *record_path, struct np_error *err)
{
    NP_AUTO(np_freep) char *text = mark_text();
    NP_AUTO(np_freep) char *path = mark_path(record_path);
    NP_AUTO(np_freep) char *folder = np_path_directory(path);

    NP_TRY(np_directory_make(folder, err));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot mark the telemetry as pending",
                              path);
    if (write(fd, text, strlen(text)) < 0) {
        /* on a full disk the mark stays empty and is still a mark */
    }
    close(fd);
    return 0;
}

void np_spool_pending_explain(const char *record_path, const char *why)
{
    NP_AUTO(np_freep) char *path = mark_path(record_path);
    NP_AUTO(np_freep) char *host = mark_text();
    NP_AUTO(np_freep) char *line = np_utf8_clean(why);
    NP_AUTO(np_freep) char *text = np_xasprintf("%s%s\n", host, line);
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC |
                            O_NONBLOCK); /* without a mark there is nothing to say */

    if (fd < 0)
        return;
    if (pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text) ||
        ftruncate(fd, (off_t)strlen(text)) != 0) {
        /* on a full disk the mark says less */
    }
    close(fd);
}

/* The host that a mark names, in its first line, and the reason, in its second one. Both are cut out
 * of `mark`; "" = absent. */
static void split_mark(char *mark, const char **host, const char **why)
{
    char *end = strchr(mark, '\n');

    *host = mark;
    *why = "";
    if (!end)
        return;
    *end = '\0';
    *why = end + 1;
    end = strchr(end + 1, '\n');
    if (end)
        *end = '\0';
}

void np_spool_pending_count(const char *folder, struct np_spool_pending_sum *sum)
{
    NP_AUTO(np_freep) char *marks = np_path_join(folder, FOLDER);
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    *sum = (struct np_spool_pending_sum){0};
    if (np_directory_list(marks, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) { /* sorted by the start of the run */
        NP_AUTO(np_freep) char *record = np_path_join(folder, names.item[i]);
        NP_AUTO(np_freep) char *path = np_path_join(marks, names.item[i]);
        NP_AUTO(np_str_done) struct np_str mark = {0};
        const char *host, *why;
        if (!np_ends_with(names.item[i], NP_SPOOL_RECORD_SUFFIX) || !np_path_exists(record) ||
            np_spool_pending_is_growing(record))
            continue;
        sum->n++;
        if (np_file_read(path, MOST_MARK, &mark, NULL) < 0 || mark.length == 0)
            continue;
        split_mark(mark.text, &host, &why);
        if (*why)
            snprintf(sum->why, sizeof(sum->why), "%s", why);
    }
}

void np_spool_pending_clear(const char *record_path)
{
    NP_AUTO(np_freep) char *path = mark_path(record_path);

    unlink(path);
}

/* The record first: without its ledger it would be sent again. */
int np_spool_pending_remove(const char *record_path, struct np_error *err)
{
    NP_AUTO(np_freep) char *ledger = np_xasprintf("%s.ledger", record_path);

    if (unlink(record_path) != 0 || (unlink(ledger) != 0 && errno != ENOENT))
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot delete it", record_path);
    np_spool_pending_clear(record_path);
    return 0;
}

void np_spool_pending_list(const char *folder, size_t most, uint64_t from,
                           struct np_strings *records)
{
    NP_AUTO(np_freep) char *marks = np_path_join(folder, FOLDER);
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    if (np_directory_list(marks, &names, NULL) < 0)
        return;
    size_t n = names.n < most ? names.n : most, first = names.n > most ? from % names.n : 0;
    for (size_t i = 0; i < n; i++) { /* sorted: a name begins with its run's start */
        const char *name = names.item[(first + i) % names.n];
        if (!np_ends_with(name, NP_SPOOL_RECORD_SUFFIX))
            continue;
        NP_AUTO(np_freep) char *path = np_path_join(folder, name);
        struct stat status;
        if (stat(path, &status) == 0)
            np_strings_add(records, path);
        else if (errno == ENOENT) /* other errors: the record may only be unreachable now */
            np_spool_pending_clear(path);
    }
}

/* The string of an attribute of the resource in a record's line; borrowed, NULL when there is none.
 */
static const char *resource_text(json_t *request, const char *key)
{
    json_t *resource = json_object_get(
        json_array_get(json_object_iter_value(json_object_iter(request)), 0), "resource");
    size_t i;
    json_t *attribute;

    json_array_foreach(json_object_get(resource, "attributes"), i, attribute)
    {
        const char *name = json_string_value(json_object_get(attribute, "key"));
        if (name && strcmp(name, key) == 0)
            return json_string_value(
                json_object_get(json_object_get(attribute, "value"), "stringValue"));
    }
    return NULL;
}

/* The first line of a record that is JSON, parsed; NULL when there is none. */
static json_t *first_request(const char *record_path)
{
    NP_AUTO(np_spool_lines_done) struct np_spool_lines lines = {.fd = -1};
    int fd = open(record_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    json_t *request = NULL;
    const char *line;
    size_t length;

    if (fd < 0)
        return NULL;
    if (np_spool_lines_open(&lines, fd, NULL) == 0)
        while (!request && np_spool_lines_next(&lines, &line, &length, NULL) > 0)
            request = json_loadb(line, length, 0, NULL);
    close(fd);
    return request;
}

/*
 * Whether the record was written on this machine. The mark names the host, even for an empty record
 * and when the resource's host.name was set by the user. A record without a mark is judged by its
 * resource.
 */
static bool is_of_this_host(const char *record_path)
{
    NP_AUTO(np_freep) char *path = mark_path(record_path);
    NP_AUTO(np_str_done) struct np_str mark = {0};
    const char *of, *why;

    if (np_file_read(path, MOST_MARK, &mark, NULL) == 0 && *np_str_text(&mark)) {
        split_mark(mark.text, &of, &why);
        return strcmp(of, np_host_name()) == 0;
    }
    json_t *request = first_request(record_path);
    const char *host = request ? resource_text(request, NP_KEY_HOST_NAME) : NULL;
    bool is_ours = host && strcmp(host, np_host_name()) == 0;

    json_decref(request);
    return is_ours;
}

enum np_naming np_spool_record_naming(const char *record_path)
{
    json_t *request = first_request(record_path);
    const char *text = request ? resource_text(request, NP_KEY_NEURO_TELEMETRY_ID) : NULL;
    enum np_naming naming = NP_NAME_LABEL;

    if (text && !np_naming_parse(text, &naming))
        naming = NP_NAME_NONE; /* a value unknown to this version: never send labels */
    json_decref(request);
    return naming;
}

static bool may_grow_elsewhere(const char *record_path)
{
    struct stat status;

    if (stat(record_path, &status) != 0)
        return false; /* the next function that opens it reports why */
    return time(NULL) - status.st_mtime < QUIET_S && !is_of_this_host(record_path);
}

bool np_spool_pending_is_growing(const char *record_path)
{
    int fd = open(record_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;

    if (fd >= 0)
        close(fd);
    return is_locked || may_grow_elsewhere(record_path);
}

int np_spool_pending_settle(const char *record_path, enum np_spool_state *state,
                            struct np_spool_closing *report, struct np_error *err)
{
    struct np_error why = {0};

    if (report)
        *report = (struct np_spool_closing){0};
    *state = NP_SPOOL_GROWING;
    if (may_grow_elsewhere(record_path))
        return 0;
    int code = np_spool_record_close_open_spans(record_path, report, &why);
    if (code == NP_EBUSY)
        return 0;
    if (code < 0)
        return np_error_set(err, code, "%s", why.text);
    *state = NP_SPOOL_COMPLETE;
    return 0;
}
