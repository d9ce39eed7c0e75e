"""One N4 fit of ours beside SimpleITK's on equal terms: same samples, mask, mesh, iterations and stop rule.

Both get the image thinned out to about 4 mm and padded so that whole spans of 50 samples cover it: that is a 200 mm mesh, which
SimpleITK can only be set by the number of its control points.
"""

import pathlib
import time

import itk
import measure
import nibabel
import numpy

SAMPLE_MM = 4.0
SPAN_SAMPLES = 50
# A mask, and the change at which a level ends (0: never before 50 iterations).
TERMS = (("foreground", 0.0), ("brain", 0.0), ("brain", 5e-4))


def thinned(array, spacing_mm):
    steps = [max(1, round(SAMPLE_MM / s)) for s in spacing_mm]
    array = array[tuple(slice((n - 1) % step // 2, None, step) for n, step in zip(array.shape, steps))]
    spans = [max(1, -(-(n - 1) // SPAN_SAMPLES)) for n in array.shape]
    missing = [SPAN_SAMPLES * s + 1 - n for s, n in zip(spans, array.shape)]
    return numpy.pad(array, [(m // 2, m - m // 2) for m in missing]), [s + 3 for s in spans]


def foreground(array):
    """Above the middle of the range's lower half: some threshold that both get."""
    return array > 0.25 * numpy.percentile(array[array > 0], 98)


def compare(build, work, image_path, mask_path, threads):
    """[(mask, stop, points, correlation, rms, ours_s, theirs_s)] of log fields in the mask; rms after the means are removed."""
    like = nibabel.load(image_path)
    spacing_mm = like.header.get_zooms()[:3]
    array, control_points = thinned(measure.voxels(image_path), spacing_mm)
    brain = thinned(measure.voxels(mask_path) > 0, spacing_mm)[0]
    even = nibabel.Nifti1Image(array, numpy.diag([SAMPLE_MM] * 3 + [1]))
    rows = []
    for name, stop in TERMS:
        mask = brain if name == "brain" else foreground(array)
        paths = [pathlib.Path(work, f"n4-{what}.nii") for what in ("image", "mask", "field")]
        measure.save(paths[0], array, even)
        measure.save(paths[1], mask.astype(numpy.uint8), even)
        start = time.monotonic()
        measure.cost([pathlib.Path(build, "release", "bench", "n4"), paths[0], paths[1], stop, paths[2]])
        ours_s = time.monotonic() - start
        ours = measure.voxels(paths[2], numpy.float64)[mask]
        theirs, theirs_s = itk.n4(array, mask, [SAMPLE_MM] * 3, threads, stop, [1, 1, 1], control_points)
        theirs = theirs[mask]
        rows.append((name, stop, int(mask.sum()), numpy.corrcoef(ours, theirs)[0, 1], (ours - theirs).std(), ours_s, theirs_s))
    return rows


def table(named_rows):
    lines = ["| head | mask | stop | samples | correlation | rms, log units | ours, s | SimpleITK, s |", "|---" * 8 + "|"]
    for head, rows in named_rows:
        for name, stop, points, r, rms, ours_s, theirs_s in rows:
            lines.append(f"| {head} | {name} | {stop:g} | {points} | {r:.6f} | {rms:.1e} | {ours_s:.2f} | {theirs_s:.2f} |")
    return "\n".join(lines)
