"""Draw one sample: an image as the network sees it, the signed distance that it is to find, and where that counts."""

import collections

import geometry
import scan
import things
import torch
import torch.nn.functional as functional
from contrast import draw_contrast, paint

# image: 96 × 128 × 128 of 2 mm, 0 background, 1/2 typical tissue, at most 2; distance_mm: 48 × 64 × 64 of 4 mm, below 0 in the
# brain; weight: the same grid, the share of the voxel that lies in the field of view.
Sample = collections.namedtuple("Sample", "image distance_mm weight")


def value_at(values, share):
    """The value below which a share of the values lies."""
    return float(values.kthvalue(max(1, int(share * len(values))))[0])


def foreground_scale(image):
    """(lowest common value, median of the foreground); None when the image has no structure. The range is taken from what is
    above the lowest value, and again from what that leaves, so that empty space does not move it."""
    values = image[::2, ::2, ::2].flatten()
    low = value_at(values, 0.01)
    for _ in range(2):
        above = values[values > low + 1e-6]
        if len(above) < 50:
            return None
        foreground = above[above > low + 0.15 * (value_at(above, 0.95) - low)]
        if len(foreground) < 50:
            return None
        values = torch.cat([foreground, torch.full((1,), low)])
    return low, float(foreground.median())


def normalize(image):
    """0 for the lowest common value, 1/2 for the foreground's median, at most 2; all 0 when the image has no structure."""
    scale = foreground_scale(image)
    if scale is None:
        return image * 0
    low, median = scale
    return ((image - low) / (2 * (median - low) + 1e-9)).clamp(0, 2)


def split_blocks(image):
    """The eight voxels of 2 mm in a voxel of 4 mm are its channels: 96 × 128 × 128 to 8 × 48 × 64 × 64."""
    x, y, z = (n // 2 for n in image.shape)
    return image.view(x, 2, y, 2, z, 2).permute(1, 3, 5, 0, 2, 4).reshape(8, x, y, z)


def draw(chance, heads):
    """One sample of one of the heads."""
    pose = geometry.draw_pose(chance, heads)
    labels, coarse_mm = geometry.place(chance, pose)
    fine_mm = functional.interpolate(coarse_mm[None, None], size=geometry.WINDOW, mode="trilinear")[0, 0]
    contrast = draw_contrast(chance, pose)
    image = paint(chance, labels, contrast)
    things.add_lesions(chance, image, coarse_mm, fine_mm, contrast)
    things.add_things(chance, image, labels, fine_mm)
    image = scan.add_coil_fall(chance, scan.add_coil_field(chance, image), pose)
    image = scan.add_ghost(chance, image)
    taken = scan.stripped_away(chance, pose, fine_mm), scan.defaced(chance, pose, fine_mm)
    image = scan.postprocess(chance, scan.acquire(chance, image, contrast), contrast, pose)
    inside = scan.in_view(pose)
    image = scan.remove(chance, image, labels, fine_mm, inside, taken, pose)
    weight = functional.avg_pool3d(inside.float()[None, None], 2)[0, 0]
    return Sample(normalize(image), coarse_mm, weight)
