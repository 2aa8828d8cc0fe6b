"""Hand-written circular autoencoders of convolutions and untied layers: the last layer has the input's shape.

"2018" is Baldi & Sadowski, Recirculation is Random Backpropagation; "Tourbillon" is Tavakoli, Sadowski & Baldi. Layers
are 0 … M with layer M being layer 0; h = 1 … L numbers those with weights, A{h}. Cycle t = 0 is the pass of the data.

Choices, where the interface leaves one open:
- Hidden layers without weights (pools, upsampling, sums) are neurons like any others: they emit and remember by the
  hidden layers' coefficients. mixing="weighted" has them hand on what they compute, and remember that.
- A max-pool chooses its winners anew in every cycle, and among errors when errors go round (error-rec).
- A synapse's presynaptic activity is what the layer just below A{h} remembers, a pool or a sum as well.
- arbp: B{h} takes lr ⟨O_{h-1} δ_hᵀ⟩, summed over positions, without momentum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from handwritten import Array, Weights, coefficients
from handwritten_convolution import Network, swapped
from handwritten_convolution_passes import backward, computed, fire, forward, function_of, image
from handwritten_convolution_rules import Rate, Rows, bound, direct, increment, learn, per_layer, returning

Terms = tuple[dict[int, Array], dict[int, Array]]  # for each h the two factors of an increment, post and pre


def recirculate(
    net: Network,
    x: Array,
    w: Mapping[str, Array],
    m: int,
    *,
    variant: str = "pr",
    lam: float | Sequence[float] = 0.5,
    hidden: str = "tanh",
    output: str = "logistic",
    bias: bool = True,
    mixing: str = "all",
) -> tuple[list[list[Array]], list[Array]]:
    """Cycles 0 … m. Returns remembered[t][k] for k = 0 … M-1, and arrived[t], the output O^M(t) as it was computed.

    In cycle t >= 1 a neuron that computes S emits e·O(0) + (1-e)·S and remembers r·O(0) + (1-r)·S (2018, Tables 1-4);
    in layer 0 the S of cycle t is the output of cycle t-1.
    """
    if mixing not in ("all", "weighted"):
        raise ValueError(f"unknown mixing {mixing!r}")
    M = len(net.places)
    emit_0, remember_0, emit_h, remember_h = coefficients(variant, lam)
    first = forward(net, x, w, hidden=hidden, output=output, bias=bias).o
    remembered, arrived = [first[:M]], [first[M]]
    for t in range(1, m + 1):
        s = arrived[t - 1]
        emitted_t = [emit_0 * first[0] + (1.0 - emit_0) * s]
        remembered_t = [remember_0 * first[0] + (1.0 - remember_0) * s]
        for k in range(1, M):
            s = fire(function_of(net, k, hidden, output), computed(net, k, emitted_t, w, bias)[0])
            mixes = mixing == "all" or net.places[k - 1].h is not None
            e, r = (emit_h, remember_h) if mixes else (0.0, 0.0)
            emitted_t.append(e * first[k] + (1.0 - e) * s)
            remembered_t.append(r * first[k] + (1.0 - r) * s)
        remembered.append(remembered_t)
        arrived.append(fire(output, computed(net, M, emitted_t, w, bias)[0]))  # handed on unmixed
    return remembered, arrived


def recirculation_terms(
    net: Network, act: Sequence[Sequence[Array]], arrived: Sequence[Array], m: int, n: int, rule: str, top_rule: str
) -> Terms:
    """Post and pre of rec (2018, eqs. 23, 48, 51) and of rec-symmetric (Tourbillon, eq. 4, below the top)."""
    L = len(net.weighted)
    post, pre = {}, {}
    for h, k in net.weighted.items():
        pre[h] = act[n][k - 1]
        if h < L:
            post[h] = act[n][k] - act[m][k]
            if rule == "rec-symmetric":  # the minus is kept in post, so the bias has it too
                post[h] = -post[h]
                pre[h] = act[n][k - 1] - act[m][k - 1]
    if top_rule == "same":
        post[L] = act[n][0] - act[m][0]
    elif top_rule == "gradient":
        post[L] = act[0][0] - act[1][0]
    elif top_rule == "own":
        post[L] = arrived[n] - arrived[m]
    else:
        raise ValueError(f"unknown top_rule {top_rule!r}")
    return post, pre


def error_terms(
    net: Network, x: Array, w: Mapping[str, Array], rule: str, hidden: str, output: str, bias: bool
) -> Terms:
    """Post and pre of bp, rbp, arbp, srbp, error-rec and top: one plain pass, then an error for each layer."""
    passed = forward(net, x, w, hidden=hidden, output=output, bias=bias)
    L, M = len(net.weighted), len(net.places)
    pre = {h: passed.o[k - 1] for h, k in net.weighted.items()}
    error = x - passed.o[M]  # T - O for every output function (2018, eq. 8)
    if rule == "top":
        return {L: error}, pre
    if rule == "srbp":
        return direct(net, passed, error, w, hidden), pre
    if rule == "error-rec":  # 2018, eq. 18: the error goes round in the place of the data
        round_again, post = [error], {L: error}
        for k in range(1, M):
            s, _ = computed(net, k, round_again, w, bias)
            round_again.append(fire(function_of(net, k, hidden, output), s))
            h = net.places[k - 1].h
            if h is not None:
                post[h] = round_again[k]
        return post, pre
    if rule not in ("bp", "rbp", "arbp"):
        raise ValueError(f"unknown rule {rule!r}")
    back = returning(net, w, "bp" if rule == "bp" else "fa")
    return backward(net, passed, error, back, hidden), pre


def train(
    net: Network,
    x: Array,
    weights: Mapping[str, Array],
    *,
    rows: Rows,
    rule: str = "rec",
    variant: str = "pr",
    lam: float | Sequence[float] = 0.5,
    cycles: int = 1,
    reference_cycle: int = 0,
    top_rule: str = "same",
    mixing: str = "all",
    hidden: str = "tanh",
    output: str = "logistic",
    bias: bool = True,
    lr: Rate = 0.01,
    lr_bias: Rate | None = None,
    lr_factors: Sequence[float] | None = None,
    momentum: float = 0.0,
    max_norm: float | None = None,
) -> list[Weights]:
    """One update for each presentation in `rows`, in order; returns the weights after each of them.

    weights: A{h}, and where the rule needs them B{h} (rbp, arbp) or D{h} (srbp). rule: rec, rec-symmetric, error-rec,
    bp, rbp, srbp, arbp, top. cycles and reference_cycle are m and n.
    """
    if net.prefix != "A" or net.places[-1].shape != net.shape:
        raise ValueError(f"an autoencoder's tensors are A and its last layer is {net.shape}")
    m, n = cycles, reference_cycle
    if not 0 <= n < m:
        raise ValueError(f"expected 0 <= reference_cycle < cycles, got n = {n}, m = {m}")
    if rule == "error-rec" and (variant, m, n) != ("pr", 1, 0):
        raise ValueError("error recirculation is defined for plain recirculation and one cycle (2018, 5.1)")
    w: Weights = {name: np.array(a, dtype=np.float64) for name, a in weights.items()}
    L, data = len(net.weighted), image(x, net.shape)
    rates, bias_rates = per_layer(lr, L), per_layer(lr if lr_bias is None else lr_bias, L)
    velocity: Weights = {}
    history: list[Weights] = []

    for t, chosen in enumerate(rows):
        x0, factor = data[np.asarray(chosen)], 1.0 if lr_factors is None else lr_factors[t]
        if rule in ("rec", "rec-symmetric"):
            act, arrived = recirculate(
                net, x0, w, m, variant=variant, lam=lam, hidden=hidden, output=output, bias=bias, mixing=mixing
            )
            post, pre = recirculation_terms(net, act, arrived, m, n, rule, top_rule)
        else:
            post, pre = error_terms(net, x0, w, rule, hidden, output, bias)

        # All increments come from the weights that the passes used; they are applied only now.
        if rule == "arbp":
            for h in range(2, L + 1):
                place = net.places[net.weighted[h] - 1]
                taken = factor * rates[h - 1] * increment(place, post[h], pre[h])
                w[f"B{h}.weight"] = w[f"B{h}.weight"] + swapped(place, taken)
        learn(
            net,
            w,
            velocity,
            post,
            pre,
            lr=[factor * r for r in rates],
            lr_bias=[factor * r for r in bias_rates],
            momentum=momentum,
            weight_decay=0.0,
            bias=bias,
        )
        if max_norm is not None:
            bound(net, w, max_norm, bias)
        history.append({name: a.copy() for name, a in w.items()})
    return history
