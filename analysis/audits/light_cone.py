"""The light cone: a neuron is disturbed as it fires; nothing may change sooner or elsewhere than delays allow.

The presentation is run once as it is and once disturbed, on the backend that runs, and compared to the bit after every
step. `reach.py` says what could change, where and when, without looking at the timetable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from circuitsim.analysis.audits.memory import Array, differences, same_bits
from circuitsim.analysis.audits.reach import Reach, Spread
from circuitsim.analysis.audits.stage import Stage, stages
from circuitsim.circuit.weights import Own
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.locality import Key
from circuitsim.phases import FIRING
from circuitsim.timetable.protocol import Updates, active

Where = tuple[str, int | None]  # a population and the cycle of its activity, or a projection's increments
Neurons = frozenset[int] | None  # None: all
Cone = tuple[int, Neurons, Neurons]  # when increments can first change, of which post- and presynaptic neurons
DISTURBANCE = 0.37  # of ordinary size; any would do


@dataclass(frozen=True)
class LightCone:
    """What a disturbance changed, and what it could have changed.

    Parameters
    ----------
    population, cycle, neuron, example : what was disturbed.
    predicted, observed : the first tick of a change, by population and cycle, or by projection (cycle None: its
        increments). What is predicted may fail to appear: neurons need not pass everything on.
    violations : a sentence for each change that came sooner, later or elsewhere than predicted.
    """

    population: str
    cycle: int
    neuron: int
    example: int
    predicted: dict[Where, int]
    observed: dict[Where, int]
    violations: tuple[str, ...]


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
    """Disturb one neuron's activity as it fires and follow what comes of it; the simulator is left as it was.

    Parameters
    ----------
    simulator : with its examples in use. rows : numbers of the examples to show.
    population, cycle, neuron, example, replica : what is disturbed; the example by its place among the rows. A
        compartment that has just taken its input has one memory with the neurons it is of: these are disturbed.

    Raises
    ------
    CircuitError : rows that cannot be shown, a population that does not fire in that cycle, or updates that come
        before a presentation's last event: then weights carry the disturbance too, which is not predicted here.
    """
    if simulator.protocol.updates is not Updates.LAST:
        _refuse_updates(simulator.circuit.name, simulator.protocol.updates.value)
    while cycle == 0 and (taken := simulator.circuit.taken(population, 0)):
        population = taken.source
    with stages(simulator, rows, np.random.default_rng(0)) as (stage, *_):
        first = _firing(stage, population, cycle)
        shared = any(len(a) < stage.replicas for k, a in stage.arrays.items() if k[0] == population and k[2] == cycle)
        replicas = slice(None) if shared else slice(replica, replica + 1)  # what is held once, all see

        def mixtures(name: str, which: str) -> tuple[float, ...]:
            return tuple(simulator.state.parameter(name, which)[replicas].tolist())

        reach = Reach(simulator.circuit, simulator.protocol, mixtures, (population, cycle, neuron))
        watch = _Watch(stage, reach, example, replica, shared)
        watch.follow(first)
        found = tuple(dict.fromkeys(watch.violations))
        return LightCone(population, cycle, neuron, example, watch.predicted, watch.observed, found)


@dataclass
class _Watch:
    """The comparison of a disturbed presentation with the recorded one."""

    stage: Stage
    reach: Reach
    example: int
    replica: int
    shared: bool
    observed: dict[Where, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cones: dict[Where, Spread] = {}
        for (name, _, cycle), spread in self.reach.signals.items():
            known = self.cones.get((name, cycle))
            wider = known is not None and None in (known.neurons, spread.neurons)
            neurons = None if wider else spread.neurons
            self.cones[name, cycle] = Spread(min(spread.tick, known.tick if known else spread.tick), neurons)
        self.rules = {
            learning: cone
            for learning in active(self.stage.circuit, self.reach.protocol).values()
            if (cone := self.reach.increments(learning))
        }

    @property
    def predicted(self) -> dict[Where, int]:
        """The first tick at which each population and each projection's increments can change."""
        found: dict[Where, int] = {where: spread.tick for where, spread in self.cones.items()}
        for learning, (tick, _, _) in self.rules.items():
            where = (learning.projection, None)
            found[where] = min(tick, found.get(where, tick))
        return {where: tick for where, tick in found.items() if self._kept(where)}

    def _kept(self, where: Where) -> bool:
        """Whether there is memory of it: the schedule leaves out what nothing needs; compartments may share theirs."""
        name, cycle = where
        if cycle == 0 and self.stage.circuit.taken(name, 0):
            return False
        wanted = (k for k in self.stage.arrays if k[0] == name and k[2] == cycle)
        return any(cycle is not None or "increment" in quantity for _, quantity, _ in wanted)

    def follow(self, first: int) -> None:
        """Disturb after an entry, run the rest, and compare after every step."""
        stage, memory = self.stage, self.stage.memory
        memory.load(stage.at[first + 1])
        population, cycle, neuron = self.reach.origin
        blocks = {memory.of[k] for k in memory.of if k[0] == population and k[1] in ("O", "E") and k[2] == cycle}
        for block in blocks:
            array = memory.blocks[block]
            array[min(self.replica, len(array) - 1), self.example, neuron] += DISTURBANCE
        self._compare(first)
        for index in range(first + 1, len(stage.entries)):
            stage.part.steps[index]()
            self._compare(index)

    def _compare(self, index: int) -> None:
        """Note what is different after an entry."""
        tick = self.stage.entries[index].event.tick
        pairs = zip(self.stage.memory.keys, self.stage.memory.blocks, self.stage.at[index + 1], strict=True)
        for keys, now, before in pairs:
            if not same_bits(now, before):
                self._note(keys[0], differences(now, before), tick)

    def _note(self, key: Key, places: Array, tick: int) -> None:
        owner, quantity, cycle = key
        if cycle is not None:
            self._note_activity(owner, cycle, places, tick)
        elif owner in self.stage.circuit.rules or (quantity in ("weight", "bias") and self._scaled_with(owner)):
            self._note_synapses(owner, quantity, places, tick)
        else:
            self.violations.append(f"{owner}.{quantity} changed at tick {tick}; nothing can reach it")

    def _note_activity(self, name: str, cycle: int, places: Array, tick: int) -> None:
        cone = self.cones.get((name, cycle))
        self._first((name, cycle), f"{name} in cycle {cycle}", tick, cone.tick if cone else None)
        if cone and cone.neurons is not None:
            self._within(f"{name} in cycle {cycle}, neuron", places[:, 2], cone.neurons, tick)
        self._within(f"{name} in cycle {cycle}, example", places[:, 1], frozenset([self.example]), tick)
        self._of_replica(name, places, tick)

    def _note_synapses(self, name: str, quantity: str, places: Array, tick: int) -> None:
        """A projection's synapses: at first only those of neurons that are different by then, as post or pre."""
        self._of_replica(name, places, tick)
        own, scaled = self._due([name]), self._scaled_with(name)
        proposed = "increment" in quantity
        if proposed:
            self._first((name, None), f"the increments of {name}", tick, own)
        else:
            due = self._due(scaled or [name])
            if due is None or tick < due:
                self.violations.append(f"{name}.{quantity} changed at tick {tick}; no increment of it can have")
                return
        if proposed or not scaled:  # scaling spreads a change to the neuron's other synapses, as it should
            cones = [cone for p, cone in self.rules.items() if p.projection == name]
            self._touching(f"{name}.{quantity}", cones, places, tick)

    def _due(self, names: list[str]) -> int | None:
        """The first tick at which increments of these projections can change."""
        return min((cone[0] for p, cone in self.rules.items() if p.projection in names), default=None)

    def _scaled_with(self, name: str) -> list[str]:
        """The projections whose weights are scaled together with its own, where any are."""
        q = self.stage.circuit.projection(name)
        bounded = self.stage.circuit.population(q.target).bounded and not q.feedback
        incoming = [other.name for other in self.stage.circuit.incoming[q.target]] if bounded else []
        return incoming or [name] * (q.weights == Own(normalised=True))

    def _touching(self, what: str, cones: list[Cone], places: Array, tick: int) -> None:
        """A change of a synapse whose two neurons are both as they were is a violation."""
        reached = [(posts, pres) for begins, posts, pres in cones if begins <= tick]
        outside = [place for place in places if not any(_of_either(place, *ends) for ends in reached)]
        if outside:
            self.violations.append(
                f"{what}{outside[0][1:].tolist()} changed at tick {tick}; neither neuron had by then"
            )

    def _first(self, where: Where, what: str, tick: int, due: int | None) -> None:
        """The first change must come at the tick at which it is due."""
        if where in self.observed:
            return
        self.observed[where] = tick
        if tick != due:
            expected = "nothing can reach it" if due is None else f"it was due at tick {due}"
            self.violations.append(f"{what} changed at tick {tick}; {expected}")

    def _within(self, what: str, found: Array, allowed: frozenset[int], tick: int) -> None:
        outside = sorted({*found.tolist()} - allowed)
        if outside:
            self.violations.append(f"{what} {outside[0]} changed at tick {tick}; only {sorted(allowed)} can")

    def _of_replica(self, name: str, places: Array, tick: int) -> None:
        if not self.shared:
            self._within(f"{name}, replica", places[:, 0], frozenset([self.replica]), tick)


def _of_either(place: Array, posts: Neurons, pres: Neurons) -> bool:
    """Whether a synapse, or a bias (replica, post), is of one of these neurons; None: they are all meant."""
    post = posts is None or int(place[1]) in posts
    return post or (len(place) == 3 and (pres is None or int(place[2]) in pres))


def _refuse_updates(circuit: str, when: str) -> None:
    raise CircuitError(
        f"light-cone in circuit {circuit}",
        got=f"updates {when}",
        expected="updates after a presentation's last event",
        remedy="Follow the disturbance with Protocol(updates=Updates.LAST).",
    )


def _firing(stage: Stage, population: str, cycle: int) -> int:
    """The entry at which a population fires in a cycle."""
    index = stage.circuit.index[population]
    for k, entry in enumerate(stage.entries):
        event = entry.event
        if event.phase in FIRING and (event.which, event.detail) == (index, cycle):
            return k
    raise CircuitError(
        f"light-cone of population {population} in cycle {cycle}",
        got="a firing that is not in the timetable",
        expected="one that something needs",
        remedy="Choose another population or cycle.",
    )
