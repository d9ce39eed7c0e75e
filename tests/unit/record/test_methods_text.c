/* CITATION.md says what the folder's configurations did, and cites what they used. */
#include <string.h>

#include "record/methods_text.h"
#include "tap.h"

#define OPTIONS(bias, strip, normalize)                                \
    (char[])                                                           \
    {                                                                  \
        "{\"bias-correction\":\"" bias "\",\"normalize\":\"" normalize \
        "\",\"skull-strip\":\"" strip "\"}"                            \
    }

static char *text_of(struct np_making *making, size_t n, const char *versions)
{
    const struct np_folder folder = {.making = making, .n_makings = n};
    NP_AUTO(np_strings_done) struct np_strings list = {0};
    NP_AUTO(np_freep) char *words = np_xstrdup(versions);
    char *rest = NULL;

    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        np_strings_add(&list, word);
    return np_methods_text(&folder, &list, false);
}

TEST(what_was_switched_off_is_not_claimed_nor_cited)
{
    struct np_making off = {.options = OPTIONS("none", "skip", "none")};
    NP_AUTO(np_freep) char *text = text_of(&off, 1, "0.1.0");

    ok_contains(text, "(version 0.1.0)");
    ok_contains(text, "non-uniformity was not corrected");
    ok_contains(text, "No brain was extracted");
    ok_contains(text, "Intensities were not normalized");
    ok(!strstr(text, "N4") && !strstr(text, "Smith") && !strstr(text, "References"));
}

TEST(references_are_those_of_the_methods_numbered_as_they_come)
{
    struct np_making white = {.options = OPTIONS("none", "auto", "whitestripe")};
    NP_AUTO(np_freep) char *text = text_of(&white, 1, "0.1.0");

    ok_contains(text, "label maps [1]");
    ok_contains(text, "of the BET family [2]");
    ok_contains(text, "by WhiteStripe [3].");
    ok_contains(text, "1. Billot B");
    ok_contains(text, "2. Smith SM.");
    ok_contains(text, "3. Shinohara RT");
    ok(!strstr(text, "Tustison"));
}

TEST(each_way_to_find_the_brain_is_described_the_network_where_it_was_used_alone)
{
    static const struct {
        const char *value;
        bool has_network, has_surface, keeps_stripped;
    } ways[] = {{"auto", true, true, true},
                {"force", true, true, false},
                {"classic", false, true, true},
                {"skip", false, false, false}};

    for (size_t i = 0; i < NP_COUNT(ways); i++) {
        NP_AUTO(np_freep) char *options = np_xasprintf("{\"skull-strip\":\"%s\"}", ways[i].value);
        struct np_making making = {.options = options};
        NP_AUTO(np_freep) char *text = text_of(&making, 1, "0.1.0");
        ok(!!strstr(text, "convolutional network") == ways[i].has_network);
        ok(!!strstr(text, "Billot") == ways[i].has_network);
        ok(!!strstr(text, "deformable surface of the BET family") == ways[i].has_surface);
        ok(!!strstr(text, "removed before were kept") == ways[i].keeps_stripped);
    }
}

TEST(results_of_a_version_without_network_name_none)
{
    struct np_text_record method = {(char[]){"T1w"}, (char[]){"skull_strip:2 normalization:1"}};
    struct np_making making = {
        .options = OPTIONS("n4", "auto", "zscore"), .method = &method, .n_methods = 1};
    NP_AUTO(np_freep) char *text = text_of(&making, 1, "0.1.0");

    ok_contains(text, "without a neural network");
    ok(!strstr(text, "Billot"));
}

TEST(where_no_brain_was_extracted_tissues_are_those_of_stripped_images)
{
    struct np_text_record method = {(char[]){"T1w"}, (char[]){"skull_strip:4 tissue:1"}};
    struct np_making making = {
        .options = OPTIONS("n4", "skip", "zscore"), .method = &method, .n_methods = 1};
    const struct np_folder folder = {.making = &making, .n_makings = 1};
    NP_AUTO(np_freep) char *text = text_of(&making, 1, "0.1.0");
    NP_AUTO(np_freep) char *summary = np_methods_summary(&folder);

    ok_contains(text, "whose skull had been removed before, or whose mask was given, and in no "
                      "others, the share of grey matter");
    ok(!strstr(text, "images with a brain mask"));
    ok_contains(summary, "tissues of T1w images without skull");
}

