"""The linear circular autoencoder A*[1, N, 1]: one hidden layer of N neurons, P = sum of a_i b_i.

    da_i/dt = db_i/dt = beta b_i (1 - P)                                                              (eq. 52)

With u = exp(s) and ds = beta (1 - P) dt, an orbit is b = u b(0), a = a(0) + (u - 1) b(0), so B = |b|^2 = u^2 B(0) and
P = u (P(0) - B(0)) + u^2 B(0): learning ends at the only u > 0 with P = 1, from any start with b(0) != 0.
"""

from __future__ import annotations

import numpy as np

from circuitsim.analysis.theory.flow import follow


def rates(ab: np.ndarray, beta: float = 1.0) -> np.ndarray:
    """Return da/dt and db/dt of starts (..., 2 N), a before b (eq. 52)."""
    a, b = halves(ab)
    change = beta * b * (1 - (a * b).sum(axis=-1, keepdims=True))
    return np.concatenate([change, change], axis=-1)


def global_rates(p: np.ndarray, b: np.ndarray, beta: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dP/dt, dA/dt and dB/dt from P and B = |b|^2, A = |a|^2 (eqs. 53, 54, 55)."""
    rest = beta * (1 - p)
    return rest * (p + b), 2 * rest * p, 2 * rest * b


def product_rate(p: np.ndarray, a: np.ndarray, b: np.ndarray, beta: float = 1.0) -> np.ndarray:
    """Return d(AB)/dt = 2 beta B (1 - P)(P + A); eq. 56 prints 2 beta P (1 - P)(1 + B)."""
    found: np.ndarray = 2 * beta * b * (1 - p) * (p + a)
    return found


def printed_product_rate(p: np.ndarray, b: np.ndarray, beta: float = 1.0) -> np.ndarray:
    """Return d(AB)/dt as eq. 56 prints it; see `product_rate`."""
    found: np.ndarray = 2 * beta * p * (1 - p) * (1 + b)
    return found


def halves(ab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a and b of starts (..., 2 N)."""
    n = ab.shape[-1] // 2
    return ab[..., :n], ab[..., n:]


def summary(ab: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return P, A and B of starts (..., 2 N)."""
    a, b = halves(ab)
    return (a * b).sum(axis=-1), (a * a).sum(axis=-1), (b * b).sum(axis=-1)


def paced(ab: np.ndarray) -> np.ndarray:
    """Return the rates divided by a positive number, as `follow` needs."""
    a, b = halves(ab)
    p, size = (a * b).sum(axis=-1, keepdims=True), (b * b).sum(axis=-1, keepdims=True)
    change = 2 * b * (1 - p) / (1 + np.abs(p)) / (1 + size)
    return np.concatenate([change, change], axis=-1)


def ends(starts: np.ndarray) -> np.ndarray:
    """Return the weights at which starts (starts, 2 N) end."""
    return follow(paced, starts)


def predicted_ends(starts: np.ndarray) -> np.ndarray:
    """Return the same in closed form, for b(0) != 0: u = (B - P + sqrt((B - P)^2 + 4 B)) / (2 B) of the start.

    Theorem 6.4 with the end itself.

    Examples
    --------
    >>> predicted_ends(np.array([[-2.0, 1.0]])).round(3)  # a = b - 3, and a b = 1
    array([[0.303, 3.303]])
    """
    a, b = halves(starts)
    p, _, size = (value[:, None] for value in summary(starts))
    u = (size - p + np.sqrt((size - p) ** 2 + 4 * size)) / (2 * size)
    small = 2 / (p - size + np.sqrt((size - p) ** 2 + 4 * size))  # equal, without cancellation for B - P < 0
    u = np.where(p > size, small, u)
    return np.concatenate([a + (u - 1) * b, u * b], axis=1)
