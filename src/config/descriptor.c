#include "config/descriptor.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/exec.h"
#include "catalog/modality.h"
#include "catalog/output_file.h"
#include "config/options.h"
#include "json/json.h"

#define BIT(name) (1u << NP_COMMAND_##name)

/* Addresses where the image and the source are expected to be published. */
#define IMAGE "org/neuro-preprocess"
#define URL "https://github.com/org/neuro-preprocess"

/* An input without a flag, in the order of the command line. Folders are String, because a
 * driver would compute the hash of a whole File for every participant. */
struct place {
    const char *id, *name, *description;
    const char *const *choices; /* NULL = any text */
};

/* An output file for drivers. `optional`: not every run writes it; `is_list`: any number of files, `path`
 * has wildcards, which match within a folder's name. */
struct product {
    const char *id, *name, *description, *path;
    int optional, is_list;
};

/* A test for `bosh test`, in a folder as in docs/boutiques.md. */
struct trial {
    const char *name, *invocation; /* JSON */
    int exit_status;
    const char *product; /* output that must exist afterwards; NULL = none */
};

struct application {
    unsigned commands; /* commands whose options are inputs */
    const char *name, *description, *call;
    const struct place *place; /* ends with an id NULL */
    const struct product *product;
    const struct trial *trial;
    /* measured: docs/boutiques.md */
    json_int_t cpu_cores;
    double ram_gb, disk_gb, walltime_s;
};

static const char *const levels[] = {"participant", "session", "group", NULL};

static const struct place bids_places[] = {
    {"bids_dir", "BIDS dataset", "Folder of the dataset to preprocess; it is only read.", NULL},
    {"output_dir", "Output folder",
     "Folder for the derivatives, their records and the telemetry; made when it does not exist.",
     NULL},
    {"analysis_level", "Analysis level",
     "participant (or session, the same) preprocesses; group writes tables of the output folder.",
     levels},
    {NULL, NULL, NULL, NULL},
};

/* Images lie in the participant's folder, or in that of a session. */
#define IMAGES(id, name, description, ending)                                \
    {id, name, description, "[OUTPUT_DIR]/sub-*/anat/*" ending, true, true}, \
    {                                                                        \
        id "_in_sessions", name ", in sessions", description,                \
            "[OUTPUT_DIR]/sub-*/ses-*/anat/*" ending, true, true             \
    }

static const struct product bids_products[] = {
    {"dataset_description", "Description of the derivatives",
     "Says what made the output folder, and from which dataset.",
     "[OUTPUT_DIR]/dataset_description.json", false, false},
    {"methods_text", "Methods and references",
     "What was done to the images, with references, for a paper's methods section.",
     "[OUTPUT_DIR]/" NP_FILE_METHODS, false, false},
    {"status_table", "Table of the sessions",
     "State, failure, duration and memory of each session; written by the group level.",
     "[OUTPUT_DIR]/" NP_FILE_STATUS_TABLE, true, false},
    IMAGES("heads", "Heads", "Whole heads, bias-corrected, in the source's units.",
           "_desc-preproc_*.nii.gz"),
    IMAGES("brains", "Brain masks and brains",
           "Brain masks; with --save-brain also the brains in the source's units.",
           "_desc-brain_*.nii.gz"),
    IMAGES("normalized_brains", "Normalized brains",
           "Brains with normalized intensities; not with --level minimal or --normalize none.",
           "_desc-norm_*.nii.gz"),
    IMAGES("bias_fields", "Bias fields", "Multiplicative bias fields; with --save-bias-field.",
           "_biasfield.nii.gz"),
    IMAGES("tissues", "Tissues",
           "Labels of grey matter, white matter and cerebrospinal fluid, T1w and UNIT1; not with "
           "--level minimal.",
           "_dseg.nii.gz"),
    IMAGES("tissue_shares", "Shares of the tissues",
           "The share of each tissue in a voxel, 0 to 1; with --save-probseg.", "_probseg.nii.gz"),
    {0},
};
static const struct trial bids_trials[] = {
    {"the demonstration dataset is preprocessed",
     "{\"bids_dir\": \"demo\", \"output_dir\": \"demo-out\", \"analysis_level\": \"participant\"}",
     0, "dataset_description"},
    {"the group level writes the table of the sessions",
     "{\"bids_dir\": \"demo\", \"output_dir\": \"demo-out\", \"analysis_level\": \"group\"}", 0,
     "status_table"},
    {"a dataset that is not there is no input",
     "{\"bids_dir\": \"no-such-dataset\", \"output_dir\": \"no-such-out\", \"analysis_level\": "
     "\"participant\"}",
     66, NULL},
    {NULL, NULL, 0, NULL},
};

