#include "record/derivative_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "bids/sidecar.h"
#include "config/options.h"
#include "record/json.h"

enum { MOST_SIDECAR_BYTES = 1 << 20 };

/* Acquisition parameters remain true after changes of intensities. Names, dates and places are
 * left out. */
static const char *const still_valid[] = {
    "AcquisitionMatrixPE",
    "AnatomicalLandmarkCoordinates",
    "BodyPart",
    "DwellTime",
    "EchoNumber",
    "EchoTime",
    "EchoTrainLength",
    "FlipAngle",
    "ImagingFrequency",
    "InPlanePhaseEncodingDirectionDICOM",
    "InversionTime",
    "MRAcquisitionType",
    "MTState",
    "MagneticFieldStrength",
    "Manufacturer",
    "ManufacturersModelName",
    "Modality",
    "NonlinearGradientCorrection",
    "ParallelAcquisitionTechnique",
    "ParallelReductionFactorInPlane",
    "PartialFourier",
    "PatientPosition",
    "PercentPhaseFOV",
    "PhaseEncodingDirection",
    "PixelBandwidth",
    "PulseSequenceType",
    "ReceiveCoilName",
    "RepetitionTime",
    "RepetitionTimeExcitation",
    "RepetitionTimePreparation",
    "ScanOptions",
    "ScanningSequence",
    "SequenceName",
    "SequenceVariant",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SpoilingState",
};

static bool belongs(const struct np_derivative *derivative, const char *key)
{
    const struct np_measure_row *row = np_measure_find(key);

    return row && (row->shown & derivative->shows);
}

static json_t *parameters_json(const struct np_derivative_facts *facts)
{
    json_t *json = json_object();
    const struct np_file_record *file = facts->file;

    for (size_t i = 0; i < file->n_facts; i++)
        if (belongs(facts->derivative, file->fact[i].key))
            np_json_text(json, file->fact[i].key, file->fact[i].text);
    for (size_t i = 0; i < file->n_measures; i++)
        if (belongs(facts->derivative, file->measure[i].key))
            json_object_set_new(json, file->measure[i].key, np_json_number(file->measure[i].value));
    return json;
}

/* The options that this image depends on, as they were given; what came of them is a parameter. */
static void add_settings(json_t *json, const struct np_derivative_facts *facts)
{
    NP_AUTO(np_json_freep) json_t *options = json_loads(facts->options, 0, NULL);
    json_t *settings = json_object();

    for (size_t i = 0; i < np_n_options; i++) {
        json_t *value = json_object_get(options, np_options[i].name);
        if (value && (np_options[i].shown & facts->derivative->shows))
            json_object_set(settings, np_options[i].name, value);
    }
    json_object_set_new(json, "Settings", settings);
}

static void add_source_metadata(json_t *json, const struct np_derivative_facts *facts,
                                struct np_strings *warnings)
{
    if (!facts->scan || !facts->derivative->keeps_acquisition)
        return;
    NP_AUTO(np_json_freep)
    json_t *source = np_sidecar_read(facts->root, facts->scan, NULL, warnings);
    for (size_t i = 0; i < NP_COUNT(still_valid); i++) {
        json_t *value = json_object_get(source, still_valid[i]);
        if (value)
            json_object_set(json, still_valid[i], value);
    }
}

static void append_uri(json_t *array, const char *prefix, const char *path)
{
    NP_AUTO(np_json_freep) json_t *holder = json_object();
    NP_AUTO(np_freep) char *uri = np_xasprintf("%s%s", prefix, path);

    np_json_text(holder, "uri", uri);
    json_array_append(array, json_object_get(holder, "uri"));
}

static json_t *sources_json(const struct np_derivative_facts *facts)
{
    json_t *array = json_array();
    const char *prefix = facts->scan ? facts->source_prefix : "";

    for (size_t i = 0; i < facts->made_of->n; i++)
        append_uri(array, "bids::", facts->made_of->item[i]);
    append_uri(array, prefix, facts->file->path);
    return array;
}

static bool fact_is(const struct np_derivative_facts *facts, enum np_measure_ident ident,
                    const char *text)
{
    const char *found = np_file_record_fact(facts->file, np_measure_rows[ident].key);

    return found && strcmp(found, text) == 0;
}

/* With --skull-strip skip there is no brain extraction: the mask is everything above the
 * background. */
