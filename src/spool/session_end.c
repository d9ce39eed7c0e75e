#include "spool/session_end.h"

#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "record/place.h"
#include "record/record.h"
#include "trace/names.h"

static const char *text_of(const struct np_span *span, const char *key)
{
    const struct np_attr *attr = np_attrs_find(&span->attrs, key);

    return attr && attr->type == NP_ATTR_STRING ? attr->value.string : NULL;
}

/* OUT of "OUT/logs/telemetry/<record>"; NULL when the record lies in a folder of another name. The
 * caller frees. */
static char *output_of(const char *telemetry_path)
{
    NP_AUTO(np_freep) char *folder = np_path_directory(telemetry_path);
    size_t n = strlen(folder), n_ending = strlen(NP_TELEMETRY_FOLDER);

    if (strcmp(folder, NP_TELEMETRY_FOLDER) == 0)
        return np_xstrdup(".");
    if (!np_ends_with(folder, "/" NP_TELEMETRY_FOLDER))
        return NULL;
    return np_xstrndup(folder, n - n_ending > 1 ? n - n_ending - 1 : 1);
}

/* A label comes from a file that anybody may have written: it must not lead elsewhere. */
static bool is_label(const char *text)
{
    return text && *text && !strchr(text, '/');
}

static bool set_end(enum np_state state, int64_t end_ns, struct np_spool_session_end *end)
{
    bool has_ended = state == NP_STATE_SUCCESS || state == NP_STATE_FAILED ||
                     state == NP_STATE_INTERRUPTED || state == NP_STATE_NOTHING_TO_DO;

    if (!has_ended || end_ns <= 0)
        return false;
    end->status = state == NP_STATE_SUCCESS         ? NP_STATUS_OK
                  : state == NP_STATE_NOTHING_TO_DO ? NP_STATUS_UNSET
                                                    : NP_STATUS_ERROR;
    end->end_ns = end_ns;
    return true;
}

/* An earlier attempt's record keeps the name of its failure only: "killed at skull_strip: …". */
static bool was_killed(const struct np_attempt *attempt)
{
    return attempt->reason &&
           np_starts_with(attempt->reason, np_outcome_info(NP_OUTCOME_KILLED)->name);
}

static bool end_of_run(const struct np_session_record *record, const char *run_id,
                       struct np_spool_session_end *end)
{
    if (strcmp(record->run_id, run_id) == 0)
        return record->failure.code != NP_EKILLED && set_end(record->state, record->end_ns, end);
    for (size_t i = 0; i < record->n_attempts; i++) {
        const struct np_attempt *attempt = &record->attempt[i];
        if (strcmp(attempt->run_id, run_id) == 0)
            return !was_killed(attempt) && set_end(attempt->state, attempt->end_ns, end);
    }
    return false;
}

/* The same for a path below the output folder. */
static bool is_inside(const char *path)
{
    return path && *path && *path != '/' && !np_starts_with(path, "../") && !strstr(path, "/../");
}

/* The place of the final record; false when the span names none. */
static bool find_place(const char *output, const struct np_span *root,
                       struct np_record_place *place)
{
    const char *participant = text_of(root, NP_KEY_BIDS_PARTICIPANT);
    const char *session = text_of(root, NP_KEY_BIDS_SESSION);
    const char *file = text_of(root, NP_KEY_FILE_PATH);

    if (strcmp(root->name, NP_SPAN_FILE) == 0) {
        NP_AUTO(np_freep) char *stem = is_inside(file) ? np_record_stem(file) : NULL;
        if (stem)
            np_record_place_file(place, output, stem);
        return stem != NULL;
    }
    if (!is_label(participant) || (session && !is_label(session)))
        return false;
    np_record_place_session(place, output, participant, session, session ? session : "");
    return true;
}

bool np_spool_session_end(const char *telemetry_path, const struct np_span *root,
                          const char *run_id, struct np_spool_session_end *end)
{
    const char *own_run_id = text_of(root, NP_KEY_NEURO_RUN_ID);
    NP_AUTO(np_freep) char *output = output_of(telemetry_path);
    NP_AUTO(np_record_place_done) struct np_record_place place = {0};
    NP_AUTO(np_record_done) struct np_session_record record = {0};

    return output && find_place(output, root, &place) &&
           np_record_read(place.status, &record, NULL) == 0 &&
           end_of_run(&record, own_run_id ? own_run_id : run_id, end);
}
