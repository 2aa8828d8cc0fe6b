"""The hand-written reference for the `autoencoder` scenario: plain NumPy, float64, no code shared with the engine.

Everything is a loop over presentations, cycles and layers, in the order in which the papers write it down.
"2018" is Baldi & Sadowski, Recirculation is Random Backpropagation; "Tourbillon" is Tavakoli, Sadowski & Baldi.

Arrays of activity are (batch, units), so the outer product post · preᵀ of the papers, averaged over the batch,
is `post.T @ pre / batch`. The layers are 0 … L and layer L is layer 0; cycle t = 0 is the pass of the data.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = dict[str, Array]


def activation(name: str, s: Array) -> Array:
    """O = f(S)."""
    if name == "identity":
        return s.copy()
    if name == "tanh":
        return np.tanh(s)
    if name == "logistic":
        return np.asarray(np.exp(-np.logaddexp(0.0, -s)))
    if name == "relu":
        return np.maximum(s, 0.0)
    if name == "saturated":
        return np.clip(s, -1.0, 1.0)
    if name == "saturated-half":
        return np.clip(0.5 * s, -1.0, 1.0)
    if name == "elu":
        return np.where(s < 0.0, np.expm1(np.minimum(s, 0.0)), s)
    if name == "softmax":
        e = np.exp(s - s.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))
    raise ValueError(f"unknown activation {name!r}")


def derivative(name: str, s: Array) -> Array:
    """f'(S); relu'(0) = 0; saturated' = 1 where |S| <= 1, that of its half 1/2 where |S| <= 2, the ends included."""
    if name == "identity":
        return np.ones_like(s)
    if name == "tanh":
        return 1.0 - np.tanh(s) ** 2
    if name == "logistic":
        return activation("logistic", s) * activation("logistic", -s)
    if name == "relu":
        return np.where(s > 0.0, 1.0, 0.0)
    if name == "saturated":
        return np.where(np.abs(s) <= 1.0, 1.0, 0.0)
    if name == "saturated-half":
        return np.where(np.abs(s) <= 2.0, 0.5, 0.0)
    if name == "elu":
        return np.exp(np.minimum(s, 0.0))
    raise ValueError(f"no derivative for the activation {name!r}")


def depth(weights: Mapping[str, Array]) -> int:
    """L, the number of forward matrices A1 … AL."""
    return sum(1 for name in weights if name.startswith("A") and name.endswith(".weight"))


def total_input(weights: Mapping[str, Array], h: int, below: Array, bias: bool) -> Array:
    """S^h = A^h O^{h-1} + b^h."""
    s = below @ weights[f"A{h}.weight"].T
    return s + weights[f"A{h}.bias"] if bias else s


def forward(
    x: Array, weights: Mapping[str, Array], *, hidden: str = "tanh", output: str = "logistic", bias: bool = True
) -> tuple[Array, Array]:
    """The output O^L and its logits S^L of one plain pass (2018, eq. 5)."""
    L = depth(weights)
    o = np.asarray(x, dtype=np.float64)
    for h in range(1, L):
        o = activation(hidden, total_input(weights, h, o, bias))
    logits = total_input(weights, L, o, bias)
    return activation(output, logits), logits


def mse(x: Array, out: Array) -> float:
    """Squared error, mean over examples and units."""
    return float(np.mean((x - out) ** 2))


def bce(x: Array, logits: Array) -> float:
    """Cross-entropy of logistic units, from their logits: summed over units, mean over examples."""
    return float(np.mean(np.sum(np.logaddexp(0.0, logits) - x * logits, axis=1)))


def coefficients(variant: str, lam: float | Sequence[float]) -> tuple[float, float, float, float]:
    """What layer 0 emits and remembers, and what the hidden layers emit and remember, of cycle 0 (2018, 4.2)."""
    l1, l2 = (lam[0], lam[1]) if isinstance(lam, Sequence) else (lam, lam)
    if variant == "pr":
        return 0.0, 0.0, 0.0, 0.0
    if variant == "ccr":
        return 0.0, l2, 0.0, l2
    if variant == "rcc":
        return l1, l1, 0.0, 0.0
    if variant == "ccrcc":
        return l1, l1, 0.0, l2
    if variant == "rwcc":
        return l1, l1, l1, l2
    raise ValueError(f"unknown variant {variant!r}")


