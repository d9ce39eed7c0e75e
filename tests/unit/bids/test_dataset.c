/*
 * Layouts as the public example datasets have them, each generated as empty files, with the list of
 * what is to be preprocessed. A session is written "sub-01/ses-1: file, file"; its end "-" means
 * none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "bids/dataset.h"
#include "tap.h"

/* ---- making datasets ---- */

static int n_roots;

/* A fresh folder; the caller frees. */
static char *new_root(void)
{
    char *root = np_xasprintf("%s/set %d", tap_directory(), ++n_roots);

    if (mkdir(root, 0777) != 0)
        abort();
    return root;
}

static void put(const char *root, const char *relative, const char *content)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, relative);
    NP_AUTO(np_freep) char *folder = np_path_directory(path);

    if (np_directory_make(folder, NULL) < 0)
        abort();
    FILE *file = fopen(path, "wb");
    if (!file || fputs(content, file) < 0 || fclose(file) != 0)
        abort();
}

static void put_link(const char *root, const char *relative, const char *target)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, relative);
    NP_AUTO(np_freep) char *folder = np_path_directory(path);

    if (np_directory_make(folder, NULL) < 0 || symlink(target, path) != 0)
        abort();
}

/* Files separated by spaces; one that ends in '/' is a folder. */
static void put_all(const char *root, const char *files)
{
    NP_AUTO(np_freep) char *copy = np_xstrdup(files);

    for (char *state = NULL, *file = strtok_r(copy, " ", &state); file;
         file = strtok_r(NULL, " ", &state)) {
        NP_AUTO(np_freep) char *path = np_path_join(root, file);
        if (!np_ends_with(file, "/"))
            put(root, file, "");
        else if (np_directory_make(path, NULL) < 0)
            abort();
    }
}

static const char description[] = "{\"Name\": \"Zoo\", \"BIDSVersion\": \"1.11.1\", "
                                  "\"DatasetDOI\": \"doi:10.5072/zoo\"}";

static char *new_dataset(const char *files)
{
    char *root = new_root();

    put(root, "dataset_description.json", description);
    put_all(root, files);
    return root;
}

/* ---- asking ---- */

static struct np_strings words(const char *text)
{
    struct np_strings list = {0};
    NP_AUTO(np_freep) char *copy = np_xstrdup(text);

    for (char *state = NULL, *word = strtok_r(copy, " ", &state); word;
         word = strtok_r(NULL, " ", &state))
        np_strings_add(&list, word);
    return list;
}

/* Sessions that were found, one after the other: "sub-01/ses-1: a, b; sub-02: -". */
static char *describe(const struct np_dataset *dataset)
{
    struct np_str out = {0};

    for (size_t i = 0; i < dataset->n_sessions; i++) {
        const struct np_session *session = &dataset->session[i];
        NP_AUTO(np_freep) char *text = np_session_text(session);
        np_str_addf(&out, "%s%s:", i ? "; " : "", text);
        for (size_t k = 0; k < session->n_scans; k++)
            np_str_addf(&out, "%s %s", k ? "," : "", np_path_name(session->scan[k].relative));
        if (session->n_scans == 0)
            np_str_add(&out, session->unreadable ? " unreadable" : " -");
    }
    return np_str_take(&out);
}

/* A test's selection, in words; NULL = no restriction. */
struct question {
    const char *participants, *sessions, *modalities, *runs, *echoes, *filter_file, *session_list;
};

static int ask(const char *root, const struct question *question, struct np_dataset **dataset,
               struct np_error *err)
{
    const char *const texts[] = {question->participants, question->sessions, question->modalities,
                                 question->runs, question->echoes};
    struct np_strings lists[NP_COUNT(texts)];
    const struct np_strings *given[NP_COUNT(texts)];

    for (size_t i = 0; i < NP_COUNT(texts); i++) {
        lists[i] = words(texts[i] ? texts[i] : "");
        given[i] = texts[i] ? &lists[i] : NULL;
    }
    const struct np_selection selection = {given[0],
                                           given[1],
                                           given[2],
                                           given[3],
                                           given[4],
                                           question->filter_file,
                                           question->session_list};
    int result = np_dataset_open(root, &selection, dataset, err);
    for (size_t i = 0; i < NP_COUNT(lists); i++)
        np_strings_done(&lists[i]);
    return result;
}

/* The dataset at `root` gives what is expected; with as many warnings, the first of which holds
 * `warning` (NULL = there are none). */
