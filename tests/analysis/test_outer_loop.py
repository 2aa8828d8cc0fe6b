"""Cheats around the simulator: acts that are written down, changes that are refused, and changes that are found.

A cheat is a scenario whose functions change the circuit behind the back of its events. It is refused with a message, or
found as `tampering` by the fingerprints of a run. Honest scenarios are neither.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from circuitsim import Circuit, Simulator
from circuitsim.asynchrony.simulator import AsynchronousSimulator
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.hooks import Hook
from circuitsim.errors import CircuitError
from circuitsim.runs.base import Figures
from circuitsim.runs.study import Study
from circuitsim.runs.training import make_study
from circuitsim.scenarios import autoencoder
from circuitsim.timetable.schedule import make_schedule

Change = Callable[[Simulator], object]
FUNCTIONS = ("evaluate", "examine", "inspect", "presented")
SMALL = {"sizes": [64, 4, 64], "train_limit": 24, "test_limit": 5, "batch": 8, "epochs": 2, "momentum": 0.5}

pytestmark = pytest.mark.usefixtures("whole_audits")


def study_of(**given: Any) -> Study:
    """A small autoencoder on digits, with functions of a scenario and keys of one's own."""
    functions = {name: given.pop(name) for name in FUNCTIONS if name in given}
    scenario = replace(autoencoder.SCENARIO, **functions)
    return make_study(scenario, [scenario.settings(**{**SMALL, **given})], "numpy")


def arrays(simulator: Simulator) -> dict[str, np.ndarray]:
    return simulator.state.writable()


# ------------------------------------------------------------------------------ changes that a simulator itself refuses


def load_a_transpose(simulator: Simulator) -> None:
    simulator.load("A2.weight", simulator.tensors()["A1.weight"].transpose(0, 2, 1).copy())


def set_a_rate(simulator: Simulator) -> None:
    simulator.set_rates(0.0, ["A1"])


def set_a_parameter(simulator: Simulator) -> None:
    simulator.set_parameters({("A1", "lr"): 0.0})


def go_back(simulator: Simulator) -> None:
    simulator.restore(simulator.snapshot())


def teach_once_more(simulator: Simulator) -> None:
    simulator.present([0, 1])


def teach_a_sequence(simulator: Simulator) -> None:
    simulator.present_each(np.array([[0, 1], [2, 3]]))


def change_the_examples(simulator: Simulator) -> None:
    simulator.use(np.zeros((5, 64)))


def another_protocol(simulator: Simulator) -> None:
    simulator.change_protocol(replace(simulator.protocol, cycles=simulator.protocol.cycles + 1))


def load_through_the_state(simulator: Simulator) -> None:
    simulator.state.load("A1.bias", np.zeros(4))


def rates_through_the_state(simulator: Simulator) -> None:
    simulator.state.scale_rates(0.0)


REFUSED: dict[Change, str] = {
    load_a_transpose: "load A2.weight",
    set_a_rate: "set_rates A1",
    set_a_parameter: "set_parameters A1.lr",
    go_back: "restore a snapshot",
    teach_once_more: "present",
    teach_a_sequence: "present",
    change_the_examples: "use",
    another_protocol: "change_protocol",
    load_through_the_state: "load A1.bias",
    rates_through_the_state: "set_rates all projections",
}


def looking(where: str, change: Change) -> dict[str, Any]:
    """A function of a scenario that changes the circuit while it may only look at it."""

    def examine(simulator: Simulator, *_: object) -> Figures:
        change(simulator)
        return {}

    return {where: (lambda settings: examine) if where == "presented" else examine}


@pytest.mark.parametrize("where", ["evaluate", "examine", "inspect", "presented"])
@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_a_function_that_may_only_look_is_refused(where: str, change: Change) -> None:
    with pytest.raises(CircuitError) as caught:
        learned(study_of(**looking(where, change)))
    name = caught.value.what.removesuffix(" of circuit circular autoencoder")
    assert name.startswith(REFUSED[change])
    assert caught.value.got == f"a change by {where}, a function of the scenario"
    assert caught.value.expected == "a function that looks at the simulator and leaves it as it is"


