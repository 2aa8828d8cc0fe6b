"""The scenario `recirculation-theory`: what it counts, what it writes, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from running import circuitsim, installed

from circuitsim.analysis.theory.report import lead, verdicts
from circuitsim.analysis.theory.statements import STATEMENTS
from circuitsim.scenarios.recirculation_theory import SCENARIO, TheorySettings, compute

SMALL = {"starts": 60, "systems": 2, "depths": [2, 3], "rates": [0.02, 0.01, 0.005]}
FALSE = {
    "eq. 21, h = L - 1",
    "Abstract, rec rests at a critical point",
    "section 6.2, any Sigma",
    "section 6.2, rec is bp, afterwards",
    "Theorem 6.1, excluded, a_i0 ... a_L = 0",
    "Theorem 6.2, n = 2",
    "Theorem 6.2, n = 4",
    "Theorem 6.3, eq. 51, n = 1, m = 2",
    "Theorem 6.3, eq. 51, n = 1, m = 3",
    "Theorem 6.3, top as eq. 40, n = 1, m = 2",
    "Theorem 6.3, top as eq. 40, n = 1, m = 3",
    "eq. 56",
    "eq. 56, AB falls where P < 0",
    "Theorem 6.4, proof: A = 0 where P = 0, N = 2",
}


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, SCENARIO)


@pytest.fixture(scope="module")
def metrics() -> pd.DataFrame:
    frame = compute(TheorySettings(**SMALL))
    frame.insert(0, "replica", 0)
    return frame


def test_which_statements_fail_and_that_what_is_said_instead_holds(metrics: pd.DataFrame) -> None:
    table = verdicts(metrics)
    assert list(table["statement"]) == [one.case for one in STATEMENTS]
    wrong = table[table["agree"] < table["starts"]]
    assert set(wrong.loc[wrong["by"] == "paper", "statement"]) == FALSE
    assert set(wrong.loc[wrong["by"] == "here", "statement"]) == {"Theorem 6.1, excluded, all weights stay"}
    assert (wrong["where it fails"] != "").all()
    assert (table.loc[table["agree"] == table["starts"], "where it fails"] == "").all()


def test_what_it_writes(metrics: pd.DataFrame, tmp_path: Path) -> None:
    SCENARIO.finish(tmp_path, metrics, {"scenario": "recirculation-theory"})
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    drawn = ("gap", "symmetry", "invariants", "basins", "flow")
    tables = ("statements", "circuits", "dead", *drawn)
    assert written == {f"{name}.svg" for name in drawn} | {f"{name}.csv" for name in tables}
    assert (tmp_path / "report.html").read_text().count("data:image/svg+xml") == len(drawn)
    circuits = pd.read_csv(tmp_path / "figures" / "circuits.csv")
    assert "−∞" in set(circuits["simulated circuit"])


def test_one_part_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "run"
    chosen = ("--set", "part=hidden", "--set", "starts=40")
    assert circuitsim("run", "recirculation-theory", *chosen, "--vary", "seed=0,1", "--out", out) == 0
    table = pd.read_csv(out / "figures" / "statements.csv").set_index("statement")
    assert table.loc["Theorem 6.4", ["starts", "agree"]].tolist() == [80, 80]
    assert lead(table.reset_index()).startswith("4 of 7 statements of the paper hold")


@pytest.mark.parametrize("given", ["depths=[1]", "rates=[0.1]", "part=proof", "spread=5.0"])
def test_what_it_refuses(given: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "recirculation-theory", "--set", given, "--out", tmp_path / "run") == 2
    assert f"key {given.partition('=')[0]}" in capfd.readouterr().err