static void check(const char *root, struct question question, const char *expected, int n_warnings,
                  const char *warning, int line)
{
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_error err = {0};
    int result = ask(root, &question, &dataset, &err);

    tap_check(result == 0, __FILE__, line, "opens: %s", err.text);
    if (result < 0)
        return;
    NP_AUTO(np_freep) char *found = describe(dataset);
    tap_check_string(found, expected, __FILE__, line);
    NP_AUTO(np_freep) char *warnings = np_strings_join(&dataset->warnings, " | ", 9);
    tap_check((int)dataset->warnings.n == n_warnings, __FILE__, line,
              "%zu warnings, expected %d: %s", dataset->warnings.n, n_warnings, warnings);
    if (warning)
        tap_check_contains(warnings, warning, __FILE__, line);
}

#define ASK(...) ((struct question){__VA_ARGS__})
#define ok_found(root, question, expected) check(root, question, expected, 0, NULL, __LINE__)
#define ok_found_warned(root, question, expected, n, warning) \
    check(root, question, expected, n, warning, __LINE__)

static void check_refused(const char *root, struct question question, int code, const char *part,
                          int line)
{
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_error err = {0};
    int result = ask(root, &question, &dataset, &err);

    tap_check(result == code, __FILE__, line, "%s, expected %s", np_error_ident(result),
              np_error_ident(code));
    tap_check(!dataset, __FILE__, line, "the output is untouched");
    tap_check_contains(err.text, part, __FILE__, line);
}

#define ok_refused(root, question, code, part) check_refused(root, question, code, part, __LINE__)

/* ---- layouts ---- */

