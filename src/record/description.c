#include "record/description.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bind.h"
#include "base/path.h"
#include "catalog/output_file.h"
#include "codec/sha256.h"
#include "record/json.h"
#include "record/methods_text.h"

enum { MOST_DESCRIPTION_BYTES = 1 << 20 };

static const char BIDS_VERSION[] = "1.11.1";
static const char TOOL[] = "neuro-preprocess";

static const char NAME_ENDING[] = ": preprocessed anatomical images";

static const char BIDSIGNORE[] = "# Names that BIDS does not know (yet)\n"
                                 "*.html\n"
                                 "*desc-iqm*\n"
                                 "*_biasfield*\n"
                                 "*_boldref.nii.gz\n"
                                 "*_timeseries.tsv\n"
                                 "group_*\n" NP_FILE_METHODS "\n"
                                 "logs/\n";

/* The last line of README.md and CITATION.md: while the hash is that of the text before it, nobody
 * has edited it. */
static const char MARK[] = "\n<!-- kept up to date by neuro-preprocess until it is edited: ";

/* Write unless the file has this content already, so that a second run changes nothing. */
static int write_if_new(const char *output_dir, const char *name, const char *content,
                        struct np_error *err)
{
    NP_AUTO(np_freep) char *path = np_path_join(output_dir, name);
    NP_AUTO(np_str_done) struct np_str old = {0};

    if (np_file_read(path, MOST_DESCRIPTION_BYTES, &old, NULL) == 0 &&
        strcmp(np_str_text(&old), content) == 0)
        return 0;
    return np_file_write_atomic(path, content, strlen(content), err);
}

static char *with_mark(const char *text)
{
    char sha256[65];

    np_sha256_of(text, strlen(text), sha256);
    return np_xasprintf("%s%s%s -->\n", text, MARK, sha256);
}

/* Earlier versions wrote this text without a mark, again with each run. */
static bool is_of_earlier_version(const char *text)
{
    return np_starts_with(text, "# Methods\n\nAnatomical images were preprocessed with");
}

static bool is_unedited(const char *text)
{
    const char *mark = NULL;

    for (const char *at = strstr(text, MARK); at; at = strstr(at + 1, MARK))
        mark = at;
    if (!mark)
        return is_of_earlier_version(text);
    NP_AUTO(np_freep) char *before = np_xstrndup(text, (size_t)(mark - text));
    NP_AUTO(np_freep) char *marked = with_mark(before);
    return strcmp(marked, text) == 0;
}

/* The file's text; NULL when nothing has its name. False when it cannot be read: then it stays. */
static bool read_text(const char *output_dir, const char *name, char **text)
{
    NP_AUTO(np_freep) char *path = np_path_join(output_dir, name);
    NP_AUTO(np_str_done) struct np_str content = {0};

    *text = NULL;
    if (!np_path_is_taken(path))
        return true;
    if (np_file_read(path, MOST_DESCRIPTION_BYTES, &content, NULL) < 0)
        return false;
    *text = np_str_take(&content);
    return true;
}

/* Keep a text that the user wrote, or has edited. */
static int write_marked(const char *output_dir, const char *name, const char *content,
                        struct np_error *err)
{
    NP_AUTO(np_freep) char *marked = with_mark(content);
    NP_AUTO(np_freep) char *old = NULL;

    if (!read_text(output_dir, name, &old) || (old && !is_unedited(old)))
        return 0;
    return write_if_new(output_dir, name, marked, err);
}

/* Does a line of `text` begin with the first `n` bytes of this one, and an end of line or a tab? */
static bool has_line(const char *text, const char *line, size_t n)
{
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strncmp(text, line, n) == 0 && strchr("\t\n", text[n]))
            return true;
    return false;
}

/* Add to `out` the lines of `from` that are not in `there`, by their first column. */
static void add_missing(struct np_str *out, const char *from, const char *there)
{
    for (size_t n; *from; from += n) {
        n = strcspn(from, "\n");
        bool is_missing = n > 0 && !has_line(there, from, strcspn(from, "\t\n"));
        n += from[n] == '\n';
        if (is_missing)
            np_str_addf(out, "%.*s%s", (int)n, from, from[n - 1] == '\n' ? "" : "\n");
    }
}