static const struct place idps_places[] = {
    {"derivatives_dir", "Output folder of neuro-preprocess",
     "Folder with the derivatives and their records; it is only read.", NULL},
    {NULL, NULL, NULL, NULL},
};
static const struct product idps_products[] = {
    {"idps", "Table of imaging-derived phenotypes", "One row for each preprocessed image.",
     "[OUTPUT_DIR]/neuro-preprocess_idps.tsv", false, false},
    {"dictionary", "Data dictionary", "Meaning and unit of each column.",
     "[OUTPUT_DIR]/neuro-preprocess_idps.json", false, false},
    {0},
};
static const struct trial idps_trials[] = {
    {"the demonstration dataset gives a table",
     "{\"derivatives_dir\": \"demo-out\", \"output_dir\": \"demo-idps\"}", 0, "idps"},
    {NULL, NULL, 0, NULL},
};

static const struct application bids_app = {
    .commands = BIT(PARTICIPANT) | BIT(GROUP),
    .name = "neuro-preprocess",
    .description =
        "Preprocessing of anatomical brain MRI (" NP_ANATOMICAL_SUFFIXES
        " images of a BIDS dataset): intensity correction (N4), brain extraction and intensity "
        "normalization, as BIDS derivatives, with a record of every session and "
        "OpenTelemetry traces, metrics and logs. It needs no network and no template.",
    .call = "exec neuro-preprocess",
    .place = bids_places,
    .product = bids_products,
    .trial = bids_trials,
    .cpu_cores = 2,
    .ram_gb = 1,
    .disk_gb = 0.3,
    .walltime_s = 60,
};
static const struct application idps_app = {
    .commands = BIT(IDPS),
    .name = "neuro-preprocess-idps",
    .description = "Imaging-derived phenotypes from the output of neuro-preprocess: brain volume, "
                   "tissue intensities and durations of every image as a table, with a data "
                   "dictionary.",
    .call = "exec neuro-preprocess idps",
    .place = idps_places,
    .product = idps_products,
    .trial = idps_trials,
    .cpu_cores = 1,
    .ram_gb = 0.1,
    .disk_gb = 0.01,
    .walltime_s = 5,
};

/* "participant-label" → "participant_label" */
static char *id_of(const char *name)
{
    char *id = np_xstrdup(name);

    for (char *c = id; *c; c++)
        if (*c == '-')
            *c = '_';
    return id;
}

