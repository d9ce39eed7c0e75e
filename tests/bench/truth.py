"""Whole heads from label maps: what the brain is, and which tissue lies where.

A map has FreeSurfer's numbers for the brain, 24 for all fluid inside the skull, 502 to 530 outside it. The brain of the benchmark is
fixed for good: all brain labels without 24, closed by 8 mm inside all labels below 500, holes filled, smoothed, the stem cut at the
cerebellum's lowest level. The same with 4 and 12 mm stands beside it.
"""

import collections
import pathlib

import nibabel
import numpy
from scipy import ndimage

CLOSINGS_MM = (8, 4, 12)
FLUID = 24
FIRST_OUTSIDE = 500
CEREBELLUM = (7, 8, 46, 47)
# label: tissue; other labels of the brain are deep grey matter, other labels outside it soft tissue.
TISSUE_OF = (
    dict.fromkeys((2, 41, 25, 57, 77, 7, 46, 16, 28, 60, 85), "white")
    | dict.fromkeys((3, 42, 8, 47), "grey")
    | dict.fromkeys((4, 5, 14, 15, 43, 44, 72), "ventricle")
    | {0: "air", FLUID: "fluid", 30: "vessel", 62: "vessel", 502: "vessel", 514: "vessel", 506: "eye", 509: "mucosa"}
    | {511: "skin", 515: "bone", 516: "marrow"}
)
TISSUES = ("air", "white", "grey", "deep", "ventricle", "fluid", "vessel", "eye", "mucosa", "skin", "bone", "marrow", "soft", "fat")

Head = collections.namedtuple("Head", "labels tissue brains")


def map_path(folder, number):
    return pathlib.Path(folder, f"training_seg_{number:02d}.nii.gz")


def box_of(mask):
    return ndimage.find_objects(mask.astype(numpy.uint8))[0]


def read_map(folder, number):
    """Labels in RAS order, 1 mm, cropped to the head."""
    image = nibabel.as_closest_canonical(nibabel.load(map_path(folder, number)))
    labels = numpy.asarray(image.dataobj).astype(numpy.int16)
    return labels[box_of(labels > 0)]


def largest_part(mask):
    parts, _ = ndimage.label(mask)
    sizes = numpy.bincount(parts.ravel())
    sizes[0] = 0
    return parts == sizes.argmax()


def stem_end(labels):
    """The cerebellum's lowest level; two voxels in a thousand may lie below."""
    levels = numpy.nonzero(numpy.isin(labels, CEREBELLUM))[2]
    return int(numpy.percentile(levels, 0.2))


def finished(closed, lowest):
    """Holes filled, smoothed, cut at a level, one part."""
    smooth = ndimage.gaussian_filter(ndimage.binary_fill_holes(closed).astype(numpy.float32), 1.0) > 0.5
    smooth[:, :, :lowest] = False
    return largest_part(smooth)


def brains(labels):
    """{closing in mm: mask}."""
    inside = (labels > 0) & (labels < FIRST_OUTSIDE)
    tissue = inside & (labels != FLUID)
    lowest = stem_end(labels)
    tissue[:, :, :lowest] = False
    tissue = largest_part(tissue)
    margin = max(CLOSINGS_MM) + 2
    box = box_of(tissue)
    padded = numpy.pad(tissue[box], margin)
    away_mm = ndimage.distance_transform_edt(~padded)
    middle = (slice(margin, -margin),) * 3
    found = {}
    for closing_mm in CLOSINGS_MM:
        closed = ndimage.distance_transform_edt(away_mm <= closing_mm)[middle] > closing_mm
        whole = numpy.zeros_like(tissue)
        whole[box] = (closed & inside[box]) | tissue[box]
        found[closing_mm] = finished(whole, lowest)
    return found


def tissues(labels):
    """Index into TISSUES of each voxel. The outer 5 mm of soft tissue are fat."""
    table = numpy.full(1024, TISSUES.index("soft"), numpy.uint8)
    table[:FIRST_OUTSIDE] = TISSUES.index("deep")
    for label, name in TISSUE_OF.items():
        table[label] = TISSUES.index(name)
    tissue = table[labels]
    near_air = ndimage.binary_dilation(labels == 0, iterations=6)
    tissue[(tissue == TISSUES.index("soft")) & near_air] = TISSUES.index("fat")
    return tissue


def aged(labels):
    """Brain lost at its surface, so that the fluid is wide; cortex again at the new surface; wide ventricles."""
    labels = labels.copy()
    tissue = (labels > 0) & (labels < FIRST_OUTSIDE) & (labels != FLUID)
    cerebrum = numpy.isin(labels, (2, 3, 41, 42))
    kept = ndimage.binary_erosion(ndimage.binary_closing(numpy.pad(tissue, 8), iterations=4)[8:-8, 8:-8, 8:-8], iterations=4)
    labels[cerebrum & ~kept] = FLUID
    labels[numpy.isin(labels, (2, 41)) & ndimage.binary_dilation(labels == FLUID, iterations=2)] = 3
    labels[numpy.isin(labels, (2, 41)) & ndimage.binary_dilation(numpy.isin(labels, (4, 43)), iterations=3)] = 4
    return labels


def infant(labels):
    """Two voxels of fluid around the brain, then thin bone."""
    labels = labels.copy()
    tissue = (labels > 0) & (labels < FIRST_OUTSIDE) & (labels != FLUID)
    labels[(labels == FLUID) & ~ndimage.binary_dilation(tissue, iterations=3)] = 515
    skull = numpy.isin(labels, (515, 516))
    near = ndimage.binary_dilation((labels > 0) & (labels < FIRST_OUTSIDE), iterations=3)
    labels[skull & ~near] = 507
    labels[skull & near] = 515
    return labels


PEOPLE = {"adult": lambda labels: labels, "old": aged, "infant": infant}


def head(folder, number, person, work):
    """A head of a map as a person of a kind; kept in a folder, since its brain takes a while."""
    path = pathlib.Path(work, f"map-{number:02d}-{person}.npz")
    if not path.exists():
        labels = PEOPLE[person](read_map(folder, number))
        masks = {f"brain{closing}": mask for closing, mask in brains(labels).items()}
        numpy.savez_compressed(path, labels=labels, tissue=tissues(labels), **masks)
    kept = numpy.load(path)
    return Head(kept["labels"], kept["tissue"], {c: kept[f"brain{c}"] for c in CLOSINGS_MM})
