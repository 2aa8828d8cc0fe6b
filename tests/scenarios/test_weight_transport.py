"""The campaign that compares feedback methods: its members, and what it makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics, skip_report

from circuitsim.circuits.classifier import FEEDBACK
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.weight_transport.scenario import SCENARIO, WeightTransportSettings, members

METHODS = ("bp", "dfa", "kp", "wm")


def test_members_are_as_few_runs_as_shapes_and_settings_allow() -> None:
    found = members(WeightTransportSettings())
    assert [member.name for member in found][:4] == [
        "digits-64-256-64-10",
        "digits-64-256-64-10-kp",
        "digits-64-256-128-64-32-10",
        "digits-64-256-128-64-32-10-kp",
    ]
    assert {tuple(m.values["sizes"])[:3] for m in found} == {
        (inputs, *hidden) for inputs in (64, 784, 3072) for hidden in ((256, 64), (256, 128))
    }
    assert [m.optional for m in found] == [False] * 4 + [True] * 8
    replicas = [(len(m.vary["feedback"]), len(m.vary["seed"])) for m in found]
    assert replicas == [(9, 5), (1, 5)] * 6


def test_the_settings_of_each_method() -> None:
    steady, decaying = members(WeightTransportSettings(datasets=["mnist"], hidden=[[256, 64]], seed=7, seeds=2))
    for member in (steady, decaying):
        built = ClassifierSettings(**member.values)
        assert (built.lr, built.batch, built.hidden, built.output, built.epochs) == (0.1, 100, "tanh", "softmax", 5)
        assert member.vary["seed"] == [7, 8]
        assert built.data_seed == 7
        mirror = {key: built.mirror[key] for key in ("noise", "scale", "rate", "decay", "block_bias")}
        assert mirror == {"noise": "gaussian", "scale": 0.5, "rate": 0.1, "decay": 0.01, "block_bias": True}
        assert (built.mirror["passes_per_update"], built.mirror["passes_before"]) == (1, 0)
    assert (steady.values["weight_decay"], decaying.values["weight_decay"]) == (0.0, 3e-4)
    assert (set(steady.vary["feedback"]), decaying.vary["feedback"]) == (set(FEEDBACK) - {"kp"}, ["kp"])


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four methods, one depth, two seeds."""
    out = tmp_path_factory.mktemp("campaign") / "run"
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        keys = [
            "--set",
            "hidden=[[6,5]]",
            "--set",
            f"methods={list(METHODS)}",
            "--set",
            "train_limit=100",
            "--set",
            "test_limit=50",
            "--seed",
            "3",
        ]
        assert circuitsim("run", "weight-transport", "--quick", *keys, "--out", out) == 0
    return out


def test_figures_and_tables(ran: Path) -> None:
    stems = {"errors", "windows", "angles-digits-64-6-5-10"}
    drawn = {f"{stem}.{form}" for stem in stems for form in ("svg", "csv")} | {"final.csv"}
    assert {path.name for path in (ran / "figures").iterdir()} == drawn
    page = (ran / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 3
    assert all(f"<td>{method}</td>" in page for method in METHODS)


def test_tables_are_of_the_metrics(ran: Path) -> None:
    frame, table = metrics(ran), pd.read_csv(ran / "figures" / "final.csv").set_index("feedback")
    assert list(table.index) == list(METHODS)
    assert set(table["seeds"]) == {2}
    for method in METHODS:
        own = frame[(frame["feedback"] == method) & (frame["epoch"] == 1) & (frame["metric"] == "error")]
        values = own[own["split"] == "test"]["value"]
        row = table.loc[method]
        expected = (values.mean(), values.std(ddof=1))
        np.testing.assert_allclose((row["test error (%)"], row["SD of test error (%)"]), expected)
    assert table.loc["bp", "angle at layer 1 (degrees)"] < 1e-3
    assert (frame["seed"].min(), frame["seed"].max()) == (3, 4)


def test_windows(ran: Path) -> None:
    """Up to the top and down again: 2 (L - h) + 1 ticks; direct feedback comes back in one."""
    table = pd.read_csv(ran / "figures" / "windows.csv").set_index(["feedback", "projection"])["window (ticks)"]
    for method in METHODS:
        expected = [4, 3, 1] if method == "dfa" else [5, 3, 1]
        assert [table[method, f"W{h}"] for h in (1, 2, 3)] == expected


def test_one_seed_and_one_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    keys = ["--set", "hidden=[[5]]", "--set", 'methods=["kp"]', "--set", "seeds=1", "--set", "epochs=0"]
    assert circuitsim("run", "weight-transport", "--quick", *keys, "--out", tmp_path / "run") == 0
    assert [path.name for path in (tmp_path / "run" / "members").iterdir()] == ["digits-64-5-10-kp"]
    assert pd.read_csv(tmp_path / "run" / "figures" / "final.csv")["feedback"].tolist() == ["kp"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "datasets=[]",
            "key datasets: got []; expected a list of at least one of digits, cluttered-digits, mnist, fashion-mnist",
        ),
        ('datasets=["lowrank"]', "key datasets: got ['lowrank']; expected a list of at least one of digits"),
        ('methods=["bp","bp"]', "key methods: got ['bp', 'bp']; expected a list of at least one of bp, fa"),
        (
            "hidden=[[0]]",
            "key hidden: got [[0]]; expected a list of lists of whole numbers >= 1, hidden units by layer",
        ),
        ("seeds=0", "key seeds: got 0; expected a whole number from 1 to 1000"),
    ],
)
def test_refused(key: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", SCENARIO.name, "--out", tmp_path / "run", "--set", key) == 2
    assert capfd.readouterr().err.startswith(f"circuitsim: {message}")
    assert not list(tmp_path.iterdir())
