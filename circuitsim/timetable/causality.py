"""Generation of events: the consequences of each event, and a run of one presentation through the event queue.

Pure: no arrays. A run that computes nothing yields the events of a schedule; a run with kernels is a presentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, TAKEN, Carries, Exchange, Population
from circuitsim.errors import ScheduleError
from circuitsim.events import Event, EventQueue
from circuitsim.locality import BEFORE
from circuitsim.phases import FIRING, mirror, update
from circuitsim.phases.reading import readings
from circuitsim.timetable.clocked import ClockedEvents, check_clock, check_complete
from circuitsim.timetable.protocol import Learning, Protocol, Updates, active


class EventGenerator:
    """Generator of one presentation's events: it notes which inputs are missing and fires what is complete."""

    def __init__(self, circuit: Circuit, protocol: Protocol) -> None:
        self.circuit, self.protocol = circuit, protocol
        self._waiting: dict[tuple[str, int], set[tuple[str, str, int]]] = {}
        self._proposing = list(active(circuit, protocol))  # rules still to run
        self._learning = {
            learning: {(key[0], key[2]) for _, _, key in readings(circuit, p) if key[1] == "O" and key[2] != BEFORE}
            for learning, p in active(circuit, protocol).items()
        }

    def start(self) -> list[Event]:
        """Return the first events: input and labels are clamped; in mirror mode noise is fired.

        A rule that reads no activity runs at once.
        """
        ready = [(name, place) for (name, place), missing in self._learning.items() if not missing]
        learned = [Event(0, phases.PLASTICITY, self.circuit.index[name], place) for name, place in ready]
        if self.protocol.mirror:
            source = self.circuit.projection(self.protocol.mirror).source
            return [Event(0, phases.MIRROR, self.circuit.index[source], self._mirror(mirror.NOISE)), *learned]
        when = {self.circuit.labels: self.protocol.labelled}
        clamped = [
            Event(when.get(name, 0), phases.FORWARD, self.circuit.index[name], 0) for name in self.circuit.clamped
        ]
        return [*self._refreshed(), *clamped, *learned]

    def consequences(self, event: Event) -> list[Event]:
        """Return the events that follow from one that has just happened."""
        subject = phases.subject(self.circuit, event)
        if self.protocol.mirror:
            return self._mirrored(event, subject)
        if event.phase == phases.DELIVERY:
            target = self.circuit.projections[event.which].target
            return self._arrived(event.tick, target, event.detail, ("projection", subject, event.detail))
        if event.phase == phases.PLASTICITY:
            return self._applied(event, subject)
        if event.phase not in FIRING:
            return []
        return [
            *self._emitted(event, subject),
            *self._exchanged(event, subject),
            *self._replaced(event, subject),
            *self._learned(event, subject, event.detail),
        ]

    def _refreshed(self) -> list[Event]:
        """Return the events that copy or redraw weights; they precede a presentation that learns."""
        fresh = [q for q in self.circuit.projections if q.refreshed and self.protocol.learn]
        return [Event(0, phases.REFRESH, self.circuit.index[q.name]) for q in fresh]

    def _applied(self, event: Event, subject: str) -> list[Event]:
        """Return the update after the last of a projection's rules, unless all updates come at the end."""
        self._proposing.remove((subject, event.detail))
        if self.protocol.updates is Updates.LAST or any(name == subject for name, _ in self._proposing):
            return []
        detail = update.AT_ONCE if self.protocol.updates is Updates.EITHER else update.CERTAIN
        return [Event(event.tick, phases.UPDATE, event.which, detail)]

    def stuck(self) -> dict[tuple[str, int], set[tuple[str, str, int]]]:
        """Return the missing inputs of each population that still waits."""
        return {who: what for who, what in self._waiting.items() if what}

    def unlearned(self) -> dict[Learning, set[tuple[str, int | None]]]:
        """Return the missing activities of each rule that still waits."""
        return {name: missing for name, missing in self._learning.items() if missing}

    def _mirror(self, role: int) -> int:
        """Return the detail of an event in this projection's mirror mode."""
        names = [m.projection for m in self.circuit.mirrors]
        return 2 * names.index(self.protocol.mirror) + role

    def _mirrored(self, event: Event, subject: str) -> list[Event]:
        """Return the consequences in mirror mode: noise passes one projection, its target answers, the rules run."""
        q = self.circuit.projection(self.protocol.mirror)
        if event.phase == phases.DELIVERY:
            return [Event(event.tick, phases.MIRROR, self.circuit.index[q.target], self._mirror(mirror.ANSWER))]
        if event.phase != phases.MIRROR:
            return []
        learned = list(self._learned(event, subject, 0))
        if event.detail % 2 == mirror.NOISE:
            learned.append(Event(event.tick + q.delay, phases.DELIVERY, self.circuit.index[q.name], 0))
        return learned

    def _emitted(self, event: Event, subject: str) -> Iterable[Event]:
        replaced = event.phase == phases.REPLACEMENT
        for q in self.circuit.outgoing[subject]:
            if q.feedback == replaced and self._cycles(q.target, event.detail):
                yield Event(event.tick + q.delay, phases.DELIVERY, self.circuit.index[q.name], event.detail)

    def _exchanged(self, event: Event, subject: str) -> Iterable[Event]:
        for x in self.circuit.exchanges:
            if x.source == subject:
                cycle = event.detail
                if x.carries in RECIRCULATES:
                    cycle += x.period
                elif self.circuit.population(x.target).replaced:
                    cycle += 1
                taken = x.carries not in TAKEN or self.circuit.taken(x.target, cycle) is x
                if taken and self._cycles(x.target, cycle):
                    cause = (x.carries.value, subject, cycle)
                    yield from self._arrived(event.tick, x.target, cycle, cause)

    def _replaced(self, event: Event, subject: str) -> Iterable[Event]:
        """Yield the replacement in neurons that compare with a target, as soon as they have fired."""
        forward = event.phase == phases.FORWARD and self.circuit.population(subject).replaced
        if forward and self.circuit.exchanged(subject, Carries.TARGET):
            yield from self._arrived(event.tick, subject, 1, ("own", subject, 1))

    def _learned(self, event: Event, subject: str, cycle: int) -> Iterable[Event]:
        for (name, place), missing in self._learning.items():
            if (subject, cycle) in missing:
                missing.discard((subject, cycle))
                if not missing:
                    yield Event(event.tick, phases.PLASTICITY, self.circuit.index[name], place)

    def _arrived(self, tick: int, target: str, cycle: int, cause: tuple[str, str, int]) -> list[Event]:
        missing = self._waiting.setdefault((target, cycle), self._causes(target, cycle))
        missing.discard(cause)
        if missing:
            return []
        population = self.circuit.population(target)
        return [Event(tick, _firing_phase(population, cycle), self.circuit.index[target], cycle)]

    def _cycles(self, target: str, cycle: int) -> bool:
        """Return whether a population takes part in a cycle; error neurons take part in cycle 0 alone."""
        population = self.circuit.population(target)
        if population.replaced:
            return cycle <= 1
        return cycle == 0 if population.feedback else cycle <= self.protocol.cycles

    def _causes(self, target: str, cycle: int) -> set[tuple[str, str, int]]:
        exchanges = [x for x in self.circuit.exchanges if x.target == target]
        if self.circuit.population(target).replaced:
            return self._causes_replaced(target, cycle, exchanges)
        taken = self.circuit.taken(target, cycle)
        exchanges = [x for x in exchanges if x.carries not in TAKEN or x is taken]
        return {
            *(("projection", q.name, cycle) for q in self.circuit.incoming[target]),
            *((x.carries.value, x.source, cycle) for x in exchanges),
        }

    def _causes_replaced(self, target: str, cycle: int, exchanges: list[Exchange]) -> set[tuple[str, str, int]]:
        """Return forward projections in cycle 0; in cycle 1 feedback projections, or a target and the own O(0)."""
        found = {("projection", q.name, cycle) for q in self.circuit.incoming[target] if q.feedback == bool(cycle)}
        if cycle and exchanges:
            found |= {("own", target, cycle), *((x.carries.value, x.source, cycle) for x in exchanges)}
        return found


