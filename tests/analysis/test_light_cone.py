"""The light cone: a disturbance changes nothing sooner or elsewhere than delays and exchanges allow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import Setting, grown, nest, simulator, stack
from running import nightly

from circuitsim.analysis.audits.light_cone import LightCone, light_cone
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.kernels.cpu import backend as cpu
from circuitsim.timetable.protocol import Updates

ROWS = np.arange(6)


def cones(tried: Simulator) -> list[LightCone]:
    """A disturbance of the last neuron of every population, in every cycle in which it fires."""
    fired = {(k[0], k[2]) for k in tried.bound_plan(6).arrays if k[2] is not None and k[1] == "O"}
    found = []
    for population, cycle in sorted(fired):
        neuron = tried.circuit.population(population).size - 1
        found.append(light_cone(tried, ROWS, population, cycle=cycle, neuron=neuron, example=3))
    return found


def classifier(feedback: str) -> Simulator:
    circuit, protocol = layered_classifier((6, 5, 4, 3), feedback)
    made = Simulator(circuit, protocol, batch=6, seeds=(0, 1), parameters={"lr": 0.1})
    random = np.random.default_rng(0)
    made.use(random.random((20, 6)), random.integers(0, 3, 20))
    return made


@pytest.mark.parametrize("backend", ["numba", nightly("numpy")])
@pytest.mark.parametrize(
    "setting",
    [
        *(Setting((6, 4, 5, 6), variant=v, lam=(0.3, 0.6), cycles=2) for v in ("pr", "ccr", "rcc", "ccrcc", "rwcc")),
        *(Setting((6, 4, 5, 6), rule=r, momentum=0.5) for r in ("rec-symmetric", "error-rec", "bp", "srbp", "arbp")),
        Setting((6, 4, 5, 6), rule="rbp", max_norm=0.4),
    ],
    ids=lambda s: f"{s.rule} {s.variant}",
)
def test_nothing_changes_outside_the_light_cone_and_all_within_it_does(setting: Setting, backend: str) -> None:
    for cone in cones(simulator([setting], backend=backend, longest=3)):
        assert cone.violations == ()
        assert cone.observed == cone.predicted


@pytest.mark.parametrize("feedback", ["bp", "dfa", "ss", "ia", "sa", "aa", "kp"])
def test_classifiers_keep_to_their_light_cones(feedback: str) -> None:
    for cone in cones(classifier(feedback)):
        assert cone.violations == ()
        assert cone.observed == cone.predicted


@pytest.mark.parametrize("feedback", ["urfb", "bp", "ss"])
def test_replaced_activity_keeps_to_its_light_cone(feedback: str) -> None:
    made = Simulator(*replacement_classifier((6, 5, 4, 3), feedback, hidden="tanh"), batch=6)
    random = np.random.default_rng(0)
    made.use(random.random((20, 6)), random.integers(0, 3, 20))
    for cone in cones(made):
        assert cone.violations == ()
        assert cone.observed == cone.predicted


DEVELOPING = {
    "stack": stack((7, 5, 4, 3)),
    "stack by bp": stack((7, 5, 4), rule="bp"),
    "tourbillon": grown((7, 5, 4, 10)),
    "growth": grown((7, 5, 4, 10), groups=("encoder 2", "decoder 2")),
    "tuning": grown((7, 5, 4, 10), groups=("top", "tuning")),
    "nest": nest((7, 5, 7), (3,)),
}


@pytest.mark.parametrize("longest", [nightly(None), 4])
@pytest.mark.parametrize("name", DEVELOPING)
def test_stacks_and_nests_keep_to_their_light_cones(name: str, longest: int | None) -> None:
    for cone in cones(simulator([DEVELOPING[name]], longest=longest)):
        assert cone.violations == ()
        assert cone.observed == cone.predicted


def test_two_nested_layers_keep_to_their_light_cones() -> None:
    for cone in cones(simulator([nest((7, 5, 4, 7), (3, 2), {"emits": 0.3, "remembers": 0.6})], longest=4)):
        assert cone.violations == ()
        assert cone.observed == cone.predicted


@pytest.mark.parametrize("groups", [("outer",), ("tuning",), ("encoder 1",)])
def test_what_does_not_learn_is_not_predicted_to_change(groups: tuple[str, ...]) -> None:
    for cone in cones(simulator([nest((7, 5, 7), (3,))], protocol={"groups": groups})):
        assert cone.violations == ()
        assert cone.observed == cone.predicted


def test_a_compartment_is_disturbed_with_its_neurons() -> None:
    """They share the memory of cycle 0, so the hinge is disturbed."""
    made = simulator([stack((7, 5, 4))])
    assert light_cone(made, ROWS, "inner1", neuron=2) == light_cone(made, ROWS, "layer1", neuron=2)
    assert light_cone(made, ROWS, "inner1", cycle=1).population == "inner1"


def test_ticks_by_hand() -> None:
    circuit, protocol = circular_autoencoder([6, 4, 6])
    lower, upper = circuit.projections
    slow = replace(circuit, projections=(replace(lower, delay=2), replace(upper, delay=3)))
    made = Simulator(slow, protocol, batch=6)
    made.use(np.random.default_rng(0).random((20, 6)))
    cone = light_cone(made, ROWS, "layer0", neuron=2, example=1)
    expected = {
        ("layer0", 0): 0,
        ("layer1", 0): 2,
        ("layer2", 0): 5,
        ("layer0", 1): 5,
        ("layer1", 1): 7,
        ("A2", None): 5,  # layer 0 in cycles 0 and 1, layer 1 in cycle 0
        ("A1", None): 7,  # layer 1 in cycles 0 and 1
    }
    assert cone.predicted == cone.observed == expected
    later = light_cone(made, ROWS, "layer2", neuron=2)
    assert later.predicted == {("layer2", 0): 5, ("layer0", 1): 5, ("layer1", 1): 7, ("A2", None): 5, ("A1", None): 7}


def test_only_the_disturbed_replica_changes() -> None:
    made = simulator([Setting((6, 4, 6)), Setting((6, 4, 6), lr=0.3)], shared=False)
    assert light_cone(made, ROWS, "layer1", replica=1).violations == ()


def planted(monkeypatch: pytest.MonkeyPatch, name: str, fault: Any) -> None:
    true = getattr(cpu, name)
    monkeypatch.setattr(cpu, name, lambda *given, **named: fault(true, *given, **named))


def test_another_example_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, "subtract", lambda _, t, a, out: lambda: np.subtract(t, np.roll(a, 1, axis=1), out=out))
    cone = light_cone(simulator([Setting((6, 4, 6), rule="rbp")]), ROWS, "layer2", neuron=1, example=3)
    assert cone.violations[0] == "error2 in cycle 0, example 4 changed at tick 2; only [3] can"


def test_another_neuron_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, "subtract", lambda _, t, a, out: lambda: np.subtract(t, np.roll(a, 1, axis=2), out=out))
    cone = light_cone(simulator([Setting((6, 4, 6), rule="rbp")]), ROWS, "layer2", neuron=1, example=3)
    assert cone.violations[0] == "error2 in cycle 0, neuron 2 changed at tick 2; only [1] can"
    assert any("A2.increment[2, 0] changed at tick 2; neither of its neurons" in v for v in cone.violations)


def test_another_replica_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, "subtract", lambda _, t, a, out: lambda: np.subtract(t, np.roll(a, 1, axis=0), out=out))
    made = simulator([Setting((6, 4, 6), rule="rbp"), Setting((6, 4, 6), rule="rbp")])
    cone = light_cone(made, ROWS, "layer2", neuron=1)
    assert cone.violations[0] == "error2, replica 1 changed at tick 2; only [0] can"


def test_what_comes_too_soon_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[np.ndarray] = []

    def leaking(true: Any, emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
        step, mine = true(emitted, across, arriving, accumulate=accumulate), len(bound)
        bound.append(arriving)

        def delivery() -> None:
            step()
            if mine + 1 < len(bound):
                bound[mine + 1][...] = emitted.sum(axis=2, keepdims=True)

        return delivery

    planted(monkeypatch, "deliver", leaking)
    cone = light_cone(simulator([Setting((6, 4, 6))]), ROWS, "layer0", neuron=1, example=3)
    assert "layer2 in cycle 0 changed at tick 1; it was due at tick 2" in cone.violations
    assert cone.observed["layer2", 0] == 1


def test_weights_that_change_without_their_rule_are_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def nosy(true: Any, weight: Any, increment: Any, *rest: Any) -> Any:
        step = true(weight, increment, *rest)
        told.append(increment)

        def update() -> None:
            step()
            weight[...] += 0.01 * told[0].sum()  # the lowest projection's

        return update

    told: list[np.ndarray] = []
    planted(monkeypatch, "apply", nosy)
    cone = light_cone(simulator([Setting((6, 4, 6), rule="rbp")]), ROWS, "error1", neuron=1)
    assert cone.violations == (
        "A1.weight[0, 0] changed at tick 3; neither of its neurons had changed",
        "A1.bias[0] changed at tick 3; neither of its neurons had changed",
        "A2.weight changed at tick 3; its increments cannot have changed",
        "A2.bias changed at tick 3; its increments cannot have changed",
    )


def test_the_simulator_is_left_as_it_was() -> None:
    made = simulator([Setting((6, 4, 6), variant="rwcc", momentum=0.5)])
    made.present(ROWS)
    before = made.snapshot()
    light_cone(made, ROWS, "layer1")
    assert all(before[name].tobytes() == array.tobytes() for name, array in made.snapshot().items())


def test_updates_that_do_not_wait_are_refused() -> None:
    circuit, protocol = layered_classifier((6, 5, 4, 3), "fa")
    made = Simulator(circuit, replace(protocol, updates=Updates.AT_ONCE), batch=6)
    with pytest.raises(CircuitError, match="got updates at once; expected updates after a presentation's last event"):
        light_cone(made, ROWS, "layer1")


def test_a_population_that_does_not_fire_is_refused() -> None:
    made = simulator([Setting((6, 4, 6))])
    with pytest.raises(CircuitError, match="light-cone of population layer2 in cycle 1"):
        light_cone(made, ROWS, "layer2", cycle=1)
