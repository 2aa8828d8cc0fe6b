"""The hand-written reference for the `classifier` scenario: plain NumPy, float64, no code shared with the engine.

Everything is a loop over presentations, examples and layers, in the order in which the papers write it down.
"Amit" is Amit 2019, updated random feedback; "Akrout" the slides on Akrout et al. 2019, weight mirrors and
Kolen-Pollack; "Nayebi" the slides on Kunin et al. 2020, primitives.

The activity of one example is a vector, so the outer product post · preᵀ is `np.outer(post, pre)`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from handwritten import Array, Weights, activation, derivative
from numpy.typing import NDArray

Pass = Mapping[int, Array]  # the noise of one mirror pass: for each h = 2 … L the array x (batch, n_{h-1})


def top(weights: Mapping[str, Array]) -> int:
    """L, the number of forward matrices W1 … WL."""
    return sum(1 for name in weights if name.startswith("W") and name.endswith(".weight"))


def fire(name: str, s: Array) -> Array:
    """f(S) of one layer for one example; softmax is over its neurons."""
    return activation(name, s[np.newaxis, :])[0]


def forward(
    x: Array, w: Mapping[str, Array], *, hidden: str = "tanh", output: str = "softmax", bias: bool = True
) -> tuple[list[Array], list[Array]]:
    """One example: total inputs S^0 … S^L (S^0 is not used) and activities O^0 … O^L (Akrout, eq. 1)."""
    L = top(w)
    s, o = [x], [x]
    for h in range(1, L + 1):
        total = w[f"W{h}.weight"] @ o[h - 1]
        if bias:
            total = total + w[f"W{h}.bias"]
        s.append(total)
        o.append(fire(output if h == L else hidden, total))
    return s, o


def output_error(right: int, s: Array, o: Array, loss: str, hinge_margin: str) -> Array:
    """δ^L: T - O for every output function, or what is left of the multi-class hinge loss (Amit, 3.2)."""
    C = len(s)
    delta = np.zeros(C)
    for i in range(C):
        if loss == "error":
            delta[i] = (1.0 if i == right else 0.0) - o[i]
        elif loss == "hinge":
            mu = 1.0 / (C - 1)
            margin = {"one": 1.0, "mu": mu}[hinge_margin]
            if i == right:
                delta[i] = 1.0 if s[i] < 1.0 else 0.0
            else:
                delta[i] = -mu if s[i] > -margin else 0.0
        else:
            raise ValueError(f"unknown loss {loss!r}")
    return delta


def returning(w: Mapping[str, Array], feedback: str, h: int, magnitude: Array | None = None) -> Array:
    """What δ^h is multiplied with on its way to layer h-1: (n_{h-1}, n_h)."""
    if feedback == "bp":
        return w[f"W{h}.weight"].T
    if feedback == "ss":  # the signs of W, magnitudes of its own (Akrout's [4])
        m = w[f"B{h}.weight"] if magnitude is None else magnitude
        return np.asarray(np.sign(w[f"W{h}.weight"].T) * np.abs(m))
    return w[f"B{h}.weight"]


def errors(
    s: Sequence[Array],
    delta_top: Array,
    w: Mapping[str, Array],
    feedback: str,
    hidden: str,
    magnitudes: Mapping[int, Array] | None = None,
) -> dict[int, Array]:
    """δ^1 … δ^L of one example: δ^h = f'(S^h) ⊙ B^{h+1} δ^{h+1} (Akrout, eq. 3), or straight from the top (dfa)."""
    L = top(w)
    delta = {L: delta_top}
    for h in range(L - 1, 0, -1):
        if feedback == "dfa":
            arriving = w[f"D{h}.weight"] @ delta_top
        else:
            back = returning(w, feedback, h + 1, None if magnitudes is None else magnitudes[h + 1])
            arriving = back @ delta[h + 1]
        delta[h] = derivative(hidden, s[h]) * arriving
    return delta


def gradient(primitive: str, back: Array, up: Array, below: Array, above: Array) -> Array:
    """∇P of Nayebi's table for one example: B = back, W = up, x_l = below, x_{l+1} = above: W x_l, or f(W x_l + b)."""
    if primitive == "decay":
        return back.copy()
    if primitive == "amp":
        return -np.outer(below, above)
    if primitive == "null":
        return np.asarray(back @ np.outer(above, above))
    if primitive == "sparse":
        return np.asarray(np.outer(below, below) @ back)
    if primitive == "self":
        return -up.T
    raise ValueError(f"unknown primitive {primitive!r}")


