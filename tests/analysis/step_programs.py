"""Training steps in plain NumPy for the black-box audit: honest ones, and cheats with what must be said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
_random = np.random.default_rng(7)
UNLISTED = _random.normal(size=(5, 4)) / 2
MASK = _random.random((4, 5)) < 0.7
GAINS = _random.uniform(0.5, 2, 5)
SHAPES = {"W1": (5, 7), "b1": (5,), "W2": (4, 5), "b2": (4,), "B2": (5, 4)}
WIRING = {"W1": ("x", "h"), "b1": (None, "h"), "W2": ("h", "y"), "b2": (None, "y"), "B2": ("y", "h")}
BATCH = {"x": _random.random((6, 7)), "t": np.eye(4)[_random.integers(0, 4, 6)]}


def drawn(shapes: dict[str, tuple[int, ...]], seed: int = 3) -> Arrays:
    """Return random weights of those shapes."""
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape) / np.sqrt(shape[-1]) for name, shape in shapes.items()}


WEIGHTS = drawn(SHAPES)


def logistic(s: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-s))


def softmax(s: np.ndarray) -> np.ndarray:
    exponentials = np.exp(s - s.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def batch_norm(s: np.ndarray) -> np.ndarray:
    return np.tanh((s - s.mean(0)) / np.sqrt(s.var(0) + 1e-5))


def layer_norm(s: np.ndarray) -> np.ndarray:
    return np.tanh((s - s.mean(1, keepdims=True)) / np.sqrt(s.var(1, keepdims=True) + 1e-5))


@dataclass
class Network:
    """A two-layer network by feedback alignment; every part can be exchanged."""

    back: Callable[[Arrays], np.ndarray] = lambda w: w["B2"]
    hidden: Callable[[np.ndarray], np.ndarray] = np.tanh
    slope: Callable[[np.ndarray], np.ndarray] = lambda h: 1 - h * h
    output: Callable[[np.ndarray], np.ndarray] = logistic
    error: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda t, y: t - y
    delta: Callable[[dict[str, Any]], np.ndarray] | None = None
    inputs: Callable[[np.ndarray], np.ndarray] = lambda x: x
    rate: float = 0.1

    def gradients(self, w: Arrays, batch: Arrays) -> Arrays:
        x, t = self.inputs(batch["x"]), batch["t"]
        h = self.hidden(x @ w["W1"].T + w["b1"])
        y = self.output(h @ w["W2"].T + w["b2"])
        e = self.error(t, y)
        d = (e @ self.back(w).T) * self.slope(h)
        if self.delta is not None:
            d = self.delta({"w": w, "x": x, "t": t, "h": h, "y": y, "e": e, "d": d})
        sums = {"W1": d.T @ x, "b1": d.sum(0), "W2": e.T @ h, "b2": e.sum(0)}
        return {name: value / len(x) for name, value in sums.items()}

    def __call__(self, w: Arrays, batch: Arrays) -> Arrays:
        return {name: w[name] + self.rate * g for name, g in self.gradients(w, batch).items()}


def after(change: Callable[[Arrays, Arrays], Arrays], network: Network | None = None) -> Callable[..., Arrays]:
    """Return a step whose increments are changed before they are applied."""
    network = network or Network()

    def step(w: Arrays, batch: Arrays) -> Arrays:
        return {name: w[name] + dw for name, dw in change(network.gradients(w, batch), w).items()}

    return step


@dataclass
class Case:
    """A step, its arguments, and its expected findings as (kind, projection)."""

    step: Callable[..., Arrays]
    expected: set[tuple[str, str]] = field(default_factory=set)
    weights: Arrays = field(default_factory=lambda: WEIGHTS)
    wiring: dict[str, Any] = field(default_factory=lambda: WIRING)
    batch: Arrays = field(default_factory=lambda: BATCH)
    more: dict[str, Any] = field(default_factory=dict)


# ---------------------------------------------------------------------------------------------------- honest programs
def momentum() -> Callable[..., Arrays]:
    velocity: Arrays = {}
    network = Network()

    def step(w: Arrays, batch: Arrays) -> Arrays:
        for name, g in network.gradients(w, batch).items():
            velocity[name] = 0.9 * velocity.get(name, 0) + g
        return {name: w[name] + 0.1 * v for name, v in velocity.items()}

    return step


class Adam:
    """Adam with bias correction; its moments are attributes."""

    def __init__(self, network: Network) -> None:
        self.network, self.count, self.first, self.second = network, 0, {}, {}

    def __call__(self, w: Arrays, batch: Arrays) -> Arrays:
        self.count += 1
        new = {}
        for name, g in self.network.gradients(w, batch).items():
            self.first[name] = m = 0.9 * self.first.get(name, 0) + 0.1 * g
            self.second[name] = v = 0.99 * self.second.get(name, 0) + 0.01 * g * g
            new[name] = w[name] + 0.01 * (m / (1 - 0.9**self.count)) / (np.sqrt(v / (1 - 0.99**self.count)) + 1e-8)
        return new


def synaptic_noise() -> Callable[..., Arrays]:
    random, network = np.random.default_rng(5), Network()

    def step(w: Arrays, batch: Arrays) -> Arrays:
        return {name: new + 0.01 * random.normal(size=new.shape) for name, new in network(w, batch).items()}

    return step


def dropout() -> Callable[..., Arrays]:
    random = np.random.default_rng(5)
    return lambda w, batch: Network(hidden=lambda s: np.tanh(s) * (random.random(s.shape[1]) < 0.7))(w, batch)


def annealing() -> Callable[..., Arrays]:
    count = 0

    def step(w: Arrays, batch: Arrays) -> Arrays:
        nonlocal count
        count += 1
        return Network(rate=0.1 / count)(w, batch)

    return step


def nesterov() -> Callable[..., Arrays]:
    """Take gradients at the weights that the velocity leads to, so that no weight of zero is computed with."""
    velocity: Arrays = {}

    def step(w: Arrays, batch: Arrays) -> Arrays:
        ahead = {name: value + 0.9 * velocity.get(name, 0) for name, value in w.items()}
        for name, g in Network().gradients(ahead, batch).items():
            velocity[name] = 0.9 * velocity.get(name, 0) + 0.1 * g
        return {name: w[name] + v for name, v in velocity.items()}

    return step


def traces() -> Callable[..., Arrays]:
    """Let presynaptic neurons keep a trace of their activity in earlier calls."""
    trace = 0.0

    def step(w: Arrays, batch: Arrays) -> Arrays:
        nonlocal trace
        h = np.tanh(batch["x"] @ w["W1"].T)
        e = batch["t"] - logistic(h @ w["W2"].T)
        trace = 0.5 * trace + batch["x"]
        return {"W1": w["W1"] + 0.01 * ((e @ w["B2"].T) * (1 - h * h)).T @ trace, "W2": w["W2"] + 0.01 * e.T @ h}

    return step


def accumulating(network: Network) -> Callable[..., Arrays]:
    """Apply the increments of four calls together."""
    sums: Arrays = {}
    count = 0

    def step(w: Arrays, batch: Arrays) -> Arrays:
        nonlocal count
        count += 1
        for name, g in network.gradients(w, batch).items():
            sums[name] = sums.get(name, 0) + g
        if count % 4:
            return {}
        new = {name: w[name] + 0.1 * value for name, value in sums.items()}
        sums.clear()
        return new

    return step


def normalised_neurons(w: Arrays, batch: Arrays) -> Arrays:
    new = Network()(w, batch)
    return {**new, "W1": new["W1"] / np.linalg.norm(new["W1"], axis=1, keepdims=True)}


def kolen_pollack(w: Arrays, batch: Arrays) -> Arrays:
    g = Network().gradients(w, batch)
    g["B2"] = g["W2"].T
    return {name: 0.99 * w[name] + 0.1 * dw for name, dw in g.items()}


def max_norm(w: Arrays, batch: Arrays) -> Arrays:
    new = Network(rate=1.0)(w, batch)
    for name in ("W1", "W2"):
        norm = np.linalg.norm(new[name], axis=1, keepdims=True)
        new[name] = new[name] * np.minimum(1, 0.8 / norm)
    return new


def hebb(w: Arrays, batch: Arrays) -> Arrays:
    y = np.tanh(batch["x"] @ w["W"].T)
    return {"W": w["W"] + 0.1 * y.T @ batch["x"] / len(y)}


def oja(w: Arrays, batch: Arrays) -> Arrays:
    y = batch["x"] @ w["W"].T
    return {"W": w["W"] + 0.01 * (y.T @ batch["x"] - (y * y).sum(0)[:, None] * w["W"]) / len(y)}


def recirculation(w: Arrays, batch: Arrays) -> Arrays:
    x = batch["x"]
    h = logistic(x @ w["W"].T)
    again = logistic(h @ w["V"].T)
    h_again = logistic(again @ w["W"].T)
    return {"V": w["V"] + 0.1 * (x - again).T @ h, "W": w["W"] + 0.1 * (h - h_again).T @ again}


def symmetric(w: Arrays, batch: Arrays) -> Arrays:
    """Give both directions of a circle the same increments, as a tied autoencoder has them: both ends are there."""
    x = batch["x"]
    h = np.tanh(x @ w["W"].T)
    e = x - h @ w["V"].T
    step = 0.01 * (e.T @ h + ((e @ w["B"].T) * (1 - h * h)).T.dot(x).T)
    return {"V": w["V"] + step, "W": w["W"] + step.T}


def targets_projected(w: Arrays, batch: Arrays) -> Arrays:
    """Send the target, not the error, to the hidden layer."""
    x, t = batch["x"], batch["t"]
    h = np.tanh(x @ w["W1"].T)
    d = (t @ w["D"].T) * (1 - h * h)
    return {"W1": w["W1"] + 0.01 * d.T @ x, "W2": w["W2"] + 0.01 * (t - logistic(h @ w["W2"].T)).T @ h}


def subspace(w: Arrays, batch: Arrays) -> Arrays:
    """Learn the principal subspace, for which neurons subtract what the others have explained."""
    y = batch["x"] @ w["W"].T
    return {"W": w["W"] + 0.01 * y.T @ (batch["x"] - y @ w["W"])}


def outgoing_norm(w: Arrays, batch: Arrays) -> Arrays:
    new = Network()(w, batch)
    return {**new, "W1": new["W1"] / np.linalg.norm(new["W1"], axis=0)}


def deep(direct: bool, transposed: bool = False) -> Callable[..., Arrays]:
    """Return three layers with the error fed back layer by layer, or directly from the output."""

    def step(w: Arrays, batch: Arrays) -> Arrays:
        x, t = batch["x"], batch["t"]
        h = np.tanh(x @ w["W1"].T)
        g = np.tanh(h @ w["W2"].T)
        e = t - g @ w["W3"].T
        e_g = (e @ (w["W3"] if transposed else w["B3"].T)) * (1 - g * g)
        e_h = (e @ w["D1"].T if direct else e_g @ (w["W2"] if transposed else w["B2"].T)) * (1 - h * h)
        return {"W1": w["W1"] + e_h.T @ x / 60, "W2": w["W2"] + e_g.T @ h / 60, "W3": w["W3"] + e.T @ g / 60}

    return step


def recurrent(output: str, through_time: bool) -> Callable[..., Arrays]:
    """Return a recurrent network whose error at the end goes back through V or B, and through time or not."""

    def step(w: Arrays, batch: Arrays) -> Arrays:
        x, h = batch["x"], [np.zeros((len(batch["x"]), 6))]
        for k in range(x.shape[1]):
            h.append(np.tanh(x[:, k] @ w["W"].T + h[k] @ w["R"].T))
        e = batch["t"] - h[-1] @ w["V"].T
        delta = e @ (w["V"] if output == "V" else w["B"].T)
        new = {"W": w["W"], "R": w["R"], "V": w["V"] + 0.01 * e.T @ h[-1]}
        for k in reversed(range(x.shape[1])):
            s = delta * (1 - h[k + 1] ** 2)
            new = {**new, "W": new["W"] + 0.01 * s.T @ x[:, k], "R": new["R"] + 0.01 * s.T @ h[k]}
            delta = s @ w["R"] if through_time else delta
        return new

    return step


SEQUENCES = {
    "weights": drawn({"W": (6, 4), "R": (6, 6), "V": (3, 6), "B": (6, 3)}),
    "wiring": {"W": ("x", "h"), "R": ("h", "h"), "V": ("h", "y"), "B": ("y", "h")},
    "batch": {"x": _random.normal(size=(7, 5, 4)), "t": _random.normal(size=(7, 3))},
}


DEEP = {"W1": (6, 7), "W2": (5, 6), "W3": (4, 5), "B3": (5, 4)}
DEEP_WIRING = {"W1": ("x", "h"), "W2": ("h", "g"), "W3": ("g", "y"), "B3": ("y", "g")}
DIRECT = Case(deep(True), weights=drawn({**DEEP, "D1": (6, 4)}), wiring={**DEEP_WIRING, "D1": ("y", "h")})
LAYERED = Case(deep(False), weights=drawn({**DEEP, "B2": (6, 5)}), wiring={**DEEP_WIRING, "B2": ("g", "h")})


def classes(output: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Arrays]:
    """Return feedback alignment with class numbers for labels."""
    return lambda w, batch: Network(output=output)(w, {"x": batch["x"], "t": np.eye(4)[batch["t"]]})


NUMBERED = {"x": BATCH["x"], "t": np.argmax(BATCH["t"], axis=1)}


def reward_modulated(w: Arrays, batch: Arrays) -> Arrays:
    """Multiply Hebb's product below by the loss of each example, one number for all synapses."""
    return Network(delta=lambda v: v["h"] * (v["e"] ** 2).sum(1, keepdims=True))(w, batch)


