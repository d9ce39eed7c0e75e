#!/usr/bin/env python3
"""The file of weights that the program holds (src/ops/brain_net.q8; its format: src/ops/brain_net.md), 8 bits for each weight.

As a program: write that file from a checkpoint of train.py.
"""

import argparse
import pathlib
import pickle
import zipfile

import numpy
import torch
from network import Network

LARGEST = 127


def pack_weights(weights):
    """A layer's weights, output × input × x × y × z, as bytes: a scale for each output channel, then the whole numbers of -127 to
    127 that it multiplies."""
    rows = numpy.asarray(weights, numpy.float32).reshape(len(weights), -1)
    scale = numpy.abs(rows).max(1) / numpy.float32(LARGEST)
    scale[scale == 0] = 1  # a channel of zeros
    return scale.astype("<f4").tobytes() + numpy.rint(rows / scale[:, None]).astype(numpy.int8).tobytes()


def pack(arrays):
    """Weights and bias of each layer, in the network's order, as the file's bytes."""
    return b"".join(pack_weights(a) if a.ndim > 1 else numpy.asarray(a).astype("<f4").tobytes() for a in arrays)


def packed_size(shape):
    """Bytes of an array of this shape in the file."""
    count = int(numpy.prod(shape))
    return count + 4 * shape[0] if len(shape) > 1 else 4 * count


def unpack_array(data, shape):
    if len(shape) == 1:
        return numpy.frombuffer(data, "<f4").astype(numpy.float32)
    scale = numpy.frombuffer(data, "<f4", shape[0]).astype(numpy.float32)
    numbers = numpy.frombuffer(data, numpy.int8, offset=4 * shape[0]).reshape(shape[0], -1)
    return (numbers * scale[:, None]).reshape(shape)


def unpack(data, shapes):
    """Arrays of these shapes from the file's bytes. Raises ValueError when the size is not theirs."""
    sizes = [packed_size(shape) for shape in shapes]
    if len(data) != sum(sizes):
        raise ValueError(f"expected {sum(sizes)} bytes of weights, found {len(data)}")
    ends = numpy.cumsum(sizes)
    return [unpack_array(data[end - size : end], shape) for end, size, shape in zip(ends, sizes, shapes)]


def write(state, path):
    """`state`: {name: tensor} of a network.Network. The file appears whole."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(pack([value.detach().contiguous().numpy() for value in state.values()]))
    partial.replace(path)


def read_checkpoint(path):
    if not zipfile.is_zipfile(path):
        raise ValueError("this is neither")
    return torch.load(path, weights_only=True)["mean"]


def read_packed(path, state):
    arrays = unpack(path.read_bytes(), [tuple(value.shape) for value in state.values()])
    return {name: torch.from_numpy(array) for name, array in zip(state, arrays)}


def read(path):
    """{name: tensor} for a network.Network, from a file of weights or a checkpoint of train.py; an error names the file."""
    network = Network()
    try:
        found = read_packed(path, network.state_dict()) if path.suffix == ".q8" else read_checkpoint(path)
        network.load_state_dict(found)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise SystemExit(f"'{path}': expected weights of this network, a .q8 file or a checkpoint of train.py; {reason}") from error
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="NETWORK.pt", type=pathlib.Path, help="what train.py wrote")
    parser.add_argument("out", metavar="OUT.q8", type=pathlib.Path)
    options = parser.parse_args()
    write(read(options.checkpoint), options.out)


if __name__ == "__main__":
    main()
