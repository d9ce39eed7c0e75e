"""Heads of many kinds drawn from label maps, with their true brain, and how the program's masks compare.

usage: drawn_heads.py --program FILE --out DIR [--labels DIR] [--only KIND…] [--list]

The maps are the folder `labels` of NP_DATA. They are 4 and 17, which no weights of the program were trained on. Images and truths
stay in DIR: another run with the same DIR draws only what is absent there.
"""

import argparse
import collections
import json
import os
import pathlib
import statistics
import sys
import zlib

import measure
import nibabel
import numpy
import truth
from scipy import ndimage

# Tissues as in truth.TISSUES; white matter of T1w is 1.
CONTRASTS = {
    "T1w": (0, 1.0, 0.68, 0.8, 0.25, 0.25, 0.4, 0.35, 0.6, 0.7, 0.08, 0.55, 0.5, 1.4),
    "T2w": (0, 0.35, 0.52, 0.4, 1.1, 1.05, 0.2, 1.1, 0.9, 0.4, 0.05, 0.3, 0.2, 0.6),
    "FLAIR": (0, 0.6, 0.78, 0.68, 0.12, 0.15, 0.2, 0.15, 0.8, 0.6, 0.08, 0.4, 0.3, 1.0),
    "newborn": (0, 0.7, 0.78, 0.75, 0.3, 0.3, 0.6, 0.35, 0.6, 0.8, 0.15, 0.3, 0.6, 1.1),
    "gadolinium": (0, 1.0, 0.7, 0.82, 0.25, 0.3, 1.7, 0.5, 1.5, 0.9, 0.1, 0.6, 0.6, 1.5),
    "dark-scalp": (0, 1.0, 0.68, 0.8, 0.25, 0.25, 0.4, 0.35, 0.6, 0.25, 0.05, 0.1, 0.4, 0.15),
}

Kind = collections.namedtuple("Kind", "name map contrast person scale spacing_mm noise change", defaults=("adult", 1.0, (1, 1, 1), 0.02, None))
Drawn = collections.namedtuple("Drawn", "image brains spacing_mm")
Score = collections.namedtuple("Score", "name dices volume_error hd95_mm state warnings wall_s")


# --- one image on its own grid ---------------------------------------------------------------------------------------


def averaging(n, spacing_mm, wanted_mm):
    """Matrix that averages n samples over boxes of another size."""
    count = max(int(n * spacing_mm / wanted_mm), 1)
    low = numpy.arange(count)[:, None] * wanted_mm
    edge = numpy.arange(n)[None] * spacing_mm
    overlap = numpy.minimum(low + wanted_mm, edge + spacing_mm) - numpy.maximum(low, edge)
    overlap = numpy.maximum(overlap, 0).astype(numpy.float32)
    return overlap / overlap.sum(axis=1, keepdims=True)


def resampled(image, spacing_mm, wanted_mm):
    for axis in range(3):
        if abs(wanted_mm[axis] - spacing_mm) > 1e-6:
            matrix = averaging(image.shape[axis], spacing_mm, wanted_mm[axis])
            image = numpy.moveaxis(numpy.tensordot(matrix, image, axes=(1, axis)), 0, axis)
    return numpy.ascontiguousarray(image, numpy.float32)


def smooth_field(shape, knots, sd, random):
    coarse = random.standard_normal((knots,) * 3).astype(numpy.float32)
    return ndimage.zoom(coarse, numpy.array(shape) / knots, order=1, grid_mode=True, mode="nearest")[: shape[0], : shape[1], : shape[2]] * sd


def tissues(head, contrast, random):
    """Tissue's mean, 4 % of texture, one voxel of blur."""
    image = numpy.array(CONTRASTS[contrast], numpy.float32)[head.tissue]
    image *= 1 + 0.04 * random.standard_normal(image.shape, dtype=numpy.float32)
    return ndimage.gaussian_filter(image, 0.6)


def painted(head, contrast, random):
    """Tissues under a smooth field of bias."""
    image = tissues(head, contrast, random)
    return image * numpy.exp(smooth_field(image.shape, 4, 0.12, random))


def with_margin(image, brains, before, after, value=0):
    margin = tuple(zip(before, after))
    return numpy.pad(image, margin, constant_values=value), {c: numpy.pad(b, margin) for c, b in brains.items()}