def recirculate(
    x: Array, w: Weights, m: int, variant: str, lam: float | Sequence[float], hidden: str, output: str, bias: bool
) -> tuple[list[list[Array]], list[Array]]:
    """Cycles 0 … m. Returns remembered[t][h] for h = 0 … L-1, and arrived[t], the output O^L(t) as it was computed.

    In cycle t >= 1 a neuron that computes S emits e·O(0) + (1-e)·S and remembers r·O(0) + (1-r)·S (2018, Tables 1-4);
    in layer 0 the S of cycle t is the output of cycle t-1.
    """
    L = depth(w)
    emit_0, remember_0, emit_h, remember_h = coefficients(variant, lam)

    # Cycle 0: everybody emits and remembers what it computes (2018, eq. 5).
    first = [x]
    for h in range(1, L):
        first.append(activation(hidden, total_input(w, h, first[h - 1], bias)))
    remembered = [first]
    arrived = [activation(output, total_input(w, L, first[L - 1], bias))]

    for t in range(1, m + 1):
        s = arrived[t - 1]
        emitted_t = [emit_0 * first[0] + (1.0 - emit_0) * s]
        remembered_t = [remember_0 * first[0] + (1.0 - remember_0) * s]
        for h in range(1, L):
            s = activation(hidden, total_input(w, h, emitted_t[h - 1], bias))
            emitted_t.append(emit_h * first[h] + (1.0 - emit_h) * s)
            remembered_t.append(remember_h * first[h] + (1.0 - remember_h) * s)
        remembered.append(remembered_t)
        arrived.append(activation(output, total_input(w, L, emitted_t[L - 1], bias)))  # handed on unmixed
    return remembered, arrived