/* The user's patterns stay; ours are added where they are missing. */
static int write_ignored(const char *output_dir, struct np_error *err)
{
    NP_AUTO(np_freep) char *old = NULL;
    NP_AUTO(np_str_done) struct np_str text = {0};

    if (!read_text(output_dir, ".bidsignore", &old))
        return 0;
    np_str_add(&text, old ? old : "");
    if (text.length && text.text[text.length - 1] != '\n')
        np_str_add_char(&text, '\n');
    add_missing(&text, BIDSIGNORE, old ? old : "");
    return write_if_new(output_dir, ".bidsignore", np_str_text(&text), err);
}

/* The user's rows stay, below ours; so does a table of another form. */
static int write_table(const char *output_dir, const char *name, const char *ours,
                       struct np_error *err)
{
    NP_AUTO(np_freep) char *old = NULL;
    NP_AUTO(np_str_done) struct np_str text = {0};

    if (!read_text(output_dir, name, &old))
        return 0;
    if (old && strncmp(old, ours, strcspn(ours, "\n") + 1) != 0)
        return 0;
    np_str_add(&text, ours);
    add_missing(&text, old ? old : "", ours);
    return write_if_new(output_dir, name, np_str_text(&text), err);
}

/* Percent-encoding of RFC 3986, for paths. */
static char *path_uri(const char *path)
{
    struct np_str out = {0};

    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~/", c);
        if (plain)
            np_str_add_char(&out, (char)c);
        else
            np_str_addf(&out, "%%%02X", c);
    }
    return np_str_take(&out);
}

char *np_description_source_prefix(const struct np_strings *links)
{
    if (links && links->n > 0)
        return np_xasprintf("bids:%.*s:", (int)strcspn(links->item[0], "="), links->item[0]);
    return np_xstrdup("bids:raw:");
}

static json_t *links_json(const struct np_description *what)
{
    json_t *json = json_object();

    for (size_t i = 0; what->links && i < what->links->n; i++) {
        const char *item = what->links->item[i];
        size_t n = strcspn(item, "=");
        NP_AUTO(np_freep) char *name = np_xstrndup(item, n);
        np_json_text(json, name, item[n] ? item + n + 1 : "");
    }
    if (json_object_size(json) == 0) {
        NP_AUTO(np_freep) char *path = np_bind_relative(what->source->root, what->output_dir);
        NP_AUTO(np_freep) char *uri = path_uri(path);
        np_json_text(json, "raw", uri);
    }
    return json;
}

static json_t *sources_json(const struct np_description *what)
{
    json_t *array = json_array(), *entry = json_object();
    NP_AUTO(np_json_freep) json_t *links = links_json(what);
    const char *key;
    json_t *value;

    json_object_foreach(links, key, value)
    {
        json_object_set(entry, "URL", value);
        break;
    }
    if (what->source->doi)
        np_json_text(entry, "DOI", what->source->doi);
    if (json_object_size(entry) > 0)
        json_array_append(array, entry);
    json_decref(entry);
    return array;
}

/* The existing entries, with ours added or brought up to date. */
static json_t *generated_by_json(const struct np_description *what, const json_t *old)
{
    json_t *array = json_array();
    const json_t *before = json_object_get(old, "GeneratedBy");
    NP_AUTO(np_freep) char *summary = np_methods_summary(what->folder);
    size_t i;
    json_t *entry;
    bool found = false;

    json_array_foreach(before, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "Name"));
        const char *v = json_string_value(json_object_get(entry, "Version"));
        if (name && v && strcmp(name, TOOL) == 0 && strcmp(v, what->version) == 0) {
            found = true;
            np_json_text(entry, "Description", summary);
        }
        json_array_append(array, entry);
    }
    if (!found)
        json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "Name", TOOL, "Version",
                                               what->version, "Description", summary));
    return array;
}

/* True when OUTPUT_DIR is ours or new; false for a dataset of another kind or tool. */
static bool may_write(const json_t *old)
{
    const char *type = json_string_value(json_object_get(old, "DatasetType"));
    size_t i;
    json_t *entry;

    if (!type || strcmp(type, "derivative") != 0)
        return false;
    json_array_foreach(json_object_get(old, "GeneratedBy"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "Name"));
        if (name && strcmp(name, TOOL) == 0)
            return true;
    }
    return false;
}

static int read_old(const char *path, json_t **old, struct np_error *err)
{
    if (!np_path_exists(path))
        return 0;
    NP_TRY(np_json_read(path, path, MOST_DESCRIPTION_BYTES, old, err));
    if (may_write(*old))
        return 0;
    return np_error_set(err, NP_ECONFIG,
                        "'%s': expected nothing there, or a derivative dataset made by %s, found "
                        "another dataset; choose another OUTPUT_DIR",
                        path, TOOL);
}

