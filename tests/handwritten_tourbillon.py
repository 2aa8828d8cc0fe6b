"""The hand-written reference for Tourbillon, dense: plain NumPy, float64, no code shared with the engine.

"Tourbillon" is Tavakoli, Sadowski & Baldi. Blocks are 1 … m; u is a block's input, h its hinge, r its image of u.
Block b has the encoder E{b}.weight (n_b, n_{b-1}), E{b}.bias (n_b) and the decoder D{b}.weight (n_{b-1}, n_b),
D{b}.bias (n_{b-1}); the top layer is W{m+1}.weight (C, n_m), W{m+1}.bias (C). Fixed feedback, where a rule needs it:
R{b}.weight (n_b, n_{b-1}) inside a block, B{m+1}.weight (n_m, C) from the top, F{b}.weight (n_{b-1}, n_b), b = 2 … m.

Arrays of activity are (batch, units), so the outer product post · preᵀ of the papers, averaged over the batch,
is `post.T @ pre / batch`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from handwritten import Array, Weights, activation, derivative
from numpy.typing import NDArray

Synapses = tuple[Array, Array]  # post (batch, n), pre (batch, n'): the two factors of an increment
Velocity = dict[tuple[str, str], Array]  # by group and tensor: two groups on one tensor have a velocity each


@dataclass(frozen=True)
class Stack:
    """What holds for a whole run: a rule for each block, rec, rec-symmetric, bp or rbp, and the activations."""

    rules: Sequence[str]
    hinge: str = "tanh"
    image: str = "logistic"  # of block 1; the image of a higher block is one of hinge neurons
    loss: str = "softmax"  # or hinge, local to each neuron of the top
    channel: str = "decoders"  # of fine-tuning, or bp or random

    def image_of(self, b: int) -> str:
        return self.image if b == 1 else self.hinge


@dataclass(frozen=True)
class Stage:
    """Some presentations in which the groups named in `rates` learn, each at its rate; all others stand still.

    The groups are "encoder b" and "decoder b" (weights and bias, by the block's rule), "top", "tuning b" (encoder b
    by the error from the top), and "tuning", which is all the blocks' at one rate.
    factors: for each presentation a factor of all rates. max_norm: by block.
    """

    presentations: int
    rates: Mapping[str, float]
    momentum: float = 0.0
    max_norm: Mapping[int, float] = field(default_factory=dict)
    factors: Sequence[float] | None = None


def blocks(w: Mapping[str, Array]) -> int:
    """m, the number of encoders E1 … Em."""
    return sum(1 for name in w if name.startswith("E") and name.endswith(".weight"))


def total_input(w: Mapping[str, Array], name: str, below: Array) -> Array:
    """S = A O + b."""
    return np.asarray(below @ w[f"{name}.weight"].T + w[f"{name}.bias"])


def forward(x: Array, w: Mapping[str, Array], hinge: str = "tanh") -> tuple[list[Array], list[Array]]:
    """Total inputs s[b] and activities h[b] of the hinges, h[0] the data (s[0] is not used), one plain pass."""
    s, h = [x], [x]
    for b in range(1, blocks(w) + 1):
        s.append(total_input(w, f"E{b}", h[b - 1]))
        h.append(activation(hinge, s[b]))
    return s, h


def logits(x: Array, w: Mapping[str, Array], hinge: str = "tanh") -> Array:
    """The total inputs of the top layer."""
    m = blocks(w)
    return total_input(w, f"W{m + 1}", forward(x, w, hinge)[1][m])


def images(x: Array, w: Mapping[str, Array], stack: Stack) -> list[tuple[Array, Array]]:
    """For each block its input u and what its decoder makes of the hinge."""
    _, h = forward(x, w, stack.hinge)
    found = []
    for b in range(1, blocks(w) + 1):
        found.append((h[b - 1], activation(stack.image_of(b), total_input(w, f"D{b}", h[b]))))
    return found


def block(b: int, u: Array, w: Mapping[str, Array], stack: Stack) -> tuple[Synapses, Synapses, Array]:
    """Post and pre of block b's encoder and of its decoder, and the image r; a bias has post and a pre of 1.

    For eq. 4 the minus is kept in post, so the bias has it too.
    """
    rule = stack.rules[b - 1]
    s = total_input(w, f"E{b}", u)
    h0 = activation(stack.hinge, s)
    r = activation(stack.image_of(b), total_input(w, f"D{b}", h0))
    error = u - r  # the decoder's post under every rule; no derivative of its activation
    if rule in ("rec", "rec-symmetric"):
        h1 = activation(stack.hinge, total_input(w, f"E{b}", r))  # the second time round
        # Tourbillon, eq. 3 or eq. 4
        encoder = (h0 - h1, u) if rule == "rec" else (-(h0 - h1), u - r)
    elif rule == "bp":
        encoder = (derivative(stack.hinge, s) * (error @ w[f"D{b}.weight"]), u)
    elif rule == "rbp":
        encoder = (derivative(stack.hinge, s) * (error @ w[f"R{b}.weight"].T), u)
    else:
        raise ValueError(f"unknown rule {rule!r} of block {b}")
    return encoder, (error, h0), r


def top_error(y: NDArray[Any], s: Array, loss: str) -> Array:
    """δ of the top: T - O of a softmax, or what each neuron finds short of its margin of 1."""
    batch, C = s.shape
    T = np.zeros((batch, C))
    T[np.arange(batch), y] = 1.0
    if loss == "softmax":
        return T - activation("softmax", s)
    if loss == "hinge":
        right = np.where(s < 1.0, 1.0, 0.0)
        wrong = np.where(s > -1.0, -1.0 / (C - 1), 0.0)
        return np.where(T == 1.0, right, wrong)
    raise ValueError(f"unknown loss {loss!r}")


def tuning(delta: Array, s: Sequence[Array], w: Mapping[str, Array], stack: Stack) -> dict[int, Array]:
    """δ_m … δ_1 from the error of the top: δ_{b-1} = f'(S_{b-1}) ⊙ D{b} δ_b (Tourbillon, 5.1)."""
    m = len(s) - 1
    f = stack.hinge
    down = w[f"W{m + 1}.weight"].T if stack.channel == "bp" else w[f"B{m + 1}.weight"]
    deltas = {m: derivative(f, s[m]) * (delta @ down.T)}
    for b in range(m, 1, -1):
        if stack.channel == "decoders":
            down = w[f"D{b}.weight"]
        elif stack.channel == "bp":
            down = w[f"E{b}.weight"].T
        elif stack.channel == "random":
            down = w[f"F{b}.weight"]
        else:
            raise ValueError(f"unknown channel {stack.channel!r}")
        deltas[b - 1] = derivative(f, s[b - 1]) * (deltas[b] @ down.T)
    return deltas


