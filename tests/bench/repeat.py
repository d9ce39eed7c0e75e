"""Is normalization repeatable and invertible? Sessions of one person in a folder: NAMEs1, NAMEs2 or NAME_ses-1, NAME_ses-2."""

import collections
import json
import pathlib
import re

import masks
import measure
import numpy
import scipy.ndimage

METHODS = ("zscore", "whitestripe", "percentile")
WANTED_PERCENT = 2.0

Session = collections.namedtuple("Session", "grey white range error")


def tissue_modes(values):
    """(grey, white): the two largest peaks of the smoothed histogram, the brighter is white; one shared peak stands for both."""
    low, high = numpy.percentile(values, [2, 99.5])
    counts, edges = numpy.histogram(values, 256, (low, high))
    for sd in range(3, 40):
        smooth = scipy.ndimage.gaussian_filter1d(counts.astype(float), sd, mode="nearest")
        peaks = [i for i in range(1, 255) if smooth[i - 1] < smooth[i] >= smooth[i + 1] and smooth[i] > 0.1 * smooth.max()]
        if len(peaks) <= 2:
            break
    centres = (edges[1:] + edges[:-1]) / 2
    peaks = sorted(peaks, key=lambda i: -smooth[i])[:2]
    return centres[min(peaks)], centres[max(peaks)]


def parameters(path):
    """offset and scale as the image's sidecar states them."""
    values = json.loads(pathlib.Path(str(path).removesuffix(".nii.gz") + ".json").read_text())["Parameters"]
    return values["normalization.offset"], values["normalization.scale"]


def session(program, image, out, method, threads):
    run = measure.process(program, image, out, threads, "--normalize", method)
    norm, preproc = (measure.voxels(run.images[what], numpy.float64) for what in ("norm", "preproc"))
    brain = measure.voxels(run.images["brain_mask"]) > 0
    offset, scale = parameters(run.images["norm"])
    back = norm[brain] * scale + offset
    error = numpy.abs(back - preproc[brain]).max() / numpy.abs(preproc[brain]).max()
    grey, white = tissue_modes(norm[brain])
    low, high = numpy.percentile(norm[brain], [1, 99])
    return Session(grey, white, high - low, float(error))


def people(folder):
    """{person: [image, …]} of those with two sessions or more."""
    found = collections.defaultdict(list)
    for name, image, _ in masks.pairs(folder):
        person = re.sub(r"(s\d+|_ses-[a-zA-Z0-9]+)$", "", name)
        if person != name:
            found[person].append(image)
    return {person: images for person, images in found.items() if len(images) > 1}


def difference_percent(a, b, what):
    """Of the brain's range, 1 % to 99 % quantile, which every scale has."""
    return 200 * abs(getattr(a, what) - getattr(b, what)) / (a.range + b.range)


def measured(options, work):
    """[(person, method, first session, second session)]"""
    program = pathlib.Path(options.build, "neuro-preprocess")
    rows = []
    for person, images in people(options.data).items():
        for method in METHODS:
            first, second = (session(program, image, work / f"out-{method}", method, options.threads) for image in images[:2])
            rows.append((person, method, first, second))
    return rows


def table(rows):
    lines = ["| person | method | grey, sessions 1 and 2 | white | grey differs, % | white differs, % | wanted | error of the way back |"]
    lines.append("|---" * 8 + "|")
    for person, method, a, b in rows:
        grey, white = (difference_percent(a, b, what) for what in ("grey", "white"))
        verdict = "held" if max(grey, white) <= WANTED_PERCENT else "**missed**"
        lines.append(
            f"| {person} | {method} | {a.grey:.3f}, {b.grey:.3f} | {a.white:.3f}, {b.white:.3f} | {grey:.1f} | {white:.1f} "
            f"| ≤ {WANTED_PERCENT:g} {verdict} | {max(a.error, b.error):.1e} |"
        )
    return "\n".join(lines)
