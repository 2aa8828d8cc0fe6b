"""What follows from what: the consequences of each event, and a presentation run through the event queue.

Pure: no arrays. Run without computing anything it yields the events of a schedule; with kernels, a presentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from circuitsim import phases
from circuitsim.errors import ScheduleError
from circuitsim.events import Event, EventQueue
from circuitsim.graph import RECIRCULATES, Circuit, Population
from circuitsim.phases.plasticity import readings

Key = tuple[str, str, int | None]
FIRING = (phases.FORWARD, phases.RECIRCULATION, phases.FEEDBACK)


@dataclass(frozen=True)
class Protocol:
    """What one presentation consists of.

    Parameters
    ----------
    cycles : number of recirculation cycles after the forward pass, >= 0.
    learn : whether the circuit's plasticity takes part.
    readouts : further quantities that must be there at the end, as (population, quantity, cycle).
    window : how long neurons remember, in ticks; None: as long as the rules need.
    """

    cycles: int = 0
    learn: bool = True
    readouts: tuple[Key, ...] = ()
    window: int | None = None


class Causality:
    """The consequences of events, one presentation at a time: who waits for whom, and what fires when all is there."""

    def __init__(self, circuit: Circuit, protocol: Protocol) -> None:
        self.circuit, self.protocol = circuit, protocol
        self._waiting: dict[tuple[str, int], set[tuple[str, str, int]]] = {}
        self._learning = {
            p.projection: {(key[0], key[2]) for _, _, key in readings(circuit, p) if key[1] == "O"}
            for p in (circuit.plasticity if protocol.learn else ())
        }

    def start(self) -> Event:
        """The event that begins a presentation: the input is clamped."""
        return Event(0, phases.FORWARD, self.circuit.index[self.circuit.inputs], 0)

    def consequences(self, event: Event) -> list[Event]:
        """The events that follow from one that has just happened."""
        subject = phases.subject(self.circuit, event)
        if event.phase == phases.DELIVERY:
            target = self.circuit.projections[event.which].target
            return self._arrived(event.tick, target, event.detail, ("projection", subject, event.detail))
        if event.phase not in FIRING:
            return []
        return [
            *self._emitted(event, subject),
            *self._exchanged(event, subject),
            *self._learned(event, subject),
        ]

    def stuck(self) -> dict[tuple[str, int], set[tuple[str, str, int]]]:
        """The populations that wait for something that has not come."""
        return {who: what for who, what in self._waiting.items() if what}

    def unlearned(self) -> dict[str, set[tuple[str, int | None]]]:
        """The projections whose rules wait for an activity that has not come."""
        return {name: missing for name, missing in self._learning.items() if missing}

    def _emitted(self, event: Event, subject: str) -> Iterable[Event]:
        for q in self.circuit.outgoing[subject]:
            if self._cycles(q.target, event.detail):
                yield Event(event.tick + q.delay, phases.DELIVERY, self.circuit.index[q.name], event.detail)

    def _exchanged(self, event: Event, subject: str) -> Iterable[Event]:
        for x in self.circuit.exchanges:
            if x.source == subject:
                cycle = event.detail + 1 if x.carries in RECIRCULATES else event.detail
                if self._cycles(x.target, cycle):
                    cause = (x.carries.value, subject, cycle)
                    yield from self._arrived(event.tick, x.target, cycle, cause)

    def _learned(self, event: Event, subject: str) -> Iterable[Event]:
        for name, missing in self._learning.items():
            if (subject, event.detail) in missing:
                missing.discard((subject, event.detail))
                if not missing:
                    yield Event(event.tick, phases.PLASTICITY, self.circuit.index[name])

    def _arrived(self, tick: int, target: str, cycle: int, cause: tuple[str, str, int]) -> list[Event]:
        missing = self._waiting.setdefault((target, cycle), self._causes(target, cycle))
        missing.discard(cause)
        if missing:
            return []
        population = self.circuit.population(target)
        return [Event(tick, _firing_phase(population, cycle), self.circuit.index[target], cycle)]

    def _cycles(self, target: str, cycle: int) -> bool:
        """Whether a population takes part in a cycle: error neurons only in the first, nobody beyond the protocol's."""
        return cycle == 0 if self.circuit.population(target).feedback else cycle <= self.protocol.cycles

    def _causes(self, target: str, cycle: int) -> set[tuple[str, str, int]]:
        exchanges = [x for x in self.circuit.exchanges if x.target == target]
        if cycle == 0:
            exchanges = [x for x in exchanges if x.carries not in RECIRCULATES]
        return {
            *(("projection", q.name, cycle) for q in self.circuit.incoming[target]),
            *((x.carries.value, x.source, cycle) for x in exchanges),
        }


def _firing_phase(population: Population, cycle: int) -> int:
    if population.feedback:
        return phases.FEEDBACK
    return phases.RECIRCULATION if population.mixes and cycle else phases.FORWARD


def unroll(
    circuit: Circuit,
    protocol: Protocol,
    execute: Callable[[Event], None] = lambda event: None,
    order: Callable[[list[Event]], Sequence[Event]] = lambda events: events,
) -> list[Event]:
    """Run the event queue through one presentation up to its last rule, without updates.

    Parameters
    ----------
    execute : called with each event as it is popped; by default nothing is computed.
    order : the order in which simultaneous consequences are pushed; it cannot matter, and a test shuffles it.
    """
    _check_order(circuit, protocol)
    causality, queue = Causality(circuit, protocol), EventQueue()
    queue.push(causality.start())
    happened: list[Event] = []
    while queue:
        for event in queue.pop_simultaneous():
            execute(event)
            happened.append(event)
            for consequence in order(causality.consequences(event)):
                queue.push(consequence)
    _check_complete(circuit, protocol, causality, happened)
    return happened


def _check_order(circuit: Circuit, protocol: Protocol) -> None:
    """Within a tick and phase the lower index fires first: a source that fires in its target's phase must have it."""
    for x in circuit.exchanges:
        later = circuit.index[x.source] > circuit.index[x.target]
        if x.carries in RECIRCULATES and later and protocol.cycles > 1 and circuit.population(x.source).mixes:
            raise ScheduleError(
                f"exchange {x.source} -> {x.target}",
                got=f"a mixing source, listed after its target, and {protocol.cycles} recirculation cycles",
                expected="a source that fires before its target within the tick",
                remedy=f"List {x.source} before {x.target}, or let it hand on its activity unmixed (mixes=False).",
            )


def _check_complete(circuit: Circuit, protocol: Protocol, causality: Causality, happened: list[Event]) -> None:
    fired = {phases.subject(circuit, e) for e in happened if e.phase in FIRING and e.detail == 0}
    for p in circuit.populations:
        if p.name not in fired:
            waits = sorted(f"{kind} {name}" for kind, name, _ in causality.stuck().get((p.name, 0), set()))
            raise ScheduleError(
                f"population {p.name}",
                got="no firing in cycle 0" + (f": it waits for {', '.join(waits)}" if waits else ""),
                expected="inputs that all arrive in the forward pass",
                remedy="Close loops with a recirculating exchange, not with a projection.",
            )
    for name, missing in causality.unlearned().items():
        (population, cycle) = sorted(missing, key=str)[0]
        raise ScheduleError(
            f"rule of projection {name}",
            got=f"a reading of {population} at cycle {cycle}, which never happens",
            expected=f"cycles 0 to {protocol.cycles} (0 for error neurons)",
            remedy="Recirculate more often, or let the rule read an earlier cycle.",
        )
