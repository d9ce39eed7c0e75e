"""Where a drawn head lies in its window, and the classes and the truth that it has there.

The window has 96 × 128 × 128 voxels of 2 mm, axes to right, front and top. Lengths are in mm. "About the brain" means axes of the
window with the middle of the brain's box as origin.
"""

import dataclasses

import numpy
import torch
import torch.nn.functional as functional
from prepare import VARIANTS

WINDOW = (96, 128, 128)
VOXEL_MM = 2
WINDOW_MM = numpy.array(WINDOW) * float(VOXEL_MM)
LATTICE = (25, 33, 33)  # nodes on which positions are computed
# Share of each of VARIANTS.
USUAL = (0.36, 0.22, 0.1, 0.16, 0.16, 0)
INFANT = (0.1, 0.2, 0, 0, 0, 0.7)


@dataclasses.dataclass
class Head:
    """A prepared map (prepare.py). Positions are voxels of 1 mm of the map."""

    variants: list  # of uint8 tensors, X × Y × Z
    distance_mm: torch.Tensor  # 1 × 1 × half of X, Y, Z
    centre: numpy.ndarray  # of the brain's box
    radius: numpy.ndarray  # half of the brain's box
    box: numpy.ndarray  # first and last voxel of the head, 2 × 3
    volume_ml: float  # of the brain


def load(path):
    with numpy.load(path) as file:
        distance = file["distance_mm"]
        box = file["brain_box"].astype(float)
        return Head(
            [torch.from_numpy(file[name]) for name in VARIANTS],
            torch.from_numpy(distance.astype(numpy.float32))[None, None],
            box.mean(0),
            (box[1] - box[0]) / 2,
            file["head_box"].astype(float),
            float((distance < 0).sum() * VOXEL_MM**3 / 1000),
        )


@dataclasses.dataclass
class Pose:
    head: Head
    classes: torch.Tensor  # a variant of the head
    is_infant: bool
    is_mirrored: bool
    is_small: bool  # of an infant's, a child's or an unusual size
    brain_scale: float  # of the brain against the head; None: the head as it is
    scale: numpy.ndarray  # of the head, for each axis
    rotation: numpy.ndarray  # window from head, 3 × 3
    is_stripped: bool
    view: tuple = None  # ends of the field of view about the brain: low, high
    shift: numpy.ndarray = None  # of the brain's middle from the window's corner


def brain_radius(pose):
    return pose.head.radius * pose.scale


def head_extent(pose):
    """Ends of what can be seen of the head, about the brain, roughly: low, high."""
    if pose.is_stripped:
        return -brain_radius(pose) - 2, brain_radius(pose) + 2
    low, high = (pose.head.box - pose.head.centre) * pose.scale
    return low, high


def draw_volume_ml(chance, is_infant, is_small):
    """Brains of 250 to 2000 ml."""
    if is_small:
        return numpy.exp(chance.between(numpy.log(250 if is_infant else 270), numpy.log(900 if is_infant else 1150)))
    return numpy.clip(1420 + 180 * chance.numbers.randn(), 900, 2000)


def draw_scale(chance, head, is_infant):
    """(is_small, brain_scale, scale)."""
    is_small = is_infant or chance.happens(0.27)
    volume_ml = draw_volume_ml(chance, is_infant, is_small)
    brain_scale = chance.between(0.84, 1.1) if chance.happens(0.6) else None
    scale = float(numpy.clip((volume_ml / head.volume_ml) ** (1 / 3) / (brain_scale or 1), 0.5, 1.25))
    return is_small, brain_scale, scale * numpy.exp(chance.numbers.randn(3) * 0.04)


def draw_rotation(chance):
    """Mostly a few degrees about each axis, sometimes up to 30."""
    degrees = chance.numbers.randn(3) * 9 if chance.happens(0.8) else chance.numbers.uniform(-30, 30, 3)
    (cx, cy, cz), (sx, sy, sz) = numpy.cos(numpy.deg2rad(degrees)), numpy.sin(numpy.deg2rad(degrees))
    about_x = numpy.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = numpy.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = numpy.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


