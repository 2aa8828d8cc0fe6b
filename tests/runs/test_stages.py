"""Developments: runs whose presentations and rates change from one stage to the next, interrupted or not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import presentations, simulator, stack, train
from running import circuitsim, final, installed, metrics, nightly, outcome, settings, vary

from circuitsim.circuits.tourbillon import growing, tourbillon
from circuitsim.data import load
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.runs import checkpoint
from circuitsim.runs.design import Design, Stage
from circuitsim.runs.runfolder import read_tensors
from circuitsim.runs.scenario import Scenario
from circuitsim.runs.study import Study
from circuitsim.scenarios.layered import LayeredSettings
from circuitsim.timetable.protocol import Protocol, Updates

SIZES = [64, 6, 5, 10]
BATCHES = 5  # of an epoch
FULL = {"sizes": SIZES, "lr": 0.2, "lr_bias": 0.1, "lr_decay": 0.5}
Rates = dict[tuple[str, str], float]


class GrowthSettings(LayeredSettings):
    """The keys of a small development beside those that all scenarios share."""

    overlap: bool = False
    both: int = 2
    tuned: int = 1


def rates(given: GrowthSettings, first: float, others: float, bound: float) -> Rates:
    """Of block 1, as parts of the rates that are given; of the rest; and the bound of the lower hinge."""
    found = {}
    for name, part in {"E1": first, "D1": first, "E2": others, "D2": others, "W3": others}.items():
        found[name, "lr"] = part * given.rate("lr", 1)
        found[name, "lr_bias"] = part * given.rate("lr_bias", 1)
    return {**found, ("layer1", "max_norm"): bound, ("layer2", "max_norm"): np.inf}


def design(given: GrowthSettings) -> Design:
    """Block 1 for two epochs, both blocks and the top for as many, fine-tuning; overlapping if wanted."""
    circuit, protocol = tourbillon(SIZES, delay=2 if given.overlap else 1, bounded=True)
    if given.overlap:
        protocol = replace(protocol, interval=5, updates=Updates.AT_ONCE)
    stages = (
        Stage(2, replace(protocol, groups=growing(1)), rates(given, 1.0, 0.0, 0.9), "block 1"),
        Stage(given.both, replace(protocol, groups=(*growing(1, 2), "top")), rates(given, 0.5, 1.0, np.inf), "both"),
        Stage(given.tuned, replace(protocol, groups=("top", "tuning")), rates(given, 0.1, 0.3, 0.5), "tuning"),
    )
    parameters: dict[Any, Any] = {"momentum": given.momentum}
    return Design(circuit, protocol, parameters, decaying=("E1", "D1", "E2", "D2", "W3"), stages=stages)


def errors(made: Simulator, x: np.ndarray, y: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The part of examples that are put into the wrong class."""
    assert y is not None
    wrong = np.zeros(made.state.replicas)
    for part, fired, _ in made.outputs(x):
        wrong += (fired.argmax(axis=2) != y[part]).sum(axis=1)
    return {"error": wrong / len(x)}


def nothing(*_: object) -> Any:
    """Neither checks nor prepares nor writes anything."""
    return {}


GROWTH = Scenario("growth", "for tests", GrowthSettings, design, nothing, nothing, errors, nothing)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, GROWTH)


def run(out: Path, *options: object, **keys: Any) -> int:
    """A run of the small development; its exit status."""
    varied = {str(option).partition("=")[0] for option in options}
    set_keys = {key: value for key, value in (FULL | keys).items() if key not in varied}
    return circuitsim("run", "growth", "--out", out, *settings(**set_keys), *options)


class Killed(BaseException):
    """Nothing catches it: the process is gone as far as the run is concerned."""


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """End the run when so many batches are done."""
    left = {"batches": 10**9}
    original = Study.train_epoch

    def train_epoch(self: Study, interval: float = 0.0) -> Iterator[int]:
        for batch in original(self):
            yield batch
            left["batches"] -= 1
            if not left["batches"]:
                raise Killed

    monkeypatch.setattr(Study, "train_epoch", train_epoch)
    yield left


# ------------------------------------------------------------------------------------------------ what is done when


