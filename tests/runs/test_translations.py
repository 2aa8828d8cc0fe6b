"""Translated images in runs: each epoch has its own, a resume has the same, and what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from circuitsim.errors import ConfigError
from circuitsim.runs.config import replicas
from circuitsim.runs.training import make_study
from circuitsim.scenarios.classifier.scenario import SCENARIO

BASE = {"train_limit": 200, "test_limit": 50, "batch": 50, "epochs": 2, "augment_shift": 0.25, "dtype": "float64"}
LAYERS = ["conv 3 3", "maxpool 2", "dense 10"]


def study(vary: dict[str, list[object]] | None = None, **more: object):  # type: ignore[no-untyped-def]
    return make_study(SCENARIO, replicas(SCENARIO.settings, {**BASE, "layers": LAYERS, **more}, vary or {}), "numba")


def test_a_study_that_is_restored_in_the_middle_of_an_epoch_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, halted = study(), study()
    for made in (whole, halted):
        made.begin()
    for _ in range(2):
        list(whole.train_epoch())
        whole.end_epoch()
    list(halted.train_epoch())
    halted.end_epoch()
    batches = halted.train_epoch()
    next(batches)
    snapshot = halted.snapshot()
    again = study()
    again.restore(snapshot)
    list(again.train_epoch())
    again.end_epoch()
    assert all(np.array_equal(a, again.tensors()[name]) for name, a in whole.tensors().items())


def test_translations_change_what_is_learned_and_not_what_is_measured() -> None:
    still, moved = study(augment_shift=0.0), study()
    for made in (still, moved):
        made.begin()
    assert still.metrics == moved.metrics
    for made in (still, moved):
        list(made.train_epoch())
    assert not np.array_equal(still.tensors()["W1.weight"], moved.tensors()["W1.weight"])


def test_what_cannot_be_translated_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"key augment_shift: got 0\.25; expected 0 with lowrank"):
        make_study(
            SCENARIO, replicas(SCENARIO.settings, {**BASE, "dataset": "lowrank", "sizes": [100, 10]}, {}), "numba"
        )
    with pytest.raises(ConfigError, match="key data_seed: got 'several values'; expected one value with augment_shift"):
        study(vary={"data_seed": [0, 1]})