static const struct {
    const char *name;
    const char *files;
    const char *expected;
    int n_warnings;
    const char *warning;
} zoo[] = {
    {"one session, other modalities beside it",
     "sub-01/anat/sub-01_T1w.nii.gz sub-01/anat/sub-01_T1w.json "
     "sub-01/anat/sub-01_inplaneT2.nii.gz sub-01/func/sub-01_task-rest_bold.nii.gz "
     "sub-01/dwi/sub-01_dwi.nii.gz sub-02/anat/sub-02_T1w.nii.gz participants.tsv README",
     "sub-01: sub-01_T1w.nii.gz; sub-02: sub-02_T1w.nii.gz", 0, NULL},
    {"several sessions, all three contrasts",
     "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz sub-01/ses-1/anat/sub-01_ses-1_T2w.nii.gz "
     "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz sub-01/ses-1/anat/sub-01_ses-1_FLAIR.nii",
     "sub-01/ses-1: sub-01_ses-1_FLAIR.nii, sub-01_ses-1_T1w.nii.gz, sub-01_ses-1_T2w.nii.gz; "
     "sub-01/ses-2: sub-01_ses-2_T1w.nii.gz",
     0, NULL},
    {"images in sessions and outside of them",
     "sub-01/anat/sub-01_T1w.nii.gz sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz "
     "sub-02/anat/sub-02_T1w.nii.gz sub-03/ses-1/anat/sub-03_ses-1_T1w.nii.gz",
     "sub-01: sub-01_T1w.nii.gz; sub-01/ses-1: sub-01_ses-1_T1w.nii.gz; "
     "sub-02: sub-02_T1w.nii.gz; sub-03/ses-1: sub-03_ses-1_T1w.nii.gz",
     0, NULL},
    {"a mixed participant whose outer anat/ holds nothing of ours",
     "sub-01/anat/sub-01_T1map.nii.gz sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz",
     "sub-01/ses-1: sub-01_ses-1_T1w.nii.gz", 0, NULL},
    {"runs, padded and not, in byte order",
     "sub-01/anat/sub-01_run-2_T1w.nii.gz sub-01/anat/sub-01_run-10_T1w.nii.gz "
     "sub-01/anat/sub-01_run-01_T1w.nii.gz",
     "sub-01: sub-01_run-01_T1w.nii.gz, sub-01_run-10_T1w.nii.gz, sub-01_run-2_T1w.nii.gz", 0,
     NULL},
    {"acquisitions, echoes, contrast agents, reconstructions",
     "sub-01/anat/sub-01_acq-mprage_T1w.nii.gz sub-01/anat/sub-01_ce-gd_T1w.nii.gz "
     "sub-01/anat/sub-01_echo-1_T1w.nii.gz sub-01/anat/sub-01_rec-norm_T1w.nii.gz "
     "sub-01/anat/sub-01_echo-1_MEGRE.nii.gz",
     "sub-01: sub-01_acq-mprage_T1w.nii.gz, sub-01_ce-gd_T1w.nii.gz, sub-01_echo-1_T1w.nii.gz, "
     "sub-01_rec-norm_T1w.nii.gz",
     0, NULL},
    {"MP2RAGE: UNIT1 stands for the missing T1w; its inversions do not",
     "sub-01/anat/sub-01_inv-1_part-mag_MP2RAGE.nii.gz "
     "sub-01/anat/sub-01_inv-1_part-phase_MP2RAGE.nii.gz sub-01/anat/sub-01_UNIT1.nii.gz "
     "sub-01/anat/sub-01_T1map.nii.gz sub-01/anat/sub-01_inv-1_T1w.nii.gz",
     "sub-01: sub-01_UNIT1.nii.gz", 2, "sub-01_inv-1_T1w.nii.gz': expected a whole contrast"},
    {"UNIT1 beside a T1w is left out, in its own session alone",
     "sub-01/anat/sub-01_UNIT1.nii.gz sub-01/anat/sub-01_T1w.nii.gz "
     "sub-02/anat/sub-02_UNIT1.nii.gz sub-02/anat/sub-02_T2w.nii.gz",
     "sub-01: sub-01_T1w.nii.gz; sub-02: sub-02_T2w.nii.gz, sub-02_UNIT1.nii.gz", 2,
     "no T1w in 1 of 2 sessions (sub-02): its UNIT1 is used"},
    {"phase, real and imaginary parts",
     "sub-01/anat/sub-01_part-mag_T1w.nii.gz sub-01/anat/sub-01_part-phase_T1w.nii.gz "
     "sub-01/anat/sub-01_part-real_T1w.nii.gz sub-01/anat/sub-01_part-imag_T1w.nii.gz",
     "sub-01: sub-01_part-mag_T1w.nii.gz", 0, NULL},
    {"derivatives and sources inside, hidden folders",
     "sub-01/anat/sub-01_T1w.nii.gz derivatives/x/sub-02/anat/sub-02_T1w.nii.gz "
     "sourcedata/sub-03/anat/sub-03_T1w.nii.gz code/sub-04/anat/sub-04_T1w.nii.gz "
     "stimuli/sub-05/anat/sub-05_T1w.nii.gz .git/sub-06/anat/sub-06_T1w.nii.gz "
     ".sub-07/anat/sub-07_T1w.nii.gz sub-01/anat/._sub-01_T1w.nii.gz sub-01/.ses-1/anat/",
     "sub-01: sub-01_T1w.nii.gz", 0, NULL},
    {"names of derivatives among raw images",
     "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz "
     "sub-01/anat/sub-01_space-MNI152NLin2009cAsym_T1w.nii.gz sub-01/anat/sub-01_T1w.nii.gz",
     "sub-01: sub-01_T1w.nii.gz", 2, "('desc-preproc'); left out"},
    {"participants and sessions without images",
     "sub-01/ sub-02/func/sub-02_task-rest_bold.nii.gz sub-03/ses-1/ "
     "sub-03/ses-2/func/sub-03_ses-2_task-rest_bold.nii.gz sub-04/ses-1/anat/",
     "sub-01: -; sub-02: -; sub-03/ses-1: -; sub-03/ses-2: -; sub-04/ses-1: -", 1,
     "no image of FLAIR, T1w, T2w, UNIT1 in 5 of 5 sessions (sub-01, sub-02, sub-03/ses-1, … (2 "
     "more))"},
    {"what is there instead of images to process, and folders of the wrong case",
     "sub-01/anat/sub-01_PDw.nii.gz sub-01/anat/sub-01_part-phase_T1w.nii.gz sub-02/Anat/x "
     "Sub-03/anat/sub-03_T1w.nii.gz sub-04/anat/sub-04_T1w.nii.gz",
     "sub-01: -; sub-02: -; sub-04: sub-04_T1w.nii.gz", 2,
     "in 2 of 3 sessions (sub-01, sub-02); what is there: PDw, part-phase_T1w, Anat/"},
    {"a participant's folder of the wrong case",
     "Sub-03/anat/sub-03_T1w.nii.gz sub-04/anat/sub-04_T1w.nii.gz", "sub-04: sub-04_T1w.nii.gz", 1,
     "'Sub-03': expected 'sub-', found 'Sub-'"},
    {"files where folders are expected",
     "sub-01 sub-02/ses-1 sub-02/ses-2/anat/sub-02_ses-2_T1w.nii.gz sub-03/anat",
     "sub-02/ses-2: sub-02_ses-2_T1w.nii.gz; sub-03: -", 3, "'sub-01': expected a folder"},
    {"names that contradict their folders",
     "sub-01/anat/sub-02_T1w.nii.gz sub-01/anat/sub-01_ses-1_T1w.nii.gz sub-01/anat/T1w.nii.gz "
     "sub-02/ses-1/anat/sub-02_T1w.nii.gz sub-02/ses-1/anat/sub-02_ses-2_T1w.nii.gz",
     "sub-01: -; sub-02/ses-1: -", 6,
     "'sub-02/ses-1/anat/sub-02_T1w.nii.gz': expected a name that begins with 'sub-02_ses-1_'"},
    {"names that are not BIDS, and what is no image at all",
     "sub-01/anat/sub-01_T1w_brain.nii.gz sub-01/anat/t1.nii sub-01/anat/notes.txt "
     "sub-01/anat/.DS_Store sub-01/anat/sub-01_T1w.nii.gz.md5",
     "sub-01: -", 3, "'sub-01/anat/sub-01_T1w_brain.nii.gz': expected a BIDS name"},
    {"the wrong case, other formats",
     "sub-01/anat/sub-01_T1w.NII.GZ sub-01/anat/sub-01_t1w.nii.gz sub-01/anat/sub-01_T2w.hdr "
     "sub-01/anat/sub-01_T2w.img sub-01/anat/sub-01_T1w.mgz",
     "sub-01: -", 6, "found '.NII.GZ'"},
    {"compressed and not",
     "sub-01/anat/sub-01_T1w.nii sub-01/anat/sub-01_T1w.nii.gz "
     "sub-01/anat/sub-01_T2w.nii",
     "sub-01: sub-01_T1w.nii.gz, sub-01_T2w.nii", 1,
     "'sub-01/anat/sub-01_T1w.nii': the same image"},
    {"a folder that is called like an image",
     "sub-01/anat/sub-01_T1w.nii.gz/x sub-01/anat/sub-01_T2w.nii.gz", "sub-01: sub-01_T2w.nii.gz",
     1, "found a folder"},
    {"labels that are no labels",
     "sub-01/anat/sub-01_T1w.nii.gz sub-01_old/anat/sub-01_T1w.nii.gz sub-/anat/ sub-x.tar "
     "sub-01/ses-a_b/anat/",
     "sub-01: sub-01_T1w.nii.gz", 3, "'sub-01_old'"},
    {"labels in byte order",
     "sub-b/anat/sub-b_T1w.nii.gz sub-A/anat/sub-A_T1w.nii.gz sub-10/anat/sub-10_T1w.nii.gz "
     "sub-2/anat/sub-2_T1w.nii.gz sub-02/anat/sub-02_T1w.nii.gz",
     "sub-02: sub-02_T1w.nii.gz; sub-10: sub-10_T1w.nii.gz; sub-2: sub-2_T1w.nii.gz; "
     "sub-A: sub-A_T1w.nii.gz; sub-b: sub-b_T1w.nii.gz",
     0, NULL},
};

