"""Whether a mask stays when the image is changed: the mask's overlap with itself, carried into the changed image's grid.

usage: still_heads.py --program FILE --out DIR [--data DIR] [--labels DIR] [--heads NAME…] [--changes NAME…] [--quick]

Heads are the T1w, T2w and FLAIR images of --data, and the kinds of drawn_heads.py. Turns, shifts, and sizes are resampled once
on the image's own grid, the own mask alike, at 0.5.
"""

import argparse
import collections
import os
import pathlib
import statistics
import sys

import drawn_heads
import measure
import nibabel
import numpy
from scipy import ndimage

WANTED_DICE = {"thin": 0.985, "thick": 0.97}
THICK_MM = 3
WANTED_VOLUME = 2

Still = collections.namedtuple("Still", "head change thick dice volume_change state")


def turned(degrees, axis):
    """About the grid's middle, in millimetres."""

    def matrix(spacing_mm):
        a, b = [k for k in range(3) if k != axis]
        turn = numpy.eye(3)
        c, s = numpy.cos(numpy.radians(degrees)), numpy.sin(numpy.radians(degrees))
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
        return turn * spacing_mm / numpy.array(spacing_mm)[:, None]

    return matrix


def moved(matrix_of, shift=0.0):
    """A change that resamples image and mask once, linearly."""

    def change(image, mask, spacing_mm):
        matrix = matrix_of(spacing_mm)
        middle = (numpy.array(image.shape) - 1) / 2
        # By half a voxel exactly, every voxel of the mask's border would be at 0.5: the mask would grow by half a voxel on all sides.
        offset = middle - matrix @ middle + shift + 1e-3
        carried = ndimage.affine_transform(mask.astype(numpy.float32), matrix, offset, order=1) >= 0.5
        return ndimage.affine_transform(image, matrix, offset, order=1, cval=float(image.min())), carried

    return change


def surrounded(mm, noisy=False):
    def change(image, mask, spacing_mm):
        margin = [(round(mm / s),) * 2 for s in spacing_mm]
        wide = numpy.pad(image, margin)
        if noisy:
            outside = ~numpy.pad(numpy.ones(mask.shape, bool), margin)
            sd = 0.02 * measure.white_level(image, mask)
            wide[outside] = measure.rician(numpy.zeros(int(outside.sum()), numpy.float32), sd, 3)
        return wide, numpy.pad(mask, margin)

    return change


def cut_below(mm):
    def change(image, mask, spacing_mm):
        first = max(0, int(numpy.flatnonzero(mask.any((0, 1)))[0] + mm / spacing_mm[2]))
        return image[:, :, first:], mask[:, :, first:]

    return change


def noisier(percent):
    return lambda image, mask, spacing_mm: (measure.rician(image, percent / 100 * measure.white_level(image, mask), 7), mask)


def brighter(factor):
    return lambda image, mask, spacing_mm: (image * numpy.float32(factor), mask)


def scaled(factor):
    return moved(lambda spacing_mm: numpy.eye(3) / factor)


CHANGES = (
    {f"turned {d}° about {'xyz'[a]}": moved(turned(d, a)) for d in (3, 10) for a in range(3)}
    | {"shifted half a voxel": moved(lambda spacing_mm: numpy.eye(3), 0.5)}
    | {f"size {f}": scaled(f) for f in (0.8, 0.9, 1.1, 1.25)}
    | {f"{mm} mm of zeros": surrounded(mm) for mm in (30, 60, 90)}
    | {f"{mm} mm of noise": surrounded(mm, True) for mm in (30, 90)}
    | {f"cut {mm} mm above the lowest level": cut_below(mm) for mm in (-20, 10)}
    | {f"noise {p} %": noisier(p) for p in (1, 3)}
    | {f"intensities x {f}": brighter(f) for f in (0.1, 10, 1000)}
)
QUICK = ("turned 3° about x", "turned 10° about z", "shifted half a voxel", "60 mm of zeros", "noise 3 %", "intensities x 1000")


def read(path):
    image = nibabel.as_closest_canonical(nibabel.load(path))
    return numpy.asarray(image.dataobj, dtype=numpy.float32).reshape(image.shape[:3]), image.affine