def _firing_phase(population: Population, cycle: int) -> int:
    if population.feedback:
        return phases.FEEDBACK
    if population.replaced and cycle:
        return phases.REPLACEMENT
    return phases.RECIRCULATION if population.mixes and cycle else phases.FORWARD


def unroll(
    circuit: Circuit,
    protocol: Protocol,
    execute: Callable[[Event], None] = lambda event: None,
    order: Callable[[list[Event]], Sequence[Event]] = lambda events: events,
) -> list[Event]:
    """Run one presentation through the event queue up to its last rule, without updates.

    Parameters
    ----------
    execute : called with each popped event; by default nothing is computed.
    order : the order in which simultaneous consequences are pushed; it changes no result.
    """
    check_clock(circuit, protocol)
    _check_norms(circuit, protocol)
    _check_order(circuit, protocol)
    generator, queue = _generator(circuit, protocol), EventQueue()
    for event in order(generator.start()):
        queue.push(event)
    happened: list[Event] = []
    while queue:
        current = queue.pop()
        execute(current)
        happened.append(current)
        for consequence in order(generator.consequences(current)):
            queue.push(consequence)
    if isinstance(generator, ClockedEvents):
        check_complete(circuit, generator, happened)
    else:
        _check_complete(circuit, protocol, generator, happened)
    return happened


