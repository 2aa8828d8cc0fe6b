"""Transport of errors around the loop of a circular autoencoder: the maps to each layer, and the gain of the loop.

For circuits of `circuits/autoencoder.py`. With D_h(x) the slopes f'(S_h) of layer h at example x, D_L included:

    M_h = mean_x D_h A_h ... D_1 A_1                       map of the error to layer h by recirculation (eq. 25)
    N_h = mean_x D_h A_{h+1}^t D_{h+1} ... A_L^t           map by backpropagation
    P(x) = D_L A_L ... D_1 A_1                             once around the loop

Source
------
Baldi & Sadowski 2018, eqs. 24 and 25. They hold to first order in the error; loops are those of plain
recirculation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.alignment import Figures, degrees_between
from circuitsim.analysis.image_loop import image_loop_figures

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

Maps = dict[int, np.ndarray]


@dataclass(frozen=True)
class ForwardPass:
    """Activities of layers 0 ... L and slopes of layers 1 ... L, (replica, example, unit)."""

    fired: list[np.ndarray]
    slopes: list[np.ndarray]

    @property
    def top(self) -> int:
        """L."""
        return len(self.slopes)


def forward_pass(simulator: Simulator, x: np.ndarray) -> ForwardPass:
    """Pass examples forward without learning."""
    top = int(simulator.circuit.outputs.removeprefix("layer"))
    keys = [(f"layer{h}", "O", 0) for h in range(top + 1)] + [(f"layer{h}", "slope", 0) for h in range(1, top + 1)]
    parts = [[a.astype(np.float64) for a in quantities] for _, quantities in simulator.observe(keys, x)]
    whole = [np.concatenate(pieces, axis=1) for pieces in zip(*parts, strict=True)]
    return ForwardPass(whole[: top + 1], whole[top + 1 :])


def error_maps(simulator: Simulator, seen: ForwardPass) -> tuple[Maps, Maps]:
    """Compute the maps that carry the error to each hidden layer, and backpropagation's, each (replica, n_h, n_L).

    If feedback neurons carry errors, the first maps are those of the circuit's feedback, D_h B_{h+1} ... B_L, or D_h
    and the direct connections to layer h; a layer that no error reaches has none.
    """
    tensors, top = simulator.tensors(), seen.top
    forward = {h: tensors[f"A{h}.weight"].astype(np.float64) for h in range(1, top + 1)}
    backward = {h: a.swapaxes(1, 2) for h, a in forward.items()}
    own = {h: tensors[f"B{h}.weight"].astype(np.float64) for h in forward if f"B{h}.weight" in tensors}
    direct = {h: tensors[f"D{h}.weight"].astype(np.float64) for h in forward if f"D{h}.weight" in tensors}
    names = {q.name for q in simulator.circuit.projections}
    if direct:
        carried = {h: seen.slopes[h - 1].mean(axis=1)[..., None] * d for h, d in direct.items()}
    elif own:
        carried = _mean(lambda slopes: _backward_maps(slopes, own), seen)
    elif "B2" in names:  # backpropagation: feedback uses the transposed forward weights
        carried = _mean(lambda slopes: _backward_maps(slopes, backward), seen)
    else:
        carried = {} if _has_feedback(simulator) else _mean(lambda slopes: _forward_maps(slopes, forward), seen)
    return carried, _mean(lambda slopes: _backward_maps(slopes, backward), seen)


def _has_feedback(simulator: Simulator) -> bool:
    return any(p.feedback for p in simulator.circuit.populations)


def _mean(maps: Callable[[list[np.ndarray]], Maps], seen: ForwardPass) -> Maps:
    """Average over examples the maps made from their slopes."""
    count = _distinct(seen)
    total: Maps = {}
    for example in range(count):
        found = maps([s[:, example, :, None] for s in seen.slopes])
        total = {h: total[h] + one if total else one for h, one in found.items()}
    return {h: one / count for h, one in total.items()}


def _distinct(seen: ForwardPass) -> int:
    """Count the examples to average over: one if all have equal slopes, as with identity units."""
    alike = all(np.ptp(slopes, axis=1).max(initial=0) == 0 for slopes in seen.slopes)
    return 1 if alike else seen.slopes[0].shape[1]


def _forward_maps(slopes: list[np.ndarray], forward: Maps) -> Maps:
    found: Maps = {}
    for h in range(1, len(slopes)):
        found[h] = slopes[h - 1] * (forward[h] @ found[h - 1] if h > 1 else forward[h])
    return found


def _backward_maps(slopes: list[np.ndarray], back: Maps) -> Maps:
    found: Maps = {}
    for h in reversed(range(1, len(slopes))):
        found[h] = slopes[h - 1] * (back[h + 1] @ found[h + 1] if h + 1 in found else back[h + 1])
    return found


def angles(one: Maps, other: Maps) -> dict[int, np.ndarray]:
    """Return degrees between maps taken as vectors, (replica,), for each layer that both have."""
    return {h: degrees_between(*(m[h].reshape(len(m[h]), -1) for m in (one, other))) for h in one if h in other}


def loop_figures(simulator: Simulator, x: np.ndarray) -> Figures:
    """Measure the gain of the loop and the step of one update, each (replica,).

    loop/gain : largest modulus of an eigenvalue of P(x), mean over examples.
    loop/step : effect of one update by recirculation on errors, to first order in the rates eta_h; unstable beyond 2:

        gain * lambda_max(sum_{h < L} eta_h K_{h-1}) + mean(D_L) * lambda_max(eta_L K_{L-1}),  K_h = mean O_h O_h^t + 1

    with means over examples; K_h is their Gram matrix divided by their number; the 1 is for a bias, if there is one.

    Notes
    -----
    An update of A_h by eta_h M_h e O_{h-1}^t moves the output by eta_h P e (O_{h-1} . O_{h-1}'), an update of A_L by
    eta_L D_L e (O_{L-1} . O_{L-1}'): errors of a batch are multiplied by one minus the sum. Exact for identity units
    up to second order in eta; an upper bound if the two largest eigenvectors differ. Mixing (`emits`, `remembers`)
    and momentum are ignored. For convolutions see `analysis/image_loop.py`.
    """
    if not all(q.dense for q in simulator.circuit.projections):
        return image_loop_figures(simulator, x)
    seen = forward_pass(simulator, x)
    with np.errstate(over="ignore", invalid="ignore"):
        gain = _gains(simulator, seen).mean(axis=1)
        below = _rate_of(simulator, seen, range(1, seen.top))
        own = _rate_of(simulator, seen, range(seen.top, seen.top + 1))
        step = gain * below + seen.slopes[-1].mean(axis=(1, 2)) * own
    return {"loop/gain": gain, "loop/step": step}


def _gains(simulator: Simulator, seen: ForwardPass) -> np.ndarray:
    """Compute the largest modulus of an eigenvalue of P(x), (replica, example).

    The product around the loop has the same nonzero eigenvalues from any layer; the narrowest is taken.
    """
    tensors, top = simulator.tensors(), seen.top
    sizes = [tensors[f"A{h}.weight"].shape[2] for h in range(1, top + 1)]
    start = int(np.argmin(sizes))  # layer h < L where the product begins and ends
    order = [(start + k) % top + 1 for k in range(top)]
    weights = {h: tensors[f"A{h}.weight"].astype(np.float64) for h in order}
    found = []
    for example in range(_distinct(seen)):
        turn = np.eye(sizes[start])
        for h in order:
            turn = seen.slopes[h - 1][:, example, :, None] * (weights[h] @ turn)
        found.append(_of_finite(lambda a: np.abs(np.linalg.eigvals(a)).max(axis=-1), turn))
    return np.stack(found, axis=1)


def _rate_of(simulator: Simulator, seen: ForwardPass, layers: range) -> np.ndarray:
    """Compute lambda_max(sum_h eta_h K_{h-1}) over some layers, (replica,)."""
    count = seen.fired[0].shape[1]
    total = np.zeros((simulator.state.replicas, count, count))
    for h in layers:
        rate, bias = (simulator.state.parameter(f"A{h}", key)[:, None, None] for key in ("lr", "lr_bias"))
        total += rate * (seen.fired[h - 1] @ seen.fired[h - 1].swapaxes(1, 2))
        total += bias if simulator.circuit.projection(f"A{h}").bias else 0.0
    return _of_finite(lambda a: np.linalg.eigvalsh(a)[:, -1] / count, total) if layers else np.zeros(len(total))


def _of_finite(figure: Callable[[np.ndarray], np.ndarray], matrices: np.ndarray) -> np.ndarray:
    """Apply a function to each replica's matrix; NaN if the matrix is not finite, as in a diverged circuit."""
    finite = np.isfinite(matrices).all(axis=(1, 2))
    found = np.full(len(matrices), np.nan)
    found[finite] = figure(matrices[finite])
    return found