def by_columns(w: Arrays, batch: Arrays) -> Arrays:
    """Take and return matrices as (pre, post)."""
    new = Network()({name: value.T for name, value in w.items()}, batch)
    return {name: value.T for name, value in new.items()}


def single(values: Arrays) -> Arrays:
    return {name: value.astype(np.float32) for name, value in values.items()}


HONEST = {
    "feedback alignment": Case(Network()),
    "relu": Case(Network(hidden=lambda s: np.maximum(s, 0), slope=lambda h: (h > 0) * 1.0)),
    "logistic": Case(Network(hidden=logistic, slope=lambda h: h * (1 - h))),
    "linear output": Case(Network(output=lambda s: s)),
    "float32": Case(Network(), weights=single(WEIGHTS), batch=single(BATCH)),
    "one example": Case(Network(), batch={key: values[:1] for key, values in BATCH.items()}),
    "class numbers": Case(classes(logistic), batch=NUMBERED),
    "hinge": Case(Network(output=lambda s: s, error=lambda t, y: ((2 * t - 1) * y < 1) * (2 * t - 1))),
    "weight decay": Case(after(lambda g, w: {name: 0.1 * dw - 0.01 * w[name] for name, dw in g.items()})),
    "momentum": Case(momentum()),
    "adam": Case(Adam(Network())),
    "sign of the gradient": Case(after(lambda g, w: {name: 0.01 * np.sign(dw) for name, dw in g.items()})),
    "clipping by element": Case(after(lambda g, w: {name: np.clip(dw, -0.02, 0.02) for name, dw in g.items()})),
    "synaptic noise": Case(synaptic_noise()),
    "dropout": Case(dropout()),
    "annealing": Case(annealing()),
    "nesterov": Case(nesterov()),
    "traces": Case(traces()),
    "increments of four calls": Case(accumulating(Network())),
    "normalised neurons": Case(normalised_neurons),
    "neurons with gains": Case(Network(hidden=lambda s: np.tanh(GAINS * s), slope=lambda h: GAINS * (1 - h * h))),
    "bound on each neuron's synapses": Case(max_norm),
    "kolen-pollack": Case(kolen_pollack),
    "kolen-pollack from the transpose": Case(kolen_pollack, weights={**WEIGHTS, "B2": WEIGHTS["W2"].T.copy()}),
    "feedback from zero": Case(kolen_pollack, weights={**WEIGHTS, "B2": 0 * WEIGHTS["B2"]}),
    "direct feedback": DIRECT,
    "layer by layer": LAYERED,
    "targets projected": Case(
        targets_projected,
        weights=drawn({"W1": (5, 7), "W2": (4, 5), "D": (5, 4)}),
        wiring={"W1": ("x", "h"), "W2": ("h", "y"), "D": ("t", "h")},
        more={"labels": {"t": "y"}},
    ),
    "hebb": Case(hebb, weights=drawn({"W": (4, 7)}), wiring={"W": ("x", "y")}, batch={"x": BATCH["x"]}),
    "oja": Case(oja, weights=drawn({"W": (4, 7)}), wiring={"W": ("x", "y")}, batch={"x": BATCH["x"]}),
    "recirculation": Case(
        recirculation,
        weights=drawn({"W": (5, 7), "V": (7, 5)}),
        wiring={"W": ("x", "h"), "V": ("h", "x")},
        batch={"x": BATCH["x"]},
    ),
    "symmetric increments": Case(
        symmetric,
        weights=drawn({"W": (5, 7), "V": (7, 5), "B": (5, 7)}),
        wiring={"W": ("x", "h"), "V": ("h", "x"), "B": ("x", "h")},
        batch={"x": BATCH["x"]},
    ),
    "recurrent, error at each step": Case(recurrent("B", False), **SEQUENCES),
    "declared third factor": Case(reward_modulated, more={"third_factor": ("W1", "b1")}),
    "updates by columns": Case(by_columns, weights={n: w.T for n, w in WEIGHTS.items()}, more={"pre_axis": 0}),
}


