"""Linear circular autoencoders of any depth, learning in continuous time.

With P^h = A^h ... A^1, P = P^L, P^0 = Id and the second moment Sigma = E(I I^t), every rule here is

    dA^h/dt = T^h (Id - P) Sigma (P^{h-1})^t,    T^L = Id.

Rules differ in the matrix T^h that carries the error to layer h < L: P^h for recirculation of errors (eq. 20) and of
outputs (eq. 35), (A^L ... A^{h+1})^t for backpropagation (eq. 38), fixed B^{h+1} ... B^L for random backpropagation
(eq. 39).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from circuitsim.analysis.feedback_systems import Matrices, integrate

RULES = ("rec", "error-rec", "bp", "rbp")


@dataclass(frozen=True)
class LinearSystem:
    """Linear circular autoencoder and its learning rule.

    Parameters
    ----------
    weights : A^1(0) ... A^L(0), each (n_h, n_{h-1}), n_L = n_0.
    sigma : E(I I^t), (n_0, n_0), symmetric, eigenvalues >= 0.
    rule : rec, error-rec, bp, rbp. feedback : B^2 ... B^L of rbp, each (n_{h-1}, n_h).

    Source
    ------
    Baldi & Sadowski 2018, eqs. 19, 20, 22, 35, 37, 38, 39; for more than two layers of bp and rbp, eq. 7.
    """

    weights: Matrices
    sigma: np.ndarray
    rule: str = "rec"
    feedback: Matrices = ()

    def rates(self, weights: Sequence[np.ndarray]) -> Matrices:
        """dA^1/dt ... dA^L/dt."""
        below = products(weights)
        error = (np.eye(len(self.sigma)) - below[-1]) @ self.sigma
        return tuple(t @ error @ p.T for t, p in zip(self.carriers(weights), below, strict=False))

    def carriers(self, weights: Sequence[np.ndarray]) -> Matrices:
        """T^1 ... T^L, each (n_h, n_0)."""
        top = np.eye(len(self.sigma))
        if self.rule in ("rec", "error-rec"):
            return (*products(weights)[1:-1], top)
        ways = [w.T for w in weights[1:]] if self.rule == "bp" else list(self.feedback)
        found = [top]
        for way in reversed(ways):
            found.append(way @ found[-1])
        return tuple(reversed(found))

    def weights_at(self, times: np.ndarray, *, rtol: float = 1e-11, atol: float = 1e-13) -> tuple[Matrices, ...]:
        """Integrate from time 0; return the weights at ascending times."""
        return integrate(self, times, rtol=rtol, atol=atol).weights


def products(weights: Sequence[np.ndarray]) -> Matrices:
    """P^0 ... P^L."""
    return tuple(accumulate(weights, lambda p, w: w @ p, initial=np.eye(weights[0].shape[1])))


def coupling_gap(system: LinearSystem, h: int) -> float:
    """Difference of dA^{h+1}/dt and A^{h+1} (dA^h/dt) (A^h)^t: largest entry over largest rate, >= 0.

    Parameters
    ----------
    system : with rule rec. h : 1 ... L - 1.

    Source
    ------
    Baldi & Sadowski 2018, eqs. 21 and 36, printed without a range for h. Both sides are P^{h+1} (Id - P) Sigma (P^h)^t
    only for h <= L - 2; eq. 41 states that range. See `top_coupling_gap` for h = L - 1.
    """
    rates = system.rates(system.weights)
    return _gap(rates[h], system.weights[h] @ rates[h - 1] @ system.weights[h - 1].T)


def top_coupling_gap(system: LinearSystem) -> float:
    """Difference of A^L (dA^{L-1}/dt) (A^{L-1})^t and P dA^L/dt, the correct form of eq. 21 at the top."""
    rates, last = system.rates(system.weights), len(system.weights) - 1
    left = system.weights[last] @ rates[last - 1] @ system.weights[last - 1].T
    return _gap(products(system.weights)[-1] @ rates[last], left)


def asymmetry_rate(b: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """d(A - B^t)/dt at A = B^t: (Sigma B^t B - B^t B Sigma) B^t, (n_0, n_1).

    Parameters
    ----------
    b : B = A^1, (n_1, n_0). sigma : (n_0, n_0).

    Source
    ------
    From eq. 37 of Baldi & Sadowski 2018, whose section 6.2 says that it is zero. It is zero only if Sigma and B^t B
    commute on the rows of B, for example if Sigma is a multiple of Id or n_0 is 1.
    """
    inner = b.T @ b
    found: np.ndarray = (sigma @ inner - inner @ sigma) @ b.T
    return found


def _gap(expected: np.ndarray, got: np.ndarray) -> float:
    return float(np.abs(expected - got).max() / max(np.abs(expected).max(), np.abs(got).max(), 1e-300))
