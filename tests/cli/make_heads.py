"""Make heads of other kinds from a good one, each packed and plain: DIR/KIND/packed and DIR/KIND/plain are datasets of one T1w image.

usage: make_heads.py GOOD.nii.gz DIR

The kinds differ in what the air around the head is and in how voxels are stored, because these decide how well outputs pack.
"""

import pathlib
import sys

import nibabel
import numpy

HEAD_LEVEL = 120  # of the good image: above its air
FAINT_AIR = 4  # below a hundredth of the bright end

noise = numpy.random.default_rng(1)


def noisy(voxels):
    return voxels.astype(numpy.int16)


def faint(voxels):
    air = noise.rayleigh(FAINT_AIR, voxels.shape)
    return numpy.where(voxels > HEAD_LEVEL, voxels, air).astype(numpy.int16)


def defaced(voxels):
    """No air, no face."""
    cut = numpy.where(voxels > HEAD_LEVEL, voxels, 0).astype(numpy.int16)
    cut[:, cut.shape[1] * 2 // 3 :, : cut.shape[2] // 3] = 0
    return cut


def floats(voxels):
    return (voxels * numpy.float32(1.234567) + noise.random(voxels.shape, numpy.float32)).astype(numpy.float32)


def scaled(voxels):
    """Whole numbers by a factor, no air, as a converter to float stores them."""
    return (numpy.where(voxels > HEAD_LEVEL, voxels, 0) * numpy.float32(0.00123)).astype(numpy.float32)


def write(folder, ending, voxels, affine):
    anat = folder / "sub-01" / "anat"
    anat.mkdir(parents=True)
    (folder / "dataset_description.json").write_text('{"Name": "One head", "BIDSVersion": "1.11.1"}')
    image = nibabel.Nifti1Image(voxels, affine)
    image.set_data_dtype(voxels.dtype)
    nibabel.save(image, anat / f"sub-01_T1w{ending}")


good, target = sys.argv[1], pathlib.Path(sys.argv[2])
source = nibabel.load(good)
grey = numpy.asarray(source.dataobj).astype(numpy.float32)
for kind in (noisy, faint, defaced, floats, scaled):
    made = kind(grey)
    write(target / kind.__name__ / "packed", ".nii.gz", made, source.affine)
    write(target / kind.__name__ / "plain", ".nii", made, source.affine)