TEST(every_layout_of_the_zoo_gives_its_images)
{
    for (size_t i = 0; i < NP_COUNT(zoo); i++) {
        NP_AUTO(np_freep) char *root = new_dataset(zoo[i].files);
        printf("# %s\n", zoo[i].name);
        check(root, ASK(0), zoo[i].expected, zoo[i].n_warnings, zoo[i].warning, __LINE__);
    }
}

TEST(scans_have_paths_that_open_and_paths_that_are_relative)
{
    NP_AUTO(np_freep) char *root = new_dataset("sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz");
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_error err = {0};

    ok_int(ask(root, &ASK(0), &dataset, &err), 0);
    const struct np_scan *scan = &dataset->session[0].scan[0];
    NP_AUTO(np_freep) char *expected = np_path_join(root, scan->relative);
    ok_str(scan->relative, "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz");
    ok_str(scan->path, expected);
    ok(access(scan->path, R_OK) == 0);
    ok_str(dataset->session[0].participant, "01");
    ok_str(dataset->session[0].session, "a");
    ok_str(dataset->session[0].requested_session, "a");
    ok_str(scan->name.entity[NP_ENTITY_SES], "a");
}

TEST(roots_may_have_any_bytes_and_a_slash_at_the_end)
{
    NP_AUTO(np_freep) char *root = new_root();
    NP_AUTO(np_freep) char *odd = np_path_join(root, "d\xe9j\xe0 vu/");

    put(odd, "sub-01/anat/sub-01_T1w.nii.gz", "");
    ok_found_warned(odd, ASK(0), "sub-01: sub-01_T1w.nii.gz", 1, "dataset_description.json");
}

