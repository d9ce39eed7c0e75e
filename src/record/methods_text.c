#include "record/methods_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/stage_name.h"
#include "record/json.h"
#include "record/method.h"
#include "json/json.h"

enum reference { N4, SYNTHSEG, BET, WHITESTRIPE, MIXED_VOXELS, MEAN_FIELD, MRIQC, N_REFERENCES };

static const char *const references[N_REFERENCES] = {
    [N4] = "Tustison NJ, Avants BB, Cook PA, et al. N4ITK: improved N3 bias correction. IEEE Trans "
           "Med Imaging 2010;29(6):1310-1320. doi:10.1109/TMI.2010.2046908",
    [SYNTHSEG] = "Billot B, Greve DN, Puonti O, et al. SynthSeg: segmentation of brain MRI scans "
                 "of any contrast and resolution without retraining. Med Image Anal "
                 "2023;86:102789. doi:10.1016/j.media.2023.102789",
    [BET] = "Smith SM. Fast robust automated brain extraction. Hum Brain Mapp "
            "2002;17(3):143-155. doi:10.1002/hbm.10062",
    [WHITESTRIPE] = "Shinohara RT, Sweeney EM, Goldsmith J, et al. Statistical normalization "
                    "techniques for magnetic resonance imaging. NeuroImage Clin 2014;6:9-19. "
                    "doi:10.1016/j.nicl.2014.08.008",
    [MIXED_VOXELS] = "Santago P, Gage HD. Quantification of MR brain images by mixture density and "
                     "partial volume modeling. IEEE Trans Med Imaging 1993;12(3):566-574. "
                     "doi:10.1109/42.241885",
    [MEAN_FIELD] = "Zhang J. The mean field theory in EM procedures for Markov random fields. IEEE "
                   "Trans Signal Process 1992;40(10):2570-2583. doi:10.1109/78.157229",
    [MRIQC] = "Esteban O, Birman D, Schaer M, et al. MRIQC: advancing the automatic prediction of "
              "image quality in MRI from unseen sites. PLoS ONE 2017;12(9):e0184661. "
              "doi:10.1371/journal.pone.0184661",
};

/* A text and the references in it, numbered in the order in which they come. */
struct page {
    struct np_str text;
    int number[N_REFERENCES]; /* 0 = not cited */
    int n_cited;
};

/* A sentence of an option's value; NO_REFERENCE where it cites nothing. */
enum { NO_REFERENCE = -1 };

struct sentence {
    const char *option, *value;
    const char *text; /* "%s" stands for the reference */
    int reference;
};

#define NETWORK                                                                                  \
    "The brain was located with a small convolutional network, whose weights were learned from " \
    "images drawn from label maps%s."
#define KEPT "Images whose skull had been removed before were kept as they were."

static const struct sentence sentences[] = {
    {"bias-correction", "n4",
     "Intensity non-uniformity was corrected with an implementation of N4%s, first on the "
     "foreground of the head, then once more inside the brain.",
     N4},
    {"bias-correction", "none", "Intensity non-uniformity was not corrected.", NO_REFERENCE},
    {"skull-strip", "auto", NETWORK, SYNTHSEG},
    {"skull-strip", "auto", "Its border was found with a deformable surface of the BET family%s.",
     BET},
    {"skull-strip", "auto", KEPT, NO_REFERENCE},
    {"skull-strip", "force", NETWORK, SYNTHSEG},
    {"skull-strip", "force",
     "Its border was found with a deformable surface of the BET family%s, in every image.", BET},
    {"skull-strip", "classic",
     "The brain was extracted with a deformable surface of the BET family%s, without a neural "
     "network.",
     BET},
    {"skull-strip", "classic", KEPT, NO_REFERENCE},
    {"skull-strip", "skip", "No brain was extracted: the mask is the support of the image.",
     NO_REFERENCE},
    {"normalize", "zscore",
     "Intensities inside the mask were normalized to zero mean and unit standard deviation "
     "(z-score).",
     NO_REFERENCE},
    {"normalize", "whitestripe", "Intensities inside the mask were normalized by WhiteStripe%s.",
     WHITESTRIPE},
    {"normalize", "percentile",
     "Intensities inside the mask were scaled linearly so that the 1st and the 99th percentile of "
     "the smoothed brain (in FLAIR the 99th of its tissue) became 0 and 1.",
     NO_REFERENCE},
    {"normalize", "none", "Intensities were not normalized.", NO_REFERENCE},
    {"level", "minimal", "Normalized images were not written.", NO_REFERENCE},
    {"output-datatype", "int16",
     "Images in the units of the source were stored as 16-bit integers with a factor, unless that "
     "would have made them coarse.",
     NO_REFERENCE},
};

