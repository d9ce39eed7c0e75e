/*
 * Any bytes as logs/folder.json: recalled or refused by name; what was recalled is the same after it
 * was written and recalled again, and a run with a configuration of the folder is accepted. Bytes
 * that do not begin with '{' choose among the words of such a file, so that its reader is reached
 * and not the JSON parser alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "record/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static char output[64];

static const char *const words[] = {"\"schema\":1,",
                                    "\"schema\":2,",
                                    "\"configurations\":[",
                                    "{\"words\":\"defaults\",\"digest\":\"0\",",
                                    "\"options\":{",
                                    "\"normalize\":\"none\",",
                                    "\"normalize\":\"zscore\",",
                                    "\"level\":7,",
                                    "\"save-bias-field\":true,",
                                    "\"later\":null",
                                    "},",
                                    "}",
                                    "\"methods\":{",
                                    "\"T1w\":\"load_file:1 report:2\",",
                                    "\"T2w\":\"load_file:1\"",
                                    "\"\":\"\",",
                                    "],",
                                    "\"source\":",
                                    "{\"name\":\"A\",\"doi\":null}",
                                    "null,",
                                    "\"\xef\x9e\x80\"",
                                    "3"};

static char *make_text(const uint8_t *bytes, size_t n_bytes)
{
    struct np_str out = {0};

    if (bytes[0] == '{') {
        np_str_add_bytes(&out, bytes, strnlen((const char *)bytes, n_bytes));
    } else {
        np_str_add_char(&out, '{');
        for (size_t i = 0; i < n_bytes; i++)
            np_str_add(&out, words[bytes[i] % NP_COUNT(words)]);
    }
    np_str_add(&out, "}\n"); /* a file that ends otherwise is taken for one that is being written */
    return np_str_take(&out);
}

static void put(const char *text)
{
    if (!output[0])
        snprintf(output, sizeof(output), "%s/np-fuzz-folder-%d",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    NP_AUTO(np_freep) char *logs = np_path_join(output, "logs");
    NP_AUTO(np_freep) char *path = np_path_join(logs, "folder.json");
    if (np_directory_make(logs, NULL) < 0 || np_file_replace(path, text, strlen(text), NULL) < 0)
        abort();
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : !a && !b;
}

static void check_again(const struct np_folder *folder)
{
    NP_AUTO(np_folder_done) struct np_folder again = {0};

    if (np_folder_replace(output, folder, NULL) < 0 || np_folder_recall(output, &again, NULL) != 0)
        abort();
    if (again.n_makings != folder->n_makings || again.has_source != folder->has_source ||
        !same_text(again.source_name, folder->source_name) ||
        !same_text(again.source_doi, folder->source_doi))
        abort();
    for (size_t i = 0; i < folder->n_makings; i++)
        if (!np_making_same(&folder->making[i], &again.making[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_folder_done) struct np_folder folder = {0};
    struct np_error err = {0};

    if (n_bytes == 0)
        return 0;
    NP_AUTO(np_freep) char *text = make_text(bytes, n_bytes);
    put(text);
    if (np_folder_recall(output, &folder, &err) < 0) {
        if (folder.n_makings || !strstr(err.text, "folder.json"))
            abort();
        return 0;
    }
    for (size_t i = 0; i < folder.n_makings; i++) {
        NP_AUTO(np_freep) char *said = np_making_words(&folder.making[i]);
        NP_AUTO(np_freep)
        char *difference = np_making_difference(&folder.making[i], &folder.making[0]);
        if (!said[0] || (i == 0 && difference[0]) ||
            np_folder_judge(&folder, &folder.making[i], false, false) != NP_FOLDER_AGREES)
            abort();
    }
    check_again(&folder);
    return 0;
}
