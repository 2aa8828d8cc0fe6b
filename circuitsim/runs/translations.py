"""Translated training images: new ones in each epoch, the same ones after a resume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitsim.data import Dataset, shifted
from circuitsim.runs.config import TrainingSettings, refuse


def check_translations(settings: Sequence[TrainingSettings], data: Dataset) -> None:
    """Refuse translations of examples that are no images, and of several replicas in different ways."""
    first = settings[0]
    if not first.augment_shift:
        return
    if data.image_shape is None:
        remedy = "Choose a data set of images, or set augment_shift=0."
        refuse("augment_shift", first.augment_shift, f"0 with {data.name}, whose examples are no images", remedy)
    if len({one.data_seed for one in settings}) > 1:
        remedy = "Set one data_seed for all replicas, or make a run for each."
        refuse("data_seed", "several values", "one value with augment_shift: replicas share their images", remedy)


def images_of_epoch(data: Dataset, settings: TrainingSettings, epoch: int) -> np.ndarray:
    """Return the training examples of an epoch, translated if asked for, keyed by (data_seed, epoch, example)."""
    if not settings.augment_shift or data.image_shape is None:
        return data.train
    return shifted(data.train, data.image_shape, settings.augment_shift, settings.data_seed, epoch)
