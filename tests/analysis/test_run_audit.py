"""The audit of what ran: on the run's own simulators, in a given time, with a hash of all that decides the result."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from circuitsim import Circuit, Clock, LocallyConnected, Protocol, Simulator, Table, kernels
from circuitsim.analysis.audits import intervention, ran, search
from circuitsim.analysis.audits.audit import audit
from circuitsim.analysis.audits.cuts import count_of, cuts, pair_cuts
from circuitsim.analysis.audits.deciding import deciding, of_simulator
from circuitsim.analysis.audits.examine import examine
from circuitsim.analysis.audits.fused import fused_findings
from circuitsim.analysis.audits.groups import joint_groups
from circuitsim.analysis.audits.intervention import intervene
from circuitsim.analysis.audits.mirroring import mirrored, transposes
from circuitsim.analysis.audits.ran import END, RunAudit
from circuitsim.analysis.audits.recording import recordings
from circuitsim.analysis.audits.verdict import Audit
from circuitsim.circuit.connectivity import DENSE
from circuitsim.circuit.parts import Masks, Plasticity, Population, Projection
from circuitsim.circuit.weights import Tied
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.hooks import Hook
from circuitsim.rules import delta, recirculation
from circuitsim.runs.design import Design, Stage
from circuitsim.runs.study import Study
from circuitsim.runs.training import TrainingRun, make_study
from circuitsim.scenarios import autoencoder
from circuitsim.timetable.schedule import make_schedule

SMALL = {"sizes": [64, 4, 64], "train_limit": 24, "test_limit": 5, "batch": 8, "epochs": 2}

pytestmark = pytest.mark.usefixtures("whole_audits")


def study_of(backend: str = "numpy", scenario: Any = autoencoder.SCENARIO, **keys: Any) -> Study:
    return make_study(scenario, [scenario.settings(**{**SMALL, **keys})], backend)


def run_of(folder: Path, scenario: Any = autoencoder.SCENARIO, **keys: Any) -> dict[str, Any]:
    """Carry a small run out, and return its audit.json."""
    scenario = replace(scenario, finish=keys.pop("finish", lambda *_: None))
    TrainingRun.start(scenario, {**SMALL, **keys}, {}, "numpy", folder, Console(quiet=True))
    return dict(json.loads((folder / "audit.json").read_bytes()))


# ------------------------------------------------------------------------------------------------------- what a run is


def test_a_run_is_audited_at_its_start_after_its_first_epoch_and_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circuitsim.analysis.audits.ran.FIRST", 60.0)
    found = run_of(tmp_path / "run", epochs=3)
    (one,) = found["circuits"]
    assert [moment["when"] for moment in one["moments"]] == ["before training", "after epoch 1", END]
    assert found["local"] and found["findings"] == [] and found["hash"] == one["hash"] == one["decides"]["all"]
    whole = one["moments"][0]["interventions"]
    assert [test["batch"] for test in whole] == [8, 6] and whole[1]["complete"] and whole[1]["runs"] == 5
    assert all(test["synapses"] == test["existing"] == {"A1": 260, "A2": 320} for test in whole)
    assert one["ran"] | {"held": "", "changed": "", "sizes": []} == {
        "replicas": [0], "batch": 8, "presentations": 9, "backend": "numpy", "dtype": "float32",
        "protocols": ["all epochs"], "hooks": [], "held": "", "changed": "", "sizes": [],
    }  # fmt: skip
    assert (
        one["moments"][1]["fused"] == "the fused program leaves the bits of its steps (batch 8, the run's own weights)"
    )
    assert one["scorecard"]["locality"] == {"local": True, "findings": {}}
    assert (
        found["statement"] == "Local within a window of 3 ticks; memory of a neuron 1 value; updates wait up to 1 tick."
    )


def test_the_run_writes_its_audit_whatever_a_scenario_writes(tmp_path: Path) -> None:
    def finish(folder: Path, study: Study, config: Any) -> None:
        (folder / "audit.json").write_text('{"local": true, "findings": []}')

    assert "hash" in run_of(tmp_path / "run", finish=finish, epochs=1)
    assert "hash" in run_of(tmp_path / "gone", finish=lambda folder, *_: (folder / "audit.json").unlink(), epochs=0)


def test_a_run_without_an_audit_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: RunAudit, varied: Any) -> Audit:
        raise RuntimeError("no audit")

    monkeypatch.setattr(RunAudit, "end", broken)
    with pytest.raises(RuntimeError, match="no audit"):
        run_of(tmp_path / "run", epochs=1)
    assert not (tmp_path / "run" / "audit.json").exists()


def test_tampering_in_a_run_is_a_finding_of_its_audit(tmp_path: Path) -> None:
    def inspect(simulator: Simulator, *_: object) -> dict[str, np.ndarray]:
        simulator.state.writable()["A2.weight"][0] = simulator.state.writable()["A1.weight"][0].T
        return {}

    found = run_of(tmp_path / "run", replace(autoencoder.SCENARIO, inspect=inspect), epochs=1)
    assert not found["local"]
    assert {(f["kind"], f["projection"]) for f in found["findings"]} == {("tampering", "A2")}


@pytest.mark.nightly
def test_a_hook_of_a_design_runs_and_is_rehearsed(tmp_path: Path) -> None:
    def copy(tensors: Any) -> None:
        tensors["A2.weight"][0] = tensors["A1.weight"][0].T

    def design(settings: Any) -> Design:
        return replace(autoencoder.design(settings), hooks=(Hook(copy),))

    found = run_of(tmp_path / "run", replace(autoencoder.SCENARIO, design=design), epochs=1)
    (one,) = found["circuits"]
    assert {(f["kind"], f["projection"]) for f in found["findings"]} == {("weight-transport", "A2")}
    assert [(row["act"], row["of"], row["count"]) for row in one["acts"] if row["act"].startswith("hook")] == [
        ("hook after update", "copy", 3)
    ]
    assert one["transposes"] == []  # at the start; at the end it is a transpose by the hook


def test_every_protocol_of_a_run_is_audited() -> None:
    study = study_of(rule="rec")
    record = RunAudit(study)
    record.begin()
    study.epoch = 1
    group = study.groups[0]
    group.simulator.change_protocol(replace(group.simulator.protocol, learn=False))
    record.after_epoch(0.01)
    moments = study.watch.audited["groups"][0]["moments"]
    assert len({moment["protocol"] for moment in moments}) == 2


# ------------------------------------------------------------------------------------------------------ the experiments


def test_a_fused_program_that_differs_from_its_steps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    module = kernels.backend("numpy")
    original = module.fuse

    def fuse(steps: Any, kept: Any = ()) -> Any:
        run = original(steps, kept)

        def cheating() -> None:
            run()
            made[0].state.writable()["A2.weight"][0] = made[0].state.writable()["A1.weight"][0].T

        return cheating

    monkeypatch.setattr(module, "fuse", fuse)
    made: list[Simulator] = []
    simulator = Simulator(*circular_autoencoder([6, 3, 6]), batch=4, backend="numpy")
    made.append(simulator)
    simulator.use(np.random.default_rng(0).random((8, 6)))
    said, found = fused_findings(simulator, np.arange(4))
    assert [(f.kind, f.projection) for f in found] == [("tampering", "A2")]
    assert said == "the fused program leaves other bits than its steps in 1 array(s)"
    assert found[0].read == "weight: the fused program, which leaves other bits than the steps of the timetable"


@pytest.mark.parametrize("feedback", ["fa", "kp", "wm", "ia"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_fused_programs_leave_the_bits_of_their_steps(feedback: str, backend: str) -> None:
    simulator = Simulator(*layered_classifier([6, 5, 4, 3], feedback), batch=4, seeds=[0, 1], backend=backend)
    simulator.use(np.random.default_rng(0).random((8, 6)), np.arange(8) % 3)
    simulator.present([1, 2, 3])
    before = simulator.snapshot()
    assert fused_findings(simulator, np.arange(4))[1] == []
    after = simulator.snapshot()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_the_audit_of_a_run_keeps_to_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by a hundredth of a second whenever it is read, so that no other load counts."""
    readings = itertools.count()
    for module in (ran, search, intervention):
        monkeypatch.setattr(module, "thread_time", lambda: next(readings) / 100)

    def spent() -> float:
        study = study_of("numba", sizes=[64, 200, 64], batch=24)
        record = RunAudit(study)
        record.begin()
        study.epoch = 1
        record.after_epoch(2.0)
        study.epoch = study.epochs
        record.after_epoch(2.0)
        assert study.watch.audited["expected"] == 4.0
        return float(study.watch.audited["seconds"])

    hurried = spent()  # of 0.6: each of three begins with what it does at least
    monkeypatch.setattr(ran, "LEAST", 30.0)
    assert 0 < hurried < 1 < 3 < spent()


