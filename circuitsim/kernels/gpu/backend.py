"""The backend of an NVIDIA GPU: kernels of `device.cu` and cuBLAS, which `graphs` runs in order.

Python steps (drawing random numbers) are the reference's, and divide the graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from circuitsim.kernels import reference
from circuitsim.kernels.gpu.along import (
    bound_grouped,
    deliver_along,
    deliver_winners,
    largest,
    outer_along,
    signed,
    spread,
)
from circuitsim.kernels.gpu.device import device
from circuitsim.kernels.gpu.graphs import fuse
from circuitsim.kernels.gpu.launch import (
    GuardLaunch,
    Launch,
    LaunchOperand,
    OnHost,
    generated,
    given,
    launch,
    outer,
    product,
    reads,
    writes,
)
from circuitsim.kernels.gpu.normalisation import (
    normalise_batch,
    normalise_groups,
    normalise_online,
    through_batch,
    through_groups,
    through_online,
)
from circuitsim.kernels.steps import Step, in_turn

NAME = "cupy"
COMPILED = True
Array = np.ndarray
KINDS = {"identity": 0, "tanh": 1, "logistic": 2, "relu": 3, "saturated": 4, "saturated-half": 5, "elu": 6}
__all__ = [
    "bound_grouped", "deliver_along", "deliver_winners", "fuse", "generated", "largest", "normalise_batch",
    "normalise_groups", "normalise_online", "outer", "outer_along", "signed", "spread", "through_batch",
    "through_groups", "through_online",
]  # fmt: skip

device()  # an import without a device fails at once


def to_host(arrays: Iterable[Array]) -> None:
    """Copy arrays to the host, where writeable ones may then be changed."""
    with device().lock:
        device().to_host(arrays)


def on_host(step: Step, arrays: Iterable[Array]) -> Step:
    """Return a Python step that reads or changes these arrays."""
    return OnHost(step, arrays)


def gather(x: Array, rows: Array, out: Array) -> Step:
    """out[r, b] = x[rows[r, b]]."""
    return launch("gather", given(x[None]), reads(rows), writes(out))


def deliver(emitted: Array, across: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] across[r, j, i]."""
    return product(emitted, across, arriving, accumulate=accumulate)


def deliver_signed(emitted: Array, magnitude: Array, other: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] |magnitude[r, i, j]| sign(other[r, j, i])."""
    across = np.empty(other.shape, other.dtype)
    signed = launch("signed_weights", reads(magnitude), reads(other), writes(across))
    return in_turn([signed, deliver(emitted, across, arriving, accumulate=accumulate)])


def one_hot(y: Array, rows: Array, out: Array) -> Step:
    """out[r, b, c] = 1 where c = y[rows[r, b]], else 0."""
    size = -y.itemsize if y.dtype.kind == "i" else y.itemsize
    return launch("one_hot", given(y[None]), reads(rows), LaunchOperand(size), writes(out))


def centre(out: Array) -> Step:
    """out less its mean over the batch."""
    return launch("centre", reads(out[:, :1]), writes(out), over=out[:, :1])


def noise(seeds: Array, name: str, tick: Array, scale: Array, out: Array, *, gaussian: bool) -> Step:
    """out[r] = scale[r] times numbers drawn for (seed, name, tick): standard normal, or uniform within ±1."""
    return OnHost(reference.noise(seeds, name, tick, scale, out, gaussian=gaussian), [tick, scale, out])


def silence(seeds: Array, name: str, tick: Array, fraction: float, out: Array, slope: Array | None) -> Step:
    """out and slope times m / (1 - p), with m drawn for (seed, name, tick): 0 with the probability p, else 1."""
    changed = [out] if slope is None else [out, slope]
    return OnHost(reference.silence(seeds, name, tick, fraction, out, slope), [tick, *changed])


def activate(name: str, arriving: Array, biases: list[Array], out: Array, slope: Array | None) -> Step:
    """S += b; slope = f'(S); out = f(S). `out` may be S itself."""
    first = biases[0] if biases else None
    more: list[Step] = [launch("add_bias", reads(bias), writes(arriving)) for bias in biases[1:]]
    if name == "softmax":
        return in_turn([*more, launch("softmax", reads(first), writes(arriving), writes(out), rows=True)])
    rest = reads(first), writes(arriving), writes(slope), writes(out)
    return in_turn([*more, launch("activate", LaunchOperand(KINDS[name]), *rest)])


def mix(coefficient: Array, held: Array, computed: Array, out: Array) -> Step:
    """out = c held + (1 - c) computed, with c for each replica; `out` may be `computed` itself."""
    if not coefficient.any():
        return launch("copy", reads(computed), writes(out))
    return launch("mix", reads(coefficient), reads(held), reads(computed), writes(out))


