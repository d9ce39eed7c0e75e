"""How well a network finds the brain in samples of heads that never train."""

import collections

import draw
import geometry
import numpy
import torch
from chance import Chance
from network import UNIT_MM
from pool import MOST_MM, shows_brain

N_JUDGED = 48  # samples
SEED = 7  # the same for all runs, so that runs compare

Score = collections.namedtuple("Score", "dice border_mm")  # an array each, a value for each sample


def judged_samples(paths):
    """[(blocks, distance_mm, weight)] of prepared maps."""
    chance = Chance(SEED)
    heads = [geometry.load(path) for path in paths]
    samples = []
    while len(samples) < N_JUDGED:
        sample = draw.draw(chance, heads)
        if shows_brain(sample, 0.5, 200):
            distance_mm = sample.distance_mm.clamp(-MOST_MM, MOST_MM)
            samples.append((draw.split_blocks(sample.image), distance_mm, sample.weight))
    return samples


def occupied(distance_mm):
    """The share of a voxel of 4 mm that lies in the brain."""
    return (0.5 - distance_mm / 4).clamp(0, 1)


def judge(network, samples):
    """Dice coefficient by shares of voxels, and mean error within 3 mm of the true surface, in the field of view."""
    dice, border_mm = [], []
    with torch.no_grad():
        for blocks, distance_mm, weight in samples:
            found_mm = network(blocks[None])[0, 0] * UNIT_MM
            seen = weight > 0.5
            found, true = occupied(found_mm) * seen, occupied(distance_mm) * seen
            dice.append(float(2 * torch.minimum(found, true).sum() / (found.sum() + true.sum())))
            border_mm.append(float((found_mm - distance_mm)[(distance_mm.abs() < 3) & seen].abs().mean()))
    return Score(numpy.array(dice), numpy.array(border_mm))
