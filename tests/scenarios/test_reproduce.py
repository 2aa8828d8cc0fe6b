"""All items of the sources have a row; numbers are read as they are stated; the page is what the kept results give."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import REAL_DATA, circuitsim, metrics, nightly

from circuitsim.analysis.averages import half_width
from circuitsim.runs.arguments import vary_of
from circuitsim.runs.config import replicas
from circuitsim.runs.lookup import load_scenario
from circuitsim.scenarios.reproduce.items import RESULTS, SOURCES, Item, Read, experiments, items
from circuitsim.scenarios.reproduce.reading import MADE, keep, kept_results, needed, selected, values
from circuitsim.scenarios.reproduce.report import Row, kept_table, markdown, table

DOCS = Path(__file__).parents[2] / "docs"
VERDICTS = {"agrees", "differs", "refuted", "not comparable"}
READ = Read(experiment="feedback-ode", label="mse", select={"metric": "mse", "rule": "rec"})


def frame() -> pd.DataFrame:
    """Two rules, two seeds, epochs 0 to 2."""
    rows = [
        (epoch, split, metric, rule, seed, seed, base * (3 - epoch) + seed + (10 if split == "train" else 0))
        for epoch in range(3)
        for split in ("train", "test")
        for metric in ("mse", "bce")
        for rule, base in (("rec", 1.0), ("bp", 2.0))
        for seed in (0, 1)
    ]
    return pd.DataFrame(rows, columns=["epoch", "split", "metric", "rule", "seed", "replica", "value"])


def item(**own: Any) -> Item:
    given = {"source": "recirculation", "row": 1, "item": "a", "printed": "b", "verdict": "agrees", "reads": [READ]}
    return Item.model_validate(given | own)


def row(numbers: list[float] | None, **own: Any) -> Row:
    made = item(**own)
    known = {} if numbers is None else {("recirculation", 1, "mse"): np.array(numbers)}
    return table([made], known)[0]


def test_every_item_of_every_source_has_a_row() -> None:
    assert sum(count for _, count in SOURCES.values()) == 190 == len(items())
    for source, (_, count) in SOURCES.items():
        assert [one.row for one in items() if one.source == source] == list(range(1, count + 1))


def test_no_row_is_empty() -> None:
    """A value, or the reason why there is none; a command wherever something is claimed."""
    for one in kept_table(items()):
        assert all((one.item, one.printed, one.ours, one.setting, one.command, one.verdict)), one
        assert one.verdict in VERDICTS
        assert one.ours != "no number" or one.why, one
        if one.verdict != "not comparable":
            assert one.command != "–", one
        if one.verdict in ("differs", "refuted"):
            assert one.why, one


def test_experiments_are_commands_that_can_be_run() -> None:
    """Their keys and values are accepted by the scenarios that they name, and every read names one of them."""
    assert {read.experiment for one in items() for read in one.reads} <= set(experiments())
    for experiment in experiments().values():
        scenario = load_scenario(experiment.scenario)
        replicas(scenario.settings, experiment.set, vary_of(scenario, experiment.vary, experiment.set))
        assert experiment.command.startswith(f"circuitsim run {experiment.scenario}")


def test_tests_that_are_named_exist() -> None:
    named = {part for one in items() for part in one.command.split() if part.startswith("tests/")}
    assert named and all((DOCS.parent / part).exists() for part in named)


def test_what_a_read_selects() -> None:
    made = frame()
    assert values(made, READ).tolist() == [1.0, 2.0]
    first = READ.model_copy(update={"select": {"metric": "mse", "rule": "rec", "epoch": 0, "split": "train"}})
    assert values(made, first).tolist() == [13.0, 14.0]
    relative = READ.model_copy(update={"relative_to": {"metric": "mse", "rule": "bp"}})
    np.testing.assert_allclose(values(made, relative), [-50.0, 100 * (2 / 3 - 1)])
    assert values(made, READ.model_copy(update={"select": {"metric": "mse", "depth": 3}})).size == 0
    assert values(made, READ.model_copy(update={"select": {"metric": "nats"}})).size == 0
    less = made[(made["rule"] == "rec") | (made["seed"] == 0)]
    assert values(less, relative).size == 0, "seeds that cannot be paired"
    tables = made.assign(mirror=['{"rate": 0.1, "blocked": true}', '{"rate": 0.2, "blocked": true}'] * (len(made) // 2))
    assert len(selected(tables, {"mirror": {"blocked": True}, "metric": "mse", "rule": "rec"})) == 2
    assert len(selected(tables, {"mirror": {"rate": 0.1, "blocked": True}, "metric": "mse", "rule": "rec"})) == 1
    assert selected(tables, {"mirror": {"blocked": False}}).empty and selected(tables, {"mirror": {"other": 1}}).empty
    kept = needed(made, [READ, relative])
    assert len(kept) == 4 and len(needed(made, [READ])) == 2
    np.testing.assert_allclose(values(kept, relative), values(made, relative))
    assert selected(kept, {"metric": "bce"}).empty


def test_what_is_kept_says_where_it_comes_from(tmp_path: Path) -> None:
    keep(needed(frame(), [READ]), "one", tmp_path, {"versions": {"machine": "m", "numpy": "2"}}, 1.26)
    kept = kept_results("one", tmp_path)
    assert kept is not None and kept_results("two", tmp_path) is None
    assert kept[list(MADE)].drop_duplicates().to_numpy().tolist() == [["m", '{"machine": "m", "numpy": "2"}', 1.3]]
    assert values(kept, READ).tolist() == [1.0, 2.0]
    for path in RESULTS.glob("*.parquet"):
        stored = pd.read_parquet(path)
        assert path.stem in experiments() and path.stat().st_size < 60_000
        assert set(MADE) <= set(stored) and json.loads(stored["versions"][0])["numpy"]


def test_every_read_finds_something_in_what_is_kept() -> None:
    for item in items():
        for read in item.reads:
            kept = kept_results(read.experiment)
            assert kept is None or values(kept, read).size > 0, (item.name, read.label)


def test_rows() -> None:
    inside = {"reads": [READ.model_copy(update={"least": 1.0, "most": 2.0})]}
    found = row([1.0, 2.0], **inside)
    assert found.ours == f"mse: 1.5 ± {half_width(np.array([1.0, 2.0])):.2g} (n = 2)" and found.verdict == "agrees"
    assert found.command == experiments()["feedback-ode"].command and found.setting.startswith("40-100-100-10")
    assert row([3.0, 4.0], **inside).verdict == "differs"
    assert row([3.0, 4.0], **inside, otherwise="refuted", why="x").verdict == "refuted"
    missing = row(None, why="slow")
    assert (missing.ours, missing.verdict) == ("no number", "not comparable")
    assert missing.why == "not run: about 0.3 minutes on one core; slow"
    told = row(None, reported="0.5 (n = 2)", setting="a sixth", command="circuitsim run x")
    assert (told.ours, told.verdict, told.setting) == ("0.5 (n = 2)", "agrees", "a sixth")
    assert told.command.startswith("circuitsim run x; in full, circuitsim run feedback-ode")
    text = markdown([found, missing])
    assert text.count("| 1 | a | b |") == 2 and "1. `circuitsim run feedback-ode`" in text


def test_the_page_is_what_the_kept_results_give() -> None:
    spec = importlib.util.spec_from_file_location("reproduction", DOCS / "reproduction.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.PAGE.read_text(encoding="utf-8")
    assert page == module.written(page), "run python docs/reproduction.py"


def test_a_run_of_some_rows(tmp_path: Path) -> None:
    """Nothing takes long: what is kept is shown; the run can be resumed."""
    out = tmp_path / "run"
    rows = "row=[16,17,29]"
    given = ("--set", "source=random-feedback", "--set", rows, "--set", "minutes=0")
    assert circuitsim("run", "reproduce", "--out", out, *given) == 0
    numbers, shown = metrics(out), pd.read_csv(out / "figures" / "items.csv")
    assert shown["row"].tolist() == [16, 17, 29]
    kept = kept_results("feedback-ode")
    assert kept is not None and set(numbers["origin"]) == {"kept"}
    first = next(one for one in items() if (one.source, one.row) == ("random-feedback", 16)).reads[0]
    own = numbers[numbers["label"] == first.label].sort_values("number")["value"]
    np.testing.assert_array_equal(own.to_numpy(), values(kept, first))
    assert (out / "table.md").read_text(encoding="utf-8").startswith("3 items: ")
    assert circuitsim("resume", out) == 0


def test_rows_of_which_none_has_a_number(tmp_path: Path) -> None:
    assert circuitsim("run", "reproduce", "--out", tmp_path / "run", "--set", "row=2") == 0
    assert len(pd.read_parquet(tmp_path / "run" / "metrics.parquet")) == 0
    assert "equal to a loop written by hand" in (tmp_path / "run" / "report.html").read_text()


def test_rows_that_there_are_not(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert (
        circuitsim("run", "reproduce", "--out", tmp_path / "run", "--set", "source=tourbillon", "--set", "row=46") == 2
    )
    assert "key row: got 46; expected rows from 1 to 45. docs/results.md lists them." in capfd.readouterr().err


SAMPLE = {
    "recirculation": [4, 5, 43, 44, 45, 46, 47, 49, 50, 53, 54, 55, 56, 57],
    "random-feedback": [16, 19, 20, 21, 22, 24],
}
"""Twenty rows whose commands take some minutes together."""


@pytest.mark.parametrize("source", [nightly(source) for source in SAMPLE])
def test_a_sample_is_found_again(source: str, tmp_path: Path) -> None:
    """Run anew, means agree with those kept to 2 % or to the wider of the two intervals."""
    rows = SAMPLE[source]
    given = ("--set", f"source={source}", "--set", f"row={rows}", "--set", "minutes=5")
    assert circuitsim("run", "reproduce", "--out", tmp_path / "run", *given) == 0
    numbers = metrics(tmp_path / "run")
    compared = 0
    for one in items():
        for read in one.reads if one.source == source and one.row in rows else ():
            kept = kept_results(read.experiment)
            assert kept is not None, read.experiment
            own = numbers[(numbers["row"] == one.row) & (numbers["label"] == read.label)]
            assert set(own["origin"]) == {"run"}
            new, old = own["value"].to_numpy(), values(kept, read)
            widths = [w for w in (half_width(new), half_width(old)) if np.isfinite(w)]
            assert abs(new.mean() - old.mean()) <= max(0.02 * abs(old.mean()), 1e-3, *widths), (one.name, read.label)
            compared += 1
    assert compared >= len(rows)


@pytest.mark.nightly
@pytest.mark.skipif(not REAL_DATA, reason="needs CIRCUITSIM_DATA with MNIST")
def test_activation_alignment_on_mnist(tmp_path: Path) -> None:
    """Within 1.5 points of backpropagation after an epoch, its top angle below 20 degrees."""
    given = ("--set", "source=role-of-feedback", "--set", "row=24", "--set", "minutes=5")
    assert circuitsim("run", "reproduce", "--out", tmp_path / "run", *given) == 0
    means = metrics(tmp_path / "run").groupby("label")["value"].mean()
    assert means["AA at rate 0.1, error %"] < means["BP at the same rate"] + 1.5
    assert means["angle of W3, degrees"] < 20