TEST(links_to_folders_are_followed_and_links_to_missing_content_kept)
{
    NP_AUTO(np_freep)
    char *root = new_dataset("store/anat/sub-01_T1w.nii.gz "
                             "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii.gz");

    put_link(root, "sub-01", "store");
    put_link(root, "sub-02/ses-2", "ses-1");
    put_link(root, "sub-03/anat/sub-03_T1w.nii.gz", "../../.git/annex/objects/x/y/MD5E-s1.nii.gz");
    put_link(root, "sub-04", "nowhere");
    ok_found_warned(root, ASK(0),
                    "sub-01: sub-01_T1w.nii.gz; sub-02/ses-1: sub-02_ses-1_T1w.nii.gz; "
                    "sub-02/ses-2: -; sub-03: sub-03_T1w.nii.gz",
                    3, "'sub-02/ses-2/anat/sub-02_ses-1_T1w.nii.gz'");
}

TEST(a_folder_that_cannot_be_listed_is_a_failed_session_not_an_empty_one)
{
    NP_AUTO(np_freep) char *root = new_dataset("sub-01/anat/sub-01_T1w.nii.gz sub-02/ses-1/");
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_error err = {0};

    put_link(root, "sub-02/ses-1/anat", "anat"); /* a link to itself: nobody can list it */
    put_link(root, "sub-03", "sub-03");
    ok_int(ask(root, &ASK(0), &dataset, &err), 0);
    NP_AUTO(np_freep) char *found = describe(dataset);
    ok_str(found, "sub-01: sub-01_T1w.nii.gz; sub-02/ses-1: unreadable; sub-03: unreadable");
    ok_contains(dataset->session[1].unreadable, "'sub-02/ses-1/anat': cannot list the folder: ");
    ok_contains(dataset->session[2].unreadable, "'sub-03'");
}

/* ---- .bidsignore ---- */

TEST(ignored_paths_do_not_belong_to_the_dataset)
{
    NP_AUTO(np_freep)
    char *root = new_dataset("sub-01/anat/sub-01_T1w.nii.gz sub-01/anat/sub-01_acq-bad_T1w.nii.gz "
                             "sub-01/anat/odd_name.nii.gz sub-02/anat/sub-02_T1w.nii.gz "
                             "sub-03/ses-1/anat/sub-03_ses-1_T1w.nii.gz "
                             "sub-03/ses-2/anat/sub-03_ses-2_T1w.nii.gz");

    put(root, ".bidsignore", "# not ours\nsub-02/\n*_acq-bad_*\nodd*\n**/ses-2/\n");
    ok_found(root, ASK(0), "sub-01: sub-01_T1w.nii.gz; sub-03/ses-1: sub-03_ses-1_T1w.nii.gz");
    ok_refused(root, ASK(.participants = "02"), NP_ESELECT, ".bidsignore");
    ok_refused(root, ASK(.sessions = "2"), NP_ESELECT, "session '2' does not exist");
}

/* ---- selection ---- */

static char *two_by_two(void)
{
    return new_dataset("sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz "
                       "sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz "
                       "sub-02/ses-01/anat/sub-02_ses-01_T1w.nii.gz "
                       "sub-02/ses-03/anat/sub-02_ses-03_T1w.nii.gz");
}

TEST(labels_select_with_and_without_prefix_and_each_once)
{
    NP_AUTO(np_freep) char *root = two_by_two();

    ok_found(root, ASK(.participants = "sub-02 02"),
             "sub-02/ses-01: sub-02_ses-01_T1w.nii.gz; sub-02/ses-03: sub-02_ses-03_T1w.nii.gz");
    ok_found(root, ASK(.sessions = "ses-01"),
             "sub-01/ses-01: sub-01_ses-01_T1w.nii.gz; sub-02/ses-01: sub-02_ses-01_T1w.nii.gz");
    ok_found(root, ASK(.participants = "01", .sessions = "02"),
             "sub-01/ses-02: sub-01_ses-02_T1w.nii.gz");
}

TEST(a_session_that_one_participant_lacks_is_a_warning_that_all_lack_an_error)
{
    NP_AUTO(np_freep) char *root = two_by_two();

    ok_found_warned(root, ASK(.sessions = "03"), "sub-02/ses-03: sub-02_ses-03_T1w.nii.gz", 1,
                    "'sub-01': has none of the requested sessions");
    ok_found(root, ASK(.sessions = "01 03"),
             "sub-01/ses-01: sub-01_ses-01_T1w.nii.gz; sub-02/ses-01: sub-02_ses-01_T1w.nii.gz; "
             "sub-02/ses-03: sub-02_ses-03_T1w.nii.gz");
    ok_refused(root, ASK(.sessions = "01 07"), NP_ESELECT,
               "session '07' does not exist; expected one of: 01, 02, 03; in ");
    ok_refused(root, ASK(.participants = "01", .sessions = "03"), NP_ESELECT,
               "participant '01': session '03' does not exist");
}