def learning(
    x: Array, y: NDArray[Any], w: Mapping[str, Array], stack: Stack, rates: Mapping[str, float]
) -> Iterator[tuple[str, str, float, Synapses]]:
    """Group, name of the weights and bias, rate, post and pre of all that learns, all from the same weights."""
    m = blocks(w)
    s, h = forward(x, w, stack.hinge)
    known = {"top", "tuning"} | {f"{kind} {b}" for kind in ("encoder", "decoder", "tuning") for b in range(1, m + 1)}
    if set(rates) - known:
        raise ValueError(f"unknown groups {sorted(set(rates) - known)}")
    for b in range(1, m + 1):
        if f"encoder {b}" in rates or f"decoder {b}" in rates:
            encoder, decoder, _ = block(b, h[b - 1], w, stack)
            if f"encoder {b}" in rates:
                yield f"encoder {b}", f"E{b}", rates[f"encoder {b}"], encoder
            if f"decoder {b}" in rates:
                yield f"decoder {b}", f"D{b}", rates[f"decoder {b}"], decoder
    tuned = {b: rates.get(f"tuning {b}", rates.get("tuning")) for b in range(1, m + 1)}
    if "top" in rates or any(rate is not None for rate in tuned.values()):
        delta = top_error(y, total_input(w, f"W{m + 1}", h[m]), stack.loss)
        if "top" in rates:
            yield "top", f"W{m + 1}", rates["top"], (delta, h[m])
        if any(rate is not None for rate in tuned.values()):
            for b, delta_b in tuning(delta, s, w, stack).items():
                rate = tuned[b]
                if rate is not None:
                    yield f"tuning {b}", f"E{b}", rate, (delta_b, h[b - 1])