TEST(tissues_are_described_and_their_labels_listed_where_the_method_has_them)
{
    struct np_text_record method = {(char[]){"T1w"}, (char[]){"skull_strip:4 tissue:1"}};
    struct np_making making = {
        .options = (char[]){"{\"level\":\"full\"}"}, .method = &method, .n_methods = 1};
    const struct np_folder folder = {.making = &making, .n_makings = 1};
    NP_AUTO(np_freep) char *text = text_of(&making, 1, "0.1.0");
    NP_AUTO(np_freep) char *segments = np_methods_segments(&folder);

    ok_contains(text, "classes of mixed voxels [1].");
    ok_contains(text, "2. Zhang J.");
    ok_contains(segments, "index\tname\tabbreviation\tmapping\n");
    ok_contains(segments, "\n2\tWhite Matter\tWM\t2\n");
    making.options = (char[]){"{\"level\":\"minimal\"}"};
    ok(np_methods_segments(&folder) == NULL);
    method.text = (char[]){"skull_strip:4"};
    NP_AUTO(np_freep) char *without = text_of(&making, 1, "0.1.0");
    ok(!strstr(without, "mixed voxels"));
}

TEST(measured_images_cite_mriqc_and_no_others_do)
{
    struct np_text_record method = {(char[]){"FLAIR"}, (char[]){"skull_strip:4 quality:1"}};
    struct np_making making = {
        .options = (char[]){"{\"level\":\"full\"}"}, .method = &method, .n_methods = 1};
    NP_AUTO(np_freep) char *text = text_of(&making, 1, "0.1.0");

    ok_contains(text, "by the formulas of MRIQC [1]");
    ok_contains(text, "the values are not those of MRIQC");
    ok_contains(text, "1. Esteban O");
    method.text = (char[]){"skull_strip:4"};
    NP_AUTO(np_freep) char *without = text_of(&making, 1, "0.1.0");
    ok(!strstr(without, "MRIQC"));
}

TEST(two_configurations_have_a_paragraph_each_and_their_order_does_not_show)
{
    struct np_making one = {.options = OPTIONS("n4", "auto", "zscore")},
                     other = {.options = OPTIONS("n4", "auto", "percentile")};
    struct np_making first[2] = {one, other}, second[2] = {other, one};
    NP_AUTO(np_freep) char *a = text_of(first, 2, "0.1.0 0.2.0");
    NP_AUTO(np_freep) char *b = text_of(second, 2, "0.2.0 0.1.0");

    ok_str(a, b);
    ok_contains(a, "(version 0.1.0, 0.2.0)");
    ok_contains(a, "results of 2 configurations");
    ok_contains(a, "## Configuration 2 of 2");
    ok_contains(a, "z-score");
    ok_contains(a, "99th percentile");
}

TEST(masks_that_were_given_have_a_sentence_of_their_own)
{
    const struct np_folder folder = {0};
    const struct np_strings versions = {0};
    NP_AUTO(np_freep) char *with = np_methods_text(&folder, &versions, true);
    NP_AUTO(np_freep) char *without = np_methods_text(&folder, &versions, false);

    ok_contains(with, "GivenMaskSHA256");
    ok(np_methods_mention_masks(with));
    ok(!np_methods_mention_masks(without));
}

/* The other files' sentences on these configurations. */
static void list_texts(struct np_making *making, size_t n, struct np_strings *texts)
{
    const struct np_folder folder = {.making = making, .n_makings = n};
    const struct np_strings versions = {0};

    np_strings_give(texts, np_methods_summary(&folder));
    np_strings_give(texts, np_methods_descriptions(&folder));
    np_strings_give(texts, np_methods_readme(&folder, &versions, false));
}

TEST(no_text_claims_what_was_switched_off)
{
    struct np_making off = {.options = OPTIONS("none", "skip", "none")};
    NP_AUTO(np_strings_done) struct np_strings texts = {0};

    list_texts(&off, 1, &texts);
    for (size_t i = 0; i < texts.n; i++)
        ok(!strstr(texts.item[i], "N4") && !strstr(texts.item[i], ", corrected"));
    ok_str(texts.item[0], "Anatomical images: checked, not changed");
    ok_contains(texts.item[1], "desc-preproc\tWhole head, not corrected for the bias field");
    ok_contains(texts.item[1], "desc-brain\tSupport of the image: no brain was extracted");
    ok_contains(texts.item[2], "Whole head, not corrected for the bias field");
    ok_contains(texts.item[2], "Intensities were not normalized");
    ok(!strstr(texts.item[2], "desc-norm") && !strstr(texts.item[2], "biasfield"));
}

TEST(what_some_images_have_is_said_to_be_that)
{
    struct np_making both[2] = {{.options = OPTIONS("n4", "auto", "zscore")},
                                {.options = OPTIONS("none", "auto", "zscore")}};
    NP_AUTO(np_strings_done) struct np_strings one = {0}, two = {0};

    list_texts(both, 1, &one);
    ok_str(one.item[0], "Anatomical images: bias correction (N4), brain extraction and intensity "
                        "normalization");
    ok_contains(one.item[1], "corrected for the bias field (input divided by the field)");
    ok_contains(one.item[2], "desc-norm");
    ok_contains(one.item[2], "outdated were made otherwise");
    list_texts(both, 2, &two);
    ok_contains(two.item[0], "bias correction (N4) in some images, brain extraction and");
    ok_contains(two.item[1], "where its sidecar says so");
}

TAP_MAIN
