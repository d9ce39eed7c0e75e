/*
 * The configuration file's reader and the command line. The first byte chooses; of a command line,
 * words are separated by zero bytes. What is read must be readable again once printed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/parse.h"
#include "config/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_WORDS = 32 };

/* A setting may only be refused with a sentence. */
static void check_refusal(int code, const struct np_error *err)
{
    if (code < 0 && (err->code != code || !err->text[0]))
        abort();
}

static void check_printed(const struct np_config *config)
{
    struct np_config again;
    struct np_error err = {0};
    NP_AUTO(np_freep) char *text = np_config_json(config);

    np_config_init(&again);
    if (np_config_read_text(text, strlen(text), "printed", &again, &err) < 0)
        abort();
    np_config_done(&again);
}

static void fuzz_file(const uint8_t *data, size_t size)
{
    struct np_config config;
    struct np_error err = {0};

    np_config_init(&config);
    int code = np_config_read_text((const char *)data, size, "fuzz.json", &config, &err);
    check_refusal(code, &err);
    if (code == 0)
        check_printed(&config);
    np_config_done(&config);
}

static void fuzz_words(const uint8_t *data, size_t size)
{
    char program[] = "neuro-preprocess";
    char *argv[MOST_WORDS + 2] = {program};
    int argc = 1;
    NP_AUTO(np_freep) char *words = np_xmalloc(size + 1);
    struct np_config config;
    struct np_strings notices = {0};
    struct np_error err = {0};

    memcpy(words, data, size);
    words[size] = '\0';
    for (size_t at = 0; at < size && argc <= MOST_WORDS; at += strlen(words + at) + 1) {
        /* Nothing is read from the machine that fuzzes. */
        if (strstr(words + at, "config") == NULL)
            argv[argc++] = words + at;
    }
    np_config_init(&config);
    check_refusal(np_cli_parse(argc, argv, &config, &notices, &err), &err);
    np_config_done(&config);
    np_strings_done(&notices);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        fuzz_words(data + 1, size - 1);
    else
        fuzz_file(data + 1, size - 1);
    return 0;
}
