"""Increments of hand-written convolutional and untied circuits, and the classifiers' rules.

"Amit" is Amit 2019, updated random feedback; "Akrout" the slides on Akrout et al. 2019, mirrors and Kolen-Pollack.
An increment is the mean over the batch and the sum over the positions of a slot, of weights and of shared biases alike.

Choices, where the interface leaves one open:
- The error at the output is T - O; a hinge loss looks at S of the output and at no activation of it.
- Direct feedback (dfa) arrives at the neurons of the layers with weights; pools and sums pass nothing down.
- Weight decay and the mirror's decay act once on each slot, however many synapses share it; biases do not decay.
- B{h} of fa, urfb and kp takes q · (what W{h} takes before its decay, momentum and lr_decay included), swapped.
- In mirror mode the layer that W{h} reads fires the noise, a pool or a sum as well. The mirror's `centre` is each
  neuron's mean over the batch; `normalise` divides by the norm of the whole tensor B{h}.
- A neuron's incoming weights, for max_norm, are all the slots of its filter and its bias, at the border too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from handwritten import Array, Weights, derivative
from handwritten_classifier import output_error
from handwritten_convolution import Network, Place, exists, slot, swapped, taps, tensor_shape
from handwritten_convolution_passes import Passage, backward, fire, forward, function_of, image, weighted_sum
from numpy.typing import NDArray

Rows = Sequence[Sequence[int] | NDArray[Any]]
Rate = float | Sequence[float]
Noise = Mapping[int, Array]  # one mirror pass: for each h = 2 … L what the layer that W{h} reads fires


def increment(place: Place, post: Array, pre: Array) -> Array:
    """⟨Σ post[o, p, q] · pre[i, p·stride + u - pad, …]⟩ for each slot of W{h}."""
    batch = post.shape[0]
    if place.layer.kind == "dense":
        return np.asarray(post[:, :, 0, 0].T @ pre.reshape(batch, -1) / batch)
    found = np.zeros(tensor_shape(place))
    for p, q, u, v, i, j in taps(place):
        found[slot(place, p, q, u, v)] += post[:, :, p, q].T @ pre[:, :, i, j] / batch
    return found


def bias_increment(place: Place, post: Array) -> Array:
    """The same with a presynaptic activity of 1: summed over positions where they share a bias."""
    mean = post.sum(axis=0) / post.shape[0]
    return np.asarray(mean if place.layer.kind == "local" else mean.sum(axis=(1, 2)))


def per_layer(rate: Rate, layers: int) -> list[float]:
    """A learning rate for each h = 1 … L."""
    return [float(r) for r in rate] if isinstance(rate, Sequence) else [float(rate)] * layers


def learn(
    net: Network,
    w: Weights,
    velocity: Weights,
    post: Mapping[int, Array],
    pre: Mapping[int, Array],
    *,
    lr: Sequence[float],
    lr_bias: Sequence[float],
    momentum: float,
    weight_decay: float,
    bias: bool,
) -> dict[int, Array]:
    """v ← momentum v + increment, w ← w + lr v - λ w for each h in `post`. Changes w and velocity; returns lr v."""
    taken = {}
    for h in post:
        place, name = net.places[net.weighted[h] - 1], f"{net.prefix}{h}"
        v = momentum * velocity.get(f"{name}.weight", 0.0) + increment(place, post[h], pre[h])
        velocity[f"{name}.weight"] = v
        taken[h] = lr[h - 1] * v
        W = w[f"{name}.weight"]
        w[f"{name}.weight"] = W + taken[h] - weight_decay * exists(place) * W
        if bias:
            v = momentum * velocity.get(f"{name}.bias", 0.0) + bias_increment(place, post[h])
            velocity[f"{name}.bias"] = v
            w[f"{name}.bias"] = w[f"{name}.bias"] + lr_bias[h - 1] * v
    return taken


def bound(net: Network, w: Weights, max_norm: float, bias: bool) -> None:
    """Each filter, and the bias with it, is scaled down to max_norm: one for each map, position or dense neuron."""
    for h, k in net.weighted.items():
        place = net.places[k - 1]
        W, b = w[f"{net.prefix}{h}.weight"].copy(), w[f"{net.prefix}{h}.bias"].copy()
        present = exists(place)
        # Untied: W[p, q, o] has the bias b[o, p, q]; shared and dense: W[o] has b[o].
        filters = np.ndindex(*W.shape[:3]) if place.layer.kind == "local" else np.ndindex(W.shape[0])
        for index in filters:
            own = (index[2], index[0], index[1]) if place.layer.kind == "local" else index
            square = float(np.sum((W[index] * present[index]) ** 2)) + (float(b[own] ** 2) if bias else 0.0)
            if square > max_norm**2:
                factor = max_norm / np.sqrt(square)
                W[index] = np.where(present[index] == 1.0, W[index] * factor, W[index])
                if bias:
                    b[own] *= factor
        w[f"{net.prefix}{h}.weight"], w[f"{net.prefix}{h}.bias"] = W, b


def returning(
    net: Network, w: Mapping[str, Array], feedback: str, magnitudes: Mapping[int, Array] | None = None
) -> dict[int, Array]:
    """What δ^h is multiplied with on its way down, h = 2 … L."""
    found = {}
    for h, k in net.weighted.items():
        if h == 1 or feedback == "dfa":
            continue
        transposed = swapped(net.places[k - 1], w[f"{net.prefix}{h}.weight"])
        if feedback == "bp":
            found[h] = transposed
        elif feedback == "ss":  # the signs of W, magnitudes of its own: one number, or one for each slot
            m = w[f"B{h}.weight"] if magnitudes is None else magnitudes[h]
            found[h] = np.sign(transposed) * np.abs(m)
        else:
            found[h] = w[f"B{h}.weight"]
    return found


def direct(net: Network, passed: Passage, delta_top: Array, w: Mapping[str, Array], hidden: str) -> dict[int, Array]:
    """δ^h = f'(S^h) ⊙ D{h} δ^L for the hidden layers with weights."""
    error = delta_top.reshape(delta_top.shape[0], -1)
    deltas = {}
    for h, k in net.weighted.items():
        if k == len(net.places):
            deltas[h] = image(delta_top, net.places[k - 1].shape)
        else:
            arriving = image(error @ w[f"D{h}.weight"].T, net.places[k - 1].shape)
            deltas[h] = derivative(hidden, passed.s[k]) * arriving
    return deltas


