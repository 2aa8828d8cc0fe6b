"""The scenario `layouts` and the campaign `learning-channels`: members, verdicts, what is written, refusals."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, final, metrics, skip_report

from circuitsim.circuits.channels import ROWS
from circuitsim.runs.config import build
from circuitsim.scenarios.layouts import LAYOUTS, LayoutSettings, described
from circuitsim.scenarios.learning_channels.scenario import GROUPS, SCENARIO, LearningChannelsSettings, members
from circuitsim.scenarios.learning_channels.verdicts import PAPER, Expected, agreement

TINY = {"train_limit": 200, "test_limit": 60, "epochs": 2, "units": 6}


def test_members_are_the_groups_of_each_data_set() -> None:
    found = members(LearningChannelsSettings(datasets=["digits", "mnist"], units=7, seeds=2, seed=3, lr=0.2))
    assert [m.name for m in found] == [f"{d}-{group}" for d in ("digits", "mnist") for group in GROUPS]
    assert sorted(name for group in GROUPS.values() for name in group) == sorted(LAYOUTS)
    assert GROUPS["outputs"][0] == "row1" and GROUPS["mixed"][-1] == "row8-random"
    assert {len(m.values["sizes"]) for m in found} == {3} and found[-1].values["sizes"] == [784, 7, 784]
    assert all((m.values["lr"], m.values["data_seed"], m.vary["seed"]) == (0.2, 3, [3, 4]) for m in found)
    assert [m.optional for m in found] == [False] * 5 + [True] * 5


def test_every_row_has_a_verdict() -> None:
    assert list(PAPER) == list(ROWS)


def test_agreement() -> None:
    """By hand: two of three below TOP; a seed that diverged is not below."""
    top = np.array([3.0, 3.0, 3.0])
    some, all_, none = np.array([1, 2, 3.0]), np.array([1, 2, 2.9]), np.array([3, 4, np.nan])
    assert agreement(Expected.LEARNS, all_, top).text == "yes"
    assert agreement(Expected.LEARNS, some, top).text == agreement(Expected.NONE, some, top).text == "no"
    assert (agreement(Expected.NONE, none, top).text, agreement(Expected.LEARNS, none, top).text) == ("yes", "no")
    assert agreement(Expected.OPEN, some, top).text == agreement(None, some, top).text == "–"
    assert (agreement(None, some, top).below, agreement(None, none, top).below) == ("2 of 3", "0 of 3")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_output_neurons_have_biases_and_hidden_ones_none(layout: str) -> None:
    circuit, _ = described(build(LayoutSettings, {"layout": layout}))
    biased = [q.target for q in circuit.projections if q.bias]
    assert biased == ["image0" if layout in ("row3-random", "row3-adaptive") else "layer2"]
    without, _ = described(build(LayoutSettings, {"layout": layout, "bias": False}))
    assert not any(q.bias for q in without.projections)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("campaign") / "run"
    sets = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        assert circuitsim("run", "learning-channels", "--quick", *sets, "--out", out) == 0
    return out


def table(ran: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(ran / "figures" / f"{name}.csv", index_col=0)


@pytest.mark.nightly
def test_the_table_is_that_of_the_members(ran: Path) -> None:
    found, frame = table(ran, "table5-digits"), metrics(ran)
    assert list(found.index) == ["bp", "rbp", "top", *ROWS]
    ends = frame[(frame["metric"] == "mse") & (frame["split"] == "test") & (frame["epoch"] == 2)]
    for layout in ("row2-random", "row8-identity"):
        assert found["after"][layout] == pytest.approx(ends[ends["layout"] == layout]["value"].mean())
    start, after = found["test error before"], found["after"]
    fallen = 100 * (start["row4"] - after["row4"]) / (start["bp"] - after["bp"])
    assert found["fall, of BP's (%)"]["row4"] == pytest.approx(fallen, rel=1e-5)
    assert found["fall, of BP's (%)"]["row1"] == 0


@pytest.mark.nightly
def test_what_learns_and_what_the_audit_says(ran: Path) -> None:
    """Measured: which weights are not what they were."""
    found = table(ran, "table5-digits")
    learns = {name: found["what learns"][name] for name in ROWS}
    assert learns.pop("row1") == "nothing" and learns.pop("row4") == "A2"
    assert {learns.pop("row2-random"), learns.pop("row2-shared")} == {"A1"}
    assert learns.pop("row3-adaptive") == "A1, A2, C3" and learns.pop("row5-adaptive") == "A1, A2, C2"
    assert set(learns.values()) == {"A1, A2"}
    wired = found["audit"][found["audit"] != "local"].to_dict()
    assert wired == {
        "bp": "weight-transport in B2",
        "row2-shared": "weight-sharing in C2",
        "row5-transposed": "weight-transport in C2",
        "row7-transposed": "weight-transport in C2",
        "row7-shared": "weight-sharing in C2",
    }


@pytest.mark.nightly
def test_rows_that_are_something_known_end_alike(ran: Path) -> None:
    """In single precision, over another way of adding up."""
    after = table(ran, "table5-digits")["after"].to_dict() | table(ran, "circular-digits")["after"].to_dict()
    for one, other in (("row4", "top"), ("row5-transposed", "bp"), ("row7-shared", "row8-identity")):
        assert after[one] == pytest.approx(after[other], rel=1e-5)
    assert after["row8-identity"] == pytest.approx(after["conjoined"], rel=1e-5)
    assert after["bidirectional"] == after["conjoined"]
    assert after["bidirectional-symmetric"] == after["conjoined-symmetric"]
    assert after["row1"] > after["row4"] > after["row5-transposed"]


@pytest.mark.nightly
def test_circular_layouts_side_by_side(ran: Path) -> None:
    apart = table(ran, "circular-digits")["greatest |A2 − A1ᵀ|"].to_dict()
    assert apart["bidirectional-symmetric"] == apart["conjoined-symmetric"] == "0 (one weight)"
    assert float(apart["conjoined-mirrored"]) < 1e-6 and float(apart["conjoined"]) > 0.1
    tensors = final(ran / "members" / "digits-circular")
    bidirectional, conjoined = (tensors["A1.weight"][2 * n] for n in (0, 2))
    assert np.array_equal(bidirectional, conjoined)
    assert np.isnan(tensors["A1.weight"][2]).all()


@pytest.mark.nightly
def test_what_is_written(ran: Path) -> None:
    groups = {f"course-{name}" for name in ("outputs", "errors", "mixed", "circular")}
    drawn = groups | {"layouts", "channels"}
    names = {f"{name}.{kind}" for name in drawn for kind in ("svg", "csv")}
    assert {p.name for p in (ran / "figures").iterdir()} == names | {"table5-digits.csv", "circular-digits.csv"}
    page = (ran / "report.html").read_text()
    assert "Table 5 on digits" in page and "verdicts of the paper come out" in page
    assert not re.search(r"\bnan\b", page)
    svg = (ran / "figures" / "channels.svg").read_text()
    assert all(text in svg for text in ("row 8: outputs to input", "C1 = Id", "C2 = A2ᵀ", "C2 = A1", "I − O"))
    parts = pd.read_csv(ran / "figures" / "channels.csv", index_col=["layout", "projection"])
    assert parts["weights"]["row8-identity", "C3"] == "identity"
    assert parts["changed by"]["row6-random", "A1"] == "error_recirculation"


@pytest.mark.nightly
def test_where_everything_diverges_there_is_a_report_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    skip_report(monkeypatch)
    sets = ["--set", "lr=1e38", "--set", "epochs=1", "--set", "train_limit=40", "--set", "test_limit=10"]
    assert circuitsim("run", "learning-channels", "--quick", *sets, "--out", tmp_path / "run") == 3
    assert "members diverged" in capfd.readouterr().err
    assert "BP and TOP have diverged" in (tmp_path / "run" / "report.html").read_text()


REFUSED = {
    ("layouts", "layout=row9"): r"key layout: got 'row9'; expected one of bidirectional, .*, bp, rbp, top\. Choose one",
    ("layouts", "sizes=[64,9,9,64]"): r"key sizes: got \[64, 9, 9, 64\]; expected three layers, the last size equal to "
    r"the first\. These have one hidden layer\.",
    (
        "layouts",
        "sizes=[8,4,8]",
    ): r"key sizes: got \[8, 4, 8\]; expected 64 units in layers 0 and 2, one for each feature of digits\. Set",
    ("layouts", "max_norm=2.0"): r"key max_norm: got 2\.0; expected none: these layouts have no bounds\. Leave it out",
    ("learning-channels", "datasets=[]"): r"key datasets: got \[\]; expected a list of at least one of digits, clu",
    ("learning-channels", "seeds=1"): r"key seeds: got 1; expected a whole number from 2 to 1000",
    ("learning-channels", "lr=0"): r"key lr: got 0; expected a number above 0",
}


@pytest.mark.parametrize("scenario, setting", REFUSED)
def test_refusals(scenario: str, setting: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", scenario, "--out", tmp_path / "run", "--set", setting) == 2
    assert re.search(REFUSED[scenario, setting], capfd.readouterr().err.replace("\n", " "))
    assert not (tmp_path / "run").exists()


def test_the_command_line_audits_a_row(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("audit", "layouts", "--set", "layout=row7-shared") == 0
    said = capfd.readouterr().out
    assert "weight-sharing in C2" in said and "NOT local: 1 finding" in said


def test_quick_is_quick() -> None:
    settings = LearningChannelsSettings(**SCENARIO.quick)
    assert settings.datasets == ["digits"] and settings.epochs * 1437 // settings.batch < 3000
