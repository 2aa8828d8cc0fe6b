"""Planted hooks: each that carries something is found, with its line; honest ones are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hook_cheats import FOUND, HONEST, LINES, Make, Tensors
from hook_cheats_hidden import TEXTS
from running import nightly

from circuitsim import Hook, Simulator, data
from circuitsim.analysis.audits.hook_audit import audit_hooks
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.locality import Finding


def hooked(make: Make, after: str = "update") -> Simulator:
    """A simulator with the hook; `make` gets the simulator in which the hook runs."""
    function: list[Callable[[Mapping[str, np.ndarray]], None]] = []
    circuit, protocol = layered_classifier([8, 6, 5, 3], "fa", output="logistic")
    simulator = Simulator(circuit, protocol, batch=5, hooks=[Hook(lambda tensors: function[0](tensors), after)])
    random = np.random.default_rng(0)
    simulator.use(random.random((20, 8)), random.integers(0, 3, 20))
    function.append(make(simulator))
    return simulator


def audited(make: Make) -> tuple[Finding, ...]:
    return audit_hooks(hooked(make), seed=0, calls=60)


DAILY = ("share_a_weight", "only_look", "decay")


@pytest.mark.parametrize("name", [name if name in DAILY else nightly(name) for name in FOUND if name not in TEXTS])
def test_every_hook_that_cheats_is_found(name: str) -> None:
    make, expected = FOUND[name]
    found = audited(make)
    assert {(f.kind, f.projection) for f in found} == expected
    assert all(f.place == "remote" and f.remedy and f.rule.startswith("hook <lambda>, line ") for f in found)


@pytest.mark.parametrize("hook", [h if h.__name__ in DAILY else nightly(h) for h in HONEST], ids=lambda h: h.__name__)
def test_no_honest_hook_is_found(hook: Callable[[Tensors], None]) -> None:
    assert audited(lambda simulator: hook) == ()


@pytest.mark.parametrize("name", [name if name in DAILY else nightly(name) for name in LINES])
def test_the_line_that_does_it_is_named(name: str) -> None:
    assert {f.rule.split(": ", 1)[1] for f in audited(FOUND[name][0])} == {LINES[name]}


@pytest.mark.nightly
def test_the_array_read_is_named() -> None:
    (copied,) = [f for f in audited(FOUND["copy_transposed"][0]) if f.projection == "B2"]
    assert copied.read == "W2.weight" and "weights and rules of its own" in copied.remedy


@pytest.mark.nightly
def test_the_simulator_is_restored() -> None:
    for name in ("copy_transposed", "add_the_labels", "read_a_neighbour"):
        simulator = hooked(FOUND[name][0])
        simulator.present(np.arange(5))
        arrays = simulator.bound_plan(5).arrays
        before = {key: array.copy() for key, array in arrays.items()}
        audit_hooks(simulator, calls=20)
        assert all(np.array_equal(array, before[key]) for key, array in arrays.items()), name


@pytest.mark.nightly
def test_examples_of_a_data_set_are_changed_for_a_while_and_read_only_again() -> None:
    digits = data.load("digits", "float32", 40, 10)
    before = digits.train.copy()

    def copies(tensors: Any) -> None:
        tensors["B2.weight"][...] = tensors["W2.weight"].swapaxes(1, 2)

    simulator = Simulator(*layered_classifier([64, 4, 10], "fa"), batch=5, hooks=(Hook(copies),))
    simulator.use(digits.train, digits.train_labels)
    assert {f.kind for f in audit_hooks(simulator, seed=0, calls=20)} == {"weight-transport"}
    assert not digits.train.flags.writeable and np.array_equal(digits.train, before)


@pytest.mark.nightly
def test_no_phase_hides_a_hook() -> None:
    for phase in ("delivery", "forward pass", "feedback", "plasticity"):
        kinds = {f.kind for f in audit_hooks(hooked(FOUND["copy_transposed"][0], phase), calls=5)}
        assert kinds == {"weight-transport"}, phase
