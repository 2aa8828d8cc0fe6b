"""Predict when and how far a disturbance of one neuron can spread, from delays, exchanges and certificates alone.

The prediction uses neither the timetable nor the phases' declarations: `light_cone.py` tests them against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import (
    COMPARED,
    TAKEN,
    Carries,
    Combine,
    Exchange,
    LocalRule,
    Plasticity,
    Population,
    Projection,
)
from circuitsim.locality import Place, Reading
from circuitsim.rules.sealing import sealed
from circuitsim.timetable.protocol import Clock, Protocol

Signal = tuple[str, str, int]  # population, quantity (S, O or E), cycle
Cone = tuple[int, frozenset[int] | None, frozenset[int] | None]  # a tick, post- and presynaptic neurons (None: all)
Mixtures = Callable[[str, str], tuple[float, ...]]  # `emits` or `remembers` of a population, in the disturbed replicas


@dataclass(frozen=True)
class Spread:
    """First tick at which a signal can change, and the neurons in which it can; None: in all."""

    tick: int
    neurons: frozenset[int] | None


@dataclass
class Propagation:
    """Spread of a disturbance of one neuron's O and E, from the tick at which it fires in a cycle.

    Parameters
    ----------
    circuit, protocol : what runs. mixtures : coefficients of neurons that mix; a neuron that emits only its activity
        of cycle 0 passes nothing on.
    origin : population, cycle and neuron.
    """

    circuit: Circuit
    protocol: Protocol
    mixtures: Mixtures
    origin: tuple[str, int, int]
    _ticks: dict[tuple[str, int], int | None] = field(default_factory=dict)

    def fires(self, population: str, cycle: int) -> int | None:
        """Return the tick at which a population fires in a cycle, when its last input is there; None: never."""
        if (population, cycle) not in self._ticks:
            self._ticks[population, cycle] = None  # a loop within a cycle never fires
            self._ticks[population, cycle] = self._last_cause(population, cycle)
        return self._ticks[population, cycle]

    def _last_cause(self, population: str, cycle: int) -> int | None:
        if self.protocol.clock:
            return self._last_cause_at(population, cycle, self.protocol.clock)
        if cycle == 0 and population in self.circuit.clamped:
            return self.protocol.labelled if population == self.circuit.labels else 0
        p = self.circuit.population(population)
        if cycle > (1 if p.replaced else 0 if p.feedback else self.protocol.cycles):
            return None
        causes = [(self.fires(q.source, cycle), q.delay) for q in self._incoming(p, cycle)]
        causes += [(self.fires(x.source, from_), 0) for x, from_ in self._exchanges(p, cycle)]
        causes += [(self.fires(population, 0), 0)] if p.replaced and cycle else []
        known = [tick + delay for tick, delay in causes if tick is not None]
        return max(known) if causes and len(known) == len(causes) else None

    def _last_cause_at(self, population: str, step: int, clock: Clock) -> int | None:
        """Return the tick at which a population fires at a step of a clocked protocol; None: not at all."""
        if not 0 <= step < clock.steps:
            return None
        p, arriving = (
            self.circuit.population(population),
            list(self._incoming(self.circuit.population(population), step)),
        )
        compares = self.circuit.exchanged(population, *COMPARED)
        if compares and step < clock.steps - clock.judged:
            return None
        if p.combine is Combine.PRODUCT and len(arriving) < len(self.circuit.incoming[population]):
            arriving = []
        if p.feedback and not compares and not arriving:
            return None
        begins = 0 if p.feedback else step * clock.period
        begins += self.protocol.labelled if population == self.circuit.labels else 0
        ticks = [(self.fires(q.source, step - q.lag) or 0) + q.delay for q in arriving]
        ticks += [self.fires(x.source, from_) or 0 for x, from_ in self._exchanges(p, step)]
        return max(begins, *ticks) if ticks else begins

    def _arrives_at(self, q: Projection, step: int, clock: Clock) -> bool:
        """Return whether a projection brings something to a step; errors do not pass where a clock cuts them off."""
        source = step - q.lag
        cut = self.circuit.population(q.source).feedback and clock.cut(min(step, source), max(step, source))
        return not cut and self.fires(q.source, source) is not None

    def _incoming(self, p: Population, cycle: int) -> Iterator[Projection]:
        """Yield the projections that deliver in a cycle; only feedback projections deliver replaced activity."""
        clock = self.protocol.clock
        if clock:
            yield from (q for q in self.circuit.incoming[p.name] if self._arrives_at(q, cycle, clock))
            return
        for q in self.circuit.incoming[p.name]:
            replacing = bool(cycle) and (p.replaced or self.circuit.population(q.source).replaced)
            if q.feedback == replacing:
                yield q

    def _exchanges(self, p: Population, cycle: int) -> Iterator[tuple[Exchange, int]]:
        """Yield the exchanges to a population in a cycle, each with the cycle of its source."""
        for x in self.circuit.exchanges:
            if x.target != p.name:
                continue
            if x.carries in TAKEN:
                if x is self.circuit.taken(p.name, cycle):
                    yield x, cycle if x.carries is Carries.INPUT else cycle - x.period
            elif self.protocol.clock or p.replaced == (cycle > 0):
                yield x, cycle - 1 if p.replaced else cycle

    @cached_property
    def signals(self) -> dict[Signal, Spread]:
        """The spread of every signal that can change."""
        population, cycle, neuron = self.origin
        tick = self.fires(population, cycle)
        assert tick is not None, "the origin fires"
        start = Spread(tick, frozenset([neuron]))
        found: dict[Signal, Spread] = {(population, "O", cycle): start, (population, "E", cycle): start}
        if self.protocol.clock and population in self.circuit.clamped:  # clamped neurons stay as they are
            shown = self.protocol.clock.visible if population == self.circuit.inputs else self.protocol.clock.steps
            found |= {(population, "O", step): start for step in range(shown)}
        before: dict[Signal, Spread] = {}
        while found != before:  # each pass extends the spread, and none reduces it
            before = dict(found)
            for p in self.circuit.populations:
                for c in range(max(self.protocol.cycles, self.protocol.last, p.replaced) + 1):
                    if self.fires(p.name, c) is not None and (p.name, c) != (population, cycle):
                        self._extend(p, c, found)
        return found

    def _extend(self, p: Population, cycle: int, found: dict[Signal, Spread]) -> None:
        for q in self._incoming(p, cycle):
            step = cycle - q.lag
            mixes = bool(step) and self.circuit.population(q.source).mixes
            if (q.source, "E" if mixes else "O", step) in found:
                arrived = (self.fires(q.source, step) or 0) + q.delay
                earlier = found.get((p.name, "S", cycle), Spread(arrived, None)).tick
                found[p.name, "S", cycle] = Spread(min(arrived, earlier), None)
        for quantity, coefficient in (("O", "remembers"), ("E", "emits")):
            reasons = list(self._reasons(p, cycle, coefficient, found))
            if reasons:
                tick = self.fires(p.name, cycle)
                assert tick is not None
                found[p.name, quantity, cycle] = Spread(tick, _union(reasons))

    def _reasons(self, p: Population, cycle: int, coefficient: str, found: Mapping[Signal, Spread]) -> Iterator[Spread]:
        """Yield the spreads of the signals from which a population computes its activity."""
        mixing = self.mixtures(p.name, coefficient) if p.mixes and cycle else (0.0,)
        fresh = any(value != 1 for value in mixing)
        taken = list(self._exchanges(p, cycle))
        sources: list[Signal] = [(p.name, "S", cycle)] if fresh else []
        for x, from_ in taken if fresh else ():
            sources.append((x.source, "S" if x.carries in (Carries.SLOPE, Carries.MARGIN) else "O", from_))
        memory = any(value != 0 for value in mixing) or any(x.carries is Carries.ERROR for x, _ in taken)
        if p.mixes and cycle and memory:
            sources.append((p.name, "O", 0))
        if p.replaced and cycle:
            sources.append((p.name, "O" if taken else "S", 0))  # subtracted from the target, or the slope
        yield from (found[signal] for signal in sources if signal in found)

    def increments(self, learning: Plasticity) -> Cone | None:
        """Return when a rule's increments can first change, and of which post- and presynaptic neurons; None: never."""
        steps = range(self.protocol.last + 1) if learning.each_step else (0,)
        return _first([cone for step in steps if (cone := self._increments_at(learning, step))])

    def traces(self, learning: Plasticity) -> Cone | None:
        """Return when the traces of a rule can first change, and of which neurons; None: never, or it has none."""
        if learning.trace is None:
            return None
        cones = [cone for t in range(self.protocol.last + 1) if (cone := self._cone(learning, (learning.trace,), t))]
        return _first(cones)

    def _increments_at(self, learning: Plasticity, step: int) -> Cone | None:
        """Return the same of the rule at one step; a trace carries on what changed in the steps before."""
        q = self.circuit.projection(learning.projection)
        # the presynaptic unit of a bias is always 1
        rules = (learning.rule, *((learning.bias_rule or learning.rule,) if q.bias else ()))
        own = self._cone(learning, rules, step)
        ticks = self._ticks_read(learning, rules, step)
        if learning.trace is None or None in ticks:
            return own
        if all(self._silent(learning, before) for before in range(step + 1)):
            return None
        held = [self._cone(learning, (learning.trace,), before) for before in range(step + 1)]
        cones = [cone for cone in (own, *held) if cone]
        now = [*ticks, *self._ticks_read(learning, (learning.trace,), step)]
        if not cones:
            return None
        tick = max(tick for tick in now if tick is not None)
        return tick, _either(p for _, p, _ in cones), _either(p for _, _, p in cones)

    def _silent(self, learning: Plasticity, step: int) -> bool:
        """Return whether a trace stays zero at a step, because of what was not yet there before the first step."""
        rule = sealed(learning.trace)
        early = {(place, cycle) for place, cycle in self._read_at(learning, (rule,), step) if cycle < 0}
        lag = {Place.PRE: self.circuit.projection(learning.projection).lag}
        zero = {
            symbol: 0
            for symbol, meaning in rule.symbols.items()
            if isinstance(meaning, Reading)
            and (
                meaning.place is Place.TRACE
                or (meaning.place, step - (meaning.cycle or 0) - lag.get(meaning.place, 0)) in early
            )
        }
        return bool(rule.expression.xreplace(zero) == 0)

    def _ends(self, learning: Plasticity) -> dict[Place, str]:
        q = self.circuit.projection(learning.projection)
        ends = {Place.POST: learning.post or q.target, Place.PRE: learning.pre or q.source}
        return {**ends, Place.THIRD: learning.third} if learning.third else ends

    def _read_at(self, learning: Plasticity, rules: Iterable[LocalRule], step: int) -> set[tuple[Place, int]]:
        """Return the places and cycles, or steps, that rules read at a step."""
        ends, lag = self._ends(learning), self.circuit.projection(learning.projection).lag
        named = {(r.place, r.cycle or 0) for rule in rules for r in rule.certificate.readings if r.place in ends}
        if not learning.each_step:
            return named
        return {(place, step - k - (lag if place is Place.PRE else 0)) for place, k in named}

    def _ticks_read(self, learning: Plasticity, rules: Iterable[LocalRule], step: int) -> list[int | None]:
        ends = self._ends(learning)
        read = self._read_at(learning, rules, step)
        return [self.fires(ends[place], cycle) for place, cycle in read if cycle >= 0]

    def _cone(self, learning: Plasticity, rules: Iterable[LocalRule], step: int) -> Cone | None:
        """Return when what rules read at a step can have changed, and of which neurons; None: it cannot."""
        rules, ends = tuple(rules), self._ends(learning)
        readings, ticks = self._read_at(learning, rules, step), self._ticks_read(learning, rules, step)
        touched = {place: [self.signals[s] for s in self._read(readings, place, ends)] for place in ends}
        if not any(touched.values()) or (learning.each_step and None in ticks):
            return None
        known = [tick for tick in ticks if tick is not None]
        posts = touched[Place.POST] + touched.get(Place.THIRD, [])
        return max(known), _neurons(posts), _neurons(touched[Place.PRE])

    def _read(self, readings: set[tuple[Place, int]], place: Place, ends: Mapping[Place, str]) -> Iterator[Signal]:
        for where, cycle in sorted(readings, key=str):
            signal = (ends[where], "O", cycle)
            if where is place and signal in self.signals:
                yield signal


def _first(cones: list[Cone]) -> Cone | None:
    """Return the earliest tick of several cones and the neurons of all; None: there is none."""
    if not cones:
        return None
    return min(tick for tick, _, _ in cones), _either(p for _, p, _ in cones), _either(p for _, _, p in cones)


def _either(sets: Iterable[frozenset[int] | None]) -> frozenset[int] | None:
    """Return the union of sets of neurons; None: all neurons."""
    found = list(sets)
    return None if None in found else frozenset().union(*(s for s in found if s is not None))


def _union(spreads: list[Spread]) -> frozenset[int] | None:
    """Return the neurons of several spreads together; None: all neurons."""
    return _either(spread.neurons for spread in spreads)


def _neurons(spreads: list[Spread]) -> frozenset[int] | None:
    return _union(spreads) if spreads else frozenset()
