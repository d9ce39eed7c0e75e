"""A series of 500 volumes read and written again, volume by volume, beside nibabel: seconds, memory, and that the voxels are the same."""

import collections
import pathlib
import sys
import tempfile

import measure
import nibabel
import numpy

SHAPE = (64, 64, 35, 500)
MIB = 2**20

Cost = collections.namedtuple("Cost", "wall_s cpu_s peak_mib")
Measured = collections.namedtuple("Measured", "ours ours_one nibabel same volume_mib threads")

# As it is usually done: the whole series as floats, written with the scaling that it had.
BY_NIBABEL = """
import sys, nibabel, numpy
series = nibabel.load(sys.argv[1])
again = nibabel.Nifti1Image(series.get_fdata(dtype=numpy.float32), series.affine, series.header)
again.header.set_slope_inter(series.dataobj.slope, series.dataobj.inter)
nibabel.save(again, sys.argv[2])
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def make(path):
    """Smooth anatomy with a tenth of noise, as int16 with a slope; the same in each run."""
    random = numpy.random.default_rng(7)
    axes = numpy.meshgrid(*(numpy.linspace(-1, 1, n) for n in SHAPE[:3]), indexing="ij")
    anatomy = 1000 * numpy.exp(-3 * sum(axis**2 for axis in axes))
    stored = numpy.empty(SHAPE, numpy.int16, order="F")
    for volume in range(SHAPE[3]):
        stored[..., volume] = anatomy + random.normal(0, 100, SHAPE[:3]) * (anatomy > 100)
    image = nibabel.Nifti1Image(stored, numpy.diag([-3, 3, 3.5, 1]))
    image.header.set_slope_inter(0.5, 2)
    image.header.set_zooms((3, 3, 3.5, 2))
    nibabel.save(image, path)


def cost(command):
    """The command prints the peak of its memory in KiB: what wait4 says includes this process."""
    with tempfile.TemporaryFile() as said:
        wall_s, cpu_s, _, status = measure.cost(command, stdout=said)
        said.seek(0)
        if status:
            raise SystemExit(f"bench: {' '.join(map(str, command))} ended with {status}")
        return Cost(wall_s, cpu_s, int(said.read()) / 1024)


def cheapest(repeat, command):
    costs = [cost(command) for _ in range(repeat)]
    return Cost(min(c.wall_s for c in costs), min(c.cpu_s for c in costs), max(c.peak_mib for c in costs))


def measured(options, work):
    made, ours, theirs = (pathlib.Path(work, f"{name}.nii.gz") for name in ("made", "ours", "nibabel"))
    program = pathlib.Path(options.build, "release", "bench", "series")
    make(made)
    one = cheapest(options.repeat, [program, made, ours, 1])
    many = cheapest(options.repeat, [program, made, ours, options.threads])
    usual = cheapest(min(options.repeat, 2), [sys.executable, "-c", BY_NIBABEL, made, theirs])
    images = [nibabel.load(path).dataobj for path in (made, ours)]
    same = images[0].slope == images[1].slope and numpy.array_equal(*(image.get_unscaled() for image in images))
    return Measured(many, one, usual, same, 4 * numpy.prod(SHAPE[:3]) / MIB, options.threads)


def allowed_mib(found, threads):
    return 1.5 * found.volume_mib + 8 * threads + 32


def table(found):
    rows = [
        (f"ours, {found.threads} threads", found.ours, f"≤ {allowed_mib(found, found.threads):.0f} MiB"),
        ("ours, one thread", found.ours_one, f"≤ {allowed_mib(found, 1):.0f} MiB"),
        ("nibabel, whole", found.nibabel, ""),
    ]
    lines = ["| who | s | CPU s | peak MiB | wanted |", "|---|---|---|---|---|"]
    lines += [f"| {who} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} | {cost.peak_mib:.0f} | {wanted} |" for who, cost, wanted in rows]
    lines += ["", f"Voxels and scaling are {'the same' if found.same else '**not the same**'}, read by nibabel."]
    return "\n".join(lines)


def ratios(found):
    return {
        "a series read and written, CPU: nibabel / ours on one thread": found.nibabel.cpu_s / found.ours_one.cpu_s,
        "a series read and written, memory: nibabel / ours": found.nibabel.peak_mib / found.ours.peak_mib,
    }