TEST(labels_that_do_not_exist_are_named_with_the_most_similar_one)
{
    NP_AUTO(np_freep) char *root = two_by_two();

    ok_refused(root, ASK(.participants = "1"), NP_ESELECT,
               "participant '1' does not exist (did you mean '01'?); expected one of: 01, 02; in ");
    ok_refused(root, ASK(.participants = "01 99"), NP_ESELECT, "participant '99' does not exist; ");
    ok_refused(root, ASK(.sessions = "1"), NP_ESELECT, "(did you mean '01'?)");
    ok_refused(root, ASK(.participants = "../sub-01"), NP_ESELECT, "participant '../sub-01'");
    ok_refused(root, ASK(.participants = "01", .sessions = "../../sub-02"), NP_ESELECT,
               "session '../../sub-02' does not exist");
    ok_refused(root, ASK(.participants = "01/ses-01"), NP_ESELECT, "does not exist");
    ok_refused(root, ASK(.participants = "sub-"), NP_ESELECT, "participant ''");
}

TEST(unnamed_means_no_session_entity_unless_there_is_such_a_folder)
{
    NP_AUTO(np_freep)
    char *root =
        new_dataset("sub-01/anat/sub-01_T1w.nii.gz sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz "
                    "sub-02/ses-unnamed/anat/sub-02_ses-unnamed_T1w.nii.gz "
                    "sub-03/ses-1/anat/sub-03_ses-1_T1w.nii.gz sub-04/func/");
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_error err = {0};

    ok_found_warned(root, ASK(.sessions = "unnamed"),
                    "sub-01: sub-01_T1w.nii.gz; "
                    "sub-02/ses-unnamed: sub-02_ses-unnamed_T1w.nii.gz; sub-04: -",
                    2, "'sub-03'");
    ok_found(root, ASK(.participants = "01", .sessions = "unnamed 1"),
             "sub-01: sub-01_T1w.nii.gz; sub-01/ses-1: sub-01_ses-1_T1w.nii.gz");
    ok_refused(root, ASK(.participants = "03", .sessions = "unnamed"), NP_ESELECT,
               "session 'unnamed' does not exist");
    ok_int(ask(root, &ASK(.participants = "01", .sessions = "ses-unnamed"), &dataset, &err), 0);
    ok(dataset->session[0].session == NULL);
    ok_str(dataset->session[0].requested_session, "unnamed");
}

TEST(modalities_runs_and_echoes_select)
{
    NP_AUTO(np_freep)
    char *root =
        new_dataset("sub-01/anat/sub-01_run-01_T1w.nii.gz sub-01/anat/sub-01_run-02_T1w.nii.gz "
                    "sub-01/anat/sub-01_T2w.nii.gz sub-01/anat/sub-01_echo-1_T1w.nii.gz "
                    "sub-01/anat/sub-01_echo-2_T1w.nii.gz");

    ok_found(root, ASK(.modalities = "T2w"), "sub-01: sub-01_T2w.nii.gz");
    ok_found_warned(root, ASK(.modalities = "FLAIR"), "sub-01: -", 1,
                    "no image of FLAIR in 1 of 1 session (sub-01); what is there: T2w, T1w");
    ok_found(root, ASK(.runs = "2"), "sub-01: sub-01_run-02_T1w.nii.gz");
    ok_found(root, ASK(.runs = "run-1 2"),
             "sub-01: sub-01_run-01_T1w.nii.gz, sub-01_run-02_T1w.nii.gz");
    ok_found(root, ASK(.modalities = "T2w T1w", .echoes = "2"),
             "sub-01: sub-01_T2w.nii.gz, sub-01_echo-2_T1w.nii.gz, sub-01_run-01_T1w.nii.gz, "
             "sub-01_run-02_T1w.nii.gz");
    ok_found_warned(root, ASK(.runs = "7"), "sub-01: -", 2,
                    "run '7' was requested; the selected sessions have 01, 02");
}

