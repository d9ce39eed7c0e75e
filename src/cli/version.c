#include "cli/version.h"

#include "config/config_file.h"

#ifndef NP_VERSION
#define NP_VERSION "0.0.0"
#endif
#ifndef NP_COMMIT
#define NP_COMMIT "unknown"
#endif
#ifndef NP_BUILD_FLAGS
#define NP_BUILD_FLAGS "unknown"
#endif

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "GCC " __VERSION__
#endif

const char *np_cli_version(void)
{
    return NP_VERSION;
}

const char *np_cli_commit(void)
{
    return NP_COMMIT;
}

void np_cli_print_version(FILE *out, const struct np_strings *libraries)
{
    fprintf(out, "neuro-preprocess %s\n", np_cli_version());
    fprintf(out, "compiler:  %s\n", COMPILER);
    fprintf(out, "flags:     %s\n", NP_BUILD_FLAGS);
    fprintf(out, "libraries: jansson %s", np_config_json_version());
    for (size_t i = 0; libraries && i < libraries->n; i++)
        fprintf(out, ", %s", libraries->item[i]);
    fprintf(out, "\ncommit:    %s\n", np_cli_commit());
}
