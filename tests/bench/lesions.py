"""How far bright lesions move an intensity scale. Lesions are drawn into raw FLAIR and T2w images, then the whole program runs.

Lesions are balls of 3 to 9 mm deep in the brain, at the same places of the world in each image: edges of 2 mm, an intensity that is a
multiple of the brain's peak, under the image's own bias field. Score: how far the brain's peak without lesions moves on the scale, in
percent of the brain's range (its 1 % to 99 % quantile there without lesions), and in percent of the scale's own unit.
"""

import collections
import pathlib

import measure
import nibabel
import numpy
import repeat
from scipy import ndimage

VOLUMES_ML = (5, 20, 40)
TIMES = {"FLAIR": (1.25, 1.5, 1.8), "T2w": (1.4, 1.8, 2.2)}
DEEP_MM = 18

Shift = collections.namedtuple("Shift", "image method ml times of_range_percent of_unit_percent")


def world_of(image, voxels):
    return voxels @ image.affine[:3, :3].T + image.affine[:3, 3]


def places(like, brain, ml, seed):
    """[(centre in world mm, radius)] of about this volume together; overlaps count twice."""
    random = numpy.random.default_rng(seed)
    deep = numpy.argwhere(ndimage.distance_transform_edt(brain, like.header.get_zooms()[:3]) > DEEP_MM)
    found = []
    while ml > 0:
        radius = random.uniform(3, 9)
        found.append((world_of(like, deep[random.integers(len(deep))]), radius))
        ml -= 4 / 3 * numpy.pi * radius**3 / 1000
    return found


def share(like, balls):
    """Of each voxel that lies in a ball, 0 to 1."""
    inside = numpy.zeros(like.shape[:3], numpy.float32)
    into_voxels = numpy.linalg.inv(like.affine)
    for centre, radius in balls:
        middle = into_voxels[:3, :3] @ centre + into_voxels[:3, 3]
        reach = (radius + 2) / numpy.array(like.header.get_zooms()[:3])
        low = numpy.maximum(numpy.floor(middle - reach), 0).astype(int)
        high = numpy.minimum(numpy.ceil(middle + reach) + 1, like.shape[:3]).astype(int)
        box = tuple(slice(a, max(a, b)) for a, b in zip(low, high))
        voxels = numpy.moveaxis(numpy.mgrid[box], 0, -1)
        far = numpy.linalg.norm(world_of(like, voxels) - centre, axis=-1)
        inside[box] = numpy.maximum(inside[box], numpy.clip(0.5 - (far - radius) / 2, 0, 1))
    return inside


def peak(values):
    low, high = numpy.percentile(values, [0.1, 99.9])
    counts, edges = numpy.histogram(values, 256, (low, high))
    most = ndimage.gaussian_filter1d(counts.astype(float), 4).argmax()
    return (edges[most] + edges[most + 1]) / 2


def drawn(raw, preproc, inside, level):
    """The lesions' level under the image's own field; nothing becomes darker."""
    field = raw / numpy.maximum(preproc, 1e-6)
    return numpy.where(inside > 0, numpy.maximum(raw, raw + inside * (level * field - raw)), raw)


def of_image(program, path, work, threads, balls_of):
    like, kind = nibabel.load(path), path.name.removesuffix(".nii.gz").rsplit("_", 1)[1]
    raw = measure.voxels(path)
    case = work / f"case_{kind}.nii.gz"
    for method in repeat.METHODS:
        run = measure.process(program, path, work / f"without-{method}", threads, "--normalize", method)
        preproc, brain = measure.voxels(run.images["preproc"]), measure.voxels(run.images["brain_mask"]) > 0
        level, before = peak(preproc[brain]), repeat.parameters(run.images["norm"])
        norm = measure.voxels(run.images["norm"])[brain]
        scale_range = numpy.subtract(*numpy.percentile(norm, [99, 1]))
        for ml in VOLUMES_ML:
            inside = share(like, balls_of(like, brain, ml)) * brain
            for times in TIMES[kind]:
                measure.save(case, drawn(raw, preproc, inside, times * level), like)
                run = measure.process(program, case, work / f"with-{method}", threads, "--normalize", method)
                after, with_lesions = repeat.parameters(run.images["norm"]), measure.voxels(run.images["preproc"])
                moved = numpy.median((with_lesions / numpy.maximum(preproc, 1e-6))[brain & (inside == 0)])
                on_scale = [(level - before[0]) / before[1], (level * moved - after[0]) / after[1]]
                shift = 100 * (on_scale[1] - on_scale[0])
                yield Shift(path.name, method, ml, times, shift / scale_range, shift)


def measured(options, work):
    """Images of a person whose FLAIR and T2w are aligned through their headers."""
    program = pathlib.Path(options.build, "neuro-preprocess")
    kept = {}

    def balls_of(like, brain, ml):
        return kept.setdefault(ml, places(like, brain, ml, ml))

    rows = []
    for flair in sorted(pathlib.Path(options.data).glob("*_FLAIR.nii.gz")):
        t2w = flair.with_name(flair.name.replace("_FLAIR", "_T2w"))
        kept.clear()
        for path in (flair, t2w) if t2w.exists() else ():
            rows += of_image(program, path, work, options.threads, balls_of)
    return rows


def table(rows):
    lines = ["| image | method | " + " | ".join(f"{ml} ml: range, unit" for ml in VOLUMES_ML) + " | wanted |", "|---" * (len(VOLUMES_ML) + 3) + "|"]
    for image, method in dict.fromkeys((row.image, row.method) for row in rows):
        some = [row for row in rows if (row.image, row.method) == (image, method)]
        cells = []
        for ml in VOLUMES_ML:
            of_ml = [row for row in some if row.ml == ml]
            cells.append(" and ".join(f"{max((getattr(row, what) for row in of_ml), key=abs):+.1f}" for what in Shift._fields[-2:]))
        worst = max(abs(row.of_range_percent) for row in some)
        verdict = "held" if worst <= repeat.WANTED_PERCENT else "**missed**"
        lines.append(f"| {image.removesuffix('.nii.gz')} | {method} | {' | '.join(cells)} | ≤ {repeat.WANTED_PERCENT:g} {verdict} |")
    return "\n".join(lines)
