"""The effect of rules and updates on one synapse, with all values that determine it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import sympy

from circuitsim import phases
from circuitsim.analysis.tracing.dataflow import address_text
from circuitsim.analysis.tracing.lineage import ExplainedEvent, History
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Plasticity
from circuitsim.circuit.weights import Own
from circuitsim.errors import CircuitError
from circuitsim.locality import BEFORE, Key, Place, Reading
from circuitsim.lowering.links import across, links
from circuitsim.phases.reading import cycle_read, learning_of, step_of
from circuitsim.rules import Rule

MOST_NAMED = 5  # neurons in a refusal


@dataclass(frozen=True)
class SynapseAddress:
    """One synapse of a projection, and where its weight is stored.

    Parameters
    ----------
    projection, i, j : from the source's neuron j to the target's neuron i. at : its weight's place in the tensor.
    others : target's and source's neuron of each other synapse of the same weight, (synapse, 2).
    """

    projection: str
    i: int
    j: int
    at: tuple[int, ...]
    others: np.ndarray

    @property
    def text(self) -> str:
        """Its weight's place, as one writes it."""
        return f"{self.projection}.weight[{', '.join(map(str, self.at))}]"


def find_synapse(circuit: Circuit, projection: str, i: int, j: int) -> SynapseAddress:
    """Return the address of the synapse from neuron j to neuron i; CircuitError if there is none."""
    q = circuit.projection(projection)
    if q.dense:
        return SynapseAddress(projection, i, j, (i, j), np.empty((0, 2), np.int64))
    post, pre, slot = links(circuit, q).synapses
    found = np.flatnonzero((post == i) & (pre == j))
    if not found.size:
        reached = ", ".join(map(str, pre[post == i][:MOST_NAMED])) or "no neuron at all"
        raise CircuitError(
            f"synapse of {projection}",
            got=f"none from neuron {j} of {q.source} to neuron {i} of {q.target}",
            expected=f"one that exists: neuron {i} has synapses from {reached}",
            remedy="circuit.synapses(name) lists them all.",
        )
    alike = np.flatnonzero(slot == slot[found[0]])
    others = np.stack([post, pre], axis=1)[alike[alike != found[0]]]
    at = np.unravel_index(int(slot[found[0]]), circuit.tensor_shape(projection))
    return SynapseAddress(projection, i, j, tuple(int(n) for n in at), others)


