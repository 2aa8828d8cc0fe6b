"""The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

Values 0 to 16 are divided by 16; the order is scikit-learn's and the last 360 are the test examples. Source: Alpaydin &
Kaynak, "Optical recognition of handwritten digits", UCI machine learning repository (the test part of that set).
"""

from __future__ import annotations

from circuitsim.data.dataset import Limits, Raw, Split, cut

TEST = 360


def read(name: str, limits: Limits) -> Raw:
    """The first rows of both splits."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore]

    rows, labels = load_digits(return_X_y=True)
    train = cut(Split(rows[:-TEST] / 16, labels[:-TEST]), limits.train, f"train_limit of data set '{name}'")
    test = cut(Split(rows[-TEST:] / 16, labels[-TEST:]), limits.test, f"test_limit of data set '{name}'")
    return Raw(train, test, (1, 8, 8))
