/*
 * Any bytes as the files of logs/plans: read or named as unreadable; every label that comes out is
 * one, and each session is marked as the list says. The first byte chooses the kind of file; bytes
 * that do not begin with '{' after it choose among the words of a plan, so that its reader is
 * reached and not the JSON parser alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "bids/labels.h"
#include "record/plans.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static char output[64];

static const char *const endings[] = {"", "_withdrawn", "_restored", "_gone", "_found"};

static const char *const words[] = {"\"schema\":1,",
                                    "\"schema\":2,",
                                    "\"sequence\":",
                                    "3,",
                                    "-1,",
                                    "\"sessions\":{",
                                    "\"01\":[",
                                    "\"../../etc\":[",
                                    "null,",
                                    "\"1\",",
                                    "\"a/b\",",
                                    "],",
                                    "}",
                                    "\"02\":",
                                    "{",
                                    "\"files\":[\"a\",",
                                    "\"../x\"",
                                    "]",
                                    "7,",
                                    "\"\xef\x9e\x80\","};

static char *path_of(const char *ending)
{
    return np_xasprintf("%s/" NP_PLANS_FOLDER "/1_x%s.json", output, ending);
}

static void clean(void)
{
    for (size_t i = 0; i < NP_COUNT(endings); i++) {
        NP_AUTO(np_freep) char *path = path_of(endings[i]);
        unlink(path);
    }
}

static void prepare(void)
{
    if (output[0])
        return;
    snprintf(output, sizeof(output), "%s/np-fuzz-plans-%d",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    NP_AUTO(np_freep) char *folder = np_path_join(output, NP_PLANS_FOLDER);
    if (np_directory_make(folder, NULL) < 0)
        abort();
}

static char *make_text(const uint8_t *bytes, size_t n_bytes)
{
    struct np_str out = {0};

    if (n_bytes > 0 && bytes[0] == '{')
        return np_xstrndup((const char *)bytes, n_bytes);
    np_str_add_char(&out, '{');
    for (size_t i = 0; i < n_bytes; i++)
        np_str_add(&out, words[bytes[i] % NP_COUNT(words)]);
    np_str_add_char(&out, '}');
    return np_str_take(&out);
}

static void put(const char *ending, const char *text)
{
    NP_AUTO(np_freep) char *path = path_of(ending);
    FILE *file = fopen(path, "wb");

    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_asked_done) struct np_asked_list list = {0};
    const unsigned all = NP_MARK_WANTED | NP_MARK_WITHDRAWN | NP_MARK_GONE;

    if (n_bytes == 0)
        return 0;
    prepare();
    clean();
    NP_AUTO(np_freep) char *text = make_text(bytes + 1, n_bytes - 1);
    put(endings[bytes[0] % NP_COUNT(endings)], text);
    NP_AUTO(np_plans_freep) struct np_plans *plans = np_plans_read(output, NP_PLANS_ALL);
    np_plans_list(plans, all, &list);
    for (size_t i = 0; i < list.n; i++) {
        const struct np_asked *asked = &list.item[i];
        NP_AUTO(np_freep) char *name = np_asked_text(asked);
        if (!name[0] || !(np_plans_marks(plans, asked) & all) ||
            (!asked->file && !np_label_is_valid(asked->participant)) ||
            (asked->session && !np_label_is_valid(asked->session)))
            abort();
    }
    if (np_plans_n(plans) + np_plans_unreadable(plans)->n > 1)
        abort();
    return 0;
}