def test_an_intervention_ends_in_its_time_and_says_what_is_left() -> None:
    simulator = Simulator(*circular_autoencoder([12, 5, 12]), batch=4)
    simulator.use(np.random.default_rng(0).random((8, 12)))
    found = intervene(simulator, np.arange(4), runs=2, seed=3, seconds=0)
    assert not found.complete and found.halved == 0 and found.synapses == found.existing
    assert "each projection against everything else; in the time given, 0 of 24 events in all halves" in found.text
    assert intervene(simulator, np.arange(4), runs=2, seed=3).complete


@pytest.mark.parametrize("parting", [cuts, pair_cuts])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 40])
def test_the_number_of_cuts_is_known_beforehand(parting: Any, count: int) -> None:
    assert count_of(parting, count) == len([*parting(count, np.random.default_rng(0))])


@pytest.mark.parametrize("layers", [3, 40])
def test_a_presentation_parts_each_synapse_from_each_neuron(layers: int) -> None:
    """Of any synapse and any other neuron, one test holds the synapse's neurons and changes the other one."""
    simulator = Simulator(*circular_autoencoder([3] * layers + [3]), batch=2, backend="numpy")
    simulator.use(np.random.default_rng(0).random((4, 3)))
    random = np.random.default_rng(1)
    circuit = simulator.circuit
    with recordings(simulator, np.arange(2), random) as (recording,):
        tests = []
        for groups in joint_groups(recording, random):
            held: dict[str, np.ndarray] = {}
            for group in groups:
                q = circuit.projection(group.projection)
                for end, mask in ((q.target, group.posts), (q.source, group.pres)):
                    site = circuit.population(end).site
                    held[site] = held.get(site, np.zeros(3, bool)) | mask
            tests.append((groups, held))
    sites = list(dict.fromkeys(p.site for p in circuit.populations))
    assert len(tests) < 12 * layers
    for name in ("A1", "A2", f"A{layers}"):
        q = circuit.projection(name)
        ends = circuit.population(q.target).site, circuit.population(q.source).site
        for site in sites[:4] + sites[-2:]:
            for other in range(3):
                if (site, other) in ((ends[0], 1), (ends[1], 2)):
                    continue
                assert any(
                    any(g.projection == name and g.posts[1] and g.pres[2] for g in groups)
                    and not held.get(site, np.zeros(3, bool))[other]
                    for groups, held in tests
                ), (name, site, other)


