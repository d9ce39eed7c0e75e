"""Colin 27, a real whole head that anybody can have: from Debian's package mricron-data, unpacked, not installed.

Twenty-seven scans of one man, averaged (Holmes et al. 1998, doi:10.1097/00004728-199803000-00032), 1 mm; the reference is the support of
the package's own extracted brain, holes filled, which runs along the cortex and leaves out most fluid. Made at 1.5 and 2 mm too.
Nothing of ours was chosen by it.
"""

import pathlib
import subprocess
import sys

import nibabel
import numpy
import scipy.ndimage

PACKAGE, TEMPLATES = "mricron-data", "usr/share/mricron/templates"
SPACINGS_MM = (1.0, 1.5, 2.0)


def unpack(work):
    """The folder of the templates, or None."""
    root = work / "mricron"
    if not (root / TEMPLATES).is_dir():
        root.mkdir(parents=True, exist_ok=True)
        quiet = {"cwd": root, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            subprocess.run(["apt-get", "download", PACKAGE], check=True, **quiet)
            for package in root.glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", package.name, "."], check=True, **quiet)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"bench: no {PACKAGE} here: {error}", file=sys.stderr)
            return None
    return root / TEMPLATES


def resampled(values, spacing_mm):
    """Linear, after a Gaussian of a third of the new voxels (sd)."""
    if spacing_mm == 1:
        return values
    shape = [int(n / spacing_mm) for n in values.shape]
    smooth = scipy.ndimage.gaussian_filter(values, 0.35 * spacing_mm)
    return scipy.ndimage.affine_transform(smooth, numpy.eye(3) * spacing_mm, output_shape=shape, order=1)


def save(values, affine, spacing_mm, path):
    scaled = affine.copy()
    scaled[:3, :3] *= spacing_mm
    nibabel.save(nibabel.Nifti1Image(values, scaled), path)


def heads(work):
    """A folder of NAME_T1w.nii.gz and NAME_brainmask.nii.gz, or None."""
    templates = unpack(work)
    if not templates:
        return None
    folder = pathlib.Path(work, "colin")
    folder.mkdir(exist_ok=True)
    head, brain = (nibabel.load(templates / f"{name}.nii.gz") for name in ("ch2", "ch2bet"))
    values = numpy.asarray(head.dataobj, numpy.float32)
    mask = scipy.ndimage.binary_fill_holes(numpy.asarray(brain.dataobj) > 0).astype(numpy.float32)
    for spacing_mm in SPACINGS_MM:
        name = f"colin27_{spacing_mm:g}mm"
        save((4 * resampled(values, spacing_mm)).astype(numpy.int16), head.affine, spacing_mm, folder / f"{name}_T1w.nii.gz")
        inside = resampled(mask, spacing_mm) >= 0.5
        save(inside.astype(numpy.uint8), head.affine, spacing_mm, folder / f"{name}_brainmask.nii.gz")
    return folder