def mirror_pass(
    w: Weights, exists: Weights, noise: Pass, mirror: Mapping[str, Any], hidden: str, output: str, bias: bool
) -> None:
    """Mirror mode (Akrout, eqs. 6-7): each layer h-1 fires its noise, layer h answers, B{h} takes x yᵀ. Changes w."""
    L = top(w)
    for h in range(2, L + 1):
        x = noise[h]
        batch = x.shape[0]
        name = hidden if h < L else output
        answers = []
        for e in range(batch):
            total = w[f"W{h}.weight"] @ x[e]
            if bias and not mirror.get("block_bias", False):
                total = total + w[f"W{h}.bias"]
            answers.append(fire("identity" if name == "softmax" else name, total))
        if mirror.get("centre", False):
            middle = sum(answers) / batch
            answers = [answer - middle for answer in answers]
        increment = np.zeros_like(w[f"B{h}.weight"])
        for e in range(batch):
            increment += np.outer(x[e], answers[e]) / batch
        B = w[f"B{h}.weight"]
        B = (B + mirror["rate"] * increment - mirror.get("decay", 0.0) * B) * exists[f"B{h}.weight"]
        if mirror.get("normalise", False):
            B = B / np.sqrt(np.sum(B**2))
        w[f"B{h}.weight"] = B


def bounded(w: Weights, max_norm: float, bias: bool) -> None:
    """Each neuron's incoming weights, and its bias with them, are scaled down to max_norm. Changes w."""
    for h in range(1, top(w) + 1):
        W = w[f"W{h}.weight"]
        for i in range(W.shape[0]):
            square = float(np.sum(W[i] ** 2))
            if bias:
                square += float(w[f"W{h}.bias"][i] ** 2)
            if square > max_norm**2:
                W[i] *= max_norm / np.sqrt(square)
                if bias:
                    w[f"W{h}.bias"][i] *= max_norm / np.sqrt(square)


