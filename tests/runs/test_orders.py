"""Orders of presentations: one class in each epoch, classes that are revisited, and settings that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from circuitsim.errors import ConfigError
from circuitsim.randomness import generator
from circuitsim.runs.config import replicas
from circuitsim.runs.orders import class_in_turn
from circuitsim.runs.training import make_study
from circuitsim.scenarios.autoencoder import SCENARIO as AUTOENCODER
from circuitsim.scenarios.classifier.scenario import SCENARIO

LABELS = np.repeat(np.arange(3), [4, 30, 50])
BASE = {"train_limit": 200, "test_limit": 100, "batch": 20, "epochs": 12, "lr": 0.3, "classes": "in-turn"}


def study(vary: dict[str, list[object]] | None = None, **more: object):  # type: ignore[no-untyped-def]
    return make_study(SCENARIO, replicas(SCENARIO.settings, {**BASE, **more}, vary or {}), "numba")


@pytest.mark.parametrize("epoch", range(7))
def test_an_epoch_shows_its_class_evenly(epoch: int) -> None:
    rows = class_in_turn(LABELS, epoch, 0.0, generator(0, "order", epoch))
    own, counts = np.unique(rows, return_counts=True)
    assert len(rows) == len(LABELS)
    assert np.array_equal(own, np.flatnonzero(epoch % 3 == LABELS))
    assert counts.max() - counts.min() <= 1


def test_revisited_classes_are_those_of_earlier_epochs() -> None:
    shown = [LABELS[class_in_turn(LABELS, epoch, 0.3, generator(0, "order", epoch))] for epoch in range(5)]
    assert [sorted(set(labels)) for labels in shown] == [[0], [0, 1], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    for epoch, labels in enumerate(shown[1:], 1):
        assert 0.15 < (labels != epoch % 3).mean() < 0.45


def test_a_class_in_turn_is_learned_and_the_others_are_lost_unless_they_are_revisited() -> None:
    made = study({"revisited": [0.0, 0.3]}, class_errors=True)
    made.begin()
    for _ in range(12):
        list(made.train_epoch())
        made.end_epoch()
    rows = {(row.replica, row.metric): row.value for row in made.metrics if row.epoch == 12 and row.split == "test"}
    assert rows[0, "error_class/1"] < 10 and rows[1, "error_class/1"] < 30
    assert rows[0, "error"] > 80 > 60 > rows[1, "error"]
    counts = np.bincount(made.data.test_labels)
    by_class = np.array([rows[1, f"error_class/{c}"] for c in range(10)])
    assert rows[1, "error"] == pytest.approx((by_class * counts).sum() / counts.sum())


def test_replicas_with_other_orders_see_their_own() -> None:
    """The first epoch has nothing to revisit; in the second, one replica sees more classes."""
    one, both = study(), study({"revisited": [0.0, 0.3]})
    for made in (one, both):
        made.begin()
        for _ in range(2):
            list(made.train_epoch())
            made.end_epoch()
    alone, beside = (made.tensors()["W1.weight"] for made in (one, both))
    np.testing.assert_allclose(beside[0], alone, rtol=1e-4, atol=1e-6)
    assert not np.allclose(beside[1], alone, atol=1e-3)


def test_what_cannot_be_shown_in_turn_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"key shuffle: got false; expected true with classes=in-turn"):
        study(shuffle=False)
    with pytest.raises(ConfigError, match=r"key revisited: got 0\.2; expected 0 with classes=mixed"):
        study(classes="mixed", revisited=0.2)
    values = {"dataset": "lowrank", "sizes": [100, 10, 100], "classes": "in-turn", "output": "identity"}
    with pytest.raises(ConfigError, match="key classes: got 'in-turn'; expected mixed with lowrank, whose"):
        make_study(AUTOENCODER, replicas(AUTOENCODER.settings, values, {}), "numba")