def train(
    x: Array,
    weights: Mapping[str, Array],
    *,
    rows: Sequence[Sequence[int] | NDArray[Any]],
    rule: str = "rec",
    variant: str = "pr",
    lam: float | Sequence[float] = 0.5,
    cycles: int = 1,
    reference_cycle: int = 0,
    top_rule: str = "same",
    hidden: str = "tanh",
    output: str = "logistic",
    bias: bool = True,
    lr: float | Sequence[float] = 0.01,
    lr_bias: float | Sequence[float] | None = None,
    lr_factors: Sequence[float] | None = None,
    momentum: float = 0.0,
    max_norm: float | None = None,
    feedback: Mapping[str, Array] | None = None,
) -> Weights:
    """One update for each presentation in `rows`, in order; returns the weights after the last one.

    weights: A{h}.weight (n_h, n_{h-1}), A{h}.bias, and where the rule needs them B{h}.weight (n_{h-1}, n_h), h = 2 … L,
    or D{h}.weight (n_h, n_L), h = 1 … L-1; these may also come apart, in `feedback`.
    lr_factors: for each presentation a factor of lr and lr_bias, for lr_decay.
    """
    w: Weights = {name: np.array(a, dtype=np.float64) for name, a in {**weights, **(feedback or {})}.items()}
    data = np.asarray(x, dtype=np.float64)
    L = depth(w)
    m, n = cycles, reference_cycle
    if not 0 <= n < m:
        raise ValueError(f"expected 0 <= reference_cycle < cycles, got n = {n}, m = {m}")
    if rule == "error-rec" and (variant, m, n) != ("pr", 1, 0):
        raise ValueError("error recirculation is defined for plain recirculation and one cycle (2018, 5.1)")
    rates = [float(r) for r in lr] if isinstance(lr, Sequence) else [float(lr)] * L
    if lr_bias is None:
        bias_rates = rates
    else:
        bias_rates = [float(r) for r in lr_bias] if isinstance(lr_bias, Sequence) else [float(lr_bias)] * L
    velocity = {name: np.zeros_like(a) for name, a in w.items() if name.startswith("A")}

    for k, chosen in enumerate(rows):
        x0 = data[np.asarray(chosen)]
        batch = x0.shape[0]
        factor = 1.0 if lr_factors is None else lr_factors[k]

        # What each forward synapse multiplies: post[h] · pre[h]ᵀ; the bias has a presynaptic activity of 1.
        post: dict[int, Array] = {}
        pre: dict[int, Array] = {}

        if rule in ("rec", "rec-symmetric"):
            act, arrived = recirculate(x0, w, m, variant, lam, hidden, output, bias)
            for h in range(1, L):
                post[h] = act[n][h] - act[m][h]  # 2018, eq. 23 (n = 0, m = 1), eq. 48, eq. 51
                pre[h] = act[n][h - 1]
                if rule == "rec-symmetric":  # Tourbillon, eq. 4; the minus is kept in post, so the bias has it too
                    post[h] = -post[h]
                    pre[h] = act[n][h - 1] - act[m][h - 1]
            if top_rule == "same":
                post[L] = act[n][0] - act[m][0]  # 2018, eq. 23 and eq. 48
            elif top_rule == "gradient":
                post[L] = act[0][0] - act[1][0]  # 2018, Figure 10
            elif top_rule == "own":
                post[L] = arrived[n] - arrived[m]  # 2018, eq. 51 with h = L
            else:
                raise ValueError(f"unknown top_rule {top_rule!r}")
            pre[L] = act[n][L - 1]

        else:
            # One plain pass with its total inputs, then an error for each layer.
            total: list[Array] = [x0]  # total[0] is not used
            first: list[Array] = [x0]
            for h in range(1, L + 1):
                total.append(total_input(w, h, first[h - 1], bias))
                first.append(activation(output if h == L else hidden, total[h]))
            error = x0 - first[L]  # T - O for every output function (2018, eq. 8)
            post[L] = error
            if rule == "error-rec":  # 2018, eq. 18: the error goes round in the place of the data
                e = error
                for h in range(1, L):
                    e = activation(hidden, total_input(w, h, e, bias))
                    post[h] = e
            elif rule in ("bp", "rbp", "arbp"):  # 2018, eq. 7, and eq. 39 with a matrix in the place of the transpose
                for h in range(L - 1, 0, -1):
                    back = w[f"A{h + 1}.weight"].T if rule == "bp" else w[f"B{h + 1}.weight"]
                    post[h] = derivative(hidden, total[h]) * (post[h + 1] @ back.T)
            elif rule == "srbp":
                for h in range(1, L):
                    post[h] = derivative(hidden, total[h]) * (error @ w[f"D{h}.weight"].T)
            elif rule != "top":
                raise ValueError(f"unknown rule {rule!r}")
            for h in post:
                pre[h] = first[h - 1]

        # All increments come from the weights that the passes used; they are applied only now.
        for h in post:
            velocity[f"A{h}.weight"] = momentum * velocity[f"A{h}.weight"] + post[h].T @ pre[h] / batch
            w[f"A{h}.weight"] = w[f"A{h}.weight"] + factor * rates[h - 1] * velocity[f"A{h}.weight"]
            if bias:
                velocity[f"A{h}.bias"] = momentum * velocity[f"A{h}.bias"] + post[h].sum(axis=0) / batch
                w[f"A{h}.bias"] = w[f"A{h}.bias"] + factor * bias_rates[h - 1] * velocity[f"A{h}.bias"]
            if rule == "arbp" and h >= 2:  # without momentum: the table's formula, taken literally
                w[f"B{h}.weight"] = w[f"B{h}.weight"] + factor * rates[h - 1] * (pre[h].T @ post[h] / batch)

        if max_norm is not None:
            for h in range(1, L + 1):
                for i in range(w[f"A{h}.weight"].shape[0]):  # each neuron: its incoming weights, and its bias with them
                    square = float(np.sum(w[f"A{h}.weight"][i] ** 2))
                    if bias:
                        square += float(w[f"A{h}.bias"][i] ** 2)
                    if square > max_norm**2:
                        w[f"A{h}.weight"][i] *= max_norm / np.sqrt(square)
                        if bias:
                            w[f"A{h}.bias"][i] *= max_norm / np.sqrt(square)
    return w
