"""Shared against untied weights: the members, what is measured of them, tables and figures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics, skip_report

from circuitsim import data
from circuitsim.runs.config import build
from circuitsim.runs.training import make_study
from circuitsim.scenarios.classifier.scenario import SCENARIO
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.share.scenario import ShareSettings, members


def test_members_are_kinds_of_weights_and_translations() -> None:
    found = members(ShareSettings(shifts=[0.0, 0.3]))
    assert [member.name for member in found] == [
        f"{dataset}-{kind}-{end}"
        for dataset in ("mnist", "cifar10")
        for kind, end in (
            ("shared", "0"), ("shared", "0.3"), ("untied", "0"), ("untied", "0.3"),
            ("shared", "masked"), ("untied", "masked"),
        )
    ]  # fmt: skip
    built = [ClassifierSettings(**member.values) for member in found]
    assert [one.augment_shift for one in built[:6]] == [0, 0.3, 0, 0.3, 0, 0]
    assert [one.density for one in built[:6]] == [1, 1, 1, 1, 0.75, 0.75]
    assert {one.downsample for one in built[:6]} == {1} and {one.downsample for one in built[6:]} == {2}
    assert {one.shifted_test for one in built} == {0.25}
    assert built[0].layers == ["conv 8 3/2", "conv 16 3/2", "conv 32 3", "dense 128", "dense 10"]
    assert built[2].layers == ["local 8 3/2", "local 16 3/2", "local 32 3", "dense 128", "dense 10"]
    assert (found[4].vary["masks"], found[5].vary["masks"]) == (["location"], ["synapse", "location", "source"])


def test_full_is_larger_and_given_keys_hold() -> None:
    made = ShareSettings(level="full", epochs=3)
    assert (made.channels, made.units, made.epochs, made.train_limit) == ([64, 128, 256], 1024, 3, None)


def test_errors_on_translated_images() -> None:
    """The same images at each measurement, and the error on them is that of a data set of these."""
    values = {"sizes": [64, 20, 10], "shifted_test": 0.25, "train_limit": 100, "test_limit": 80, "epochs": 0}
    study = make_study(SCENARIO, [build(ClassifierSettings, values | {"data_seed": 3})], "numba")
    simulator = study.groups[0].simulator
    found = [SCENARIO.examine(simulator, study.settings[0], study.data)["error_shifted"] for _ in range(2)]
    moved = data.shifted(study.data.test, (1, 8, 8), 0.25, 3, 0)
    assert (moved != study.data.test).any(axis=1).mean() > 0.9
    expected = SCENARIO.evaluate(simulator, moved, study.data.test_labels)["error"]
    np.testing.assert_array_equal(found, [expected, expected])
    study.measure(0)
    rows = [row for row in study.metrics if row[3] == "error_shifted"]
    assert rows == [(0, 0, "test", "error_shifted", float(expected[0]))]


def test_translations_of_what_is_no_image_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).random((30, 5)), y=np.arange(30) % 2)
    keys = ["--set", f"dataset={tmp_path / 'd.npz'}", "--set", "sizes=[5,3,2]", "--set", "shifted_test=0.2"]
    assert circuitsim("run", "classifier", *keys, "--out", tmp_path / "run") == 2
    said = r"key shifted_test: got 0\.2; expected 0 with .*d\.npz, whose examples are no images\. Choose a data set of"
    assert re.search(said, capfd.readouterr().err)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two translations, one epoch of few digits."""
    out = tmp_path_factory.mktemp("campaign") / "run"
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        keys = ["--set", "epochs=1", "--set", "train_limit=100", "--set", "test_limit=50", "--seed", "3"]
        assert circuitsim("run", "share", "--quick", *keys, "--out", out) == 0
    return out


@pytest.mark.nightly
def test_figures_and_tables(ran: Path) -> None:
    stems = {"errors", "error-epochs", "distances", "filters-digits"}
    drawn = {f"{stem}.{form}" for stem in stems for form in ("svg", "csv")} | {"missing.csv"}
    assert {path.name for path in (ran / "figures").iterdir()} == drawn
    frame, table = metrics(ran), pd.read_csv(ran / "figures" / "errors.csv")
    assert len(table) == 2 * 2 * 2
    keys = ["tested on", "weights", "translation in training"]
    means = table.set_index(keys)["mean"]
    for metric, words in (("error", "test images"), ("error_shifted", "translated test images")):
        own = frame[(frame["member"] == "digits-untied-0.2") & (frame["metric"] == metric) & (frame["split"] == "test")]
        expected = own[own["epoch"] == 1]["value"].mean()
        np.testing.assert_allclose(means[words, "untied", 0.2], expected)


@pytest.mark.nightly
def test_missing_connections(ran: Path) -> None:
    table = pd.read_csv(ran / "figures" / "missing.csv")
    pattern = "one pattern of the filter for all locations"
    assert table[["weights", "connections"]].to_numpy().tolist() == [
        ["shared", "all there"],
        ["untied", "all there"],
        ["shared", pattern],
        ["untied", "drawn for each synapse"],
        ["untied", pattern],
        ["untied", "one set of source neurons for all"],
    ]
    assert (table["seeds"] == 2).all()


@pytest.mark.nightly
def test_distances_are_of_untied_layers(ran: Path) -> None:
    frame = metrics(ran)
    named = frame[frame["metric"] == "kernel_distance/W1/1"]
    assert set(named["member"]) == {"digits-untied-0", "digits-untied-0.2", "digits-untied-masked"}
    assert named["value"].between(0.5, 2).all()
