#include "bids/filter.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "bids/labels.h"
#include "catalog/modality.h"
#include "json/json.h"

struct np_filter {
    json_t *queries; /* checked: an object of objects whose values value_matches can handle */
};

/* The field that a member of a query restricts: an entity, or one of these. */
enum { FIELD_SUFFIX = NP_N_ENTITIES, FIELD_EXTENSION, FIELD_DATATYPE, FIELD_UNKNOWN };

/* PyBIDS' names of entities, where they differ from the entity's key. */
static const struct {
    const char *name;
    int field;
} long_names[] = {
    {"subject", NP_ENTITY_SUB},      {"participant", NP_ENTITY_SUB},
    {"session", NP_ENTITY_SES},      {"acquisition", NP_ENTITY_ACQ},
    {"ceagent", NP_ENTITY_CE},       {"tracer", NP_ENTITY_TRC},
    {"staining", NP_ENTITY_STAIN},   {"reconstruction", NP_ENTITY_REC},
    {"direction", NP_ENTITY_DIR},    {"modality", NP_ENTITY_MOD},
    {"inversion", NP_ENTITY_INV},    {"mtransfer", NP_ENTITY_MT},
    {"processing", NP_ENTITY_PROC},  {"hemisphere", NP_ENTITY_HEMI},
    {"segmentation", NP_ENTITY_SEG}, {"resolution", NP_ENTITY_RES},
    {"density", NP_ENTITY_DEN},      {"description", NP_ENTITY_DESC},
    {"suffix", FIELD_SUFFIX},        {"extension", FIELD_EXTENSION},
    {"datatype", FIELD_DATATYPE},
};

/* Kinds of images that other programs' filters name; those we do not process restrict nothing. */
static const char *const foreign_queries[] = {"roi", "sbref", "fmap",   "dwi", "asl",
                                              "pet", "pdw",   "t2star", "xfm", "m0scan"};

/* The properties of an image that a query can restrict; NULL = absent. */
struct facts {
    const char *field[FIELD_UNKNOWN];
};

enum keyword { KEYWORD_LABEL, KEYWORD_NONE, KEYWORD_ANY, KEYWORD_OPTIONAL, KEYWORD_UNKNOWN };

static int field_of(const char *key)
{
    for (int i = 0; i < NP_N_ENTITIES; i++)
        if (strcmp(key, np_bids_entity_key((enum np_bids_entity)i)) == 0)
            return i;
    for (size_t i = 0; i < NP_COUNT(long_names); i++)
        if (strcmp(key, long_names[i].name) == 0)
            return long_names[i].field;
    return FIELD_UNKNOWN;
}

/* "Query.NONE", and "<Query.NONE: 1>" as Python prints it. */
static enum keyword keyword_of(const char *text)
{
    static const struct {
        const char *name;
        enum keyword keyword;
    } names[] = {
        {"NONE", KEYWORD_NONE},
        {"ANY", KEYWORD_ANY},
        {"REQUIRED", KEYWORD_ANY},
        {"OPTIONAL", KEYWORD_OPTIONAL},
    };

    if (strcmp(text, "*") == 0)
        return KEYWORD_ANY;
    text += *text == '<';
    if (!np_starts_with(text, "Query."))
        return KEYWORD_LABEL;
    text += strlen("Query.");
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    for (size_t i = 0; i < NP_COUNT(names); i++)
        if (strlen(names[i].name) == n && memcmp(names[i].name, text, n) == 0)
            return names[i].keyword;
    return KEYWORD_UNKNOWN;
}

static bool is_value(const json_t *value)
{
    if (json_is_string(value))
        return keyword_of(json_string_value(value)) != KEYWORD_UNKNOWN;
    return json_is_integer(value) || json_is_null(value);
}

/* The first invalid value: `value` itself, one of its elements, or NULL. */
static const json_t *bad_value(const json_t *value)
{
    size_t i;
    json_t *element;

    if (!json_is_array(value))
        return is_value(value) ? NULL : value;
    if (json_array_size(value) == 0)
        return value;
    json_array_foreach(value, i, element)
    {
        if (!is_value(element))
            return element;
    }
    return NULL;
}

/* True for the queries that are checked and used. */
static bool is_known_query(const char *name)
{
    for (size_t i = 0; i < NP_N_MODALITIES; i++)
        if (strcasecmp(name, np_modalities[i].filter_key) == 0)
            return true;
    for (size_t i = 0; i < NP_COUNT(foreign_queries); i++)
        if (strcasecmp(name, foreign_queries[i]) == 0)
            return true;
    return false;
}