@pytest.mark.parametrize("change", ["tensors", "parameter"])
def test_what_a_simulator_hands_out_is_read_only(change: str) -> None:
    simulator = study_of().groups[0].simulator
    found = simulator.tensors()["A1.weight"] if change == "tensors" else simulator.state.parameter("A1", "lr")
    with pytest.raises(ValueError, match="read-only"):
        found[...] = 0


# ------------------------------------------------------------------------------------- changes that fingerprints find


def copy_backwards(simulator: Simulator) -> None:
    arrays(simulator)["A2.weight"][0] = arrays(simulator)["A1.weight"][0].T


def one_bit(simulator: Simulator) -> None:
    flat = arrays(simulator)["A1.weight"].reshape(-1)
    flat[3] = np.nextafter(flat[3], np.inf, dtype=flat.dtype)


def exchange_two(simulator: Simulator) -> None:
    flat = arrays(simulator)["A2.weight"].reshape(-1)
    flat[[0, 1]] = flat[[1, 0]]


def change_signs(simulator: Simulator) -> None:
    arrays(simulator)["A2.weight"][...] *= -1


def a_bias(simulator: Simulator) -> None:
    arrays(simulator)["A1.bias"][0, 0] += 1e-3


def a_velocity(simulator: Simulator) -> None:
    simulator.state.persistent()["A1.velocity"][...] = 0


def through_an_audit_view(simulator: Simulator) -> None:
    simulator.state.arrays()["A1", "weight", None][0, 0, 0] += 1


def through_the_plan(simulator: Simulator) -> None:
    simulator.bound_plan(simulator.batch).arrays["A2", "weight", None][0, 0, 0] += 1


def through_the_base(simulator: Simulator) -> None:
    view = simulator.tensors()["A1.weight"]
    assert view.base is not None
    view.base[0, 0, 0] += 1


def between_experiments(simulator: Simulator) -> None:
    with simulator.acts.experimenting():
        simulator.load("A1.bias", np.ones(4))


FOUND: dict[Change, str] = {
    copy_backwards: "A2.weight",
    one_bit: "A1.weight",
    exchange_two: "A2.weight",
    change_signs: "A2.weight",
    a_bias: "A1.bias",
    a_velocity: "A1.velocity",
    through_an_audit_view: "A1.weight",
    through_the_plan: "A2.weight",
    through_the_base: "A1.weight",
    between_experiments: "A1.bias",
}


def learned(study: Study) -> list[tuple[str, str]]:
    """Train a study to its end, and return what was found about its weights: kinds and texts."""
    study.begin()
    while study.epoch < study.epochs:
        for _ in study.train_epoch():
            pass
        study.end_epoch()
    study.watch.begin_epoch()
    return [(finding.kind, finding.read) for found in study.watch.tampering for finding in found]


@pytest.mark.parametrize("where", ["evaluate", "inspect", "presented"])
@pytest.mark.parametrize("change", FOUND, ids=lambda change: change.__name__)
def test_what_no_act_changes_is_found(where: str, change: Change) -> None:
    found = learned(study_of(**looking(where, change)))
    text = f"{FOUND[change]}: changed by no act and no event, after {where} (test_outer_loop:"
    assert found and all(kind == "tampering" and read.startswith(text) for kind, read in found)


def test_a_change_between_two_epochs_is_found() -> None:
    study = study_of()
    study.begin()
    list(study.train_epoch())
    study.end_epoch()
    one_bit(study.groups[0].simulator)
    list(study.train_epoch())
    (found,) = study.watch.tampering[0]
    assert found.read == "A1.weight: changed by no act and no event, after the epoch before, and before the next " \
        "presentation"  # fmt: skip


