"""Hooks: code of the user's is called after the phase that it names, and what it changes takes part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from building import Built, Setting, classifier, digits, distance, presentations, simulator, stack, train, weights_of

from circuitsim import phases
from circuitsim.engine.hooks import Hook, Tensors
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.timetable.schedule import make_schedules

DEEP = (64, 9, 7, 10)
SETTINGS: list[Setting | Built] = [
    Setting((64, 7, 5, 64), variant="rwcc", lam=0.3, cycles=2, max_norm=0.9),
    Setting((64, 7, 5, 64), rule="arbp"),
    classifier("wm", DEEP, passes=2),
    classifier("ia", DEEP, max_norm=0.9),
    stack(),
]
ROWS = presentations(4)
NAMES = [str(phase.NAME) for phase in phases.PHASES]
each_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.label)
both = pytest.mark.parametrize("backend", ["numba", "numpy"])


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in made.tensors().items()}


def happening(setting: Setting | Built) -> list[str]:
    """The phases that a circuit has events of, in their order."""
    found = {phases.name(e.event) for schedule in make_schedules(*setting.described()) for e in schedule.entries}
    return [name for name in NAMES if name in found]


def unchanged(tensors: Mapping[str, np.ndarray]) -> None:
    """A hook that does nothing."""


@pytest.mark.parametrize("queued", [False, True], ids=["plan", "queue"])
@each_setting
def test_called_once_after_the_last_event_of_its_phase_and_tick(setting: Setting | Built, queued: bool) -> None:
    calls: list[tuple[str, int]] = []

    def noting(phase: str) -> Hook:
        def note(tensors: Mapping[str, np.ndarray]) -> None:
            assert made.evidence is not None
            calls.append((phase, len(made.evidence.records)))

        return Hook(note, after=phase)

    order = {"order": lambda events: events[::-1]} if queued else {}
    made = simulator([setting], hooks=[noting(phase) for phase in happening(setting)], evidence=True, **order)
    expected: list[tuple[str, int]] = []
    happened = 0
    for schedule in (made.schedule, *made.schedules[1:] * made.protocol.passes):
        for (_, phase), events in groupby((e.event for e in schedule.entries), key=lambda event: event[:2]):
            happened += len(list(events))
            expected.append((NAMES[phase], happened))
    for rows in ROWS:
        calls.clear()
        made.present(rows)
        assert calls == expected


@each_setting
def test_several_hooks_of_a_phase_are_called_in_the_order_given(setting: Setting | Built) -> None:
    calls: list[int] = []
    hooks = [Hook(lambda tensors, k=k: calls.append(k)) for k in range(3)]  # type: ignore[misc]
    made = simulator([setting], hooks=hooks)
    made.present(ROWS[0])
    assert calls and calls == [0, 1, 2] * (len(calls) // 3)


@both
@each_setting
def test_hooks_that_do_nothing_change_no_bit(setting: Setting | Built, backend: str) -> None:
    expected = train(simulator([setting], backend=backend), ROWS)
    hooks = [Hook(unchanged, after=name) for name in happening(setting)]
    for more in ({}, {"order": lambda events: events[::-1]}):
        assert bits(train(simulator([setting], backend=backend, hooks=hooks, **more), ROWS)) == bits(expected)


@both
def test_what_a_hook_changes_after_the_update_is_what_the_next_presentation_uses(backend: str) -> None:
    def clip(tensors: Mapping[str, np.ndarray]) -> None:
        for tensor in tensors.values():
            np.clip(tensor, -0.2, 0.2, out=tensor)

    setting = classifier("kp", DEEP, {"lr": 0.5})
    hooked = train(simulator([setting, setting], backend=backend, hooks=[Hook(clip)]), ROWS)
    by_hand = simulator([setting, setting], backend=backend)
    for rows in ROWS:
        by_hand.present(rows)
        clip(by_hand.state.writable())
    assert bits(hooked) == bits(by_hand) and bits(hooked) != bits(train(simulator([setting] * 2), ROWS))


@both
def test_what_a_hook_changes_in_the_middle_takes_part_at_once(backend: str) -> None:
    """Weights carried back behind the forward pass: backpropagation by other means."""

    def carry(tensors: Mapping[str, np.ndarray]) -> None:
        for h in (2, 3):
            tensors[f"B{h}.weight"][...] = tensors[f"W{h}.weight"].transpose(0, 2, 1)

    expected = weights_of(train(simulator([classifier("bp", DEEP)], backend=backend), ROWS))
    for order in (None, lambda events: events[::-1]):
        hooks = [Hook(carry, after="forward pass")]
        made = train(simulator([classifier("fa", DEEP)], backend=backend, hooks=hooks, order=order), ROWS)
        found = {name: tensor for name, tensor in weights_of(made).items() if name in expected}
        assert distance(found, expected) < 1e-12


def test_the_first_firing_comes_before_what_follows_from_it() -> None:
    """After the first forward pass the input has fired and nothing else: what it is changed to is what is computed."""

    def silence(tensors: Mapping[str, np.ndarray]) -> None:
        tensors["W1.weight"][...] = 0
        tensors["W1.bias"][...] = 0

    made = simulator([classifier("bp", DEEP)], hooks=[Hook(silence, "forward pass")], probes=[("layer1", "O", 0)])
    made.present(ROWS[0])
    assert not made.probe("layer1").any()


def test_hooks_run_in_mirror_mode_too_and_not_where_nothing_is_learned() -> None:
    calls: list[int] = []
    made = simulator([classifier("wm", DEEP)], hooks=[Hook(lambda tensors: calls.append(len(tensors)), "mirror mode")])
    made.mirror(3)
    assert calls == [8] * 2 * 2 * 3  # noise and answer, two projections, three passes; three weights and biases, two B
    list(made.outputs(digits()))
    assert len(calls) == 12


# ------------------------------------------------------------------------------------------------------- refusals


class Thing:
    def __call__(self, tensors: Mapping[str, np.ndarray]) -> None: ...


def test_names() -> None:
    assert [Hook(f).name for f in (unchanged, Thing(), len)] == ["unchanged", "Thing", "len"]
    assert Hook(unchanged).after == "update"


@pytest.mark.parametrize("after", ["Update", "", "updates", 6, None])
def test_a_phase_that_there_is_not(after: Any) -> None:
    message = (
        f"hook unchanged: got after={after!r}; expected one of {', '.join(NAMES)}. Name the phase that it follows."
    )
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        simulator([SETTINGS[0]], hooks=[Hook(unchanged, after=after)])


def test_a_phase_of_which_the_circuit_has_no_event() -> None:
    message = (
        "hook unchanged: got after='refresh', a phase without events here; expected one of delivery, forward pass, "
        "recirculation cycle, plasticity, update, bound. Name the phase that it follows."
    )
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        simulator([SETTINGS[0]], hooks=[Hook(unchanged, after="refresh")])


@pytest.mark.parametrize("function, kind", [(3, "int"), ("clip", "str"), (None, "NoneType")])
def test_what_cannot_be_called(function: Any, kind: str) -> None:
    message = f"hook: got a {kind}; expected a function of the weights and biases by name. Write it with def."
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        Hook(function)


def test_tensors_are_changed_in_place_and_never_replaced() -> None:
    def replacing(tensors: Any) -> None:
        tensors["W1.weight"] = np.zeros((1, 9, 64))

    message = (
        "hook's tensor W1.weight: got another array in its place; expected a change of the array that is there. Write "
        'tensors["W1.weight"][...] = values.'
    )
    made = simulator([classifier("fa", DEEP)], hooks=[Hook(replacing)])
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        made.present(ROWS[0])
    tensors = Tensors(made.tensors())
    assert {*tensors} == {*made.tensors()} and len(tensors) == len(made.tensors())
    assert all(np.shares_memory(tensors[name], tensor) for name, tensor in made.tensors().items())
