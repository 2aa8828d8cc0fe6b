"""Changes of a data set before a run, and translations of its images while it trains. Pure functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from circuitsim.data.dataset import Array, Dataset
from circuitsim.errors import ConfigError, DataError
from circuitsim.randomness import generator


def preprocessed(
    data: Dataset, *, downsample: int = 1, scale: tuple[float, float] | None = None, standardise: str = "none"
) -> Dataset:
    """Return a data set with smaller images, other units, or standardised features, in this order.

    Parameters
    ----------
    downsample : side of the square blocks whose mean becomes one pixel; 1 leaves images as they are.
    scale : the values that 0 and 1 become; None leaves them.
    standardise : "feature" or "channel" subtracts the mean of the training examples and divides by their standard
        deviation, of each feature or of each channel; a constant one is divided by 1. "none" leaves them.

    Raises
    ------
    DataError : examples that are no images, or blocks that do not fill them.
    """
    if downsample > 1:
        data = _downsampled(data, downsample)
    if scale is not None:
        low, high = scale
        data = _each(data, lambda x: x * (high - low) + low)
    if standardise == "none":
        return data
    mean, deviation = _statistics(data, standardise)
    return _each(data, lambda x: (x - mean) / deviation)


def shifted(x: Array, image: tuple[int, int, int], fraction: float, seed: int, epoch: int) -> Array:
    """Return images translated by whole pixels, up to a fraction of their size along each axis.

    The draws are keyed by the seed and the epoch, and belong to the examples in their order; a pixel that comes from
    outside the image takes the value of the nearest one inside.

    Parameters
    ----------
    x : (example, feature), flattened channel, row, column. image : (channels, rows, columns).
    """
    most = [int(fraction * size) for size in image[1:]]
    drawn = generator(seed, "translations", epoch).random((len(x), 2))
    rows, columns = (
        np.clip(np.arange(size) - (np.floor(u * (2 * k + 1)).astype(np.int64) - k)[:, None], 0, size - 1)
        for u, k, size in zip(drawn.T, most, image[1:], strict=True)
    )
    pixels = x.reshape(len(x), *image)
    made = np.empty_like(pixels)
    for target, source, down, across in zip(made, pixels, rows, columns, strict=True):
        target[...] = source[:, down[:, None], across]
    return made.reshape(x.shape)


def _downsampled(data: Dataset, block: int) -> Dataset:
    shape = data.image_shape
    if shape is None or shape[1] % block or shape[2] % block:
        raise DataError(
            f"downsample of {data.name}",
            got=f"blocks of {block} in examples of shape {shape or (data.features,)}",
            expected="images whose rows and columns are multiples of it",
            remedy="Set downsample=1, or another number.",
        )
    channels, rows, columns = shape

    def smaller(x: Array) -> Array:
        blocks = x.reshape(len(x), channels, rows // block, block, columns // block, block)
        return np.ascontiguousarray(blocks.mean(axis=(3, 5)).reshape(len(x), -1), x.dtype)

    return replace(_each(data, smaller), image_shape=(channels, rows // block, columns // block))


def _statistics(data: Dataset, standardise: str) -> tuple[Array, Array]:
    """Return mean and standard deviation of each feature, alike within a channel if asked for."""
    x = data.train.astype(np.float64)
    mean, square = x.mean(axis=0), (x**2).mean(axis=0)
    if standardise == "channel":
        channels = data.image_shape[0] if data.image_shape else 1
        mean, square = (np.repeat(a.reshape(channels, -1).mean(axis=1), x.shape[1] // channels) for a in (mean, square))
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return mean, np.where(deviation > 1e-12, deviation, 1.0)


def _each(data: Dataset, change) -> Dataset:  # type: ignore[no-untyped-def]
    """Return a data set with both splits changed, read-only."""
    found = []
    for x in (data.train, data.test):
        made = np.ascontiguousarray(change(x), x.dtype)
        made.flags.writeable = False
        found.append(made)
    return replace(data, train=found[0], test=found[1])


def holding_out(data: Dataset, fraction: float) -> Dataset:
    """Return a data set whose test examples are the last training examples; the test split is not in it.

    Parameters
    ----------
    fraction : of the training examples, from 0 (nothing changes) to below 1.

    Raises
    ------
    ConfigError : the fraction leaves no example on one side.
    """
    if fraction == 0:
        return data
    kept = len(data.train) - round(fraction * len(data.train))
    if not 0 < kept < len(data.train):
        raise ConfigError(
            "key held_out",
            got=str(fraction),
            expected="a fraction that leaves at least one example on either side",
            remedy=f"There are {len(data.train)} training examples.",
        )
    found: dict[str, Array | None] = {}
    for what in ("", "_labels", "_targets"):
        array = getattr(data, f"train{what}")
        found |= {f"train{what}": None, f"test{what}": None}
        if array is not None:
            found |= {f"train{what}": array[:kept], f"test{what}": array[kept:]}
    return replace(data, **found)  # type: ignore[arg-type]