def errors_at_top(passed: Passage, y: NDArray[Any], loss: str, hinge_margin: str) -> Array:
    """δ^L of every example, (batch, C)."""
    batch = len(y)
    s, o = passed.s[-1].reshape(batch, -1), passed.o[-1].reshape(batch, -1)
    return np.stack([output_error(int(y[e]), s[e], o[e], loss, hinge_margin) for e in range(batch)])


def mirror_pass(
    net: Network, w: Weights, noise: Noise, mirror: Mapping[str, Any], hidden: str, output: str, bias: bool
) -> None:
    """Mirror mode (Akrout, eqs. 6-7): below h the noise x fires, layer h answers y, B{h} takes x yᵀ. Changes w.

    B{h}[i, o, u, v] += rate ⟨Σ x[i, p·stride + u - pad, …] y[o, p, q]⟩ - decay B{h}[i, o, u, v].
    """
    for h, k in net.weighted.items():
        if h == 1:
            continue
        place = net.places[k - 1]
        x = image(noise[h], place.below)
        with_bias = bias and not mirror.get("block_bias", False)
        total = weighted_sum(place, x, w[f"W{h}.weight"], w[f"W{h}.bias"] if with_bias else None)
        name = function_of(net, k, hidden, output)
        answer = fire("identity" if name == "softmax" else name, total)
        if mirror.get("centre", False):
            answer = answer - answer.mean(axis=0)
        present = swapped(place, exists(place))
        B = w[f"B{h}.weight"]
        B = B + mirror["rate"] * swapped(place, increment(place, answer, x)) - mirror.get("decay", 0.0) * present * B
        if mirror.get("normalise", False):
            B = np.where(present == 1.0, B / np.sqrt(np.sum((present * B) ** 2)), B)
        w[f"B{h}.weight"] = B


