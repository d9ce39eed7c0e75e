/*
 * The method of a result: its stages and their versions, "load_file:1 validate_data:1 …", as
 * np_recipe_version says it. A stage that only adds (catalog/stage_name.h) is no reason to call
 * results without it made otherwise; they lack what it adds.
 */
#ifndef NP_RECORD_METHOD_H
#define NP_RECORD_METHOD_H

#include <stdbool.h>

/* The same stages in the same versions, but for those that only add and that one side does not
 * have. */
bool np_method_agrees(const char *one, const char *other);

bool np_method_has(const char *method, const char *stage);

/* They agree, and `one` does not have a stage that `other` has. */
bool np_method_lacks(const char *one, const char *other);

#endif
