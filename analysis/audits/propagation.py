"""Predict when and how far a disturbance of one neuron can spread, from delays, exchanges and certificates alone.

The prediction uses neither the timetable nor the phases' declarations: `light_cone.py` tests them against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import TAKEN, Carries, Exchange, Plasticity, Population, Projection
from circuitsim.locality import Place
from circuitsim.timetable.protocol import Protocol

Signal = tuple[str, str, int]  # population, quantity (S, O or E), cycle
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

    def _incoming(self, p: Population, cycle: int) -> Iterator[Projection]:
        """Yield the projections that deliver in a cycle; only feedback projections deliver replaced activity."""
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
            elif p.replaced == (cycle > 0):
                yield x, cycle - 1 if p.replaced else cycle

    @cached_property
    def signals(self) -> dict[Signal, Spread]:
        """The spread of every signal that can change."""
        population, cycle, neuron = self.origin
        tick = self.fires(population, cycle)
        assert tick is not None, "the origin fires"
        start = Spread(tick, frozenset([neuron]))
        found: dict[Signal, Spread] = {(population, "O", cycle): start, (population, "E", cycle): start}
        before: dict[Signal, Spread] = {}
        while found != before:  # each pass extends the spread, and none reduces it
            before = dict(found)
            for p in self.circuit.populations:
                for c in range(max(self.protocol.cycles, p.replaced) + 1):
                    if self.fires(p.name, c) is not None and (p.name, c) != (population, cycle):
                        self._extend(p, c, found)
        return found

    def _extend(self, p: Population, cycle: int, found: dict[Signal, Spread]) -> None:
        for q in self._incoming(p, cycle):
            mixes = bool(cycle) and self.circuit.population(q.source).mixes
            if (q.source, "E" if mixes else "O", cycle) in found:
                arrived = (self.fires(q.source, cycle) or 0) + q.delay
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

    def increments(self, learning: Plasticity) -> tuple[int, frozenset[int] | None, frozenset[int] | None] | None:
        """Return when a rule's increments can first change, and of which post- and presynaptic neurons; None: never."""
        q = self.circuit.projection(learning.projection)
        ends = {Place.POST: learning.post or q.target, Place.PRE: learning.pre or q.source}
        # the presynaptic unit of a bias is always 1
        rules = (learning.rule, *((learning.bias_rule or learning.rule,) if q.bias else ()))
        readings = {(r.place, r.cycle) for rule in rules for r in rule.certificate.readings if r.place in ends}
        ticks = [self.fires(ends[place], cycle or 0) for place, cycle in readings]
        touched = {place: [self.signals[s] for s in self._read(readings, place, ends)] for place in ends}
        if not any(touched.values()):
            return None
        known = [tick for tick in ticks if tick is not None]
        return max(known), _neurons(touched[Place.POST]), _neurons(touched[Place.PRE])

    def _read(
        self, readings: set[tuple[Place, int | None]], place: Place, ends: Mapping[Place, str]
    ) -> Iterator[Signal]:
        for where, cycle in sorted(readings, key=str):
            signal = (ends[where], "O", cycle or 0)
            if where is place and signal in self.signals:
                yield signal


def _union(spreads: list[Spread]) -> frozenset[int] | None:
    """Return the neurons of several spreads together; None: all neurons."""
    sets = [spread.neurons for spread in spreads]
    return None if None in sets else frozenset().union(*(s for s in sets if s is not None))


def _neurons(spreads: list[Spread]) -> frozenset[int] | None:
    return _union(spreads) if spreads else frozenset()
