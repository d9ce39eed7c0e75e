#include "pipeline/group.h"

#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "bids/presence.h"
#include "catalog/output_file.h"
#include "pipeline/cohort_event.h"
#include "pipeline/cohort_gauges.h"
#include "pipeline/observe.h"
#include "record/cohort.h"
#include "record/lock.h"
#include "record/place.h"
#include "record/quality_table.h"

/* Read the record again under the lock: another run may have taken over the session since the
 * survey. */
static void close_one(struct np_survey_row *row, struct np_strings *closed)
{
    NP_AUTO(np_lock_release) struct np_lock lock = {0};
    NP_AUTO(np_freep) char *path = np_record_lock_of(row->path);
    struct np_session_record fresh = {0};
    int64_t now_ns = np_clock_unix_ns();

    if (np_lock_take(&lock, path, NULL) < 0 || np_record_read(row->path, &fresh, NULL) < 0)
        return;
    if (np_record_derived_state(&fresh, now_ns) == NP_STATE_LOST) {
        np_record_close_lost(&fresh, now_ns);
        if (np_record_write(row->path, &fresh, NULL) == 0 && closed)
            np_strings_add(closed, fresh.run_id);
    }
    np_record_done(&row->record);
    row->record = fresh;
    row->state = np_record_derived_state(&fresh, now_ns);
}

int np_group_run(const char *bids_dir, const char *output_dir, struct np_survey *survey,
                 struct np_strings *closed, struct np_error *err)
{
    const struct np_cohort_options options = {
        .output_dir = output_dir,
        .verify = NP_VERIFY_SIZES,
        .bids_dir = bids_dir && np_dataset_is_there(bids_dir) ? bids_dir : NULL};

    NP_TRY(np_survey_read(output_dir, survey, err));
    for (size_t i = 0; i < survey->n_rows; i++)
        if (survey->row[i].state == NP_STATE_LOST)
            close_one(&survey->row[i], closed);
    return np_cohort_complete(survey, &options, err);
}

static bool is_in(const struct np_strings *list, const char *text)
{
    for (size_t i = 0; text && i < list->n; i++)
        if (strcmp(list->item[i], text) == 0)
            return true;
    return false;
}

void np_group_observe(const struct np_config *config, const struct np_survey *survey,
                      const struct np_strings *closed, struct np_trace *trace,
                      const struct np_span *span)
{
    struct np_cohort_gauges gauges = {0};
    int64_t last_ns = 0;
    size_t n_lost = 0;

    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_survey_row *row = &survey->row[i];
        if (!row->has_record || row->record.failure.code != NP_EKILLED ||
            !is_in(closed, row->record.run_id))
            continue;
        np_observe_lost(config, trace, span, row);
        n_lost++;
        if (row->record.heartbeat_ns > last_ns)
            last_ns = row->record.heartbeat_ns;
    }
    if (n_lost) /* at the last sign of life */
        np_cohort_event_log(trace, span, NP_COHORT_KILL, last_ns, n_lost, "ended without a word");
    np_cohort_gauges_set(&gauges, trace, span, survey, np_clock_mono_ns());
    np_cohort_gauges_done(&gauges);
}

int np_group_write_table(const char *output_dir, const struct np_survey *survey,
                         struct np_error *err)
{
    NP_AUTO(np_freep) char *path = np_path_join(output_dir, NP_FILE_STATUS_TABLE);
    NP_AUTO(np_freep) char *text = np_survey_tsv(survey, NP_SURVEY_ALL, NULL);

    NP_TRY(np_file_write_atomic(path, text, strlen(text), err));
    return np_quality_tables_write(output_dir, survey, err);
}
