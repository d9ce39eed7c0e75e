#include "record/plans.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"
#include "bids/labels.h"
#include "record/json.h"

/* A plan of a million sessions has 20 MB. */
enum { MOST_PLAN_BYTES = 256 << 20 };

static const char *const change_word[NP_N_PLAN_CHANGES] = {
#define X(ident, word) [NP_PLAN_##ident] = (word),
    NP_PLAN_CHANGES(X)
#undef X
};

/* ---- lists ---- */

static const char *keep(struct np_strings *texts, const char *text)
{
    if (!text)
        return NULL;
    np_strings_add(texts, text);
    return texts->item[texts->n - 1];
}

void np_asked_add(struct np_asked_list *list, const struct np_asked *asked)
{
    if ((list->n & (list->n - 1)) == 0)
        list->item = np_xrealloc(list->item, (list->n ? 2 * list->n : 1) * sizeof(*list->item));
    list->item[list->n++] =
        (struct np_asked){keep(&list->texts, asked->participant),
                          keep(&list->texts, asked->session), keep(&list->texts, asked->file)};
}

void np_asked_done(struct np_asked_list *list)
{
    free(list->item);
    np_strings_done(&list->texts);
    *list = (struct np_asked_list){0};
}

char *np_asked_text(const struct np_asked *asked)
{
    if (asked->file)
        return np_xstrdup(asked->file);
    return np_xasprintf("sub-%s%s%s", asked->participant, asked->session ? "/ses-" : "",
                        asked->session ? asked->session : "");
}

/* ---- writing ---- */

/* {"01": ["1", "2"], "02": [null]}: short, because a cohort's plan is written by each of its runs */
static void add_session(json_t *sessions, const struct np_asked *asked)
{
    json_t *of_participant = json_object_get(sessions, asked->participant);

    if (!of_participant) {
        of_participant = json_array();
        json_object_set_new(sessions, asked->participant, of_participant);
    }
    json_array_append_new(of_participant,
                          asked->session ? json_string(asked->session) : json_null());
}

static json_t *sessions_json(const struct np_asked_list *list)
{
    json_t *sessions = json_object();

    for (size_t i = 0; i < list->n; i++)
        if (!list->item[i].file)
            add_session(sessions, &list->item[i]);
    return sessions;
}

static json_t *files_json(const struct np_asked_list *list)
{
    NP_AUTO(np_strings_done) struct np_strings files = {0};

    for (size_t i = 0; i < list->n; i++)
        if (list->item[i].file)
            np_strings_add(&files, list->item[i].file);
    return np_json_strings(&files);
}

static void add_file(json_t *files, const char *file)
{
    NP_AUTO(np_strings_done) struct np_strings one = {0};

    np_strings_add(&one, file);
    json_t *escaped = np_json_strings(&one);
    json_array_extend(files, escaped);
    json_decref(escaped);
}

/* {"RUN": {"sessions": {"01": [null]}, "files": []}}: by the run whose records are replaced. */
static json_t *again_json(const struct np_run_plan *plan)
{
    json_t *runs = json_object();

    for (size_t i = 0; plan->again && i < plan->again->n; i++) {
        const struct np_asked *asked = &plan->again->item[i];
        json_t *run = json_object_get(runs, plan->again_run->item[i]);
        if (!run) {
            run = json_pack("{s:{}, s:[]}", "sessions", "files");
            json_object_set_new(runs, plan->again_run->item[i], run);
        }
        if (asked->file)
            add_file(json_object_get(run, "files"), asked->file);
        else
            add_session(json_object_get(run, "sessions"), asked);
    }
    return runs;
}

/* "20261121T102030.123456Z": sorts as time does */
static char *time_stamp(int64_t unix_ns)
{
    const int64_t ns_per_s = 1000000000;
    time_t seconds = (time_t)(unix_ns / ns_per_s);
    char text[32];
    struct tm utc;

    gmtime_r(&seconds, &utc);
    strftime(text, sizeof(text), "%Y%m%dT%H%M%S", &utc);
    return np_xasprintf("%s.%06dZ", text, (int)(unix_ns % ns_per_s / 1000));
}

