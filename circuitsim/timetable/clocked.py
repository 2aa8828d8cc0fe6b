"""Events of a clocked presentation: every population fires at each step, as soon as all of that step has arrived.

A projection hands the signal of step t to the target's step t + lag. Errors run over the steps backwards: feedback
neurons fire at the steps that an error reaches, latest first. Pure: no arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import COMPARED, Carries, Combine, Projection
from circuitsim.errors import ScheduleError
from circuitsim.events import Event
from circuitsim.locality import Key, Reading
from circuitsim.phases import FIRING
from circuitsim.phases.reading import learning_of, missed, readings, step_of, traces_of
from circuitsim.timetable.protocol import Clock, Protocol, active

Cause = tuple[str, str]  # a projection or the value of an exchange, and its name or source; all of one step
Site = tuple[str, int]  # a population and a step


RuleEvent = tuple[int, str, int]  # the phase, the projection, and the detail of the event


class ClockedEvents:
    """Generator of one clocked presentation's events: it notes which inputs are missing and fires what is complete.

    Parameters
    ----------
    circuit : the populations and projections. protocol : has a clock.
    """

    def __init__(self, circuit: Circuit, protocol: Protocol) -> None:
        assert protocol.clock is not None
        self.circuit, self.protocol, self._clock = circuit, protocol, protocol.clock
        self._sources: dict[Site, frozenset[Cause] | None] = {}
        self._open: set[Site] = set()
        self._waiting: dict[Site, set[Cause]] = {}
        for step in reversed(range(protocol.clock.steps)):  # errors come from later steps: these are known first
            for p in circuit.populations:
                self.causes(p.name, step)
        self._learning = dict(self._rules())

    def start(self) -> list[Event]:
        """Return what no other event causes: inputs, labels, neurons to which nothing comes, rules without memory."""
        found = [
            Event(0, phases.REFRESH, self.circuit.index[q.name])
            for q in self.circuit.projections
            if q.refreshed and self.protocol.learn
        ]
        for p in self.circuit.populations:
            steps = [t for t in range(self._clock.steps) if self.causes(p.name, t) == frozenset()]
            found += [self._fires(0, p.name, t) for t in steps]
        return found + [self._learns(0, *rule) for rule, left in self._learning.items() if not left]

    def consequences(self, event: Event) -> list[Event]:
        """Return the events that follow from one that has just happened."""
        subject, step = phases.subject(self.circuit, event), event.detail
        if event.phase == phases.DELIVERY:
            target = self.circuit.projections[event.which].target
            return self._arrived(event.tick, (target, step), ("projection", subject))
        if event.phase == phases.TRACE:
            return list(self._learned(event.tick, (_trace(subject), step_of(self.circuit, event))))
        if event.phase not in FIRING:
            return []
        found = []
        for q in self.circuit.outgoing[subject]:
            if ("projection", q.name) in (self.causes(q.target, step + q.lag) or ()):
                found.append(Event(event.tick + q.delay, phases.DELIVERY, self.circuit.index[q.name], step + q.lag))
        for x in self.circuit.exchanges:
            if x.source == subject and (x.carries.value, subject) in (self.causes(x.target, step) or ()):
                found += self._arrived(event.tick, (x.target, step), (x.carries.value, subject))
        return [*found, *self._learned(event.tick, (subject, step))]

    def stuck(self) -> dict[Site, set[Cause]]:
        """Return the missing inputs of each population and step that still waits."""
        return {site: missing for site, missing in self._waiting.items() if missing}

    def unlearned(self) -> dict[RuleEvent, set[Site]]:
        """Return the missing activities of each rule that still waits."""
        return {rule: missing for rule, missing in self._learning.items() if missing}

    def causes(self, name: str, step: int) -> frozenset[Cause] | None:
        """Return what a population waits for at a step; None where it does not fire."""
        site = name, step
        if site not in self._sources:
            if site in self._open:
                got = f"an error of step {step} that waits for itself"
                _refuse(f"population {name}", got, "errors that come from later steps", "Correct the lags.")
            self._open.add(site)
            self._sources[site] = self._found_causes(name, step)
        return self._sources[site]

    def _found_causes(self, name: str, step: int) -> frozenset[Cause] | None:
        if not 0 <= step < self._clock.steps:
            return None
        population, exchanges = self.circuit.population(name), [x for x in self.circuit.exchanges if x.target == name]
        compares = bool(self.circuit.exchanged(name, *COMPARED))
        if compares and step < self._clock.steps - self._clock.judged:
            return None
        arriving = [q for q in self.circuit.incoming[name] if self._reaches(q, step)]
        if population.combine is Combine.PRODUCT and len(arriving) < len(self.circuit.incoming[name]):
            arriving = []  # a factor of zero
        if population.feedback and not compares and not arriving:
            return None
        carried = [x for x in exchanges if self.causes(x.source, step) is not None]
        return frozenset([
            *(("projection", q.name) for q in arriving),
            *((x.carries.value, x.source) for x in carried),
        ])  # fmt: skip

    def _reaches(self, q: Projection, step: int) -> bool:
        """Return whether a projection brings a signal to its target's step."""
        source = step - q.lag
        if not self.circuit.population(q.source).feedback:
            return 0 <= source < self._clock.steps
        cut = self._clock.cut(min(source, step), max(source, step))
        return not cut and self.causes(q.source, source) is not None

    def _fires(self, tick: int, name: str, step: int) -> Event:
        """Return the firing of a population at a step: when all has arrived, forward neurons not before it begins."""
        population, index = self.circuit.population(name), self.circuit.index[name]
        if population.feedback:
            return Event(tick, phases.FEEDBACK, index, step)
        begins = step * self._clock.period + (self.protocol.labelled if name == self.circuit.labels else 0)
        shows = name != self.circuit.inputs or step < self._clock.visible
        return Event(max(tick, begins), phases.FORWARD if shows else phases.BLANK, index, step)

    def _arrived(self, tick: int, site: Site, cause: Cause) -> list[Event]:
        missing = self._waiting.setdefault(site, set(self.causes(*site) or ()))
        missing.discard(cause)
        return [] if missing else [self._fires(tick, *site)]

    def _rules(self) -> Iterator[tuple[RuleEvent, set[Site]]]:
        """Yield each rule and each trace, and each step at which it runs, with the activities that it reads."""
        for (name, place), learning in active(self.circuit, self.protocol).items():
            count = len(self.circuit.rules[name])
            for step in range(self._clock.steps) if learning.each_step else (0,):
                read = _sites(readings(self.circuit, learning, step))
                happens = all(self.causes(*site) is not None for site in read)
                if learning.trace:
                    traces = traces_of(self.circuit, learning)
                    yield (
                        (phases.TRACE, name, place + count * step),
                        _sites(readings(self.circuit, learning, step, traces)),
                    )
                    read.add((_trace(name), step))
                if not learning.each_step or (happens and not missed(self.circuit, learning, step)):
                    yield (phases.PLASTICITY, name, place + count * step), read

    def _learns(self, tick: int, phase: int, name: str, detail: int) -> Event:
        return Event(tick, phase, self.circuit.index[name], detail)

    def _learned(self, tick: int, site: Site) -> Iterator[Event]:
        for rule, missing in self._learning.items():
            if site in missing:
                missing.discard(site)
                if not missing:
                    yield self._learns(tick, *rule)


