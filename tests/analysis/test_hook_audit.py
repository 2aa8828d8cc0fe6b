"""Planted hooks: every one that carries something is found, with its line; honest ones are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hook_cheats import FOUND, HONEST, LINES, Made

from circuitsim import Hook, Simulator
from circuitsim.analysis.audits.hooks import audit_hooks
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.locality import Finding


def hooked(make: Made, after: str = "update") -> Simulator:
    """A simulator with the hook; `make` gets the simulator that the hook runs in."""
    function: list[Callable[[Mapping[str, np.ndarray]], None]] = []
    circuit, protocol = layered_classifier([8, 6, 5, 3], "fa", output="logistic")
    simulator = Simulator(circuit, protocol, batch=5, hooks=[Hook(lambda tensors: function[0](tensors), after)])
    random = np.random.default_rng(0)
    simulator.use(random.random((20, 8)), random.integers(0, 3, 20))
    function.append(make(simulator))
    return simulator


def audited(make: Made) -> tuple[Finding, ...]:
    return audit_hooks(hooked(make))


@pytest.mark.parametrize("make", FOUND, ids=lambda make: make.__name__)
def test_every_hook_that_cheats_is_found(make: Made) -> None:
    found = audited(make)
    assert {(f.kind, f.projection) for f in found} == FOUND[make]
    assert all(f.place == "remote" and f.remedy and f.rule.startswith("hook <lambda>, line ") for f in found)


@pytest.mark.parametrize("make", HONEST, ids=lambda make: make.__name__)
def test_no_honest_hook_is_found(make: Made) -> None:
    assert audited(make) == ()


@pytest.mark.parametrize("make", LINES, ids=lambda make: make.__name__)
def test_the_line_that_does_it_is_named(make: Made) -> None:
    assert {f.rule.split(": ", 1)[1] for f in audited(make)} == {LINES[make]}


def test_what_is_read_is_named() -> None:
    (copied,) = [f for f in audited(next(iter(FOUND))) if f.projection == "B2"]
    assert copied.read == "W2.weight" and "weights and rules of its own" in copied.remedy


def test_the_simulator_is_left_as_it_was() -> None:
    for make in FOUND:
        simulator = hooked(make)
        simulator.present(np.arange(5))
        arrays = simulator.bound_plan(5).arrays
        before = {key: array.copy() for key, array in arrays.items()}
        audit_hooks(simulator)
        assert all(np.array_equal(array, before[key]) for key, array in arrays.items()), make.__name__


def test_where_a_hook_runs_does_not_hide_it() -> None:
    for phase in ("delivery", "forward pass", "feedback", "plasticity"):
        kinds = {f.kind for f in audit_hooks(hooked(next(iter(FOUND)), phase))}
        assert kinds == {"weight-transport"}, phase
