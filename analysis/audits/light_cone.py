"""The light cone: disturb a neuron as it fires, and test that nothing changes sooner or elsewhere than delays allow.

The presentation runs once undisturbed and once disturbed, on the running backend, and all memory is compared to the bit
after every step. `propagation.py` predicts what can change, where and when, without the timetable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.memory import Array, Comparison, differences
from circuitsim.analysis.audits.propagation import Propagation, Spread
from circuitsim.analysis.audits.recording import Recording, firing, recordings
from circuitsim.analysis.audits.slots import synapses_of
from circuitsim.circuit.norms import STATE, Online
from circuitsim.circuit.parts import Carries
from circuitsim.circuit.weights import Own
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.locality import BEFORE, Key
from circuitsim.timetable.protocol import Updates, active

Where = tuple[str, int | None]  # a population and the cycle of its activity, or a projection's increments
Neurons = frozenset[int] | None  # None: all
Cone = tuple[int, Neurons, Neurons]  # when increments can first change, of which post- and presynaptic neurons
DISTURBANCE = 0.37  # any value of ordinary size


@dataclass(frozen=True)
class LightCone:
    """Predicted and observed changes after a disturbance.

    Parameters
    ----------
    population, cycle, neuron, example : the disturbed activity.
    predicted, observed : the first tick of a change, by population and cycle, or by projection (cycle None: its
        increments). A predicted change need not occur: neurons need not pass everything on.
    violations : one sentence for each change sooner, later or elsewhere than predicted.
    late : those of them about a change that came later, as where a silent neuron passes nothing on.
    """

    population: str
    cycle: int
    neuron: int
    example: int
    predicted: dict[Where, int]
    observed: dict[Where, int]
    violations: tuple[str, ...]
    late: tuple[str, ...] = ()


def light_cone(
    simulator: Simulator,
    rows: Any,
    population: str,
    *,
    cycle: int = 0,
    neuron: int = 0,
    example: int = 0,
    replica: int = 0,
) -> LightCone:
    """Disturb one neuron's activity as it fires and follow the effects; the simulator is restored afterwards.

    Parameters
    ----------
    simulator : with its examples in use. rows : numbers of the examples to show.
    population, cycle, neuron, example, replica : the activity to disturb; `example` counts along the rows. A
        compartment in cycle 0 shares the memory of the neurons whose activity it takes over: these are disturbed.

    Raises
    ------
    CircuitError : rows that cannot be shown, a population that does not fire in that cycle, or updates before the
        last event of a presentation: weights then carry the disturbance too, which is not predicted.
    """
    if simulator.protocol.updates is not Updates.LAST:
        _refuse_updates(simulator.circuit.name, simulator.protocol.updates.value)
    while cycle == 0 and (taken := simulator.circuit.taken(population, 0)):
        population = taken.source
    with recordings(simulator, rows, np.random.default_rng(0)) as (recording, *_):
        first = firing(recording, population, cycle)
        shared = any(
            len(a) < recording.replicas for k, a in recording.arrays.items() if k[0] == population and k[2] == cycle
        )
        replicas = slice(None) if shared else slice(replica, replica + 1)  # an array held once is read by all replicas

        def mixtures(name: str, which: str) -> tuple[float, ...]:
            return tuple(simulator.state.parameter(name, which)[replicas].tolist())

        propagation = Propagation(simulator.circuit, simulator.protocol, mixtures, (population, cycle, neuron))
        comparison = _Comparison(recording, propagation, example, replica, shared)
        comparison.follow(first)
        violations = tuple(dict.fromkeys(comparison.violations))
        seen = comparison.predicted, comparison.observed
        return LightCone(population, cycle, neuron, example, *seen, violations, tuple(comparison.late))


@dataclass
class _Comparison:
    """Comparison of a disturbed presentation with the recorded one."""

    recording: Recording
    propagation: Propagation
    example: int
    replica: int
    shared: bool
    observed: dict[Where, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cones: dict[Where, Spread] = {}
        for (name, _, cycle), spread in self.propagation.signals.items():
            known = self.cones.get((name, cycle))
            neurons = None if known is not None and known.neurons is None else spread.neurons
            self.cones[name, cycle] = Spread(min(spread.tick, known.tick if known else spread.tick), neurons)
        for event in (entry.event for entry in self.recording.entries):
            name = phases.subject(self.recording.circuit, event)
            if event.phase == phases.RETENTION and (name, event.detail) in self.cones:
                self.cones[name, BEFORE] = Spread(event.tick, self.cones[name, event.detail].neurons)
        self.rules = {
            learning: cone
            for learning in active(self.recording.circuit, self.propagation.protocol).values()
            if (cone := self.propagation.increments(learning))
        }

    @property
    def predicted(self) -> dict[Where, int]:
        """First ticks at which each population and each projection's increments can change."""
        found: dict[Where, int] = {where: spread.tick for where, spread in self.cones.items()}
        for learning, (tick, _, _) in self.rules.items():
            where = (learning.projection, None)
            found[where] = min(tick, found.get(where, tick))
        return {where: tick for where, tick in found.items() if self._kept(where)}

    def _kept(self, where: Where) -> bool:
        """Tell if it has memory of its own: schedules omit unneeded events, compartments share memory in cycle 0."""
        name, cycle = where
        if cycle == 0 and self.recording.circuit.taken(name, 0):
            return False
        wanted = (k for k in self.recording.arrays if k[0] == name and k[2] == cycle)
        return any(cycle is not None or "increment" in quantity for _, quantity, _ in wanted)

    def follow(self, first: int) -> None:
        """Disturb after an entry, run the rest, and compare after every step."""
        recording, memory = self.recording, self.recording.memory
        memory.load(recording.at[first + 1])
        self._comparison = Comparison(memory, recording.at[first + 1])
        population, cycle, neuron = self.propagation.origin
        blocks = {memory.of[k] for k in memory.of if k[0] == population and k[1] in ("O", "E") and k[2] == cycle}
        for block in blocks:
            array = memory.blocks[block]
            array[min(self.replica, len(array) - 1), self.example, neuron] += DISTURBANCE
        self._compare(first)
        for index in range(first + 1, len(recording.entries)):
            recording.part.bare[index]()
            self._compare(index)

    def _compare(self, index: int) -> None:
        """Note the differences after an entry."""
        tick = self.recording.entries[index].event.tick
        memory, expected = self.recording.memory, self.recording.at[index + 1]
        for block in self.recording.changed[index]:
            self._comparison.expect(block, expected[block])
        for block in self._comparison.differing():
            places = differences(memory.blocks[block], expected[block])
            if len(places):
                self._note(memory.keys[block][0], places, tick)
            self._comparison.expect(block, memory.blocks[block].copy())  # noted once

    def _note(self, key: Key, places: Array, tick: int) -> None:
        owner, quantity, cycle = key
        if quantity.endswith("trace"):
            self._note_traces(owner, quantity, places, tick)
        elif cycle is not None:
            self._note_activity(owner, cycle, places, tick)
        elif quantity in STATE:
            self._note_statistics(owner, quantity, places, tick)
        elif owner in self.recording.circuit.rules or (quantity in ("weight", "bias") and self._scaled_with(owner)):
            self._note_synapses(owner, quantity, places, tick)
        else:
            self.violations.append(f"{owner}.{quantity} changed at tick {tick}; the disturbance cannot reach it")

    def _note_activity(self, name: str, cycle: int, places: Array, tick: int) -> None:
        cone = self.cones.get((name, cycle))
        self._first((name, cycle), f"{name} in cycle {cycle}", tick, cone.tick if cone else None)
        if cone and cone.neurons is not None:
            self._within(f"{name} in cycle {cycle}, neuron", places[:, 2], cone.neurons, tick)
        self._within(f"{name} in cycle {cycle}, example", places[:, 1], self._examples, tick)
        self._of_replica(name, places, tick)

    @property
    def _examples(self) -> frozenset[int]:
        """Return the examples that can change: neurons that remember statistics hand a change on to later ones."""
        remembers = any(isinstance(p.norm, Online) for p in self.recording.circuit.populations)
        count = self.recording.part.rows.shape[-1]
        return frozenset(range(self.example, count) if remembers else [self.example])

    def _note_statistics(self, name: str, quantity: str, places: Array, tick: int) -> None:
        """Check changed running statistics (replica, neuron) of neurons, or of those that carry their errors."""
        circuit = self.recording.circuit
        carriers = [x.target for x in circuit.exchanges if x.source == name and x.carries is Carries.SLOPE]
        cones = [self.cones.get((owner, 0)) for owner in (carriers if quantity.startswith("error") else [name])]
        reached = [cone for cone in cones if cone is not None and cone.tick <= tick]
        if not reached:
            self.violations.append(f"{name}.{quantity} changed at tick {tick}; its neurons cannot have changed")
        for cone in reached:
            if cone.neurons is not None:
                self._within(f"{name}.{quantity}, neuron", places[:, 1], cone.neurons, tick)
        self._of_replica(name, places, tick)

    def _note_traces(self, name: str, quantity: str, places: Array, tick: int) -> None:
        """Check changed traces, (replica, example, synapse): one of the synapse's neurons must have changed before."""
        cones = [cone for p in self.rules if p.projection == name and (cone := self.propagation.traces(p))]
        self._within(f"{name}.{quantity}, example", places[:, 1], frozenset([self.example]), tick)
        self._of_replica(name, places, tick)
        post, *pre = np.unravel_index(places[:, 2], self._ends(name) if quantity == "trace" else self._ends(name)[:1])
        self._touching(f"{name}.{quantity}", cones, np.stack([places[:, 0], post, *pre], axis=1)[:, None], tick)

    def _ends(self, name: str) -> tuple[int, int]:
        """Return the numbers of a projection's postsynaptic and presynaptic neurons."""
        q, circuit = self.recording.circuit.projection(name), self.recording.circuit
        return circuit.population(q.target).size, circuit.population(q.source).size

    def _note_synapses(self, name: str, quantity: str, places: Array, tick: int) -> None:
        """Check a projection's changed synapses: their post- or presynaptic neuron must have changed before."""
        self._of_replica(name, places, tick)
        own, scaled = self._due([name]), self._scaled_with(name)
        proposed = "increment" in quantity
        if proposed:
            self._first((name, None), f"the increments of {name}", tick, own)
        else:
            due = self._due(scaled or [name])
            if due is None or tick < due:
                self.violations.append(f"{name}.{quantity} changed at tick {tick}; its increments cannot have changed")
                return
        if proposed or not scaled:  # scaling spreads a change to the neuron's other synapses
            cones = [cone for p, cone in self.rules.items() if p.projection == name]
            self._touching(
                f"{name}.{quantity}", cones, synapses_of(self.recording.circuit, name, quantity, places), tick
            )

    def _due(self, names: list[str]) -> int | None:
        """Return the first tick at which increments of these projections can change."""
        return min((cone[0] for p, cone in self.rules.items() if p.projection in names), default=None)

    def _scaled_with(self, name: str) -> list[str]:
        """Return the projections whose weights are scaled together with its own."""
        q = self.recording.circuit.projection(name)
        bounded = self.recording.circuit.population(q.target).bounded and not q.feedback
        incoming = [other.name for other in self.recording.circuit.incoming[q.target]] if bounded else []
        return incoming or [name] * (q.weights == Own(normalised=True))

    def _touching(self, what: str, cones: list[Cone], slots: Iterable[Array], tick: int) -> None:
        """Note changed weights none of whose synapses has a neuron that has changed."""
        reached = [(posts, pres) for begins, posts, pres in cones if begins <= tick]
        outside = [each for each in slots if not any(_of_either(one, *ends) for ends in reached for one in each)]
        if outside:
            self.violations.append(
                f"{what}{outside[0][0][1:].tolist()} changed at tick {tick}; neither of its neurons had changed"
            )

    def _first(self, where: Where, what: str, tick: int, due: int | None) -> None:
        """Check that the first change comes at the tick at which it is due."""
        if where in self.observed:
            return
        self.observed[where] = tick
        if tick != due:
            expected = "the disturbance cannot reach it" if due is None else f"it was due at tick {due}"
            self.violations.append(f"{what} changed at tick {tick}; {expected}")
            if due is not None and tick > due:
                self.late.append(self.violations[-1])

    def _within(self, what: str, found: Array, allowed: frozenset[int], tick: int) -> None:
        outside = sorted({*found.tolist()} - allowed)
        if outside:
            self.violations.append(f"{what} {outside[0]} changed at tick {tick}; only {sorted(allowed)} can")

    def _of_replica(self, name: str, places: Array, tick: int) -> None:
        if not self.shared:
            self._within(f"{name}, replica", places[:, 0], frozenset([self.replica]), tick)


def _of_either(place: Array, posts: Neurons, pres: Neurons) -> bool:
    """Tell if a synapse, or a bias (replica, post), belongs to one of these neurons; None: all neurons."""
    post = posts is None or int(place[1]) in posts
    return post or (len(place) == 3 and (pres is None or int(place[2]) in pres))


def _refuse_updates(circuit: str, when: str) -> None:
    raise CircuitError(
        f"light-cone in circuit {circuit}",
        got=f"updates {when}",
        expected="updates after a presentation's last event",
        remedy="Follow the disturbance with Protocol(updates=Updates.LAST).",
    )
