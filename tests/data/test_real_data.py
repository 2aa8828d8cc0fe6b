"""The real data sets, where CIRCUITSIM_DATA names a folder that holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from circuitsim.data import load


def held(folder: Path, name: str) -> None:
    if not (folder / name).is_dir():
        pytest.skip(f"the folder that CIRCUITSIM_DATA names holds no {name}")


def test_mnist(real_data: Path) -> None:
    held(real_data, "mnist")
    data = load("mnist")
    assert data.train.shape == (60_000, 784) and data.test.shape == (10_000, 784) and data.image_shape == (1, 28, 28)
    assert data.train_labels is not None and data.test_labels is not None
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9] and data.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    # Mean and standard deviation as quoted throughout the literature, and the counts of LeCun's page.
    assert data.train.mean(dtype=float) == pytest.approx(0.1307, abs=5e-5)
    assert data.train.std(dtype=float) == pytest.approx(0.3081, abs=5e-5)
    assert np.bincount(data.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_cifar10(real_data: Path) -> None:
    held(real_data, "cifar10")
    data = load("cifar10", train_limit=5000)
    assert data.train.shape == (5000, 3072) and data.test.shape == (10_000, 3072) and data.image_shape == (3, 32, 32)
    assert data.train_labels is not None and np.bincount(data.train_labels, minlength=10).min() > 400
    assert data.test_labels is not None and np.bincount(data.test_labels).tolist() == [1000] * 10
    if (real_data / "cifar10" / "train-00000-of-00001.parquet").exists():  # its own order; the archive has another
        assert data.train_labels[:3].tolist() == [5, 4, 1] and data.test_labels[0] == 0
    # Channel means of all 50,000 images are 0.4914, 0.4822 and 0.4465; these are a tenth of them.
    means = data.train.reshape(-1, 3, 1024).mean(axis=(0, 2), dtype=float)
    assert means == pytest.approx([0.4914, 0.4822, 0.4465], abs=0.01)


def test_fashion_mnist(real_data: Path) -> None:
    held(real_data, "fashion-mnist")
    data = load("fashion-mnist")
    assert data.train.shape == (60_000, 784) and data.test.shape == (10_000, 784)
    assert data.train_labels is not None and np.bincount(data.train_labels).tolist() == [6000] * 10
