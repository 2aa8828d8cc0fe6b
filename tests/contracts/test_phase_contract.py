"""What every phase must satisfy: all that it uses is declared, and nothing more is declared than it uses.

Each event of a family of schedules is run alone, on memory in which something has been changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import standin
from building import (
    Built,
    Setting,
    classes,
    classifier,
    clocked,
    digits,
    grown,
    nest,
    presentations,
    simulator,
    stack,
    traced,
    train,
)
from sample_rules import differential, oja

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.norms import Batch, Divisive, Norm, Online
from circuitsim.circuit.parts import Combine, Mirror, Noise
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.engine.plan import Plan
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import Access, Mode
from circuitsim.phases import Binding
from circuitsim.timetable.entry import Entry
from circuitsim.timetable.protocol import Protocol, Updates

BATCH, CLASSES = 6, 10
DEFERRED = {"update_probability": 0.5}
NARROW, HALF = (64, 5, 4, 10), {"density": 0.5, "weight_decay": 0.05}
PLAIN = Setting((64, 5, 4, 64), lam=(0.3, 0.6), momentum=0.5, max_norm=0.9)
FAMILY = [
    replace(PLAIN, variant="rwcc", cycles=3, reference_cycle=1, top_rule="own"),
    replace(PLAIN, variant="rcc", cycles=2, top_rule="gradient", bias=False),
    replace(PLAIN, variant="ccr", rule="rec-symmetric", hidden="saturated"),
    replace(PLAIN, variant="ccrcc", rule=oja, hidden="relu", output="identity"),
    replace(PLAIN, variant="rwcc", rule="error-rec"),
    replace(PLAIN, rule="bp", hidden="identity"),
    replace(PLAIN, rule="rbp", hidden="logistic", output="softmax"),
    replace(PLAIN, rule="srbp", hidden="saturated", momentum=0.0),
    replace(PLAIN, rule="arbp", max_norm=None),
    replace(PLAIN, rule="top"),
    classifier("bp", NARROW, masked=True, numbers=HALF),
    classifier("fa", NARROW, loss="hinge", output="identity", numbers={"margin": 0.3}),
    classifier("dfa", NARROW, hidden="saturated", max_norm=0.8),
    classifier("kp", NARROW, output="logistic", numbers={"weight_decay": 0.1, "momentum": 0.5}),
    classifier("wm", NARROW, normalise=True, masked=True, numbers={**HALF, "momentum": 0.5}),
    classifier("wm", NARROW, mirror=Mirror("", Noise.UNIFORM, True, True), passes=2, output="tanh", bias=False),
    classifier("ss", NARROW, masked=True, hidden="relu", numbers=HALF),
    classifier("urfb", NARROW, loss="hinge", output="identity", masked=True, numbers=HALF),
    classifier("bp", NARROW, copied=True, masked=True, numbers={**HALF, "copy_interval": 2.0}),
    classifier("bp", NARROW, copied=True, numbers={"copy_interval": 3.0}),
    classifier("ss", NARROW, redrawn=True, masked=True, numbers=HALF),
    classifier("kp", NARROW, deferred=True, numbers={"update_probability": 0.5, "momentum": 0.5, "weight_decay": 0.1}),
    classifier("bp", NARROW, updates=Updates.AT_ONCE, masked=True, numbers=HALF),
    classifier("kp", NARROW, updates=Updates.EITHER, deferred=True, masked=True, numbers={**HALF, **DEFERRED}),
    classifier("ia", NARROW, numbers={("B2", "amp.c"): 0.7}),
    classifier("sa", NARROW, masked=True, numbers=HALF),
    classifier("aa", NARROW),
    classifier("ia", NARROW, primitives=("self", "sparse", "decay", "null", "amp")),
    Built("centred", lambda sizes: centred(sizes), NARROW),
    Built("remote", lambda sizes: remote(sizes), NARROW),
    Built("replaced", replacement_classifier, NARROW, (("feedback", "urfb"),)),
    stack((64, 5, 4, 3), numbers={"emits": 0.3, "remembers": 0.6, "momentum": 0.5}),
    stack((64, 5, 4), rule="rbp"),
    grown(NARROW, {"emits": 0.3, "momentum": 0.5}, updates=Updates.AT_ONCE),
    grown(NARROW, rule="rec-symmetric", channel="bp", groups=("encoder 2", "decoder 2", "top", "tuning")),
    nest((64, 5, 4, 64), (3, 2), {"emits": 0.3, "remembers": 0.6}),
    clocked((64, 5, 10), judged=2),
    traced((64, 5, 10), {("U", "eligibility.keep"): 0.8, "momentum": 0.5}),
    classifier("wm", NARROW, mirror=Mirror("", Noise.GIVEN)),
    Built("online", lambda sizes: normalising(sizes, Online(0.8, 0.7)), NARROW),
    Built("batch", lambda sizes: normalising(sizes, Batch(0.8)), NARROW),
    Built("divisive", lambda sizes: normalising(sizes, Divisive()), NARROW),
    replace(PLAIN, variant="rwcc", rule=differential),
]
SOME = [
    FAMILY[k] for k in (0, 6, 11, 12, 14, 16, 18, 20, 23, 24, 28, 30, 36, 37, 42)
]  # all phases; without a device it takes longer
SHOWN = {"numba": FAMILY, "numpy": FAMILY, "cupy": SOME}
each_backend = pytest.mark.parametrize("backend", standin.each(*SHOWN))
each_run = pytest.mark.parametrize(
    ("setting", "backend"), [run for name, family in SHOWN.items() for run in standin.each(name, of=family)]
)


def centred(sizes: tuple[int, ...]) -> tuple[Circuit, Protocol]:
    """A classifier whose first hidden layer takes off its mean over the batch."""
    circuit, protocol = layered_classifier(sizes, "fa")
    return replace(
        circuit, populations=tuple(replace(p, centres=p.name == "layer1") for p in circuit.populations)
    ), protocol


def normalising(sizes: tuple[int, ...], norm: Norm) -> tuple[Circuit, Protocol]:
    """A classifier whose first hidden layer is linear and normalises."""
    circuit, protocol = layered_classifier(sizes, "fa")
    populations = tuple(
        replace(p, activation="identity", norm=norm) if p.name == "layer1" else p for p in circuit.populations
    )
    return replace(circuit, populations=populations), protocol


def remote(sizes: tuple[int, ...]) -> tuple[Circuit, Protocol]:
    """A classifier whose labels are elsewhere."""
    circuit, protocol = layered_classifier(sizes, "fa")
    populations = tuple(replace(p, site="elsewhere") if p.name == "labels" else p for p in circuit.populations)
    exchanges = tuple(replace(x, remote=x.source == "labels") for x in circuit.exchanges)
    return replace(circuit, populations=populations, exchanges=exchanges), protocol


@dataclass
class Alone:
    """One event's step, and everything there is in memory around it."""

    made: Simulator
    plan: Plan
    entry: Entry
    step: Callable[[], None]
    declared: dict[Access, np.ndarray]

    @property
    def name(self) -> str:
        return phases.name(self.entry.event)

    @property
    def takes_over(self) -> bool:
        """Whether a compartment gets what its neurons fire: it has one memory with them."""
        event, circuit = self.entry.event, self.made.circuit
        name, forward = phases.subject(circuit, event), event.phase == phases.FORWARD
        if event.detail:  # neurons that stay clamped in later steps
            return forward and name in circuit.clamped
        return forward and circuit.taken(name, 0) is not None

    @property
    def multiplies(self) -> bool:
        """Whether what arrives is a factor of a product."""
        event, circuit = self.entry.event, self.made.circuit
        arrives = event.phase == phases.DELIVERY
        target = circuit.projections[event.which].target
        return arrives and circuit.population(target).combine is Combine.PRODUCT

    @property
    def everything(self) -> list[np.ndarray]:
        shown = [self.made.plans[0].y, *(plan.x for plan in (self.made.plans[0], *self.made.mirror_plans))]
        data = [array for array in shown if array is not None]
        rows = [plan.bound(BATCH).rows for plan in plans(self.made)]
        memory = [array for plan in plans(self.made) for array in plan.activity.memory().values()]
        return [*self.made.state.arrays().values(), *memory, *data, *rows]

    @property
    def undeclared(self) -> list[np.ndarray]:
        views = list(self.declared.values())
        return [a for a in self.everything if not any(np.shares_memory(a, view) for view in views)]

    def written(self) -> list[bytes]:
        """Run the step and return all that it changes or adds to; memory is then as it was."""
        before = [array.copy() for array in self.everything]
        self.step()
        found = [view.tobytes() for access, view in self.declared.items() if access.mode is not Mode.READ]
        self.restore(before)
        return found

    def restore(self, kept: list[np.ndarray]) -> None:
        for array, values in zip(self.everything, kept, strict=True):
            array[...] = values