def _generator(circuit: Circuit, protocol: Protocol) -> EventGenerator | ClockedEvents:
    return ClockedEvents(circuit, protocol) if protocol.clock else EventGenerator(circuit, protocol)


def _check_norms(circuit: Circuit, protocol: Protocol) -> None:
    """Raise ScheduleError for neurons that normalise and fire more than once: their statistics are of one firing."""
    p = next((p for p in circuit.populations if p.norm is not None), None)
    if p is not None and (protocol.clock or protocol.cycles):
        raise ScheduleError(
            f"norm of population {p.name}",
            got="steps of a clock" if protocol.clock else f"{protocol.cycles} recirculation cycles",
            expected="one firing in a presentation",
            remedy="Set norm=None, or use another protocol.",
        )


def _check_order(circuit: Circuit, protocol: Protocol) -> None:
    """Raise ScheduleError for a source listed after its target: within a tick and phase the lower index fires first."""
    for x in circuit.exchanges:
        if circuit.index[x.source] < circuit.index[x.target]:
            continue
        mixed = x.carries in RECIRCULATES and protocol.cycles > x.period and circuit.population(x.source).mixes
        if x.carries is Carries.INPUT or mixed:
            source = "mixing source" if mixed else "source"
            raise ScheduleError(
                f"exchange {x.source} -> {x.target}",
                got=f"a {source}, listed after its target, and {protocol.cycles} recirculation cycles",
                expected="a source that fires before its target within the tick",
                remedy=f"List {x.source} before {x.target}"
                + (", or let it hand on its activity unmixed (mixes=False)." if mixed else "."),
            )


def _check_complete(circuit: Circuit, protocol: Protocol, generator: EventGenerator, happened: list[Event]) -> None:
    fired = {phases.subject(circuit, e) for e in happened if e.phase in FIRING and e.detail == 0}
    for p in circuit.populations if not protocol.mirror else ():
        if p.name not in fired:
            waits = sorted(f"{kind} {name}" for kind, name, _ in generator.stuck().get((p.name, 0), set()))
            raise ScheduleError(
                f"population {p.name}",
                got="no firing in cycle 0" + (f": it waits for {', '.join(waits)}" if waits else ""),
                expected="inputs that all arrive in the forward pass",
                remedy="Close loops with a recirculating exchange, not with a projection.",
            )
    for (name, _), missing in generator.unlearned().items():
        (population, cycle) = sorted(missing, key=str)[0]
        raise ScheduleError(
            f"rule of projection {name}",
            got=f"a reading of {population} at cycle {cycle}, which never happens",
            expected=f"cycles 0 to {protocol.cycles} (0 for error neurons)",
            remedy="Recirculate more often, or let the rule read an earlier cycle.",
        )
