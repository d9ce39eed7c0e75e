/* Methods that differ by stages that only add are as good as each other. */
#include "catalog/stage_name.h"
#include "record/method.h"
#include "tap.h"

TEST(a_stage_that_only_adds_is_no_difference_when_one_side_does_not_have_it)
{
    ok(np_stage_only_adds(NP_STAGE_TISSUE));
    ok(np_method_agrees("load:1 strip:2", "load:1 strip:2 tissue:1"));
    ok(np_method_agrees("load:1 strip:2 tissue:1", "load:1 strip:2"));
    ok(np_method_agrees("load:1 tissue:1 strip:2", "load:1 strip:2"));
    ok(np_method_agrees("", "tissue:1"));
}

TEST(another_version_another_order_or_any_other_stage_is_a_difference)
{
    ok(!np_method_agrees("load:1 strip:2 tissue:1", "load:1 strip:2 tissue:2"));
    ok(!np_method_agrees("load:1 strip:2", "load:1 strip:3 tissue:1"));
    ok(!np_method_agrees("load:1 strip:2", "load:1 denoise:1 strip:2"));
    ok(!np_method_agrees("load:1 strip:2", "strip:2 load:1"));
    ok(!np_method_agrees("load:1", "load:11"));
    ok(!np_method_agrees("load:1", "load:1 tissues:1"));
}

TEST(only_what_agrees_and_has_fewer_stages_lacks_something)
{
    ok(np_method_lacks("load:1", "load:1 tissue:1"));
    ok(!np_method_lacks("load:1 tissue:1", "load:1"));
    ok(!np_method_lacks("load:1 tissue:1", "load:1 tissue:1"));
    ok(!np_method_lacks("load:1", "load:2 tissue:1"));
}

TEST(a_stage_is_found_by_its_whole_name)
{
    ok(np_method_has("load:1 tissue:1", "tissue"));
    ok(!np_method_has("load:1 tissues:1", "tissue"));
    ok(!np_method_has("", "tissue"));
}

TAP_MAIN