# ------------------------------------------------------------------------------------------------------------- cheats
def copying(every: int, first: int = 0, velocity: float = 0.0) -> Callable[..., Arrays]:
    """Return a step that copies the transpose into feedback of its own at every k-th call."""
    count, back, speed = 0, np.zeros((5, 4)), {"W1": 0.0, "b1": 0.0, "W2": 0.0, "b2": 0.0}

    def step(w: Arrays, batch: Arrays) -> Arrays:
        nonlocal count
        count += 1
        if count > first and count % every == 0:
            back[...] = w["W2"].T
        for name, g in Network(back=lambda w: w["B2"] + back).gradients(w, batch).items():
            speed[name] = velocity * speed[name] + g
        return {name: w[name] + 0.1 * v for name, v in speed.items()}

    return step


STASH: list[np.ndarray] = []


def stashing(w: Arrays, batch: Arrays) -> Arrays:
    """Use the transpose of the call before, kept in a module variable."""
    STASH.append(w["W2"].T.copy())
    return Network(back=lambda w: STASH[-2] if len(STASH) > 1 else w["B2"])(w, batch)


def assigned_transpose(w: Arrays, batch: Arrays) -> Arrays:
    return {**Network()(w, batch), "B2": w["W2"].T.copy()}


def low_rank(w: Arrays) -> np.ndarray:
    left, size, right = np.linalg.svd(w["W2"].T, full_matrices=False)
    return w["B2"] + size[0] * np.outer(left[:, 0], right[0])


