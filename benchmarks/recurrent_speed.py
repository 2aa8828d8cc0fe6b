"""CPU time of an epoch through a recurrent network of four layers and 12 steps, beside the same network in PyTorch.

Run: NUMBA_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/recurrent_speed.py [--images N] [--rounds N]

Needs PyTorch (pip install torch). Images of 3 x 16 x 16 pass two drives (relu of a convolution to 16 and 32 channels),
a simple recurrent convolutional cell on each, and a dense softmax layer; the image is shown for 12 steps, the output is
judged at the last two, and errors run back over all steps. Both sides use one thread, float32, batches of 50 and SGD
with momentum. Rounds alternate; the medians of CPU time are scaled to 10,000 images, and the exit status is 1 if the
ratio is above 1.3.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from circuitsim import Clock, Protocol, Simulator
from circuitsim.circuits.errors_through_time import through_time
from circuitsim.circuits.recurrent import recurrent_classifier

SIDE, STEPS, JUDGED, BATCH, EPOCH, MOST = 16, 12, 2, 50, 10_000, 1.3


class Network(nn.Module):
    """The same network by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.drives = nn.ModuleList([nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)])
        self.inputs = nn.ModuleList([nn.Conv2d(n, n, 3, padding=1) for n in (16, 32)])
        self.states = nn.ModuleList([nn.Conv2d(n, n, 3, padding=1, bias=False) for n in (16, 32)])
        self.readout = nn.Linear(32 * (SIDE // 4) ** 2, 10)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits of each step."""
        held = [torch.zeros(len(x), n, SIDE // k, SIDE // k) for n, k in ((16, 1), (32, 2))]
        found = []
        for _ in range(STEPS):
            below = x
            for k in (0, 1):
                driven = F.relu(self.drives[k](below))
                held[k] = F.elu(self.inputs[k](driven) + self.states[k](held[k]))
                below = F.max_pool2d(held[k], 2)
            found.append(self.readout(below.flatten(1)))
        return found


def engine(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], None]:
    """Return a function that trains the circuit on batches."""
    forward, _ = recurrent_classifier((3, SIDE, SIDE), [16, 32], 10, "simple", kernel=3)
    protocol = Protocol(clock=Clock(STEPS, judged=JUDGED))
    made = Simulator(through_time(forward), protocol, batch=BATCH, parameters={"lr": 0.001, "momentum": 0.9})
    made.use(x, y)
    return made.present_each


def by_hand(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], None]:
    """Return a function that trains PyTorch's network on batches."""
    torch.set_num_threads(1)
    net, images, labels = Network(), torch.tensor(x).reshape(-1, 3, SIDE, SIDE), torch.tensor(y)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)

    def train(batches: np.ndarray) -> None:
        for rows in batches:
            optimiser.zero_grad()
            losses = [F.cross_entropy(logits, labels[rows]) for logits in net(images[rows])[-JUDGED:]]
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    return train


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the CPU time of an epoch on both sides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    random = np.random.default_rng(0)
    x, y = random.random((given.images, 3 * SIDE * SIDE), np.float32), random.integers(0, 10, given.images)
    batches = np.arange(given.images // BATCH * BATCH).reshape(-1, BATCH)
    sides = {"circuit": engine(x, y), "PyTorch": by_hand(x, y)}
    for train in sides.values():
        train(batches[:1])  # compiles
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(given.rounds):
        for name, train in sides.items():
            begin = time.process_time()
            train(batches)
            taken[name].append((time.process_time() - begin) * EPOCH / batches.size)
    medians = {name: float(np.median(times)) for name, times in taken.items()}
    for name, seconds in medians.items():
        print(f"{name:8} {seconds:6.1f} s of CPU time for {EPOCH} images")
    ratio = medians["circuit"] / medians["PyTorch"]
    print(f"ratio    {ratio:6.2f}")
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
