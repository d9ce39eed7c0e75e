"""Make images of lower quality, and others that are the same, from a good one: DIR/NAME_T1w.nii.gz.

usage: make_quality.py GOOD.nii.gz DIR

NAME is KIND-STEP for what lowers the quality (step 1 less than step 2), and same-HOW for what must not change it.
"""

import pathlib
import sys

import nibabel
import numpy

WHITE = 1000  # about the level of white matter
random = numpy.random.default_rng(7)


def noise(voxels, step):
    sigma = 0.04 * WHITE * step
    return numpy.hypot(voxels + random.normal(0, sigma, voxels.shape), random.normal(0, sigma, voxels.shape))


def blur(voxels, step):
    for axis in range(3):
        for _ in range(step):
            voxels = (numpy.roll(voxels, 1, axis) + 2 * voxels + numpy.roll(voxels, -1, axis)) / 4
    return voxels


def ghost(voxels, step):
    return voxels + 0.08 * step * numpy.roll(voxels, voxels.shape[1] // 2, axis=1)


def bias(voxels, step):
    y = numpy.linspace(-1, 1, voxels.shape[1])[None, :, None]
    return voxels * (1 + 0.25 * step * y)


def motion(voxels, step):
    """A quarter of the phase-encoding lines, scattered, was measured after the head had moved."""
    still, moved = numpy.fft.fft(voxels, axis=1), numpy.fft.fft(numpy.roll(voxels, step, axis=0), axis=1)
    lines = numpy.arange(voxels.shape[1]) % 4 == 1
    still[:, lines] = moved[:, lines]
    return numpy.abs(numpy.fft.ifft(still, axis=1))


def flipped(voxels, affine):
    turn = numpy.diag([-1.0, -1, -1, 1])
    turn[:3, 3] = [n - 1 for n in voxels.shape]
    return voxels[::-1, ::-1, ::-1], affine @ turn


def turned(voxels, affine):
    return voxels.transpose(2, 0, 1), affine[:, [2, 0, 1, 3]]


def padded(voxels, affine):
    shift = numpy.eye(4)
    shift[:3, 3] = -6
    return numpy.pad(voxels, 6), affine @ shift


SAME = {
    "itself": lambda voxels, affine: (voxels, affine),
    "flipped": flipped,
    "turned": turned,
    "padded": padded,
    "scaled": lambda voxels, affine: (37 * voxels, affine),
    "int16": lambda voxels, affine: (numpy.rint(8 * voxels).astype(numpy.int16), affine),
}


def save(voxels, affine, path):
    voxels = numpy.ascontiguousarray(voxels)
    image = nibabel.Nifti1Image(voxels if voxels.dtype == numpy.int16 else voxels.astype(numpy.float32), affine)
    nibabel.save(image, path)


def main():
    good = nibabel.load(sys.argv[1])
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    voxels = numpy.asarray(good.dataobj).astype(numpy.float64)
    voxels *= WHITE / numpy.percentile(voxels, 97)
    for kind in (noise, blur, ghost, bias, motion):
        for step in (1, 2):
            save(kind(voxels, step), good.affine, folder / f"{kind.__name__}-{step}_T1w.nii.gz")
    for name, change in SAME.items():
        save(*change(voxels, good.affine), folder / f"same-{name}_T1w.nii.gz")


if __name__ == "__main__":
    main()
