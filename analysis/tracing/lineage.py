"""The backward slice of a presentation: which events a neuron's activity came from, and the values they left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from circuitsim import phases
from circuitsim.analysis.tracing.dataflow import Segment, cycle_of, spell
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Carries, Population
from circuitsim.circuit.weights import Transposed
from circuitsim.engine.evidence import Record
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import Key, Mode

Neuron = int | None  # None: all of the population
SUMMING = (phases.FORWARD, phases.RECIRCULATION)  # where a softmax is one: in mirror mode it answers with its sum
Asked = dict[int, dict[Neuron, set[Key]]]  # by record and neuron: what was wanted of it


@dataclass(frozen=True)
class Happening:
    """One row of an explanation: when, what happened to what, and numbers by name. `cycle` is None beyond activity."""

    tick: int
    phase: str
    subject: str
    cycle: int | None
    what: str
    values: Mapping[str, float]


class History:
    """One replica's arrays as the events of a segment saw them, of one example or (None) the mean over all."""

    def __init__(self, simulator: Simulator, segment: Segment, replica: int, example: int | None) -> None:
        assert simulator.evidence is not None
        self.circuit, self.segment, self.replica, self._example = simulator.circuit, segment, replica, example
        self._all = simulator.evidence.records
        laid_open = simulator.bound_plan(segment.batch, segment.wave)
        self._given, rows = laid_open.arrays, laid_open.rows
        self.rows = None if segment.wave is not None else rows[min(replica, len(rows) - 1)].tolist()

    def seen(self, index: int, key: Key) -> np.ndarray | None:
        """An array as the segment's event of that index found it, (neuron), (post, pre), (batch, neuron) or one number.

        What no event has changed is as it was given.
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
        """An array as an event left it."""
        return self._of_replica(self.segment.records[index].made[key])

    def number(self, array: np.ndarray, key: Key, neuron: int) -> float:
        """What concerns one neuron."""
        if key[2] is None:
            return float(array[neuron] if array.ndim else array)
        return float(self.examples(array)[:, neuron].mean(dtype=np.float64))

    def examples(self, array: np.ndarray) -> np.ndarray:
        """The chosen example's activity, or that of all, (example, neuron)."""
        return array if self._example is None else array[self._example : self._example + 1]

    def _of_replica(self, array: np.ndarray) -> np.ndarray:
        return np.asarray(array[min(self.replica, len(array) - 1)])


def lineage(segment: Segment, circuit: Circuit, wanted: Iterable[tuple[int, Key, Neuron]]) -> Asked:
    """Follow what was read back to the input.

    Parameters
    ----------
    wanted : rows of (index of the record that reads, address, neuron).

    Returns
    -------
    For each record that had a part in it, the neurons concerned and what was wanted of them. Where a signal comes over
    synapses, all neurons of their source are concerned; colocated neurons share values one to one.
    """
    found: Asked = {}
    pending = list(wanted)
    while pending:
        reader, key, neuron = pending.pop()
        for index in segment.sources[reader].get(key, ()):
            asked = found.setdefault(index, {}).setdefault(neuron, set())
            if not asked:
                wider = _reach(segment.records[index], circuit, neuron)
                pending += [(index, read, n) for read in segment.sources[index] for n in wider]
            asked.add(key)
    return found


def described(history: History, asked: Asked) -> Iterator[tuple[int, Happening]]:
    """The slice in words and numbers, with the indices of the records: of each, single neurons first, then all."""
    for index in sorted(asked):
        record, entry = history.segment.records[index], history.segment.entries[index]
        for neuron in sorted(asked[index], key=lambda n: (n is None, n)):
            tell = _delivered if record.event.phase == phases.DELIVERY else _fired
            what, values = tell(history, index, neuron, asked[index][neuron])
            tick = history.segment.start + record.event.tick
            yield index, Happening(tick, record.phase, record.subject, cycle_of(entry), what, values)


def _reach(record: Record, circuit: Circuit, neuron: Neuron) -> tuple[Neuron, ...]:
    """Whose readings go into that neuron's value."""
    if record.event.phase == phases.DELIVERY:
        return (None,)
    population = circuit.population(record.subject)
    lateral = population.centres or (record.event.phase in SUMMING and population.activation == "softmax")
    return (neuron, None) if lateral and neuron is not None else (neuron,)