def slab(chance, pose, low, high, view):
    """A slab of 55 to 100 mm along one axis. Changes `view`."""
    axis = chance.numbers.choice(3, p=[0.2, 0.15, 0.65])
    radius = brain_radius(pose)
    width = max(chance.between(55, 100), 0.3 * 2 * radius[axis])
    if axis < 2:
        last = max(low[axis] + 1, min(high[axis], radius[axis] + 10) - width)
        start = chance.between(low[axis], last)
    else:
        start = chance.between(-radius[2] - 15, high[2] + 3 - width)
    view[0][axis], view[1][axis] = start, start + width


def top(chance, pose, low, high, view):
    """Only what lies less than 45 to 80 mm below the brain's vertex. Changes `view`."""
    view[0][2] = brain_radius(pose)[2] - chance.between(45, 80)


def crop(chance, pose, low, high, view):
    """Sides that are cut a little, and often the neck. Changes `view`."""
    for axis in range(3):
        if not chance.happens(0.15):
            continue
        if chance.happens(0.5):
            view[0][axis] = low[axis] + abs(chance.numbers.randn()) * 14
        else:
            view[1][axis] = high[axis] - abs(chance.numbers.randn()) * (10 if axis == 2 else 14)
    if chance.happens(0.5):
        view[0][2] = -brain_radius(pose)[2] - chance.between(-12, 60)


def draw_view(chance, pose):
    low, high = head_extent(pose)
    view = low - chance.numbers.uniform(0, 60, 3), high + chance.numbers.uniform(0, 60, 3)
    number = chance.numbers.rand()
    change = slab if number < 0.2 else top if number < 0.25 else crop
    change(chance, pose, low, high, view)
    return view


def draw_shift(chance, pose):
    """In x and y the middle of what is seen lies in the window's middle, roughly; its top lies near the window's top."""
    low, high = head_extent(pose)
    low, high = numpy.maximum(pose.view[0], low), numpy.minimum(pose.view[1], high)
    shift = WINDOW_MM / 2 - (low + high) / 2 + chance.numbers.randn(3) * (4, 6, 0)
    shift[2] = WINDOW_MM[2] - chance.between(2, 22) - high[2]
    if chance.happens(0.15):
        shift += chance.numbers.uniform(-25, 25, 3)
    return shift


def draw_pose(chance, heads):
    head = heads[chance.numbers.randint(len(heads))]
    is_infant = chance.happens(0.11)
    classes = head.variants[chance.numbers.choice(len(VARIANTS), p=INFANT if is_infant else USUAL)]
    is_mirrored = chance.happens(0.5)
    is_small, brain_scale, scale = draw_scale(chance, head, is_infant)
    rotation = draw_rotation(chance)
    pose = Pose(head, classes, is_infant, is_mirrored, is_small, brain_scale, scale, rotation, chance.happens(0.11))
    pose.view = draw_view(chance, pose)
    pose.shift = draw_shift(chance, pose)
    return pose


def column(values):
    """Three values as a tensor of 3 × 1 × 1 × 1."""
    return torch.tensor(values, dtype=torch.float32)[:, None, None, None]


def lattice_mm():
    """Positions of the lattice's nodes in the window, 3 × 25 × 33 × 33."""
    ends = [torch.linspace(-1, n * VOXEL_MM - 1.0, nodes) for n, nodes in zip(WINDOW, LATTICE)]
    return torch.stack(torch.meshgrid(*ends, indexing="ij")).float()


def elastic_mm(chance):
    """A smooth displacement of a few mm, sometimes with a finer one, 3 × lattice."""

    def fields(nodes):
        return torch.cat([chance.field(nodes, LATTICE) for _ in range(3)], 1)[0]

    moved = fields(chance.nodes(4, 8)) * chance.between(0, 5)
    if chance.happens(0.5):
        moved = moved + fields(chance.nodes(8, 13)) * chance.between(0, 2)
    return moved


