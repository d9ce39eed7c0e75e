/*
 * The names in the documentation and in the registry file (the YAML of OpenTelemetry's weaver) are
 * those of trace/names.h and catalog/measure.h. With NP_WRITE_REGISTRY set, both are written
 * instead (make registry).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "tap.h"
#include "trace/names.h"

static const char DOCUMENT[] = "docs/telemetry.md";
static const char REGISTRY[] = "docs/registry/neuro.yaml";

static const char *type_word(enum np_attr_type type)
{
    static const char *const words[] = {[NP_ATTR_STRING] = "string",
                                        [NP_ATTR_INT] = "int",
                                        [NP_ATTR_DOUBLE] = "double",
                                        [NP_ATTR_BOOL] = "boolean"};

    return words[type];
}

/* Ours are defined in the registry; others are OpenTelemetry's. */
static bool is_ours(const char *key)
{
    static const char *const prefixes[] = {"bids.", "neuro.", "slurm."};

    for (size_t i = 0; i < NP_COUNT(prefixes); i++)
        if (np_starts_with(key, prefixes[i]))
            return true;
    return false;
}

/* Tables of the document. */

static void attribute_rows(struct np_str *out, const struct np_attr_name *name, size_t n)
{
    np_str_add(out, "| name | type | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < n; i++)
        np_str_addf(out, "| `%s` | %s | %s |\n", name[i].key, type_word(name[i].type),
                    name[i].meaning);
}

static void measure_rows(struct np_str *out)
{
    np_str_add(out, "| name | unit | meaning | formula, method or words |\n|---|---|---|---|\n");
    for (size_t i = 0; i < NP_N_MEASURES; i++) {
        const struct np_measure_row *row = &np_measure_rows[i];
        np_str_addf(out, "| `%s` | %s | %s | %s |\n", row->attribute,
                    row->kind == NP_MEASURE_KIND_WORD ? "word" : row->unit, row->meaning,
                    row->formula);
    }
}

static const char *kind_word(const struct np_metric_def *def)
{
    static const char *const words[] = {[NP_METRIC_COUNTER] = "counter",
                                        [NP_METRIC_UPDOWN] = "updowncounter",
                                        [NP_METRIC_GAUGE] = "gauge",
                                        [NP_METRIC_HISTOGRAM] = "histogram"};

    return words[def->kind];
}

/* One key of "a b? c" after another; false at the end. */
static bool next_key(const char **list, char key[64], bool *may_be_absent)
{
    *list += strspn(*list, " ");
    size_t n = strcspn(*list, " ");
    if (n == 0)
        return false;
    *may_be_absent = (*list)[n - 1] == '?';
    snprintf(key, 64, "%.*s", (int)(n - *may_be_absent), *list);
    *list += n;
    return true;
}

static void metric_rows(struct np_str *out)
{
    np_str_add(out, "| name | kind, unit | attributes (* only where there is one) | meaning |\n"
                    "|---|---|---|---|\n");
    for (size_t i = 0; i < np_n_metric_defs; i++) {
        const struct np_metric_def *def = np_metric_defs[i];
        const char *list = def->attributes, *separator = "";
        char key[64];
        bool may_be_absent;
        np_str_addf(out, "| `%s` | %s, %s | ", def->name, kind_word(def), def->unit);
        while (next_key(&list, key, &may_be_absent)) {
            np_str_addf(out, "%s`%s`%s", separator, key, may_be_absent ? "*" : "");
            separator = ", ";
        }
        np_str_addf(out, "%s| %s |\n", *separator ? " " : "", def->description);
    }
}

/* The document with what stands between "<!-- NAME -->" and "<!-- end -->" replaced. */
static char *with_table(const char *document, const char *name, const struct np_str *table)
{
    NP_AUTO(np_freep) char *mark = np_xasprintf("<!-- %s -->\n", name);
    const char *from = strstr(document, mark);
    const char *to = from ? strstr(from, "<!-- end -->") : NULL;

    tap_check(from && to, __FILE__, __LINE__, "%s has no table '%s'", DOCUMENT, name);
    if (!from || !to)
        return np_xstrdup(document);
    from += strlen(mark);
    return np_xasprintf("%.*s\n%s\n%s", (int)(from - document), document, np_str_text(table), to);
}

static char *new_document(const char *document)
{
    NP_AUTO(np_str_done)
    struct np_str signals = {0}, resource = {0}, measures = {0}, metrics = {0};

    attribute_rows(&signals, np_attr_names, np_n_signal_attr_names);
    attribute_rows(&resource, np_attr_names + np_n_signal_attr_names,
                   np_n_attr_names - np_n_signal_attr_names);
    measure_rows(&measures);
    metric_rows(&metrics);
    NP_AUTO(np_freep) char *one = with_table(document, "attributes of signals", &signals);
    NP_AUTO(np_freep) char *two = with_table(one, "attributes of the resource", &resource);
    NP_AUTO(np_freep) char *three = with_table(two, "measures", &measures);
    return with_table(three, "metrics", &metrics);
}

/* The registry file. */

static void yaml_attribute(struct np_str *out, const struct np_attr_name *name, const char *example)
{
    np_str_addf(out,
                "      - id: %s\n        type: %s\n        stability: development\n        brief: ",
                name->key, type_word(name->type));
    np_str_add_json(out, name->meaning);
    np_str_add(out, "\n");
    if (!example || name->type == NP_ATTR_BOOL)
        return;
    np_str_add(out, "        examples: [");
    if (name->type == NP_ATTR_STRING)
        np_str_add_json(out, example);
    else
        np_str_add(out, example);
    np_str_add(out, "]\n");
}

static void yaml_group(struct np_str *out, const char *prefix, const char *brief)
{
    np_str_addf(out, "  - id: registry.%.*s\n    type: attribute_group\n    brief: ",
                (int)strcspn(prefix, "."), prefix);
    np_str_add_json(out, brief);
    np_str_add(out, "\n    attributes:\n");
    for (size_t i = 0; i < np_n_attr_names; i++)
        if (np_starts_with(np_attr_names[i].key, prefix))
            yaml_attribute(out, &np_attr_names[i], np_attr_names[i].example);
}

static void yaml_measures(struct np_str *out)
{
    np_str_add(out, "  - id: registry.measures\n    type: attribute_group\n"
                    "    brief: \"What the stages of a recipe find out\"\n    attributes:\n");
    for (size_t i = 0; i < NP_N_MEASURES; i++) {
        const struct np_measure_row *row = &np_measure_rows[i];
        bool is_word = row->kind == NP_MEASURE_KIND_WORD;
        NP_AUTO(np_freep) char *word = np_xstrndup(row->formula, strcspn(row->formula, ","));
        const struct np_attr_name name = {row->attribute, is_word ? NP_ATTR_STRING : NP_ATTR_DOUBLE,
                                          NULL, row->meaning};
        yaml_attribute(out, &name, is_word ? word : "1.5");
    }
}

static void yaml_metric(struct np_str *out, const struct np_metric_def *def)
{
    const char *list = def->attributes;
    char key[64];
    bool may_be_absent;

    np_str_addf(out,
                "  - id: metric.%s\n    type: metric\n    metric_name: %s\n    brief: ", def->name,
                def->name);
    np_str_add_json(out, def->description);
    np_str_addf(out, "\n    instrument: %s\n    unit: \"%s\"\n    stability: development\n",
                kind_word(def), def->unit);
    if (*def->attributes)
        np_str_add(out, "    attributes:\n");
    while (next_key(&list, key, &may_be_absent))
        np_str_addf(out, "      - ref: %s\n        requirement_level: %s\n", key,
                    may_be_absent ? "opt_in" : "required");
}

static char *new_registry(void)
{
    struct np_str out = {0};

    np_str_add(&out,
               "# Names of neuro-preprocess that no convention has, made from src/trace/names.h\n"
               "# and src/catalog/measure.h by `make registry`. The others are OpenTelemetry's, "
               "release 1.38.0.\n"
               "groups:\n");
    yaml_group(&out, "bids.", "Labels of the Brain Imaging Data Structure");
    yaml_group(&out, "neuro.", "Preprocessing of brain images");
    yaml_group(&out, "slurm.", "The job of a Slurm cluster");
    yaml_measures(&out);
    for (size_t i = 0; i < np_n_metric_defs; i++)
        if (is_ours(np_metric_defs[i]->name))
            yaml_metric(&out, np_metric_defs[i]);
    return np_str_take(&out);
}

static void same_or_written(const char *path, const char *found, const char *expected)
{
    if (getenv("NP_WRITE_REGISTRY")) {
        ok_int(np_file_write_atomic(path, expected, strlen(expected), NULL), 0);
        return;
    }
    tap_check(strcmp(found, expected) == 0, __FILE__, __LINE__,
              "%s is not what src/trace/names.h says; run: make registry", path);
}

/* Tests run in the project's folder. */
static bool read_file(const char *path, struct np_str *text)
{
    if (np_file_read(path, 1 << 20, text, NULL) == 0 || getenv("NP_WRITE_REGISTRY"))
        return true;
    tap_skip("the documentation is not below the working directory");
    return false;
}

TEST(the_documents_tables_are_the_programs)
{
    NP_AUTO(np_str_done) struct np_str document = {0};

    if (!read_file(DOCUMENT, &document))
        return;
    NP_AUTO(np_freep) char *expected = new_document(np_str_text(&document));
    same_or_written(DOCUMENT, np_str_text(&document), expected);
}

TEST(the_registry_file_is_the_programs)
{
    NP_AUTO(np_str_done) struct np_str registry = {0};
    NP_AUTO(np_freep) char *expected = new_registry();

    if (!read_file(REGISTRY, &registry))
        return;
    same_or_written(REGISTRY, np_str_text(&registry), expected);
}

static const char *nth_key(size_t i)
{
    return i < np_n_attr_names ? np_attr_names[i].key
                               : np_measure_rows[i - np_n_attr_names].attribute;
}

TEST(names_are_unique_lower_case_and_dotted)
{
    for (size_t i = 0; i < np_n_attr_names + NP_N_MEASURES; i++) {
        const char *key = nth_key(i);
        tap_check(strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._") == strlen(key) &&
                      strchr(key, '.'),
                  __FILE__, __LINE__, "%s", key);
        for (size_t k = 0; k < i; k++)
            if (strcmp(key, nth_key(k)) == 0)
                tap_check(false, __FILE__, __LINE__, "%s stands twice", key);
    }
}

TEST(metrics_use_registered_attributes_and_stand_once)
{
    for (size_t i = 0; i < np_n_metric_defs; i++) {
        const char *list = np_metric_defs[i]->attributes;
        char key[64];
        bool may_be_absent;
        while (next_key(&list, key, &may_be_absent))
            tap_check(np_attr_is_registered(key), __FILE__, __LINE__, "%s of %s", key,
                      np_metric_defs[i]->name);
        for (size_t k = 0; k < i; k++)
            ok(strcmp(np_metric_defs[k]->name, np_metric_defs[i]->name) != 0);
    }
    for (size_t i = 0; i < np_n_quality_metrics; i++)
        ok(np_measure_find(np_quality_metrics[i].measure) != NULL);
}

TAP_MAIN
