/* The table of measures: rows are whole, keys stand once, and what is made of it agrees. */
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "catalog/measure.h"
#include "record/idps.h"
#include "stages/stage.h"
#include "tap.h"
#include "trace/names.h"

TEST(every_row_is_whole_and_is_found_by_its_key)
{
    for (size_t i = 0; i < NP_N_MEASURES; i++) {
        const struct np_measure_row *row = &np_measure_rows[i];
        ok(np_measure_find(row->key) == row);
        ok(isupper((unsigned char)row->meaning[0]) || isdigit((unsigned char)row->meaning[0]));
        ok(!np_ends_with(row->meaning, "."));
        ok((row->kind == NP_MEASURE_KIND_WORD) == (*row->unit == '\0'));
        ok(row->kind == NP_MEASURE_KIND_NUMBER || *row->formula); /* the words that it takes */
        ok(row->kind == NP_MEASURE_KIND_NUMBER || !(row->shown & NP_IN_IDPS));
    }
    ok(np_measure_find("denoise.sigma") == NULL);
}

/* The stage that measures is the first part of the key: bias.* stands for both bias stages. */
TEST(measures_of_stages_are_named_after_a_stage)
{
#define X(ident, name) name,
    static const char *const stages[] = {NP_STAGE_NAMES(X)};
#undef X

    for (size_t i = 0; i < NP_N_MEASURES; i++) {
        const char *key = np_measure_rows[i].key;
        size_t n = strcspn(key, ".");
        bool found = np_starts_with(key, "neuro.image.");
        for (size_t s = 0; s < NP_COUNT(stages); s++)
            found = found || strncmp(stages[s], key, n) == 0;
        tap_check(found, __FILE__, __LINE__, "%s is of no stage", key);
    }
}

TEST(a_sidecar_shows_a_measure_only_if_an_output_shows_such_measures)
{
    const struct np_recipe *recipe = np_recipe_find(&np_modalities[NP_MODALITY_T1W]);
    unsigned shown = NP_IN_IDPS, by_outputs = NP_IN_IDPS;

    for (size_t i = 0; i < NP_N_MEASURES; i++)
        shown |= np_measure_rows[i].shown;
    for (size_t i = 0; i < recipe->n_outputs; i++) {
        /* the drawings of the tissues show the same */
        ok((recipe->output[i].file.shows & by_outputs & ~(unsigned)NP_IN_TISSUE) == 0);
        by_outputs |= recipe->output[i].file.shows;
    }
    ok_int(shown, by_outputs);
}

TEST(a_gauge_has_the_unit_and_the_meaning_of_its_measure)
{
    ok_int((int64_t)np_n_quality_metrics, 8);
    for (size_t i = 0; i < np_n_quality_metrics; i++) {
        const struct np_measure_row *row = np_measure_find(np_quality_metrics[i].measure);
        ok(row && row->kind == NP_MEASURE_KIND_NUMBER);
        ok_str(np_quality_metrics[i].def->unit, row ? row->unit : "");
        ok_str(np_quality_metrics[i].def->description, row ? row->meaning : "");
        ok(np_quality_metrics[i].def->kind == NP_METRIC_GAUGE);
    }
}

TEST(an_old_key_leads_to_a_row_of_the_same_unit)
{
    ok(np_n_measure_aliases > 0);
    for (size_t i = 0; i < np_n_measure_aliases; i++) {
        const struct np_measure_alias *alias = &np_measure_aliases[i];
        ok(np_measure_rows[alias->when].kind == NP_MEASURE_KIND_WORD);
        ok(strcmp(alias->key, np_measure_rows[alias->now].key) != 0);
        ok(strstr(np_measure_rows[alias->when].formula, alias->text) != NULL);
    }
}

TAP_MAIN