def plans(made: Simulator) -> list[Plan]:
    """Of a presentation, and of the waves of mirror mode."""
    return [*made.plans, *made.mirror_plans]


@cache
def trained(setting: Setting | Built, backend: str) -> Simulator:
    """After three presentations, so that nothing is zero or fresh; the data are its own copy."""
    both = [setting, setting.with_rate(0.2)]  # event by event: else what one replica fires may be written over
    made = simulator(both, backend=backend, batch=BATCH + 2, shared=False, order=list)
    made.use(digits().copy(), classes().copy())
    rows = presentations(3, largest=BATCH)
    train(made, [np.stack([r, r[::-1]]) for r in rows])
    for mirror in (None, *range(len(made.mirror_plans))):
        part = made.bound_plan(BATCH, mirror)  # brings home what kernels have elsewhere
        for step in part.bare if mirror is not None else ():
            step()  # a fused wave keeps nothing of what it fires
    return made


def events(setting: Setting | Built, backend: str, fewer: int = 0) -> Iterator[Alone]:
    """Those of a presentation and of the waves of mirror mode, of a batch of BATCH or fewer."""
    made = trained(setting, backend)
    for plan in plans(made):
        bound = plan.bound(BATCH - fewer)
        rows, steps = bound.rows, bound.steps
        rows[...] = np.arange(rows.size).reshape(rows.shape)
        for entry, step in zip(plan.schedule.entries, steps, strict=True):
            views = {a: plan.view(a, rows) for a in entry.accesses}
            yield Alone(made, plan, entry, step, {a: view for a, view in views.items() if view is not None})


