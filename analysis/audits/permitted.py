"""The permitted set: all that a synapse, an arriving signal or a neuron may depend on, by the definition of locality.

It follows from the circuit alone; phases' declarations and kernels are tested against it.

- A synapse i <- j may depend on itself and on the neurons at the sites of i and j (Baldi & Sadowski 2018, eqs. 13-15).
- An arriving signal may depend on its own synapses and on what its presynaptic neurons emitted in its example.
- A neuron may depend on its incoming synapses and on what its site holds in its example.

All may depend on parameters. Everything else is forbidden: other replicas, other examples (except to a synapse, whose
update sums over them), and memory older than the window or not yet written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuitsim import phases
from circuitsim.analysis.audits.memory import Array, Index, Piece
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection
from circuitsim.circuit.weights import Transposed
from circuitsim.events import Event
from circuitsim.locality import Key
from circuitsim.phases import FIRING
from circuitsim.timetable.schedule import Entry

ALL = slice(None)
HELD = ("S", "O", "E", "slope")
SYNAPTIC = {
    "weight": ("weight", "increment", "velocity", "pending", "mask"),
    "bias": ("bias", "bias_increment", "bias_velocity", "bias_pending"),
}
Arrays = Mapping[Key, Array]
Ticks = Mapping[Key, int]  # when each activity of this presentation was last written


@dataclass(frozen=True)
class Synapse:
    """Synapse of a projection in one replica, from neuron `pre` to neuron `post`; `pre` None: the bias of `post`."""

    projection: str
    replica: int
    post: int
    pre: int | None = None

    def permitted(self, circuit: Circuit, arrays: Arrays, held: Ticks) -> list[Piece]:
        """Return the memory that it may depend on, apart from itself."""
        pieces: list[Piece] = []
        for site, neuron in self.neurons(circuit):
            pieces += [(k, (_of(arrays[k], self.replica), ALL, neuron)) for k in held if _site(circuit, k) == site]
            if circuit.population(circuit.inputs).site == site and _X in arrays:
                pieces.append((_X, (ALL, neuron)))
        return pieces

    def own(self, arrays: Arrays) -> list[Piece]:
        """Return its own weight, increment, velocity, pending increment and mask."""
        quantities, index = SYNAPTIC["bias"], (self.replica, self.post)
        if self.pre is not None:
            quantities, index = SYNAPTIC["weight"], (*index, self.pre)  # type: ignore[assignment]
        keys = [(self.projection, quantity, None) for quantity in quantities]
        return [(key, index) for key in keys if key in arrays]

    def made(self, circuit: Circuit, arrays: Arrays, key: Key) -> Index | None:
        """Return its index in an array that a step made; None where it has none."""
        return dict(self.own(arrays)).get(key)

    def neurons(self, circuit: Circuit) -> list[tuple[str, int]]:
        """Return its postsynaptic and presynaptic neuron, as site and number."""
        q = circuit.projection(self.projection)
        ends = [(circuit.population(q.target).site, self.post)]
        return ends if self.pre is None else [*ends, (circuit.population(q.source).site, self.pre)]


@dataclass(frozen=True)
class Arrival:
    """Signal that arrives over a projection at one neuron, in one cycle of one example."""

    projection: str
    replica: int
    example: int
    post: int
    cycle: int

    def permitted(self, circuit: Circuit, arrays: Arrays, held: Ticks) -> list[Piece]:
        """Return the memory that it may depend on: its synapses, what was emitted, what arrived before."""
        q = circuit.projection(self.projection)
        mixes = bool(self.cycle) and circuit.population(q.source).mixes
        emitted, arriving = (q.source, "E" if mixes else "O", self.cycle), (q.target, "S", self.cycle)
        pieces: list[Piece] = []
        if emitted in held:
            pieces.append((emitted, (_of(arrays[emitted], self.replica), self.example, ALL)))
        if arriving in held:
            pieces.append((arriving, (_of(arrays[arriving], self.replica), self.example, self.post)))
        return pieces + incoming_synapses(circuit, arrays, q, self.replica, self.post)

    def made(self, circuit: Circuit, arrays: Arrays, key: Key) -> Index | None:
        """Return its index in an array that a step made; None where it has none."""
        mine = key == (circuit.projection(self.projection).target, "S", self.cycle)
        return (_of(arrays[key], self.replica), self.example, self.post) if mine else None

    def neurons(self, circuit: Circuit) -> list[tuple[str, int]]:
        """Return the neuron at which it arrives, as site and number."""
        return [(circuit.population(circuit.projection(self.projection).target).site, self.post)]


@dataclass(frozen=True)
class Neuron:
    """Neuron of one replica in one example; `example` None: in all, as the owner of its incoming synapses."""

    population: str
    replica: int
    post: int
    example: int | None = None

    def permitted(self, circuit: Circuit, arrays: Arrays, held: Ticks) -> list[Piece]:
        """Return the memory that it may depend on: its site's, its incoming synapses, and what it is clamped to."""
        example: int | slice = ALL if self.example is None else self.example
        ((site, _),) = self.neurons(circuit)
        pieces: list[Piece] = [
            (k, (_of(arrays[k], self.replica), example, self.post)) for k in held if _site(circuit, k) == site
        ]
        for q in circuit.incoming[self.population]:
            pieces += incoming_synapses(circuit, arrays, q, self.replica, self.post)
        if self.population in circuit.clamped and self.example is not None and _ROWS in arrays:
            pieces += self._clamped_to(circuit, arrays, self.example)
        return pieces

    def _clamped_to(self, circuit: Circuit, arrays: Arrays, example: int) -> list[Piece]:
        shown = (_of(arrays[_ROWS], self.replica), example)
        row = int(arrays[_ROWS][shown])
        value: Piece = (_X, (row, self.post)) if self.population == circuit.inputs else (_Y, (row,))
        return [(_ROWS, shown), value]

    def made(self, circuit: Circuit, arrays: Arrays, key: Key) -> Index | None:
        """Return its index in an array that a step made; None where it has none."""
        owner, quantity, cycle = key
        if cycle is not None:
            if owner != self.population or self.example is None:
                return None
            return _of(arrays[key], self.replica), self.example, self.post
        own = self.example is None and quantity in ("weight", "bias")
        return (self.replica, self.post) if own and owner in _names(circuit.incoming[self.population]) else None

    def neurons(self, circuit: Circuit) -> list[tuple[str, int]]:
        """Return itself, as site and number."""
        return [(circuit.population(self.population).site, self.post)]


