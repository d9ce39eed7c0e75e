"""Grey and white matter of heads drawn from label maps, in the program's own masks of its own bias-corrected images."""

import collections
import pathlib
import re
import subprocess

import drawn_heads
import measure
import nibabel
import numpy
import truth

MAPS = (4, 17)  # of which no weight of the program was learned
CONTRASTS = ("T1w", "T2w")
NOISE = 0.03
# By drawn_heads.TISSUES' numbers: white; grey and deep; ventricle and fluid.
TISSUES = {"GM": (2, 3), "WM": (1,), "CSF": (4, 5)}
LABELS = {"GM": 1, "WM": 2, "CSF": 3}

Row = collections.namedtuple("Row", "head contrast dice seconds")


def drawn(labels, number, contrast, work):
    """The image's path and the tissue of each voxel."""
    head = truth.head(labels, number, "adult", work)
    path = work / f"map-{number}_{contrast}.nii.gz"
    if not path.exists():
        random = numpy.random.default_rng(number)
        image = drawn_heads.painted(head, contrast, random)
        image = 1000 * numpy.abs(image + NOISE * random.standard_normal(image.shape))
        nibabel.save(nibabel.Nifti1Image(image.astype(numpy.float32), numpy.eye(4)), path)
    return path, head.tissue


def measured(options, labels, work):
    programs = pathlib.Path(options.build, "release", "bench")
    for number in MAPS:
        for contrast in CONTRASTS:
            path, tissue = drawn(labels, number, contrast, work)
            run = measure.process(pathlib.Path(options.build, "neuro-preprocess"), path, work / "out", options.threads)
            found_path = work / "found.nii.gz"
            words = [programs / "tissue", run.images["preproc"], run.images["brain_mask"], contrast, options.threads, found_path]
            said = subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True).stdout
            found, mask = measure.voxels(found_path), measure.voxels(run.images["brain_mask"]) > 0
            dice = {}
            for name, numbers in TISSUES.items():
                there = numpy.isin(tissue, numbers)
                dice[name] = measure.dice(found == LABELS[name], there & mask if name == "CSF" else there)
            yield Row(number, contrast, dice, float(re.match(r"[\d.]+", said)[0]))


def table(rows):
    lines = ["| map | image | GM | WM | CSF in the mask | s |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = " | ".join(f"{row.dice[name]:.3f}" for name in TISSUES)
        lines.append(f"| {row.head} | {row.contrast} | {cells} | {row.seconds:.2f} |")
    return "\n".join(lines)