struct reading {
    struct np_json_source source;
    struct np_strings *warnings;
};

/* At most 40 bytes of a name from a file; the caller frees. */
static char *shortened(const char *name)
{
    char *text = np_utf8_clean(name);

    np_utf8_cut(text, 40);
    return text;
}

/* "'f.json' line 3, column 14: query 't1w', 'run': expected …, found …" */
static int wrong(const struct reading *reading, const char *query, const char *member,
                 const json_t *found, const char *expected, struct np_error *err)
{
    const char *const keys[] = {query, member};
    NP_AUTO(np_freep) char *short_query = shortened(query);
    NP_AUTO(np_freep) char *short_member = shortened(member ? member : "");
    NP_AUTO(np_freep)
    char *what = np_xasprintf("query '%s'%s%s%s", short_query, member ? ", member '" : "",
                              short_member, member ? "'" : "");

    return np_json_wrong(&reading->source, keys, member ? 2 : 1, what, expected, found, err);
}

static int check_query(const struct reading *reading, const char *name, json_t *query,
                       struct np_error *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(query))
        return wrong(reading, name, NULL, query, "an object of entities", err);
    json_object_foreach(query, key, value)
    {
        if (field_of(key) == FIELD_UNKNOWN) {
            NP_AUTO(np_freep) char *short_key = shortened(key);
            np_strings_give(reading->warnings,
                            np_xasprintf("'%s': query '%s': '%s' is no entity that is known here; "
                                         "it restricts nothing",
                                         reading->source.label, name, short_key));
            continue;
        }
        const json_t *bad = bad_value(value);
        if (bad)
            return wrong(reading, name, key, bad,
                         "a label, a whole number, null, or a list of these", err);
    }
    return 0;
}

/* "t1w" and "T1w" mean the same images: which of the two should count? */
static int check_unique(const struct reading *reading, json_t *queries, const char *name,
                        struct np_error *err)
{
    const char *other;
    json_t *ignored;

    json_object_foreach(queries, other, ignored)
    {
        if (strcmp(other, name) == 0 || strcasecmp(other, name) != 0)
            continue;
        NP_AUTO(np_freep) char *place = np_json_place(&reading->source, &name, 1);
        return np_error_set(err, NP_ECONFIG,
                            "%s: expected one query for each kind of image, found '%s' and '%s', "
                            "which mean the same; join them",
                            place, other, name);
    }
    return 0;
}

static int check_queries(const struct reading *reading, json_t *queries, struct np_error *err)
{
    const char *name;
    json_t *query;

    json_object_foreach(queries, name, query)
    {
        if (is_known_query(name)) {
            NP_TRY(check_unique(reading, queries, name, err));
            NP_TRY(check_query(reading, name, query, err));
            continue;
        }
        NP_AUTO(np_freep) char *short_name = shortened(name);
        np_strings_give(reading->warnings,
                        np_xasprintf("'%s': query '%s' is not known here; it restricts nothing",
                                     reading->source.label, short_name));
    }
    return 0;
}

int np_filter_parse(const char *label, const char *text, size_t n_bytes, struct np_filter **filter,
                    struct np_strings *warnings, struct np_error *err)
{
    const struct reading reading = {{label, text, n_bytes}, warnings};
    NP_AUTO(np_json_freep) json_t *queries = NULL;

    NP_TRY(np_json_parse(&reading.source, JSON_REJECT_DUPLICATES, &queries, err));
    NP_TRY(check_queries(&reading, queries, err));
    *filter = np_xmalloc(sizeof(**filter));
    (*filter)->queries = queries;
    queries = NULL;
    return 0;
}

int np_filter_read(const char *path, struct np_filter **filter, struct np_strings *warnings,
                   struct np_error *err)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_error why = {0};

    if (np_path_is_directory(path))
        return np_error_set(err, NP_ECONFIG,
                            "'%s': expected a JSON file for --bids-filter-file, found a folder",
                            path);
    if (np_file_read(path, NP_FILTER_MOST_BYTES, &text, &why) < 0)
        return np_error_set(err, NP_ECONFIG, "--bids-filter-file: %s", why.text);
    return np_filter_parse(path, np_str_text(&text), text.length, filter, warnings, err);
}

void np_filter_freep(struct np_filter **filter)
{
    if (*filter)
        json_decref((*filter)->queries);
    np_freep(filter);
}