/* Write a file whose name no other process uses, since a random number is part of it. */
static int write_new(const char *output_dir, const char *stem, json_t *json, struct np_error *err)
{
    NP_AUTO(np_freep) char *folder = np_path_join(output_dir, NP_PLANS_FOLDER);
    NP_AUTO(np_freep) char *stamp = time_stamp(np_clock_unix_ns());
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/%s_%s.json", folder, stamp, stem);
    NP_AUTO(np_freep) char *text = json_dumps(json, JSON_COMPACT);
    NP_AUTO(np_freep) char *line = np_xasprintf("%s\n", text ? text : "{}");

    json_decref(json);
    NP_TRY(np_directory_make(folder, err));
    if (np_path_exists(path))
        return np_error_set(err, NP_ECREATE, "'%s': exists already; try again", path);
    return np_file_write_atomic(path, line, strlen(line), err);
}

static void set_object(json_t *json, const char *key, const char *text)
{
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;

    json_object_set_new(json, key, value ? value : json_object());
}

int np_plans_write(const char *output_dir, const struct np_run_plan *plan, struct np_error *err)
{
    json_t *json = json_object(), *dataset = json_object();

    json_object_set_new(json, "schema", json_integer(NP_PLAN_SCHEMA));
    np_json_text(json, "run", plan->run_id);
    np_json_time(json, "time", np_clock_unix_ns());
    np_json_text(json, "command", plan->command);
    np_json_text(json, "version", plan->version);
    np_json_text(dataset, "path", plan->dataset_path);
    np_json_text(dataset, "name", plan->dataset_name);
    json_object_set_new(json, "dataset", dataset);
    set_object(json, "selection", plan->selection);
    set_object(json, "options", plan->config);
    json_object_set_new(json, "sessions", sessions_json(plan->asked));
    json_object_set_new(json, "files", files_json(plan->asked));
    if (plan->again && plan->again->n)
        json_object_set_new(json, "again", again_json(plan));
    return write_new(output_dir, plan->run_id, json, err);
}

/* ---- reading ---- */

/* A change that was read; applied in the order of its number. */
struct change {
    int64_t sequence;
    char *name; /* of its file: the order of those with the same number */
    enum np_plan_change kind;
    json_t *json;
};

struct np_plans {
    json_t *marks; /* key of a session -> bits */
    json_t *again; /* key of a session -> [run whose record is replaced, choice of images] */
    size_t n_plans;
    bool restrict_images;
    struct change *change;
    size_t n_changes;
    struct np_strings unreadable;
};

/* A key for the set: "01 1", "01 ", or "/scan.nii.gz". A label has neither space nor slash. */
static const char *session_key(const char *participant, const char *session, struct np_str *key)
{
    np_str_clear(key);
    np_str_addf(key, "%s %s", participant, session ? session : "");
    return np_str_text(key);
}

static const char *file_key(const char *file, struct np_str *key)
{
    np_str_clear(key);
    np_str_addf(key, "/%s", file);
    return np_str_text(key);
}

static unsigned marks_of(const struct np_plans *plans, const char *key)
{
    return (unsigned)json_integer_value(json_object_get(plans->marks, key));
}

static void set_marks(struct np_plans *plans, const char *key, unsigned add, unsigned remove)
{
    unsigned old = marks_of(plans, key), now = (old | add) & ~remove;

    if (now != old)
        json_object_set_new_nocheck(plans->marks, key, json_integer(now));
}

/* Labels of a damaged file must not become paths. */
static bool is_session(const char *participant, const json_t *session)
{
    return np_label_is_valid(participant) &&
           (json_is_null(session) ||
            (json_is_string(session) && np_label_is_valid(json_string_value(session))));
}

/* Call `each` with the key of every session and file that a plan or a change names. */
static void for_each(const json_t *json, void (*each)(void *self, const char *key), void *self)
{
    NP_AUTO(np_str_done) struct np_str key = {0};
    NP_AUTO(np_strings_done) struct np_strings files = {0};
    const char *participant;
    json_t *sessions, *session;
    size_t i;

    json_object_foreach(json_object_get(json, "sessions"), participant, sessions)
        json_array_foreach(sessions, i, session) if (is_session(participant, session))
            each(self, session_key(participant, json_string_value(session), &key));
    np_json_get_strings(json_object_get(json, "files"), &files);
    for (i = 0; i < files.n; i++)
        if (files.item[i][0])
            each(self, file_key(files.item[i], &key));
}

struct marking {
    struct np_plans *plans;
    unsigned add, remove;
};

static void mark_one(void *self, const char *key)
{
    const struct marking *marking = self;

    set_marks(marking->plans, key, marking->add, marking->remove);
}

/* Mark all sessions and files that a plan or a change names. */
static void apply(struct np_plans *plans, const json_t *json, unsigned add, unsigned remove)
{
    for_each(json, mark_one, &(struct marking){plans, add, remove});
}

