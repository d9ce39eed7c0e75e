/*
 * Read a series of volumes and write it again, volume by volume:
 *   series IN OUT THREADS
 * Each volume becomes floats and is stored as what it was. OUT is int16 or uint8 as IN is, else
 * float32. Prints the peak of its memory in KiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "image/series.h"
#include "image/series_writer.h"

static struct np_series_output output_like(const struct np_nifti_info *info)
{
    struct np_series_output how = {
        .grid = &info->grid, .datatype = NP_SERIES_FLOAT32, .scl_slope = 1, .header.like = info};

    if (info->datatype == NP_SERIES_INT16 || info->datatype == NP_SERIES_UINT8) {
        how.datatype = (enum np_series_datatype)info->datatype;
        how.scl_slope = info->scl_slope;
        how.scl_inter = info->scl_inter;
    }
    return how;
}

static int copy(char **word, struct np_error *err)
{
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(atoi(word[2]));
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    struct np_exec exec = {team, NULL};
    struct np_series_written written;
    char sha256[65];
    int64_t n_extra;

    NP_TRY(np_series_open(word[0], &exec, &series, err));
    const struct np_nifti_info *info = np_series_info(series);
    const struct np_series_output how = output_like(info);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&info->grid);
    if (!image)
        return np_error_set(err, NP_ENOMEM, "no memory for %zu MiB", np_grid_mib(&info->grid));
    NP_TRY(np_series_writer_open(word[1], word[1], &how, &exec, &writer, err));
    for (int64_t volume = 0; volume < info->grid.n[3]; volume++) {
        NP_TRY(np_series_read(series, volume, image, NULL, err));
        NP_TRY(np_series_writer_append(writer, image, err));
    }
    NP_TRY(np_series_finish(series, &n_extra, sha256, err));
    return np_series_writer_finish(writer, &written, err);
}

/* Of this program alone: what wait4 says includes the process that started it. */
static long long peak_kib(void)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    long long kib = -1;

    if (np_file_read("/proc/self/status", 1 << 16, &text, NULL) < 0)
        abort();
    const char *line = strstr(np_str_text(&text), "VmHWM:");
    return line && sscanf(line, "VmHWM: %lld", &kib) == 1 ? kib : -1;
}

int main(int argc, char **argv)
{
    struct np_error err = {0};

    if (argc != 4) {
        fputs("usage: series IN OUT THREADS\n", stderr);
        return 64;
    }
    if (copy(argv + 1, &err) != 0) {
        fprintf(stderr, "series: %s\n", err.text);
        return 1;
    }
    printf("%lld\n", peak_kib());
    return 0;
}