def poisoned(array: np.ndarray) -> np.ndarray:
    """Values that spoil whatever uses them."""
    return np.full_like(array, np.nan) if array.dtype.kind == "f" else changed(array)


def changed(array: np.ndarray) -> np.ndarray:
    """Other values that are as good."""
    if array.dtype.kind == "f":
        return np.where(np.isfinite(array), 0.7 * array - 0.11, 0.05).astype(array.dtype)
    return ~array if array.dtype.kind == "b" else (array + 5) % CLASSES


@each_run
def test_what_is_not_declared_is_neither_used_nor_touched(setting: Setting | Built, backend: str) -> None:
    for alone in events(setting, backend):
        expected = alone.written()
        before = [array.copy() for array in alone.everything]
        for array in alone.undeclared:
            array[...] = poisoned(array)
        bad = [array.tobytes() for array in alone.undeclared]
        alone.step()
        found = [view.tobytes() for access, view in alone.declared.items() if access.mode is not Mode.READ]
        untouched = [array.tobytes() for array in alone.undeclared] == bad
        alone.restore(before)
        assert found == expected and untouched, alone.entry.event


@each_run
def test_what_is_only_read_is_not_changed(setting: Setting | Built, backend: str) -> None:
    for alone in events(setting, backend):
        before = [array.copy() for array in alone.everything]
        read = {a: view.tobytes() for a, view in alone.declared.items() if a.mode is Mode.READ}
        alone.step()
        after = {a: view.tobytes() for a, view in alone.declared.items() if a.mode is Mode.READ}
        alone.restore(before)
        assert after == read, alone.entry.event


@each_run
def test_what_is_written_does_not_depend_on_what_was_there(setting: Setting | Built, backend: str) -> None:
    """A write replaces: only what is added to may shine through. An input that is taken over is the same memory."""
    for alone in events(setting, backend):
        expected = alone.written()
        added = [view for a, view in alone.declared.items() if a.mode is Mode.ADD or alone.takes_over]
        before = [array.copy() for array in alone.everything]
        for access, view in alone.declared.items():
            if access.mode is Mode.WRITE and not any(np.shares_memory(view, other) for other in added):
                view[...] = poisoned(view)
        found = alone.written()
        alone.restore(before)
        assert found == expected, alone.entry.event


