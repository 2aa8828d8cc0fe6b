"""Audits of rules that read `at(-1)`: honest circuits are clean, and what neurons retain of others is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from building import Setting, simulator
from sample_rules import differential, inseparable, sequence

from circuitsim.analysis.audits.examine import examine
from circuitsim.analysis.audits.fused import fused_findings
from circuitsim.analysis.audits.intervention import intervene
from circuitsim.analysis.audits.light_cone import light_cone
from circuitsim.analysis.tracing.explain import explain
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import DENSE, Connectivity, Convolution
from circuitsim.circuit.parts import Plasticity, Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.engine.simulator import Simulator
from circuitsim.kernels import reference
from circuitsim.kernels.cpu import backend as cpu
from circuitsim.phases import plasticity
from circuitsim.timetable.protocol import Protocol

ROWS = np.arange(3, 9)
BACKENDS = ("numba", "numpy")
each_backend = pytest.mark.parametrize("backend", BACKENDS)


def chain(connectivity: Connectivity = DENSE, sizes: tuple[int, ...] = (4,)) -> Circuit:
    """Inputs, one layer that learns sequences, and one above it."""
    populations = (
        Population("x", 6, shape=(1, 2, 3)),
        Population("hidden", int(np.prod(sizes)), "tanh", shape=sizes),
        Population("y", 3),
    )
    projections = (
        Projection("W1", "x", "hidden", bias=True, connectivity=connectivity),
        Projection("W2", "hidden", "y"),
    )
    return Circuit("chain", populations, projections, "x", "y", plasticity=tuple(
        Plasticity(q.name, sequence) for q in projections
    ), local=connectivity == DENSE)  # fmt: skip


def shown(circuit: Circuit, **options: Any) -> Simulator:
    """Two replicas that have been shown two batches; the audit's is smaller than these."""
    made = Simulator(circuit, Protocol(), **{"batch": 8, "seeds": (0, 1), "parameters": {"lr": 0.1}, **options})
    made.use(np.random.default_rng(1).normal(size=(20, 6)))
    made.present_each(np.arange(16).reshape(2, 8))
    return made


def kinds(made: Simulator) -> set[tuple[str, str]]:
    return {(f.kind, f.projection) for f in intervene(made, ROWS, seed=5).findings}


@each_backend
@pytest.mark.parametrize("rule", [differential, inseparable], ids=lambda r: r.name)
def test_honest_recirculation_is_clean(rule: Any, backend: str) -> None:
    settings = tuple(
        Setting((6, 4, 5, 6), rule=rule, variant="rwcc", lam=(0.3, 0.6), cycles=2, momentum=m) for m in (0.5, 0.2)
    )
    made = simulator(settings, batch=8, dtype="float32", backend=backend)
    made.present(np.arange(8))
    before = {name: array.tobytes() for name, array in made.snapshot().items()}
    assert kinds(made) == set() and not made.schedule.findings
    assert {name: array.tobytes() for name, array in made.snapshot().items()} == before


@each_backend
def test_honest_circuits_are_clean(backend: str) -> None:
    made = shown(chain(), backend=backend)
    assert kinds(made) == set()
    assert fused_findings(made, ROWS)[1] == []
    assert kinds(shown(chain(Convolution((2, 2)), (2, 2, 3)), backend=backend)) <= {("weight-sharing", "W1")}


def retaining(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[pytest.MonkeyPatch], None]:
    """A kernel of both backends that retains something else."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for module in (cpu, reference):
            patch.setattr(
                module, "retain", lambda fired, alive, kept: lambda: np.copyto(kept, change(fired + 0 * kept))
            )

    return plant


def reading(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[pytest.MonkeyPatch], None]:
    """A rule that adds what it should not read of the presentation before."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true = plasticity.lower

        def lowered(law: Any, quantity: str, operands: Any, out: np.ndarray, *rest: Any) -> Any:
            step = true(law, quantity, operands, out, *rest)

            def propose() -> None:
                step()
                if quantity == "weight":
                    out[...] += change(operands.pre[-1])[:, :, None, :].sum(axis=1)

            return propose

        patch.setattr(plasticity, "lower", lowered)

    return plant


