/* Any bytes as a configuration file: taken or refused; what was taken prints as a file that is
 * taken and prints the same. */
#include <stdlib.h>
#include <string.h>

#include "config/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct np_error err = {0};
    struct np_config config, again;

    np_config_init(&config);
    np_config_init(&again);
    if (np_config_read_text((const char *)bytes, n_bytes, "fuzzed", &config, &err) < 0) {
        if (!err.text[0])
            abort();
    } else {
        NP_AUTO(np_freep) char *once = np_config_json(&config);
        if (np_config_read_text(once, strlen(once), "again", &again, &err) < 0)
            abort();
        NP_AUTO(np_freep) char *twice = np_config_json(&again);
        if (strcmp(once, twice) != 0)
            abort();
    }
    np_config_done(&config);
    np_config_done(&again);
    return 0;
}
