"""Least error of a linear autoencoder: that of the principal subspace of the training data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Optimum:
    """Best affine reconstruction through k units, from a singular value decomposition.

    Parameters
    ----------
    error : mean over examples and units of |x - x'|^2, by split; x' = mu + V V^t (x - mu), mu the training mean, V the
        k principal directions of the training data. variance : mean of |x - mu|^2, by split.
    """

    error: dict[str, float]
    variance: dict[str, float]

    def excess(self, split: str, error: float | np.ndarray) -> float | np.ndarray:
        """Return the excess of an error over the least one, in percent of the total variance."""
        return 100 * (error - self.error[split]) / self.variance[split]


def principal_subspace(train: np.ndarray, test: np.ndarray, units: int) -> Optimum:
    """Compute the least mean squared error of a linear autoencoder with biases.

    Parameters
    ----------
    train, test : (examples, features). units : k >= 1, of the narrowest layer.

    Source
    ------
    Baldi & Hornik 1989: all other critical points of the error are saddle points.

    >>> line = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    >>> round(principal_subspace(line, np.array([[0.0, 2.0]]), 1).error["test"], 12)
    1.0
    """
    mean = train.mean(axis=0, dtype=np.float64)
    centred = {"train": train - mean, "test": test - mean}
    directions = np.linalg.svd(_triangle(centred["train"]), full_matrices=False)[2][:units]
    left = {split: x - (x @ directions.T) @ directions for split, x in centred.items()}
    return Optimum(
        {split: float(np.mean(np.square(x))) for split, x in left.items()},
        {split: float(np.mean(np.square(x))) for split, x in centred.items()},
    )


def _triangle(x: np.ndarray) -> np.ndarray:
    """Return R of x = Q R: few rows, the same singular values and right singular vectors."""
    return np.asarray(np.linalg.qr(x, mode="r"))
