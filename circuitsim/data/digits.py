"""The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn has too, in a file that is installed.

Values 0 to 16 are divided by 16; the order is scikit-learn's and the last 360 are the test examples. Source: Alpaydin &
Kaynak, "Optical recognition of handwritten digits", UCI machine learning repository (the test part of that set), under
the licence CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from circuitsim.data.dataset import Limits, Raw, Split, cut
from circuitsim.errors import DataError

TEST = 360


def read(name: str, limits: Limits) -> Raw:
    """The first rows of both splits."""
    rows, labels = _table()
    train = cut(Split(rows[:-TEST] / 16, labels[:-TEST]), limits.train, f"train_limit of data set '{name}'")
    test = cut(Split(rows[-TEST:] / 16, labels[-TEST:]), limits.test, f"test_limit of data set '{name}'")
    return Raw(train, test, (1, 8, 8))


def _table() -> tuple[np.ndarray, np.ndarray]:
    """Return rows and labels."""
    path = Path(__file__).with_name("digits.csv.gz")
    try:
        table = np.loadtxt(path, delimiter=",")
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            "data set 'digits'",
            got=f"{path}, which cannot be read ({type(error).__name__}: {error})",
            expected="the file that is installed",
            remedy="Install circuitsim again.",
        ) from None
    return table[:, :-1], table[:, -1].astype(np.int64)