def test_time_does_not_grow_with_the_cube_of_depth() -> None:
    """Tests of a whole presentation grow by less than the depth does: each costs at most its square."""
    counts = {}
    for layers in (8, 64):
        simulator = Simulator(*circular_autoencoder([3] * layers + [3]), batch=2, backend="numpy")
        simulator.use(np.random.default_rng(0).random((4, 3)))
        random = np.random.default_rng(1)
        with recordings(simulator, np.arange(2), random) as (recording,):
            counts[layers] = sum(1 for _ in joint_groups(recording, random))
    assert counts[64] < 4 * counts[8]


# ------------------------------------------------------------------------------------------------------------- the hash


def hooked(source: str) -> Callable[..., Any]:
    """A scenario whose design has a hook, made of a line of code."""
    space: dict[str, Any] = {"np": np}
    exec(f"def hook(tensors):\n    {source}\n", space)
    return lambda settings: replace(autoencoder.design(settings), hooks=(Hook(space["hook"]),))


def digests(**keys: Any) -> dict[str, str]:
    design = keys.pop("design", None)
    scenario = autoencoder.SCENARIO if design is None else replace(autoencoder.SCENARIO, design=design)
    study = study_of(scenario=scenario, **keys)
    return deciding(study, study.groups[0])


DECIDING: dict[str, tuple[str, dict[str, Any]]] = {
    "rule": ("circuit", {"rule": "rbp"}),
    "activation": ("circuit", {"hidden": "relu"}),
    "sizes": ("circuit", {"sizes": [64, 5, 64]}),
    "delay": ("updates", {"delay": 2}),
    "window": ("window", {"window": 9}),
    "cycles": ("protocols", {"cycles": 2}),
    "lr": ("parameters", {"lr": 0.02}),
    "momentum": ("parameters", {"momentum": 0.5}),
    "max_norm": ("parameters", {"max_norm": 2.0}),
    "variant": ("parameters", {"variant": "ccr"}),
    "lr_decay": ("settings", {"lr_decay": 0.9}),
    "lr_warmup": ("settings", {"lr_warmup": 1}),
    "lr_steps": ("settings", {"lr_steps": [1]}),
    "lr_factor": ("settings", {"lr_factor": 0.5}),
    "epochs": ("order", {"epochs": 3}),
    "batch": ("order", {"batch": 6}),
    "shuffle": ("settings", {"shuffle": False}),
    "seed": ("seeds", {"seed": 7}),
    "seed's weights": ("weights", {"seed": 7}),
    "data_seed": ("settings", {"data_seed": 7}),
    "data": ("data", {"train_limit": 23}),
    "test data": ("data", {"test_limit": 4}),
    "dtype": ("backend", {"dtype": "float64"}),
    "backend": ("backend", {"backend": "numba"}),
    "hook": ("hooks", {"design": hooked("tensors['A1.weight'] *= 0.5")}),
}


