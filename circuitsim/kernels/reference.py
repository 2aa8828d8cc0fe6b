"""The specification: every kernel as plainly as NumPy can say it.

Arrays are (replica, batch, neuron) and (replica, post, pre); an array shared by all replicas has a leading axis of one.
Each function binds its arrays and returns a step without arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from circuitsim.kernels.normalisation import (
    normalise_batch,
    normalise_groups,
    normalise_online,
    through_batch,
    through_groups,
    through_online,
)
from circuitsim.kernels.reference_synapses import (
    accumulate,
    apply,
    bound,
    clear,
    guard,
    magnitudes,
    mask,
    normalise,
    refresh,
)
from circuitsim.kernels.specification import (
    bound_grouped,
    deliver_along,
    deliver_winners,
    largest,
    outer_along,
    signed,
    spread,
)
from circuitsim.kernels.steps import Step, in_turn
from circuitsim.randomness import generator

__all__ = [
    "accumulate", "apply", "bound", "bound_grouped", "clear", "deliver_along", "deliver_winners", "guard", "largest",
    "magnitudes", "mask", "normalise", "normalise_batch", "normalise_groups", "normalise_online", "outer_along",
    "refresh", "signed", "spread", "through_batch", "through_groups", "through_online",
]  # fmt: skip

NAME = "numpy"
COMPILED = False
Array = np.ndarray


def _logistic(s: Array) -> Array:
    # exp of a large positive number would overflow: use the form that does not, on each side of zero
    small = np.exp(-np.abs(s))
    fired: Array = np.where(s >= 0, 1 / (1 + small), small / (1 + small))
    return fired


def _softmax(s: Array) -> Array:
    raised: Array = np.exp(s - s.max(axis=-1, keepdims=True))
    fired: Array = raised / raised.sum(axis=-1, keepdims=True)
    return fired


ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "identity": (lambda s: s, np.ones_like),
    "tanh": (np.tanh, lambda s: 1 - np.tanh(s) ** 2),
    "logistic": (_logistic, lambda s: _logistic(s) * (1 - _logistic(s))),
    "relu": (lambda s: np.maximum(s, 0), lambda s: (s > 0).astype(s.dtype)),
    "saturated": (lambda s: np.clip(s, -1, 1), lambda s: (np.abs(s) <= 1).astype(s.dtype)),
    "saturated-half": (lambda s: np.clip(s / 2, -1, 1), lambda s: (np.abs(s) <= 2).astype(s.dtype) / 2),
    "elu": (lambda s: np.where(s > 0, s, np.expm1(np.minimum(s, 0))), lambda s: np.exp(np.minimum(s, 0))),
    "softmax": (_softmax, np.ones_like),  # only ever an output, where the error is T - O: its slope is not asked for
}
"""f and f' of the summed input S; relu'(0) = 0; saturated'(s) = 1 where |s| <= 1, its half's 1/2 where |s| <= 2."""


def fuse(steps: Sequence[Step], kept: Iterable[Array] | None = None) -> Step:
    """All steps of a presentation as one; `kept` are the arrays that are looked at afterwards (None: all)."""
    return in_turn(steps)


def to_host(arrays: Iterable[Array]) -> None:
    """Copy arrays to the host, where writeable ones may then be changed; nothing to do: they are there."""


def on_host(step: Step, arrays: Iterable[Array]) -> Step:
    """Return a Python step that reads or changes these arrays."""
    return step


def gather(x: Array, rows: Array, out: Array) -> Step:
    """out[r, b] = x[rows[r, b]]."""

    def present() -> None:
        for r in range(out.shape[0]):
            out[r] = x[rows[r]]

    return present


def deliver(emitted: Array, across: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] across[r, j, i]."""

    def delivery() -> None:
        for r in range(arriving.shape[0]):
            e = emitted[min(r, emitted.shape[0] - 1)]
            # einsum without optimize loops in C: no BLAS, so that BLAS has something to be compared with
            contribution = np.einsum("bj,ji->bi", e, across[r])
            arriving[r] = arriving[r] + contribution if accumulate else contribution

    return delivery


