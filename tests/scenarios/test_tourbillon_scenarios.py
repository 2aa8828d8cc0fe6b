"""The scenarios `tourbillon`, `twin`, `nest` and `five-problems`: how runs develop, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import ENTRIES, circuitsim, final, measured, metrics, nightly, outcome, skip_report, vary
from safetensors.numpy import save_file

from circuitsim.runs.config import build, spell
from circuitsim.runs.runfolder import read_tensors
from circuitsim.runs.study import Study
from circuitsim.scenarios.five_problems.scenario import described
from circuitsim.scenarios.five_problems.settings import ProblemSettings
from circuitsim.scenarios.tourbillon import TourbillonSettings, design

GOLDEN = 1e-6  # relative, of float64
COMMON: dict[str, Any] = {"train_limit": 200, "test_limit": 100, "batch": 20, "dtype": "float64"}
GROWING: dict[str, Any] = COMMON | {"epochs": 2, "top_epochs": 1, "tuning_epochs": 2, "bounds": 0.6}
SMALL: dict[str, dict[str, Any]] = {
    "tourbillon": GROWING | {"sizes": [64, 12, 8, 10], "lr": [0.05, 0.05, 0.3], "decoder_lr": 0.3},
    "twin": GROWING | {"sizes": [64, 12, 8, 10], "lr": [0.05, 0.05, 0.3], "decoder_lr": 0.3},
    "nest": COMMON | {"sizes": [64, 12, 64], "cores": [8], "epochs": 3, "inner_first": 1, "lr": 0.05, "inner_lr": 0.1},
}
UNET: dict[str, Any] = {"original": "autoencoder", "output_block": True, "sizes": [64, 12, 8, 12, 64], "lr": 0.05}


@pytest.fixture(autouse=True)
def _without_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch, experiments="golden_numbers[nest]" in request.node.name)


def small(scenario: str, out: Path, *options: object, **keys: Any) -> int:
    """Run one of the scenarios small; return the exit status."""
    values = SMALL.get(scenario, {}) | keys
    sets = [part for key, value in values.items() for part in ("--set", f"{key}={spell(value)}")]
    return circuitsim("run", scenario, "--out", out, *sets, *options)


def course(folder: Path, metric: str, split: str = "test", **only: object) -> np.ndarray:
    """A metric of one replica, an entry for each epoch."""
    frame = metrics(folder)
    for key, value in ({"metric": metric, "split": split} | only).items():
        frame = frame[frame[key] == value]
    return np.asarray(frame.sort_values("epoch")["value"])


# --------------------------------------------------------------------------------------------------------- golden runs

GOLD: dict[tuple[str, ...], dict[str, float]] = {
    ("tourbillon",): {"error": 83, "loss": 2.281026773, "mse/1": 0.09082132575, "mse/2": 0.1352392563},
    ("twin",): {"error": 88, "loss": 2.253591514, "mse/1": 0.07695457496, "mse/2": 0.1366662985},
    ("twin", "unet"): {"mse": 0.07801440912, "bce": 28.63420306, "mse/2": 0.2234016278, "spread/4": 0.003891888746},
    ("nest",): {"mse": 0.08771982365, "bce": 31.88374678, "mse/1": 0.05758806097, "spread/1": 0.1843944945},
}


@pytest.mark.parametrize("which", [("tourbillon",), ("twin",), ("twin", "unet"), ("nest",)], ids="-".join)
def test_golden_numbers(which: tuple[str, ...], tmp_path: Path) -> None:
    assert small(which[0], tmp_path / "run", **(UNET if len(which) > 1 else {})) == 0
    assert {path.name for path in (tmp_path / "run").iterdir()} == ENTRIES
    found = {metric: course(tmp_path / "run", metric)[-1] for metric in GOLD[which]}
    assert found == pytest.approx(GOLD[which], rel=GOLDEN)


# ------------------------------------------------------------------------------------------- what learns in which epoch


def test_a_development_in_sequence(tmp_path: Path) -> None:
    """Blocks, top, fine-tuning: what does not learn does not change by a bit."""
    assert small("tourbillon", tmp_path / "run") == 0
    one, two, error = (course(tmp_path / "run", metric) for metric in ("mse/1", "mse/2", "error"))
    assert len(error) == 2 + 2 + 1 + 2 + 1
    assert one[2] < one[1] < one[0] and (one[2:6] == one[2]).all() and one[6] != one[5]
    assert two[4] < two[2] and two[5] == two[4] != two[3]
    assert error[5] < error[4] and error[7] < error[5]
    spread = course(tmp_path / "run", "spread/1")
    assert ((spread > 0) & (spread < 1.5)).all()


@pytest.mark.nightly
def test_nothing_but_its_channel_tells_tunings_apart(tmp_path: Path) -> None:
    """The same start to the bit; without a channel blocks stay as they grew; decoders learn on where they are to."""
    assert (
        small("tourbillon", tmp_path / "run", *vary(channel="decoders,bp,random,none", decoders="fixed,learning")) == 0
    )
    frame = measured(tmp_path / "run")
    frame = frame[(frame["metric"] != "window") & (frame["split"] == "test")]
    grown = frame[frame["epoch"] <= 5].pivot_table(index=["metric", "epoch"], columns="replica", values="value")
    assert (grown.to_numpy() == grown.to_numpy()[:, :1]).all()
    last = {key: course(tmp_path / "run", "error", channel=key[0], decoders=key[1])[-1] for key in
            [(c, d) for c in ("decoders", "bp", "random", "none") for d in ("fixed", "learning")]}  # fmt: skip
    assert len({last[c, "fixed"] for c in ("decoders", "bp", "random", "none")}) > 2
    alone = {m: course(tmp_path / "run", m, channel="none", decoders="fixed") for m in ("mse/1", "mse/2")}
    assert all((values[5:] == values[5]).all() for values in alone.values())
    tensors, fixed, learning = final(tmp_path / "run"), 0, 1
    assert (tensors["D1.weight"][fixed] != tensors["D1.weight"][learning]).any()


@pytest.mark.parametrize(("schedule", "lag", "epochs"), [("sequential", 1, 5), ("lag", 1, 3), ("asynchronous", 1, 2)])
def test_schedules_are_as_long_as_they_say(schedule: str, lag: int, epochs: int) -> None:
    values = SMALL["tourbillon"] | {"schedule": schedule, "lag": lag}
    stages = design(build(TourbillonSettings, values)).stages
    names = [stage.name for stage in stages]
    assert len(names) == epochs + 2 and names[-2:] == ["fine-tuning"] * 2
    together = "block 1 and block 2 and top"
    expected = {
        "sequential": ["block 1"] * 2 + ["block 2"] * 2 + ["top"],
        "lag": ["block 1", "block 1 and block 2", "block 2 and top"],
        "asynchronous": [together, "block 1 and block 2"],
    }
    assert names[:-2] == expected[schedule]


def test_rates_fall_with_each_epoch_of_a_part() -> None:
    """By lr_decay an epoch of its own growth; anew in fine-tuning, where no bound holds."""
    own = {"lr_decay": 0.5, "lr": [0.04, 0.08, 0.2], "tuning_lr": [0.3, 0.2, 0.1]}
    stages = design(build(TourbillonSettings, SMALL["tourbillon"] | own)).stages
    given = [{key: stage.parameters[key] for key in _READ} for stage in stages]
    rates = [[values[name, "lr"] for name in ("E1", "E2", "W3")] for values in given]
    assert rates[:5] == [[0.04, 0.08, 0.2], [0.02, 0.08, 0.2], [0.02, 0.08, 0.2], [0.02, 0.04, 0.2], [0.02, 0.04, 0.2]]
    assert rates[5:] == [[0.3, 0.2, 0.1], [0.15, 0.1, 0.05]]
    assert [values["layer2", "max_norm"] for values in given] == [0.6] * 5 + [np.inf] * 2


_READ = [("E1", "lr"), ("E2", "lr"), ("W3", "lr"), ("layer2", "max_norm")]


@pytest.mark.nightly
def test_inner_loops_first(tmp_path: Path) -> None:
    """The outer loop's synapses rest in the first epoch; inner loops alone leave them as they were for good."""
    assert small("nest", tmp_path / "run", *vary(learns="both,tuned,inner,outer")) == 0
    first = {which: course(tmp_path / "run", "mse/1", learns=which) for which in ("both", "tuned", "inner", "outer")}
    assert len({values[1] for values in first.values()}) == 1
    assert first["inner"][-1] < first["inner"][1] < first["inner"][0]
    start, end = weights(tmp_path / "run")
    names = ("both", "tuned", "inner", "outer")
    assert [bool((start["A1.weight"][k] != end["A1.weight"][k]).any()) for k in range(4)] == [True, True, False, True]
    inner = end["P1.weight"]
    assert (inner[names.index("both")] != inner[names.index("tuned")]).any()