def _trace(name: str) -> str:
    """Return what a rule waits for that reads the trace of a projection's synapses."""
    return f"the trace of {name}"


def _sites(rows: Iterable[tuple[str, Reading, Key]]) -> set[Site]:
    """Return the populations and steps whose activity is read."""
    return {(key[0], int(key[2])) for _, _, key in rows if key[1] == "O" and key[2] is not None}


def check_clock(circuit: Circuit, protocol: Protocol) -> None:
    """Raise ScheduleError for a clock that is no clock, or that a circuit or the rest of a protocol does not fit."""
    clock, what = protocol.clock, f"protocol of circuit {circuit.name}"
    if clock is None:
        lagging = next((q for q in circuit.projections if q.lag), None)
        stepping = next((p for p in circuit.plasticity if p.each_step), None)
        if (lagging or stepping) and not protocol.mirror:
            part = f"projection {lagging.name} with lag={lagging.lag}" if lagging else "a rule with each_step=True"
            _refuse(what, f"{part}, and no clock", "steps", "Set Protocol(clock=Clock(steps=...)).")
        return
    _check_numbers(what, clock)
    others = {
        "recirculation cycles": protocol.cycles,
        "presentations that overlap": protocol.interval is not None,
        "mirror mode": bool(circuit.mirrors),
        "updates before its end": protocol.updates.value != "last",
        "an exchange of activities": any(x.carries in (Carries.INPUT, Carries.OUTPUT, Carries.ERROR)
                                         for x in circuit.exchanges),
        "feedback replacement": any(p.replaced for p in circuit.populations),
    }  # fmt: skip
    for other in (name for name, asked in others.items() if asked):
        _refuse(what, f"a clock and {other}", "one or the other", "Let every population fire at each step.")