def average(retained: np.ndarray) -> np.ndarray:
    return np.repeat(retained.mean(axis=2, keepdims=True), retained.shape[2], axis=2)


PLANTS = {
    "another neuron": (retaining(lambda a: np.roll(a, 1, axis=2)), "lateral"),
    "another example": (retaining(lambda a: np.roll(a, 1, axis=1)), "lateral"),
    "another replica": (retaining(lambda a: a[::-1]), "lateral"),
    "a neighbour's memory": (reading(lambda a: np.roll(a, 1, axis=2)), "lateral"),
    "the layer's memory": (reading(average), "lateral"),
    "two examples at once": (reading(lambda a: a * np.roll(a, 1, axis=1)), "lateral"),
}


@each_backend
@pytest.mark.parametrize("plant", PLANTS)
def test_planted_cheats_are_found(plant: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault, kind = PLANTS[plant]
    fault(monkeypatch)
    assert {found for found, _ in kinds(shown(chain(), backend=backend))} == {kind}


def test_a_sum_of_earlier_presentations_is_no_activity_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a neuron keeps in a hidden place is older than its memory."""
    hidden: dict[tuple[int, ...], np.ndarray] = {}

    def kept(fired: np.ndarray, alive: np.ndarray, retained: np.ndarray) -> Callable[[], None]:
        place = hidden.setdefault((retained.ctypes.data, *retained.shape), np.zeros_like(retained))

        def step() -> None:
            place[...] = 0.5 * place + fired
            retained[...] = place

        return step

    monkeypatch.setattr(cpu, "retain", kept)
    assert {kind for kind, _ in kinds(shown(chain()))} == {"time-window"}


def test_a_disturbance_is_retained_within_its_light_cone() -> None:
    circuit, protocol = circular_autoencoder([6, 4, 5, 6], differential, cycles=1)
    made = Simulator(circuit, protocol, batch=6, seeds=(0, 1), parameters={"lr": 0.1})
    made.use(np.random.default_rng(0).random((20, 6)))
    made.present(np.arange(6))
    for population in ("layer0", "layer1", "layer2"):
        for cycle in (0, 1):
            found = light_cone(made, np.arange(6), population, cycle=cycle, neuron=1, example=3)
            assert found.violations == () and found.observed == found.predicted
            assert (population, -1) in found.observed


def test_the_static_audit_states_the_window_and_where_it_comes_from() -> None:
    found = examine(chain(), Protocol(), {"lr": 0.1}, runs=1, measure=False)
    assert found["local"] and found["window"] == {"W1": 4, "W2": 4}
    text = "Local within a window of 4 ticks (longer than a presentation of 3); memory of a neuron"
    assert found["statement"]["text"].startswith(text)
    read = next(c["reads"] for c in found["certificates"] if c["projection"] == "W1")
    assert {"place": "pre", "cycle": -1, "lag": 4, "used": 1, "of": "x.O"} in read
    assert found["cones"]["violations"] == [] and found["cones"]["followed"]


def test_a_synapse_is_explained_by_what_its_neurons_retained() -> None:
    made = shown(chain(), seeds=(0,), evidence=True, dtype="float64")
    made.present([3, 4])
    found = explain(made, "W1", 1, 2, example=1)
    values = next(e.values for e in found.events if e.what.startswith("example 1"))
    x = np.random.default_rng(1).normal(size=(20, 6))
    assert values["pre.at(-1)"] == x[9, 2]
    np.testing.assert_allclose(values["dw"], values["post.at(0)"] * x[9, 2], rtol=1e-12)
    ages = {a.key: age for r in made.evidence.records if r.phase == "plasticity" for a, age in r.read}  # type: ignore[union-attr]
    assert ages["x", "O", -1] == ages["hidden", "O", -1] == 4
