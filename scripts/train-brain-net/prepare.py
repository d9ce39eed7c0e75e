"""Label maps of whole heads to maps of tissue classes in six variants, and the signed distance to the brain's surface.

All maps are of 1 mm, axes to right, front and top, cropped to the head. A file NN.npz of the folder of prepared maps holds
  as_is, thin_skull, thick_skull, atrophy, strong_atrophy, infant   classes (tissue.py), uint8, X × Y × Z
  distance_mm   signed distance to the brain's surface at every second voxel, below 0 inside, float16
  brain_box, head_box   first and last voxel, 2 × 3
"""

import pathlib
import zipfile
import zlib

import nibabel
import numpy
from scipy import ndimage
from tissue import LABELS, Tissue

VARIANTS = ("as_is", "thin_skull", "thick_skull", "atrophy", "strong_atrophy", "infant")
BRAIN = (
    *(2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 25, 26, 28, 30, 41, 42, 43, 44, 46, 47, 49, 50, 51, 52, 53, 54),
    *(57, 58, 60, 62, 72, 77, 85, 136, 137, 163, 164),
)
CEREBELLUM = (7, 8, 46, 47)
CORD_LABEL = 512  # the cord above the cerebellum's lowest level belongs to the stem
CLOSING_MM = 6.5
PAD = 12  # voxels around a map, so that closing does not meet its border
PIA_MM = 0.4  # the surface is the outer face of the pia

depth = ndimage.distance_transform_edt  # of each voxel that is set, to the next that is not


def largest_piece(mask):
    pieces, _ = ndimage.label(mask)
    sizes = numpy.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces == sizes.argmax()


def read_image(path):
    """The labels of a whole head, axes to right, front and top; an error names the file."""
    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
        labels = numpy.asanyarray(image.dataobj).astype(numpy.int16)
    except (OSError, EOFError, ValueError, zlib.error, nibabel.filebasedimages.ImageFileError) as error:
        raise SystemExit(f"'{path}': expected a label map in NIfTI, could not read it ({error}); fetch it again") from error
    sides_mm = image.header.get_zooms()[:3]
    if labels.ndim != 3 or not numpy.allclose(sides_mm, 1, atol=0.01):
        raise SystemExit(f"'{path}': expected three axes of 1 mm, found shape {labels.shape} and {sides_mm} mm")
    if not numpy.isin(labels, CEREBELLUM).any():
        raise SystemExit(f"'{path}': expected labels of the cerebellum, {CEREBELLUM}, found none; is this a map of a whole head?")
    return labels


def read_labels(path):
    """The head alone, cropped, with a margin at the sides and the top; int16."""
    labels = read_image(path)
    head = largest_piece(ndimage.binary_opening(labels > 0))
    labels[~ndimage.binary_dilation(head, iterations=2)] = 0
    inside = numpy.argwhere(labels > 0)
    low = numpy.maximum(inside.min(0) - [3, 3, 0], 0)
    high = numpy.minimum(inside.max(0) + 4, labels.shape)
    cropped = labels[tuple(slice(a, b) for a, b in zip(low, high))]
    return numpy.pad(cropped, ((3, 3), (3, 3), (0, 6)))


def brain_mask(labels):
    """Brain tissue, closed, its holes filled, smooth, the stem cut at the cerebellum's lowest level."""
    lowest = int(numpy.percentile(numpy.argwhere(numpy.isin(labels, CEREBELLUM))[:, 2], 0.2))
    tissue = numpy.isin(labels, BRAIN) | (labels == CORD_LABEL)
    tissue[:, :, :lowest] = False
    padded = numpy.pad(largest_piece(tissue), PAD)
    closed = (depth(depth(~padded) <= CLOSING_MM) > CLOSING_MM) | padded
    smooth = ndimage.gaussian_filter(ndimage.binary_fill_holes(closed).astype(numpy.float32), 1.6)
    mask = smooth[PAD:-PAD, PAD:-PAD, PAD:-PAD] > 0.5
    mask[:, :, : max(lowest - 1, 0)] = False
    return largest_piece(mask)


