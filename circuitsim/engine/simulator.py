"""The loop: shows batches to a circuit by replaying its plan, or event by event through the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.divergence import Watch
from circuitsim.engine.evidence import Evidence
from circuitsim.engine.hooks import Hook
from circuitsim.engine.inputs import check_data, check_rows
from circuitsim.engine.pipeline import Pipeline
from circuitsim.engine.plan import Anatomy, Plan
from circuitsim.engine.state import Parameters, State
from circuitsim.errors import CircuitError
from circuitsim.events import Event, EventQueue
from circuitsim.kernels import backend as backend_module
from circuitsim.locality import Key
from circuitsim.timetable.causality import unroll
from circuitsim.timetable.protocol import Protocol, Updates
from circuitsim.timetable.schedule import Schedule, make_schedule, make_schedules

Order = Callable[[list[Event]], Sequence[Event]]
EVALUATION_NUMBERS = 400_000  # of the largest layer in one evaluation batch, all replicas together: fits a core's cache


class Simulator:
    """A circuit in time: its state, its queue, and the plan of a presentation.

    Parameters
    ----------
    circuit, protocol : what exists, and what one presentation consists of.
    batch : the most presentations shown together, >= 1.
    seeds : one for each replica; they draw the weights. dtype : float32 or float64. backend : numba, numpy or cupy.
    parameters : rates and coefficients, as in `State`.
    shared : all replicas are shown the same data, so `present` takes one row of indices, not one for each replica.
    on_divergence : "stop" raises Diverged at the first value that is not finite; "drop" leaves that replica as it
        was and goes on with the others.
    probes : quantities to keep, as (population, quantity, cycle): "O" activity, "E" emission, "slope". Read them with
        `probe`; they change no result.
    order : None replays the plan. A function makes every presentation go through the event queue, and is the order
        in which simultaneous events are inserted; no order can change a result.
    hooks : code of yours that runs between phases and may change weights; the audit watches it.
    evidence : record what every event reads and makes; see `evidence`.

    Examples
    --------
    >>> from circuits.autoencoder import circular_autoencoder
    >>> circuit, protocol = circular_autoencoder([64, 16, 64])
    >>> simulator = Simulator(circuit, protocol, batch=10, parameters={"lr": 0.1})
    >>> simulator.use(np.random.default_rng(0).random((100, 64)))
    >>> simulator.present(np.arange(10))
    >>> simulator.tensors()["A1.weight"].shape
    (1, 16, 64)
    """

    def __init__(
        self,
        circuit: Circuit,
        protocol: Protocol,
        *,
        batch: int,
        seeds: Sequence[int] = (0,),
        dtype: Any = "float32",
        backend: str = "numba",
        parameters: Parameters | None = None,
        shared: bool = True,
        on_divergence: str = "stop",
        probes: Sequence[Key] = (),
        order: Order | None = None,
        hooks: Sequence[Hook] = (),
        evidence: bool = False,
    ) -> None:
        self.circuit, self.batch, self.hooks = circuit, batch, tuple(hooks)
        self.evidence = Evidence() if evidence else None
        self._kernels, self._shared = backend_module(backend), shared
        self.state = State(circuit, seeds=seeds, dtype=dtype, parameters=parameters, to_host=self._kernels.to_host)
        self._watch, self._order = Watch(self.state, drop=on_divergence == "drop"), order
        self._data: tuple[np.ndarray, np.ndarray | None] | None = None
        self._probes = tuple(probes)
        self._enter(self._timed(protocol))
        self._row_sets = 1 if shared else len(seeds)
        self._observed: dict[tuple[Key, ...], Plan] = {}
        self._examples, self._last_batch = 0, batch
        self.presentations = 0
        self.queue = EventQueue()
        self.queue.push(Event(0, phases.FORWARD, circuit.index[circuit.inputs]))

    def enter(self, protocol: Protocol) -> None:
        """Go on with presentations of another kind: other groups learn, or they follow each other faster.

        Weights and velocities stay; what is under way leaves first, and what neurons remember is forgotten.
        """
        if self._probed(protocol) != self.protocol:
            schedules = self._timed(protocol)  # refused before anything changes
            self.drain()
            self._enter(schedules)

    def _probed(self, protocol: Protocol) -> Protocol:
        return replace(protocol, readouts=(*protocol.readouts, *self._probes))

    def _timed(self, protocol: Protocol) -> tuple[Schedule, ...]:
        """The timetables of a presentation and of each mirror mode."""
        schedules = make_schedules(self.circuit, self._probed(protocol))
        if protocol.interval is not None:
            self._check_overlapping(schedules[0].protocol)
        return schedules

    def _enter(self, schedules: tuple[Schedule, ...]) -> None:
        self.schedules, self.schedule, self.protocol = schedules, schedules[0], schedules[0].protocol
        first, *waves = schedules
        overlaps = self.protocol.interval is not None
        self._pipeline = Pipeline(lambda: self._lowered(first), first) if overlaps else None
        self._plans = self._pipeline.plans if self._pipeline else [self._lowered(first)]
        self._plan = self._plans[0]
        self._waves = [self._lowered(schedule) for schedule in waves]
        if self._data is not None:
            self._serve(*self._data)

    def _check_overlapping(self, protocol: Protocol) -> None:
        observed = {
            "mirror modes": self.circuit.mirrors,
            "an order of simultaneous events": self._order,
            "evidence": self.evidence is not None,
            "hooks": self.hooks,
            "probes": protocol.readouts,
            "updates by a coin": protocol.updates is Updates.EITHER,
        }
        for what in (name for name, asked in observed.items() if asked):
            raise CircuitError(
                f"presentations that overlap, one every {protocol.interval} ticks",
                got=what,
                expected="presentations alone",
                remedy=f"Leave {what} out, or let presentations follow each other: interval=None.",
            )

    def _lowered(self, schedule: Schedule) -> Plan:
        return Plan(
            schedule,
            self.state,
            self._kernels,
            capacity=self.batch,
            shared=self._shared,
            report=self._report,
            limit=lambda name: self._watch.limits[name],
            hooks=self.hooks,
            evidence=self.evidence,
        )

    def _serve(self, x: np.ndarray, y: np.ndarray | None) -> None:
        for plan in self._plans:
            plan.use(x, y)

    def use(self, x: np.ndarray, y: np.ndarray | None = None) -> None:
        """Take the training examples; those before that are under way leave first.

        Parameters
        ----------
        x : (example, feature), converted to the circuit's dtype where it differs.
        y : their classes, whole numbers from 0 (example,), for a circuit with labels.
        """
        check_data(self.circuit, x, y, labelled=bool(self.circuit.labels))
        if self._data is not None:
            self.drain()
        self._data = np.ascontiguousarray(x, self.state.dtype), None if y is None else np.ascontiguousarray(y)
        self._serve(*self._data)
        self._examples = len(x)

    def present(self, rows: Sequence[int] | np.ndarray) -> None:
        """Show one batch of examples and let the circuit learn from it.

        Parameters
        ----------
        rows : indices of examples, (batch,) or, where replicas see different data, (replica, batch).

        Raises
        ------
        CircuitError : a row that does not exist, or too many. Diverged : a value is not finite.
        """
        rows = np.asarray(rows)
        check_rows(self.circuit, rows, examples=self._examples, most=self.batch, sets=self._row_sets)
        self._last_batch = rows.shape[-1]
        self._from_now(lambda tick: self._presentation(tick, rows))

    def present_each(self, batches: np.ndarray) -> None:
        """Show batches one after the other: what `present` does with each, to the same bits, in less time.

        Parameters
        ----------
        batches : indices of examples, (presentation, batch) or, where replicas see different data, (presentation,
            replica, batch).

        Raises
        ------
        CircuitError : a row that does not exist, or too many. Diverged : a value is not finite; what was shown before
            has been learned.
        """
        batches = np.asarray(batches)
        check_rows(self.circuit, batches, examples=self._examples, most=self.batch, sets=self._row_sets, course=True)
        if self._pipeline or self._order or self._waves or not self._plan.repeats(batches.shape[-1]):
            for rows in batches:
                self.present(rows)
            return
        self._last_batch = batches.shape[-1]
        sets = batches if batches.ndim == 3 else batches[:, None]
        course = np.array(np.broadcast_to(sets, (len(batches), self._row_sets, self._last_batch)), np.int64, order="C")
        start, first = self.queue.pop(), self.presentations

        def reached(number: int) -> None:
            self.presentations = first + number

        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                self._plan.run_each(course, reached)
        finally:
            passed = (self.presentations - first) * self.schedule.duration
            self.queue.push(start._replace(tick=start.tick + passed))

    def _presentation(self, tick: int, rows: np.ndarray) -> int:
        if self._pipeline:
            self._pipeline.run(rows, self.presentations)
        elif self._order is None:
            self._plan.run(rows)
        else:
            self._through_queue(rows, self._order)
        ticks = self.schedule.duration + self._mirror(tick + self.schedule.duration, rows.shape[-1])
        self.presentations += 1
        return ticks

    def _interval(self) -> int:
        self._pipeline.advance()  # type: ignore[union-attr]
        return self.schedule.duration

    def _from_now(self, happen: Callable[[int], int]) -> None:
        """Let something happen that takes some ticks; where it breaks off, the next presentation starts when it did."""
        start, ticks = self.queue.pop(), 0
        self._begin(start.tick)
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # divergence is found by `_report`
                ticks = happen(start.tick)
        finally:
            self.queue.push(start._replace(tick=start.tick + ticks))

    def drain(self) -> None:
        """Let presentations that overlap come to their end; nothing enters. Does nothing where none is under way."""
        for _ in range(self._pipeline.left if self._pipeline else 0):
            self._from_now(lambda _: self._interval())

    def mirror(self, passes: int = 1) -> None:
        """Fire noise through every mirrored projection that many times, a full batch each, and let feedback learn."""
        self._from_now(lambda tick: self._mirror(tick, self.batch, passes))

    def _mirror(self, tick: int, batch: int, passes: int | None = None) -> int:
        """Run the waves of mirror mode and return how many ticks they took."""
        begin = tick
        for _ in range(self.protocol.passes if passes is None else passes):
            for plan in self._waves:
                self.state.set_clock(tick, self.presentations)
                if self.evidence is not None:
                    self.evidence.start = tick
                plan.run(np.zeros((1, batch), np.int64))  # noise belongs to no example
                tick += plan.schedule.duration
        return tick - begin

    def _begin(self, tick: int) -> None:
        self.state.set_clock(tick, self.presentations)
        if self.evidence is not None:
            self.evidence.begin(tick)

    @property
    def backend(self) -> str:
        """The name of the kernels that run."""
        return str(self._kernels.NAME)

    @property
    def tick(self) -> int:
        """The tick at which the next presentation starts."""
        return int(self.queue.pending()[0, 0])

    def outputs(self, x: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Pass examples forward without learning; yield them in slices with the output neurons' activity and logits.

        Both are (replica, example, unit), logits being the summed inputs, biases included. The next step overwrites
        them.
        """
        name = self.circuit.outputs
        for part, (fired, summed) in self.observe([(name, "O", 0), (name, "S", 0)], x):
            yield part, fired, summed

    def observe(
        self, keys: Sequence[Key], x: np.ndarray, y: np.ndarray | None = None
    ) -> Iterator[tuple[slice, list[np.ndarray]]]:
        """Show examples without learning; yield them in slices with what some quantities were.

        Parameters
        ----------
        keys : quantities, as (population, quantity, cycle); see `probes`.
        x, y : the examples, and their classes where what is observed depends on them.

        Returns
        -------
        For each slice one array for each key, (replica, example, neuron); the next step overwrites them.
        """
        plan = self._observing(tuple(keys))
        labelled = any(a.key == ("data", "y", None) for entry in plan.schedule.entries for a in entry.accesses)
        check_data(self.circuit, x, y, labelled=labelled)
        plan.use(np.ascontiguousarray(x, self.state.dtype), None if y is None else np.ascontiguousarray(y))
        size = plan.activity.capacity
        with np.errstate(over="ignore", invalid="ignore"):
            for begin in range(0, len(x), size):
                part = slice(begin, min(begin + size, len(x)))
                plan.run(np.arange(part.start, part.stop)[None])
                yield part, [plan.activity.left(key, part.stop - part.start) for key in keys]

    def probe(self, population: str, quantity: str = "O", cycle: int = 0) -> np.ndarray:
        """A copy of what the last presentation left of a probed quantity, (replica, batch, neuron)."""
        key = (population, quantity, cycle)
        if key not in self.protocol.readouts:
            raise CircuitError(
                f"probe {key}",
                got="a quantity that is not kept",
                expected=f"one of {sorted(map(str, self.protocol.readouts))}",
                remedy="Name it in Simulator(probes=...).",
            )
        return self._plan.activity.left(key, self._last_batch).copy()

    def anatomy(self, batch: int, mirror: int | None = None) -> Anatomy:
        """A presentation, or a wave of mirror mode, laid open for audits: its timetable, steps and all memory."""
        return (self._plan if mirror is None else self._waves[mirror]).anatomy(batch)

    def unbind(self) -> None:
        """Forget all bound steps, for audits: they are bound anew when next needed, and must do the same."""
        for plan in (*self._plans, *self._waves):
            plan.unbind()

    def tensors(self) -> dict[str, np.ndarray]:
        """The weights and biases themselves, by name, each with a leading replica axis.

        With cupy they are as they were when asked for: ask anew after each presentation, and before each change.
        """
        return self.state.tensors()

    def load(self, name: str, values: np.ndarray) -> None:
        """Replace a weight or bias tensor in place; without a replica axis every replica gets the same."""
        self.state.load(name, values)

    def set_rates(self, factor: float | np.ndarray, projections: Sequence[str] | None = None) -> None:
        """Let learning rates be their given values times a factor, one or one for each replica.

        Parameters
        ----------
        projections : those meant; None: all that learn.
        """
        self.state.scale_rates(factor, projections)
        self._watch.note_rates()

    def give(self, parameters: Mapping[tuple[str, str], Any]) -> None:
        """Replace rates, decays or bounds from now on, by (owner, quantity): one value, or one for each replica."""
        self.state.give(parameters)
        self._watch.note_rates()

    def snapshot(self) -> dict[str, np.ndarray]:
        """Weights, velocities, queue, counters and probes: all that `restore` needs to continue to the same bits."""
        return {
            **{f"state/{name}": array.copy() for name, array in self.state.persistent().items()},
            **{f"memory/{name}": array.copy() for name, array in self._memory()},
            **self._under_way(),
            "queue": self.queue.pending(),
            "presentations": np.array([self.presentations]),
        }

    def restore(self, snapshot: dict[str, np.ndarray]) -> None:
        """Go back to a snapshot of the same circuit."""
        for name, array in self.state.persistent().items():
            array[...] = snapshot[f"state/{name}"]
        for name, array in self._memory():
            array[...] = snapshot[f"memory/{name}"]
        if self._pipeline:
            for name, array in self.state.proposed().items():
                array[...] = snapshot[f"proposed/{name}"]
            self._pipeline.restore({n.removeprefix("under way/"): a for n, a in snapshot.items() if "under way/" in n})
        self.queue = EventQueue.restored(snapshot["queue"])
        self.presentations = int(snapshot["presentations"][0])

    def _under_way(self) -> dict[str, np.ndarray]:
        """Of presentations that overlap: what is in flight, and what was proposed and is not applied yet."""
        if self._pipeline is None:
            return {}
        found = {f"under way/{name}": array for name, array in self._pipeline.snapshot().items()}
        return found | {f"proposed/{name}": array.copy() for name, array in self.state.proposed().items()}

    def _memory(self) -> Iterator[tuple[str, np.ndarray]]:
        """What the last presentation left to be read out; the next one makes all else anew."""
        if self._pipeline is None:
            for key in self.protocol.readouts:
                yield ".".join(map(str, key)), self._plan.activity.left(key, self.batch)

    def _through_queue(self, rows: np.ndarray, order: Order) -> None:
        target, steps = self._plan.bound(rows.shape[-1])
        target[...] = rows
        left = {entry.event: step for entry, step in zip(self.schedule.entries, steps, strict=True)}
        unroll(self.circuit, self.protocol, lambda event: left.pop(event, _nothing)(), order)
        for step in left.values():  # updates after the last event, and bounds
            step()

    def _observing(self, keys: tuple[Key, ...]) -> Plan:
        """The plan of a presentation that teaches nothing and keeps what is asked for."""
        if keys not in self._observed:
            widest = max(p.size for p in self.circuit.populations)
            capacity = max(1, EVALUATION_NUMBERS // (widest * self.state.replicas))
            self._observed[keys] = Plan(
                make_schedule(self.circuit, Protocol(learn=False, readouts=keys)),
                self.state,
                self._kernels,
                capacity=capacity,
                shared=True,
                report=self._report,
                limit=lambda name: self._watch.limits[name],
            )
        return self._observed[keys]

    def _report(self, projection: str, event: Event, increments: np.ndarray) -> None:
        number = self._pipeline.number if self._pipeline else self.presentations
        self._watch.look(projection, event, increments, number)


def _nothing() -> None:
    """An event that the schedule dropped because nothing needs what it makes."""
