#include "record/derivative_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bids/sidecar.h"
#include "catalog/modality.h"
#include "record/json.h"

/* How the image was acquired stays true of it whatever was done to its intensities. Names, dates,
 * places do not pass. */
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

static const struct {
    const char *description;
    const char *prefixes[5]; /* of the measures and facts that belong to it */
} kinds[] = {
    [NP_DERIVATIVE_PREPROC] = {"Whole head divided by the estimated bias field; same grid and "
                               "units as the source, not clipped",
                               {"bias."}},
    [NP_DERIVATIVE_NORM] = {"Brain, bias-corrected and intensity-normalized; 0 outside the brain "
                            "mask",
                            {"bias.", "skull_strip.", "normalization."}},
    [NP_DERIVATIVE_MASK] = {"Brain mask: brain tissue, ventricles and sulcal CSF; 1 inside",
                            {"skull_strip."}},
    [NP_DERIVATIVE_BIASFIELD] = {"Multiplicative bias field that the source was divided by",
                                 {"bias."}},
};

static bool belongs(enum np_derivative kind, const char *key)
{
    for (size_t i = 0; i < NP_COUNT(kinds[kind].prefixes) && kinds[kind].prefixes[i]; i++)
        if (np_starts_with(key, kinds[kind].prefixes[i]))
            return true;
    return false;
}

static json_t *parameters_json(const struct np_derivative_facts *facts)
{
    json_t *json = json_object();
    const struct np_file_record *file = facts->file;

    for (size_t i = 0; i < file->n_facts; i++)
        if (belongs(facts->kind, file->fact[i].key))
            np_json_text(json, file->fact[i].key, file->fact[i].text);
    for (size_t i = 0; i < file->n_measures; i++)
        if (belongs(facts->kind, file->measure[i].key))
            json_object_set_new(json, file->measure[i].key, np_json_number(file->measure[i].value));
    return json;
}

static void add_source_metadata(json_t *json, const struct np_derivative_facts *facts,
                                struct np_strings *warnings)
{
    if (!facts->scan || facts->kind == NP_DERIVATIVE_MASK || facts->kind == NP_DERIVATIVE_BIASFIELD)
        return;
    NP_AUTO(np_json_decref)
    json_t *source = np_sidecar_read(facts->root, facts->scan, NULL, warnings);
    for (size_t i = 0; i < NP_COUNT(still_valid); i++) {
        json_t *value = json_object_get(source, still_valid[i]);
        if (value)
            json_object_set(json, still_valid[i], value);
    }
}

static void append_uri(json_t *array, const char *prefix, const char *path)
{
    NP_AUTO(np_json_decref) json_t *holder = json_object();
    NP_AUTO(np_freep) char *uri = np_xasprintf("%s%s", prefix, path);

    np_json_text(holder, "uri", uri);
    json_array_append(array, json_object_get(holder, "uri"));
}

static json_t *sources_json(const struct np_derivative_facts *facts)
{
    json_t *array = json_array();
    const char *prefix = facts->scan ? facts->source_prefix : "";

    if (facts->kind == NP_DERIVATIVE_NORM) {
        append_uri(array, "bids::", facts->preproc_path);
        append_uri(array, "bids::", facts->mask_path);
    } else if (facts->kind == NP_DERIVATIVE_MASK) {
        append_uri(array, "bids::", facts->preproc_path);
    }
    append_uri(array, prefix, facts->file->path);
    return array;
}

static bool fact_is(const struct np_derivative_facts *facts, const char *key, const char *text)
{
    const char *found = np_file_record_fact(facts->file, key);

    return found && strcmp(found, text) == 0;
}

/* With --skull-strip skip nobody looked for a brain: the mask is whatever is not background. */
static bool is_support_only(const struct np_derivative_facts *facts)
{
    return fact_is(facts, "skull_strip.method", "skip") && !facts->skull_stripped_input;
}

static bool is_stripped(const struct np_derivative_facts *facts)
{
    return (facts->kind == NP_DERIVATIVE_NORM && !is_support_only(facts)) ||
           facts->skull_stripped_input;
}

static const char *description_of(const struct np_derivative_facts *facts)
{
    if (facts->kind == NP_DERIVATIVE_PREPROC && fact_is(facts, "bias.method", "none"))
        return "Whole head as in the source: no bias correction was asked for; same grid and units";
    if (facts->kind == NP_DERIVATIVE_NORM && is_support_only(facts))
        return "Whole support of the image (no brain extraction was asked for), "
               "intensity-normalized; 0 outside";
    if (facts->kind == NP_DERIVATIVE_MASK && is_support_only(facts))
        return "Support of the image, not a brain mask: no brain extraction was asked for";
    return kinds[facts->kind].description;
}

char *np_derivative_json(const struct np_derivative_facts *facts, struct np_strings *warnings)
{
    json_t *json = json_object();

    np_json_text(json, "Description", description_of(facts));
    json_object_set_new(json, "Sources", sources_json(facts));
    if (facts->kind == NP_DERIVATIVE_MASK) {
        np_json_text(json, "Type", is_support_only(facts) ? "ROI" : "Brain");
        if (!np_modality_mask_is_short(facts->file->modality)) {
            NP_AUTO(np_freep) char *uri = np_xasprintf("bids::%s", facts->preproc_path);
            np_json_text(json, "SpatialReference", uri);
        }
    } else {
        json_object_set_new(json, "SkullStripped", json_boolean(is_stripped(facts)));
    }
    if (facts->kind == NP_DERIVATIVE_NORM)
        np_json_text(json, "Units", "arbitrary");
    add_source_metadata(json, facts, warnings);
    json_object_set_new(json, "Parameters", parameters_json(facts));
    np_json_text(json, "MethodVersion", facts->file->method);
    np_json_text(json, "SourceSHA256", facts->file->sha256);
    np_json_text(json, "SHA256", facts->output->sha256);
    np_json_text(json, "VoxelSHA256", facts->output->voxel_sha256);
    return np_json_take_text(json);
}

void np_derivative_check_source(const char *root, const struct np_scan *scan,
                                struct np_strings *warnings)
{
    json_decref(np_sidecar_read(root, scan, NULL, warnings));
}
