/* The table of modalities: each row is whole, and what is made of the table agrees with it. */
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "catalog/modality.h"
#include "tap.h"

TEST(every_modality_has_its_row_and_no_suffix_stands_twice)
{
    for (size_t i = 0; i < NP_N_MODALITIES; i++) {
        const struct np_modality *row = &np_modalities[i];
        ok(row->suffix && row->datatype && row->filter_key);
        ok(np_modality_find(row->suffix) == row);
        ok(strcasecmp(row->suffix, row->filter_key) == 0);
        ok((row->recipe == NP_RECIPE_NONE) == (row->use == NP_USE_IN_A_LATER_VERSION));
    }
    ok(np_modality_find("MP2RAGE") == NULL);
    ok(np_modality_find("t1w") == NULL);
}

/* Two kinds of masks with the short name would be one file. */
TEST(one_modality_of_a_datatype_keeps_the_short_name_of_masks)
{
    int n_short = 0;

    for (size_t i = 0; i < NP_N_MODALITIES; i++)
        n_short += np_modality_mask_is_short(np_modalities[i].suffix);
    ok_int(n_short, 1);
    ok(!np_modality_mask_is_short(""));
}

TEST(sentences_name_the_anatomical_rows_in_order)
{
    NP_AUTO(np_str_done) struct np_str suffixes = {0}, arguments = {0}, keys = {0};

    for (size_t i = 0; i < NP_N_MODALITIES; i++) {
        const struct np_modality *row = &np_modalities[i];
        if (strcmp(row->datatype, "anat") != 0)
            continue;
        np_str_addf(&suffixes, "%s%s", suffixes.length ? ", " : "", row->suffix);
        np_str_addf(&arguments, "%s%s", arguments.length ? " " : "", row->suffix);
        np_str_addf(&keys, "%s%s", keys.length ? ", " : "", row->filter_key);
    }
    ok_str(NP_ANATOMICAL_SUFFIXES, np_str_text(&suffixes));
    ok_str(NP_ANATOMICAL_ARGUMENTS, np_str_text(&arguments));
    ok_str(NP_ANATOMICAL_FILTER_KEYS, np_str_text(&keys));
    ok_str(NP_FIRST_SUFFIX, np_modalities[0].suffix);
}

TAP_MAIN
