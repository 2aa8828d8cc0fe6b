"""Schedules of learning rates, against the rates that runs apply."""

from __future__ import annotations

import numpy as np
import pytest

from circuitsim import rate_factor
from circuitsim.data import load
from circuitsim.runs.config import build
from circuitsim.runs.study import Study
from circuitsim.scenarios.classifier.scenario import SCENARIO
from circuitsim.scenarios.classifier.settings import ClassifierSettings


def test_factors_by_hand() -> None:
    found = [rate_factor(epoch, decay=0.5, warmup=2, steps=[3, 5], factor=0.1) for epoch in range(6)]
    assert found == pytest.approx([1 / 3, 0.5 * 2 / 3, 0.25, 0.125 * 0.1, 0.0625 * 0.1, 0.03125 * 0.01])


def test_a_run_applies_them() -> None:
    keys = {"sizes": [64, 4, 10], "lr": 0.4, "epochs": 4, "lr_warmup": 1, "lr_steps": [2, 3], "lr_factor": 0.5}
    data = load("digits", "float32", 20, 10)
    study = Study(SCENARIO, [build(ClassifierSettings, {**keys, "angle_examples": 5})], data, "numba")
    rates = []
    while study.epoch < study.epochs:
        rates.append(float(study.groups[0].simulator.state.parameter("W1", "lr")[0]))
        list(study.train_epoch())
        study.end_epoch()
    np.testing.assert_allclose(rates, [0.2, 0.4, 0.2, 0.1], rtol=1e-6)
