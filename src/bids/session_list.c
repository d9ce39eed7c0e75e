#include "bids/session_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "bids/labels.h"

static const char between[] = " \t\r";

void np_session_list_done(struct np_session_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->pair[i].participant);
        free(list->pair[i].session);
    }
    free(list->pair);
    *list = (struct np_session_list){0};
}

static void add(struct np_session_list *list, const char *participant, const char *session)
{
    /* The room doubles whenever the count is a power of two, so no capacity needs to be stored. */
    size_t n = list->n;

    if ((n & (n - 1)) == 0)
        list->pair = np_xrealloc(list->pair, (n ? n * 2 : 1) * sizeof(*list->pair));
    list->pair[list->n++] =
        (struct np_session_pair){np_xstrdup(participant), session ? np_xstrdup(session) : NULL};
}

static int wrong(const char *name, size_t line, const char *what, const char *found,
                 struct np_error *err)
{
    NP_AUTO(np_freep) char *shown = np_utf8_clean(found);
    np_utf8_cut(shown, 60);

    return np_error_set(err, NP_ECONFIG,
                        "'%s' line %zu: expected a %s of letters and digits, found '%s'; write one "
                        "session a line: participant, tab, session",
                        name, line, what, shown);
}

/* Parse one line; the line is changed. */
static int take_line(const char *name, size_t number, char *line, struct np_session_list *list,
                     struct np_error *err)
{
    char *rest = NULL;
    const char *participant = strtok_r(line, between, &rest);
    const char *session = participant ? strtok_r(NULL, between, &rest) : NULL;

    if (!participant || participant[0] == '#' || strcmp(participant, "participant_id") == 0)
        return 0;
    participant = np_label_strip(participant, "sub");
    if (!np_label_is_valid(participant))
        return wrong(name, number, "participant", participant, err);
    if (session)
        session = strcmp(session, "n/a") == 0 ? "unnamed" : np_label_strip(session, "ses");
    if (session && !np_label_is_valid(session))
        return wrong(name, number, "session", session, err);
    add(list, participant, session);
    return 0;
}

int np_session_list_parse(const char *name, const char *text, struct np_session_list *list,
                          struct np_error *err)
{
    NP_AUTO(np_freep) char *copy = np_xstrdup(text);
    NP_AUTO(np_session_list_done) struct np_session_list found = {0};
    char *rest = copy;
    size_t number = 0;

    for (char *line; (line = strsep(&rest, "\n"));)
        NP_TRY(take_line(name, ++number, line, &found, err));
    if (found.n == 0)
        return np_error_set(err, NP_ECONFIG,
                            "'%s': expected one session a line (participant, tab, session), found "
                            "none; leave --session-list out to take all sessions",
                            name);
    *list = found;
    found = (struct np_session_list){0};
    return 0;
}

int np_session_list_read(const char *path, struct np_session_list *list, struct np_error *err)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_error why = {0};

    if (np_path_is_directory(path))
        return np_error_set(err, NP_ENOINPUT,
                            "--session-list: '%s': expected a file, found a folder", path);
    if (np_file_read(path, NP_SESSION_LIST_MOST_BYTES, &text, &why) < 0)
        return np_error_set(err, NP_ENOINPUT, "--session-list: %s", why.text);
    return np_session_list_parse(path, np_str_text(&text), list, err);
}