/* Takes `generated_by` over. */
static char *description_text(const struct np_description *what, json_t *generated_by)
{
    json_t *json = json_object();
    const char *source = what->source->name;
    NP_AUTO(np_freep)
    char *name = source ? np_xasprintf("%s%s", source, NAME_ENDING)
                        : np_xstrdup("Preprocessed anatomical images");

    np_json_text(json, "Name", name);
    np_json_text(json, "BIDSVersion", BIDS_VERSION);
    np_json_text(json, "DatasetType", "derivative");
    json_object_set_new(json, "GeneratedBy", generated_by);
    json_object_set_new(json, "SourceDatasets", sources_json(what));
    json_object_set_new(json, "DatasetLinks", links_json(what));
    np_json_text(json, "HowToAcknowledge", "Please cite the references in " NP_FILE_METHODS ".");
    return np_json_take_text(json);
}

bool np_description_source(const char *output_dir, char **name, char **doi)
{
    NP_AUTO(np_freep) char *path = np_path_join(output_dir, "dataset_description.json");
    NP_AUTO(np_json_freep) json_t *json = NULL;

    *name = *doi = NULL;
    if (np_json_read(path, path, MOST_DESCRIPTION_BYTES, &json, NULL) < 0 || !may_write(json))
        return false;
    NP_AUTO(np_freep) char *whole = np_json_get_text(json, "Name");
    if (whole && np_ends_with(whole, NAME_ENDING))
        *name = np_xstrndup(whole, strlen(whole) - strlen(NAME_ENDING));
    *doi = np_json_get_text(json_array_get(json_object_get(json, "SourceDatasets"), 0), "DOI");
    return true;
}

/* The folder's memory knows no masks of single images, so what was said once stays. */
static bool mentions_masks(const char *output_dir)
{
    NP_AUTO(np_freep) char *path = np_path_join(output_dir, NP_FILE_METHODS);
    NP_AUTO(np_str_done) struct np_str old = {0};

    return np_file_read(path, MOST_DESCRIPTION_BYTES, &old, NULL) == 0 &&
           np_methods_mention_masks(np_str_text(&old));
}

/* All versions that wrote here. */
static void list_versions(const json_t *generated_by, struct np_strings *versions)
{
    size_t i;
    json_t *entry;

    json_array_foreach(generated_by, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "Name"));
        const char *version = json_string_value(json_object_get(entry, "Version"));
        if (name && version && strcmp(name, TOOL) == 0)
            np_strings_add(versions, version);
    }
}

int np_description_check(const char *output_dir, struct np_error *err)
{
    NP_AUTO(np_freep) char *path = np_path_join(output_dir, "dataset_description.json");
    NP_AUTO(np_json_freep) json_t *old = NULL;

    return read_old(path, &old, err);
}

int np_description_write(const struct np_description *what, struct np_error *err)
{
    NP_AUTO(np_freep) char *path = np_path_join(what->output_dir, "dataset_description.json");
    NP_AUTO(np_json_freep) json_t *old = NULL;

    NP_TRY(read_old(path, &old, err));
    NP_AUTO(np_strings_done) struct np_strings versions = {0};
    json_t *generated_by = generated_by_json(what, old);
    list_versions(generated_by, &versions);
    bool has_masks = what->has_given_masks || mentions_masks(what->output_dir);
    NP_AUTO(np_freep) char *methods = np_methods_text(what->folder, &versions, has_masks);
    NP_AUTO(np_freep) char *readme = np_methods_readme(what->folder, &versions, has_masks);
    NP_AUTO(np_freep) char *descriptions = np_methods_descriptions(what->folder);
    NP_AUTO(np_freep) char *text = description_text(what, generated_by);
    NP_TRY(write_if_new(what->output_dir, "dataset_description.json", text, err));
    NP_TRY(write_ignored(what->output_dir, err));
    NP_TRY(write_marked(what->output_dir, "README.md", readme, err));
    NP_TRY(write_marked(what->output_dir, NP_FILE_METHODS, methods, err));
    NP_AUTO(np_freep) char *segments = np_methods_segments(what->folder);
    if (segments)
        NP_TRY(write_table(what->output_dir, "dseg.tsv", segments, err));
    return write_table(what->output_dir, "descriptions.tsv", descriptions, err);
}