@pytest.mark.parametrize("what", DECIDING)
def test_what_decides_the_result_decides_the_hash(what: str) -> None:
    part, keys = DECIDING[what]
    first, second = digests(), digests(**keys)
    assert first["all"] != second["all"] and first[part] != second[part]


def test_equal_runs_have_equal_hashes() -> None:
    assert digests() == digests()
    assert digests(design=hooked("pass")) == digests(design=hooked("pass"))


def test_the_source_and_the_constants_of_a_hook_decide_the_hash() -> None:
    texts = ["tensors['A1.weight'] *= 0.5", "tensors['A1.weight'] *= 0.25", "tensors['A2.weight'] *= 0.5"]
    assert len({digests(design=hooked(text))["hooks"] for text in texts}) == 3


def test_what_a_hook_closes_over_decides_the_hash() -> None:
    def design(settings: Any, factor: float) -> Design:
        def hook(tensors: Any) -> None:
            tensors["A1.weight"][...] *= factor

        return replace(autoencoder.design(settings), hooks=(Hook(hook),))

    each = {digests(design=lambda settings, f=f: design(settings, f))["hooks"] for f in (0.5, 0.25)}
    assert len(each) == 2


def test_weights_that_are_loaded_decide_the_hash() -> None:
    study = study_of()
    before = deciding(study, study.groups[0])
    study.load("A1.bias", np.ones(4, np.float32))
    assert deciding(study, study.groups[0])["weights"] != before["weights"]


def test_the_number_of_threads_decides_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests()
    monkeypatch.setattr("circuitsim.analysis.audits.deciding.thread_count", lambda: 99)
    assert digests()["backend"] != before["backend"]


def test_the_library_of_products_decides_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests(backend="numba")
    monkeypatch.setattr("circuitsim.analysis.audits.deciding.provider", lambda: "another 1.0")
    after = digests(backend="numba")
    assert after["products"] != before["products"] and after["all"] != before["all"]


