"""Hooks that hide what they carry are found, with what the user is told; honest hooks are not accused."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

import hook_cheats_hidden as hidden
import numpy as np
import pytest
from hook_cheats import FOUND
from running import nightly

from circuitsim import CircuitsimError, Hook, Simulator
from circuitsim.analysis.audits.examine import examine_simulator
from circuitsim.analysis.audits.forked import ForkFailed, forked
from circuitsim.analysis.audits.hook_audit import HookAudit, audit_hooks, examine_hooks
from circuitsim.circuits.classifier import layered_classifier

DAILY = {
    "by_a_thread_beside_it", "scaled_by_the_spread_over_the_batch", "annealed_rate", "logging",
    "second_moment", "raising_on_odd_values", "an_array_of_its_past",
}  # fmt: skip


def some(names: Any) -> list[Any]:
    """All names; those that take long on a small machine are for the night."""
    return [name if name in DAILY else nightly(name) for name in names]


def hooked(make: Any, **options: Any) -> Simulator:
    """A simulator that has learned from three batches with a hook; `make` gets the simulator."""
    function: list[Any] = []
    circuit, protocol = layered_classifier([8, 6, 5, 3], "fa", output="logistic")
    hook = Hook(lambda tensors: function[0](tensors), **options)
    made = Simulator(circuit, protocol, batch=5, hooks=[hook], parameters={"lr": 0.1, "momentum": 0.5})
    random = np.random.default_rng(0)
    made.use(random.random((20, 8)), random.integers(0, 3, 20))
    function.append(make(made))
    for first in (0, 5, 10):
        made.present(np.arange(first, first + 5))
        hidden.LOOPS.get(function[0], lambda: None)()
    return made


def audited(make: Any, calls: int = 2000, **options: Any) -> HookAudit:
    (found,) = examine_hooks(hooked(make, **options), seed=1, calls=calls)
    return found


@pytest.mark.parametrize("name", some(hidden.TEXTS))
def test_a_hook_that_hides_what_it_carries_is_found(name: str) -> None:
    make, expected = FOUND[name]
    try:
        found = audited(make)
    finally:
        for event in hidden.STOPPED:
            event.set()
    assert {(f.kind, f.projection) for f in found.findings} == expected
    assert any(hidden.TEXTS[name] in f.read for f in found.findings), [f.read for f in found.findings]


@pytest.mark.parametrize("name", some(make.__name__ for make in hidden.HONEST_MAKERS))
def test_an_honest_hook_is_not_accused(name: str) -> None:
    found = audited(getattr(hidden, name))
    assert found.findings == () and found.calls == 2000
    assert found.changes or name in ("logging", "printing")
    assert found.stateful is (name in ("own_momentum", "heterosynaptic_with_memory", "second_moment",
                                       "slow_and_fast_weights", "an_array_of_its_past"))  # fmt: skip
    assert found.raised == (name == "raising_on_odd_values") * found.raised


def test_a_log_is_as_it_was() -> None:
    made = hooked(hidden.logging)
    text = hidden.LOGS[-1].read_text()
    assert audit_hooks(made, seed=1) == () and hidden.LOGS[-1].read_text() == text and text.count("\n") == 3


@pytest.mark.nightly
def test_a_third_factor_that_is_declared_is_one() -> None:
    make, _ = FOUND["the_mean_error_to_all"]
    found = audited(make, 50, third_factor="reward")
    assert {(f.kind, f.projection) for f in found.findings} == {("third-factor", "W1"), ("third-factor", "W2")}
    assert all(f.read.startswith("one number from elsewhere (width 1, 0 calls old)") for f in found.findings)


@pytest.mark.nightly
def test_a_declared_loss_is_a_third_factor_and_nothing_else() -> None:
    make, _ = FOUND["a_loss_of_its_own"]
    assert {(f.kind, f.projection) for f in audited(make, 50, third_factor="loss").findings} == {("third-factor", "W1")}


@pytest.mark.nightly
def test_a_mean_of_the_layer_beside_a_declared_loss_is_lateral() -> None:
    """The declaration covers the number that is broadcast, and no other."""

    def make(simulator: Any) -> Any:
        loss, _ = FOUND["a_loss_of_its_own"]
        broadcast, arrays = loss(simulator), simulator.bound_plan(simulator.batch).arrays

        def hook(tensors: Mapping[str, np.ndarray]) -> None:
            broadcast(tensors)
            w = tensors["W1.weight"]
            w[...] -= 0.1 * arrays["layer1", "O", 0].mean()  # in another direction than the loss

        return hook

    found = audited(make, 50, third_factor="loss")
    assert {(f.kind, f.projection) for f in found.findings} == {("third-factor", "W1"), ("lateral", "W1")}


@pytest.mark.nightly
def test_what_is_wider_than_a_number_is_no_third_factor() -> None:
    make, expected = FOUND["into_an_increment"]
    found = audited(make, 50, third_factor="reward")
    assert {(f.kind, f.projection) for f in found.findings} == expected == {("remote-error", "W1")}


@pytest.mark.nightly
def test_a_finding_is_not_dropped_because_another_of_its_kind_is_declared() -> None:
    """The circuit declares that B2 carries transposed weights; a hook lets it carry others too."""

    def hook(tensors: Mapping[str, np.ndarray]) -> None:
        tensors["B2.weight"][...] += 0.1 * tensors["B3.weight"].mean()

    circuit, protocol = layered_classifier([8, 6, 5, 3], "sa", output="logistic", primitives=["self"])
    made = Simulator(circuit, protocol, batch=5, hooks=[Hook(hook)])
    made.use(np.random.default_rng(0).random((20, 8)), np.arange(20) % 3)
    found = examine_simulator(made, np.arange(5), measure=False, runs=1)
    own = [f for f in found["findings"] if f["projection"] == "B2"]
    assert [f["rule"].startswith("hook hook, line ") for f in own] == [False, True]
    assert found["hooks"][0]["hook"] == "hook" and found["hooks"][0]["calls"] == 2000


def test_an_exception_in_a_hook_is_the_hooks() -> None:
    def broken(tensors: Mapping[str, np.ndarray]) -> None:
        tensors["W9.weight"][...] = 0

    line = broken.__code__.co_firstlineno + 1
    message = (
        f"hook <lambda>, line {line}: got KeyError: 'W9.weight'; expected a function that changes tensors in place "
        "and ends. Correct the hook; the engine's own steps have ended before it."
    )
    with pytest.raises(CircuitsimError, match="^" + re.escape(message) + "$"):
        hooked(lambda made: broken)


@pytest.mark.nightly
def test_a_hook_that_does_not_end_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def hook(tensors: Mapping[str, np.ndarray]) -> None:
        calls.append(1)
        threading.Event().wait(60 if len(calls) > 10 else 0)

    monkeypatch.setattr("circuitsim.analysis.audits.rehearsal.SECONDS", 0.5)
    (finding,) = audited(lambda made: hook).findings
    assert finding.kind == "time-window" and "could not be rehearsed, since it took more than" in finding.read


def test_what_a_forked_process_does_is_not_left_behind(tmp_path: Any) -> None:
    path, new, kept = tmp_path / "a", tmp_path / "b", [1]
    path.write_text("before")

    def work() -> tuple[str, list[int]]:
        path.write_text("after")
        new.write_text("new")
        kept.append(2)
        return path.read_text(), kept

    assert forked(work, 10) == ("after", [1, 2])
    assert path.read_text() == "before" and not new.exists() and kept == [1]
    with pytest.raises(ForkFailed, match="ZeroDivisionError: division by zero"):
        forked(lambda: 1 / 0, 10)
