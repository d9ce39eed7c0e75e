"""What a scanner and later programs do to an image: coil field, ghost, slices, noise, field of view, stripping, defacing.

Images are tensors of 96 × 128 × 128 voxels of 2 mm (geometry.py); `fine_mm` is the signed distance to the brain's surface there.
"""

import math

import numpy
import torch
import torch.nn.functional as functional
from contrast import brain_mean
from geometry import VOXEL_MM, WINDOW, brain_radius
from tissue import Tissue

SLICED_MM = 2.2  # voxels longer than this are drawn as slices


def along(axis, values):
    """A row of values as a tensor that broadcasts along one of three axes."""
    return values.view([-1 if k == axis else 1 for k in range(3)])


def about_brain_mm(pose):
    """Positions along each axis, three rows."""
    return [torch.arange(n) * float(VOXEL_MM) + 1 - float(pose.shift[k]) for k, n in enumerate(WINDOW)]


def add_coil_field(chance, image):
    if not chance.happens(0.9):
        return image
    shape = (24, 32, 32)
    log_field = chance.field(chance.nodes(2, 5), shape) * chance.between(0, 0.45)
    if chance.happens(0.25):
        slopes = chance.numbers.randn(3)
        plane = sum(float(slopes[k]) * along(k, torch.linspace(-1, 1, shape[k])) for k in range(3))
        log_field = log_field + plane[None, None] * chance.between(0, 0.6)
    field = log_field.clamp(-1.6, 1.6).exp()
    return image * functional.interpolate(field, size=WINDOW, mode="trilinear", align_corners=True)[0, 0]


def fall(chance, beyond_mm):
    """A coil's sensitivity `beyond_mm` from the brain's end inwards: a step with soft edges, or exponential."""
    if chance.happens(0.6):
        least = chance.between(0.15, 0.6)
        rise = torch.sigmoid((beyond_mm - chance.between(-5, 35)) / chance.between(4, 15))
        return least + (1 - least) * rise
    near_mm = (chance.between(15, 80) - beyond_mm).clamp_min(0)
    return torch.exp(-near_mm / chance.between(25, 80)).clamp_min(0.1)


def add_coil_fall(chance, image, pose):
    """Sometimes one end of the brain is dark, mostly the lower one."""
    if not chance.happens(0.14):
        return image
    axis = int(chance.numbers.choice(3, p=[0.1, 0.15, 0.75]))
    direction = 1 if chance.happens(0.85 if axis == 2 else 0.5) else -1
    beyond_mm = direction * about_brain_mm(pose)[axis] + float(brain_radius(pose)[axis])
    return image * along(axis, fall(chance, beyond_mm))


def add_ghost(chance, image):
    if not chance.happens(0.06):
        return image
    strength = chance.between(0.05, 0.3)
    moved = int(chance.numbers.randint(-40, 40))
    return image + strength * torch.roll(image, moved, int(chance.numbers.randint(1, 3)))


def stripped_away(chance, pose, fine_mm):
    """Voxels that another program's skull stripping took; None: not stripped."""
    if not pose.is_stripped:
        return None
    rim_mm = chance.between(-1.5, 3) if chance.happens(0.8) else chance.between(3, 6)
    return ~(fine_mm < rim_mm)


def defaced(chance, pose, fine_mm):
    """Voxels in front of and below an oblique plane; None: not defaced."""
    if pose.is_stripped or not chance.happens(0.18):
        return None
    normal = numpy.array([0, chance.between(0.5, 1), -chance.between(0.2, 1.1)])
    normal /= numpy.linalg.norm(normal)
    offset_mm = float(brain_radius(pose)[1] * chance.between(0.85, 1.3))
    _, y, z = about_brain_mm(pose)
    ahead = (y * float(normal[1]))[None, :, None] + (z * float(normal[2]))[None, None, :] - offset_mm
    return (ahead > 0).expand(WINDOW) & (fine_mm > chance.between(4, 10))


def draw_voxel_mm(chance):
    """Length of the scanner's voxels along each axis, mm: equal ones, slices of up to 7.5 mm, or all coarse."""
    voxel_mm = numpy.full(3, chance.between(1, 2.2))
    kind = chance.numbers.rand()
    if kind < 0.42:
        slice_mm = chance.between(3, 7.5)
        voxel_mm[chance.numbers.choice(3, p=[0.35, 0.25, 0.4])] = slice_mm
    elif kind < 0.52:
        voxel_mm[:] = chance.between(SLICED_MM, 4)
    return voxel_mm


