"""What `estimate` says beside what runs take: memory, disk, time, over heads of many shapes, options and threads.

Memory is the largest resident size of any stage, by the program's own records; disk as du counts it; time the processor time of all stages on
one thread. The numbers in src/pipeline/estimate.c are fitted to these tables: make them again after a stage holds more or less than before.
"""

import collections
import json
import pathlib
import shutil
import subprocess

import nibabel
import numpy

MIB = 2**20
# What is promised: at least what is taken, at most so many times that (memory: with the usual options).
MOST = {"memory": 1.3, "disk": 1.5}
SIZES_MM = (0.6, 0.8, 1, 1.5, 2, 3)
OPTIONS = (
    ["--save-bias-field"],
    ["--bias-correction", "none"],
    ["--normalize", "percentile"],
    ["--normalize", "none"],
    ["--level", "minimal"],
    ["--skull-strip", "skip"],
)

Row = collections.namedtuple("Row", "name voxels threads options memory disk seconds")


def demo_head(program, work, size_mm):
    folder = pathlib.Path(work, f"demo-{size_mm}")
    head = folder / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    if not head.exists():
        shutil.rmtree(folder, ignore_errors=True)
        words = [program, "demo-data", folder, "--participants", 1, "--sessions", 1, "--size", size_mm]
        subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
    return head


def variant(head, work, name, change):
    """The head with other voxels, `change(array, affine)`; the ending of `name` says how it is stored."""
    path = pathlib.Path(work, name)
    if not path.exists():
        image = nibabel.load(head)
        array, affine = change(numpy.asarray(image.dataobj).astype(numpy.float32), image.affine)
        made = nibabel.Nifti1Image(numpy.ascontiguousarray(array), affine)
        made.set_data_dtype(array.dtype)
        nibabel.save(made, path)
    return path


def mirrored(array, affine):
    turn = numpy.diag([-1.0, 1, 1, 1])
    turn[0, 3] = array.shape[0] - 1
    return array[::-1].astype(numpy.int16), affine @ turn


def thick(array, affine):
    return array[:, :, ::5].astype(numpy.int16), affine @ numpy.diag([1, 1, 5, 1])


def padded(array, affine):
    return numpy.pad(array, [(0, 256 - n) for n in array.shape]).astype(numpy.int16), affine


def without_air(array, affine):
    return numpy.where(array < numpy.percentile(array, 55), 0, array).astype(numpy.int16), affine


def heads(program, work, data):
    """[(name, path)], the 1 mm head first."""
    one = demo_head(program, work, 1)
    found = [("1 mm", one)]
    found += [(f"{mm} mm", demo_head(program, work, mm)) for mm in SIZES_MM if mm != 1]
    found += [
        ("1 mm, int16", variant(one, work, "int16_T1w.nii.gz", lambda a, t: (a.astype(numpy.int16), t))),
        ("1 mm, uint8, plain", variant(one, work, "uint8_T1w.nii", lambda a, t: ((a / a.max() * 255).astype(numpy.uint8), t))),
        ("1 mm, float64", variant(one, work, "float64_T1w.nii.gz", lambda a, t: (a.astype(numpy.float64), t))),
        ("1 mm, mirrored", variant(one, work, "mirrored_T1w.nii.gz", mirrored)),
        ("1 × 1 × 5 mm", variant(one, work, "thick_T1w.nii.gz", thick)),
        ("1 mm, 256³", variant(one, work, "padded_T1w.nii.gz", padded)),
        ("1 mm, no air", variant(one, work, "air_T1w.nii.gz", without_air)),
    ]
    if data:
        found += [(p.name.split(".nii")[0], p) for p in sorted(pathlib.Path(data).glob("*.nii.gz")) if p.name.split(".")[0].endswith(("_T1w", "_T2w", "_FLAIR"))]
    return found


def dataset_of(head, work):
    """A dataset of this image alone, because `estimate` takes one."""
    folder = pathlib.Path(work, "one")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "sub-01" / "anat").mkdir(parents=True)
    (folder / "dataset_description.json").write_text('{"Name": "One head", "BIDSVersion": "1.11.1"}')
    ending = head.name[head.name.rindex("_") :]
    shutil.copy(head, folder / "sub-01" / "anat" / f"sub-01{ending}")
    return folder


def measure(program, work, name, head, threads, options):
    """What was taken and what was said, each (taken, said)."""
    bids, out = dataset_of(head, work), pathlib.Path(work, "out")
    shutil.rmtree(out, ignore_errors=True)
    words = [program, "estimate", bids, "--omp-nthreads", threads, "--format", "json", *options]
    said = json.loads(subprocess.run([str(word) for word in words], check=True, capture_output=True).stdout)
    words = [program, bids, out, "participant", "--nprocs", threads, "--omp-nthreads", threads, "--quiet", *options]
    subprocess.run([str(word) for word in words], check=True)
    record = json.loads((out / "logs" / "sub-01" / "sub-01_status.json").read_text())
    stages = record["files"][0]["stages"]
    peak = max(stage["peak_rss_bytes"] for stage in stages)
    used = int(subprocess.run(["du", "-s", "--block-size=1", str(out)], check=True, capture_output=True).stdout.split()[0])
    seconds = sum(stage["cpu_s"] for stage in stages)
    voxels = int(numpy.prod(nibabel.load(head).shape))
    return Row(
        name,
        voxels,
        threads,
        " ".join(options),
        (peak, said["largest"]["memory_bytes"]),
        (used, said["total"]["disk_bytes"]),
        (seconds, said["largest"]["time_s"]),
    )


def measured(options, work):
    program = pathlib.Path(options.build, "neuro-preprocess")
    found = heads(program, work, options.data)
    rows = [measure(program, work, name, head, 1, []) for name, head in found]
    for name, head in [found[0], *(pair for pair in found if "mirrored" in pair[0] or "×" in pair[0])]:
        rows += [measure(program, work, name, head, 1, words) for words in OPTIONS]
    rows += [measure(program, work, *found[0], threads, []) for threads in (2, 4, 8)]
    return rows


def verdict(pair, most):
    taken, said = pair
    return f"{said / taken:.2f}{'' if taken <= said <= most * taken else ' **missed**'}"


def table(rows):
    lines = [
        "| head | million voxels | threads | options | MiB | said | ratio | MB of disk | said | ratio | s | said |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row.name, f"{row.voxels / 1e6:.1f}", row.threads, row.options]
        cells += [f"{n / MIB:.0f}" for n in row.memory] + [verdict(row.memory, MOST["memory"])]
        cells += [f"{n / 1e6:.1f}" for n in row.disk] + [verdict(row.disk, MOST["disk"])]
        cells += [f"{n:.1f}" for n in row.seconds]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def ratios(rows):
    """For the history: the worst case of each, taken by said, so that larger is better."""
    return {f"{what}: taken / said, mean": float(numpy.mean([getattr(row, what)[0] / getattr(row, what)[1] for row in rows])) for what in MOST}
