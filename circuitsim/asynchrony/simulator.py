"""Simulator of neurons that keep their own time; examples are shown one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

import numpy as np

from circuitsim import kernels, phases
from circuitsim.asynchrony.clock import Clock, Rhythm
from circuitsim.asynchrony.coverage import check_window, refuse_uncovered
from circuitsim.asynchrony.healing import heal, needs_healing
from circuitsim.asynchrony.loop import process_events, push_all
from circuitsim.asynchrony.timing import Timing
from circuitsim.asynchrony.wiring import loop_arrays
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.inputs import taken_data
from circuitsim.engine.interrupts import Uninterrupted
from circuitsim.engine.parameters import Parameters
from circuitsim.engine.persistence import refuse_copy
from circuitsim.engine.state import State
from circuitsim.errors import CircuitError, Diverged
from circuitsim.events import Event
from circuitsim.locality import Key
from circuitsim.phases import plasticity
from circuitsim.phases.base import Binding
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import make_schedule


class AsynchronousSimulator:
    """A circuit of neurons that compute one by one and send changes along their outgoing synapses.

    Parameters
    ----------
    circuit, protocol, parameters, dtype : as for a `Simulator`; one replica.
    timing : irregularity of its time; the default computes the same as a `Simulator` with a batch of one.
    seed : seed of the weights, as for a `Simulator`, and of all random times.

    Raises
    ------
    CircuitError : the circuit has a part that this engine has no events for.

    Examples
    --------
    >>> from circuitsim.circuits.autoencoder import circular_autoencoder
    >>> circuit, protocol = circular_autoencoder([64, 16, 64], delay=10)
    >>> simulator = AsynchronousSimulator(circuit, protocol, Timing(jitter=3, patience=3), parameters={"lr": 0.05})
    >>> simulator.use(np.random.default_rng(0).random((100, 64)))
    >>> simulator.present(7)
    >>> simulator.remembered("layer1", 1).shape
    (16,)
    """

    def __init__(
        self,
        circuit: Circuit,
        protocol: Protocol,
        timing: Timing | None = None,
        *,
        seed: int = 0,
        dtype: Any = "float32",
        parameters: Parameters | None = None,
    ) -> None:
        self.circuit, self.protocol, self.timing, self.seed = circuit, protocol, timing or Timing(), seed
        self._state = State(circuit, seeds=[seed], dtype=dtype, parameters=parameters)
        refuse_uncovered(circuit, protocol, self.timing, self._state)
        make_schedule(circuit, replace(protocol, window=None))  # refuses rules that read cycles that do not happen
        self.arrays = loop_arrays(circuit, protocol, self.timing, self._state, seed)
        self._increment, self._bias_increment = np.zeros_like(self.arrays.weight), np.zeros_like(self.arrays.bias)
        self._first = self.arrays.populations["first"].tolist()
        self.clock = Clock(circuit, protocol, self.timing, self._first, seed)
        check_window(circuit, protocol, self.clock.rhythm)
        self._propose = [
            self._rule(name, place) for name, rules in circuit.rules.items() for place in range(len(rules))
        ]
        self._heap = np.empty((3, 1024), np.int64)
        self._size = 0
        neurons = np.arange(len(self.arrays.neurons))
        self._sources = np.concatenate([neurons[self.neurons(q.source)] for q in circuit.projections])
        self._room = max(1, max(len(found) for found in circuit.outgoing.values()))
        self._x = np.empty((0, circuit.population(circuit.inputs).size))
        self.tick = self.presentations = 0
        self._copy_weights()

    def use(self, x: np.ndarray) -> None:
        """Take the training examples (example, feature): finite numbers without a mask; they are copied."""
        self._x, _ = taken_data(self.circuit, x, None, self._state.dtype, labelled=False)

    def present(self, row: int, *, learn: bool = True) -> None:
        """Show one example and let the circuit learn from it.

        Signals, ticks and updates that are due after its end happen in later presentations.

        Parameters
        ----------
        row : the example's index. learn : whether the rules propose increments.

        Raises
        ------
        CircuitError : no such example. Diverged : an increment is not finite, and nothing was learned from this
            example; or a weight would not be, and stays as it was.
        """
        if not isinstance(row, (int, np.integer)) or not 0 <= row < len(self._x):
            raise CircuitError(
                f"row shown to circuit {self.circuit.name}",
                got=f"{row}, of {len(self._x)} examples in use",
                expected="the index of an existing example",
                remedy="Call use() with the examples first.",
            )
        with Uninterrupted():
            if needs_healing(self.arrays):
                self._size = heal(self.arrays, self._heap, self._size, self._sources)
            self.arrays.shown[:] = self._x[row]
            self._push(*self.clock.presentation(self.tick))
            end = self.tick + self.rhythm.duration
            try:
                self._run(end)
                if learn and self.protocol.learn:
                    self._learn(end)
            finally:  # its events have happened, even if nothing could be learned from them
                self.tick, self.presentations = end + 1, self.presentations + 1

    def settle(self) -> None:
        """Process all events that are under way, without showing a new example."""
        while self._size:
            last = int(self._heap[0, : self._size].max())
            with Uninterrupted():
                try:
                    self._run(last)
                finally:
                    self.tick = max(self.tick, last + 1)

    def remembered(self, population: str, cycle: int) -> np.ndarray:
        """Copy what the neurons remember of a cycle, (neuron,), which their synapses' rules read."""
        return self._stored(self.arrays.memory, population, cycle)

    def emitted(self, population: str, cycle: int) -> np.ndarray:
        """Copy what the neurons emitted at the end of a cycle's time slice, (neuron,)."""
        return self._stored(self.arrays.sent, population, cycle)

    @property
    def audit(self) -> dict[str, Any]:
        """Findings of locality from the declared wires alone, since no experiment is made on this simulator."""
        kinds = list(dict.fromkeys(wire.kind for wire in self.circuit.wires))
        text = (
            "Not audited by experiment: events of neurons that keep their own time are not taken apart. Declared "
            f"wires: {', '.join(kinds) or 'none'}. Audit the same circuit in a Simulator for a verdict."
        )
        return {"audited": False, "wires": kinds, "statement": text}

    @property
    def state(self) -> State:
        """State with the current weights; `load` changes them."""
        for name, tensor in self._state.writable().items():
            tensor[...] = self._part(name)
        return self._state

    def tensors(self) -> dict[str, np.ndarray]:
        """Copy the weights and biases by name, with a leading axis of one, as a `Simulator` has."""
        return {name: tensor.copy() for name, tensor in self.state.tensors().items()}

    def load(self, name: str, values: np.ndarray) -> None:
        """Replace a tensor; TensorError as for `State.load`."""
        with Uninterrupted():
            self.state.load(name, values)
            self._copy_weights()

    @property
    def rhythm(self) -> Rhythm:
        """Beginnings of a presentation's time slices."""
        return self.clock.rhythm

    @property
    def pending(self) -> int:
        """Number of events that are still to come."""
        return self._size

    def __reduce__(self) -> NoReturn:
        refuse_copy(self.circuit)

    def _stored(self, notes: np.ndarray, population: str, cycle: int) -> np.ndarray:
        known = [p.name for p in self.circuit.populations]
        if population not in known or not 0 <= cycle < len(notes):
            raise CircuitError(
                f"memory of {population} of cycle {cycle}",
                got="an unknown population or cycle",
                expected=f"one of {', '.join(known)}, and a cycle from 0 to {len(notes) - 1}",
                remedy="Correct it, or recirculate more often.",
            )
        found: np.ndarray = notes[cycle, self.neurons(population)].copy()
        return found

    def _copy_weights(self) -> None:
        """Copy the state's weights into the loop's arrays, and sum the neurons' inputs anew."""
        for name, tensor in self._state.tensors().items():
            self._part(name)[...] = tensor
        for q in self.circuit.projections:
            self.arrays.summed[self.neurons(q.target)] = 0
        for q, record in zip(self.circuit.projections, self.arrays.projections, strict=True):
            arrived = self.arrays.axons["arrived"][record["axon"] : record["axon"] + record["sources"]]
            self.arrays.summed[self.neurons(q.target)] += self._part(f"{q.name}.weight")[0] @ arrived

    def _part(self, tensor: str) -> np.ndarray:
        projection, _, quantity = tensor.rpartition(".")
        if quantity == "weight":
            return self._synapses(self.arrays.weight, projection)
        return self._biases(self.arrays.bias, projection)

    def _synapses(self, flat: np.ndarray, projection: str) -> np.ndarray:
        """Return a projection's part of an array by synapse as (1, post, pre), contiguous for each pre."""
        begin, pre = (int(self.arrays.projections[self.circuit.index[projection]][f]) for f in ("weight", "sources"))
        post = self.circuit.population(self.circuit.projection(projection).target).size
        return flat[begin : begin + pre * post].reshape(1, pre, post).transpose(0, 2, 1)

    def _biases(self, flat: np.ndarray, projection: str) -> np.ndarray:
        """Return a projection's part of an array by bias as (1, post)."""
        begin = int(self.arrays.projections[self.circuit.index[projection]]["bias"])
        post = self.circuit.population(self.circuit.projection(projection).target).size
        return flat[begin : begin + post].reshape(1, post)

    def neurons(self, population: str) -> slice:
        """Return the places of a population's neurons in `arrays`."""
        index = self.circuit.index[population]
        first = self._first[index]
        return slice(first, first + self.circuit.populations[index].size)

    def _push(self, ticks: np.ndarray, orders: np.ndarray, details: np.ndarray) -> None:
        needed = self._size + len(ticks) + self._room
        while needed > self._heap.shape[1]:
            self._grow()
        self._size = push_all(self._heap, self._size, ticks, orders, details)

    def _grow(self) -> None:
        self._heap = np.concatenate([self._heap, np.empty_like(self._heap)], axis=1)

    def _run(self, until: int) -> None:
        while True:
            self._size = process_events(self._heap, self._size, until, self._room, tuple(self.arrays))
            if not self._size or self._heap[0, 0] > until:
                break
            self._grow()
        if self.arrays.overflows[0]:
            self.arrays.overflows[0] = 0
            raise Diverged(
                f"an update in presentation {self.presentations} gave weights that are not finite. Lower lr.", replica=0
            )

    def _learn(self, end: int) -> None:
        """Compute the increments of rules from what neurons remember, and draw when each neuron applies them."""
        with np.errstate(over="ignore", invalid="ignore"):
            for propose in self._propose:
                propose()
        self.arrays.pending[...] += self._increment
        self.arrays.bias_pending[...] += self._bias_increment
        self._push(*self.clock.updates(self.tick, end))
        self._run(end)

    def _rule(self, projection: str, place: int) -> Callable[[], None]:
        """Bind a rule to the neurons' memories, as the plan of a presentation with a batch of one does."""
        event = Event(0, phases.PLASTICITY, self.circuit.index[projection], place)
        views: dict[Key, np.ndarray] = {("data", "rows", None): np.zeros((1, 1), np.int64)}
        for access in plasticity.accesses(self.circuit, event):
            owner, quantity, cycle = access.key
            if cycle is not None:
                views[access.key] = self.arrays.memory[cycle, self.neurons(owner)][None, None]
            elif quantity in ("weight", "bias"):
                views[access.key] = self._part(f"{owner}.{quantity}")
            elif quantity == "increment":
                views[access.key] = self._synapses(self._increment, owner)
            elif quantity == "bias_increment":
                views[access.key] = self._biases(self._bias_increment, owner)
            elif owner != "data":
                views[access.key] = self._state.parameter(owner, quantity)
        report, limit = partial(self._report, projection), np.full(1, np.inf)
        return plasticity.bind(
            Binding(self.circuit, event, kernels.backend("numba"), views, place == 0, report, limit, self._state.alive)
        )

    def _report(self, projection: str, increments: np.ndarray) -> None:
        if not np.isfinite(increments).all():
            raise Diverged(
                f"projection {projection}: plasticity in presentation {self.presentations} gave values that are not "
                "finite. Lower lr.",
                replica=0,
            )
