"""Primitives (ia, sa, aa) of convolutions and untied layers, against matrices that list every synapse.

Each layer is one explicit matrix (post, pre) of slot numbers; a tensor's increment is the sum over the synapses of each
slot, the mean over the batch. Nothing here is shared with the engine, nor with the loops but the layers' shapes.
"""

from __future__ import annotations

from typing import Any

import handwritten_convolution as hand
import numpy as np
import pytest
import standin
from handwritten_convolution import Place
from networks import Tensors, draw_biases, furthest, images, layers_of, replica_of
from running import nightly

from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.simulator import Simulator

CIRCUITS = {
    "shared": hand.network((2, 6, 5), ["conv 3 3/2", "meanpool 2/1", "conv 3 2 valid", "dense 5"]),
    "untied": hand.network((2, 5, 4), ["local 2 3", "local 3 3/2", "upsample 2", "local 2 2/2 valid", "dense 5"]),
    "both": hand.network((1, 4, 5), ["conv 2 3", "local 2 3", "sum", "conv 3 2/2", "dense 5"]),
}
COEFFICIENTS = {
    "ia": {"amp": 0.6, "decay": 0.02, "null": 0.3},
    "sa": {"self": 0.05, "decay": 0.04},
    "aa": {"amp": 0.4, "sparse": 0.3},
    "five": {"amp": 0.3, "decay": 0.02, "null": 0.1, "sparse": 0.15, "self": 0.025},
}
ROWS = [np.random.default_rng(2).integers(0, 30, 3 if t % 3 == 2 else 7) for t in range(20)]
LABELS = np.random.default_rng(1).integers(0, 5, 30)
LR, RATE = 0.1, 0.05


def cells(place: Place) -> list[tuple[int, int, int, int, int, int]]:
    """Position p, q, tap u, v and cell i, j below, of every tap that meets a cell."""
    (_, rows, columns), (kh, kw), (sy, sx) = place.below, place.layer.kernel, place.layer.stride
    return [
        (p, q, u, v, p * sy + u - place.before[0], q * sx + v - place.before[1])
        for p, q, u, v in np.ndindex(*place.shape[1:], kh, kw)
        if 0 <= p * sy + u - place.before[0] < rows and 0 <= q * sx + v - place.before[1] < columns
    ]


def slots(place: Place) -> np.ndarray:
    """The number of each synapse's slot in W (post, pre), -1 where there is no synapse."""
    found = np.full((*place.shape, *place.below), -1)
    if place.layer.kind == "dense":
        return np.arange(found.size).reshape(place.shape[0], -1)
    numbers = np.arange(int(np.prod(hand.tensor_shape(place)))).reshape(hand.tensor_shape(place))
    for p, q, u, v, i, j in cells(place):
        own = numbers if place.layer.kind == "conv" else numbers[p, q]
        found[:, p, q, :, i, j] = own[:, :, u, v]
    return found.reshape(int(np.prod(place.shape)), -1)