TEST(a_filter_file_restricts_images_and_sessions)
{
    NP_AUTO(np_freep) char *root = two_by_two();
    NP_AUTO(np_freep) char *file = np_path_join(root, "filter.json");

    put_all(root, "sub-01/ses-01/anat/sub-01_ses-01_acq-x_T1w.nii.gz");
    /* As BABS writes it for one session. */
    put(root, "filter.json",
        "{\"fmap\": {\"datatype\": \"fmap\"}, \"sbref\": {\"datatype\": \"func\"},"
        " \"t1w\": {\"datatype\": \"anat\", \"session\": \"01\", \"suffix\": \"T1w\"},"
        " \"t2w\": {\"datatype\": \"anat\", \"session\": \"01\"},"
        " \"flair\": {\"datatype\": \"anat\", \"session\": \"01\"}, \"roi\": {}}");
    ok_found(root, ASK(.filter_file = file),
             "sub-01/ses-01: sub-01_ses-01_T1w.nii.gz, sub-01_ses-01_acq-x_T1w.nii.gz; "
             "sub-02/ses-01: sub-02_ses-01_T1w.nii.gz");
    put(root, "filter.json", "{\"t1w\": {\"acquisition\": null, \"session\": \"01\"}}");
    ok_found(root, ASK(.modalities = "T1w", .filter_file = file),
             "sub-01/ses-01: sub-01_ses-01_T1w.nii.gz; sub-02/ses-01: sub-02_ses-01_T1w.nii.gz");
    put(root, "filter.json", "{\"t1w\": {\"acquisition\": \"x\"}}");
    ok_found_warned(root, ASK(.modalities = "T1w", .filter_file = file),
                    "sub-01/ses-01: sub-01_ses-01_acq-x_T1w.nii.gz; sub-01/ses-02: -; "
                    "sub-02/ses-01: -; sub-02/ses-03: -",
                    1,
                    "filter.json' leaves no image of T1w in 3 of 4 sessions (sub-01/ses-02, "
                    "sub-02/ses-01, sub-02/ses-03)");
    put(root, "filter.json", "{\"t1w\": {\"session\": \"77\"}}");
    ok_refused(root, ASK(.modalities = "T1w", .filter_file = file), NP_ESELECT, "filter.json");
    put(root, "filter.json", "{\"t1w\": [}");
    ok_refused(root, ASK(.filter_file = file), NP_ECONFIG, "filter.json' line 1, column ");
    ok_refused(root, ASK(.filter_file = "/nonexistent/f.json"), NP_ECONFIG, "/nonexistent/f.json");
}

/* ---- what is no dataset ---- */

TEST(a_folder_that_is_no_dataset_is_refused_with_its_path)
{
    NP_AUTO(np_freep) char *root = new_dataset("images/a.nii.gz");
    NP_AUTO(np_freep) char *file = np_path_join(root, "dataset_description.json");

    ok_refused(root, ASK(0), NP_ENOINPUT, "found no folder sub-*");
    ok_refused(root, ASK(.participants = "01"), NP_ENOINPUT, "found no folder sub-*");
    ok_refused(file, ASK(0), NP_ENOINPUT, "found a file");
    ok_refused("/nonexistent/bids", ASK(0), NP_ENOINPUT, "'/nonexistent/bids': expected a BIDS");
}

TEST(the_description_gives_name_and_doi_and_is_never_a_failure)
{
    static const struct {
        const char *content; /* NULL = no file */
        const char *name, *doi;
        int n_warnings;
        const char *warning;
    } cases[] = {
        {description, "Zoo", "doi:10.5072/zoo", 0, NULL},
        {"\xef\xbb\xbf{\"Name\": \"caf\xc3\xa9\"}", "caf\xc3\xa9", NULL, 0, NULL},
        {"{\"Name\": 7}", NULL, NULL, 0, NULL},
        {"{\"Name\": ", NULL, NULL, 1, "'dataset_description.json' line 1, column "},
        {"[1]", NULL, NULL, 1, "expected a JSON object ({…}), found a list"},
        {"{\"Name\": \"x\", \"DatasetType\": \"derivative\"}", "x", NULL, 1, "'derivative'"},
        {NULL, NULL, NULL, 1, "dataset_description.json"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *root = new_root();
        NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
        put_all(root, "sub-01/anat/sub-01_T1w.nii.gz");
        if (cases[i].content)
            put(root, "dataset_description.json", cases[i].content);
        ok_int(ask(root, &ASK(0), &dataset, NULL), 0);
        ok_str(dataset->name, cases[i].name);
        ok_str(dataset->doi, cases[i].doi);
        ok_int((int64_t)dataset->warnings.n, cases[i].n_warnings);
        if (cases[i].warning && dataset->warnings.n)
            ok_contains(dataset->warnings.item[0], cases[i].warning);
    }
}

/* ---- a list of sessions ---- */

/* A list beside the dataset; the caller frees. */
static char *new_list(const char *text)
{
    char *path = np_xasprintf("%s/list %d.tsv", tap_directory(), ++n_roots);

    if (np_file_write_atomic(path, text, strlen(text), NULL) < 0)
        abort();
    return path;
}

/* 01 and 02 with two sessions each, 03 with one and images outside of it, 04 without sessions. */
static const char pairs_files[] =
    "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz "
    "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii.gz sub-02/ses-2/anat/sub-02_ses-2_T1w.nii.gz "
    "sub-03/anat/sub-03_T1w.nii.gz sub-03/ses-1/anat/sub-03_ses-1_T1w.nii.gz "
    "sub-04/anat/sub-04_T1w.nii.gz";

TEST(a_session_list_takes_its_pairs_and_no_others)
{
    static const struct {
        const char *list, *expected;
    } cases[] = {
        {"01\t1\n02\t2\n", "sub-01/ses-1: sub-01_ses-1_T1w.nii.gz; "
                           "sub-02/ses-2: sub-02_ses-2_T1w.nii.gz"},
        {"sub-02 ses-2\r\nsub-01 ses-1", "sub-01/ses-1: sub-01_ses-1_T1w.nii.gz; "
                                         "sub-02/ses-2: sub-02_ses-2_T1w.nii.gz"},
        {"participant_id\tsession_id\tstate\nsub-04\tn/a\tfailed\n", "sub-04: sub-04_T1w.nii.gz"},
        {"# those of Monday\n\n04\tunnamed\n03\tunnamed\n",
         "sub-03: sub-03_T1w.nii.gz; sub-04: sub-04_T1w.nii.gz"},
        {"03\n", "sub-03: sub-03_T1w.nii.gz; sub-03/ses-1: sub-03_ses-1_T1w.nii.gz"},
        {"03\n03\t1\nsub-03\tn/a\n",
         "sub-03: sub-03_T1w.nii.gz; sub-03/ses-1: sub-03_ses-1_T1w.nii.gz"},
    };
    NP_AUTO(np_freep) char *root = new_dataset(pairs_files);

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *list = new_list(cases[i].list);
        ok_found(root, ASK(.session_list = list), cases[i].expected);
    }
}

