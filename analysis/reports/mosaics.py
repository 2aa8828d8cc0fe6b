"""Rows of small images under labels: filters at several locations, and feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.reports.page import Image
from circuitsim.analysis.reports.plots import axes_at, drawing, inline, room

LARGEST = 0.9  # inches of an image
MIDDLE = 7.0  # inches of the figure at least, for labels
LABEL, GAP = 0.24, 0.06  # inches above a strip, and between images


@dataclass(frozen=True)
class Strip:
    """Images side by side.

    Parameters
    ----------
    label : above them. images : each (row, column) or (row, column, 3), from 0 (black) to 1 (white).
    """

    label: str
    images: Sequence[np.ndarray]


def draw_strips(strips: Sequence[Strip], what: str) -> Image:
    """Draw strips below one another; `what` describes the figure in words."""
    most = max(len(strip.images) for strip in strips)
    side = min(LARGEST, (room() - GAP) / most - GAP)
    width = max(min(room(), MIDDLE), most * (side + GAP) + GAP)
    height = len(strips) * (LABEL + side + GAP)
    with drawing(width, height) as figure:
        for index, strip in enumerate(strips):
            bottom = height - (index + 1) * (LABEL + side + GAP) + GAP
            figure.text(GAP / width, (bottom + side + 0.06) / height, strip.label, fontsize=9)
            for place, image in enumerate(strip.images):
                ax = axes_at(figure, GAP + place * (side + GAP), bottom, side, side)
                ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                ax.set_axis_off()
        labels = "; ".join(strip.label for strip in strips)
        return inline(figure, f"{what}: {len(strips)} rows of images: {labels}.")


def filter_images(kernels: np.ndarray) -> np.ndarray:
    """Return kernels (image, in, row, column) as images whose middle grey is a weight of zero, each on its own scale.

    Kernels of three input channels are shown in colour, others by the mean over their channels.
    """
    shown = kernels if kernels.shape[1] == 3 else kernels.mean(axis=1, keepdims=True)
    largest = np.abs(shown).max(axis=(1, 2, 3), keepdims=True)
    scaled = np.moveaxis(0.5 + 0.5 * shown / np.where(largest > 0, largest, 1), 1, -1)
    return scaled if scaled.shape[-1] == 3 else scaled[..., 0]


def map_images(activity: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return activity (image, row, column) with `low` black and `high` white."""
    return np.clip((activity - low) / (high - low), 0, 1)
