"""When things happen: the windows that a circuit's delays give, and the events with which a presentation begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuitsim.asynchrony.loop import FIRE, RETURN, SHIFT, UPDATE, WINDOW
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
    """When windows begin, in ticks from a presentation's start.

    Parameters
    ----------
    due : when each population's inputs of cycle 0 are complete, patience included. cycle : what one takes round the
        loop. hold : how many of them the first window lasts. cycles : recirculation cycles.
    """

    due: tuple[int, ...]
    cycle: int
    hold: int
    cycles: int

    def begin(self, population: int, cycle: int) -> int:
        """The tick at which window `cycle` of a population begins; that of cycles + 1 ends the last."""
        return self.due[population] + (self.cycle * (self.hold + cycle - 1) if cycle else 0)

    @property
    def duration(self) -> int:
        """Ticks from the start of a presentation to the end of the last window."""
        return max(self.due) + self.cycle * (self.hold + self.cycles)


def rhythm(circuit: Circuit, protocol: Protocol, timing: Timing) -> Rhythm:
    """The windows that follow from the delays: they begin when the same circuit, if it kept time, would fire.

    A cycle lasts from a population's first firing to its second, and layer 0 waits for layer L as patiently as others
    for their inputs; without a loop, until the last population has fired.
    """
    slower = replace(
        circuit, projections=tuple(replace(q, delay=q.delay + timing.patience) for q in circuit.projections)
    )
    fired = {(e.which, e.detail): e.tick for e in unroll(slower, protocol) if e.phase in FIRING}
    due = tuple(fired[p, 0] for p in range(len(circuit.populations)))
    loop = max((fired[p, 1] - due[p] for p in range(len(due)) if (p, 1) in fired), default=max(due))
    return Rhythm(due, loop + timing.patience, timing.hold, protocol.cycles)


class Clock:
    """What is certain to happen in a presentation, made once, and what is drawn anew for each.

    Parameters
    ----------
    first : each population's first neuron. seed : of the times that are drawn.
    """

    def __init__(self, circuit: Circuit, protocol: Protocol, timing: Timing, first: Sequence[int], seed: int) -> None:
        self.rhythm = rhythm(circuit, protocol, timing)
        self._timing, self._seed, self._circuit = timing, seed, circuit
        learning = dict.fromkeys(circuit.projection(name).target for name in circuit.rules)
        neurons = {p.name: begin + np.arange(p.size) for p, begin in zip(circuit.populations, first, strict=True)}
        self._learning = {name: neurons[name] for name in learning}
        self._parts = {p.name: self._ticks(p.name, neurons[p.name]) for p in circuit.populations}
        windows = self._windows()
        self._fixed = tuple(np.concatenate(part) for part in zip(windows, *self._parts.values(), strict=True))
        self._count = len(windows[0])

    def presentation(self, tick: int) -> Events:
        """The windows, and the ticks of all neurons, of a presentation that starts at a tick."""
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
        """When each neuron's synapses apply what the presentation from `tick` to `end` has them propose."""
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

    def _windows(self) -> Events:
        """The beginnings of all populations' windows, and the ends of the last."""
        found = [
            (self.rhythm.begin(p, cycle), (WINDOW << SHIFT) | p, cycle)
            for p in range(len(self._circuit.populations))
            for cycle in range(self.rhythm.cycles + 2)
        ]
        ticks, orders, details = np.array(found, np.int64).T
        return ticks, orders, details

    def _ticks(self, name: str, neurons: np.ndarray) -> Events:
        """A population's ticks, evenly spaced in each window; clamped neurons have but one in the first."""
        p, clamped = self._circuit.index[name], name in self._circuit.clamped
        lasting = self.rhythm.cycle - self._timing.patience  # then the next cycle's signals may come
        nominal = []
        for cycle in range(self.rhythm.cycles + 1):
            count = self._timing.ticks * (1 if cycle else self._timing.hold)
            spaced = [k * lasting // self._timing.ticks for k in range(count)]
            nominal += [self.rhythm.begin(p, cycle) + tick for tick in (spaced if cycle or not clamped else [0])]
        phase = RETURN if clamped or self._circuit.exchanged(name, *RECIRCULATES) else FIRE
        orders = np.tile((phase << SHIFT) | neurons, len(nominal))
        # ticks of one neuron that coincide must differ, or the order of their keys would not be one
        return np.repeat(nominal, len(neurons)), orders, np.repeat(np.arange(len(nominal)), len(neurons))