# --- changes: of the head before sampling (image of the map's grid), or of what was sampled ---------------------------------------


def lesion(size_mm, value):
    """A ball of one intensity at the brain's side, from its surface inwards."""

    def change(image, head):
        where = numpy.argwhere(head.brains[8])
        low, high = where.min(0), where.max(0)
        centre = (low + high) / 2 + (high - low) * (0.3, 0.05, 0.15)
        far = sum((x - c) ** 2 for x, c in zip(numpy.ogrid[tuple(map(slice, image.shape))], centre)) ** 0.5
        image[(far < size_mm / 2) & head.brains[8]] = value
        return image

    return change


def dark_below(image, head):
    """A coil's field that falls to a third at the brain's lowest level."""
    levels = numpy.flatnonzero(head.brains[8].any((0, 1)))
    height = (numpy.arange(image.shape[2]) - levels[0]) / 45
    return image * (1 - 0.67 / (1 + numpy.exp(5 * (height - 0.5))))[None, None].astype(numpy.float32)


def top(mm):
    """Only what lies less than this below the brain's vertex."""

    def change(drawn, random):
        vertex = numpy.flatnonzero(drawn.brains[8].any((0, 1)))[-1]
        first = max(int(vertex - mm / drawn.spacing_mm[2]), 0)
        return drawn._replace(image=drawn.image[:, :, first:], brains={c: b[:, :, first:] for c, b in drawn.brains.items()})

    return change


def cut_below(mm):
    """The image ends this much above the cerebellum's lowest level."""

    def change(drawn, random):
        first = int(numpy.flatnonzero(drawn.brains[8].any((0, 1)))[0] + mm / drawn.spacing_mm[2])
        return drawn._replace(image=drawn.image[:, :, first:], brains={c: b[:, :, first:] for c, b in drawn.brains.items()})

    return change


def surrounded(mm, noise=0):
    def change(drawn, random):
        voxels = [round(mm / s) for s in drawn.spacing_mm]
        image, masks = with_margin(drawn.image, drawn.brains, voxels, voxels)
        if noise:
            outside = with_margin(numpy.zeros(drawn.image.shape, bool), drawn.brains, voxels, voxels, True)[0]
            image[outside] = measure.rician(numpy.zeros(int(outside.sum()), numpy.float32), noise, 5)
        return drawn._replace(image=image, brains=masks)

    return change


