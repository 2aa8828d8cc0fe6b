"""The loop of a circular autoencoder of convolutions: its gain, and the step of one update.

Once around the loop is P(x) = D_L A_L ... D_1 A_1, with A_h the synapses of layer h, whatever they are. Where neurons
share weights, whose increments are sums over positions, the Gram matrix of a layer's inputs is that of its windows:

    K = sum over examples x and positions p of [w; 1] [w; 1]^T / (number of examples),  w the window at p in x
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from circuitsim.circuit.connectivity import Convolution, Dense, LocallyConnected, MaxPool, Shape
from circuitsim.circuit.parts import Projection
from circuitsim.kernels import backend
from circuitsim.lowering.links import constants, links

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

TURNS, LATE = 40, 10  # turns of the loop in the power method, and those over which growth is measured
Figures = dict[str, np.ndarray]


def image_loop_figures(simulator: Simulator, x: np.ndarray) -> Figures:
    """Measure `loop/gain` and `loop/step` as `analysis.loop.loop_figures` has them, each (replica,).

    The gain is the growth of a random signal in the last of many turns. The step is a sum of the layers' own, hence an
    upper bound with more than two layers. A pool that chooses has no gain here, an untied layer no step: NaN.
    """
    names = [p.name for p in simulator.circuit.populations if p.name.startswith("layer")]
    keys = [(name, "O", 0) for name in names] + [(name, "slope", 0) for name in names[1:]]
    parts = [[a.astype(np.float64) for a in found] for _, found in simulator.observe(keys, x)]
    whole = [np.concatenate(pieces, axis=1) for pieces in zip(*parts, strict=True)]
    fired, slopes = dict(zip(names, whole, strict=False)), dict(zip(names[1:], whole[len(names) :], strict=True))
    forward = [q for q in simulator.circuit.projections if q.source in names and q.target in names]
    gain = _gain(simulator, forward, names, slopes)
    learning = [q for q in forward if not q.constant]
    steps = [_rate(simulator, q, fired[q.source]) for q in learning]
    step = gain * sum(steps[:-1], np.zeros_like(gain)) + slopes[names[-1]].mean(axis=(1, 2)) * steps[-1]
    return {"loop/gain": gain, "loop/step": step}


def _gain(
    simulator: Simulator, forward: list[Projection], names: list[str], slopes: dict[str, np.ndarray]
) -> np.ndarray:
    """Return the growth per turn of a signal around the loop, a mean over examples, (replica,)."""
    replicas, count, size = slopes[names[-1]].shape
    if any(isinstance(q.connectivity, MaxPool) for q in forward):
        return np.full(replicas, np.nan)
    signal = np.random.default_rng(0).normal(size=(replicas, count, size))
    grown = []
    for turn in range(TURNS):
        norms = np.linalg.norm(signal, axis=2, keepdims=True)
        signal /= np.where(norms == 0, 1, norms)  # neurons that are all saturated pass nothing: the gain is 0
        signal = _around(simulator, forward, names, slopes, signal)
        if turn >= TURNS - LATE:
            grown.append(np.linalg.norm(signal, axis=2))
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.exp(np.log(grown).mean(axis=0)).mean(axis=1)
    return found


def _around(
    simulator: Simulator,
    forward: list[Projection],
    names: list[str],
    slopes: dict[str, np.ndarray],
    signal: np.ndarray,
) -> np.ndarray:
    """Return P(x) times a signal at layer 0, (replica, example, neuron)."""
    circuit, kernels = simulator.circuit, backend("numba")
    here = {names[0]: signal}
    for name in names[1:]:
        total = np.zeros((*signal.shape[:2], circuit.population(name).size))
        for q in (q for q in forward if q.target == name):
            weight = _weight(simulator, q, len(signal))
            if isinstance(q.connectivity, Dense):
                total += here[q.source] @ weight.swapaxes(1, 2)
            else:
                emitted = np.ascontiguousarray(here[q.source])
                kernels.deliver_along(links(circuit, q), emitted, weight, total, accumulate=True)()
        here[name] = total * slopes[name]
    return here[names[-1]]


def _weight(simulator: Simulator, q: Projection, replicas: int) -> np.ndarray:
    if not q.constant:
        return np.ascontiguousarray(simulator.tensors()[f"{q.name}.weight"], np.float64)
    found: np.ndarray = np.ones((replicas, *simulator.circuit.tensor_shape(q.name)))
    found *= constants(simulator.circuit, q) * q.weights.value  # type: ignore[union-attr]
    return found


def _rate(simulator: Simulator, q: Projection, activity: np.ndarray) -> np.ndarray:
    """Return the largest eigenvalue of a layer's rate times K, (replica,)."""
    rates = [simulator.state.parameter(q.name, key) for key in ("lr", "lr_bias")]
    if isinstance(q.connectivity, LocallyConnected) or not isinstance(q.connectivity, (Convolution, Dense)):
        return np.full(simulator.state.replicas, np.nan)
    pre, _ = simulator.circuit.ends(q.name)
    found = []
    for replica in range(simulator.state.replicas):
        values = activity[replica if len(activity) > 1 else 0]  # all replicas have one input
        rate, bias = (np.sqrt(rate[replica]) for rate in rates)
        seen = values if isinstance(q.connectivity, Dense) else _windows(values, pre, q.connectivity)
        ones = [np.ones((len(seen), 1)) * bias] if q.bias else []
        rows = np.concatenate([seen * rate, *ones], axis=1)
        known = np.isfinite(rows).all()
        found.append(np.linalg.norm(rows.T @ rows, 2) / len(values) if known else np.nan)
    return np.array(found)


def _windows(values: np.ndarray, image: Shape, made: Convolution) -> np.ndarray:
    """Return the windows of images (example, neuron), a row for each example and position."""
    down, across = made.axes(image)
    wanted = [(a.windows - 1) * a.stride + a.taps for a in (down, across)]
    edges = [(a.before, max(full - a.cells - a.before, 0)) for a, full in zip((down, across), wanted, strict=True)]
    padded = np.pad(values.reshape(-1, *image), ((0, 0), (0, 0), *edges))
    found = sliding_window_view(padded, (down.taps, across.taps), axis=(2, 3))
    found = found[:, :, :: down.stride, :: across.stride][:, :, : down.windows, : across.windows]
    return np.asarray(found.transpose(0, 2, 3, 1, 4, 5).reshape(-1, image[0] * down.taps * across.taps))
