"""Make a BIDS dataset with one bad image a participant, and some that are odd but good.

usage: make_bad.py GOOD.nii.gz BIDS_DIR

Each case is a function from the good image's bytes (uncompressed NIfTI-1, little-endian) to the bytes of a file; its name is the
participant's label. What the program has to say to each stands in bad_input.bats.
"""

import gzip
import json
import pathlib
import struct
import sys

import numpy

# Offsets in the NIfTI-1 header (nifti1.h)
DIM, DATATYPE, BITPIX, VOX_OFFSET, SCL_SLOPE, QFORM_CODE, SFORM_CODE, SROW_X, MAGIC = 40, 70, 72, 108, 112, 252, 254, 280, 344
HEADER_BYTES = 352
FLOAT32, FLOAT64 = 16, 64


def patched(good, offset, form, *values):
    changed = bytearray(good)
    struct.pack_into("<" + form, changed, offset, *values)
    return bytes(changed)


def shape_of(good):
    return struct.unpack_from("<3h", good, DIM + 2)


def with_voxels(good, voxels):
    """The good header in front of other voxels, as float32."""
    header = patched(good[:HEADER_BYTES], DATATYPE, "hh", FLOAT32, 32)
    header = patched(header, VOX_OFFSET, "f", HEADER_BYTES)
    header = patched(header, SCL_SLOPE, "ff", 1, 0)
    return header + voxels.astype("<f4").tobytes(order="F")


def voxels_of(good):
    import nibabel

    return numpy.array(nibabel.Nifti1Image.from_bytes(good).get_fdata())


def some_nonfinite(good, fraction):
    voxels = voxels_of(good)
    flat = voxels.reshape(-1, order="F")
    chosen = numpy.random.default_rng(1).choice(flat.size, int(fraction * flat.size), replace=False)
    flat[chosen[::2]] = numpy.nan
    flat[chosen[1::2]] = numpy.inf
    return with_voxels(good, flat.reshape(voxels.shape, order="F"))


def some_too_large(good, fraction):
    """float64 voxels, some of them beyond the range of float32."""
    voxels = voxels_of(good)
    flat = voxels.reshape(-1, order="F")
    flat[numpy.random.default_rng(1).choice(flat.size, int(fraction * flat.size), replace=False)] = 1e300
    header = patched(with_voxels(good, voxels[:0])[:HEADER_BYTES], DATATYPE, "hh", FLOAT64, 64)
    return header + flat.astype("<f8").tobytes()


def with_sform(good, change, code=1):
    """The good image, whose qform stays, with another sform: change(row, column, value)."""
    rows = numpy.array(struct.unpack_from("<12f", good, SROW_X)).reshape(3, 4)
    changed = [[change(i, j, rows[i, j]) for j in range(4)] for i in range(3)]
    return patched(patched(good, SFORM_CODE, "h", code), SROW_X, "12f", *numpy.ravel(changed))


def zipped(make):
    return lambda good: gzip.compress(make(good), 1, mtime=0)