/* The kind of a change, from its file's name; NP_N_PLAN_CHANGES for a plan. */
static enum np_plan_change kind_of(const char *name)
{
    for (int k = 0; k < NP_N_PLAN_CHANGES; k++) {
        NP_AUTO(np_freep) char *ending = np_xasprintf("_%s.json", change_word[k]);
        if (np_ends_with(name, ending))
            return (enum np_plan_change)k;
    }
    return NP_N_PLAN_CHANGES;
}

static void add_change(struct np_plans *plans, enum np_plan_change kind, const char *name,
                       json_t *json)
{
    plans->change = np_xrealloc(plans->change, (plans->n_changes + 1) * sizeof(*plans->change));
    plans->change[plans->n_changes++] =
        (struct change){.sequence = np_json_get_integer(json, "sequence"),
                        .name = np_xstrdup(name),
                        .kind = kind,
                        .json = json_incref(json)};
}

/* The options that choose some of the images of a session, as text; "{}" when all are wanted. These
 * are all that select but those that select sessions, and tasks, which anatomical images have not.
 * The caller frees. */
static char *choice_of_images(json_t *selection)
{
    static const char *const others[] = {"participant-label", "session-label", "session-list",
                                         "task-id", "rerun"};
    json_t *choice = json_is_object(selection) ? json_deep_copy(selection) : json_object();

    for (size_t i = 0; i < NP_COUNT(others); i++)
        json_object_del(choice, others[i]);
    char *text = json_dumps(choice, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(choice);
    return text ? text : np_xstrdup("{}");
}

struct repeating {
    struct np_plans *plans;
    const char *run;    /* whose records are replaced */
    const char *images; /* the choice of images of the plan */
};

static void note_again(void *self, const char *key)
{
    const struct repeating *repeating = self;

    json_object_set_new_nocheck(repeating->plans->again, key,
                                json_pack("[s, s]", repeating->run, repeating->images));
}

/* A run that looked at all images, or at the same, and found the session complete. */
static void forget_again(void *self, const char *key)
{
    const struct repeating *repeating = self;
    const char *images =
        json_string_value(json_array_get(json_object_get(repeating->plans->again, key), 1));

    if (images && (strcmp(repeating->images, "{}") == 0 || strcmp(repeating->images, images) == 0))
        json_object_del(repeating->plans->again, key);
}

/* Plans are read in the order of their times. */
static void note_repetitions(struct np_plans *plans, const json_t *json, const char *images)
{
    const char *rerun =
        json_string_value(json_object_get(json_object_get(json, "selection"), "rerun"));
    const char *run;
    json_t *of_run;

    if (!rerun || strcmp(rerun, "outdated") == 0)
        for_each(json, forget_again, &(struct repeating){plans, NULL, images});
    json_object_foreach(json_object_get(json, "again"), run, of_run)
        for_each(of_run, note_again, &(struct repeating){plans, run, images});
}

static void add_plan(struct np_plans *plans, const json_t *json)
{
    NP_AUTO(np_freep) char *images = choice_of_images(json_object_get(json, "selection"));

    plans->n_plans++;
    plans->restrict_images = plans->restrict_images || strcmp(images, "{}") != 0;
    apply(plans, json, NP_MARK_WANTED, 0);
    note_repetitions(plans, json, images);
}

static void read_one(struct np_plans *plans, const char *folder, const char *name,
                     enum np_plan_change kind)
{
    NP_AUTO(np_freep) char *path = np_path_join(folder, name);
    NP_AUTO(np_json_freep) json_t *json = NULL;
    struct np_error err = {0};

    if (np_json_read(path, path, MOST_PLAN_BYTES, &json, &err) < 0) {
        np_strings_add(&plans->unreadable, err.text);
    } else if (np_json_get_integer(json, "schema") > NP_PLAN_SCHEMA) {
        np_strings_give(&plans->unreadable,
                        np_xasprintf("'%s': expected schema %d, found a later one; use the version "
                                     "that wrote it",
                                     path, (int)NP_PLAN_SCHEMA));
    } else if (kind == NP_N_PLAN_CHANGES) {
        add_plan(plans, json);
    } else {
        add_change(plans, kind, name, json);
    }
}

static int by_sequence(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void apply_changes(struct np_plans *plans)
{
    static const struct {
        unsigned add, remove;
    } effect[NP_N_PLAN_CHANGES] = {
        [NP_PLAN_WITHDRAWN] = {.add = NP_MARK_WITHDRAWN},
        [NP_PLAN_RESTORED] = {.remove = NP_MARK_WITHDRAWN},
        [NP_PLAN_GONE] = {.add = NP_MARK_GONE},
        [NP_PLAN_FOUND] = {.remove = NP_MARK_GONE},
    };

    if (plans->n_changes)
        qsort(plans->change, plans->n_changes, sizeof(*plans->change), by_sequence);
    for (size_t i = 0; i < plans->n_changes; i++) {
        const struct change *change = &plans->change[i];
        apply(plans, change->json, effect[change->kind].add, effect[change->kind].remove);
    }
}

struct np_plans *np_plans_read(const char *output_dir, enum np_plans_part part)
{
    NP_AUTO(np_freep) char *folder = np_path_join(output_dir, NP_PLANS_FOLDER);
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    struct np_plans *plans = np_xcalloc(1, sizeof(*plans));
    struct np_error err = {0};

    plans->marks = json_object();
    plans->again = json_object();
    if (np_path_exists(folder) && np_directory_list(folder, &names, &err) < 0)
        np_strings_add(&plans->unreadable, err.text);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.item[i];
        enum np_plan_change kind = kind_of(name);
        if (name[0] == '.' || !np_ends_with(name, ".json") ||
            (part == NP_PLANS_CHANGES_ONLY && kind == NP_N_PLAN_CHANGES))
            continue;
        read_one(plans, folder, name, kind);
    }
    apply_changes(plans);
    return plans;
}

void np_plans_freep(struct np_plans **address)
{
    struct np_plans *plans = *address;

    if (!plans)
        return;
    for (size_t i = 0; i < plans->n_changes; i++) {
        free(plans->change[i].name);
        json_decref(plans->change[i].json);
    }
    free(plans->change);
    json_decref(plans->marks);
    json_decref(plans->again);
    np_strings_done(&plans->unreadable);
    np_freep(address);
}

bool np_plans_restrict_images(const struct np_plans *plans)
{
    return plans->n_plans == 0 || plans->restrict_images;
}

size_t np_plans_n(const struct np_plans *plans)
{
    return plans->n_plans;
}

unsigned np_plans_marks(const struct np_plans *plans, const struct np_asked *asked)
{
    NP_AUTO(np_str_done) struct np_str key = {0};

    return marks_of(plans, asked->file ? file_key(asked->file, &key)
                                       : session_key(asked->participant, asked->session, &key));
}

const char *np_plans_again(const struct np_plans *plans, const struct np_asked *asked)
{
    NP_AUTO(np_str_done) struct np_str key = {0};
    const json_t *again = json_object_get(
        plans->again, asked->file ? file_key(asked->file, &key)
                                  : session_key(asked->participant, asked->session, &key));

    return json_string_value(json_array_get(again, 0));
}

void np_plans_list(const struct np_plans *plans, unsigned marks, struct np_asked_list *list)
{
    const char *key;
    json_t *bits;

    json_object_foreach(plans->marks, key, bits)
    {
        if (!((unsigned)json_integer_value(bits) & marks))
            continue;
        NP_AUTO(np_freep) char *copy = np_xstrdup(key);
        char *space = strchr(copy, ' ');
        if (copy[0] == '/') {
            np_asked_add(list, &(struct np_asked){.file = copy + 1});
        } else if (space) {
            *space = '\0';
            np_asked_add(list, &(struct np_asked){.participant = copy,
                                                  .session = space[1] ? space + 1 : NULL});
        }
    }
}

const struct np_strings *np_plans_unreadable(const struct np_plans *plans)
{
    return &plans->unreadable;
}

/* ---- changes ---- */

int np_plans_change(const char *output_dir, enum np_plan_change kind,
                    const struct np_asked_list *asked, struct np_error *err)
{
    NP_AUTO(np_plans_freep) struct np_plans *plans = NULL;
    int64_t last = 0;

    if (asked->n == 0)
        return 0;
    plans = np_plans_read(output_dir, NP_PLANS_CHANGES_ONLY);
    for (size_t i = 0; i < plans->n_changes; i++)
        if (plans->change[i].sequence > last)
            last = plans->change[i].sequence;
    json_t *json = json_object();
    json_object_set_new(json, "schema", json_integer(NP_PLAN_SCHEMA));
    json_object_set_new(json, "sequence", json_integer(last + 1));
    np_json_time(json, "time", np_clock_unix_ns());
    json_object_set_new(json, "sessions", sessions_json(asked));
    json_object_set_new(json, "files", files_json(asked));
    NP_AUTO(np_freep)
    char *stem =
        np_xasprintf("%016llx_%s", (unsigned long long)np_random_system(), change_word[kind]);
    return write_new(output_dir, stem, json, err);
}