def global_clip(g: Arrays, w: Arrays) -> Arrays:
    norm = np.sqrt(sum((dw * dw).sum() for dw in g.values()))
    return {name: 0.1 * dw * min(1.0, 0.3 / norm) for name, dw in g.items()}


def layer_clip(g: Arrays, w: Arrays) -> Arrays:
    return {name: 0.1 * dw * min(1.0, 0.1 / np.linalg.norm(dw)) for name, dw in g.items()}


def shared(w: Arrays, batch: Arrays) -> Arrays:
    mean = (w["Wa"] + w["Wb"]) / 2
    a, b = batch["a"], batch["b"]
    return {"Wa": mean + 0.1 * np.tanh(a @ w["Wa"].T).T @ a, "Wb": mean + 0.1 * np.tanh(b @ w["Wb"].T).T @ b}


def aligned(g: Arrays, w: Arrays) -> Arrays:
    """Let the forward weights decay towards the transposed feedback."""
    return {**g, "W2": g["W2"] + 0.05 * (w["B2"].T - w["W2"])}


def masked_transpose(w: Arrays, batch: Arrays) -> Arrays:
    sparse = {**w, "W2": w["W2"] * MASK}
    new = Network(back=lambda w: w["W2"].T)(sparse, batch)
    return {**new, "W2": w["W2"] + (new["W2"] - sparse["W2"]) * MASK}