def slice_matrix(n, slice_mm, thick_mm, offset_mm):
    """n × n: the mean over each slice of `thick_mm`, one each `slice_mm`, and linear interpolation back to the grid of 2 mm."""
    x = numpy.arange(n) * float(VOXEL_MM)
    n_slices = math.ceil(n * VOXEL_MM / slice_mm) + 2
    centre = offset_mm + (numpy.arange(n_slices) - 1) * slice_mm
    mean = numpy.clip((thick_mm / 2 + 1 - numpy.abs(x[None] - centre[:, None])) / VOXEL_MM, 0, 1)
    mean /= numpy.maximum(mean.sum(1, keepdims=True), 1e-6)
    at = (x - centre[0]) / slice_mm
    left = numpy.clip(numpy.floor(at).astype(int), 0, n_slices - 2)
    share = numpy.clip(at - left, 0, 1)
    back = numpy.zeros((n, n_slices))
    back[numpy.arange(n), left] = 1 - share
    back[numpy.arange(n), left + 1] += share
    return torch.tensor(back @ mean, dtype=torch.float32)


def cut_slices(chance, image, voxel_mm, gap):
    """`gap` is the share of a slice's step that the slice is thick."""
    products = ("ij,jyz->iyz", "ij,xjz->xiz", "ij,xyj->xyi")
    for axis, product in enumerate(products):
        if voxel_mm[axis] > SLICED_MM:
            offset_mm = chance.between(0, voxel_mm[axis])
            thick_mm = max(voxel_mm[axis] * gap, VOXEL_MM)
            matrix = slice_matrix(WINDOW[axis], voxel_mm[axis], thick_mm, offset_mm)
            image = torch.einsum(product, matrix, image)
    return image


def blur(image):
    padded = functional.pad(image[None, None], (1,) * 6, mode="replicate")
    return functional.avg_pool3d(padded, 3, 1)[0, 0] * 0.6 + image * 0.4


def acquire(chance, image, contrast):
    """Voxels and slices of a scanner, and Rician noise."""
    gap = chance.between(0.7, 1)
    voxel_mm = draw_voxel_mm(chance)
    if chance.happens(0.4):
        image = blur(image)
    strength = chance.between(0, 0.03) if chance.happens(0.5) else chance.between(0.02, 0.12)
    sd = strength * brain_mean(contrast)
    real, imaginary = chance.normal(WINDOW) * sd, chance.normal(WINDOW) * sd
    if any(voxel_mm > SLICED_MM):
        image = cut_slices(chance, image + real * 1.5, voxel_mm, gap)
    else:
        image = image + real
    return (image * image + imaginary * imaginary).sqrt()


def postprocess(chance, image, contrast, pose):
    """Sometimes another scale of grey; sometimes the noise of an MP2RAGE's uniform image, which fills air and bone."""
    if chance.happens(0.2):
        image = image.clamp_min(0) ** chance.between(0.7, 1.4)
    if contrast.kind == "t1" and not pose.is_stripped and chance.happens(0.09):
        dark = torch.exp(-((image / (0.12 * brain_mean(contrast))) ** 2))
        image = image * (1 - dark) + dark * chance.flat(WINDOW) * chance.between(0.5, 1.3)
    return image


def in_view(pose):
    """The voxels in the field of view."""
    inside = torch.ones(WINDOW, dtype=torch.bool)
    for axis, at in enumerate(about_brain_mm(pose)):
        seen = (at >= float(pose.view[0][axis])) & (at <= float(pose.view[1][axis]))
        inside &= along(axis, seen)
    return inside


def blank(chance, image, removed, pose):
    """What is `removed` becomes 0, another constant, or noise."""
    fill = 0.0
    if chance.happens(0.5 if pose.is_stripped else 0.1):
        fill = chance.between(0, 0.5 if pose.is_stripped else 0.1)
    if fill > 0 and chance.happens(0.3):
        return torch.where(removed, fill * chance.flat(WINDOW) * 2, image)
    return torch.where(removed, torch.full((), fill), image)


def remove(chance, image, labels, fine_mm, inside, taken, pose):
    """Blank what lies outside the field of view and what programs took away (`taken`: masks or None); sometimes the air too."""
    removed = ~inside
    for mask in taken:
        if mask is not None:
            removed = removed | mask
    if chance.happens(0.25):
        removed = removed | ((labels == Tissue.AIR) & (fine_mm > 8))
    return blank(chance, image, removed, pose)