def deliver_signed(emitted: Array, magnitude: Array, other: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] |magnitude[r, i, j]| sign(other[r, j, i])."""

    def delivery() -> None:
        weight = np.abs(magnitude) * np.sign(other.transpose(0, 2, 1))
        deliver(emitted, weight.transpose(0, 2, 1), arriving, accumulate=accumulate)()

    return delivery


def outer(post: Array, pre: Array, target: Array) -> Step:
    """target[r, i, j] = sum_b post[r, b, i] pre[r, b, j]."""

    def product() -> None:
        for r in range(target.shape[0]):
            target[r] = np.einsum("bi,bj->ij", post[min(r, post.shape[0] - 1)], pre[min(r, pre.shape[0] - 1)])

    return product


def one_hot(y: Array, rows: Array, out: Array) -> Step:
    """out[r, b, c] = 1 where c = y[rows[r, b]], else 0."""

    def present() -> None:
        for r in range(out.shape[0]):
            out[r] = y[rows[r]][:, None] == np.arange(out.shape[2])

    return present


def centre(out: Array) -> Step:
    """out less its mean over the batch."""

    def subtract_mean() -> None:
        out[...] = out - out.mean(axis=1, keepdims=True)

    return subtract_mean


def noise(seeds: Array, name: str, tick: Array, scale: Array, out: Array, *, gaussian: bool) -> Step:
    """out[r] = scale[r] times numbers drawn for (seed, name, tick): standard normal, or uniform within ±1."""

    def draw() -> None:
        for r, seed in enumerate(seeds):
            drawn = generator(seed, name, int(tick[0]))
            values = drawn.standard_normal(out.shape[1:]) if gaussian else drawn.uniform(-1, 1, out.shape[1:])
            out[r] = scale[r] * values

    return draw


def silence(seeds: Array, name: str, tick: Array, fraction: float, out: Array, slope: Array | None) -> Step:
    """out and slope times m / (1 - p), with m drawn for (seed, name, tick): 0 with the probability p, else 1."""

    def drop() -> None:
        for r, seed in enumerate(seeds):
            kept = generator(seed, name, int(tick[0])).random(out.shape[1:]) >= fraction
            for array in (out, slope):
                if array is not None:
                    array[r] *= kept * out.dtype.type(1 / (1 - fraction))

    return drop


def activate(name: str, arriving: Array, biases: list[Array], out: Array, slope: Array | None) -> Step:
    """S += b; slope = f'(S); out = f(S). `out` may be S itself."""
    function, derivative = ACTIVATIONS[name]

    def fire() -> None:
        for bias in biases:
            arriving[...] += bias[:, None, :]
        fired = function(arriving)
        if slope is not None:
            slope[...] = derivative(arriving)
        out[...] = fired

    return fire


def mix(coefficient: Array, held: Array, computed: Array, out: Array) -> Step:
    """out = c held + (1 - c) computed, with c for each replica; `out` may be `computed` itself."""
    c = coefficient[:, None, None]

    def mixture() -> None:
        out[...] = np.where(c == 0, computed, c * held + (1 - c) * computed)

    return mixture


def mix_error(coefficient: Array, held: Array, returned: Array, out: Array) -> Step:
    """out = c held + (1 - c) (held - returned)."""
    c = coefficient[:, None, None]

    def mixture() -> None:
        out[...] = c * held + (1 - c) * (held - returned)

    return mixture


def hinge(target: Array, summed: Array, margin: Array, out: Array) -> Step:
    """out = 1 where target = 1 and S < 1, -1/(C-1) where target = 0 and S > -margin, else 0, of C neurons."""

    def compare() -> None:
        share = 1 / (out.shape[2] - 1)
        wrong = np.where(summed > -margin[:, None, None], -share, 0)
        out[...] = np.where(np.isnan(summed), summed, np.where(target == 1, summed < 1, wrong))

    return compare


def subtract(target: Array, actual: Array, out: Array) -> Step:
    """out = target - actual."""
    return lambda: np.subtract(target, actual, out=out)


def multiply(first: Array, second: Array, out: Array) -> Step:
    """out = first * second."""
    return lambda: np.multiply(first, second, out=out)


def retain(fired: Array, alive: Array, retained: Array) -> Step:
    """retained[r] = fired[r], for the replicas that are alive."""
    return lambda: np.copyto(retained, fired, where=alive[:, None, None])


def add(more: Array, out: Array) -> Step:
    """out += more."""
    return lambda: np.add(out, more, out=out)
