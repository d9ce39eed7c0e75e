"""The mean and the spread of each tissue's intensity in one drawn image. White matter of a T1-weighted image is 1."""

import collections

import numpy
import torch
from tissue import Tissue as T

Contrast = collections.namedtuple("Contrast", "kind mean spread")  # mean, spread: a value for each class, float tensors
UNEVEN = [T.MUCOSA, T.FAT, T.MUSCLE, T.SOFT, T.MARROW]


def brain_mean(contrast):
    return float(contrast.mean[T.WHITE : T.STEM + 1].mean())


def in_order(values):
    """A value for each class from {class: value}; classes without one are 0."""
    mean = numpy.zeros(len(T))
    for tissue, value in values.items():
        mean[tissue] = value
    return mean


def t1_tissue(chance):
    """White and grey matter; sometimes alike, as in infants of some months."""
    if chance.happens(0.15):
        return chance.between(0.6, 0.8), chance.between(0.65, 0.9)
    return 1.0, chance.between(0.55, 0.85)


def add_gadolinium(chance, mean):
    u = chance.between
    mean[T.VEIN], mean[T.DURA], mean[T.MUCOSA], mean[T.ARTERY] = u(1.2, 2.5), u(0.8, 2.2), u(1, 2), u(1, 2.2)
    mean[T.MUSCLE] *= u(1, 1.3)


def suppress_fat(chance, mean, probability):
    if not chance.happens(probability):
        return
    mean[[T.FAT, T.MARROW, T.SOFT]] *= chance.between(0.1, 0.5)
    if chance.happens(0.5):
        mean[T.SKIN] *= chance.between(0.3, 1)


def t1(chance):
    u = chance.between
    white, grey = t1_tissue(chance)
    fluid, fat, muscle = u(0.1, 0.4), u(0.9, 2.2), u(0.35, 0.75)
    mean = in_order({
        T.WHITE: white, T.CORTEX: grey, T.DEEP_GREY: u(grey, white) if white > grey else grey,
        T.VENTRICLE: fluid * u(0.7, 1.1), T.CEREBELLAR_WHITE: white * u(0.9, 1.05), T.CEREBELLAR_CORTEX: grey * u(0.9, 1.1),
        T.STEM: white * u(0.8, 1.02), T.FLUID: fluid * u(0.8, 1.4), T.DURA: fluid * u(0.8, 2), T.VEIN: u(0.2, 0.9),
        T.ARTERY: u(0.2, 1.6), T.EYE: fluid * u(0.6, 1.3), T.EYE_MUSCLE: muscle, T.MUCOSA: u(0.3, 0.9), T.SKIN: u(0.4, 1.2),
        T.FAT: fat, T.MUSCLE: muscle, T.SOFT: u(muscle, fat), T.BONE: u(0.02, 0.25), T.MARROW: u(0.2, 1) * fat,
        T.CORD: white * u(0.7, 1), T.LESION: u(0.2, 1.1),
    })  # fmt: skip
    if chance.happens(0.2):
        add_gadolinium(chance, mean)
    suppress_fat(chance, mean, 0.18)
    return mean


def t2(chance):
    u = chance.between
    white, grey, fluid, fat, muscle = u(0.25, 0.45), u(0.4, 0.65), u(0.8, 1.4), u(0.2, 1.1), u(0.1, 0.3)
    if chance.happens(0.15):  # white matter like grey matter or brighter, as in an infant
        white = u(0.55, 0.85)
    mean = in_order({
        T.WHITE: white, T.CORTEX: grey, T.DEEP_GREY: u(0.25, grey), T.VENTRICLE: fluid, T.CEREBELLAR_WHITE: white,
        T.CEREBELLAR_CORTEX: grey * u(0.9, 1.1), T.STEM: u(white, grey), T.FLUID: fluid * u(0.8, 1), T.DURA: u(0.1, fluid),
        T.VEIN: u(0.05, 0.6), T.ARTERY: u(0.03, 0.3), T.EYE: fluid * u(0.8, 1.1), T.EYE_MUSCLE: muscle,
        T.MUCOSA: u(0.4, 1.2), T.SKIN: u(0.2, 0.7), T.FAT: fat, T.MUSCLE: muscle, T.SOFT: u(muscle, fat),
        T.BONE: u(0.02, 0.12), T.MARROW: u(0.1, 1) * fat, T.CORD: white * u(0.9, 1.3), T.LESION: u(0.3, 1.2),
    })  # fmt: skip
    suppress_fat(chance, mean, 0.15)
    return mean


