"""Intervention on one element at a time: the slow twin of group testing, with a permitted set of its own.

Every element that an event makes is tested alone: its few permitted pieces are held, all else changes. It shares with
the audit the recording of a presentation, the search for what made the difference, and the names of findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from circuitsim import Circuit, Simulator, phases
from circuitsim.analysis.audits.leaks import Leak, Reader, findings
from circuitsim.analysis.audits.memory import Draw, same_bits
from circuitsim.analysis.audits.permitted import Element
from circuitsim.analysis.audits.recording import Recording, recordings
from circuitsim.analysis.audits.trials import leaks
from circuitsim.circuit.norms import Online
from circuitsim.circuit.parts import Carries
from circuitsim.circuit.weights import Tied, Transposed

Piece = tuple[tuple[str, str, int | None], tuple[Any, ...]]
ALL = slice(None)
X, Y, SHOWN = (("data", name, None) for name in ("x", "y", "rows"))


def verdict(simulator: Simulator, rows: np.ndarray, seed: int = 0) -> set[tuple[str, str]]:
    """Kinds and projections of the findings about single events."""
    found: set[tuple[str, str]] = set()
    with recordings(simulator, rows, np.random.default_rng(seed)) as recorded:
        for recording in recorded:
            drawn = recording.memory.draw(Draw.ORDINARY)
            for k, before in product(range(len(recording.entries)), (None, drawn)):
                known = set[int]()
                for element in elements(recording, k):
                    found |= _Alone(recording, k, element, before or recording.at[k]).findings(known)
    return found


def elements(recording: Recording, k: int) -> Iterator[Element]:
    """Every element that an entry makes."""
    circuit, event = recording.circuit, recording.entries[k].event
    subject, batch = recording.subject(k), recording.part.rows.shape[-1]
    shape = (recording.replicas, batch)
    if event.phase == phases.DELIVERY:
        q = circuit.projection(subject)
        for r, b, i in np.ndindex(*shape, circuit.population(q.target).size):
            yield Element("arrival", subject, r, (i,), (), b)
    elif event.phase in (*phases.FIRING, phases.RETENTION):
        for r, b, i in np.ndindex(*shape, circuit.population(subject).size):
            yield Element("neuron", subject, r, (i,), (), b)
    elif event.phase == phases.BOUND:
        for r, i in np.ndindex(recording.replicas, circuit.population(subject).size):
            yield Element("neuron", subject, r, (i,), ())
    else:
        for quantity in ("weight", "bias"):
            array = recording.arrays.get((subject, quantity, None))
            for r, *index in () if array is None else np.ndindex(*array.shape):
                yield Element("synapse", subject, r, tuple(index), ())


@dataclass(frozen=True)
class _Alone:
    """One element of an event, tested alone."""

    recording: Recording
    k: int
    element: Element
    before: Any

    def findings(self, known: set[int]) -> set[tuple[str, str]]:
        memory, outside = self.recording.memory, [b for b in self.recording.memory.everything if b not in known]
        if not self.differs(dict.fromkeys(outside)):
            return set()
        found: set[tuple[str, str]] = set()
        for leak in list(leaks(self.recording, self.differs, dict.fromkeys(outside))) or [Leak(None)]:
            known.update(outside if leak.key is None else [memory.of[leak.key]])
            reader = Reader(self.recording.entries[self.k], self.named, self.recording.written[self.k],
                            self.recording.later(self.k))  # fmt: skip
            found |= {(f.kind, f.projection) for f in findings(self.recording.circuit, reader, leak)}
        return found

    @property
    def named(self) -> Element:
        """The element with its neurons, as the names of findings need it."""
        e, circuit = self.element, self.recording.circuit
        if e.kind == "neuron":
            return Element(e.kind, e.owner, e.replica, e.index, ((site(circuit, e.owner), e.index[0]),), e.example)
        q = circuit.projection(e.owner)
        ends = [(site(circuit, q.target), e.index[0])]
        if e.kind == "arrival":
            ends += [(site(circuit, q.source), j) for j in range(circuit.population(q.source).size)]
        elif len(e.index) > 1:
            ends.append((site(circuit, q.source), e.index[1]))
        return Element(e.kind, e.owner, e.replica, e.index, tuple(ends), e.example)

    def differs(self, where: Any) -> bool:
        memory, step = self.recording.memory, self.recording.part.bare[self.k]
        memory.load(self.before)
        step()
        expected = [np.array(memory.blocks[memory.of[key]][index]) for key, index in self.made()]
        memory.load(self.before)
        pieces = list(self.permitted())
        for block, positions in where.items():
            values = memory.drawn(block, Draw.ORDINARY, self.before[block])
            if positions is None:
                memory.blocks[block][...] = values
            else:
                memory.blocks[block].flat[positions] = values.flat[positions]
        for key, index in pieces:
            memory.blocks[memory.of[key]][index] = self.before[memory.of[key]][index]
        step()
        return not all(
            same_bits(a, np.array(memory.blocks[memory.of[key]][index]))
            for a, (key, index) in zip(expected, self.made(), strict=True)
        )

    def made(self) -> list[Piece]:
        """The element in every array that the event makes."""
        e, keys = self.element, self.recording.made[self.k]
        rows = {key: min(e.replica, len(self.recording.arrays[key]) - 1) for key in keys}
        if e.kind == "synapse":
            return [piece for piece in self.own() if piece[0] in keys]
        if e.kind == "arrival":
            key = self.recording.circuit.projection(e.owner).target, "S", self.recording.entries[self.k].event.detail
            return [(key, (rows[key], e.example, e.index[0]))] if key in keys else []
        if e.example is not None:
            return [(k, (rows[k], e.example, e.index[0])) for k in keys if k[0] == e.owner and k[2] is not None]
        owned = [q.name for q in self.recording.circuit.incoming[e.owner]]
        return [(k, (e.replica, e.index[0])) for k in keys if k[0] in owned and k[1] in ("weight", "bias")]

    def own(self) -> list[Piece]:
        e = self.element
        names = ("weight", "increment", "velocity", "pending", "mask")
        names = names if len(e.index) > 1 else ("bias", "bias_increment", "bias_velocity", "bias_pending")
        keys: list[Any] = [(e.owner, name, None) for name in names]
        return [(key, (e.replica, *e.index)) for key in keys if key in self.recording.arrays]

    def permitted(self) -> Iterator[Piece]:
        e, circuit, arrays = self.element, self.recording.circuit, self.recording.arrays
        for key, array in arrays.items():  # parameters
            if key[2] is None and array.ndim == 1 and key[0] not in ("data", "circuit"):
                yield key, (e.replica,)
        if e.kind == "synapse":
            yield from self.own()
            q = circuit.projection(e.owner)
            for end, number in zip((q.target, q.source), e.index, strict=False):
                yield from self.at_site(end, ALL, number, window=True)
                if site(circuit, end) == site(circuit, circuit.inputs):
                    yield X, (ALL, number)
        elif e.kind == "arrival":
            q, cycle = circuit.projection(e.owner), self.recording.entries[self.k].event.detail
            emitted = (q.source, "E" if cycle and circuit.population(q.source).mixes else "O", cycle)
            for key, index in ((emitted, (ALL,)), ((q.target, "S", cycle), e.index)):
                if key in self.recording.ticks(self.k, window=False):
                    yield key, (min(e.replica, len(arrays[key]) - 1), e.example, *index)
            yield from self.synapses(q)
        else:
            yield from self.at_site(e.owner, ALL if e.example is None else e.example, e.index[0], window=False)
            yield from self.statistics()
            for q in circuit.incoming[e.owner]:
                yield from self.synapses(q)
            if e.owner in circuit.clamped and e.example is not None:
                place = min(e.replica, len(arrays[SHOWN]) - 1), e.example
                row = int(self.before[self.recording.memory.of[SHOWN]][place])
                yield SHOWN, place
                yield (X, (row, e.index[0])) if e.owner == circuit.inputs else (Y, (row,))

    def statistics(self) -> Iterator[Piece]:
        """A neuron's running statistics; with statistics of its own, also its activity in earlier examples."""
        e, circuit, arrays = self.element, self.recording.circuit, self.recording.arrays
        names = [e.owner, *(x.source for x in circuit.exchanged(e.owner, Carries.SLOPE))]
        normalises = [name for name in names if circuit.population(name).norm is not None]
        for name in normalises:
            for key, array in arrays.items():
                if key[0] == name and key[1] in ("mean", "variance", "error_mean", "error_scale"):
                    yield key, (e.replica, e.index[0] * array.shape[1] // circuit.population(name).size)
            if isinstance(circuit.population(name).norm, Online) and e.example is not None:
                for key in self.recording.ticks(self.k, window=False):
                    if key[0] in (e.owner, name):
                        row = min(e.replica, len(arrays[key]) - 1)
                        yield key, (row, slice(e.example + 1), e.index[0])

    def at_site(self, population: str, example: Any, number: int, *, window: bool) -> Iterator[Piece]:
        circuit, arrays = self.recording.circuit, self.recording.arrays
        for key in self.recording.ticks(self.k, window=window):
            if site(circuit, key[0]) == site(circuit, population):
                yield key, (min(self.element.replica, len(arrays[key]) - 1), example, number)

    def synapses(self, q: Any) -> Iterator[Piece]:
        circuit, place = self.recording.circuit, (self.element.replica, self.element.index[0])
        owner: str | None = q.name
        if isinstance(q.weights, Transposed):  # of a neuron's own gain, or of synapses in the other direction
            owner = q.weights.of if site(circuit, q.source) == site(circuit, q.target) else None
        elif isinstance(q.weights, Tied):
            other = circuit.projection(q.weights.to)
            same = all(circuit.colocated(*ends) for ends in ((q.source, other.source), (q.target, other.target)))
            owner = other.name if same else None
        keys: list[Any] = [(owner, "weight", None), (q.name, "bias", None), (owner, "mask", None)]
        for key in keys:
            if key in self.recording.arrays:
                yield key, place


def site(circuit: Circuit, population: str) -> str:
    return circuit.population(population).site