def _check_numbers(what: str, clock: Clock) -> None:
    least = {"steps": 1, "shown": 1, "period": 1, "judged": 1, "truncated": 1}
    for name, value in ((name, getattr(clock, name)) for name in least):
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= least[name]
        most = clock.steps if name in ("shown", "judged") else None
        if not (fits and (most is None or value <= most)) and not (value is None and name in ("shown", "truncated")):
            upper = f" and <= steps={most}" if most is not None else ""
            _refuse(what, f"Clock({name}={value!r})", f"a whole number >= 1{upper}", "Correct the clock.")


def check_complete(circuit: Circuit, generator: ClockedEvents, happened: list[Event]) -> None:
    """Raise ScheduleError for a population that never fires at some step, or a rule that waits in vain."""
    fired = {(phases.subject(circuit, e), e.detail) for e in happened if e.phase in FIRING}
    lost = next((site for site in _expected(circuit, generator) if site not in fired), None)
    if lost:
        waits = sorted(f"{kind} {name}" for kind, name in generator.stuck().get(lost, set()))
        _refuse(
            f"population {lost[0]}",
            f"no firing at step {lost[1]}: it waits for {', '.join(waits) or 'itself'}",
            "loops that lead from one step to a later one",
            "Give a projection of the loop lag=1.",
        )
    _check_traces(circuit, happened)
    for (_, name, _), missing in generator.unlearned().items():
        population, step = sorted(missing)[0]
        _refuse(
            f"rule of projection {name}",
            f"a reading of {population} at step {step}, which never happens",
            "steps at which it fires",
            "Let the rule read other steps, or judge more of them.",
        )


def _check_traces(circuit: Circuit, happened: list[Event]) -> None:
    """Raise ScheduleError for a rule that runs when its trace is that of a later step already."""
    renewed: dict[tuple[int, int], int] = {}  # the tick of each projection's trace at each step
    for event in happened:
        name = circuit.projections[event.which].name if event.phase in (phases.TRACE, phases.PLASTICITY) else ""
        if event.phase == phases.TRACE:
            renewed[event.which, step_of(circuit, event)] = event.tick
        elif name and learning_of(circuit, event).trace:
            step = step_of(circuit, event)
            if (event.which, step + 1) in renewed:
                late = event.tick - renewed[event.which, step]
                _refuse(
                    f"rule of projection {name}",
                    f"its third factor of step {step} {late} ticks after the trace, which is that of a later step",
                    "a third factor that comes before the next step",
                    f"Set Clock(period={late + 1}) or more, or shorten the delays.",
                )


def _expected(circuit: Circuit, generator: ClockedEvents) -> Iterator[Site]:
    clock = generator.protocol.clock
    assert clock is not None
    for p in circuit.populations:
        for step in range(clock.steps):
            if not p.feedback or generator.causes(p.name, step) is not None:
                yield p.name, step


def _refuse(what: str, got: str, expected: str, remedy: str) -> None:
    raise ScheduleError(what, got=got, expected=expected, remedy=remedy)