static bool is_index(int field)
{
    return field == NP_ENTITY_RUN || field == NP_ENTITY_ECHO || field == NP_ENTITY_FLIP ||
           field == NP_ENTITY_INV || field == NP_ENTITY_SPLIT || field == NP_ENTITY_CHUNK;
}

static bool label_matches(int field, const char *wanted, const char *found)
{
    if (field < NP_N_ENTITIES)
        wanted = np_label_strip(wanted, np_bids_entity_key((enum np_bids_entity)field));
    if (field == FIELD_EXTENSION)
        return strcmp(wanted + (*wanted == '.'), found + (*found == '.')) == 0;
    return is_index(field) ? np_index_equal(wanted, found) : strcmp(wanted, found) == 0;
}

static bool text_matches(int field, const char *wanted, const char *found)
{
    switch (keyword_of(wanted)) {
    case KEYWORD_NONE:
        return !found;
    case KEYWORD_ANY:
        return found != NULL;
    case KEYWORD_OPTIONAL:
        return true;
    default:
        return found && label_matches(field, wanted, found);
    }
}

/* A number matches as an index, also for entities that usually have labels: session 1 is "1" and
 * "01". */
static bool number_matches(json_int_t wanted, const char *found)
{
    char digits[32];

    snprintf(digits, sizeof(digits), "%lld", (long long)wanted);
    return found && np_index_equal(digits, found);
}

/* Lists cannot contain lists: np_filter_parse refuses them. */
static bool value_matches(int field, const json_t *wanted, const char *found)
{
    if (json_is_null(wanted))
        return !found;
    if (json_is_integer(wanted))
        return number_matches(json_integer_value(wanted), found);
    return text_matches(field, json_string_value(wanted), found);
}

static bool member_matches(int field, const json_t *wanted, const char *found)
{
    size_t i;
    json_t *element;

    if (!json_is_array(wanted))
        return value_matches(field, wanted, found);
    json_array_foreach(wanted, i, element)
    {
        if (value_matches(field, element, found))
            return true;
    }
    return false;
}

static json_t *query_named(const struct np_filter *filter, const char *key)
{
    const char *name;
    json_t *query;

    json_object_foreach(filter->queries, name, query)
    {
        if (strcasecmp(name, key) == 0)
            return query;
    }
    return NULL;
}

/* A substitute without a query of its own follows that of the first modality: it stands for it. */
static json_t *query_for(const struct np_filter *filter, const char *suffix)
{
    const struct np_modality *modality = np_modality_find(suffix);
    json_t *query = modality ? query_named(filter, modality->filter_key) : NULL;

    if (!query && modality && modality->use == NP_USE_AS_SUBSTITUTE)
        return query_named(filter, np_modality_find(NP_FIRST_SUFFIX)->filter_key);
    return query;
}

/* True when `facts` match the query for this kind; only members below `n_fields` are compared. */
static bool query_accepts(const struct np_filter *filter, const char *modality,
                          const struct facts *facts, int n_fields)
{
    const char *key;
    json_t *wanted;
    json_t *query = filter ? query_for(filter, modality) : NULL;

    if (!query)
        return true;
    json_object_foreach(query, key, wanted)
    {
        int field = field_of(key);
        if (field < n_fields && !member_matches(field, wanted, facts->field[field]))
            return false;
    }
    return true;
}

bool np_filter_accepts(const struct np_filter *filter, const char *modality, const char *datatype,
                       const struct np_bids_name *name)
{
    struct facts facts = {0};

    for (int i = 0; i < NP_N_ENTITIES; i++)
        facts.field[i] = name->entity[i];
    facts.field[FIELD_SUFFIX] = name->suffix;
    facts.field[FIELD_EXTENSION] = name->extension;
    facts.field[FIELD_DATATYPE] = datatype;
    return query_accepts(filter, modality, &facts, FIELD_UNKNOWN);
}

bool np_filter_accepts_session(const struct np_filter *filter, const char *modality,
                               const char *participant, const char *session)
{
    struct facts facts = {0};

    facts.field[NP_ENTITY_SUB] = participant;
    facts.field[NP_ENTITY_SES] = session;
    _Static_assert(NP_ENTITY_SUB == 0 && NP_ENTITY_SES == 1, "the two that a session's folder has");
    return query_accepts(filter, modality, &facts, NP_ENTITY_SES + 1);
}