def mask_by(program, image, affine, path, results):
    """The program's mask and what became of the image; an image that was refused has no mask."""
    nibabel.save(nibabel.Nifti1Image(image, affine), path)
    run = measure.process(program, path, results, 1, check=False)
    state = drawn_heads.state_of(drawn_heads.record_of(path, results))
    return (read(run.images["brain_mask"])[0] > 0 if run.status == 0 else None), state


def compared(program, name, path, changes, out):
    suffix = path.name.removesuffix(".nii.gz").rsplit("_", 1)[1]
    image, affine = read(path)
    spacing_mm = numpy.linalg.norm(affine[:3, :3], axis=0)
    own, state = mask_by(program, image, affine, out / f"own_{suffix}.nii.gz", out / "results")
    if own is None:
        yield Still(name, "none", max(spacing_mm) >= THICK_MM, 0.0, 0.0, state)
        return
    for change in changes:
        other, carried = CHANGES[change](image, own, spacing_mm)
        mask, state = mask_by(program, numpy.ascontiguousarray(other), affine, out / f"changed_{suffix}.nii.gz", out / "results")
        mask = carried & False if mask is None else mask
        error = 100 * (mask.sum() / carried.sum() - 1)
        yield Still(name, change, max(spacing_mm) >= THICK_MM, measure.dice(mask, carried), error, state)


def held(still):
    return still.dice >= WANTED_DICE["thick" if still.thick else "thin"] and abs(still.volume_change) <= WANTED_VOLUME


def row(still):
    return f"| {still.head} | {still.change} | {still.dice:.3f} | {still.volume_change:+.1f} | {still.state} | {'held' if held(still) else '**missed**'} |"


def summary(key, stills):
    lines = [f"| {key} | mean Dice | least | largest change of volume, % | held |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(getattr(s, key) for s in stills):
        some = [s for s in stills if getattr(s, key) == name]
        dices = [s.dice for s in some]
        change = max((s.volume_change for s in some), key=abs)
        lines.append(f"| {name} | {statistics.mean(dices):.3f} | {min(dices):.3f} | {change:+.1f} | {sum(map(held, some))} of {len(some)} |")
    return "\n".join(lines)


def table(stills):
    worst = sorted(stills, key=lambda s: s.dice)[:10]
    heading = "| head | change | Dice | volume, % | state | |\n|---|---|---|---|---|---|"
    return "\n\n".join([summary("change", stills), summary("head", stills), "The worst ten:\n\n" + "\n".join([heading, *map(row, worst)])])


def real_heads(data):
    for image in sorted(pathlib.Path(data).glob("*.nii.gz")) if data else ():
        name = image.name.removesuffix(".nii.gz")
        if name.endswith(("_T1w", "_T2w", "_FLAIR")):
            yield name, image


def heads(options):
    yield from real_heads(options.data)
    if drawn_heads.have_maps(options.labels):
        for kind in drawn_heads.KINDS:
            if not options.heads or kind.name in options.heads:
                yield kind.name, drawn_heads.drawn_once(kind, options.labels, options.out)[0]
    else:
        print(drawn_heads.ABSENT)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=pathlib.Path, default="build/neuro-preprocess")
    parser.add_argument("--out", type=pathlib.Path, default="build/bench/drawn")
    parser.add_argument("--data", default=os.environ.get("NP_DATA", ""), help="folder of real heads (NP_DATA)")
    parser.add_argument("--labels", type=pathlib.Path, default=drawn_heads.labels_folder(), help="folder of label maps; NP_DATA/labels when not given")
    parser.add_argument("--heads", nargs="+", metavar="NAME", help="some heads only")
    parser.add_argument("--changes", nargs="+", choices=CHANGES, metavar="NAME", help="some changes only")
    parser.add_argument("--quick", action="store_true", help=f"only {len(QUICK)} changes")
    return parser.parse_args()


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    changes = options.changes or (QUICK if options.quick else list(CHANGES))
    stills = []
    for name, path in heads(options):
        if not options.heads or name in options.heads:
            for still in compared(options.program, name, path, changes, options.out):
                stills.append(still)
                print(row(still), file=sys.stderr, flush=True)
    print(table(stills) if stills else "No heads here.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
