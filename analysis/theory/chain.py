"""The linear circular autoencoder A*[1, ..., 1]: one neuron a layer, weights a_1 ... a_L, P = a_1 ... a_L.

    da_h/dt = beta v_h(a) r(P),    v_h = a_1^2 ... a_{h-1}^2 a_h for h < L,    r(P) = P^{2n} (1 - P^{m-n}).

All weights share the factor r(P), so the orbit of a start is the curve da/ds = v(a). r sets only the direction and
speed along it; learning ends where P(s) first meets a root of r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.theory.flow import follow


@dataclass(frozen=True)
class ChainRule:
    """Learning rule of a chain: the cycles compared, and the comparison at the top layer.

    Parameters
    ----------
    n, m : 0 <= n < m. n = 0, m = 1 is eq. 40; n = 0 with any m is eq. 48, whose n is this m.
    own : False: the top compares memories of layer 0, v_L = a_1 ... a_{L-1} (eqs. 40, 48). True: activities of layer
        L, v_L = a_1^2 ... a_{L-1}^2 a_L, which is eq. 51 for all h = 1 ... L.

    Source
    ------
    Baldi & Sadowski 2018, eqs. 40, 48, 51.
    """

    n: int = 0
    m: int = 1
    own: bool = False

    @property
    def even(self) -> bool:
        """True if m - n is even, so that P = -1 is a rest point too."""
        return (self.m - self.n) % 2 == 0

    def factor(self, p: np.ndarray) -> np.ndarray:
        """r(P)."""
        found: np.ndarray = p ** (2 * self.n) * (1 - p ** (self.m - self.n))
        return found

    def directions(self, a: np.ndarray) -> np.ndarray:
        """Return v_1 ... v_L of starts (..., L)."""
        c = cumulative(a)
        v: np.ndarray = c[..., :-1] * c[..., 1:]
        if not self.own:
            v[..., -1] = c[..., -2]
        return v

    def rates(self, a: np.ndarray, beta: float = 1.0) -> np.ndarray:
        """Return da_1/dt ... da_L/dt of starts (..., L)."""
        found: np.ndarray = beta * self.factor(a.prod(axis=-1))[..., None] * self.directions(a)
        return found

    def paced(self, a: np.ndarray) -> np.ndarray:
        """Return the rates divided by a positive number, da/ds, as `follow` needs."""
        c, k = cumulative(a), self.m - self.n
        p, f, q2 = c[..., -1], (c[..., :-2] ** 2).sum(axis=-1), c[..., -2] ** 2
        pace = f + (q2 if self.own else q2 / (1 + np.abs(p)))
        r = 2 * (1 - p**k) / (1 + np.abs(p) ** k)
        if self.n:
            r = r * np.sign(np.abs(p)) if self.own else r * np.abs(p) / (np.abs(p) + q2 / pace + 1e-300)
        found: np.ndarray = (r / pace)[..., None] * self.directions(a)
        return found

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Return the weights at which starts (starts, L) end.

        Examples
        --------
        >>> ChainRule(m=2).ends(np.array([[1.0, -2.0]])).round(3)  # P = -1: two cycles, a counterexample to Theorem 6.2
        array([[ 0.382, -2.618]])
        """
        return follow(self.paced, starts)


def cumulative(a: np.ndarray) -> np.ndarray:
    """Return 1, a_1, a_1 a_2, ..., P of starts (..., L)."""
    return np.concatenate([np.ones((*a.shape[:-1], 1)), np.cumprod(a, axis=-1)], axis=-1)


def invariants(a: np.ndarray, own: bool = False) -> np.ndarray:
    """Return K_h = log|a_{h+1}| - a_h^2 / 2 for h = 1 ... L - 2, of nonzero weights (..., L).

    Parameters
    ----------
    own : True adds h = L - 1, for which the coupling holds if eq. 51 is used for all layers.

    Source
    ------
    Baldi & Sadowski 2018, eqs. 42 and 49. (In the second form there, |a_{h+1}| = K_h exp(a_h^2 / 2), K_h is the
    exponential of this one.)
    """
    last = a.shape[-1] if own else a.shape[-1] - 1
    found: np.ndarray = np.log(np.abs(a[..., 1:last])) - a[..., : last - 1] ** 2 / 2
    return found


def fixed_points(k: float) -> tuple[float, float, float]:
    """Return the rest points of a_1 for L = 2 and a_2 = a_1 + K: 0, and (-K +- sqrt(K^2 + 4)) / 2, where P = 1.

    Examples
    --------
    >>> fixed_points(1.5)
    (0.0, 0.5, -2.0)

    Source
    ------
    Baldi & Sadowski 2018, eq. 47.
    """
    root = float(np.sqrt(k * k + 4))
    return 0.0, (-k + root) / 2, (-k - root) / 2


def stability(k: float, a: float, beta: float = 1.0) -> float:
    """Derivative of beta a_1 (1 - a_1 (a_1 + K)) by a_1, eq. 46; a rest point attracts if it is negative."""
    return beta * (1 - 3 * a * a - 2 * k * a)