def bounded(w: Weights, b: int, max_norm: float) -> None:
    """Each hinge neuron's incoming weights, and its bias with them, are scaled down to max_norm. Changes w."""
    for i in range(w[f"E{b}.weight"].shape[0]):
        norm = np.sqrt(np.sum(w[f"E{b}.weight"][i] ** 2) + w[f"E{b}.bias"][i] ** 2)
        if norm > max_norm:
            w[f"E{b}.weight"][i] *= max_norm / norm
            w[f"E{b}.bias"][i] *= max_norm / norm


def present(
    x: Array, y: NDArray[Any], w: Weights, velocity: Velocity, stack: Stack, stage: Stage, factor: float = 1.0
) -> None:
    """One presentation: v ← momentum v + ⟨post preᵀ⟩, w ← w + rate v, then the bounds. Changes w.

    A group that stands still keeps its velocity; a bound holds for its block whether it learns or not.
    """
    batch = x.shape[0]
    for group, name, rate, (post, pre) in list(learning(x, y, w, stack, stage.rates)):
        for tensor, mean in (("weight", post.T @ pre / batch), ("bias", post.sum(axis=0) / batch)):
            key = (group, f"{name}.{tensor}")
            velocity[key] = stage.momentum * velocity.get(key, np.zeros_like(mean)) + mean
            w[key[1]] = w[key[1]] + factor * rate * velocity[key]
    for b, max_norm in stage.max_norm.items():
        bounded(w, b, max_norm)


def run(
    x: Array,
    y: NDArray[Any],
    weights: Mapping[str, Array],
    *,
    rows: Sequence[Sequence[int] | NDArray[Any]],
    stages: Sequence[Stage],
    stack: Stack,
) -> Weights:
    """One update for each presentation in `rows`, in order, through the stages; returns the weights after the last."""
    w: Weights = {name: np.array(a, dtype=np.float64) for name, a in weights.items()}
    data, labels = np.asarray(x, dtype=np.float64), np.asarray(y)
    if sum(stage.presentations for stage in stages) != len(rows):
        raise ValueError(f"the stages have {sum(s.presentations for s in stages)} presentations, rows {len(rows)}")
    velocity: Velocity = {}
    first = 0
    for stage in stages:
        for k in range(stage.presentations):
            chosen = np.asarray(rows[first + k])
            factor = 1.0 if stage.factors is None else stage.factors[k]
            present(data[chosen], labels[chosen], w, velocity, stack, stage, factor)
        first += stage.presentations
    return w


def development(
    parts: Sequence[tuple[int, int, Mapping[str, float]]], max_norm: Mapping[int, float] | None = None
) -> list[Stage]:
    """The stages of parts (start, length, rates) that each learn in presentations start … start + length - 1.

    Blocks one after the other have their starts at the others' ends; asynchronously all start at 0; with a lag
    block b starts at (b - 1) lag.
    """
    times = sorted({t for start, length, _ in parts for t in (start, start + length)} | {0})
    stages = []
    for begin, end in pairwise(times):
        rates: dict[str, float] = {}
        for start, length, own in parts:
            if start <= begin < start + length:
                rates.update(own)
        stages.append(Stage(end - begin, rates, max_norm=max_norm or {}))
    return stages
