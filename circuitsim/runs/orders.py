"""Orders of presentations: all examples of an epoch in random order, as they are, or one class in each epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitsim.data import Dataset
from circuitsim.randomness import generator
from circuitsim.runs.config import TrainingSettings, refuse

IN_TURN = "in-turn"
OrderKey = tuple[int, bool, str, float]


def order_key(settings: TrainingSettings) -> OrderKey:
    """Return the values that decide the order in which a replica sees the examples."""
    return settings.data_seed, settings.shuffle, settings.classes, settings.revisited


def check_order(settings: Sequence[TrainingSettings], data: Dataset) -> None:
    """Refuse classes in turn with data that have none."""
    if data.train_labels is None and any(one.classes == IN_TURN for one in settings):
        remedy = "Choose a data set with classes, or set classes=mixed."
        refuse("classes", IN_TURN, f"mixed with {data.name}, whose examples have no classes", remedy)


def order_of_epoch(settings: TrainingSettings, data: Dataset, epoch: int) -> np.ndarray:
    """Return the rows of an epoch's examples, keyed by (data_seed, epoch), (example,).

    Parameters
    ----------
    epoch : counted from 0.
    """
    count = len(data.train)
    if not settings.shuffle:
        return np.arange(count)
    draw = generator(settings.data_seed, "order of presentations", epoch)
    if settings.classes == IN_TURN and data.train_labels is not None:
        return class_in_turn(data.train_labels, epoch, settings.revisited, draw)
    return draw.permutation(count)


def class_in_turn(labels: np.ndarray, epoch: int, revisited: float, draw: np.random.Generator) -> np.ndarray:
    """Return as many rows as there are examples, of one class, some replaced by rows of classes shown before.

    Epoch e shows class e mod C, its examples over and over, each time in a new order. With probability `revisited` an
    example is of another class, of those that earlier epochs have shown (Amit 2019, section 6).

    Parameters
    ----------
    labels : classes, (example,). epoch : counted from 0. revisited : from 0 to below 1.

    >>> class_in_turn(np.array([0, 1, 0, 1]), 1, 0.0, np.random.default_rng(0)).tolist()
    [1, 3, 1, 3]
    """
    known = np.unique(labels)
    place = epoch % len(known)
    own = np.flatnonzero(labels == known[place])
    rows = np.concatenate([draw.permutation(own) for _ in range(-(-len(labels) // len(own)))])[: len(labels)]
    before = known[:epoch][known[:epoch] != known[place]]
    if revisited and len(before):
        again = draw.random(len(rows)) < revisited
        rows[again] = draw.choice(np.flatnonzero(np.isin(labels, before)), int(again.sum()))
    return rows