static bool is_support_only(const struct np_derivative_facts *facts)
{
    return fact_is(facts, NP_MEASURE_SKULL_STRIP_METHOD, "skip") && !facts->skull_stripped_input;
}

static bool is_stripped(const struct np_derivative_facts *facts)
{
    return facts->skull_stripped_input ||
           (facts->derivative->skull == NP_SKULL_REMOVED && !is_support_only(facts));
}

/* The text for what happened to this image; NULL = none. */
static const char *text_for(const struct np_derivative_facts *facts,
                            const char *const text[NP_N_CIRCUMSTANCES])
{
    if (text[NP_OF_STRIPPED] && facts->skull_stripped_input)
        return text[NP_OF_STRIPPED];
    if (text[NP_WITHOUT_BIAS_CORRECTION] && fact_is(facts, NP_MEASURE_BIAS_METHOD, "none"))
        return text[NP_WITHOUT_BIAS_CORRECTION];
    if (text[NP_WITH_GIVEN_MASK] && facts->file->mask.sha256[0])
        return text[NP_WITH_GIVEN_MASK];
    if (text[NP_WITHOUT_BRAIN] && is_support_only(facts))
        return text[NP_WITHOUT_BRAIN];
    return text[NP_USUALLY];
}

/* A mask is in the space of the image that it was drawn on. */
static void add_space(json_t *json, const struct np_derivative_facts *facts)
{
    if (facts->derivative->source_suffix != NP_SOURCE_SUFFIX_IN_SPACE || !facts->made_of->n)
        return;
    NP_AUTO(np_freep) char *uri = np_xasprintf("bids::%s", facts->made_of->item[0]);
    np_json_text(json, "SpatialReference", uri);
}

static void add_text(json_t *json, const char *key, const char *text)
{
    if (text)
        np_json_text(json, key, text);
}

static void add_header_warnings(json_t *json, const struct np_derivative_facts *facts)
{
    if (facts->header_warnings && facts->header_warnings->n > 0)
        json_object_set_new(json, "HeaderWarnings", np_json_strings(facts->header_warnings));
}

char *np_derivative_json(const struct np_derivative_facts *facts, struct np_strings *warnings)
{
    const struct np_derivative *derivative = facts->derivative;
    json_t *json = json_object();

    add_text(json, "Description", text_for(facts, derivative->description));
    json_object_set_new(json, "Sources", sources_json(facts));
    add_text(json, "Type", text_for(facts, derivative->type));
    add_space(json, facts);
    if (derivative->skull != NP_SKULL_UNSAID)
        json_object_set_new(json, "SkullStripped", json_boolean(is_stripped(facts)));
    add_text(json, "Units", derivative->units);
    add_source_metadata(json, facts, warnings);
    add_settings(json, facts);
    json_object_set_new(json, "Parameters", parameters_json(facts));
    add_header_warnings(json, facts);
    np_json_text(json, "MethodVersion", facts->file->method);
    np_json_text(json, "SourceSHA256", facts->file->sha256);
    if (facts->file->mask.sha256[0])
        np_json_text(json, "GivenMaskSHA256", facts->file->mask.sha256);
    np_json_text(json, "SHA256", facts->output->sha256);
    np_json_text(json, "VoxelSHA256", facts->output->voxel_sha256);
    return np_json_take_text(json);
}

bool np_derivative_read_hashes(const char *path, struct np_derivative_hashes *hashes)
{
    NP_AUTO(np_json_freep) json_t *json = NULL;

    *hashes = (struct np_derivative_hashes){0};
    if (!np_path_exists(path) || np_json_read(path, path, MOST_SIDECAR_BYTES, &json, NULL) < 0)
        return false;
    np_json_get_hex(json, "SHA256", hashes->sha256, sizeof(hashes->sha256));
    np_json_get_hex(json, "VoxelSHA256", hashes->voxel_sha256, sizeof(hashes->voxel_sha256));
    np_json_get_hex(json, "GivenMaskSHA256", hashes->given_mask_sha256,
                    sizeof(hashes->given_mask_sha256));
    return json_is_string(json_object_get(json, "MethodVersion"));
}

void np_derivative_check_source(const char *root, const struct np_scan *scan,
                                struct np_strings *warnings)
{
    json_decref(np_sidecar_read(root, scan, NULL, warnings));
}
