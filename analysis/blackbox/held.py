"""Experiments that hold activities: what else do an update and an activity read?

Where the step lets its activities be held, each update is computed again with the activities of its two populations as
they were and all else changed, and each activity with all else changed but what wires bring to its neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.blackbox.bench import Bench, by_neuron, halves
from circuitsim.analysis.blackbox.compare import EXACT
from circuitsim.analysis.blackbox.program import Run, State
from circuitsim.analysis.blackbox.wiring import Wire


@dataclass(frozen=True)
class Reading:
    """An array that an update or an activity reads and should not."""

    reader: str
    source: str
    kind: str
    text: str


def read_while_held(bench: Bench, state: State) -> Iterator[Reading]:
    """Yield what updates and activities read beyond their own neurons and wires."""
    values = bench.program.run(state).activities
    for wire in bench.wiring.wires:
        yield from _Update(bench, state.with_held(**values), wire).readings()
    for name in bench.program.activities:
        rest = {other: value for other, value in values.items() if other != name}
        yield from _Activity(bench, state.with_held(**rest), name).readings()


class _Held:
    """Common part of updates and activities: a state with activities held, and changes to it."""

    def __init__(self, bench: Bench, base: State) -> None:
        self._bench, self._base = bench, base
        self._before = bench.program.run(base)

    def _site(self, name: str) -> str | None:
        """Return the site of an activity or batch entry; None for a weight array."""
        wiring = self._bench.wiring
        return wiring.labels.get(name) or wiring.places.get(name)

    def _sources(self) -> Iterator[str]:
        yield from self._base.weights
        yield from self._base.batch
        yield from self._base.held

    def _kind(self, source: str) -> str:
        if source in self._base.weights:
            return "weight-transport"
        return "remote-target" if source in self._bench.wiring.labels else "remote-error"

    def _changed(self, base: State, source: str, where: np.ndarray | None = None) -> State:
        """Return the state with one array changed, in chosen rows of weights, neurons or examples."""
        if source in base.weights:
            old, new = base.weights[source], self._bench.draws.weight(source)
        elif source in base.batch:
            old, new = base.batch[source], self._bench.draws.entry(source)
        else:
            old = base.held[source]
            noise = self._bench.random.standard_normal(old.shape)
            new = (self._bench.random.permutation(old) * (1 + 0.3 * noise) + 0.1 * noise).astype(old.dtype)
        mixed = (
            new if where is None else np.where(where.reshape(where.shape + (1,) * (old.ndim - where.ndim)), new, old)
        )
        if source in base.weights:
            return base.with_weights(**{source: mixed})
        return base.with_batch(**{source: mixed}) if source in base.batch else base.with_held(**{source: mixed})

    def _columns(self, base: State, source: str, neurons: np.ndarray) -> State:
        """Return the state with an activity or batch entry changed in the columns of some neurons."""
        values = (base.held if source in base.held else base.batch)[source]
        seen = by_neuron(values, len(neurons))
        if seen is None:
            return base  # a label that has no value for each neuron
        return self._changed(base, source, np.broadcast_to(neurons, seen.shape).reshape(values.shape))

    def _one_by_one(self, names: list[str], differs: Callable[[State], bool]) -> Iterator[str]:
        """Yield the arrays that make a difference; all are changed together first."""
        together = self._base
        for name in names:
            together = self._changed(together, name)
        if names and differs(together):
            single = [name for name in names if differs(self._changed(self._base, name))]
            yield from single or names


class _Update(_Held):
    """One weight array's update, with the activities of its neurons held."""

    def __init__(self, bench: Bench, base: State, wire: Wire) -> None:
        super().__init__(bench, base)
        self._wire = wire

    def readings(self) -> Iterator[Reading]:
        """Yield arrays elsewhere that the update reads, then other neurons of its own populations."""
        own = (self._wire.pre, self._wire.post)
        beside = [w.name for w in self._bench.wiring.into(self._wire.post)]
        away = [s for s in self._sources() if s not in beside and (s in self._base.weights or self._site(s) not in own)]
        for source in self._one_by_one(away, lambda state: bool(self._differs(state).any())):
            yield Reading(
                self._wire.name, source, self._kind(source), f"{source} although its neurons' activity is held"
            )
        for site in filter(None, dict.fromkeys(own)):
            for neurons in halves(self._bench.wiring.sizes[site]):
                if self._differs(self._neurons(site, neurons), ~self._bench.touches(self._wire, site, neurons)).any():
                    yield Reading(self._wire.name, site, "lateral", f"other neurons of {site}")
                    break

    def _neurons(self, site: str, neurons: np.ndarray) -> State:
        """Return the state with the activity of some neurons changed, and with it the synapses into them."""
        state = self._base
        for source in self._sources():
            if source in state.weights:
                into = self._bench.wiring.wire(source).post == site == self._wire.post
                state = self._changed(state, source, neurons) if into else state
            elif self._site(source) == site:
                state = self._columns(state, source, neurons)
        return state

    def _differs(self, state: State, where: np.ndarray | None = None) -> np.ndarray:
        return self._bench.comparison.differing(self._wire.name, self._before, self._bench.program.run(state), where)


class _Activity(_Held):
    """One activity, as it is computed with all others held."""

    def __init__(self, bench: Bench, base: State, name: str) -> None:
        super().__init__(bench, base)
        self._name, self._at = name, bench.wiring.places[name]

    def readings(self) -> Iterator[Reading]:
        """Yield arrays that no wire brings to the activity's neurons, then other neurons and examples."""
        into = self._bench.wiring.into(self._at)
        wired = {self._at, *(wire.pre for wire in into)}
        brought = [wire.name for wire in into]
        away = [
            source
            for source in self._sources()
            if (source not in brought if source in self._base.weights else self._site(source) not in wired)
        ]
        for source in self._one_by_one(away, lambda state: bool(self._differs(state).any())):
            yield Reading(self._name, source, self._kind(source), f"{source}, which no wire brings to {self._at}")
        for neurons in halves(self._bench.wiring.sizes[self._at]):
            if self._differs(self._own(neurons)).reshape(len(self._value), -1)[:, ~neurons].any():
                yield Reading(self._name, self._at, "lateral", f"other neurons of {self._at}")
                break
        for examples in halves(len(self._value)):
            if self._differs(self._examples(examples))[~examples].any():
                yield Reading(self._name, "examples", "lateral", f"statistics over the batch at {self._at}")
                break

    @property
    def _value(self) -> np.ndarray:
        return self._before.activities[self._name]

    def _own(self, neurons: np.ndarray) -> State:
        """Return the state with the other activities of some of its neurons, and their synapses, changed."""
        state = self._base
        for wire in self._bench.wiring.into(self._at):
            state = self._changed(state, wire.name, neurons) if wire.pre != self._at else state
        for source in (*state.held, *state.batch):
            state = self._columns(state, source, neurons) if self._site(source) == self._at else state
        return state

    def _examples(self, examples: np.ndarray) -> State:
        state = self._base
        for source in (*state.held, *state.batch):
            state = self._changed(state, source, examples)
        return state

    def _differs(self, state: State) -> np.ndarray:
        after: Run = self._bench.program.run(state)
        new = after.activities[self._name]
        eps = float(np.finfo(new.dtype).eps) if new.dtype.kind == "f" else 0.0
        scale = max(float(np.abs(new).max(initial=0)), float(np.abs(self._value).max(initial=0)))
        differs: np.ndarray = np.abs(new - self._value) > EXACT * eps * scale
        return differs
