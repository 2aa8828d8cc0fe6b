"""The campaign of convolutional Tourbillons: its members, what it makes of them, and the settings that it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim

from circuitsim import data
from circuitsim.runs.config import build
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.scenario import Member, expect_circuits
from circuitsim.scenarios.tourbillon_convolution.images import interior, similarity
from circuitsim.scenarios.tourbillon_convolution.members import CHANNELS, members
from circuitsim.scenarios.tourbillon_convolution.scenario import QUICK
from circuitsim.scenarios.tourbillon_convolution.settings import TourbillonConvolutionSettings


def keys(**values: Any) -> TourbillonConvolutionSettings:
    return build(TourbillonConvolutionSettings, values)


def named(**values: Any) -> dict[str, Member]:
    return {member.name: member for member in members(keys(**values))}


def test_blocks_are_those_of_the_paper() -> None:
    """Section 6.2: 5 by 5, six maps, batches of 64; the rates are for increments summed over positions."""
    found = named(figures=["blocks"])
    assert found["block-cifar10"].values["layers"] == ["conv 6 5", "conv 3 5"]
    assert found["block-mnist"].values["layers"] == ["conv 6 5", "conv 1 5"]
    assert [found[f"block-{name}"].values["lr"] for name in ("mnist", "cifar10")] == [1e-3, 1e-4]
    assert {member.values["batch"] for member in found.values()} == {64}
    assert found["block-mnist"].vary["rule"] == ("rec", "rec-symmetric", "rbp", "bp", "top")


def test_all_members_are_what_their_scenarios_take() -> None:
    for member in members(build(TourbillonConvolutionSettings, dict(QUICK))):
        scenario = expect_circuits(load_scenario(member.scenario), "scenario")
        first = {key: values[0] for key, values in member.vary.items()}
        built = build(scenario.settings, {**member.values, **first})
        scenario.check(built, data.load("digits", "float32", 400, 200))


def test_a_stack_whose_parts_learn_at_once_is_otherwise_the_same() -> None:
    found = named(figures=["stack"], datasets=["mnist"])
    usual, together = (dict(found[f"{name}-mnist"].values) for name in ("stack", "together"))
    assert together.pop("schedule") == "asynchronous" and together == usual


def test_ways_of_fine_tuning_differ_in_channel_and_rates_alone() -> None:
    found = named(figures=["tuning"])
    assert list(found) == [f"tuning-{way}" for way in CHANNELS]
    own = [dict(member.values) for member in found.values()]
    told = {tuple(str(one.pop(key, "")) for key in ("channel", "top_feedback", "tuning_lr")) for one in own}
    assert len(told) == len(CHANNELS) and all(one == own[0] for one in own)
    assert found["tuning-frozen"].values["tuning_lr"][0] == 0


def test_a_level_sets_what_is_not_given() -> None:
    full = keys(level="full", epochs=7)
    assert (full.seeds, full.train_limit, full.epochs, full.block_epochs) == (5, None, 7, 50)


def test_similarity_of_filters() -> None:
    """Copies are alike, opposite halves are not; only windows within the image count."""
    filters = np.random.default_rng(0).normal(size=(1, 1, 1, 2, 1, 3, 3)) * np.ones((2, 6, 6, 1, 1, 1, 1))
    used = interior((6, 6), 3)
    assert used.sum() == 16 and not used[0].any()
    filters[1, 0] = 100.0
    np.testing.assert_allclose(similarity(filters, used), 1)
    independent = np.random.default_rng(1).normal(size=(1, 34, 34, 1, 1, 5, 5))
    assert similarity(independent, interior((34, 34), 5))[0] == pytest.approx(1 / 30, abs=0.01)


SMALL = {**QUICK, "train_limit": 60, "test_limit": 30, "few": 60, "batch": 20, "maps": 2, "error_examples": 20}


@pytest.mark.nightly
def test_a_run_of_all_parts(tmp_path: Path) -> None:
    sets = [part for key, value in SMALL.items() for part in ("--set", f"{key}={str(value).replace(chr(39), chr(34))}")]
    assert circuitsim("run", "tourbillon-convolution", "--out", tmp_path / "run", *sets) == 0
    figures = {path.stem: path for path in (tmp_path / "run" / "figures").glob("*.csv")}
    assert set(figures) == {
        "figure-8-blocks", "blocks-final", "stability", "figure-8-stack", "stack-final", "figure-9-digits", "tuning",
        "tuning-final", "table-1", "untied", "scorecard",
    }  # fmt: skip
    tables = {name: pd.read_csv(path) for name, path in figures.items()}
    assert list(tables["blocks-final"]["rule"]) == ["REC", "symmetric", "FA", "BP", "top alone"]
    assert tables["stability"]["loop/step"].notna().sum() == 4  # of recirculation; backpropagation has no such step
    assert "stack by REC, asynchronous" in list(tables["stack-final"]["circuit"])
    score = tables["scorecard"].set_index("stack")
    assert "E1" in score.loc["convolutional", "channels"] and "weight-sharing" in score.loc["convolutional", "findings"]
    assert score.loc["untied", "channels"] == "none shares weights"
    assert score.loc["untied", "local"] and not score.loc["convolutional", "local"]
    tuned = tables["tuning-final"].set_index("channel")
    assert float(str(tuned.loc["true backpropagation", "angle to BP (degrees) at hinge 1"]).split()[0]) < 1e-3
    start = tables["untied"].set_index("locations begin, images")["similarity at the start"].astype(str)
    near, far = (float(start[f"{name}, as they are"].split()[0]) for name in ("alike", "independent"))
    assert near > 0.95 > far


def test_the_scorecard_of_both_stacks_needs_files_of_no_other_set() -> None:
    assert [member.name for member in members(keys(figures=["scorecard"], datasets=["digits"]))] == ["stack-digits"]


@pytest.mark.parametrize(
    "key,value,text",
    [
        ("figures", '["all"]', "expected a list of at least one of blocks, stability, stack, figure9, tuning"),
        ("lr", "[0.1]", "expected a list of three numbers >= 0: encoder 1, encoder 2, top"),
        ("level", "fast", "expected standard or full"),
        ("map_encoder", "[]", "expected a list of at least one number >= 0, each once"),
    ],
)
def test_refusals(key: str, value: str, text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "tourbillon-convolution", "--out", tmp_path / "run", "--set", f"{key}={value}") == 2
    assert text in capfd.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "run").exists()