def _delivered(history: History, index: int, neuron: Neuron, asked: set[Key]) -> tuple[str, dict[str, float]]:
    """How many synapses took part and what arrived; beside it the sum so far where others deliver there too."""
    q = history.circuit.projections[history.segment.records[index].event.which]
    (key,) = asked
    total = history.made(index, key)
    earlier = any(key in r.made for r in history.segment.records[:index])
    arrived = total - history.segment.records[index].before[key][_at(history, index, key)] if earlier else total
    weight = history.seen(index, (q.tensor_owner, "weight", None))
    assert weight is not None
    used = weight.T if isinstance(q.weights, Transposed) else weight
    if neuron is None:
        return f"{np.count_nonzero(used)} synapses into {len(used)} neurons", _spread(history, "arrived", arrived)
    values = {"arrived": history.number(arrived, key, neuron)}
    if sum(r.event.phase == phases.DELIVERY and key in r.made for r in history.segment.records) > 1:
        values[f"{spell(key, q.target)} so far"] = history.number(total, key, neuron)
    return f"{np.count_nonzero(used[neuron])} synapses into neuron {neuron}", values


def _at(history: History, index: int, key: Key) -> int:
    return min(history.replica, len(history.segment.records[index].before[key]) - 1)


def _fired(history: History, index: int, neuron: Neuron, asked: set[Key]) -> tuple[str, dict[str, float]]:
    """What one neuron read and made, or how large what was wanted of all of them is."""
    record = history.segment.records[index]
    population = history.circuit.population(record.subject)
    what = _deed(history.circuit, record, population)
    if neuron is None:
        spread = (_spread(history, spell(key, record.subject), history.made(index, key)) for key in sorted(asked))
        return f"{population.size} neurons: {what}", {k: v for values in spread for k, v in values.items()}
    added = {access.key for access, _ in record.read if access.mode is Mode.ADD}
    values = {}
    for key in (access.key for access, _ in record.read if access.owner not in ("data", "circuit")):
        array = history.seen(index, key)
        if array is not None:
            values[spell(key, record.subject)] = history.number(array, key, neuron)
    for key in record.made.keys() - added:
        values[spell(key, record.subject)] = history.number(history.made(index, key), key, neuron)
    return f"neuron {neuron}: {what}", values


def _deed(circuit: Circuit, record: Record, p: Population) -> str:
    """What such neurons do in such an event."""
    read = {access.key for access, _ in record.read}
    clamped = next((k[1] for k in read if k[0] == "data" and k[1] in "xy"), None)
    if clamped:
        return "clamped to the data" if clamped == "x" else "clamped to the label"
    if record.event.phase == phases.RECIRCULATION and circuit.exchanged(p.name, *RECIRCULATES):
        return "what came around, mixed with what was held"
    if record.event.phase in (phases.FEEDBACK, phases.REPLACEMENT):
        if circuit.exchanged(p.name, Carries.MARGIN):
            return "summed input held against a margin"
        return "target less output" if circuit.exchanged(p.name, Carries.TARGET) else "arriving error times slope"
    if (p.name, "S", cycle_of_record(record)) not in read:
        return "noise" if record.event.phase == phases.MIRROR else "taken from colocated neurons"
    lateral = p.activation == "softmax"
    of = f" over all {p.size} neurons" if lateral and record.event.phase in SUMMING else ""
    activation = "identity" if lateral and not of else p.activation
    mixed = ", mixed with what was held" if record.event.phase == phases.RECIRCULATION else ""
    centred = ", less the mean over the batch" if p.centres else ""
    bias = " + bias" if any(key[1] == "bias" for key in read) else ""
    return f"{activation}(S{bias}){of}{centred}{mixed}"


def cycle_of_record(record: Record) -> int | None:
    """The cycle of the activity that an event made."""
    return next((key[2] for key in record.made if key[2] is not None), None)


def _spread(history: History, name: str, array: np.ndarray) -> dict[str, float]:
    """The mean and the root mean square of activity."""
    chosen = history.examples(array).astype(np.float64)
    return {f"mean {name}": float(chosen.mean()), f"rms {name}": float(np.sqrt(np.square(chosen).mean()))}