class Changes:
    """The effect of a segment's rules and updates on one synapse."""

    def __init__(self, history: History, synapse: SynapseAddress, example: int | None) -> None:
        self._history, self._segment, self._example = history, history.segment, example
        self._q, self._synapse, self._at = history.circuit.projection(synapse.projection), synapse, synapse.at
        self._i, self._j = synapse.i, synapse.j
        projection = synapse.projection
        self._batch = self._segment.batch
        self._rules = [
            (index, learning_of(history.circuit, record.event))
            for index, record in enumerate(self._segment.records)
            if record.event.phase == phases.PLASTICITY and record.subject == projection
        ]

    def readings(self) -> Iterator[tuple[int, Key, int]]:
        """Yield the rules' readings of neurons, as (record, address, neuron)."""
        for index, plasticity in self._rules:
            for reading in plasticity.rule.certificate.readings:
                if reading.place in (Place.PRE, Place.POST):
                    key, neuron = self._address(index, plasticity, reading)
                    if key[2] is None or key[2] >= 0 or reading.cycle == BEFORE:
                        yield index, key, neuron

    def events(self) -> Iterator[tuple[int, ExplainedEvent]]:
        """Yield the rules' evaluations and the changes of the weight, each with the number of its record."""
        for index, plasticity in self._rules:
            yield from ((index, event) for event in self._evaluated(index, plasticity))
        weight: Key = (self._q.name, "weight", None)
        for index, record in enumerate(self._segment.records):
            if weight in record.made:
                applied = self._applied if record.event.phase == phases.UPDATE else self._rescaled
                before, after = record.before[weight], record.made[weight]
                at = self._history.replica, *self._at
                yield index, self._event(index, *applied(index, float(before[at]), float(after[at])))

    def _address(self, index: int, plasticity: Plasticity, reading: Reading) -> tuple[Key, int]:
        """Return what a rule reads of a neuron; before step 0 it is silent."""
        circuit = self._history.circuit
        cycle = cycle_read(circuit, plasticity, reading, step_of(circuit, self._segment.records[index].event))
        if reading.place is Place.PRE:
            return (plasticity.pre or self._q.source, "O", cycle), self._j
        return (plasticity.post or self._q.target, "O", cycle), self._i

    def _evaluated(self, index: int, plasticity: Plasticity) -> Iterator[ExplainedEvent]:
        rule = cast(Rule, plasticity.rule)
        free = {name: float(self._seen(index, (self._q.name, f"{rule.name}.{name}", None))) for name in rule.free}
        synapse, neurons = self._readings(index, plasticity, self._i, self._j)
        dw = _evaluate(rule, neurons, synapse, free, (self._batch,))
        yield self._event(index, f"rule {rule.name}: dw = {_text(rule)}", synapse | free)
        for k in range(self._batch) if self._example is None else (self._example,):
            row = "" if self._history.rows is None else f", row {self._history.rows[k]}"
            values = {name: float(activity[k]) for name, activity in neurons.items()}
            yield self._event(index, f"example {k}{row}", values | {"dw": float(dw[k])})
        if self._example is not None and self._batch > 1:
            others = float(dw.sum() - dw[self._example])
            yield self._event(index, f"the other {self._batch - 1} examples", {"dw": others})
        if len(self._synapse.others):
            posts, pres = self._synapse.others.T
            same, neurons = self._readings(index, plasticity, posts, pres)
            elsewhere = _evaluate(rule, neurons, same, free, (self._batch, len(posts)))
            yield self._event(index, f"the other {len(posts)} synapses of this weight", {"dw": float(elsewhere.sum())})
        total = self._history.made(index, (self._q.name, "increment", None))[self._at]
        before = ", added to earlier ones" if index != self._rules[0][0] else ""
        yield self._event(index, f"sum over {self._batch} examples{before}", {"increment": float(total)})

    def _readings(
        self, index: int, plasticity: Plasticity, i: Any, j: Any
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Return the rule's readings: values of the weight, and activities (example,) of one synapse or of several."""
        synapse, neurons = {}, {}
        for reading in plasticity.rule.certificate.readings:
            if reading.place is Place.SYNAPSE:
                synapse["w"] = float(self._seen(index, (self._q.name, "weight", None))[self._at])
            elif reading.place is Place.REMOTE:
                w_remote = self._seen(index, (str(plasticity.transposed_from), "weight", None))
                synapse["w_remote"] = float(across(w_remote[None], self._q.connectivity)[0][self._at])
            else:
                key, _ = self._address(index, plasticity, reading)
                neuron = j if reading.place is Place.PRE else i
                name = f"{reading.place.value}.at({reading.cycle})"
                silent = key[2] is not None and key[2] < 0 and reading.cycle != BEFORE
                width = self._history.circuit.population(key[0]).size
                activity = np.zeros((self._batch, width)) if silent else self._seen(index, key)
                neurons[name] = activity[:, neuron].astype(np.float64)
        return synapse, neurons

    def _applied(self, index: int, before: float, after: float) -> tuple[str, dict[str, float]]:
        name, at = self._q.name, self._at
        mean = float(self._seen(index, (name, "increment", None))[at]) / self._batch
        values, formula, v = {"mean dw": mean}, "w + lr v, v = mean dw", mean
        velocity: Key = (name, "velocity", None)
        if velocity in self._segment.records[index].made:
            held, made = self._seen(index, velocity)[at], self._history.made(index, velocity)[at]
            momentum = float(self._seen(index, (name, "momentum", None)))
            values |= {"momentum": momentum, "velocity": float(held)}
            formula, v = "w + lr v, v = momentum velocity + mean dw", float(made)
        values |= {"v": v, "lr": float(self._seen(index, (name, "lr", None)))}
        decay = float(self._seen(index, (name, "weight_decay", None)))
        if decay:
            values["weight_decay"], formula = decay, formula.replace("w + lr", "w - weight_decay w + lr", 1)
        if self._q.masked and not self._seen(index, (name, "mask", None))[at]:
            formula = "0: the mask excludes this synapse"
        if self._q.weights == Own(normalised=True):
            formula += "; divided by the norm of all synapses"
        if not self._seen(index, ("circuit", "alive", None)):
            formula = "w, unchanged: this replica has diverged"
        return f"w becomes {formula}", values | {"before": before, "after": after}

    def _rescaled(self, index: int, before: float, after: float) -> tuple[str, dict[str, float]]:
        subject = self._segment.records[index].subject
        bound = self._seen(index, (subject, "max_norm", None))
        what = "scales its synapses" if before != after else "its synapses are within the bound"
        return f"neuron {self._i}: {what}", {"max_norm": float(bound), "before": before, "after": after}

    def _seen(self, index: int, key: Key) -> np.ndarray:
        array = self._history.seen(index, key)
        assert array is not None, f"{address_text(key)} was declared to be read"
        return array

    def _event(self, index: int, what: str, values: dict[str, float]) -> ExplainedEvent:
        record = self._segment.records[index]
        return ExplainedEvent(self._segment.start + record.event.tick, record.phase, record.subject, None, what, values)


def _evaluate(
    rule: Rule,
    neurons: Mapping[str, np.ndarray],
    synapse: Mapping[str, float],
    free: Mapping[str, float],
    shape: tuple[int, ...],
) -> np.ndarray:
    """Evaluate the rule's function on the values that it read, (example,) or (example, synapse)."""

    def of(name: str) -> dict[int, np.ndarray]:
        return {int(n[len(name) + 4 : -1]): values for n, values in neurons.items() if n.startswith(name)}

    pre, post = of("pre"), of("post")
    with np.errstate(all="ignore"):
        dw = rule(pre.__getitem__, post.__getitem__, synapse.get("w"), synapse.get("w_remote"), **free)
    return np.broadcast_to(np.asarray(dw, np.float64), shape)


def _text(rule: Rule) -> str:
    """Write the traced expression with the names of the rule's author."""
    named = {
        symbol: sympy.Symbol(meaning if isinstance(meaning, str) else _spell(meaning), real=True)
        for symbol, meaning in rule.symbols.items()
    }
    return str(rule.expression.xreplace(named))


def _spell(reading: Reading) -> str:
    if reading.cycle is None:
        return "w" if reading.place is Place.SYNAPSE else "w_remote"
    return f"{reading.place.value}.at({reading.cycle})"
