"""The backward slice of a presentation: the events behind a neuron's activity, and the values that they made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from circuitsim import phases
from circuitsim.analysis.tracing.dataflow import Segment, address_text, cycle_of
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Carries, Combine, Population, Projection
from circuitsim.circuit.weights import Transposed
from circuitsim.engine.evidence import Record
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import Key, Mode
from circuitsim.lowering.links import across, links

Neuron = int | None  # None: all of the population
NORMALISING = (phases.FORWARD, phases.RECIRCULATION)  # phases of a softmax; in mirror mode it answers with S
BackwardSlice = dict[int, dict[Neuron, set[Key]]]  # by record and neuron: the quantities needed


@dataclass(frozen=True)
class ExplainedEvent:
    """One row of an explanation: tick, phase, subject, a text and values by name. `cycle` is None but for activity."""

    tick: int
    phase: str
    subject: str
    cycle: int | None
    what: str
    values: Mapping[str, float]


class History:
    """One replica's arrays as the events of a segment found them, for one example or (None) the mean over all."""

    def __init__(self, simulator: Simulator, segment: Segment, replica: int, example: int | None) -> None:
        assert simulator.evidence is not None
        self.circuit, self.segment, self.replica, self._example = simulator.circuit, segment, replica, example
        self._all = simulator.evidence.records
        laid_open = simulator.bound_plan(segment.batch, segment.wave)
        self._given, rows = laid_open.arrays, laid_open.rows
        self.rows = None if segment.wave is not None else rows[min(replica, len(rows) - 1)].tolist()

    def seen(self, index: int, key: Key) -> np.ndarray | None:
        """Return an array as the segment's event of that index found it; None where there is none.

        Its shape is (neuron), that of the tensor, (batch, neuron) or ().
        """
        at = self.segment.first + index
        if key in self._all[at].before:
            return self._of_replica(self._all[at].before[key])
        for record in reversed(self._all[:at]):
            if key in record.made:
                return self._of_replica(record.made[key])
        for record in self._all[at:]:
            if key in record.before:
                return self._of_replica(record.before[key])
        return self._of_replica(self._given[key]) if key in self._given else None

    def made(self, index: int, key: Key) -> np.ndarray:
        """Return an array as an event left it."""
        return self._of_replica(self.segment.records[index].made[key])

    def number(self, array: np.ndarray, key: Key, neuron: int) -> float:
        """Return one neuron's value."""
        if key[1] == "bias":  # neurons of one channel may share it
            size = self.circuit.population(self.circuit.projection(key[0]).target).size
            return float(array.reshape(-1)[neuron * array.size // size])
        if key[2] is None:
            return float(array[neuron] if array.ndim else array)
        return float(self.examples(array)[:, neuron].mean(dtype=np.float64))

    def examples(self, array: np.ndarray) -> np.ndarray:
        """Return the activity of the chosen example, or of all, (example, neuron)."""
        return array if self._example is None else array[self._example : self._example + 1]

    def _of_replica(self, array: np.ndarray) -> np.ndarray:
        return np.asarray(array[min(self.replica, len(array) - 1)])


def backward_slice(segment: Segment, circuit: Circuit, readings: Iterable[tuple[int, Key, Neuron]]) -> BackwardSlice:
    """Follow readings back to the input.

    Parameters
    ----------
    readings : rows of (index of the record that reads, address, neuron).

    Returns
    -------
    For each record behind them, the neurons concerned and the quantities needed of them. A signal over synapses
    concerns all neurons of their source; colocated neurons share values one to one.
    """
    found: BackwardSlice = {}
    pending = list(readings)
    while pending:
        reader, key, neuron = pending.pop()
        for index in segment.sources[reader].get(key, ()):
            needed = found.setdefault(index, {}).setdefault(neuron, set())
            if not needed:
                read_of = _neurons_read(segment.records[index], circuit, neuron)
                pending += [(index, read, n) for read in segment.sources[index] for n in read_of]
            needed.add(key)
    return found


def described(history: History, needed: BackwardSlice) -> Iterator[tuple[int, ExplainedEvent]]:
    """Yield the events of a slice with the numbers of their records: of each, single neurons first, then all."""
    for index in sorted(needed):
        record = history.segment.records[index]
        describe = _delivered if record.event.phase == phases.DELIVERY else _fired
        for neuron in sorted(needed[index], key=lambda n: (n is None, n)):
            what, values = describe(history, index, neuron, needed[index][neuron])
            tick = history.segment.start + record.event.tick
            yield index, ExplainedEvent(tick, record.phase, record.subject, cycle_of(record), what, values)


def _neurons_read(record: Record, circuit: Circuit, neuron: Neuron) -> tuple[Neuron, ...]:
    """Return the neurons whose quantities go into that neuron's value."""
    if record.event.phase == phases.DELIVERY:
        return (None,)
    population = circuit.population(record.subject)
    softmax = record.event.phase in NORMALISING and population.activation == "softmax"
    lateral = population.centres or population.norm is not None or softmax
    return (neuron, None) if lateral and neuron is not None else (neuron,)


def _delivered(history: History, index: int, neuron: Neuron, needed: set[Key]) -> tuple[str, dict[str, float]]:
    """Describe a delivery: synapses, what arrived, and the total so far where several projections deliver."""
    record = history.segment.records[index]
    q = history.circuit.projections[record.event.which]
    key: Key = (q.target, "S", record.event.detail)
    total, arrived = history.made(index, key), _arrived(history, index, key)
    pooled = "largest of " if history.circuit.population(q.target).combine is Combine.MAX else ""
    joined = pooled + f"{_existing(history, index, q, neuron)} synapses into"
    if neuron is None:
        return f"{joined} {history.circuit.population(q.target).size} neurons", _spread(history, "arrived", arrived)
    values = {"arrived": history.number(arrived, key, neuron)}
    if sum(r.event.phase == phases.DELIVERY and key in r.made for r in history.segment.records) > 1:
        values[f"{address_text(key, q.target)} so far"] = history.number(total, key, neuron)
    return f"{joined} neuron {neuron}", values


def _arrived(history: History, index: int, key: Key) -> np.ndarray:
    """Return what a delivery added to the input of neurons, or the factor by which it multiplied it."""
    total, record = history.made(index, key), history.segment.records[index]
    if not any(key in r.made for r in history.segment.records[:index]):
        return total
    before = record.before[key][_at(history, index, key)]
    if history.circuit.population(key[0]).combine is not Combine.PRODUCT:
        return np.asarray(total - before)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total / before)


def _existing(history: History, index: int, q: Projection, neuron: Neuron) -> int:
    """Count the synapses with a weight that is not zero, of one neuron or of all."""
    weight = history.seen(index, (q.tensor_owner, "weight", None))
    assert weight is not None
    used = across(weight[None], q.connectivity)[0] if isinstance(q.weights, Transposed) else weight
    if q.dense:
        return int(np.count_nonzero(used if neuron is None else used[neuron]))
    post, _, slot = links(history.circuit, q).synapses
    return int(np.count_nonzero(used.reshape(-1)[slot if neuron is None else slot[post == neuron]]))


def _at(history: History, index: int, key: Key) -> int:
    return min(history.replica, len(history.segment.records[index].before[key]) - 1)


def _fired(history: History, index: int, neuron: Neuron, needed: set[Key]) -> tuple[str, dict[str, float]]:
    """Describe one neuron's inputs and results, or the size of the needed quantities of all neurons."""
    record = history.segment.records[index]
    population = history.circuit.population(record.subject)
    what = _operation(history.circuit, record, population)
    if neuron is None:
        spread = (
            _spread(history, address_text(key, record.subject), history.made(index, key)) for key in sorted(needed)
        )
        return f"{population.size} neurons: {what}", {k: v for values in spread for k, v in values.items()}
    added = {access.key for access, _ in record.read if access.mode is Mode.ADD}
    values = {}
    for key in (access.key for access, _ in record.read if access.owner not in ("data", "circuit")):
        array = history.seen(index, key)
        if array is not None:
            values[address_text(key, record.subject)] = history.number(array, key, neuron)
    for key in (key for key in record.made if key not in added):
        values[address_text(key, record.subject)] = history.number(history.made(index, key), key, neuron)
    return f"neuron {neuron}: {what}", values


def _operation(circuit: Circuit, record: Record, p: Population) -> str:
    """Name the operation of a population's neurons in an event."""
    read = {access.key for access, _ in record.read}
    clamped = next((k[1] for k in read if k[0] == "data" and k[1] in "xy"), None)
    if clamped:
        return "clamped to the data" if clamped == "x" else "clamped to the label"
    if record.event.phase == phases.RECIRCULATION and circuit.exchanged(p.name, *RECIRCULATES):
        return "recirculated activity, mixed with O(0)"
    if record.event.phase in (phases.FEEDBACK, phases.REPLACEMENT):
        if circuit.exchanged(p.name, Carries.MARGIN):
            return "hinge of the summed input"
        return "target minus output" if circuit.exchanged(p.name, Carries.TARGET) else "arriving error times slope"
    if (p.name, "S", cycle_of(record)) not in read:
        return "noise" if record.event.phase == phases.MIRROR else "taken from colocated neurons"
    lateral = p.activation == "softmax"
    of = f" over all {p.size} neurons" if lateral and record.event.phase in NORMALISING else ""
    activation = "identity" if lateral and not of else p.activation
    mixed = ", mixed with O(0)" if record.event.phase == phases.RECIRCULATION else ""
    centred = ", minus the mean over the batch" if p.centres else f", normalised: {p.norm}" if p.norm else ""
    bias = " + bias" if any(key[1] == "bias" for key in read) else ""
    silenced = f", {p.dropout:.0%} of the neurons silent" if p.dropout else ""
    return f"{activation}(S{bias}){of}{centred}{mixed}{silenced}"


def _spread(history: History, name: str, array: np.ndarray) -> dict[str, float]:
    """Return the mean and the root mean square of activity."""
    chosen = history.examples(array).astype(np.float64)
    return {f"mean {name}": float(chosen.mean()), f"rms {name}": float(np.sqrt(np.square(chosen).mean()))}
