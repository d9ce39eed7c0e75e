"""Lesions and cavities in the brain, and things beside the head. All change the image."""

import numpy
import torch
from geometry import VOXEL_MM, WINDOW
from tissue import Tissue


def box_about(centre, reach):
    """Slices of the window's voxels within `reach` voxels of `centre`."""
    low = numpy.maximum(centre - reach, 0)
    high = numpy.minimum(centre + reach + 1, WINDOW)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high))


def ellipsoid(chance, box, centre, radius):
    """The squared distance from the centre in radii, made uneven; of the box's shape."""
    at = [(torch.arange(part.start, part.stop).float() - float(centre[k])) / float(radius[k]) for k, part in enumerate(box)]
    distance = (at[0] ** 2)[:, None, None] + (at[1] ** 2)[None, :, None] + (at[2] ** 2)[None, None]
    return distance + 0.5 * chance.field((4, 4, 4), distance.shape)[0, 0]


def lesion_value(chance, contrast):
    if chance.happens(0.35):  # a cavity
        return float(contrast.mean[Tissue.FLUID])
    if chance.happens(0.5):
        return chance.between(0, 1.8)
    return float(contrast.mean[Tissue.WHITE]) * chance.between(0.3, 1.5)


def add_lesion(chance, image, fine_mm, contrast, centre):
    radius = chance.between(3, 24) / VOXEL_MM * (1 if chance.happens(0.5) else 0.5)
    radius = radius * numpy.exp(chance.numbers.randn(3) * 0.25)  # voxels
    box = box_about(centre, numpy.ceil(radius * 1.5).astype(int))
    distance = ellipsoid(chance, box, centre, radius)
    in_brain = fine_mm[box] < 0.5
    weight = ((1.3 - distance) / 0.3).clamp(0, 1) * in_brain
    image[box] = image[box] * (1 - weight) + lesion_value(chance, contrast) * weight
    if chance.happens(0.25):  # a rim that takes up contrast agent
        image[box][(distance > 0.8) & (distance < 1.3) & in_brain] = chance.between(0.8, 2.2)


def lesion_centres(chance, coarse_mm):
    """Voxels of 4 mm where lesions may have their middle: 2 mm or more inside the brain, often not far from its surface."""
    where = coarse_mm < -2
    if chance.happens(0.35):
        where &= coarse_mm > -12
    return torch.nonzero(where)


def add_lesions(chance, image, coarse_mm, fine_mm, contrast):
    """Up to three lesions (`coarse_mm`: the signed distance at 4 mm)."""
    if not chance.happens(0.45 if contrast.kind in ("t2", "flair") else 0.3):
        return
    inside = lesion_centres(chance, coarse_mm)
    if len(inside) <= 50:
        return
    for _ in range(chance.numbers.randint(1, 4)):
        centre = inside[chance.numbers.randint(len(inside))].numpy() * 2 + 1
        add_lesion(chance, image, fine_mm, contrast, centre)


def add_thing(chance, image, labels, fine_mm):
    """A box of one value in the air, as markers and pads are."""
    centre = [chance.numbers.randint(4, n - 4) for n in WINDOW]
    reach = [chance.numbers.randint(2, 5) for _ in range(3)]
    box = tuple(slice(int(max(c - r, 0)), int(c + r)) for c, r in zip(centre, reach))
    image[box][(labels[box] == Tissue.AIR) & (fine_mm[box] > 12)] = chance.between(0.3, 2)


def add_things(chance, image, labels, fine_mm):
    if not chance.happens(0.1):
        return
    for _ in range(chance.numbers.randint(1, 8)):
        add_thing(chance, image, labels, fine_mm)
