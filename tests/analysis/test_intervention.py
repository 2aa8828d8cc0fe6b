"""Findings of the interventional audit on both backends, and none on local circuits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import Setting, read_by, simulator

from circuitsim import local_rule
from circuitsim.analysis.audits.intervention import Intervention, intervene
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Mirror, Plasticity, Population, Projection
from circuitsim.circuit.weights import Copied, Tied
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import FEEDBACK, layered_classifier
from circuitsim.circuits.replacement import FEEDBACK as REPLACING
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.engine.hooks import Hook
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.kernels import reference
from circuitsim.kernels.cpu import backend as cpu
from circuitsim.phases import plasticity
from circuitsim.rules import delta
from circuitsim.timetable.protocol import Protocol, Updates

ROWS = np.arange(3, 9)
BACKENDS = ("numba", "numpy")


@local_rule
def entangled(pre, post, w):  # type: ignore[no-untyped-def]
    """No sum of products: compiled to a loop over the synapses."""
    return tanh(pre.at(0) * post.at(1) + w)  # noqa: F821


def made(rule: Any = "rec", settings: tuple[Setting, ...] = (), **options: Any) -> Simulator:
    """An autoencoder of three layers, single precision."""
    chosen = settings or (Setting(sizes=(6, 4, 6), rule=rule),)
    return simulator(chosen, **{"dtype": "float32", "batch": 8, **options})


def built(circuit: Circuit, protocol: Protocol, **options: Any) -> Simulator:
    """A simulator of a circuit with two replicas, and random examples in use."""
    options["parameters"] = read_by(circuit, options.get("parameters", {"lr": 0.1}))
    found = Simulator(circuit, protocol, **{"batch": 8, "seeds": (0, 1), **options})
    random = np.random.default_rng(1)
    classes = circuit.population(circuit.labels).size if circuit.labels else 1
    inputs = circuit.population(circuit.inputs).size
    found.use(random.random((20, inputs)), random.integers(0, classes, 20) if circuit.labels else None)
    return found


def kinds(found: Intervention) -> set[tuple[str, str]]:
    return {(f.kind, f.projection) for f in found.findings}


def declared(tried: Simulator) -> set[tuple[str, str]]:
    """The static findings without labels, which are local by definition."""
    return {(f.kind, f.projection) for s in tried.schedules for f in s.findings if f.kind != "label"}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("variant", ["pr", "ccr", "rcc", "ccrcc", "rwcc"])
def test_recirculation_in_all_variants_is_local(variant: str, backend: str) -> None:
    settings = tuple(
        Setting(sizes=(6, 4, 6), variant=variant, lam=(0.3, 0.6), cycles=2, momentum=0.5, max_norm=norm)
        for norm in (None, 0.4)
    )
    tried = made(settings=settings, backend=backend)
    found = intervene(tried, ROWS, seed=7)
    assert found.findings == ()
    assert found.synapses == found.existing == {"A1": 28, "A2": 30}
    assert found.events == len(tried.schedule.entries)
    assert found.text == (
        f"58 of 58 synapses of 2 projections and {found.events} events (float32, 3 runs, batch 6, 2 replicas, seed 7) "
        f"tested on backend {backend}: no forbidden value changed a bit"
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", ["rec-symmetric", "error-rec", "rbp", "srbp", "arbp", "top", entangled])
def test_local_rules_are_local(rule: Any, dtype: str) -> None:
    found = intervene(made(settings=(Setting(sizes=(6, 4, 3, 6), rule=rule, momentum=0.9),), dtype=dtype), ROWS)
    assert found.findings == ()
    assert found.synapses == found.existing and min(found.synapses.values()) >= 4


def test_a_deep_circuit_is_local_and_its_replicas_do_not_see_each_other() -> None:
    settings = tuple(Setting(sizes=(8, 6, 5, 4, 6, 8), variant="rwcc", lam=lam) for lam in (0.2, 0.7))
    tried = made(settings=settings, shared=False, longest=3)
    found = intervene(tried, np.arange(12).reshape(2, 6))
    assert found.findings == ()
    assert len(found.synapses) == 5


def test_a_stack_is_local() -> None:
    assert intervene(built(*stacked_autoencoders((7, 5, 3))), ROWS).findings == ()


@pytest.mark.parametrize("backend", BACKENDS)
def test_backpropagation_transports_weights_once_for_each_feedback_projection(backend: str) -> None:
    tried = made(settings=(Setting(sizes=(6, 4, 3, 6), rule="bp"),), backend=backend)
    found = intervene(tried, ROWS)
    assert sorted((f.kind, f.projection) for f in found.findings) == [
        ("weight-transport", "B2"),
        ("weight-transport", "B3"),
    ]
    assert "A3.weight" in next(f.read for f in found.findings if f.projection == "B3")
    assert found.undeclared(tried.schedule.findings) == ()
    assert len(found.undeclared(())) == 2


def test_a_softmax_output_is_lateral() -> None:
    found = intervene(made(settings=(Setting(sizes=(6, 4, 6), output="softmax"),)), ROWS)
    assert kinds(found) == {("lateral", "A2")}
    assert "layer2" in found.findings[0].read


@pytest.mark.parametrize("feedback", FEEDBACK)
def test_classifiers_are_found_to_be_what_they_declare(feedback: str) -> None:
    tried = built(*layered_classifier((6, 5, 4, 3), feedback))
    found = intervene(tried, ROWS)
    assert kinds(found) == declared(tried)


@pytest.mark.parametrize("feedback", REPLACING)
def test_feedback_replacement_is_found_to_be_what_it_declares(feedback: str) -> None:
    tried = built(*replacement_classifier((6, 5, 4, 3), feedback))
    assert kinds(intervene(tried, ROWS)) == declared(tried)


def test_mirror_mode_masks_margins_and_norms_are_found_to_be_what_they_declare() -> None:
    mirrors = layered_classifier((6, 5, 4, 3), "wm", output="logistic", mirror=Mirror("", centre=True))
    masked = layered_classifier((6, 5, 4, 3), "kp", loss="hinge", output="identity", masked=True, bounded=True)
    norms = layered_classifier((6, 5, 4, 3), "wm", output="logistic", normalise=True)
    for circuit, protocol in (mirrors, masked, norms):
        tried = built(circuit, protocol, parameters={"lr": 0.1, "density": 0.6, "max_norm": 0.5, "weight_decay": 0.1})
        assert kinds(intervene(tried, ROWS)) == declared(tried)
    assert declared(tried) == {("lateral", "B2"), ("lateral", "B3")}


@pytest.mark.parametrize("updates", Updates)
def test_updates_at_any_time_are_local(updates: Updates) -> None:
    circuit, protocol = layered_classifier((6, 5, 4, 3), "kp", output="logistic")
    waiting = replace(circuit, projections=tuple(replace(q, deferred=q.name[0] == "W") for q in circuit.projections))
    tried = built(waiting, replace(protocol, updates=updates), parameters={"lr": 0.1, "update_probability": 0.5})
    assert intervene(tried, ROWS).findings == ()


def test_weights_taken_over_every_so_often_are_transported_in_whichever_presentation() -> None:
    circuit, protocol = layered_classifier((6, 5, 4, 3), "bp", output="logistic")
    down = tuple(replace(q, weights=Copied(q.transposed_from)) if q.transposed_from else q for q in circuit.projections)
    tried = built(replace(circuit, projections=down), protocol, parameters={"lr": 0.1, "copy_interval": 3})
    tried.present(ROWS)  # the next presentation takes over nothing
    assert kinds(intervene(tried, ROWS)) == {("weight-transport", "B2"), ("weight-transport", "B3")}


def two_layers(**more: Any) -> Circuit:
    """Input and output at two sites; the output learns from an error beside it."""
    parts: dict[str, Any] = {
        "populations": (Population("in", 5), Population("out", 5), Population("error", 5, site="out", feedback=True)),
        "projections": (Projection("A", "in", "out", bias=True),),
        "exchanges": (Exchange("in", "error", Carries.TARGET, remote=True), Exchange("out", "error", Carries.ACTUAL)),
        "plasticity": (Plasticity("A", delta, post="error"),),
    }
    return Circuit("two layers", inputs="in", outputs="out", **{**parts, **more})


def chain(**second: Any) -> Circuit:
    """Three layers of five; the upper projection as given; the lower learns."""
    circuit = two_layers()
    return replace(
        circuit,
        populations=(*circuit.populations, Population("top", 5)),
        projections=(*circuit.projections, Projection("C", "out", "top", **second)),
        outputs="top",
    )


def test_declared_wires_of_every_kind_are_found() -> None:
    remote = two_layers()
    centred = replace(
        remote, populations=(remote.populations[0], Population("out", 5, centres=True), *remote.populations[2:])
    )
    for circuit, expected in (
        (remote, {("remote-target", "A")}),
        (centred, {("remote-target", "A"), ("lateral", "A")}),
        (chain(weights=Tied("A")), {("remote-target", "A"), ("weight-sharing", "C")}),
        (chain(), {("remote-target", "A")}),
    ):
        tried = built(circuit, Protocol(readouts=(("top", "O", 0),) if circuit.outputs == "top" else ()))
        assert kinds(intervene(tried, ROWS)) == expected == declared(tried)


def test_an_error_from_another_site_is_found() -> None:
    gated = replace(
        two_layers(),
        populations=(
            Population("in", 5),
            Population("out", 5, "tanh"),
            Population("error", 5, site="out", feedback=True),
            Population("far", 5, feedback=True),
        ),
        projections=(Projection("A", "in", "out"), Projection("F", "error", "far")),
        exchanges=(*two_layers().exchanges, Exchange("out", "far", Carries.SLOPE, remote=True)),
        plasticity=(Plasticity("F", delta),),
    )
    tried = built(gated, Protocol())
    assert kinds(intervene(tried, ROWS)) == declared(tried) == {("remote-target", "error"), ("remote-error", "F")}


Plant = Callable[[pytest.MonkeyPatch], None]


def kernel(name: str, planted: Callable[..., Any]) -> Plant:
    """A fault in a kernel of both backends; `planted` gets the true kernel and its arguments."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for module in (cpu, reference):
            true = getattr(module, name)
            patch.setattr(module, name, lambda *given, _true=true, **named: planted(_true, *given, **named))

    return plant


