"""A picture of a mask beside a reference: for each plane the slice in which they differ most.

usage: sheet.py IMAGE MASK REFERENCE PICTURE.png

The mask's outline is orange, the reference's green, where both agree white. 32 levels of grey, so that a picture takes little room.
"""

import struct
import sys
import zlib

import nibabel
import numpy
from scipy import ndimage

TILE = 190
N_GREYS = 32
OUTLINES = {"mask": N_GREYS, "reference": N_GREYS + 1, "both": N_GREYS + 2}
COLOURS = [(255, 120, 0), (0, 220, 80), (255, 255, 255)]


def load(path):
    image = nibabel.as_closest_canonical(nibabel.squeeze_image(nibabel.load(path)))
    return numpy.asarray(image.dataobj, numpy.float32), numpy.array(image.header.get_zooms()[:3], float)


def slice_of(array, axis, k):
    """Left and front to the left, top and front up."""
    return numpy.take(array, k, axis).T[::-1]


def scaled(plane, spacing_mm, order):
    """A square of TILE pixels that holds the plane."""
    factor = TILE / max(numpy.array(plane.shape) * spacing_mm)
    made = ndimage.zoom(plane, numpy.array(spacing_mm) * factor, order=order)[:TILE, :TILE]
    return numpy.pad(made, [(0, TILE - made.shape[0]), (0, TILE - made.shape[1])])


def outline(plane, spacing_mm):
    inside = scaled(plane.astype(numpy.float32), spacing_mm, 1) > 0.5
    return inside & ~ndimage.binary_erosion(inside)


def tile(image, mask, reference, spacing_mm, axis):
    k = int((mask != reference).sum(tuple(a for a in range(3) if a != axis)).argmax())
    across = [spacing_mm[a] for a in (2, 1, 0) if a != axis]
    grey = scaled(slice_of(image, axis, k), across, 1)
    made = (grey.clip(0, 1) * (N_GREYS - 1)).round().astype(numpy.uint8)
    ours, theirs = outline(slice_of(mask, axis, k), across), outline(slice_of(reference, axis, k), across)
    for where, what in ((ours, "mask"), (theirs, "reference"), (ours & theirs, "both")):
        made[where] = OUTLINES[what]
    return made


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path, pixels):
    """Of one byte each, that chooses a colour (PNG, ISO/IEC 15948, colour type 3)."""
    greys = [(round(255 * i / (N_GREYS - 1)),) * 3 for i in range(N_GREYS)]
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 3, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"PLTE", bytes(sum(greys + COLOURS, ()))))
        file.write(chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def main(image_path, mask_path, reference_path, picture_path):
    image, spacing_mm = load(image_path)
    mask, reference = (load(path)[0] > 0 for path in (mask_path, reference_path))
    image /= numpy.percentile(image[mask], 99.5)
    write_png(picture_path, numpy.hstack([tile(image, mask, reference, spacing_mm, axis) for axis in range(3)]))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