TEST(a_session_list_that_is_wrong_is_refused_by_line_or_label)
{
    static const struct {
        const char *list;
        int code;
        const char *part;
    } cases[] = {
        {"01\t1\n0_1\t1\n", NP_ECONFIG, "line 2: expected a participant"},
        {"01\tses-\n", NP_ECONFIG, "line 1: expected a session"},
        {"\n# nothing\n", NP_ECONFIG, "found none"},
        {"01\t1\n05\t1\n", NP_ESELECT, "participant '05' does not exist"},
        {"01\t3\n", NP_ESELECT, "participant '01': session '3' does not exist"},
        {"01\tunnamed\n", NP_ESELECT, "session 'unnamed' does not exist"},
    };
    NP_AUTO(np_freep) char *root = new_dataset(pairs_files);

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *list = new_list(cases[i].list);
        ok_refused(root, ASK(.session_list = list), cases[i].code, cases[i].part);
    }
    ok_refused(root, ASK(.session_list = "/nowhere/list"), NP_ENOINPUT, "--session-list");
    ok_refused(root, ASK(.session_list = root), NP_ENOINPUT, "found a folder");
    NP_AUTO(np_freep) char *list = new_list("01\t1\n");
    ok_refused(root, ASK(.session_list = list, .participants = "01"), NP_EUSAGE,
               "--participant-label");
}

/* ---- cost ---- */

/* 10 000 participants, or one with 10 000 sessions: a request by label costs one listing.
 * The bound is 50 ms; a listing of either folder with a look at each entry takes longer. */
TEST(one_session_among_ten_thousand_is_found_without_looking_at_the_others)
{
    NP_AUTO(np_freep) char *root = new_dataset("sub-1/ses-7777/anat/sub-1_ses-7777_T1w.nii.gz");
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_error err = {0};

    for (int i = 0; i < 10000; i++) {
        NP_AUTO(np_freep) char *session = np_xasprintf("%s/sub-1/ses-%d", root, i);
        if (mkdir(session, 0777) != 0 && errno != EEXIST)
            abort();
    }
    int64_t start_ns = np_clock_mono_ns();
    ok_int(ask(root, &ASK(.participants = "1", .sessions = "7777"), &dataset, &err), 0);
    double took_ms = (double)(np_clock_mono_ns() - start_ns) * 1e-6;
    printf("# %.3f ms\n", took_ms);
    ok_below(took_ms, 50.0, "time, ms");
    ok_int((int64_t)dataset->n_sessions, 1);
    np_dataset_freep(&dataset);
    start_ns = np_clock_mono_ns();
    ok_int(ask(root, &ASK(0), &dataset, &err), 0);
    printf("# all of them: %.0f ms\n", (double)(np_clock_mono_ns() - start_ns) * 1e-6);
    ok_int((int64_t)dataset->n_sessions, 10000);
}

TEST(freeing_nothing_is_fine)
{
    struct np_dataset *none = NULL;

    np_dataset_freep(&none);
    ok(none == NULL);
}

TAP_MAIN
