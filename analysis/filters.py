"""Filters: how alike those of untied layers are at different locations, and how far kernels reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from circuitsim.circuit.connectivity import LocallyConnected

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

RADII = (1, 4)
"""Chebyshev distances, in locations, at which kernels are compared."""


def kernel_distances(simulator: Simulator) -> dict[str, np.ndarray]:
    """Return `kernel_distance/W{h}/{radius}`, (replica,), of each untied layer that has locations so far apart.

    The mean Euclidean distance between kernels of one map at two locations, over the root mean square norm of all
    kernels of the layer: 0 for equal kernels, about 1.41 for independent ones.
    """
    found = {}
    for q in simulator.circuit.projections:
        if q.name.startswith("W") and isinstance(q.connectivity, LocallyConnected):
            weights = simulator.tensors()[f"{q.name}.weight"]
            for radius in (radius for radius in RADII if max(weights.shape[1:3]) > radius):
                found[f"kernel_distance/{q.name}/{radius}"] = mean_distance(weights, radius)
    return found


def mean_distance(weights: np.ndarray, radius: int) -> np.ndarray:
    """Compare kernels at locations whose greater distance along an axis is `radius`; return (replica,).

    Parameters
    ----------
    weights : (replica, rows, columns, out, in, kernel rows, kernel columns).
    """
    kernels = weights.astype(np.float64).reshape(*weights.shape[:4], -1)
    norm = np.sqrt(np.square(kernels).sum(axis=-1).mean(axis=(1, 2, 3)))
    total, count = np.zeros(len(weights)), 0
    rows, columns = weights.shape[1:3]
    for down, across in _offsets(radius):
        if down >= rows or abs(across) >= columns:
            continue
        here = kernels[:, : rows - down, max(0, -across) : columns - max(0, across)]
        there = kernels[:, down:, max(0, across) : columns + min(0, across)]
        apart = np.sqrt(np.square(here - there).sum(axis=-1))
        total += apart.sum(axis=(1, 2, 3))
        count += apart[0].size
    return np.asarray(total / count / norm)


def _offsets(radius: int) -> list[tuple[int, int]]:
    """Return the offsets at a Chebyshev distance, one of each pair of opposite ones."""
    span = range(-radius, radius + 1)
    return [(d, a) for d in span for a in span if max(abs(d), abs(a)) == radius and (d, a) > (0, 0)]


def similarity(weights: np.ndarray) -> np.ndarray:
    """Return the mean cosine between a map's kernels and their mean over locations, at locations inside the image.

    The result is (replica,). Kernels that are zero have no direction and are left out.

    Parameters
    ----------
    weights : as of `mean_distance`: the weights, or their change. Kernels that reach over the edge are left out.
    """
    half = max(weights.shape[-2:]) // 2
    inner = weights[:, half : weights.shape[1] - half, half : weights.shape[2] - half].astype(np.float64)
    kernels = inner.reshape(len(weights), -1, weights.shape[3], int(np.prod(weights.shape[4:])))
    middle = kernels.mean(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        product = (kernels * middle).sum(axis=-1)
        cosine = product / (np.linalg.norm(kernels, axis=-1) * np.linalg.norm(middle, axis=-1))
        known = np.isfinite(cosine)
        return np.asarray(np.where(known, cosine, 0).sum(axis=(1, 2)) / known.sum(axis=(1, 2)))


def norms_by_offset(kernels: np.ndarray) -> np.ndarray:
    """Return the Frobenius norm of the weights at each offset of a convolution's kernels, (replica, row, column).

    Parameters
    ----------
    kernels : (replica, out, in, row, column); of an odd side, whose middle is the offset 0.
    """
    return np.asarray(np.sqrt(np.square(kernels.astype(np.float64)).sum(axis=(1, 2))))