def bit_flipped(good):
    packed = bytearray(gzip.compress(good, 6, mtime=0))
    packed[len(packed) // 2] ^= 0x10
    return bytes(packed)


def datatype(code, bits):
    def make(good):
        n_voxels = int(numpy.prod(shape_of(good)))
        header = patched(good[:HEADER_BYTES], DATATYPE, "hh", code, bits)
        return header + bytes(n_voxels * bits // 8)

    return zipped(make)


CASES = {
    # not a whole NIfTI file
    "truncated": lambda good: gzip.compress(good, 6, mtime=0)[: len(gzip.compress(good, 6, mtime=0)) // 2],
    "bitflip": bit_flipped,
    "empty": lambda good: b"",
    "headeronly": zipped(lambda good: good[:HEADER_BYTES]),
    "halfheader": zipped(lambda good: good[:200]),
    "shortdata": zipped(lambda good: good[: len(good) // 2]),
    "random": lambda good: numpy.random.default_rng(1).bytes(100_000),
    "html": lambda good: b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
    "dicom": lambda good: bytes(128) + b"DICM" + bytes(2000),
    "gziphtml": zipped(lambda good: b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>\n" * 20),
    "magic": zipped(lambda good: patched(good, MAGIC, "4s", b"nope")),
    # header
    "dimnegative": zipped(lambda good: patched(good, DIM + 2, "h", -64)),
    "dimzero": zipped(lambda good: patched(good, DIM + 4, "h", 0)),
    "ndim": zipped(lambda good: patched(good, DIM, "h", 77)),
    "dimoverflow": zipped(lambda good: patched(good, DIM, "8h", 7, *[32767] * 7)),
    "dimclaim": zipped(lambda good: patched(good, DIM, "4h", 3, 30000, 30000, 30000)),
    "datatype": zipped(lambda good: patched(good, DATATYPE, "hh", 9999, 16)),
    "complex": datatype(32, 64),
    "rgb": datatype(128, 24),
    "interinf": zipped(lambda good: patched(good, SCL_SLOPE, "ff", 1, float("inf"))),
    "offset": zipped(lambda good: patched(good, VOX_OFFSET, "f", 1e9)),
    # geometry
    "series": zipped(lambda good: patched(good, DIM, "5h", 4, *shape_of(good), 2) + good[HEADER_BYTES:]),
    "flat": zipped(lambda good: patched(good, DIM, "4h", 2, shape_of(good)[0], shape_of(good)[1], 1)),
    "noform": zipped(lambda good: patched(good, QFORM_CODE, "hh", 0, 0)),
    "singular": zipped(lambda good: patched(patched(good, SFORM_CODE, "h", 1), SROW_X, "12f", *[1, 2, 3, 0] * 3)),
    "nanform": zipped(lambda good: patched(patched(good, SFORM_CODE, "h", 1), SROW_X, "f", float("nan"))),
    # values
    "nonfinite": zipped(lambda good: some_nonfinite(good, 0.10)),
    "toolarge": zipped(lambda good: some_too_large(good, 0.10)),
    "zeros": zipped(lambda good: with_voxels(good, numpy.zeros(shape_of(good)))),
    "constant": zipped(lambda good: with_voxels(good, numpy.full(shape_of(good), 7.0))),
    # odd, but good
    "good": zipped(lambda good: good),
    "fewnan": zipped(lambda good: some_nonfinite(good, 0.001)),
    "fewlarge": zipped(lambda good: some_too_large(good, 0.001)),
    "slopenan": zipped(lambda good: patched(good, SCL_SLOPE, "f", float("nan"))),
    "slopeinf": zipped(lambda good: patched(good, SCL_SLOPE, "f", float("-inf"))),
    "mirrored": zipped(lambda good: with_sform(good, lambda i, j, value: -value if i == 0 else value)),
    "apart": zipped(lambda good: with_sform(good, lambda i, j, value: value + 30 * (i == 1 and j == 3))),
    "scaled": zipped(lambda good: with_sform(good, lambda i, j, value: 0.9 * value)),
    "code": zipped(lambda good: with_sform(good, lambda i, j, value: value, code=77)),
    "brokenjson": zipped(lambda good: good),
}


def main():
    good_path, root = sys.argv[1], pathlib.Path(sys.argv[2])
    with gzip.open(good_path) as file:
        good = file.read()
    root.mkdir(parents=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "Bad images", "BIDSVersion": "1.11.1"}))
    (root / "README").write_text("One bad image a participant.\n")

    def image(label):
        path = root / f"sub-{label}" / "anat" / f"sub-{label}_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        return path

    for label, make in CASES.items():
        image(label).write_bytes(make(good))
    # a file whose content was never fetched: a link into an object store that is not there
    image("annex").symlink_to("../../.git/annex/objects/Xx/Yy/MD5E-s9--0123456789abcdef.nii.gz/MD5E-s9--0123456789abcdef.nii.gz")
    (root / "sub-brokenjson/anat/sub-brokenjson_T1w.json").write_text('{"EchoTime": 0.00')


main()