/* "participant_label" → "[PARTICIPANT_LABEL]" */
static char *key_of(const char *id)
{
    char *key = np_xasprintf("[%s]", id);

    for (char *c = key; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return key;
}

/* "participant-label" → "Participant label" */
static char *title_of(const char *name)
{
    char *title = np_xstrdup(name);

    for (char *c = title; *c; c++)
        if (*c == '-')
            *c = ' ';
    title[0] = (char)toupper((unsigned char)title[0]);
    return title;
}

/* The option's help and its default. (Drivers would put Boutiques' own default-value on every
 * command line, where it would override the configuration file.) */
static char *description_of(const struct np_option *option, const struct np_config *defaults)
{
    bool speaks = option->argument && !(option->traits & NP_OPT_ANOTHER_WAY);
    NP_AUTO(np_freep) char *value = speaks ? np_option_text(option, defaults) : np_xstrdup("");

    return *value ? np_xasprintf("%s Default: %s.", option->help, value) : np_xstrdup(option->help);
}

static json_t *choice_words(const struct np_choice *choice)
{
    json_t *words = json_array();

    for (; choice->word; choice++)
        if (choice->value != NP_CHOICE_LATER)
            json_array_append_new(words, json_string(choice->word));
    return words;
}

static void set_number(json_t *input, bool whole, double least, double most)
{
    json_object_set_new(input, "type", json_string("Number"));
    if (whole)
        json_object_set_new(input, "integer", json_true());
    json_object_set_new(input, "minimum",
                        whole ? json_integer((json_int_t)least) : json_real(least));
    if (most > least)
        json_object_set_new(input, "maximum",
                            whole ? json_integer((json_int_t)most) : json_real(most));
}

/* Only a file that is read may be a File: drivers bind it, and refuse a missing one. */
static const char *text_type(const struct np_option *option)
{
    bool is_read = option->traits & NP_OPT_FILE && !(option->traits & NP_OPT_WRITTEN);

    return is_read ? "File" : "String";
}

static void set_type(json_t *input, const struct np_option *option)
{
    switch (option->type) {
    case NP_OPT_FLAG:
    case NP_OPT_COUNT:
    case NP_OPT_ASSIGN:
    case NP_OPT_NOTHING:
    case NP_OPT_COMMAND:
        json_object_set_new(input, "type", json_string("Flag"));
        return;
    case NP_OPT_INT:
        set_number(input, true, option->least ? option->least : 1, option->most);
        return;
    case NP_OPT_SEED:
        set_number(input, true, 0, 0);
        return;
    case NP_OPT_DOUBLE:
        set_number(input, false, option->least, option->most);
        return;
    case NP_OPT_MEMORY:
        if (option->unit_bytes) {
            set_number(input, false, 0, 0);
            json_object_set_new(input, "exclusive-minimum", json_true());
            return;
        }
        break;
    case NP_OPT_LIST:
    case NP_OPT_STRING:
    case NP_OPT_CHOICE:
    case NP_OPT_STAGE:
        break;
    }
    json_object_set_new(input, "type", json_string(text_type(option)));
    if (option->type == NP_OPT_LIST) {
        json_object_set_new(input, "list", json_true());
        json_object_set_new(input, "min-list-entries", json_integer(1));
        if (option->most > 0)
            json_object_set_new(input, "max-list-entries", json_integer((json_int_t)option->most));
    }
    if (option->choices && option->type != NP_OPT_STAGE)
        json_object_set_new(input, "value-choices", choice_words(option->choices));
}

/* Options that the program refuses together with another one. */
static const struct {
    const char *option, *disables[3];
} refused_beside[] = {
    {"session-list", {"participant_label", "session_label"}},
};

static void add_disabled(json_t *input, const struct np_option *option)
{
    for (size_t i = 0; i < NP_COUNT(refused_beside); i++) {
        if (strcmp(refused_beside[i].option, option->name) != 0)
            continue;
        json_t *ids = json_array();
        for (const char *const *id = refused_beside[i].disables; *id; id++)
            json_array_append_new(ids, json_string(*id));
        json_object_set_new(input, "disables-inputs", ids);
    }
}

static json_t *option_input(const struct np_option *option, const struct np_config *defaults)
{
    NP_AUTO(np_freep) char *id = id_of(option->name), *title = title_of(option->name);
    NP_AUTO(np_freep) char *key = key_of(id), *flag = np_xasprintf("--%s", option->name);
    NP_AUTO(np_freep) char *description = description_of(option, defaults);
    json_t *input = json_pack("{s:s,s:s,s:s}", "id", id, "name", title, "description", description);

    set_type(input, option);
    json_object_set_new(input, "optional", json_boolean(strcmp(option->name, "output-dir") != 0));
    json_object_set_new(input, "command-line-flag", json_string(flag));
    json_object_set_new(input, "value-key", json_string(key));
    add_disabled(input, option);
    return input;
}

static json_t *place_input(const struct place *place)
{
    NP_AUTO(np_freep) char *key = key_of(place->id);
    json_t *input =
        json_pack("{s:s,s:s,s:s,s:s,s:b,s:s}", "id", place->id, "name", place->name, "description",
                  place->description, "type", "String", "optional", 0, "value-key", key);

    if (!place->choices)
        return input;
    json_t *words = json_array();
    for (size_t i = 0; place->choices[i]; i++)
        json_array_append_new(words, json_string(place->choices[i]));
    json_object_set_new(input, "value-choices", words);
    return input;
}

/* Options that a driver may set: not those that print something and end, and not those with
 * which nothing is done. */
static bool is_input(const struct np_option *option, const struct application *app)
{
    return option->commands & app->commands && option->type != NP_OPT_COMMAND &&
           !(option->traits & NP_OPT_DOES_NOTHING);
}

static json_t *inputs_of(const struct application *app)
{
    struct np_config defaults;
    json_t *inputs = json_array();

    for (const struct place *place = app->place; place->id; place++)
        json_array_append_new(inputs, place_input(place));
    np_config_init(&defaults);
    for (size_t i = 0; i < np_n_options; i++)
        if (is_input(&np_options[i], app))
            json_array_append_new(inputs, option_input(&np_options[i], &defaults));
    np_config_done(&defaults);
    return inputs;
}

static json_t *command_line(const struct application *app, const json_t *inputs)
{
    struct np_str line = {0};
    size_t i;
    json_t *input;

    np_str_add(&line, app->call);
    json_array_foreach(inputs, i, input)
    {
        np_str_addf(&line, " %s", json_string_value(json_object_get(input, "value-key")));
    }
    json_t *text = json_string(np_str_text(&line));
    np_str_done(&line);
    return text;
}

static json_t *group_members(enum np_option_group group, const struct application *app)
{
    json_t *members = json_array();

    for (const struct place *place = app->place; place->id && group == NP_GROUP_PLACES; place++)
        json_array_append_new(members, json_string(place->id));
    for (size_t i = 0; i < np_n_options; i++) {
        if (np_options[i].group != group || !is_input(&np_options[i], app))
            continue;
        NP_AUTO(np_freep) char *id = id_of(np_options[i].name);
        json_array_append_new(members, json_string(id));
    }
    return members;
}

static json_t *groups_of(const struct application *app)
{
    static const char *const ids[NP_N_GROUPS] = {
        [NP_GROUP_PLACES] = "places_group",       [NP_GROUP_SELECTION] = "selection_group",
        [NP_GROUP_METHODS] = "methods_group",     [NP_GROUP_RESOURCES] = "resources_group",
        [NP_GROUP_OUTPUTS] = "outputs_group",     [NP_GROUP_POLICY] = "policy_group",
        [NP_GROUP_DATASET] = "dataset_group",     [NP_GROUP_TELEMETRY] = "telemetry_group",
        [NP_GROUP_FAULTS] = "faults_group",       [NP_GROUP_STATUS] = "status_group",
        [NP_GROUP_DEMO_DATA] = "demo_data_group", [NP_GROUP_GENERAL] = "general_group",
    };
    json_t *groups = json_array();

    for (int g = 0; g < NP_N_GROUPS; g++) {
        enum np_option_group group = (enum np_option_group)g;
        json_t *members = group_members(group, app);
        if (json_array_size(members) > 0)
            json_array_append_new(groups, json_pack("{s:s,s:s,s:o}", "id", ids[g], "name",
                                                    np_option_heading(group), "members", members));
        else
            json_decref(members);
    }
    return groups;
}

static json_t *products_of(const struct application *app)
{
    json_t *products = json_array();

    for (const struct product *p = app->product; p->id; p++) {
        json_t *product =
            json_pack("{s:s,s:s,s:s,s:s,s:b}", "id", p->id, "name", p->name, "description",
                      p->description, "path-template", p->path, "optional", p->optional);
        if (p->is_list)
            json_object_set_new(product, "list", json_true());
        json_array_append_new(products, product);
    }
    return products;
}

static json_t *trials_of(const struct application *app)
{
    json_t *trials = json_array();

    for (const struct trial *t = app->trial; t->name; t++) {
        json_t *assertions = json_pack("{s:i}", "exit-code", t->exit_status);
        if (t->product)
            json_object_set_new(assertions, "output-files", json_pack("[{s:s}]", "id", t->product));
        json_array_append_new(trials, json_pack("{s:s,s:o,s:o}", "name", t->name, "invocation",
                                                json_loads(t->invocation, 0, NULL), "assertions",
                                                assertions));
    }
    return trials;
}

/* Signals after which a run writes its records before it ends. */
static bool is_orderly(int signal_number)
{
    for (size_t i = 0; i < NP_N_STOP_SIGNALS; i++)
        if (np_stop_signals[i] == signal_number)
            return true;
    return false;
}

char *np_descriptor_exit_text(int exit_status)
{
    char digits[16];
    enum np_outcome outcome = NP_OUTCOME_INTERRUPTED;

    snprintf(digits, sizeof(digits), "%d", exit_status);
    if (exit_status == 0 || (!np_outcome_find(digits, &outcome) && !is_orderly(exit_status - 128)))
        return NULL;
    const struct np_outcome_info *info = np_outcome_info(outcome);
    return np_xasprintf("%s: %s. What to do: %s. Retry: %s.", info->name, info->meaning,
                        info->remedy, np_retry_text(info->retry));
}

static json_t *error_codes(void)
{
    json_t *codes = json_array();

    for (int status = 1; status < 256; status++) {
        NP_AUTO(np_freep) char *text = np_descriptor_exit_text(status);
        if (text)
            json_array_append_new(codes,
                                  json_pack("{s:i,s:s}", "code", status, "description", text));
    }
    return codes;
}

static json_t *tags(void)
{
    return json_pack("{s:[s,s,s,s],s:[s],s:[s]}", "domain", "neuroinformatics", "MRI", "anatomical",
                     "preprocessing", "standard", "bids", "language", "C");
}

/* Keys for drivers that know BIDS Apps. */
static json_t *custom(void)
{
    return json_pack("{s:[s],s:b,s:{s:s}}", "modalities", "mri", "needs-network", 0, "measured",
                     "suggested-resources",
                     "largest head tried (0.7 mm, one T1w) with 2 threads: "
                     "685 MiB of memory, 6 s, 83 MB; three images a session "
                     "and slower machines allowed for");
}

char *np_descriptor_json(enum np_command command, const char *version)
{
    const struct application *app = command == NP_COMMAND_IDPS ? &idps_app : &bids_app;
    NP_AUTO(np_json_freep) json_t *root = json_object();
    NP_AUTO(np_freep) char *image = np_xasprintf(IMAGE ":%s", version);
    json_t *inputs = inputs_of(app);

    json_object_set_new(root, "name", json_string(app->name));
    json_object_set_new(root, "description", json_string(app->description));
    json_object_set_new(root, "author", json_string("The neuro-preprocess developers"));
    json_object_set_new(root, "url", json_string(URL));
    json_object_set_new(root, "tool-version", json_string(version));
    json_object_set_new(root, "schema-version", json_string("0.5"));
    json_object_set_new(root, "command-line", command_line(app, inputs));
    /* Drivers start any other shell than /bin/sh without -l, which would reset PATH. */
    json_object_set_new(root, "shell", json_string("/bin/bash"));
    json_object_set_new(
        root, "container-image",
        json_pack("{s:s,s:s,s:s}", "type", "singularity", "image", image, "index", "docker://"));
    json_object_set_new(root, "inputs", inputs);
    json_object_set_new(root, "groups", groups_of(app));
    json_object_set_new(root, "output-files", products_of(app));
    json_object_set_new(root, "error-codes", error_codes());
    json_object_set_new(root, "suggested-resources",
                        json_pack("{s:I,s:f,s:f,s:f}", "cpu-cores", app->cpu_cores, "ram",
                                  app->ram_gb, "disk-space", app->disk_gb, "walltime-estimate",
                                  app->walltime_s));
    json_object_set_new(root, "tests", trials_of(app));
    json_object_set_new(root, "tags", tags());
    json_object_set_new(root, "custom", custom());

    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    if (!text)
        abort(); /* bookkeeping memory is missing */
    char *out = np_xasprintf("%s\n", text);
    free(text);
    return out;
}