/* Of a method with the stage tissue, by --skull-strip. */
#define SHARES                                                                                    \
    "the share of grey matter, white matter and cerebrospinal fluid in each voxel was estimated " \
    "from a mixture of normal distributions with classes of mixed voxels%s."

static const struct sentence tissues_of_brains = {
    NULL, NULL, "In T1w and UNIT1 images with a brain mask, " SHARES, MIXED_VOXELS};

static const struct sentence tissues_of_stripped = {
    NULL, NULL,
    "In T1w and UNIT1 images whose skull had been removed before, or whose mask was given, and in "
    "no others, " SHARES,
    MIXED_VOXELS};

static const struct sentence tissues_of_neighbours = {
    NULL, NULL,
    "Neighbouring voxels were made alike by a Markov random field, solved by its mean field%s.",
    MEAN_FIELD};

/* Of a method with the stage quality. */
static const struct sentence metrics = {
    NULL, NULL,
    "Image quality was measured by the formulas of MRIQC%s, in masks and tissues of this program: "
    "the values are not those of MRIQC.",
    MRIQC};

static void add_sentence(struct page *page, const struct sentence *sentence)
{
    NP_AUTO(np_freep) char *mark = np_xstrdup("");

    if (sentence->reference != NO_REFERENCE) {
        int *number = &page->number[sentence->reference];
        if (!*number)
            *number = ++page->n_cited;
        free(mark);
        mark = np_xasprintf(" [%d]", *number);
    }
    const char *place = strstr(sentence->text, "%s");
    if (place)
        np_str_addf(&page->text, "%.*s%s%s\n", (int)(place - sentence->text), sentence->text, mark,
                    place + 2);
    else
        np_str_addf(&page->text, "%s\n", sentence->text);
}

/* Once for all modalities, when their stages are the same. */
static void add_versions(struct page *page, const struct np_making *making)
{
    bool are_equal = true;

    for (size_t i = 1; i < making->n_methods; i++)
        are_equal = are_equal && strcmp(making->method[i].text, making->method[0].text) == 0;
    size_t n = are_equal && making->n_methods ? 1 : making->n_methods;
    for (size_t i = 0; i < n; i++)
        np_str_addf(&page->text, "%s%s%s%s", i ? "; " : "Stages and their versions: ",
                    are_equal ? "" : making->method[i].key, are_equal ? "" : ": ",
                    making->method[i].text);
    if (n)
        np_str_add(&page->text, ".\n");
}

static bool has_stage(const struct np_making *making, const char *stage)
{
    for (size_t i = 0; i < making->n_methods; i++)
        if (np_method_has(making->method[i].text, stage))
            return true;
    return false;
}

static bool has_tissues(const struct np_making *making)
{
    return has_stage(making, NP_STAGE_TISSUE);
}

/* Versions 1 and 2 of brain extraction had no network. */
static bool is_before_network(const struct np_making *making)
{
    for (size_t i = 0; i < making->n_methods; i++)
        if (strstr(making->method[i].text, "skull_strip:1 ") ||
            strstr(making->method[i].text, "skull_strip:2 "))
            return true;
    return false;
}

/* The value of an option; brain extraction as it is called today. */
static const char *value_of(const struct np_making *making, const json_t *options,
                            const char *option)
{
    const char *value = json_string_value(json_object_get(options, option));

    if (value && strcmp(option, "skull-strip") == 0 && strcmp(value, "auto") == 0 &&
        is_before_network(making))
        return "classic";
    return value;
}

static void add_tissues(struct page *page, const char *skull_strip)
{
    bool is_skipped = skull_strip && strcmp(skull_strip, "skip") == 0;

    add_sentence(page, is_skipped ? &tissues_of_stripped : &tissues_of_brains);
    add_sentence(page, &tissues_of_neighbours);
}

static void add_making(struct page *page, const struct np_making *making)
{
    NP_AUTO(np_json_freep) json_t *options = json_loads(making->options, 0, NULL);

    for (size_t i = 0; i < NP_COUNT(sentences); i++) {
        const char *value = value_of(making, options, sentences[i].option);
        if (value && strcmp(value, sentences[i].value) == 0)
            add_sentence(page, &sentences[i]);
    }
    if (has_tissues(making))
        add_tissues(page, value_of(making, options, "skull-strip"));
    if (has_stage(making, NP_STAGE_QUALITY))
        add_sentence(page, &metrics);
    add_versions(page, making);
    np_str_addf(&page->text, "Options: `%s`\n", making->options);
}

static void add_references(struct page *page)
{
    if (page->n_cited)
        np_str_add(&page->text, "\n## References\n\n");
    for (int n = 1; n <= page->n_cited; n++)
        for (int i = 0; i < N_REFERENCES; i++)
            if (page->number[i] == n)
                np_str_addf(&page->text, "%d. %s\n", n, references[i]);
}