Element = Synapse | Arrival | Neuron
_X, _Y, _ROWS = (("data", name, None) for name in ("x", "y", "rows"))


def incoming_synapses(circuit: Circuit, arrays: Arrays, q: Projection, replica: int, post: int) -> list[Piece]:
    """Return a neuron's own synapses of a projection: weights and bias; none where the weights are another's."""
    owner = physical(circuit, q)
    keys: list[Key] = [(name, "weight", None) for name in (owner,) if name]
    if q.bias:
        keys.append((q.name, "bias", None))
    keys += [(name, "mask", None) for name in (owner,) if name]
    return [(key, (replica, post)) for key in keys if key in arrays]


def physical(circuit: Circuit, q: Projection) -> str | None:
    """Return the projection whose synapses q uses physically: itself, or one between the same sites."""
    if isinstance(q.weights, Transposed):
        return None  # a synapse in the other direction is another one
    if q.tied_to is None:
        return q.name
    origin = circuit.projection(q.tied_to)
    ends = ((q.source, origin.source), (q.target, origin.target))
    return origin.name if all(circuit.population(a).site == circuit.population(b).site for a, b in ends) else None


def given(arrays: Arrays, replica: int) -> list[Piece]:
    """Return the parameters of a replica, on which everything in it may depend."""
    return [(k, (replica,)) for k, a in arrays.items() if k[2] is None and a.ndim == 1 and k[0] not in _GIVEN]


def written(circuit: Circuit, arrays: Arrays, entries: Sequence[Entry]) -> list[dict[Key, int]]:
    """Return when each activity of this presentation was written, before each entry and after the last."""
    ticks: list[dict[Key, int]] = [{}]
    for entry in entries:
        fresh = {key: entry.event.tick for key in _written_by(circuit, entry.event) if key in arrays}
        ticks.append({**ticks[-1], **fresh})
    return ticks


_GIVEN = ("data", "circuit")


def _written_by(circuit: Circuit, event: Event) -> list[Key]:
    if event.phase == phases.DELIVERY:
        return [(circuit.projections[event.which].target, "S", event.detail)]
    if event.phase not in FIRING:
        return []
    cycle = 0 if event.phase == phases.MIRROR else event.detail
    return [(circuit.populations[event.which].name, quantity, cycle) for quantity in HELD]


def _of(array: Array, replica: int) -> int:
    """Return the row of a replica; an array that is the same for all has one."""
    return min(replica, len(array) - 1)


def _site(circuit: Circuit, key: Key) -> str:
    return circuit.population(key[0]).site


def _names(projections: Sequence[Projection]) -> list[str]:
    return [q.name for q in projections]
