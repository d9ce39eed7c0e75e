"""What the benchmarks share: runs of the program with their cost, overlap and distance of masks, simulated bias fields."""

import collections
import json
import math
import os
import pathlib
import subprocess
import time

import nibabel
import numpy
import scipy.ndimage

Run = collections.namedtuple("Run", "wall_s cpu_s peak_mib stages images status")


def cost(command, **keywords):
    """Run a command; its wall seconds, processor seconds, peak MiB (the largest process of it) and exit status."""
    start = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], **keywords)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    return wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode


def process(program, image, out, threads, *options, check=True):
    """One run of `neuro-preprocess process`; stage seconds from its own record, images by what they are. `out` may hold results of other methods."""
    command = [program, "process", image, "-o", out, "--omp-nthreads", threads, "--rerun", "all", "--allow-mixed", "--quiet", *options]
    wall_s, cpu_s, peak_mib, status = cost(command, stderr=None if check else subprocess.DEVNULL)
    if check and status:
        raise SystemExit(f"bench: {' '.join(map(str, command))} ended with {status}")
    stem = pathlib.Path(image).name.removesuffix(".gz").removesuffix(".nii")
    with open(pathlib.Path(out, "logs", f"{stem}_status.json")) as file:
        record = json.load(file)["files"][0]
    stages = {stage["name"]: stage.get("wall_s", 0.0) for stage in record["stages"]}
    made = sorted(pathlib.Path(out).glob(f"{stem}_*.nii.gz"))
    images = {what: next((p for p in made if what in p.name), None) for what in ("preproc", "norm", "brain_mask", "biasfield")}
    return Run(wall_s, cpu_s, peak_mib, stages, images, status)


def voxels(path, kind=numpy.float32):
    return numpy.asarray(nibabel.load(path).dataobj).astype(kind)


def save(path, array, like):
    image = nibabel.Nifti1Image(array, like.affine)
    image.header.set_zooms(like.header.get_zooms()[:3])
    nibabel.save(image, path)


# --- masks -----------------------------------------------------------------------------------------------------------


def dice(a, b):
    both = a.sum() + b.sum()
    return 2 * (a & b).sum() / both if both else 1.0


def hd95_mm(a, b, spacing_mm):
    """95 % quantile of the distances between the masks' borders, the larger direction; infinite when one is empty."""
    if not a.any() or not b.any():
        return math.inf
    boxes = scipy.ndimage.find_objects((a | b).astype(numpy.uint8))[0]
    box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in boxes)
    a, b = a[box], b[box]
    border = [m & ~scipy.ndimage.binary_erosion(m) for m in (a, b)]
    far = [scipy.ndimage.distance_transform_edt(~m, spacing_mm) for m in border]
    return max(numpy.percentile(far[1][border[0]], 95), numpy.percentile(far[0][border[1]], 95))


# --- simulated fields ------------------------------------------------------------------------------------------------


def head_coordinates(brain, spacing_mm):
    """Coordinates that are -1 to 1 over the brain's bounding box and level off beyond it, so that a cubic stays bounded in the neck."""
    coordinates = []
    for axis in range(3):
        where = numpy.flatnonzero(brain.any(axis=tuple(a for a in range(3) if a != axis)))
        middle, half = (where[0] + where[-1]) / 2, (where[-1] - where[0]) / 2
        x = (numpy.arange(brain.shape[axis]) - middle) / half
        beyond = numpy.abs(x) - 1
        x = numpy.where(beyond > 0, numpy.sign(x) * (1 + 0.5 * numpy.tanh(beyond / 0.5)), x)
        shape = [1, 1, 1]
        shape[axis] = -1
        coordinates.append(x.reshape(shape).astype(numpy.float32))
    return coordinates


def raw_polynomial(brain, spacing_mm, random):
    x, y, z = head_coordinates(brain, spacing_mm)
    powers = [(i, j, k) for i in range(4) for j in range(4 - i) for k in range(4 - i - j) if i + j + k]
    return sum(c * x**i * y**j * z**k for c, (i, j, k) in zip(random.uniform(-1, 1, len(powers)), powers))


def raw_coils(brain, spacing_mm, random):
    """Three Gaussian sensitivities around the head, 90 to 130 mm from the brain's middle, sd 80 to 110 mm."""
    middle = scipy.ndimage.center_of_mass(brain)
    axes = [((numpy.arange(n) - c) * s).astype(numpy.float32) for n, c, s in zip(brain.shape, middle, spacing_mm)]
    total = 0
    for _ in range(3):
        way = random.normal(size=3)
        place = way / numpy.linalg.norm(way) * random.uniform(90, 130)
        sd = random.uniform(80, 110)
        x, y, z = (numpy.exp(-((axis - p) ** 2) / (2 * sd * sd)) for axis, p in zip(axes, place))
        total = total + x[:, None, None] * y[None, :, None] * z[None, None, :]
    return numpy.log(total + 0.05)


FIELDS = {"polynomial": raw_polynomial, "coils": raw_coils}


def log_field(kind, percent, seed, brain, spacing_mm):
    """Log field with mean 0 over the brain whose largest and smallest value there are as 1 + p/2 to 1 - p/2."""
    field = FIELDS[kind](brain, spacing_mm, numpy.random.default_rng(seed))
    inside = field[brain]
    field = field * (math.log((1 + percent / 200) / (1 - percent / 200)) / (inside.max() - inside.min()))
    return (field - field[brain].mean()).astype(numpy.float32)


def rician(image, sd, seed):
    random = numpy.random.default_rng(seed)
    real = image + sd * random.standard_normal(image.shape, dtype=numpy.float32)
    return numpy.hypot(real, sd * random.standard_normal(image.shape, dtype=numpy.float32))


def white_level(image, brain):
    """A level near white matter's in T1w: the 80 % quantile of the brain."""
    return float(numpy.percentile(image[brain], 80))


def residual_sd(estimate, truth, brain):
    return float((estimate - truth)[brain].std())
