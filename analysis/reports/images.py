"""Sample reconstructions, drawn as rows of small images or as lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.reports.learning_curves import MOST_GROUPS
from circuitsim.analysis.reports.page import Image, number
from circuitsim.analysis.reports.plots import COLOURS, DASHES, axes_at, drawing, inline, room
from circuitsim.runs.themes import theme

if TYPE_CHECKING:
    import pandas as pd

Shape = tuple[int, int, int]  # channels, rows, columns
MOST_LINES = 6  # examples drawn as lines


def reconstruction_figure(originals: np.ndarray, outputs: Mapping[str, np.ndarray], shape: Shape | None) -> Image:
    """Draw originals above each replica's reconstructions: as images, or as lines if the data are no images."""
    drawn = _strips if shape else _lines
    return drawn(originals, outputs, shape)


def reconstruction_numbers(originals: np.ndarray, outputs: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return originals and outputs, a row for each example and feature."""
    import pandas as pd

    examples, features = originals.shape
    places = {"example": np.repeat(np.arange(examples), features), "feature": np.tile(np.arange(features), examples)}
    values = {label: np.asarray(made).ravel() for label, made in {"original": originals, **outputs}.items()}
    return pd.DataFrame(places | values)


def _strips(originals: np.ndarray, outputs: Mapping[str, np.ndarray], shape: Shape | None) -> Image:
    """Draw one row of images for the originals and one for each label, below the label."""
    assert shape is not None
    rows = {"originals": originals, **{_scored(k, v, originals): v for k, v in outputs.items()}}
    low, high = _range(originals)
    width = room(0.95 * len(originals)) - 0.1
    tall, label = width * shape[1] / (shape[2] * len(originals)), 0.26
    height = len(rows) * (tall + label) + 0.08
    with drawing(width + 0.1, height) as figure:
        for index, (name, values) in enumerate(rows.items()):
            bottom = height - (index + 1) * (tall + label)
            ax = axes_at(figure, 0.05, bottom, width, tall)
            ax.imshow(_mosaic(values, shape, low, high), interpolation="nearest", aspect="auto", vmin=0, vmax=1)
            ax.set_axis_off()
            figure.text(0.05 / (width + 0.1), (bottom + tall + 0.05) / height, name, fontsize=10.5)
        alt = f"{len(originals)} examples as images and their reconstructions by {', '.join(outputs)}"
        return inline(figure, alt, form="png")


def _mosaic(values: np.ndarray, shape: Shape, low: float, high: float) -> np.ndarray:
    """Place examples side by side with white between, (rows, columns, 3); pale red where a value is not finite."""
    channels, rows, columns = shape
    scaled = (np.asarray(values, np.float64).reshape(-1, channels, rows, columns) - low) / (high - low)
    lost = ~np.isfinite(scaled).all(axis=1)
    pixels = np.moveaxis(np.clip(np.nan_to_num(scaled), 0, 1), 1, -1)
    if channels != 3:
        pixels = np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1)
    pixels[lost] = (0.95, 0.75, 0.7)
    zoom = max(1, 32 // columns)  # so that the white between images is thin
    pixels = pixels.repeat(zoom, axis=1).repeat(zoom, axis=2)
    gap = np.ones((len(pixels), rows * zoom, max(1, columns * zoom // 16), 3))
    return np.concatenate([np.concatenate([one, between], axis=1) for one, between in zip(pixels, gap, strict=True)], 1)


def _lines(originals: np.ndarray, outputs: Mapping[str, np.ndarray], shape: Shape | None) -> Image:
    """Draw each example's features as a line, the original thick and grey."""
    shown, columns = min(MOST_LINES, len(originals)), min(2, theme().columns)
    rows = -(-shown // columns)
    few = dict(list(outputs.items())[:MOST_GROUPS])
    legend = 0.2 * (1 + len(few)) + 0.1
    size = room(), 1.45 * rows + legend + 0.35
    with drawing(*size) as figure:
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
        handles = []
        for example, ax in enumerate(axes.flat):
            if example >= shown:
                ax.set_axis_off()
                continue
            handles = [ax.plot(originals[example], color="#b5b5b5", linewidth=3.2)[0]]
            for index, values in enumerate(few.values()):
                style = {"color": COLOURS[index], "linestyle": DASHES[index]}
                finite = np.where(np.isfinite(values[example]), values[example], np.nan)
                handles += ax.plot(finite, linewidth=1.1, **style)
            ax.set_title(f"example {example}", fontsize=9, fontweight="normal", pad=3)
        for ax in axes[-1]:
            ax.set_xlabel("feature")
        figure.subplots_adjust(0.07, (legend + 0.5) / size[1], 0.98, 1 - 0.25 / size[1], 0.16, 0.35)
        labels = ["original", *(_scored(k, v, originals) for k, v in few.items())]
        figure.legend(handles, labels, loc="lower left", fontsize=9, handlelength=3,
                      labelspacing=0.25, bbox_to_anchor=(0.04, 0), borderaxespad=0.2)  # fmt: skip
        return inline(figure, f"{shown} examples as lines and their reconstructions by {', '.join(few)}")


def _scored(label: str, values: np.ndarray, originals: np.ndarray) -> str:
    with np.errstate(all="ignore"):
        error = np.mean((np.asarray(values, np.float64) - originals) ** 2)
    return f"{label}   (mse {number(float(error))})"


def _range(originals: np.ndarray) -> tuple[float, float]:
    """Values shown black and white: 0 and 1 if the originals lie within, otherwise their extremes."""
    finite = originals[np.isfinite(originals)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high if high > low else low + 1)