def own_copy(g: Arrays, w: Arrays) -> Arrays:
    return {**g, "W1": g["W1"] + 0.01 * np.roll(w["W1"], 1, axis=0)}


def divisive(x: np.ndarray) -> np.ndarray:
    return x / (0.1 + x.sum(1, keepdims=True))


class Kept:
    """Copies the transpose at every third call into an attribute."""

    def __init__(self) -> None:
        self.count, self.back = 0, UNLISTED

    def __call__(self, w: Arrays, batch: Arrays) -> Arrays:
        self.count += 1
        if self.count % 3 == 1:
            self.back = w["W2"].T.copy()
        return Network(back=lambda w: self.back)(w, batch)


def averaged_transpose() -> Callable[..., Arrays]:
    average = np.zeros((5, 4))

    def step(w: Arrays, batch: Arrays) -> Arrays:
        nonlocal average
        average = 0.9 * average + 0.1 * w["W2"].T
        return Network(back=lambda w: average)(w, batch)

    return step


def noisy_transpose() -> Callable[..., Arrays]:
    random = np.random.default_rng(2)
    return Network(back=lambda w: w["W2"].T + 0.5 * random.normal(size=(5, 4)))


def winners(s: np.ndarray) -> np.ndarray:
    return np.tanh(s) * (s >= np.sort(s, axis=1)[:, -2:-1])