def in_cube(mm):
    def change(drawn, random):
        missing = [max(round(mm / s) - n, 0) for s, n in zip(drawn.spacing_mm, drawn.image.shape)]
        image, masks = with_margin(drawn.image, drawn.brains, [m // 2 for m in missing], [m - m // 2 for m in missing])
        return drawn._replace(image=image, brains=masks)

    return change


def stripped(background, zscored=False):
    """Cut at the true brain; the background is a constant."""

    def change(drawn, random):
        brain = drawn.brains[8]
        inside = drawn.image[brain]
        image = (drawn.image - inside.mean()) / inside.std() if zscored else drawn.image
        return drawn._replace(image=numpy.where(brain, image, background).astype(numpy.float32))

    return change


def uniform_air(drawn, random):
    """The ratio of two inversion times: where there is no signal, any value is as likely."""
    weak = numpy.exp(-((drawn.image / 0.12) ** 2))
    return drawn._replace(image=drawn.image * (1 - weak) + weak * random.random(drawn.image.shape, numpy.float32))


# --- the kinds -------------------------------------------------------------------------------------------------------


def thick(name, contrast, axis, mm, number):
    spacing = [0.8, 0.8, 0.8]
    spacing[axis] = mm
    return Kind(f"{name}-{'sagittal coronal axial'.split()[axis]}-{mm}mm", number, contrast, spacing_mm=tuple(spacing))


BEFORE = {
    "T2w-infarct": lesion(45, 1.1),
    "T1w-cavity": lesion(45, 0.25),
    "dark-cerebellum-1.5mm": dark_below,
    "dark-cerebellum-1.5mm-other": dark_below,
}
KINDS = [
    Kind("T1w", 4, "T1w"),
    Kind("T1w-other", 17, "T1w"),
    Kind("T1w-0.7mm", 17, "T1w", spacing_mm=(0.7, 0.7, 0.7)),
    Kind("T1w-1.5mm", 4, "T1w", spacing_mm=(1.5, 1.5, 1.5)),
    Kind("T2w", 4, "T2w"),
    Kind("T2w-2mm", 17, "T2w", spacing_mm=(2, 2, 2)),
    Kind("FLAIR", 17, "FLAIR"),
    Kind("newborn-T1w", 4, "newborn", "infant", 0.6),
    Kind("newborn-T2w", 17, "T2w", "infant", 0.6),
    Kind("child-of-3", 17, "T1w", "infant", 0.88),
    Kind("small-head", 4, "T1w", "adult", 0.7),
    Kind("old", 4, "T1w", "old"),
    Kind("old-3mm", 17, "T1w", "old", spacing_mm=(1, 1, 3)),
    Kind("gadolinium-6.5mm", 4, "gadolinium", spacing_mm=(0.8, 0.8, 6.5)),
    Kind("noise-in-air", 17, "T1w", change=uniform_air),
    Kind("dark-scalp", 4, "dark-scalp"),
    Kind("dark-scalp-small", 17, "dark-scalp", "adult", 0.7),
    Kind("T2w-infarct", 4, "T2w"),
    Kind("T1w-cavity", 17, "T1w"),
    Kind("dark-cerebellum-1.5mm", 4, "T1w", spacing_mm=(1.5, 1.5, 1.5)),
    Kind("dark-cerebellum-1.5mm-other", 17, "T1w", spacing_mm=(1.5, 1.5, 1.5)),
    *(thick("T1w", "T1w", axis, mm, (4, 17)[axis % 2]) for mm in (3.5, 4.9, 7.0) for axis in range(3)),
    thick("T2w", "T2w", 2, 6.0, 17),
    Kind("FLAIR-sagittal-6.3mm", 4, "FLAIR", spacing_mm=(6.3, 0.8, 0.8)),
    Kind("T1w-1.6x1.6x7.7mm", 17, "T1w", spacing_mm=(1.6, 1.6, 7.7)),
    Kind("top-50mm-T1w", 4, "T1w", change=top(50)),
    Kind("top-70mm-T1w", 17, "T1w", change=top(70)),
    Kind("top-60mm-FLAIR", 4, "FLAIR", change=top(60)),
    Kind("zeros-60mm", 4, "T1w", change=surrounded(60)),
    Kind("noise-90mm", 17, "T1w", spacing_mm=(1.5, 1.5, 1.5), change=surrounded(90, 0.02)),
    Kind("FLAIR-320mm-cube", 17, "FLAIR", spacing_mm=(1.3, 1.3, 1.3), change=in_cube(320)),
    Kind("cut-below", 4, "T1w", change=cut_below(25)),
    Kind("stripped-0", 4, "T1w", change=stripped(0)),
    Kind("stripped--1", 17, "T1w", change=stripped(-1)),
    Kind("stripped-constant", 4, "T1w", change=stripped(0.4)),
    Kind("stripped-zscored", 17, "T1w", change=stripped(0, True)),
]


def draw(kind, labels, work):
    """The same bytes for the same kind: its name is the seed."""
    random = numpy.random.default_rng(zlib.crc32(kind.name.encode()))
    head = truth.head(labels, kind.map, kind.person, work)
    image = painted(head, kind.contrast, random)
    image = BEFORE.get(kind.name, lambda image, head: image)(image, head)
    brains = {c: resampled(b.astype(numpy.float32), kind.scale, kind.spacing_mm) >= 0.5 for c, b in head.brains.items()}
    image = measure.rician(resampled(image, kind.scale, kind.spacing_mm), kind.noise, int(random.integers(1 << 30)))
    drawn = Drawn(image, brains, kind.spacing_mm)
    return kind.change(drawn, random) if kind.change else drawn


def paths(kind, out):
    suffix = kind.contrast if kind.contrast in ("T2w", "FLAIR") else "T1w"
    return out / f"{kind.name}_{suffix}.nii.gz", {c: out / f"{kind.name}_brain-{c}mm.nii.gz" for c in truth.CLOSINGS_MM}


def drawn_once(kind, labels, out):
    image_path, brain_paths = paths(kind, out)
    if not image_path.exists():
        drawn = draw(kind, labels, out)
        affine = numpy.diag([*drawn.spacing_mm, 1.0])
        affine[:3, 3] = -numpy.array(drawn.spacing_mm) * numpy.array(drawn.image.shape) / 2
        for closing, path in brain_paths.items():
            nibabel.save(nibabel.Nifti1Image(drawn.brains[closing].astype(numpy.uint8), affine), path)
        nibabel.save(nibabel.Nifti1Image((drawn.image * 1000).round().astype(numpy.int16), affine), image_path)
    return image_path, brain_paths


# --- the program on them ---------------------------------------------------------------------------------------------


def mask_of(path):
    image = nibabel.load(path)
    return numpy.asarray(image.dataobj) > 0, image.header.get_zooms()[:3]


def record_of(image_path, out):
    with open(out / "logs" / (image_path.name.removesuffix(".nii.gz") + "_status.json")) as file:
        return json.load(file)["files"][0]


def state_of(record):
    if record["failure"]:
        return f"refused ({record['failure']['error']})"
    return "said stripped" if record["facts"].get("skull_strip.method") == "already-stripped" else "success"


def scored(kind, program, labels, out):
    image_path, brain_paths = drawn_once(kind, labels, out)
    results = out / "results"
    run = measure.process(program, image_path, results, 1, check=False)
    record = record_of(image_path, results)
    brain, spacing_mm = mask_of(brain_paths[8])
    mask = mask_of(run.images["brain_mask"])[0] if run.status == 0 and run.images["brain_mask"] else brain & False
    dices = [measure.dice(mask, mask_of(path)[0]) for path in brain_paths.values()]
    error = 100 * (mask.sum() / brain.sum() - 1)
    return Score(kind.name, dices, error, measure.hd95_mm(mask, brain, spacing_mm), state_of(record), len(record["warnings"]), run.wall_s)


def row(score):
    if score.state.startswith("refused"):
        return f"| {score.name} | | | | | | {score.state} | {score.warnings} | {score.wall_s:.1f} |"
    dices = " | ".join(f"{d:.3f}" for d in score.dices)
    return f"| {score.name} | {dices} | {score.volume_error:+.1f} | {score.hd95_mm:.1f} | {score.state} | {score.warnings} | {score.wall_s:.1f} |"


ABSENT = "No label maps of whole heads here: name their folder with `--labels`, or a folder that holds `labels` in `NP_DATA`."
HEADING = "| kind | Dice | with 4 mm | with 12 mm | volume, % | HD95, mm | state | warnings | s |\n|---|---|---|---|---|---|---|---|---|"


def last_line(scores):
    dices = [s.dices[0] for s in scores if not s.state.startswith("refused")]
    refused = f"; {len(scores) - len(dices)} of {len(scores)} refused" if len(dices) < len(scores) else ""
    return f"Mean (least) Dice: {statistics.mean(dices):.3f} ({min(dices):.3f}){refused}." if dices else "All are refused."


def labels_folder():
    return pathlib.Path(os.environ["NP_DATA"], "labels") if os.environ.get("NP_DATA") else None


def measured(program, labels, out, kinds=KINDS):
    """Each score as soon as it is known."""
    for kind in kinds:
        yield scored(kind, program, labels, out)


def table(scores):
    return "\n".join([HEADING, *map(row, scores), "", last_line(scores)])


def have_maps(labels):
    return labels is not None and all(truth.map_path(labels, k.map).exists() for k in KINDS)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=pathlib.Path, default="build/neuro-preprocess")
    parser.add_argument("--out", type=pathlib.Path, default="build/bench/drawn")
    parser.add_argument("--labels", type=pathlib.Path, default=labels_folder(), help="folder of label maps; NP_DATA/labels when not given")
    parser.add_argument("--only", nargs="+", choices=[k.name for k in KINDS], metavar="KIND")
    parser.add_argument("--list", action="store_true", help="name the kinds")
    return parser.parse_args()


def main():
    options = arguments()
    if options.list:
        print("\n".join(kind.name for kind in KINDS))
        return 0
    if not have_maps(options.labels):
        print(ABSENT)
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    scores = []
    print(HEADING, flush=True)
    for score in measured(options.program, options.labels, options.out, [k for k in KINDS if not options.only or k.name in options.only]):
        scores.append(score)
        print(row(score), flush=True)
    print(f"\n{last_line(scores)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
