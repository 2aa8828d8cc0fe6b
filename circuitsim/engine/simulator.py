"""Simulator: shows batches of examples to a circuit, lets it learn, and reads what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from circuitsim.arrays import as_array
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.divergence import DivergenceMonitor
from circuitsim.engine.evidence import Evidence
from circuitsim.engine.hooks import Hook, check_hooks
from circuitsim.engine.inputs import check_rows, taken_data, whole
from circuitsim.engine.interrupts import Pace, Uninterrupted
from circuitsim.engine.observer import Observer
from circuitsim.engine.parameters import Parameters
from circuitsim.engine.persistence import Persistent
from circuitsim.engine.plan import BoundPlan, Plan
from circuitsim.engine.presenters import Order, check_overlapping, make_presenter
from circuitsim.engine.recording import Recording, check_recording, take_due, until_next
from circuitsim.engine.state import State
from circuitsim.engine.timeline import Timeline
from circuitsim.errors import CircuitsimError
from circuitsim.kernels import backend as backend_module
from circuitsim.locality import Key
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import Schedule, check_handover, make_schedules


class Simulator(Persistent):
    """A circuit in time: its state, its clock, and the plans of its presentations.

    Parameters
    ----------
    circuit, protocol : what exists, and what one presentation consists of.
    batch : the most examples shown together, >= 1.
    seeds : one for each replica; they draw the weights. dtype : float32 or float64. backend : numba, numpy or cupy.
    parameters : rates and coefficients, as in `State`.
    shared : whether all replicas are shown the same data; then `present` takes one set of indices for all.
    on_divergence : "stop" raises Diverged at the first value that is not finite; "drop" leaves that replica as it
        was and goes on with the others.
    probes : quantities to keep, as (population, quantity, cycle): "O" activity, "E" emission, "slope". `probe` reads
        them; they change no result.
    order : None replays the plan. A function makes every presentation go through the event queue; it returns the order
        in which simultaneous events are inserted. No order changes a result.
    hooks : user code that runs between phases and may change weights; the audit examines it.
    evidence : record in `evidence` what every event reads and makes.

    Attributes
    ----------
    schedules : the timetables of a presentation and of each mirror mode. plans, mirror_plans : their bound kernels.
    backend : the name of the kernels.
    examples : how many training examples are in use. last_batch : how many the last presentation showed.

    Examples
    --------
    >>> from circuitsim.circuits.autoencoder import circular_autoencoder
    >>> circuit, protocol = circular_autoencoder([64, 16, 64])
    >>> simulator = Simulator(circuit, protocol, batch=10, parameters={"lr": 0.1})
    >>> simulator.use(np.random.default_rng(0).random((100, 64)))
    >>> simulator.present(np.arange(10))
    >>> simulator.tensors()["A1.weight"].shape
    (1, 16, 64)
    """

    _data: tuple[np.ndarray, np.ndarray | None] | None = None  # examples in use, and their answers

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
        self.circuit, self.hooks = circuit, tuple(hooks)
        self.batch = whole(f"batch of circuit {circuit.name}", batch, 1)
        self.evidence = Evidence() if evidence else None
        kernels = backend_module(backend)
        self.backend = str(kernels.NAME)
        self.state = State(
            circuit, seeds=seeds, dtype=dtype, batch=self.batch, parameters=parameters, to_host=kernels.to_host
        )
        self._probes, self._order, self._row_sets = tuple(probes), order, 1 if shared else self.state.replicas
        self.monitor = DivergenceMonitor(
            self.state,
            on_divergence=on_divergence,
            presentation=lambda: self._presenter.presentation(self._time.current),
        )
        lasting = self.state, kernels, self.monitor
        self.observer = Observer(*lasting)
        self._make_plan = partial(
            Plan, *lasting, capacity=self.batch, shared=shared, hooks=self.hooks, evidence=self.evidence
        )
        self._time, self._pace = Timeline(self.state, self.evidence), Pace()
        self.examples, self.last_batch = 0, self.batch
        self.recordings: list[Recording] = []  # under way
        self._set_schedules(self._make_schedules(protocol))

    def __repr__(self) -> str:
        counts = f"replicas: {self.state.replicas}, presentations: {self.presentations}"
        return f"<Simulator of {self.circuit.name}, {self.backend}, {counts}>"

    def change_protocol(self, protocol: Protocol) -> None:
        """Go on with another protocol once presentations under way have ended; weights and velocities stay."""
        if self._with_probes(protocol) != self.protocol:
            schedules = self._make_schedules(protocol)  # refused before anything changes
            check_handover(self._shown, schedules[0])
            self.acts.note("change_protocol", repr(protocol))
            self.drain()
            self._set_schedules(schedules)

    def _with_probes(self, protocol: Protocol) -> Protocol:
        return replace(protocol, readouts=(*protocol.readouts, *self._probes))

    def _make_schedules(self, protocol: Protocol) -> tuple[Schedule, ...]:
        schedules = make_schedules(self.circuit, self._with_probes(protocol))
        asked = {"an order of simultaneous events": self._order, "evidence": self.evidence, "hooks": self.hooks}
        check_overlapping(schedules[0], asked)
        check_hooks(self.hooks, schedules)
        return schedules

    def _set_schedules(self, schedules: tuple[Schedule, ...]) -> None:
        self.schedules, self.schedule, self.protocol = schedules, schedules[0], schedules[0].protocol
        self.observer.clock = self.protocol.clock
        self._presenter = make_presenter(self.schedule, self._make_plan, self._order)
        self.plans = self._presenter.plans
        self.mirror_plans = self._time.heard([self._make_plan(schedule) for schedule in schedules[1:]])
        if self._data is not None:
            self.share(*self._data)

    def use(self, x: np.ndarray, y: np.ndarray | None = None) -> None:
        """Take the training examples; presentations of earlier ones that are under way end first.

        Parameters
        ----------
        x : (example, feature), copied in the circuit's dtype; finite numbers without a mask.
        y : for a circuit with labels: classes, whole numbers from 0 (example,), or real targets (example, target).
        """
        data = taken_data(self.circuit, x, y, self.state.dtype, labelled=bool(self.circuit.labels))
        self.acts.refuse("use")
        if self._data is not None:
            self.drain()
        self.share(*data)

    def share(self, x: np.ndarray, y: np.ndarray | None) -> None:
        """Take examples as they are, unchecked and not copied: for audits alone."""
        with Uninterrupted():
            self._data, self.examples = (x, y), len(x)
            for plan in self.plans:
                plan.use(x, y)

    def present(self, rows: Sequence[int] | np.ndarray) -> None:
        """Show one batch of examples and let the circuit learn from it.

        Parameters
        ----------
        rows : indices of examples, (batch,) or, where replicas see different data, (replica, batch).

        Raises
        ------
        CircuitError : a row that does not exist, or too many. Diverged : a value is not finite.
        """
        rows = as_array(rows)
        check_rows(self.circuit, rows, examples=self.examples, most=self.batch, sets=self._row_sets)
        self._present(rows[None])

    def present_each(self, batches: np.ndarray) -> None:
        """Show a batch sequence: the same bits as `present` with each batch, in less time.

        Parameters
        ----------
        batches : indices of examples, (presentation, batch) or, where replicas see different data, (presentation,
            replica, batch).

        Raises
        ------
        CircuitError : a row that does not exist, or too many. Diverged : a value is not finite; the circuit has
            learned from all presentations before.
        """
        batches = as_array(batches)
        check_rows(self.circuit, batches, examples=self.examples, most=self.batch, sets=self._row_sets, sequence=True)
        self._present(batches)

    def _present(self, batches: np.ndarray) -> None:
        """Show batches, several at once where nothing comes between them; interrupts wait for the end of these."""
        self._check_open("present")
        size, shown = batches.shape[-1], 0
        self.last_batch = size
        while shown < len(batches):
            repeats = not self.mirror_plans and self._presenter.repeats(size)
            count = until_next(self.recordings, self.presentations, self._pace.count if repeats else 1)
            part = batches[shown : shown + count]
            ended = partial(self._ended, self.presentations, self.tick, size)
            begin = perf_counter()
            with Uninterrupted(self._undo()), self._time.running():
                self._presenter.present(part, self.presentations, ended)
            self._pace.note(len(part), perf_counter() - begin)
            shown += len(part)
            take_due(self.recordings, self.presentations, part[-1], self.tensors, self.probe)

    def record(self, owner: str, quantity: str = "O", *, cycle: int = 0, every: int = 1) -> Recording:
        """Keep a quantity after every k-th presentation from now on; this changes no result.

        Parameters
        ----------
        owner : a population, or for weights and biases a projection.
        quantity : "O" activity, "E" emission, "S" summed input, "slope"; "weight", "bias". cycle : of an activity.
        every : presentations between two values, >= 1.

        Returns
        -------
        A `Recording`, which grows: `values`, `rows` (the examples shown), `dataset()` for xarray.
        """
        made = Recording(owner, quantity, cycle, whole(f"every of a recording of {owner}", every, 1))
        check_recording(made, self.tensors(), self.protocol)
        if made.key is not None and made.key not in self._probes:
            plain = tuple(key for key in self.protocol.readouts if key not in self._probes)
            before, self._probes = self._probes, (*self._probes, made.key)
            try:
                self.change_protocol(replace(self.protocol, readouts=plain))
            except CircuitsimError:
                self._probes = before
                raise
        self.recordings.append(made)
        return made

    def _ended(self, first: int, start: int, batch: int, number: int) -> None:
        """Count the presentations that have ended since the first, let their time pass, and run mirror mode."""
        self._time.presentations, self._time.tick = first + number, start + number * self.schedule.duration
        self._shown = self.schedule
        self._time.mirror(self.mirror_plans, batch, self.protocol.passes, first)

    def _undo(self) -> Callable[[], None] | None:
        """Return a function that takes back a presentation in which a hook raises an exception."""
        return partial(self.restore, self.snapshot()) if self.hooks else None

    def drain(self) -> None:
        """Finish presentations that overlap; none enters meanwhile."""
        while self._presenter.under_way:
            with Uninterrupted(self._undo()), self._time.running():
                self._presenter.advance()
                self._time.tick += self.schedule.duration

    def mirror(self, passes: int = 1) -> None:
        """Fire noise through every mirrored projection, a full batch in each pass, and let feedback learn."""
        count = whole(f"passes of mirror mode of circuit {self.circuit.name}", passes, 0)
        self._check_open("mirror")
        with self._time.running():
            for _ in range(count):
                with Uninterrupted(self._undo()):
                    self._time.mirror(self.mirror_plans, self.batch, 1, self.presentations)

    def outputs(self, x: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Pass examples forward without learning; yield slices with the output neurons' activity and logits.

        Both are (replica, example, unit); logits are summed inputs, biases included.
        """
        name, last = self.circuit.outputs, self.protocol.last
        for part, (fired, summed) in self.observe([(name, "O", last), (name, "S", last)], x):
            yield part, fired, summed

    def observe(
        self, keys: Sequence[Key], x: np.ndarray, y: np.ndarray | None = None
    ) -> Iterator[tuple[slice, list[np.ndarray]]]:
        """Show examples without learning; yield slices with an array (replica, example, neuron) for each key.

        Parameters
        ----------
        keys : quantities, as (population, quantity, cycle); see `probes`.
        x, y : the examples, and their classes where a quantity depends on them.
        """
        return self.observer.observe(keys, x, y)

    def probe(self, population: str, quantity: str = "O", cycle: int = 0) -> np.ndarray:
        """Copy a probed quantity of the last presentation, (replica, batch, neuron)."""
        return self.plans[0].readout((population, quantity, cycle), self.last_batch).copy()

    def bound_plan(self, batch: int, mirror: int | None = None) -> BoundPlan:
        """Return the timetable, steps and memory of a presentation, or of a wave of mirror mode, for audits."""
        return (self.plans[0] if mirror is None else self.mirror_plans[mirror]).opened(batch)

    def unbind(self) -> None:
        """Forget all bound steps, for audits: they are bound anew when next needed, and must do the same."""
        for plan in (*self.plans, *self.mirror_plans):
            plan.unbind()
