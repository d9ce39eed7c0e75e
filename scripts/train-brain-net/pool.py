"""Drawn samples in memory that the drawing and the training process share."""

import sys

import draw
import geometry
import torch
import torch.multiprocessing as processes
from chance import Chance

N_POOL = 360  # samples that wait for training; each new one replaces the oldest
N_FAILURES = 20  # drawings in a row that may fail
BATCH = 2
MOST_MM = 20  # distances beyond are all alike
BLOCKS = (8, 48, 64, 64)  # of one sample: channels, voxels of 4 mm
SPAWN = processes.get_context("spawn")  # a fork would copy the threads' locks


class Pool:
    """The sample at n_drawn % N_POOL is being written and is never read."""

    def __init__(self):
        self.blocks = torch.zeros(N_POOL, *BLOCKS, dtype=torch.half).share_memory_()
        self.distance_mm = torch.zeros(N_POOL, 1, *BLOCKS[1:], dtype=torch.half).share_memory_()
        self.weight = torch.zeros(N_POOL, 1, *BLOCKS[1:], dtype=torch.half).share_memory_()
        self.n_drawn = SPAWN.Value("l", 0)
        self.stop = SPAWN.Value("b", 0)

    def put(self, sample):
        slot = self.n_drawn.value % N_POOL
        self.blocks[slot].copy_(draw.split_blocks(sample.image).half())
        self.distance_mm[slot].copy_(sample.distance_mm.clamp(-MOST_MM, MOST_MM).half())
        self.weight[slot].copy_(sample.weight.half())
        self.n_drawn.value += 1

    def take(self, random):
        """A batch of samples as floats: blocks, distance_mm, weight."""
        n_drawn = self.n_drawn.value
        if n_drawn < N_POOL:
            slots = random.randint(0, n_drawn, BATCH)
        else:
            slots = (n_drawn + 1 + random.randint(0, N_POOL - 1, BATCH)) % N_POOL
        return self.blocks[slots].float(), self.distance_mm[slots].float(), self.weight[slots].float()


def shows_brain(sample, weight, n_voxels):
    """At least `n_voxels` voxels of brain lie in the field of view by more than the share `weight`."""
    return int(((sample.distance_mm < 0) & (sample.weight > weight)).sum()) >= n_voxels


def is_wanted(pool):
    """The training process goes on; one that was killed cannot say that it ended."""
    return not pool.stop.value and processes.parent_process().is_alive()


def draw_forever(paths, seed, pool):
    """The drawing process. A drawing that fails is reported and left out; many in a row end the process."""
    torch.set_num_threads(1)
    chance = Chance(seed)
    heads = [geometry.load(path) for path in paths]
    n_failures = 0
    while is_wanted(pool):
        try:
            sample = draw.draw(chance, heads)
        except (ArithmeticError, IndexError, RuntimeError, ValueError) as error:
            n_failures += 1
            print(f"drawing after sample {pool.n_drawn.value} failed: {error!r}", file=sys.stderr, flush=True)
            if n_failures == N_FAILURES:
                raise
            continue
        n_failures = 0
        if shows_brain(sample, 0, 60):
            pool.put(sample)


def start_drawing(paths, seed):
    """(pool, process) of a new process that draws."""
    pool = Pool()
    process = SPAWN.Process(target=draw_forever, args=(paths, seed, pool), daemon=True)
    process.start()
    return pool, process