class Shrinks:
    """A hook with an attribute."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, tensors: Any) -> None:
        tensors["A1.weight"][...] *= self.factor

    def act(self, tensors: Any) -> None:
        self(tensors)


def shrink(factor: float, tensors: Any) -> None:
    tensors["A1.weight"][...] *= factor


def calling(source: str) -> Any:
    """A hook that calls a function of its module."""
    space: dict[str, Any] = {}
    exec(
        f"def helper(w):\n    return {source}\n\ndef hook(t):\n    t['A1.weight'][...] = helper(t['A1.weight'])\n",
        space,
    )
    return space["hook"]


HOOKS: dict[str, Callable[[float], Any]] = {
    "attribute of an object": Shrinks,
    "object of a method": lambda factor: Shrinks(factor).act,
    "argument of a partial function": lambda factor: partial(shrink, factor),
    "function that it calls": lambda factor: calling(f"{factor} * w"),
}


@pytest.mark.parametrize("kind", HOOKS)
def test_what_a_hook_reaches_decides_the_hash(kind: str) -> None:
    def hashed(factor: float) -> str:
        hook = Hook(HOOKS[kind](factor))
        return digests(design=lambda settings: replace(autoencoder.design(settings), hooks=(hook,)))["hooks"]

    assert hashed(0.5) == hashed(0.5) != hashed(0.25)


def parts_of(protocol: Protocol, connectivity: Any = DENSE, masks: Masks = Masks.SYNAPSE) -> dict[str, str]:
    """Digests of a simulator of two populations."""
    circuit = Circuit(
        "pair",
        (Population("a", shape=(1, 3, 3)), Population("b", shape=(1, 3, 3))),
        (Projection("W", "a", "b", connectivity=connectivity, masked=True, masks=masks),),
        plasticity=(Plasticity("W", delta),),
        inputs="a",
        outputs="b",
    )
    return of_simulator(Simulator(circuit, protocol, batch=2, backend="numpy"))


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("circuit", {"connectivity": LocallyConnected(3)}),
        ("circuit", {"connectivity": LocallyConnected(3), "masks": Masks.LOCATION}),
        ("circuit", {"connectivity": Table([0, 1], [1, 0])}),
        ("protocols", {"protocol": Protocol(clock=Clock(3))}),
        ("protocols", {"protocol": Protocol(clock=Clock(2, period=5))}),
        ("updates", {"protocol": Protocol(learn=False)}),
    ],
)
def test_connectivity_and_clock_decide_the_hash(part: str, changed: dict[str, Any]) -> None:
    assert parts_of(**{"protocol": Protocol(), **changed})[part] != parts_of(Protocol())[part]


def test_tables_of_other_synapses_have_other_hashes() -> None:
    tables = [Table([0, 1], [1, 0]), Table([0, 1], [1, 2]), Table([0, 1], [1, 0], [0, 0])]
    assert len({parts_of(Protocol(), table)["circuit"] for table in tables}) == 3


def test_stages_decide_the_hash() -> None:
    def staged(*epochs: int) -> str:
        def design(settings: Any) -> Design:
            made = autoencoder.design(settings)
            return replace(made, stages=tuple(Stage(count, made.protocol) for count in epochs))

        return digests(design=design)["stages"]

    assert len({staged(1, 1), staged(2), staged(1, 2)}) == 3


# -------------------------------------------------------------------------------------------- what the verdict says


def test_feedback_that_begins_as_the_transpose_is_said() -> None:
    simulator = Simulator(*layered_classifier([6, 5, 4, 3], "kp", output="logistic"), batch=2, seeds=[0, 1])
    rows = mirrored(simulator)
    assert [(row["projection"], row["mirrors"]) for row in rows] == [("B2", "W2"), ("B3", "W3")]
    assert all(angle > 10 for row in rows for angle in row["degrees"]) and transposes(rows) == []
    simulator.load("B2.weight", simulator.tensors()["W2.weight"].transpose(0, 2, 1).copy())
    assert transposes(mirrored(simulator)) == [
        "B2 equals the transpose of W2 (0.000 degrees): with these weights it carries what backpropagation would"
    ]


def test_a_local_verdict_does_not_stand_without_that_line(tmp_path: Path) -> None:
    def prepare(settings: Any, data: Any) -> dict[str, np.ndarray]:
        weight = np.random.default_rng(0).random((4, 64), np.float32) - 0.5
        return {"A1.weight": weight, "A2.weight": weight.T.copy()}

    found = Audit(run_of(tmp_path / "run", replace(autoencoder.SCENARIO, prepare=prepare), epochs=0))
    assert found.local and "A2 equals the transpose of A1 (0.000 degrees)" in str(found)


STATED = {
    "rec": (circular_autoencoder([6, 3, 6]), {},
            "Local within a window of 3 ticks; memory of a neuron 1 value; updates wait up to 1 tick."),
    "momentum": (circular_autoencoder([6, 3, 6]), {"momentum": 0.9},
                 "velocities are unbounded in age, and decay with 0.9 (A1, A2)"),
    "bp": (circular_autoencoder([6, 3, 3, 6], "bp"), {}, "Not local (weight-transport), within a window of"),
}  # fmt: skip


@pytest.mark.parametrize("name", STATED)
def test_the_statement_of_an_audit(name: str) -> None:
    (circuit, protocol), parameters, text = STATED[name]
    found = examine(circuit, protocol, parameters, runs=1, measure=False)
    assert text in found["statement"]["text"]
    assert found["cones"]["violations"] == [] and found["cones"]["followed"]


def test_increments_that_wait_and_copies_are_in_the_statement() -> None:
    made = layered_classifier([6, 5, 4, 3], "fa", output="logistic")
    circuit = replace(made[0], projections=tuple(
        replace(q, deferred=q.name == "W1") for q in made[0].projections
    ))  # fmt: skip
    found = examine(circuit, made[1], {("W1", "update_probability"): 0.1}, runs=1, measure=False)
    text = "increments wait unbounded, applied with probability 0.1 in a presentation (W1)"
    assert text in found["statement"]["text"]


def test_a_window_longer_than_a_presentation_is_said() -> None:
    circuit, protocol = layered_classifier([6, 5, 4, 4, 3], "fa", output="logistic")
    found = examine(circuit, replace(protocol, interval=4), runs=1, measure=False)
    assert "Local within a window of 7 ticks (longer than a presentation of 4)" in found["statement"]["text"]


def test_labels_that_project_are_labels() -> None:
    made, protocol = layered_classifier([6, 5, 4, 3], "fa", output="logistic")
    circuit = replace(made, projections=(*made.projections, Projection("L", "labels", "layer1")))
    found = audit([make_schedule(circuit, protocol)])
    assert ("label", "L") in {(f["kind"], f["projection"]) for f in found["findings"]} and found["local"]


def test_single_neurons_with_parameters_of_their_own_are_counted() -> None:
    """A circuit of single neurons can spell out a matrix by its rates."""
    layer = [Population(name, 1, mixes=True) for name in ("a", "b", "c")]
    circuit = Circuit(
        "singles", tuple(layer), (Projection("p", "a", "b"), Projection("q", "b", "c")), "a", "c",
        plasticity=(Plasticity("p", recirculation), Plasticity("q", recirculation)),
    )  # fmt: skip
    protocol = Protocol(learn=False)
    found = examine(circuit, protocol, {("p", "lr"): 0.1, ("q", "lr"): 0.2}, runs=1, measure=False)
    single = found["statement"]["single"]
    assert single["populations"] == 3 and single["projections"] == 2 and single["differing"]["lr"] == 2
    assert "3 populations of one neuron, whose parameters differ: 2 values of lr" in found["statement"]["text"]


def test_synapses_with_two_signals_in_one_tick_are_named() -> None:
    """B3 carries the error while N3, on the same synapses, carries activity."""
    circuit, protocol = layered_classifier([6, 5, 4, 3], "ia", output="logistic", primitives=["null"])
    assert isinstance(circuit.projection("N3").weights, Tied)
    line = "N3 and B3 send two signals through the same synapses at tick 4"
    assert make_schedule(circuit, protocol).crossings == (line,)
    later = tuple(replace(q, delay=2) if q.name == "N3" else q for q in circuit.projections)
    assert make_schedule(replace(circuit, projections=later), protocol).crossings == ()
    assert line in examine(circuit, protocol, runs=1, measure=False)["statement"]["text"]
