/* Where records lie. */
#include <string.h>

#include "record/place.h"
#include "tap.h"

TEST(a_session_with_a_label_has_it_in_every_name)
{
    NP_AUTO(np_record_place_done) struct np_record_place place;

    np_record_place_session(&place, "/out", "01", "1", "1");
    ok_str(place.directory, "/out/logs/sub-01");
    ok_str(place.status, "/out/logs/sub-01/sub-01_ses-1_status.json");
    ok_str(place.log, "/out/logs/sub-01/sub-01_ses-1_log.jsonl");
    ok_str(place.complete, "/out/logs/sub-01/sub-01_ses-1_complete.json");
    ok_str(place.lock, "/out/logs/sub-01/.sub-01_ses-1.lock");
}

TEST(a_session_without_a_label_is_complete_under_the_one_that_was_asked_for)
{
    NP_AUTO(np_record_place_done) struct np_record_place place;

    np_record_place_session(&place, "out/", "01", NULL, "unnamed");
    ok_str(place.status, "out/logs/sub-01/sub-01_status.json");
    ok_str(place.complete, "out/logs/sub-01/sub-01_ses-unnamed_complete.json");
    ok_str(place.lock, "out/logs/sub-01/.sub-01.lock");
}

TEST(a_file_below_a_folder_has_its_records_below_the_same_folder)
{
    NP_AUTO(np_record_place_done) struct np_record_place place, top;

    np_record_place_file(&place, "out", "a/b/scan");
    ok_str(place.directory, "out/logs/a/b");
    ok_str(place.status, "out/logs/a/b/scan_status.json");
    ok_str(place.complete, "out/logs/a/b/scan_complete.json");
    np_record_place_file(&top, "out", "scan");
    ok_str(top.directory, "out/logs");
    ok_str(top.log, "out/logs/scan_log.jsonl");
}

TEST(a_status_record_leads_to_the_lock_that_its_session_takes)
{
    static const char *const sessions[] = {"1", NULL};

    for (size_t i = 0; i < NP_COUNT(sessions); i++) {
        NP_AUTO(np_record_place_done) struct np_record_place place;
        np_record_place_session(&place, "/out", "01", sessions[i], "1");
        NP_AUTO(np_freep) char *lock = np_record_lock_of(place.status);
        ok_str(lock, place.lock);
        ok(np_record_is_status(place.status));
        ok(!np_record_is_status(place.complete));
        ok(!np_record_is_status(place.log));
        ok(!np_record_is_status(place.lock));
    }
    NP_AUTO(np_record_place_done) struct np_record_place file;
    np_record_place_file(&file, "out", "a/b/scan");
    NP_AUTO(np_freep) char *lock = np_record_lock_of(file.status);
    ok_str(lock, file.lock);
}

TEST(the_place_of_a_status_record_tells_its_session)
{
    static const struct {
        const char *path, *participant, *session;
    } cases[] = {
        {"/out/logs/sub-01/sub-01_status.json", "01", NULL},
        {"/out/logs/sub-01/sub-01_ses-a2_status.json", "01", "a2"},
        {"/out/logs/sub-01/sub-01_T1w_status.json", NULL, NULL}, /* of `process` */
        {"/out/logs/sub-01/sub-012_status.json", NULL, NULL},
        {"/out/logs/sub-01/sub-01_ses-_status.json", NULL, NULL},
        {"/out/logs/sub-01/sub-01_complete.json", NULL, NULL},
        {"/out/logs/sub-/sub-_status.json", NULL, NULL},
        {"/out/logs/scan_status.json", NULL, NULL},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *participant = NULL;
        NP_AUTO(np_freep) char *session = NULL;
        ok_int(np_record_session_of(cases[i].path, &participant, &session),
               cases[i].participant != NULL);
        ok_str(participant ? participant : "-", cases[i].participant ? cases[i].participant : "-");
        ok_str(session ? session : "-", cases[i].session ? cases[i].session : "-");
    }
}

TEST(the_mark_of_an_image_lies_beside_its_records_and_has_a_short_name_of_its_own)
{
    NP_AUTO(np_record_place_done) struct np_record_place place = {0};
    char name[240];

    np_record_place_file(&place, "/out", "a/scan");
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    NP_AUTO(np_freep) char *one = np_record_replacing_of(&place, name);
    NP_AUTO(np_freep) char *other = np_record_replacing_of(&place, "a/scan.nii.gz");
    ok(np_starts_with(one, "/out/logs/a/."));
    ok_int((int64_t)strlen(one), (int64_t)strlen("/out/logs/a/.0123456789abcdef.replacing"));
    ok(strcmp(one, other) != 0);
}

TAP_MAIN
