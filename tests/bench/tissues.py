"""Grey and white matter beside Atropos: of heads drawn from label maps, and of synthetic heads; both programs get the same
bias-corrected image and the same mask, ours."""

import collections
import json
import pathlib
import re
import statistics
import subprocess

import drawn_heads
import measure
import nibabel
import numpy
import truth

MAPS = (4, 17)  # of which no weight of the program was learned
CONTRASTS = ("T1w", "T2w")
SYNTHETIC = ("Noisy", "ThinFluid", "Atrophy", "Child")
NOISE = 0.03
ANTS = "antspyx==0.6.3"
# By drawn_heads.TISSUES' numbers: white; grey and deep; ventricle and fluid.
TISSUES = {"GM": (2, 3), "WM": (1,), "CSF": (4, 5)}
LABELS = {"GM": 1, "WM": 2, "CSF": 3}
WANTED_DICE = 0.80

Row = collections.namedtuple("Row", "head contrast dice seconds warned")  # dice, seconds: of each program


def atropos_python():
    """The Python that has antspyx; None where it cannot be installed."""
    tools = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "python-tools.sh"
    done = subprocess.run([tools, "--in", "ants", ANTS], capture_output=True, text=True)
    return pathlib.Path(done.stdout.strip(), "python3") if done.returncode == 0 else None


def drawn(labels, number, contrast, work):
    """The image's path and the label of each voxel."""
    head = truth.head(labels, number, "adult", work)
    path = work / f"map-{number}_{contrast}.nii.gz"
    if not path.exists():
        random = numpy.random.default_rng(number)
        image = drawn_heads.painted(head, contrast, random)
        image = 1000 * numpy.abs(image + NOISE * random.standard_normal(image.shape))
        nibabel.save(nibabel.Nifti1Image(image.astype(numpy.float32), numpy.eye(4)), path)
    label = numpy.zeros(head.tissue.shape, numpy.uint8)
    for name, numbers in TISSUES.items():
        label[numpy.isin(head.tissue, numbers)] = LABELS[name]
    return path, label


def heads(options, labels, work):
    """Name, contrast, path and truth."""
    for number in MAPS if drawn_heads.have_maps(labels) else ():
        for contrast in CONTRASTS:
            yield (f"map {number}", contrast, *drawn(labels, number, contrast, work))
    make_heads = pathlib.Path(options.build, "release", "bench", "make-heads")
    for name in SYNTHETIC:
        subprocess.run([make_heads, work / "synthetic", "--name", name], check=True)
        stem = work / "synthetic" / name
        yield name, "T1w", pathlib.Path(f"{stem}_T1w.nii.gz"), measure.voxels(f"{stem}_tissue.nii.gz")


def dice_of(path, mask, label):
    found = measure.voxels(path)
    inside = {name: label == number for name, number in LABELS.items()}
    inside["CSF"] = inside["CSF"] & mask
    return {name: measure.dice(found == number, inside[name]) for name, number in LABELS.items()}


def programs(options, image, mask, contrast, work):
    """Name, path of the labels, seconds."""
    words = [image, mask, contrast]
    ours, theirs = work / "ours.nii.gz", work / "atropos.nii.gz"
    tissue = pathlib.Path(options.build, "release", "bench", "tissue")
    said = subprocess.run([tissue, *words, str(options.threads), ours], check=True, capture_output=True, text=True).stdout
    yield "ours", ours, float(re.match(r"[\d.]+", said)[0])
    if python := atropos_python():
        script = pathlib.Path(__file__).with_name("atropos.py")
        said = subprocess.run([python, script, *words, theirs], check=True, capture_output=True, text=True).stdout
        yield "Atropos", theirs, float(said.split()[-1])


def is_flagged(out, image):
    record = json.loads((out / "logs" / f"{image.name.removesuffix('.nii.gz')}_status.json").read_text())
    return any(warning["key"] == "tissue-unsure" for warning in record["files"][0].get("warnings", []))


def measured(options, labels, work):
    for head, contrast, path, label in heads(options, labels, work):
        run = measure.process(pathlib.Path(options.build, "neuro-preprocess"), path, work / "out", options.threads)
        image, mask = run.images["preproc"], run.images["brain_mask"]
        inside = measure.voxels(mask) > 0
        dice, seconds = {}, {}
        for name, found, took in programs(options, image, mask, contrast, work):
            dice[name], seconds[name] = dice_of(found, inside, label), took
        yield Row(head, contrast, dice, seconds, is_flagged(work / "out", path))


def table(rows):
    lines = ["| head | image | program | GM | WM | CSF in the mask | s | flagged |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        for name, dice in row.dice.items():
            cells = " | ".join(f"{dice[tissue]:.3f}" for tissue in LABELS)
            flag = "yes" if name == "ours" and row.warned else ""
            lines.append(f"| {row.head} | {row.contrast} | {name} | {cells} | {row.seconds[name]:.2f} | {flag} |")
    if not all("Atropos" in row.dice for row in rows):
        lines += ["", f"Atropos is absent: {ANTS} could not be installed here."]
    return "\n".join(lines + [""] + [summary(rows)])


def summary(rows):
    """Of T1w, the images that the program segments."""
    words = []
    for tissue in ("GM", "WM"):
        means = {}
        for row in rows:
            for name, dice in row.dice.items() if row.contrast == "T1w" else ():
                means.setdefault(name, []).append(dice[tissue])
        words.append(f"{tissue} " + ", ".join(f"{name} {statistics.mean(values):.3f}" for name, values in means.items()))
    low = [row.head for row in rows if row.contrast == "T1w" and not row.warned and min(row.dice["ours"][t] for t in ("GM", "WM")) < WANTED_DICE]
    return f"Means over T1w: {'; '.join(words)}. Below {WANTED_DICE:.2f} and not flagged: {', '.join(low) or 'none'}."
