/* participants.tsv as BIDS has it, and as spreadsheets, R and text editors leave it. */
#include "bids/participants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/path.h"
#include "tap.h"

static struct np_strings warnings;

/* The site of a participant by this text, "-" when it is not known; valid until the next call.
 * `warnings` are those of this text. */
static const char *site_by(const char *text, const char *participant)
{
    static char site[200];

    np_strings_done(&warnings);
    NP_AUTO(np_participants_freep)
    struct np_participants *table = np_participants_parse(text, &warnings);
    const char *found = np_participants_site(table, participant);
    snprintf(site, sizeof(site), "%s", found ? found : "-");
    return site;
}

TEST(the_site_is_found_whatever_the_order_of_rows_and_columns)
{
    static const char text[] = "age\tsite\tparticipant_id\tsex\n"
                               "31\tOslo\tsub-02\tF\n"
                               "40\tBergen\tsub-01\tM\n"
                               "25\tMNI\tsub-10\tF";

    ok_str(site_by(text, "01"), "Bergen");
    ok_str(site_by(text, "02"), "Oslo");
    ok_str(site_by(text, "10"), "MNI");
    ok_str(site_by(text, "1"), "-");
    ok_str(site_by(text, "03"), "-");
    ok_int(warnings.n, 0);
}

TEST(what_is_empty_or_na_or_left_out_is_not_known)
{
    static const char text[] = "participant_id\tage\tsite\n"
                               "sub-01\t31\tn/a\n"
                               "sub-02\t31\t\n"
                               "sub-03\t31\n"
                               "sub-04\n"
                               "\tMNI\t31\n"
                               "sub-05\t31\tn/ab\n";

    ok_str(site_by(text, "01"), "-");
    ok_str(site_by(text, "02"), "-");
    ok_str(site_by(text, "03"), "-");
    ok_str(site_by(text, "04"), "-");
    ok_str(site_by(text, ""), "-");
    ok_str(site_by(text, "05"), "n/ab");
    ok_int(warnings.n, 0);
}

TEST(a_mark_other_line_ends_blank_lines_quotes_and_bare_labels_are_tolerated)
{
    ok_str(site_by("\xef\xbb\xbfparticipant_id\tsite\r\nsub-01\tMNI\r\nsub-02\tOslo\r\n", "02"),
           "Oslo");
    ok_str(site_by("participant_id\tsite\rsub-01\tMNI\rsub-02\tOslo\r", "01"), "MNI");
    ok_str(site_by("\n\nparticipant_id\tsite\n\nsub-01\tMNI\n\n\nsub-02\tOslo", "02"), "Oslo");
    ok_str(site_by("\"participant_id\"\t\"site\"\n\"sub-01\"\t\"St. Olav\"\n", "01"), "St. Olav");
    ok_str(site_by("participant_id\tsite\nsub-01\t\"\nsub-02\t\"\"\n", "01"), "\"");
    ok_str(site_by("participant_id\tsite\nsub-01\t\"\nsub-02\t\"\"\n", "02"), "-");
    ok_str(site_by("participant_id\tsite\n01\tMNI\n", "01"), "MNI");
    ok_str(site_by("participant_id\tsite\nsub-\tMNI\n", "sub-"), "MNI");
    ok_int(warnings.n, 0);
}

TEST(a_file_without_sites_and_an_empty_one_are_as_usual_as_none)
{
    ok_str(site_by("", "01"), "-");
    ok_str(site_by("\n\n", "01"), "-");
    ok_str(site_by("participant_id\tage\nsub-01\t31\n", "01"), "-");
    ok_str(site_by("participant_id\tSite\tsites\nsub-01\tMNI\tOslo\n", "01"), "-");
    ok_int(warnings.n, 0);
}

TEST(a_file_without_participants_is_warned_of)
{
    ok_str(site_by("subject\tsite\nsub-01\tMNI\n", "01"), "-");
    ok_int(warnings.n, 1);
    ok_contains(warnings.item[0], "'participants.tsv': expected a column 'participant_id'");
    /* UTF-16, as a spreadsheet's "Unicode text". */
    ok_str(site_by("\xff\xfep", "01"), "-");
    ok_int(warnings.n, 1);
}

TEST(of_several_rows_the_first_counts_and_a_contradiction_is_warned_of)
{
    static const char agree[] = "participant_id\tsession_id\tsite\n"
                                "sub-01\tses-1\tMNI\nsub-01\tses-2\tMNI\n";
    static const char differ[] = "participant_id\tsite\nsub-09\tZ\nsub-01\tMNI\nsub-02\tOslo\n"
                                 "sub-01\tBergen\nsub-02\tOslo\nsub-01\tA\n";

    ok_str(site_by(agree, "01"), "MNI");
    ok_int(warnings.n, 0);
    ok_str(site_by(differ, "01"), "MNI");
    ok_str(site_by(differ, "02"), "Oslo");
    ok_str(site_by(differ, "09"), "Z");
    ok_int(warnings.n, 1);
    ok_contains(warnings.item[0], "found another in 2 rows (the first: 'sub-01')");
}

TEST(a_folder_without_the_file_says_nothing_and_a_folder_in_its_place_is_warned_of)
{
    NP_AUTO(np_freep) char *place = np_path_join(tap_directory(), "participants.tsv");

    np_strings_done(&warnings);
    NP_AUTO(np_participants_freep)
    struct np_participants *none = np_participants_read(tap_directory(), &warnings);
    ok(np_participants_site(none, "01") == NULL);
    ok_int(warnings.n, 0);
    ok(mkdir(place, 0777) == 0);
    NP_AUTO(np_participants_freep)
    struct np_participants *folder = np_participants_read(tap_directory(), &warnings);
    ok(np_participants_site(folder, "01") == NULL);
    ok_int(warnings.n, 1);
    ok_contains(warnings.item[0], "participants.tsv");
}

/* A look-up that reads the file again takes 28 s for 20 000 participants, and 25 times that here.
 */
TEST(a_cohort_of_100_000_is_read_and_asked_for_in_seconds)
{
    enum { N = 100000 };
    NP_AUTO(np_str_done) struct np_str text = {0};
    int n_right = 0;

    np_strings_done(&warnings);
    np_str_add(&text, "participant_id\tage\tsex\tsite\n");
    for (int i = 0; i < N; i++)
        np_str_addf(&text, "sub-%05d\t%d\tF\tsite%d\n", (i * 7919) % N, i % 80, (i * 7919) % 31);
    int64_t start_ns = np_clock_cpu_ns();
    NP_AUTO(np_participants_freep)
    struct np_participants *table = np_participants_parse(np_str_text(&text), &warnings);
    for (int i = 0; i < N; i++) {
        int at = (i * 7919) % N;
        char label[16], expected[16];
        snprintf(label, sizeof(label), "%05d", at);
        snprintf(expected, sizeof(expected), "site%d", (i * 7919) % 31);
        const char *site = np_participants_site(table, label);
        n_right += site && strcmp(site, expected) == 0;
    }
    ok_below((double)(np_clock_cpu_ns() - start_ns) / 1e9, 10, "seconds of a processor");
    ok_int(n_right, N);
    ok_int(warnings.n, 0);
}

TAP_MAIN
