"""The campaign that asks how stale feedback may be: its members, its criteria, and what it writes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics, skip_report

from circuitsim.scenarios.stale_feedback.report import Sweep
from circuitsim.scenarios.stale_feedback.scenario import SCENARIO, StaleFeedbackSettings, members

INF = np.inf


def test_members_are_as_few_runs_as_shapes_allow() -> None:
    copies, deferred, random = members(StaleFeedbackSettings(seed=5, lr=0.2))
    assert copies.vary == {"copy_interval": [*(2**k for k in range(11)), "never"], "seed": [5, 6, 7, 8, 9]}
    assert deferred.vary == {"update_probability": [1.0, 0.5, 0.1, 0.02], "seed": [5, 6, 7, 8, 9]}
    assert random.vary == {"seed": [5, 6, 7, 8, 9]}
    for member in (copies, deferred, random):
        assert member.values["sizes"] == [784, 256, 64, 10]
        assert (member.values["lr"], member.values["data_seed"]) == (0.2, 5)
    assert [member.values.get("feedback", "bp") for member in (copies, deferred, random)] == ["bp", "bp", "fa"]


def sweep(*errors: tuple[float, ...], random: float = 50.0) -> Sweep:
    stale = np.array([1.0, 10.0, INF])[: len(errors)]
    return Sweep(stale, np.array(errors), np.array([random - 1, random + 1]))


def test_where_learning_breaks() -> None:
    """By hand: (9, 11) and (11, 13) have a spread of sqrt(2), and twice that is more than their distance of 2."""
    close = sweep((9, 11), (11, 13), (12, 14))
    assert close.spread(1) == pytest.approx(np.sqrt(2))
    assert [close.broken(place) for place in range(3)] == [False, False, True]
    assert close.first("broken") == INF and close.first("useless") is None
    uneven = sweep((9, 11), (14, 14))
    assert uneven.spread(1) == pytest.approx(1)  # pooled: the mean of variances 2 and 0
    assert uneven.first("broken") == 10
    assert sweep((9, 11), (8, 8)).first("broken") is None  # better is not worse
    assert sweep((9, 11), (40, 60)).first("useless") == 10
    lost = sweep((9, 11), (9, np.nan), (9, 11))
    assert lost.first("broken") == lost.first("useless") == 10


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("campaign") / "run"
    keys = {
        "hidden": "[6,5]",
        "copy_intervals": "[1,4,9]",
        "update_probabilities": "[1,0.3]",
        "train_limit": 200,
        "test_limit": 50,
    }
    sets = [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        assert circuitsim("run", "stale-feedback", "--quick", *sets, "--out", out) == 0
    return out


def test_numbers_are_those_of_the_members(ran: Path) -> None:
    frame = metrics(ran)
    table = pd.read_csv(ran / "figures" / "numbers.csv")
    assert list(table["presentations between"].fillna("")) == ["1", "4", "9", "never", "1", "3.333", ""]
    ends = frame[(frame["metric"] == "error") & (frame["split"] == "test") & (frame["epoch"] == 2)]
    nine = ends[ends["copy_interval"] == "9"]["value"]
    assert len(nine) == 2
    assert table["test error (%)"][2] == pytest.approx(nine.mean())
    assert table["SD"][2] == pytest.approx(nine.std())
    angles = frame[(frame["metric"] == "angle/delta1") & (frame["epoch"] > 0) & (frame["copy_interval"] == "never")]
    assert len(angles) == 4
    assert table["angle at layer 1 (degrees)"][3] == pytest.approx(angles["value"].mean())
    fresh = table[table["presentations between"] == "1"]
    assert fresh["test error (%)"].nunique() == 1 and fresh["SD"].nunique() == 1  # backpropagation, both ways


def test_what_is_written(ran: Path) -> None:
    assert {path.name for path in (ran / "figures").iterdir()} == {
        "staleness.svg", "staleness.csv", "breaks.csv", "numbers.csv",
    }  # fmt: skip
    breaks = pd.read_csv(ran / "figures" / "breaks.csv")
    assert list(breaks["staleness of"]) == ["copied feedback weights", "deferred updates"]
    page = (ran / "report.html").read_text()
    assert "Where learning breaks" in page and "clearly worse from" in page
    svg = (ran / "figures" / "staleness.svg").read_text()
    assert all(text in svg for text in ("test error (%)", "presentations between copies", "never", "angle (degrees)"))
    assert not re.search(r"\bnan\b", page)


REFUSED = {
    "dataset=lowrank": r"key dataset: got 'lowrank'; expected one of digits, cluttered-digits, mnist, fashion-mn",
    "hidden=[]": r"key hidden: got \[\]; expected a list of at least one whole number >= 1, hidden units by layer",
    "copy_intervals=[2,4]": r"key copy_intervals: got \[2, 4\]; expected a list of whole numbers .*, "
    r"ascending, the first of them 1",
    "copy_intervals=[1,4,2]": r"key copy_intervals: got \[1, 4, 2\]; expected",
    "copy_intervals=[1,1]": r"key copy_intervals: got \[1, 1\]; expected",
    "update_probabilities=[0.5]": r"key update_probabilities: got \[0\.5\]; expected a list of numbers above 0, "
    r"descending, the first of them 1",
    "update_probabilities=[1,0]": r"key update_probabilities: got \[1(\.0)?, 0(\.0)?\]; expected",
    "seeds=1": r"key seeds: got 1; expected a whole number from 2 to 1000",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_refusals(setting: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "stale-feedback", "--out", tmp_path / "run", "--set", setting) == 2
    assert re.search(REFUSED[setting], capfd.readouterr().err.replace("\n", " "))
    assert not (tmp_path / "run").exists()


def test_quick_is_quick() -> None:
    settings = StaleFeedbackSettings(**SCENARIO.quick)
    presentations = settings.epochs * settings.train_limit // settings.batch  # type: ignore[operator]
    assert settings.dataset == "digits" and presentations <= 200