def scale_brain(at, radius, scale):
    """Scale the brain, and with distance from it less and less of the head, along rays in the brain's own ellipsoid."""
    rho = (at / column(radius)).pow(2).sum(0).sqrt().clamp_min(1e-3)
    inner = torch.where(rho < scale, rho / scale, rho + (1 - scale) * torch.exp(-(rho - scale) / 0.5))
    return at * (inner / rho)


def stretch_below(chance, at, pose):
    """Proportions of face and neck; sometimes shoulders, which widen downwards. Changes `at`."""
    base = float(-pose.head.radius[2] * chance.between(0.5, 0.9))
    stretch = chance.between(0.8, 1.9) if pose.is_small else chance.between(0.85, 1.2)
    at[2] = torch.where(at[2] < base, base + (at[2] - base) * stretch, at[2])
    if chance.happens(0.3):
        shoulder = base - chance.between(40, 80)
        narrower = 1 / (1 + (shoulder - at[2]).clamp_min(0) * chance.between(0, 0.02))
        at[0] = at[0] * narrower
        at[1] = at[1] * narrower


def positions(chance, pose):
    """For each voxel of the window its position in the head's map, in voxels, 3 × 96 × 128 × 128."""
    about_brain = lattice_mm() - column(pose.shift)
    head_from_window = torch.tensor(numpy.diag(1 / pose.scale) @ pose.rotation.T, dtype=torch.float32)
    at = torch.einsum("ij,jxyz->ixyz", head_from_window, about_brain + elastic_mm(chance))
    if pose.brain_scale is not None:
        at = scale_brain(at, pose.head.radius, pose.brain_scale)
    stretch_below(chance, at, pose)
    at = at + column(pose.head.centre)
    if pose.is_mirrored:
        at[0] = pose.classes.shape[0] - 1 - at[0]
    corners = functional.interpolate(at[None], size=[n + 1 for n in WINDOW], mode="trilinear", align_corners=True)[0]
    return (corners[:, :-1, :-1, :-1] + corners[:, 1:, 1:, 1:]) / 2


def look_up(chance, at, classes):
    """The class at each position; air outside the map. Often the map's lowest slice goes on below, as a neck does."""
    nearest = at.round().int()
    if chance.happens(0.6):
        nearest[2].clamp_(min=1)
    last = [n - 1 for n in classes.shape]
    within = torch.stack([(nearest[k] >= 0) & (nearest[k] <= last[k]) for k in range(3)]).all(0)
    x, y, z = (nearest[k].clamp(0, last[k]).long() for k in range(3))
    found = torch.take(classes, (x * classes.shape[1] + y) * classes.shape[2] + z)
    return torch.where(within, found, torch.zeros((), dtype=torch.uint8)).long()


def look_up_distance(at, distance_mm):
    """The signed distance at 4 mm, 48 × 64 × 64: the map's, made one of the window by its local slope."""
    coarse = functional.avg_pool3d(at[None], 2)[0]
    shape = distance_mm.shape[2:]
    grid = torch.stack([coarse[k] / (2 * (shape[k] - 1)) * 2 - 1 for k in (2, 1, 0)], -1)[None]
    found = functional.grid_sample(distance_mm, grid, mode="bilinear", padding_mode="border", align_corners=True)[0, 0]
    slope = sum(part**2 for part in torch.gradient(found, spacing=2.0 * VOXEL_MM)).sqrt()
    slope = functional.avg_pool3d(slope[None, None], 5, 1, 2, count_include_pad=False)[0, 0].clamp(0.5, 3)
    return (found / slope).clamp(-40, 60)


def place(chance, pose):
    """(classes at 2 mm, 96 × 128 × 128, int64; signed distance in mm at 4 mm, 48 × 64 × 64)."""
    at = positions(chance, pose)
    return look_up(chance, at, pose.classes), look_up_distance(at, pose.head.distance_mm)