def wrong_column(true: Any, target: Any, actual: Any, out: Any) -> Any:
    return lambda: np.subtract(target, np.roll(actual, 1, axis=2), out=out)


def other_example(true: Any, first: Any, second: Any, out: Any) -> Any:
    return lambda: np.multiply(first, np.roll(second, 1, axis=1), out=out)


def stale_buffer(true: Any, emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
    kept = np.zeros_like(emitted)
    send = true(kept, across, arriving, accumulate=accumulate)

    def late() -> None:
        send()
        kept[...] = emitted

    return late


def never_cleared(true: Any, emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
    return true(emitted, across, arriving, accumulate=True)


def neighbours_weight(true: Any, weight: Any, *rest: Any) -> Any:
    step = true(weight, *rest)

    def update() -> None:
        borrowed = 0.01 * np.roll(weight, 1, axis=-1)
        step()
        weight[...] += borrowed

    return update


def foresight() -> Callable[..., Any]:
    bound: list[np.ndarray] = []

    def early(true: Any, emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
        step, mine = true(emitted, across, arriving, accumulate=accumulate), len(bound)
        bound.append(arriving)

        def delivery() -> None:
            ahead = bound[mine + 2].copy() if mine + 2 < len(bound) else 0
            step()
            arriving[...] += ahead

        return delivery

    return early


def hidden_channel() -> list[Plant]:
    said: list[float] = [0.0]

    def speak(true: Any, emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
        step = true(emitted, across, arriving, accumulate=accumulate)

        def delivery() -> None:
            step()
            said[0] = float(arriving.sum())

        return delivery

    def listen(true: Any, weight: Any, *rest: Any) -> Any:
        step = true(weight, *rest)

        def update() -> None:
            step()
            weight[...] += 0.01 * said[0]

        return update

    return [kernel("deliver", speak), kernel("apply", listen)]


def undeclared_write(true: Any, target: Any, actual: Any, out: Any) -> Any:
    step = true(target, actual, out)

    def difference() -> None:
        step()
        actual.base[:] += 0.5

    return difference


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("rule", "plants", "expected", "word"),
    [
        ("rbp", [kernel("subtract", wrong_column)], {("lateral", "A2")}, "layer2.O(0)"),
        ("rbp", [kernel("multiply", other_example)], {("lateral", "A1")}, "layer1.slope(0)"),
        ("rec", [kernel("deliver", stale_buffer)], {("time-window", "A1"), ("time-window", "A2")}, "earlier call"),
        ("rec", [kernel("deliver", never_cleared)], {("time-window", "A1"), ("time-window", "A2")}, "layer"),
        ("rec", [kernel("deliver", foresight())], {("causality", "A1")}, "layer1.O(1)"),
        ("rec", [kernel("apply", neighbours_weight)], {("lateral", "A1"), ("lateral", "A2")}, ".weight"),
        ("rec", hidden_channel(), {("time-window", "A1"), ("time-window", "A2")}, "hidden"),
        ("rbp", [kernel("subtract", undeclared_write)], {("lateral", "A2")}, "changed undeclared"),
    ],
    ids=["column", "example", "stale", "uncleared", "foresight", "neighbour", "channel", "write"],
)
def test_planted_faults_are_found_and_named(
    rule: str, plants: list[Plant], expected: set[tuple[str, str]], word: str, backend: str, monkeypatch: Any
) -> None:
    for plant in plants:
        plant(monkeypatch)
    tried = made(rule, backend=backend)
    found = intervene(tried, ROWS)
    assert kinds(found) >= expected
    assert {kind for kind, _ in kinds(found)} == {kind for kind, _ in expected}
    assert word in found.findings[0].read
    assert found.undeclared(tried.schedule.findings) == found.findings


def test_a_rule_that_reads_its_neighbours_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    true = plasticity.lower

    def smeared(law: Any, quantity: str, operands: Any, out: np.ndarray, *rest: Any) -> Any:
        step = true(law, quantity, operands, out, *rest)

        def propose() -> None:
            step()
            out[...] += np.roll(out, 1, axis=-1)

        return propose

    monkeypatch.setattr(plasticity, "lower", smeared)
    found = intervene(made("rec"), ROWS)
    assert kinds(found) == {("lateral", "A1"), ("lateral", "A2")}
    assert found.findings[0].rule == "recirculation"


def test_hooks_do_not_run() -> None:
    """They have an audit of their own, which lets them keep a state of their own."""
    called: list[int] = []
    tried = made(hooks=(Hook(lambda t: called.append(1)),))
    assert intervene(tried, ROWS).findings == () and not called


@pytest.mark.parametrize("evidence", [False, True])
def test_the_simulator_is_left_as_it_was(evidence: bool) -> None:
    tried, twin = (
        made("rbp", evidence=evidence, settings=(Setting(sizes=(6, 4, 6), rule="rbp", momentum=0.9),)) for _ in "ab"
    )
    for each in (tried, twin):
        each.present(ROWS)
    rows = tried.bound_plan(8).arrays
    kept = {key: array.copy() for key, array in rows.items()}
    data = rows["data", "x", None]
    records = list(tried.evidence.records) if tried.evidence else None
    intervene(tried, ROWS)
    now = tried.bound_plan(8).arrays
    assert now["data", "x", None] is data
    assert all(kept[key].tobytes() == now[key].tobytes() for key in kept if key[1] != "seeds")
    assert records == (list(tried.evidence.records) if tried.evidence else None)
    before, after = twin.snapshot(), tried.snapshot()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    for each in (tried, twin):
        each.present(ROWS[::-1])
    before, after = twin.snapshot(), tried.snapshot()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_it_is_left_as_it_was_when_the_audit_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = made("rec")
    before = tried.snapshot()
    monkeypatch.setattr("circuitsim.analysis.audits.trials.StepTrial.guilty", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        intervene(tried, ROWS)
    assert all(before[name].tobytes() == array.tobytes() for name, array in tried.snapshot().items())


def test_examples_that_cannot_be_written_to_do() -> None:
    tried = made("rec")
    x = np.random.default_rng(0).random((20, 6)).astype("float32")
    x.flags.writeable = False
    tried.use(x)
    assert intervene(tried, ROWS).findings == ()


def test_rows_that_do_not_exist_are_refused() -> None:
    with pytest.raises(CircuitError, match="rows shown to circuit circular autoencoder: got 8 rows, of 200 examples"):
        intervene(made("rec"), np.arange(195, 203))
    with pytest.raises(CircuitError, match="expected 1 to 8 indices of existing examples"):
        intervene(made("rec"), np.arange(9))


def test_the_result_as_a_row() -> None:
    circuit, protocol = circular_autoencoder([6, 4, 6], "bp")
    row = intervene(built(circuit, protocol), ROWS).row()
    assert row["synapses"] == row["existing"] == {"A1": 28, "A2": 30}
    assert row["summary"].endswith(f"seed {row['seed']}) tested on backend numba: weight-transport in B2")
    assert [f["kind"] for f in row["findings"]] == ["weight-transport"]