def test_an_array_in_the_place_of_another_is_refused_at_the_next_presentation() -> None:
    for key in (("A1", "weight", None), ("A1", "lr", None)):
        simulator = study_of().groups[0].simulator
        simulator.present([0])
        simulator.state._arrays[key] = simulator.state._arrays[key].copy()
        with pytest.raises(CircuitError, match=rf"^array A1\.{key[1]} of circuit circular autoencoder: got another"):
            simulator.present([0])


def test_two_projections_cannot_be_given_one_array() -> None:
    simulator = Simulator(*layered_classifier([6, 5, 5, 3], "kp"), batch=2)
    held = simulator.state._arrays
    held["B2", "weight", None] = held["W2", "weight", None].transpose(0, 2, 1)
    simulator.use(np.ones((2, 6)), np.array([0, 1]))
    with pytest.raises(CircuitError, match=r"^array B2\.weight of circuit classifier with kp: got another array"):
        simulator.present([0])


def test_a_presentation_that_does_not_repeat_is_found() -> None:
    """A thread, or a step with a memory, changes weights while events happen."""
    study = study_of()
    study.begin()
    epoch = study.train_epoch()
    next(epoch)
    study.watch.of[0]._repeated[2]["A1.weight"] = b"other bits"  # type: ignore[index]
    list(epoch)
    (found,) = study.watch.tampering[0]
    assert found.read == "A1.weight: a presentation repeated from the same state leaves other bits"


def test_a_thread_that_writes_while_events_happen_is_found() -> None:
    study, stop = study_of(epochs=4), threading.Event()
    held = arrays(study.groups[0].simulator)["A1.weight"]

    def write() -> None:
        while not stop.is_set():
            held[0, 0, 0] += 0.5
            time.sleep(0)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        found = learned(study)
    finally:
        stop.set()
        thread.join()
    assert {kind for kind, _ in found} == {"tampering"}


# ------------------------------------------------------------------------------------------------------ honest studies


def plain(simulator: Simulator, *_: object) -> Figures:
    return {}


def reads_tensors(simulator: Simulator, *_: object) -> Figures:
    return {"norm": np.array([float(np.linalg.norm(t)) for t in simulator.tensors()["A1.weight"]])}


def copies_and_changes_the_copy(simulator: Simulator, *_: object) -> Figures:
    copy = simulator.tensors()["A1.weight"].copy()
    copy[...] = 0
    return {}


def observes(simulator: Simulator, *_: object) -> Figures:
    list(simulator.outputs(np.ones((3, 64), np.float32)))
    return {}


def takes_a_snapshot(simulator: Simulator, *_: object) -> Figures:
    simulator.snapshot()
    return {}


def experiments(simulator: Simulator, *_: object) -> Figures:
    from circuitsim.analysis.audits.intervention import intervene

    assert not intervene(simulator, np.arange(2), runs=1, seconds=0).findings
    return {}


def measures_costs(simulator: Simulator, *_: object) -> Figures:
    from circuitsim.analysis.scores.scorecard import scorecard

    scorecard(simulator, np.arange(2))
    return {}


@pytest.mark.parametrize("where", ["evaluate", "inspect", "presented"])
@pytest.mark.parametrize(
    "function", [plain, reads_tensors, copies_and_changes_the_copy, observes, takes_a_snapshot, experiments,
                 measures_costs],
)  # fmt: skip
def test_honest_functions_are_not_accused(where: str, function: Any) -> None:
    assert learned(study_of(**looking(where, function))) == []


@pytest.mark.parametrize("keys", [{}, {"momentum": 0.5}, {"dtype": "float64"}, {"max_norm": 0.5}, {"batch": 1}])
def test_honest_studies_are_not_accused(keys: dict[str, Any]) -> None:
    assert learned(study_of(**keys)) == []


def test_a_load_between_epochs_is_an_act_and_no_finding() -> None:
    study = study_of()
    study.begin()
    list(study.train_epoch())
    study.end_epoch()
    simulator = study.groups[0].simulator
    simulator.load("A1.bias", np.zeros(4, np.float32))
    list(study.train_epoch())
    assert study.watch.tampering == [[]]
    (row,) = [row for row in simulator.acts.rows() if row["of"] == "A1.bias"]
    assert row["act"] == "load" and row["site"].startswith("test_outer_loop:") and row["count"] == 1


