/* Any bytes as sidecars at two levels (the first NUL byte parts them): always an object, and one
 * warning for each that is broken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "bids/sidecar.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static char root[64];

static char *in_root(const char *relative)
{
    return np_path_join(root, relative);
}

static void remove_root(void)
{
    static const char *const made[] = {"T1w.json", "sub-01/sub-01_T1w.json", "sub-01", ""};

    for (size_t i = 0; i < NP_COUNT(made); i++) {
        NP_AUTO(np_freep) char *path = in_root(made[i]);
        remove(path);
    }
}

static void make_root(void)
{
    snprintf(root, sizeof(root), "/tmp/np-fuzz-sidecar-XXXXXX");
    if (!mkdtemp(root))
        abort();
    atexit(remove_root);
    NP_AUTO(np_freep) char *folder = in_root("sub-01");
    if (mkdir(folder, 0777) != 0)
        abort();
}

static void write_file(const char *relative, const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_freep) char *path = in_root(relative);
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(bytes, 1, n_bytes, file) != n_bytes || fclose(file) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_strings_done) struct np_strings used = {0}, warnings = {0};
    char relative[] = "sub-01/sub-01_T1w.nii.gz";
    struct np_scan scan = {.relative = relative};
    const uint8_t *cut = n_bytes ? memchr(bytes, 0, n_bytes) : NULL;
    size_t n_first = cut ? (size_t)(cut - bytes) : n_bytes;

    if (!root[0])
        make_root();
    if (!np_bids_name_parse("sub-01_T1w.nii.gz", &scan.name))
        abort();
    write_file("T1w.json", bytes, n_first);
    write_file("sub-01/sub-01_T1w.json", cut ? cut + 1 : bytes, cut ? n_bytes - n_first - 1 : 0);
    json_t *metadata = np_sidecar_read(root, &scan, &used, &warnings);
    if (!json_is_object(metadata) || used.n + warnings.n != 2)
        abort();
    json_decref(metadata);
    np_bids_name_done(&scan.name);
    return 0;
}
