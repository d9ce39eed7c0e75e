"""Random numbers of one drawing process: the same seed gives the same sequence of samples."""

import numpy
import torch
import torch.nn.functional as functional


class Chance:
    def __init__(self, seed):
        self.numbers = numpy.random.RandomState(seed)
        self.voxels = torch.Generator().manual_seed(seed)

    def happens(self, probability):
        return self.numbers.rand() < probability

    def between(self, low, high):
        return float(self.numbers.uniform(low, high))

    def normal(self, shape):
        """Independent normal values, a tensor."""
        return torch.randn(*shape, generator=self.voxels)

    def flat(self, shape):
        """Independent values of 0 to 1, a tensor."""
        return torch.rand(*shape, generator=self.voxels)

    def field(self, nodes, shape):
        """A smooth field, 1 × 1 × shape: normal values at `nodes` control points of each axis, linear between them."""
        return functional.interpolate(self.normal((1, 1, *nodes)), size=tuple(shape), mode="trilinear", align_corners=True)

    def nodes(self, low, high):
        """Numbers of control points of three axes, `low` to `high` - 1."""
        return [int(self.numbers.randint(low, high)) for _ in range(3)]