def test_acts_have_their_call_sites_and_counts() -> None:
    study = study_of()
    learned(study)
    rows = {(row["act"], row["of"]): row for row in study.groups[0].simulator.acts.rows()}
    assert rows["scenario function", "evaluate"]["count"] == 2 * (study.epochs + 1)
    assert rows["set_rates", "all projections"]["site"].startswith("circuitsim.runs.study:")


def test_a_hook_is_an_act_with_the_number_of_its_calls() -> None:
    def clip(tensors: Any) -> None:
        np.clip(tensors["A1.weight"], -1, 1, out=tensors["A1.weight"])

    simulator = Simulator(*circular_autoencoder([6, 3, 6]), batch=2, hooks=[Hook(clip)])
    simulator.use(np.ones((4, 6)))
    simulator.present_each(np.array([[0, 1], [2, 3], [1, 2]]))
    (row,) = simulator.acts.rows()
    line = clip.__code__.co_firstlineno
    assert row == {"act": "hook after update", "of": "clip", "site": f"{__name__}:{line}", "count": 3}


# ------------------------------------------------------------------------------- circuits that are not what was checked


def emptied(circuit: Circuit) -> Circuit:
    circuit.__dict__["wires"] = ()
    return circuit


def without_rules(circuit: Circuit) -> Circuit:
    circuit.__dict__["rules"] = {}
    return circuit


def renamed_index(circuit: Circuit) -> Circuit:
    circuit.__dict__["index"] = {**circuit.index, "B2": circuit.index["W2"]}
    return circuit


def without_an_incoming(circuit: Circuit) -> Circuit:
    circuit.__dict__["incoming"] = dict.fromkeys(circuit.incoming, ())
    return circuit


def another_text(circuit: Circuit) -> Circuit:
    circuit.__dict__["text"] = "an innocent circuit"
    return circuit


def subclass(circuit: Circuit) -> Circuit:
    class Innocent(Circuit):
        def __post_init__(self) -> None:
            """Check nothing."""

    return Innocent(**{field.name: getattr(circuit, field.name) for field in fields(circuit)})


def part_exchanged(circuit: Circuit) -> Circuit:
    object.__setattr__(circuit, "local", True)
    return circuit


CHANGED: dict[Callable[[Circuit], Circuit], str] = {
    emptied: "got other wires than its parts give",
    without_rules: "got other rules than its parts give",
    renamed_index: "got other index than its parts give",
    without_an_incoming: "got other incoming than its parts give",
    another_text: "got other text than its parts give",
    subclass: "got a Innocent, a class of its own",
    part_exchanged: "got 2 finding(s), first weight-transport in B2",
}


@pytest.mark.parametrize("change", CHANGED, ids=lambda change: change.__name__)
def test_a_circuit_that_was_changed_is_refused(change: Callable[[Circuit], Circuit]) -> None:
    circuit, protocol = layered_classifier([6, 5, 4, 3], "bp", output="logistic")
    for name in ("wires", "rules", "index", "incoming", "outgoing", "text"):
        getattr(circuit, name)
    with pytest.raises(CircuitError) as caught:
        make_schedule(change(circuit), protocol)
    assert CHANGED[change] in str(caught.value)


def test_the_asynchronous_simulator_says_that_it_is_not_audited() -> None:
    found = AsynchronousSimulator(*circular_autoencoder([6, 3, 6])).audit
    assert found["audited"] is False and found["statement"].startswith("Not audited by experiment")


def _names() -> Iterator[str]:
    yield from (change.__name__ for change in (*REFUSED, *FOUND, *CHANGED))


def test_every_kind_of_cheat_is_here_once() -> None:
    """The counts that docs/locality.md gives."""
    names = [*_names()]
    assert len(names) == len({*names}) == 27
