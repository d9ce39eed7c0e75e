"""Atropos (antspyx) on an image and a mask, as its documentation calls it; run in an environment of its own:
    python3 atropos.py IMAGE MASK T1w|T2w OUT
writes labels (1 GM, 2 WM, 3 CSF) to OUT and prints the seconds that the segmentation took."""

import sys
import time

import ants
import numpy


def main(image_path, mask_path, contrast, out):
    image, mask = ants.image_read(image_path), ants.image_read(mask_path)
    start = time.monotonic()
    found = ants.atropos(a=image, x=mask, i="Kmeans[3]", m="[0.1,1x1x1]", c="[5,0]")
    seconds = time.monotonic() - start
    labels, values = found["segmentation"].numpy(), image.numpy()
    order = numpy.argsort([values[labels == k].mean() for k in (1, 2, 3)])  # from dark to bright
    names = (3, 1, 2) if contrast == "T1w" else (2, 1, 3)
    result = numpy.zeros(labels.shape, numpy.float32)
    for k, name in zip(order, names):
        result[labels == k + 1] = name
    ants.image_write(image.new_image_like(result), out)
    print(f"{seconds:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
