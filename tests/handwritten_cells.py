"""Recurrent cells by hand, from their published equations, in NumPy; they run on complex numbers too.

Nothing of the engine is used. `derivatives` differentiates by a step into the complex plane, which has no rounding
error: f'(w) = Im f(w + ih) / h for analytic f, exact to a number's precision for h = 1e-30.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Tensors = dict[str, Array]
States = dict[str, Array]
STEP = 1e-30


def logistic(s: Array) -> Array:
    return 1 / (1 + np.exp(-s))


def elu(s: Array) -> Array:
    return np.where(s.real > 0, s, np.exp(np.where(s.real > 0, 0, s)) - 1)


def relu(s: Array) -> Array:
    return np.where(s.real > 0, s, 0)


def softmax(s: Array) -> Array:
    raised = np.exp(s - s.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


class Synapses:
    """Sums of one cell's inputs, W x and U h and the bias, by the name of a compartment."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        self.tensors, self.name = tensors, name

    def __call__(self, part: str, x: Array | None, h: Array | None) -> Array:
        full = f"{self.name}_{part}" if part else self.name
        total: Array = np.zeros(1)
        for kind, activity in (("W", x), ("U", h)):
            if activity is not None:
                total = total + activity @ self.tensors[f"{kind}_{full}.weight"].T
                total = total + self.tensors.get(f"{kind}_{full}.bias", np.zeros(1))
        return total


def decay(s: Synapses, x: Array, z: States) -> States:
    return {"h": s.tensors[f"U_{s.name}.weight"][0] * z["h"] + x}


def simple(s: Synapses, x: Array, z: States) -> States:
    return {"h": elu(s("", x, z["h"]))}


def gru(s: Synapses, x: Array, z: States) -> States:
    r, u = logistic(s("reset", x, z["h"])), logistic(s("update", x, z["h"]))
    candidate = np.tanh(s("candidate", x, r * z["h"]))
    return {"h": u * z["h"] + (1 - u) * candidate}


def lstm(s: Synapses, x: Array, z: States) -> States:
    i, f, o = (logistic(s(part, x, z["h"])) for part in ("in", "forget", "out"))
    c = z["c"] * f + i * np.tanh(s("new", x, z["h"]))
    return {"h": np.tanh(c) * o, "c": c}


def ugrnn(s: Synapses, x: Array, z: States) -> States:
    g = logistic(s("update", x, z["h"]))
    return {"h": g * z["h"] + (1 - g) * np.tanh(s("candidate", x, z["h"]))}


def intersection(s: Synapses, x: Array, z: States) -> States:
    hold, bypass = logistic(s("hold", x, z["c"])), logistic(s("bypass", x, z["c"]))
    c = hold * z["c"] + (1 - hold) * np.tanh(s("candidate", x, z["c"]))
    return {"h": bypass * x + (1 - bypass) * relu(s("answer", x, z["c"])), "c": c}


def reciprocal(s: Synapses, x: Array, z: States) -> States:
    c, o = z["c"], z["h"]
    kept = 1 - logistic(s("state_decay", None, c)), 1 - logistic(s("decay", None, o))
    let = 1 - logistic(s("state_gate", None, o)), 1 - logistic(s("gate", None, c))
    return {
        "c": elu(kept[0] * c + let[0] * s("state_drive", x, None)),
        "h": elu(kept[1] * o + let[1] * s("drive", x, None)),
    }


CELLS: dict[str, Callable[[Synapses, Array, States], States]] = {
    "decay": decay,
    "simple": simple,
    "gru": gru,
    "lstm": lstm,
    "ugrnn": ugrnn,
    "intersection": intersection,
    "reciprocal": reciprocal,
}


def run(kind: str, tensors: Tensors, inputs: list[Array], size: int, name: str = "cell") -> list[Array]:
    """Return the output of a cell at each step, from states of zero."""
    z: States = {key: np.zeros((len(inputs[0]), size)) for key in ("h", "c")}
    found = []
    for x in inputs:
        z = z | CELLS[kind](Synapses(tensors, name), x, z)
        found.append(z["h"])
    return found


def loss(kind: str, tensors: Tensors, inputs: list[Array], size: int, target: Array, judged: int = 1) -> complex:
    """Return the summed cross-entropy of a softmax readout of a cell in the last steps."""
    total: complex = 0
    for h in run(kind, tensors, inputs, size)[-judged:]:
        logits = h @ tensors["readout.weight"].T + tensors["readout.bias"]
        logits = logits - logits.real.max(axis=1, keepdims=True)
        total -= ((logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))) * target).sum()
    return total


def derivatives(f: Callable[[Tensors], complex], tensors: Tensors) -> Tensors:
    """Return the derivative of a number by every weight, by complex steps."""
    given = {name: tensor.astype(complex) for name, tensor in tensors.items()}
    found = {name: np.zeros(tensor.shape) for name, tensor in tensors.items()}
    for name, tensor in given.items():
        for place in np.ndindex(tensor.shape):
            tensor[place] += 1j * STEP
            found[name][place] = f(given).imag / STEP
            tensor[place] -= 1j * STEP
    return found
