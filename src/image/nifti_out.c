#include "image/nifti_out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "voxels are written as they lie");

int np_nifti_out_open(const char *path, const char *fd_path, const struct np_nifti_form *form,
                      const struct np_nifti_output *how, const struct np_exec *exec,
                      struct np_nifti_out *out, struct np_error *err)
{
    uint8_t header[NP_NIFTI2_OFFSET];
    struct np_bytes head = {header, np_nifti_compose(form, how, header)};
    enum np_packing packing = np_ends_with(path, ".gz") ? NP_PACKING_GZIP : NP_PACKING_PLAIN;

    out->path = np_xstrdup(path);
    out->fd = open(fd_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out->fd < 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot create", path);
    out->is_open = true;
    return np_packer_open(out->fd, path, packing, &head, exec, &out->packer, err);
}

static int sync_and_close(struct np_nifti_out *out, struct np_error *err)
{
    int synced = fsync(out->fd) == 0 || errno == EINVAL ? 0 : errno;
    int closed = close(out->fd) == 0 ? 0 : errno;

    out->is_open = false;
    if (synced || closed)
        return np_error_errno(err, synced ? synced : closed, NP_EIO, "'%s': cannot write",
                              out->path);
    return 0;
}

int np_nifti_out_finish(struct np_nifti_out *out, const struct np_bytes *last,
                        struct np_nifti_written *written, struct np_error *err)
{
    struct np_packed packed;

    NP_TRY(np_packer_finish(out->packer, last, &packed, err));
    NP_TRY(sync_and_close(out, err));
    written->n_bytes = packed.n_bytes;
    memcpy(written->sha256, packed.sha256, sizeof(written->sha256));
    memcpy(written->voxel_sha256, packed.body_sha256, sizeof(written->voxel_sha256));
    return 0;
}

void np_nifti_out_done(struct np_nifti_out *out)
{
    np_packer_freep(&out->packer);
    if (out->is_open)
        close(out->fd);
    out->is_open = false;
    np_freep(&out->path);
}
