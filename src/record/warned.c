#include "record/warned.h"

#include <stdlib.h>
#include <string.h>

bool np_survey_is_warned(const struct np_survey_row *row)
{
    return row->state == NP_STATE_SUCCESS && np_record_is_warned(&row->record);
}

static void count_key(struct np_warned *warned, const char *key)
{
    for (size_t i = 0; i < warned->keys.n; i++)
        if (strcmp(warned->keys.item[i], key) == 0) {
            warned->n_of[i]++;
            return;
        }
    warned->n_of = np_xrealloc(warned->n_of, (warned->keys.n + 1) * sizeof(*warned->n_of));
    warned->n_of[warned->keys.n] = 1;
    np_strings_add(&warned->keys, key);
}

void np_warned_find(const struct np_survey *survey, struct np_warned *warned)
{
    *warned = (struct np_warned){0};
    for (size_t i = 0; i < survey->n_rows; i++) {
        NP_AUTO(np_strings_done) struct np_strings keys = {0};
        if (!np_survey_is_warned(&survey->row[i]))
            continue;
        warned->n_sessions++;
        np_record_warning_keys(&survey->row[i].record, &keys);
        for (size_t k = 0; k < keys.n; k++)
            count_key(warned, keys.item[k]);
    }
}

void np_warned_done(struct np_warned *warned)
{
    np_strings_done(&warned->keys);
    free(warned->n_of);
    *warned = (struct np_warned){0};
}

const char *np_warned_sentence(const struct np_file_record *file, const char *key)
{
    for (size_t i = 0; i < file->n_warnings; i++)
        if (strcmp(file->warning[i].key, key) == 0)
            return file->warning[i].text;
    return NULL;
}

size_t np_warned_image(const struct np_session_record *record, const char *key, size_t *n_images)
{
    size_t first = record->n_files;

    *n_images = 0;
    for (size_t i = record->n_files; i-- > 0;)
        if (np_warned_sentence(&record->file[i], key)) {
            first = i;
            ++*n_images;
        }
    return first;
}