@each_run
def test_the_first_that_adds_replaces_and_the_others_add(setting: Setting | Built, backend: str) -> None:
    """What was there is of the presentation before; so also where several rules of a projection propose.

    In neurons that multiply, the others are further factors.
    """
    seen: set[tuple[Plan, object]] = set()
    for alone in (a for a in events(setting, backend) if a.entry.event.phase in (phases.DELIVERY, phases.PLASTICITY)):
        for access, view in ((a, v) for a, v in alone.declared.items() if a.mode is Mode.ADD):
            later = (alone.plan, access.key) in seen
            seen.add((alone.plan, access.key))
            before = [array.copy() for array in alone.everything]
            found = []
            for start in (0.0, 1.0):
                view.fill(start)
                alone.step()
                found.append(view.copy())
                alone.restore(before)
            event, gain = alone.entry.event, found[1] - found[0]
            if later and alone.multiplies:  # a further factor
                assert not found[0].any() and gain.any(), event
            else:
                np.testing.assert_allclose(gain, float(later), atol=1e-9, err_msg=str(event))


@each_backend
def test_every_declared_read_matters_to_some_event_of_the_phase(backend: str) -> None:
    declared: set[tuple[str, str]] = set()
    matters: set[tuple[str, str]] = set()
    for setting in SHOWN[backend]:
        for alone in events(setting, backend):
            expected = alone.written()
            for access, view in alone.declared.items():
                if access.mode is Mode.READ:
                    declared.add((alone.name, access.quantity))
                    source = next(array for array in alone.everything if np.shares_memory(array, view))
                    kept = source.copy()
                    source[...] = changed(source)
                    if alone.written() != expected:
                        matters.add((alone.name, access.quantity))
                    source[...] = kept
    # of the rows these only use how many there are
    assert declared - matters == {("plasticity", "rows"), ("update", "rows"), ("trace", "rows")}
    # a blank reads nothing
    assert {name for name, _ in declared} | {"blank"} == {str(phase.NAME) for phase in phases.PHASES}
    assert any(a.entry.event.phase == phases.BLANK for a in events(FAMILY[36], backend))


@each_run
def test_the_number_of_rows_matters_to_plasticity_and_update(setting: Setting | Built, backend: str) -> None:
    """To one update at least of those that a projection may have: a coin can leave it to the other."""
    steps = [alone.step for alone in events(setting, backend, fewer=1)]
    matters: dict[object, bool] = {}
    for alone, fewer in zip(events(setting, backend), steps, strict=True):
        event = alone.entry.event
        if event.phase in (phases.PLASTICITY, phases.UPDATE):
            what = event._replace(tick=0, detail=0) if event.phase == phases.UPDATE else event
            differs = alone.written() != replace(alone, step=fewer).written()
            matters[alone.plan, what] = matters.get((alone.plan, what), False) or differs
    assert matters and all(matters.values()), matters


def bindings(
    setting: Setting | Built, backend: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Binding, Entry]]:
    """What each event of a presentation is given when it is bound."""
    caught: list[Binding] = []
    for phase in phases.PHASES:
        real = phase.bind
        monkeypatch.setattr(phase, "bind", lambda b, real=real: (caught.append(b), real(b))[1])
    made = simulator([setting], backend=backend)
    made.present(np.arange(BATCH))
    entries = [entry for plan in plans(made) for entry in plan.schedule.entries]
    assert [b.event for b in caught] == [entry.event for entry in entries]
    return zip(caught, entries, strict=True)


@each_run
def test_a_phase_is_handed_its_declared_views_and_no_others(
    setting: Setting | Built, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for binding, entry in bindings(setting, backend, monkeypatch):
        modes = {a.key: a.mode for a in entry.accesses}
        assert modes.keys() - binding.views.keys() <= {key for key in modes if key[1].endswith("velocity")}
        for key, view in binding.views.items():
            assert key[0] == "data" or view.flags.writeable is (modes[key] is not Mode.READ), (binding.event, key)
        with pytest.raises(KeyError):
            binding.view("layer9", "O", 0)
        undeclared = {(p.name, "O", 0) for p in binding.circuit.populations} - binding.views.keys()
        assert undeclared and all(binding.optional(*key) is None for key in undeclared)


def test_the_data_are_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for binding, _ in bindings(PLAIN, "numba", monkeypatch):
        assert not any(view.flags.writeable for key, view in binding.views.items() if key[0] == "data")