def mix_error(coefficient: Array, held: Array, returned: Array, out: Array) -> Step:
    """out = c held + (1 - c) (held - returned)."""
    return launch("mix_error", reads(coefficient), reads(held), reads(returned), writes(out))


def hinge(target: Array, summed: Array, margin: Array, out: Array) -> Step:
    """out = 1 where target = 1 and S < 1, -1/(C-1) where target = 0 and S > -margin, else 0, of C neurons."""
    return launch("hinge", reads(target), reads(summed), reads(margin), writes(out))


def subtract(target: Array, actual: Array, out: Array) -> Step:
    """out = target - actual."""
    return launch("subtract", reads(target), reads(actual), writes(out))


def multiply(first: Array, second: Array, out: Array) -> Step:
    """out = first * second."""
    return launch("multiply", reads(first), reads(second), writes(out))


def retain(fired: Array, alive: Array, retained: Array) -> Step:
    """retained[r] = fired[r], for the replicas that are alive."""
    return _keeping("retain", reads(fired), reads(alive), writes(retained))


def add(more: Array, out: Array) -> Step:
    """out += more."""
    return launch("add", reads(more), writes(out))


def guard(increments: Array, limit: Array, alive: Array, report: Callable[[Array], None]) -> Step:
    """Call report(increments) where those of a replica alive may reach the limit (1,), before anything kept changes."""
    watch = launch("guard", reads(increments), reads(limit), reads(alive), _halted(), over=increments)
    return GuardLaunch(watch, OnHost(reference.guard(increments, limit, alive, report), [increments]))


def apply(
    weight: Array,
    increment: Array,
    velocity: Array | None,
    rate: Array,
    momentum: Array | None,
    decay: Array,
    scale: float,
    alive: Array,
) -> Step:
    """v = mu v + scale * increment; w += rate v - decay w, for the replicas alive; v is absent where mu is 0."""
    fast = None if momentum is None else velocity
    rates = reads(rate), reads(None if fast is None else momentum), reads(decay), LaunchOperand(scale), reads(alive)
    return _keeping("apply", reads(increment), *rates, writes(fast), writes(weight))


def mask(weight: Array, kept: Array) -> Step:
    """w = 0 where a synapse does not exist."""
    return _keeping("mask", reads(kept), writes(weight))


def accumulate(increment: Array, pending: Array, scale: float, alive: Array) -> Step:
    """pending += scale * increment, for the replicas alive."""
    return _keeping("accumulate", reads(increment), LaunchOperand(scale), reads(alive), writes(pending))


def clear(pending: Array, due: Array) -> Step:
    """pending = 0, for the replicas whose it is due."""
    return _keeping("clear", reads(due), writes(pending))


def refresh(other: Array, count: Array, every: Array, weight: Array, alive: Array) -> Step:
    """w = other where count is a multiple of every[r], for the replicas that are alive."""
    return _keeping("refresh", reads(other), reads(count), reads(every), reads(alive), writes(weight), timed=True)


def magnitudes(seeds: Array, tick: Array, name: str, weight: Array, limit: float, alive: Array) -> Step:
    """w[r] uniform from 0 to a limit, drawn for (seed, name, tick), for the replicas that are alive."""
    return OnHost(reference.magnitudes(seeds, tick, name, weight, limit, alive), [tick, weight, alive])


def normalise(weight: Array, alive: Array) -> Step:
    """w = w / |w|, the norm taken over all synapses of a replica; a projection of zeros stays one."""
    squares = np.empty((*weight.shape[:2], 1), np.float64)
    return in_turn([_squares([weight], squares), _keeping("normalise", reads(squares), reads(alive), writes(weight))])


def bound(weights: list[Array], biases: list[Array], limit: Array, alive: Array) -> Step:
    """Scale each neuron's incoming synapses by min(1, limit / norm), the norm taken over all of them together."""
    synapses = [*weights, *(b[:, :, None] for b in biases)]
    squares = np.empty((*synapses[0].shape[:2], 1), np.float64)
    rest = reads(squares), reads(limit), reads(alive)
    return in_turn([_squares(synapses, squares), *(_keeping("bound", *rest, writes(w)) for w in synapses)])


def _squares(synapses: list[Array], out: Array) -> Step:
    """Sum the squares of each neuron's synapses."""
    return in_turn(
        [
            launch(
                "squares",
                reads(w),
                LaunchOperand(float(k == 0)),
                writes(out),
                over=w,
                rows=True,
                keeps=True,
            )
            for k, w in enumerate(synapses)
        ]
    )


def _halted() -> LaunchOperand:
    """Return the operand of the halt flag."""
    return reads(device().halted)


def _keeping(name: str, *operands: LaunchOperand, timed: bool = False) -> Launch:
    """Bind a kernel that changes what outlives a presentation."""
    return launch(name, _halted(), *operands, keeps=True, timed=timed)