def test_each_epoch_has_the_rates_of_its_period(tmp_path: Path) -> None:
    """As a new simulator for each epoch, with the last one's weights; what `lr_decay` does begins anew."""
    assert run(tmp_path / "run", shuffle=False) == 0
    w = read_tensors(tmp_path / "run" / "initial.safetensors")
    data = load("digits", "float64", 40, 20)
    given = GrowthSettings(**FULL)
    made = design(given)
    parts = [(0, 1.0), (0, 0.5), (1, 1.0), (1, 0.5), (2, 1.0)]  # the stage, and what is left of its rates
    for index, left in parts:
        stage = made.stages[index]
        parameters = {k: v * (left if k[1] != "max_norm" else 1.0) for k, v in stage.parameters.items()}
        one = Simulator(made.circuit, stage.protocol, batch=8, dtype="float64", parameters=parameters)
        one.use(data.train, data.train_labels)
        for name, values in w.items():
            one.load(name, values)
        before = {name: values.copy() for name, values in one.tensors().items()}
        for batch in range(BATCHES):
            one.present(np.arange(8 * batch, 8 * batch + 8))
        w = {name: values[0] for name, values in one.tensors().items()}
        moved = {name[:2] for name, values in w.items() if not np.array_equal(values, before[name][0])}
        assert moved == [{"E1", "D1"}, {"E1", "D1", "E2", "D2", "W3"}, {"E1", "E2", "W3"}][index]
    for name, values in final(tmp_path / "run").items():
        np.testing.assert_array_equal(values, w[name])
    frame = metrics(tmp_path / "run")
    assert sorted(frame["epoch"].unique()) == list(range(len(parts) + 1))


def test_a_bound_holds_in_its_period_alone(tmp_path: Path, kill_after: dict[str, int]) -> None:
    """0.9 in the first stage, none in the second, 0.5 in the third: as checkpoints at their ends have it."""
    longest = []
    for batches in (10, 20, 25):
        kill_after["batches"] = batches
        with pytest.raises(Killed):
            run(tmp_path / str(batches), checkpoint_every=1, lr_decay=1.0, lr=1.0)
        ((_, content), *_) = checkpoint.newest(tmp_path / str(batches) / "checkpoint")
        assert isinstance(content, dict)
        weight, bias = (content[f"group0/state/E1.{kind}"][0] for kind in ("weight", "bias"))
        longest.append(float(np.sqrt((weight**2).sum(axis=1) + bias**2).max()))
    assert longest[0] == pytest.approx(0.9) and longest[1] > 1.0 and longest[2] == pytest.approx(0.5)


@pytest.mark.parametrize("overlap", [nightly(False), True])
def test_replicas_with_other_rates_are_single_runs(overlap: bool, tmp_path: Path) -> None:
    """What a stage gives is one value for each replica; replicas of one development share a simulator."""
    keys = {"momentum": 0.5, "overlap": overlap}
    assert run(tmp_path / "all", *vary(lr="0.1,0.3", seed="0,1"), **keys) == 0
    for replica, (lr, seed) in enumerate([(0.1, 0), (0.1, 1), (0.3, 0), (0.3, 1)]):
        assert run(tmp_path / str(replica), **keys | {"lr": lr, "seed": seed}) == 0
        for name, values in final(tmp_path / str(replica)).items():
            np.testing.assert_allclose(final(tmp_path / "all")[name][replica], values, rtol=0, atol=1e-12)


def test_a_period_without_epochs_is_left_out(tmp_path: Path) -> None:
    assert run(tmp_path / "run", tuned=0) == 0
    assert metrics(tmp_path / "run")["epoch"].max() == 4
    assert run(tmp_path / "growth", both=0, tuned=0) == 0
    assert metrics(tmp_path / "growth")["epoch"].max() == 2


# ------------------------------------------------------------------------------------------- interrupted, or not


REPLICAS = vary(seed="0,1", data_seed="3,4")