def train(
    x: Array,
    y: Sequence[int] | NDArray[Any],
    weights: Mapping[str, Array],
    *,
    rows: Sequence[Sequence[int] | NDArray[Any]],
    feedback: str = "bp",
    loss: str = "error",
    hinge_margin: str = "one",
    hidden: str = "tanh",
    output: str = "softmax",
    bias: bool = True,
    lr: float | Sequence[float] = 0.01,
    lr_bias: float | Sequence[float] | None = None,
    lr_factors: Sequence[float] | None = None,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    feedback_step: float | None = None,
    primitives: Mapping[str, Any] | None = None,
    magnitudes: Sequence[Mapping[int, Array]] | None = None,
    mirror: Mapping[str, Any] | None = None,
    noise_before: Sequence[Pass] = (),
    noise: Sequence[Sequence[Pass]] | None = None,
    max_norm: float | None = None,
    masks: Mapping[str, Array] | None = None,
) -> Weights:
    """One update for each presentation in `rows`, in order; returns the weights after the last one.

    weights: W{h}.weight (n_h, n_{h-1}), W{h}.bias, and where the feedback needs them B{h}.weight (n_{h-1}, n_h),
    h = 2 … L, or D{h}.weight (n_h, n_L), h = 1 … L-1. For `ss` B holds the magnitudes: one number a layer (uniform)
    or one for each synapse (fixed), or they come redrawn for each presentation in `magnitudes` (batch).
    primitives: `rate` and the coefficients of decay, amp, null, sparse, self; one that is not named is 0.
    `reads` is input (the source's x_{l+1} = W x_l, the default) or activity (f(W x_l + b)).
    mirror: `rate`, `decay`, `block_bias`, `centre`, `normalise`; the passes' noise is given: `noise_before` for the
    passes before the first presentation, noise[k] for those that follow presentation k.
    lr_factors: for each presentation a factor of lr and lr_bias, for lr_decay.
    masks: 1 where a synapse exists, 0 where it does not, by tensor name.
    """
    w: Weights = {name: np.array(a, dtype=np.float64) for name, a in weights.items()}
    data = np.asarray(x, dtype=np.float64)
    L = top(w)
    layers = range(1, L + 1)
    exists: Weights = {name: np.ones_like(a) for name, a in w.items()} | dict(masks or {})
    for name in w:
        w[name] = w[name] * exists[name]
    rates = [float(r) for r in lr] if isinstance(lr, Sequence) else [float(lr)] * L
    if lr_bias is None:
        bias_rates = rates
    else:
        bias_rates = [float(r) for r in lr_bias] if isinstance(lr_bias, Sequence) else [float(lr_bias)] * L
    q = {"urfb": 1.0, "kp": 1.0}.get(feedback, 0.0) if feedback_step is None else feedback_step
    if feedback_step is not None and feedback not in ("fa", "urfb", "kp"):
        raise ValueError(f"feedback_step is for fa, urfb and kp; got {feedback!r}")
    if (primitives is not None) != (feedback in ("ia", "sa", "aa")):
        raise ValueError(f"primitives are for ia, sa and aa, and needed there; got {primitives!r} for {feedback!r}")
    if noise is not None and feedback != "wm":
        raise ValueError(f"mirror mode is for wm; got {feedback!r}")
    velocity = {h: np.zeros_like(w[f"W{h}.weight"]) for h in layers}
    bias_velocity = {h: np.zeros(w[f"W{h}.weight"].shape[0]) for h in layers}

    if feedback not in ("bp", "fa", "dfa", "kp", "wm", "ss", "urfb", "ia", "sa", "aa"):
        raise ValueError(f"unknown feedback {feedback!r}")

    for given in noise_before:
        mirror_pass(w, exists, given, mirror or {}, hidden, output, bias)

    for k, chosen in enumerate(rows):
        batch = len(chosen)
        factor = 1.0 if lr_factors is None else lr_factors[k]
        redrawn = None if magnitudes is None else {h: m * exists[f"B{h}.weight"] for h, m in magnitudes[k].items()}

        # The means over the batch of δ^h O^{h-1}ᵀ, of δ^h, and of the primitives' gradients.
        dw = {h: np.zeros_like(w[f"W{h}.weight"]) for h in layers}
        db = {h: np.zeros(w[f"W{h}.weight"].shape[0]) for h in layers}
        grad = {h: np.zeros_like(w[f"W{h}.weight"].T) for h in layers}
        for example in chosen:
            s, o = forward(data[example], w, hidden=hidden, output=output, bias=bias)
            delta_top = output_error(int(y[example]), s[L], o[L], loss, hinge_margin)
            delta = errors(s, delta_top, w, feedback, hidden, redrawn)
            for h in layers:
                dw[h] += np.outer(delta[h], o[h - 1]) / batch
                db[h] += delta[h] / batch
                if primitives is not None and h >= 2:
                    B, W = w[f"B{h}.weight"], w[f"W{h}.weight"]
                    above = o[h] if primitives.get("reads", "input") == "activity" else W @ o[h - 1]
                    for name, c in primitives.items():
                        if name not in ("rate", "reads"):
                            grad[h] += c * gradient(name, B, W, o[h - 1], above) / batch

        # All increments come from the weights that the passes used; they are applied only now.
        for h in layers:
            velocity[h] = momentum * velocity[h] + dw[h]
            bias_velocity[h] = momentum * bias_velocity[h] + db[h]
            W = w[f"W{h}.weight"]
            increment = factor * rates[h - 1] * velocity[h]
            w[f"W{h}.weight"] = (W + increment - weight_decay * W) * exists[f"W{h}.weight"]
            if bias:
                w[f"W{h}.bias"] = w[f"W{h}.bias"] + factor * bias_rates[h - 1] * bias_velocity[h]
            if h >= 2 and feedback in ("fa", "urfb", "kp"):  # Amit, 3.1 and 5 (ε is q); Akrout, eqs. 16-17
                B = w[f"B{h}.weight"]
                decay = weight_decay if feedback == "kp" else 0.0
                w[f"B{h}.weight"] = (B + q * increment.T - decay * B) * exists[f"B{h}.weight"]
            if h >= 2 and primitives is not None:
                B = w[f"B{h}.weight"]
                w[f"B{h}.weight"] = (B - primitives["rate"] * grad[h]) * exists[f"B{h}.weight"]

        if max_norm is not None:
            bounded(w, max_norm, bias)

        if noise is not None:  # weight mirrors: mirror mode follows the forward update
            for given in noise[k]:
                mirror_pass(w, exists, given, mirror or {}, hidden, output, bias)
    return w