def plain(place: Place, below: int) -> np.ndarray:
    """The matrix of a mean-pool, an upsampling or a sum's own layer."""
    found = np.zeros((*place.shape, *place.below))
    for c in range(place.shape[0]):
        if place.layer.kind == "meanpool":
            for p, q, _, _, i, j in cells(place):
                found[c, p, q, c, i, j] = 1 / np.prod(place.layer.kernel)
        elif place.layer.kind == "upsample":
            for p, q in np.ndindex(*place.shape[1:]):
                found[c, p, q, c, p // place.layer.kernel[0], q // place.layer.kernel[1]] = 1
    return np.eye(below) if place.layer.kind == "sum" else found.reshape(-1, below)


def matrices(net: hand.Network, w: Tensors) -> tuple[list[np.ndarray], list[np.ndarray], dict[int, np.ndarray]]:
    """Every layer's matrix (post, pre) up, its biases by neuron, and the feedback (pre, post) by h."""
    up, biases, down = [], [], {}
    for place in net.places:
        size, below = int(np.prod(place.shape)), int(np.prod(place.below))
        if place.h is None:
            up.append(plain(place, below))
            biases.append(np.zeros(size))
            continue
        number = slots(place)
        up.append(np.where(number >= 0, w[f"W{place.h}.weight"].ravel()[number], 0))
        bias = w[f"W{place.h}.bias"]
        biases.append(np.repeat(bias.ravel(), size // bias.size))
        if place.h > 1:
            back = hand.swapped(place, w[f"B{place.h}.weight"])  # as W is laid out
            down[place.h] = np.where(number >= 0, back.ravel()[number], 0).T
    return up, biases, down


def by_slot(place: Place, each: np.ndarray) -> np.ndarray:
    """Sum what every synapse (post, pre) takes, by slot."""
    number, shape = slots(place), hand.tensor_shape(place)
    kept = number >= 0
    return np.bincount(number[kept], each[kept], int(np.prod(shape))).reshape(shape)


def update(net: hand.Network, w: Tensors, x: np.ndarray, y: np.ndarray, chosen: dict[str, float]) -> Tensors:
    """The weights after one presentation."""
    up, biases, down = matrices(net, w)
    o, s = [x], [x]
    for k, (matrix, bias) in enumerate(zip(up, biases, strict=True)):
        s.append(o[k] @ matrix.T + bias + (o[k - 1] if net.places[k].layer.kind == "sum" else 0))
        o.append(np.tanh(s[-1]) if net.places[k].h else s[-1])
    fired = np.exp(s[-1] - s[-1].max(axis=1, keepdims=True))
    o[-1] = fired / fired.sum(axis=1, keepdims=True)
    arriving = [np.zeros_like(a) for a in o]
    arriving[-1] = (np.arange(5) == y[:, None]) - o[-1]
    end, batch = dict(w), len(x)
    for k in reversed(range(1, len(o))):
        place, h = net.places[k - 1], net.places[k - 1].h
        delta = arriving[k] * (1 - o[k] ** 2) if h and k < len(up) else arriving[k]
        if h:
            dw = by_slot(place, delta.T @ o[k - 1] / batch)
            end[f"W{h}.weight"] = w[f"W{h}.weight"] + LR * dw
            db = delta.mean(axis=0).reshape(hand.bias_shape(place)[0], -1)
            shared = db if place.layer.kind == "local" else db.sum(axis=1)
            end[f"W{h}.bias"] = w[f"W{h}.bias"] + LR * shared.reshape(hand.bias_shape(place))
        if h != 1:
            arriving[k - 1] += delta @ (up[k - 1] if h is None else down[h].T)
        if place.layer.kind == "sum":
            arriving[k - 2] += delta
        if h and h > 1:
            b, above, below = down[h], o[k - 1] @ up[k - 1].T, o[k - 1]
            gradients = {
                "decay": b,
                "amp": -below.T @ above / batch,
                "null": b @ above.T @ above / batch,
                "sparse": below.T @ below @ b / batch,
                "self": -up[k - 1].T,
            }
            change = by_slot(place, sum(c * gradients[name] for name, c in chosen.items()).T)  # type: ignore[union-attr]
            end[f"B{h}.weight"] = w[f"B{h}.weight"] - RATE * hand.swapped(place, change)
    return end


def check(backend: str, circuit: str, feedback: str, updates: int) -> None:
    net, chosen = CIRCUITS[circuit], COEFFICIENTS[feedback]
    name = "ia" if feedback == "five" else feedback
    given = {"primitives": tuple(chosen)} if feedback == "five" else {}
    parameters: dict[Any, float] = {"lr": LR}
    for h in range(2, len(net.weighted) + 1):
        parameters[f"B{h}", "lr"] = RATE
        for primitive, c in chosen.items():
            parameters[f"B{h}", f"{primitive.replace('self', 'self_alignment')}.c"] = c
    made = Simulator(
        *layered_classifier(layers_of(net), name, **given),
        batch=7,
        dtype="float64",
        backend=backend,
        parameters=parameters,
    )
    x = images(net, 30) - 0.3
    made.use(x, LABELS)
    draw_biases(made)
    w = begin = replica_of(made)
    for rows in ROWS[:updates]:
        made.present(rows)
        w = update(net, w, x[rows], LABELS[rows], chosen)
        assert furthest([replica_of(made)], [w]) < 1e-10
    assert all(np.abs(w[name] - begin[name]).max() > 1e-4 for name in w), "all tensors learn"


PAIRS = [(circuit, feedback) for circuit in CIRCUITS for feedback in COEFFICIENTS]


@pytest.mark.parametrize("circuit,feedback", PAIRS)
def test_primitives_are_sums_over_the_synapses_of_each_slot(circuit: str, feedback: str) -> None:
    check("numba", circuit, feedback, 20)


@pytest.mark.parametrize(
    "circuit,feedback", [p if p in (("shared", "ia"), ("both", "five")) else nightly(*p) for p in PAIRS]
)
def test_the_reference_backend_agrees(circuit: str, feedback: str) -> None:
    check("numpy", circuit, feedback, 4)


@pytest.mark.parametrize("backend", standin.each("cupy"))
@pytest.mark.parametrize("circuit,feedback", [("shared", "five"), ("untied", "ia"), ("both", "sa")])
def test_a_device_agrees(backend: str, circuit: str, feedback: str) -> None:
    check(backend, circuit, feedback, 2)
