/* Whether a dataset of another Name is another dataset. */
#include "pipeline/admission.h"
#include "tap.h"

TEST(the_images_decide_whether_a_dataset_of_another_name_is_another)
{
    static const struct {
        struct np_source_evidence evidence;
        bool is_another;
    } rows[] = {
        {{.n_common = 0, .n_changed = 0}, true},   /* none held by both */
        {{.n_common = 1, .n_changed = 0}, false},  /* a changed Name alone */
        {{.n_common = 99, .n_changed = 0}, false}, /* and new sessions */
        {{.n_common = 1, .n_changed = 1}, true},
        {{.n_common = 99, .n_changed = 1}, true},
        {{.n_unknown = 1}, false},                /* nothing that another dataset would mix with */
        {{.n_unknown = 1, .n_results = 1}, true}, /* results, and none of a session held by both */
        {{.n_unknown = 9, .n_results = 1, .n_common = 1}, false},
    };

    for (size_t i = 0; i < NP_COUNT(rows); i++)
        ok_int(np_source_is_another(&rows[i].evidence), rows[i].is_another);
}

TAP_MAIN