def flair(chance):
    u = chance.between
    white, grey, fluid, fat, muscle = u(0.45, 0.7), u(0.6, 0.9), u(0.03, 0.3), u(0.2, 1.6), u(0.15, 0.45)
    mean = in_order({
        T.WHITE: white, T.CORTEX: grey, T.DEEP_GREY: u(white, grey), T.VENTRICLE: fluid, T.CEREBELLAR_WHITE: white,
        T.CEREBELLAR_CORTEX: grey * u(0.9, 1.1), T.STEM: u(white, grey), T.FLUID: fluid * u(0.8, 2), T.DURA: u(0.05, 0.6),
        T.VEIN: u(0.05, 0.5), T.ARTERY: u(0.03, 0.5), T.EYE: fluid * u(0.6, 1.4), T.EYE_MUSCLE: muscle,
        T.MUCOSA: u(0.3, 1.4), T.SKIN: u(0.2, 1), T.FAT: fat, T.MUSCLE: muscle, T.SOFT: u(muscle, fat),
        T.BONE: u(0.02, 0.2), T.MARROW: u(0.1, 1) * fat, T.CORD: white, T.LESION: u(0.1, 1.4),
    })  # fmt: skip
    suppress_fat(chance, mean, 0.15)
    return mean


def newborn_t1(chance):
    """Without myelin white matter is darker than grey; deep grey matter and the stem, which have it first, are bright."""
    u = chance.between
    mean = t1(chance)
    white, grey = u(0.5, 0.75), u(0.65, 0.95)
    mean[[T.WHITE, T.CORTEX, T.DEEP_GREY]] = white, grey, grey * u(0.95, 1.15)
    mean[[T.CEREBELLAR_WHITE, T.CEREBELLAR_CORTEX, T.STEM, T.CORD]] = u(white, 1), grey * u(0.9, 1.1), u(0.7, 1), u(0.7, 1)
    mean[T.BONE] = u(0.03, 0.3)
    return mean


def newborn_t2(chance):
    """White matter is brighter than grey; fluid is hardly brighter than it."""
    u = chance.between
    mean = t2(chance)
    white, grey = u(0.75, 1.1), u(0.5, 0.75)
    fluid = white * u(1, 1.4)
    mean[[T.WHITE, T.CORTEX, T.DEEP_GREY]] = white, grey, grey * u(0.75, 1)
    mean[[T.CEREBELLAR_WHITE, T.CEREBELLAR_CORTEX, T.STEM, T.CORD]] = u(grey, white), grey * u(0.9, 1.1), u(0.4, 0.7), u(0.4, 0.8)
    mean[[T.VENTRICLE, T.FLUID, T.DURA, T.EYE]] = fluid, fluid * u(0.8, 1), u(0.1, 1) * fluid, fluid * u(0.8, 1.1)
    mean[T.BONE] = u(0.02, 0.25)
    return mean


def link_tissue(chance, mean):
    """The cerebellum, the stem and deep grey matter are like the cerebrum's two tissues or between them. In place."""
    u = chance.between
    low, high = sorted((mean[T.WHITE], mean[T.CORTEX] + 1e-6))
    mean[T.CEREBELLAR_WHITE] = mean[T.WHITE] * u(0.85, 1.15)
    mean[T.CEREBELLAR_CORTEX] = mean[T.CORTEX] * u(0.85, 1.15)
    mean[T.STEM] = u(low, high)
    mean[T.DEEP_GREY] = u(low, high)


def any_contrast(chance):
    """Each tissue's intensity is independent of the others', but for what usually is alike."""
    mean = chance.numbers.uniform(0.02, 1, len(T))
    if chance.happens(0.6):
        link_tissue(chance, mean)
    if chance.happens(0.7):
        mean[T.BONE] = chance.between(0, 0.25)
    if chance.happens(0.5):
        mean[T.VENTRICLE] = mean[T.FLUID]
    if chance.happens(0.5):
        mean[T.DURA] = mean[T.FLUID]
    mean[T.AIR] = 0 if chance.happens(0.8) else chance.between(0, 0.3)
    return mean


# Cumulative probability.
KINDS = ((0.5, "t1", t1), (0.65, "t2", t2), (0.77, "flair", flair), (1, "any", any_contrast))
INFANT = ((0.28, "t1", newborn_t1), (0.56, "t2", newborn_t2), (0.68, "t1", t1), (0.92, "t2", t2), (1, "any", any_contrast))


def draw_contrast(chance, pose):
    number = chance.numbers.rand()
    kinds = INFANT if pose.is_infant else KINDS
    kind, draw_mean = next((kind, draw_mean) for below, kind, draw_mean in kinds if number < below)
    mean = draw_mean(chance)
    spread = numpy.abs(chance.numbers.randn(len(T))) * 0.06 * mean + 0.01
    spread[UNEVEN] = mean[UNEVEN] * chance.numbers.uniform(0.05, 0.3, len(UNEVEN))
    spread[T.AIR] = 0
    return Contrast(kind, torch.tensor(mean, dtype=torch.float32), torch.tensor(spread, dtype=torch.float32))


def paint(chance, labels, contrast):
    """An image from classes: each voxel its class's mean and a texture, fine or with smooth parts; at least 0."""
    texture = chance.normal(labels.shape)
    if chance.happens(0.6):
        texture = texture * 0.6 + chance.field([n // 6 for n in labels.shape], labels.shape)[0, 0]
    return (contrast.mean[labels] + contrast.spread[labels] * texture).clamp_min(0)