def signed_distance_mm(mask):
    distance = numpy.where(mask, -(depth(mask) - 0.5), depth(~mask) - 0.5) - PIA_MM
    return numpy.clip(ndimage.gaussian_filter(distance.astype(numpy.float32), 0.7), -40, 60)


def outside_air(labels):
    """The air that reaches a side or the top of the map; a nose's or an ear's is not part of it."""
    pieces, _ = ndimage.label(labels == 0)
    faces = (pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1], pieces[:, :, -1])
    reached = set().union(*(numpy.unique(face).tolist() for face in faces)) - {0}
    return numpy.isin(pieces, list(reached))


def smooth_noise(random, shape, sigma):
    field = ndimage.gaussian_filter(random.randn(*shape).astype(numpy.float32), sigma)
    return field / field.std()


def classes_of(labels):
    table = numpy.zeros(1024, numpy.uint8)
    for tissue, numbers in LABELS.items():
        table[list(numbers)] = tissue
    return table[numpy.clip(labels, 0, 1023)]


def is_bone(classes):
    return numpy.isin(classes, [Tissue.BONE, Tissue.MARROW])


def refine(classes, distance_mm, skin_depth, noise):
    """What the label maps do not tell apart: fat in soft tissue, marrow in thick bone, dura next to bone. In place."""
    classes[(classes == Tissue.MUSCLE) & (skin_depth < 5 + 1.5 * noise)] = Tissue.FAT
    classes[(classes == Tissue.MUSCLE) & (noise > 0.9)] = Tissue.SOFT
    bone = is_bone(classes)
    classes[(classes == Tissue.BONE) & (depth(bone) > 2.2)] = Tissue.MARROW
    classes[(classes == Tissue.FLUID) & (depth(~bone) < 1.6) & (distance_mm > 0.5)] = Tissue.DURA


def thin_skull(classes, distance_mm):
    """Soft tissue grows into the bone from outside; 1 to 2 mm of bone stay."""
    soft = numpy.isin(classes, [Tissue.SKIN, Tissue.FAT, Tissue.MUSCLE, Tissue.SOFT]) & (distance_mm > 2)
    within = (distance_mm < 1) | numpy.isin(classes, [Tissue.FLUID, Tissue.DURA, Tissue.VEIN])
    variant = classes.copy()
    variant[is_bone(classes) & (depth(~soft) < 4) & (depth(~within) > 1.9)] = Tissue.FAT
    return variant


def thick_skull(classes, distance_mm, skin_depth):
    """Bone grows outwards over the vault by 3 mm."""
    soft = numpy.isin(classes, [Tissue.FAT, Tissue.MUSCLE, Tissue.SOFT])
    grown = soft & (depth(~is_bone(classes)) < 3.2) & (distance_mm < 22) & (skin_depth > 2.5)
    variant = classes.copy()
    variant[grown] = Tissue.BONE
    variant[(variant == Tissue.BONE) & (depth(is_bone(variant)) > 2)] = Tissue.MARROW
    return variant


def atrophy(classes, lost, ventricle_mm, cortex_mm):
    """Brain tissue that is `lost` becomes fluid, ventricles widen by `ventricle_mm`; white matter within `cortex_mm` of fluid
    becomes cortex, so that the cortex stays."""
    parenchyma = (Tissue.WHITE, Tissue.CORTEX, Tissue.DEEP_GREY, Tissue.CEREBELLAR_WHITE, Tissue.CEREBELLAR_CORTEX)
    variant = classes.copy()
    variant[numpy.isin(classes, parenchyma) & lost] = Tissue.FLUID
    widened = depth(classes != Tissue.VENTRICLE) < ventricle_mm
    variant[numpy.isin(classes, [Tissue.WHITE, Tissue.DEEP_GREY]) & widened] = Tissue.VENTRICLE
    fluid_mm = depth(~numpy.isin(variant, [Tissue.FLUID, Tissue.DURA]))
    variant[(variant == Tissue.WHITE) & (fluid_mm < cortex_mm)] = Tissue.CORTEX
    return variant


