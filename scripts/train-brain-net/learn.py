"""The training: one process draws, this one learns, each on one thread."""

import math
import time

import judge
import numpy
import torch
import weights
from network import UNIT_MM, Network
from pool import BLOCKS, start_drawing
from torch import nn

N_FIRST = 30  # samples before training starts
WARM_UP = 150  # steps
REPORT_STEPS = 100
JUDGE_S = 240


def loss_of(answer, distance_mm, weight):
    """The distance's error, near the surface counted up to five times, and one minus a soft Dice coefficient.
    All N × 1 × X × Y × Z; `answer` in units of UNIT_MM."""
    near = 1 + 4 * torch.exp(-distance_mm.abs() / 4)
    error = (weight * near * (answer - distance_mm / UNIT_MM).abs()).sum() / weight.sum().clamp_min(1) / 1.5
    found = torch.sigmoid(-answer * UNIT_MM / 2) * weight
    true = torch.sigmoid(-distance_mm) * weight
    voxels = (1, 2, 3, 4)
    both, each = (found * true).sum(voxels), (found * found).sum(voxels) + (true * true).sum(voxels)
    return error + (1 - (2 * both + 50) / (each + 50)).mean()


def mirror(blocks):
    """Left to right, the order of the voxels of 2 mm in a block too."""
    return blocks.view(2, 2, 2, *BLOCKS[1:]).flip(0, 3).reshape(BLOCKS)


def vary(random, blocks, distance_mm, weight):
    """Mirror, change the contrast and the scale of each sample by chance. In place."""
    for k in range(len(blocks)):
        if random.rand() < 0.5:
            blocks[k], distance_mm[k], weight[k] = mirror(blocks[k]), distance_mm[k].flip(1), weight[k].flip(1)
        if random.rand() < 0.5:
            blocks[k] = blocks[k].pow(float(numpy.exp(random.randn() * 0.15)))
        blocks[k] *= float(numpy.exp(random.randn() * 0.12))
    blocks.clamp_(0, 2)


class Trainer:
    """`mean` is the running average of the weights: it is judged and kept. `options`: those of train.py."""

    def __init__(self, start, options):
        torch.manual_seed(options.seed)
        self.random = numpy.random.RandomState(options.seed)
        self.rate = options.rate
        self.bfloat16 = options.bfloat16
        self.network = Network().to(memory_format=torch.channels_last_3d)
        if start:
            self.network.load_state_dict(start)
        self.mean = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self.network.parameters(), self.rate, weight_decay=1e-5, betas=(0.9, 0.99))
        self.n_steps = 0

    def set_rate(self, done):
        """`done`: the share of the time that has passed. A short rise, then half a cosine down to a hundredth."""
        falling = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * min(1, (self.n_steps + 1) / WARM_UP) * falling

    def step(self, pool, done):
        """One batch. Returns its loss; NaN, and nothing learned, when that is not finite."""
        self.set_rate(done)
        blocks, distance_mm, weight = pool.take(self.random)
        vary(self.random, blocks, distance_mm, weight)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            answer = self.network(blocks.to(memory_format=torch.channels_last_3d))
        loss = loss_of(answer.float(), distance_mm, weight)
        if not torch.isfinite(loss):
            return math.nan
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.n_steps += 1
        self.average()
        return loss.item()

    def average(self):
        """Move the running average; it forgets faster at the start."""
        keep = min(0.998, 1 - 1 / (10 + self.n_steps * 0.5))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.mean[name].mul_(keep).add_(value, alpha=1 - keep)

    def save(self, folder):
        partial = folder / "network.pt.partial"
        torch.save({"mean": self.mean, "last": self.network.state_dict(), "steps": self.n_steps}, partial)
        partial.replace(folder / "network.pt")

    def judge(self, samples, minutes):
        network = Network()
        network.load_state_dict(self.mean)
        score = judge.judge(network, samples)
        print(
            f"step {self.n_steps}, {minutes:.1f} min: Dice mean {score.dice.mean():.4f}, least {score.dice.min():.4f}; "
            f"error at the surface {score.border_mm.mean():.2f} mm",
            flush=True,
        )


def check_alive(process):
    if not process.is_alive():
        raise SystemExit(f"the drawing process ended with status {process.exitcode}; its message is above")


def wait_for_samples(pool, process):
    while pool.n_drawn.value < N_FIRST:
        check_alive(process)
        time.sleep(0.5)


def run_steps(trainer, pool, process, samples, options):
    """Train for the given minutes; judge and save now and then."""
    start_s = judged_s = time.monotonic()
    losses = []
    while (done := (time.monotonic() - start_s) / (60 * options.minutes)) < 1:
        losses.append(trainer.step(pool, done))
        if len(losses) == REPORT_STEPS:
            check_alive(process)
            loss, n_drawn = numpy.nanmean(losses), pool.n_drawn.value
            print(f"step {trainer.n_steps}, {done * options.minutes:.1f} min: loss {loss:.4f}, {n_drawn} drawn", flush=True)
            losses = []
        if time.monotonic() - judged_s > JUDGE_S:
            trainer.judge(samples, done * options.minutes)
            trainer.save(options.out)
            judged_s = time.monotonic()


def learn(training, judging, start, options):
    """Train on prepared maps, judge on others; OUT then holds network.pt and brain_net.q8. `start`: {name: tensor}, or None for
    chance weights; `options`: those of train.py."""
    torch.set_num_threads(1)
    trainer = Trainer(start, options)
    pool, process = start_drawing(training, options.seed)
    samples = judge.judged_samples(judging)
    trainer.judge(samples, 0)
    wait_for_samples(pool, process)
    run_steps(trainer, pool, process, samples, options)
    trainer.judge(samples, options.minutes)
    trainer.save(options.out)
    pool.stop.value = 1
    process.join(10)
    weights.write(trainer.mean, options.out / "brain_net.q8")