def weights(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Tensors at the start and at the end."""
    return read_tensors(folder / "initial.safetensors"), final(folder)


@pytest.mark.nightly
def test_examples_that_overlap_learn_as_those_that_do_not(tmp_path: Path) -> None:
    """Updates at once, an example every four ticks: to the bit what a presentation of its own does."""
    own: dict[str, Any] = {"schedule": "asynchronous", "updates": "at-once", "tuning_epochs": 0, "channel": "none"}
    assert small("tourbillon", tmp_path / "apart", **own) == 0
    assert small("tourbillon", tmp_path / "close", interval=4, memories=1, **own) == 0
    assert small("tourbillon", tmp_path / "closer", interval=3, **own) == 0
    apart, close, closer = (final(tmp_path / name) for name in ("apart", "close", "closer"))
    for name, values in apart.items():
        np.testing.assert_allclose(close[name], values, rtol=1e-9, atol=1e-12)
    assert any(not np.allclose(closer[name], values, rtol=1e-9) for name, values in apart.items())


# ----------------------------------------------------------------------------------------------------- init and resume


@pytest.mark.parametrize("which", [("tourbillon",), ("twin",), nightly(("twin", "unet")), ("nest",)], ids="-".join)
def test_runs_begin_with_given_tensors(
    which: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All that a run ends with can be given to another; unknown names and other shapes are refused."""
    keys: dict[str, Any] = UNET if len(which) > 1 else {}
    none = {"epochs": 0} | ({"inner_first": 0} if which[0] == "nest" else {"top_epochs": 0, "tuning_epochs": 0})
    short = {key: min(value, 1) for key, value in SMALL[which[0]].items() if key.endswith("epochs")}
    assert small(which[0], tmp_path / "first", **keys, **short) == 0
    ended, path = final(tmp_path / "first"), tmp_path / "first" / "final.safetensors"
    assert small(which[0], tmp_path / "second", "--init", path, **keys, **none) == 0
    begun = final(tmp_path / "second")
    assert set(begun) == set(ended) and all((begun[name] == ended[name]).all() for name in ended)
    for tensors, text in (
        ({"E9.weight": np.zeros((2, 2))}, "tensor E9.weight of .*: got an unknown name; expected one of "),
        ({next(iter(ended)): np.zeros((2, 2))}, r"got shape \(2, 2\); expected \(.*\), as sizes = "),
    ):
        save_file(tensors, tmp_path / "wrong.safetensors")
        assert small(which[0], tmp_path / "third", "--init", tmp_path / "wrong.safetensors", **keys, **none) == 2
        assert re.search(text, capfd.readouterr().err.replace("\n", " "))
        assert not (tmp_path / "third").exists()


class Killed(BaseException):
    """Nothing catches it."""


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """End the run when so many batches are done."""
    left, original = {"batches": 10**9}, Study.train_epoch

    def train(self: Study, interval: float = 0.0) -> Iterator[int]:
        for batch in original(self):
            yield batch
            left["batches"] -= 1
            if not left["batches"]:
                raise Killed

    monkeypatch.setattr(Study, "train_epoch", train)
    yield left


OVERLAP: dict[str, Any] = {"schedule": "asynchronous", "updates": "at-once", "tuning_epochs": 0, "interval": 3}


@pytest.mark.parametrize(
    ("scenario", "keys", "batches"),
    [
        ("tourbillon", {"momentum": 0.5, "lr_decay": 0.8, "decoders": "learning", "top_feedback": "learning"}, 57),
        nightly("tourbillon", OVERLAP, 13),
        nightly("twin", UNET, 83),
        ("nest", {"learns": "tuned"}, 15),
    ],
    ids=["tuning", "overlap", "unet", "nest"],
)
def test_resume_gives_the_same_bits(
    scenario: str, keys: dict[str, Any], batches: int, tmp_path: Path, kill_after: dict[str, int]
) -> None:
    assert small(scenario, tmp_path / "whole", **keys) == 0
    kill_after["batches"] = batches
    with pytest.raises(Killed):
        small(scenario, tmp_path / "run", checkpoint_every=4, **keys)
    kill_after["batches"] = 10**9
    assert circuitsim("resume", tmp_path / "run") == 0
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


# ------------------------------------------------------------------------------------------------------- five problems


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quick setting."""
    out = tmp_path_factory.mktemp("problems") / "run"
    assert circuitsim("run", "five-problems", "--quick", "--out", out) == 0
    return out


def test_five_problems_against_depth(problems: Path) -> None:
    """A Tourbillon's numbers do not grow with its depth; feedback needs 2 L + 1 ticks to get down, and all labels."""
    table = pd.read_csv(problems / "figures" / "five-problems.csv").set_index(["method", "hidden layers"])
    measured = ["window", "hops", "labels", "symmetry", "transported", "snapshots", "interval", "needs"]
    assert list(table.columns)[:8] == measured and {"error", "error_half", "rate"} <= set(table.columns)
    for depth in (2, 4, 6):
        growth = table.loc["tourbillon", depth]
        assert list(growth[["window", "hops", "transported", "snapshots", "interval"]]) == [3, 1, 0, 1, 4]
        assert 100 * _share_of_the_top(depth) < growth["labels"] < 8  # what reads a dark pixel learns nothing
        for method in ("fine-tuning", "fa", "bp"):
            row = table.loc[method, depth]
            assert list(row[["window", "hops", "labels", "interval"]]) == [2 * depth + 1, depth, 100, 2 * depth + 2]
        assert table.loc["bp", depth]["transported"] == depth and table.loc["fa", depth]["transported"] == 0
        assert table.loc["bp", depth]["symmetry"] < 1
        assert (table.loc[["tourbillon", "fine-tuning", "fa"]].xs(depth, level=1)["symmetry"] == 90).all()
        assert table.loc["fa", depth]["needs"] == 100 > table.loc["fine-tuning", depth]["needs"] > growth["needs"]


def _share_of_the_top(depth: int, width: int = 6) -> float:
    """Synapses and biases of the top among all that learn."""
    circuit, _ = described(build(ProblemSettings, {"width": width}), depth)
    size = {p.name: p.size for p in circuit.populations}
    count = {q.name: size[q.target] * (size[q.source] + 1) for q in circuit.projections if q.name[0] in "EDW"}
    return count[f"W{depth + 1}"] / sum(count.values())


def test_five_problems_page(problems: Path) -> None:
    page = (problems / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 1
    assert "Fine-tuning gives up what growth has: its window and the distance of its errors grow with depth" in page
    assert "With 6 hidden layers – tourbillon: a window of 3 ticks, errors that travel over 1 projection, " in page
    drawn = (problems / "figures" / "five-problems.svg").read_text()
    for title in ("Locality in time", "Distance", "Labels", "Modularity", "Symmetry", "Throughput", "Test error"):
        assert title in drawn


def test_one_method_alone(tmp_path: Path) -> None:
    options = [*vary(method="fa"), "--set", "blocks=[3]", "--set", "width=4", "--set", "epochs=0"]
    assert circuitsim("run", "five-problems", "--out", tmp_path / "run", *options) == 0
    assert pd.read_csv(tmp_path / "run" / "figures" / "five-problems.csv")["window"].tolist() == [7]


# ------------------------------------------------------------------------------------------------------------ refusals

_BLOCKS = r"a number >= 0, or a list with one for each block"
REFUSED: dict[tuple[str, str], str] = {
    (
        "tourbillon",
        "sizes=[64,10]",
    ): r"sizes: got \[64, 10\]; expected a list of at least three .*\. Add a block's hinge",
    ("tourbillon", "sizes=[60,8,10]"): r"sizes: got .*; expected 64 units in layer 0, one for each feature of digits",
    ("tourbillon", "sizes=[64,8,9]"): r"sizes: got .*; expected at least 10 units in layer 2, a class of digits each",
    ("tourbillon", "epochs=-1"): r"epochs: got -1; expected a whole number >= 0",
    ("tourbillon", "top_epochs=-1"): r"top_epochs: got -1; expected a whole number >= 0",
    ("tourbillon", "tuning_epochs=-1"): r"tuning_epochs: got -1; expected a whole number >= 0",
    ("tourbillon", "schedule=random"): r"schedule: got 'random'; expected sequential, lag or asynchronous",
    ("tourbillon", "lag=-1"): r"lag: got -1; expected a whole number of epochs >= 0",
    ("tourbillon", "decoder_lr=[0.1]"): rf"decoder_lr: got \[0\.1\]; expected {_BLOCKS} \(2 blocks\)\. Match",
    ("tourbillon", "decoder_lr=-1"): rf"decoder_lr: got -1(\.0)?; expected {_BLOCKS}",
    ("tourbillon", "tuning_lr=[0.1]"): r"tuning_lr: got \[0\.1\]; expected one number, or 3 for layers 1 to 3",
    (
        "tourbillon",
        "tuning_lr=-1",
    ): r"tuning_lr: got -1(\.0)?; expected a number >= 0, or a list with one for each layer",
    ("tourbillon", "bounds=[0.1]"): rf"bounds: got \[0\.1\]; expected {_BLOCKS}, 0 for none \(2 blocks\)",
    ("tourbillon", "bounds=-1"): rf"bounds: got -1(\.0)?; expected {_BLOCKS}, 0 for none",
    ("tourbillon", "decoders=free"): r"decoders: got 'free'; expected fixed or learning",
    ("tourbillon", "updates=never"): r"updates: got 'never'; expected last or at-once",
    ("tourbillon", "interval=0"): r"interval: got 0; expected none, or a whole number of ticks >= 1",
    (
        "tourbillon",
        "interval=1",
    ): r"presentation interval of 1 ticks: got layer0, which fires in .*\. Present every 3 ticks",
    ("tourbillon", "memories=0"): r"memories: got 0; expected none, or a whole number >= 1",
    ("tourbillon", "memories=1"): r"memories: got 1; expected none without an interval\. Set interval too",
    ("tourbillon", "max_norm=1"): r"max_norm: got 1(\.0)?; expected none\. Set bounds, one for each block's hinge",
    (
        "tourbillon",
        "top=step",
    ): r"top: got 'step'; expected identity, .*, saturated or saturated-half; or FILE\.py:FUNCTION, .*; or softmax",
    ("tourbillon", "loss=square"): r"loss: got 'square'; expected error or hinge",
    ("tourbillon", "block_rule=dfa"): r"block_rule: got 'dfa'; expected one of rec, rec-symmetric, bp, rbp",
    ("tourbillon", "channel=air"): r"channel: got 'air'; expected one of decoders, winners, bp, random, none",
    ("tourbillon", "top_feedback=some"): r"top_feedback: got 'some'; expected fixed, learning or transposed",
    (
        "tourbillon",
        "channel=bp top_feedback=learning",
    ): r"top_feedback: got 'learning'; expected fixed beside this channel",
    ("tourbillon", "bias=2"): r"bias: got 2; expected true or false",
    (
        "tourbillon",
        "window=1",
    ): r"rule delta of projection E1: got pre\.at\(0\), 5 ticks old .*\. Set the window to 5 or",
    ("tourbillon", "dataset=lowrank"): r"dataset: got 'lowrank'; expected a data set with classes",
    ("twin", "original=web"): r"original: got 'web'; expected classifier or autoencoder",
    ("twin", "sizes=[64,10]"): r"sizes: got \[64, 10\]; expected a list of at least three .*\. Add a hidden layer",
    (
        "twin",
        "original=autoencoder",
    ): r"sizes: got .*; expected the last size equal to the first\. An autoencoder reconstructs",
    (
        "twin",
        "original=autoencoder sizes=[60,8,60] lr=0.1",
    ): r"sizes: .* expected 64 units in layers 0 and \d",
    ("twin", "output_block=2"): r"output_block: got 2; expected true or false",
    ("twin", "output_block=true bounds=[1,1]"): rf"bounds: got .*; expected {_BLOCKS}, 0 for none \(3 blocks\)",
    (
        "twin",
        "updates=at-once",
    ): r"updates: got 'at-once'; expected last\. Choose the scenario tourbillon for updates at",
    ("twin", "top=step"): r"top: got 'step'; expected identity, tanh",
    ("twin", "bias=2"): r"bias: got 2; expected true or false",
    ("twin", "window=1"): r"got pre\.at\(0\), 5 ticks old when it is read; expected nothing older than the window of 1",
    ("twin", "dataset=lowrank"): r"dataset: got 'lowrank'; expected a data set with classes",
    (
        "nest",
        "sizes=[64,8,60]",
    ): r"sizes: got .*; expected at least three, the last equal to the first\. Layer L is layer 0",
    ("nest", "sizes=[60,8,60]"): r"sizes: got .*; expected 64 units in layers 0 and 2, one for each feature of digits",
    (
        "nest",
        "cores=[4,4]",
    ): r"cores: got \[4, 4\]; expected a list of whole numbers .*, one for each hidden layer \(1\)",
    ("nest", "cores=[0]"): r"cores: got \[0\]; expected a list of whole numbers from 1",
    ("nest", "learns=all"): r"learns: got 'all'; expected both, tuned, inner or outer",
    ("nest", "inner_first=-1"): r"inner_first: got -1; expected a whole number of epochs >= 0",
    ("nest", "inner_first=4 epochs=3"): r"inner_first: got 4; expected no more than epochs = 3\. Lower it",
    (
        "nest",
        "inner_lr=[1,2]",
    ): r"inner_lr: got .*; expected a number >= 0, or a list with one for each hidden layer \(1\)",
    ("nest", "decoder_lr=-1"): r"decoder_lr: got -1(\.0)?; expected a number >= 0, or a list",
    ("nest", "bounds=[-1]"): r"bounds: got \[-1(\.0)?\]; expected a ",
    ("nest", "max_norm=1"): r"max_norm: got 1(\.0)?; expected none\. Set bounds, one for each core",
    ("nest", "outer_delay=0"): r"outer_delay: got 0; expected a whole number of ticks from 1 to 1000",
    ("nest", "bias=2"): r"bias: got 2; expected true or false",
    (
        "nest",
        "window=2",
    ): r"rule recirculation of projection A1: got pre\.at\(0\), 11 ticks old .*\. Set the window to 11",
    (
        "five-problems",
        "method=dfa",
    ): r"method: got 'dfa'; expected tourbillon \(growth and the top layer\), fine-tuning",
    (
        "five-problems",
        "blocks=[]",
    ): r"blocks: got \[\]; expected a list of at least one whole number from 1 to 50\. Correct",
    ("five-problems", "blocks=[51]"): r"blocks: got \[51\]; expected a list of at least one whole number from 1 to 50",
    ("five-problems", "width=0"): r"width: got 0; expected a whole number from 1 to 1000",
    ("five-problems", "delay=0"): r"delay: got 0; expected a whole number of ticks from 1 to 1000",
    ("five-problems", "seed=-1"): r"seed: got -1; expected a whole number from 0 to 2\^63 - 1",
}


@pytest.mark.parametrize("case", REFUSED, ids=" ".join)
def test_refusals(case: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scenario, texts = case
    sets = [part for text in texts.split() for part in ("--set", text)]
    given = {text.partition("=")[0] for text in texts.split()}
    kept = {key: value for key, value in (COMMON if scenario in SMALL else {}).items() if key not in given}
    sets += [part for key, value in kept.items() for part in ("--set", f"{key}={spell(value)}")]
    assert circuitsim("run", scenario, "--out", tmp_path / "run", *sets) == 2
    assert re.search(REFUSED[case], capfd.readouterr().err.replace("\n", " "))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("scenario", "key"), [("tourbillon", "lag"), ("twin", "output_block"), ("nest", "cores")])
def test_keys_that_change_the_course_are_not_varied(
    scenario: str, key: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert circuitsim("run", scenario, "--out", tmp_path / "run", "--vary", f"{key}=1,2") == 2
    assert f"key {key}: got '--vary {key}'; expected a key that changes neither shapes" in capfd.readouterr().err