/* The configurations in the order of their options, whichever came first. */
static int by_options(const void *a, const void *b)
{
    const struct np_making *const *x = a, *const *y = b;

    return strcmp((*x)->options, (*y)->options);
}

static void add_makings(struct page *page, const struct np_folder *folder)
{
    NP_AUTO(np_freep)
    const struct np_making **making = np_xcalloc(folder->n_makings + 1, sizeof(*making));

    for (size_t i = 0; i < folder->n_makings; i++)
        making[i] = &folder->making[i];
    qsort(making, folder->n_makings, sizeof(*making), by_options);
    for (size_t i = 0; i < folder->n_makings; i++) {
        if (folder->n_makings > 1)
            np_str_addf(&page->text, "\n## Configuration %zu of %zu\n", i + 1, folder->n_makings);
        np_str_add(&page->text, "\n");
        add_making(page, making[i]);
    }
}

static const char GIVEN_MASKS[] =
    "\nFor images whose sidecar has a `GivenMaskSHA256`, a brain mask that was made elsewhere was "
    "used as it was.\n";

bool np_methods_mention_masks(const char *text)
{
    return strstr(text, GIVEN_MASKS) != NULL;
}

char *np_methods_text(const struct np_folder *folder, const struct np_strings *versions,
                      bool has_given_masks)
{
    struct page page = {0};
    NP_AUTO(np_strings_done) struct np_strings sorted = {0};

    for (size_t i = 0; i < versions->n; i++)
        np_strings_add(&sorted, versions->item[i]);
    np_strings_sort(&sorted);
    NP_AUTO(np_freep) char *list = np_strings_join(&sorted, ", ", versions->n);
    np_str_addf(&page.text,
                "# Methods\n\n<!-- Images of sessions that 'neuro-preprocess status' lists as "
                "outdated were made otherwise; their sidecars say how. -->\n"
                "Anatomical images were preprocessed with neuro-preprocess (version %s).\n",
                list);
    if (folder->n_makings > 1)
        np_str_addf(&page.text,
                    "This folder holds results of %zu configurations; the sidecar of each image "
                    "and `logs/status.tsv` name its own.\n",
                    folder->n_makings);
    add_makings(&page, folder);
    if (has_given_masks)
        np_str_add(&page.text, GIVEN_MASKS);
    add_references(&page);
    return np_str_take(&page.text);
}

/* ---- the other files ---- */

/* In how many of the folder's configurations. */
enum extent { NEVER, SOMETIMES, ALWAYS };

static bool is_off(const struct np_making *making, const char *option, const char *off)
{
    NP_AUTO(np_json_freep) json_t *options = json_loads(making->options, 0, NULL);
    const json_t *value = json_object_get(options, option);

    if (!off)
        return !json_is_true(value);
    return json_is_string(value) && strcmp(json_string_value(value), off) == 0;
}

/* How far something was done: an option that has another value than `off`, or, where that is NULL,
 * is true. */
static enum extent extent_of(const struct np_folder *folder, const char *option, const char *off)
{
    size_t n_off = 0;

    for (size_t i = 0; i < folder->n_makings; i++)
        n_off += is_off(&folder->making[i], option, off);
    return n_off == 0 ? ALWAYS : n_off < folder->n_makings ? SOMETIMES : NEVER;
}

static bool makes_tissues(const struct np_folder *folder)
{
    for (size_t i = 0; i < folder->n_makings; i++)
        if (has_tissues(&folder->making[i]))
            return true;
    return false;
}

char *np_methods_segments(const struct np_folder *folder)
{
    if (!makes_tissues(folder) || extent_of(folder, "level", "minimal") == NEVER)
        return NULL;
    return np_xstrdup("index\tname\tabbreviation\tmapping\n"
                      "0\tBackground\tBG\t0\n"
                      "1\tGray Matter\tGM\t1\n"
                      "2\tWhite Matter\tWM\t2\n"
                      "3\tCerebrospinal Fluid\tCSF\t3\n");
}

char *np_methods_summary(const struct np_folder *folder)
{
    static const struct {
        const char *option, *off, *name;
    } steps[] = {{"bias-correction", "none", "bias correction (N4)"},
                 {"skull-strip", "skip", "brain extraction"},
                 {"normalize", "none", "intensity normalization"}};
    NP_AUTO(np_strings_done) struct np_strings done = {0};

    for (size_t i = 0; i < NP_COUNT(steps); i++) {
        enum extent extent = extent_of(folder, steps[i].option, steps[i].off);
        if (extent != NEVER)
            np_strings_give(&done, np_xasprintf("%s%s", steps[i].name,
                                                extent == ALWAYS ? "" : " in some images"));
    }
    if (makes_tissues(folder))
        np_strings_add(&done, extent_of(folder, "skull-strip", "skip") == NEVER
                                  ? "tissues of T1w images without skull"
                                  : "tissues of T1w images");
    if (done.n == 0)
        return np_xstrdup("Anatomical images: checked, not changed");
    struct np_str text = {0};
    np_str_add(&text, "Anatomical images: ");
    for (size_t i = 0; i < done.n; i++)
        np_str_addf(&text, "%s%s", i == 0 ? "" : i + 1 < done.n ? ", " : " and ", done.item[i]);
    return np_str_take(&text);
}

