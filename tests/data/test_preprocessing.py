"""Preprocessing and translations: by hand on small images, keyed by seed, epoch and example."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from circuitsim import data
from circuitsim.data import preprocessed, shifted
from circuitsim.errors import DataError


def small(**more: object) -> data.Dataset:
    rng = np.random.default_rng(0)
    x = rng.random((12, 2 * 4 * 6)).astype("float32")
    return replace(data.Dataset("small", x[:8], x[8:], None, None, (2, 4, 6)), **more)  # type: ignore[arg-type]


def test_blocks_become_their_mean() -> None:
    made = preprocessed(small(), downsample=2)
    assert made.image_shape == (2, 2, 3) and made.train.shape == (8, 12) and made.train.dtype == np.float32
    image = small().train[3].reshape(2, 4, 6)
    assert np.isclose(made.train[3].reshape(2, 2, 3)[1, 0, 2], image[1, 0:2, 4:6].mean())


def test_zero_and_one_become_the_scale() -> None:
    assert np.allclose(preprocessed(small(), scale=(-1.0, 3.0)).test, small().test * 4 - 1)


@pytest.mark.parametrize("of", ["feature", "channel"])
def test_standardised_training_features_have_no_mean_and_unit_deviation(of: str) -> None:
    made = preprocessed(small(), standardise=of)
    x = made.train.astype(float) if of == "feature" else made.train.reshape(8, 2, -1).swapaxes(0, 1).reshape(2, -1).T
    assert np.allclose(x.mean(axis=0), 0, atol=1e-6) and np.allclose(x.std(axis=0), 1, atol=1e-5)
    # the test split is changed by the training split's numbers
    mean, deviation = small().train.mean(axis=0), small().train.std(axis=0)
    if of == "feature":
        assert np.allclose(made.test, (small().test - mean) / deviation, atol=1e-5)


def test_a_constant_feature_stays_finite() -> None:
    flat = small(train=np.ones((8, 48), "float32"))
    assert np.array_equal(preprocessed(flat, standardise="feature").train, np.zeros((8, 48)))


def test_blocks_that_do_not_fill_the_image_are_refused() -> None:
    text = r"downsample of small: got blocks of 3 in examples of shape \(2, 4, 6\); expected images whose rows"
    with pytest.raises(DataError, match=text):
        preprocessed(small(), downsample=3)


def test_translations_move_whole_images_and_repeat_the_border() -> None:
    image = (1, 8, 8)
    x = np.arange(64.0)[None].repeat(200, axis=0)
    made = shifted(x, image, 0.25, seed=1, epoch=2).reshape(-1, 8, 8)
    plain = np.arange(64.0).reshape(8, 8)
    padded = np.pad(plain, 2, mode="edge")
    windows = {(p, q): padded[p : p + 8, q : q + 8] for p in range(5) for q in range(5)}
    found = [next(k for k, w in windows.items() if np.array_equal(w, one)) for one in made]
    assert set(found) == set(windows), "all shifts of up to two pixels happen, along both axes"


def test_translations_are_keyed_by_seed_epoch_and_example() -> None:
    x, image = small().train, (2, 4, 6)
    first = shifted(x, image, 0.5, 3, 1)
    assert np.array_equal(first, shifted(x, image, 0.5, 3, 1))
    assert np.array_equal(first[:5], shifted(x[:5], image, 0.5, 3, 1)), "later examples change none before them"
    assert not np.array_equal(first, shifted(x, image, 0.5, 3, 2))
    assert not np.array_equal(first, shifted(x, image, 0.5, 4, 1))
    assert np.array_equal(shifted(x, image, 0.1, 3, 1), x), "less than a pixel"
