#include "record/complete.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "codec/sha256.h"
#include "config/results.h"
#include "record/method.h"

static bool outputs_present(const struct np_file_record *file, const char *output_dir)
{
    for (size_t i = 0; i < file->n_outputs; i++) {
        const struct np_output_record *output = &file->output[i];
        NP_AUTO(np_freep) char *path = np_path_join(output_dir, output->path);
        struct stat status;
        if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) ||
            status.st_size != output->n_bytes)
            return false;
    }
    return true;
}

static bool names_all(const struct np_file_record *file, const struct np_strings *expected)
{
    for (size_t i = 0; expected && i < expected->n; i++) {
        bool found = false;
        for (size_t k = 0; k < file->n_outputs && !found; k++)
            found = strcmp(file->output[k].path, expected->item[i]) == 0;
        if (!found)
            return false;
    }
    return true;
}

static const struct np_file_record *find_file(const struct np_session_record *record,
                                              const char *path)
{
    for (size_t f = 0; f < record->n_files; f++)
        if (strcmp(record->file[f].path, path) == 0)
            return &record->file[f];
    return NULL;
}

static bool is_same_file(const char *path, int64_t n_bytes, int64_t mtime_ns, const char *sha256)
{
    struct stat status;
    char found[65];

    if (stat(path, &status) != 0 || (n_bytes > 0 && status.st_size != n_bytes))
        return false;
    if (status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec == mtime_ns)
        return true;
    return np_sha256_file(path, found, NULL) == 0 && strcmp(found, sha256) == 0;
}

bool np_complete_input_same(const struct np_file_record *file, const char *path, bool may_be_away)
{
    if (!np_path_exists(path))
        return may_be_away;
    return is_same_file(path, file->n_bytes, file->mtime_ns, file->sha256);
}

static bool is_same_mask(const struct np_mask_record *mask, const char *path)
{
    return mask->sha256[0] && is_same_file(path, mask->n_bytes, mask->mtime_ns, mask->sha256);
}

static enum np_completeness say(char **difference, enum np_completeness result, char *words)
{
    if (difference)
        *difference = words;
    else
        free(words);
    return result;
}

static bool folder_accepts(const struct np_session_record *record,
                           const struct np_complete_key *key, const struct np_complete_input *input,
                           const char *method)
{
    return key->folder && record->config &&
           np_folder_accepts(key->folder, record->config, input->modality, method);
}

/* The selection may be narrower than the record: other recorded files are left alone. Of a session
 * made in another configuration of the folder, the outputs are those of that one. NP_LACKS_ADDED
 * comes without words. */
static enum np_completeness compare_input(const struct np_session_record *record,
                                          const char *output_dir, const struct np_complete_key *key,
                                          const struct np_complete_input *input, char **difference)
{
    const struct np_file_record *file = find_file(record, input->recorded);
    bool same_options = np_config_results_same(record->config, key->config);

    if (!file)
        return say(difference, NP_INPUT_CHANGED,
                   np_xasprintf("'%s' is new since then", input->recorded));
    bool same_method = file->method && np_method_agrees(file->method, input->method);
    bool lacks = same_method && np_method_lacks(file->method, input->method);
    if (!(same_method && same_options) && !folder_accepts(record, key, input, file->method))
        return say(difference, same_options ? NP_OTHER_METHOD : NP_OTHER_CONFIG,
                   same_options ? np_xasprintf("method '%s' there, '%s' here",
                                               file->method ? file->method : "none", input->method)
                                : np_config_results_difference(record->config, key->config));
    if ((same_options && !lacks && !names_all(file, input->outputs)) ||
        !outputs_present(file, output_dir))
        return say(difference, NP_INCOMPLETE,
                   np_xasprintf("an output of '%s' is missing or was changed", input->recorded));
    if (!np_complete_input_same(file, input->path, key->may_be_away))
        return say(difference, NP_INPUT_CHANGED,
                   np_xasprintf("'%s' is not the image that was recorded", input->recorded));
    if (input->mask && !is_same_mask(&file->mask, input->mask))
        return say(difference, NP_OTHER_MASK,
                   np_xasprintf(file->mask.sha256[0] ? "'%s' is not the mask that was given then"
                                                     : "no mask was given then, '%s' is now",
                                input->mask));
    return lacks ? NP_LACKS_ADDED : NP_COMPLETE;
}

static bool is_of_another_configuration(const struct np_session_record *record,
                                        const struct np_complete_key *key)
{
    if (key->n_inputs == 0 || np_config_results_same(record->config, key->config))
        return false;
    for (size_t i = 0; i < key->n_inputs; i++) {
        const struct np_file_record *file = find_file(record, key->input[i].recorded);
        if (!folder_accepts(record, key, &key->input[i], file ? file->method : NULL))
            return true;
    }
    return false;
}

/* Compare the configuration first: a session that was made with other options is neither redone
 * nor kept without a message. */
static enum np_completeness compare(const struct np_session_record *record, const char *output_dir,
                                    const struct np_complete_key *key, char **difference)
{
    if (is_of_another_configuration(record, key))
        return say(difference, NP_OTHER_CONFIG,
                   np_config_results_difference(record->config, key->config));
    bool lacks = false;
    for (size_t i = 0; i < key->n_inputs; i++) {
        enum np_completeness found =
            compare_input(record, output_dir, key, &key->input[i], difference);
        if (found != NP_COMPLETE && found != NP_LACKS_ADDED)
            return found;
        lacks = lacks || found == NP_LACKS_ADDED;
    }
    return lacks ? say(difference, NP_LACKS_ADDED,
                       np_xstrdup("made by an earlier version, without what this one adds"))
                 : NP_COMPLETE;
}

/* There is no completion record: what the status record says of the last attempt. */
static enum np_completeness never_completed(const struct np_record_place *place, char **difference)
{
    NP_AUTO(np_record_done) struct np_session_record status = {0};

    if (np_record_read(place->status, &status, NULL) < 0)
        return say(difference, NP_INCOMPLETE, np_xstrdup("not processed yet"));
    NP_AUTO(np_freep)
    char *failure = status.failure.code ? np_failure_text(&status.failure) : np_xstrdup("");
    return say(difference, NP_INCOMPLETE,
               np_xasprintf("last attempt: %s%s%s", np_state_name(status.state),
                            *failure ? ", " : "", failure));
}

enum np_completeness np_complete_check(const struct np_record_place *place, const char *output_dir,
                                       const struct np_complete_key *key, char **difference,
                                       bool *is_warned)
{
    NP_AUTO(np_record_done) struct np_session_record record = {0};

    if (difference)
        *difference = NULL;
    if (is_warned)
        *is_warned = false;
    NP_AUTO(np_record_done) struct np_session_record status = {0};
    /* Without a readable status record, runs would count the session as complete, but `status`
     * would not show it. */
    if (np_record_read(place->complete, &record, NULL) < 0)
        return never_completed(place, difference);
    if (np_record_read(place->status, &status, NULL) < 0)
        return say(difference, NP_INCOMPLETE,
                   np_xstrdup("its status record is missing or cannot be read"));
    if (record.state != NP_STATE_SUCCESS && record.state != NP_STATE_NOTHING_TO_DO)
        return NP_INCOMPLETE;
    if (is_warned)
        *is_warned = np_record_is_warned(&record);
    return compare(&record, output_dir, key, difference);
}