def infant(classes, distance_mm, fluid_mm):
    """Fluid ends `fluid_mm` outside the brain, a thin bone without marrow follows; what lies further out is soft."""
    fluid = numpy.isin(classes, [Tissue.FLUID, Tissue.DURA])
    variant = classes.copy()
    variant[fluid & (distance_mm > fluid_mm)] = Tissue.BONE
    within = (distance_mm < 1) | (numpy.isin(classes, [Tissue.FLUID, Tissue.DURA, Tissue.VEIN]) & (distance_mm <= fluid_mm))
    from_within = depth(~within)
    bone = is_bone(variant)
    variant[bone & (from_within <= 3)] = Tissue.BONE
    variant[bone & (from_within > 3)] = Tissue.MUSCLE
    variant[bone & (from_within > 3) & (from_within < 7) & (distance_mm < 14)] = Tissue.FAT
    return variant


def variants(labels, distance_mm, seed):
    """{variant: classes}."""
    random = numpy.random.RandomState(seed)
    skin_depth = depth(~outside_air(labels))
    classes = classes_of(labels)
    refine(classes, distance_mm, skin_depth, smooth_noise(random, labels.shape, 3))
    noise = smooth_noise(random, labels.shape, 9)
    fluid_mm = depth(~numpy.isin(classes, [Tissue.FLUID, Tissue.DURA]))
    much = (fluid_mm < 2.6 + 0.6 * noise) | (distance_mm > -2.2 - noise)
    return {
        "as_is": classes,
        "thin_skull": thin_skull(classes, distance_mm),
        "thick_skull": thick_skull(classes, distance_mm, skin_depth),
        "atrophy": atrophy(classes, fluid_mm < 1.5 + 0.4 * noise, 3.5 + 1.2 * noise, 2.6),
        "strong_atrophy": atrophy(classes, much, 8 + 3 * noise, 2.8),
        "infant": infant(classes, distance_mm, 2.2 + 0.8 * noise),
    }


def box_of(mask):
    inside = numpy.argwhere(mask)
    return numpy.array([inside.min(0), inside.max(0)])


def label_path(folder, number):
    return pathlib.Path(folder, f"training_seg_{number:02d}.nii.gz")


def check_labels(folder, numbers):
    """Leave with a message when maps are absent."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise SystemExit(f"'{folder}': expected the folder of the label maps, found none; README.md beside train.py says where to get them")
    absent = [label_path(folder, number).name for number in numbers if not label_path(folder, number).is_file()]
    if absent:
        names = ", ".join(absent[:3]) + (" and others" if len(absent) > 3 else "")
        raise SystemExit(
            f"'{folder}': expected {len(numbers)} label maps, {len(absent)} of them are absent ({names}); "
            "add them, or name with --maps those that are there"
        )


def prepare(folder, number, prepared):
    """Write the prepared map of one label map; its number is the seed of its variants. Returns the file."""
    labels = read_labels(label_path(folder, number))
    distance_mm = signed_distance_mm(brain_mask(labels))
    path = pathlib.Path(prepared, f"{number:02d}.npz")
    partial = path.with_suffix(".partial.npz")
    numpy.savez(
        partial,
        distance_mm=distance_mm[::2, ::2, ::2].astype(numpy.float16),
        brain_box=box_of(distance_mm < 0),
        head_box=box_of(labels != 0),
        **variants(labels, distance_mm, number),
    )
    partial.replace(path)
    print(f"{path}: {labels.shape} voxels, brain {(distance_mm < 0).sum() / 1000:.0f} ml", flush=True)
    return path


def is_prepared(path):
    """An earlier run prepared the map whole, with all variants of today."""
    try:
        with numpy.load(path) as file:
            return set(VARIANTS) <= set(file.files)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return False


def prepare_all(folder, numbers, prepared):
    """{number: file}; maps that an earlier run prepared are taken as they are."""
    paths = {number: pathlib.Path(prepared, f"{number:02d}.npz") for number in numbers}
    pending = [number for number, path in paths.items() if not is_prepared(path)]
    if pending:
        check_labels(folder, pending)
    pathlib.Path(prepared).mkdir(parents=True, exist_ok=True)
    for number in pending:
        prepare(folder, number, prepared)
    return paths