@pytest.fixture(scope="module", params=[False, True], ids=["one by one", "overlapping"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, tuple[bytes, bytes]]:
    """Return whether presentations overlap, and the outcome of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        installed(patch, GROWTH)
        assert run(out, *REPLICAS, momentum=0.5, overlap=request.param) == 0
    return request.param, outcome(out)


@pytest.mark.parametrize("every, batches", [(None, 3), (1, 5), (1, 12), (1, 20), (3, 14), (None, 23), (1, 24)])
@pytest.mark.nightly
def test_killed_in_a_later_period_it_ends_in_the_same_bits(
    whole: tuple[bool, tuple[bytes, bytes]],
    every: int | None,
    batches: int,
    tmp_path: Path,
    kill_after: dict[str, int],
) -> None:
    """Within an epoch examples are under way; killed after an epoch's last batch, they have not left yet."""
    overlap, expected = whole
    kill_after["batches"] = batches
    with pytest.raises(Killed):
        run(tmp_path / "run", *REPLICAS, checkpoint_every=every, momentum=0.5, overlap=overlap)
    kill_after["batches"] = 10**9
    assert circuitsim("resume", tmp_path / "run") == 0
    assert outcome(tmp_path / "run") == expected


def test_a_checkpoint_has_what_is_under_way(tmp_path: Path, kill_after: dict[str, int]) -> None:
    kill_after["batches"] = 12
    with pytest.raises(Killed):
        run(tmp_path / "run", checkpoint_every=1, overlap=True)
    ((_, content), *_) = checkpoint.newest(tmp_path / "run" / "checkpoint")
    assert isinstance(content, dict)
    counters = json.loads(content["counters"].tobytes())
    assert (counters["epoch"], counters["batch"]) == (2, 2)
    assert any(name.startswith("group0/memory/1.") and array.any() for name, array in content.items())
    assert content["group0/state/E1.increment"].any()


def test_divergence_while_examples_leave_names_the_replica(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One batch in an epoch: the increments of its encoder come when nothing enters any more."""
    assert run(tmp_path / "run", *vary(lr="0.1,1e308"), overlap=True, batch=40, lr_bias=0.1) == 3
    err = capfd.readouterr().err
    assert re.search(r"epoch 1: projection [ED]1, replica 1: plasticity at tick \d of presentation 0 gave", err), err


# ------------------------------------------------------------------------------------------------------- refusals


def test_replicas_have_as_many_epochs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What varies may change what is learned when, not how long it takes."""
    assert run(tmp_path / "run", *vary(both="2,4"), tuned=2) == 2
    assert capfd.readouterr().err == (
        "circuitsim: stages of the replicas' circuits: got 6 and 8 epochs in all; expected as many in every replica. "
        "Vary keys that leave the length of the development as it is, or make several runs.\n"
    )
    assert not (tmp_path / "run").exists()


def test_all_periods_give_the_same_parameters() -> None:
    circuit, protocol = tourbillon(SIZES)
    rate, bound = {("E1", "lr"): 0.1}, {("layer1", "max_norm"): 1.0}
    message = (
        "stages of circuit tourbillon with channel decoders: got parameters that only some of them give; expected "
        "values for the same parameters in each stage. Give in each stage all that changes in any."
    )
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        Design(circuit, protocol, {}, stages=(Stage(1, protocol, rate), Stage(1, protocol, rate | bound)))
    either = [Design(circuit, protocol, {}, stages=(Stage(1, protocol, p),)) for p in (rate | bound, bound | rate)]
    assert either[0].alike(either[1])  # in whatever order they are given
    Design(circuit, protocol, {}, stages=(Stage(1, protocol, rate | bound), Stage(1, protocol, bound | rate)))


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {("E1", "momentum"): 0.5},
            "parameter ('E1', 'momentum'): got the quantity 'momentum'; expected one that may change while a circuit "
            "learns. Name one of RULE.PARAMETER, lr, lr_bias, max_norm, weight_decay.",
        ),
        (
            {("E9", "lr"): 0.5},
            "parameter ('E9', 'lr'): got the owner 'E9'; expected a part of circuit stack of circular autoencoders. "
            "Name one of D1, E1, image0, layer0, layer1.",
        ),
        (
            {("E1", "lr"): float("nan")},
            "parameter lr of E1: got nan; expected one number, or one for each of 2 replicas. Match the "
            "number of seeds.",
        ),
        (
            {("E1", "lr"): [0.1, 0.2, 0.3]},
            "parameter lr of E1: got an array of shape (3,); expected one number, or one for each of 2 replicas. Match "
            "the number of seeds.",
        ),
    ],
)
def test_what_cannot_be_given_is_refused(given: Mapping[Any, Any], message: str) -> None:
    made = simulator([stack((64, 5))] * 2)
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        made.set_parameters(given)


def test_what_is_given_holds_from_now_on_and_rates_scale_it() -> None:
    rows = presentations(3)
    made, other = (simulator([stack((64, 5), {"lr": lr, "momentum": 0.5})] * 2) for lr in (0.7, 0.1))
    made.set_rates(0.3)
    made.set_parameters({(name, quantity): [0.1, 0.2] for name in ("E1", "D1") for quantity in ("lr", "lr_bias")})
    train(made, rows)
    train(other, rows)
    for name, values in made.tensors().items():
        assert np.array_equal(values[0], other.tensors()[name][0]) and not np.array_equal(values[1], values[0])
    made.set_rates(0.5)
    assert made.state.parameter("E1", "lr").tolist() == [0.05, 0.1]


def test_entering_keeps_weights_and_velocities() -> None:
    """Another kind of presentation and back: as if it had not been there, if it taught nothing."""
    rows = presentations(6)
    setting = stack((64, 5, 4), {"lr": 0.1, "momentum": 0.5})
    straight, aside = simulator([setting]), simulator([setting])
    train(straight, rows)
    train(aside, rows[:3])
    aside.change_protocol(Protocol(learn=False))
    train(aside, rows[:2])
    aside.change_protocol(straight.protocol)
    train(aside, rows[3:])
    for name, values in straight.tensors().items():
        assert np.array_equal(values, aside.tensors()[name])
    assert aside.presentations == len(rows) + 2
