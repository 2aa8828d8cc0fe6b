"""Largest difference between backpropagation through time and PyTorch's autograd on each recurrent cell, in float64.

Run: python benchmarks/cells_autograd.py [--steps N]

Needs PyTorch (pip install torch). The engine shows eight steps to each cell of `circuits/cells.py`, dense and
convolutional, whose softmax readout is judged at the last three; its increments are compared with the gradients that
autograd takes of the published equations. The exit status is 1 unless all differences are below 1e-10.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from circuitsim import Circuit, Clock, Convolution, Dense, Population, Projection, Protocol, Simulator
from circuitsim.circuits.cells import CELLS, make_cell
from circuitsim.circuits.errors_through_time import through_time

LIMIT, EXAMPLES, CLASSES, JUDGED = 1e-10, 4, 3, 3
SHAPES: dict[str, tuple[int, ...]] = {"dense": (5,), "convolution": (2, 4, 3)}
Tensor = torch.Tensor
Tensors = dict[str, Tensor]
State = dict[str, Tensor]


class Synapses:
    """Input and recurrent synapses of one compartment of a cell; calling them returns the summed input."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors

    def __call__(self, part: str, x: Tensor | None = None, h: Tensor | None = None) -> Tensor:
        full, total = f"cell_{part}" if part else "cell", torch.zeros(())
        for name, activity in ((f"W_{full}", x), (f"U_{full}", h)):
            if activity is not None:
                total = total + self._passed(self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"), activity)
        return total.double()

    def _passed(self, weight: Tensor, bias: Tensor | None, activity: Tensor) -> Tensor:
        if weight.ndim == 2:
            return F.linear(activity, weight, bias)
        return F.conv2d(activity, weight, bias, padding=weight.shape[2] // 2)


def decay(s: Synapses, x: Tensor, z: State) -> State:
    """Return the next state of time decay."""
    return {"h": s.tensors["U_cell.weight"][0] * z["h"] + x}


def simple(s: Synapses, x: Tensor, z: State) -> State:
    """Return the next state of the simple cell."""
    return {"h": F.elu(s("", x, z["h"]))}


def gru(s: Synapses, x: Tensor, z: State) -> State:
    """Return the next state of the GRU."""
    r, u = torch.sigmoid(s("reset", x, z["h"])), torch.sigmoid(s("update", x, z["h"]))
    return {"h": u * z["h"] + (1 - u) * torch.tanh(s("candidate", x, r * z["h"]))}


def lstm(s: Synapses, x: Tensor, z: State) -> State:
    """Return the next state of the LSTM."""
    i, f, o = (torch.sigmoid(s(part, x, z["h"])) for part in ("in", "forget", "out"))
    c = f * z["c"] + i * torch.tanh(s("new", x, z["h"]))
    return {"h": o * torch.tanh(c), "c": c}


def ugrnn(s: Synapses, x: Tensor, z: State) -> State:
    """Return the next state of the UGRNN."""
    g = torch.sigmoid(s("update", x, z["h"]))
    return {"h": g * z["h"] + (1 - g) * torch.tanh(s("candidate", x, z["h"]))}


def intersection(s: Synapses, x: Tensor, z: State) -> State:
    """Return the next state of the intersection cell."""
    hold, bypass = torch.sigmoid(s("hold", x, z["c"])), torch.sigmoid(s("bypass", x, z["c"]))
    c = hold * z["c"] + (1 - hold) * torch.tanh(s("candidate", x, z["c"]))
    return {"h": bypass * x + (1 - bypass) * torch.relu(s("answer", x, z["c"])), "c": c}


def reciprocal(s: Synapses, x: Tensor, z: State) -> State:
    """Return the next state of the reciprocal gated cell."""
    c, o = z["c"], z["h"]
    drives = [
        (1 - torch.sigmoid(s("state_gate", h=o))) * s("state_drive", x),
        (1 - torch.sigmoid(s("gate", h=c))) * s("drive", x),
    ]
    held = [(1 - torch.sigmoid(s("state_decay", h=c))) * c, (1 - torch.sigmoid(s("decay", h=o))) * o]
    return {"c": F.elu(held[0] + drives[0]), "h": F.elu(held[1] + drives[1])}


EQUATIONS: dict[str, Callable[[Synapses, Tensor, State], State]] = {
    "decay": decay, "simple": simple, "gru": gru, "lstm": lstm, "ugrnn": ugrnn, "intersection": intersection,
    "reciprocal": reciprocal,
}  # fmt: skip


def engine(kind: str, shape: tuple[int, ...], steps: int, x: np.ndarray, y: np.ndarray) -> tuple[Tensors, Tensors]:
    """Return the tensors of a circuit, and the increments that it proposes."""
    made = Convolution(3) if len(shape) == 3 else Dense()
    cell = make_cell(kind, "cell", "x", shape, inputs=made, recurrent=made)
    populations = (Population("x", shape=shape), *cell.populations, Population("y", CLASSES, "softmax"))
    projections = (*cell.projections, Projection("readout", "cell", "y", bias=True))
    circuit = through_time(Circuit(kind, populations, projections, "x", "y"))
    simulator = Simulator(circuit, Protocol(clock=Clock(steps, judged=JUDGED)), batch=EXAMPLES, dtype="float64")
    for name, tensor in simulator.tensors().items():
        simulator.load(name, 0.5 * np.random.default_rng([*name.encode()]).normal(size=tensor.shape))
    tensors = {name: torch.tensor(tensor[0].copy()) for name, tensor in simulator.tensors().items()}
    simulator.use(x, y)
    simulator.present(np.arange(EXAMPLES))
    increments = {
        name.replace("bias_increment", "bias").replace("increment", "weight"): torch.tensor(found[0].copy())
        for name, found in simulator.state.increments().items()
    }
    return tensors, increments


def difference(kind: str, shape: tuple[int, ...], steps: int) -> float:
    """Return the largest difference between increments and gradients, relative to the largest of each tensor."""
    random = np.random.default_rng(1)
    x, y = random.normal(size=(EXAMPLES, int(np.prod(shape)))), random.integers(0, CLASSES, EXAMPLES)
    tensors, increments = engine(kind, shape, steps, x, y)
    tensors = {name: tensor.requires_grad_() for name, tensor in tensors.items()}
    shown = torch.tensor(x).reshape(EXAMPLES, *shape)
    z, loss = {key: torch.zeros_like(shown) for key in ("h", "c")}, torch.zeros(())
    for step in range(steps):
        z = z | EQUATIONS[kind](Synapses(tensors), shown, z)
        if step >= steps - JUDGED:
            logits = F.linear(z["h"].flatten(1), tensors["readout.weight"], tensors["readout.bias"])
            loss = loss + F.cross_entropy(logits, torch.tensor(y), reduction="sum")
    loss.backward()  # type: ignore[no-untyped-call]
    return max(
        float((increments[name] + tensors[name].grad).abs().max() / increments[name].abs().max()) for name in increments
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the largest difference of each cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8)
    steps = parser.parse_args(arguments).steps
    worst = 0.0
    for kind in CELLS:
        for label, shape in SHAPES.items():
            found = difference(kind, shape, steps)
            worst = max(worst, found)
            print(f"{kind:13} {label:12} {found:.1e}")
    return int(not worst < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
