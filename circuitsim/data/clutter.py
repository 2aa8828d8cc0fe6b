"""Digits among fragments of others: scenes of 12 x 12 pixels, made from scikit-learn's digits.

Each scene has one whole digit of 8 x 8 pixels somewhere, whose class is the scene's, and behind it fragments of 4 x 4
pixels, cut from other digits of the same split; where they meet, the brighter pixel is seen. Every digit is in four
scenes. The draw is always the same. After the digit debris of Spoerer, McClure & Kriegeskorte 2017, "Recurrent
convolutional neural networks: a better model of biological object recognition".
"""

from __future__ import annotations

import numpy as np

from circuitsim.data import digits
from circuitsim.data.dataset import Array, Limits, Raw, Split, cut

SIDE, DIGIT, FRAGMENT = 12, 8, 4
FRAGMENTS = 3
SCENES = 4


def read(name: str, limits: Limits) -> Raw:
    """The first rows of both splits."""
    found = digits.read(name, Limits())
    splits = [scenes(split, key) for key, split in enumerate((found.train, found.test))]
    train = cut(splits[0], limits.train, f"train_limit of data set '{name}'")
    test = cut(splits[1], limits.test, f"test_limit of data set '{name}'")
    return Raw(train, test, (1, SIDE, SIDE))


def scenes(split: Split, key: int) -> Split:
    """Return the scenes of one split: all digits once, then all again, four times.

    Parameters
    ----------
    key : of the random numbers.
    """
    assert split.labels is not None
    random = np.random.Generator(np.random.Philox(key=key))
    images = np.tile(split.rows.reshape(-1, DIGIT, DIGIT), (SCENES, 1, 1))
    made = np.zeros((len(images), SIDE, SIDE))
    rows = np.arange(len(images))[:, None, None]
    for _ in range(FRAGMENTS):
        others = random.integers(len(images), size=len(images))
        pieces = images[rows, *_window(random, len(images), DIGIT, FRAGMENT)][others]
        _add(made, rows, _window(random, len(images), SIDE, FRAGMENT), pieces)
    _add(made, rows, _window(random, len(images), SIDE, DIGIT), images)
    return Split(made.reshape(len(made), -1), np.tile(split.labels, SCENES))


def _window(random: np.random.Generator, count: int, side: int, size: int) -> tuple[Array, Array]:
    """Draw windows within images; return the rows and columns of their pixels, to index with."""
    row, column = random.integers(side - size + 1, size=(2, count))
    steps = np.arange(size)
    return (row[:, None] + steps)[:, :, None], (column[:, None] + steps)[:, None, :]


def _add(made: Array, rows: Array, window: tuple[Array, Array], pieces: Array) -> None:
    """Put a piece into a window of each image; of two pixels the brighter is seen."""
    made[rows, *window] = np.maximum(made[rows, *window], pieces)
