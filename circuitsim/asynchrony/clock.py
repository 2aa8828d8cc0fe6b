"""The clock: the time slices that follow from a circuit's delays, and the events with which a presentation begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuitsim.asynchrony.loop import FIRE, RETURN, SHIFT, SLICE, UPDATE
from circuitsim.asynchrony.timing import Timing
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES
from circuitsim.phases import FIRING
from circuitsim.randomness import generator
from circuitsim.timetable.causality import unroll
from circuitsim.timetable.protocol import Protocol

Events = tuple[np.ndarray, np.ndarray, np.ndarray]  # ticks, orders, details


@dataclass(frozen=True)
class Rhythm:
    """Beginnings of the time slices, in ticks from a presentation's start.

    Parameters
    ----------
    due : tick at which each population's inputs of cycle 0 are complete, patience included. cycle : ticks of a cycle
        round the loop. hold : cycles that the first time slice lasts. cycles : recirculation cycles.
    """

    due: tuple[int, ...]
    cycle: int
    hold: int
    cycles: int

    def begin(self, population: int, cycle: int) -> int:
        """Return the tick at which a population's time slice of a cycle begins; that of cycles + 1 ends the last."""
        return self.due[population] + (self.cycle * (self.hold + cycle - 1) if cycle else 0)

    @property
    def duration(self) -> int:
        """Ticks from the start of a presentation to the end of the last time slice."""
        return max(self.due) + self.cycle * (self.hold + self.cycles)


def rhythm(circuit: Circuit, protocol: Protocol, timing: Timing) -> Rhythm:
    """Derive the time slices from the delays: they begin when the circuit would fire if all its neurons kept time.

    A cycle lasts from a population's first firing to its second, and layer 0 waits for layer L as long as others wait
    for their inputs. Without a loop a cycle lasts until the last population has fired.
    """
    slower = replace(
        circuit, projections=tuple(replace(q, delay=q.delay + timing.patience) for q in circuit.projections)
    )
    fired = {(e.which, e.detail): e.tick for e in unroll(slower, protocol) if e.phase in FIRING}
    due = tuple(fired[p, 0] for p in range(len(circuit.populations)))
    loop = max((fired[p, 1] - due[p] for p in range(len(due)) if (p, 1) in fired), default=max(due))
    return Rhythm(due, loop + timing.patience, timing.hold, protocol.cycles)


class Clock:
    """The events of a presentation: those without jitter made once, random times drawn anew for each.

    Parameters
    ----------
    first : each population's first neuron. seed : seed of random times.
    """

    def __init__(self, circuit: Circuit, protocol: Protocol, timing: Timing, first: Sequence[int], seed: int) -> None:
        self.rhythm = rhythm(circuit, protocol, timing)
        self._timing, self._seed, self._circuit = timing, seed, circuit
        learning = dict.fromkeys(circuit.projection(name).target for name in circuit.rules)
        neurons = {p.name: begin + np.arange(p.size) for p, begin in zip(circuit.populations, first, strict=True)}
        self._learning = {name: neurons[name] for name in learning}
        self._parts = {p.name: self._ticks(p.name, neurons[p.name]) for p in circuit.populations}
        slices = self._slices()
        self._fixed = tuple(np.concatenate(part) for part in zip(slices, *self._parts.values(), strict=True))
        self._count = len(slices[0])

    def presentation(self, tick: int) -> Events:
        """Return the time slices and all neurons' ticks of a presentation that starts at a tick."""
        ticks, orders, details = self._fixed
        ticks = ticks + tick
        if self._timing.jitter:
            begin = self._count
            for name, (nominal, *_) in self._parts.items():
                drawn = generator(self._seed, f"jitter of {name}", tick)
                late = drawn.integers(0, self._timing.jitter + 1, len(nominal))
                if name in self._circuit.clamped:
                    late[: self._circuit.population(name).size] = 0
                ticks[begin : begin + len(nominal)] += late
                begin += len(nominal)
        return ticks, orders, details

    def updates(self, tick: int, end: int) -> Events:
        """Return the updates of the neurons that learn from the presentation that lasts from `tick` to `end`."""
        neurons = np.concatenate(list(self._learning.values())) if self._learning else np.zeros(0, np.int64)
        ticks = np.full(len(neurons), end)
        if self._timing.updates:
            ticks += np.concatenate(
                [
                    generator(self._seed, f"updates of {name}", tick).integers(0, self._timing.updates + 1, len(own))
                    for name, own in self._learning.items()
                ]
            )
        return ticks, (UPDATE << SHIFT) | neurons, np.full(len(neurons), tick)

    def _slices(self) -> Events:
        """Return the beginnings of all populations' time slices, and the ends of the last."""
        found = [
            (self.rhythm.begin(p, cycle), (SLICE << SHIFT) | p, cycle)
            for p in range(len(self._circuit.populations))
            for cycle in range(self.rhythm.cycles + 2)
        ]
        ticks, orders, details = np.array(found, np.int64).T
        return ticks, orders, details

    def _ticks(self, name: str, neurons: np.ndarray) -> Events:
        """Return a population's ticks, evenly spaced in each time slice; clamped neurons have one in the first."""
        p, clamped = self._circuit.index[name], name in self._circuit.clamped
        span = self.rhythm.cycle - self._timing.patience  # then the next cycle's signals may come
        nominal = []
        for cycle in range(self.rhythm.cycles + 1):
            count = self._timing.ticks * (1 if cycle else self._timing.hold)
            spaced = [k * span // self._timing.ticks for k in range(count)]
            nominal += [self.rhythm.begin(p, cycle) + tick for tick in (spaced if cycle or not clamped else [0])]
        phase = RETURN if clamped or self._circuit.exchanged(name, *RECIRCULATES) else FIRE
        orders = np.tile((phase << SHIFT) | neurons, len(nominal))
        # the detail tells coinciding ticks of one neuron apart: equal keys would have no order
        return np.repeat(nominal, len(neurons)), orders, np.repeat(np.arange(len(nominal)), len(neurons))