W1_AND_BIAS = {("weight-transport", "W1"), ("weight-transport", "b1")}
LATERAL_OUTPUT = {("lateral", "W2"), ("lateral", "b2")}
LATERAL_HIDDEN = {("lateral", "W1"), ("lateral", "b1")}
REMOTE = {("remote-error", "W1"), ("remote-error", "b1")}
CHEATS = {
    "transpose": Case(Network(back=lambda w: w["W2"].T), W1_AND_BIAS),
    "transpose in float32": Case(
        Network(back=lambda w: w["W2"].T), W1_AND_BIAS, weights=single(WEIGHTS), batch=single(BATCH)
    ),
    "class numbers": Case(
        lambda w, b: Network(back=lambda w: w["W2"].T)(w, {"x": b["x"], "t": np.eye(4)[b["t"]]}),
        W1_AND_BIAS,
        batch=NUMBERED,
    ),
    "signs": Case(Network(back=lambda w: np.sign(w["W2"].T)), W1_AND_BIAS),
    "signs with own magnitudes": Case(Network(back=lambda w: np.abs(w["B2"]) * np.sign(w["W2"].T)), W1_AND_BIAS),
    "noisy copy": Case(Network(back=lambda w: w["W2"].T + UNLISTED), W1_AND_BIAS),
    "scaled copy beside own feedback": Case(Network(back=lambda w: w["B2"] + 0.01 * w["W2"].T), W1_AND_BIAS),
    "one entry": Case(
        Network(back=lambda w: w["B2"] + np.where(np.arange(20).reshape(5, 4) == 11, w["W2"].T, 0)), W1_AND_BIAS
    ),
    "large weights alone": Case(
        Network(back=lambda w: w["B2"] + np.where(np.abs(w["W2"].T) > 1, w["W2"].T, 0)), W1_AND_BIAS
    ),
    "low rank": Case(Network(back=low_rank), W1_AND_BIAS),
    "pseudoinverse": Case(Network(back=lambda w: np.linalg.pinv(w["W2"])), W1_AND_BIAS),
    "permuted copy": Case(Network(back=lambda w: w["W2"].T[::-1]), W1_AND_BIAS),
    "copy at every 20th call": Case(copying(20), W1_AND_BIAS),
    "copy at every 9th call, momentum": Case(copying(9, velocity=0.9), W1_AND_BIAS),
    "copy after 300 calls": Case(copying(1, first=300), W1_AND_BIAS),
    "copy of the call before": Case(stashing, W1_AND_BIAS),
    "copy in an attribute": Case(Kept(), W1_AND_BIAS),
    "average of the transposes": Case(averaged_transpose(), W1_AND_BIAS),
    "transpose with noise anew": Case(noisy_transpose(), W1_AND_BIAS),
    "quantised": Case(Network(back=lambda w: np.round(4 * w["W2"].T) / 4), W1_AND_BIAS),
    "gain by the sign": Case(Network(back=lambda w: w["B2"] * (1 + 0.5 * (w["W2"].T > 0))), W1_AND_BIAS),
    "targets propagated": Case(Network(delta=lambda v: v["t"] @ np.linalg.pinv(v["w"]["W2"].T) - v["h"]), W1_AND_BIAS),
    "mean of another layer": Case(
        after(lambda g, w: {**g, "W1": g["W1"] + 0.01 * w["W2"].mean()}), {("weight-transport", "W1")}
    ),
    "feedback pulled to the transpose": Case(
        lambda w, b: {**Network()(w, b), "B2": w["B2"] + 0.05 * (w["W2"].T - w["B2"])}, {("weight-transport", "B2")}
    ),
    "feedback assigned": Case(assigned_transpose, {("weight-transport", "B2")}),
    "sparse transpose": Case(masked_transpose, W1_AND_BIAS),
    "norm of another layer": Case(
        after(lambda g, w: {**g, "W1": g["W1"] * np.linalg.norm(w["W2"])}), {("weight-transport", "W1")}
    ),
    "forward weights pulled to feedback": Case(after(aligned), {("weight-transport", "W2")}),
    "weights of other neurons": Case(after(own_copy), {("lateral", "W1")}),
    "deep transpose": Case(
        deep(False, transposed=True),
        {("weight-transport", "W1"), ("weight-transport", "W2")},
        weights=LAYERED.weights,
        wiring=LAYERED.wiring,
    ),
    "backpropagation through time": Case(
        recurrent("V", True),
        {("weight-transport", "R"), ("weight-transport", "W")},
        **SEQUENCES,
    ),
    "through time, from random feedback": Case(
        recurrent("B", True), {("weight-transport", "R"), ("lateral", "R"), ("lateral", "W")}, **SEQUENCES
    ),
    "softmax": Case(Network(output=softmax), LATERAL_OUTPUT),
    "softmax of class numbers": Case(classes(softmax), LATERAL_OUTPUT, batch=NUMBERED),
    "winners take all": Case(Network(hidden=winners), LATERAL_HIDDEN),
    "weights decorrelated": Case(
        after(lambda g, w: {**g, "W1": g["W1"] - 0.01 * w["W1"] @ w["W1"].T @ w["W1"]}), {("lateral", "W1")}
    ),
    "errors of unit length": Case(
        Network(error=lambda t, y: (t - y) / np.linalg.norm(t - y, axis=1, keepdims=True)), LATERAL_OUTPUT
    ),
    "principal subspace": Case(
        subspace,
        {("lateral", "W")},
        weights=drawn({"W": (4, 7)}),
        wiring={"W": ("x", "y")},
        batch={"x": BATCH["x"]},
    ),
    "outgoing synapses normalised": Case(outgoing_norm, {("lateral", "W1")}),
    "layer normalisation": Case(Network(hidden=layer_norm), LATERAL_HIDDEN),
    "inputs divided by their sum": Case(Network(inputs=divisive), {("lateral", "W1")}),
    "batch normalisation": Case(Network(hidden=batch_norm), LATERAL_HIDDEN),
    "batch normalisation, applied at every fourth call": Case(accumulating(Network(hidden=batch_norm)), LATERAL_HIDDEN),
    "batch normalisation at the output": Case(Network(output=batch_norm), LATERAL_OUTPUT),
    "errors centred over the batch": Case(Network(error=lambda t, y: t - y - (t - y).mean(0)), {("lateral", "W2")}),
    "inputs centred over the batch": Case(Network(inputs=lambda x: x - x.mean(0)), LATERAL_HIDDEN),
    "clipped norm of all gradients": Case(after(global_clip), {("lateral", "W1, W2, b1, b2")}),
    "clipped norm and decay": Case(
        after(lambda g, w: {n: dw - 0.01 * w[n] for n, dw in global_clip(g, w).items()}),
        {("lateral", "W1, W2, b1, b2")},
    ),
    "clipped norm of each layer": Case(after(layer_clip), {("lateral", name) for name in ("W1", "W2", "b1", "b2")}),
    "labels to the hidden layer": Case(
        Network(delta=lambda v: v["t"] @ UNLISTED.T), {("remote-target", "W1"), ("remote-target", "b1")}
    ),
    "unlisted feedback": Case(Network(back=lambda w: UNLISTED), REMOTE),
    "loss to the hidden layer": Case(reward_modulated, REMOTE),
    "error declared a third factor": Case(
        Network(back=lambda w: UNLISTED), REMOTE, more={"third_factor": ("W1", "b1")}
    ),
    "inputs to the output": Case(
        lambda w, b: {**Network()(w, b), "b2": w["b2"] + 0.01 * b["x"].mean(0)[:4]}, {("remote-error", "b2")}
    ),
    "weights averaged with those of another place": Case(
        shared,
        {("weight-sharing", "Wa"), ("weight-sharing", "Wb")},
        weights=drawn({"Wa": (4, 5), "Wb": (4, 5)}),
        wiring={"Wa": ("a", "ha"), "Wb": ("b", "hb")},
        batch={"a": BATCH["x"][:, :5], "b": BATCH["x"][:, 2:]},
    ),
}
