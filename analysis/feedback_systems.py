"""Linear networks with separate feedback weights, learning in continuous time.

    dW_l/dt = R_{l+1} ... R_L E (W_{l-1} ... W_1 X)^T,    E = Y - W_L ... W_1 X,    dR_l/dt = epsilon (dW_l/dt)^T

epsilon = 0 is feedback alignment, 1 updated random feedback. Since every R_l moves in proportion to W_l,

    R_l(t) = R_l(0) + epsilon (W_l(t) - W_l(0))^T,

and only the forward weights are integrated. With R(0) = W(0)^T and epsilon = 1 this is backpropagation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numpy as np

from circuitsim.analysis.solving import initial_value_solver
from circuitsim.errors import Diverged

Matrices = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class FeedbackSystem:
    """Linear network, its feedback weights and its targets; layers are counted from 1.

    Parameters
    ----------
    weights : W_1(0) ... W_L(0), each (n_l, n_{l-1}).
    feedback : R_1(0) ... R_L(0), each (n_{l-1}, n_l); R_1 carries no signal, but learns like the others.
    step : epsilon, >= 0. inputs : X, (n_0, examples). targets : Y, (n_L, examples).

    Source
    ------
    Amit 2019, section 5, generalised to any initial weights and inputs; there W(0) = 0 and X is the unit matrix.
    """

    weights: Matrices
    feedback: Matrices
    step: float
    inputs: np.ndarray
    targets: np.ndarray

    def feedback_at(self, weights: Sequence[np.ndarray]) -> Matrices:
        """Return R_1 ... R_L for given forward weights."""
        parts = zip(self.feedback, weights, self.weights, strict=True)
        return tuple(r + self.step * (w - first).T for r, w, first in parts)

    def residual(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        """E = Y - W_L ... W_1 X."""
        found: np.ndarray = self.targets - reduce(lambda x, w: w @ x, weights, self.inputs)
        return found

    def error(self, weights: Sequence[np.ndarray]) -> float:
        """e = tr(E^T E)."""
        return float((self.residual(weights) ** 2).sum())

    def rates(self, weights: Sequence[np.ndarray]) -> Matrices:
        """dW_1/dt ... dW_L/dt, sums over the examples."""
        activities = [self.inputs]
        for w in weights:
            activities.append(w @ activities[-1])
        deltas = [self.targets - activities[-1]]
        for r in reversed(self.feedback_at(weights)[1:]):
            deltas.append(r @ deltas[-1])
        return tuple(d @ x.T for d, x in zip(reversed(deltas), activities, strict=False))


class MatrixSystem(Protocol):
    """System of differential equations in matrices: initial weights, rates of given weights."""

    @property
    def weights(self) -> Matrices:
        """Initial weights."""

    def rates(self, weights: Sequence[np.ndarray]) -> Matrices:
        """Time derivatives of the weights."""


@dataclass(frozen=True)
class Trajectory:
    """Weights of a system at each of the times, and when its error first reached each level (NaN: never)."""

    times: np.ndarray
    weights: tuple[Matrices, ...]
    reached: np.ndarray


def flat(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Return all weights as one vector."""
    return np.concatenate([w.ravel() for w in weights])


def integrate(
    system: MatrixSystem, times: np.ndarray, levels: Sequence[float] = (), *, rtol: float = 1e-10, atol: float = 1e-12
) -> Trajectory:
    """Integrate a system from time 0.

    Parameters
    ----------
    system : with a method `error` of the weights if there are levels. times : of the results, ascending from 0.
    levels : errors whose first time is wanted. rtol, atol : of each weight.

    Raises
    ------
    Diverged : a step would have to be smaller than the numbers allow.

    Source
    ------
    Dormand & Prince's method of order 8 (scipy's DOP853).
    """
    solve_ivp = initial_value_solver()

    ends = np.cumsum([w.size for w in system.weights])[:-1]

    def shaped(vector: np.ndarray) -> Matrices:
        return tuple(part.reshape(w.shape) for part, w in zip(np.split(vector, ends), system.weights, strict=True))

    def level(value: float):  # type: ignore[no-untyped-def]
        return lambda _, vector: np.log(system.error(shaped(vector)) / value)  # type: ignore[attr-defined]

    with np.errstate(over="ignore", invalid="ignore"):  # where it cannot go on, it says so
        found = solve_ivp(
            lambda _, vector: flat(system.rates(shaped(vector))),
            (0.0, float(times[-1])),
            flat(system.weights),
            method="DOP853",
            t_eval=times,
            events=[level(value) for value in levels] or None,
            rtol=rtol,
            atol=atol,
        )
    if not found.success:
        last = found.t[-1] if len(found.t) else 0.0
        raise Diverged(
            f"feedback in continuous time: the integration stopped at time {last:.4g} of {times[-1]:.4g} "
            f"({found.message}). Lower the scales of weights, or the duration."
        )
    first = [crossed[0] if len(crossed) else np.nan for crossed in found.t_events or ()]
    return Trajectory(times, tuple(shaped(vector) for vector in found.y.T), np.array(first))


def correlations(system: FeedbackSystem, weights: Sequence[np.ndarray]) -> np.ndarray:
    """Return Pearson's correlation of W_l and R_l^T over synapses, for each layer; NaN if either is constant."""
    found = []
    for w, r in zip(weights, system.feedback_at(weights), strict=True):
        u, v = w.ravel() - w.mean(), r.T.ravel() - r.mean()
        length = np.linalg.norm(u) * np.linalg.norm(v)
        found.append(float(u @ v / length) if length else np.nan)
    return np.array(found)
