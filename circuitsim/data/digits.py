"""The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

Values 0 to 16 are divided by 16; the order is scikit-learn's and the last 360 are the test examples. Source: Alpaydin &
Kaynak, "Optical recognition of handwritten digits", UCI machine learning repository (the test part of that set).
"""

from __future__ import annotations

from importlib.util import find_spec
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
    """Return rows and labels from scikit-learn's file: to import scikit-learn takes longer than a small run."""
    found = find_spec("sklearn")
    folders = list(found.submodule_search_locations or ()) if found else ["sklearn"]
    path = Path(folders[0], "datasets", "data", "digits.csv.gz")
    try:
        table = np.loadtxt(path, delimiter=",")
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            "data set 'digits'",
            got=f"{path}, which cannot be read ({type(error).__name__}: {error})",
            expected="scikit-learn's file",
            remedy="Install scikit-learn again.",
        ) from None
    return table[:, :-1], table[:, -1].astype(np.int64)
