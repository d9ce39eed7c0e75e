#include <stdlib.h>

#include "bids/entities.h"
#include "bids/labels.h"
#include "tap.h"

static bool parses(const char *file_name)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};

    return np_bids_name_parse(file_name, &name);
}

TEST(a_name_is_taken_apart)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};

    ok(np_bids_name_parse("sub-01_ses-pre_acq-mprage_run-002_T1w.nii.gz", &name));
    ok_str(name.entity[NP_ENTITY_SUB], "01");
    ok_str(name.entity[NP_ENTITY_SES], "pre");
    ok_str(name.entity[NP_ENTITY_ACQ], "mprage");
    ok_str(name.entity[NP_ENTITY_RUN], "002");
    ok(name.entity[NP_ENTITY_ECHO] == NULL);
    ok_str(name.suffix, "T1w");
    ok_str(name.extension, ".nii.gz");
}

TEST(formatting_gives_the_standards_order_and_keeps_padding)
{
    static const struct {
        const char *in, *out;
    } names[] = {
        {"sub-01_T1w.nii.gz", "sub-01_T1w.nii.gz"},
        {"sub-01_run-007_acq-x_T1w.nii", "sub-01_acq-x_run-007_T1w.nii"},
        {"sub-1_desc-brain_space-T2w_mask.nii.gz", "sub-1_space-T2w_desc-brain_mask.nii.gz"},
        {"sub-1_part-mag_mt-on_inv-2_echo-1_mod-T1w_dir-AP_rec-a_ce-b_task-c_sample-d_x",
         "sub-1_sample-d_task-c_ce-b_rec-a_dir-AP_mod-T1w_echo-1_inv-2_mt-on_part-mag_x"},
        {"T1w.json", "T1w.json"},
    };

    for (size_t i = 0; i < NP_COUNT(names); i++) {
        NP_AUTO(np_bids_name_done) struct np_bids_name name = {0}, copy = {0};
        ok(np_bids_name_parse(names[i].in, &name));
        np_bids_name_copy(&name, &copy);
        NP_AUTO(np_freep) char *out = np_bids_name_format(&copy);
        ok_str(out, names[i].out);
    }
}

TEST(names_that_are_not_bids_are_refused)
{
    static const char *const names[] = {
        "",
        ".nii.gz",
        "_T1w.nii.gz",
        "sub-01.nii.gz",          /* no suffix */
        "sub-01_.nii.gz",         /* an empty one */
        "sub-_T1w.nii.gz",        /* empty label */
        "sub_T1w.nii.gz",         /* no label */
        "-01_T1w.nii.gz",         /* no key */
        "subject-01_T1w.nii.gz",  /* unknown key */
        "sub-01_sub-02_T1w.nii",  /* a key twice */
        "sub-01_T1w_brain.nii",   /* words after the suffix */
        "sub-01__T1w.nii",        /* nothing between underscores */
        "sub-0-1_T1w.nii",        /* a dash in a label */
        "sub-01_ses-a b_T1w.nii", /* a space */
        "sub-\xc3\xa9_T1w.nii",   /* not ASCII */
        "sub-0.1_T1w.nii.gz",     /* the name ends at its first dot */
    };

    for (size_t i = 0; i < NP_COUNT(names); i++)
        tap_check(!parses(names[i]), __FILE__, __LINE__, "'%s' is refused", names[i]);
}

TEST(a_name_that_is_refused_leaves_the_output_untouched)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};

    ok(np_bids_name_parse("sub-01_T1w.nii", &name));
    ok(!np_bids_name_parse("sub-02_acq-x_acq-y_T2w.nii", &name));
    ok_str(name.entity[NP_ENTITY_SUB], "01");
    ok_str(name.suffix, "T1w");
}

TEST(a_plus_may_stand_in_a_label)
{
    ok(parses("sub-01_acq-a+b_T1w.nii.gz"));
}

TEST(indices_are_equal_with_any_padding)
{
    ok(np_index_equal("1", "01"));
    ok(np_index_equal("000", "0"));
    ok(np_index_equal("99999999999999999999999", "099999999999999999999999"));
    ok(!np_index_equal("1", "10"));
    ok(!np_index_equal("1a", "01a"));
    ok(np_index_equal("pre", "pre"));
    ok(!np_index_equal("", "0"));
}

TEST(the_label_that_was_meant_is_found)
{
    static const struct {
        const char *asked, *meant;
    } cases[] = {
        {"1", "01"},    /* padding */
        {"002", "02"},  /* … */
        {"PRE", "pre"}, /* case */
        {"contorl", "control"} /* swapped letters */,
        {"3", NULL}, /* one edit from everything is near nothing */
        {"patient", NULL},
    };
    NP_AUTO(np_strings_done) struct np_strings known = {0};

    np_strings_add(&known, "01");
    np_strings_add(&known, "02");
    np_strings_add(&known, "pre");
    np_strings_add(&known, "control");
    for (size_t i = 0; i < NP_COUNT(cases); i++)
        ok_str(np_label_nearest(cases[i].asked, &known), cases[i].meant);
}

TEST(prefixes_are_stripped_once_and_only_their_own)
{
    ok_str(np_label_strip("sub-01", "sub"), "01");
    ok_str(np_label_strip("01", "sub"), "01");
    ok_str(np_label_strip("sub", "sub"), "sub");
    ok_str(np_label_strip("ses-01", "sub"), "ses-01");
    ok_str(np_label_strip("sub-sub-01", "sub"), "sub-01");
}

TEST(stems_of_images)
{
    ok_int((int64_t)np_image_stem_length("scan.nii.gz"), 4);
    ok_int((int64_t)np_image_stem_length("scan.v2.NII"), 7);
    ok_int((int64_t)np_image_stem_length("scan.hdr"), 4);
    ok_int((int64_t)np_image_stem_length("scan.json"), 0);
    ok_int((int64_t)np_image_stem_length(".nii.gz"), 0);
}

TAP_MAIN