static const char *preproc_words(const struct np_folder *folder)
{
    static const char *const words[] = {
        [NEVER] = "Whole head, not corrected for the bias field",
        [SOMETIMES] = "Whole head, corrected for the bias field where its sidecar says so",
        [ALWAYS] = "Whole head, corrected for the bias field (input divided by the field)"};

    return words[extent_of(folder, "bias-correction", "none")];
}

static const char *norm_words(const struct np_folder *folder)
{
    static const char *const words[] = {
        [NEVER] = "not corrected for the bias field",
        [SOMETIMES] = "corrected for the bias field where its sidecar says so",
        [ALWAYS] = "corrected for the bias field"};

    return words[extent_of(folder, "bias-correction", "none")];
}

static const char *mask_words(const struct np_folder *folder)
{
    static const char *const words[] = {
        [NEVER] = "Support of the image: no brain was extracted",
        [SOMETIMES] =
            "Brain (tissue, ventricles, sulcal CSF); the support where its sidecar says so",
        [ALWAYS] = "Brain: tissue, ventricles and sulcal CSF"};

    return words[extent_of(folder, "skull-strip", "skip")];
}

char *np_methods_descriptions(const struct np_folder *folder)
{
    return np_xasprintf("desc_id\tdescription\n"
                        "desc-preproc\t%s; original grid and intensity units\n"
                        "desc-norm\tInside the mask only, %s, intensities normalized as the "
                        "sidecar says; 0 outside\n"
                        "desc-brain\t%s. A mask is 1 inside; an image has the intensities of "
                        "desc-preproc inside the mask, 0 outside\n",
                        preproc_words(folder), norm_words(folder), mask_words(folder));
}

static bool has_norm(const struct np_folder *folder)
{
    return extent_of(folder, "normalize", "none") != NEVER &&
           extent_of(folder, "level", "minimal") != NEVER;
}

char *np_methods_readme(const struct np_folder *folder, const struct np_strings *versions,
                        bool has_given_masks)
{
    NP_AUTO(np_freep) char *methods = np_methods_text(folder, versions, has_given_masks);
    struct np_str text = {0};

    np_str_addf(&text,
                "# Preprocessed anatomical MRI\n\n"
                "Made by neuro-preprocess. Each image keeps the grid of its source.\n\n"
                "| file | content |\n|---|---|\n"
                "| `*_desc-preproc_*.nii.gz` | %s |\n"
                "| `*_desc-brain_mask.nii.gz` | %s; 0 or 1 |\n",
                preproc_words(folder), mask_words(folder));
    if (has_norm(folder))
        np_str_addf(&text,
                    "| `*_desc-norm_*.nii.gz` | Inside the mask only, %s, "
                    "intensity-normalized; 0 outside |\n",
                    norm_words(folder));
    if (makes_tissues(folder) && extent_of(folder, "level", "minimal") != NEVER)
        np_str_add(&text, "| `*_dseg.nii.gz` | The tissue with the largest share, T1w and UNIT1 "
                          "with a brain mask: 1 "
                          "grey matter, 2 white matter, 3 cerebrospinal fluid (`dseg.tsv`); not of "
                          "images that an earlier version made |\n");
    if (makes_tissues(folder) && extent_of(folder, "save-probseg", NULL) != NEVER)
        np_str_add(&text, "| `*_label-{GM,WM,CSF}_probseg.nii.gz` | The share of each tissue, 0 to "
                          "1 |\n");
    if (extent_of(folder, "save-brain", NULL) != NEVER)
        np_str_add(&text, "| other `*_desc-brain_*.nii.gz` | desc-preproc inside the mask, 0 "
                          "outside |\n");
    if (extent_of(folder, "save-bias-field", NULL) != NEVER)
        np_str_add(&text, "| `*_biasfield.nii.gz` | the multiplicative field |\n");
    np_str_addf(&text,
                "\nEach has a JSON sidecar with its sources, the methods' parameters and hashes. "
                "What happened in each session\nstands in `logs/`: `neuro-preprocess status` reads "
                "it. Sessions that it lists as outdated were made otherwise.\n\n%s",
                methods);
    return np_str_take(&text);
}