def train(
    net: Network,
    x: Array,
    y: Sequence[int] | NDArray[Any],
    weights: Mapping[str, Array],
    *,
    rows: Rows,
    feedback: str = "bp",
    loss: str = "error",
    hinge_margin: str = "one",
    hidden: str = "tanh",
    output: str = "softmax",
    bias: bool = True,
    lr: Rate = 0.01,
    lr_bias: Rate | None = None,
    lr_factors: Sequence[float] | None = None,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    feedback_step: float | None = None,
    magnitudes: Sequence[Mapping[int, Array]] | None = None,
    mirror: Mapping[str, Any] | None = None,
    noise_before: Sequence[Noise] = (),
    noise: Sequence[Sequence[Noise]] | None = None,
    max_norm: float | None = None,
) -> list[Weights]:
    """One update for each presentation in `rows`, in order; returns the weights after each of them.

    x: examples, (n, channel, row, column) or flat. weights: W{h}, and what the feedback needs of B{h} and D{h}.
    feedback: bp, fa, dfa, kp, wm, ss, urfb. For ss, B{h} holds the magnitudes (one number or one for each slot), or
    they come redrawn for each presentation in `magnitudes`. mirror: rate, decay, block_bias, centre, normalise; its
    noise is given: `noise_before` for the passes before the first presentation, noise[t] for those after number t.
    lr_factors: for each presentation a factor of lr and lr_bias, for lr_decay.
    """
    if feedback not in ("bp", "fa", "dfa", "kp", "wm", "ss", "urfb"):
        raise ValueError(f"unknown feedback {feedback!r}")
    w: Weights = {name: np.array(a, dtype=np.float64) for name, a in weights.items()}
    L = len(net.weighted)
    rates, bias_rates = per_layer(lr, L), per_layer(lr if lr_bias is None else lr_bias, L)
    q = {"urfb": 1.0, "kp": 1.0}.get(feedback, 0.0) if feedback_step is None else feedback_step
    data, labels = image(x, net.shape), np.asarray(y)
    velocity: Weights = {}
    history: list[Weights] = []
    for given in noise_before:
        mirror_pass(net, w, given, mirror or {}, hidden, output, bias)

    for t, chosen in enumerate(rows):
        chosen, factor = np.asarray(chosen), 1.0 if lr_factors is None else lr_factors[t]
        passed = forward(net, data[chosen], w, hidden=hidden, output=output, bias=bias)
        delta_top = errors_at_top(passed, labels[chosen], loss, hinge_margin)
        if feedback == "dfa":
            post = direct(net, passed, delta_top, w, hidden)
        else:
            back = returning(net, w, feedback, None if magnitudes is None else magnitudes[t])
            post = backward(net, passed, delta_top, back, hidden)
        pre = {h: passed.o[k - 1] for h, k in net.weighted.items()}

        # All increments come from the weights that the passes used; they are applied only now.
        taken = learn(
            net,
            w,
            velocity,
            post,
            pre,
            lr=[factor * r for r in rates],
            lr_bias=[factor * r for r in bias_rates],
            momentum=momentum,
            weight_decay=weight_decay,
            bias=bias,
        )
        if feedback in ("fa", "urfb", "kp"):  # Amit, 3.1 and 5 (ε is q); Akrout, eqs. 16-17
            for h in range(2, L + 1):
                place, B = net.places[net.weighted[h] - 1], w[f"B{h}.weight"]
                decay = weight_decay if feedback == "kp" else 0.0
                w[f"B{h}.weight"] = B + q * swapped(place, taken[h]) - decay * swapped(place, exists(place)) * B
        if max_norm is not None:
            bound(net, w, max_norm, bias)
        if noise is not None:  # mirror mode follows the forward update
            for given in noise[t]:
                mirror_pass(net, w, given, mirror or {}, hidden, output, bias)
        history.append({name: a.copy() for name, a in w.items()})
    return history
