"""The network of src/ops/brain_net.c: an encoder and a decoder of four levels.

Input: N × 8 × X × Y × Z, the blocks of a window of 2 mm (draw.split_blocks). Output: N × 1 × X × Y × Z, the signed distance to
the brain's surface at 4 mm in units of 10 mm, below 0 inside. X, Y and Z are multiples of 8.
"""

import torch
import torch.nn.functional as functional
from torch import nn

CHANNELS = (8, 24, 48, 64)
N_BLOCKS = 8
UNIT_MM = 10  # of the output


def conv(n_in, n_out):
    return nn.Conv3d(n_in, n_out, 3, padding=1)


def mix(n_in, n_out):
    return nn.Conv3d(n_in, n_out, 1)


def rectify(values):
    return functional.leaky_relu(values, 0.1)


def start(layer):
    nn.init.kaiming_normal_(layer.weight, a=0.1)
    nn.init.zeros_(layer.bias)


class Down(nn.Module):
    """Two convolutions of a level on the way down."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.first = conv(n_in, n_out)
        self.second = conv(n_out, n_out)

    def forward(self, values):
        return rectify(self.second(rectify(self.first(values))))


class Up(nn.Module):
    """A level on the way up: the level below, each voxel repeated, is added to what the way down kept; two convolutions."""

    def __init__(self, n_below, n_out):
        super().__init__()
        self.mix = mix(n_below, n_out)
        self.first = conv(n_out, n_out)
        self.second = conv(n_out, n_out)

    def forward(self, below, kept):
        repeated = functional.interpolate(self.mix(below), scale_factor=2, mode="nearest")
        merged = rectify(repeated + kept)
        return merged + rectify(self.second(rectify(self.first(merged))))


class Network(nn.Module):
    """The layers stand in the order in which brain_net.c takes them; export.py relies on it."""

    def __init__(self):
        super().__init__()
        n_in = (N_BLOCKS, *CHANNELS[:-1])
        self.down = nn.ModuleList(Down(*pair) for pair in zip(n_in, CHANNELS))
        self.up = nn.ModuleList(Up(*pair) for pair in zip(CHANNELS[:0:-1], CHANNELS[-2::-1]))
        self.answer = mix(CHANNELS[0], 1)
        self.apply(lambda part: start(part) if isinstance(part, nn.Conv3d) else None)
        with torch.no_grad():  # before it has learned: everything is outside, 10 mm away
            self.answer.weight.mul_(0.1)
            self.answer.bias.fill_(1)

    def forward(self, blocks):
        kept = [self.down[0](blocks)]
        for level in self.down[1:]:
            kept.append(level(functional.max_pool3d(kept[-1], 2)))
        values = kept.pop()
        for level in self.up:
            values = level(values, kept.pop())
        return self.answer(values)


def set_weights(network, values):
    """Fill the layers, in their order, from one row of floats (weight, then bias of each layer)."""
    numbers = sum(part.numel() for part in network.parameters())
    if len(values) != numbers:
        raise ValueError(f"expected {numbers} weights, found {len(values)}")
    nn.utils.vector_to_parameters(torch.as_tensor(values, dtype=torch.float32), network.parameters())
